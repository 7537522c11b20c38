//! What a manifest must keep to, beyond what its types say. Everything here is refused before a model is looked at.

use std::collections::BTreeSet;

use super::{CropRule, InputSpec, Manifest, ModelSpec, OutputSpec, PackError, Role, SelfTestSpec, ThresholdSpec};

/// The largest manifest that is read, in bytes. That of the `open` pack, with a long prose, has 14 KiB.
pub const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// The largest model file that a manifest may name, in bytes. Protobuf, and so a single ONNX file, ends at 2 GiB; the
/// models here have 4 MB at most, and a worker holds its own copy of each.
pub const MAX_MODEL_BYTES: u64 = 512 << 20;

/// The largest side of a model's input in pixels: a frame of 8192x8192 as floats fills 768 MiB.
const MAX_SIDE: usize = 4096;

/// The name of the manifest in a pack's folder.
pub const MANIFEST_FILE: &str = "pack.toml";

impl Manifest {
    /// Reads a manifest and checks all that can be checked without the files. `who` names the pack in errors: its folder,
    /// or what it was read from.
    ///
    /// # Errors
    /// [`PackError::Manifest`] naming the first thing that is wrong: an unknown key or rule, a bad name, a number out of
    /// range, roles that don't fit together.
    pub fn parse(text: &str, who: &str) -> Result<Self, PackError> {
        let fail = |what: String| PackError::Manifest { pack: who.to_owned(), what };
        let manifest: Manifest = toml::from_str(text).map_err(|error| fail(one_line(&error)))?;
        bare_crops(text).map_err(fail)?;
        check(&manifest).map_err(fail)?;
        Ok(manifest)
    }
}

/// The reader's message with the line it points at, without the picture of the line that it draws.
fn one_line(error: &toml::de::Error) -> String {
    error.message().lines().collect::<Vec<_>>().join("; ")
}

type Checked = Result<(), String>;

/// Refuses further keys beside a crop rule that has none: serde lets them pass on a variant without fields.
fn bare_crops(text: &str) -> Checked {
    let table: toml::Table = toml::from_str(text).map_err(|error| one_line(&error))?;
    let models = table.get("model").and_then(toml::Value::as_array).into_iter().flatten();
    for crop in models.filter_map(|model| model.get("input")?.get("crop")?.as_table()) {
        let bare = crop.get("rule").and_then(toml::Value::as_str) == Some("arcface");
        if let Some(key) = crop.keys().find(|key| bare && *key != "rule") {
            return Err(format!("unknown field `{key}` beside the rule arcface"));
        }
    }
    Ok(())
}

fn check(manifest: &Manifest) -> Checked {
    let pack = &manifest.pack;
    let id_ok = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ensure(!pack.id.is_empty() && pack.id.len() <= 64 && pack.id.chars().all(id_ok), || {
        format!("id {:?} must be 1 to 64 lower-case letters, digits and hyphens", pack.id)
    })?;
    label("the pack's version", &pack.version)?;
    ensure(!pack.description.trim().is_empty(), || "the description is empty".to_owned())?;

    let mut names = BTreeSet::new();
    for model in &manifest.models {
        check_model(model).map_err(|what| format!("model {:?}: {what}", model.name))?;
        ensure(names.insert(&model.name), || format!("model {:?} is there twice", model.name))?;
    }
    check_roles(manifest)?;

    let mut checks = BTreeSet::new();
    for threshold in &manifest.thresholds {
        check_threshold(threshold).map_err(|what| format!("threshold of {}: {what}", threshold.check))?;
        ensure(checks.insert(threshold.check), || format!("{} has two thresholds", threshold.check))?;
    }
    for test in &manifest.self_tests {
        check_self_test(test, manifest).map_err(|what| format!("self-test of {:?}: {what}", test.model))?;
    }
    Ok(())
}

fn check_roles(manifest: &Manifest) -> Checked {
    let count = |role: Role| manifest.models.iter().filter(|model| model.role == role).count();
    let detectors = count(Role::Detector);
    ensure(detectors == 1, || format!("there must be exactly one detector, not {detectors}"))?;
    for role in [Role::Embedding, Role::Mesh, Role::Occlusion] {
        let models = count(role);
        ensure(models <= 1, || format!("there may be one {} model, not {models}", role.name()))?;
    }
    // Models of a group are averaged, so they must agree on where the average says fake.
    for (index, model) in manifest.models.iter().enumerate() {
        let OutputSpec::ProbabilityReal { group, fake_at, .. } = &model.output else { continue };
        for other in manifest.models.iter().skip(index + 1).filter(|other| other.role == model.role) {
            if let OutputSpec::ProbabilityReal { group: g, fake_at: f, .. } = &other.output
                && g == group
                && f != fake_at
            {
                return Err(format!("group {group:?} has two values of fake_at, {fake_at} and {f}"));
            }
        }
    }
    Ok(())
}

fn check_model(model: &ModelSpec) -> Checked {
    label("the name", &model.name)?;
    label("the version", &model.version)?;
    check_file_name(&model.file)?;
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    ensure(model.sha256.len() == 64 && model.sha256.chars().all(hex), || {
        "sha256 must be 64 lower-case hex digits".to_owned()
    })?;
    ensure((1..=MAX_MODEL_BYTES).contains(&model.size), || {
        format!("size {} is not in 1..={MAX_MODEL_BYTES}", model.size)
    })?;
    ensure(!model.license.trim().is_empty(), || "the licence is empty".to_owned())?;
    ensure(!model.source.trim().is_empty(), || "the source is empty".to_owned())?;
    ensure(!model.fetchable || model.source.starts_with("https://"), || {
        "a fetchable source must be an https:// URL".to_owned()
    })?;
    check_input(&model.input)?;
    check_output(model)?;
    check_crop(model)
}

/// A plain name that is the same file on every system, cannot leave the folder and is none that `pull` writes itself.
fn check_file_name(file: &str) -> Checked {
    let ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let plain = !file.is_empty() && file.len() <= 128 && file.chars().all(ok) && !file.starts_with('.');
    ensure(plain, || format!("file {file:?} must be a plain name of ASCII letters, digits, '.', '_' and '-'"))?;
    let reserved = file.eq_ignore_ascii_case(MANIFEST_FILE) || file.ends_with(".part") || file.ends_with(".lock");
    ensure(!reserved, || format!("file {file:?} has a reserved name"))
}

fn check_input(input: &InputSpec) -> Checked {
    ensure(!input.name.is_empty(), || "the input has no name".to_owned())?;
    let [batch, channels, height, width] = input.shape;
    let sides = (1..=MAX_SIDE).contains(&height) && (1..=MAX_SIDE).contains(&width);
    ensure(batch == 1 && channels == 3 && sides, || {
        format!("input shape {:?} must be [1, 3, height, width] with sides in 1..={MAX_SIDE}", input.shape)
    })?;
    let divisor = |value: f32| value.is_finite() && value != 0.0;
    ensure(divisor(input.divide), || format!("divide = {} must be finite and not 0", input.divide))?;
    ensure(input.std.iter().all(|&value| divisor(value)), || {
        format!("std = {:?} must be finite and not 0", input.std)
    })?;
    ensure(input.mean.iter().all(|value| value.is_finite()), || format!("mean = {:?} must be finite", input.mean))
}

fn check_output(model: &ModelSpec) -> Checked {
    ensure(model.output.names().iter().all(|name| !name.is_empty()), || "an output has no name".to_owned())?;
    let fits = matches!(
        (model.role, &model.output),
        (Role::Detector, OutputSpec::Yunet { .. })
            | (
                Role::Liveness | Role::Deepfake | Role::Occlusion,
                OutputSpec::Softmax { .. } | OutputSpec::ProbabilityReal { .. }
            )
            | (Role::Embedding, OutputSpec::Embedding { .. })
            | (Role::Mesh, OutputSpec::Mesh468 { .. })
    );
    ensure(fits, || format!("its output rule does not fit the role {}", model.role.name()))?;
    let [.., height, width] = model.input.shape;
    match &model.output {
        OutputSpec::Yunet { strides, score, face_score, nms } => {
            unit("score", *score)?;
            unit("face_score", *face_score)?;
            unit("nms", *nms)?;
            ensure(score <= face_score, || format!("face_score {face_score} is below score {score}"))?;
            ensure(!strides.is_empty(), || "there are no strides".to_owned())?;
            strides.iter().try_for_each(|&stride| {
                let stride = usize::try_from(stride).unwrap_or(usize::MAX);
                let divides = stride > 0 && height % stride == 0 && width % stride == 0;
                ensure(divides, || format!("stride {stride} does not divide the input {width}x{height}"))
            })?;
            ensure(strides.iter().collect::<BTreeSet<_>>().len() == strides.len(), || {
                format!("strides {strides:?} repeat")
            })
        }
        OutputSpec::ProbabilityReal { group, fake_at, .. } => {
            label("the group", group)?;
            // The two ends would leave one side of the scale without room.
            ensure(*fake_at > 0.0 && *fake_at < 1.0, || format!("fake_at = {fake_at} must lie between 0 and 1"))
        }
        OutputSpec::Embedding { dimensions, .. } => {
            ensure((1..=4096).contains(dimensions), || format!("dimensions = {dimensions} is not in 1..=4096"))
        }
        OutputSpec::Softmax { live_index, .. } => {
            ensure(*live_index < 1000, || format!("live_index = {live_index} is not in 0..1000"))
        }
        OutputSpec::Mesh468 { .. } => Ok(()),
    }
}

fn check_crop(model: &ModelSpec) -> Checked {
    let [.., height, width] = model.input.shape;
    let letterbox = matches!(model.input.crop, CropRule::Letterbox { .. });
    ensure(letterbox == (model.role == Role::Detector), || {
        format!("its crop rule does not fit the role {}", model.role.name())
    })?;
    let factor = |name: &str, value: f32| {
        ensure(value.is_finite() && value > 0.0 && value <= 100.0, || format!("{name} = {value} is not in 0..=100"))
    };
    match &model.input.crop {
        CropRule::Letterbox { longest } => {
            ensure(!longest.is_empty(), || "letterbox has no lengths".to_owned())?;
            longest.iter().try_for_each(|&length| {
                let fits = length > 0 && usize::try_from(length).is_ok_and(|l| l <= height.min(width));
                ensure(fits, || format!("letterbox length {length} does not fit the input {width}x{height}"))
            })
        }
        CropRule::ScaledBox { scale } | CropRule::EyesMouth { scale } => factor("scale", *scale),
        CropRule::LevelledBox { factor: value } => factor("factor", *value),
        CropRule::Arcface => {
            ensure(height == width, || format!("the ArcFace template is for a square input, not {width}x{height}"))
        }
    }
}

fn check_threshold(threshold: &ThresholdSpec) -> Checked {
    unit("score", threshold.score)?;
    ensure(!threshold.measured.trim().is_empty(), || "it does not say where it was measured".to_owned())
}

fn check_self_test(test: &SelfTestSpec, manifest: &Manifest) -> Checked {
    let model = manifest.models.iter().find(|model| model.name == test.model);
    let model = model.ok_or("there is no such model")?;
    ensure(model.output.names().contains(&test.output), || format!("the model has no output {:?}", test.output))?;
    ensure(test.from.is_finite() && test.to.is_finite() && test.from < test.to, || {
        format!("the range {}..{} is empty", test.from, test.to)
    })?;
    ensure(!test.expect.is_empty() && test.expect.iter().all(|value| value.is_finite()), || {
        "expect must have values, all finite".to_owned()
    })?;
    ensure(test.tolerance.is_finite() && test.tolerance > 0.0, || {
        format!("tolerance = {} must be finite and above 0", test.tolerance)
    })
}

fn unit(name: &str, value: f32) -> Checked {
    ensure((0.0..=1.0).contains(&value), || format!("{name} = {value} is not in 0..=1"))
}

fn label(what: &str, text: &str) -> Checked {
    let ok = !text.is_empty() && text.len() <= 128 && text.chars().all(|c| c.is_ascii_graphic());
    ensure(ok, || format!("{what} {text:?} must be 1 to 128 ASCII characters without spaces"))
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(what()) }
}
