//! `StreamSession`: order, early end, faults, and limits on time.

use std::time::Duration;

use lifesign_proto::v1::{self, SessionState, stream_session_response as down};
use tokio_stream::StreamExt;
use tonic::Code;

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_accepted_and_an_attack_rejected() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    for (grey, decision) in [(LIVE, v1::Decision::Accept), (ATTACK, v1::Decision::Reject)] {
        let messages = vec![start_inline(), frame(0, grey), frame(1, grey), frame(2, grey), finish()];
        let (replies, status) = tell(&mut client, messages).await;
        assert_eq!(status.code(), Code::Ok, "{status:?}");
        let first = accepted(&replies);
        assert_eq!(first.next_frame_index, 0);
        assert!(first.limits.is_some() && first.expire_time.is_some() && first.server_time.is_some());
        let progress: Vec<(u32, u32)> = replies
            .iter()
            .filter_map(|reply| match reply {
                down::Message::Progress(progress) => Some((progress.judged, progress.needed)),
                _ => None,
            })
            .collect();
        assert_eq!(progress, [(1, 3), (2, 3), (3, 3)]);
        assert!(replies.iter().any(|reply| matches!(reply, down::Message::Feedback(_))), "{replies:?}");
        let verdict = verdict(&replies);
        assert_eq!(verdict.decision(), decision);
        assert_eq!(verdict.session_id, first.session_id);
        assert_eq!(verdict.frames.unwrap().judged, 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_comes_as_soon_as_the_evidence_is_complete() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let frames = (0..3).map(|index| frame(index, LIVE));
    let endless = tokio_stream::iter(std::iter::once(start_inline()).chain(frames)).chain(tokio_stream::pending());
    let (replies, status) = converse(&mut client, endless).await;
    assert_eq!(status.code(), Code::Ok);
    assert_eq!(verdict(&replies).decision(), v1::Decision::Accept);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_without_finish_means_finish() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let (replies, status) = tell(&mut client, vec![start_inline(), frame(0, LIVE)]).await;
    assert_eq!(status.code(), Code::Ok);
    assert_ne!(verdict(&replies).decision(), v1::Decision::Accept, "one frame of three is not enough");
    let (replies, status) = tell(&mut client, vec![start_inline(), finish()]).await;
    assert_eq!(status.code(), Code::Ok);
    assert_ne!(verdict(&replies).decision(), v1::Decision::Accept, "no frame at all is an outcome, and no pass");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_chunks_is_put_together() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let mut messages = vec![start_inline()];
    for index in 0..3 {
        let mut offset = 0;
        for part in PORTRAIT.chunks(10_000) {
            let last = offset + part.len() == PORTRAIT.len();
            messages.push(chunk(index, offset as u64, part, last));
            offset += part.len();
        }
    }
    messages.push(finish());
    let (replies, status) = tell(&mut client, messages).await;
    assert_eq!(status.code(), Code::Ok, "{status:?}");
    assert_eq!(verdict(&replies).frames.unwrap().analysed, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn disorder_is_an_invalid_argument() {
    let rig = start(|config| config.grpc.max_session_frames = 2).await;
    let mut client = rig.client().await;
    let (head, tail) = PORTRAIT.split_at(5_000);
    let table = [
        ("no message at all", vec![], "START_MISSING"),
        ("no start", vec![frame(0, LIVE)], "START_MISSING"),
        ("finish first", vec![finish()], "START_MISSING"),
        ("two starts", vec![start_inline(), start_inline()], "START_REPEATED"),
        ("an empty message", vec![start_inline(), v1::StreamSessionRequest { message: None }], "MESSAGE_EMPTY"),
        ("a gap", vec![start_inline(), chunk(0, 0, head, false), chunk(0, 6000, tail, true)], "CHUNK_OUT_OF_ORDER"),
        ("chunks swapped", vec![start_inline(), chunk(0, 5000, tail, true)], "CHUNK_OUT_OF_ORDER"),
        ("a frame skipped", vec![start_inline(), frame(1, LIVE)], "CHUNK_OUT_OF_ORDER"),
        ("a chunk of nothing", vec![start_inline(), chunk(0, 0, &[], false)], "CHUNK_EMPTY"),
        ("a frame of nothing", vec![start_inline(), chunk(0, 0, &[], true)], "MEDIA_EMPTY"),
        ("a large chunk", vec![start_inline(), chunk(0, 0, &vec![9; (1 << 20) + 1], false)], "CHUNK_TOO_LARGE"),
        ("half a frame", vec![start_inline(), chunk(0, 0, head, false), finish()], "FRAME_UNFINISHED"),
        ("a truncated file", vec![start_inline(), chunk(0, 0, head, true), finish()], "MEDIA_UNDECODABLE"),
        ("no image", vec![start_inline(), chunk(0, 0, &[7; 5000], true), finish()], "MEDIA_FORMAT_UNKNOWN"),
        ("too many", vec![start_inline(), frame(0, LIVE), frame(1, LIVE), frame(2, LIVE)], "TOO_MANY_FRAMES"),
    ];
    for (name, messages, reason) in table {
        let (replies, status) = tell(&mut client, messages).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{name}: {status:?}");
        is(&status, Code::InvalidArgument, reason);
        assert!(!replies.iter().any(|reply| matches!(reply, down::Message::Verdict(_))), "{name}");
    }
    rig.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_may_follow_finish() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    // The frame is held back, so the late one surely comes before the verdict.
    rig.hold.set(true);
    let (replies, status) = tell(&mut client, vec![start_inline(), frame(0, LIVE), finish(), frame(1, LIVE)]).await;
    rig.hold.set(false);
    is(&status, Code::InvalidArgument, "MESSAGE_AFTER_FINISH");
    rig.session_becomes(&accepted(&replies).session_id, SessionState::Expired).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inline_session_needs_leave() {
    let rig = start(|config| config.grpc.inline_sessions = Some(false)).await;
    let mut client = rig.client().await;
    let (_, status) = tell(&mut client, vec![start_inline()]).await;
    is(&status, Code::FailedPrecondition, "INLINE_SESSION_NOT_ALLOWED");
    let made = create(&mut client).await;
    let (replies, status) = tell(&mut client, vec![start_token(&made.session_token), finish()]).await;
    assert_eq!(status.code(), Code::Ok);
    verdict(&replies);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_limit_on_time_ends_the_stream() {
    let rig = start(|config| {
        config.grpc.stream.initial_timeout_ms = 150;
        config.grpc.stream.idle_timeout_ms = 300;
        config.grpc.stream.lifetime_ms = 1000;
        config.policies.insert("test".to_owned(), test_policy(64));
    })
    .await;
    let mut client = rig.client().await;
    let (_, status) = converse(&mut client, tokio_stream::pending()).await;
    is(&status, Code::DeadlineExceeded, "INITIAL_TIMEOUT");

    let idle = tokio_stream::iter([start_inline(), frame(0, LIVE)]).chain(tokio_stream::pending());
    let (replies, status) = converse(&mut client, idle).await;
    is(&status, Code::DeadlineExceeded, "IDLE_TIMEOUT");
    rig.session_becomes(&accepted(&replies).session_id, SessionState::Expired).await;

    let frames = tokio_stream::iter(0..).map(|index| frame(index, LIVE)).throttle(Duration::from_millis(100));
    let busy = tokio_stream::iter([start_inline()]).chain(frames);
    let (replies, status) = converse(&mut client, busy).await;
    is(&status, Code::DeadlineExceeded, "LIFETIME_EXCEEDED");
    rig.session_becomes(&accepted(&replies).session_id, SessionState::Expired).await;
    rig.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_vanishes_expires_its_session() {
    let rig = start(|_| ()).await;
    let made = create(&mut rig.client().await).await;
    rig.hold.set(true);
    let messages = vec![start_token(&made.session_token), frame(0, LIVE), frame(1, LIVE), frame(2, LIVE)];
    let guest = Guest::open(&rig, messages).await;
    // Both workers hold a frame each; the third is not even read.
    rig.hold.wait_for(2).await;
    guest.vanish();
    rig.session_becomes(&made.session_id, SessionState::Expired).await;
    let begun = rig.hold.begun();
    rig.hold.set(false);
    rig.is_well().await;
    assert_eq!(rig.hold.begun(), begun + 1, "the third frame of the client that left was dropped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_reading_is_ended() {
    let rig = start(|config| {
        config.grpc.stream.idle_timeout_ms = 300;
        config.policies.insert("test".to_owned(), test_policy(64));
    })
    .await;
    let made = create(&mut rig.client().await).await;
    // A window of a few bytes that is never widened: the server can send next to nothing.
    let mut deaf = rig.client_with(|endpoint| endpoint.initial_stream_window_size(16)).await;
    let frames = (0..60).map(|index| frame(index, LIVE));
    let messages = std::iter::once(start_token(&made.session_token)).chain(frames);
    let unread = deaf.stream_session(tokio_stream::iter(messages).chain(tokio_stream::pending())).await.unwrap();
    rig.session_becomes(&made.session_id, SessionState::Expired).await;
    let begun = rig.hold.begun();
    assert!(begun < 20, "{begun} frames were judged for a client that reads none of the answers");
    drop(unread);
    rig.is_well().await;
}
