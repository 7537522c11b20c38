//! FACIA: what is sent, the token, the upload. The questions after it are in `polling`.

mod polling;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::future::join_all;
use lifesign_core::{
    frame::MediaType,
    http::ErrorKind,
    testing::socket::{Answer, Request, SocketServer},
    vendors::{Case, Clip, Picture, Probe, Selected, Vendor, find},
    verdict::{AttackKind, CheckState, VendorOutcome},
    video::Container,
};
use serde_json::{Value, json};

const TOKEN: &str = include_str!("../../src/vendors/facia/fixtures/token.json");
const CREATED: &str = include_str!("../../src/vendors/facia/fixtures/liveness.json");
const DECLINED: &str = include_str!("../../src/vendors/facia/fixtures/result_declined.json");
const UPLOAD_SAMPLE: &str = include_str!("../../src/vendors/facia/fixtures/liveness_request.json");
const QUESTION_SAMPLE: &str = include_str!("../../src/vendors/facia/fixtures/result_request.json");

/// The middle of an MP4 that is none: the client does not look inside.
const MEDIA: &[u8] = b"\x00\x01some media\xff";
const MEDIA_BASE64: &str = "AAFzb21lIG1lZGlh/w==";

/// A client of a server that stands for FACIA, with `changes` put over quick settings.
fn client(server: &SocketServer, changes: Value) -> Box<dyn Vendor> {
    let spec = find("facia").unwrap();
    let mut settings = (spec.settings)();
    let quick = json!({
        "base_url": server.url(),
        "client_id": "id-1",
        "client_secret": "secret-1",
        "poll": {"first_wait_ms": 5, "base_ms": 10, "max_ms": 20},
        "http": {"retry": {"base_ms": 1, "max_ms": 2}},
    });
    crate::put_over(&mut settings, quick);
    crate::put_over(&mut settings, changes);
    (spec.connect)(settings).unwrap()
}

fn video() -> Selected {
    Selected::Video(Clip {
        data: Bytes::from_static(MEDIA),
        container: Container::Mp4,
        duration: Duration::from_secs(5),
        size: (720, 1280),
        made: false,
    })
}

fn picture(media_type: MediaType) -> Selected {
    Selected::Image(Picture { data: Bytes::from_static(MEDIA), media_type })
}

fn case(media: Selected, time: Duration) -> Case<'static> {
    Case { media, reference: None, client_reference: None, request_id: "", deadline: Instant::now() + time }
}

const LONG: Duration = Duration::from_secs(20);

/// The vendor as its page has it; the result is there at once.
fn as_documented(request: &Request) -> Answer {
    match request.target.as_str() {
        "/request-access-token" => Answer::json(200, TOKEN),
        "/liveness" => Answer::json(200, CREATED),
        "/result" => Answer::json(200, DECLINED),
        other => panic!("{other} is no path of FACIA"),
    }
}

fn count(server: &SocketServer, target: &str) -> usize {
    server.requests().iter().filter(|request| request.target == target).count()
}

#[tokio::test]
async fn what_is_sent_is_what_the_page_shows() {
    let server = SocketServer::start(as_documented).await.unwrap();
    let client = client(&server, json!({}));
    let case = Case { client_reference: Some("123asd1123"), ..case(video(), LONG) };
    let submitted = client.submit(&case).await.unwrap();
    assert_eq!(submitted.attempts, 1);
    assert_eq!(submitted.answer.outcome, VendorOutcome::Attack(AttackKind::Deepfake));
    assert_eq!(submitted.answer.deepfake.state, CheckState::Failed);
    assert_eq!(submitted.answer.reference.as_deref(), Some("6042D9CB4974EXX"));

    let requests = server.requests();
    let [token, upload, question] = requests.as_slice() else { panic!("{requests:?}") };
    for (request, target) in [(token, "/request-access-token"), (upload, "/liveness"), (question, "/result")] {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", target));
        assert_eq!(request.header("content-type"), Some("application/json"), "{target}");
    }
    assert_eq!(token.header("authorization"), None);
    assert_eq!(token.text(), r#"{"client_id":"id-1","client_secret":"secret-1"}"#);
    for request in [upload, question] {
        assert_eq!(request.header("authorization"), Some("Bearer your_token_here"));
        assert_eq!(request.header("client-secret"), None);
    }
    // The sample's keys, values and order, with a file in the place of its name.
    assert_eq!(upload.text(), UPLOAD_SAMPLE.trim_end().replace("file.jpg", MEDIA_BASE64));
    let sample: Value = serde_json::from_str(QUESTION_SAMPLE).unwrap();
    assert_eq!(question.text(), sample.to_string());
}

#[tokio::test]
async fn a_picture_has_no_file_type_and_no_reference_that_was_not_given() {
    let server = SocketServer::start(as_documented).await.unwrap();
    for (changes, media_type, file) in [
        (json!({}), MediaType::Jpeg, MEDIA_BASE64.to_owned()),
        (json!({"base64": "data_url"}), MediaType::Jpeg, format!("data:image/jpeg;base64,{MEDIA_BASE64}")),
        (json!({"base64": "data_url"}), MediaType::Png, format!("data:image/png;base64,{MEDIA_BASE64}")),
    ] {
        client(&server, changes).submit(&case(picture(media_type), LONG)).await.unwrap();
        let upload = server.requests().into_iter().rfind(|request| request.target == "/liveness").unwrap();
        let expected = format!(r#"{{"type":"liveness","file":"{file}","detect_deepfake":1,"offsite_liveness":1}}"#);
        assert_eq!(upload.text(), expected);
    }
}

#[tokio::test]
async fn a_form_holds_the_file_as_it_is() {
    let server = SocketServer::start(as_documented).await.unwrap();
    let client = client(&server, json!({"encoding": "multipart"}));
    let case = Case { client_reference: Some("123asd1123"), ..case(video(), LONG) };
    client.submit(&case).await.unwrap();
    let upload = server.requests().into_iter().find(|request| request.target == "/liveness").unwrap();
    let content_type = upload.header("content-type").unwrap();
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    assert!(upload.body.windows(MEDIA.len()).any(|part| part == MEDIA));
    let text = upload.text();
    let heads: Vec<_> = text
        .split(&format!("--{boundary}"))
        .filter_map(|part| part.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition")))
        .map(|line| line.split_once("name=").unwrap().1.trim_end().to_owned())
        .collect();
    let named = ["\"type\"", "\"file\"; filename=\"file.mp4\"", "\"detect_deepfake\"", "\"offsite_liveness\""];
    assert_eq!(heads, [&named[..], &["\"file_type\"", "\"client_reference\""]].concat());
    for part in ["liveness", "video/mp4", "video", "123asd1123"] {
        assert!(text.contains(part), "{part}");
    }
}

#[tokio::test]
async fn each_way_to_authenticate_sends_what_it_should() {
    let server = SocketServer::start(as_documented).await.unwrap();
    let none = json!(null);
    let mail = json!({"client_id": none, "client_secret": none, "email": "a@b.test", "password": "word-1"});
    client(&server, mail).submit(&case(video(), LONG)).await.unwrap();
    assert_eq!(server.requests()[0].text(), r#"{"email":"a@b.test","password":"word-1"}"#);

    let keys = json!({"client_id_key": "client-id", "client_secret_key": "client-secret"});
    client(&server, keys).submit(&case(video(), LONG)).await.unwrap();
    assert_eq!(server.requests()[3].text(), r#"{"client-id":"id-1","client-secret":"secret-1"}"#);

    let before = count(&server, "/request-access-token");
    client(&server, json!({"auth": "client_secret_header"})).submit(&case(video(), LONG)).await.unwrap();
    client(&server, json!({"auth": "bearer", "token": "token-1"})).submit(&case(video(), LONG)).await.unwrap();
    assert_eq!(count(&server, "/request-access-token"), before);
    let requests = server.requests();
    for request in &requests[6..8] {
        assert_eq!((request.header("client-secret"), request.header("authorization")), (Some("secret-1"), None));
    }
    for request in &requests[8..10] {
        assert_eq!((request.header("client-secret"), request.header("authorization")), (None, Some("Bearer token-1")));
    }
}

#[test]
fn settings_that_cannot_work_are_named_and_secrets_are_not_shown() {
    let spec = find("facia").unwrap();
    let good = json!({"client_id": "id-1", "client_secret": "secret-1"});
    assert!((spec.connect)(good.clone()).is_ok());
    for (changes, expected) in [
        (json!({"client_id": null}), "client_id"),
        (json!({"client_secret": null}), "client_secret"),
        (json!({"client_secret_file": "/nowhere"}), "client_secret"),
        (json!({"client_secret": "sec\nret-1"}), "client_secret"),
        (json!({"email": "a@b.test"}), "email"),
        (json!({"auth": "bearer"}), "token"),
        (json!({"auth": "bearer", "token": "secret-1 \u{e9}\u{7f}"}), "token"),
        (json!({"auth": "basic"}), "auth"),
        (json!({"client_id_key": ""}), "client_id_key"),
        (json!({"client_id_key": "client_secret"}), "client_id_key"),
        (json!({"base_url": "http://api.facia.ai"}), "base_url"),
        (json!({"result_path": "result"}), "result_path"),
        (json!({"token_ttl_ms": 0}), "token_ttl_ms"),
        (json!({"poll": {"base_ms": 0}}), "poll.base_ms"),
        (json!({"poll": {"max_ms": 1}}), "poll.max_ms"),
        (json!({"poll": {"pending_statuses": [200]}}), "poll.pending_statuses"),
        (json!({"poll": {"pending_statuses": [401]}}), "poll.pending_statuses"),
        (json!({"poll": {"first": 1}}), "poll"),
        (json!({"http": {"request_timeout_ms": 1}}), "http.request_timeout_ms"),
        (json!({"tokens": "x"}), "tokens"),
    ] {
        let mut settings = good.clone();
        crate::put_over(&mut settings, changes.clone());
        let error = (spec.connect)(settings).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("ret-1"), "{changes}: {error}");
    }
    let client = (spec.connect)(good).unwrap();
    assert!(!format!("{client:?}").contains("secret-1"));
}

#[tokio::test]
async fn twenty_calls_at_once_ask_for_one_token() {
    let server = SocketServer::start(|request| match request.target.as_str() {
        "/request-access-token" => Answer::Late(Duration::from_millis(50), Box::new(Answer::json(200, TOKEN))),
        _ => as_documented(request),
    })
    .await
    .unwrap();
    let client = client(&server, json!({"http": {"max_concurrent": 20}}));
    let cases: Vec<_> = (0..20).map(|_| case(video(), LONG)).collect();
    for outcome in join_all(cases.iter().map(|case| client.submit(case))).await {
        outcome.unwrap();
    }
    assert_eq!((count(&server, "/request-access-token"), count(&server, "/liveness")), (1, 20));
    client.submit(&case(video(), LONG)).await.unwrap();
    assert_eq!(count(&server, "/request-access-token"), 1);
}

/// A vendor that numbers its tokens and takes those from the `first`th on.
fn takes_from(first: u32) -> impl Fn(&Request) -> Answer + Send + Sync + 'static {
    let issued = AtomicU32::new(0);
    move |request| {
        if request.target == "/request-access-token" {
            let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
            return Answer::json(200, TOKEN.replace("your_token_here", &number.to_string()));
        }
        let number = request.header("authorization").and_then(|value| value.strip_prefix("Bearer ")).unwrap();
        if number.parse::<u32>().unwrap() < first {
            return Answer::json(401, r#"{"status":false,"message":"Invalid signature key"}"#);
        }
        as_documented(request)
    }
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_and_the_upload_sent_again() {
    let server = SocketServer::start(takes_from(2)).await.unwrap();
    let submitted = client(&server, json!({})).submit(&case(video(), LONG)).await.unwrap();
    assert_eq!(submitted.attempts, 2);
    let targets: Vec<_> = server.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(
        targets,
        ["/request-access-token", "/liveness", "/request-access-token", "/liveness", "/result"],
        "once each, in this order"
    );
}

#[tokio::test]
async fn twenty_refusals_at_once_ask_for_one_token_more() {
    let server = SocketServer::start(takes_from(2)).await.unwrap();
    let client = client(&server, json!({"http": {"max_concurrent": 20}}));
    let cases: Vec<_> = (0..20).map(|_| case(video(), LONG)).collect();
    for outcome in join_all(cases.iter().map(|case| client.submit(case))).await {
        outcome.unwrap();
    }
    assert_eq!(count(&server, "/request-access-token"), 2);
}

#[tokio::test]
async fn a_refusal_that_stays_ends_the_call() {
    let server = SocketServer::start(takes_from(u32::MAX)).await.unwrap();
    let error = client(&server, json!({})).submit(&case(video(), LONG)).await.unwrap_err();
    assert_eq!((error.stage, error.error.kind, error.error.status), ("upload", ErrorKind::Credentials, Some(401)));
    assert_eq!((error.error.attempts, error.error.sent), (2, true));
    assert_eq!((count(&server, "/request-access-token"), count(&server, "/liveness")), (2, 2));
    assert!(!format!("{error} {error:?}").contains("signature"));

    // Nor is there a second upload where there is no second token; the first may be billed all the same.
    let issued = AtomicU32::new(0);
    let server = SocketServer::start(move |request| match request.target.as_str() {
        "/request-access-token" if issued.fetch_add(1, Ordering::SeqCst) == 0 => Answer::json(200, TOKEN),
        _ => Answer::json(401, "{}"),
    })
    .await
    .unwrap();
    let error = client(&server, json!({})).submit(&case(video(), LONG)).await.unwrap_err();
    assert_eq!((error.stage, error.error.attempts, error.error.sent), ("token", 1, true));
    assert_eq!(count(&server, "/liveness"), 1);

    // A key that stays as it is has nothing to be replaced with.
    let server = SocketServer::start(|_| Answer::json(401, "{}")).await.unwrap();
    let fixed = client(&server, json!({"auth": "bearer", "token": "token-1"}));
    let error = fixed.submit(&case(video(), LONG)).await.unwrap_err();
    assert_eq!((error.error.kind, error.error.attempts, server.requests().len()), (ErrorKind::Credentials, 1, 1));
}

#[tokio::test]
async fn wrong_credentials_cost_nothing() {
    let server = SocketServer::start(|_| Answer::json(401, "{}")).await.unwrap();
    let error = client(&server, json!({})).submit(&case(video(), LONG)).await.unwrap_err();
    assert_eq!((error.stage, error.error.kind), ("token", ErrorKind::Credentials));
    assert_eq!((error.error.sent, count(&server, "/liveness")), (false, 0));
}

#[tokio::test]
async fn an_upload_is_repeated_only_where_it_was_turned_away() {
    for (status, kind, uploads) in [
        (429, ErrorKind::RateLimited, 3),
        (402, ErrorKind::Refused, 1),
        (500, ErrorKind::Server, 1),
        (524, ErrorKind::Timeout, 1),
    ] {
        let server = SocketServer::start(move |request| match request.target.as_str() {
            "/liveness" => Answer::json(status, r#"{"status":false,"message":"no"}"#),
            _ => as_documented(request),
        })
        .await
        .unwrap();
        let error = client(&server, json!({})).submit(&case(video(), LONG)).await.unwrap_err();
        assert_eq!((error.stage, error.error.kind, error.error.status), ("upload", kind, Some(status)));
        assert_eq!((error.error.attempts, count(&server, "/liveness")), (uploads, uploads as usize));
    }
}

#[tokio::test]
async fn what_facia_does_not_take_is_not_sent() {
    let server = SocketServer::start(as_documented).await.unwrap();
    let client = client(&server, json!({}));
    let other = |container| match video() {
        Selected::Video(clip) => Selected::Video(Clip { container, ..clip }),
        media => media,
    };
    for media in
        [other(Container::QuickTime), other(Container::WebM), picture(MediaType::Webp), Selected::Frames(vec![])]
    {
        let error = client.submit(&case(media, LONG)).await.unwrap_err();
        assert_eq!((error.error.kind, error.error.sent), (ErrorKind::Refused, false));
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_probe_costs_nothing() {
    let server = SocketServer::start(takes_from(0)).await.unwrap();
    let login = client(&server, json!({}));
    let deadline = || Instant::now() + LONG;
    assert_eq!(login.probe(deadline()).await.unwrap(), Probe::CredentialsAccepted);
    assert_eq!(login.probe(deadline()).await.unwrap(), Probe::CredentialsAccepted);
    assert_eq!((server.requests().len(), count(&server, "/request-access-token")), (2, 2), "asked each time");
    login.submit(&case(video(), LONG)).await.unwrap();
    assert_eq!(count(&server, "/request-access-token"), 2, "and used afterwards");

    let server = SocketServer::start(|_| Answer::json(404, "")).await.unwrap();
    let fixed = client(&server, json!({"auth": "client_secret_header"}));
    assert_eq!(fixed.probe(deadline()).await.unwrap(), Probe::Reachable);
    let requests = server.requests();
    assert_eq!((requests[0].method.as_str(), requests[0].target.as_str(), requests.len()), ("GET", "/", 1));
    assert_eq!(requests[0].header("client-secret"), None, "the address alone needs no key");

    let server = SocketServer::start(|_| Answer::json(503, "")).await.unwrap();
    let fixed = client(&server, json!({"auth": "client_secret_header"}));
    assert_eq!(fixed.probe(deadline()).await.unwrap_err().error.kind, ErrorKind::Server);
    let server = SocketServer::start(|_| Answer::json(400, "")).await.unwrap();
    assert_eq!(client(&server, json!({})).probe(deadline()).await.unwrap_err().stage, "token");
}
