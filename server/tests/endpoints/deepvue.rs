//! Deepvue's page, request by request.

use std::time::{Duration, SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use lifesign_core::{frame::FrameError, policy::PolicyError};
use lifesign_proto::v1::{self, CheckState, Decision};
use lifesign_server::{
    access::{Denied, Forbidden},
    http::{FetchError, Outcome},
    status::Fault,
    store::StoreError,
};
use serde_json::{Value, json};

use crate::rig::{
    ID, OTHER_ID, OTHER_SECRET, Reply, Rig, Row, SECRET, deepfake, file, live, no_face, outcome, photo, shape,
    shape_of, spoof, video,
};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../core/src/vendors/deepvue/fixtures/", $name, ".json"))
    };
}

const URLENCODED: &str = "application/x-www-form-urlencoded";

async fn token(rig: &Rig, id: &str, secret: &str) -> String {
    let body = format!("client_id={id}&client_secret={secret}");
    let reply = rig.send("POST", "/v1/authorize", &[("Content-Type", URLENCODED)], body.as_bytes()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    format!("Bearer {}", reply.json()["access_token"].as_str().unwrap())
}

async fn check(rig: &Rig, token: &str, image: Value) -> Reply {
    let head = [("Authorization", token), ("x-api-key", SECRET)];
    rig.post("/v1/liveness-check", &head, &json!({"image": image}).to_string()).await
}

fn base64() -> Value {
    STANDARD.encode(photo()).into()
}

/// What a sample of the page says, but for the name of the transaction, which is a UUID here.
fn assert_sample(reply: &Reply, status: u16, sample: &str) {
    let (mut body, mut sample): (Value, Value) = (reply.json(), serde_json::from_str(sample).unwrap());
    if let Some(name) = sample.get_mut("transaction_id") {
        assert!(uuid::Uuid::parse_str(body["transaction_id"].as_str().unwrap()).is_ok(), "{body}");
        (*name, body["transaction_id"]) = (json!("a name"), json!("a name"));
    }
    assert_eq!((reply.status, body), (status, sample));
}

fn assert_listed(reply: &Reply, words: &str) {
    let body = reply.json();
    assert_eq!(reply.status, 422, "{reply:?}");
    let keys: Vec<_> = body["detail"][0].as_object().unwrap().keys().cloned().collect();
    assert_eq!((keys, body["detail"].as_array().unwrap().len()), (vec!["loc".into(), "msg".into(), "type".into()], 1));
    assert!(reply.text.contains(words), "{words}: {reply:?}");
}

#[tokio::test]
async fn the_samples_of_the_page_are_answered_as_they_are() {
    let rig = Rig::start().await;
    let body = format!("client_id={ID}&client_secret={SECRET}");
    let reply = rig.send("POST", "/v1/authorize", &[("Content-Type", URLENCODED)], body.as_bytes()).await;
    assert_eq!((reply.status, shape(&reply.json())), (200, shape_of(fixture!("authorize"))));
    assert_eq!((&reply.json()["token_type"], reply.header("cache-control")), (&json!("bearer"), Some("no-store")));
    let expiry = reply.json()["expiry"].as_str().unwrap().to_owned();
    assert_eq!((expiry.len(), expiry.ends_with('Z')), ("2025-04-30T23:59:59Z".len(), true), "{expiry}");
    let ends = SystemTime::try_from(expiry.parse::<Timestamp>().unwrap()).unwrap();
    assert!(ends <= SystemTime::now() + Duration::from_secs(24 * 3600), "never later than it is");

    let token = token(&rig, ID, SECRET).await;
    // The sample has no score.
    rig.desk.says(|| {
        let mut outcome = live()?;
        outcome.verdict.checks[0].score = None;
        Ok(outcome)
    });
    let reply = check(&rig, &token, base64()).await;
    assert_sample(&reply, 200, fixture!("success"));
    assert_eq!(reply.json()["transaction_id"], "6b0b7f0e-6a5c-4a57-9d0e-0d8e4c1a0d57", "the session's name");
    let asked = rig.desk.asks().pop().unwrap();
    assert_eq!(file(&asked.media), (photo(), "image/jpeg"));
    assert_eq!((asked.policy.as_str(), asked.caller.client.as_str()), ("deepvue-policy", ID));
    rig.desk.says(no_face);
    assert_sample(&check(&rig, &token, base64()).await, 200, fixture!("face_not_detected"));
    rig.desk.says(|| Err(Fault::Internal));
    assert_sample(&check(&rig, &token, base64()).await, 500, fixture!("internal_server_error"));
    // The literal request of the page.
    assert_sample(&check(&rig, &token, json!("example_string")).await, 422, fixture!("invalid_base64"));
    assert_sample(&check(&rig, &token, json!("https://a.test/b.jpg")).await, 422, fixture!("invalid_url"));
    let wrong = [("Content-Type", URLENCODED)];
    let reply = rig.send("POST", "/v1/authorize", &wrong, b"client_id=client-one&client_secret=wrong").await;
    assert_sample(&reply, 400, fixture!("inactive_client"));
    assert_sample(&rig.post("/v1/liveness-check", &[], "{}").await, 401, fixture!("not_authenticated"));
    assert_sample(&check(&rig, "Bearer wrong", base64()).await, 403, fixture!("not_a_valid_token"));
}

#[tokio::test]
async fn is_live_is_true_for_acceptance_alone() {
    let rig = Rig::start().await;
    let token = token(&rig, ID, SECRET).await;
    let decided = |decision: fn() -> Result<Outcome, Fault>| decision;
    for (says, is_live, score) in [
        (live as fn() -> _, true, json!(0.75)),
        (spoof, false, json!(0.25)),
        (deepfake, false, json!(0.75)),
        (decided(|| Ok(outcome(Decision::Review, CheckState::Passed, CheckState::Passed))), false, json!(0.75)),
        (decided(|| Ok(outcome(Decision::Retry, CheckState::NotRun, CheckState::NotRun))), false, json!(null)),
        (
            decided(|| {
                let mut blurry = outcome(Decision::Retry, CheckState::NotRun, CheckState::NotRun);
                blurry.verdict.reasons = vec![v1::Reason { code: "BLURRY".into(), message: String::new() }];
                Ok(blurry)
            }),
            false,
            json!(null),
        ),
    ] {
        rig.desk.says(says);
        let reply = check(&rig, &token, base64()).await;
        let expected = json!({"is_live": is_live, "score": score});
        assert_eq!(
            (reply.status, &reply.json()["sub_code"], &reply.json()["data"]),
            (200, &json!("SUCCESS"), &expected)
        );
    }
    // Without a decision there is no reply that holds one.
    for says in [
        decided(|| Ok(outcome(Decision::Indeterminate, CheckState::Passed, CheckState::Passed))),
        decided(|| Ok(outcome(Decision::Unspecified, CheckState::Passed, CheckState::Passed))),
        decided(|| {
            let mut unknown = live()?;
            unknown.verdict.decision = 77;
            Ok(unknown)
        }),
    ] {
        rig.desk.says(says);
        assert_sample(&check(&rig, &token, base64()).await, 500, fixture!("internal_server_error"));
    }
}

#[tokio::test]
async fn a_picture_comes_as_base64_or_by_address() {
    let rig = Rig::start().await;
    let token = token(&rig, ID, SECRET).await;
    let data_url = format!("data:image/jpeg;base64,{}", STANDARD.encode(photo()));
    assert_eq!(check(&rig, &token, data_url.into()).await.status, 200);
    for image in ["", "=", "file.jpg", "aGVsbG8=", "R0lGODlh", "data:text/html,hello", "\u{0}", "é"] {
        assert_sample(&check(&rig, &token, image.into()).await, 422, fixture!("invalid_base64"));
    }
    let clip = STANDARD.encode(video());
    assert_sample(&check(&rig, &token, clip.into()).await, 422, fixture!("invalid_base64"));
    // What begins like no address of the web is not even asked for.
    for image in
        ["ftp://a.test/b", "file:///etc/passwd", "//a.test/b", "www.a.test/b", "javascript:alert(1)", "a:b", ":"]
    {
        assert_sample(&check(&rig, &token, image.into()).await, 422, fixture!("invalid_url"));
    }
    assert!(rig.fetch.asked.lock().unwrap().is_empty());
    let finds: [fn() -> Result<bytes::Bytes, FetchError>; 4] = [
        || Err(FetchError::Off),
        || Err(FetchError::NotAllowed),
        || Err(FetchError::Failed),
        || Ok(bytes::Bytes::from_static(b"<html>the neighbour's router</html>")),
    ];
    let mut seen = Vec::new();
    for found in finds {
        *rig.fetch.finds.lock().unwrap() = found;
        let reply = check(&rig, &token, json!("http://169.254.169.254/latest/meta-data/")).await;
        assert_sample(&reply, 422, fixture!("invalid_url"));
        seen.push(reply.json()["message"].clone());
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "why there is no picture is the same to the caller");
    assert_eq!(rig.desk.asks().len(), 1, "nothing of that was judged");
    *rig.fetch.finds.lock().unwrap() = || Ok(photo().into());
    for url in ["https://a.test/b.jpg?c=d#e", "HTTPS://A.TEST/"] {
        assert_eq!(check(&rig, &token, url.into()).await.status, 200);
        assert_eq!(
            rig.fetch.asked.lock().unwrap().last().unwrap(),
            url,
            "whether it is allowed is for the fetcher to say"
        );
        assert_eq!(file(&rig.desk.asks().pop().unwrap().media), (photo(), "image/jpeg"));
    }
    // Nothing is fetched for strangers.
    let asked = rig.fetch.asked.lock().unwrap().len();
    assert_eq!(check(&rig, "Bearer wrong", "https://a.test/".into()).await.status, 403);
    assert_eq!(rig.fetch.asked.lock().unwrap().len(), asked);
}

#[tokio::test]
async fn a_request_that_is_not_as_it_should_be_is_422() {
    let rig = Rig::start().await;
    let token = token(&rig, ID, SECRET).await;
    let head = [("Authorization", token.as_str()), ("x-api-key", SECRET)];
    for (body, words) in [
        ("{}", "field required"),
        (r#"{"image": null}"#, "field required"),
        (r#"{"image": 5}"#, "str type expected"),
        (r#"{"image": ["a"]}"#, "str type expected"),
        (r#"{"image": {"a": "b"}}"#, "str type expected"),
        (r#"{"image": true}"#, "str type expected"),
        (r#"{"image": "a", "image": "b"}"#, "twice"),
        ("{\"image\": \"a\" // why\n}", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("", "not a JSON object"),
    ] {
        assert_listed(&rig.post("/v1/liveness-check", &head, body).await, words);
    }
    let plain = [&head[..], &[("Content-Type", "text/plain")]].concat();
    assert_listed(&rig.send("POST", "/v1/liveness-check", &plain, b"{}").await, "content type");
    let form = [&head[..], &[("Content-Type", URLENCODED)]].concat();
    assert_listed(&rig.send("POST", "/v1/liveness-check", &form, b"image=a").await, "content type");
    for (body, words) in
        [(json!({}), "client_id"), (json!({"client_id": ID}), "client_secret"), (json!({"client_id": 1}), "str type")]
    {
        assert_listed(&rig.post("/v1/authorize", &[], &body.to_string()).await, words);
    }
}

#[tokio::test]
async fn both_keys_are_asked_for_and_are_of_one_client() {
    let rig = Rig::start().await;
    let good = token(&rig, ID, SECRET).await;
    let other = token(&rig, OTHER_ID, OTHER_SECRET).await;
    let body = json!({"client_id": ID, "client_secret": SECRET}).to_string();
    let reply = rig.post("/request-access-token", &[], &body).await;
    let facias = format!("Bearer {}", reply.json()["result"]["data"]["token"].as_str().unwrap());
    let secret = format!("Bearer {SECRET}");
    let key = ("x-api-key", SECRET);
    let auth = |token| ("Authorization", token);
    let good = good.as_str();
    for (head, status, sample) in [
        (vec![], 401, fixture!("not_authenticated")),
        (vec![key], 401, fixture!("not_authenticated")),
        (vec![auth(good)], 401, fixture!("not_authenticated")),
        (vec![auth("Basic a"), key], 401, fixture!("not_authenticated")),
        (vec![auth("Bearer wrong"), key], 403, fixture!("not_a_valid_token")),
        (vec![auth("Bearer wrong"), ("x-api-key", "wrong")], 403, fixture!("not_a_valid_token")),
        (vec![auth(&facias), key], 403, fixture!("not_a_valid_token")),
        (vec![auth(&secret), key], 403, fixture!("not_a_valid_token")),
        (vec![auth(good), auth(good), key], 403, fixture!("not_a_valid_token")),
        (vec![auth("Bearer é"), key], 403, fixture!("not_a_valid_token")),
        (vec![auth(good), ("x-api-key", "wrong")], 400, fixture!("inactive_client")),
        (vec![auth(good), ("x-api-key", OTHER_SECRET)], 400, fixture!("inactive_client")),
        (vec![auth(&other), key], 400, fixture!("inactive_client")),
        (vec![auth(good), key, key], 400, fixture!("inactive_client")),
        (vec![auth(good), ("x-api-key", &"x".repeat(5000))], 400, fixture!("inactive_client")),
    ] {
        let body = json!({"image": base64()}).to_string();
        assert_sample(&rig.post("/v1/liveness-check", &head, &body).await, status, sample);
    }
    assert!(rig.desk.asks().is_empty());
    for body in [
        json!({"client_id": ID, "client_secret": OTHER_SECRET}),
        json!({"client_id": "nobody", "client_secret": SECRET}),
        json!({"client_id": "", "client_secret": ""}),
        json!({"client_id": "a\u{0}b", "client_secret": SECRET}),
    ] {
        assert_sample(&rig.post("/v1/authorize", &[], &body.to_string()).await, 400, fixture!("inactive_client"));
    }
    let parts = format!(
        "--B\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\n{ID}\r\n--B\r\n\
         Content-Disposition: form-data; name=\"client_secret\"\r\n\r\n{SECRET}\r\n--B--\r\n"
    );
    let multipart = [("Content-Type", "multipart/form-data; boundary=B")];
    assert_eq!(rig.send("POST", "/v1/authorize", &multipart, parts.as_bytes()).await.status, 200);
    rig.credentials.expire();
    assert_sample(&check(&rig, good, base64()).await, 403, fixture!("not_a_valid_token"));
    rig.credentials.denies(Some(|| Denied::TooManyTries { retry_after: Duration::from_secs(9) }));
    for reply in [check(&rig, good, base64()).await, rig.post("/v1/authorize", &[], &body).await] {
        assert_eq!((reply.status, reply.header("retry-after")), (429, Some("9")));
        assert_eq!(reply.json(), json!({"detail": "Rate limit exceeded"}));
    }
    rig.credentials.ask_for_none();
    let reply = rig.post("/v1/liveness-check", &[], &json!({"image": base64()}).to_string()).await;
    assert_eq!((reply.status, rig.desk.asks().pop().unwrap().caller.client.as_str()), (200, ""));
}

#[tokio::test]
async fn every_fault_has_its_status() {
    let rig = Rig::start().await;
    let token = token(&rig, ID, SECRET).await;
    let busy = json!({"detail": "Rate limit exceeded"}).to_string();
    let closed = json!({"detail": "Service Unavailable"}).to_string();
    let faults: [Row<'_>; 9] = [
        (
            || Fault::Media { field: "image".into(), error: FrameError::UnknownFormat },
            422,
            fixture!("invalid_base64"),
            None,
        ),
        (|| Fault::Forbidden(Forbidden::Policy), 400, fixture!("inactive_client"), None),
        (
            || Fault::Forbidden(Forbidden::Quota { window: "minute", limit: 9, retry_after: Duration::from_secs(42) }),
            429,
            &busy,
            Some("42"),
        ),
        (|| Fault::Quota { subject: "calls", limit: 7 }, 429, &busy, Some("1")),
        (|| Fault::Deadline, 503, &closed, None),
        (|| Fault::Store(StoreError::OtherKey), 503, &closed, Some("1")),
        (|| Fault::Internal, 500, fixture!("internal_server_error"), None),
        (|| Fault::Policy(PolicyError::Unknown("hidden".into())), 500, fixture!("internal_server_error"), None),
        (|| Fault::SessionUnknown, 500, fixture!("internal_server_error"), None),
    ];
    for (fault, status, sample, after) in faults {
        rig.desk.refuses(fault);
        let reply = check(&rig, &token, base64()).await;
        assert_sample(&reply, status, sample);
        assert_eq!(reply.header("retry-after"), after, "{sample}");
    }
    for path in ["/v1/authorize", "/v1/liveness-check"] {
        let reply = rig.send("GET", path, &[], b"").await;
        assert_eq!((reply.status, reply.json()), (405, json!({"detail": "Method Not Allowed"})));
        assert_eq!(reply.header("allow"), Some("POST"));
    }
}
