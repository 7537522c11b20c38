//! The HTTP loop: limits on time, size and number, and how it ends.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Bytes,
    routing::{get, post},
};
use lifesign_server::net::HttpOptions;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    time::timeout,
};

use crate::rig::{LAST, NEXT, Running, last, next, read_head};

/// Short enough to be waited for.
const SHORT: Duration = Duration::from_millis(300);

/// Long after everything here is over; a test that gets there hangs.
const NEVER: Duration = Duration::from_secs(60);

const UPLOAD: &str = "POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";

fn options() -> HttpOptions {
    HttpOptions { header_timeout: NEVER, request_timeout: NEVER, drain: NEVER, ..HttpOptions::default() }
}

fn router() -> Router {
    Router::new()
        .route("/upload", post(async |body: Bytes| body.len().to_string()))
        .route("/never", get(async || std::future::pending::<()>().await))
}

async fn start(options: HttpOptions) -> (Running, TcpStream) {
    let server = Running::start(options, router()).await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    (server, stream)
}

/// Sends one byte after another, as slowly as it can be without being idle, until the server has enough: what it said.
async fn drip(stream: &mut TcpStream, bytes: &[u8]) -> String {
    let (mut from, mut to) = stream.split();
    let mut said = Vec::new();
    let dripping = async {
        for byte in bytes.iter().cycle() {
            if to.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let listening = async {
        // A reset ends it as well: not all that was sent has been read.
        while from.read_buf(&mut said).await.is_ok_and(|count| count > 0) {}
    };
    tokio::select! {
        ended = timeout(NEVER, listening) => ended.expect("it is ended"),
        () = dripping => {}
    }
    String::from_utf8(said).unwrap()
}

#[tokio::test]
async fn a_connection_serves_several_requests() {
    let (server, mut stream) = start(options()).await;
    for _ in 0..3 {
        assert!(next(&mut stream, NEXT).await.unwrap().ends_with("\r\n\r\n127.0.0.1 "));
    }
    assert_eq!(last(&mut stream, LAST).await.unwrap(), "127.0.0.1 ");
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_drips_is_ended() {
    let (server, mut stream) = start(HttpOptions { header_timeout: SHORT, ..options() }).await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Drip: ").await.unwrap();
    let said = drip(&mut stream, b"a").await;
    assert!(!said.contains(" 200 "), "{said}");
    server.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_ended() {
    let (server, mut stream) = start(HttpOptions { header_timeout: SHORT, ..options() }).await;
    next(&mut stream, NEXT).await.unwrap();
    assert_eq!(timeout(NEVER, stream.read(&mut [0])).await.expect("it is ended").unwrap_or_default(), 0);
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_drips_is_ended() {
    let (server, mut stream) = start(HttpOptions { request_timeout: SHORT, ..options() }).await;
    stream.write_all(UPLOAD.as_bytes()).await.unwrap();
    let said = drip(&mut stream, b"a").await;
    assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("connection: close"), "{said}");
    server.stop().await;
}

#[tokio::test]
async fn work_that_takes_too_long_is_ended_as_the_servers_fault() {
    let (server, mut stream) = start(HttpOptions { request_timeout: SHORT, ..options() }).await;
    let said = next(&mut stream, "GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
    server.stop().await;
}

#[tokio::test]
async fn heads_are_bounded() {
    let (server, _) = start(options()).await;
    let header = |bytes| format!("X-Fill: {}\r\n", "a".repeat(bytes));
    let request = |headers: &str| format!("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    for (headers, status) in [
        (header(30 << 10), 200),
        (header(33 << 10), 431),
        (header(300 << 10), 431),
        (header(1).repeat(90), 200),
        (header(1).repeat(110), 431),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        // The server may have had enough before all of it is sent.
        let (mut from, mut to) = stream.split();
        let request = request(&headers);
        let (_, head) = tokio::join!(to.write_all(request.as_bytes()), read_head(&mut from));
        let head = head.unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{} bytes: {head}", headers.len());
    }
    server.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let (server, mut first) = start(HttpOptions { max_connections: 1, ..options() }).await;
    next(&mut first, NEXT).await.unwrap();
    let mut second = TcpStream::connect(server.address).await.unwrap();
    second.write_all(LAST.as_bytes()).await.unwrap();
    for _ in 0..3 {
        next(&mut first, NEXT).await.unwrap();
        let waiting = second.try_read(&mut [0]);
        assert!(matches!(waiting, Err(error) if error.kind() == io::ErrorKind::WouldBlock));
    }
    drop(first);
    assert!(read_head(&mut second).await.unwrap().starts_with("HTTP/1.1 200 "));
    server.stop().await;
}

#[tokio::test]
async fn open_requests_end_and_idle_connections_are_ended_at_shutdown() {
    let (entered, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (enter, gone) = (Arc::clone(&entered), Arc::clone(&go));
    let slow = async move || {
        enter.notify_one();
        gone.notified().await;
        "done"
    };
    let server = Running::start(options(), Router::new().route("/slow", get(slow))).await;
    let connect = || TcpStream::connect(server.address);
    let (mut idle, mut fresh, mut busy) =
        (connect().await.unwrap(), connect().await.unwrap(), connect().await.unwrap());
    next(&mut idle, NEXT).await.unwrap();
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    entered.notified().await;
    server.tell();
    for stream in [&mut idle, &mut fresh] {
        assert_eq!(timeout(NEVER, stream.read(&mut [0])).await.expect("it is ended").unwrap_or_default(), 0);
    }
    assert!(connect().await.is_err(), "no new connections are taken");
    go.notify_one();
    let mut answer = String::new();
    busy.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("done"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn what_is_left_after_the_drain_limit_is_ended() {
    let (server, mut stream) = start(HttpOptions { drain: SHORT, ..options() }).await;
    let entered = next(&mut stream, NEXT).await.unwrap();
    assert!(entered.starts_with("HTTP/1.1 200 "));
    stream.write_all(b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    timeout(NEVER, server.stop()).await.expect("it stops");
    assert_eq!(stream.read(&mut [0]).await.unwrap_or_default(), 0);
}
