//! Why the decision is what it is, in words for the person, as far as the policy lets them be said.

use crate::{
    analysis::{Measurement, Outcome},
    policy::Visibility,
    quality::{self, Hint},
    verdict::{
        AttackKind, Check, CheckId, CheckKind, CheckState, Decision, Detail, QualityFault, Reading, Reason,
        VendorAnswer, VendorOutcome,
    },
};

/// The reasons for a decision, most important first. ACCEPT has none.
///
/// Under [`Visibility::Quality`] a rejection, whatever the checks say, gives the one reason `NOT_PASSED`: an attacker must
/// not learn which check to work on, nor that the capture was good enough to be judged.
pub(super) fn of(decision: Decision, checks: &[Check], visibility: Visibility) -> Vec<Reason> {
    if decision == Decision::Indeterminate && visibility != Visibility::None && too_few(checks) {
        return vec![TOO_FEW_FRAMES];
    }
    told(decision, visibility, || suspicions(checks), || faults(checks))
}

/// As [`of`], where vendors' answers made the decision: those on which a rejection or a second try rests.
pub(crate) fn of_answers(decision: Decision, answers: &[&VendorAnswer], visibility: Visibility) -> Vec<Reason> {
    told(
        decision,
        visibility,
        || once(answers.iter().flat_map(|answer| suspected(answer))),
        || {
            let faults = answers.iter().filter_map(|answer| match answer.outcome {
                VendorOutcome::Quality(fault) => Some(fault),
                _ => None,
            });
            found(faults, visibility)
        },
    )
}

/// How much of what was suspected, or is to be mended, the person is told.
fn told(
    decision: Decision,
    visibility: Visibility,
    suspicions: impl FnOnce() -> Vec<Reason>,
    faults: impl FnOnce() -> Vec<Reason>,
) -> Vec<Reason> {
    if visibility == Visibility::None {
        return Vec::new();
    }
    let mut reasons = match decision {
        Decision::Accept => Vec::new(),
        Decision::Reject if visibility == Visibility::Full => suspicions(),
        Decision::Reject => vec![NOT_PASSED],
        Decision::Retry => faults(),
        Decision::Review => vec![REVIEW],
        Decision::Indeterminate => vec![UNDECIDED],
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
const PRESENTATION_ATTACK: Reason =
    Reason { code: "PRESENTATION_ATTACK_SUSPECTED", message: "This looks like a print, a screen or a mask." };
const DEEPFAKE: Reason = Reason { code: "DEEPFAKE_SUSPECTED", message: "This face looks synthesised or swapped." };
const STILL_IMAGE: Reason =
    Reason { code: "STILL_IMAGE_SUSPECTED", message: "The picture does not move as a live one does." };
const FACE_CHANGED: Reason = Reason { code: "FACE_CHANGED", message: "The same face did not stay in the picture." };
const IDENTICAL_IMAGE: Reason = Reason {
    code: "IDENTICAL_IMAGE",
    message: "The picture is the reference picture itself, not another one of the person.",
};
const FACE_MISMATCH: Reason = Reason { code: "FACE_MISMATCH", message: "The face is not that of the reference image." };

/// What each failing attack or identity check suspects.
fn suspicions(checks: &[Check]) -> Vec<Reason> {
    failing(checks)
        .filter_map(|check| match check.id {
            CheckId::PresentationAttack => Some(PRESENTATION_ATTACK),
            CheckId::Deepfake => Some(DEEPFAKE),
            CheckId::StillImage => Some(STILL_IMAGE),
            CheckId::FrameContinuity => Some(FACE_CHANGED),
            CheckId::FaceMatch if check.detail == Some(Detail::IdenticalImage) => Some(IDENTICAL_IMAGE),
            CheckId::FaceMatch => Some(FACE_MISMATCH),
            _ => None,
        })
        .collect()
}

/// What a vendor's answer suspects.
fn suspected(answer: &VendorAnswer) -> Vec<Reason> {
    let failed = |reading: Reading| reading.state == CheckState::Failed;
    let mut reasons = match answer.outcome {
        VendorOutcome::Attack(AttackKind::Deepfake) => vec![DEEPFAKE],
        VendorOutcome::Attack(AttackKind::IdenticalImage) => vec![IDENTICAL_IMAGE],
        VendorOutcome::Attack(_) => vec![PRESENTATION_ATTACK],
        _ if failed(answer.liveness) => vec![PRESENTATION_ATTACK],
        _ => Vec::new(),
    };
    reasons.extend(failed(answer.deepfake).then_some(DEEPFAKE));
    // The reference image itself is no picture of another person.
    let mismatch = failed(answer.face_match) && !reasons.contains(&IDENTICAL_IMAGE);
    reasons.extend(mismatch.then_some(FACE_MISMATCH));
    reasons
}

/// What vendors found to mend. That the capture does not move is a hint at an attack, and told as those are.
fn found(faults: impl Iterator<Item = QualityFault>, visibility: Visibility) -> Vec<Reason> {
    let (mut hints, mut still) = (Vec::new(), false);
    for fault in faults {
        match fault {
            QualityFault::NoFace => hints.push(Hint::NoFace),
            QualityFault::MultipleFaces => hints.push(Hint::MultipleFaces),
            QualityFault::FaceTooSmall => hints.push(Hint::MoveCloser),
            QualityFault::FaceTooLarge => hints.push(Hint::MoveBack),
            QualityFault::FaceCovered => hints.push(Hint::UncoverFace),
            QualityFault::Blurry => hints.push(Hint::Blurry),
            QualityFault::UnderExposed => hints.push(Hint::TooDark),
            // Less light takes the reflections away as well.
            QualityFault::OverExposed | QualityFault::Shine => hints.push(Hint::TooBright),
            QualityFault::StillImage => still = visibility == Visibility::Full,
            // Neither says what to mend.
            QualityFault::LowConfidence | QualityFault::InvalidCapture => {}
        }
    }
    sort(&mut hints);
    if hints.first() == Some(&Hint::NoFace) {
        return vec![NO_FACE];
    }
    hints.into_iter().map(reason_of).chain(still.then_some(STILL_IMAGE)).collect()
}

/// Most important first, each once.
fn sort(hints: &mut Vec<Hint>) {
    hints.sort_unstable();
    hints.dedup();
}

/// Each once, where it first stands.
fn once(reasons: impl Iterator<Item = Reason>) -> Vec<Reason> {
    let mut kept = Vec::new();
    for reason in reasons {
        if !kept.contains(&reason) {
            kept.push(reason);
        }
    }
    kept
}

/// What to mend for the next capture.
fn faults(checks: &[Check]) -> Vec<Reason> {
    let mut hints: Vec<Hint> =
        failing(checks).filter(|check| check.id.kind() == CheckKind::Quality).filter_map(hint).collect();
    sort(&mut hints);
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
