//! Videos through `CheckMedia` and as the chunks of a stream: judged alike, refused by name, bounded, and let go.

use std::time::{Duration, Instant};

use lifesign_core::policy::{PolicyConfig, Visibility};
use lifesign_proto::v1::{self, Decision, SessionState, stream_session_response as down};
use tokio_stream::StreamExt;
use tonic::{Code, Request};
use tonic_types::StatusExt;

use crate::{
    clips::{self, chunks, mp4, webm},
    harness::*,
};

fn score(verdict: &v1::Verdict) -> f32 {
    let check = verdict.checks.iter().find(|check| check.id == "PresentationAttack");
    check.and_then(|check| check.score).expect("a score")
}

fn started(mut messages: Vec<v1::StreamSessionRequest>) -> Vec<v1::StreamSessionRequest> {
    messages.insert(0, start_inline());
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_is_judged_alike_as_a_whole_and_in_chunks() {
    if !clips::can_be_made("videos::a_video_is_judged_alike_as_a_whole_and_in_chunks") {
        return;
    }
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let table = [
        (mp4(LIVE, 4), "video/mp4", Decision::Accept),
        (mp4(ATTACK, 4), "video/mp4", Decision::Reject),
        (webm(LIVE, 4), "video/webm", Decision::Accept),
    ];
    for (clip, media_type, decision) in table {
        let whole = check_request(&mut client, clips::request(clip.clone(), "")).await.unwrap();
        assert_eq!(whole.decision(), decision, "{media_type}");
        assert_eq!(whole.frames.unwrap().analysed, 20, "five of each second, all of them looked at");
        assert_eq!(whole.timeline.len(), 20);
        let times: Vec<_> = whole.timeline.iter().map(|frame| frame.capture_time.expect("a time")).collect();
        assert!(times.is_sorted_by_key(|time| (time.seconds, time.nanos)) && times[19].seconds == 3, "{times:?}");

        let (replies, status) = tell(&mut client, started(chunks(&clip, media_type, 1000))).await;
        assert_eq!(status.code(), Code::Ok, "{status:?}");
        let streamed = verdict(&replies);
        assert_eq!(streamed.decision(), decision);
        assert!((score(streamed) - score(&whole)).abs() < 1e-4, "{media_type}");
        assert_eq!(streamed.frames, whole.frames);
        let progress: Vec<u32> = replies
            .iter()
            .filter_map(|reply| match reply {
                down::Message::Progress(progress) => Some(progress.judged),
                _ => None,
            })
            .collect();
        assert_eq!(progress, (1..=20).collect::<Vec<_>>());
        assert!(replies.iter().any(|reply| matches!(reply, down::Message::Feedback(_))), "{replies:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verdict_follows_the_last_chunk() {
    if !clips::can_be_made("videos::the_verdict_follows_the_last_chunk") {
        return;
    }
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let clip = mp4(LIVE, 4);
    let parts = started(chunks(&clip, "video/mp4", 700));
    // Neither `finish` nor the end of the client's side is waited for; `finish` may come all the same.
    let endless = tokio_stream::iter(parts.clone()).chain(tokio_stream::pending());
    let (replies, status) = converse(&mut client, endless).await;
    assert_eq!((status.code(), verdict(&replies).decision()), (Code::Ok, Decision::Accept));
    let finished: Vec<_> = parts.into_iter().chain([finish()]).collect();
    let (replies, status) = tell(&mut client, finished).await;
    assert_eq!((status.code(), verdict(&replies).decision()), (Code::Ok, Decision::Accept));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_carries_frames_or_one_video() {
    if !clips::can_be_made("videos::a_stream_carries_frames_or_one_video") {
        return;
    }
    let rig = start(|config| {
        config.video.limits.max_bytes = 20_000;
        config.policies.insert("test".to_owned(), test_policy(8));
    })
    .await;
    let mut client = rig.client().await;
    let clip = mp4(LIVE, 4);
    let parts = |media_type| started(chunks(&clip, media_type, 1000));
    let with = |change: fn(&mut v1::MediaChunk)| {
        let mut messages = parts("video/mp4");
        if let Some(v1::stream_session_request::Message::Chunk(chunk)) = &mut messages[1].message {
            change(chunk);
        }
        messages
    };
    let mut cut = parts("video/mp4");
    cut.pop();
    let mut after_frame = vec![start_inline(), frame(0, LIVE)];
    after_frame.extend(with(|chunk| chunk.frame_index = 1).into_iter().skip(1));
    let large = started(chunks(&vec![0; 20_001], "video/mp4", 10_000));
    let table = [
        ("another type", parts("video/x-flv"), "MEDIA_TYPE_UNSUPPORTED", "chunk.media_type"),
        ("a type that the bytes contradict", parts("video/webm"), "MEDIA_TYPE_MISMATCH", "chunk.data"),
        ("pixels", with(|chunk| chunk.raw = Some(raw())), "MEDIA_TYPE_WITH_RAW", "chunk.raw"),
        ("index 1", with(|chunk| chunk.frame_index = 1), "CHUNK_OUT_OF_ORDER", "chunk.frame_index"),
        ("a video after a frame", after_frame, "VIDEO_NOT_ALONE", "chunk.frame_index"),
        ("too large", large, "MEDIA_TOO_LARGE", "chunk.data"),
        ("cut off", [cut, vec![finish()]].concat(), "FRAME_UNFINISHED", "chunk.last"),
        ("no video", started(chunks(&[7; 5000], "video/mp4", 1000)), "MEDIA_FORMAT_UNKNOWN", "chunk.data"),
    ];
    for (name, messages, reason, path) in table {
        let (replies, status) = tell(&mut client, messages).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{name}: {status:?}");
        is(&status, Code::InvalidArgument, reason);
        assert_eq!(field(&status), path, "{name}");
        assert!(!replies.iter().any(|reply| matches!(reply, down::Message::Verdict(_))), "{name}");
    }
    // The workers are held, so what is late surely comes before the verdict.
    for (late, reason) in [
        (frame(1, LIVE), "VIDEO_NOT_ALONE"),
        (start_inline(), "START_REPEATED"),
        (v1::StreamSessionRequest { message: None }, "MESSAGE_EMPTY"),
    ] {
        rig.hold.set(true);
        let (_, status) = tell(&mut client, parts("video/mp4").into_iter().chain([late]).collect()).await;
        rig.hold.set(false);
        is(&status, Code::InvalidArgument, reason);
    }
    rig.hold.set(true);
    let messages = parts("video/mp4").into_iter().chain([finish(), frame(1, LIVE)]).collect();
    let (_, status) = tell(&mut client, messages).await;
    rig.hold.set(false);
    is(&status, Code::InvalidArgument, "MESSAGE_AFTER_FINISH");
    rig.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_videos_are_refused_by_field() {
    if !clips::can_be_made("videos::broken_videos_are_refused_by_field") {
        return;
    }
    let rig = start(|config| config.video.ffmpeg = "off".to_owned()).await;
    let mut client = rig.client().await;
    let clip = mp4(LIVE, 4);
    let sound = clips::make("-f lavfi -i sine=d=1 -c:a aac", "mp4");
    let table = [
        (vec![], "", "MEDIA_EMPTY", "video.data"),
        (vec![9; 50_000], "", "MEDIA_FORMAT_UNKNOWN", "video.data"),
        (PORTRAIT.to_vec(), "", "MEDIA_FORMAT_UNKNOWN", "video.data"),
        (clip.clone(), "video/webm", "MEDIA_TYPE_MISMATCH", "video.data"),
        (clip.clone(), "image/jpeg", "MEDIA_TYPE_UNSUPPORTED", "video.media_type"),
        (clip[..clip.len() - 500].to_vec(), "", "VIDEO_TRUNCATED", "video.data"),
        (sound, "", "VIDEO_NO_TRACK", "video.data"),
        (vec![0; (33 << 20) + 5], "", "MEDIA_TOO_LARGE", "video.data"),
        (webm(LIVE, 4), "", "VIDEO_CODEC_UNSUPPORTED", "video.data"),
    ];
    for (clip, media_type, reason, path) in table {
        let status = check_request(&mut client, clips::request(clip, media_type)).await.unwrap_err();
        is(&status, Code::InvalidArgument, reason);
        assert_eq!(field(&status), path);
    }
    let status = check_request(&mut client, clips::request(webm(LIVE, 4), "")).await.unwrap_err();
    for word in ["VP9", "is switched off", "install ffmpeg", "H.264"] {
        assert!(status.message().contains(word), "{word} is not in: {}", status.message());
    }
    let status = check_request(&mut client, clips::request(vec![0; 33 << 20], "")).await.unwrap_err();
    let info = status.get_details_error_info().unwrap();
    assert_eq!((info.metadata["limit"].as_str(), info.metadata["actual"].as_str()), ("33554432", "34603008"));
    rig.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_video_is_refused_by_its_header_even_where_all_decoders_are_busy() {
    let test = "videos::a_long_video_is_refused_by_its_header_even_where_all_decoders_are_busy";
    if !clips::can_be_made(test) {
        return;
    }
    let rig = start(|config| config.video.max_videos = 1).await;
    let mut client = rig.client().await;
    // Ten minutes of 4K.
    let long = clips::make(
        "-f lavfi -i color=c=gray:s=3840x2160:r=1/10:d=600 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
        "mp4",
    );
    rig.hold.set(true);
    let mut other = client.clone();
    let busy = tokio::spawn(async move { check_request(&mut other, clips::request(mp4(LIVE, 4), "")).await });
    rig.hold.wait_for(1).await;
    let asked = Instant::now();
    let status = check_request(&mut client, clips::request(long, "video/mp4")).await.unwrap_err();
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    is(&status, Code::InvalidArgument, "VIDEO_TOO_LONG");
    let info = status.get_details_error_info().unwrap();
    assert_eq!((info.metadata["limit"].as_str(), info.metadata["actual"].as_str()), ("60.000", "600.000"));
    rig.hold.set(false);
    assert_eq!(busy.await.unwrap().unwrap().decision(), Decision::Accept);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_waits_for_a_decoder_and_is_told_in_time_that_none_is_free() {
    let test = "videos::a_video_waits_for_a_decoder_and_is_told_in_time_that_none_is_free";
    if !clips::can_be_made(test) {
        return;
    }
    let rig = start(|config| {
        config.engine.workers = 1;
        config.video.max_videos = 1;
    })
    .await;
    let client = rig.client().await;
    let clip = mp4(LIVE, 4);
    rig.hold.set(true);
    let call = || {
        let (mut client, request) = (client.clone(), clips::request(clip.clone(), ""));
        tokio::spawn(async move { check_request(&mut client, request).await })
    };
    let at_work = call();
    rig.hold.wait_for(1).await;
    let waiting = call();
    let mut request = Request::new(clips::request(clip.clone(), ""));
    request.metadata_mut().insert("grpc-timeout", "1S".parse().unwrap());
    let asked = Instant::now();
    let status = client.clone().check_media(request).await.unwrap_err();
    is(&status, Code::ResourceExhausted, "TOO_MUCH_AT_ONCE");
    assert!(asked.elapsed() < Duration::from_secs(1), "while the caller still listens");
    assert!(status.get_details_retry_info().is_some());
    assert_eq!(status.get_details_quota_failure().unwrap().violations[0].subject, "videos being decoded");
    assert_eq!(rig.hold.begun(), 1, "the decoder is at most two frames ahead, and there is one worker");
    rig.hold.set(false);
    for call in [at_work, waiting] {
        assert_eq!(call.await.unwrap().unwrap().decision(), Decision::Accept);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_vanishes_frees_its_decoder() {
    if !clips::can_be_made("videos::a_client_that_vanishes_frees_its_decoder") {
        return;
    }
    let rig = start(|config| {
        config.engine.workers = 1;
        config.video.max_videos = 1;
    })
    .await;
    rig.hold.set(true);
    let guest = Guest::open(&rig, started(chunks(&webm(LIVE, 4), "video/webm", 1000))).await;
    rig.hold.wait_for(1).await;
    let id = guest.session_id.clone();
    guest.vanish();
    rig.session_becomes(&id, SessionState::Expired).await;
    rig.hold.set(false);
    // The one decoder is free again, and none of the frames that were left has been looked at.
    let verdict = check_request(&mut rig.client().await, clips::request(mp4(LIVE, 4), "")).await.unwrap();
    assert_eq!(verdict.decision(), Decision::Accept);
    assert_eq!(rig.hold.begun(), 1 + 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn videos_on_streams_share_the_budget_of_media() {
    if !clips::can_be_made("videos::videos_on_streams_share_the_budget_of_media") {
        return;
    }
    let clip = mp4(LIVE, 4);
    let bytes = clip.len() as u64;
    let rig = start(|config| {
        config.limits.max_bytes = bytes;
        config.video.limits.max_bytes = bytes;
        // Each chunk is rounded up to a kibibyte; two clips do not fit.
        config.grpc.max_stream_media_bytes = bytes + bytes / 2;
    })
    .await;
    rig.hold.set(true);
    let guest = Guest::open(&rig, started(chunks(&clip, "video/mp4", 1024))).await;
    rig.hold.wait_for(1).await;
    // It has come whole, and counts until it is decoded.
    let (_, status) = tell(&mut rig.client().await, started(chunks(&clip, "video/mp4", 1024))).await;
    is(&status, Code::ResourceExhausted, "TOO_MUCH_AT_ONCE");
    let id = guest.session_id.clone();
    guest.vanish();
    rig.session_becomes(&id, SessionState::Expired).await;
    rig.hold.set(false);
    let (replies, status) = tell(&mut rig.client().await, started(chunks(&clip, "video/mp4", 1024))).await;
    assert_eq!((status.code(), verdict(&replies).decision()), (Code::Ok, Decision::Accept));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_sees_no_timeline() {
    if !clips::can_be_made("videos::a_device_sees_no_timeline") {
        return;
    }
    let rig = start(|config| {
        let reserved = PolicyConfig { reasons: Visibility::Quality, ..test_policy(3) };
        config.policies.insert("test".to_owned(), reserved);
    })
    .await;
    let mut client = rig.client().await;
    let made = create(&mut client).await;
    let mut messages = chunks(&mp4(LIVE, 4), "video/mp4", 1000);
    messages.insert(0, start_token(&made.session_token));
    let (replies, status) = tell(&mut client, messages).await;
    assert_eq!(status.code(), Code::Ok, "{status:?}");
    assert_eq!(verdict(&replies).timeline, []);
    let request = v1::GetSessionRequest { session_id: made.session_id };
    let kept = client.get_session(request).await.unwrap().into_inner().session.unwrap().verdict.unwrap();
    assert_eq!(kept.timeline.len(), 20, "the backend reads all of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_video_is_not_judged_again() {
    if !clips::can_be_made("videos::a_repeated_video_is_not_judged_again") {
        return;
    }
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let request_id = uuid::Uuid::new_v4().to_string();
    let request = |grey| v1::CheckMediaRequest { request_id: request_id.clone(), ..clips::request(mp4(grey, 4), "") };
    let first = check_request(&mut client, request(LIVE)).await.unwrap();
    assert_eq!(check_request(&mut client, request(LIVE)).await.unwrap(), first);
    assert_eq!(rig.hold.begun(), 20);
    let status = check_request(&mut client, request(ATTACK)).await.unwrap_err();
    is(&status, Code::InvalidArgument, "REQUEST_ID_REUSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn capabilities_say_what_videos_are_taken() {
    let rig = start(|config| {
        config.video.ffmpeg = "off".to_owned();
        config.video.limits.max_bytes = 1 << 20;
        config.video.max_sampled_frames = 70;
    })
    .await;
    let said = rig.client().await.get_capabilities(v1::GetCapabilitiesRequest {}).await.unwrap().into_inner();
    let limits = said.limits.unwrap();
    for media_type in ["image/jpeg", "video/mp4", "video/quicktime", "video/x-matroska", "video/webm"] {
        assert!(limits.media_types.iter().any(|known| known == media_type), "{media_type}");
    }
    let video = limits.video.unwrap();
    assert_eq!((video.max_bytes, video.max_sampled_frames), (1 << 20, 70));
    assert_eq!(video.codecs, ["H264"]);
    assert_eq!(video.max_duration.unwrap().seconds, 60);
}
