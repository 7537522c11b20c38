//! Policies that ask vendors, through `CheckMedia` and streams.

use std::time::{Duration, Instant};

use lifesign_core::{
    policy::{OnError, Strategy},
    testing::socket::Answer,
};
use lifesign_proto::v1::{self, CheckState, Decision, stream_session_response as down};
use tokio_stream::StreamExt;

use crate::{fakes::*, harness::*};

fn result<'a>(verdict: &'a v1::Verdict, vendor: &str) -> &'a v1::VendorResult {
    verdict.vendor_results.iter().find(|result| result.vendor == vendor).expect("the vendor has a result")
}

fn check_of<'a>(verdict: &'a v1::Verdict, id: &str, source: &str) -> &'a v1::Check {
    let found = verdict.checks.iter().find(|check| check.id == id && check.source == source);
    found.unwrap_or_else(|| panic!("no {id} of {source}"))
}

async fn one(strategy: Strategy, answer: Answer) -> (Rig, Fake) {
    let fake = Fake::deepvue(answer).await;
    let rig = start(|config| {
        fake.configure(config, "deepvue");
        ask(config, strategy, &["deepvue"]);
    })
    .await;
    (rig, fake)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_decides_beside_the_local_checks() {
    let (rig, fake) = one(Strategy::First, deepvue(true)).await;
    let mut client = rig.client().await;
    let live = check(&mut client, image(LIVE)).await.unwrap();
    assert_eq!(live.decision(), Decision::Accept);
    let said = result(&live, "deepvue");
    assert_eq!((said.outcome.as_str(), said.raw_code.as_str(), said.reference.as_str()), ("LIVE", "SUCCESS", "t-1"));
    assert_eq!((said.state(), said.role()), (CheckState::Passed, v1::VendorRole::Deciding));
    assert_eq!((said.attempts, said.cost_micros), (1, 50_000));
    assert!(check_of(&live, "PresentationAttack", "deepvue").required);
    assert_eq!(check_of(&live, "PresentationAttack", "local").state(), CheckState::Passed);

    fake.answers(deepvue(false));
    let attack = check(&mut client, image(LIVE)).await.unwrap();
    assert_eq!(attack.decision(), Decision::Reject);
    assert_eq!(check_of(&attack, "PresentationAttack", "deepvue").state(), CheckState::Failed);

    fake.answers(no_face());
    let poor = check(&mut client, image(LIVE)).await.unwrap();
    assert_eq!(poor.decision(), Decision::Retry);
    assert!(poor.reasons.iter().any(|reason| reason.code == "NO_FACE"), "{:?}", poor.reasons);

    // What Deepvue saw is a picture, as the raw pixels that came are none.
    let body: serde_json::Value = serde_json::from_slice(&fake.uploads()[0].body).unwrap();
    assert!(body["image"].as_str().unwrap().starts_with("/9j/"), "a JPEG in base64");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hopeless_call_is_not_paid_for() {
    let (rig, fake) = one(Strategy::First, deepvue(true)).await;
    let mut client = rig.client().await;
    for (grey, decision) in [(ATTACK, Decision::Reject), (0, Decision::Retry)] {
        let verdict = check(&mut client, image(grey)).await.unwrap();
        assert_eq!(verdict.decision(), decision);
        let result = result(&verdict, "deepvue");
        assert_eq!((result.state(), result.detail.as_str()), (CheckState::NotRun, "PRECHECK"));
        assert_eq!((result.cost_micros, result.role()), (0, v1::VendorRole::None));
    }
    assert!(fake.uploads().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_fails_accepts_nothing() {
    let fake = Fake::deepvue(Answer::Reset).await;
    for (on_error, decision) in [(OnError::Indeterminate, Decision::Indeterminate), (OnError::Review, Decision::Review)]
    {
        let rig = start(|config| {
            fake.configure(config, "deepvue");
            ask(config, Strategy::First, &["deepvue"]);
            config.policies.get_mut("test").unwrap().on_error = on_error;
        })
        .await;
        let mut client = rig.client().await;
        for answer in
            [Answer::Reset, Answer::json(500, "{}"), Answer::Raw(b"no HTTP".to_vec()), Answer::json(200, "[]")]
        {
            fake.answers(answer.clone());
            let verdict = check(&mut client, image(LIVE)).await.unwrap();
            assert_eq!(verdict.decision(), decision, "{answer:?}");
            let failed = check_of(&verdict, "PresentationAttack", "deepvue");
            assert_eq!(failed.state(), CheckState::Error, "{answer:?}");
            assert!(failed.detail.starts_with("VENDOR_"), "{}", failed.detail);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_vendor_answers_in_place_of_one_that_fails() {
    let (first, second) = (Fake::facia(Answer::json(500, "{}")).await, Fake::deepvue(deepvue(true)).await);
    let rig = start(|config| {
        first.configure(config, "facia");
        second.configure(config, "deepvue");
        ask(config, Strategy::First, &["facia", "deepvue"]);
    })
    .await;
    let mut client = rig.client().await;
    let verdict = check(&mut client, image(LIVE)).await.unwrap();
    assert_eq!(verdict.decision(), Decision::Accept);
    assert_eq!(result(&verdict, "facia").state(), CheckState::Error);
    assert_eq!(result(&verdict, "facia").role(), v1::VendorRole::None);
    assert!(!check_of(&verdict, "PresentationAttack", "facia").required);
    assert_eq!(result(&verdict, "deepvue").role(), v1::VendorRole::Deciding);

    first.answers(facia(0, Some("FADR03")));
    let verdict = check(&mut client, image(LIVE)).await.unwrap();
    assert_eq!(verdict.decision(), Decision::Reject);
    let said = result(&verdict, "facia");
    assert_eq!((said.outcome.as_str(), said.raw_code.as_str()), ("ATTACK_REPLAY", "FADR03"));
    assert_eq!(said.proof.as_ref().unwrap().expire_time.unwrap().seconds, 4_102_444_800);
    assert_eq!(result(&verdict, "deepvue").detail, "NOT_NEEDED");
    assert_eq!(second.uploads().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_must_agree_and_a_record_decides_nothing() {
    let (one, other) = (Fake::facia(facia(1, None)).await, Fake::deepvue(deepvue(false)).await);
    for (strategy, decision) in [(Strategy::All, Decision::Reject), (Strategy::Shadow, Decision::Accept)] {
        let rig = start(|config| {
            one.configure(config, "facia");
            other.configure(config, "deepvue");
            ask(config, strategy, &["facia", "deepvue"]);
        })
        .await;
        let mut client = rig.client().await;
        let verdict = check(&mut client, image(LIVE)).await.unwrap();
        assert_eq!(verdict.decision(), decision, "{strategy:?}");
        assert_eq!(result(&verdict, "facia").outcome, "LIVE");
        assert_eq!(result(&verdict, "deepvue").outcome, "ATTACK");
        let said = client.get_capabilities(v1::GetCapabilitiesRequest {}).await.unwrap().into_inner();
        let vendor = |id| said.vendors.iter().find(|vendor| vendor.id == id).unwrap();
        assert!(vendor("facia").healthy && vendor("deepvue").healthy);
        let counts = |id| (vendor(id).shadow_compared, vendor(id).shadow_disagreed);
        let wanted = if strategy == Strategy::Shadow { [(1, 0), (1, 1)] } else { [(0, 0), (0, 0)] };
        assert_eq!([counts("facia"), counts("deepvue")], wanted);
        let policy = said.policies.iter().find(|policy| policy.is_default).unwrap();
        assert_eq!(policy.vendors.as_ref().unwrap().ask, ["facia", "deepvue"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_never_answers_does_not_keep_the_verdict() {
    let (rig, fake) = one(Strategy::First, Answer::Hang).await;
    let mut client = rig.client().await;
    let mut request = tonic::Request::new(image_request(image(LIVE)));
    request.set_timeout(Duration::from_secs(2));
    let began = Instant::now();
    let verdict = client.check_media(request).await.unwrap().into_inner().verdict.unwrap();
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(verdict.decision(), Decision::Indeterminate);
    assert_eq!(result(&verdict, "deepvue").detail, "VENDOR_TIMEOUT");
    assert_eq!(result(&verdict, "deepvue").cost_micros, 50_000, "it may have been billed");
    assert_eq!(fake.uploads().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_is_kept() {
    let fake = Fake::deepvue(deepvue(true)).await;
    let rig = start(|config| {
        fake.configure(config, "deepvue");
        ask(config, Strategy::First, &["deepvue"]);
        config.policies.get_mut("test").unwrap().vendors.max_daily_cost_micros = Some(120_000);
    })
    .await;
    let mut client = rig.client().await;
    let mut decisions = Vec::new();
    for _ in 0..3 {
        decisions.push(check(&mut client, image(LIVE)).await.unwrap());
    }
    let kinds: Vec<Decision> = decisions.iter().map(v1::Verdict::decision).collect();
    assert_eq!(kinds, [Decision::Accept, Decision::Accept, Decision::Indeterminate]);
    assert_eq!(result(&decisions[2], "deepvue").detail, "BUDGET");
    assert_eq!(fake.uploads().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_uploads_nothing_twice() {
    let late = Answer::Late(Duration::from_millis(700), Box::new(deepvue(true)));
    let (rig, fake) = one(Strategy::First, late).await;
    let id = uuid::Uuid::new_v4().to_string();
    let request = v1::CheckMediaRequest { request_id: id, ..image_request(image(LIVE)) };
    // This client leaves while the vendor works.
    let (mut client, first) = (rig.client().await, request.clone());
    let leaving = tokio::spawn(async move { check_request(&mut client, first).await });
    fake.wait_for_uploads(1).await;
    leaving.abort();
    assert!(leaving.await.unwrap_err().is_cancelled());
    let mut client = rig.client().await;
    let verdict = check_request(&mut client, request.clone()).await.unwrap();
    assert_eq!(verdict.decision(), Decision::Accept);
    assert_eq!(check_request(&mut client, request).await.unwrap(), verdict);
    assert_eq!(fake.uploads().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_told_where_vendors_stand() {
    let (rig, fake) = one(Strategy::First, deepvue(true)).await;
    let mut client = rig.client().await;
    let frames = || (0..3).map(|index| frame(index, LIVE));
    let phases = |replies: &[down::Message]| -> Vec<(String, v1::VendorPhase)> {
        let vendors = replies.iter().filter_map(|reply| match reply {
            down::Message::Progress(progress) => progress.vendor.as_ref(),
            _ => None,
        });
        vendors.map(|vendor| (vendor.vendor.clone(), vendor.phase())).collect()
    };
    let inline: Vec<_> = std::iter::once(start_inline()).chain(frames()).collect();
    let (replies, _) = tell(&mut client, inline).await;
    assert_eq!(verdict(&replies).decision(), Decision::Accept);
    assert_eq!(verdict(&replies).vendor_results.len(), 1);
    use v1::VendorPhase::{Answered, Asked};
    assert_eq!(phases(&replies), [("deepvue".into(), Asked), ("deepvue".into(), Answered)]);

    // A device is not told who was asked, nor what was said.
    let created = create(&mut client).await;
    let by_token: Vec<_> = std::iter::once(start_token(&created.session_token)).chain(frames()).collect();
    let (replies, _) = tell(&mut client, by_token).await;
    assert_eq!(phases(&replies), [(String::new(), Asked), (String::new(), Answered)]);
    let told = verdict(&replies);
    assert_eq!(told.decision(), Decision::Accept);
    assert!(told.vendor_results.is_empty() && told.checks.iter().all(|check| check.source == "local"));
    let request = v1::GetSessionRequest { session_id: created.session_id };
    let session = client.get_session(request).await.unwrap().into_inner().session.unwrap();
    assert_eq!(session.verdict.unwrap().vendor_results.len(), 1);
    assert_eq!(fake.uploads().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_loses_no_verdict() {
    let late = Answer::Late(Duration::from_millis(500), Box::new(deepvue(true)));
    let (rig, fake) = one(Strategy::First, late).await;
    let messages = std::iter::once(start_inline()).chain((0..3).map(|index| frame(index, LIVE))).collect();
    let guest = Guest::open(&rig, messages).await;
    let id = guest.session_id.clone();
    fake.wait_for_uploads(1).await;
    guest.vanish();
    rig.session_becomes(&id, v1::SessionState::Completed).await;
    let request = v1::GetSessionRequest { session_id: id };
    let session = rig.client().await.get_session(request).await.unwrap().into_inner().session.unwrap();
    assert_eq!(session.verdict.unwrap().decision(), Decision::Accept);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_session_waits_for_no_vendor() {
    let (rig, fake) = one(Strategy::First, Answer::Hang).await;
    let mut client = rig.client().await;
    let messages = tokio_stream::iter(std::iter::once(start_inline()).chain((0..3).map(|index| frame(index, LIVE))));
    let mut replies = client.stream_session(messages.chain(tokio_stream::pending())).await.unwrap().into_inner();
    let first = replies.message().await.unwrap().unwrap().message.unwrap();
    let session_id = accepted(&[first]).session_id.clone();
    fake.wait_for_uploads(1).await;
    let began = Instant::now();
    let request = v1::CancelSessionRequest { session_id, ..Default::default() };
    rig.client().await.cancel_session(request).await.unwrap();
    let (_, status) = drain(&mut replies).await;
    is(&status, tonic::Code::Cancelled, "SESSION_CANCELLED");
    assert!(began.elapsed() < Duration::from_secs(5));
}
