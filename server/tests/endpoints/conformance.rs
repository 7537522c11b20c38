//! This project's own clients of FACIA and Deepvue against these endpoints. The two sides were written from the same pages and must agree:
//! what is expected is what the clients' own suite expects of its stand-ins.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use lifesign_core::{
    frame::{FrameError, MediaType},
    http::ErrorKind,
    vendors::{
        Case, Clip, Picture, Selected, Submitted, Takes, Vendor, VendorError,
        deepvue::{Deepvue, ImageUrl},
        find,
    },
    verdict::{AttackKind, CheckState, QualityFault, VendorOutcome},
    video::Container,
};
use lifesign_e2e::vendors::put_over;
use lifesign_proto::v1::{self, CheckState as Wire, Decision, VendorRole};
use lifesign_server::{
    access::{Denied, Forbidden},
    engine::Busy,
    status::Fault,
};
use serde_json::{Value, json};

use crate::rig::{ID, Rig, SECRET, Says, deepfake, file, live, no_face, outcome, photo, spoof, video};

use CheckState::{Failed, NotRun, Passed};
use VendorOutcome::{Attack, Live, Quality};

fn settings(rig: &Rig, id: &str, changes: Value) -> Value {
    let mut settings = (find(id).unwrap().settings)();
    let line = json!({
        "base_url": format!("http://{}", rig.address),
        "client_id": ID,
        "client_secret": SECRET,
        "http": {"retry": {"attempts": 3, "base_ms": 1, "max_ms": 5}, "rate": [{"calls": 1_000_000, "per_ms": 1_000}]},
    });
    put_over(&mut settings, line);
    if id == "facia" {
        put_over(&mut settings, json!({"poll": {"first_wait_ms": 0, "base_ms": 10, "max_ms": 20}}));
    }
    put_over(&mut settings, changes);
    settings
}

fn client(rig: &Rig, id: &str, changes: Value) -> Box<dyn Vendor> {
    (find(id).unwrap().connect)(settings(rig, id, changes)).unwrap()
}

fn select(takes: Takes) -> Selected {
    match takes {
        Takes::Image => Selected::Image(Picture { data: photo().into(), media_type: MediaType::Jpeg }),
        Takes::Video => Selected::Video(Clip {
            data: video().into(),
            container: Container::Mp4,
            duration: Duration::from_secs(1),
            size: (320, 320),
            made: false,
        }),
        Takes::Frames => panic!("neither vendor takes frames"),
    }
}

async fn submit(vendor: &dyn Vendor, takes: Takes) -> Result<Submitted, VendorError> {
    let case = Case {
        media: select(takes),
        reference: None,
        client_reference: Some("conformance-1"),
        request_id: "6b0b7f0e-6a5c-4a57-9d0e-0d8e4c1a0d57",
        deadline: Instant::now() + Duration::from_secs(20),
    };
    vendor.submit(&case).await
}

/// What comes of a call, as the clients' own table has it.
enum Expected {
    /// The outcome, the axes of presentation attacks and deepfakes, uploads.
    Answer(VendorOutcome, CheckState, CheckState, u32),
    /// The stage, the kind, uploads, when to come back.
    Fault(&'static str, ErrorKind, u32, Option<Duration>),
}

/// How a cell is set up.
enum Column {
    Says(Says),
    Refuses(fn() -> Fault),
    RefusesKey,
    TokenEnds,
}

fn media() -> Fault {
    let error = FrameError::Undecodable { format: MediaType::Jpeg.name(), what: "cut off".into() };
    Fault::Media { field: "image.data".into(), error }
}

fn far() -> Fault {
    Fault::Forbidden(Forbidden::Quota { window: "day", limit: 9, retry_after: Duration::from_secs(30) })
}

fn near() -> Fault {
    Fault::Busy(Busy { retry_after: Duration::from_millis(20), workers: 1, queued: 4 })
}

/// FACIA decides, and says more than this engine could.
fn replay() -> Result<lifesign_server::http::Outcome, Fault> {
    let mut outcome = outcome(Decision::Reject, Wire::Failed, Wire::NotRun);
    outcome.verdict.vendor_results = vec![v1::VendorResult {
        vendor: "facia".into(),
        role: VendorRole::Deciding.into(),
        raw_code: "FADR03".into(),
        ..v1::VendorResult::default()
    }];
    Ok(outcome)
}

fn line(id: &str) -> Vec<(&'static str, Column, Expected)> {
    use Expected::{Answer, Fault as Wrong};
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let mut cells = vec![
        ("refused key", Column::RefusesKey, Wrong("token", ErrorKind::Credentials, 0, None)),
        ("bad media", Column::Refuses(media), Wrong("upload", ErrorKind::Refused, 1, None)),
        ("too many, come back soon", Column::Refuses(near), Wrong("upload", ErrorKind::RateLimited, 3, seconds(1))),
        ("too many, come back late", Column::Refuses(far), Wrong("upload", ErrorKind::RateLimited, 1, seconds(30))),
        ("broken", Column::Refuses(|| Fault::Internal), Wrong("upload", ErrorKind::Server, 1, None)),
    ];
    cells.extend(match id {
        "facia" => vec![
            ("live", Column::Says(live), Answer(Live, Passed, Passed, 1)),
            // This engine does not tell a print from a replay.
            ("spoof", Column::Says(spoof), Answer(Attack(AttackKind::PrintOrReplay), Failed, NotRun, 1)),
            ("replay", Column::Says(replay), Answer(Attack(AttackKind::Replay), Failed, NotRun, 1)),
            ("deepfake", Column::Says(deepfake), Answer(Attack(AttackKind::Deepfake), NotRun, Failed, 1)),
            ("no face", Column::Says(no_face), Answer(Quality(QualityFault::NoFace), NotRun, NotRun, 1)),
            ("token ends", Column::TokenEnds, Answer(Live, Passed, Passed, 2)),
            ("late", Column::Refuses(|| Fault::Deadline), Wrong("upload", ErrorKind::Timeout, 1, None)),
            (
                "not allowed",
                Column::Refuses(|| Fault::Forbidden(Forbidden::Policy)),
                Wrong("upload", ErrorKind::Forbidden, 1, None),
            ),
            ("broken later", Column::Says(|| Err(Fault::Internal)), Wrong("result", ErrorKind::Server, 1, None)),
        ],
        _ => vec![
            ("live", Column::Says(live), Answer(Live, Passed, NotRun, 1)),
            ("spoof", Column::Says(spoof), Answer(Attack(AttackKind::Unspecified), Failed, NotRun, 1)),
            ("deepfake", Column::Says(deepfake), Answer(Attack(AttackKind::Unspecified), Failed, NotRun, 1)),
            ("no face", Column::Says(no_face), Answer(Quality(QualityFault::NoFace), NotRun, NotRun, 1)),
            ("token ends", Column::TokenEnds, Answer(Live, Passed, NotRun, 2)),
            ("late", Column::Refuses(|| Fault::Deadline), Wrong("upload", ErrorKind::Server, 1, None)),
            (
                "undecided",
                Column::Says(|| Ok(outcome(Decision::Indeterminate, Wire::Error, Wire::NotRun))),
                Wrong("upload", ErrorKind::Server, 1, None),
            ),
        ],
    });
    cells
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_read_every_condition_as_they_read_their_stand_ins() {
    let mut calls = 0;
    for id in ["deepvue", "facia"] {
        for takes in find(id).unwrap().takes {
            for (name, column, expected) in line(id) {
                let cell = format!("{id}, {}, {name}", takes.name());
                let rig = Rig::start().await;
                rig.desk.pending.store(2, Ordering::SeqCst);
                match column {
                    Column::Says(says) => rig.desk.says(says),
                    Column::Refuses(fault) => rig.desk.refuses(fault),
                    Column::RefusesKey => rig.credentials.denies(Some(|| Denied::Refused)),
                    Column::TokenEnds => rig.credentials.expires_next.store(true, Ordering::SeqCst),
                }
                let vendor = client(&rig, id, json!({}));
                match (expected, submit(&*vendor, *takes).await) {
                    (Expected::Answer(outcome, liveness, deepfake, uploads), Ok(submitted)) => {
                        let answer = submitted.answer;
                        let read = (answer.outcome, answer.liveness.state, answer.deepfake.state);
                        assert_eq!((read, submitted.attempts), ((outcome, liveness, deepfake), uploads), "{cell}");
                        let asks = rig.desk.asks();
                        assert_eq!(asks.len(), 1, "{cell}: judged once");
                        let given = match select(*takes) {
                            Selected::Image(picture) => (picture.data.to_vec(), "image/jpeg"),
                            Selected::Video(clip) => (clip.data.to_vec(), "video/mp4"),
                            Selected::Frames(_) => unreachable!("not selected"),
                        };
                        assert_eq!(file(&asks[0].media), given, "{cell}");
                        if id == "facia" {
                            assert_eq!(asks[0].client_reference, "conformance-1", "{cell}");
                        }
                    }
                    (Expected::Fault(stage, kind, uploads, after), Err(VendorError { stage: at, error })) => {
                        assert_eq!((at, error.kind, error.attempts), (stage, kind, uploads), "{cell}");
                        assert_eq!((error.sent, error.retry_after), (uploads > 0, after), "{cell}");
                    }
                    (_, result) => panic!("{cell}: {result:?}"),
                }
                calls += 1;
            }
        }
    }
    assert_eq!(calls, 12 + 2 * 14, "Deepvue takes pictures, FACIA videos as well");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_in_which_the_clients_can_be_set_is_understood() {
    let rig = Rig::start().await;
    let body = json!({"client_id": ID, "client_secret": SECRET}).to_string();
    let reply = rig.post("/request-access-token", &[], &body).await;
    let token = reply.json()["result"]["data"]["token"].clone();
    for changes in [
        json!({"encoding": "multipart"}),
        json!({"base64": "data_url"}),
        json!({"auth": "client_secret_header"}),
        json!({"auth": "bearer", "token": token}),
        json!({"client_id": "", "email": ID, "password": SECRET}),
        json!({"client_id_key": "client-id", "client_secret_key": "client-secret"}),
        json!({"poll": {"pending_statuses": []}}),
    ] {
        let vendor = client(&rig, "facia", changes.clone());
        rig.desk.pending.store(1, Ordering::SeqCst);
        for takes in [Takes::Image, Takes::Video] {
            let answer = submit(&*vendor, takes).await.unwrap_or_else(|error| panic!("{changes}: {error:?}")).answer;
            assert_eq!((answer.outcome, answer.proof), (Live, None), "{changes}");
        }
        vendor
            .probe(Instant::now() + Duration::from_secs(9))
            .await
            .unwrap_or_else(|error| panic!("{changes}: {error}"));
    }
    for changes in [json!({"authorize_encoding": "urlencoded"}), json!({"authorize_encoding": "multipart"})] {
        let vendor = client(&rig, "deepvue", changes.clone());
        let submitted = submit(&*vendor, Takes::Image).await.unwrap_or_else(|error| panic!("{changes}: {error:?}"));
        assert_eq!((submitted.answer.outcome, submitted.answer.raw_score), (Live, Some(0.75)), "{changes}");
        vendor.probe(Instant::now() + Duration::from_secs(9)).await.unwrap();
    }
    // A token that lives for a day is asked for once.
    let vendor = client(&rig, "deepvue", json!({}));
    let issued = rig.credentials.issued.load(Ordering::SeqCst);
    for _ in 0..3 {
        submit(&*vendor, Takes::Image).await.unwrap();
    }
    assert_eq!(rig.credentials.issued.load(Ordering::SeqCst), issued + 1);
}

#[tokio::test]
async fn the_client_may_have_a_picture_fetched() {
    let rig = Rig::start().await;
    *rig.fetch.finds.lock().unwrap() = || Ok(photo().into());
    let config = serde_json::from_value(settings(&rig, "deepvue", json!({}))).unwrap();
    let vendor = Deepvue::new(config).unwrap();
    let url = ImageUrl::parse("https://pictures.bank.in/selfies/1.jpg").unwrap();
    let submitted = vendor.check_url(&url, Instant::now() + Duration::from_secs(9)).await.unwrap();
    assert_eq!(submitted.answer.outcome, Live);
    assert_eq!(*rig.fetch.asked.lock().unwrap(), [url.as_str()]);
    *rig.fetch.finds.lock().unwrap() = || Err(lifesign_server::http::FetchError::NotAllowed);
    let refused = vendor.check_url(&url, Instant::now() + Duration::from_secs(9)).await.unwrap_err();
    assert_eq!(refused.error.kind, ErrorKind::Refused);
}

/// What FACIA's client makes of a decline's proof.
#[tokio::test]
async fn a_proof_comes_with_its_end() {
    let rig = Rig::start().await;
    rig.desk.says(deepfake);
    let vendor = client(&rig, "facia", json!({}));
    let answer = submit(&*vendor, Takes::Image).await.unwrap().answer;
    let proof = answer.proof.unwrap();
    assert_eq!(proof.url, deepfake().unwrap().proof.unwrap());
    assert_eq!(proof.expires, Some(std::time::UNIX_EPOCH + Duration::from_secs(1_234_567_890)));
    assert_eq!((answer.raw_code.as_str(), answer.raw_score), ("FADR25", Some(0.75)));
}
