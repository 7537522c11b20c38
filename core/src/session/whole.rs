//! What must hold of a video as a whole, beyond the frames that were judged.
//!
//! In a session of frames the person is guided until enough are good, so the others do not count. A video is one finished
//! presentation: all of it was sent, and what most of it shows is what it is.

use std::collections::BTreeMap;

use crate::{
    analysis::{FrameAnalysis, Outcome},
    policy::Policy,
    verdict::{CheckId, CheckKind, RawMeasure},
};

/// The share of a video's frames that must be judged, and that a required quality check may not fail on. Half: a capture of
/// which most is bad is a bad capture, and an attack must not be shown in a few chosen moments of a video that is otherwise
/// unfit to be looked at.
const MOST: f64 = 0.5;

/// The share of a video's frames on which several faces show from which on the video shows several people. A fifth: one
/// second of the five that a video of FPT.AI's kind lasts at least. Whoever walks past behind is smaller than
/// SingleFacePresent counts, or gone sooner.
const SEVERAL: f64 = 0.2;

/// What the frames of a video fail.
#[derive(Debug, Default)]
pub(super) struct Whole {
    frames: u32,
    faceless: u32,
    failing: BTreeMap<CheckId, Failing>,
}

/// The frames that fail a check.
#[derive(Debug, Clone, Copy)]
struct Failing {
    count: u32,
    scores: f64,
    values: f64,
    unit: &'static str,
}

impl Whole {
    /// Takes a frame.
    pub(super) fn push(&mut self, policy: &Policy, analysis: &FrameAnalysis) {
        self.frames = self.frames.saturating_add(1);
        if analysis.faces.is_empty() {
            self.faceless = self.faceless.saturating_add(1);
            return;
        }
        for measurement in analysis.measurements.iter().filter(|measurement| required(policy, measurement.id)) {
            let Outcome::Scored { score, raw } = measurement.outcome else { continue };
            if score < policy.threshold(measurement.id) {
                let none = Failing { count: 0, scores: 0.0, values: 0.0, unit: raw.unit };
                let failing = self.failing.entry(measurement.id).or_insert(none);
                failing.count = failing.count.saturating_add(1);
                failing.scores += f64::from(score);
                failing.values += raw.value;
            }
        }
    }

    /// Frames that must be judged of those that came.
    pub(super) fn needed(&self) -> u32 {
        (f64::from(self.frames) * MOST).ceil() as u32
    }

    /// The outcome of a required quality check that so much of the video fails: the mean over the frames that do. `None`
    /// where not enough of it does.
    pub(super) fn outcome(&self, id: CheckId) -> Option<Outcome> {
        if id == CheckId::SingleFacePresent && self.share(self.faceless) > MOST {
            return Some(Outcome::Scored { score: 0.0, raw: RawMeasure { value: 0.0, unit: "count" } });
        }
        let failing = self.failing.get(&id)?;
        let share = self.share(failing.count);
        let enough = if id == CheckId::SingleFacePresent { share >= SEVERAL } else { share > MOST };
        let count = f64::from(failing.count);
        enough.then(|| Outcome::Scored {
            score: (failing.scores / count) as f32,
            raw: RawMeasure { value: failing.values / count, unit: failing.unit },
        })
    }

    /// Counts, for the backend.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let faceless = (self.faceless > 0).then(|| format!("{} of {} frames show no face", self.faceless, self.frames));
        let failing = self.failing.iter();
        faceless.into_iter().chain(failing.map(|(id, f)| format!("{} of {} frames fail {id}", f.count, self.frames)))
    }

    fn share(&self, count: u32) -> f64 {
        if self.frames == 0 { 0.0 } else { f64::from(count) / f64::from(self.frames) }
    }
}

fn required(policy: &Policy, id: CheckId) -> bool {
    id.kind() == CheckKind::Quality && policy.config().required.contains(&id)
}
