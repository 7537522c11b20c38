//! Scripted sessions: what comes in, and the verdict that must come out.

use std::time::Duration;

use lifesign_core::{
    analysis::{FrameAnalysis, Measurement, Outcome},
    frame::FrameError,
    policy::{Aggregate, OnError, PolicyConfig, Visibility},
    quality::Hint,
    runtime::RuntimeError,
    session::{Event, Media, Session},
    verdict::{CheckId, CheckState, Decision, Detail, Verdict},
};

use crate::support::{at, empty, face, gated, good, print, scored, session, settings, with};
/// Pushes frames 200 ms apart until the session is complete.
fn drive(session: &mut Session, frames: impl IntoIterator<Item = FrameAnalysis>) -> Vec<Event> {
    let mut events = Vec::new();
    for (index, frame) in (0..).zip(frames) {
        events.extend(session.push(index, at(200 * index), frame));
        if session.is_complete() {
            break;
        }
    }
    events
}

fn verdict(config: PolicyConfig, frames: impl IntoIterator<Item = FrameAnalysis>) -> Verdict {
    let mut session = session(config, Media::Frames);
    drive(&mut session, frames);
    session.finish(Duration::from_secs(60))
}

fn image(frame: FrameAnalysis) -> Verdict {
    let mut session = session(settings("default"), Media::Image);
    drive(&mut session, [frame]);
    session.finish(Duration::from_secs(1))
}

fn codes(verdict: &Verdict) -> Vec<&str> {
    verdict.reasons.iter().map(|reason| reason.code).collect()
}

fn state(verdict: &Verdict, id: CheckId) -> (CheckState, Option<Detail>) {
    let check = verdict.check(id).expect("the verdict has the check");
    (check.state, check.detail)
}

#[test]
fn good_frames_are_accepted_as_soon_as_there_are_enough() {
    let mut session = session(settings("default"), Media::Frames);
    let events = drive(&mut session, (0..9).map(good));
    assert_eq!(events.iter().filter(|event| **event == Event::Complete).count(), 1);
    assert_eq!(events.last(), Some(&Event::Complete));
    let verdict = session.finish(Duration::from_secs(2));
    assert_eq!(verdict.decision, Decision::Accept, "{:?}", verdict.diagnostics);
    assert_eq!((verdict.frames.received, verdict.frames.judged), (5, 5));
    assert_eq!(verdict.timings.total, Duration::from_secs(2));
    assert_eq!(verdict.timings.analysis, Duration::from_millis(50));
    assert_eq!(verdict.timings.decode, Duration::from_millis(10));
    assert_eq!(verdict.best_frame_index, Some(0));
    assert!(verdict.reasons.is_empty());
    assert_eq!(verdict.faces.len(), 1);
}

#[test]
fn frames_after_completion_change_nothing() {
    let mut session = session(settings("default"), Media::Frames);
    drive(&mut session, (0..5).map(good));
    let before = session.finish(Duration::from_secs(2));
    assert!(session.push(5, at(1000), scored(good(5), CheckId::PresentationAttack, 0.0)).is_empty());
    session.dropped();
    assert_eq!(session.finish(Duration::from_secs(2)), before);
}

#[test]
fn an_attack_is_rejected_without_saying_which_check_saw_it() {
    let attack = |n| scored(good(n), CheckId::PresentationAttack, 0.1);
    let verdict_ = verdict(settings("default"), (0..5).map(attack));
    assert_eq!(verdict_.decision, Decision::Reject);
    assert_eq!(codes(&verdict_), ["NOT_PASSED"]);

    let full = PolicyConfig { reasons: Visibility::Full, ..settings("default") };
    assert_eq!(codes(&verdict(full, (0..5).map(attack))), ["PRESENTATION_ATTACK_SUSPECTED"]);
    let none = PolicyConfig { reasons: Visibility::None, ..settings("default") };
    assert!(verdict(none, (0..5).map(attack)).reasons.is_empty());
}

#[test]
fn every_rejection_looks_the_same_to_the_person() {
    let attack = verdict(settings("default"), (0..5).map(|n| scored(good(n), CheckId::PresentationAttack, 0.1)));
    let still = verdict(settings("default"), (0..30).map(|_| good(0)));
    assert_eq!((attack.decision, still.decision), (Decision::Reject, Decision::Reject));
    assert_eq!(attack.reasons, still.reasons);
}

#[test]
fn one_doubtful_frame_fails_the_minimum_but_not_the_mean_or_the_median() {
    let frames = || (0..5).map(|n| scored(good(n), CheckId::PresentationAttack, if n == 2 { 0.2 } else { 0.9 }));
    for (aggregate, expected) in
        [(Aggregate::Mean, Decision::Accept), (Aggregate::Median, Decision::Accept), (Aggregate::Min, Decision::Reject)]
    {
        let verdict = verdict(PolicyConfig { aggregate, ..settings("default") }, frames());
        assert_eq!(verdict.decision, expected, "{aggregate:?}");
    }
}

#[test]
fn bad_quality_asks_for_another_capture_and_says_what_to_mend() {
    let verdict = verdict(settings("default"), (0..8).map(|n| gated(good(n), CheckId::Sharpness)));
    assert_eq!(verdict.decision, Decision::Retry);
    assert_eq!(codes(&verdict), ["BLURRY"]);
    assert_eq!(state(&verdict, CheckId::PresentationAttack), (CheckState::NotRun, Some(Detail::QualityGate)));
    assert_eq!(verdict.frames.judged, 0);
}

#[test]
fn bad_frames_among_good_ones_are_passed_over() {
    let frames = (0..12).map(|n| if n % 2 == 0 { gated(good(n), CheckId::Sharpness) } else { good(n) });
    let verdict = verdict(settings("default"), frames);
    assert_eq!(verdict.decision, Decision::Accept, "{:?}", verdict.diagnostics);
    assert_eq!((verdict.frames.analysed, verdict.frames.judged), (10, 5));
    assert_eq!(verdict.check(CheckId::Sharpness).unwrap().score, Some(0.9));
}

#[test]
fn too_few_frames_are_no_judgement_either_way() {
    for score in [0.1, 0.9] {
        let frames = (0..4).map(|n| scored(good(n), CheckId::PresentationAttack, score));
        let verdict = verdict(settings("default"), frames);
        assert_eq!(verdict.decision, Decision::Indeterminate);
        assert_eq!(state(&verdict, CheckId::PresentationAttack), (CheckState::NotRun, Some(Detail::TooFewFrames)));
        assert_eq!(codes(&verdict), ["TOO_FEW_FRAMES"]);
    }
    let blurry_end = (0..8).map(|n| if n < 4 { good(n) } else { gated(good(n), CheckId::Sharpness) });
    let verdict = verdict(settings("default"), blurry_end);
    assert_eq!((verdict.decision, codes(&verdict)), (Decision::Retry, vec!["BLURRY"]));
}

#[test]
fn nothing_received_and_nobody_seen_ask_for_another_capture() {
    let nothing = session(settings("default"), Media::Frames).finish(Duration::ZERO);
    assert_eq!((nothing.decision, codes(&nothing)), (Decision::Retry, vec!["NO_FRAME"]));
    assert_eq!(nothing.best_frame_index, None);

    let nobody = verdict(settings("default"), (0..8).map(|_| empty()));
    assert_eq!((nobody.decision, codes(&nobody)), (Decision::Retry, vec!["NO_FACE"]));
    assert_eq!(state(&nobody, CheckId::PresentationAttack), (CheckState::NotRun, Some(Detail::NoFace)));
}

#[test]
fn frames_that_cannot_be_read_fail_the_media() {
    let mut session = session(settings("default"), Media::Frames);
    for index in 0..6 {
        session.refuse(index, at(100 * index), &FrameError::Empty);
    }
    let verdict = session.finish(Duration::from_secs(1));
    assert_eq!(verdict.decision, Decision::Retry);
    assert_eq!(codes(&verdict), ["MEDIA_UNREADABLE"]);
    assert_eq!(state(&verdict, CheckId::MediaLimits), (CheckState::Failed, None));
    assert_eq!(verdict.frames.refused, 6);
}

#[test]
fn a_broken_model_is_never_a_pass() {
    let broken = |n| with(good(n), CheckId::PresentationAttack, Outcome::Broken(Detail::ModelFault));
    let one = || (0..9).map(move |n| if n == 1 { broken(n) } else { good(n) });
    let verdict_ = verdict(settings("default"), one());
    assert_eq!(verdict_.decision, Decision::Indeterminate);
    assert_eq!(state(&verdict_, CheckId::PresentationAttack), (CheckState::Error, Some(Detail::ModelFault)));
    let review = PolicyConfig { on_error: OnError::Review, ..settings("default") };
    assert_eq!(verdict(review, one()).decision, Decision::Review);
    let advisory = (0..9).map(|n| with(good(n), CheckId::Deepfake, Outcome::Broken(Detail::ModelFault)));
    assert_eq!(verdict(settings("default"), advisory).decision, Decision::Accept);
}

#[test]
fn what_a_broken_model_said_is_told_to_the_backend() {
    let fault = || RuntimeError::Run { model: "eighth".to_owned(), what: "has no output".to_owned() };
    let frames = (0..9).map(|n| FrameAnalysis { faults: vec![fault()], ..good(n) });
    let verdict = verdict(settings("default"), frames);
    assert_eq!(verdict.decision, Decision::Accept, "an advisory check's model broke: {:?}", verdict.diagnostics);
    let told = format!("model eighth: has no output ({} times)", verdict.frames.analysed);
    assert!(verdict.diagnostics.contains(&told), "{:?}", verdict.diagnostics);
}

/// The boxes alone would pass, but the policy was made for a pack that can compare faces.
#[test]
fn continuity_without_the_embedding_it_needs_is_an_error() {
    let mut frame = good(1);
    frame.embedding = None;
    frame.measurements.push(Measurement {
        id: CheckId::FrameContinuity,
        outcome: Outcome::Broken(Detail::ModelFault),
        models: Vec::new(),
        duration: Duration::ZERO,
    });
    let verdict = verdict(settings("default"), [good(0), frame].into_iter().chain((2..9).map(good)));
    assert_eq!(state(&verdict, CheckId::FrameContinuity), (CheckState::Error, Some(Detail::ModelFault)));
    assert_eq!(verdict.decision, Decision::Indeterminate);
}

#[test]
fn a_broken_detector_breaks_every_check_it_serves() {
    let mut session = session(settings("default"), Media::Frames);
    session.push(0, at(0), good(0));
    let error = RuntimeError::Run { model: "detector".to_owned(), what: "broke".to_owned() };
    assert_eq!(session.fault(1, at(100), &error), [Event::Complete]);
    let verdict = session.finish(Duration::from_secs(1));
    assert_eq!(verdict.decision, Decision::Indeterminate);
    assert!(verdict.diagnostics.contains(&"model detector: broke".to_owned()), "{:?}", verdict.diagnostics);
    for check in verdict.checks.iter().filter(|check| check.id != CheckId::MediaLimits) {
        assert_eq!(check.state, CheckState::Error, "{}", check.id);
    }
}

#[test]
fn a_number_that_is_none_is_a_fault() {
    for score in [f32::NAN, f32::INFINITY, -0.5, 1.5] {
        let frames = (0..9).map(|n| scored(good(n), CheckId::PresentationAttack, score));
        let verdict = verdict(settings("default"), frames);
        assert_eq!(verdict.decision, Decision::Indeterminate, "{score}");
        assert_eq!(state(&verdict, CheckId::PresentationAttack), (CheckState::Error, Some(Detail::ModelFault)));
    }
}

#[test]
fn an_image_is_judged_on_one_frame_without_the_checks_over_frames() {
    let good_image = image(good(0));
    assert_eq!(good_image.decision, Decision::Accept, "{:?}", good_image.diagnostics);
    for id in [CheckId::StillImage, CheckId::FrameContinuity] {
        assert_eq!(state(&good_image, id), (CheckState::NotRun, Some(Detail::SingleFrame)));
        assert!(!good_image.check(id).unwrap().required);
    }
    assert_eq!(image(scored(good(0), CheckId::PresentationAttack, 0.4)).decision, Decision::Reject);
    assert_eq!(image(gated(good(0), CheckId::HeadPose)).decision, Decision::Retry);
    assert_eq!(codes(&image(gated(good(0), CheckId::HeadPose))), ["FACE_TURNED"]);
    assert_eq!(codes(&image(empty())), ["NO_FACE"]);
}

#[test]
fn only_the_first_frame_of_an_image_counts() {
    let mut session = session(settings("default"), Media::Image);
    session.push(0, at(0), gated(good(0), CheckId::Sharpness));
    session.push(1, at(100), good(1));
    assert_eq!(session.finish(Duration::from_secs(1)).decision, Decision::Retry);
}

#[test]
fn a_still_image_is_waited_for_and_then_rejected() {
    let mut session = session(settings("default"), Media::Frames);
    drive(&mut session, (0..30).map(|_| good(0)));
    assert!(session.is_complete());
    let verdict = session.finish(Duration::from_secs(9));
    assert_eq!(verdict.decision, Decision::Reject);
    assert_eq!(state(&verdict, CheckId::StillImage).0, CheckState::Failed);
    assert_eq!(verdict.frames.judged, 11, "two seconds at five frames a second");
}

#[test]
fn a_late_movement_is_waited_for() {
    let frames = (0..30).map(|n| if n < 7 { good(0) } else { good(1) });
    let verdict = verdict(settings("default"), frames);
    assert_eq!(verdict.decision, Decision::Accept, "{:?}", verdict.diagnostics);
    assert_eq!(verdict.frames.judged, 8);
}

#[test]
fn a_moment_is_too_short_to_call_anything_still() {
    let mut session = session(settings("default"), Media::Frames);
    for index in 0..5 {
        session.push(index, at(33 * index), good(0));
    }
    let verdict = session.finish(Duration::from_secs(1));
    assert_eq!(verdict.decision, Decision::Indeterminate);
    assert_eq!(state(&verdict, CheckId::StillImage), (CheckState::NotRun, Some(Detail::TooFewFrames)));
}

#[test]
fn another_face_ends_the_session_with_a_rejection() {
    let frames = (0..9).map(|n| {
        let mut frame = good(n);
        if n >= 2 {
            frame.embedding = Some(vec![0.0, 1.0, 0.0]);
        }
        frame
    });
    let verdict = verdict(settings("default"), frames);
    assert_eq!(verdict.decision, Decision::Reject);
    assert_eq!(verdict.frames.judged, 3, "no more frames are needed to know");
    assert_eq!(state(&verdict, CheckId::FrameContinuity).0, CheckState::Failed);
}

#[test]
fn a_leap_is_forgiven_only_to_the_same_face() {
    let leap = |embedding: bool| {
        (0..9).map(move |n| {
            let mut frame = good(n);
            if n >= 2 {
                frame.faces = vec![face(600.0, 100.0)];
            }
            if !embedding {
                frame.embedding = None;
            }
            frame
        })
    };
    assert_eq!(verdict(settings("default"), leap(true)).decision, Decision::Accept);
    assert_eq!(verdict(settings("default"), leap(false)).decision, Decision::Reject);
}

#[test]
fn an_absence_is_forgiven_only_while_short() {
    let away = |frames: u64| {
        let mut session = session(settings("default"), Media::Frames);
        for index in 0..20 {
            let mut frame = if (2..2 + frames).contains(&index) { empty() } else { good(index) };
            frame.embedding = None;
            session.push(index, at(200 * index), frame);
        }
        session.finish(Duration::from_secs(9)).decision
    };
    assert_eq!(away(2), Decision::Accept);
    assert_eq!(away(6), Decision::Reject);
}

#[test]
fn late_and_repeated_frames_are_let_go() {
    let mut session = session(settings("default"), Media::Frames);
    for index in [0, 1, 1, 0, 2] {
        session.push(index, at(200 * index), good(index));
    }
    let stats = session.finish(Duration::from_secs(1)).frames;
    assert_eq!((stats.received, stats.analysed, stats.dropped), (5, 3, 2));
}

#[test]
fn hints_come_at_once_and_then_only_when_they_last() {
    let mut session = session(settings("default"), Media::Frames);
    let blurry = |n| gated(good(n), CheckId::Sharpness);
    let mut said = Vec::new();
    let frames = [blurry(0), empty(), blurry(2), empty(), empty(), empty(), blurry(6)];
    for (index, frame) in (0..).zip(frames) {
        for event in session.push(index, at(30 * index), frame) {
            if let Event::Feedback { frame_index, hints, measures } = event {
                assert!(measures.iter().any(|check| check.id == CheckId::Sharpness));
                said.push((frame_index, hints));
            }
        }
    }
    assert_eq!(said, [(0, vec![Hint::Blurry]), (5, vec![Hint::NoFace])]);
}

#[test]
fn progress_counts_judged_frames() {
    let mut session = session(settings("default"), Media::Frames);
    let events = drive(&mut session, [gated(good(0), CheckId::Sharpness), good(1), good(2)]);
    let progress: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Progress { frame_index, judged, needed } => Some((*frame_index, *judged, *needed)),
            Event::Feedback { .. } | Event::Complete => None,
        })
        .collect();
    assert_eq!(progress, [(1, 1, 5), (2, 2, 5)]);
}

#[test]
fn an_ungated_policy_judges_bad_frames() {
    let config = settings("presentation-attack-only");
    let frames = (0..5).map(|n| {
        let mut frame = scored(good(n), CheckId::Sharpness, 0.0);
        frame.motion = Some(print(0.0));
        frame
    });
    let verdict = verdict(config, frames);
    assert_eq!(verdict.decision, Decision::Accept);
    let sharpness = verdict.check(CheckId::Sharpness).unwrap();
    assert!(!sharpness.required && sharpness.state == CheckState::Failed);
}

#[test]
fn a_session_with_a_required_match_and_no_reference_decides_nothing() {
    let mut config = settings("default");
    config.required.push(CheckId::FaceMatch);
    let verdict = verdict(config, (0..9).map(good));
    assert_eq!(verdict.decision, Decision::Indeterminate);
}

#[test]
fn a_deepfake_check_without_its_model_is_never_a_pass() {
    let without = |n| with(good(n), CheckId::Deepfake, Outcome::NotRun(Detail::NoModel));
    let advisory = verdict(settings("default"), (0..9).map(without));
    assert_eq!(state(&advisory, CheckId::Deepfake), (CheckState::NotRun, Some(Detail::NoModel)));
    assert_eq!(advisory.decision, Decision::Accept, "the policy does not need it");
    let mut config = settings("default");
    config.advisory.retain(|id| *id != CheckId::Deepfake);
    config.required.push(CheckId::Deepfake);
    // A policy that requires it does not compile for such a pack; should the model be missing all the same, nothing passes.
    let required = verdict(config.clone(), (0..9).map(without));
    assert_eq!(state(&required, CheckId::Deepfake), (CheckState::NotRun, Some(Detail::NoModel)));
    assert_eq!(required.decision, Decision::Indeterminate);
    // One frame without it leaves the whole without it.
    let mut video = session(settings("default"), Media::Video);
    drive(&mut video, (0..9).map(|n| if n == 8 { without(n) } else { good(n) }));
    let verdict = video.finish(Duration::from_secs(9));
    assert_eq!(state(&verdict, CheckId::Deepfake), (CheckState::NotRun, Some(Detail::NoModel)));
}
