//! The vendors' samples of curl commands, read into what has to be on the wire.

/// What a command sends.
#[derive(Default)]
pub(crate) struct Curl {
    /// `POST`, …
    pub(crate) method: String,
    /// The path of its address.
    pub(crate) path: String,
    /// Header names, and values with the shell's quotes gone.
    pub(crate) headers: Vec<(String, String)>,
    /// Names of fields and of the files in them, without folders.
    pub(crate) files: Vec<(String, String)>,
    /// What is sent as it is.
    pub(crate) data: Option<String>,
}

/// Reads a command; whatever is not understood fails the test.
pub(crate) fn curl(text: &str) -> Curl {
    let mut words = words(text).into_iter();
    assert_eq!(words.next().as_deref(), Some("curl"));
    let mut curl = Curl::default();
    while let Some(word) = words.next() {
        let mut next = || words.next().unwrap();
        match word.as_str() {
            "-v" | "-L" | "--location" => {}
            "-X" | "--request" => curl.method = next(),
            "-H" | "--header" => {
                let header = next();
                let (name, value) = header.split_once(": ").unwrap();
                curl.headers.push((name.to_owned(), value.to_owned()));
            }
            "-F" | "--form" => {
                let field = next();
                let (name, path) = field.split_once("=@").unwrap();
                let file = path.trim_matches('"').rsplit('/').next().unwrap();
                curl.files.push((name.to_owned(), file.to_owned()));
            }
            "--data-raw" => curl.data = Some(next()),
            address => {
                let (_, rest) = address.strip_prefix("https://").unwrap().split_once('/').unwrap();
                curl.path = format!("/{rest}");
            }
        }
    }
    curl
}

/// The words of a shell's command; quotes hold spaces together, and a backslash ends a line.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => word.push(c),
            (None, '"' | '\'') => quote = Some(c),
            (None, '\\') => {}
            (None, _) if c.is_whitespace() => words.push(std::mem::take(&mut word)),
            (None, _) => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// The parts of a form as they came: the head, and what the field holds.
pub(crate) fn parts(request: &lifesign_core::testing::socket::Request) -> Vec<(String, Vec<u8>)> {
    let content_type = request.header("content-type").unwrap();
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    let line = format!("--{boundary}");
    let mut rest = request.body.strip_prefix(line.as_bytes()).unwrap();
    let mut parts = Vec::new();
    while rest != b"--\r\n" {
        let part = rest.strip_prefix(b"\r\n").unwrap();
        let (part, after) = cut(part, format!("\r\n{line}").as_bytes());
        let (head, held) = cut(part, b"\r\n\r\n");
        parts.push((String::from_utf8(head.to_vec()).unwrap(), held.to_vec()));
        rest = after;
    }
    parts
}

/// What stands before the first `what`, and what after it.
fn cut<'a>(text: &'a [u8], what: &[u8]) -> (&'a [u8], &'a [u8]) {
    let place = text.windows(what.len()).position(|window| window == what).unwrap();
    let (before, rest) = text.split_at(place);
    (before, rest.strip_prefix(what).unwrap())
}
