//! The session: frames' analyses in, hints and one verdict out. No I/O, no clock, no threads; the server, the command
//! line and the bindings all drive this same state machine.

use std::{sync::Arc, time::Duration};

use crate::{
    analysis::FrameAnalysis,
    frame::FrameError,
    policy::Policy,
    quality::Hint,
    runtime::RuntimeError,
    verdict::{Check, PackRef, RuntimeRef, Verdict},
};

/// What is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// One image: judged on one frame; checks over several frames do not run.
    Image,
    /// Frames of one presentation.
    Frames,
}

/// What stays the same for a session's whole life.
#[derive(Debug, Clone)]
pub struct Context {
    /// Decides.
    pub policy: Arc<Policy>,
    /// Named in the verdict.
    pub pack: PackRef,
    /// Named in the verdict.
    pub runtime: RuntimeRef,
    /// What is judged.
    pub media: Media,
}

/// When a frame came and what it cost before it was analysed. Times of one session count from one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameTiming {
    /// When it arrived whole.
    pub arrived: Duration,
    /// When it was captured, on the client's clock.
    pub captured: Option<Duration>,
    /// How long it waited for a worker.
    pub queue: Duration,
    /// How long decoding took.
    pub decode: Duration,
}

/// What a session has to say after a frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// What the person should do has changed.
    Feedback {
        /// The frame it is drawn from.
        frame_index: u64,
        /// Most important first; [`Hint::HoldStill`] alone where all is well.
        hints: Vec<Hint>,
        /// That frame's quality checks.
        measures: Vec<Check>,
    },
    /// A frame was judged.
    Progress {
        /// The frame.
        frame_index: u64,
        /// Judged so far.
        judged: u32,
        /// Needed.
        needed: u32,
    },
    /// The policy's evidence is complete: call [`Session::finish`].
    Complete,
}

/// A session.
#[derive(Debug)]
pub struct Session {
    context: Context,
}

impl Session {
    /// Begins.
    pub fn new(context: Context) -> Self {
        Self { context }
    }

    /// Takes a frame's analysis. Frames come in the order of `index`.
    pub fn push(&mut self, _index: u64, _timing: FrameTiming, _analysis: FrameAnalysis) -> Vec<Event> {
        let _ = &self.context;
        unimplemented!()
    }

    /// Takes note of a frame that was refused; it never counts as evidence.
    pub fn refuse(&mut self, _index: u64, _timing: FrameTiming, _error: &FrameError) -> Vec<Event> {
        unimplemented!()
    }

    /// Takes note of a frame on which the detector broke; the checks it would have served become ERROR.
    pub fn fault(&mut self, _index: u64, _timing: FrameTiming, _error: &RuntimeError) -> Vec<Event> {
        unimplemented!()
    }

    /// Takes note of a frame that was let go.
    pub fn dropped(&mut self) {
        unimplemented!()
    }

    /// Whether the policy's evidence is complete; further frames change nothing.
    pub fn is_complete(&self) -> bool {
        unimplemented!()
    }

    /// The verdict on what has come so far. `now` counts from the same moment as [`FrameTiming::arrived`].
    pub fn finish(&self, _now: Duration) -> Verdict {
        unimplemented!()
    }
}
