//! How long the queue is likely to take: a moving average of job times.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// What a job is thought to take before any has run, in microseconds: a 640x480 frame on one core, as `lifesign bench`
/// measures it, is of this order.
const FIRST_GUESS_US: u64 = 50_000;

/// The newest job's weight is 1/8, as in TCP's round-trip estimate (RFC 6298).
const WEIGHT: u64 = 8;

/// The shortest and the longest wait that a caller is told: below, it would only hammer; above, it may as well look
/// whether the load has gone.
const ADVICE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(30));

/// An exponentially weighted mean of job times.
#[derive(Debug)]
pub(super) struct LoadAverage {
    mean_us: AtomicU64,
}

impl Default for LoadAverage {
    fn default() -> Self {
        Self { mean_us: AtomicU64::new(FIRST_GUESS_US) }
    }
}

impl LoadAverage {
    /// Takes a job's time on a worker into account. Two workers that report at once may lose one report, which an
    /// average can bear.
    pub(super) fn record(&self, job: Duration) {
        let sample = u64::try_from(job.as_micros()).unwrap_or(u64::MAX / WEIGHT).min(u64::MAX / WEIGHT);
        let mean = self.mean_us.load(Ordering::Relaxed);
        self.mean_us.store(mean - mean / WEIGHT + sample / WEIGHT, Ordering::Relaxed);
    }

    /// How long `queued` jobs and one more are likely to take.
    pub(super) fn estimate(&self, queued: usize, workers: usize) -> Duration {
        let jobs = u64::try_from(queued).unwrap_or(u64::MAX).saturating_add(1);
        let each = self.mean_us.load(Ordering::Relaxed);
        let workers = u64::try_from(workers).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(jobs.saturating_mul(each) / workers).clamp(ADVICE.0, ADVICE.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_jobs() {
        let load = LoadAverage::default();
        assert_eq!(load.estimate(7, 4), Duration::from_millis(100), "8 jobs of 50 ms on 4 workers");
        for _ in 0..100 {
            load.record(Duration::from_millis(400));
        }
        let estimate = load.estimate(7, 4);
        assert!((700..=800).contains(&estimate.as_millis()), "{estimate:?}");
    }

    #[test]
    fn advice_stays_in_range() {
        let load = LoadAverage::default();
        load.record(Duration::MAX);
        assert_eq!(load.estimate(usize::MAX, 1), ADVICE.1);
        let idle = LoadAverage::default();
        for _ in 0..200 {
            idle.record(Duration::ZERO);
        }
        assert_eq!(idle.estimate(0, 64), ADVICE.0);
    }
}
