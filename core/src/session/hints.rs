//! What the person should do, and when to say so: often enough to guide, not so often that it flickers.

use std::time::Duration;

use crate::{
    analysis::FrameAnalysis,
    policy::Policy,
    quality::{self, Hint},
    verdict::CheckKind,
};

/// Frames in a row that must ask for the same before it is said: a person cannot follow faster, and a measure that hovers
/// at its limit flips from frame to frame.
const HOLD_FRAMES: u32 = 3;

/// A slow stream need not wait for [`HOLD_FRAMES`]: what still holds after this time is said. Three frames at ten a second.
const HOLD_TIME: Duration = Duration::from_millis(300);

/// Most hints at a time; nobody reads more.
const MOST: usize = 3;

/// Lets a change of hints through once it has lasted.
#[derive(Debug, Default)]
pub(super) struct Debounce {
    sent: Option<Vec<Hint>>,
    waiting: Vec<Hint>,
    held: u32,
    since: Duration,
}

impl Debounce {
    /// Takes one frame's hints; gives them back where they are to be sent. The first frame's always are.
    pub(super) fn push(&mut self, hints: Vec<Hint>, at: Duration) -> Option<Vec<Hint>> {
        if self.sent.as_ref() == Some(&hints) {
            self.held = 0;
            return None;
        }
        if self.held > 0 && self.waiting == hints {
            self.held = self.held.saturating_add(1);
        } else {
            self.waiting.clone_from(&hints);
            self.held = 1;
            self.since = at;
        }
        let lasted = self.held >= HOLD_FRAMES || (self.held > 1 && at.saturating_sub(self.since) >= HOLD_TIME);
        if self.sent.is_some() && !lasted {
            return None;
        }
        self.held = 0;
        self.sent = Some(hints.clone());
        Some(hints)
    }
}

/// What a frame's failing quality checks ask the person to do, most important first; [`Hint::HoldStill`] where there is
/// nothing to mend.
pub(super) fn of_frame(policy: &Policy, analysis: &FrameAnalysis) -> Vec<Hint> {
    if analysis.faces.is_empty() {
        return vec![Hint::NoFace];
    }
    let mut hints: Vec<Hint> = analysis
        .measurements
        .iter()
        .filter(|measurement| measurement.id.kind() == CheckKind::Quality && policy.asks(measurement.id))
        .filter(|measurement| measurement.score().is_some_and(|score| score < policy.threshold(measurement.id)))
        .filter_map(quality::hint)
        .collect();
    hints.sort_unstable();
    hints.dedup();
    hints.truncate(MOST);
    if hints.is_empty() {
        hints.push(Hint::HoldStill);
    }
    hints
}
