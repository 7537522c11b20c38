//! Everything that can go wrong with one request: what it is called, and whether the vendor may have had the body.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use lifesign_core::{
    http::{Call, CallError, ErrorKind, Health, HttpConfig, Payload, Repeat},
    testing::socket::Answer,
};
use tokio::net::{TcpListener, TcpSocket};

use crate::support::{after, far, line, ok, once, post, read, send, serve};

fn error(kind: ErrorKind, status: Option<u16>, sent: bool) -> CallError {
    CallError { status, sent, attempts: 1, ..CallError::new(kind) }
}

/// Short enough to wait for, long enough for what answers at once on a busy machine.
fn impatient() -> HttpConfig {
    HttpConfig { request_timeout_ms: 3_000, ..once() }
}

#[tokio::test]
async fn statuses_have_their_kinds() {
    for (status, kind) in [
        (400, ErrorKind::Refused),
        (401, ErrorKind::Credentials),
        (403, ErrorKind::Forbidden),
        (429, ErrorKind::RateLimited),
        (500, ErrorKind::Server),
        (504, ErrorKind::Timeout),
    ] {
        let server = serve(move |_| Answer::json(status, "{}")).await;
        let told = send(&line(once()), &post(&server.url(), Repeat::Paid)).await.unwrap_err();
        assert_eq!(told, error(kind, Some(status), true));
    }
}

#[tokio::test]
async fn broken_connections_have_their_kinds() {
    let garbage = |text: &str| Answer::Raw(text.as_bytes().to_vec());
    let cases = [
        (Answer::Reset, error(ErrorKind::Broken, None, true)),
        (garbage(""), error(ErrorKind::Broken, None, true)),
        (garbage("HTTP/1.1 200 OK\r\nContent-Le"), error(ErrorKind::Broken, None, true)),
        (garbage("SSH-2.0-OpenSSH_9.2\r\n\r\n"), error(ErrorKind::Unreadable, None, true)),
        (garbage("HTTP/1.1 abc\r\n\r\n"), error(ErrorKind::Unreadable, None, true)),
        (Answer::Cut(Box::new(Answer::json(200, "0123456789"))), error(ErrorKind::Broken, Some(200), true)),
        (Answer::Hang, error(ErrorKind::Timeout, None, true)),
        (Answer::Late(Duration::from_secs(60), Box::new(ok())), error(ErrorKind::Timeout, None, true)),
        (
            Answer::Drip(Duration::from_secs(1), Box::new(Answer::json(200, "0123456789".repeat(6)))),
            error(ErrorKind::Timeout, Some(200), true),
        ),
    ];
    // All at once, since some take as long as the line has patience.
    let told = cases.map(|(answer, expected)| async move {
        let told = answer.clone();
        let server = serve(move |_| told.clone()).await;
        let line = line(impatient());
        let told = send(&line, &post(&server.url(), Repeat::Paid)).await.unwrap_err();
        assert_eq!(told, expected, "{answer:?}");
        assert_eq!(line.health(), Health::Unhealthy, "{answer:?}");
        assert_eq!(server.requests().len(), 1, "{answer:?}");
    });
    join_all(told).await;
}

#[tokio::test]
async fn what_cannot_be_reached_was_not_sent() {
    // Bound and not listening: nobody else has the port, and connecting is refused.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    for url in [format!("http://{address}"), "http://vendor.invalid/".to_owned()] {
        let told = send(&line(once()), &post(&url, Repeat::Paid)).await.unwrap_err();
        assert_eq!(told, error(ErrorKind::Unreachable, None, false), "{url}");
        let empty = Call { payload: Payload::empty(), ..post(&url, Repeat::Paid) };
        let told = send(&line(once()), &empty).await.unwrap_err();
        assert_eq!(told, error(ErrorKind::Unreachable, None, false), "{url}");
    }
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_no_connection_and_nothing_was_sent() {
    // The system takes the connection, and nobody ever says a word on it.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let call = post(&format!("https://{}", listener.local_addr().unwrap()), Repeat::Paid);
    let line_of =
        |connect_timeout_ms, request_timeout_ms| line(HttpConfig { connect_timeout_ms, request_timeout_ms, ..once() });
    let told = send(&line_of(50, 30_000), &call).await.unwrap_err();
    assert_eq!(told, error(ErrorKind::Unreachable, None, false));
    let told = send(&line_of(30_000, 100), &call).await.unwrap_err();
    assert_eq!(told, error(ErrorKind::Timeout, None, false));
}

#[tokio::test]
async fn the_deadline_ends_a_request_and_a_short_one_is_not_held_against_the_vendor() {
    let server = serve(|_| Answer::Hang).await;
    let patient = HttpConfig { connect_timeout_ms: 60_000, request_timeout_ms: 300_000, ..HttpConfig::default() };
    let (call, line) = (post(&server.url(), Repeat::Safe), line(patient));
    let started = Instant::now();
    let told = line.call(&call, after(300), read).await.unwrap_err();
    assert_eq!((told.kind, told.attempts), (ErrorKind::Timeout, 1));
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert_eq!(line.health(), Health::Unknown, "a caller with no patience has learnt nothing of the vendor");
    let told = line.call(&call, Instant::now(), read).await.unwrap_err();
    assert_eq!(told, CallError::new(ErrorKind::Timeout));
}

#[tokio::test]
async fn the_whole_call_has_its_own_limit() {
    let server = serve(|_| Answer::Hang).await;
    let line = line(HttpConfig { total_timeout_ms: 200, ..HttpConfig::default() });
    let told = line.call(&post(&server.url(), Repeat::Safe), far(), read).await.unwrap_err();
    assert_eq!((told.kind, told.attempts), (ErrorKind::Timeout, 1));
}

#[tokio::test]
async fn replies_are_read_up_to_the_cap() {
    let text = |length: usize| "x".repeat(length);
    let undeclared = |length| Answer::Raw(format!("HTTP/1.1 200 OK\r\n\r\n{}", text(length)).into_bytes());
    let chunked = |length: usize| {
        let body = format!("{length:x}\r\n{}\r\n0\r\n\r\n", text(length));
        Answer::Raw(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}").into_bytes())
    };
    let line = line(HttpConfig { max_response_bytes: 1024, ..once() });
    for (answer, fits) in [
        (Answer::json(200, text(1024)), true),
        (Answer::json(200, text(1025)), false),
        (undeclared(1024), true),
        (undeclared(1025), false),
        (undeclared(1 << 20), false),
        (chunked(1024), true),
        (chunked(1025), false),
        // Declared, and refused before any of it came.
        (Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_vec()), false),
        (Answer::json(500, text(1025)), false),
    ] {
        let server = serve(move |_| answer.clone()).await;
        let told = send(&line, &post(&server.url(), Repeat::Safe)).await;
        match told {
            Ok(told) => assert!(fits && told.value.len() == 1024),
            Err(told) => assert!(!fits && told.kind == ErrorKind::TooLarge && told.sent, "{told:?}"),
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = serve(|_| ok()).await;
    for status in [301, 302, 303, 307, 308] {
        let place = other.url();
        let server = serve(move |_| Answer::json(status, "").with("Location", &place)).await;
        let told = send(&line(once()), &post(&server.url(), Repeat::Safe)).await.unwrap_err();
        assert_eq!(told, error(ErrorKind::Unreadable, Some(status), true));
    }
    assert!(other.requests().is_empty());
}
