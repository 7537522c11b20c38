//! Why a call to a vendor gave no answer, and whether asking again may help.

use std::time::Duration;

use crate::verdict::Detail;

/// What kind of fault it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No reply in time.
    Timeout,
    /// No connection: the name, the address, TLS, the proxy.
    Unreachable,
    /// The connection broke before the reply was whole.
    Broken,
    /// HTTP 429, or what the vendor says in its place.
    RateLimited,
    /// The credentials were refused (401, or what the vendor says in its place).
    Credentials,
    /// The credentials are good and the service is not open to them (403).
    Forbidden,
    /// The vendor says that the request is wrong (any other 4xx). Asking again does not help.
    Refused,
    /// The vendor failed (5xx).
    Server,
    /// The reply is not what the vendor documents.
    Unreadable,
    /// The reply is larger than the cap.
    TooLarge,
    /// Not sent: the circuit breaker is open.
    Suspended,
    /// Not sent: our own rate windows or concurrency cap left no room before the deadline.
    Saturated,
}

impl ErrorKind {
    /// The kind of an HTTP status that is no success; for replies whose body says nothing of its own.
    pub fn of_status(status: http::StatusCode) -> Self {
        match status.as_u16() {
            401 => ErrorKind::Credentials,
            403 => ErrorKind::Forbidden,
            408 | 504 | 524 => ErrorKind::Timeout,
            429 => ErrorKind::RateLimited,
            500..=599 => ErrorKind::Server,
            400..=499 => ErrorKind::Refused,
            // A redirect, which is never followed, or an informational reply: not what the vendor documents.
            _ => ErrorKind::Unreadable,
        }
    }

    /// Whether asking again later may help.
    pub const fn may_retry(self) -> bool {
        match self {
            ErrorKind::Timeout
            | ErrorKind::Unreachable
            | ErrorKind::Broken
            | ErrorKind::RateLimited
            | ErrorKind::Server
            | ErrorKind::Suspended
            | ErrorKind::Saturated => true,
            ErrorKind::Credentials
            | ErrorKind::Forbidden
            | ErrorKind::Refused
            | ErrorKind::Unreadable
            | ErrorKind::TooLarge => false,
        }
    }

    /// Whether it speaks against the vendor's health: what the circuit breaker counts.
    pub const fn counts(self) -> bool {
        match self {
            ErrorKind::Timeout
            | ErrorKind::Unreachable
            | ErrorKind::Broken
            | ErrorKind::Server
            | ErrorKind::Unreadable
            | ErrorKind::TooLarge => true,
            ErrorKind::RateLimited
            | ErrorKind::Credentials
            | ErrorKind::Forbidden
            | ErrorKind::Refused
            | ErrorKind::Suspended
            | ErrorKind::Saturated => false,
        }
    }

    /// The check's detail in a verdict.
    pub const fn detail(self) -> Detail {
        match self {
            ErrorKind::Timeout => Detail::VendorTimeout,
            ErrorKind::Unreachable | ErrorKind::Broken => Detail::VendorUnreachable,
            ErrorKind::RateLimited | ErrorKind::Saturated => Detail::VendorRateLimited,
            ErrorKind::Credentials | ErrorKind::Forbidden => Detail::VendorCredentials,
            ErrorKind::Refused => Detail::VendorRefused,
            ErrorKind::Server => Detail::VendorFault,
            ErrorKind::Unreadable | ErrorKind::TooLarge => Detail::VendorUnreadable,
            ErrorKind::Suspended => Detail::VendorSuspended,
        }
    }
}

/// A call that gave no answer. Holds no header, no body and no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// What it was.
    pub kind: ErrorKind,
    /// The HTTP status, where a reply came.
    pub status: Option<u16>,
    /// Whether any byte of the body may have reached the vendor, so that it may be billed.
    pub sent: bool,
    /// Requests made.
    pub attempts: u32,
    /// When the vendor, or our own window, says that asking again makes sense.
    pub retry_after: Option<Duration>,
}

impl CallError {
    /// A fault before anything was sent.
    pub const fn new(kind: ErrorKind) -> Self {
        Self { kind, status: None, sent: false, attempts: 0, retry_after: None }
    }
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.kind {
            ErrorKind::Timeout => "no reply in time",
            ErrorKind::Unreachable => "no connection",
            ErrorKind::Broken => "the connection broke",
            ErrorKind::RateLimited => "too many calls, says the vendor",
            ErrorKind::Credentials => "the credentials were refused",
            ErrorKind::Forbidden => "the service is not open to these credentials",
            ErrorKind::Refused => "the request was refused",
            ErrorKind::Server => "the vendor failed",
            ErrorKind::Unreadable => "the reply is not what the vendor documents",
            ErrorKind::TooLarge => "the reply is larger than the cap",
            ErrorKind::Suspended => "the vendor failed too often lately and is not asked for a while",
            ErrorKind::Saturated => "no room in the configured rate windows or the cap on concurrent calls",
        })?;
        if let Some(status) = self.status {
            write!(f, " (HTTP {status})")?;
        }
        write!(f, ", after {} requests", self.attempts)
    }
}

impl std::error::Error for CallError {}

/// A setting of the line to a vendor that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("http.{setting}: {what}")]
pub struct HttpConfigError {
    /// The setting, dotted, below the vendor's `http`.
    pub setting: String,
    /// What is wrong with it, and what is allowed; never a secret.
    pub what: String,
}
