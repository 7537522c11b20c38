//! From what a session gathered to its verdict.

use std::time::Duration;

use super::{Media, Session, decide::decide, evidence::Tally, reasons};
use crate::{
    analysis::{FrameAnalysis, Measurement, Outcome},
    policy::{Aggregate, Policy},
    verdict::{Check, CheckId, CheckKind, CheckState, Detail, RawMeasure, Source, Timings, Verdict},
};

/// The verdict on what has come so far.
pub(super) fn verdict(session: &Session, now: Duration) -> Verdict {
    let policy = &session.context.policy;
    let checks: Vec<Check> = CheckId::ALL.iter().filter_map(|&id| check(session, id)).collect();
    let decision = decide(&checks, policy.config().on_error, policy.reference_decides());
    let compared = checks
        .iter()
        .any(|check| check.id == CheckId::FaceMatch && matches!(check.state, CheckState::Passed | CheckState::Failed));
    let best = session.best();
    Verdict {
        decision,
        reasons: reasons::of(decision, &checks, policy.config().reasons),
        diagnostics: diagnostics(session, &checks),
        faces: best.map(|best| best.faces.clone()).unwrap_or_default(),
        pose: best.and_then(|best| best.pose),
        checks,
        vendor_results: Vec::new(),
        policy: policy.reference().clone(),
        pack: session.context.pack.clone(),
        runtime: session.context.runtime.clone(),
        frames: session.stats,
        timings: Timings {
            total: session.first_arrival.map_or(Duration::ZERO, |first| now.saturating_sub(first)),
            ..session.timings
        },
        best_frame_index: best.map(|best| best.index),
        matched_frame_index: if compared { session.matched.index() } else { None },
        timeline: session.timeline.clone(),
    }
}

/// One frame's own quality checks, for feedback.
pub(super) fn quality_of_frame(policy: &Policy, media: Media, analysis: &FrameAnalysis) -> Vec<Check> {
    CheckId::ALL
        .iter()
        .filter(|id| id.kind() == CheckKind::Quality && policy.asks(**id))
        .filter_map(|&id| analysis.measurement(id))
        .map(|measurement| Check {
            models: measurement.models.clone(),
            duration: measurement.duration,
            ..judge(policy, policy.requires(measurement.id, media), measurement.id, &measurement.outcome)
        })
        .collect()
}

/// One check of the verdict; `None` where the policy does not ask for it and it gave no number.
fn check(session: &Session, id: CheckId) -> Option<Check> {
    let policy = &session.context.policy;
    let tally = session.evidence.tally(id);
    let outcome = outcome(session, id, tally);
    if !session.asks(id) && (id == CheckId::MediaLimits || !matches!(outcome, Outcome::Scored { .. })) {
        return None;
    }
    let mut check = judge(policy, session.requires(id), id, &outcome);
    if let Some(tally) = tally {
        check.models.clone_from(&tally.models);
        check.duration = tally.duration;
    }
    if id == CheckId::FaceMatch && check.score.is_some() {
        check.models.extend(policy.embedder().cloned());
    }
    if id == CheckId::FaceMatch
        && too_few(session, tally).is_none()
        && let Some(found) = session.matched.identical()
    {
        check = Check {
            state: CheckState::Failed,
            score: None,
            raw: Some(RawMeasure { value: found.residual, unit: "ratio" }),
            models: Vec::new(),
            detail: Some(Detail::IdenticalImage),
            ..check
        };
    }
    Some(check)
}

/// An outcome held against the policy.
fn judge(policy: &Policy, required: bool, id: CheckId, outcome: &Outcome) -> Check {
    let threshold = policy.threshold(id);
    let (state, score, raw, detail) = match *outcome {
        Outcome::Scored { score, raw } if score >= threshold => (CheckState::Passed, Some(score), Some(raw), None),
        Outcome::Scored { score, raw } => (CheckState::Failed, Some(score), Some(raw), None),
        Outcome::NotRun(detail) => (CheckState::NotRun, None, None, Some(detail)),
        Outcome::Broken(detail) => (CheckState::Error, None, None, Some(detail)),
    };
    Check {
        id,
        state,
        score,
        threshold: Some(threshold),
        raw,
        source: Source::Local,
        models: Vec::new(),
        duration: Duration::ZERO,
        required,
        detail,
    }
}

fn outcome(session: &Session, id: CheckId, tally: Option<&Tally>) -> Outcome {
    if id == CheckId::MediaLimits {
        return media_limits(session);
    }
    if id.needs_frames() && session.context.media == Media::Image {
        return Outcome::NotRun(Detail::SingleFrame);
    }
    if session.faults > 0 {
        return Outcome::Broken(Detail::ModelFault);
    }
    if let Some(detail) = tally.and_then(|tally| tally.broken) {
        return Outcome::Broken(detail);
    }
    if id.needs_frames() && !session.asks(id) {
        return Outcome::NotRun(Detail::NotRequested);
    }
    match id {
        CheckId::FrameContinuity if session.stats.judged > 0 && session.continuity.is_broken() => {
            session.continuity.outcome()
        }
        CheckId::FaceMatch => face_match(session, tally),
        _ if id.kind() == CheckKind::Quality => quality(session, id, tally),
        _ => match too_few(session, tally) {
            Some(detail) => Outcome::NotRun(detail),
            None if id == CheckId::FrameContinuity => session.continuity.outcome(),
            None if id == CheckId::StillImage => session.still.outcome(session.context.media),
            None => over_judged(session, tally, session.context.policy.config().aggregate),
        },
    }
}

/// The share of frames that could be decoded within the limits.
fn media_limits(session: &Session) -> Outcome {
    let stats = &session.stats;
    let refused = f64::from(stats.refused);
    let kept = f64::from(stats.analysed) + f64::from(session.faults);
    if kept + refused < 1.0 {
        return Outcome::NotRun(Detail::NoFrame);
    }
    Outcome::Scored { score: (kept / (kept + refused)) as f32, raw: RawMeasure { value: refused, unit: "count" } }
}

/// The straightest judged face against the reference.
fn face_match(session: &Session, tally: Option<&Tally>) -> Outcome {
    let Some(reference) = &session.context.reference else { return Outcome::NotRun(Detail::NoReference) };
    if session.context.policy.embedder().is_none() {
        return Outcome::NotRun(Detail::NoModel);
    }
    match &reference.embedding {
        Err(Detail::ModelFault) => Outcome::Broken(Detail::ModelFault),
        Err(detail) => Outcome::NotRun(*detail),
        Ok(known) => too_few(session, tally).map_or_else(|| session.matched.outcome(known), Outcome::NotRun),
    }
}

/// Quality of the frames that were judged, or of a video where too much of it is bad. Where bad frames kept the session from
/// judging enough, the best of those instead: it shows what to mend.
fn quality(session: &Session, id: CheckId, tally: Option<&Tally>) -> Outcome {
    if let Some(outcome) = session.whole.outcome(id) {
        return outcome;
    }
    let enough = session.stats.judged >= session.needed();
    match &session.best_other {
        Some(best) if !enough => best
            .measurements
            .iter()
            .find(|measurement| measurement.id == id)
            .map_or(Outcome::NotRun(Detail::NotRequested), |measurement: &Measurement| measurement.outcome.clone()),
        _ if session.stats.judged > 0 => over_judged(session, tally, Aggregate::Mean),
        _ => Outcome::NotRun(Detail::NoFrame),
    }
}

fn over_judged(session: &Session, tally: Option<&Tally>, aggregate: Aggregate) -> Outcome {
    tally.map_or(Outcome::NotRun(Detail::NotRequested), |tally| tally.outcome(session.stats.judged, aggregate))
}

/// Why there is no judgement yet, where fewer frames were judged than the policy needs.
fn too_few(session: &Session, tally: Option<&Tally>) -> Option<Detail> {
    let needed = session.needed();
    let stats = &session.stats;
    if stats.judged >= needed {
        return None;
    }
    let gap = tally.and_then(|tally| tally.gap);
    Some(match gap {
        _ if stats.analysed == 0 => Detail::NoFrame,
        Some(detail @ (Detail::NoModel | Detail::NoReference | Detail::NotRequested)) => detail,
        _ if !session.faces_seen => Detail::NoFace,
        // Had the other frames been good, there would have been enough.
        _ if stats.analysed >= needed => Detail::QualityGate,
        _ => Detail::TooFewFrames,
    })
}

/// Counts, faults and states, for the backend.
fn diagnostics(session: &Session, checks: &[Check]) -> Vec<String> {
    let stats = &session.stats;
    let mut lines = vec![format!(
        "frames: {} received, {} analysed, {} judged of {} needed, {} refused, {} dropped, {} broken",
        stats.received,
        stats.analysed,
        stats.judged,
        session.needed(),
        stats.refused,
        stats.dropped,
        session.faults,
    )];
    lines.extend(session.told.lines());
    lines.extend(session.whole.lines());
    lines.extend(session.evidence.blocked().map(|(id, count)| format!("{count} frames not judged: {id}")));
    for check in checks.iter().filter(|check| check.required && check.state != CheckState::Passed) {
        lines.push(match (check.score, check.threshold, check.detail) {
            (Some(score), Some(threshold), _) => format!("required {}: {score:.3} is below {threshold:.3}", check.id),
            (_, _, Some(detail)) => format!("required {}: {}", check.id, detail.code()),
            _ => format!("required {}: no number", check.id),
        });
    }
    lines
}
