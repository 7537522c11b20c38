//! Deepvue's settings and where their defaults come from.
//!
//! "Documented" is what the vendor's pages state; "sample" is seen in its examples only; "inferred" and "undocumented" are why
//! a thing is a setting at all; "ours" is a choice of this project.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    http::{HttpConfig, RateWindow, RetryConfig, Secret},
    vendors::{ConnectError, MediaLimits, settings::within},
};

/// How the request for a token is written. Two pages of the vendor contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthorizeEncoding {
    /// As in the vendor's page on its API keys.
    #[default]
    Urlencoded,
    /// As in the vendor's page on authorization.
    Multipart,
}

/// What was agreed on with Deepvue, for its rate limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// 1 a second, 30 a minute, 1 000 a day.
    #[default]
    Starter,
    /// 2 a second, 100 a minute, 10 000 a day.
    Business,
    /// 5 a second, 500 a minute, 20 000 a day.
    Growth,
    /// 17 a second, 1 000 a minute, 50 000 a day.
    Enterprise,
}

impl Plan {
    /// The documented windows of a key, all at once.
    pub fn rate(self) -> Vec<RateWindow> {
        let [second, minute, day] = match self {
            Plan::Starter => [1, 30, 1_000],
            Plan::Business => [2, 100, 10_000],
            Plan::Growth => [5, 500, 20_000],
            Plan::Enterprise => [17, 1_000, 50_000],
        };
        vec![
            RateWindow { calls: second, per_ms: 1_000 },
            RateWindow { calls: minute, per_ms: 60_000 },
            RateWindow { calls: day, per_ms: 86_400_000 },
        ]
    }
}

/// The table `[vendors.deepvue]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeepvueConfig {
    /// Where Deepvue is. Documented.
    pub base_url: String,
    /// The path that gives access tokens. Documented.
    pub authorize_path: String,
    /// The path that takes pictures. Documented.
    pub check_path: String,
    /// The client's id. Documented.
    pub client_id: String,
    /// The client's secret, which is the API key in `x-api-key` as well. Documented.
    pub client_secret: Option<Secret>,
    /// A file that holds it.
    pub client_secret_file: Option<PathBuf>,
    /// How the request for a token is written.
    pub authorize_encoding: AuthorizeEncoding,
    /// How long before its end a token is replaced, milliseconds, 0..=3600000. Ours: five minutes for clocks that differ.
    pub refresh_margin_ms: u64,
    /// How long a token is used whose `expiry` is missing or is no RFC 3339 time with an offset, milliseconds,
    /// 1000..=86400000. That the reply tells is seen in samples only; 24 hours are documented, and an hour of them is ours.
    pub token_ttl_ms: u64,
    /// What was agreed on with Deepvue; sets `http.rate` where that is empty. Ours: the smallest, which no key exceeds.
    pub plan: Plan,
    /// What a call costs, millionths of the operator's currency. Prices are agreed on with the vendor: 0 until set.
    pub price_micros: u64,
    /// What pictures are sent. Deepvue documents no limits, so there are none until they are set.
    pub media: MediaLimits,
    /// The line. Documented: 429, 500 and 503 may be repeated. Whether an upload that was answered 500 or 503 is billed is
    /// undocumented, so that only 429, which was turned away before it was looked at (inferred), is repeated for uploads. So is, whatever
    /// is set here, one that was answered 401 or 403, once and with a fresh token.
    pub http: HttpConfig,
}

impl Default for DeepvueConfig {
    fn default() -> Self {
        Self {
            base_url: "https://production.deepvue.tech".to_owned(),
            authorize_path: "/v1/authorize".to_owned(),
            check_path: "/v1/liveness-check".to_owned(),
            client_id: String::new(),
            client_secret: None,
            client_secret_file: None,
            authorize_encoding: AuthorizeEncoding::Urlencoded,
            refresh_margin_ms: 300_000,
            token_ttl_ms: 3_600_000,
            plan: Plan::Starter,
            price_micros: 0,
            media: MediaLimits::default(),
            http: HttpConfig {
                retry: RetryConfig { paid_statuses: vec![429], ..RetryConfig::default() },
                ..HttpConfig::default()
            },
        }
    }
}

impl DeepvueConfig {
    /// Looks at what is not looked at where it is put together.
    pub(super) fn check(&self) -> Result<(), ConnectError> {
        if self.client_id.is_empty() || self.client_id.chars().any(char::is_control) {
            return Err(ConnectError::Setting("client_id: is not set, or holds control characters".to_owned()));
        }
        within("refresh_margin_ms", self.refresh_margin_ms, 0..=3_600_000)?;
        within("token_ttl_ms", self.token_ttl_ms, 1_000..=86_400_000)
    }

    /// The line with the plan's windows, unless others are set.
    pub(super) fn line(&self) -> HttpConfig {
        let mut http = self.http.clone();
        if http.rate.is_empty() {
            http.rate = self.plan.rate();
        }
        http
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vendors::settings::{defaults, read};

    #[test]
    fn the_plan_sets_the_windows_unless_they_are_set() {
        let line = |settings: serde_json::Value| read::<DeepvueConfig>(settings).unwrap().line().rate;
        let numbers =
            |rate: Vec<RateWindow>| rate.iter().map(|window| (window.calls, window.per_ms)).collect::<Vec<_>>();
        for (plan, second, minute, day) in [
            ("starter", 1, 30, 1_000),
            ("business", 2, 100, 10_000),
            ("growth", 5, 500, 20_000),
            ("enterprise", 17, 1_000, 50_000),
        ] {
            let expected = vec![(second, 1_000), (minute, 60_000), (day, 86_400_000)];
            assert_eq!(numbers(line(serde_json::json!({"plan": plan}))), expected);
        }
        assert_eq!(line(defaults::<DeepvueConfig>()), Plan::Starter.rate());
        let own = serde_json::json!({"plan": "growth", "http": {"rate": [{"calls": 3, "per_ms": 7}]}});
        assert_eq!(numbers(line(own)), [(3, 7)]);
        assert!(read::<DeepvueConfig>(serde_json::json!({"plan": "free"})).is_err());
    }
}
