//! What each vendor gets to see of real clips: the video as it came, its best frame, frames of a stream, and a video made of them.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lifesign_core::{
    frame::{Frame, FrameLimits},
    testing::socket::{Answer, Request, SocketServer},
    video::{VideoLimits, probe},
};
use lifesign_e2e::{clips, media, server::Server, tools};
use lifesign_proto::v1::{
    CheckState, Decision, MediaChunk, SessionConfig, StreamSessionRequest, Verdict, stream_session_request as request,
    stream_session_response as response,
};
use serde_json::Value;
use tokio_stream::iter;

use crate::videos::{check, video};

/// All four vendors at one address; each says live.
async fn vendors() -> SocketServer {
    SocketServer::start(|request| match request.target.as_str() {
        "/request-access-token" => Answer::json(200, r#"{"status":true,"result":{"data":{"token":"t"}}}"#),
        "/liveness" => Answer::json(200, r#"{"status":true,"result":{"data":{"reference_id":"R"}}}"#),
        "/result" => Answer::json(
            200,
            r#"{"status":true,"message":"success","result":{"data":{"type":"deepfake","reference_id":"R","client_reference":null,
                "status":1,"deepfake_score":0.9,"decline_code":null,"decline_reason":null,"declined_proof":null}}}"#,
        ),
        "/v1/authorize" => Answer::json(
            200,
            r#"{"access_token":"t","token_type":"bearer","expiry":"2100-01-01T00:00:00Z"}"#,
        ),
        "/v1/liveness-check" => {
            Answer::json(200, r#"{"code":200,"transaction_id":"t","sub_code":"SUCCESS","data":{"is_live":true}}"#)
        }
        "/dmp/liveness/v3" => Answer::json(
            200,
            r#"{"code":"200","message":"request successful.","is_live":true,"prob":"0.006677149","need_to_review":false,
                "is_deepfake":false,"deepfake_prob":"0.0016087113"}"#,
        ),
        path if path.starts_with("/face/v1/deepfake") => Answer::json(
            200,
            r#"{"read":{"deepfake":{"confidence":0.06789,"value":"real"}},"reason":"File Successfully Read","status":"SUCCESS"}"#,
        ),
        _ => Answer::json(404, "{}"),
    })
    .await
    .expect("a socket")
}

/// Asks all four about any capture whose faces were judged. The clips are smaller, and one longer, than FPT.AI documents.
fn configuration(url: &str, frames_needed: u32) -> String {
    format!(
        r#"
default_policy = "asking"
[policies.asking]
version = "1"
required = ["PresentationAttack"]
gate = false
frames_needed = {frames_needed}
[policies.asking.vendors]
strategy = "shadow"
ask = ["facia", "deepvue", "glair", "fpt"]
[vendors.facia]
base_url = "{url}"
client_id = "me"
client_secret = "canary-facia-secret"
[vendors.deepvue]
base_url = "{url}"
client_id = "me"
client_secret = "canary-deepvue-secret"
http.rate = [{{ calls = 100, per_ms = 1000 }}]
[vendors.glair]
base_url = "{url}"
username = "canary-glair-user"
password = "canary-glair-password"
api_key = "canary-glair-key"
[vendors.fpt]
base_url = "{url}"
api_key = "canary-fpt-key"
media.max_video_ms = 60000
media.min_short_side = 100
media.min_long_side = 100
"#
    )
}

/// A server on the built-in pack that asks those vendors.
fn server(folder: &Path, url: &str, frames_needed: u32) -> Server {
    let file = folder.join("lifesign.toml");
    fs::write(&file, configuration(url, frames_needed)).expect("a file");
    Server::start(["--config".as_ref(), file.as_os_str(), "--log-level".as_ref(), "trace".as_ref()])
}

/// The last upload to this path.
fn upload(vendors: &SocketServer, path: &str) -> Request {
    let found =
        vendors.requests().into_iter().rev().find(|request| request.target == path && request.body.len() > 1000);
    found.unwrap_or_else(|| panic!("nothing was uploaded to {path}"))
}

fn json(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("JSON")
}

/// The bytes of a multipart body's only file.
fn part(request: &Request) -> &[u8] {
    let body = &request.body;
    let find = |what: &[u8], from: usize| {
        body[from..].windows(what.len()).position(|window| window == what).map(|at| from + at)
    };
    let boundary =
        request.header("content-type").and_then(|value| value.split("boundary=").nth(1)).expect("a boundary");
    let start =
        find(b"\r\n\r\n", find(b"name=\"video\"", 0).expect("the field")).expect("the part's end of headers") + 4;
    let end = find(format!("\r\n--{boundary}").as_bytes(), start).expect("the part's end");
    &body[start..end]
}

fn outcomes(verdict: &Verdict) -> BTreeMap<&str, (&str, &str)> {
    verdict
        .vendor_results
        .iter()
        .map(|result| (result.vendor.as_str(), (result.outcome.as_str(), result.detail.as_str())))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_goes_as_it_came_and_its_best_frame_as_a_picture() {
    let test = "vendor_media::a_video_goes_as_it_came_and_its_best_frame_as_a_picture";
    let Some(shared) = media::shared(test) else { return };
    let (vendors, folder) = (vendors().await, tempfile::tempdir().expect("a folder"));
    let server = server(folder.path(), &vendors.url(), 5);
    let clip = fs::read(shared.join("media/video/tran_live.mp4")).expect("a clip");
    let verdict = check(&mut server.client().await, video(clip.clone(), "video/mp4")).await.expect("a verdict");
    assert!(matches!(verdict.decision(), Decision::Accept | Decision::Reject), "{:?}", verdict.diagnostics);
    let live = ("LIVE", "");
    let all = BTreeMap::from([("facia", live), ("deepvue", live), ("glair", live), ("fpt", live)]);
    assert_eq!(outcomes(&verdict), all, "{:?}", verdict.diagnostics);

    let file = json(&upload(&vendors, "/liveness"));
    assert_eq!(file["file_type"], "video");
    assert_eq!(file["file"].as_str().map(str::len), Some(clip.len().div_ceil(3) * 4), "the whole clip in base64");
    assert_eq!(part(&upload(&vendors, "/face/v1/deepfake")), clip, "to the byte");
    assert_eq!(part(&upload(&vendors, "/dmp/liveness/v3")), clip, "to the byte");
    let picture = base64_decoded(json(&upload(&vendors, "/v1/liveness-check"))["image"].as_str().expect("a text"));
    let frame = Frame::decode(&picture, None, &FrameLimits::default()).expect("a picture");
    let info = probe(&clip, &VideoLimits::default()).expect("a video");
    assert_eq!((frame.width(), frame.height()), (info.width, info.height));

    // The most talkative log of all this has no credential, in whatever form it travels, and no picture.
    let log = server.log_with("vendors=\"facia:").await;
    let basic = STANDARD.encode("canary-glair-user:canary-glair-password");
    for secret in ["canary-", basic.as_str(), "/9j/"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    let longest = log.lines().map(str::len).max().unwrap_or_default();
    assert!(longest < 2_000, "a line of {longest} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_that_a_vendor_does_not_take_becomes_pictures() {
    let test = "vendor_media::a_video_that_a_vendor_does_not_take_becomes_pictures";
    let Some(shared) = media::shared(test) else { return };
    if !tools::has(test, "ffmpeg", &["-version"]) {
        return;
    }
    let (vendors, folder) = (vendors().await, tempfile::tempdir().expect("a folder"));
    let server = server(folder.path(), &vendors.url(), 5);
    let clip = fs::read(shared.join("media/video/apfol_live.webm")).expect("a clip");
    let verdict = check(&mut server.client().await, video(clip.clone(), "video/webm")).await.expect("a verdict");
    let live = ("LIVE", "");
    let all = BTreeMap::from([("facia", live), ("deepvue", live), ("glair", live), ("fpt", live)]);
    assert_eq!(outcomes(&verdict), all, "{:?}", verdict.diagnostics);

    // FPT.AI takes WebM; FACIA and GLAIR take MP4 alone, and GLAIR no single picture.
    assert_eq!(part(&upload(&vendors, "/dmp/liveness/v3")), clip, "to the byte");
    let file = json(&upload(&vendors, "/liveness"));
    assert!(file.get("file_type").is_none(), "a picture is no video");
    let info = probe(&clip, &VideoLimits::default()).expect("a video");
    let list = json(&upload(&vendors, "/face/v1/deepfake/images"));
    let list = list["frames"].as_array().expect("a list");
    assert!(list.len() > 1, "{} frames", list.len());
    for text in list.iter().chain([&file["file"]]) {
        let picture = base64_decoded(text.as_str().expect("a text"));
        let frame = Frame::decode(&picture, None, &FrameLimits::default()).expect("a picture");
        assert_eq!((frame.width(), frame.height()), (info.width, info.height));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_becomes_a_picture_a_list_and_a_video() {
    let test = "vendor_media::a_stream_becomes_a_picture_a_list_and_a_video";
    let Some(shared) = media::shared(test) else { return };
    if !tools::has(test, "ffmpeg", &["-version"]) {
        return;
    }
    let (vendors, folder) = (vendors().await, tempfile::tempdir().expect("a folder"));
    let server = server(folder.path(), &vendors.url(), 64);
    // Ten a second for six and a half seconds.
    let frames = clips::frames(&shared.join("media/video/tran_live.mp4"), 10, 65);
    let session = request::start::Session::Config(SessionConfig::default());
    let mut messages = vec![request::Message::Start(request::Start { session: Some(session) })];
    messages.extend((0..).zip(&frames).map(|(index, jpeg)| {
        let capture_time = prost_types::Duration::try_from(Duration::from_millis(100 * index)).ok();
        let data = jpeg.clone().into();
        request::Message::Chunk(MediaChunk { frame_index: index, data, last: true, capture_time, ..Default::default() })
    }));
    messages.push(request::Message::Finish(request::Finish {}));
    let messages = messages.into_iter().map(|message| StreamSessionRequest { message: Some(message) });
    let mut client = server.client().await;
    let mut replies = client.stream_session(iter(messages.collect::<Vec<_>>())).await.expect("a stream").into_inner();
    let mut verdict = None;
    while let Some(reply) = replies.message().await.expect("no fault") {
        if let Some(response::Message::Verdict(end)) = reply.message {
            verdict = Some(end);
        }
    }
    let verdict = verdict.expect("a verdict");
    assert!(
        verdict.vendor_results.iter().all(|result| result.state() != CheckState::Error),
        "{:?}",
        verdict.diagnostics
    );
    let live = ("LIVE", "");
    let all = BTreeMap::from([("facia", live), ("deepvue", live), ("glair", live), ("fpt", live)]);
    assert_eq!(outcomes(&verdict), all, "{:?}", verdict.diagnostics);

    // The best frame, as it was compressed by the client.
    let best =
        frames.get(usize::try_from(verdict.best_frame_index.expect("a best frame")).expect("small")).expect("it came");
    let sent = base64_decoded(json(&upload(&vendors, "/v1/liveness-check"))["image"].as_str().expect("a text"));
    let pixels = |data: &[u8]| Frame::decode(data, None, &FrameLimits::default()).expect("a picture").rgb().to_vec();
    assert_eq!(pixels(&sent), pixels(best));

    let list = json(&upload(&vendors, "/face/v1/deepfake/images"));
    let list = list["frames"].as_array().expect("a list");
    assert!((2..=16).contains(&list.len()), "{}", list.len());
    assert!(upload(&vendors, "/face/v1/deepfake/images").body.len() <= 6_000_000);

    let upload = upload(&vendors, "/dmp/liveness/v3");
    let made = probe(part(&upload), &VideoLimits::default()).expect("a video that is understood");
    assert!((6.0..7.0).contains(&made.duration.as_secs_f64()), "{:?}: real time is kept", made.duration);
    assert!(made.frames >= 150, "{} frames, 25 a second", made.frames);
}

fn base64_decoded(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("base64")
}
