//! Evidence over frames: every check's numbers on the frames that were judged, and what was found on the others.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    analysis::{FrameAnalysis, Measurement, Outcome},
    policy::{Aggregate, Policy},
    verdict::{CheckId, CheckKind, Detail, ModelRef, RawMeasure},
};

/// How far a score may stray from 0..=1 before it is a fault rather than rounding: softmax in single precision sums to 1
/// within 1e-6.
const ROUNDING: f32 = 1e-4;

/// The two attack checks that are made on each frame. The required ones among them make a frame count.
pub(super) const PER_FRAME_ATTACK: [CheckId; 2] = [CheckId::PresentationAttack, CheckId::Deepfake];

/// How one frame stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grade {
    /// Whether it counts as evidence.
    pub(super) judged: bool,
    /// Required quality checks that passed.
    pub(super) passed: u32,
    /// The first required check that kept it from being judged.
    pub(super) blocked_by: Option<CheckId>,
}

/// Grades a frame: it is judged where it has a face, every required quality check passed (if the policy gates), and every
/// required attack check that looks at single frames gave a score.
pub(super) fn grade(policy: &Policy, analysis: &FrameAnalysis) -> Grade {
    let score = |id| analysis.measurement(id).and_then(Measurement::score);
    let mut passed = 0;
    let mut blocked_by = None;
    for &id in CheckId::ALL.iter().filter(|id| policy.config().required.contains(id)) {
        let blocks = match id.kind() {
            CheckKind::Quality => {
                let reached = score(id).is_some_and(|score| score >= policy.threshold(id));
                passed += u32::from(reached);
                !reached && policy.config().gate
            }
            CheckKind::Attack => PER_FRAME_ATTACK.contains(&id) && score(id).is_none(),
            CheckKind::Identity | CheckKind::Media => false,
        };
        if blocks && blocked_by.is_none() {
            blocked_by = Some(id);
        }
    }
    Grade { judged: blocked_by.is_none() && !analysis.faces.is_empty(), passed, blocked_by }
}

/// Makes a fault of every number that is not one: a NaN compares false with every threshold, so it must not get further.
pub(super) fn settle(outcome: &Outcome) -> Outcome {
    match *outcome {
        Outcome::Scored { score, raw } if (-ROUNDING..=1.0 + ROUNDING).contains(&score) && raw.value.is_finite() => {
            Outcome::Scored { score: score.clamp(0.0, 1.0), raw }
        }
        Outcome::Scored { .. } => Outcome::Broken(Detail::ModelFault),
        Outcome::NotRun(detail) => Outcome::NotRun(detail),
        Outcome::Broken(detail) => Outcome::Broken(detail),
    }
}

/// One check's numbers so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Score and raw measure on each judged frame; a session of frames ends before there are many, a video is sampled.
    scores: Vec<(f32, f64)>,
    unit: &'static str,
    /// Why it did not run on the last judged frame on which it did not.
    judged_gap: Option<Detail>,
    /// Why it did not run on the last frame, judged or not, on which it did not.
    pub(super) gap: Option<Detail>,
    /// How it broke. One fault is enough: what broke once cannot be relied on in the same session.
    pub(super) broken: Option<Detail>,
    /// The models that took part.
    pub(super) models: Vec<ModelRef>,
    /// Over all frames.
    pub(super) duration: Duration,
}

impl Tally {
    /// What the judged frames say together. A check that ran on only some of them did not run.
    pub(super) fn outcome(&self, judged: u32, aggregate: Aggregate) -> Outcome {
        let complete = u32::try_from(self.scores.len()) == Ok(judged);
        match combine(&self.scores, aggregate) {
            Some((score, value)) if complete => Outcome::Scored { score, raw: RawMeasure { value, unit: self.unit } },
            _ => Outcome::NotRun(self.judged_gap.unwrap_or(Detail::NotRequested)),
        }
    }
}

/// One number for several: of scores, and of the raw measures behind them.
fn combine(scores: &[(f32, f64)], aggregate: Aggregate) -> Option<(f32, f64)> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let middle = sorted.len().checked_sub(1)? / 2;
    let chosen = match aggregate {
        Aggregate::Mean => sorted.as_slice(),
        Aggregate::Min => sorted.get(..1)?,
        Aggregate::Median => sorted.get(middle..sorted.len() - middle)?,
    };
    let count = chosen.len() as f64;
    let score = chosen.iter().map(|(score, _)| f64::from(*score)).sum::<f64>() / count;
    let value = chosen.iter().map(|(_, value)| value).sum::<f64>() / count;
    Some((score as f32, value))
}

/// All checks' numbers.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    tallies: BTreeMap<CheckId, Tally>,
    blocked: BTreeMap<CheckId, u32>,
}

impl Evidence {
    /// Takes a frame's settled measurements.
    pub(super) fn push(&mut self, analysis: &FrameAnalysis, grade: Grade) {
        if let Some(id) = grade.blocked_by {
            let count = self.blocked.entry(id).or_default();
            *count = count.saturating_add(1);
        }
        for &id in CheckId::ALL {
            let Some(measurement) = analysis.measurement(id) else {
                if grade.judged
                    && let Some(tally) = self.tallies.get_mut(&id)
                {
                    tally.judged_gap = Some(Detail::NotRequested);
                }
                continue;
            };
            let tally = self.tallies.entry(id).or_default();
            tally.duration = tally.duration.saturating_add(measurement.duration);
            if tally.models.is_empty() {
                tally.models.clone_from(&measurement.models);
            }
            match measurement.outcome {
                Outcome::Scored { score, raw } if grade.judged => {
                    tally.scores.push((score, raw.value));
                    tally.unit = raw.unit;
                }
                Outcome::Scored { .. } => {}
                Outcome::NotRun(detail) => {
                    tally.gap = Some(detail);
                    if grade.judged {
                        tally.judged_gap = Some(detail);
                    }
                }
                Outcome::Broken(detail) => tally.broken = Some(detail),
            }
        }
    }

    /// A check's numbers, where any frame had it.
    pub(super) fn tally(&self, id: CheckId) -> Option<&Tally> {
        self.tallies.get(&id)
    }

    /// Frames kept from being judged, by the check that did.
    pub(super) fn blocked(&self) -> impl Iterator<Item = (CheckId, u32)> {
        self.blocked.iter().map(|(&id, &count)| (id, count))
    }
}
