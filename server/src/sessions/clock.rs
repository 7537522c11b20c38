//! Wall-clock times that never run backwards.

use std::time::{Instant, SystemTime};

/// The system's time at start-up plus the monotonic time since: a step of the system clock neither expires sessions nor
/// keeps them alive.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    epoch: SystemTime,
}

impl Default for Clock {
    fn default() -> Self {
        Self { started: Instant::now(), epoch: SystemTime::now() }
    }
}

impl Clock {
    /// Now.
    pub fn now(&self) -> SystemTime {
        self.at(Instant::now())
    }

    /// The wall-clock time of a moment after start-up.
    pub fn at(&self, moment: Instant) -> SystemTime {
        self.epoch + moment.saturating_duration_since(self.started)
    }
}
