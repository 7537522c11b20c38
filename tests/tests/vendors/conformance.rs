//! Every vendor, whatever it may say: what comes of the call, how often the media are sent, how long it takes, what is not told.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use lifesign_core::vendors::{Selected, Submitted, Takes, VENDORS, Vendor, VendorError};
use lifesign_e2e::vendors::{FAKES, Fake, SECRET_TOKEN, Says};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    cases::{Shelf, case, files},
    table::{COLUMNS, Expected, FAR, ROWS, cells},
};

/// A call's deadline: far beyond what the line allows a request.
const PATIENCE: Duration = Duration::from_secs(6);

/// For a clock that is read a moment after the deadline on a busy machine.
const SLACK: Duration = Duration::from_millis(250);

/// "Not yet"s before a result, where it is asked for.
const PENDING: u32 = 2;

type Outcome = Result<Submitted, VendorError>;

#[test]
fn every_vendor_has_a_stand_in_and_every_cell_is_filled() {
    let ids: Vec<_> = VENDORS.iter().map(|spec| spec.id).collect();
    let fakes: Vec<_> = FAKES.iter().map(|kind| kind.id).collect();
    let rows: Vec<_> = ROWS.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, fakes, "a vendor of the table has no stand-in, or the other way round");
    assert_eq!(ids, rows, "a vendor of the table has no row, or the other way round");
    for id in ids {
        for column in COLUMNS {
            assert_eq!(cells(id, column).len(), 1, "{id}, {column:?}");
        }
    }
    for (id, row) in ROWS {
        for (says, expected) in row {
            assert!(COLUMNS.contains(says), "{id}: {says:?} is no column");
            if let Expected::Absent(why) = expected {
                assert!(why.len() > 20, "{id}, {says:?}: why?");
            }
        }
    }
}

/// One call of the table. Panics where it is not as expected; what it says then names the cell.
async fn run(id: &'static str, takes: Takes, media: Selected, column: Says, expected: Expected) -> (String, Duration) {
    let cell = format!("{id}, {}, {column:?}", takes.name());
    let fake = Fake::start(id).await.expect("a stand-in");
    fake.script.say(column);
    fake.script.pend(PENDING);
    let vendor = fake.connect(json!({})).unwrap_or_else(|error| panic!("{cell}: {error}"));
    let began = Instant::now();
    let outcome = vendor.submit(&case(media.clone(), PATIENCE)).await;
    let took = began.elapsed();
    assert!(took <= PATIENCE + SLACK, "{cell}: {took:?}");
    let said = told(&fake, &*vendor, &outcome);
    let counts = fake.script.counts();
    match (expected, outcome) {
        (Expected::Answer(outcome, liveness, deepfake, uploads), Ok(submitted)) => {
            let answer = submitted.answer;
            assert_eq!(
                (answer.outcome, answer.liveness.state, answer.deepfake.state),
                (outcome, liveness, deepfake),
                "{cell}"
            );
            assert_eq!((submitted.attempts, counts.uploads), (uploads, uploads), "{cell}");
            let polls = if fake.spec().asynchronous { PENDING + 1 } else { 0 };
            assert_eq!(counts.polls, polls, "{cell}");
        }
        (Expected::Fault(stage, kind, uploads), Err(VendorError { stage: at, error })) => {
            assert_eq!((at, error.kind, error.sent), (stage, kind, uploads > 0), "{cell}: {said}");
            assert_eq!((error.attempts, counts.uploads), (uploads, uploads), "{cell}");
            let wait = matches!(column, Says::TooMany(Some(_))).then(|| Duration::from_secs(FAR.into()));
            assert_eq!(error.retry_after, wait, "{cell}");
        }
        _ => panic!("{cell}: expected {expected:?}; {said}"),
    }
    assert!(counts.judged <= 1, "{cell}: judged, and billed, {} times", counts.judged);
    for upload in fake.script.uploads() {
        assert_eq!(upload.media, files(&media), "{cell}: what was sent is not what was given");
    }
    (cell, took)
}

/// All that the call and the client show of themselves. Nothing of it may be a secret.
fn told(fake: &Fake, vendor: &dyn Vendor, outcome: &Outcome) -> String {
    let mut text = format!("{outcome:?} {outcome:#?} {vendor:?} {:?} {:?}", vendor.http(), vendor.http().config());
    if let Err(error) = outcome {
        write!(text, " {error} {}", error.error).expect("a text takes more text");
    }
    for secret in fake.secrets().iter().chain(&[SECRET_TOKEN, "signature=", "Basic ", "Bearer "]) {
        assert!(!text.contains(secret), "{secret} is shown: {text}");
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_vendor_says_comes_out_as_the_table_has_it() {
    let shelf = Shelf::fill();
    let (mut calls, mut absent, mut done) = (JoinSet::new(), Vec::new(), Vec::new());
    for spec in VENDORS {
        for column in COLUMNS {
            for expected in cells(spec.id, column) {
                if let Expected::Absent(why) = expected {
                    absent.push(format!("{}, {column:?}: {why}", spec.id));
                    continue;
                }
                for takes in spec.takes {
                    calls.spawn(run(spec.id, *takes, shelf.select(*takes), column, expected));
                }
            }
        }
    }
    let mut faults = Vec::new();
    while let Some(call) = calls.join_next().await {
        match call {
            Ok(cell) => done.push(cell),
            Err(error) => faults.push(panic_text(error)),
        }
    }
    println!("{} calls as the table has them; {} cells do not exist:", done.len(), absent.len());
    absent.iter().for_each(|cell| println!("  {cell}"));
    let (cell, took) = done.iter().max_by_key(|(_, took)| took).expect("there are calls");
    println!("the longest took {took:?}: {cell}");
    assert!(faults.is_empty(), "{} cells are not as expected:\n{}", faults.len(), faults.join("\n"));
}

fn panic_text(error: tokio::task::JoinError) -> String {
    let panic = error.into_panic();
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_ends_by_its_deadline_though_the_line_would_allow_more() {
    const SHORT: Duration = Duration::from_millis(400);
    let shelf = Shelf::fill();
    for spec in VENDORS {
        for says in [Says::Hang, Says::SlowBody] {
            let fake = Fake::start(spec.id).await.expect("a stand-in");
            fake.script.say(says);
            let vendor = fake.connect(json!({})).expect("a client");
            let began = Instant::now();
            let outcome = vendor.submit(&case(shelf.select(spec.takes[0]), SHORT)).await;
            let took = began.elapsed();
            assert!(took <= SHORT + SLACK, "{}, {says:?}: {took:?}", spec.id);
            assert!(outcome.is_err(), "{}, {says:?}", spec.id);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_fails_every_second_upload_is_asked_once_each_time() {
    let shelf = Shelf::fill();
    for spec in VENDORS {
        let fake = Fake::start(spec.id).await.expect("a stand-in");
        fake.script.say(Says::Flapping);
        let vendor = fake.connect(json!({})).expect("a client");
        for round in 0..6_u32 {
            let outcome = vendor.submit(&case(shelf.select(spec.takes[0]), PATIENCE)).await;
            assert_eq!(outcome.is_ok(), round % 2 == 0, "{}, {round}: {outcome:?}", spec.id);
            assert_eq!(fake.script.counts().uploads, round + 1, "{}", spec.id);
        }
        let tokens = fake.script.counts().tokens;
        assert!(tokens <= 1, "{}: {tokens} tokens for one client", spec.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_vendor_is_unreachable_and_nothing_was_sent() {
    let shelf = Shelf::fill();
    for spec in VENDORS {
        let mut fake = Fake::start(spec.id).await.expect("a stand-in");
        let vendor = fake.connect(json!({})).expect("a client");
        fake.stop();
        let media = || shelf.select(spec.takes[0]);
        let error = vendor.submit(&case(media(), PATIENCE)).await.expect_err("nobody listens").error;
        assert_eq!((error.kind, error.sent), (lifesign_core::http::ErrorKind::Unreachable, false), "{}", spec.id);
        fake.resume().await.expect("the same port");
        let outcome = vendor.submit(&case(media(), PATIENCE)).await;
        assert!(outcome.is_ok(), "{}: {outcome:?}", spec.id);
        assert_eq!(fake.script.counts().uploads, 1, "{}", spec.id);
    }
}

/// The settings as a configuration file has them are the same settings.
#[tokio::test]
async fn the_settings_are_a_table_of_a_configuration_file() {
    for spec in VENDORS {
        let fake = Fake::start(spec.id).await.expect("a stand-in");
        let text = fake.settings_toml(spec.id);
        let read: serde_json::Value = toml::from_str(&text).expect("TOML");
        assert_eq!(read, json!({"vendors": {spec.id: fake.settings_json()}}));
        assert!(text.contains(&format!("[vendors.{}]", spec.id)), "{text}");
    }
}
