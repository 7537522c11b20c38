//! The policies in the binary.

use std::collections::BTreeMap;

use super::{Aggregate, OnError, Policy, PolicyConfig, PolicyError, ReferenceRule, VendorRule, Visibility};
use crate::{
    pack::Manifest,
    verdict::CheckId::{
        self, CropOfTheFaceImage, Deepfake, DynamicRange, EyesOpen, FaceArea, FaceOcclusionPrevention, FrameContinuity,
        HeadPose, HeadSize, InterEyeDistance, Luminance, MediaLimits, OverExposurePrevention, PresentationAttack,
        Sharpness, SingleFacePresent, StillImage, UnderExposurePrevention,
    },
};

/// The name of the policy for calls that name none.
pub const DEFAULT: &str = "default";

/// The quality without which the attack checks' figures do not hold, the attack checks, and those over several frames.
const CORE: [CheckId; 14] = [
    MediaLimits,
    SingleFacePresent,
    HeadSize,
    InterEyeDistance,
    CropOfTheFaceImage,
    HeadPose,
    Sharpness,
    Luminance,
    UnderExposurePrevention,
    OverExposurePrevention,
    DynamicRange,
    PresentationAttack,
    StillImage,
    FrameContinuity,
];

/// FPT.AI's "the face area must take up at least 3/5 the total video frame"; on what it is measured, see the FaceArea measure.
const CLOSE_UP: f32 = 0.6;

/// The named policies that come with the program, as if an operator had configured them.
///
/// - `default`: good quality, no presentation attack; over several frames also the same face throughout, and one that
///   moves. Needs a liveness model.
/// - `strict`: the same with open eyes on every frame, eight frames, and the least of their scores instead of the mean.
///   Needs a mesh model as well.
/// - `close-up`: as `default`, and the face takes 3/5 of the frame, as FPT.AI's liveness page asks. Its newer page's 30 % is
///   the same with a threshold of 0.3 for FaceArea.
/// - `presentation-attack-only`: the liveness model's word alone, whatever the quality, and all reasons shown. For
///   evaluation, and for callers that see to quality themselves.
pub fn builtin() -> Vec<(&'static str, PolicyConfig)> {
    let default = PolicyConfig {
        version: "1".to_owned(),
        required: CORE.to_vec(),
        advisory: vec![EyesOpen, FaceOcclusionPrevention, Deepfake],
        thresholds: BTreeMap::new(),
        frames_needed: 5,
        aggregate: Aggregate::Mean,
        gate: true,
        reasons: Visibility::Quality,
        on_error: OnError::Indeterminate,
        reference: ReferenceRule::Auto,
        vendors: VendorRule::default(),
    };
    let strict = PolicyConfig {
        required: CORE.into_iter().chain([EyesOpen]).collect(),
        advisory: vec![FaceOcclusionPrevention, Deepfake],
        frames_needed: 8,
        aggregate: Aggregate::Min,
        ..default.clone()
    };
    let close_up = PolicyConfig {
        required: CORE.into_iter().chain([FaceArea]).collect(),
        thresholds: BTreeMap::from([(FaceArea, CLOSE_UP)]),
        ..default.clone()
    };
    let attack_only = PolicyConfig {
        required: vec![PresentationAttack],
        advisory: Vec::new(),
        gate: false,
        reasons: Visibility::Full,
        ..default.clone()
    };
    vec![(DEFAULT, default), ("strict", strict), ("close-up", close_up), ("presentation-attack-only", attack_only)]
}

/// The built-in policies checked against a pack: those that fit it, and for each of the others why it does not. A policy
/// that does not fit is not offered, and a configuration that names it as its default should be refused with that error;
/// it is never weakened to fit.
pub fn offered(manifest: &Manifest) -> (Vec<Policy>, Vec<PolicyError>) {
    let mut policies = Vec::new();
    let mut errors = Vec::new();
    for (id, config) in builtin() {
        match Policy::compile_for(id, config, manifest) {
            Ok(policy) => policies.push(policy),
            Err(error) => errors.push(error),
        }
    }
    (policies, errors)
}
