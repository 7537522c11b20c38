//! What a vendor answered, normalised: one outcome, three axes, and what the vendor itself said, unchanged.

use std::time::{Duration, SystemTime};

use super::{CheckState, Detail, RawMeasure};

/// What kind of attack a vendor says it saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttackKind {
    /// It does not say which.
    Unspecified,
    /// A print: the texture of paper.
    Print,
    /// A mask of paper.
    PaperMask,
    /// A recording or picture shown on a screen.
    Replay,
    /// A print or a replay; the vendor does not tell them apart.
    PrintOrReplay,
    /// A mask of silicone.
    SiliconeMask,
    /// A screenshot.
    Screenshot,
    /// An image that was edited.
    EditedImage,
    /// The person evades the check.
    Evasion,
    /// An animated three-dimensional face.
    AnimatedFace,
    /// A synthesised or swapped face.
    Deepfake,
    /// The picture is the reference image itself.
    IdenticalImage,
}

/// What a vendor finds wrong with the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QualityFault {
    /// It found no face.
    NoFace,
    /// It found several faces.
    MultipleFaces,
    /// The face is too small, or too far from the camera.
    FaceTooSmall,
    /// The face is too close to the camera.
    FaceTooLarge,
    /// Something covers the face.
    FaceCovered,
    /// Out of focus, or shaken.
    Blurry,
    /// Too little light.
    UnderExposed,
    /// Too much light.
    OverExposed,
    /// Reflections on the face.
    Shine,
    /// A face that it is not sure about.
    LowConfidence,
    /// The video is a still image. As much a hint at an attack as a fault of the capture.
    StillImage,
    /// What was captured cannot serve as a proof.
    InvalidCapture,
}

/// Why an answer decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Inconclusive {
    /// A value that the vendor's documentation does not know, or values that contradict each other.
    UnknownValue,
    /// The vendor answered without saying anything on the question.
    NoDecision,
    /// The vendor would not take the media that was sent.
    MediaRefused,
    /// The vendor's answer is about the comparison with the reference image only.
    MatchOnly,
}

/// How a vendor's answer reads, whichever the vendor is. What is not known to be anything else is
/// [`VendorOutcome::Inconclusive`], which is never a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VendorOutcome {
    /// The vendor found nothing wrong in what it looks at: see [`Reading`] for what that is.
    Live,
    /// It says attack.
    Attack(AttackKind),
    /// It could not judge this capture; another may do.
    Quality(QualityFault),
    /// It says that a person should look.
    Review,
    /// It said nothing that could be relied on.
    Inconclusive(Inconclusive),
}

impl VendorOutcome {
    /// The stable code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            VendorOutcome::Live => "LIVE",
            VendorOutcome::Attack(kind) => match kind {
                AttackKind::Unspecified => "ATTACK",
                AttackKind::Print => "ATTACK_PRINT",
                AttackKind::PaperMask => "ATTACK_PAPER_MASK",
                AttackKind::Replay => "ATTACK_REPLAY",
                AttackKind::PrintOrReplay => "ATTACK_PRINT_OR_REPLAY",
                AttackKind::SiliconeMask => "ATTACK_SILICONE_MASK",
                AttackKind::Screenshot => "ATTACK_SCREENSHOT",
                AttackKind::EditedImage => "ATTACK_EDITED_IMAGE",
                AttackKind::Evasion => "ATTACK_EVASION",
                AttackKind::AnimatedFace => "ATTACK_ANIMATED_FACE",
                AttackKind::Deepfake => "ATTACK_DEEPFAKE",
                AttackKind::IdenticalImage => "ATTACK_IDENTICAL_IMAGE",
            },
            VendorOutcome::Quality(fault) => match fault {
                QualityFault::NoFace => "QUALITY_NO_FACE",
                QualityFault::MultipleFaces => "QUALITY_MULTIPLE_FACES",
                QualityFault::FaceTooSmall => "QUALITY_FACE_TOO_SMALL",
                QualityFault::FaceTooLarge => "QUALITY_FACE_TOO_LARGE",
                QualityFault::FaceCovered => "QUALITY_FACE_COVERED",
                QualityFault::Blurry => "QUALITY_BLURRY",
                QualityFault::UnderExposed => "QUALITY_UNDER_EXPOSED",
                QualityFault::OverExposed => "QUALITY_OVER_EXPOSED",
                QualityFault::Shine => "QUALITY_SHINE",
                QualityFault::LowConfidence => "QUALITY_LOW_CONFIDENCE",
                QualityFault::StillImage => "QUALITY_STILL_IMAGE",
                QualityFault::InvalidCapture => "QUALITY_INVALID_CAPTURE",
            },
            VendorOutcome::Review => "REVIEW",
            VendorOutcome::Inconclusive(why) => match why {
                Inconclusive::UnknownValue => "INCONCLUSIVE_UNKNOWN_VALUE",
                Inconclusive::NoDecision => "INCONCLUSIVE_NO_DECISION",
                Inconclusive::MediaRefused => "INCONCLUSIVE_MEDIA_REFUSED",
                Inconclusive::MatchOnly => "INCONCLUSIVE_MATCH_ONLY",
            },
        }
    }
}

/// What an answer says on one axis: presentation attacks, deepfakes, or the comparison with the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// PASSED or FAILED where the vendor said so; NOT_RUN where it did not look, or the capture kept it from judging; ERROR where it
    /// looked and could not tell.
    pub state: CheckState,
    /// 0..=1, 1 = bona fide; only where the vendor's own number has a documented or evident meaning.
    pub score: Option<f32>,
    /// The vendor's own number on this axis, in its own polarity.
    pub raw: Option<RawMeasure>,
}

impl Reading {
    /// The vendor did not look.
    pub const NOT_RUN: Reading = Reading::state(CheckState::NotRun);

    /// A state without a number.
    pub const fn state(state: CheckState) -> Self {
        Self { state, score: None, raw: None }
    }
}

/// Where the vendor shows what it objects to, for as long as it does. Whoever has the address can look at it, so it is in
/// no `Debug` and no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Proof {
    /// The vendor's address of the picture.
    pub url: String,
    /// When it stops working, where the vendor says so.
    pub expires: Option<SystemTime>,
}

impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proof").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// A vendor's answer, normalised.
#[derive(Debug, Clone, PartialEq)]
pub struct VendorAnswer {
    /// What it adds up to.
    pub outcome: VendorOutcome,
    /// Presentation attacks: prints, screens, masks.
    pub liveness: Reading,
    /// Synthesised or swapped faces.
    pub deepfake: Reading,
    /// The face against the reference image.
    pub face_match: Reading,
    /// The vendor's own result code, unchanged; empty where it gave none.
    pub raw_code: String,
    /// The vendor's own score, unchanged; its polarity is the vendor's.
    pub raw_score: Option<f64>,
    /// The vendor's name for this transaction.
    pub reference: Option<String>,
    /// The vendor's name for the request, from a header.
    pub request_id: Option<String>,
    /// Where the vendor shows what it objects to.
    pub proof: Option<Proof>,
}

/// What came of one vendor.
#[derive(Debug, Clone, PartialEq)]
pub enum VendorState {
    /// It answered. Boxed: most results of a failover have no answer.
    Answered(Box<VendorAnswer>),
    /// It was not asked, and why.
    NotRun(Detail),
    /// It was asked and gave no answer, and why. Never a pass.
    Failed(Detail),
}

/// What a vendor's result meant for the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VendorRole {
    /// It took part in the decision.
    Deciding,
    /// It was asked for the record only.
    Shadow,
    /// It had no say: it was not asked, or it failed and another vendor answered in its place.
    None,
}

/// One vendor's part in a verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct VendorResult {
    /// The vendor's id.
    pub vendor: String,
    /// What came of it.
    pub state: VendorState,
    /// What it meant for the decision.
    pub role: VendorRole,
    /// From the first request to the answer.
    pub duration: Duration,
    /// HTTP requests that were made, polling and tokens not counted: more than 1 where the upload was repeated.
    pub attempts: u32,
    /// What the call costs, in millionths of the operator's currency; 0 where the vendor was certainly not reached.
    pub cost_micros: u64,
}

impl VendorResult {
    /// A result without a call.
    pub fn not_run(vendor: &str, why: Detail) -> Self {
        Self {
            vendor: vendor.to_owned(),
            state: VendorState::NotRun(why),
            role: VendorRole::None,
            duration: Duration::ZERO,
            attempts: 0,
            cost_micros: 0,
        }
    }

    /// Its answer, where it gave one.
    pub fn answer(&self) -> Option<&VendorAnswer> {
        match &self.state {
            VendorState::Answered(answer) => Some(answer),
            VendorState::NotRun(_) | VendorState::Failed(_) => None,
        }
    }
}
