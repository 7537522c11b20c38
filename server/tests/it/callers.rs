//! Who may call what: API clients over gRPC, devices with their session's token, and nobody else.

use std::time::{Duration, SystemTime};

use lifesign_proto::v1;
use lifesign_server::{
    access::{client_secret, fingerprint},
    store::clients::NewClient,
};
use tonic::{Code, Request, Status};

use crate::harness::*;

/// A client of this id, and its secret.
async fn add(rig: &Rig, new: NewClient) -> String {
    let secret = client_secret().unwrap();
    let new = NewClient { secret: Some((fingerprint(secret.expose()), None)), ..new };
    rig.store().await.add_client(&new, SystemTime::now()).await.unwrap();
    secret.expose().to_owned()
}

fn by<T>(secret: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {secret}").parse().unwrap());
    request
}

async fn strict() -> Rig {
    start(|config| {
        config.access.required = Some(true);
        config.access.failed_tries = 0;
        config.policies.insert("other".to_owned(), test_policy(1));
    })
    .await
}

#[track_caller]
fn refused(status: &Status) {
    is(status, Code::Unauthenticated, "UNAUTHENTICATED");
    assert_eq!(status.message(), "the credentials are missing or not valid", "nothing tells why");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_a_credential_the_answer_is_the_same() {
    let rig = strict().await;
    let (good, gone) = (add(&rig, NewClient::new("bank")).await, add(&rig, NewClient::new("gone")).await);
    let store = rig.store().await;
    store.revoke_client("gone", SystemTime::now()).await.unwrap();
    let late = client_secret().unwrap();
    let past = Some(SystemTime::now() - Duration::from_secs(1));
    let new = NewClient { secret: Some((fingerprint(late.expose()), past)), ..NewClient::new("late") };
    store.add_client(&new, SystemTime::now()).await.unwrap();
    let mut client = rig.client().await;
    let made = client.create_session(by(&good, v1::CreateSessionRequest::default())).await.unwrap().into_inner();

    let get = || v1::GetSessionRequest { session_id: made.session_id.clone() };
    assert!(client.get_session(by(&good, get())).await.is_ok());
    let wrong = format!("{}x", &good[..good.len() - 1]);
    for secret in ["", "x", &wrong, &gone, late.expose(), &made.session_token, &"y".repeat(5000)] {
        refused(&client.get_session(by(secret, get())).await.unwrap_err());
        let create = by(secret, v1::CreateSessionRequest::default());
        refused(&client.create_session(create).await.unwrap_err());
        refused(&client.check_media(by(secret, image_request(image(LIVE)))).await.unwrap_err());
    }
    refused(&client.get_session(get()).await.unwrap_err());
    let mut basic = Request::new(get());
    basic.metadata_mut().insert("authorization", format!("Basic {good}").parse().unwrap());
    refused(&client.get_session(basic).await.unwrap_err());
    let mut twice = by(&good, get());
    twice.metadata_mut().append("authorization", format!("Bearer {good}").parse().unwrap());
    refused(&client.get_session(twice).await.unwrap_err());
    refused(&client.list_sessions(v1::ListSessionsRequest::default()).await.unwrap_err());
    let watch = v1::WatchSessionRequest { session_id: made.session_id.clone() };
    refused(&client.watch_session(watch).await.unwrap_err());
    let delete = v1::DeleteSessionRequest { session_id: made.session_id.clone(), ..Default::default() };
    refused(&client.delete_session(delete).await.unwrap_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_opens_its_own_session_and_nothing_else() {
    let rig = strict().await;
    let good = add(&rig, NewClient::new("bank")).await;
    let mut client = rig.client().await;
    let made = client.create_session(by(&good, v1::CreateSessionRequest::default())).await.unwrap().into_inner();
    let (_, status) = tell(&mut client, vec![start_inline()]).await;
    refused(&status);
    let messages = vec![start_token(&made.session_token), frame(0, LIVE), frame(1, LIVE), frame(2, LIVE), finish()];
    let (replies, status) = tell(&mut client, messages).await;
    assert_eq!((status.code(), verdict(&replies).decision()), (Code::Ok, v1::Decision::Accept));
    // A wrong credential is no device.
    let stream = by("x", tokio_stream::iter(vec![start_token(&made.session_token)]));
    refused(&client.stream_session(stream).await.unwrap_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_client_never_sees_anothers_sessions() {
    let rig = strict().await;
    let (bank, shop) = (add(&rig, NewClient::new("bank")).await, add(&rig, NewClient::new("shop")).await);
    let mut client = rig.client().await;
    let made = client.create_session(by(&bank, v1::CreateSessionRequest::default())).await.unwrap().into_inner();
    let id = || made.session_id.clone();
    let get = client.get_session(by(&shop, v1::GetSessionRequest { session_id: id() })).await.unwrap_err();
    is(&get, Code::NotFound, "SESSION_UNKNOWN");
    let cancel = v1::CancelSessionRequest { session_id: id(), ..Default::default() };
    is(&client.cancel_session(by(&shop, cancel)).await.unwrap_err(), Code::NotFound, "SESSION_UNKNOWN");
    let delete = v1::DeleteSessionRequest { session_id: id(), ..Default::default() };
    is(&client.delete_session(by(&shop, delete)).await.unwrap_err(), Code::NotFound, "SESSION_UNKNOWN");
    let list = |secret: &str| by(secret, v1::ListSessionsRequest::default());
    assert!(client.list_sessions(list(&shop)).await.unwrap().into_inner().sessions.is_empty());
    assert_eq!(client.list_sessions(list(&bank)).await.unwrap().into_inner().sessions.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_and_quotas_are_a_clients_own() {
    let rig = strict().await;
    let limited = NewClient { policies: vec!["test".to_owned()], per_day: 2, ..NewClient::new("bank") };
    let secret = add(&rig, limited).await;
    let mut client = rig.client().await;
    let other = v1::CheckMediaRequest { policy: "other".to_owned(), ..image_request(image(LIVE)) };
    is(&client.check_media(by(&secret, other)).await.unwrap_err(), Code::PermissionDenied, "POLICY_NOT_ALLOWED");
    for _ in 0..2 {
        client.check_media(by(&secret, image_request(image(LIVE)))).await.unwrap();
    }
    let spent = client.check_media(by(&secret, image_request(image(LIVE)))).await.unwrap_err();
    is(&spent, Code::ResourceExhausted, "QUOTA_SPENT");
    use tonic_types::StatusExt;
    assert!(spent.get_details_quota_failure().is_some() && spent.get_details_retry_info().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_too_many_wrong_secrets_none_is_looked_at() {
    let rig = start(|config| {
        config.access.required = Some(true);
        config.access.failed_tries = 3;
    })
    .await;
    let good = add(&rig, NewClient::new("bank")).await;
    let mut client = rig.client().await;
    let get = || v1::GetCapabilitiesRequest::default();
    for _ in 0..3 {
        refused(&client.get_capabilities(by("x", get())).await.unwrap_err());
    }
    let limited = client.get_capabilities(by(&good, get())).await.unwrap_err();
    is(&limited, Code::ResourceExhausted, "TOO_MANY_FAILED_ATTEMPTS");
}
