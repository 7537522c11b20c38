//! Every golden picture through the pipeline, on every runtime, against the reference's numbers.
//!
//! The tolerances are golden.json's own (`tolerance_suggestion`).
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail as tests do")]

use lifesign_core::{
    deepfake::Deepfake,
    face::{Detector, Face, Mesher},
    frame::{Frame, FrameLimits, MediaType},
    liveness::Liveness,
    matching::{Embedder, cosine},
    pack::Pack,
    runtime::Runtime,
    testing,
};
use serde_json::Value;

const PIXELS: f32 = 0.05;
const SCORE: f32 = 0.001;
const LOGIT: f32 = 0.02;
const PROBABILITY: f32 = 0.005;
const COSINE: f32 = 0.9995;

/// Far too much apart, said with the picture and the number's name.
struct Close<'a> {
    image: &'a str,
    runtime: String,
}

impl Close<'_> {
    fn check(&self, what: &str, actual: f32, expected: &Value, tolerance: f32) {
        let expected = expected.as_f64().unwrap_or_else(|| panic!("{what} of {} is no number", self.image)) as f32;
        let apart = (actual - expected).abs();
        assert!(apart <= tolerance, "{} on {}: {what} is {actual}, expected {expected}", self.image, self.runtime);
    }

    fn check_all<'v>(&self, what: &str, actual: &[f32], expected: &'v Value, tolerance: f32) -> &'v Value {
        let values = expected.as_array().unwrap();
        assert_eq!(actual.len(), values.len(), "{} on {}: {what}", self.image, self.runtime);
        actual.iter().zip(values).for_each(|(actual, expected)| self.check(what, *actual, expected, tolerance));
        expected
    }
}

struct Stages {
    detector: Detector,
    liveness: Liveness,
    deepfake: Deepfake,
    mesher: Mesher,
    embedder: Embedder,
}

impl Stages {
    fn load(pack: &Pack, runtime: &dyn Runtime) -> Self {
        Self {
            detector: Detector::load(pack, runtime).unwrap(),
            liveness: Liveness::load(pack, runtime).unwrap().unwrap(),
            deepfake: Deepfake::load(pack, runtime).unwrap().unwrap(),
            mesher: Mesher::load(pack, runtime).unwrap().unwrap(),
            embedder: Embedder::load(pack, runtime).unwrap().unwrap(),
        }
    }
}

#[test]
fn every_golden_picture_gives_the_reference_numbers_on_every_runtime() {
    const NAME: &str = "every_golden_picture_gives_the_reference_numbers_on_every_runtime";
    let Some(shared) = testing::shared(NAME) else { return };
    let dir = tempfile::tempdir().unwrap();
    testing::open_pack(&shared, dir.path()).unwrap();
    let pack = Pack::open(dir.path()).unwrap();
    let text = std::fs::read(shared.join("models/golden/golden.json")).unwrap();
    let golden: Value = serde_json::from_slice(&text).unwrap();
    let images = golden["images"].as_array().unwrap();
    assert_eq!(images.len(), 18);
    for runtime in testing::runtimes(NAME).unwrap() {
        let mut stages = Stages::load(&pack, &*runtime);
        for image in images {
            let file = image["file"].as_str().unwrap();
            let bytes = std::fs::read(shared.join("models").join(file)).unwrap();
            let frame = Frame::decode(&bytes, Some(MediaType::Png), &FrameLimits::default()).unwrap();
            let close = Close { image: file, runtime: runtime.describe().name };
            one(&close, &mut stages, &frame, image);
        }
    }
}

fn one(close: &Close<'_>, stages: &mut Stages, frame: &Frame, image: &Value) {
    let found = stages.detector.detect(frame).unwrap();
    assert_eq!(image["num_faces"], found.candidates.len(), "faces of {}", close.image);
    assert_eq!(image["det_longest"], found.longest, "length of {}", close.image);
    for (face, expected) in found.candidates.iter().zip(image["faces"].as_array().unwrap()) {
        let bbox = [face.bbox.x, face.bbox.y, face.bbox.width, face.bbox.height];
        close.check_all("box", &bbox, &expected["box"], PIXELS);
        close.check("score", face.score, &expected["score"], SCORE);
        for (point, expected) in face.landmarks.iter().zip(expected["kps"].as_array().unwrap()) {
            close.check_all("landmark", &[point.x, point.y], expected, PIXELS);
        }
    }
    // The reference judges the largest candidate, whether it would count as a face or not.
    let face = &found.candidates[0];
    liveness(close, &mut stages.liveness, frame, face, &image["pad"]);
    deepfake(close, &mut stages.deepfake, frame, face, &image["deepfake"]);
    mesh(close, &mut stages.mesher, frame, face, &image["mesh"]);

    let embedding = stages.embedder.embed(frame, face).unwrap();
    let expected: Vec<f32> =
        image["embedding"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap() as f32).collect();
    let alike = cosine(&embedding, &expected).unwrap();
    assert!(alike >= COSINE, "{} on {}: embedding, cosine {alike}", close.image, close.runtime);
}

fn liveness(close: &Close<'_>, liveness: &mut Liveness, frame: &Frame, face: &Face, expected: &Value) {
    let vote = liveness.judge(frame, face).unwrap();
    let [first, second] = vote.readings.as_slice() else { panic!("two liveness models") };
    close.check_all("logits 2.7", &first.raw, &expected["logits_v2_2.7"], LOGIT);
    close.check_all("logits 4.0", &second.raw, &expected["logits_v1se_4.0"], LOGIT);
    close.check_all("probabilities 2.7", &first.probabilities, &expected["probs_v2_2.7"], PROBABILITY);
    close.check_all("probabilities 4.0", &second.probabilities, &expected["probs_v1se_4.0"], PROBABILITY);
    close.check("live", vote.mean, &expected["minivision_live"], PROBABILITY);
}

fn deepfake(close: &Close<'_>, deepfake: &mut Deepfake, frame: &Frame, face: &Face, expected: &Value) {
    let evidence = deepfake.judge(frame, face).unwrap();
    let names = ["real_meso4_df", "real_mesoinc_df", "real_mesoinc_f2f"];
    assert_eq!(evidence.readings.len(), names.len());
    for (reading, name) in evidence.readings.iter().zip(names) {
        close.check(name, reading.probability, &expected[name], PROBABILITY);
    }
    let [(_, swap), (_, reenactment)] = evidence.groups.as_slice() else { panic!("two groups") };
    close.check("fake_df", 1.0 - swap, &expected["fake_df"], PROBABILITY);
    close.check("fake_f2f", 1.0 - reenactment, &expected["fake_f2f"], PROBABILITY);
}

fn mesh(close: &Close<'_>, mesher: &mut Mesher, frame: &Frame, face: &Face, expected: &Value) {
    let mesh = mesher.fit(frame, face).unwrap();
    close.check("face_prob", mesh.face_probability, &expected["face_prob"], PROBABILITY);
    close.check("ear_right", mesh.right_eye_aspect, &expected["ear_right"], PROBABILITY);
    close.check("ear_left", mesh.left_eye_aspect, &expected["ear_left"], PROBABILITY);
    close.check("mar", mesh.mouth_aspect, &expected["mar"], PROBABILITY);
    close.check("yaw_offset", mesh.yaw_offset, &expected["yaw_offset"], PROBABILITY);
    for (index, expected) in expected["points_sample"].as_object().unwrap() {
        let point = mesh.point(index.parse().unwrap()).unwrap();
        close.check_all("mesh point", &[point.x, point.y], expected, PIXELS);
    }
}
