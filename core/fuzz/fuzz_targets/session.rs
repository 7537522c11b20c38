//! Whatever happens to a session, it does not panic, and ACCEPT means that enough frames were judged and every required
//! check passed, FaceMatch where there is a reference. The bytes are read as a policy, a reference and a sequence of frames,
//! refusals, faults and drops.

#![no_main]

use std::{sync::Arc, time::Duration};

use libfuzzer_sys::fuzz_target;
use lifesign_core::{
    analysis::{FrameAnalysis, MOTION_SIDE, Measurement, MotionPrint, Outcome},
    face::{Face, HeadPose, Point, Rect},
    frame::FrameError,
    matching::Reference,
    pack::{Colour, CropRule, InputSpec, Manifest, ModelSpec, OutputSpec, PackInfo, Role},
    policy::{Aggregate, Policy, builtin},
    runtime::RuntimeError,
    session::{Context, Event, FrameTiming, Media, Session},
    verdict::{Assurance, CheckId, CheckState, Decision, Detail, PackRef, RawMeasure, RuntimeRef, TIMELINE},
};

const DETAILS: [Detail; 9] = [
    Detail::NoModel,
    Detail::QualityGate,
    Detail::NoFace,
    Detail::SingleFrame,
    Detail::TooFewFrames,
    Detail::NoReference,
    Detail::NotRequested,
    Detail::ModelFault,
    Detail::NoFrame,
];

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Bytes(bytes);
    let policies = builtin();
    let (_, mut config) = policies[usize::from(bytes.byte()) % policies.len()].clone();
    config.frames_needed = 2 + u32::from(bytes.byte() % 6);
    config.aggregate = [Aggregate::Mean, Aggregate::Min, Aggregate::Median][usize::from(bytes.byte() % 3)];
    config.gate = bytes.byte() % 2 == 0;
    let media = [Media::Image, Media::Frames, Media::Frames, Media::Video][usize::from(bytes.byte() % 4)];
    let reference = reference(&mut bytes);
    let policy = Arc::new(Policy::compile_for("fuzz", config, &manifest()).expect("the built-in policies fit"));
    let mut session = Session::new(Context {
        policy: Arc::clone(&policy),
        pack: PackRef {
            id: "fuzz".to_owned(),
            version: "1".to_owned(),
            assurance: Assurance::Custom,
            sha256: String::new(),
        },
        runtime: RuntimeRef { name: "none".to_owned(), version: "0".to_owned() },
        media,
        reference: reference.clone().map(Arc::new),
    });

    let (mut index, mut now, mut completed) = (0_u64, Duration::ZERO, 0);
    while !bytes.0.is_empty() {
        index = index.wrapping_add(u64::from(bytes.byte() % 4));
        now += Duration::from_millis(4 * u64::from(bytes.byte()));
        let captured = (bytes.byte() % 2 == 0).then(|| Duration::from_millis(16 * u64::from(bytes.byte())));
        let timing = FrameTiming { arrived: now, captured, queue: Duration::MAX, decode: Duration::MAX };
        let events = match bytes.byte() {
            0 => session.refuse(index, timing, &FrameError::Empty),
            1 => session.fault(index, timing, &RuntimeError::NotBuilt("fuzz")),
            2 => {
                session.dropped();
                Vec::new()
            }
            _ => session.push(index, timing, frame(&mut bytes)),
        };
        completed += events.iter().filter(|event| **event == Event::Complete).count();
        assert_eq!(session.is_complete(), completed == 1);
    }

    let verdict = session.finish(now);
    for check in &verdict.checks {
        assert!(check.score.is_none_or(|score| (0.0..=1.0).contains(&score)));
    }
    assert!(verdict.timeline.len() <= TIMELINE);
    if verdict.decision == Decision::Accept {
        if reference.is_some() {
            assert_eq!(verdict.check(CheckId::FaceMatch).map(|check| check.state), Some(CheckState::Passed));
        }
        assert!(verdict.frames.judged >= policy.needed(media));
        for &id in policy.config().required.iter().filter(|id| policy.requires(**id, media)) {
            assert_eq!(verdict.check(id).map(|check| check.state), Some(CheckState::Passed));
        }
    }
});

/// Input, read byte by byte; zeros once it is used up.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// Mostly a number from 0 to 1, sometimes any float at all.
    fn number(&mut self) -> f32 {
        match self.byte() {
            255 => f32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()]),
            byte => f32::from(byte) / 254.0,
        }
    }
}

/// Mostly none, or one that resembles the frames' faces more or less.
fn reference(bytes: &mut Bytes<'_>) -> Option<Reference> {
    let embedding = match bytes.byte() % 8 {
        0 => Err(DETAILS[usize::from(bytes.byte()) % DETAILS.len()]),
        1 => Ok(vec![bytes.number(); usize::from(bytes.byte() % 4)]),
        2 | 3 => Ok(vec![1.0, bytes.number()]),
        _ => return None,
    };
    Some(Reference { embedding, print: (bytes.byte() % 2 == 0).then(|| print(bytes)) })
}

/// A print of some waves.
fn print(bytes: &mut Bytes<'_>) -> MotionPrint {
    let (slope, bend) = (200.0 * bytes.number(), bytes.number());
    let cells = std::array::from_fn(|i| slope * ((i % MOTION_SIDE) as f32 * bend).sin() + (i / MOTION_SIDE) as f32);
    MotionPrint { cells: Box::new(cells) }
}

/// A frame all of whose checks are good but for some.
fn frame(bytes: &mut Bytes<'_>) -> FrameAnalysis {
    let good = |id| Measurement {
        id,
        outcome: Outcome::Scored { score: 0.9, raw: RawMeasure { value: 0.9, unit: "ratio" } },
        models: Vec::new(),
        duration: Duration::from_millis(1),
    };
    let mut measurements: Vec<_> = CheckId::ALL.iter().copied().map(good).collect();
    for _ in 0..bytes.byte() % 4 {
        let place = usize::from(bytes.byte()) % measurements.len();
        let kind = bytes.byte();
        measurements[place].outcome = match kind % 8 {
            0 => Outcome::NotRun(DETAILS[usize::from(kind / 8) % DETAILS.len()]),
            1 => Outcome::Broken(DETAILS[usize::from(kind / 8) % DETAILS.len()]),
            2 => {
                measurements.remove(place);
                continue;
            }
            _ => Outcome::Scored {
                score: bytes.number(),
                raw: RawMeasure { value: bytes.number().into(), unit: "ratio" },
            },
        };
    }
    let faces = (0..bytes.byte() % 3)
        .map(|_| Face {
            bbox: Rect {
                x: 200.0 * bytes.number(),
                y: 200.0 * bytes.number(),
                width: 100.0 + bytes.number(),
                height: 100.0 + bytes.number(),
            },
            score: bytes.number(),
            landmarks: [Point::default(); 5],
        })
        .collect();
    let embedding = (bytes.byte() % 4 > 0).then(|| vec![1.0, bytes.number()]);
    let print = print(bytes);
    FrameAnalysis {
        width: 640,
        height: 480,
        faces,
        pose: Some(HeadPose::default()),
        measurements,
        faults: (0..bytes.byte() % 3).map(|_| RuntimeError::NotBuilt("fuzz")).collect(),
        embedding,
        motion: (bytes.byte() % 8 > 0).then_some(print),
        duration: Duration::from_millis(1),
    }
}

/// A pack with a model of each role and no weights.
fn manifest() -> Manifest {
    let roles = [Role::Detector, Role::Liveness, Role::Deepfake, Role::Embedding, Role::Mesh, Role::Occlusion];
    let model = |role: Role| ModelSpec {
        role,
        name: role.name().to_owned(),
        version: "1".to_owned(),
        file: String::new(),
        sha256: String::new(),
        size: 0,
        license: String::new(),
        source: String::new(),
        fetchable: false,
        input: InputSpec {
            name: String::new(),
            shape: [1, 3, 1, 1],
            colour: Colour::Rgb,
            divide: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
            crop: CropRule::Arcface,
        },
        output: OutputSpec::Softmax { output: String::new(), live_index: 0 },
    };
    Manifest {
        pack: PackInfo {
            id: "fuzz".to_owned(),
            version: "1".to_owned(),
            assurance: Assurance::Custom,
            description: String::new(),
        },
        models: roles.into_iter().map(model).collect(),
        thresholds: Vec::new(),
        self_tests: Vec::new(),
    }
}
