//! `CreateSession`, `GetSession` and `CancelSession`.

use std::time::Duration;

use lifesign_core::policy::{PolicyConfig, Visibility};
use lifesign_proto::v1::{self, SessionState};
use tokio_stream::StreamExt;
use tonic::Code;

use crate::harness::*;

async fn get(client: &mut Client, id: &str) -> Result<v1::Session, tonic::Status> {
    let request = v1::GetSessionRequest { session_id: id.to_owned() };
    Ok(client.get_session(request).await?.into_inner().session.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lives_from_token_to_verdict() {
    let rig = start(|config| {
        let reserved = PolicyConfig { reasons: Visibility::Quality, ..test_policy(3) };
        config.policies.insert("test".to_owned(), reserved);
    })
    .await;
    let mut client = rig.client().await;
    let config =
        v1::SessionConfig { policy: String::new(), client_reference: "customer-12".to_owned(), reference: None };
    let request = v1::CreateSessionRequest { config: Some(config), ..Default::default() };
    let made = client.create_session(request).await.unwrap().into_inner();
    assert_eq!((made.nonce.len(), made.session_token.len()), (32, 43));
    let pending = get(&mut client, &made.session_id).await.unwrap();
    assert_eq!(pending.state(), SessionState::Pending);
    assert_eq!(pending.config.unwrap().policy, "test", "the default's name is resolved");

    let messages = vec![start_token(&made.session_token), frame(0, LIVE), frame(1, LIVE), frame(2, LIVE), finish()];
    let (replies, status) = tell(&mut client, messages).await;
    assert_eq!(status.code(), Code::Ok);
    assert_eq!(accepted(&replies).session_id, made.session_id);
    let told = verdict(&replies);
    assert_eq!(told.decision(), v1::Decision::Accept);
    assert!(told.diagnostics.is_empty(), "a device is not told what is for the backend");
    assert_eq!(told.client_reference, "customer-12");

    let done = get(&mut client, &made.session_id).await.unwrap();
    assert_eq!(done.state(), SessionState::Completed);
    let kept = done.verdict.unwrap().checks;
    assert!(told.checks.iter().all(|check| kept.contains(check)));
    let names_the_attack = |checks: &[v1::Check]| checks.iter().any(|check| check.id == "PresentationAttack");
    assert!(
        names_the_attack(&kept) && !names_the_attack(&told.checks),
        "the scores of attack checks are the backend's"
    );
    let (_, status) = tell(&mut client, vec![start_token(&made.session_token)]).await;
    is(&status, Code::FailedPrecondition, "TOKEN_USED");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_expire_and_unknown_ones_are_unknown() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let ttl = prost_types::Duration { seconds: 0, nanos: 50_000_000 };
    let request = v1::CreateSessionRequest { token_ttl: Some(ttl), ..Default::default() };
    let made = client.create_session(request).await.unwrap().into_inner();
    tokio::time::sleep(Duration::from_millis(80)).await;
    let (_, status) = tell(&mut client, vec![start_token(&made.session_token)]).await;
    is(&status, Code::FailedPrecondition, "TOKEN_EXPIRED");
    assert_eq!(get(&mut client, &made.session_id).await.unwrap().state(), SessionState::Expired);
    for token in ["", "x", &"y".repeat(5000)] {
        let (_, status) = tell(&mut client, vec![start_token(token)]).await;
        is(&status, Code::NotFound, "SESSION_UNKNOWN");
    }
    for (seconds, reason) in [(0, "TOKEN_TTL_INVALID"), (-1, "TOKEN_TTL_INVALID"), (3601, "TOKEN_TTL_TOO_LONG")] {
        let ttl = Some(prost_types::Duration { seconds, nanos: 0 });
        let request = v1::CreateSessionRequest { token_ttl: ttl, ..Default::default() };
        let status = client.create_session(request).await.unwrap_err();
        is(&status, Code::InvalidArgument, reason);
        assert_eq!(field(&status), "token_ttl");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_sessions_are_not_found() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    for id in ["nobody", "4b3c1d9e-0000-4000-8000-000000000000"] {
        is(&get(&mut client, id).await.unwrap_err(), Code::NotFound, "SESSION_UNKNOWN");
        let cancel = v1::CancelSessionRequest { session_id: id.to_owned(), ..Default::default() };
        is(&client.cancel_session(cancel).await.unwrap_err(), Code::NotFound, "SESSION_UNKNOWN");
    }
    is(&get(&mut client, "").await.unwrap_err(), Code::InvalidArgument, "SESSION_ID_MISSING");
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_is_idempotent_by_request_id() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let request = v1::CreateSessionRequest { request_id: uuid::Uuid::new_v4().to_string(), ..Default::default() };
    let first = client.create_session(request.clone()).await.unwrap().into_inner();
    let again = client.create_session(request.clone()).await.unwrap().into_inner();
    assert_eq!(first, again);
    let config = Some(v1::SessionConfig { client_reference: "another one".into(), ..Default::default() });
    let other = v1::CreateSessionRequest { config, ..request };
    is(&client.create_session(other).await.unwrap_err(), Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_ne!(create(&mut client).await.session_id, first.session_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_ends_the_stream() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let made = create(&mut client).await;
    let messages = tokio_stream::iter([start_token(&made.session_token), frame(0, LIVE)]);
    let mut replies = client.stream_session(messages.chain(tokio_stream::pending())).await.unwrap().into_inner();
    assert!(replies.message().await.unwrap().is_some());
    let cancel = v1::CancelSessionRequest { session_id: made.session_id.clone(), ..Default::default() };
    let session = client.cancel_session(cancel.clone()).await.unwrap().into_inner().session.unwrap();
    assert_eq!(session.state(), SessionState::Cancelled);
    let (_, status) = drain(&mut replies).await;
    is(&status, Code::Cancelled, "SESSION_CANCELLED");
    let again = client.cancel_session(cancel).await.unwrap().into_inner().session.unwrap();
    assert_eq!(again.state(), SessionState::Cancelled, "cancelling twice changes nothing");
    let (_, status) = tell(&mut client, vec![start_token(&made.session_token)]).await;
    is(&status, Code::FailedPrecondition, "SESSION_CANCELLED");
}
