//! One request: sent once, its reply read whole within the cap, or what came in its place.

use std::{
    error::Error as _,
    time::{Duration, Instant, SystemTime},
};

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use tokio::time::timeout_at;

use super::{
    Call, ErrorKind, Reply,
    body::{Watch, WatchedBody},
    retry,
};

/// What came of a request in place of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: ErrorKind,
    pub(super) status: Option<u16>,
    /// Whether any byte of the body may have reached the vendor.
    pub(super) sent: bool,
    pub(super) retry_after: Option<Duration>,
    /// Whether it was this side that lost patience.
    pub(super) cut: bool,
}

impl Fault {
    fn unanswered(kind: ErrorKind, sent: bool) -> Self {
        Self { kind, status: None, sent, retry_after: None, cut: false }
    }

    /// What a whole reply was read as.
    pub(super) fn told(kind: ErrorKind, reply: &Reply) -> Self {
        let retry_after = retry::retry_after(&reply.headers, SystemTime::now());
        Self { kind, status: Some(reply.status.as_u16()), sent: true, retry_after, cut: false }
    }
}

/// Sends the call and reads the reply, of `cap` bytes at most, until `limit`.
pub(super) async fn exchange(http: &reqwest::Client, call: &Call, cap: u64, limit: Instant) -> Result<Reply, Fault> {
    let (request, watch) = request(call);
    // Where there is no body, what counts is whether there was a connection, and that is known only if there was none.
    let sent = || watch.as_ref().is_none_or(Watch::give_up);
    let mut response = match timeout_at(limit.into(), http.execute(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => {
            let kind = kind_of(&error);
            return Err(Fault::unanswered(kind, kind != ErrorKind::Unreachable && sent()));
        }
        Err(_) => return Err(Fault { cut: true, ..Fault::unanswered(ErrorKind::Timeout, sent()) }),
    };
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let (kind, cut) = match timeout_at(limit.into(), read(response, cap)).await {
        Ok(Ok(body)) => return Ok(Reply { status, headers, body }),
        Ok(Err(kind)) => (kind, false),
        Err(_) => (ErrorKind::Timeout, true),
    };
    Err(Fault { kind, status: Some(status.as_u16()), sent: true, retry_after: None, cut })
}

fn request(call: &Call) -> (reqwest::Request, Option<Watch>) {
    let mut request = reqwest::Request::new(call.method.clone(), call.url.clone());
    request.headers_mut().clone_from(&call.headers);
    if let Some(content_type) = &call.payload.content_type {
        request.headers_mut().insert(CONTENT_TYPE, content_type.clone());
    }
    if call.payload.is_empty() {
        return (request, None);
    }
    let watch = Watch::default();
    let body = WatchedBody::new(call.payload.chunks.clone(), watch.clone());
    *request.body_mut() = Some(reqwest::Body::wrap(body));
    (request, Some(watch))
}

/// The body. What is told to be too long is not begun with; what turns out to be is not read on.
async fn read(mut response: reqwest::Response, cap: u64) -> Result<Bytes, ErrorKind> {
    if response.content_length().is_some_and(|length| length > cap) {
        return Err(ErrorKind::TooLarge);
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| kind_of(&error))? {
        if (body.len() + chunk.len()) as u64 > cap {
            return Err(ErrorKind::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// What broke. The error itself is dropped: its text may hold the address.
fn kind_of(error: &reqwest::Error) -> ErrorKind {
    // A time-out while connecting is both, and nothing was sent.
    if error.is_connect() || error.is_builder() {
        ErrorKind::Unreachable
    } else if error.is_timeout() {
        ErrorKind::Timeout
    } else if is_no_http(error) {
        ErrorKind::Unreadable
    } else {
        ErrorKind::Broken
    }
}

/// Whether what came in place of a reply was no HTTP.
fn is_no_http(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(error) = source {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return true;
        }
        source = error.source();
    }
    false
}
