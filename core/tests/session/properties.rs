//! What must hold of every session, whatever the frames.

use std::time::Duration;

use lifesign_core::{
    analysis::{FrameAnalysis, Outcome},
    frame::FrameError,
    matching::Reference,
    policy::{Aggregate, PolicyConfig, builtin},
    runtime::RuntimeError,
    session::{Event, FrameTiming, Media},
    verdict::{CheckId, CheckState, Decision, Detail, RawMeasure, Verdict},
};
use proptest::prelude::*;

use crate::support::{ALL_ROLES, at, empty, face, good, manifest, print, session_with};

/// One thing that happens to a session.
#[derive(Debug, Clone)]
enum Step {
    Frame(Box<FrameAnalysis>),
    Refuse,
    Fault,
    Drop,
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let score = prop_oneof![8 => 0.4_f32..1.0, 2 => 0.0_f32..1.0, 1 => Just(f32::NAN), 1 => any::<f32>()];
    prop_oneof![
        20 => score.prop_map(|score| Outcome::Scored { score, raw: RawMeasure { value: f64::from(score), unit: "ratio" } }),
        1 => Just(Outcome::NotRun(Detail::NoModel)),
        1 => Just(Outcome::NotRun(Detail::QualityGate)),
        1 => Just(Outcome::Broken(Detail::ModelFault)),
    ]
}

/// A frame most of whose checks are good.
fn frame() -> impl Strategy<Value = FrameAnalysis> {
    let changes = prop::collection::vec((0..CheckId::ALL.len(), outcome()), 0..3);
    let places = prop_oneof![8 => 190.0_f32..210.0, 1 => -2000.0_f32..2000.0, 1 => any::<f32>()];
    let vectors = prop_oneof![
        8 => Just(Some(vec![1.0, 0.0])),
        1 => Just(None),
        1 => prop::collection::vec(any::<f32>(), 0..4).prop_map(Some),
    ];
    (changes, places, vectors, 0.0_f32..3.0, 0..20_u8).prop_map(|(changes, place, vector, opening, kind)| {
        let mut frame = if kind == 0 { empty() } else { good(0) };
        if kind > 0 {
            frame.faces = vec![face(place, 100.0)];
            frame.motion = (kind > 1).then(|| print(opening));
            frame.embedding = vector;
        }
        for (id, outcome) in changes {
            let id = CheckId::ALL[id];
            match frame.measurements.iter_mut().find(|measurement| measurement.id == id) {
                Some(measurement) => measurement.outcome = outcome,
                None => frame.measurements.retain(|measurement| measurement.id != CheckId::Sharpness),
            }
        }
        frame
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        30 => frame().prop_map(|frame| Step::Frame(Box::new(frame))),
        1 => Just(Step::Refuse),
        1 => Just(Step::Drop),
        1 => prop::bool::weighted(0.2).prop_map(|fault| if fault { Step::Fault } else { Step::Drop }),
    ]
}

fn policy() -> impl Strategy<Value = PolicyConfig> {
    let aggregate = prop_oneof![Just(Aggregate::Mean), Just(Aggregate::Min), Just(Aggregate::Median)];
    (0..builtin().len(), 2..8_u32, aggregate, any::<bool>()).prop_map(|(which, frames_needed, aggregate, gate)| {
        PolicyConfig { frames_needed, aggregate, gate, ..builtin()[which].1.clone() }
    })
}

fn reference() -> impl Strategy<Value = Option<Reference>> {
    let embedding = prop_oneof![
        4 => (-1.0_f32..1.0).prop_map(|x| Ok(vec![x, (1.0 - x * x).sqrt()])),
        1 => prop::collection::vec(any::<f32>(), 0..4).prop_map(Ok),
        1 => Just(Err(Detail::ReferenceNoFace)),
        1 => Just(Err(Detail::NoModel)),
        1 => Just(Err(Detail::ModelFault)),
    ];
    let shown = prop::option::of((0.0_f32..3.0).prop_map(print));
    prop::option::of((embedding, shown).prop_map(|(embedding, print)| Reference { embedding, print }))
}

fn timings() -> impl Strategy<Value = Vec<(u64, u64, Option<u64>)>> {
    prop::collection::vec((0..3_u64, 0..500_u64, prop::option::of(0..5000_u64)), 24)
}

fn run(
    config: &PolicyConfig,
    media: Media,
    reference: Option<Reference>,
    steps: &[Step],
    times: &[(u64, u64, Option<u64>)],
) -> (Verdict, Vec<Event>) {
    let mut session = session_with(config.clone(), media, reference, &manifest(&ALL_ROLES));
    let mut events = Vec::new();
    let (mut index, mut now) = (0, 0);
    for (step, (skip, elapsed, captured)) in steps.iter().zip(times) {
        index += skip;
        now += elapsed;
        let timing = FrameTiming { captured: captured.map(Duration::from_millis), ..at(now) };
        match step {
            Step::Frame(frame) => events.extend(session.push(index, timing, (**frame).clone())),
            Step::Refuse => events.extend(session.refuse(index, timing, &FrameError::Empty)),
            Step::Fault => {
                let error = RuntimeError::Run { model: "detector".to_owned(), what: "broke".to_owned() };
                events.extend(session.fault(index, timing, &error));
            }
            Step::Drop => session.dropped(),
        }
        let ended = events.contains(&Event::Complete);
        assert_eq!(session.is_complete(), ended, "Complete is said once, when it is so");
    }
    assert!(events.iter().filter(|event| **event == Event::Complete).count() <= 1);
    (session.finish(at(now).arrived), events)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn accept_needs_enough_judged_frames_and_every_required_check(
        config in policy(),
        media in prop_oneof![Just(Media::Image), Just(Media::Frames), Just(Media::Video)],
        reference in reference(),
        steps in prop::collection::vec(step(), 0..24),
        times in timings(),
    ) {
        let image = media == Media::Image;
        let (verdict, events) = run(&config, media, reference.clone(), &steps, &times);
        let stats = verdict.frames;
        prop_assert!(stats.judged <= stats.analysed);
        prop_assert!(stats.analysed + stats.refused + stats.dropped <= stats.received);
        for check in &verdict.checks {
            prop_assert!(check.score.is_none_or(|score| (0.0..=1.0).contains(&score)), "{check:?}");
            let scored = matches!(check.state, CheckState::Passed | CheckState::Failed);
            prop_assert_eq!(check.score.is_some(), scored && check.detail != Some(Detail::IdenticalImage));
        }
        for event in events {
            if let Event::Feedback { hints, .. } = event {
                prop_assert!((1..=3).contains(&hints.len()) && hints.is_sorted());
            }
        }
        if verdict.decision == Decision::Accept {
            let needed = if image { 1 } else { config.frames_needed };
            prop_assert!(stats.judged >= needed);
            prop_assert!(media != Media::Video || 2 * stats.judged >= stats.analysed);
            if reference.is_some() {
                let check = verdict.check(CheckId::FaceMatch).expect("a reference asks for it");
                prop_assert!(check.required && check.state == CheckState::Passed, "{:?}", check);
            }
            for &id in &config.required {
                let check = verdict.check(id).expect("a required check is in the verdict");
                if !(image && id.needs_frames()) {
                    prop_assert!(check.required && check.state == CheckState::Passed, "{:?}", check);
                }
            }
            prop_assert!(verdict.reasons.is_empty());
        }
    }

    #[test]
    fn the_same_frames_give_the_same_verdict(
        config in policy(),
        reference in reference(),
        steps in prop::collection::vec(step(), 0..16),
        times in timings(),
    ) {
        let first = run(&config, Media::Frames, reference.clone(), &steps, &times);
        let second = run(&config, Media::Frames, reference, &steps, &times);
        // Compared as text: a face's coordinates may be NaN, which is unequal to itself.
        prop_assert_eq!(format!("{first:?}"), format!("{second:?}"));
    }

    #[test]
    fn an_attack_on_every_frame_is_never_accepted(
        config in policy(),
        steps in prop::collection::vec(step(), 0..16),
        times in timings(),
        score in 0.0_f32..0.49,
    ) {
        let attack = |step: &Step| match step {
            Step::Frame(frame) => {
                let mut frame = frame.clone();
                for measurement in &mut frame.measurements {
                    if measurement.id == CheckId::PresentationAttack {
                        measurement.outcome =
                            Outcome::Scored { score, raw: RawMeasure { value: f64::from(score), unit: "probability" } };
                    }
                }
                Step::Frame(frame)
            }
            other => other.clone(),
        };
        let steps: Vec<_> = steps.iter().map(attack).collect();
        let (verdict, _) = run(&config, Media::Frames, None, &steps, &times);
        prop_assert_ne!(verdict.decision, Decision::Accept);
    }
}
