//! More work than the server takes: refused at the door, with when to come back.

use std::time::Duration;

use lifesign_proto::v1::{self, SessionState};
use tonic::{Code, Request};
use tonic_types::StatusExt;

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_resource_exhausted_with_retry_info() {
    let rig = start(|config| {
        config.engine.workers = 1;
        config.engine.queue = 1;
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
    let waiting = call(&client);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let status = check(&mut client.clone(), image(LIVE)).await.unwrap_err();
    is(&status, Code::ResourceExhausted, "QUEUE_FULL");
    let delay = status.get_details_retry_info().unwrap().retry_delay.unwrap();
    assert!(delay >= Duration::from_millis(50));
    rig.hold.set(false);
    for call in [at_work, waiting] {
        assert_eq!(call.await.unwrap().unwrap().decision(), v1::Decision::Accept);
    }
    rig.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_waits_where_a_call_is_refused() {
    let rig = start(|config| {
        config.engine.workers = 1;
        config.engine.queue = 1;
    })
    .await;
    rig.hold.set(true);
    let clients = futures::future::join_all((0..4).map(|_| rig.client())).await;
    let streams = clients.into_iter().map(|mut client| async move {
        let messages = vec![start_inline(), frame(0, LIVE), frame(1, LIVE), frame(2, LIVE), finish()];
        tell(&mut client, messages).await
    });
    let all = tokio::spawn(futures::future::join_all(streams));
    rig.hold.wait_for(1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    rig.hold.set(false);
    for (replies, status) in all.await.unwrap() {
        assert_eq!(status.code(), Code::Ok, "{status:?}");
        assert_eq!(verdict(&replies).decision(), v1::Decision::Accept);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_past_its_deadline_is_dropped() {
    let rig = start(|config| config.engine.workers = 1).await;
    let mut client = rig.client().await;
    rig.hold.set(true);
    let mut first = client.clone();
    let at_work = tokio::spawn(async move { check(&mut first, image(LIVE)).await });
    rig.hold.wait_for(1).await;
    let mut request = Request::new(image_request(image(LIVE)));
    // Only the header, so that it is the server's answer that comes and not the client's own timer's.
    request.metadata_mut().insert("grpc-timeout", "200m".parse().unwrap());
    let status = client.check_media(request).await.unwrap_err();
    is(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    rig.hold.set(false);
    at_work.await.unwrap().unwrap();
    check(&mut client, image(LIVE)).await.unwrap();
    assert_eq!(rig.hold.begun(), 2, "the late work was never begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_limit_holds_without_a_deadline() {
    let rig = start(|config| config.grpc.unary_timeout_ms = 200).await;
    rig.hold.set(true);
    let status = check(&mut rig.client().await, image(LIVE)).await.unwrap_err();
    is(&status, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    rig.hold.set(false);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_and_streams_are_counted() {
    let rig = start(|config| {
        config.grpc.max_calls = 1;
        config.grpc.max_streams = 1;
    })
    .await;
    let mut client = rig.client().await;
    let guest = Guest::open(&rig, vec![start_inline()]).await;
    let (_, status) = tell(&mut client, vec![start_inline()]).await;
    is(&status, Code::ResourceExhausted, "TOO_MUCH_AT_ONCE");
    assert_eq!(status.get_details_quota_failure().unwrap().violations[0].subject, "streams");
    let id = guest.session_id.clone();
    guest.vanish();
    rig.session_becomes(&id, SessionState::Expired).await;

    rig.hold.set(true);
    let mut first = client.clone();
    let at_work = tokio::spawn(async move { check(&mut first, image(LIVE)).await });
    rig.hold.wait_for(1).await;
    is(&check(&mut client, image(LIVE)).await.unwrap_err(), Code::ResourceExhausted, "TOO_MUCH_AT_ONCE");
    rig.hold.set(false);
    at_work.await.unwrap().unwrap();
    rig.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_capped() {
    let rig = start(|config| config.grpc.sessions.max_sessions = 2).await;
    let mut client = rig.client().await;
    create(&mut client).await;
    create(&mut client).await;
    let status = client.create_session(v1::CreateSessionRequest::default()).await.unwrap_err();
    is(&status, Code::ResourceExhausted, "TOO_MANY_SESSIONS");
    assert!(status.get_details_retry_info().unwrap().retry_delay.unwrap() > Duration::from_secs(500));
    let (_, status) = tell(&mut client, vec![start_inline()]).await;
    is(&status, Code::ResourceExhausted, "TOO_MANY_SESSIONS");
}

#[tokio::test(flavor = "multi_thread")]
async fn media_of_all_streams_shares_one_budget() {
    let rig = start(|config| {
        config.limits.max_bytes = 1 << 20;
        config.video.limits.max_bytes = 1 << 20;
        config.grpc.max_stream_media_bytes = 1 << 20;
    })
    .await;
    let mut client = rig.client().await;
    // 900 KiB of a frame that is not finished stay in memory.
    let guest = Guest::open(&rig, vec![start_inline(), chunk(0, 0, &vec![9; 900 << 10], false)]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (_, status) = tell(&mut client, vec![start_inline(), chunk(0, 0, &vec![9; 200 << 10], false)]).await;
    is(&status, Code::ResourceExhausted, "TOO_MUCH_AT_ONCE");
    let id = guest.session_id.clone();
    guest.vanish();
    rig.session_becomes(&id, SessionState::Expired).await;
    let messages = vec![start_inline(), frame(0, LIVE), frame(1, LIVE), frame(2, LIVE)];
    let (replies, status) = tell(&mut client, messages).await;
    assert_eq!(status.code(), Code::Ok, "the room is free again: {status:?}");
    verdict(&replies);
}
