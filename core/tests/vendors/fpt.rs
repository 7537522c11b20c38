//! FPT.AI: the upload with and without a reference image, and what a look at the line sends.

use std::time::{Duration, Instant};

use bytes::Bytes;
use lifesign_core::{
    frame::MediaType,
    http::ErrorKind,
    testing::socket::{Answer, Request, SocketServer},
    vendors::{Case, Clip, Picture, Probe, Selected, Vendor, find},
    verdict::{CheckState, QualityFault, VendorOutcome},
    video::Container,
};
use serde_json::{Value, json};

use crate::curl::{curl, parts};

const SAMPLE: &str = include_str!("../../src/vendors/fpt/fixtures/request.txt");
const LIVE: &str = include_str!("../../src/vendors/fpt/fixtures/live.json");
const NESTED: &str = include_str!("../../src/vendors/fpt/fixtures/nested.json");
const TWO_FACES: &str = include_str!("../../src/vendors/fpt/fixtures/multiple_faces.json");
const NO_VIDEO: &str = include_str!("../../src/vendors/fpt/fixtures/no_video.json");

/// Media that are none: the client does not look inside.
const MEDIA: &[u8] = b"\x00\x01some media\xff";
const FACE: &[u8] = b"\xff\xd8some face\x00";

const LONG: Duration = Duration::from_secs(20);

/// A client of a server that stands for FPT.AI, with `changes` put over quick settings.
fn client(server: &SocketServer, changes: Value) -> Box<dyn Vendor> {
    let spec = find("fpt").unwrap();
    let mut settings = (spec.settings)();
    let quick = json!({
        "base_url": server.url(),
        "api_key": "xxxxxxxx",
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

fn face(media_type: MediaType) -> Option<Picture> {
    Some(Picture { data: Bytes::from_static(FACE), media_type })
}

fn case(reference: Option<Picture>) -> Case<'static> {
    let (media, deadline) = (video(Container::Mp4), Instant::now() + LONG);
    Case { media, reference, client_reference: Some("123asd1123"), request_id: "id-1", deadline }
}

fn file(field: &str, name: &str, mime: &str, data: &[u8]) -> (String, Vec<u8>) {
    let head = format!("Content-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\nContent-Type: {mime}");
    (head, data.to_vec())
}

fn last(server: &SocketServer) -> Request {
    server.requests().pop().unwrap()
}

#[tokio::test]
async fn what_is_sent_is_what_the_page_shows() {
    let server = SocketServer::start(|_| Answer::json(200, LIVE)).await.unwrap();
    let submitted = client(&server, json!({})).submit(&case(face(MediaType::Jpeg))).await.unwrap();
    assert_eq!((submitted.answer.outcome, submitted.attempts), (VendorOutcome::Live, 1));
    let states = [submitted.answer.liveness, submitted.answer.deepfake, submitted.answer.face_match];
    assert_eq!(states.map(|reading| reading.state), [CheckState::Passed, CheckState::Passed, CheckState::Failed]);

    let requests = server.requests();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    let sample = curl(SAMPLE);
    assert_eq!((&request.method, &request.target), (&sample.method, &sample.path));
    assert_eq!(sample.headers.len(), 1);
    for (name, value) in &sample.headers {
        assert_eq!(request.header(name), Some(value.as_str()), "{name}");
    }
    assert_eq!((request.header("authorization"), request.header("x-request-id")), (None, None));
    let [(video, video_name), (face, face_name)] = sample.files.as_slice() else { panic!("two files") };
    assert_eq!(
        parts(request),
        [file(video, video_name, "video/mp4", MEDIA), file(face, face_name, "image/jpeg", FACE)]
    );
}

#[tokio::test]
async fn a_file_is_named_by_what_it_is() {
    let server = SocketServer::start(|_| Answer::json(200, LIVE)).await.unwrap();
    let client = client(&server, json!({}));
    for (container, name, mime) in [
        (Container::Mp4, "video.mp4", "video/mp4"),
        (Container::QuickTime, "video.mov", "video/quicktime"),
        (Container::Matroska, "video.mkv", "video/x-matroska"),
        (Container::WebM, "video.webm", "video/webm"),
    ] {
        client.submit(&Case { media: video(container), ..case(None) }).await.unwrap();
        assert_eq!(parts(&last(&server)), [file("video", name, mime, MEDIA)]);
    }
    client.submit(&case(face(MediaType::Png))).await.unwrap();
    assert_eq!(parts(&last(&server))[1], file("cmnd", "face.png", "image/png", FACE));
}

#[tokio::test]
async fn without_a_reference_nothing_is_compared() {
    let server = SocketServer::start(|_| Answer::json(200, NESTED)).await.unwrap();
    let size = FACE.len();
    for (changes, reference, sent) in [
        (json!({}), None, false),
        (json!({"send_reference": false}), face(MediaType::Jpeg), false),
        (json!({"max_reference_bytes": size - 1}), face(MediaType::Jpeg), false),
        (json!({}), face(MediaType::Webp), false),
        (json!({"max_reference_bytes": size}), face(MediaType::Jpeg), true),
    ] {
        let answer = client(&server, changes.clone()).submit(&case(reference)).await.unwrap().answer;
        assert_eq!(answer.outcome, VendorOutcome::Live);
        let expected = if sent { CheckState::Failed } else { CheckState::NotRun };
        assert_eq!(answer.face_match.state, expected, "{changes}");
        assert_eq!(parts(&last(&server)).len(), if sent { 2 } else { 1 }, "{changes}");
    }
}

#[tokio::test]
async fn header_path_and_mask_are_settings() {
    let server = SocketServer::start(|_| Answer::json(200, NESTED)).await.unwrap();
    let changes = json!({"api_key_header": "api_key", "path": "/vision/ekyc/liveness", "detect_mask": true});
    client(&server, changes).submit(&case(None)).await.unwrap();
    let request = last(&server);
    assert_eq!(request.target, "/vision/ekyc/liveness");
    assert_eq!((request.header("api_key"), request.header("api-key")), (Some("xxxxxxxx"), None));
    let mask = ("Content-Disposition: form-data; name=\"detect_mask\"".to_owned(), b"true".to_vec());
    assert_eq!(parts(&request)[1], mask);
}

#[tokio::test]
async fn the_code_in_the_body_decides_before_the_status() {
    for status in [200, 408] {
        let server = SocketServer::start(move |_| Answer::json(status, TWO_FACES)).await.unwrap();
        let submitted = client(&server, json!({})).submit(&case(None)).await.unwrap();
        assert_eq!(submitted.answer.outcome, VendorOutcome::Quality(QualityFault::MultipleFaces));
        assert_eq!((submitted.attempts, server.requests().len()), (1, 1));
    }
    let server = SocketServer::start(|_| Answer::json(200, r#"{"code":"400","message":"bad key"}"#)).await.unwrap();
    let error = client(&server, json!({})).submit(&case(None)).await.unwrap_err();
    assert_eq!((error.stage, error.error.kind, error.error.attempts), ("upload", ErrorKind::Credentials, 1));
    assert!(!format!("{error} {error:?}").contains("bad key"), "a vendor's words are in no error");
}

#[tokio::test]
async fn an_upload_is_repeated_only_where_it_was_turned_away() {
    for (status, kind, uploads) in [
        (429, ErrorKind::RateLimited, 3),
        (401, ErrorKind::Credentials, 1),
        (403, ErrorKind::Forbidden, 1),
        (413, ErrorKind::Refused, 1),
        (500, ErrorKind::Server, 1),
        (504, ErrorKind::Timeout, 1),
    ] {
        let html = Answer::Reply(status, vec![("Content-Type".into(), "text/html".into())], b"<html>no".to_vec());
        let server = SocketServer::start(move |_| html.clone()).await.unwrap();
        let error = client(&server, json!({})).submit(&case(None)).await.unwrap_err();
        assert_eq!((error.stage, error.error.kind, error.error.status), ("upload", kind, Some(status)));
        assert_eq!((error.error.attempts, server.requests().len()), (uploads, uploads as usize));
    }
}

#[tokio::test]
async fn what_fpt_does_not_take_is_not_sent() {
    let server = SocketServer::start(|_| Answer::json(200, LIVE)).await.unwrap();
    let client = client(&server, json!({}));
    for media in [Selected::Frames(vec![]), Selected::Image(face(MediaType::Jpeg).unwrap())] {
        let error = client.submit(&Case { media, ..case(None) }).await.unwrap_err();
        assert_eq!((error.stage, error.error.kind, error.error.sent), ("upload", ErrorKind::Refused, false));
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_probe_sends_the_key_and_no_media() {
    for (status, body, expected) in [
        (200, NO_VIDEO, Ok(Probe::CredentialsAccepted)),
        (200, "<html>", Ok(Probe::Reachable)),
        (404, "", Ok(Probe::Reachable)),
        (200, r#"{"code":"401"}"#, Err(ErrorKind::Credentials)),
        (401, "", Err(ErrorKind::Credentials)),
        (403, "", Err(ErrorKind::Credentials)),
        (503, "", Err(ErrorKind::Server)),
    ] {
        let server = SocketServer::start(move |_| Answer::json(status, body)).await.unwrap();
        let seen = client(&server, json!({})).probe(Instant::now() + LONG).await;
        if let Err(error) = &seen {
            assert_eq!((error.stage, error.error.sent, error.error.attempts), ("probe", false, 0), "nothing is paid");
        }
        assert_eq!(seen.map_err(|error| error.error.kind), expected, "{status} {body}");
        let request = &server.requests()[0];
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/dmp/liveness/v3"));
        assert_eq!(request.header("api-key"), Some("xxxxxxxx"));
        assert!(parts(request).iter().all(|(head, _)| !head.contains("filename") && !head.contains("\"video\"")));
    }
}

#[test]
fn settings_that_cannot_work_are_named_and_secrets_are_not_shown() {
    let spec = find("fpt").unwrap();
    let good = json!({"api_key": "secret-1"});
    assert!((spec.connect)(good.clone()).is_ok());
    for (changes, expected) in [
        (json!({"api_key": null}), "api_key"),
        (json!({"api_key": ""}), "api_key"),
        (json!({"api_key": "secret-1\nx"}), "api_key"),
        (json!({"api_key_file": "/nowhere"}), "api_key"),
        (json!({"api_key_header": ""}), "api_key_header"),
        (json!({"api_key_header": "api key"}), "api_key_header"),
        (json!({"api_key_header": "Content-Type"}), "api_key_header"),
        (json!({"base_url": "http://api.fpt.ai"}), "base_url"),
        (json!({"path": "dmp"}), "path"),
        (json!({"detect_mask": "yes"}), "detect_mask"),
        (json!({"http": {"max_concurrent": 0}}), "http.max_concurrent"),
        (json!({"keys": "x"}), "keys"),
    ] {
        let mut settings = good.clone();
        crate::put_over(&mut settings, changes.clone());
        let error = (spec.connect)(settings).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("secret-1"), "{changes}: {error}");
    }
    let client = (spec.connect)(good).unwrap();
    assert!(!format!("{client:?} {:?}", client.http()).contains("secret-1"));
    let defaults = (spec.settings)();
    assert!(defaults.get("api_key").is_some() && defaults.get("api_key_file").is_some());
}
