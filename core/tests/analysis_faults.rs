//! What the analyzer makes of gates, absent roles and models that fail, on the tiny pack.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail as tests do")]

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use lifesign_core::{
    Error,
    analysis::{Analyzer, FrameAnalysis, Outcome, Plan},
    frame::Frame,
    pack::{Pack, sha256_hex},
    runtime::{Model, Runtime, RuntimeChoice, RuntimeError, Tensor, select},
    testing::{
        self,
        onnx::{Attribute, Graph},
    },
    verdict::{CheckId, CheckKind, Detail, RuntimeRef},
};

/// What the faulty runtime does to the outputs of one model.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    Fails,
    Nan,
    Infinite,
    Short,
    NoOutputs,
}

/// Runs models on rten and spoils what one of them gives. Counts the runs of that model.
#[derive(Debug)]
struct Spoiling {
    inner: Arc<dyn Runtime>,
    model: &'static str,
    fault: Fault,
    runs: Arc<AtomicU32>,
}

struct Spoiled {
    inner: Box<dyn Model>,
    fault: Fault,
    runs: Option<Arc<AtomicU32>>,
}

impl Runtime for Spoiling {
    fn describe(&self) -> RuntimeRef {
        self.inner.describe()
    }

    fn load(&self, name: &str, onnx: &[u8]) -> Result<Box<dyn Model>, RuntimeError> {
        let inner = self.inner.load(name, onnx)?;
        let spoilt = name == self.model;
        let fault = if spoilt { self.fault } else { Fault::None };
        Ok(Box::new(Spoiled { inner, fault, runs: spoilt.then(|| Arc::clone(&self.runs)) }))
    }
}

impl Model for Spoiled {
    fn run(
        &mut self,
        input: &str,
        shape: &[usize],
        data: &[f32],
        outputs: &[&str],
    ) -> Result<Vec<Tensor>, RuntimeError> {
        if let Some(runs) = &self.runs {
            runs.fetch_add(1, Ordering::Relaxed);
        }
        let mut tensors = self.inner.run(input, shape, data, outputs)?;
        match self.fault {
            Fault::None => {}
            Fault::Fails => {
                return Err(RuntimeError::Run { model: "spoilt".to_owned(), what: "on purpose".to_owned() });
            }
            Fault::Nan => tensors.iter_mut().for_each(|tensor| tensor.data[0] = f32::NAN),
            Fault::Infinite => tensors.iter_mut().for_each(|tensor| tensor.data[0] = f32::INFINITY),
            Fault::Short => tensors.iter_mut().for_each(|tensor| tensor.data.truncate(1)),
            Fault::NoOutputs => tensors.clear(),
        }
        Ok(tensors)
    }
}

struct Rig {
    analyzer: Analyzer,
    runs: Arc<AtomicU32>,
}

fn tiny() -> Pack {
    testing::tiny_pack(tempfile::tempdir().unwrap().path()).unwrap()
}

/// The tiny pack with an embedding model beside it: the mean of each channel.
fn with_embedding() -> Pack {
    let dir = tempfile::tempdir().unwrap();
    testing::tiny_pack(dir.path()).unwrap();
    let onnx = Graph::new()
        .input("input", &[1, 3, 112, 112])
        .node("GlobalAveragePool", &["input"], "pooled", &[])
        .node("Flatten", &["pooled"], "vector", &[Attribute::Int("axis", 1)])
        .output("vector", &[1, 3])
        .encode();
    fs::write(dir.path().join("embedding.onnx"), &onnx).unwrap();
    let manifest = fs::read_to_string(dir.path().join("pack.toml")).unwrap();
    let embedding = format!(
        r#"
[[model]]
role = "embedding"
name = "tiny-embedding"
version = "1"
file = "embedding.onnx"
sha256 = "{}"
size = {}
license = "MIT OR Apache-2.0"
source = "made by the tests"
input = {{ name = "input", shape = [1, 3, 112, 112], colour = "rgb", divide = 1.0, crop = {{ rule = "arcface" }} }}
output = {{ rule = "embedding", output = "vector", dimensions = 3, flip = false }}
"#,
        sha256_hex(&onnx),
        onnx.len()
    );
    fs::write(dir.path().join("pack.toml"), manifest + &embedding).unwrap();
    Pack::open(dir.path()).unwrap()
}

fn rig(model: &'static str, fault: Fault) -> Rig {
    rig_of(&tiny(), model, fault)
}

fn rig_of(pack: &Pack, model: &'static str, fault: Fault) -> Rig {
    let runs = Arc::new(AtomicU32::new(0));
    let inner = select(&RuntimeChoice::Off).unwrap();
    let runtime = Spoiling { inner, model, fault, runs: Arc::clone(&runs) };
    Rig { analyzer: Analyzer::load(pack, &runtime).unwrap(), runs }
}

fn grey(level: u8) -> Frame {
    Frame::from_rgb(320, 240, vec![level; 320 * 240 * 3]).unwrap()
}

fn everything() -> Plan {
    Plan { checks: CheckId::ALL.to_vec(), gates: Vec::new(), embedding: true }
}

fn outcome(analysis: &FrameAnalysis, id: CheckId) -> Outcome {
    analysis.measurement(id).unwrap_or_else(|| panic!("{id} is missing")).outcome.clone()
}

#[test]
fn live_and_attack_are_told_apart_by_the_known_answers_of_the_tiny_pack() {
    let mut rig = rig("", Fault::None);
    for (level, expected) in [(140, 0.982), (60, 0.018)] {
        let analysis = rig.analyzer.analyze(&grey(level), &everything()).unwrap();
        assert_eq!(analysis.faces.len(), 1);
        let measurement = analysis.measurement(CheckId::PresentationAttack).unwrap();
        assert!((measurement.score().unwrap() - expected).abs() < 0.002, "{level}: {:?}", measurement.outcome);
        assert_eq!(measurement.models[0].name, "tiny-liveness");
        assert!(analysis.motion.is_some() && analysis.pose.is_some());
    }
}

#[test]
fn measurements_come_in_the_order_of_all_checks_and_once_each() {
    let mut rig = rig("", Fault::None);
    let analysis = rig.analyzer.analyze(&grey(140), &everything()).unwrap();
    let ids: Vec<CheckId> = analysis.measurements.iter().map(|measurement| measurement.id).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    for id in CheckId::ALL.iter().filter(|id| id.kind() == CheckKind::Quality) {
        assert!(ids.contains(id), "{id}");
    }
}

#[test]
fn roles_that_the_pack_lacks_do_not_run() {
    let mut rig = rig("", Fault::None);
    for level in [140, 0] {
        let analysis = rig.analyzer.analyze(&grey(level), &everything()).unwrap();
        for id in [CheckId::EyesOpen, CheckId::FaceOcclusionPrevention, CheckId::Deepfake] {
            assert_eq!(outcome(&analysis, id), Outcome::NotRun(Detail::NoModel), "{id}");
        }
        assert_eq!(analysis.embedding, None);
    }
}

#[test]
fn without_a_face_nothing_costly_runs() {
    let mut rig = rig("tiny-liveness", Fault::None);
    let analysis = rig.analyzer.analyze(&grey(0), &everything()).unwrap();
    assert!(analysis.faces.is_empty() && analysis.motion.is_none() && analysis.pose.is_none());
    assert_eq!(analysis.measurement(CheckId::SingleFacePresent).unwrap().score(), Some(0.0));
    assert_eq!(outcome(&analysis, CheckId::PresentationAttack), Outcome::NotRun(Detail::NoFace));
    assert_eq!(rig.runs.load(Ordering::Relaxed), 0);
}

#[test]
fn a_closed_gate_keeps_the_costly_models_from_running() {
    let mut rig = rig("tiny-liveness", Fault::None);
    // A flat grey face is not sharp; nor does the pack have the mesh that EyesOpen needs.
    for gate in [CheckId::Sharpness, CheckId::EyesOpen] {
        let plan = Plan { gates: vec![(gate, 0.5)], ..everything() };
        let analysis = rig.analyzer.analyze(&grey(140), &plan).unwrap();
        assert_eq!(outcome(&analysis, CheckId::PresentationAttack), Outcome::NotRun(Detail::QualityGate), "{gate}");
        assert_eq!(rig.runs.load(Ordering::Relaxed), 0, "{gate}");
    }
    let plan = Plan { gates: vec![(CheckId::HeadSize, 0.5)], ..everything() };
    let analysis = rig.analyzer.analyze(&grey(140), &plan).unwrap();
    assert!(analysis.measurement(CheckId::PresentationAttack).unwrap().score().is_some());
    assert_eq!(rig.runs.load(Ordering::Relaxed), 1);
}

#[test]
fn what_is_not_asked_for_does_not_run() {
    let mut rig = rig("tiny-liveness", Fault::None);
    let analysis = rig.analyzer.analyze(&grey(140), &Plan::default()).unwrap();
    for id in [CheckId::PresentationAttack, CheckId::Deepfake, CheckId::EyesOpen, CheckId::FaceOcclusionPrevention] {
        assert!(analysis.measurement(id).is_none(), "{id}");
    }
    assert!(analysis.measurement(CheckId::Sharpness).is_some());
    assert_eq!(rig.runs.load(Ordering::Relaxed), 0);
}

#[test]
fn a_model_that_breaks_after_the_detector_breaks_its_check_only() {
    for fault in [Fault::Fails, Fault::Nan, Fault::Infinite, Fault::Short, Fault::NoOutputs] {
        let mut rig = rig("tiny-liveness", fault);
        let analysis = rig.analyzer.analyze(&grey(140), &everything()).unwrap();
        let expected = Outcome::Broken(Detail::ModelFault);
        assert_eq!(outcome(&analysis, CheckId::PresentationAttack), expected, "{fault:?}");
        assert_eq!(analysis.faults.len(), 1, "{fault:?}");
        assert!(matches!(&analysis.faults[0], RuntimeError::Run { .. }), "{fault:?}: {}", analysis.faults[0]);
        assert!(analysis.measurement(CheckId::HeadSize).unwrap().score().is_some(), "{fault:?}");
    }
}

#[test]
fn an_embedding_that_breaks_breaks_the_checks_that_compare_faces() {
    let pack = with_embedding();
    let analysis = rig_of(&pack, "", Fault::None).analyzer.analyze(&grey(140), &everything()).unwrap();
    assert_eq!(analysis.embedding.map(|vector| vector.len()), Some(3));
    assert_eq!(analysis.faults, []);
    for id in [CheckId::FrameContinuity, CheckId::FaceMatch] {
        assert!(!analysis.measurements.iter().any(|measurement| measurement.id == id), "{id} is the session's");
    }
    for fault in [Fault::Fails, Fault::Nan, Fault::Infinite, Fault::Short, Fault::NoOutputs] {
        let analysis = rig_of(&pack, "tiny-embedding", fault).analyzer.analyze(&grey(140), &everything()).unwrap();
        assert_eq!(analysis.embedding, None, "{fault:?}");
        assert_eq!(analysis.faults.len(), 1, "{fault:?}");
        for id in [CheckId::FrameContinuity, CheckId::FaceMatch] {
            assert_eq!(outcome(&analysis, id), Outcome::Broken(Detail::ModelFault), "{fault:?} {id}");
        }
        assert!(analysis.measurement(CheckId::PresentationAttack).unwrap().score().is_some(), "{fault:?}");
    }
}

#[test]
fn a_detector_that_breaks_is_an_error() {
    for fault in [Fault::Fails, Fault::Nan, Fault::Infinite, Fault::Short, Fault::NoOutputs] {
        let mut rig = rig("tiny-detector", fault);
        let error = rig.analyzer.analyze(&grey(140), &everything()).unwrap_err();
        assert!(matches!(error, RuntimeError::Run { .. }), "{fault:?}: {error}");
    }
}

#[test]
fn a_model_that_does_not_load_is_an_error() {
    #[derive(Debug)]
    struct Refusing;
    impl Runtime for Refusing {
        fn describe(&self) -> RuntimeRef {
            RuntimeRef { name: "refusing".to_owned(), version: "0".to_owned() }
        }
        fn load(&self, name: &str, _onnx: &[u8]) -> Result<Box<dyn Model>, RuntimeError> {
            Err(RuntimeError::Load { model: name.to_owned(), what: "no".to_owned() })
        }
    }
    let error = Analyzer::load(&tiny(), &Refusing).err();
    assert!(matches!(error, Some(Error::Runtime(RuntimeError::Load { .. }))), "{error:?}");
}

#[test]
fn frames_of_any_size_are_analysed() {
    let mut rig = rig("", Fault::None);
    for (width, height) in [(16, 16), (1, 400), (400, 1), (640, 480), (481, 1023), (16, 16)] {
        let frame = Frame::from_rgb(width, height, vec![140; (width * height * 3) as usize]).unwrap();
        let analysis = rig.analyzer.analyze(&frame, &everything()).unwrap();
        assert_eq!((analysis.width, analysis.height), (width, height));
        for measurement in &analysis.measurements {
            assert!(measurement.score().is_none_or(|score| (0.0..=1.0).contains(&score)), "{measurement:?}");
        }
    }
}
