//! What a policy is checked for before anything is judged by it, and the version that its settings hash to.

mod vendors;

use std::{collections::BTreeMap, fmt::Write as _};

use sha2::{Digest as _, Sha256};

use super::{Judges, PolicyConfig, PolicyError, ReferenceRule};
use crate::{
    pack::{Manifest, Role},
    verdict::{CheckId, CheckKind},
};

/// Most frames a policy may ask for: at two frames a second, half a minute of holding still.
const MAX_FRAMES: u32 = 64;

/// Longest policy name and version label: both travel in every verdict.
const MAX_NAME: usize = 64;

/// The limit of a check for which neither policy nor pack names one; quality measures are mapped to have it at 0.5.
const DEFAULT_THRESHOLD: f32 = 0.5;

/// That of FaceMatch: a cosine of 0.40, as measured for the open pack's embedding. At 0.5, a cosine of 0, every other pair
/// of strangers would match.
const FACE_MATCH_THRESHOLD: f32 = 0.7;

/// Hex digits of the settings' hash that the version shows.
const HASH_DIGITS: usize = 12;

/// What a policy resolves to once it was checked.
#[derive(Debug)]
pub(super) struct Resolved {
    /// Every check's least passing score.
    pub(super) thresholds: BTreeMap<CheckId, f32>,
    /// What each vendor of `ask` judges, in that order.
    pub(super) judges: Vec<Judges>,
}

/// Checks a policy against itself, a pack and the vendors that are configured.
pub(super) fn check(
    id: &str,
    config: &PolicyConfig,
    manifest: &Manifest,
    vendors: &dyn Fn(&str) -> Option<Judges>,
) -> Result<Resolved, PolicyError> {
    let invalid =
        |setting: &str, what: String| PolicyError::Invalid { policy: id.to_owned(), setting: setting.to_owned(), what };

    name(id).map_err(|what| invalid("name", what))?;
    name(&config.version).map_err(|what| invalid("version", what))?;
    let judges = vendors::check(config, vendors).map_err(|(setting, what)| invalid(setting, what))?;
    lists(config, &judges).map_err(|(setting, what)| invalid(setting, what))?;
    if !(1..=MAX_FRAMES).contains(&config.frames_needed) {
        return Err(invalid("frames_needed", format!("must be 1..={MAX_FRAMES}, is {}", config.frames_needed)));
    }
    if let Some(check) = config.required.iter().find(|check| check.needs_frames())
        && config.frames_needed < 2
    {
        return Err(invalid("frames_needed", format!("must be at least 2 where {check} is required, is 1")));
    }
    let decides = (config.reference == ReferenceRule::Decide).then_some(CheckId::FaceMatch);
    for check in config.required.iter().copied().chain(decides) {
        for &role in roles(check) {
            if !manifest.models.iter().any(|model| model.role == role) {
                return Err(PolicyError::MissingRole {
                    policy: id.to_owned(),
                    check,
                    pack: manifest.pack.id.clone(),
                    role: role.name(),
                });
            }
        }
    }
    let thresholds =
        thresholds(config, manifest).map_err(|(check, what)| invalid(&format!("thresholds.{check}"), what))?;
    Ok(Resolved { thresholds, judges })
}

/// The label, a dot, and the first digits of the sha256 over the settings, every threshold as resolved and what the vendors
/// judge. The order in which an operator lists checks does not matter; any value that can change a verdict does.
pub(super) fn version(config: &PolicyConfig, Resolved { thresholds, judges }: &Resolved) -> String {
    let mut text = String::new();
    for (name, list) in [("required", &config.required), ("advisory", &config.advisory)] {
        for check in CheckId::ALL.iter().filter(|check| list.contains(check)) {
            line(&mut text, name, check);
        }
    }
    for (check, score) in thresholds {
        // A check that came later changes the version of no policy that does not ask for it.
        if *check == CheckId::FaceArea && !config.required.contains(check) && !config.advisory.contains(check) {
            continue;
        }
        // The bits, so that no two thresholds that decide differently look the same.
        line(&mut text, check.name(), &format_args!("{:08x}", score.to_bits()));
    }
    line(&mut text, "frames_needed", &config.frames_needed);
    line(&mut text, "aggregate", &format_args!("{:?}", config.aggregate));
    line(&mut text, "gate", &config.gate);
    line(&mut text, "reasons", &format_args!("{:?}", config.reasons));
    line(&mut text, "on_error", &format_args!("{:?}", config.on_error));
    if config.reference != ReferenceRule::default() {
        line(&mut text, "reference", &format_args!("{:?}", config.reference));
    }
    vendors::lines(&mut text, &config.vendors, judges);
    let hash = Sha256::digest(text.as_bytes());
    let mut version = format!("{}.", config.version);
    for byte in hash.iter().take(HASH_DIGITS / 2) {
        let _ = write!(version, "{byte:02x}");
    }
    version
}

fn line(text: &mut String, name: &str, value: &dyn std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{name}={value}");
}

/// Whether a FaceMatch that fails rejects: where the policy requires it or says so, and by itself where its threshold was
/// set by the policy, or measured by the pack and not found too weak.
pub(super) fn reference_decides(config: &PolicyConfig, manifest: &Manifest) -> bool {
    let own = config.thresholds.contains_key(&CheckId::FaceMatch);
    let pack = manifest.thresholds.iter().find(|spec| spec.check == CheckId::FaceMatch);
    config.required.contains(&CheckId::FaceMatch)
        || config.reference == ReferenceRule::Decide
        || own
        || pack.is_some_and(|spec| !spec.advisory)
}

/// The models without which a check cannot run.
fn roles(check: CheckId) -> &'static [Role] {
    match check {
        CheckId::MediaLimits => &[],
        CheckId::SingleFacePresent
        | CheckId::HeadSize
        | CheckId::FaceArea
        | CheckId::InterEyeDistance
        | CheckId::CropOfTheFaceImage
        | CheckId::HeadPose
        | CheckId::Sharpness
        | CheckId::Luminance
        | CheckId::UnderExposurePrevention
        | CheckId::OverExposurePrevention
        | CheckId::DynamicRange
        | CheckId::StillImage
        | CheckId::FrameContinuity => &[Role::Detector],
        CheckId::EyesOpen => &[Role::Detector, Role::Mesh],
        CheckId::FaceOcclusionPrevention => &[Role::Detector, Role::Occlusion],
        CheckId::PresentationAttack => &[Role::Detector, Role::Liveness],
        CheckId::Deepfake => &[Role::Detector, Role::Deepfake],
        CheckId::FaceMatch => &[Role::Detector, Role::Embedding],
    }
}

fn name(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > MAX_NAME {
        return Err(format!("must have 1..={MAX_NAME} characters, has {}", text.len()));
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
        return Err("may hold ASCII letters, digits, '-', '_' and '.' only".to_owned());
    }
    Ok(())
}

fn lists(config: &PolicyConfig, judges: &[Judges]) -> Result<(), (&'static str, String)> {
    for (setting, list) in [("required", &config.required), ("advisory", &config.advisory)] {
        for (place, check) in list.iter().enumerate() {
            if list.iter().take(place).any(|earlier| earlier == check) {
                return Err((setting, format!("{check} is listed twice")));
            }
        }
    }
    if let Some(check) = config.advisory.iter().find(|check| config.required.contains(check)) {
        return Err(("advisory", format!("{check} is required already")));
    }
    // The checks that compare frames say nothing about a single image, so alone they would let any image through.
    let attack = config.required.iter().any(|check| check.kind() == CheckKind::Attack && !check.needs_frames());
    if !attack && !vendors::stand_for_attack_checks(config, judges) {
        let what = "must hold PresentationAttack or Deepfake, unless vendors that judge presentation attacks decide \
                    (vendors.strategy first, all or quorum)";
        return Err(("required", what.to_owned()));
    }
    Ok(())
}

fn thresholds(config: &PolicyConfig, manifest: &Manifest) -> Result<BTreeMap<CheckId, f32>, (CheckId, String)> {
    for &check in config.thresholds.keys() {
        // FaceMatch is asked for by whoever gives a reference.
        if check != CheckId::FaceMatch && !config.required.contains(&check) && !config.advisory.contains(&check) {
            return Err((check, "the check is neither required nor advisory".to_owned()));
        }
    }
    let mut resolved = BTreeMap::new();
    for &check in CheckId::ALL {
        let own = config.thresholds.get(&check).copied();
        let pack = manifest.thresholds.iter().find(|spec| spec.check == check);
        let fallback = if check == CheckId::FaceMatch { FACE_MATCH_THRESHOLD } else { DEFAULT_THRESHOLD };
        let score = own.or(pack.map(|spec| spec.score)).unwrap_or(fallback);
        // NaN is in no range.
        if !(0.0..=1.0).contains(&score) {
            return Err((check, format!("must be within 0..=1, is {score}")));
        }
        let required = config.required.contains(&check);
        let decides = required || (check == CheckId::FaceMatch && config.reference == ReferenceRule::Decide);
        if decides && own.is_none() && pack.is_some_and(|spec| spec.advisory) {
            let pack = &manifest.pack.id;
            return Err((
                check,
                format!("pack {pack} holds this check too weak to decide; to require it, set a threshold"),
            ));
        }
        // With a reference FaceMatch is required even where the policy does not list it.
        let passes = matches!(check.kind(), CheckKind::Attack | CheckKind::Identity) && score <= 0.0;
        if passes && (required || check == CheckId::FaceMatch) {
            return Err((check, "0 would pass everything".to_owned()));
        }
        resolved.insert(check, score);
    }
    Ok(resolved)
}
