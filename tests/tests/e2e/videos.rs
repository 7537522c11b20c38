//! Real clips through the real server: live ones accepted, replays rejected, alike by both doors; what is no video refused.

use std::{collections::BTreeMap, fs, time::Instant};

use lifesign_e2e::{clips, tools};
use lifesign_proto::v1::{
    CheckMediaRequest, Decision, MediaChunk, SessionConfig, StreamSessionRequest, Verdict, Video,
    check_media_request::Media, liveness_service_client::LivenessServiceClient, stream_session_request as request,
    stream_session_response as response,
};
use serde_json::json;
use tokio_stream::iter;
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

use crate::{
    grpcurl::{base64, grpcurl, ready},
    open_server,
};

pub(crate) type Client = LivenessServiceClient<Channel>;

/// The clips that were recorded for the purpose, and what they are.
pub(crate) const CLIPS: [(&str, &str, Decision); 4] = [
    ("tran_live.mp4", "video/mp4", Decision::Accept),
    ("apfol_live.webm", "video/webm", Decision::Accept),
    ("tran_replay.mp4", "video/mp4", Decision::Reject),
    ("apfol_replay.webm", "video/webm", Decision::Reject),
];

pub(crate) fn video(data: Vec<u8>, media_type: &str) -> CheckMediaRequest {
    let video = Video { data: data.into(), media_type: media_type.to_owned() };
    CheckMediaRequest { media: Some(Media::Video(video)), ..Default::default() }
}

pub(crate) async fn check(client: &mut Client, request: CheckMediaRequest) -> Result<Verdict, Status> {
    Ok(client.check_media(request).await?.into_inner().verdict.expect("a verdict"))
}

/// `start` and a video in chunks of 64 KiB.
pub(crate) fn messages(clip: &[u8], media_type: &str) -> Vec<StreamSessionRequest> {
    let session = request::start::Session::Config(SessionConfig::default());
    let mut all = vec![request::Message::Start(request::Start { session: Some(session) })];
    let mut offset = 0;
    for part in clip.chunks(64 << 10) {
        all.push(request::Message::Chunk(MediaChunk {
            offset: offset as u64,
            data: part.to_vec().into(),
            last: offset + part.len() == clip.len(),
            media_type: media_type.to_owned(),
            ..Default::default()
        }));
        offset += part.len();
    }
    all.into_iter().map(|message| StreamSessionRequest { message: Some(message) }).collect()
}

async fn stream(client: &mut Client, clip: &[u8], media_type: &str) -> (Verdict, u32) {
    let mut replies = client.stream_session(iter(messages(clip, media_type))).await.expect("a stream").into_inner();
    let (mut verdict, mut progress) = (None, 0);
    while let Some(reply) = replies.message().await.expect("no fault") {
        match reply.message.expect("a message") {
            response::Message::Verdict(end) => verdict = Some(end),
            response::Message::Progress(_) => progress += 1,
            response::Message::Accepted(_) | response::Message::Feedback(_) => {}
        }
    }
    (verdict.expect("a verdict"), progress)
}

fn scores(verdict: &Verdict) -> BTreeMap<&str, f32> {
    verdict.checks.iter().filter_map(|check| Some((check.id.as_str(), check.score?))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn live_clips_are_accepted_and_replays_rejected_alike_by_both_doors() {
    let test = "videos::live_clips_are_accepted_and_replays_rejected_alike_by_both_doors";
    if !tools::has(test, "ffmpeg", &["-version"]) {
        return;
    }
    let Some(open) = open_server(test, &[]) else { return };
    let mut client = open.server.client().await;
    for (name, media_type, decision) in CLIPS {
        let clip = fs::read(open.shared.join("media/video").join(name)).expect("a clip");
        let whole = check(&mut client, video(clip.clone(), "")).await.expect("a verdict");
        let said = |verdict: &Verdict| {
            let scores = scores(verdict);
            format!("{name}: {:?} {:?} {scores:?} {:?}", verdict.decision(), verdict.frames, verdict.diagnostics)
        };
        println!("{}", said(&whole));
        assert_eq!(whole.decision(), decision, "{}", said(&whole));
        let frames = whole.frames.expect("counts");
        assert_eq!(whole.timeline.len(), frames.analysed as usize);
        assert!(whole.timeline.iter().all(|frame| frame.capture_time.is_some()), "{name}");

        let (streamed, progress) = stream(&mut client, &clip, media_type).await;
        assert_eq!(streamed.decision(), decision, "{}", said(&streamed));
        assert_eq!(progress, frames.judged, "{name}");
        let (ours, theirs) = (scores(&whole), scores(&streamed));
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
        for (id, score) in ours {
            assert!((score - theirs[id]).abs() <= 1e-4, "{name}: {id}: {score} and {}", theirs[id]);
        }
    }
    // What was looked at is in the log, and nothing that shows it.
    let log = open.server.log();
    assert!(log.lines().any(|line| line.contains("method=\"CheckMedia\"") && line.contains("frames=64")), "{log}");
}

#[test]
fn grpcurl_sends_a_video() {
    let test = "videos::grpcurl_sends_a_video";
    if !ready(test) {
        return;
    }
    let Some(open) = open_server(test, &[]) else { return };
    let clip = fs::read(open.shared.join("media/video/tran_replay.mp4")).expect("a clip");
    let request = json!({"video": {"data": base64(&clip), "mediaType": "video/mp4"}}).to_string();
    let replies = grpcurl(&open.server.address, "lifesign.v1.LivenessService/CheckMedia", &request).expect("OK");
    assert_eq!(replies[0]["verdict"]["decision"], "DECISION_REJECT");
    let capabilities = grpcurl(&open.server.address, "lifesign.v1.LivenessService/GetCapabilities", "{}").expect("OK");
    let limits = &capabilities[0]["limits"];
    assert_eq!(limits["video"]["maxBytes"], "33554432");
    assert_eq!(limits["video"]["codecs"][0], "H264");
    let policies = capabilities[0]["policies"].as_array().expect("policies");
    assert!(policies.iter().all(|policy| policy["referenceDecides"] == true), "the open pack's threshold decides");
    let request = json!({"video": {"data": base64(&clip[..clip.len() / 2])}}).to_string();
    let error = grpcurl(&open.server.address, "lifesign.v1.LivenessService/CheckMedia", &request).expect_err("cut off");
    assert!(error.contains("InvalidArgument") && error.contains("video.data"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_acceptable_video_is_refused_by_name() {
    let test = "videos::what_is_no_acceptable_video_is_refused_by_name";
    if !tools::has(test, "ffmpeg", &["-version"]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let settings = folder.path().join("lifesign.toml");
    fs::write(&settings, "[video]\nffmpeg = \"off\"\n").expect("a file");
    let Some(open) = open_server(test, &["--config", settings.to_str().expect("UTF-8")]) else { return };
    let mut client = open.server.client().await;
    let source = open.shared.join("media/video/tran_live.mp4");
    let clip = fs::read(&source).expect("a clip");
    let webm = fs::read(open.shared.join("media/video/apfol_live.webm")).expect("a clip");
    // Ten minutes of 4K, at a frame every ten seconds.
    let long = clips::made_of(
        &source,
        "-map 0:v -frames:v 60 -vf setpts=N*10/TB,scale=3840:2160 -fps_mode passthrough -c:v libx264 -preset ultrafast -qp 51",
        "mp4",
    );
    let mut garbage = clip.clone();
    garbage[clip.len() / 3..].fill(0x55);
    let table = [
        ("empty", vec![], "", "MEDIA_EMPTY"),
        ("cut off", clip[..clip.len() / 2].to_vec(), "", "VIDEO_TRUNCATED"),
        ("noise", vec![0x55; 100_000], "", "MEDIA_FORMAT_UNKNOWN"),
        ("a picture's type", clip.clone(), "image/jpeg", "MEDIA_TYPE_UNSUPPORTED"),
        ("another container", clip.clone(), "video/webm", "MEDIA_TYPE_MISMATCH"),
        ("33 MiB", vec![0; 33 << 20], "", "MEDIA_TOO_LARGE"),
        ("ten minutes of 4K", long, "", "VIDEO_TOO_LONG"),
        ("VP8 without ffmpeg", webm, "", "VIDEO_CODEC_UNSUPPORTED"),
    ];
    for (name, data, media_type, reason) in table {
        let asked = Instant::now();
        let status = check(&mut client, video(data, media_type)).await.expect_err(name);
        let took = asked.elapsed();
        assert_eq!(status.code(), Code::InvalidArgument, "{name}: {status:?}");
        assert_eq!(status.get_details_error_info().expect("ErrorInfo").reason, reason, "{name}: {status:?}");
        assert!(took.as_secs_f64() < 1.0, "{name}: {took:?}");
        println!("{name}: {} ({took:.0?})", status.message());
        if reason == "VIDEO_CODEC_UNSUPPORTED" {
            for word in ["VP8", "is switched off", "install ffmpeg", "H.264"] {
                assert!(status.message().contains(word), "{word} is not in: {}", status.message());
            }
        }
    }
    // Damage in the middle is never a shorter video.
    let status = check(&mut client, video(garbage, "")).await.expect_err("damaged");
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    println!("damaged: {}", status.message());
    assert_eq!(check(&mut client, video(clip, "video/mp4")).await.expect("a verdict").decision(), Decision::Accept);
}
