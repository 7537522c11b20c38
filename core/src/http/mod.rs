//! Outgoing HTTP for vendors: one client a vendor, with timeouts, retries as data, a circuit breaker, rate windows, a cap on
//! concurrent calls and on the size of replies.
//!
//! A vendor's client says what to send ([`Call`]) and how to read the reply; everything about when, how often and whether to
//! send is here. Nothing here logs, and no error holds a header, a body or an address.

mod attempt;
mod body;
mod breaker;
mod client;
mod config;
mod error;
mod payload;
mod retry;
mod secret;
mod tls;
mod windows;

pub use breaker::{BreakerCounts, BreakerState};
pub use client::HttpClient;
pub use config::{BreakerConfig, HttpConfig, RateWindow, RetryConfig};
pub use error::{CallError, ErrorKind, HttpConfigError};
pub use payload::{Part, Payload, PayloadError};
pub use secret::{Secret, SecretError, secret};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

/// Whether a call may be repeated once its body was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Asking again costs nothing and changes nothing: a token, a result, a probe.
    Safe,
    /// As [`Repeat::Safe`], and what is asked for was paid for before: the result of an upload. It is asked for although the circuit
    /// breaker is open, since what is not fetched is lost.
    Owed,
    /// Every body that reaches the vendor may be billed. Repeated only where the fault came before the body was sent, or
    /// where [`RetryConfig`] allows it.
    Paid,
}

/// What to send. Cloning shares the bytes. `Debug` shows method, path and size only.
#[derive(Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The whole address, checked by the vendor's configuration.
    pub url: reqwest::Url,
    /// Headers of this call. Mark secrets with `HeaderValue::set_sensitive`.
    pub headers: HeaderMap,
    /// The body; its content type is set from it.
    pub payload: Payload,
    /// Whether it may be repeated.
    pub repeat: Repeat,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("path", &self.url.path())
            .field("bytes", &self.payload.len())
            .field("repeat", &self.repeat)
            .finish_non_exhaustive()
    }
}

/// A reply, read whole within the size cap, whatever its status. `Debug` shows status and size only.
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// What a call gave, and how often it was sent.
#[derive(Debug)]
pub struct Answered<T> {
    /// What the reply was read as.
    pub value: T,
    /// Requests made.
    pub attempts: u32,
}

/// How a vendor's line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// No call was made yet.
    Unknown,
    /// The last request got an answer, or was refused for what it held, and the breaker is closed.
    Healthy,
    /// The last request failed, for the vendor's sake or for the credentials', or the breaker is open or half open. A request
    /// that its caller's deadline cut off at once changes nothing.
    Unhealthy,
}
