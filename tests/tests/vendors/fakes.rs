//! The stand-ins themselves: each turns away what its vendor's page does not take, in the page's own words.

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lifesign_core::testing::socket::{Answer, Request};
use lifesign_e2e::{
    media::repository,
    vendors::{FAKES, Kind, Script},
};
use serde_json::{Value, json};

/// A stand-in without a socket.
struct Desk {
    kind: &'static Kind,
    script: Script,
    headers: Vec<(String, String)>,
}

impl Desk {
    fn of(id: &str) -> Self {
        let kind = FAKES.iter().copied().find(|kind| kind.id == id).expect("a stand-in");
        Self { kind, script: Script::default(), headers: Vec::new() }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    fn setting(&self, name: &str) -> String {
        (self.kind.settings)()[name].as_str().expect("a text").to_owned()
    }

    /// The status of the reply and its body, where that is JSON.
    fn ask(&self, target: &str, content_type: &str, body: impl Into<Vec<u8>>) -> (u16, Value) {
        let mut headers = self.headers.clone();
        headers.push(("Content-Type".into(), content_type.into()));
        let request = Request { method: "POST".into(), target: target.into(), headers, body: body.into() };
        match self.kind.answer(&self.script, &request) {
            Answer::Reply(status, _, body) => (status, serde_json::from_slice(&body).unwrap_or(Value::Null)),
            other => panic!("{other:?}"),
        }
    }

    fn json(&self, target: &str, body: Value) -> (u16, Value) {
        self.ask(target, "application/json", body.to_string())
    }

    /// A form with files: name, the file's name, its bytes. A field without a file has none.
    fn form(&self, target: &str, fields: &[(&str, Option<&str>, &[u8])]) -> (u16, Value) {
        let mut body = Vec::new();
        for (name, file, data) in fields {
            let file = file.map_or(String::new(), |file| format!("; filename=\"{file}\""));
            let head = format!("--b0\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
            body.extend([head.as_bytes(), data, b"\r\n"].concat());
        }
        body.extend(b"--b0--\r\n");
        self.ask(target, "multipart/form-data; boundary=b0", body)
    }
}

fn photo() -> Vec<u8> {
    fs::read(repository().join("samples/tiny.jpg")).expect("a sample")
}

fn clip() -> Vec<u8> {
    fs::read(repository().join("core/tests/video_fixtures/h264_aac.mp4")).expect("a fixture")
}

/// The body with one member changed, or without it.
fn but(body: &Value, name: &str, value: Option<Value>) -> Value {
    let mut body = body.clone();
    let members = body.as_object_mut().expect("an object");
    match value {
        Some(value) => members.insert(name.into(), value),
        None => members.remove(name),
    };
    body
}

#[test]
fn facia_gives_tokens_for_either_kind_of_credentials() {
    let desk = Desk::of("facia");
    let (id, secret, password) = (desk.setting("client_id"), desk.kind.secrets[0], desk.kind.secrets[1]);
    let ask = |body| desk.json("/request-access-token", body);
    for (body, status) in [
        (json!({"client_id": id, "client_secret": secret}), 200),
        (json!({"email": "someone@example.org", "password": password}), 200),
        (json!({"client_id": id, "client_secret": "another"}), 401),
        (json!({"client_id": "another", "client_secret": secret}), 401),
        (json!({"email": "someone@example.org", "password": secret}), 401),
        (json!({"client_id": id}), 402),
        (json!({"email": "someone@example.org"}), 402),
        (json!({}), 402),
        (json!([]), 400),
    ] {
        assert_eq!(ask(body.clone()).0, status, "{body}");
    }
    assert_eq!(desk.script.counts().tokens, 9);
    let (_, reply) = ask(json!({"client_id": id, "client_secret": secret}));
    let token = reply.pointer("/result/data/token").and_then(Value::as_str).expect("a token").to_owned();
    let upload =
        json!({"type": "liveness", "file": STANDARD.encode(photo()), "detect_deepfake": 1, "offsite_liveness": 1});
    assert_eq!(desk.json("/liveness", upload.clone()).0, 401, "without a token");
    let desk = desk.with("Authorization", &format!("Bearer {token}"));
    let (status, reply) = desk.json("/liveness", upload);
    assert_eq!((status, &reply["message"]), (200, &json!("Transaction Created")));
    let reference = &reply["result"]["data"]["reference_id"];
    let (status, reply) = desk.json("/result", json!({"reference_id": reference}));
    assert_eq!((status, &reply["result"]["data"]["status"]), (200, &json!(1)));
    assert_eq!(desk.json("/result", json!({"reference_id": "W4437KIWN0KDM13"})).0, 404);
    assert_eq!(desk.json("/result", json!({})).0, 402);
}

#[test]
fn facia_takes_what_its_page_takes() {
    let desk = Desk::of("facia");
    let secret = desk.kind.secrets[0];
    let desk = desk.with("client-secret", secret);
    let (jpeg, mp4) = (STANDARD.encode(photo()), STANDARD.encode(clip()));
    let good = json!({
        "type": "liveness", "file": jpeg, "detect_deepfake": 1, "offsite_liveness": 1, "client_reference": "123asd1123",
    });
    for (name, value, status) in [
        ("type", Some(json!("liveness")), 200),
        ("type", Some(json!("document")), 400),
        ("type", None, 402),
        ("file", Some(json!(format!("data:image/jpeg;base64,{jpeg}"))), 200),
        ("file", Some(json!("file.jpg")), 402),
        ("file", Some(json!(STANDARD.encode("no picture"))), 400),
        ("file", None, 402),
        ("detect_deepfake", Some(json!(true)), 200),
        ("detect_deepfake", Some(json!(0)), 400),
        ("detect_deepfake", None, 402),
        ("offsite_liveness", Some(json!(false)), 400),
        ("offsite_liveness", None, 402),
        ("client_reference", None, 200),
        ("client_reference", Some(json!("1234")), 400),
        ("client_reference", Some(json!("12345")), 200),
        ("client_reference", Some(json!("x".repeat(255))), 200),
        ("client_reference", Some(json!("x".repeat(256))), 400),
        // "Required only for .mp4, optional otherwise."
        ("file_type", Some(json!("video")), 200),
    ] {
        let body = but(&good, name, value);
        assert_eq!(desk.json("/liveness", body.clone()).0, status, "{name}: {:.200}", body.to_string());
    }
    let video = but(&good, "file", Some(json!(mp4)));
    assert_eq!(desk.json("/liveness", video.clone()).0, 402);
    assert_eq!(desk.json("/liveness", but(&video, "file_type", Some(json!("image")))).0, 400);
    assert_eq!(desk.json("/liveness", but(&video, "file_type", Some(json!("video")))).0, 200);
    let fields: [(&str, Option<&str>, &[u8]); 4] = [
        ("type", None, b"liveness"),
        ("file", Some("a.jpg"), &photo()),
        ("detect_deepfake", None, b"1"),
        ("offsite_liveness", None, b"true"),
    ];
    assert_eq!(desk.form("/liveness", &fields).0, 200);
    assert_eq!(desk.form("/liveness", &fields[..3]).0, 402);
    assert_eq!(Desk::of("facia").with("client-secret", "another").json("/liveness", good).0, 401);
}

#[test]
fn deepvue_takes_what_its_page_takes() {
    let desk = Desk::of("deepvue");
    let (id, secret) = (desk.setting("client_id"), desk.setting("client_secret"));
    let urlencoded = |body: String| desk.ask("/v1/authorize", "application/x-www-form-urlencoded", body);
    assert_eq!(
        urlencoded(format!("client_id={id}&client_secret=another")),
        (400, json!({"detail": "Inactive client_id"}))
    );
    assert_eq!(urlencoded(format!("client_id={id}")).0, 422);
    assert_eq!(desk.json("/v1/authorize", json!({"client_id": id, "client_secret": secret})).0, 422, "no form");
    let form =
        desk.form("/v1/authorize", &[("client_id", None, id.as_bytes()), ("client_secret", None, secret.as_bytes())]);
    assert_eq!(form.0, 200);
    let (status, reply) = urlencoded(format!("client_id={id}&client_secret={secret}"));
    let expiry = reply["expiry"].as_str().expect("a time");
    assert_eq!((status, &reply["token_type"], expiry.ends_with('Z')), (200, &json!("bearer"), true), "{expiry}");
    let token = format!("Bearer {}", reply["access_token"].as_str().expect("a token"));

    let good = json!({"image": STANDARD.encode(photo())});
    let check = |desk: &Desk, body: Value| desk.json("/v1/liveness-check", body);
    assert_eq!(check(&desk, good.clone()), (401, json!({"detail": "Not authenticated"})));
    let desk = desk.with("x-api-key", &secret);
    assert_eq!(check(&desk, good.clone()).0, 401);
    let stranger = Desk::of("deepvue").with("x-api-key", &secret).with("Authorization", "Bearer another");
    assert_eq!(check(&stranger, good.clone()), (403, json!({"detail": "Not a valid token"})));
    let desk = desk.with("Authorization", &token);
    let (status, reply) = check(&desk, good);
    assert_eq!((status, &reply["sub_code"], &reply["data"]["is_live"]), (200, &json!("SUCCESS"), &json!(true)));
    for (image, sub_code) in [
        ("example_string", "INVALID_BASE64_STRING"),
        ("", "INVALID_BASE64_STRING"),
        ("http://", "INVALID_URL"),
        ("https://a b", "INVALID_URL"),
    ] {
        let (status, reply) = check(&desk, json!({"image": image}));
        assert_eq!((status, &reply["sub_code"]), (422, &json!(sub_code)), "{image}");
    }
    assert_eq!(check(&desk, json!({"image": "https://a.test/face.jpg"})).0, 200);
    assert!(check(&desk, json!({})).1["detail"].is_array());
}

#[test]
fn glair_takes_what_its_page_takes() {
    const VIDEO: &str = "/face/v1/deepfake";
    const FRAMES: &str = "/face/v1/deepfake/images";
    let desk = Desk::of("glair");
    let who = STANDARD.encode(format!("{}:{}", desk.setting("username"), desk.setting("password")));
    let key = desk.setting("api_key");
    let file = clip();
    let good: [(&str, Option<&str>, &[u8]); 1] = [("video", Some("video.mp4"), &file)];
    assert_eq!(desk.form(VIDEO, &good).0, 401);
    let desk = desk.with("Authorization", &format!("Basic {who}"));
    assert_eq!(desk.form(VIDEO, &good).0, 401, "no key");
    let stranger = Desk::of("glair").with("Authorization", &format!("Basic {who}")).with("x-api-key", "another");
    assert_eq!(stranger.form(VIDEO, &good), (403, Value::Null));
    let desk = desk.with("x-api-key", &key);
    let (status, reply) = desk.form(VIDEO, &good);
    assert_eq!((status, &reply["read"]["deepfake"]["value"]), (200, &json!("real")));
    let missing = (400, json!({"reason": "No file in request body", "status": "ERROR"}));
    assert_eq!(desk.form(VIDEO, &[("probe", None, b"1")]), missing);
    assert_eq!(desk.form(FRAMES, &good), missing);
    assert_eq!(desk.json(FRAMES, json!({"frames": []})), missing);
    assert_eq!(desk.form(VIDEO, &[("video", Some("video.webm"), &file)]).0, 415);
    assert_eq!(desk.form(VIDEO, &[("video", Some("video.mp4"), &photo())]).0, 415);
    let frame = STANDARD.encode(photo());
    assert_eq!(desk.json(FRAMES, json!({"frames": [frame, frame]})).0, 200);
    assert_eq!(desk.json(FRAMES, json!({"frames": [frame, "base64_1"]})).0, 400);
    let sized = |bytes: usize| [clip(), vec![0; bytes - clip().len()]].concat();
    for (bytes, status) in [(6 << 20, 200), ((6 << 20) + 1, 400)] {
        assert_eq!(desk.form(VIDEO, &[("video", Some("video.mp4"), &sized(bytes))]).0, status, "{bytes}");
    }
}

#[test]
fn fpt_takes_what_its_page_takes() {
    const PATH: &str = "/dmp/liveness/v3";
    let desk = Desk::of("fpt");
    let key = desk.setting("api_key");
    let file = clip();
    let good = |name: &'static str| [("video", Some(name), file.as_slice())];
    let code = |reply: (u16, Value)| (reply.0, reply.1["code"].as_str().unwrap_or_default().to_owned());
    assert_eq!(code(desk.form(PATH, &good("video.mp4"))), (200, "400".into()));
    assert_eq!(code(Desk::of("fpt").with("api_key", &key).form(PATH, &good("video.mp4"))), (200, "400".into()));
    let desk = desk.with("api-key", &key);
    for (name, expected) in
        [("a.mp4", "200"), ("a.mov", "200"), ("a.mkv", "200"), ("a.webm", "200"), ("a.avi", "409"), ("mp4", "409")]
    {
        assert_eq!(code(desk.form(PATH, &good(name))), (200, expected.into()), "{name}");
    }
    assert_eq!(code(desk.form(PATH, &[("probe", None, b"1")])), (200, "409".into()));
    assert_eq!(code(desk.json(PATH, json!({"video": "x"}))), (200, "409".into()));
    let (_, alone) = desk.form(PATH, &good("video.mp4"));
    let (_, compared) = desk.form(PATH, &[good("video.mp4")[0], ("cmnd", Some("face.jpg"), &photo())]);
    assert_eq!((alone.get("face_match"), compared["face_match"]["isMatch"].as_bool()), (None, Some(false)));
}
