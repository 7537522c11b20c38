//! The settings of the line to a vendor, and what is allowed in them.

use std::{ops::RangeInclusive, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::HttpConfigError;

/// Everything about how a vendor is called. Times in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// To connect, TLS included, 10..=60000.
    pub connect_timeout_ms: u64,
    /// One request, from connecting to the last byte of the reply, 100..=300000.
    pub request_timeout_ms: u64,
    /// A call with all its repetitions and the pauses between them, 100..=600000.
    pub total_timeout_ms: u64,
    /// Largest reply that is read, bytes, 1024..=16 MiB.
    pub max_response_bytes: u64,
    /// Calls to this vendor at a time, 1..=1024; more wait until their deadline.
    pub max_concurrent: u32,
    /// The proxy's address, `http://` or `https://`; may hold a user and a password. Unset: no proxy, whatever the
    /// environment says. A secret: never printed.
    pub proxy: Option<super::Secret>,
    /// A PEM file with certificate authorities that are trusted beside Mozilla's.
    pub ca_file: Option<PathBuf>,
    /// When a failed call is repeated.
    pub retry: RetryConfig,
    /// When the vendor is left alone for a while.
    pub breaker: BreakerConfig,
    /// Calls per window, all windows at once; a call waits until there is room in all. Empty: no limit.
    pub rate: Vec<RateWindow>,
}

/// Retry policy as data. Waits grow by the factor 2 from `base_ms` to `max_ms`, with full jitter; a `Retry-After` of the
/// vendor is waited for instead where it fits the deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryConfig {
    /// Requests in all, the first included, 1..=10.
    pub attempts: u32,
    /// The first wait, 1..=60000.
    pub base_ms: u64,
    /// The longest wait, `base_ms`..=300000.
    pub max_ms: u64,
    /// HTTP statuses after which a paid call is sent again although the vendor had its body, each 400..=599. They widen nothing
    /// else: a fault that asking again does not help ends the call whatever is listed.
    pub paid_statuses: Vec<u16>,
    /// Whether a paid call is sent again after a time-out or a broken connection, when the vendor may have had its body: it
    /// may then be billed twice.
    pub paid_faults: bool,
}

/// A circuit breaker: after `failures` failures in a row within `window_ms` no call is made for `open_ms`; then `probes` calls at a
/// time are let through, and the first that succeeds closes it again. What counts is every request, not every call; see
/// [`ErrorKind::counts`](super::ErrorKind::counts). "In a row" is the order in which requests end, so that of a vendor with many calls
/// at a time that fails half of them, quick failures soon stand in a row. A request that its caller's deadline cut off before the time that
/// connecting may take had passed counts neither way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BreakerConfig {
    /// Failures in a row, 1..=1000.
    pub failures: u32,
    /// The first and the last of them lie no further apart, 100..=3600000.
    pub window_ms: u64,
    /// How long no call is made, 10..=3600000.
    pub open_ms: u64,
    /// Calls that are let through at a time to see whether the vendor is back, 1..=100.
    pub probes: u32,
}

/// At most `calls` requests in any `per_ms` milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateWindow {
    /// Requests, 1..=1000000.
    pub calls: u32,
    /// The window, 1..=86400000.
    pub per_ms: u64,
}

impl Default for HttpConfig {
    /// Ours, where no vendor documents a number. Connecting takes three round trips; a vendor that judges a video takes
    /// seconds. A reply is some hundred bytes, so 1 MiB is generous.
    fn default() -> Self {
        Self {
            connect_timeout_ms: 3_000,
            request_timeout_ms: 15_000,
            total_timeout_ms: 30_000,
            max_response_bytes: 1 << 20,
            max_concurrent: 16,
            proxy: None,
            ca_file: None,
            retry: RetryConfig::default(),
            breaker: BreakerConfig::default(),
            rate: Vec::new(),
        }
    }
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self { attempts: 3, base_ms: 200, max_ms: 5_000, paid_statuses: Vec::new(), paid_faults: false }
    }
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self { failures: 5, window_ms: 60_000, open_ms: 15_000, probes: 1 }
    }
}

impl HttpConfig {
    /// Checks every number against its documented range. What the proxy and the CA file hold is checked where they are used.
    ///
    /// # Errors
    /// [`HttpConfigError`] for the first setting that is out of range: its name, its value and what is allowed.
    pub(super) fn validate(&self) -> Result<(), HttpConfigError> {
        let (retry, breaker) = (&self.retry, &self.breaker);
        within("connect_timeout_ms", self.connect_timeout_ms, 10..=60_000)?;
        within("request_timeout_ms", self.request_timeout_ms, 100..=300_000)?;
        within("total_timeout_ms", self.total_timeout_ms, 100..=600_000)?;
        within("max_response_bytes", self.max_response_bytes, 1024..=16 << 20)?;
        within("max_concurrent", self.max_concurrent.into(), 1..=1024)?;
        within("retry.attempts", retry.attempts.into(), 1..=10)?;
        within("retry.base_ms", retry.base_ms, 1..=60_000)?;
        within("retry.max_ms", retry.max_ms, retry.base_ms..=300_000)?;
        for (index, status) in retry.paid_statuses.iter().enumerate() {
            within(&format!("retry.paid_statuses[{index}]"), (*status).into(), 400..=599)?;
        }
        within("breaker.failures", breaker.failures.into(), 1..=1000)?;
        within("breaker.window_ms", breaker.window_ms, 100..=3_600_000)?;
        within("breaker.open_ms", breaker.open_ms, 10..=3_600_000)?;
        within("breaker.probes", breaker.probes.into(), 1..=100)?;
        for (index, window) in self.rate.iter().enumerate() {
            within(&format!("rate[{index}].calls"), window.calls.into(), 1..=1_000_000)?;
            within(&format!("rate[{index}].per_ms"), window.per_ms, 1..=86_400_000)?;
        }
        Ok(())
    }
}

fn within(setting: &str, value: u64, allowed: RangeInclusive<u64>) -> Result<(), HttpConfigError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let what = format!("{value} is not in {}..={}", allowed.start(), allowed.end());
    Err(HttpConfigError { setting: setting.to_owned(), what })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Set = fn(&mut HttpConfig, u64);

    /// Every number with a range, and the ends of it.
    const RANGES: [(&str, u64, u64, Set); 14] = [
        ("connect_timeout_ms", 10, 60_000, |c, v| c.connect_timeout_ms = v),
        ("request_timeout_ms", 100, 300_000, |c, v| c.request_timeout_ms = v),
        ("total_timeout_ms", 100, 600_000, |c, v| c.total_timeout_ms = v),
        ("max_response_bytes", 1024, 16 << 20, |c, v| c.max_response_bytes = v),
        ("max_concurrent", 1, 1024, |c, v| c.max_concurrent = small(v)),
        ("retry.attempts", 1, 10, |c, v| c.retry.attempts = small(v)),
        ("retry.base_ms", 1, 60_000, |c, v| (c.retry.base_ms, c.retry.max_ms) = (v, v.max(1))),
        ("retry.max_ms", 200, 300_000, |c, v| c.retry.max_ms = v),
        ("breaker.failures", 1, 1000, |c, v| c.breaker.failures = small(v)),
        ("breaker.window_ms", 100, 3_600_000, |c, v| c.breaker.window_ms = v),
        ("breaker.open_ms", 10, 3_600_000, |c, v| c.breaker.open_ms = v),
        ("breaker.probes", 1, 100, |c, v| c.breaker.probes = small(v)),
        ("rate[1].calls", 1, 1_000_000, |c, v| c.rate = windows(small(v), 1)),
        ("rate[1].per_ms", 1, 86_400_000, |c, v| c.rate = windows(1, v)),
    ];

    fn small(value: u64) -> u32 {
        u32::try_from(value).unwrap()
    }

    fn windows(calls: u32, per_ms: u64) -> Vec<RateWindow> {
        vec![RateWindow { calls: 1, per_ms: 1 }, RateWindow { calls, per_ms }]
    }

    #[test]
    fn every_number_has_a_range_and_the_error_names_both() {
        assert_eq!(HttpConfig::default().validate(), Ok(()));
        for (setting, least, most, set) in RANGES {
            let with = |value| {
                let mut config = HttpConfig::default();
                set(&mut config, value);
                config.validate()
            };
            assert_eq!((with(least), with(most)), (Ok(()), Ok(())), "{setting}");
            for value in [least - 1, most + 1] {
                let error = with(value).unwrap_err();
                assert_eq!(error.setting, setting);
                assert_eq!(error.to_string(), format!("http.{setting}: {value} is not in {least}..={most}"));
            }
        }
    }

    #[test]
    fn statuses_are_those_of_errors() {
        let with = |status| {
            let retry = RetryConfig { paid_statuses: vec![429, status], ..RetryConfig::default() };
            HttpConfig { retry, ..HttpConfig::default() }.validate()
        };
        assert_eq!((with(400), with(599)), (Ok(()), Ok(())));
        for status in [200, 399, 600] {
            assert_eq!(with(status).unwrap_err().setting, "retry.paid_statuses[1]");
        }
    }

    #[test]
    fn unknown_settings_are_refused_and_missing_ones_have_defaults() {
        let config: HttpConfig = serde_json::from_str(r#"{"retry": {"attempts": 1}}"#).unwrap();
        assert_eq!((config.retry.attempts, config.retry.base_ms), (1, RetryConfig::default().base_ms));
        for text in [r#"{"tls": false}"#, r#"{"retry": {"tries": 1}}"#, r#"{"rate": [{"calls": 1}]}"#] {
            assert!(serde_json::from_str::<HttpConfig>(text).is_err(), "{text}");
        }
    }
}
