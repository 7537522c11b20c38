//! Sessions over a video's frames: all of them count.

use std::time::Duration;

use lifesign_core::{
    analysis::FrameAnalysis,
    frame::FrameError,
    quality::Hint,
    session::{Event, Media},
    verdict::{CheckId, CheckState, Decision, Detail, FrameState, TIMELINE, Verdict},
};

use crate::support::{at, empty, face, gated, good, print, scored, session, settings};

/// Frames five a second.
fn run(frames: impl IntoIterator<Item = FrameAnalysis>) -> (Verdict, bool) {
    let mut session = session(settings("default"), Media::Video);
    let mut complete = false;
    for (index, frame) in (0..).zip(frames) {
        complete |= session.push(index, at(200 * index), frame).contains(&Event::Complete);
    }
    (session.finish(Duration::from_secs(9)), complete)
}

fn codes(verdict: &Verdict) -> Vec<&str> {
    verdict.reasons.iter().map(|reason| reason.code).collect()
}

/// A frame on which a second face is as large.
fn crowded(n: u64) -> FrameAnalysis {
    let mut frame = gated(good(n), CheckId::SingleFacePresent);
    frame.faces.push(face(400.0, 100.0));
    frame
}

#[test]
fn the_whole_video_is_looked_at() {
    let (verdict, complete) = run((0..40).map(good));
    assert!(!complete, "what comes late counts as well");
    assert_eq!((verdict.decision, verdict.frames.judged), (Decision::Accept, 40));
}

#[test]
fn a_face_that_changes_late_is_seen() {
    let (verdict, complete) = run((0..40).map(|n| {
        let mut frame = good(n);
        if n >= 38 {
            frame.embedding = Some(vec![0.0, 1.0, 0.0]);
        }
        frame
    }));
    assert!(complete && verdict.decision == Decision::Reject);
    assert_eq!(verdict.check(CheckId::FrameContinuity).unwrap().state, CheckState::Failed);
    assert_eq!(verdict.frames.judged, 39);
}

#[test]
fn several_faces_on_a_fifth_of_the_frames_are_several_people() {
    let with = |crowd: u64| run((0..30).map(|n| if n < crowd { crowded(n) } else { good(n) })).0;
    assert_eq!(with(5).decision, Decision::Accept);
    let verdict = with(6);
    assert_eq!((verdict.decision, codes(&verdict)), (Decision::Retry, vec!["MULTIPLE_FACES"]));
    assert!(verdict.diagnostics.contains(&"6 of 30 frames fail SingleFacePresent".to_owned()));
    assert_eq!(codes(&with(30)), ["MULTIPLE_FACES"]);
}

#[test]
fn what_most_of_the_video_fails_it_fails() {
    for (id, code) in [
        (CheckId::Sharpness, "BLURRY"),
        (CheckId::InterEyeDistance, "FACE_TOO_SMALL"),
        (CheckId::HeadSize, "FACE_TOO_SMALL"),
        (CheckId::HeadPose, "FACE_TURNED"),
    ] {
        let with = |bad: u64| run((0..30).map(|n| if n % 30 < bad { gated(good(n), id) } else { good(n) })).0;
        assert_eq!(with(15).decision, Decision::Accept, "{id}");
        let verdict = with(16);
        assert_eq!((verdict.decision, codes(&verdict)), (Decision::Retry, vec![code]), "{id}");
        assert_eq!(verdict.check(id).unwrap().state, CheckState::Failed);
    }
}

#[test]
fn several_faults_that_leave_too_little_between_them_are_told() {
    let frame = |n: u64| match n % 5 {
        0 | 1 => gated(good(n), CheckId::Sharpness),
        2 => gated(good(n), CheckId::HeadPose),
        _ => good(n),
    };
    let (verdict, _) = run((0..30).map(frame));
    assert_eq!(verdict.decision, Decision::Retry);
    let attack = verdict.check(CheckId::PresentationAttack).unwrap();
    assert_eq!((attack.state, attack.detail), (CheckState::NotRun, Some(Detail::QualityGate)));
    assert!(!verdict.reasons.is_empty());
}

#[test]
fn a_video_without_a_face_for_most_of_it_has_none() {
    let away = |gone: u64| run((0..30).map(|n| if n < gone { empty() } else { good(n) })).0;
    assert_eq!(away(15).decision, Decision::Accept);
    for gone in [16, 30] {
        let verdict = away(gone);
        assert_eq!((verdict.decision, codes(&verdict)), (Decision::Retry, vec!["NO_FACE"]), "{gone}");
    }
}

#[test]
fn one_picture_shown_for_the_whole_video_is_still() {
    let (verdict, _) = run((0..40).map(|_| good(0)));
    assert_eq!(verdict.decision, Decision::Reject);
    assert_eq!(verdict.check(CheckId::StillImage).unwrap().state, CheckState::Failed);
    // One moment of movement is little for a live person; half of the time is not.
    for (moved, expected) in [(1, Decision::Reject), (15, Decision::Reject), (25, Decision::Accept)] {
        let (verdict, _) = run((0..40).map(|n| if n >= 40 - moved { good(1 + n % 2) } else { good(0) }));
        assert_eq!(verdict.decision, expected, "{moved}");
    }
    // A video too short for that is judged as a session of frames is.
    let (verdict, _) = run((0..10).map(|n| if n == 9 { good(1) } else { good(0) }));
    assert_eq!(verdict.decision, Decision::Accept);
}

#[test]
fn a_short_video_decides_nothing() {
    assert_eq!(run((0..4).map(good)).0.decision, Decision::Indeterminate);
    assert_eq!(run([]).0.decision, Decision::Retry);
}

#[test]
fn the_timeline_says_what_became_of_each_frame() {
    let mut session = session(settings("default"), Media::Video);
    session.push(0, at(0), good(0));
    session.push(3, at(200), gated(good(1), CheckId::Sharpness));
    session.push(3, at(300), good(1));
    session.push(4, at(400), empty());
    session.refuse(5, at(600), &FrameError::Empty);
    session.push(6, at(800), scored(good(2), CheckId::PresentationAttack, 0.25));
    let timeline = session.finish(Duration::from_secs(9)).timeline;
    let states: Vec<_> = timeline.iter().map(|record| (record.index, record.state)).collect();
    let expected = [
        (0, FrameState::Judged),
        (3, FrameState::Blocked(CheckId::Sharpness)),
        (4, FrameState::NoFace),
        (5, FrameState::Refused),
        (6, FrameState::Judged),
    ];
    assert_eq!(states, expected);
    assert_eq!(timeline[1].captured, Some(Duration::from_millis(200)));
    assert_eq!((&timeline[1].hints[..], &timeline[4].hints[..]), (&[Hint::Blurry][..], &[Hint::HoldStill][..]));
    assert!(timeline[4].scores.contains(&(CheckId::PresentationAttack, 0.25)));
    assert!(timeline.iter().all(|record| record.scores.is_sorted_by_key(|(id, _)| *id)));
}

#[test]
fn the_timeline_is_bounded() {
    let mut session = session(settings("default"), Media::Video);
    for index in 0..2 * TIMELINE as u64 {
        let mut frame = good(index);
        frame.faces = vec![face(200.0, 100.0)];
        frame.motion = Some(print((index % 3) as f32));
        session.push(index, at(200 * index), frame);
    }
    let verdict = session.finish(Duration::from_secs(999));
    assert_eq!((verdict.timeline.len(), verdict.decision), (TIMELINE, Decision::Accept));
}
