//! The settings of who may call.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of who may call. The clients themselves are in the store: `lifesign clients`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessConfig {
    /// Whether callers must say who they are. Unset: where a listener can be reached from beyond this machine.
    pub required: Option<bool>,
    /// Wrong credentials that are looked at from one address in a window (IPv6: one network of 64 bits, which is what one customer is
    /// given), and for one client's id: 20 in 15 minutes are at most 100 in any hour, the bound of OWASP ASVS 4.0, 2.2.1. A client
    /// that repeats a wrong secret can be mended in the meantime. 0: no limit, for servers behind a proxy, where all callers have the
    /// proxy's address.
    pub failed_tries: u32,
    /// The window, in seconds. See `failed_tries`.
    pub failed_window_seconds: u64,
    /// Addresses (and, apart from these, ids of clients) whose wrong credentials are counted at a time; the oldest go where there are
    /// more. 16384 of each take about 5 MB.
    pub max_tracked: u32,
}

impl Default for AccessConfig {
    fn default() -> Self {
        Self { required: None, failed_tries: 20, failed_window_seconds: 900, max_tracked: 16_384 }
    }
}

/// A setting out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("setting access.{setting} is {actual}; allowed: {allowed}")]
pub struct AccessConfigError {
    setting: &'static str,
    actual: u64,
    allowed: &'static str,
}

impl AccessConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`AccessConfigError`] for the first fault.
    pub fn validate(&self) -> Result<(), AccessConfigError> {
        let within = |setting, actual, range: std::ops::RangeInclusive<u64>, allowed| {
            if range.contains(&actual) { Ok(()) } else { Err(AccessConfigError { setting, actual, allowed }) }
        };
        within("failed_tries", self.failed_tries.into(), 0..=10_000, "0 to 10000")?;
        within("failed_window_seconds", self.failed_window_seconds, 1..=86_400, "1 to 86400")?;
        within("max_tracked", self.max_tracked.into(), 1..=1_000_000, "1 to 1000000")
    }

    /// Whether callers must say who they are, given whether a listener can be reached from beyond this machine.
    pub fn is_required(&self, reachable: bool) -> bool {
        self.required.unwrap_or(reachable)
    }

    pub(super) fn failed_window(&self) -> Duration {
        Duration::from_secs(self.failed_window_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_range_are_named() {
        let default = AccessConfig::default();
        assert_eq!(default.validate(), Ok(()));
        let table = [
            (AccessConfig { failed_tries: 10_001, ..default.clone() }, "access.failed_tries is 10001"),
            (AccessConfig { failed_window_seconds: 0, ..default.clone() }, "access.failed_window_seconds is 0"),
            (
                AccessConfig { failed_window_seconds: 86_401, ..default.clone() },
                "access.failed_window_seconds is 86401",
            ),
            (AccessConfig { max_tracked: 0, ..default.clone() }, "access.max_tracked is 0"),
        ];
        for (config, said) in table {
            let error = config.validate().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        assert!(toml::from_str::<AccessConfig>("requierd = true").is_err());
    }

    #[test]
    fn whoever_is_reachable_asks_unless_told_otherwise() {
        let default = AccessConfig::default();
        assert!(default.is_required(true) && !default.is_required(false));
        for said in [true, false] {
            let config = AccessConfig { required: Some(said), ..default.clone() };
            assert_eq!([config.is_required(true), config.is_required(false)], [said; 2]);
        }
    }

    #[test]
    fn no_hour_has_more_failed_tries_than_the_standard_allows() {
        let config = AccessConfig::default();
        // An hour touches one window more than it holds.
        let windows = 3600 / config.failed_window_seconds + 1;
        assert!(windows * u64::from(config.failed_tries) <= 100);
    }
}
