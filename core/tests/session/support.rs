//! Synthetic packs, policies and frame analyses for the session's tests.

use std::{sync::Arc, time::Duration};

use lifesign_core::{
    analysis::{FrameAnalysis, MOTION_SIDE, Measurement, MotionPrint, Outcome},
    face::{Face, HeadPose, Point, Rect},
    matching::Reference,
    pack::{Manifest, Role},
    policy::{Policy, PolicyConfig, builtin},
    session::{Context, FrameTiming, Media, Session},
    verdict::{Assurance, CheckId, CheckKind, Detail, ModelRef, PackRef, RawMeasure, RuntimeRef},
};

/// A manifest with one model of each role and no weights.
pub(crate) fn manifest(roles: &[Role]) -> Manifest {
    let mut text = String::from(
        "[pack]\nid = \"made-up\"\nversion = \"1\"\nassurance = \"CUSTOM\"\ndescription = \"For tests.\"\n",
    );
    for role in roles {
        let name = role.name();
        text += &format!(
            "[[model]]\nrole = \"{name}\"\nname = \"{name}\"\nversion = \"1\"\nfile = \"{name}.onnx\"\nsha256 = \"00\"\nsize = 1\n\
             license = \"MIT\"\nsource = \"made up\"\n\
             input = {{ name = \"input\", shape = [1, 3, 8, 8], colour = \"rgb\", divide = 1.0, crop = {{ rule = \"arcface\" }} }}\n\
             output = {{ rule = \"softmax\", output = \"output\", live_index = 1 }}\n"
        );
    }
    toml::from_str(&text).expect("the manifest is valid")
}

/// Every role there is.
pub(crate) const ALL_ROLES: [Role; 6] =
    [Role::Detector, Role::Liveness, Role::Deepfake, Role::Embedding, Role::Mesh, Role::Occlusion];

/// A built-in policy's settings.
pub(crate) fn settings(id: &str) -> PolicyConfig {
    builtin().into_iter().find(|(name, _)| *name == id).expect("a built-in policy").1
}

/// A session under a policy.
pub(crate) fn session(config: PolicyConfig, media: Media) -> Session {
    session_with(config, media, None, &manifest(&ALL_ROLES))
}

/// A session under a policy and a pack, with a reference.
pub(crate) fn session_with(
    config: PolicyConfig,
    media: Media,
    reference: Option<Reference>,
    pack: &Manifest,
) -> Session {
    let policy = Policy::compile_for("test", config, pack).expect("the policy fits");
    Session::new(Context {
        policy: Arc::new(policy),
        pack: PackRef {
            id: "made-up".to_owned(),
            version: "1".to_owned(),
            assurance: Assurance::Custom,
            sha256: "00".to_owned(),
        },
        runtime: RuntimeRef { name: "none".to_owned(), version: "0".to_owned() },
        media,
        reference: reference.map(Arc::new),
    })
}

/// A frame that arrives and is captured at a time.
pub(crate) fn at(millis: u64) -> FrameTiming {
    let time = Duration::from_millis(millis);
    FrameTiming {
        arrived: time,
        captured: Some(time),
        queue: Duration::from_millis(1),
        decode: Duration::from_millis(2),
    }
}

/// A face of 200x200 pixels.
pub(crate) fn face(x: f32, y: f32) -> Face {
    let point = |u: f32, v: f32| Point { x: x + 200.0 * u, y: y + 200.0 * v };
    Face {
        bbox: Rect { x, y, width: 200.0, height: 200.0 },
        score: 0.9,
        landmarks: [point(0.3, 0.4), point(0.7, 0.4), point(0.5, 0.6), point(0.35, 0.8), point(0.65, 0.8)],
    }
}

/// A print whose mouth is open by `opening` cells.
pub(crate) fn print(opening: f32) -> MotionPrint {
    let cells: Vec<f32> = (0..MOTION_SIDE * MOTION_SIDE)
        .map(|i| {
            let (x, y) = ((i % MOTION_SIDE) as f32 - 15.5, (i / MOTION_SIDE) as f32 - 15.5);
            let blob = |cx: f32, cy: f32, r: f32| (-((x - cx).powi(2) + (y - cy).powi(2)) / (r * r)).exp();
            180.0 - 90.0 * (blob(-4.0, -3.0, 2.0) + blob(4.0, -3.0, 2.0)) - 60.0 * blob(0.0, 5.0, 1.5 + opening)
        })
        .collect();
    MotionPrint { cells: Box::new(cells.try_into().expect("as many cells as a print has")) }
}

/// A good frame: every check scores 0.9. `n` makes the face move a little.
pub(crate) fn good(n: u64) -> FrameAnalysis {
    let measurements = CheckId::ALL
        .iter()
        .filter(|id| !id.needs_frames() && !matches!(id, CheckId::MediaLimits | CheckId::FaceMatch))
        .map(|&id| measured(id, 0.9))
        .collect();
    FrameAnalysis {
        width: 640,
        height: 480,
        faces: vec![face(200.0 + n as f32, 100.0)],
        pose: Some(HeadPose::default()),
        measurements,
        faults: Vec::new(),
        embedding: Some(vec![1.0, 0.0, 0.0]),
        motion: Some(print((n % 3) as f32)),
        duration: Duration::from_millis(10),
    }
}

/// A frame without a face.
pub(crate) fn empty() -> FrameAnalysis {
    let mut frame = good(0);
    frame.faces.clear();
    frame.pose = None;
    frame.embedding = None;
    frame.motion = None;
    for measurement in &mut frame.measurements {
        measurement.outcome = if measurement.id == CheckId::SingleFacePresent {
            Outcome::Scored { score: 0.0, raw: RawMeasure { value: 0.0, unit: "count" } }
        } else {
            Outcome::NotRun(Detail::NoFace)
        };
    }
    frame
}

/// A check with a score.
pub(crate) fn measured(id: CheckId, score: f32) -> Measurement {
    Measurement {
        id,
        outcome: Outcome::Scored { score, raw: RawMeasure { value: f64::from(score), unit: "ratio" } },
        models: vec![ModelRef { name: "made-up".to_owned(), version: "1".to_owned() }],
        duration: Duration::from_millis(1),
    }
}

/// The frame with one check's outcome replaced.
pub(crate) fn with(mut frame: FrameAnalysis, id: CheckId, outcome: Outcome) -> FrameAnalysis {
    let measurement =
        frame.measurements.iter_mut().find(|measurement| measurement.id == id).expect("a check of the frame");
    measurement.outcome = outcome;
    frame
}

/// The frame with one check's score replaced.
pub(crate) fn scored(frame: FrameAnalysis, id: CheckId, score: f32) -> FrameAnalysis {
    with(frame, id, Outcome::Scored { score, raw: RawMeasure { value: f64::from(score), unit: "ratio" } })
}

/// The frame as the analyser leaves it where a quality check stops the costly ones.
pub(crate) fn gated(frame: FrameAnalysis, id: CheckId) -> FrameAnalysis {
    let mut frame = scored(frame, id, 0.1);
    frame.embedding = None;
    for measurement in &mut frame.measurements {
        if measurement.id.kind() == CheckKind::Attack {
            measurement.outcome = Outcome::NotRun(Detail::QualityGate);
        }
    }
    frame
}
