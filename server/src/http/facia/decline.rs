//! Why a transaction is declined, in FACIA's codes. The one table from a verdict to a code.
//!
//! Only ACCEPT has no code. What this engine says with other words than FACIA gets the code that says most nearly the same, and never one
//! of a kinder group: an attack is an attack, a poor capture is one that may be made again.

use lifesign_core::verdict::CheckId;
use lifesign_proto::v1::{self, CheckState, Decision};

use super::super::verdict::{deciding, id, required, saw_no_face};

/// FACIA's 26 decline codes, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decline {
    PaperTexture,
    PaperMask,
    Replay,
    SiliconeMask,
    Screenshot,
    EditedImage,
    Evasion,
    AnimatedFace,
    UnderExposed,
    OverExposed,
    NoFace,
    NoFaceInMatch,
    NoFaceInBoth,
    LowConfidence,
    LowConfidenceInMatch,
    LowConfidenceInBoth,
    Blurry,
    MotionBlur,
    Shine,
    InvalidProof,
    PaperTextureOrReplay,
    IdenticalImage,
    TooClose,
    TooFar,
    Deepfake,
    FacesDiffer,
}

/// What a code is about, as this project's client of FACIA groups them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Attack,
    Quality,
    Match,
}

impl Decline {
    const ALL: [Decline; 26] = [
        Decline::PaperTexture,
        Decline::PaperMask,
        Decline::Replay,
        Decline::SiliconeMask,
        Decline::Screenshot,
        Decline::EditedImage,
        Decline::Evasion,
        Decline::AnimatedFace,
        Decline::UnderExposed,
        Decline::OverExposed,
        Decline::NoFace,
        Decline::NoFaceInMatch,
        Decline::NoFaceInBoth,
        Decline::LowConfidence,
        Decline::LowConfidenceInMatch,
        Decline::LowConfidenceInBoth,
        Decline::Blurry,
        Decline::MotionBlur,
        Decline::Shine,
        Decline::InvalidProof,
        Decline::PaperTextureOrReplay,
        Decline::IdenticalImage,
        Decline::TooClose,
        Decline::TooFar,
        Decline::Deepfake,
        Decline::FacesDiffer,
    ];

    /// `decline_code` and `decline_reason`. The reason of FADR25 is the page's own; the others say what FACIA's list of codes says, in the
    /// same form.
    pub(super) const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Decline::PaperTexture => ("FADR01", "Paper Texture Detected."),
            Decline::PaperMask => ("FADR02", "Paper Mask Detected."),
            Decline::Replay => ("FADR03", "Replay Attack Detected."),
            Decline::SiliconeMask => ("FADR04", "Silicone Mask Detected."),
            Decline::Screenshot => ("FADR05", "Screenshot Detected."),
            Decline::EditedImage => ("FADR06", "Edited Image Detected."),
            Decline::Evasion => ("FADR07", "Evasion Detected."),
            Decline::AnimatedFace => ("FADR08", "Animated 3D Face Detected."),
            Decline::UnderExposed => ("FADR09", "Under-exposed Image."),
            Decline::OverExposed => ("FADR10", "Over-exposed Image."),
            Decline::NoFace => ("FADR11", "No Face Detected."),
            Decline::NoFaceInMatch => ("FADR12", "No Face Detected in the Matched Image."),
            Decline::NoFaceInBoth => ("FADR13", "No Face Detected in Both Images."),
            Decline::LowConfidence => ("FADR14", "Low-confidence Face Detected."),
            Decline::LowConfidenceInMatch => ("FADR15", "Low-confidence Face Detected in the Matched Image."),
            Decline::LowConfidenceInBoth => ("FADR16", "Low-confidence Face Detected in Both Images."),
            Decline::Blurry => ("FADR17", "Blurry Face Detected."),
            Decline::MotionBlur => ("FADR18", "Motion Blur Detected."),
            Decline::Shine => ("FADR19", "Shine on the Face Detected."),
            Decline::InvalidProof => ("FADR20", "Invalid Proof."),
            Decline::PaperTextureOrReplay => ("FADR21", "Paper Texture or Replay Attack Detected."),
            Decline::IdenticalImage => ("FADR22", "Selfie Is Identical to the Reference Image."),
            Decline::TooClose => ("FADR23", "Face Is Too Close to the Camera."),
            Decline::TooFar => ("FADR24", "Face Is Too Far From the Camera."),
            Decline::Deepfake => ("FADR25", "Deepfake Detected."),
            Decline::FacesDiffer => ("FADR26", "Faces Do Not Match."),
        }
    }

    const fn group(self) -> Group {
        match self {
            Decline::PaperTexture
            | Decline::PaperMask
            | Decline::Replay
            | Decline::SiliconeMask
            | Decline::Screenshot
            | Decline::EditedImage
            | Decline::Evasion
            | Decline::AnimatedFace
            | Decline::PaperTextureOrReplay
            | Decline::IdenticalImage
            | Decline::Deepfake => Group::Attack,
            Decline::UnderExposed
            | Decline::OverExposed
            | Decline::NoFace
            | Decline::LowConfidence
            | Decline::Blurry
            | Decline::MotionBlur
            | Decline::Shine
            | Decline::InvalidProof
            | Decline::TooClose
            | Decline::TooFar => Group::Quality,
            Decline::NoFaceInMatch
            | Decline::NoFaceInBoth
            | Decline::LowConfidenceInMatch
            | Decline::LowConfidenceInBoth
            | Decline::FacesDiffer => Group::Match,
        }
    }

    /// Why this verdict is a decline; `None` for ACCEPT and for nothing else, a decision of a later version included.
    pub(super) fn of(verdict: &v1::Verdict) -> Option<Self> {
        match verdict.decision() {
            Decision::Accept => None,
            Decision::Reject => Some(rejected(verdict)),
            Decision::Retry => Some(retried(verdict)),
            // There is a face, and no confidence in it that would do without a person.
            Decision::Review => Some(Decline::LowConfidence),
            // What came could not be judged, so that it proves nothing.
            Decision::Indeterminate | Decision::Unspecified => Some(Decline::InvalidProof),
        }
    }
}

/// An attack, or another person. FACIA's own code where the decision rests on FACIA; then what another vendor saw, if it says more than
/// "attack"; then the failed checks, the deepfake first, which is what the page is about; then the reasons. A rejection that names nothing
/// is the attack that is not told apart: anything else would read as a poor capture.
fn rejected(verdict: &v1::Verdict) -> Decline {
    let against = |decline: &Decline| decline.group() != Group::Quality;
    let failed = || {
        let mut failed: Vec<_> = required(verdict, CheckState::Failed).filter_map(of_check).filter(against).collect();
        failed.sort_by_key(|decline| *decline != Decline::Deepfake);
        failed.first().copied()
    };
    facia(verdict)
        .filter(against)
        .or_else(|| deciding(verdict).find_map(|result| of_outcome(&result.outcome).filter(against)))
        .or_else(failed)
        .or_else(|| verdict.reasons.iter().find_map(|reason| of_reason(&reason.code).filter(against)))
        .unwrap_or(Decline::PaperTextureOrReplay)
}

/// A poor capture. FACIA's own code where the decision rests on FACIA; then the reasons, most important first, which the policy may keep to
/// itself; then a vendor's word, then the failed checks.
fn retried(verdict: &v1::Verdict) -> Decline {
    let is_quality = |decline: &Decline| decline.group() == Group::Quality;
    // The reference picture may be what is to be mended.
    let not_attack = |decline: &Decline| decline.group() != Group::Attack;
    facia(verdict)
        .filter(is_quality)
        .or_else(|| verdict.reasons.iter().find_map(|reason| of_reason(&reason.code).filter(not_attack)))
        .or_else(|| deciding(verdict).find_map(|result| of_outcome(&result.outcome).filter(is_quality)))
        .or_else(|| saw_no_face(verdict).then_some(Decline::NoFace))
        .or_else(|| required(verdict, CheckState::Failed).filter_map(of_check).find(is_quality))
        .unwrap_or(Decline::InvalidProof)
}

/// The code that FACIA itself gave, where the decision rests on it and the code is a documented one.
fn facia(verdict: &v1::Verdict) -> Option<Decline> {
    let mut said = deciding(verdict).filter(|result| result.vendor == "facia");
    said.find_map(|result| Decline::ALL.into_iter().find(|decline| decline.texts().0 == result.raw_code))
}

/// What a failed check is about.
fn of_check(check: &v1::Check) -> Option<Decline> {
    let raw = check.raw.as_ref().and_then(|raw| raw.value);
    Some(match id(check)? {
        CheckId::PresentationAttack => Decline::PaperTextureOrReplay,
        CheckId::Deepfake => Decline::Deepfake,
        // One picture shown as a video.
        CheckId::StillImage => Decline::Replay,
        // Whoever is judged is not the one who was there before.
        CheckId::FrameContinuity => Decline::Evasion,
        CheckId::FaceMatch if check.detail == "IDENTICAL_IMAGE" => Decline::IdenticalImage,
        CheckId::FaceMatch => Decline::FacesDiffer,
        CheckId::SingleFacePresent if raw == Some(0.0) => Decline::NoFace,
        CheckId::FaceArea | CheckId::InterEyeDistance => Decline::TooFar,
        CheckId::Sharpness => Decline::Blurry,
        CheckId::UnderExposurePrevention => Decline::UnderExposed,
        CheckId::OverExposurePrevention => Decline::OverExposed,
        // It is there, and not shown well enough to rely on.
        CheckId::HeadPose | CheckId::EyesOpen | CheckId::FaceOcclusionPrevention | CheckId::DynamicRange => {
            Decline::LowConfidence
        }
        // Too much or too little of something, of which the check alone does not say which, or a picture that FACIA has no word for:
        // several faces, one that is cut off, one that cannot be read.
        CheckId::SingleFacePresent
        | CheckId::HeadSize
        | CheckId::Luminance
        | CheckId::CropOfTheFaceImage
        | CheckId::MediaLimits => Decline::InvalidProof,
    })
}

/// What a vendor's normalised outcome is about; `None` where it says nothing that FACIA has a code for.
fn of_outcome(outcome: &str) -> Option<Decline> {
    Some(match outcome {
        "ATTACK_PRINT" => Decline::PaperTexture,
        "ATTACK_PAPER_MASK" => Decline::PaperMask,
        "ATTACK_REPLAY" => Decline::Replay,
        "ATTACK_PRINT_OR_REPLAY" => Decline::PaperTextureOrReplay,
        "ATTACK_SILICONE_MASK" => Decline::SiliconeMask,
        "ATTACK_SCREENSHOT" => Decline::Screenshot,
        "ATTACK_EDITED_IMAGE" => Decline::EditedImage,
        "ATTACK_EVASION" => Decline::Evasion,
        "ATTACK_ANIMATED_FACE" => Decline::AnimatedFace,
        "ATTACK_DEEPFAKE" => Decline::Deepfake,
        "ATTACK_IDENTICAL_IMAGE" => Decline::IdenticalImage,
        "QUALITY_NO_FACE" => Decline::NoFace,
        "QUALITY_FACE_TOO_SMALL" => Decline::TooFar,
        "QUALITY_FACE_TOO_LARGE" => Decline::TooClose,
        "QUALITY_BLURRY" => Decline::Blurry,
        "QUALITY_UNDER_EXPOSED" => Decline::UnderExposed,
        "QUALITY_OVER_EXPOSED" => Decline::OverExposed,
        "QUALITY_SHINE" => Decline::Shine,
        "QUALITY_LOW_CONFIDENCE" | "QUALITY_FACE_COVERED" => Decline::LowConfidence,
        "QUALITY_MULTIPLE_FACES" | "QUALITY_STILL_IMAGE" | "QUALITY_INVALID_CAPTURE" => Decline::InvalidProof,
        // ATTACK alone, REVIEW, INCONCLUSIVE_…, LIVE, and what a later version says.
        _ => return None,
    })
}

/// What a reason is about; `None` for one that says nothing of its own.
fn of_reason(code: &str) -> Option<Decline> {
    Some(match code {
        "PRESENTATION_ATTACK_SUSPECTED" => Decline::PaperTextureOrReplay,
        "DEEPFAKE_SUSPECTED" => Decline::Deepfake,
        "STILL_IMAGE_SUSPECTED" => Decline::Replay,
        "FACE_CHANGED" => Decline::Evasion,
        "IDENTICAL_IMAGE" => Decline::IdenticalImage,
        "FACE_MISMATCH" => Decline::FacesDiffer,
        "NO_FACE" => Decline::NoFace,
        "FACE_TOO_SMALL" => Decline::TooFar,
        "FACE_TOO_LARGE" => Decline::TooClose,
        "TOO_DARK" => Decline::UnderExposed,
        "TOO_BRIGHT" => Decline::OverExposed,
        "BLURRY" => Decline::Blurry,
        "HOLD_STILL" => Decline::MotionBlur,
        "FACE_TURNED" | "EYES_CLOSED" | "FACE_COVERED" | "LOW_CONTRAST" => Decline::LowConfidence,
        "MULTIPLE_FACES" | "FACE_NOT_CENTERED" | "MEDIA_UNREADABLE" | "NO_FRAME" | "TOO_FEW_FRAMES" => {
            Decline::InvalidProof
        }
        "REFERENCE_NO_FACE" => Decline::NoFaceInMatch,
        "REFERENCE_MULTIPLE_FACES" | "REFERENCE_TOO_SMALL" | "REFERENCE_BLURRY" | "REFERENCE_QUALITY" => {
            Decline::LowConfidenceInMatch
        }
        // NOT_PASSED, NEEDS_REVIEW, UNDECIDED, POOR_CAPTURE, and what a later version says.
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
