//! FACIA: asking for the result until it is there, until the deadline, or until it is refused.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use lifesign_core::{
    http::ErrorKind,
    testing::socket::{Answer, SocketServer},
    verdict::VendorOutcome,
};
use serde_json::json;

use super::{LONG, as_documented, case, client, count, video};

#[tokio::test]
async fn the_result_is_asked_for_until_it_is_there() {
    let asked = AtomicU32::new(0);
    let server = SocketServer::start(move |request| match request.target.as_str() {
        "/result" => match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::json(404, r#"{"status":false,"message":"Not found"}"#),
            1 => Answer::json(200, r#"{"status":true,"message":"processing","result":{"data":{"status":null}}}"#),
            2 => Answer::json(200, r#"{"status":true,"message":"processing","result":[]}"#),
            // A fault of the question is repeated by the line: it costs nothing.
            3 => Answer::json(500, ""),
            _ => Answer::json(200, r#"{"status":true,"result":{"data":{"status":1,"deepfake_score":0.01}}}"#),
        },
        _ => as_documented(request),
    })
    .await
    .unwrap();
    let submitted = client(&server, json!({})).submit(&case(video(), LONG)).await.unwrap();
    assert_eq!((submitted.answer.outcome, submitted.attempts), (VendorOutcome::Live, 1));
    // The result names no transaction, so the one of the upload stands.
    assert_eq!(submitted.answer.reference.as_deref(), Some("W4437KIWN0KDM13"));
    assert_eq!(
        (count(&server, "/result"), count(&server, "/liveness"), count(&server, "/request-access-token")),
        (5, 1, 1)
    );
}

#[tokio::test]
async fn a_token_that_ends_while_asking_is_replaced_without_another_upload() {
    for issued_in_all in [1, 2] {
        let (issued, asked) = (AtomicU32::new(0), AtomicU32::new(0));
        let server = SocketServer::start(move |request| match request.target.as_str() {
            "/request-access-token" if issued.fetch_add(1, Ordering::SeqCst) >= issued_in_all => {
                Answer::json(403, "{}")
            }
            "/result" if asked.fetch_add(1, Ordering::SeqCst) == 0 => Answer::json(401, "{}"),
            _ => as_documented(request),
        })
        .await
        .unwrap();
        let outcome = client(&server, json!({})).submit(&case(video(), LONG)).await;
        assert_eq!((count(&server, "/liveness"), count(&server, "/request-access-token")), (1, 2));
        if issued_in_all == 2 {
            assert_eq!(outcome.unwrap().attempts, 1);
            continue;
        }
        let error = outcome.unwrap_err();
        assert_eq!((error.stage, error.error.kind), ("token", ErrorKind::Forbidden));
        assert_eq!((error.error.sent, error.error.attempts), (true, 1), "the upload is paid for");
    }
}

#[tokio::test]
async fn asking_ends_at_the_deadline() {
    let server = SocketServer::start(|request| match request.target.as_str() {
        "/result" => Answer::json(200, r#"{"status":true,"message":"processing"}"#),
        _ => as_documented(request),
    })
    .await
    .unwrap();
    let begun = Instant::now();
    let slower = json!({"poll": {"max_ms": 160}});
    let error = client(&server, slower).submit(&case(video(), Duration::from_millis(400))).await.unwrap_err();
    assert_eq!((error.stage, error.error.kind), ("result", ErrorKind::Timeout));
    assert_eq!((error.error.sent, error.error.attempts), (true, 1), "the upload is paid for");
    // After 5 ms, then 10, 20, 40, 80 and 160, and the next wait would be too long. A slow machine asks less often.
    assert!((1..=6).contains(&count(&server, "/result")), "{}", count(&server, "/result"));
    // What would end after the deadline is not waited for.
    let error =
        client(&server, json!({"poll": {"first_wait_ms": 60_000}})).submit(&case(video(), LONG)).await.unwrap_err();
    assert_eq!((error.stage, error.error.kind), ("result", ErrorKind::Timeout));
    assert!(begun.elapsed() < LONG / 2, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_question_that_is_refused_ends_it() {
    for (status, kind) in [(403, ErrorKind::Forbidden), (402, ErrorKind::Refused), (200, ErrorKind::Refused)] {
        let server = SocketServer::start(move |request| match request.target.as_str() {
            "/result" => Answer::json(status, r#"{"status":false,"message":"no"}"#),
            _ => as_documented(request),
        })
        .await
        .unwrap();
        let error = client(&server, json!({})).submit(&case(video(), LONG)).await.unwrap_err();
        assert_eq!((error.stage, error.error.kind, count(&server, "/result")), ("result", kind, 1));
        assert_eq!((error.error.sent, error.error.attempts), (true, 1));
    }
}
