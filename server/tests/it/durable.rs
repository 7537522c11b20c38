//! What outlives a server, and what several servers share: sessions, answers, cancellations.

use std::time::Duration;

use lifesign_proto::v1::{self, SessionState};
use lifesign_server::config::Retention;
use tonic::Code;
use uuid::Uuid;

use crate::harness::*;

async fn get(client: &mut Client, id: &str) -> Result<v1::Session, tonic::Status> {
    let request = v1::GetSessionRequest { session_id: id.to_owned() };
    Ok(client.get_session(request).await?.into_inner().session.unwrap())
}

async fn list(
    client: &mut Client,
    request: v1::ListSessionsRequest,
) -> Result<v1::ListSessionsResponse, tonic::Status> {
    Ok(client.list_sessions(request).await?.into_inner())
}

fn delete(id: &str, request_id: &str) -> v1::DeleteSessionRequest {
    v1::DeleteSessionRequest { session_id: id.to_owned(), request_id: request_id.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_made_streamed_and_read_on_three_servers() {
    let first = start(|_| ()).await;
    let made = create(&mut first.client().await).await;
    let second = start_beside(&first, |_| ()).await;
    let messages = vec![start_token(&made.session_token), frame(0, LIVE), frame(1, LIVE), frame(2, LIVE), finish()];
    let (replies, status) = tell(&mut second.client().await, messages).await;
    assert_eq!(status.code(), Code::Ok, "{status:?}");
    assert_eq!(verdict(&replies).decision(), v1::Decision::Accept);
    let third = start_beside(&first, |_| ()).await;
    let session = get(&mut third.client().await, &made.session_id).await.unwrap();
    assert_eq!((session.state(), session.kind()), (SessionState::Completed, v1::SessionKind::Stream));
    assert_eq!(session.verdict.unwrap().decision(), v1::Decision::Accept);
    let (_, status) = tell(&mut first.client().await, vec![start_token(&made.session_token)]).await;
    is(&status, Code::FailedPrecondition, "TOKEN_USED");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_cancels_and_deletes_an_open_stream() {
    let first = start(|_| ()).await;
    let second = start_beside(&first, |_| ()).await;
    for erase in [false, true] {
        let guest = Guest::open(&first, vec![start_inline(), frame(0, LIVE)]).await;
        let id = guest.session_id.clone();
        let mut client = second.client().await;
        if erase {
            let receipt = client.delete_session(delete(&id, "")).await.unwrap().into_inner().receipt.unwrap();
            assert!(!receipt.verdict_erased && receipt.session_id == id);
            is(&get(&mut first.client().await, &id).await.unwrap_err(), Code::NotFound, "SESSION_UNKNOWN");
        } else {
            let request = v1::CancelSessionRequest { session_id: id.clone(), ..Default::default() };
            let session = client.cancel_session(request).await.unwrap().into_inner().session.unwrap();
            assert_eq!(session.state(), SessionState::Cancelled);
            first.session_becomes(&id, SessionState::Cancelled).await;
        }
        guest.vanish();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_gets_the_first_answer_on_another_server() {
    let first = start(|_| ()).await;
    let second = start_beside(&first, |_| ()).await;
    let request_id = Uuid::new_v4().to_string();
    let ask = |grey| v1::CheckMediaRequest { request_id: request_id.clone(), ..image_request(image(grey)) };
    let one = check_request(&mut first.client().await, ask(LIVE)).await.unwrap();
    let two = check_request(&mut second.client().await, ask(LIVE)).await.unwrap();
    assert_eq!(one, two);
    assert_eq!(second.hold.begun(), 0, "it was not judged again");
    let other = check_request(&mut second.client().await, ask(ATTACK)).await.unwrap_err();
    is(&other, Code::InvalidArgument, "REQUEST_ID_REUSED");
    let create = v1::CreateSessionRequest { request_id: Uuid::new_v4().to_string(), ..Default::default() };
    let one = first.client().await.create_session(create.clone()).await.unwrap().into_inner();
    let two = second.client().await.create_session(create).await.unwrap().into_inner();
    assert_eq!(one.session_token, two.session_token);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_by_pages() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(create(&mut client).await.session_id);
    }
    let page =
        |token: &str| v1::ListSessionsRequest { page_size: 2, page_token: token.to_owned(), ..Default::default() };
    let (mut token, mut seen) = (String::new(), Vec::new());
    for expected in [2, 2, 1] {
        let found = list(&mut client, page(&token)).await.unwrap();
        assert_eq!(found.sessions.len(), expected);
        seen.extend(found.sessions.into_iter().map(|session| session.session_id));
        token = found.next_page_token;
    }
    assert!(token.is_empty());
    made.sort();
    seen.sort();
    assert_eq!(seen, made);
    let filtered = |states: Vec<SessionState>| v1::ListSessionsRequest {
        states: states.into_iter().map(Into::into).collect(),
        ..Default::default()
    };
    assert_eq!(list(&mut client, filtered(vec![SessionState::Pending])).await.unwrap().sessions.len(), 5);
    assert!(list(&mut client, filtered(vec![SessionState::Completed])).await.unwrap().sessions.is_empty());
    let refused = list(&mut client, filtered(vec![SessionState::Unspecified])).await.unwrap_err();
    is(&refused, Code::InvalidArgument, "VALUE_UNKNOWN");
    is(&list(&mut client, page("x")).await.unwrap_err(), Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let negative = v1::ListSessionsRequest { page_size: -1, ..Default::default() };
    is(&list(&mut client, negative).await.unwrap_err(), Code::InvalidArgument, "PAGE_SIZE_NEGATIVE");
    assert_eq!(field(&list(&mut client, page("x")).await.unwrap_err()), "page_token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_sees_each_state_and_the_end() {
    let rig = start(|_| ()).await;
    let other = start_beside(&rig, |_| ()).await;
    let made = create(&mut rig.client().await).await;
    let request = v1::WatchSessionRequest { session_id: made.session_id.clone() };
    let mut near = rig.client().await.watch_session(request.clone()).await.unwrap().into_inner();
    let mut far = other.client().await.watch_session(request).await.unwrap().into_inner();
    for watch in [&mut near, &mut far] {
        let first = watch.message().await.unwrap().unwrap().session.unwrap();
        assert_eq!(first.state(), SessionState::Pending);
    }
    let messages = vec![start_token(&made.session_token), frame(0, LIVE), frame(1, LIVE), frame(2, LIVE), finish()];
    let (_, status) = tell(&mut rig.client().await, messages).await;
    assert_eq!(status.code(), Code::Ok);
    for watch in [&mut near, &mut far] {
        let mut last = SessionState::Pending;
        while let Some(told) = watch.message().await.unwrap() {
            last = told.session.unwrap().state();
        }
        assert_eq!(last, SessionState::Completed);
    }
    let unknown = v1::WatchSessionRequest { session_id: Uuid::new_v4().to_string() };
    let mut unknown = rig.client().await.watch_session(unknown).await.unwrap().into_inner();
    is(&unknown.message().await.unwrap_err(), Code::NotFound, "SESSION_UNKNOWN");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_kept_where_its_policy_says_so_and_erased_once() {
    let rig = start(|config| {
        config.retention.insert("test".to_owned(), Retention { verdict_seconds: 60 });
        config.policies.insert("brief".to_owned(), test_policy(1));
    })
    .await;
    let mut client = rig.client().await;
    let brief = v1::CheckMediaRequest { policy: "brief".to_owned(), ..image_request(image(LIVE)) };
    assert!(check_request(&mut client, brief).await.unwrap().session_id.is_empty(), "nothing is kept by default");
    assert!(list(&mut client, v1::ListSessionsRequest::default()).await.unwrap().sessions.is_empty());

    let verdict = check(&mut client, image(LIVE)).await.unwrap();
    let kept = get(&mut client, &verdict.session_id).await.unwrap();
    assert_eq!((kept.kind(), kept.verdict.as_ref()), (v1::SessionKind::Check, Some(&verdict)));
    let listed = list(&mut client, v1::ListSessionsRequest::default()).await.unwrap().sessions;
    let brief = listed[0].verdict.as_ref().unwrap();
    assert!(brief.decision() == verdict.decision() && brief.checks.is_empty(), "a list has the outline");

    let again = delete(&verdict.session_id, &Uuid::new_v4().to_string());
    let receipt = client.delete_session(again.clone()).await.unwrap().into_inner().receipt.unwrap();
    assert!(receipt.verdict_erased && receipt.delete_time.is_some());
    let same = client.delete_session(again).await.unwrap().into_inner().receipt.unwrap();
    assert_eq!(same, receipt);
    is(&get(&mut client, &verdict.session_id).await.unwrap_err(), Code::NotFound, "SESSION_UNKNOWN");
    let gone = client.delete_session(delete(&verdict.session_id, "")).await.unwrap_err();
    is(&gone, Code::NotFound, "SESSION_UNKNOWN");
    let events: Vec<String> =
        rig.store().await.audit_lines(0, 100).await.unwrap().into_iter().map(|line| line.event).collect();
    assert_eq!(events, ["decided", "decided", "deleted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_is_swept_when_its_time_is_over() {
    let rig = start(|config| config.grpc.sessions.remember_seconds = 0).await;
    let made = create(&mut rig.client().await).await;
    let messages = vec![start_token(&made.session_token), frame(0, LIVE), frame(1, LIVE), frame(2, LIVE), finish()];
    tell(&mut rig.client().await, messages).await;
    let store = rig.store().await;
    for _ in 0..1200 {
        if store.audit_lines(0, 100).await.unwrap().iter().any(|line| line.event == "forgotten") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the sweeper did not come");
}
