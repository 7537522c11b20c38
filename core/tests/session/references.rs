//! Sessions with a reference image: who matches, what is wrong with the reference, and what that decides.

use std::time::Duration;

use lifesign_core::{
    analysis::{FrameAnalysis, Outcome},
    face::HeadPose,
    matching::Reference,
    pack::{Manifest, Role, ThresholdSpec},
    policy::{PolicyConfig, ReferenceRule, Visibility},
    session::{Event, Media},
    verdict::{CheckId, CheckState, Decision, Detail, RawMeasure, Verdict},
};

use crate::support::{ALL_ROLES, at, empty, face, gated, good, manifest, print, scored, session_with, settings, with};

/// A pack whose FaceMatch threshold is a cosine of 0.40, measured or too weak.
fn pack(advisory: bool) -> Manifest {
    let mut manifest = manifest(&ALL_ROLES);
    let measured = "made up".to_owned();
    manifest.thresholds.push(ThresholdSpec { check: CheckId::FaceMatch, score: 0.7, measured, advisory });
    manifest
}

/// A reference whose face has this cosine to that of the good frames, and whose picture is none of theirs.
fn like(cosine: f32) -> Reference {
    let embedding = vec![cosine, (1.0 - cosine * cosine).sqrt(), 0.0];
    let mut other = print(0.0);
    for (i, cell) in other.cells.iter_mut().enumerate() {
        *cell += 60.0 * ((i % 32) as f32 * 0.7).sin() * ((i / 32) as f32 * 0.5).cos();
    }
    Reference { embedding: Ok(embedding), print: Some(other) }
}

fn run(
    config: PolicyConfig,
    media: Media,
    reference: Reference,
    pack: &Manifest,
    frames: impl IntoIterator<Item = FrameAnalysis>,
) -> Verdict {
    let mut session = session_with(config, media, Some(reference), pack);
    for (index, frame) in (0..).zip(frames) {
        if session.push(index, at(200 * index), frame).contains(&Event::Complete) {
            break;
        }
    }
    session.finish(Duration::from_secs(9))
}

fn against(reference: Reference, advisory: bool) -> Verdict {
    run(settings("default"), Media::Frames, reference, &pack(advisory), (0..9).map(good))
}

fn state(verdict: &Verdict) -> (CheckState, Option<Detail>) {
    let check = verdict.check(CheckId::FaceMatch).expect("a reference asks for FaceMatch");
    assert!(check.required);
    (check.state, check.detail)
}

/// A frame with one face, as SingleFacePresent measures it.
fn alone() -> FrameAnalysis {
    let raw = RawMeasure { value: 0.0, unit: "ratio" };
    with(good(0), CheckId::SingleFacePresent, Outcome::Scored { score: 1.0, raw })
}

#[test]
fn the_person_of_the_reference_is_accepted_and_another_is_not() {
    for (cosine, advisory, expected) in [
        (0.9, false, Decision::Accept),
        (0.9, true, Decision::Accept),
        (0.41, false, Decision::Accept),
        (0.39, false, Decision::Reject),
        (0.39, true, Decision::Review),
        (-0.2, false, Decision::Reject),
        (-0.2, true, Decision::Review),
    ] {
        let verdict = against(like(cosine), advisory);
        assert_eq!(verdict.decision, expected, "{cosine} {advisory}: {:?}", verdict.diagnostics);
        let check = verdict.check(CheckId::FaceMatch).unwrap();
        let raw = check.raw.unwrap();
        assert!((raw.value - f64::from(cosine)).abs() < 1e-5 && raw.unit == "cosine");
        assert!((check.score.unwrap() - (cosine + 1.0) / 2.0).abs() < 1e-5);
        assert_eq!((check.threshold, check.models[0].name.as_str()), (Some(0.7), "embedding"));
        assert!(verdict.matched_frame_index.is_some());
    }
}

#[test]
fn the_rule_and_a_threshold_of_ones_own_make_a_weak_pack_decide() {
    let own = PolicyConfig { thresholds: [(CheckId::FaceMatch, 0.8)].into(), ..settings("default") };
    for reference in [ReferenceRule::Auto, ReferenceRule::Decide] {
        let config = PolicyConfig { reference, ..own.clone() };
        let verdict = run(config, Media::Frames, like(0.5), &pack(true), (0..9).map(good));
        assert_eq!(verdict.decision, Decision::Reject, "{reference:?}");
    }
}

#[test]
fn the_straightest_judged_face_is_compared() {
    let frames = (0..9).map(|n| {
        let mut frame = good(n);
        let yaw = [20.0, -9.0, 2.0, 5.0, -30.0][n as usize % 5];
        // The least yaw nods; roll does not count.
        let pitch = if n == 2 { 25.0 } else { 1.0 };
        frame.pose = Some(HeadPose { yaw, pitch, roll: if n == 3 { 30.0 } else { 0.0 } });
        frame.embedding = Some(if n == 3 { vec![1.0, 0.0, 0.0] } else { vec![0.8, 0.6, 0.0] });
        frame
    });
    let verdict = run(settings("default"), Media::Frames, like(1.0), &pack(false), frames);
    assert_eq!((verdict.decision, verdict.matched_frame_index), (Decision::Accept, Some(3)));
    assert!((verdict.check(CheckId::FaceMatch).unwrap().raw.unwrap().value - 1.0).abs() < 1e-6);
}

#[test]
fn a_frame_that_was_not_judged_is_not_compared() {
    let frames = (0..9).map(|n| {
        let mut frame = good(n);
        if n == 0 {
            frame = gated(frame, CheckId::Sharpness);
            frame.embedding = Some(vec![0.0, 1.0, 0.0]);
        } else {
            frame.pose = Some(HeadPose { yaw: 15.0, ..HeadPose::default() });
        }
        frame
    });
    let verdict = run(settings("default"), Media::Frames, like(0.9), &pack(false), frames);
    assert_eq!((verdict.decision, verdict.matched_frame_index), (Decision::Accept, Some(1)));
}

#[test]
fn faults_of_the_reference_ask_for_another_with_their_reason() {
    for detail in [
        Detail::ReferenceNoFace,
        Detail::ReferenceMultipleFaces,
        Detail::ReferenceTooSmall,
        Detail::ReferenceBlurry,
        Detail::ReferenceQuality,
    ] {
        let reference = Reference { embedding: Err(detail), print: None };
        let verdict = against(reference.clone(), true);
        assert_eq!((verdict.decision, state(&verdict)), (Decision::Retry, (CheckState::NotRun, Some(detail))));
        let [reason] = verdict.reasons.as_slice() else { panic!("{:?}", verdict.reasons) };
        assert!(reason.code == detail.code() && reason.message.contains("reference"), "{reason:?}");
        assert_eq!(verdict.matched_frame_index, None);
        // The capture itself was judged: an attack is told as one.
        let attack = (0..9).map(|n| scored(good(n), CheckId::PresentationAttack, 0.1));
        let verdict = run(settings("default"), Media::Frames, reference, &pack(false), attack);
        assert_eq!(verdict.decision, Decision::Reject);
    }
    let nobody = Reference { embedding: Err(Detail::ReferenceNoFace), print: None };
    let verdict = run(settings("default"), Media::Frames, nobody, &pack(false), (0..9).map(|_| empty()));
    let codes: Vec<_> = verdict.reasons.iter().map(|reason| reason.code).collect();
    assert_eq!(codes, ["NO_FACE", "REFERENCE_NO_FACE"]);
}

#[test]
fn what_cannot_compare_accepts_nothing() {
    let blind = manifest(&[Role::Detector, Role::Liveness]);
    for embedding in [Err(Detail::NoModel), Ok(vec![1.0]), Err(Detail::ReferenceNoFace)] {
        let reference = Reference { embedding, print: None };
        let verdict = run(settings("default"), Media::Image, reference, &blind, [good(0)]);
        assert_eq!(
            (verdict.decision, state(&verdict)),
            (Decision::Indeterminate, (CheckState::NotRun, Some(Detail::NoModel)))
        );
    }
    let broken = Reference { embedding: Err(Detail::ModelFault), print: None };
    let verdict = against(broken, true);
    assert_eq!((verdict.decision, state(&verdict).0), (Decision::Indeterminate, CheckState::Error));
    // Of another model's length.
    let verdict = against(Reference { embedding: Ok(vec![1.0, 0.0]), print: None }, true);
    assert_eq!((verdict.decision, state(&verdict).0), (Decision::Indeterminate, CheckState::Error));
    // No vector of the frames, by whatever mistake.
    let frames = (0..9).map(|n| FrameAnalysis { embedding: None, ..good(n) });
    let verdict = run(settings("default"), Media::Frames, like(0.9), &pack(true), frames);
    assert_eq!(verdict.decision, Decision::Indeterminate);
}

#[test]
fn too_few_good_frames_compare_nothing() {
    let verdict = run(settings("default"), Media::Frames, like(-0.5), &pack(false), (0..4).map(good));
    assert_eq!(
        (verdict.decision, state(&verdict)),
        (Decision::Indeterminate, (CheckState::NotRun, Some(Detail::TooFewFrames)))
    );
    let blurry = (0..9).map(|n| gated(good(n), CheckId::Sharpness));
    let verdict = run(settings("default"), Media::Frames, like(-0.5), &pack(false), blurry);
    assert_eq!((verdict.decision, state(&verdict).1), (Decision::Retry, Some(Detail::QualityGate)));
}

#[test]
fn the_reference_itself_before_the_camera_is_rejected_whatever_the_rule() {
    for mirrored in [false, true] {
        let mut picture = print(0.0);
        for (i, cell) in picture.cells.iter_mut().enumerate() {
            *cell += 2.0 * (i % 32) as f32;
        }
        let frames = (0..9).map(|n| {
            let mut frame = good(n);
            if n == 6 {
                frame.motion = Some(picture.clone());
            }
            frame
        });
        let own = if mirrored { picture.mirrored() } else { picture.clone() };
        let reference = Reference { print: Some(own), ..like(0.9) };
        let full = PolicyConfig { reasons: Visibility::Full, frames_needed: 9, ..settings("default") };
        let verdict = run(full, Media::Frames, reference, &pack(true), frames);
        assert_eq!(verdict.decision, Decision::Reject, "{:?}", verdict.diagnostics);
        assert_eq!(state(&verdict), (CheckState::Failed, Some(Detail::IdenticalImage)));
        let check = verdict.check(CheckId::FaceMatch).unwrap();
        assert!(check.score.is_none() && check.raw.unwrap().unit == "ratio");
        assert_eq!(
            (verdict.matched_frame_index, verdict.frames.judged),
            (Some(6), 7),
            "no more frames are needed to know"
        );
        assert_eq!(verdict.reasons[0].code, "IDENTICAL_IMAGE");
    }
    let same = Reference { print: Some(print(0.0)), ..like(0.9) };
    let verdict = run(settings("default"), Media::Image, same, &pack(true), [good(0)]);
    assert_eq!((verdict.decision, verdict.reasons[0].code), (Decision::Reject, "NOT_PASSED"));
}

#[test]
fn a_flat_print_is_nobodys_picture() {
    let mut flat = print(0.0);
    flat.cells.fill(90.0);
    let verdict = against(Reference { print: Some(flat), ..like(0.9) }, false);
    assert_eq!(verdict.decision, Decision::Accept);
}

#[test]
fn the_reference_is_held_to_what_a_comparison_needs() {
    let of = |frame: FrameAnalysis| Reference::of(&frame).embedding;
    assert_eq!(of(alone()), Ok(vec![1.0, 0.0, 0.0]));
    assert_eq!(of(empty()), Err(Detail::ReferenceNoFace));
    assert_eq!(of(FrameAnalysis { embedding: None, ..alone() }), Err(Detail::NoModel));
    for (id, detail) in [
        (CheckId::InterEyeDistance, Detail::ReferenceTooSmall),
        (CheckId::Sharpness, Detail::ReferenceBlurry),
        (CheckId::HeadPose, Detail::ReferenceQuality),
        (CheckId::CropOfTheFaceImage, Detail::ReferenceQuality),
        (CheckId::Luminance, Detail::ReferenceQuality),
        (CheckId::UnderExposurePrevention, Detail::ReferenceQuality),
        (CheckId::OverExposurePrevention, Detail::ReferenceQuality),
    ] {
        assert_eq!(of(scored(alone(), id, 0.49)), Err(detail), "{id}");
        assert_eq!(of(with(alone(), id, Outcome::NotRun(Detail::NotRequested))), Err(detail), "{id} unmeasured");
        assert_eq!(of(with(alone(), id, Outcome::Broken(Detail::ModelFault))), Err(Detail::ModelFault), "{id} broken");
    }
    // A document's face is small in its picture and flat; no attack check is asked.
    for id in [CheckId::HeadSize, CheckId::DynamicRange, CheckId::EyesOpen, CheckId::PresentationAttack] {
        assert!(of(scored(alone(), id, 0.0)).is_ok(), "{id}");
    }
    let second = |ratio: f64| {
        let raw = RawMeasure { value: ratio, unit: "ratio" };
        let mut frame = with(alone(), CheckId::SingleFacePresent, Outcome::Scored { score: 1.0 - ratio as f32, raw });
        frame.faces.push(face(420.0, 100.0));
        of(frame)
    };
    assert!(second(0.6).is_ok(), "a ghost portrait");
    assert_eq!(second(0.8), Err(Detail::ReferenceMultipleFaces));
}
