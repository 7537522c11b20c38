//! How long what was judged is kept, by policy. Nothing is kept of a `CheckMedia` under a policy that is not named here, and of a
//! session no more than its verdict, for as long as its backend needs to read it.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

/// The longest retention that can be set, in seconds: ten years, as long as the strictest anti-money-laundering rules ask for.
const LONGEST: u64 = 10 * 366 * 24 * 3600;

/// What is kept under one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// How long a session and its verdict are kept once it has ended, in seconds: 30 days, which is about how long complaints take to come.
    pub verdict_seconds: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { verdict_seconds: 30 * 24 * 3600 }
    }
}

impl Retention {
    /// What is wrong with it.
    ///
    /// # Errors
    /// The setting's name and why.
    pub fn validate(&self) -> Result<(), String> {
        if self.verdict_seconds == 0 || self.verdict_seconds > LONGEST {
            return Err(format!("verdict_seconds: is {}; 1 to {LONGEST} are allowed", self.verdict_seconds));
        }
        Ok(())
    }
}

/// What is kept under every policy.
#[derive(Debug, Clone)]
pub struct Retentions {
    by_policy: BTreeMap<String, Retention>,
    /// How long a session is remembered under a policy that is not named.
    remember: Duration,
}

impl Retentions {
    /// By policy; `remember` is how long a session's verdict can be read under any other.
    pub fn new(by_policy: BTreeMap<String, Retention>, remember: Duration) -> Self {
        Self { by_policy, remember }
    }

    /// What is kept under this policy beyond what its backend needs to read a verdict; `None`: nothing.
    pub fn of(&self, policy: &str) -> Option<&Retention> {
        self.by_policy.get(policy)
    }

    /// How long an ended session is kept under this policy.
    pub fn verdict(&self, policy: &str) -> Duration {
        self.of(policy).map_or(self.remember, |retention| Duration::from_secs(retention.verdict_seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_by_default() {
        let wallet = BTreeMap::from([("wallet".to_owned(), Retention::default())]);
        let kept = Retentions::new(wallet, Duration::from_secs(900));
        assert!(kept.of("default").is_none());
        assert_eq!((kept.verdict("default").as_secs(), kept.verdict("wallet").as_secs()), (900, 2_592_000));
    }

    #[test]
    fn a_retention_is_neither_nothing_nor_for_ever() {
        Retention::default().validate().unwrap();
        for wrong in [0, LONGEST + 1] {
            assert!(Retention { verdict_seconds: wrong }.validate().unwrap_err().starts_with("verdict_seconds"));
        }
    }
}
