//! How large the pool is.

use std::thread;

use serde::{Deserialize, Serialize};

/// Jobs waiting per worker unless configured. A job takes tens of milliseconds, so four a worker keep it fed while the
/// network delivers the next ones, and the last in line still waits well under a second.
const QUEUE_PER_WORKER: usize = 4;

/// Most workers that can be asked for; each holds its own copy of the models.
const MAX_WORKERS: usize = 1024;

/// Longest queue that can be asked for. A queue of `n` holds up to `n` times the largest media in memory.
const MAX_QUEUE: usize = 65_536;

/// The pool's size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineConfig {
    /// Worker threads, each with its own models; 0, the default, means one per available core: a worker is busy on the
    /// processor the whole time, so more would only take turns and cost memory.
    pub workers: usize,
    /// Frames that may wait for a worker, as compressed bytes; 0, the default, means four per worker. A quarter of it is
    /// kept from streams, for unary calls.
    pub queue: usize,
}

/// A setting of the pool is out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("engine.{setting} is {actual}; the limit is {limit}")]
pub struct EngineConfigError {
    /// Its name.
    pub setting: &'static str,
    /// Allowed.
    pub limit: usize,
    /// Given.
    pub actual: usize,
}

impl EngineConfig {
    /// Workers and queue length, with the defaults filled in.
    ///
    /// # Errors
    /// [`EngineConfigError`] where either is beyond what is sensible.
    pub fn resolve(&self) -> Result<(usize, usize), EngineConfigError> {
        let within = |setting, actual, limit| {
            if actual > limit { Err(EngineConfigError { setting, limit, actual }) } else { Ok(actual) }
        };
        let cores = || thread::available_parallelism().map_or(1, usize::from).min(MAX_WORKERS);
        let workers = if self.workers == 0 { cores() } else { within("workers", self.workers, MAX_WORKERS)? };
        let queue = if self.queue == 0 { workers * QUEUE_PER_WORKER } else { within("queue", self.queue, MAX_QUEUE)? };
        Ok((workers, queue))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_means_the_default() {
        let (workers, queue) = EngineConfig::default().resolve().unwrap();
        assert!(workers >= 1);
        assert_eq!(queue, workers * QUEUE_PER_WORKER);
        assert_eq!(EngineConfig { workers: 3, queue: 0 }.resolve(), Ok((3, 12)));
        assert_eq!(EngineConfig { workers: 3, queue: 1 }.resolve(), Ok((3, 1)));
    }

    #[test]
    fn beyond_the_limit_is_refused_by_name() {
        let error = EngineConfig { workers: 5000, queue: 0 }.resolve().unwrap_err();
        assert_eq!(error.to_string(), "engine.workers is 5000; the limit is 1024");
        assert!(EngineConfig { workers: 1, queue: 1 << 20 }.resolve().is_err());
    }
}
