//! What goes wrong before and after the upload: nothing is sent for a token that does not come, and nothing twice for a result.

use std::time::{Duration, Instant};

use lifesign_core::{
    http::ErrorKind,
    vendors::{VENDORS, VendorError},
    verdict::VendorOutcome,
};
use lifesign_e2e::vendors::{Fake, Says, Stage};
use serde_json::json;

use crate::cases::{Shelf, case};

const PATIENCE: Duration = Duration::from_secs(10);

/// What a request that may be repeated as often as is useful comes to, and how often it was made.
const FAULTS: [(Says, ErrorKind, u32); 9] = [
    (Says::TooMany(None), ErrorKind::RateLimited, 3),
    (Says::TooMany(Some(60)), ErrorKind::RateLimited, 1),
    (Says::Broken, ErrorKind::Server, 3),
    (Says::Hang, ErrorKind::Timeout, 3),
    (Says::Garbage, ErrorKind::Unreadable, 1),
    (Says::Noise, ErrorKind::Unreadable, 1),
    (Says::SlowBody, ErrorKind::Timeout, 3),
    (Says::Reset, ErrorKind::Broken, 3),
    (Says::Cut, ErrorKind::Broken, 3),
];

/// The vendors that give tokens.
const WITH_TOKENS: [&str; 2] = ["deepvue", "facia"];

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_nothing_is_uploaded() {
    let shelf = Shelf::fill();
    for id in WITH_TOKENS {
        for (says, kind, requests) in FAULTS {
            let fake = Fake::start(id).await.expect("a stand-in");
            fake.script.fail(Stage::Token, says);
            // Three times the request's time-out is less than the call's.
            let vendor = fake.connect(json!({"http": {"request_timeout_ms": 500}})).expect("a client");
            let began = Instant::now();
            let media = shelf.select(fake.spec().takes[0]);
            let VendorError { stage, error } = vendor.submit(&case(media, PATIENCE)).await.expect_err("no token");
            assert!(began.elapsed() < PATIENCE, "{id}, {says:?}");
            assert_eq!((stage, error.kind, error.sent, error.attempts), ("token", kind, false, 0), "{id}, {says:?}");
            let counts = fake.script.counts();
            assert_eq!((counts.tokens, counts.uploads), (requests, 0), "{id}, {says:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_does_not_come_is_not_paid_for_again() {
    let shelf = Shelf::fill();
    for spec in VENDORS.iter().filter(|spec| spec.asynchronous) {
        for (says, kind, requests) in FAULTS {
            let fake = Fake::start(spec.id).await.expect("a stand-in");
            fake.script.fail(Stage::Result, says);
            let vendor = fake.connect(json!({"http": {"request_timeout_ms": 500}})).expect("a client");
            let began = Instant::now();
            let media = shelf.select(spec.takes[0]);
            let VendorError { stage, error } = vendor.submit(&case(media, PATIENCE)).await.expect_err("no result");
            assert!(began.elapsed() < PATIENCE, "{}, {says:?}", spec.id);
            // The upload was made and is paid for.
            assert_eq!(
                (stage, error.kind, error.sent, error.attempts),
                ("result", kind, true, 1),
                "{}, {says:?}",
                spec.id
            );
            let counts = fake.script.counts();
            assert_eq!((counts.uploads, counts.judged, counts.polls), (1, 1, requests), "{}, {says:?}", spec.id);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_between_upload_and_result_is_replaced() {
    let shelf = Shelf::fill();
    for spec in VENDORS.iter().filter(|spec| spec.asynchronous) {
        let fake = Fake::start(spec.id).await.expect("a stand-in");
        fake.script.fail(Stage::Result, Says::ExpiredToken);
        let vendor = fake.connect(json!({})).expect("a client");
        let submitted = vendor.submit(&case(shelf.select(spec.takes[0]), PATIENCE)).await.expect("an answer");
        assert_eq!((submitted.answer.outcome, submitted.attempts), (VendorOutcome::Live, 1), "{}", spec.id);
        let counts = fake.script.counts();
        assert_eq!((counts.tokens, counts.uploads, counts.polls), (2, 1, 2), "{}", spec.id);
    }
}

/// A result that never comes ends the call by its deadline, however patient the vendor is with questions.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_stays_pending_ends_with_the_deadline() {
    const SHORT: Duration = Duration::from_millis(500);
    let shelf = Shelf::fill();
    for spec in VENDORS.iter().filter(|spec| spec.asynchronous) {
        let fake = Fake::start(spec.id).await.expect("a stand-in");
        fake.script.pend(u32::MAX);
        let vendor = fake.connect(json!({})).expect("a client");
        let began = Instant::now();
        let error = vendor.submit(&case(shelf.select(spec.takes[0]), SHORT)).await.expect_err("no result").error;
        assert!(began.elapsed() < SHORT + Duration::from_millis(250), "{}: {:?}", spec.id, began.elapsed());
        assert_eq!((error.kind, error.sent, error.attempts), (ErrorKind::Timeout, true, 1), "{}", spec.id);
        assert_eq!(fake.script.counts().uploads, 1, "{}", spec.id);
    }
}
