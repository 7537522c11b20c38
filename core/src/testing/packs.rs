//! Packs for tests: the `open` one laid out from the shared models, and a tiny one made by code.

use std::{fs, io, path::Path};

use super::onnx::{Attribute, Graph};
use crate::pack::{MANIFEST_FILE, Manifest, OPEN_MANIFEST, Pack, sha256_hex};

/// Lays out the `open` pack in the folder `dir`: its manifest, and the model files of `shared/models/open` beside it.
///
/// # Errors
/// Where a file cannot be copied.
pub fn open_pack(shared: &Path, dir: &Path) -> io::Result<()> {
    let manifest = Manifest::parse(OPEN_MANIFEST, "open").map_err(io::Error::other)?;
    for model in &manifest.models {
        fs::copy(shared.join("models/open").join(&model.file), dir.join(&model.file))?;
    }
    fs::write(dir.join(MANIFEST_FILE), OPEN_MANIFEST)
}

/// Side of the tiny detector's input in pixels.
const SIDE: usize = 320;

/// Writes a tiny pack with id `tiny` (assurance CUSTOM) to the folder `dir` and opens it. All is made by code, and each
/// model's answer is known:
///
/// - The detector sees one face in every picture that is not nearly black (mean level of the letterboxed picture 8 or
///   more): in its own pixels, which are those of a frame of at most 320 pixels a side, the box is 100, 45, 120, 150 (x, y,
///   width, height), the eyes at 136, 100 and 184, 100, the nose tip at 160, 125, the mouth's corners at 142, 155 and
///   178, 155, the score 0.95. In a frame of 640x480 all this doubles.
/// - Liveness sees the mean level of the face's crop: P(bona fide) = sigmoid((level - 100) / 10), so 140 is live (0.98) and
///   60 is an attack (0.02).
///
/// There is no deepfake, embedding, mesh or occlusion model.
///
/// # Errors
/// Where a file cannot be written.
pub fn tiny_pack(dir: &Path) -> io::Result<Pack> {
    let (detector, liveness) = (tiny_detector(), tiny_liveness());
    let manifest = TINY_MANIFEST
        .replace("DETECTOR_SHA256", &sha256_hex(&detector))
        .replace("DETECTOR_SIZE", &detector.len().to_string())
        .replace("LIVENESS_SHA256", &sha256_hex(&liveness))
        .replace("LIVENESS_SIZE", &liveness.len().to_string());
    fs::write(dir.join("detector.onnx"), detector)?;
    fs::write(dir.join("liveness.onnx"), liveness)?;
    fs::write(dir.join(MANIFEST_FILE), manifest)?;
    Pack::open(dir).map_err(io::Error::other)
}

const TINY_MANIFEST: &str = r#"[pack]
id = "tiny"
version = "1.0.0"
assurance = "CUSTOM"
description = "Models made by code, for tests."

[[model]]
role = "detector"
name = "tiny-detector"
version = "1"
file = "detector.onnx"
sha256 = "DETECTOR_SHA256"
size = DETECTOR_SIZE
license = "MIT OR Apache-2.0"
source = "made by the tests"
input = { name = "input", shape = [1, 3, 320, 320], colour = "bgr", divide = 1.0, crop = { rule = "letterbox", longest = [320] } }
output = { rule = "yunet", strides = [8, 16, 32], score = 0.6, face_score = 0.7, nms = 0.3 }

[[model]]
role = "liveness"
name = "tiny-liveness"
version = "1"
file = "liveness.onnx"
sha256 = "LIVENESS_SHA256"
size = LIVENESS_SIZE
license = "MIT OR Apache-2.0"
source = "made by the tests"
input = { name = "input", shape = [1, 3, 32, 32], colour = "rgb", divide = 1.0, crop = { rule = "scaled_box", scale = 1.0 } }
output = { rule = "softmax", output = "logits", live_index = 1 }

[[threshold]]
check = "PresentationAttack"
score = 0.5
measured = "by construction"

[[self_test]]
model = "tiny-liveness"
seed = 1
from = 100.0
to = 120.0
output = "logits"
expect = [0.0, 1.0]
tolerance = 0.01
"#;

/// Outputs in YuNet's layout: constants, times a gate that is 1 unless the picture is nearly black.
fn tiny_detector() -> Vec<u8> {
    let third = 1.0 / (3.0 * 8.0);
    let mut graph = Graph::new()
        .input("input", &[1, 3, SIDE, SIDE])
        .floats("weights", &[3, 1], &[third; 3])
        .floats("zero", &[], &[0.0])
        .floats("one", &[], &[1.0])
        .int64s("cube", &[1, 1, 1])
        .node("GlobalAveragePool", &["input"], "pooled", &[])
        .node("Flatten", &["pooled"], "flat", &[Attribute::Int("axis", 1)])
        .node("MatMul", &["flat", "weights"], "level", &[])
        .node("Clip", &["level", "zero", "one"], "clipped", &[])
        .node("Reshape", &["clipped", "cube"], "gate", &[]);
    for stride in [8_usize, 16, 32] {
        let cells = (SIDE / stride).pow(2);
        for (kind, values) in cell_values(stride) {
            // Only the coarsest grid has the face, in the cell of its centre: column 5, row 3 of 10.
            let at = if stride == 32 { 3 * 10 + 5 } else { cells };
            let constant: Vec<f32> =
                (0..cells).flat_map(|cell| values.iter().map(move |&v| if cell == at { v } else { 0.0 })).collect();
            let (name, output) = (format!("{kind}_{stride}_values"), format!("{kind}_{stride}"));
            let shape = [1, cells, values.len()];
            graph = graph
                .floats(&name, &shape, &constant)
                .node("Mul", &[&name, "gate"], &output, &[])
                .output(&output, &shape);
        }
    }
    graph.encode()
}

/// What the face's cell holds: see [`crate::pack::OutputSpec::Yunet`] for the decode rule that this inverts.
fn cell_values(stride: usize) -> [(&'static str, Vec<f32>); 4] {
    let (stride, column, row) = (stride as f32, 5.0, 3.0);
    let points = [(136.0, 100.0), (184.0, 100.0), (160.0, 125.0), (142.0, 155.0), (178.0, 155.0)];
    let bbox = vec![160.0 / stride - column, 120.0 / stride - row, (120.0 / stride).ln(), (150.0 / stride).ln()];
    let kps = points.iter().flat_map(|(x, y): &(f32, f32)| [x / stride - column, y / stride - row]).collect();
    [("cls", vec![0.95]), ("obj", vec![0.95]), ("bbox", bbox), ("kps", kps)]
}

/// Logits 0 and (mean level - 100) / 10.
fn tiny_liveness() -> Vec<u8> {
    let third = 1.0 / (3.0 * 10.0);
    Graph::new()
        .input("input", &[1, 3, 32, 32])
        .floats("weights", &[3, 2], &[0.0, third, 0.0, third, 0.0, third])
        .floats("bias", &[2], &[0.0, -10.0])
        .node("GlobalAveragePool", &["input"], "pooled", &[])
        .node("Flatten", &["pooled"], "flat", &[Attribute::Int("axis", 1)])
        .node("Gemm", &["flat", "weights", "bias"], "logits", &[])
        .output("logits", &[1, 2])
        .encode()
}
