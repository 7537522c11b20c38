//! What one vendor's result says on the whole: a vote.

use super::super::Judges;
use crate::verdict::{CheckState, Reading, VendorAnswer, VendorOutcome, VendorResult};

/// One vendor's word. The greatest of several is the one that stands where all must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Vote {
    /// Nothing wrong in what it looked at.
    Live,
    /// A person should look.
    Review,
    /// It could not judge this capture; another may do.
    Quality,
    /// It gave no answer, or none to rely on.
    Fault,
    /// Another person than the reference image's.
    Mismatch,
    /// An attack.
    Attack,
}

impl Vote {
    /// Reads a result. What fails on any axis weighs more than what the answer adds up to, and what is not known to be
    /// good is a fault.
    pub(super) fn of(result: &VendorResult) -> Self {
        let Some(answer) = result.answer() else { return Vote::Fault };
        let axes = [answer.liveness, answer.deepfake, answer.face_match];
        let any = |state| axes.iter().any(|axis| axis.state == state);
        let failed = |axis: Reading| axis.state == CheckState::Failed;
        match answer.outcome {
            _ if failed(answer.liveness) || failed(answer.deepfake) => Vote::Attack,
            VendorOutcome::Attack(_) => Vote::Attack,
            _ if failed(answer.face_match) => Vote::Mismatch,
            VendorOutcome::Review => Vote::Review,
            VendorOutcome::Quality(_) => Vote::Quality,
            VendorOutcome::Live if any(CheckState::Passed) && !any(CheckState::Error) => Vote::Live,
            VendorOutcome::Live | VendorOutcome::Inconclusive(_) => Vote::Fault,
        }
    }

    /// Reads a result of a vendor that a policy asks. It is asked for what it judges: a policy that lets its answer stand for
    /// the local PresentationAttack must not take "the face matches" for one, so live is a fault where it did not look.
    pub(super) fn asked(result: &VendorResult, judges: Judges) -> Self {
        match (Self::of(result), result.answer()) {
            (Vote::Live, Some(answer)) if main(answer, judges).state != CheckState::Passed => Vote::Fault,
            (vote, _) => vote,
        }
    }

    /// Whether it is an opinion, whichever.
    pub(super) fn is_conclusive(self) -> bool {
        self != Vote::Fault
    }

    /// Whether it speaks against the person.
    pub(super) fn is_against(self) -> bool {
        matches!(self, Vote::Attack | Vote::Mismatch)
    }
}

/// The axis for which the vendor is asked above all.
fn main(answer: &VendorAnswer, judges: Judges) -> Reading {
    if judges.presentation_attack {
        answer.liveness
    } else if judges.deepfake {
        answer.deepfake
    } else {
        answer.face_match
    }
}
