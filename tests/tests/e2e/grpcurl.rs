//! A backend engineer tries the service with grpcurl, nothing prepared: reflection, one image, two streams.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use lifesign_e2e::{clips, media, tools};
use serde_json::{Value, json};

use crate::open_server;

/// Runs grpcurl with `input` as the request and returns what it printed, one JSON document a message.
pub(crate) fn grpcurl(address: &str, method: &str, input: &str) -> Result<Vec<Value>, String> {
    let mut child = Command::new("grpcurl")
        .args(["-plaintext", "-max-time", "60", "-max-msg-sz", "67108864", "-d", "@", address, method])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("grpcurl starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    // grpcurl may stop reading before all is written, when the verdict comes early: a broken pipe is then no fault.
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(input.as_bytes());
    });
    let output = child.wait_with_output().expect("grpcurl ends");
    writer.join().expect("the writer ends");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let messages = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    Ok(messages.map(|message| message.expect("grpcurl prints JSON")).collect())
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let sextet = (word >> (18 - 6 * place)) & 63;
            text.push(if place <= group.len() { char::from(ALPHABET[sextet as usize]) } else { '=' });
        }
    }
    text
}

/// The messages of a stream: start, every frame in one chunk, finish.
fn stream(frames: &[Vec<u8>]) -> String {
    let mut input = json!({"start": {"config": {"policy": ""}}}).to_string();
    for (index, frame) in frames.iter().enumerate() {
        let chunk = json!({"chunk": {
            "frameIndex": index, "data": base64(frame), "last": true, "mediaType": "image/jpeg",
            "captureTime": format!("{:.3}s", index as f64 / 5.0),
        }});
        input.push_str(&chunk.to_string());
    }
    input.push_str(&json!({"finish": {}}).to_string());
    input
}

pub(crate) fn ready(test: &str) -> bool {
    tools::has(test, "grpcurl", &["-version"])
}

#[test]
fn reflection_lists_the_services() {
    let test = "grpcurl::reflection_lists_the_services";
    if !ready(test) {
        return;
    }
    let Some(open) = open_server(test, &[]) else { return };
    let list = Command::new("grpcurl").args(["-plaintext", &open.server.address, "list"]).output().expect("grpcurl");
    let list = String::from_utf8(list.stdout).expect("UTF-8");
    for service in ["lifesign.v1.LivenessService", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"] {
        assert!(list.lines().any(|line| line == service), "{service} is not in\n{list}");
    }
    let capabilities = grpcurl(&open.server.address, "lifesign.v1.LivenessService/GetCapabilities", "{}");
    let capabilities = &capabilities.expect("OK")[0];
    assert_eq!(capabilities["pack"]["assurance"], "ASSURANCE_OPEN");
    assert_eq!(capabilities["runtime"]["name"], "onnxruntime");
    assert_eq!(capabilities["models"].as_array().map(Vec::len), Some(8));
}

#[test]
fn check_media_judges_a_real_jpeg() {
    let test = "grpcurl::check_media_judges_a_real_jpeg";
    if !ready(test) {
        return;
    }
    let Some(open) = open_server(test, &[]) else { return };
    for (folder, file, state) in
        [("live", "minivision_T1.jpg", "CHECK_STATE_PASSED"), ("replay", "minivision_F2.jpg", "CHECK_STATE_FAILED")]
    {
        let bytes = std::fs::read(open.shared.join("media").join(folder).join(file)).expect("the image");
        let request = json!({
            "image": {"data": base64(&bytes), "mediaType": "image/jpeg"}, "policy": "presentation-attack-only",
        });
        let replies = grpcurl(&open.server.address, "lifesign.v1.LivenessService/CheckMedia", &request.to_string());
        let verdict = &replies.expect("OK")[0]["verdict"];
        let checks = verdict["checks"].as_array().expect("checks");
        let attack = checks.iter().find(|check| check["id"] == "PresentationAttack").expect("the check");
        assert_eq!(attack["state"], state, "{file}: {verdict}");
    }
}

#[test]
fn streams_accept_the_person_and_reject_the_replay() {
    let test = "grpcurl::streams_accept_the_person_and_reject_the_replay";
    if !ready(test) || !tools::has(test, "ffmpeg", &["-version"]) {
        return;
    }
    let Some(open) = open_server(test, &[]) else { return };
    for (clip, decision) in [
        ("tran_live.mp4", "DECISION_ACCEPT"),
        ("apfol_live.webm", "DECISION_ACCEPT"),
        ("tran_replay.mp4", "DECISION_REJECT"),
        ("apfol_replay.webm", "DECISION_REJECT"),
    ] {
        let frames = clips::frames(&open.shared.join("media/video").join(clip), 5, 12);
        let replies = grpcurl(&open.server.address, "lifesign.v1.LivenessService/StreamSession", &stream(&frames))
            .unwrap_or_else(|error| panic!("{clip}: {error}"));
        assert!(replies.first().is_some_and(|first| first.get("accepted").is_some()), "{clip}: {replies:?}");
        assert!(replies.iter().any(|reply| reply.get("feedback").is_some()), "{clip}: no hints in {replies:?}");
        let verdicts: Vec<_> = replies.iter().filter_map(|reply| reply.get("verdict")).collect();
        assert_eq!(verdicts.len(), 1, "{clip}");
        assert!(replies.last().is_some_and(|last| last.get("verdict").is_some()), "{clip}: the verdict is the last");
        assert_eq!(verdicts[0]["decision"], decision, "{clip}: {}", verdicts[0]);
    }
}

#[test]
fn faults_name_what_was_wrong() {
    let test = "grpcurl::faults_name_what_was_wrong";
    if !ready(test) {
        return;
    }
    let Some(open) = open_server(test, &[]) else { return };
    let error = grpcurl(&open.server.address, "lifesign.v1.LivenessService/CheckMedia", r#"{"image": {"data": ""}}"#)
        .expect_err("an empty image is refused");
    assert!(error.contains("InvalidArgument") && error.contains("image.data"), "{error}");
    let file = media::files(&open.shared.join("media/video"))[0].clone();
    let bytes = std::fs::read(file).expect("a file");
    let request = json!({"image": {"data": base64(&bytes[..4096])}}).to_string();
    let error = grpcurl(&open.server.address, "lifesign.v1.LivenessService/CheckMedia", &request)
        .expect_err("a video is no image");
    assert!(error.contains("InvalidArgument") && error.contains("image/jpeg"), "{error}");
}

#[test]
fn base64_is_the_standard_one() {
    for (plain, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
        assert_eq!(base64(plain.as_bytes()), text);
    }
}
