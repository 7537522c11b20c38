//! FACIA's page, request by request.

use std::sync::atomic::Ordering;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lifesign_proto::v1::{self, CheckState, Decision, VendorRole};
use lifesign_server::{http::Outcome, status::Fault};
use serde_json::{Value, json};

use crate::rig::{
    ID, Reply, Rig, SECRET, deepfake, file, live, no_face, outcome, photo, shape, shape_of, spoof, video,
};

const TOKEN: &str = include_str!("../../../core/src/vendors/facia/fixtures/token.json");
const CREATED: &str = include_str!("../../../core/src/vendors/facia/fixtures/liveness.json");
const DECLINED: &str = include_str!("../../../core/src/vendors/facia/fixtures/result_declined.json");
const UPLOAD: &str = include_str!("../../../core/src/vendors/facia/fixtures/liveness_request.json");

pub(crate) async fn token(rig: &Rig, id: &str, secret: &str) -> String {
    let body = json!({"client_id": id, "client_secret": secret}).to_string();
    let reply = rig.post("/request-access-token", &[], &body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    format!("Bearer {}", reply.json()["result"]["data"]["token"].as_str().unwrap())
}

/// The page's own request with a file in it, changed in these places.
pub(crate) fn upload(data: &[u8], changes: &[(&str, Value)]) -> String {
    let mut body: Value = serde_json::from_str(UPLOAD).unwrap();
    body["file"] = STANDARD.encode(data).into();
    for (name, value) in changes {
        body[name] = value.clone();
    }
    body.to_string()
}

fn without(name: &str) -> String {
    let mut body: Value = serde_json::from_str(&upload(&photo(), &[])).unwrap();
    body.as_object_mut().unwrap().remove(name).unwrap();
    body.to_string()
}

pub(crate) async fn transaction(rig: &Rig, token: &str) -> String {
    let reply = rig.post("/liveness", &[("Authorization", token)], &upload(&photo(), &[])).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["result"]["data"]["reference_id"].as_str().unwrap().to_owned()
}

pub(crate) async fn ask(rig: &Rig, token: &str, name: &str) -> Reply {
    rig.post("/result", &[("Authorization", token)], &json!({"reference_id": name}).to_string()).await
}

/// A complaint in the envelope of all replies.
pub(crate) fn assert_complaint(reply: &Reply, status: u16, words: &str) {
    let body = reply.json();
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!((&body["status"], &body["result"]), (&json!(false), &json!([])), "{reply:?}");
    assert!(body["message"].as_str().unwrap().contains(words), "{words}: {reply:?}");
}

#[tokio::test]
async fn the_samples_of_the_page_are_answered_in_their_shape() {
    let rig = Rig::start().await;
    let credentials = json!({"client_id": ID, "client_secret": SECRET}).to_string();
    let reply = rig.post("/request-access-token", &[], &credentials).await;
    assert_eq!((reply.status, shape(&reply.json())), (200, shape_of(TOKEN)));
    assert_eq!((&reply.json()["message"], reply.header("cache-control")), (&json!("token"), Some("no-store")));
    let token = token(&rig, ID, SECRET).await;
    let reply = rig.post("/liveness", &[("Authorization", &token)], &upload(&photo(), &[])).await;
    assert_eq!((reply.status, shape(&reply.json())), (200, shape_of(CREATED)));
    assert_eq!(reply.json()["message"], "Transaction Created");
    let name = reply.json()["result"]["data"]["reference_id"].as_str().unwrap().to_owned();
    rig.desk.says(deepfake);
    let reply = ask(&rig, &token, &name).await;
    // The sample has no reference of the caller's, and this request, which is the page's other sample, has one.
    let mut expected = shape_of(DECLINED);
    expected["result"]["data"]["client_reference"] = "string".into();
    assert_eq!((reply.status, shape(&reply.json())), (200, expected));
    assert_eq!(
        reply.json(),
        json!({"status": true, "message": "success", "result": {"data": {
            "type": "deepfake",
            "reference_id": name,
            "client_reference": "123asd1123",
            "status": 0,
            "deepfake_score": 0.75,
            "decline_code": "FADR25",
            "decline_reason": "Deepfake Detected.",
            "declined_proof": "https://lifesign.test/proof/1?expires=1234567890&signature=00",
        }}})
    );
    let places: Vec<_> = ["type", "reference_id", "client_reference", "status\":0", "deepfake_score", "decline_code"]
        .iter()
        .map(|key| reply.text.find(&format!("\"{key}")).unwrap())
        .collect();
    assert!(places.is_sorted(), "the page's order: {}", reply.text);
    let asked = rig.desk.asks().pop().unwrap();
    assert_eq!(file(&asked.media), (photo(), "image/jpeg"));
    assert_eq!((asked.policy.as_str(), asked.caller.client.as_str()), ("facia-policy", ID));
    assert!(rig.credentials.peers().iter().all(|peer| peer.to_string() == "192.0.2.7"), "the listener's word");
}

#[tokio::test]
async fn a_result_is_1_for_acceptance_alone() {
    let rig = Rig::start().await;
    let token = token(&rig, ID, SECRET).await;
    let name = transaction(&rig, &token).await;
    let by_facia: fn() -> Result<Outcome, Fault> = || {
        let mut outcome = outcome(Decision::Reject, CheckState::Failed, CheckState::Passed);
        outcome.verdict.vendor_results = vec![v1::VendorResult {
            vendor: "facia".into(),
            role: VendorRole::Deciding.into(),
            raw_code: "FADR04".into(),
            raw_score: Some(0.125),
            ..v1::VendorResult::default()
        }];
        Ok(outcome)
    };
    let decided = |decision: fn() -> Result<Outcome, Fault>| decision;
    let unknown = decided(|| {
        let mut outcome = live()?;
        outcome.verdict.decision = 77;
        Ok(outcome)
    });
    for (says, status, code, score) in [
        (live as fn() -> _, 1, json!(null), json!(0.25)),
        (spoof, 0, json!("FADR21"), json!(0.25)),
        (deepfake, 0, json!("FADR25"), json!(0.75)),
        (no_face, 0, json!("FADR11"), json!(null)),
        (by_facia, 0, json!("FADR04"), json!(0.125)),
        (unknown, 0, json!("FADR20"), json!(0.25)),
        (
            decided(|| Ok(outcome(Decision::Unspecified, CheckState::Passed, CheckState::Passed))),
            0,
            json!("FADR20"),
            json!(0.25),
        ),
        (
            decided(|| Ok(outcome(Decision::Indeterminate, CheckState::Error, CheckState::Passed))),
            0,
            json!("FADR20"),
            json!(0.25),
        ),
        (
            decided(|| Ok(outcome(Decision::Review, CheckState::Passed, CheckState::Passed))),
            0,
            json!("FADR14"),
            json!(0.25),
        ),
        (
            decided(|| Ok(outcome(Decision::Retry, CheckState::NotRun, CheckState::NotRun))),
            0,
            json!("FADR20"),
            json!(null),
        ),
    ] {
        rig.desk.says(says);
        let data = ask(&rig, &token, &name).await.json()["result"]["data"].clone();
        assert_eq!((&data["status"], &data["decline_code"], &data["deepfake_score"]), (&json!(status), &code, &score));
        assert_eq!(data["decline_reason"].is_null(), status == 1);
        assert!(data["declined_proof"].is_null() || code == "FADR25");
    }
    // An accepted picture is no proof of anything declined, even where one was kept.
    rig.desk.says(|| Ok(Outcome { proof: deepfake()?.proof, ..live()? }));
    assert!(ask(&rig, &token, &name).await.json()["result"]["data"]["declined_proof"].is_null());
}

#[tokio::test]
async fn a_result_that_is_not_there_yet_reads_as_neither() {
    let rig = Rig::start().await;
    let token = token(&rig, ID, SECRET).await;
    rig.desk.pending.store(1, Ordering::SeqCst);
    let name = transaction(&rig, &token).await;
    let reply = ask(&rig, &token, &name).await;
    assert_eq!(reply.status, 200);
    let data = &reply.json()["result"]["data"];
    let sample: Value = serde_json::from_str(DECLINED).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(data), keys(&sample["result"]["data"]), "every key of the sample");
    assert_eq!((&data["status"], &data["reference_id"]), (&json!(null), &json!(name)));
    assert_eq!(ask(&rig, &token, &name).await.json()["result"]["data"]["status"], 1);
}

/// A form as programs write it.
pub(crate) fn form(parts: &[(&str, &str)], file: Option<&[u8]>) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in parts {
        body.extend(format!("--XyZ\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
    }
    if let Some(data) = file {
        body.extend(b"--XyZ\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../../etc/passwd\"\r\n");
        body.extend(b"Content-Type: application/x-sh\r\n\r\n");
        body.extend(data);
        body.extend(b"\r\n");
    }
    body.extend(b"--XyZ--\r\n");
    body
}

#[tokio::test]
async fn an_upload_comes_in_each_of_the_documented_ways() {
    let rig = Rig::start().await;
    let token = token(&rig, ID, SECRET).await;
    let (photo, video) = (photo(), video());
    let json_cases = [
        (upload(&photo, &[]), &photo, "image/jpeg", "123asd1123"),
        (upload(&photo, &[("file_type", json!(null)), ("client_reference", json!(null))]), &photo, "image/jpeg", ""),
        (
            upload(&photo, &[("file_type", json!("image")), ("extra", json!({"a": [1]}))]),
            &photo,
            "image/jpeg",
            "123asd1123",
        ),
        (
            upload(&photo, &[("detect_deepfake", json!(true)), ("offsite_liveness", json!("true"))]),
            &photo,
            "image/jpeg",
            "123asd1123",
        ),
        (upload(&photo, &[("client_reference", json!("ж".repeat(255)))]), &photo, "image/jpeg", &"ж".repeat(255)),
        (without("client_reference"), &photo, "image/jpeg", ""),
        (without("file_type"), &photo, "image/jpeg", "123asd1123"),
        (upload(&video, &[]), &video, "video/mp4", "123asd1123"),
        (
            upload(&photo, &[("file", json!(format!("data:image/jpeg;base64,{}", STANDARD.encode(&photo))))]),
            &photo,
            "image/jpeg",
            "123asd1123",
        ),
        // PHP writes every slash so.
        (upload(&photo, &[]).replace('/', "\\/"), &photo, "image/jpeg", "123asd1123"),
    ];
    for (body, data, kind, reference) in json_cases {
        let reply = rig.post("/liveness", &[("Authorization", &token)], &body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let asked = rig.desk.asks().pop().unwrap();
        assert_eq!(file(&asked.media), (data.clone(), kind));
        assert_eq!(asked.client_reference, reference);
    }
    let words = [("type", "liveness"), ("offsite_liveness", "1"), ("detect_deepfake", "true")];
    let of_video = [&words[..], &[("file_type", "video"), ("client_reference", "five5")]].concat();
    for (parts, data, kind) in [(&words[..], &photo, "image/jpeg"), (&of_video, &video, "video/mp4")] {
        let head = [("Authorization", token.as_str()), ("Content-Type", "multipart/form-data; boundary=XyZ")];
        let reply = rig.send("POST", "/liveness", &head, &form(parts, Some(data))).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(file(&rig.desk.asks().pop().unwrap().media), (data.clone(), kind));
    }
}

#[tokio::test]
async fn what_is_missing_is_402_and_what_is_wrong_is_400() {
    let rig = Rig::start().await;
    let token = token(&rig, ID, SECRET).await;
    let photo = photo();
    let mut cases = Vec::new();
    for name in ["type", "file", "offsite_liveness", "detect_deepfake"] {
        cases.push((without(name), 402, name));
        cases.push((upload(&photo, &[(name, json!(null))]), 402, name));
        cases.push((upload(&photo, &[(name, json!([1]))]), 400, name));
        cases.push((upload(&photo, &[(name, json!({"a": 1}))]), 400, name));
        cases.push((upload(&photo, &[(name, json!(2))]), 400, name));
        cases.push((upload(&photo, &[(name, json!("example_string"))]), 400, name));
    }
    let no_file_type = [("file_type", json!(null))];
    cases.extend([
        (upload(&photo, &[("offsite_liveness", json!(0))]), 400, "offsite_liveness"),
        (upload(&photo, &[("detect_deepfake", json!(false))]), 400, "detect_deepfake"),
        (upload(&photo, &[("type", json!("photo_id_match"))]), 400, "type must be liveness"),
        (upload(&photo, &[("file", json!(""))]), 402, "file"),
        (upload(&photo, &[("file", json!("file.jpg"))]), 400, "not base64"),
        (upload(&photo, &[("file", json!("https://a.test/b.jpg"))]), 400, "not base64"),
        (upload(b"GIF89a", &[]), 400, "jpeg, jpg, png or mp4"),
        (upload(b"RIFF\0\0\0\0WEBPVP8 ", &[]), 400, "jpeg, jpg, png or mp4"),
        (upload(&video(), &no_file_type), 402, "file_type"),
        (upload(&video(), &[("file_type", json!("image"))]), 400, "file_type of an mp4 must be video"),
        (upload(&video(), &[("file_type", json!(1))]), 400, "file_type"),
        (upload(&photo, &[("client_reference", json!("four"))]), 400, "5 to 255"),
        (upload(&photo, &[("client_reference", json!("x".repeat(256)))]), 400, "5 to 255"),
        (upload(&photo, &[("client_reference", json!(12345))]), 400, "client_reference"),
        (upload(&photo, &[("client_reference", json!("five5\u{0}"))]), 400, "control characters"),
        (upload(&photo, &[("client_reference", json!("five5\r\nX: y"))]), 400, "control characters"),
        ("{\"type\": \"liveness\", // a comment\n}".to_owned(), 400, "not a JSON object"),
    ]);
    for (body, status, words) in cases {
        let reply = rig.post("/liveness", &[("Authorization", &token)], &body).await;
        assert_complaint(&reply, status, words);
    }
    let text_file =
        form(&[("type", "liveness"), ("offsite_liveness", "1"), ("detect_deepfake", "1"), ("file", "x")], None);
    let head = [("Authorization", token.as_str()), ("Content-Type", "multipart/form-data; boundary=XyZ")];
    assert_complaint(&rig.send("POST", "/liveness", &head, &text_file).await, 400, "not base64");
    assert!(rig.desk.asks().is_empty());
    for (body, status, words) in [
        ("{}", 402, "reference_id"),
        (r#"{"reference_id": ""}"#, 402, "reference_id"),
        (r#"{"reference_id": null}"#, 402, "reference_id"),
        (r#"{"reference_id": 17}"#, 400, "reference_id"),
        (r#"{"reference_id": "W4437KIWN0KDM13"}"#, 404, "no such transaction"),
        (r#"{"reference_id": "w4437kiwn0kdm13"}"#, 404, "no such transaction"),
        (r#"{"reference_id": "W4437KIWN0KDM1\u0000"}"#, 404, "no such transaction"),
        (r#"{"reference_id": "../../etc/passwd"}"#, 404, "no such transaction"),
        ("[]", 400, "not a JSON object"),
    ] {
        assert_complaint(&rig.post("/result", &[("Authorization", &token)], body).await, status, words);
    }
}
