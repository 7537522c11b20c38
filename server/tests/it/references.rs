//! Reference images: looked at once, refused by field, never kept. What they match is tested on real faces in
//! `tests/tests/e2e/references.rs`; the tiny pack has no model for it.

use lifesign_proto::v1::{self, CheckState, Decision, stream_session_request as up};
use tonic::Code;

use crate::harness::*;

fn face_match(verdict: &v1::Verdict) -> &v1::Check {
    verdict.checks.iter().find(|check| check.id == "FaceMatch").expect("a reference was given")
}

fn with_reference(media: v1::Image, reference: v1::Image) -> v1::CheckMediaRequest {
    v1::CheckMediaRequest { reference: Some(reference), ..image_request(media) }
}

fn session_config(reference: v1::Image) -> Option<v1::SessionConfig> {
    Some(v1::SessionConfig { reference: Some(reference), ..Default::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_that_cannot_be_made_is_an_outcome_and_no_pass() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    for reference in [file(PORTRAIT, ""), image(0)] {
        let verdict = check_request(&mut client, with_reference(image(LIVE), reference)).await.unwrap();
        let check = face_match(&verdict);
        assert_eq!((check.state(), check.detail.as_str()), (CheckState::NotRun, "NO_MODEL"));
        assert_eq!(verdict.decision(), Decision::Indeterminate, "no other picture would help");
    }
    assert_eq!(rig.hold.begun(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_reference_is_refused_by_field_through_every_door() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let unknown_format = v1::RawPixels { format: 99, ..raw() };
    let table = [
        (file(vec![], ""), "MEDIA_EMPTY", "data"),
        (file(vec![9; 5000], ""), "MEDIA_FORMAT_UNKNOWN", "data"),
        (file(&PORTRAIT[..2000], ""), "MEDIA_UNDECODABLE", "data"),
        (file(vec![9; 11 << 20], ""), "MEDIA_TOO_LARGE", "data"),
        (file(PORTRAIT, "video/mp4"), "MEDIA_TYPE_UNSUPPORTED", "media_type"),
        (v1::Image { raw: Some(unknown_format), ..image(LIVE) }, "RAW_PIXELS_UNKNOWN", "raw.format"),
    ];
    for (reference, reason, path) in table {
        let status = check_request(&mut client, with_reference(image(LIVE), reference.clone())).await.unwrap_err();
        is(&status, Code::InvalidArgument, reason);
        assert_eq!(field(&status), format!("reference.{path}"));

        let request = v1::CreateSessionRequest { config: session_config(reference.clone()), ..Default::default() };
        let status = client.create_session(request).await.unwrap_err();
        is(&status, Code::InvalidArgument, reason);
        assert_eq!(field(&status), format!("config.reference.{path}"));

        let session = session_config(reference).map(up::start::Session::Config);
        let begin = message(up::Message::Start(up::Start { session }));
        let (replies, status) = tell(&mut client, vec![begin, frame(0, LIVE)]).await;
        assert!(replies.is_empty(), "{replies:?}");
        if reason == "MEDIA_TOO_LARGE" {
            // Beyond what a message of a stream may have at all.
            is(&status, Code::InvalidArgument, "MESSAGE_TOO_LARGE");
            continue;
        }
        is(&status, Code::InvalidArgument, reason);
        assert_eq!(field(&status), format!("start.config.reference.{path}"));
    }
    rig.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_holds_its_reference_and_shows_no_picture() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let request = |reference| v1::CreateSessionRequest {
        config: session_config(reference),
        request_id: "6f0c52a5-1f8e-4d4e-9d52-6a9f2f6c8a01".to_owned(),
        ..Default::default()
    };
    let made = client.create_session(request(image(0))).await.unwrap().into_inner();
    let again = client.create_session(request(image(0))).await.unwrap().into_inner();
    assert_eq!(made, again);
    assert_eq!(rig.hold.begun(), 1, "the picture was looked at once");
    let status = client.create_session(request(image(LIVE))).await.unwrap_err();
    is(&status, Code::InvalidArgument, "REQUEST_ID_REUSED");

    let messages = vec![start_token(&made.session_token), frame(0, LIVE), frame(1, LIVE), frame(2, LIVE), finish()];
    let (replies, status) = tell(&mut client, messages).await;
    assert_eq!(status.code(), Code::Ok, "{status:?}");
    assert_eq!(verdict(&replies).decision(), Decision::Indeterminate, "without a reference it would be accepted");
    let request = v1::GetSessionRequest { session_id: made.session_id };
    let session = client.get_session(request).await.unwrap().into_inner().session.unwrap();
    assert_eq!(session.config.unwrap().reference, None);
    assert_eq!(face_match(&session.verdict.unwrap()).detail, "NO_MODEL");

    let session = session_config(image(0)).map(up::start::Session::Config);
    let begin = message(up::Message::Start(up::Start { session }));
    let (replies, status) = tell(&mut client, vec![begin, frame(0, LIVE), frame(1, LIVE), frame(2, LIVE)]).await;
    assert_eq!((status.code(), verdict(&replies).decision()), (Code::Ok, Decision::Indeterminate));
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_with_a_picture_is_refused_at_the_door_like_any_work() {
    let rig = start(|config| {
        config.engine.workers = 1;
        config.engine.queue = 1;
        config.grpc.max_calls = 2;
    })
    .await;
    let client = rig.client().await;
    rig.hold.set(true);
    let call = |client: &Client| {
        let mut client = client.clone();
        tokio::spawn(async move { check(&mut client, image(LIVE)).await })
    };
    let at_work = call(&client);
    rig.hold.wait_for(1).await;
    let request = v1::CreateSessionRequest { config: session_config(image(LIVE)), ..Default::default() };
    let waiting = {
        let (mut client, request) = (client.clone(), request.clone());
        tokio::spawn(async move { client.create_session(request).await })
    };
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let status = client.clone().create_session(request).await.unwrap_err();
    is(&status, Code::ResourceExhausted, "TOO_MUCH_AT_ONCE");
    rig.hold.set(false);
    at_work.await.unwrap().unwrap();
    waiting.await.unwrap().unwrap();
}
