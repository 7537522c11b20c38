//! Two vendors, one after the other, while the first goes down and comes back: every check gets its verdict, in time, for one upload.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use lifesign_core::{
    frame::Frame,
    http::BreakerState,
    policy::{Policy, PolicyConfig, Strategy, VendorRule, builtin},
    testing::tiny_pack,
    vendors::{Evidence, Panel, Picture, Question},
    verdict::{
        Assurance, Check, CheckId, CheckState, Decision, FrameStats, PackRef, PolicyRef, RuntimeRef, Source, Timings,
        VendorRole, VendorState, Verdict,
    },
};
use lifesign_e2e::vendors::{Fake, Says, Upload};
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet, time::sleep};

const CHECKS: usize = 300;
const AT_A_TIME: usize = 20;

/// Between the beginnings of two checks: the whole takes longer than the breaker stays open, several times over.
const PACE: Duration = Duration::from_millis(8);

/// How long either vendor takes over a picture: as many checks begin meanwhile as run at a time.
const TAKES: Duration = Duration::from_millis(150);

/// The policy's deadline for vendors.
const DEADLINE: Duration = Duration::from_secs(2);

/// What a call costs, in millionths.
const PRICE: u64 = 1_000;

/// What becomes of the first vendor, from which check on. `None`: it does not listen.
const PHASES: [(usize, &str, Option<Says>); 8] = [
    (0, "healthy", Some(Says::Live)),
    (40, "down", None),
    (65, "reset", Some(Says::Reset)),
    (85, "back", Some(Says::Live)),
    (125, "slow", Some(Says::Hang)),
    (150, "flapping", Some(Says::Flapping)),
    (225, "garbage", Some(Says::Garbage)),
    (245, "healthy again", Some(Says::Live)),
];

/// One check: its place, its picture, what came of it, and how long that took.
struct Done {
    place: usize,
    picture: Vec<u8>,
    verdict: Verdict,
    took: Duration,
}

/// A picture that no other check has: the bits of its place as black and white squares.
fn picture(place: usize) -> Picture {
    let pixel = |i: usize| {
        let (x, y) = (i % 128, i / 128);
        let white = if y < 16 { place >> (x / 8) & 1 == 1 } else { (x / 8 + y / 8) % 2 == 0 };
        [if white { 230 } else { 20 }; 3]
    };
    let frame = Frame::from_rgb(128, 96, (0..128 * 96).flat_map(pixel).collect()).expect("a frame");
    Picture::encode(&frame).expect("a picture")
}

/// What the local checks say of a good capture.
pub(crate) fn local() -> Verdict {
    Verdict {
        decision: Decision::Accept,
        checks: vec![Check {
            id: CheckId::Sharpness,
            state: CheckState::Passed,
            score: Some(0.9),
            threshold: Some(0.5),
            raw: None,
            source: Source::Local,
            models: vec![],
            duration: Duration::ZERO,
            required: true,
            detail: None,
        }],
        vendor_results: vec![],
        faces: vec![],
        pose: None,
        reasons: vec![],
        diagnostics: vec![],
        policy: PolicyRef { id: "failover".into(), version: "1".into() },
        pack: PackRef { id: "tiny".into(), version: "1".into(), assurance: Assurance::Custom, sha256: "00".into() },
        runtime: RuntimeRef { name: "rten".into(), version: "0".into() },
        frames: FrameStats::default(),
        timings: Timings::default(),
        best_frame_index: Some(0),
        matched_frame_index: None,
        timeline: vec![],
    }
}

pub(crate) fn policy(panel: &Panel) -> Policy {
    let folder = tempfile::tempdir().expect("a folder");
    let pack = tiny_pack(folder.path()).expect("a pack");
    let (_, base) = builtin().into_iter().find(|(id, _)| *id == "presentation-attack-only").expect("a policy");
    let vendors = VendorRule {
        strategy: Strategy::First,
        ask: vec!["facia".into(), "deepvue".into()],
        deadline_ms: DEADLINE.as_millis().try_into().expect("a short time"),
        ..VendorRule::default()
    };
    let config = PolicyConfig { required: vec![CheckId::Sharpness], vendors, ..base };
    Policy::compile_with("failover", config, pack.manifest(), &|id| panel.judges(id)).expect("a policy")
}

async fn check(panel: &Panel, policy: &Policy, place: usize) -> Done {
    let picture = picture(place);
    let evidence = Evidence { best: Some(picture.clone()), ..Evidence::default() };
    let reference = format!("check-{place:03}");
    let began = Instant::now();
    let question = Question {
        gather: Arc::new(move |_| evidence.clone()),
        client_reference: Some(&reference),
        deadline: began + DEADLINE + Duration::from_secs(1),
        told: &|_, _, _| {},
    };
    let verdict = panel.judge(policy, local(), question).await;
    Done { place, picture: picture.data.to_vec(), verdict, took: began.elapsed() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_may_come_and_go_and_no_check_is_lost_or_sent_twice() {
    let mut first = Fake::start("facia").await.expect("a stand-in");
    let second = Fake::start("deepvue").await.expect("a stand-in");
    for script in [&first.script, &second.script] {
        script.take(TAKES);
    }
    first.script.pend(1);
    let breaker = json!({"failures": 4, "window_ms": 5_000, "open_ms": 100, "probes": 1});
    let line = json!({"connect_timeout_ms": 200, "request_timeout_ms": 400, "max_concurrent": 64, "breaker": breaker});
    let a = first.connect(json!({"price_micros": PRICE, "http": line})).expect("a client");
    let b = second.connect(json!({"price_micros": PRICE, "http": {"max_concurrent": 64}})).expect("a client");
    let panel = Arc::new(Panel::new(vec![a, b]));
    let policy = Arc::new(policy(&panel));

    let room = Arc::new(Semaphore::new(AT_A_TIME));
    let mut most = 0;
    let (mut running, mut listens) = (JoinSet::new(), true);
    for place in 0..CHECKS {
        if let Some((_, _, says)) = PHASES.iter().find(|(from, ..)| *from == place) {
            match says {
                None => first.stop(),
                Some(says) => first.script.say(*says),
            }
            if says.is_some() && !listens {
                first.resume().await.expect("the same port");
            }
            listens = says.is_some();
        }
        // The second vendor has a mind of its own, so that a verdict shows whose it is.
        second.script.say(if place / 5 % 2 == 0 { Says::Live } else { Says::Spoof });
        let leave = Arc::clone(&room).acquire_owned().await.expect("room");
        most = most.max(AT_A_TIME - room.available_permits());
        let (panel, policy) = (Arc::clone(&panel), Arc::clone(&policy));
        running.spawn(async move {
            let done = check(&panel, &policy, place).await;
            drop(leave);
            done
        });
        sleep(PACE).await;
    }
    let mut done = running.join_all().await;
    done.sort_by_key(|done| done.place);
    assert_eq!(done.iter().map(|done| done.place).collect::<Vec<_>>(), (0..CHECKS).collect::<Vec<_>>());

    let seen = [("facia", seen(first.script.uploads())), ("deepvue", seen(second.script.uploads()))];
    done.iter().for_each(|done| is_sound(done, &seen));
    is_paid_for(&done, &seen);
    let breaker = panel.member("facia").expect("a member").vendor().http();
    let counts = breaker.breaker_counts();
    report(&done, &seen);
    println!("at most {most} checks at a time");
    assert_eq!(most, AT_A_TIME);
    println!(
        "the first vendor's breaker opened {} times and half opened {} times",
        counts.openings, counts.half_openings
    );
    assert!(counts.openings >= 3 && counts.half_openings >= 3, "{counts:?}");
    assert_eq!(breaker.breaker_state(), BreakerState::Closed);
    let last: Vec<_> = done.iter().rev().take(10).map(decider).collect();
    let again = last.iter().filter(|id| **id == Some("facia")).count();
    assert!(again > last.len() / 2, "the first vendor is asked again: {last:?}");
    let other = panel.member("deepvue").expect("a member").vendor().http();
    assert_eq!(other.breaker_counts().openings, 0);
}

/// A vendor's uploads by picture: each was uploaded once.
fn seen(uploads: Vec<Upload>) -> HashMap<Vec<u8>, Option<Says>> {
    let number = uploads.len();
    let seen: HashMap<_, _> = uploads.into_iter().map(|upload| (upload.media.concat(), upload.judged)).collect();
    assert_eq!(seen.len(), number, "a picture was uploaded twice");
    seen
}

type Seen = [(&'static str, HashMap<Vec<u8>, Option<Says>>); 2];

/// Whose word the verdict is.
fn decider(done: &Done) -> Option<&str> {
    let mut deciding = done.verdict.vendor_results.iter().filter(|result| result.role == VendorRole::Deciding);
    let id = deciding.next().filter(|result| result.answer().is_some()).map(|result| result.vendor.as_str());
    assert!(deciding.next().is_none(), "{}: two decide", done.place);
    id
}

/// The verdict came in time and is what a vendor that saw the picture said of it.
fn is_sound(done: &Done, seen: &Seen) {
    let Done { place, picture, verdict, took } = done;
    assert!(*took <= DEADLINE, "{place}: {took:?}");
    let by = decider(done).unwrap_or_else(|| panic!("{place}: nobody decided, and one vendor is well: {verdict:?}"));
    let (_, uploads) = seen.iter().find(|(id, _)| *id == by).expect("a vendor");
    let said = uploads.get(picture).unwrap_or_else(|| panic!("{place}: {by} never saw it"));
    let expected = match said {
        Some(Says::Live) => Decision::Accept,
        Some(Says::Spoof) => Decision::Reject,
        other => panic!("{place}: {by} said {other:?}"),
    };
    assert_eq!(verdict.decision, expected, "{place}: {by}");
}

/// What is said to have been spent is never less than what the vendors would bill.
fn is_paid_for(done: &[Done], seen: &Seen) {
    let pictures: HashSet<_> = done.iter().map(|done| &done.picture).collect();
    assert_eq!(pictures.len(), CHECKS, "every picture is another");
    for (id, uploads) in seen {
        let results = done.iter().flat_map(|done| &done.verdict.vendor_results).filter(|result| result.vendor == *id);
        let cost: u64 = results.map(|result| result.cost_micros).sum();
        assert!(cost >= PRICE * uploads.len() as u64, "{id}: {cost} for {} uploads", uploads.len());
    }
}

fn report(done: &[Done], seen: &Seen) {
    let ends = PHASES.iter().skip(1).map(|(from, ..)| *from).chain([CHECKS]);
    for ((from, name, _), to) in PHASES.iter().zip(ends) {
        let checks = &done[*from..to];
        let of = |decision| checks.iter().filter(|done| done.verdict.decision == decision).count();
        let by_first = checks.iter().filter(|done| decider(done) == Some("facia")).count();
        let mut took: Vec<_> = checks.iter().map(|done| done.took).collect();
        took.sort();
        println!(
            "{name:>13}: {:3} accepted, {:3} rejected; {by_first:3} decided by the first vendor; median {:?}, 95 % {:?}, longest {:?}",
            of(Decision::Accept),
            of(Decision::Reject),
            took[took.len() / 2],
            took[took.len() * 95 / 100],
            took[took.len() - 1],
        );
    }
    let mut took: Vec<_> = done.iter().map(|done| done.took).collect();
    took.sort();
    println!("all: median {:?}, 95 % {:?}, longest {:?}", took[CHECKS / 2], took[CHECKS * 95 / 100], took[CHECKS - 1]);
    for (id, uploads) in seen {
        let judged = uploads.values().filter(|judged| judged.is_some()).count();
        println!("{id}: {} uploads, {judged} judged", uploads.len());
    }
    let mut faults = BTreeMap::<_, usize>::new();
    for result in done.iter().flat_map(|done| &done.verdict.vendor_results) {
        if let VendorState::Failed(why) = result.state {
            let billed = if result.cost_micros > 0 { "may be billed" } else { "is not billed" };
            *faults.entry(format!("{}: {why:?}, which {billed}", result.vendor)).or_default() += 1;
        }
    }
    faults.iter().for_each(|(fault, number)| println!("{number:3} times {fault}"));
}
