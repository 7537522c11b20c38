//! FACIA's page at the door: who is let in, what a fault looks like, which methods there are.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lifesign_core::{frame::FrameError, policy::PolicyError};
use lifesign_server::{
    access::{Denied, Forbidden},
    status::Fault,
    store::StoreError,
};
use serde_json::json;

use crate::{
    facia::{ask, assert_complaint, form, token, transaction, upload},
    rig::{ID, OTHER_ID, OTHER_SECRET, Rig, Row, SECRET, photo},
};

#[tokio::test]
async fn a_token_is_given_for_the_pairs_of_every_page() {
    let rig = Rig::start().await;
    let urlencoded = [("Content-Type", "application/x-www-form-urlencoded")];
    let multipart = [("Content-Type", "multipart/form-data; boundary=XyZ")];
    let json_form = [("Content-Type", "application/json")];
    let hyphens = format!("client-id={ID}&client-secret={SECRET}");
    let account = json!({"email": ID, "password": SECRET}).to_string();
    let parts = form(&[("client_id", ID), ("client_secret", SECRET)], None);
    for (head, body) in [(&urlencoded, hyphens.as_bytes()), (&json_form, account.as_bytes()), (&multipart, &parts)] {
        assert_eq!(rig.send("POST", "/request-access-token", head, body).await.status, 200);
    }
    for (body, status, words) in [
        (json!({}), 402, "client_id"),
        (json!({"client_id": ID}), 402, "client_secret"),
        (json!({"client_secret": SECRET}), 402, "client_id"),
        (json!({"email": ID, "password": ""}), 402, "password"),
        (json!({"client_id": 7, "client_secret": SECRET}), 400, "client_id"),
        (json!({"client_id": ID, "client-id": ID, "client_secret": SECRET}), 400, "the same parameter"),
        (json!({"client_id": ID, "client_secret": "wrong"}), 401, "Invalid signature key"),
        (json!({"client_id": ID, "client_secret": OTHER_SECRET}), 401, "Invalid signature key"),
        (json!({"client_id": "a\u{0}", "client_secret": SECRET}), 401, "Invalid signature key"),
        (json!({"client_id": ID, "client_secret": "x".repeat(5000)}), 401, "Invalid signature key"),
    ] {
        assert_complaint(&rig.post("/request-access-token", &[], &body.to_string()).await, status, words);
    }
}

#[tokio::test]
async fn whoever_has_no_key_learns_nothing_but_that() {
    let rig = Rig::start().await;
    let good = token(&rig, ID, SECRET).await;
    let authorize = format!("client_id={ID}&client_secret={SECRET}");
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let reply = rig.send("POST", "/v1/authorize", &form, authorize.as_bytes()).await;
    let deepvues = format!("Bearer {}", reply.json()["access_token"].as_str().unwrap());
    let name = transaction(&rig, &good).await;
    let basic = format!("Basic {}", STANDARD.encode(format!("{ID}:{SECRET}")));
    let secret = format!("Bearer {SECRET}");
    let mut seen = Vec::new();
    for head in [
        vec![],
        vec![("Authorization", "Bearer wrong")],
        vec![("Authorization", "Bearer ")],
        vec![("Authorization", deepvues.as_str())],
        vec![("Authorization", basic.as_str())],
        vec![("Authorization", secret.as_str())],
        vec![("Authorization", good.as_str()), ("Authorization", good.as_str())],
        vec![("Authorization", "Bearer wrong"), ("client-secret", SECRET)],
        vec![("client-secret", "wrong")],
        vec![("client-secret", "")],
        vec![("client-secret", SECRET), ("client-secret", SECRET)],
        vec![("client-secret", "secret-of-one-c8f1é")],
        vec![("client-secret", &"x".repeat(5000))],
    ] {
        for (path, body) in [("/liveness", "{}"), ("/result", r#"{"reference_id": "W00000000000000"}"#)] {
            let reply = rig.post(path, &head, body).await;
            assert_complaint(&reply, 401, "Invalid signature key");
            seen.push(reply.text);
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "each refusal is like every other");
    assert_eq!(rig.desk.asks().len(), 1);
    // The secret alone does as well; another client's key opens nothing of this one's.
    let question = json!({"reference_id": name}).to_string();
    assert_eq!(rig.post("/result", &[("client-secret", SECRET)], &question).await.status, 200);
    let other = token(&rig, OTHER_ID, OTHER_SECRET).await;
    assert_complaint(&ask(&rig, &other, &name).await, 404, "no such transaction");
    rig.credentials.expire();
    assert_complaint(&ask(&rig, &good, &name).await, 401, "Invalid signature key");
    rig.credentials.denies(Some(|| Denied::TooManyTries { retry_after: Duration::from_millis(1500) }));
    for (path, head, body) in [
        ("/liveness", vec![("client-secret", SECRET)], "{}".to_owned()),
        ("/request-access-token", vec![], json!({"client_id": ID, "client_secret": SECRET}).to_string()),
    ] {
        let reply = rig.post(path, &head, &body).await;
        assert_complaint(&reply, 429, "Too many requests");
        assert_eq!(reply.header("retry-after"), Some("2"));
    }
    rig.credentials.denies(None);
    rig.credentials.ask_for_none();
    let reply = rig.post("/liveness", &[], &upload(&photo(), &[])).await;
    assert_eq!((reply.status, rig.desk.asks().pop().unwrap().caller.client.as_str()), (200, ""));
}

#[tokio::test]
async fn every_fault_has_its_status() {
    let rig = Rig::start().await;
    let token = token(&rig, ID, SECRET).await;
    let name = transaction(&rig, &token).await;
    let faults: [Row<'_>; 11] = [
        (
            || Fault::Media {
                field: "image.data".into(),
                error: FrameError::TooManyBytes { limit: 10_485_760, actual: 10_485_761 },
            },
            400,
            "10485760",
            None,
        ),
        (|| Fault::Forbidden(Forbidden::Policy), 403, "not allowed", None),
        (
            || Fault::Forbidden(Forbidden::Quota { window: "day", limit: 9, retry_after: Duration::from_secs(42) }),
            429,
            "Too many requests",
            Some("42"),
        ),
        (|| Fault::Quota { subject: "calls", limit: 7 }, 429, "Too many requests", Some("1")),
        (|| Fault::Deadline, 504, "Gateway timeout", None),
        (|| Fault::Internal, 500, "Internal server error", None),
        (|| Fault::ShuttingDown, 500, "Internal server error", Some("1")),
        (|| Fault::Store(StoreError::OtherKey), 500, "Internal server error", Some("1")),
        (|| Fault::Policy(PolicyError::Unknown("hidden".into())), 500, "Internal server error", None),
        (|| Fault::SessionUnknown, 404, "no such transaction", None),
        (|| Fault::SessionCancelled, 400, "cancelled", None),
    ];
    for (fault, status, words, after) in faults {
        rig.desk.refuses(fault);
        let reply = rig.post("/liveness", &[("Authorization", &token)], &upload(&photo(), &[])).await;
        assert_complaint(&reply, status, words);
        assert_eq!(reply.header("retry-after"), after, "{words}");
        assert!(!reply.text.contains("hidden"), "{reply:?}");
    }
    rig.desk.says(|| Err(Fault::Deadline));
    assert_complaint(&ask(&rig, &token, &name).await, 504, "Gateway timeout");
}

#[tokio::test]
async fn other_methods_are_405_in_the_same_envelope() {
    let rig = Rig::start().await;
    for path in ["/request-access-token", "/liveness", "/result"] {
        for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            let reply = rig.send(method, path, &[], b"").await;
            assert_complaint(&reply, 405, "Use POST");
            assert_eq!(reply.header("allow"), Some("POST"));
        }
    }
    for path in ["/liveness/", "/liveness/../result", "//liveness", "/Liveness", "/liveness%00"] {
        assert_eq!(rig.send("POST", path, &[], b"").await.status, 404, "{path}");
    }
}
