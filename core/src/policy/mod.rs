//! Policies: which checks must pass, how well, on how many frames, and how much the person is told.

mod builtin;
mod compile;
pub mod fusion;
mod vendors;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use builtin::{DEFAULT, builtin, offered};
pub use vendors::{Judges, Strategy, VendorRule};

use crate::{
    analysis::Plan,
    pack::{Manifest, Pack, Role},
    session::Media,
    verdict::{CheckId, CheckKind, Decision, ModelRef, PolicyRef},
};

/// Why a policy cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// No such policy.
    #[error("there is no policy named {0}")]
    Unknown(String),
    /// It asks for what the pack does not have.
    #[error("policy {policy} requires {check}, but pack {pack} has no {role} model")]
    MissingRole {
        /// The policy.
        policy: String,
        /// The check.
        check: CheckId,
        /// The pack.
        pack: String,
        /// The role that is missing.
        role: &'static str,
    },
    /// A setting is out of range or contradicts another.
    #[error("policy {policy}: {setting}: {what}")]
    Invalid {
        /// The policy.
        policy: String,
        /// The setting.
        setting: String,
        /// What is wrong with it.
        what: String,
    },
}

/// How scores of several frames become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// The mean.
    #[default]
    Mean,
    /// The least: one doubtful frame fails the session.
    Min,
    /// The median.
    Median,
}

/// How much of the reasons the person is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Which quality fault to mend, and that an attack was suspected.
    Full,
    /// Quality faults only; a rejection says no more than that the check was not passed, so that an attacker learns
    /// nothing from it.
    #[default]
    Quality,
    /// Nothing.
    None,
}

/// What a required check that broke does to the decision. Never an acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// A person should look.
    Review,
    /// No judgement.
    #[default]
    Indeterminate,
}

impl OnError {
    /// The decision where what was needed broke.
    pub(crate) const fn decision(self) -> Decision {
        match self {
            OnError::Review => Decision::Review,
            OnError::Indeterminate => Decision::Indeterminate,
        }
    }
}

/// What a FaceMatch that fails does where a reference image was given. Whatever the rule, the check is then made and ACCEPT
/// needs it, listed or not; a frame that is the reference image itself always rejects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceRule {
    /// It rejects where its threshold can bear that: the policy's own, or the pack's unless marked `advisory`. Else it asks
    /// for a review of what would have been accepted: that a weak model sees two people is weak evidence.
    #[default]
    Auto,
    /// It rejects. Refused where only an `advisory` threshold is at hand.
    Decide,
}

/// A policy as configured.
///
/// StillImage and FrameContinuity compare frames. Listed as required, they are required where several frames are given; on
/// a single image they are NOT_RUN with [`Detail::SingleFrame`](crate::verdict::Detail::SingleFrame) and do not count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// The operator's own label; the verdict adds a hash of the settings to it.
    pub version: String,
    /// Checks that ACCEPT needs. PresentationAttack or Deepfake must be among them, unless vendors that judge presentation
    /// attacks decide: see [`VendorRule`].
    pub required: Vec<CheckId>,
    /// Checks that are run and reported without deciding.
    #[serde(default)]
    pub advisory: Vec<CheckId>,
    /// The least passing score by check, 0..=1. What is absent comes from the pack, else it is 0.5.
    #[serde(default)]
    pub thresholds: BTreeMap<CheckId, f32>,
    /// Frames that must be judged before a session or a list has a verdict, 1..=64. One image is judged on one frame.
    #[serde(default = "default_frames")]
    pub frames_needed: u32,
    /// How the scores of attack and identity checks become one; those of quality checks are always averaged.
    #[serde(default)]
    pub aggregate: Aggregate,
    /// Whether frames that fail a required quality check are kept from the costly models, and from the evidence.
    #[serde(default = "yes")]
    pub gate: bool,
    /// What the person is told.
    #[serde(default)]
    pub reasons: Visibility,
    /// What a broken check does.
    #[serde(default)]
    pub on_error: OnError,
    /// What a FaceMatch that fails does.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reference: ReferenceRule,
    /// Which vendors are asked, and what their answers are worth.
    #[serde(default, skip_serializing_if = "is_default")]
    pub vendors: VendorRule,
}

/// Five frames are half a second at the ten a second that the project's clients send.
fn default_frames() -> u32 {
    5
}

fn yes() -> bool {
    true
}

fn is_default<T: Default + PartialEq>(rule: &T) -> bool {
    *rule == T::default()
}

/// A policy that was checked against a pack.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    reference: PolicyRef,
    config: PolicyConfig,
    thresholds: BTreeMap<CheckId, f32>,
    embedder: Option<ModelRef>,
    reference_decides: bool,
    judges: Vec<Judges>,
}

impl Policy {
    /// Checks a policy against itself and a pack.
    ///
    /// # Errors
    /// [`PolicyError::MissingRole`] where a required check needs a model that the pack lacks; [`PolicyError::Invalid`]
    /// where a setting is out of range, contradicts another, or would let an attack be accepted unseen: no required
    /// PresentationAttack or Deepfake, a required attack or identity check with a threshold of 0, or one that the pack
    /// holds too weak to decide (`advisory = true`) while the policy sets no threshold of its own; the same for FaceMatch
    /// with `reference = "decide"`. A policy that asks vendors is refused here, where none is known: see
    /// [`Policy::compile_with`].
    pub fn compile(id: &str, config: PolicyConfig, pack: &Pack) -> Result<Self, PolicyError> {
        Self::compile_for(id, config, pack.manifest())
    }

    /// As [`Policy::compile`], where only the pack's manifest is at hand: a configuration can be checked without weights.
    ///
    /// # Errors
    /// As [`Policy::compile`].
    pub fn compile_for(id: &str, config: PolicyConfig, manifest: &Manifest) -> Result<Self, PolicyError> {
        Self::compile_with(id, config, manifest, &|_| None)
    }

    /// As [`Policy::compile_for`], where vendors may be asked. `vendors`: what the vendor of an id judges, `None` where it
    /// is not configured.
    ///
    /// # Errors
    /// As [`Policy::compile`], and [`PolicyError::Invalid`] where the rule on vendors names one that is not configured, is
    /// out of range, or could accept a capture that nobody judged for presentation attacks: see [`VendorRule`].
    pub fn compile_with(
        id: &str,
        config: PolicyConfig,
        manifest: &Manifest,
        vendors: &dyn Fn(&str) -> Option<Judges>,
    ) -> Result<Self, PolicyError> {
        let resolved = compile::check(id, &config, manifest, vendors)?;
        let version = compile::version(&config, &resolved);
        let embedder = manifest
            .models
            .iter()
            .find(|model| model.role == Role::Embedding)
            .map(|model| ModelRef { name: model.name.clone(), version: model.version.clone() });
        let reference_decides = embedder.is_some() && compile::reference_decides(&config, manifest);
        let reference = PolicyRef { id: id.to_owned(), version };
        let compile::Resolved { thresholds, judges } = resolved;
        Ok(Self { reference, config, thresholds, embedder, reference_decides, judges })
    }

    /// Name and version.
    pub fn reference(&self) -> &PolicyRef {
        &self.reference
    }

    /// The settings.
    pub fn config(&self) -> &PolicyConfig {
        &self.config
    }

    /// The vendors that the policy asks, by id, with what each judges, in the order in which they are asked.
    pub fn vendors(&self) -> impl ExactSizeIterator<Item = (&str, Judges)> {
        self.config.vendors.ask.iter().map(String::as_str).zip(self.judges.iter().copied())
    }

    /// The least passing score of a check: the policy's own, else the pack's, else 0.5 (quality scores are mapped so that
    /// 0.5 is the recommended limit).
    pub fn threshold(&self, id: CheckId) -> f32 {
        self.thresholds.get(&id).copied().unwrap_or(1.0)
    }

    /// Whether ACCEPT needs this check when `media` is judged.
    pub fn requires(&self, id: CheckId, media: Media) -> bool {
        self.config.required.contains(&id) && !(media == Media::Image && id.needs_frames())
    }

    /// Whether the policy wants this check's answer at all.
    pub fn asks(&self, id: CheckId) -> bool {
        self.config.required.contains(&id) || self.config.advisory.contains(&id)
    }

    /// Whether a FaceMatch that fails rejects where a reference is given; else it asks for a review. False where the pack
    /// has no embedding model: nothing is accepted then where a reference is given.
    pub fn reference_decides(&self) -> bool {
        self.reference_decides
    }

    /// The pack's embedding model, which FaceMatch and FrameContinuity compare faces with.
    pub fn embedder(&self) -> Option<&ModelRef> {
        self.embedder.as_ref()
    }

    /// Frames that must be judged: one of a single image.
    pub fn needed(&self, media: Media) -> u32 {
        match media {
            Media::Image => 1,
            Media::Frames | Media::Video => self.config.frames_needed,
        }
    }

    /// What to run on each frame of several.
    pub fn plan(&self) -> Plan {
        self.plan_for(Media::Frames)
    }

    /// What to run on each frame of `media` where no reference is given. A single image needs no embedding for
    /// FrameContinuity.
    pub fn plan_for(&self, media: Media) -> Plan {
        self.plan_with(media, false)
    }

    /// What to run on each frame of `media`: with a reference, the face's embedding as well. See
    /// [`Context::plan`](crate::session::Context::plan).
    pub fn plan_with(&self, media: Media, reference: bool) -> Plan {
        let checks = CheckId::ALL.iter().copied().filter(|&id| self.asks(id) && is_per_frame(id)).collect();
        let gates = if self.config.gate {
            CheckId::ALL
                .iter()
                .filter(|&&id| self.config.required.contains(&id) && is_cheap_quality(id))
                .map(|&id| (id, self.threshold(id)))
                .collect()
        } else {
            Vec::new()
        };
        let followed = media != Media::Image && self.asks(CheckId::FrameContinuity);
        let embedding = self.embedder.is_some() && (reference || followed || self.asks(CheckId::FaceMatch));
        Plan { checks, gates, embedding }
    }
}

/// Whether a check is made on each frame; the others are made by the session.
fn is_per_frame(id: CheckId) -> bool {
    id != CheckId::MediaLimits && !id.needs_frames()
}

/// Quality checks that are arithmetic on pixels and landmarks; the two others cost a model's run, so they gate nothing.
fn is_cheap_quality(id: CheckId) -> bool {
    id.kind() == CheckKind::Quality && !matches!(id, CheckId::EyesOpen | CheckId::FaceOcclusionPrevention)
}
