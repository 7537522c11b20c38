//! Vendors' answers among the checks of the verdict.

use super::{super::Judges, vote::Vote};
use crate::verdict::{
    Check, CheckId, CheckState, Detail, Inconclusive, Reading, Source, VendorAnswer, VendorOutcome, VendorResult,
    VendorState,
};

/// A vendor's checks: those that it judges, and FaceMatch where it was made. `decides`: whether the decision rests on this
/// vendor. Then ACCEPT needs its checks, but for those on which an answer that says live is silent.
pub(super) fn of(result: &VendorResult, judges: Judges, vote: Vote, decides: bool) -> Vec<Check> {
    let compared = result.answer().is_some_and(|answer| answer.face_match.state != CheckState::NotRun);
    let mut checks = Vec::new();
    for (id, listed) in [
        (CheckId::PresentationAttack, judges.presentation_attack),
        (CheckId::Deepfake, judges.deepfake),
        (CheckId::FaceMatch, compared),
    ] {
        if !listed {
            continue;
        }
        let (reading, detail) = read(result, id);
        checks.push(Check {
            id,
            state: reading.state,
            score: reading.score.filter(|score| (0.0..=1.0).contains(score)),
            // The vendor's limit is the vendor's.
            threshold: None,
            raw: reading.raw,
            source: Source::Vendor(result.vendor.clone()),
            models: Vec::new(),
            duration: result.duration,
            required: decides && !(vote == Vote::Live && reading.state == CheckState::NotRun),
            detail,
        });
    }
    checks
}

/// What the result says on one axis, and why where it says nothing.
fn read(result: &VendorResult, id: CheckId) -> (Reading, Option<Detail>) {
    let answer = match &result.state {
        VendorState::NotRun(detail) => return (Reading::NOT_RUN, Some(*detail)),
        VendorState::Failed(detail) => return (Reading::state(CheckState::Error), Some(*detail)),
        VendorState::Answered(answer) => answer,
    };
    let reading = axis(answer, id);
    match reading.state {
        // Some say live and "a person should look" in one answer: that is no pass.
        CheckState::Passed if id == CheckId::PresentationAttack => match answer.outcome {
            VendorOutcome::Quality(_) | VendorOutcome::Review => {
                (Reading { state: CheckState::NotRun, score: None, ..reading }, Some(silence(answer.outcome)))
            }
            VendorOutcome::Inconclusive(_) => {
                (Reading { state: CheckState::Error, score: None, ..reading }, Some(Detail::VendorInconclusive))
            }
            VendorOutcome::Live | VendorOutcome::Attack(_) => (reading, None),
        },
        CheckState::Passed | CheckState::Failed => (reading, None),
        CheckState::Error => (reading, Some(Detail::VendorInconclusive)),
        CheckState::NotRun => (reading, Some(silence(answer.outcome))),
    }
}

fn axis(answer: &VendorAnswer, id: CheckId) -> Reading {
    match id {
        CheckId::PresentationAttack => answer.liveness,
        CheckId::Deepfake => answer.deepfake,
        CheckId::FaceMatch => answer.face_match,
        _ => Reading::NOT_RUN,
    }
}

/// Why an answer says nothing on an axis.
fn silence(outcome: VendorOutcome) -> Detail {
    match outcome {
        VendorOutcome::Quality(_) => Detail::VendorQuality,
        VendorOutcome::Review => Detail::VendorReview,
        // It looks at something else.
        VendorOutcome::Live | VendorOutcome::Attack(_) | VendorOutcome::Inconclusive(Inconclusive::MatchOnly) => {
            Detail::VendorScope
        }
        VendorOutcome::Inconclusive(
            Inconclusive::UnknownValue | Inconclusive::NoDecision | Inconclusive::MediaRefused,
        ) => Detail::VendorInconclusive,
    }
}
