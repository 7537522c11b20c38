//! Why the decision is what it is, in words for the person, as far as the policy lets them be said.

use crate::{
    analysis::{Measurement, Outcome},
    policy::Visibility,
    quality::{self, Hint},
    verdict::{Check, CheckId, CheckKind, CheckState, Decision, Detail, Reason},
};

/// The reasons for a decision, most important first. ACCEPT has none.
///
/// Under [`Visibility::Quality`] a rejection, whatever the checks say, gives the one reason `NOT_PASSED`: an attacker must
/// not learn which check to work on, nor that the capture was good enough to be judged.
pub(super) fn of(decision: Decision, checks: &[Check], visibility: Visibility) -> Vec<Reason> {
    if visibility == Visibility::None {
        return Vec::new();
    }
    let mut reasons = match decision {
        Decision::Accept => Vec::new(),
        Decision::Reject if visibility == Visibility::Full => suspicions(checks),
        Decision::Reject => vec![NOT_PASSED],
        Decision::Retry => faults(checks),
        Decision::Review => vec![REVIEW],
        Decision::Indeterminate => vec![if too_few(checks) { TOO_FEW_FRAMES } else { UNDECIDED }],
    };
    if reasons.is_empty() && decision == Decision::Retry {
        reasons.push(POOR_CAPTURE);
    }
    reasons
}

const NOT_PASSED: Reason = Reason { code: "NOT_PASSED", message: "The check was not passed." };
const REVIEW: Reason = Reason { code: "NEEDS_REVIEW", message: "A person has to look at this capture." };
const UNDECIDED: Reason = Reason { code: "UNDECIDED", message: "The check could not be completed." };
const TOO_FEW_FRAMES: Reason = Reason { code: "TOO_FEW_FRAMES", message: "Keep looking at the camera for longer." };
const POOR_CAPTURE: Reason = Reason { code: "POOR_CAPTURE", message: "The capture was not good enough; try again." };
const NO_FRAME: Reason = Reason { code: "NO_FRAME", message: "No picture was received." };
const NO_FACE: Reason = reason_of(Hint::NoFace);
const MEDIA_UNREADABLE: Reason =
    Reason { code: "MEDIA_UNREADABLE", message: "Too many of the pictures could not be read." };

/// What each failing attack or identity check suspects.
fn suspicions(checks: &[Check]) -> Vec<Reason> {
    failing(checks)
        .filter_map(|check| match check.id {
            CheckId::PresentationAttack => Some(Reason {
                code: "PRESENTATION_ATTACK_SUSPECTED",
                message: "This looks like a print, a screen or a mask.",
            }),
            CheckId::Deepfake => {
                Some(Reason { code: "DEEPFAKE_SUSPECTED", message: "This face looks synthesised or swapped." })
            }
            CheckId::StillImage => {
                Some(Reason { code: "STILL_IMAGE_SUSPECTED", message: "The picture does not move as a live one does." })
            }
            CheckId::FrameContinuity => {
                Some(Reason { code: "FACE_CHANGED", message: "The same face did not stay in the picture." })
            }
            CheckId::FaceMatch if check.detail == Some(Detail::IdenticalImage) => Some(Reason {
                code: "IDENTICAL_IMAGE",
                message: "The picture is the reference picture itself, not another one of the person.",
            }),
            CheckId::FaceMatch => {
                Some(Reason { code: "FACE_MISMATCH", message: "The face is not that of the reference image." })
            }
            _ => None,
        })
        .collect()
}

/// What to mend for the next capture.
fn faults(checks: &[Check]) -> Vec<Reason> {
    let mut hints: Vec<Hint> =
        failing(checks).filter(|check| check.id.kind() == CheckKind::Quality).filter_map(hint).collect();
    hints.sort_unstable();
    hints.dedup();
    let reference = checks.iter().filter(|check| check.required && check.id == CheckId::FaceMatch).find_map(reference);
    // Without a face nothing else of the capture can be mended.
    if hints.first() == Some(&Hint::NoFace) || not_run(checks, Detail::NoFace) {
        return std::iter::once(NO_FACE).chain(reference).collect();
    }
    let mut reasons = Vec::new();
    if not_run(checks, Detail::NoFrame) {
        reasons.push(NO_FRAME);
    }
    if failing(checks).any(|check| check.id == CheckId::MediaLimits) {
        reasons = vec![MEDIA_UNREADABLE];
    }
    reasons.extend(hints.into_iter().map(reason_of));
    reasons.extend(reference);
    reasons
}

/// What is wrong with the reference picture.
fn reference(check: &Check) -> Option<Reason> {
    let message = match check.detail? {
        Detail::ReferenceNoFace => "No face was found in the reference picture.",
        Detail::ReferenceMultipleFaces => "More than one face is in the reference picture.",
        Detail::ReferenceTooSmall => "The face in the reference picture is too small.",
        Detail::ReferenceBlurry => "The face in the reference picture is blurred.",
        Detail::ReferenceQuality => {
            "The face in the reference picture is turned away, cut off, too dark or too bright."
        }
        _ => return None,
    };
    Some(Reason { code: check.detail?.code(), message })
}

fn failing(checks: &[Check]) -> impl Iterator<Item = &Check> {
    checks.iter().filter(|check| check.required && check.state == CheckState::Failed)
}

fn not_run(checks: &[Check], detail: Detail) -> bool {
    checks.iter().any(|check| check.required && check.state == CheckState::NotRun && check.detail == Some(detail))
}

/// Whether more frames were all that was missing.
fn too_few(checks: &[Check]) -> bool {
    checks.iter().filter(|check| check.required && check.state != CheckState::Passed).all(|check| {
        check.state == CheckState::NotRun && matches!(check.detail, Some(Detail::TooFewFrames | Detail::SingleFrame))
    })
}

fn hint(check: &Check) -> Option<Hint> {
    let outcome = Outcome::Scored { score: check.score?, raw: check.raw? };
    quality::hint(&Measurement { id: check.id, outcome, models: Vec::new(), duration: check.duration })
}

const fn reason_of(hint: Hint) -> Reason {
    let (code, message) = match hint {
        Hint::NoFace => ("NO_FACE", "No face was found."),
        Hint::MultipleFaces => ("MULTIPLE_FACES", "More than one face is in the picture."),
        Hint::MoveCloser => ("FACE_TOO_SMALL", "The face is too far from the camera."),
        Hint::MoveBack => ("FACE_TOO_LARGE", "The face is too close to the camera."),
        Hint::CenterFace => ("FACE_NOT_CENTERED", "The face is cut off or too near the edge."),
        Hint::TooDark => ("TOO_DARK", "There is too little light on the face."),
        Hint::TooBright => ("TOO_BRIGHT", "There is too much light on the face."),
        Hint::UncoverFace => ("FACE_COVERED", "Something covers the face."),
        Hint::LookStraight => ("FACE_TURNED", "The face is turned away from the camera."),
        Hint::OpenEyes => ("EYES_CLOSED", "The eyes are not open."),
        Hint::Blurry => ("BLURRY", "The picture is blurred."),
        Hint::LowContrast => ("LOW_CONTRAST", "The light is too flat."),
        Hint::HoldStill => ("HOLD_STILL", "Hold still."),
    };
    Reason { code, message }
}
