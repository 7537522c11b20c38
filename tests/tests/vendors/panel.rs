//! The panel and time: what was not ready, or came too late, is told as such, and the verdict comes all the same.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use lifesign_core::{
    vendors::{Evidence, Panel, Phase, Question},
    verdict::{Decision, Detail, VendorState, Verdict},
};
use lifesign_e2e::vendors::Fake;
use serde_json::json;

use crate::failover::{local, policy};

/// Asks with evidence that takes this long to make, for a verdict within this long.
async fn judge(panel: &Panel, making: Duration, patience: Duration) -> (Verdict, Duration, Vec<(usize, Phase)>) {
    let (began, told) = (Instant::now(), Mutex::new(Vec::new()));
    let question = Question {
        gather: Arc::new(move |_| {
            thread::sleep(making);
            Evidence::default()
        }),
        client_reference: None,
        deadline: began + patience,
        told: &|place, _, phase| told.lock().expect("no panic").push((place, phase)),
    };
    let verdict = panel.judge(&policy(panel), local(), question).await;
    (verdict, began.elapsed(), told.into_inner().expect("no panic"))
}

fn reasons(verdict: &Verdict) -> Vec<Option<Detail>> {
    let of = |state: &VendorState| match state {
        VendorState::NotRun(detail) | VendorState::Failed(detail) => Some(*detail),
        VendorState::Answered(_) => None,
    };
    verdict.vendor_results.iter().map(|result| of(&result.state)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ready_in_time_is_a_matter_of_time_and_not_of_media() {
    let (first, second) =
        (Fake::start("facia").await.expect("a stand-in"), Fake::start("deepvue").await.expect("a stand-in"));
    let clients = [&first, &second].map(|fake| fake.connect(json!({})).expect("a client"));
    let panel = Panel::new(clients.into());

    let (verdict, took, told) = judge(&panel, Duration::from_secs(5), Duration::from_millis(600)).await;
    assert!(took < Duration::from_millis(600), "{took:?}");
    assert_eq!(reasons(&verdict), [Some(Detail::VendorTimeout); 2]);
    assert_ne!(verdict.decision, Decision::Accept);
    assert!(verdict.diagnostics.iter().any(|line| line.contains("not ready in time")), "{:?}", verdict.diagnostics);
    assert!(told.is_empty());

    // A deadline that has passed before anybody could be asked.
    let (verdict, _, told) = judge(&panel, Duration::ZERO, Duration::ZERO).await;
    assert_eq!(reasons(&verdict), [Some(Detail::VendorTimeout); 2]);
    assert_ne!(verdict.decision, Decision::Accept);
    assert!(told.is_empty());

    // Ready in time, and nothing in it: that is a matter of media.
    let (verdict, _, told) = judge(&panel, Duration::ZERO, Duration::from_secs(5)).await;
    assert_eq!(reasons(&verdict), [Some(Detail::VendorMedia); 2]);
    assert_eq!(told, [(0, Phase::Skipped), (1, Phase::Skipped)]);
    assert_eq!(first.script.counts().uploads + second.script.counts().uploads, 0);
}
