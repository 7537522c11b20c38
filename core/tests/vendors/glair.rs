//! GLAIR: the upload, and what a look at the line sends.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use lifesign_core::{
    frame::MediaType,
    http::{ErrorKind, Health},
    testing::socket::{Answer, Request, SocketServer},
    vendors::{Case, Clip, Picture, Probe, Selected, Vendor, find},
    verdict::{AttackKind, CheckState, VendorOutcome},
    video::Container,
};
use serde_json::{Value, json};

use crate::curl::{Curl, curl, parts};

const VIDEO_SAMPLE: &str = include_str!("../../src/vendors/glair/fixtures/video_request.txt");
const FRAMES_SAMPLE: &str = include_str!("../../src/vendors/glair/fixtures/frames_request.txt");
const FAKE: &str = include_str!("../../src/vendors/glair/fixtures/fake.json");
const REAL: &str = include_str!("../../src/vendors/glair/fixtures/frames_real.json");
const NO_FILE: &str = include_str!("../../src/vendors/glair/fixtures/no_file.json");

/// The middle of an MP4 that is none: the client does not look inside.
const MEDIA: &[u8] = b"\x00\x01some media\xff";
const MEDIA_BASE64: &str = "AAFzb21lIG1lZGlh/w==";

/// The sample's words in base64.
const BASIC: &str = "Basic VVNFUk5BTUU6UEFTU1dPUkQ=";

const LONG: Duration = Duration::from_secs(20);

/// A client of a server that stands for GLAIR, with `changes` put over quick settings.
fn client(server: &SocketServer, changes: Value) -> Box<dyn Vendor> {
    let spec = find("glair").unwrap();
    let mut settings = (spec.settings)();
    let quick = json!({
        "base_url": server.url(),
        "username": "USERNAME",
        "password": "PASSWORD",
        "api_key": "API_KEY",
        "http": {"retry": {"base_ms": 1, "max_ms": 2}},
    });
    crate::put_over(&mut settings, quick);
    crate::put_over(&mut settings, changes);
    (spec.connect)(settings).unwrap()
}

fn video(container: Container) -> Selected {
    let data = Bytes::from_static(MEDIA);
    Selected::Video(Clip { data, container, duration: Duration::from_secs(5), size: (720, 1280), made: false })
}

fn picture(data: &'static [u8], media_type: MediaType) -> Picture {
    Picture { data: Bytes::from_static(data), media_type }
}

fn case(media: Selected) -> Case<'static> {
    let deadline = Instant::now() + LONG;
    Case { media, reference: None, client_reference: Some("123asd1123"), request_id: "id-1", deadline }
}

fn as_documented(request: &Request) -> Answer {
    match request.target.as_str() {
        "/face/v1/deepfake" => Answer::json(200, FAKE).with("Request-Id", "glair-1"),
        "/face/v1/deepfake/images" => Answer::json(200, REAL).with("Request-Id", "glair-2"),
        other => panic!("{other} is no path of GLAIR"),
    }
}

/// What the sample's head says, with the words that the shell would have made of it.
fn assert_head(request: &Request, sample: &Curl) {
    assert_eq!((&request.method, &request.target), (&sample.method, &sample.path));
    assert_eq!(sample.headers.len(), 2);
    for (name, value) in &sample.headers {
        let value = if value == "Basic $(printf %s USERNAME:PASSWORD | base64)" { BASIC } else { value };
        assert_eq!(request.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a_video_is_sent_as_the_page_shows() {
    let server = SocketServer::start(as_documented).await.unwrap();
    let submitted = client(&server, json!({})).submit(&case(video(Container::Mp4))).await.unwrap();
    assert_eq!((submitted.answer.outcome, submitted.attempts), (VendorOutcome::Attack(AttackKind::Deepfake), 1));
    assert_eq!(submitted.answer.deepfake.state, CheckState::Failed);
    assert_eq!(submitted.answer.liveness.state, CheckState::NotRun);
    assert_eq!(submitted.answer.request_id.as_deref(), Some("glair-1"));

    let requests = server.requests();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    let sample = curl(VIDEO_SAMPLE);
    assert_head(request, &sample);
    assert_eq!(request.header("x-request-id"), Some("id-1"));
    assert_eq!(sample.files, [("video".to_owned(), "video.mp4".to_owned())]);
    let head = "Content-Disposition: form-data; name=\"video\"; filename=\"video.mp4\"\r\nContent-Type: video/mp4";
    assert_eq!(parts(request), [(head.to_owned(), MEDIA.to_vec())]);
}

#[tokio::test]
async fn frames_are_sent_as_the_page_shows() {
    let server = SocketServer::start(as_documented).await.unwrap();
    let frames = vec![picture(MEDIA, MediaType::Jpeg), picture(b"\xfb\xff\xfe", MediaType::Png)];
    let submitted = client(&server, json!({})).submit(&case(Selected::Frames(frames))).await.unwrap();
    assert_eq!((submitted.answer.outcome, submitted.attempts), (VendorOutcome::Live, 1));
    assert_eq!(submitted.answer.deepfake.state, CheckState::Passed);
    assert_eq!(submitted.answer.request_id.as_deref(), Some("glair-2"));

    let requests = server.requests();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    let sample = curl(FRAMES_SAMPLE);
    assert_head(request, &sample);
    assert_eq!(request.header("content-type"), Some("application/json"));
    let body: Value = serde_json::from_str(&sample.data.unwrap().replace(", ...", "")).unwrap();
    let expected = body.to_string().replace("base64_1", MEDIA_BASE64).replace("base64_2", "+//+");
    assert_eq!(request.text(), expected);
}

#[tokio::test]
async fn a_request_has_no_name_where_none_is_wanted_or_possible() {
    let server = SocketServer::start(as_documented).await.unwrap();
    client(&server, json!({"send_request_id": false})).submit(&case(video(Container::Mp4))).await.unwrap();
    for request_id in ["", "a\nb: c"] {
        let case = Case { request_id, ..case(video(Container::Mp4)) };
        client(&server, json!({})).submit(&case).await.unwrap();
    }
    assert_eq!(server.requests().len(), 3);
    assert!(server.requests().iter().all(|request| request.header("x-request-id").is_none()));
}

#[tokio::test]
async fn an_upload_is_repeated_only_where_it_was_turned_away() {
    for (status, kind, uploads) in [
        (429, ErrorKind::RateLimited, 3),
        (400, ErrorKind::Refused, 1),
        (401, ErrorKind::Credentials, 1),
        (415, ErrorKind::Refused, 1),
        (500, ErrorKind::Server, 1),
        (503, ErrorKind::Server, 1),
    ] {
        let server = SocketServer::start(move |_| Answer::json(status, NO_FILE)).await.unwrap();
        let error = client(&server, json!({})).submit(&case(video(Container::Mp4))).await.unwrap_err();
        assert_eq!((error.stage, error.error.kind, error.error.status), ("upload", kind, Some(status)));
        assert_eq!((error.error.attempts, server.requests().len()), (uploads, uploads as usize));
        assert!(!format!("{error} {error:?}").contains("No file"), "a vendor's words are in no error");
    }
    let asked = AtomicU32::new(0);
    let server = SocketServer::start(move |request| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::json(429, "{}"),
        _ => as_documented(request),
    })
    .await
    .unwrap();
    let submitted = client(&server, json!({})).submit(&case(video(Container::Mp4))).await.unwrap();
    assert_eq!(submitted.attempts, 2);
    let requests = server.requests();
    assert_eq!(requests[0], requests[1], "the same bytes under the same name");
}

#[tokio::test]
async fn a_403_need_not_be_json() {
    let page = b"<html><body>403 Forbidden</body></html>".to_vec();
    let html = Answer::Reply(403, vec![("Content-Type".into(), "text/html".into())], page);
    let server = SocketServer::start(move |_| html.clone()).await.unwrap();
    let client = client(&server, json!({}));
    let error = client.submit(&case(video(Container::Mp4))).await.unwrap_err();
    assert_eq!((error.error.kind, error.error.status, error.error.attempts), (ErrorKind::Forbidden, Some(403), 1));
    assert_eq!(client.http().health(), Health::Unhealthy);
    assert!(!format!("{error} {error:?}").contains("html"));
}

#[tokio::test]
async fn what_glair_does_not_take_is_not_sent() {
    let server = SocketServer::start(as_documented).await.unwrap();
    let client = client(&server, json!({}));
    for media in [
        video(Container::QuickTime),
        video(Container::Matroska),
        video(Container::WebM),
        Selected::Frames(vec![]),
        Selected::Image(picture(MEDIA, MediaType::Jpeg)),
    ] {
        let error = client.submit(&case(media)).await.unwrap_err();
        assert_eq!((error.stage, error.error.kind, error.error.sent), ("upload", ErrorKind::Refused, false));
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_probe_sends_the_credentials_and_no_media() {
    for (status, body, expected) in [
        (400, NO_FILE, Ok(Probe::CredentialsAccepted)),
        (400, "{}", Ok(Probe::Reachable)),
        (404, "", Err(ErrorKind::Refused)),
        (401, "", Err(ErrorKind::Credentials)),
        (403, "<html>", Err(ErrorKind::Forbidden)),
        (503, "", Err(ErrorKind::Server)),
    ] {
        let server = SocketServer::start(move |_| Answer::json(status, body)).await.unwrap();
        let seen = client(&server, json!({})).probe(Instant::now() + LONG).await;
        if let Err(error) = &seen {
            assert_eq!((error.stage, error.error.sent, error.error.attempts), ("probe", false, 0), "nothing is paid");
        }
        assert_eq!(seen.map_err(|error| error.error.kind), expected, "{status}");
        let request = &server.requests()[0];
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/face/v1/deepfake"));
        assert_eq!((request.header("authorization"), request.header("x-api-key")), (Some(BASIC), Some("API_KEY")));
        assert!(parts(request).iter().all(|(head, _)| !head.contains("filename") && !head.contains("\"video\"")));
    }
}

#[test]
fn settings_that_cannot_work_are_named_and_secrets_are_not_shown() {
    let spec = find("glair").unwrap();
    let good = json!({"username": "user-1", "password": "secret-1", "api_key": "secret-2"});
    assert!((spec.connect)(good.clone()).is_ok());
    for (changes, expected) in [
        (json!({"username": null}), "username"),
        (json!({"username": "secret-1:x"}), "username"),
        (json!({"password": null}), "password"),
        (json!({"password": ""}), "password"),
        (json!({"password_file": "/nowhere"}), "password"),
        (json!({"api_key": null}), "api_key"),
        (json!({"api_key": "secret-2\r\nx: y"}), "api_key"),
        (json!({"base_url": "http://api.vision.glair.ai"}), "base_url"),
        (json!({"video_path": ""}), "video_path"),
        (json!({"frames_path": "images"}), "frames_path"),
        (json!({"http": {"retry": {"attempts": 0}}}), "http.retry.attempts"),
        (json!({"token": "x"}), "token"),
    ] {
        let mut settings = good.clone();
        crate::put_over(&mut settings, changes.clone());
        let error = (spec.connect)(settings).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("secret-"), "{changes}: {error}");
    }
    let client = (spec.connect)(good).unwrap();
    let shown = format!("{client:?} {:?}", client.http());
    for secret in ["user-1", "secret-", "dXNlci0xOnNlY3JldC0x"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    for secret in spec.secrets {
        let defaults = (spec.settings)();
        assert!(defaults.get(secret).is_some() && defaults.get(format!("{secret}_file")).is_some(), "{secret}");
    }
}
