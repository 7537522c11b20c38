//! What holds calls back: the circuit breaker, the cap on concurrent calls, the rate windows.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use lifesign_core::{
    http::{BreakerConfig, BreakerCounts, BreakerState, CallError, ErrorKind, Health, HttpConfig, RateWindow, Repeat},
    testing::socket::{Answer, SocketServer},
};

use crate::support::{after, eager, far, in_time, line, ok, once, post, read, send, serve, until};

/// Answers so as long as it is broken.
async fn mendable(answer: Answer) -> (SocketServer, Arc<AtomicBool>) {
    let mended = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&mended);
    (serve(move |_| if asked.load(Ordering::SeqCst) { ok() } else { answer.clone() }).await, mended)
}

fn breaker(failures: u32, open_ms: u64) -> BreakerConfig {
    BreakerConfig { failures, open_ms, ..BreakerConfig::default() }
}

#[tokio::test]
async fn a_vendor_that_keeps_failing_is_left_alone() {
    let server = serve(|_| Answer::json(500, "")).await;
    let line = line(HttpConfig { breaker: breaker(2, 3_600_000), ..once() });
    let call = post(&server.url(), Repeat::Safe);
    assert_eq!((line.breaker_state(), line.health()), (BreakerState::Closed, Health::Unknown));
    for _ in 0..2 {
        assert_eq!(send(&line, &call).await.unwrap_err().kind, ErrorKind::Server);
    }
    assert_eq!((line.breaker_state(), line.health()), (BreakerState::Open, Health::Unhealthy));
    let error = send(&line, &call).await.unwrap_err();
    assert_eq!((error.kind, error.sent, error.attempts), (ErrorKind::Suspended, false, 0));
    let wait = error.retry_after.unwrap();
    assert!(wait <= Duration::from_secs(3600) && wait > Duration::from_secs(3000), "{wait:?}");
    assert_eq!(server.requests().len(), 2);
    assert_eq!(line.breaker_counts(), BreakerCounts { openings: 1, half_openings: 0 });
}

#[tokio::test]
async fn what_was_paid_for_is_fetched_from_a_vendor_that_is_left_alone() {
    let (server, mended) = mendable(Answer::json(500, "")).await;
    let line = line(HttpConfig { breaker: breaker(1, 3_600_000), ..once() });
    let (call, owed) = (post(&server.url(), Repeat::Safe), post(&server.url(), Repeat::Owed));
    assert_eq!(send(&line, &owed).await.unwrap_err().kind, ErrorKind::Server);
    assert_eq!(line.breaker_state(), BreakerState::Open, "its failures count while it is closed");
    assert_eq!(send(&line, &owed).await.unwrap_err().kind, ErrorKind::Server);
    mended.store(true, Ordering::SeqCst);
    send(&line, &owed).await.unwrap();
    assert_eq!(send(&line, &call).await.unwrap_err().kind, ErrorKind::Suspended, "nobody else is let through");
    assert_eq!(server.requests().len(), 3);
    assert_eq!(line.breaker_counts(), BreakerCounts { openings: 1, half_openings: 0 });
}

#[tokio::test]
async fn it_is_asked_again_and_the_first_success_closes_the_breaker() {
    let (server, mended) = mendable(Answer::Reset).await;
    let line = line(HttpConfig { breaker: breaker(2, 10), ..once() });
    let call = post(&server.url(), Repeat::Safe);
    for _ in 0..2 {
        assert_eq!(send(&line, &call).await.unwrap_err().kind, ErrorKind::Broken);
    }
    until("half open", || line.breaker_state() == BreakerState::HalfOpen).await;
    assert_eq!(line.health(), Health::Unhealthy);
    assert_eq!(send(&line, &call).await.unwrap_err().kind, ErrorKind::Broken);
    until("half open again", || line.breaker_state() == BreakerState::HalfOpen).await;
    mended.store(true, Ordering::SeqCst);
    send(&line, &call).await.unwrap();
    assert_eq!((line.breaker_state(), line.health()), (BreakerState::Closed, Health::Healthy));
    assert_eq!(line.breaker_counts(), BreakerCounts { openings: 2, half_openings: 2 });
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_probe_that_is_dropped_makes_room_for_another() {
    // A host without an address opens the breaker; the probes meet a server that hangs, then answers.
    let (server, mended) = mendable(Answer::Hang).await;
    let line = Arc::new(line(HttpConfig { breaker: breaker(1, 10), ..once() }));
    let nowhere = post("http://vendor.invalid/", Repeat::Safe);
    send(&line, &nowhere).await.unwrap_err();
    until("half open", || line.breaker_state() == BreakerState::HalfOpen).await;
    let call = post(&server.url(), Repeat::Safe);
    let probe = tokio::spawn({
        let (line, call) = (Arc::clone(&line), call.clone());
        async move { send(&line, &call).await.map(|_| ()) }
    });
    until("the probe is on its way", || server.requests().len() == 1).await;
    let error = send(&line, &call).await.unwrap_err();
    assert_eq!(error, CallError::new(ErrorKind::Suspended));
    probe.abort();
    assert!(probe.await.unwrap_err().is_cancelled());
    assert_eq!(line.breaker_state(), BreakerState::HalfOpen);
    mended.store(true, Ordering::SeqCst);
    send(&line, &call).await.unwrap();
    assert_eq!(line.breaker_state(), BreakerState::Closed);
}

#[tokio::test]
async fn a_breaker_that_opens_between_two_requests_leaves_the_error_of_the_first() {
    let server = serve(|_| Answer::json(500, "")).await;
    let line = line(HttpConfig { breaker: breaker(2, 3_600_000), ..eager(5) });
    let error = send(&line, &post(&server.url(), Repeat::Safe)).await.unwrap_err();
    assert_eq!((error.kind, error.status, error.attempts), (ErrorKind::Server, Some(500), 2));
    assert_eq!((line.breaker_state(), server.requests().len()), (BreakerState::Open, 2));
}

#[tokio::test]
async fn answers_that_are_no_help_do_not_open_it() {
    for (status, health) in
        [(400, Health::Healthy), (401, Health::Unhealthy), (403, Health::Unhealthy), (429, Health::Unhealthy)]
    {
        let server = serve(move |_| Answer::json(status, "")).await;
        let line = line(HttpConfig { breaker: breaker(1, 3_600_000), ..once() });
        for _ in 0..3 {
            send(&line, &post(&server.url(), Repeat::Safe)).await.unwrap_err();
        }
        assert_eq!((line.breaker_state(), line.health()), (BreakerState::Closed, health), "{status}");
    }
}

#[tokio::test]
async fn no_more_calls_than_allowed_run_at_a_time() {
    let (server, mended) = mendable(Answer::Hang).await;
    let line = Arc::new(line(HttpConfig { max_concurrent: 2, request_timeout_ms: 300_000, ..once() }));
    let call = post(&server.url(), Repeat::Paid);
    let running: Vec<_> = (0..2)
        .map(|_| {
            let (line, call) = (Arc::clone(&line), call.clone());
            tokio::spawn(async move { line.call(&call, after(300_000), read).await.map(|_| ()) })
        })
        .collect();
    until("both are on their way", || server.requests().len() == 2).await;
    for _ in 0..2 {
        let error = line.call(&call, after(100), read).await.unwrap_err();
        assert_eq!(error, CallError::new(ErrorKind::Saturated));
    }
    assert_eq!(server.requests().len(), 2);
    mended.store(true, Ordering::SeqCst);
    let waiting = tokio::spawn({
        let (line, call) = (Arc::clone(&line), call.clone());
        async move { send(&line, &call).await.map(|told| told.attempts) }
    });
    for call in running {
        call.abort();
    }
    assert_eq!(in_time("room again", waiting).await.unwrap(), Ok(1));
}

#[tokio::test]
async fn no_more_requests_than_a_window_allows_are_made() {
    let server = serve(|_| ok()).await;
    let rate = vec![RateWindow { calls: 100, per_ms: 1 }, RateWindow { calls: 3, per_ms: 3_600_000 }];
    let line = line(HttpConfig { rate, ..once() });
    let call = post(&server.url(), Repeat::Safe);
    for _ in 0..3 {
        send(&line, &call).await.unwrap();
    }
    for _ in 0..2 {
        let error = in_time("refused at once", line.call(&call, far(), read)).await.unwrap_err();
        assert_eq!((error.kind, error.sent, error.attempts), (ErrorKind::Saturated, false, 0));
        let wait = error.retry_after.unwrap();
        assert!(wait <= Duration::from_secs(3600) && wait > Duration::from_secs(3000), "{wait:?}");
    }
    assert_eq!((server.requests().len(), line.health()), (3, Health::Healthy));
}

#[tokio::test]
async fn a_request_waits_for_its_window() {
    let server = serve(|_| ok()).await;
    let line = line(HttpConfig { rate: vec![RateWindow { calls: 2, per_ms: 250 }], ..once() });
    let call = post(&server.url(), Repeat::Safe);
    let started = Instant::now();
    let calls = futures_util::future::join_all((0..5).map(|_| send(&line, &call))).await;
    assert!(calls.iter().all(Result::is_ok), "{calls:?}");
    assert!(started.elapsed() >= Duration::from_millis(500), "{:?}", started.elapsed());
}

#[tokio::test]
async fn repetitions_count_against_the_windows() {
    let server = serve(|_| Answer::json(500, "")).await;
    let rate = vec![RateWindow { calls: 2, per_ms: 3_600_000 }];
    let line = line(HttpConfig { rate, ..eager(5) });
    let error = send(&line, &post(&server.url(), Repeat::Safe)).await.unwrap_err();
    assert_eq!((error.kind, error.attempts), (ErrorKind::Server, 2));
    assert_eq!(server.requests().len(), 2);
}
