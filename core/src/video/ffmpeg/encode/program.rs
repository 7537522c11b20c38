//! Runs of the program to their ends, within limits that hold for all of them together.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    super::run::{Bounds, Run, RunError},
    EncodeError,
    plan::Pictures,
};
use crate::video::limits::VideoLimits;

/// Runs that share a deadline.
pub(super) struct Runs<'a> {
    program: &'a Path,
    bounds: Bounds,
    max_bytes: u64,
    time: Duration,
    deadline: Instant,
}

impl<'a> Runs<'a> {
    /// From here on the time counts.
    pub(super) fn begin(program: &'a Path, time: Duration, limits: &VideoLimits) -> Self {
        // One thread does the work, so that it takes no more of the processor's time than passes; a second more for starting.
        let bounds = Bounds { memory: limits.max_decoder_memory, seconds: time.as_secs() + 1 };
        Self { program, bounds, max_bytes: limits.max_bytes, time, deadline: Instant::now() + time }
    }

    /// One run: all that the program puts out.
    pub(super) fn output(&self, arguments: &[String], feed: Pictures<'_>) -> Result<Vec<u8>, EncodeError> {
        let fault = |error| match error {
            RunError::Missing(why) => EncodeError::NoProgram { why },
            RunError::Broken(what) => EncodeError::Failed { what },
            RunError::TooSlow => EncodeError::TooSlow { limit: self.time },
        };
        let mut run = Run::start(self.program, arguments, feed, self.bounds).map_err(fault)?;
        let (mut data, mut part) = (Vec::new(), vec![0; 64 << 10]);
        while let Some(count) = run.exchange(&mut part, self.deadline).map_err(fault)? {
            data.extend_from_slice(part.get(..count).unwrap_or_default());
            if data.len() as u64 > self.max_bytes {
                return Err(EncodeError::TooManyBytes { limit: self.max_bytes });
            }
        }
        match run.wait(self.deadline) {
            None => Err(fault(RunError::TooSlow)),
            Some(status) if status.success() => Ok(data),
            Some(status) => Err(EncodeError::Failed { what: format!("it failed ({status})") }),
        }
    }
}
