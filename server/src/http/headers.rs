//! What the endpoints read from a request's head, and when to come back, which they write into a reply's.

use std::{net::IpAddr, time::Duration};

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use tonic_types::StatusExt;

use super::Peer;
use crate::status::Fault;

/// Longest credential that is looked at, in bytes. Ours: the tokens that this server gives have some hundred.
const MAX_CREDENTIAL: usize = 4096;

/// A header that is there twice, holds other than printable ASCII, or a credential in it that is too long to be one. Programs differ
/// in which of two they believe, so neither is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// The value of a header that may be there once.
pub(super) fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Malformed> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Malformed),
        (Some(_), Some(_)) => Err(Malformed),
    }
}

/// A header that holds a secret as it is; an empty one is none.
pub(super) fn secret(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Malformed> {
    credential(one(headers, name)?)
}

/// The token of `Authorization: Bearer TOKEN`; none where there is no such header, or it names another scheme. The scheme's name is
/// written in any case (RFC 9110, section 11.1).
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Malformed> {
    let Some((scheme, token)) = one(headers, header::AUTHORIZATION)?.and_then(|value| value.split_once(' ')) else {
        return Ok(None);
    };
    if scheme.eq_ignore_ascii_case("bearer") { credential(Some(token.trim())) } else { Ok(None) }
}

fn credential(value: Option<&str>) -> Result<Option<&str>, Malformed> {
    match value {
        None | Some("") => Ok(None),
        Some(value) if value.len() <= MAX_CREDENTIAL => Ok(Some(value)),
        Some(_) => Err(Malformed),
    }
}

/// Whether a text from a body could be an id or a secret at all: not empty, not endless, nothing in it that a store could choke on.
pub(super) fn is_credential(text: &str) -> bool {
    (1..=MAX_CREDENTIAL).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Where the request came from. The listener says so; a request of which it does not is a bug, and is let in by nobody.
pub(super) fn peer(parts: &Parts) -> Result<IpAddr, Fault> {
    parts.extensions.get::<Peer>().map(|peer| peer.0).ok_or(Fault::Internal)
}

/// When to come back, as the fault's own status says it.
pub(super) fn retry_after(fault: &Fault) -> Option<Duration> {
    fault.status().get_error_details().retry_info().and_then(|info| info.retry_delay)
}

/// Writes `Retry-After` in whole seconds, rounded up: who comes a moment too early is turned away again.
fn come_back(response: &mut Response, after: Option<Duration>) {
    let Some(after) = after else { return };
    let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0)).max(1);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
}

/// What goes with a refusal whatever its body is: when to come back, and which method there is where another was used.
pub(super) fn refusal(mut response: Response, after: Option<Duration>) -> Response {
    come_back(&mut response, after);
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

/// Keeps caches from keeping a reply that holds a token, or the address of a picture.
pub(super) fn keep_nowhere(response: &mut Response) {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn a_bearer_token_is_read_once_and_whole() {
        let long = "x".repeat(MAX_CREDENTIAL + 1);
        let read = |lines: &[(&'static str, &str)]| bearer(&headers(lines)).map(|token| token.map(str::to_owned));
        assert_eq!(read(&[("authorization", "Bearer a.b.c")]), Ok(Some("a.b.c".into())));
        assert_eq!(read(&[("authorization", "bearer  a")]), Ok(Some("a".into())));
        for none in ["Bearer", "Bearer ", "Basic a", "a", "", "Bearer\ta"] {
            assert_eq!(read(&[("authorization", none)]), Ok(None), "{none:?}");
        }
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("authorization", "Bearer a"), ("authorization", "Bearer a")]), Err(Malformed));
        assert_eq!(read(&[("authorization", "Bearer é")]), Err(Malformed));
        assert_eq!(read(&[("authorization", &format!("Bearer {long}"))]), Err(Malformed));
        let key = HeaderName::from_static("x-api-key");
        assert_eq!(secret(&headers(&[("x-api-key", &long)]), key.clone()), Err(Malformed));
        assert_eq!(secret(&headers(&[("x-api-key", "")]), key), Ok(None));
    }

    #[test]
    fn what_could_be_no_credential_is_told_apart() {
        assert!(is_credential("facia-client") && is_credential("ключ"));
        for text in ["", "a\0b", "a\r\nb", "\u{7f}", &"x".repeat(MAX_CREDENTIAL + 1)] {
            assert!(!is_credential(text), "{text:?}");
        }
    }

    #[test]
    fn seconds_are_rounded_up() {
        for (millis, seconds) in [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (60_000, "60")] {
            let mut response = Response::default();
            come_back(&mut response, Some(Duration::from_millis(millis)));
            assert_eq!(response.headers()[header::RETRY_AFTER], seconds, "{millis}");
        }
        let mut response = Response::default();
        come_back(&mut response, None);
        assert!(response.headers().is_empty());
    }
}
