//! Deepvue: the token and the upload.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use futures_util::future::join_all;
use lifesign_core::{
    frame::MediaType,
    http::{ErrorKind, Secret},
    testing::socket::{Answer, Request, SocketServer},
    vendors::{
        Case, Picture, Probe, Selected, Vendor,
        deepvue::{Deepvue, DeepvueConfig, ImageUrl},
        find,
    },
    verdict::{CheckState, QualityFault, VendorOutcome},
};
use serde_json::{Value, json};

const SUCCESS: &str = include_str!("../../src/vendors/deepvue/fixtures/success.json");
const NO_FACE: &str = include_str!("../../src/vendors/deepvue/fixtures/face_not_detected.json");
const CHECK_SAMPLE: &str = include_str!("../../src/vendors/deepvue/fixtures/check_request.json");
const NOT_A_VALID_TOKEN: &str = include_str!("../../src/vendors/deepvue/fixtures/not_a_valid_token.json");
const NOT_AUTHENTICATED: &str = include_str!("../../src/vendors/deepvue/fixtures/not_authenticated.json");
const INACTIVE: &str = include_str!("../../src/vendors/deepvue/fixtures/inactive_client.json");
const AUTHORIZED: &str = include_str!("../../src/vendors/deepvue/fixtures/authorize.json");

const LONG: Duration = Duration::from_secs(20);

/// A client of a server that stands for Deepvue, with `changes` put over quick settings.
fn client(server: &SocketServer, changes: Value) -> Box<dyn Vendor> {
    let spec = find("deepvue").unwrap();
    let mut settings = (spec.settings)();
    let quick = json!({
        "base_url": server.url(),
        "client_id": "id 1",
        "client_secret": "secret&1",
        "http": {"retry": {"base_ms": 1, "max_ms": 2}, "rate": [{"calls": 1000, "per_ms": 1}]},
    });
    crate::put_over(&mut settings, quick);
    crate::put_over(&mut settings, changes);
    (spec.connect)(settings).unwrap()
}

fn case() -> Case<'static> {
    let picture = Picture { data: Bytes::from_static(b"\x00\x01some media\xff"), media_type: MediaType::Jpeg };
    Case {
        media: Selected::Image(picture),
        reference: None,
        client_reference: None,
        request_id: "",
        deadline: Instant::now() + LONG,
    }
}

/// The sample of a token, with an end that lies ahead by this much.
fn authorized(token: u32, ahead: Duration) -> Answer {
    let end = SystemTime::now() + ahead;
    let end = jiff::Timestamp::try_from(end).unwrap().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let body = AUTHORIZED.replace("2025-04-30T23:59:59Z", &end).replace("\"string\"", &format!("\"token-{token}\""));
    Answer::json(200, body)
}

const DAY: Duration = Duration::from_secs(86_400);

fn as_documented(request: &Request) -> Answer {
    match request.target.as_str() {
        "/v1/authorize" => authorized(1, DAY),
        "/v1/liveness-check" => Answer::json(200, SUCCESS),
        other => panic!("{other} is no path of Deepvue"),
    }
}

fn count(server: &SocketServer, target: &str) -> usize {
    server.requests().iter().filter(|request| request.target == target).count()
}

#[tokio::test]
async fn what_is_sent_is_what_the_page_shows() {
    let server = SocketServer::start(as_documented).await.unwrap();
    let submitted = client(&server, json!({})).submit(&case()).await.unwrap();
    assert_eq!((submitted.answer.outcome, submitted.attempts), (VendorOutcome::Live, 1));
    assert_eq!(submitted.answer.liveness.state, CheckState::Passed);
    assert_eq!(submitted.answer.deepfake.state, CheckState::NotRun);

    let requests = server.requests();
    let [authorize, check] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((authorize.method.as_str(), authorize.target.as_str()), ("POST", "/v1/authorize"));
    assert_eq!(authorize.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(authorize.text(), "client_id=id+1&client_secret=secret%261");
    assert_eq!((authorize.header("authorization"), authorize.header("x-api-key")), (None, None));
    assert_eq!((check.method.as_str(), check.target.as_str()), ("POST", "/v1/liveness-check"));
    assert_eq!(check.header("content-type"), Some("application/json"));
    assert_eq!(check.header("authorization"), Some("Bearer token-1"));
    assert_eq!(check.header("x-api-key"), Some("secret&1"));
    // The sample's one key, with a picture in the place of its example.
    let sample: Value = serde_json::from_str(CHECK_SAMPLE).unwrap();
    assert_eq!(check.text(), sample.to_string().replace("example_string", "AAFzb21lIG1lZGlh/w=="));
}

#[tokio::test]
async fn the_token_is_asked_for_in_a_form_where_that_is_set() {
    let server = SocketServer::start(as_documented).await.unwrap();
    client(&server, json!({"authorize_encoding": "multipart"})).submit(&case()).await.unwrap();
    let authorize = &server.requests()[0];
    assert!(authorize.header("content-type").unwrap().starts_with("multipart/form-data; boundary="));
    let text = authorize.text();
    for part in ["name=\"client_id\"", "\r\n\r\nid 1\r\n", "name=\"client_secret\"", "\r\n\r\nsecret&1\r\n"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[tokio::test]
async fn an_address_is_sent_as_it_is() {
    let server = SocketServer::start(|request| match request.target.as_str() {
        "/v1/liveness-check" => Answer::json(200, NO_FACE),
        _ => as_documented(request),
    })
    .await
    .unwrap();
    let config = DeepvueConfig {
        base_url: server.url(),
        client_id: "id".into(),
        client_secret: Some(Secret::new("secret")),
        plan: lifesign_core::vendors::deepvue::Plan::Enterprise,
        ..DeepvueConfig::default()
    };
    let image = ImageUrl::parse("https://pictures.bank.in/a.jpg?sig=1").unwrap();
    let submitted = Deepvue::new(config).unwrap().check_url(&image, Instant::now() + LONG).await.unwrap();
    assert_eq!(submitted.answer.outcome, VendorOutcome::Quality(QualityFault::NoFace));
    assert_eq!(server.requests()[1].text(), r#"{"image":"https://pictures.bank.in/a.jpg?sig=1"}"#);
}

#[tokio::test]
async fn twenty_calls_at_once_ask_for_one_token() {
    let server = SocketServer::start(|request| match request.target.as_str() {
        "/v1/authorize" => Answer::Late(Duration::from_millis(50), Box::new(authorized(1, DAY))),
        _ => as_documented(request),
    })
    .await
    .unwrap();
    let client = client(&server, json!({"http": {"max_concurrent": 20}}));
    let cases: Vec<_> = (0..20).map(|_| case()).collect();
    for outcome in join_all(cases.iter().map(|case| client.submit(case))).await {
        outcome.unwrap();
    }
    assert_eq!((count(&server, "/v1/authorize"), count(&server, "/v1/liveness-check")), (1, 20));
}

#[tokio::test]
async fn a_token_is_replaced_before_its_end() {
    // Within the margin of five minutes, so that it is used for the call that asked and for no other.
    for (ahead, tokens) in [(Duration::from_secs(299), 3), (Duration::from_secs(400), 1), (DAY, 1)] {
        let server = SocketServer::start(move |request| match request.target.as_str() {
            "/v1/authorize" => authorized(1, ahead),
            _ => as_documented(request),
        })
        .await
        .unwrap();
        let client = client(&server, json!({}));
        for _ in 0..3 {
            client.submit(&case()).await.unwrap();
        }
        assert_eq!(count(&server, "/v1/authorize"), tokens, "{ahead:?}");
    }
}

/// A vendor that numbers its tokens and takes those from the `first`th on.
fn takes_from(first: u32, status: u16, refusal: &'static str) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    let issued = AtomicU32::new(0);
    move |request| {
        if request.target == "/v1/authorize" {
            return authorized(issued.fetch_add(1, Ordering::SeqCst) + 1, DAY);
        }
        let number = request.header("authorization").and_then(|value| value.strip_prefix("Bearer token-")).unwrap();
        if number.parse::<u32>().unwrap() < first { Answer::json(status, refusal) } else { as_documented(request) }
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    for (status, refusal) in [(403, NOT_A_VALID_TOKEN), (401, NOT_AUTHENTICATED)] {
        let server = SocketServer::start(takes_from(2, status, refusal)).await.unwrap();
        let submitted = client(&server, json!({})).submit(&case()).await.unwrap();
        assert_eq!((submitted.attempts, submitted.answer.outcome), (2, VendorOutcome::Live));
        assert_eq!((count(&server, "/v1/authorize"), count(&server, "/v1/liveness-check")), (2, 2));

        let server = SocketServer::start(takes_from(u32::MAX, status, refusal)).await.unwrap();
        let error = client(&server, json!({})).submit(&case()).await.unwrap_err();
        assert_eq!((error.stage, error.error.kind), ("upload", ErrorKind::Credentials));
        assert_eq!((error.error.status, error.error.attempts, error.error.sent), (Some(status), 2, true));
        assert_eq!((count(&server, "/v1/authorize"), count(&server, "/v1/liveness-check")), (2, 2));
    }
    // Another token does not help a client that is not active.
    let server = SocketServer::start(takes_from(u32::MAX, 400, INACTIVE)).await.unwrap();
    let error = client(&server, json!({})).submit(&case()).await.unwrap_err();
    assert_eq!((error.error.kind, error.error.attempts), (ErrorKind::Credentials, 1));
    assert_eq!(count(&server, "/v1/authorize"), 1);
}

#[tokio::test]
async fn an_upload_is_repeated_only_where_it_was_turned_away() {
    for (status, kind, uploads) in [
        (429, ErrorKind::RateLimited, 3),
        (422, ErrorKind::Refused, 1),
        (500, ErrorKind::Server, 1),
        (503, ErrorKind::Server, 1),
    ] {
        let server = SocketServer::start(move |request| match request.target.as_str() {
            "/v1/liveness-check" => Answer::json(status, r#"{"detail":"no"}"#),
            _ => as_documented(request),
        })
        .await
        .unwrap();
        let error = client(&server, json!({})).submit(&case()).await.unwrap_err();
        assert_eq!((error.stage, error.error.kind, error.error.status), ("upload", kind, Some(status)));
        assert_eq!((error.error.attempts, count(&server, "/v1/liveness-check")), (uploads, uploads as usize));
    }
    // As documented, everything may be repeated for a token: it costs nothing.
    let asked = AtomicU32::new(0);
    let server = SocketServer::start(move |request| match request.target.as_str() {
        "/v1/authorize" if asked.fetch_add(1, Ordering::SeqCst) < 2 => Answer::json(503, ""),
        _ => as_documented(request),
    })
    .await
    .unwrap();
    let submitted = client(&server, json!({})).submit(&case()).await.unwrap();
    assert_eq!((submitted.attempts, count(&server, "/v1/authorize")), (1, 3));
}

#[tokio::test]
async fn the_plans_windows_are_kept_to() {
    let server = SocketServer::start(as_documented).await.unwrap();
    let client = client(&server, json!({"http": {"rate": []}}));
    let begun = Instant::now();
    client.submit(&case()).await.unwrap();
    // One request a second: the token is the first, the upload the second.
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_deepvue_does_not_take_is_not_sent() {
    let server = SocketServer::start(as_documented).await.unwrap();
    let case = Case { media: Selected::Frames(vec![]), ..case() };
    let error = client(&server, json!({})).submit(&case).await.unwrap_err();
    assert_eq!((error.error.kind, error.error.sent), (ErrorKind::Refused, false));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_probe_asks_for_a_token_each_time() {
    let server = SocketServer::start(as_documented).await.unwrap();
    let good = client(&server, json!({}));
    for _ in 0..2 {
        assert_eq!(good.probe(Instant::now() + LONG).await.unwrap(), Probe::CredentialsAccepted);
    }
    assert_eq!((count(&server, "/v1/authorize"), server.requests().len()), (2, 2));
    let server = SocketServer::start(|_| Answer::json(400, INACTIVE)).await.unwrap();
    let error = client(&server, json!({})).probe(Instant::now() + LONG).await.unwrap_err();
    assert_eq!((error.stage, error.error.kind), ("token", ErrorKind::Credentials));
    assert_eq!((error.error.sent, error.error.attempts), (false, 0), "nothing paid was sent");
}

#[test]
fn settings_that_cannot_work_are_named_and_secrets_are_not_shown() {
    let spec = find("deepvue").unwrap();
    let good = json!({"client_id": "id-1", "client_secret": "secret-1"});
    assert!((spec.connect)(good.clone()).is_ok());
    for (changes, expected) in [
        (json!({"client_id": ""}), "client_id"),
        (json!({"client_secret": null}), "client_secret"),
        (json!({"client_secret": ""}), "client_secret"),
        (json!({"client_secret_file": "/nowhere"}), "client_secret"),
        (json!({"base_url": "http://production.deepvue.tech"}), "base_url"),
        (json!({"check_path": ""}), "check_path"),
        (json!({"authorize_path": "v1"}), "authorize_path"),
        (json!({"refresh_margin_ms": 3_600_001}), "refresh_margin_ms"),
        (json!({"token_ttl_ms": 0}), "token_ttl_ms"),
        (json!({"plan": "free"}), "plan"),
        (json!({"http": {"retry": {"attempts": 0}}}), "http.retry.attempts"),
    ] {
        let mut settings = good.clone();
        crate::put_over(&mut settings, changes.clone());
        let error = (spec.connect)(settings).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("secret-1"), "{changes}: {error}");
    }
    let client = (spec.connect)(good).unwrap();
    assert!(!format!("{client:?}").contains("secret-1"));
}
