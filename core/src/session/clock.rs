//! When a frame was taken, on whichever clock two frames share.

use std::time::Duration;

use super::FrameTiming;

/// The moment of a frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    arrived: Duration,
    captured: Option<Duration>,
}

impl Moment {
    pub(super) fn new(timing: FrameTiming) -> Self {
        Self { arrived: timing.arrived, captured: timing.captured }
    }

    /// Time since an earlier frame: between the captures where both are known, else between the arrivals. Zero where
    /// nothing is known, or where a client's clock ran backwards.
    pub(super) fn since(&self, earlier: &Self) -> Duration {
        match (self.captured, earlier.captured) {
            (Some(now), Some(then)) => now.saturating_sub(then),
            _ => self.arrived.saturating_sub(earlier.arrived),
        }
    }
}
