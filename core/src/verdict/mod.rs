//! The normalised answer: a decision, the checks behind it, and where each number came from.
//!
//! One polarity everywhere: a score is 0 = attack or worst, 1 = bona fide or best. What a model or a vendor said before
//! normalisation is carried beside it as [`RawMeasure`], labelled with its unit.

mod detail;
mod vendor;

use std::time::Duration;

pub use detail::Detail;
pub use vendor::{
    AttackKind, Inconclusive, Proof, QualityFault, Reading, VendorAnswer, VendorOutcome, VendorResult, VendorRole,
    VendorState,
};

use crate::{
    face::{Face, HeadPose},
    quality::Hint,
};

/// What the caller should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Every required check passed.
    Accept,
    /// A required attack or identity check failed.
    Reject,
    /// The capture was not good enough; another may pass.
    Retry,
    /// A person should look.
    Review,
    /// No judgement was possible.
    Indeterminate,
}

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckState {
    /// Ran, and reached its threshold.
    Passed,
    /// Ran, and stayed below its threshold.
    Failed,
    /// Did not run. Never a pass.
    NotRun,
    /// Was tried and broke. Never a pass.
    Error,
}

/// What kind of question a check answers; it decides what a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckKind {
    /// Is the capture good enough? Failure asks for another capture.
    Quality,
    /// Is it an attack? Failure rejects.
    Attack,
    /// Is it the claimed person? Failure rejects.
    Identity,
    /// Does the media keep to the limits? Failure asks for another capture.
    Media,
}

macro_rules! checks {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:ident,)+) => {
        /// Every check there is. The names of quality checks are those of ISO/IEC 29794-5 (OFIQ).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum CheckId { $($(#[doc = $doc])+ $name,)+ }

        impl CheckId {
            /// All checks, in the order in which a verdict lists them.
            pub const ALL: &'static [CheckId] = &[$(CheckId::$name,)+];

            /// The name on the wire and in configuration.
            pub const fn name(self) -> &'static str {
                match self { $(CheckId::$name => stringify!($name),)+ }
            }

            /// What a failure of it means.
            pub const fn kind(self) -> CheckKind {
                match self { $(CheckId::$name => CheckKind::$kind,)+ }
            }
        }
    };
}

checks! {
    /// The media keeps to the limits and could be decoded.
    MediaLimits: Media,
    /// There is exactly one face that matters.
    SingleFacePresent: Quality,
    /// The head is neither too small nor too large in the frame.
    HeadSize: Quality,
    /// The face takes as much of the frame as whoever asks for it wants. Measured only where a policy asks.
    FaceArea: Quality,
    /// The eyes are far enough apart, in pixels, for the models.
    InterEyeDistance: Quality,
    /// The face lies inside the frame.
    CropOfTheFaceImage: Quality,
    /// The head faces the camera.
    HeadPose: Quality,
    /// The face is in focus and not shaken.
    Sharpness: Quality,
    /// The mean luminance of the face is in range.
    Luminance: Quality,
    /// Not too much of the face is black.
    UnderExposurePrevention: Quality,
    /// Not too much of the face is burnt out.
    OverExposurePrevention: Quality,
    /// The face uses enough of the tonal range.
    DynamicRange: Quality,
    /// Both eyes are open.
    EyesOpen: Quality,
    /// Nothing covers the face.
    FaceOcclusionPrevention: Quality,
    /// The face is a bona fide presentation, not a print, a screen or a mask.
    PresentationAttack: Attack,
    /// The face is not synthesised or swapped.
    Deepfake: Attack,
    /// The picture moves as a live one does; it is not one still image shown as a video.
    StillImage: Attack,
    /// The same face stays from frame to frame.
    FrameContinuity: Attack,
    /// The face is that of the reference image.
    FaceMatch: Identity,
}

impl CheckId {
    /// Whether it compares frames, so that a single image cannot show it.
    pub const fn needs_frames(self) -> bool {
        matches!(self, CheckId::StillImage | CheckId::FrameContinuity)
    }
}

impl std::fmt::Display for CheckId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A number as measured, before it became a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawMeasure {
    /// The value.
    pub value: f64,
    /// Its unit: `px`, `deg`, `ratio`, `level`, `bit`, `count`, `probability`, `cosine`.
    pub unit: &'static str,
}

/// A model that produced a score.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelRef {
    /// As in the manifest.
    pub name: String,
    /// As in the manifest.
    pub version: String,
}

/// Who answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// This engine.
    Local,
    /// A vendor, by id.
    Vendor(String),
}

/// One check of a verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// Which.
    pub id: CheckId,
    /// How it ended.
    pub state: CheckState,
    /// 0..=1, 1 = bona fide or best. `None` where it gave no number.
    pub score: Option<f32>,
    /// The least passing score.
    pub threshold: Option<f32>,
    /// The measure behind the score.
    pub raw: Option<RawMeasure>,
    /// Who answered.
    pub source: Source,
    /// The models used.
    pub models: Vec<ModelRef>,
    /// Time spent, over all frames.
    pub duration: Duration,
    /// Whether ACCEPT needs it.
    pub required: bool,
    /// Why it did not run, or how it broke.
    pub detail: Option<Detail>,
}

/// Why the decision is what it is, in words that may be shown to the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Stable, UPPER_SNAKE.
    pub code: &'static str,
    /// One English sentence.
    pub message: &'static str,
}

/// A policy by name and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRef {
    /// Its name in the configuration.
    pub id: String,
    /// Its label, a dot, and the first 12 hex digits of the sha256 of its settings.
    pub version: String,
}

/// How much a pack has been through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Assurance {
    /// The operator's own models.
    Custom,
    /// Trained by this project.
    Builtin,
    /// Well-known open models.
    Open,
}

/// A pack by id, version and hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackRef {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// What it can claim.
    pub assurance: Assurance,
    /// sha256 of the manifest, lower-case hex.
    pub sha256: String,
}

/// The runtime that ran the models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeRef {
    /// `onnxruntime` or `rten`.
    pub name: String,
    /// What it reports.
    pub version: String,
}

/// What became of the frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameStats {
    /// Received whole.
    pub received: u32,
    /// Decoded and analysed.
    pub analysed: u32,
    /// Judged for attacks.
    pub judged: u32,
    /// Refused: undecodable or beyond a limit.
    pub refused: u32,
    /// Let go because the session was busy.
    pub dropped: u32,
}

/// What became of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameState {
    /// Good enough, and judged for attacks.
    Judged,
    /// This required check kept it from being judged.
    Blocked(CheckId),
    /// No face was found in it.
    NoFace,
    /// It could not be decoded, or broke a limit.
    Refused,
    /// The detector broke on it.
    Fault,
}

/// One frame of the timeline.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameRecord {
    /// As pushed.
    pub index: u64,
    /// When it was captured or is shown, where that is known.
    pub captured: Option<Duration>,
    /// What became of it.
    pub state: FrameState,
    /// Each check's score on this frame, in the order of [`CheckId::ALL`].
    pub scores: Vec<(CheckId, f32)>,
    /// What the person should have done, most important first.
    pub hints: Vec<Hint>,
}

impl FrameRecord {
    /// The record of a frame that was not analysed.
    pub(crate) fn without_scores(index: u64, captured: Option<Duration>, state: FrameState) -> Self {
        Self { index, captured, state, scores: Vec::new(), hints: Vec::new() }
    }
}

/// Where the time went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// From the first frame's arrival to the verdict.
    pub total: Duration,
    /// Decoding, over all frames.
    pub decode: Duration,
    /// Analysis, over all frames.
    pub analysis: Duration,
    /// Waiting for a worker, over all frames.
    pub queue: Duration,
}

/// The one answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// What to do.
    pub decision: Decision,
    /// Every check of [`CheckId::ALL`] that the policy asks for or that ran, in that order; after them those of vendors.
    pub checks: Vec<Check>,
    /// What vendors answered, or why they were not asked, in the order in which the policy names them.
    pub vendor_results: Vec<VendorResult>,
    /// The faces of the best frame, largest first.
    pub faces: Vec<Face>,
    /// The pose of the first face.
    pub pose: Option<HeadPose>,
    /// Safe to show; how much is the policy's choice.
    pub reasons: Vec<Reason>,
    /// For the backend only. Never personal data.
    pub diagnostics: Vec<String>,
    /// Which policy decided.
    pub policy: PolicyRef,
    /// Which pack judged.
    pub pack: PackRef,
    /// Which runtime ran it.
    pub runtime: RuntimeRef,
    /// What became of the frames.
    pub frames: FrameStats,
    /// Where the time went.
    pub timings: Timings,
    /// The frame whose faces are listed.
    pub best_frame_index: Option<u64>,
    /// The frame whose face was compared with the reference: the straightest of the judged ones.
    pub matched_frame_index: Option<u64>,
    /// The first frames that were looked at, in their order, at most [`TIMELINE`].
    pub timeline: Vec<FrameRecord>,
}

/// Frames of a verdict's timeline: four times the most that a policy may need, and some tens of kilobytes.
pub const TIMELINE: usize = 256;

impl Verdict {
    /// This engine's own check with this id, if the verdict has it. Vendors' checks of the same name come after it.
    pub fn check(&self, id: CheckId) -> Option<&Check> {
        self.checks.iter().find(|check| check.id == id && check.source == Source::Local)
    }
}
