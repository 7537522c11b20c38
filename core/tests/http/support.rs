//! Lines, calls and readings that the tests share.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use lifesign_core::{
    http::{Answered, Call, CallError, ErrorKind, HttpClient, HttpConfig, Payload, Repeat, Reply, RetryConfig},
    testing::socket::{Answer, Request, SocketServer},
};

/// Settings that make no request twice.
pub(crate) fn once() -> HttpConfig {
    HttpConfig { retry: RetryConfig { attempts: 1, ..RetryConfig::default() }, ..HttpConfig::default() }
}

/// Settings that repeat without pauses to speak of.
pub(crate) fn eager(attempts: u32) -> HttpConfig {
    let retry = RetryConfig { attempts, base_ms: 1, max_ms: 1, ..RetryConfig::default() };
    HttpConfig { retry, ..HttpConfig::default() }
}

pub(crate) fn line(config: HttpConfig) -> HttpClient {
    HttpClient::new("test", config).unwrap()
}

/// A call with a body.
pub(crate) fn post(url: &str, repeat: Repeat) -> Call {
    Call {
        method: http::Method::POST,
        url: url.parse().unwrap(),
        headers: http::HeaderMap::new(),
        payload: Payload::json(&serde_json::json!({"face": "data"})).unwrap(),
        repeat,
    }
}

/// A moment that no test reaches.
pub(crate) fn far() -> Instant {
    after(60_000)
}

pub(crate) fn after(ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(ms)
}

/// Reads a reply as vendors' clients do that have nothing of their own to say.
pub(crate) fn read(reply: &Reply) -> Result<String, ErrorKind> {
    if !reply.status.is_success() {
        return Err(ErrorKind::of_status(reply.status));
    }
    String::from_utf8(reply.body.to_vec()).map_err(|_| ErrorKind::Unreadable)
}

pub(crate) async fn send(line: &HttpClient, call: &Call) -> Result<Answered<String>, CallError> {
    line.call(call, far(), read).await
}

pub(crate) async fn serve(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> SocketServer {
    SocketServer::start(handler).await.unwrap()
}

pub(crate) fn ok() -> Answer {
    Answer::json(200, "{}")
}

/// Waits until it is so; a test that waits in vain fails instead of hanging.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    in_time(what, wait).await;
}

/// The outcome of what must not take a minute.
pub(crate) async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("still not: {what}"),
    }
}
