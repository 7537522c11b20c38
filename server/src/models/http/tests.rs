//! The HTTP source against a server on a local socket, its requests asserted too.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread,
};

use lifesign_core::pack::{PackError, pull};

use super::*;

/// How the server answers one request for the file.
#[derive(Clone, Copy)]
enum Answer {
    /// As a good server: 200, or 206 where a range is asked for.
    Good,
    /// 200 with everything, whatever is asked.
    IgnoresRange,
    /// Announces everything, sends so many bytes, hangs up.
    CutOff(usize),
    /// 206 from another place.
    WrongRange,
    /// One bit is another.
    Flipped,
    /// One byte too many.
    TooLong,
    /// 404.
    NotFound,
}

struct Pulled {
    results: Vec<Result<(), PackError>>,
    requests: Vec<String>,
}

/// Pulls the tiny pack once per answer, its detector from the server, into one folder.
fn pulls(answers: &[Answer]) -> Pulled {
    let source = tempfile::tempdir().unwrap();
    lifesign_core::testing::tiny_pack(source.path()).unwrap();
    let file = fs::read(source.path().join("detector.onnx")).unwrap();
    let manifest = fs::read_to_string(source.path().join("pack.toml")).unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/detector.onnx", listener.local_addr().unwrap());
    let script = answers.to_vec();
    let server = thread::spawn(move || script.into_iter().map(|answer| serve(&listener, answer, &file)).collect());

    let dest = tempfile::tempdir().unwrap();
    fs::copy(source.path().join("liveness.onnx"), dest.path().join("liveness.onnx")).unwrap();
    let fetch = Local { http: Http { agent: Agent::config_builder().proxy(None).into_agent() }, url };
    let results = answers.iter().map(|_| pull(&manifest, &fetch, dest.path(), &mut |_| ()).map(|_| ())).collect();
    Pulled { results, requests: server.join().unwrap() }
}

/// The source under test, with its URLs led to the local server.
struct Local {
    http: Http,
    url: String,
}

impl Fetch for Local {
    fn offers(&self, _: &ModelSpec) -> bool {
        true
    }

    fn open(&self, spec: &ModelSpec, offset: u64) -> Result<Fetched, String> {
        self.http.open(&ModelSpec { source: self.url.clone(), fetchable: true, ..spec.clone() }, offset)
    }
}

/// Answers one request; gives its range header, or nothing.
fn serve(listener: &TcpListener, answer: Answer, file: &[u8]) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "GET /detector.onnx HTTP/1.1");
    let headers: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).map(|l| l.to_lowercase()).collect();
    assert!(headers.contains(&"accept-encoding: identity".to_owned()), "{headers:?}");
    let range = headers.iter().find_map(|line| line.strip_prefix("range: bytes=")).unwrap_or_default().to_owned();
    let start: usize = range.trim_end_matches('-').parse().unwrap_or(0);
    let mut body = file.to_vec();
    let (status, start, sent) = match answer {
        Answer::Good if start > 0 => ("206 Partial Content", start, usize::MAX),
        Answer::Good | Answer::IgnoresRange => ("200 OK", 0, usize::MAX),
        Answer::CutOff(bytes) => ("200 OK", 0, bytes),
        Answer::WrongRange => ("206 Partial Content", start + 1, usize::MAX),
        Answer::Flipped => {
            body[99] ^= 4;
            ("200 OK", 0, usize::MAX)
        }
        Answer::TooLong => {
            body.push(0);
            ("200 OK", 0, usize::MAX)
        }
        Answer::NotFound => ("404 Not Found", 0, usize::MAX),
    };
    let body = &body[start..];
    let (length, last) = (body.len(), start + body.len() - 1);
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\ncontent-range: bytes {start}-{last}/{}\r\nconnection: close\r\n\r\n",
        last + 1
    )
    .unwrap();
    // The client may hang up on what is too long.
    let _ = stream.write_all(&body[..sent.min(length)]);
    range
}

#[test]
fn a_file_comes_whole() {
    let pulled = pulls(&[Answer::Good]);
    assert_eq!(pulled.results, [Ok(())]);
    assert_eq!(pulled.requests, [""], "no range is asked for at the start");
}

#[test]
fn what_was_cut_off_is_resumed_by_range() {
    let pulled = pulls(&[Answer::CutOff(1000), Answer::Good]);
    assert!(matches!(&pulled.results[0], Err(PackError::Fetch { what, .. }) if what.contains("after 1000 of ")));
    assert_eq!(pulled.results[1], Ok(()));
    assert_eq!(pulled.requests, ["", "1000-"]);
}

#[test]
fn a_server_that_ignores_the_range_starts_over() {
    let pulled = pulls(&[Answer::CutOff(1000), Answer::IgnoresRange]);
    assert_eq!(pulled.results[1], Ok(()));
    assert_eq!(pulled.requests, ["", "1000-"]);
}

#[test]
fn wrong_answers_are_refused() {
    let one = |answer| pulls(&[answer]).results.remove(0);
    assert!(matches!(one(Answer::Flipped), Err(PackError::Altered { expected, .. }) if expected.starts_with("sha256")));
    assert!(matches!(one(Answer::TooLong), Err(PackError::Altered { actual, .. }) if actual == "more"));
    assert!(matches!(one(Answer::NotFound), Err(PackError::Fetch { what, .. }) if what.contains("404")));
    let pulled = pulls(&[Answer::CutOff(1000), Answer::WrongRange]);
    assert!(matches!(&pulled.results[1], Err(PackError::Fetch { what, .. }) if what.contains("206")));
}

#[test]
fn plain_http_is_refused_outside_tests() {
    let source = tempfile::tempdir().unwrap();
    let pack = lifesign_core::testing::tiny_pack(source.path()).unwrap();
    let spec = ModelSpec { source: "http://127.0.0.1:9/x".to_owned(), ..pack.manifest().models[0].clone() };
    assert!(Http::new().open(&spec, 0).is_err_and(|error| error.to_lowercase().contains("https")));
}
