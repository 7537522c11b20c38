//! The manifest of a model pack (`pack.toml`): everything numeric that belongs to a model, and nothing that is code.
//!
//! The code knows how to *decode* an architecture's outputs and how to *cut* its crop; which rule a model wants, and with
//! which numbers, is said here. An unknown rule or key refuses to start.

use serde::{Deserialize, Serialize};

use crate::verdict::{Assurance, CheckId};

/// A pack's manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Who the pack is.
    pub pack: PackInfo,
    /// Its models. A role may have several (an ensemble), in the order in which they run.
    #[serde(rename = "model", default)]
    pub models: Vec<ModelSpec>,
    /// The least passing scores that belong to these models.
    #[serde(rename = "threshold", default)]
    pub thresholds: Vec<ThresholdSpec>,
    /// Synthetic inputs with recorded outputs, run by `lifesign models verify`.
    #[serde(rename = "self_test", default)]
    pub self_tests: Vec<SelfTestSpec>,
}

/// Who a pack is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackInfo {
    /// Lower-case letters, digits and hyphens.
    pub id: String,
    /// Any label without spaces; semantic versions by custom.
    pub version: String,
    /// What it can claim.
    pub assurance: Assurance,
    /// One sentence for people.
    pub description: String,
}

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Finds faces and their five landmarks.
    Detector,
    /// Tells bona fide presentations from attacks.
    Liveness,
    /// Tells genuine faces from synthesised or swapped ones.
    Deepfake,
    /// Turns a face into a vector.
    Embedding,
    /// Finds 468 points of a face.
    Mesh,
    /// Tells covered faces from free ones.
    Occlusion,
}

impl Role {
    /// The name in manifests and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Detector => "detector",
            Role::Liveness => "liveness",
            Role::Deepfake => "deepfake",
            Role::Embedding => "embedding",
            Role::Mesh => "mesh",
            Role::Occlusion => "occlusion",
        }
    }
}

/// One model file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// What it is for.
    pub role: Role,
    /// A short name without spaces.
    pub name: String,
    /// Any label without spaces.
    pub version: String,
    /// A file name in the pack's folder, without separators.
    pub file: String,
    /// Lower-case hex.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// SPDX expression.
    pub license: String,
    /// Where `lifesign models pull` fetches the file, or prose where it cannot be fetched as it is.
    pub source: String,
    /// Whether `source` is a URL of this very file.
    #[serde(default)]
    pub fetchable: bool,
    /// What it wants.
    pub input: InputSpec,
    /// What it gives.
    pub output: OutputSpec,
}

/// The input contract of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// The tensor's name.
    pub name: String,
    /// Always `[1, 3, height, width]`.
    pub shape: [usize; 4],
    /// Channel order.
    pub colour: Colour,
    /// Samples are divided by this first: 1 keeps 0..255, 255 makes 0..1.
    pub divide: f32,
    /// Subtracted from each channel after the division, in the order of `colour`.
    #[serde(default)]
    pub mean: [f32; 3],
    /// Each channel is divided by this last, in the order of `colour`.
    #[serde(default = "ones")]
    pub std: [f32; 3],
    /// How the crop is cut.
    pub crop: CropRule,
}

fn ones() -> [f32; 3] {
    [1.0; 3]
}

/// Channel order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// How the part of the frame that a model sees is cut out. The formulas are at the functions in [`crate::face`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, tag = "rule")]
pub enum CropRule {
    /// The whole frame, scaled down (never up) so that its longer side is `longest[0]`, placed top left on black. Where no
    /// face is found the next length is tried: a face too large for the detector fits a smaller picture.
    Letterbox {
        /// Lengths in pixels, tried in this order.
        longest: Vec<u32>,
    },
    /// The face box enlarged by `scale` as far as the frame allows, shifted inside it.
    ScaledBox {
        /// Times the box.
        scale: f32,
    },
    /// A square levelled on eyes and mouth; outside the frame, the edge pixel repeats.
    EyesMouth {
        /// Half-sides as multiples of the larger of eye distance and eye–mouth distance.
        scale: f32,
    },
    /// The five landmarks mapped onto the ArcFace template, scaled from 112x112 to the input's square; outside the frame is black.
    Arcface,
    /// A square around the box, `factor` times its longer side, levelled on the eyes; outside the frame is black.
    LevelledBox {
        /// Times the longer side.
        factor: f32,
    },
}

/// How a model's outputs are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, tag = "rule")]
pub enum OutputSpec {
    /// YuNet: for each stride s the outputs `cls_s`, `obj_s`, `bbox_s`, `kps_s` over a grid of cells.
    Yunet {
        /// Strides in pixels.
        strides: Vec<u32>,
        /// The least score of a detection that is kept at all.
        score: f32,
        /// The least score of a detection that counts as a face.
        face_score: f32,
        /// The overlap above which the weaker of two boxes goes.
        nms: f32,
    },
    /// Logits over classes; the softmax of one of them is P(bona fide).
    Softmax {
        /// The output's name.
        output: String,
        /// The bona fide class.
        live_index: usize,
    },
    /// One number, P(real). Models of one `group` are averaged; the groups' minimum counts.
    ProbabilityReal {
        /// The output's name.
        output: String,
        /// The family of forgeries it knows.
        group: String,
        /// The P(real) at or below which the group says fake; it is mapped to a score of 0.5.
        fake_at: f32,
    },
    /// A vector; with `flip` the vector of the mirrored crop is added; then scaled to unit length.
    Embedding {
        /// The output's name.
        output: String,
        /// Its length.
        dimensions: usize,
        /// Whether the mirrored crop is added.
        flip: bool,
    },
    /// 468 points of x, y, z in crop pixels, and a face flag as a probability.
    Mesh468 {
        /// The points' output.
        points: String,
        /// The flag's output.
        flag: String,
    },
}

impl OutputSpec {
    /// The outputs that the rule reads, by name. YuNet's are `cls_s`, `obj_s`, `bbox_s`, `kps_s` for each stride s in turn.
    pub fn names(&self) -> Vec<String> {
        match self {
            OutputSpec::Yunet { strides, .. } => strides
                .iter()
                .flat_map(|stride| ["cls", "obj", "bbox", "kps"].map(|kind| format!("{kind}_{stride}")))
                .collect(),
            OutputSpec::Softmax { output, .. }
            | OutputSpec::ProbabilityReal { output, .. }
            | OutputSpec::Embedding { output, .. } => vec![output.clone()],
            OutputSpec::Mesh468 { points, flag } => vec![points.clone(), flag.clone()],
        }
    }
}

/// A threshold with its origin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThresholdSpec {
    /// The check it belongs to.
    pub check: CheckId,
    /// The least passing score, 0..=1.
    pub score: f32,
    /// On what it was measured and what it gave.
    pub measured: String,
    /// Whether the figures are too weak for the check to decide; a policy may then list it as advisory only.
    #[serde(default)]
    pub advisory: bool,
}

/// One self-test: a synthetic input and the numbers it gave when the pack was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfTestSpec {
    /// The model's name.
    pub model: String,
    /// Seeds the input: value i of the input tensor is `from + (to - from) * u`, where u = ((i * 2654435761 + seed *
    /// 40503) mod 2^32) / 2^32.
    pub seed: u32,
    /// Least input value.
    pub from: f32,
    /// Greatest input value.
    pub to: f32,
    /// The output looked at.
    pub output: String,
    /// Its first values.
    pub expect: Vec<f32>,
    /// The greatest allowed absolute difference.
    pub tolerance: f32,
}
