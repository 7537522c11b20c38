//! When a failed request is made again, and after what pause.

use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder, ExponentialBuilder};
use http::{HeaderMap, header::RETRY_AFTER};

use super::{ErrorKind, Repeat, RetryConfig};

/// Whether a request that failed so may be made again. `sent`: whether any byte of its body may have reached the vendor.
pub(super) fn may_repeat(
    config: &RetryConfig,
    repeat: Repeat,
    kind: ErrorKind,
    status: Option<u16>,
    sent: bool,
) -> bool {
    kind.may_retry()
        && match repeat {
            Repeat::Safe | Repeat::Owed => true,
            Repeat::Paid => {
                !sent
                    || status.is_some_and(|status| config.paid_statuses.contains(&status))
                    || (config.paid_faults && matches!(kind, ErrorKind::Timeout | ErrorKind::Broken))
            }
        }
}

/// The pauses between the requests of one call.
pub(super) struct Pauses<R: Iterator<Item = Duration> = <ExponentialBuilder as BackoffBuilder>::Backoff> {
    plain: R,
    jittered: R,
}

impl Pauses {
    pub(super) fn new(config: &RetryConfig) -> Self {
        let growing = ExponentialBuilder::new()
            .with_min_delay(Duration::from_millis(config.base_ms))
            .with_max_delay(Duration::from_millis(config.max_ms))
            .without_max_times();
        Self { plain: growing.build(), jittered: growing.with_jitter().build() }
    }

    /// The next pause: what the vendor asked for; where it asked for nothing, or for none, somewhere between zero and the
    /// growing wait. Full jitter, so that callers that failed together do not come back together
    /// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
    pub(super) fn next(&mut self, asked: Option<Duration>) -> Duration {
        // The library adds its jitter, up to the wait itself, on top of the wait; what it adds is the full jitter.
        let (plain, jittered) = (self.plain.next().unwrap_or_default(), self.jittered.next().unwrap_or_default());
        asked.filter(|asked| !asked.is_zero()).unwrap_or(jittered.saturating_sub(plain))
    }
}

/// What a reply says in `Retry-After`: seconds, or a date (RFC 9110, 10.2.3). A date that is over is a pause of zero; what is
/// neither is nothing.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn safe_calls_are_repeated_when_that_may_help() {
        let config = RetryConfig::default();
        for (kind, expected) in [
            (ErrorKind::Timeout, true),
            (ErrorKind::Server, true),
            (ErrorKind::RateLimited, true),
            (ErrorKind::Refused, false),
            (ErrorKind::Credentials, false),
            (ErrorKind::Unreadable, false),
            (ErrorKind::TooLarge, false),
        ] {
            assert_eq!(may_repeat(&config, Repeat::Safe, kind, Some(500), true), expected, "{kind:?}");
        }
    }

    #[test]
    fn paid_calls_are_repeated_only_unsent_or_where_configured() {
        let plain = RetryConfig::default();
        let statuses = RetryConfig { paid_statuses: vec![429, 400], ..RetryConfig::default() };
        let faults = RetryConfig { paid_faults: true, ..RetryConfig::default() };
        for (config, kind, status, sent, expected) in [
            (&plain, ErrorKind::Unreachable, None, false, true),
            (&plain, ErrorKind::Broken, None, false, true),
            (&plain, ErrorKind::Broken, None, true, false),
            (&plain, ErrorKind::Timeout, None, true, false),
            (&plain, ErrorKind::RateLimited, Some(429), true, false),
            (&plain, ErrorKind::Server, Some(500), true, false),
            (&statuses, ErrorKind::RateLimited, Some(429), true, true),
            (&statuses, ErrorKind::RateLimited, Some(200), true, false),
            (&statuses, ErrorKind::Server, Some(500), true, false),
            (&statuses, ErrorKind::Refused, Some(400), true, false),
            (&statuses, ErrorKind::Broken, None, true, false),
            (&faults, ErrorKind::Broken, Some(200), true, true),
            (&faults, ErrorKind::Timeout, None, true, true),
            (&faults, ErrorKind::Server, Some(500), true, false),
            (&faults, ErrorKind::Unreadable, None, true, false),
        ] {
            let may = may_repeat(config, Repeat::Paid, kind, status, sent);
            assert_eq!(may, expected, "{config:?} {kind:?} {status:?} sent: {sent}");
        }
    }

    #[test]
    fn pauses_grow_to_the_longest_and_have_full_jitter() {
        let config = RetryConfig { base_ms: 100, max_ms: 1_000, ..RetryConfig::default() };
        let mut largest = [Duration::ZERO; 8];
        let mut smallest = [Duration::MAX; 8];
        for _ in 0..2_000 {
            let mut pauses = Pauses::new(&config);
            for (largest, smallest) in largest.iter_mut().zip(&mut smallest) {
                let pause = pauses.next(None);
                (*largest, *smallest) = (pause.max(*largest), pause.min(*smallest));
            }
        }
        for (index, most) in
            [100, 200, 400, 800, 1_000, 1_000, 1_000, 1_000].map(Duration::from_millis).iter().enumerate()
        {
            assert!(largest[index] <= *most && largest[index] > *most / 10 * 9, "{index}: {:?}", largest[index]);
            assert!(smallest[index] < *most / 10, "{index}: {:?}", smallest[index]);
        }
    }

    #[test]
    fn what_the_vendor_asks_for_is_kept_to() {
        let mut pauses = Pauses::new(&RetryConfig { base_ms: 1, max_ms: 2, ..RetryConfig::default() });
        assert_eq!(pauses.next(Some(Duration::from_secs(9))), Duration::from_secs(9));
        assert!(pauses.next(Some(Duration::ZERO)) <= Duration::from_millis(2));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (text, expected) in [
            ("0", Some(0)),
            (" 120 ", Some(120)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("", None),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]);
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
