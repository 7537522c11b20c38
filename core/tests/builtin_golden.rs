//! The pack of `models/builtin` in this crate against the code that trained it: `golden.json` beside it has what the training
//! code's own crops and decode rules give for the sample pictures. Needs nothing beside the repository but, for the second
//! runtime, an ONNX Runtime library.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::path::{Path, PathBuf};

use lifesign_core::{
    deepfake::Deepfake,
    face::{Detector, Face},
    frame::{Frame, FrameLimits},
    liveness::Liveness,
    matching::{Embedder, cosine},
    pack::{Pack, verify},
    testing,
    verdict::Assurance,
};
use serde_json::Value;

// The two sides decode JPEG with different libraries, which differ by a level here and there.
const PIXELS: f64 = 1.0;
const SCORE: f64 = 0.02;
const COSINE: f64 = 0.01;
// The deepfake model looks at differences between neighbouring pixels: on the blurred sample those of the two decoders are
// among the greatest that are left (0.047 apart; 0.01 and less on the sharp ones).
const DEEPFAKE: f64 = 0.06;

fn folder() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/builtin")).to_owned()
}

fn close(what: &str, file: &str, runtime: &str, actual: f32, expected: &Value, tolerance: f64) {
    let expected = expected.as_f64().unwrap_or_else(|| panic!("{what} of {file} is no number"));
    let apart = (f64::from(actual) - expected).abs();
    assert!(apart <= tolerance, "{file} on {runtime}: {what} is {actual}, the training code says {expected}");
}

fn decoded(file: &str) -> Frame {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../samples")).join(file);
    Frame::decode(&std::fs::read(path).unwrap(), None, &FrameLimits::default()).unwrap()
}

#[test]
fn the_samples_give_what_the_training_code_gives_on_every_runtime() {
    const NAME: &str = "the_samples_give_what_the_training_code_gives_on_every_runtime";
    let pack = Pack::open(&folder()).unwrap();
    let golden: Value = serde_json::from_slice(&std::fs::read(folder().join("golden.json")).unwrap()).unwrap();
    let pictures = golden["pictures"].as_array().unwrap();
    assert!(pictures.iter().any(|picture| picture["faces"].as_array().is_some_and(|faces| !faces.is_empty())));
    for runtime in testing::runtimes(NAME).unwrap() {
        let name = runtime.describe().name;
        let mut detector = Detector::load(&pack, &*runtime).unwrap();
        let mut liveness = Liveness::load(&pack, &*runtime).unwrap().unwrap();
        let mut deepfake = Deepfake::load(&pack, &*runtime).unwrap().unwrap();
        let mut embedder = Embedder::load(&pack, &*runtime).unwrap().unwrap();
        let mut first: Option<Vec<f32>> = None;
        for picture in pictures {
            let file = picture["file"].as_str().unwrap();
            let frame = decoded(file);
            let found = detector.detect(&frame).unwrap();
            let faces: Vec<&Face> = found.faces.iter().collect();
            let expected = picture["faces"].as_array().unwrap();
            assert_eq!(faces.len(), expected.len(), "faces of {file} on {name}");
            for (face, expected) in faces.into_iter().zip(expected) {
                let sides = [face.bbox.x, face.bbox.y, face.bbox.width, face.bbox.height];
                for (side, expected) in sides.into_iter().zip(expected["box"].as_array().unwrap()) {
                    close("box", file, &name, side, expected, PIXELS);
                }
                for (point, expected) in face.landmarks.iter().zip(expected["landmarks"].as_array().unwrap()) {
                    close("landmark", file, &name, point.x, &expected[0], PIXELS);
                    close("landmark", file, &name, point.y, &expected[1], PIXELS);
                }
                close("score", file, &name, face.score, &expected["score"], SCORE);
                let live = liveness.judge(&frame, face).unwrap().mean;
                close("liveness", file, &name, live, &expected["liveness"], SCORE);
                let real = deepfake.judge(&frame, face).unwrap().score;
                close("deepfake", file, &name, real, &expected["deepfake"], DEEPFAKE);
                let embedding = embedder.embed(&frame, face).unwrap();
                let alike = cosine(first.get_or_insert_with(|| embedding.clone()), &embedding).unwrap();
                close("cosine to the first face", file, &name, alike, &expected["cosine_to_first"], COSINE);
            }
        }
    }
}

#[test]
fn the_self_tests_pass_on_every_runtime() {
    const NAME: &str = "the_self_tests_pass_on_every_runtime";
    let pack = Pack::open(&folder()).unwrap();
    assert_eq!(pack.manifest().pack.assurance, Assurance::Builtin);
    for runtime in testing::runtimes(NAME).unwrap() {
        let report = verify(&pack, &*runtime).unwrap();
        assert_eq!(report.models.len(), pack.manifest().models.len());
        for model in report.models {
            assert!(model.self_tests >= 2, "{} has {} self-tests", model.name, model.self_tests);
        }
    }
}

#[test]
fn every_model_has_a_card_and_stays_small() {
    let pack = Pack::open(&folder()).unwrap();
    let mut total = 0;
    for model in &pack.manifest().models {
        total += model.size;
        let role = model.file.strip_suffix(".onnx").unwrap();
        let card = std::fs::read_to_string(folder().join("cards").join(format!("{role}.md"))).unwrap();
        for heading in ["## Figures on `test` (once)", "## Known failures, in words", "## Use", "## Data and terms"] {
            assert!(card.contains(heading), "the card of {role} lacks {heading:?}");
        }
    }
    // The phone library carries them.
    assert!(total <= 4_500_000, "{total} bytes of models");
}
