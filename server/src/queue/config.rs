//! The settings of the queue.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of work that its caller does not wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueConfig {
    /// Jobs of this server at work at a time: 4, so that the pool has work while some of them wait for vendors.
    pub concurrency: u32,
    /// How often the store is asked for jobs that other servers have put there, in milliseconds.
    pub poll_ms: u64,
    /// How long a job is a server's without a sign of life from it, in milliseconds: 15 seconds, three times what a
    /// server that is swapping or stops for its garbage may take. A job of a server that died is begun again after this.
    pub lease_ms: u64,
    /// How long one try may take, in milliseconds: vendors' deadlines included.
    pub job_timeout_ms: u64,
    /// How often a job is begun at most; then its session ends as INDETERMINATE. A job that brings a server down would otherwise bring down
    /// one after the other.
    pub max_attempts: u32,
    /// How long a job may wait for its verdict, in seconds. What is older is of no use to the person before the camera.
    pub max_wait_seconds: u64,
    /// Bytes of media in one job.
    pub max_payload_bytes: u64,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            concurrency: 4,
            poll_ms: 1000,
            lease_ms: 15_000,
            job_timeout_ms: 120_000,
            max_attempts: 5,
            max_wait_seconds: 3600,
            max_payload_bytes: 43 << 20,
        }
    }
}

impl QueueConfig {
    /// How long a job is a server's without a sign of life from it.
    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    /// How long a job rests that could not be judged at its `attempts`th try: a second, then twice as long each time, at most a minute.
    pub fn backoff(&self, attempts: u32) -> Duration {
        Duration::from_secs(1 << attempts.saturating_sub(1).min(6)).min(Duration::from_secs(60))
    }

    /// The first setting that cannot be used, and why.
    ///
    /// # Errors
    /// The setting's name and what is wrong with it.
    pub fn validate(&self) -> Result<(), String> {
        let positive = [
            ("concurrency", u64::from(self.concurrency)),
            ("poll_ms", self.poll_ms),
            ("job_timeout_ms", self.job_timeout_ms),
            ("max_attempts", u64::from(self.max_attempts)),
            ("max_wait_seconds", self.max_wait_seconds),
            ("max_payload_bytes", self.max_payload_bytes),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err(format!("queue.{name}: must not be 0"));
        }
        if self.lease_ms < 1000 {
            return Err(format!(
                "queue.lease_ms: is {}; at least 1000 are needed for three signs of life",
                self.lease_ms
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_and_stay_bounded() {
        let config = QueueConfig::default();
        config.validate().unwrap();
        let rests: Vec<u64> = [1, 2, 3, 6, 7, 100, u32::MAX].map(|n| config.backoff(n).as_secs()).into();
        assert_eq!(rests, [1, 2, 4, 32, 60, 60, 60]);
        assert!(QueueConfig { lease_ms: 10, ..config }.validate().unwrap_err().starts_with("queue.lease_ms"));
        assert!(QueueConfig { max_attempts: 0, ..config }.validate().unwrap_err().starts_with("queue.max_attempts"));
    }
}
