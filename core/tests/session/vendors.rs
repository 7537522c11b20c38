//! Policies that ask vendors: which are refused, what their version hashes, and sessions that end under them.

use std::{sync::Arc, time::Duration};

use lifesign_core::{
    policy::{DEFAULT, Judges, Policy, PolicyConfig, PolicyError, Strategy, VendorRule, Visibility, fusion::Fusion},
    session::{Context, Media, Session},
    verdict::{
        Assurance, CheckId, CheckState, Decision, Detail, PackRef, Reading, RuntimeRef, Source, VendorAnswer,
        VendorOutcome, VendorResult, VendorRole, VendorState, Verdict,
    },
};

use crate::support::{ALL_ROLES, at, empty, good, manifest, scored, settings};

use CheckId::{Deepfake, PresentationAttack, Sharpness};
use Strategy::{All, Escalate, First, Local, Quorum, Shadow};

/// `matcher` compares faces only; the others look for attacks. `unknown` is not configured.
fn vendors(id: &str) -> Option<Judges> {
    let judges = Judges { presentation_attack: true, deepfake: true, face_match: false };
    match id {
        "unknown" => None,
        "matcher" | "matcher2" => Some(Judges { presentation_attack: false, deepfake: false, face_match: true }),
        _ => Some(judges),
    }
}

fn compile(config: PolicyConfig) -> Result<Policy, PolicyError> {
    Policy::compile_with("test", config, &manifest(&ALL_ROLES), &vendors)
}

fn rule(strategy: Strategy, ask: &[&str]) -> VendorRule {
    let quorum = if strategy == Quorum { ask.len() as u32 / 2 + 1 } else { 0 };
    VendorRule { strategy, ask: ask.iter().map(|&id| id.to_owned()).collect(), quorum, ..VendorRule::default() }
}

fn with(required: &[CheckId], vendors: VendorRule) -> PolicyConfig {
    PolicyConfig { required: required.to_vec(), vendors, ..settings("presentation-attack-only") }
}

#[test]
fn a_rule_that_cannot_be_carried_out_is_refused() {
    let base = rule(Quorum, &["a", "b", "c"]);
    let quorum = |quorum| VendorRule { quorum, ..base.clone() };
    let unsure = |from, to| VendorRule { unsure: [from, to], ..base.clone() };
    let deadline = |deadline_ms| VendorRule { deadline_ms, ..base.clone() };
    let nine = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
    for (setting, what, rule) in [
        ("vendors.ask", "must be empty", rule(Local, &["a"])),
        ("vendors.ask", "1..=8", rule(First, &[])),
        ("vendors.ask", "1..=8", rule(Shadow, &nine)),
        ("vendors.ask", "a is named twice", rule(All, &["a", "b", "a"])),
        ("vendors.ask", "vendors.unknown is not configured", rule(Shadow, &["a", "unknown"])),
        ("vendors.quorum", "2..=3", quorum(0)),
        ("vendors.quorum", "2..=3", quorum(1)),
        ("vendors.quorum", "2..=3", quorum(4)),
        ("vendors.quorum", "2..=2", VendorRule { quorum: 1, ..rule(Quorum, &["a", "b"]) }),
        ("vendors.quorum", "must be 0", VendorRule { strategy: All, ..base.clone() }),
        ("vendors.quorum", "must be 0", VendorRule { quorum: 1, ..VendorRule::default() }),
        ("vendors.unsure", "within 0..=1", unsure(0.6, 0.4)),
        ("vendors.unsure", "within 0..=1", unsure(-0.1, 0.4)),
        ("vendors.unsure", "within 0..=1", unsure(0.1, 1.1)),
        ("vendors.unsure", "within 0..=1", unsure(f32::NAN, 0.4)),
        ("vendors.unsure", "within 0..=1", unsure(0.1, f32::INFINITY)),
        ("vendors.deadline_ms", "100..=300000", deadline(99)),
        ("vendors.deadline_ms", "100..=300000", deadline(300_001)),
    ] {
        match compile(with(&[PresentationAttack], rule.clone())) {
            Err(PolicyError::Invalid { setting: named, what: said, .. }) => {
                assert_eq!(named, setting, "{rule:?}");
                assert!(said.contains(what), "{said}");
            }
            other => panic!("{rule:?}: {other:?}"),
        }
    }
    for rule in [base.clone(), quorum(3), unsure(0.0, 1.0), unsure(0.5, 0.5), deadline(100), deadline(300_000)] {
        assert!(compile(with(&[PresentationAttack], rule.clone())).is_ok(), "{rule:?}");
    }
    assert!(compile(with(&[PresentationAttack], rule(Shadow, &nine[..8]))).is_ok());
}

#[test]
fn where_no_vendor_is_known_none_can_be_asked() {
    let config = with(&[PresentationAttack], rule(First, &["facia"]));
    let error = Policy::compile_for("test", config, &manifest(&ALL_ROLES)).unwrap_err();
    let expected = "policy test: vendors.ask: there is no vendor facia: vendors.facia is not configured";
    assert_eq!(error.to_string(), expected);
    let hostile = with(&[PresentationAttack], rule(First, &["unknown\n\u{1b}[2J and much more of the same kind"]));
    let error = Policy::compile_for("test", hostile, &manifest(&ALL_ROLES)).unwrap_err().to_string();
    assert!(!error.contains(['\n', '\u{1b}']) && error.len() < 200, "{error}");
}

#[test]
fn somebody_must_look_for_presentation_attacks() {
    let (attack, deepfake, quality): (&[_], &[_], &[_]) = (&[PresentationAttack], &[Deepfake], &[Sharpness]);
    for (strategy, ask, required, refused) in [
        (First, &["a", "b"][..], quality, None),
        (First, &["a", "b"], &[], None),
        (First, &["a", "matcher"], attack, None),
        (First, &["a", "matcher"], deepfake, Some("vendors.ask")),
        (First, &["a", "matcher"], quality, Some("vendors.ask")),
        (First, &["a"], deepfake, None),
        (All, &["a", "matcher"], &[], None),
        (All, &["matcher"], &[], Some("vendors.ask")),
        (All, &["matcher"], attack, None),
        (All, &["matcher"], deepfake, Some("vendors.ask")),
        (Quorum, &["a", "b", "matcher"], &[], None),
        (Quorum, &["a", "matcher", "matcher2"], &[], Some("vendors.ask")),
        (Quorum, &["a", "matcher", "matcher2"], attack, None),
        (Escalate, &["a"], attack, None),
        (Escalate, &["a"], deepfake, Some("vendors.strategy")),
        (Escalate, &["a"], &[], Some("vendors.strategy")),
        (Escalate, &["a", "matcher"], attack, Some("vendors.ask")),
        (Shadow, &["matcher"], attack, None),
        (Shadow, &["a"], &[], Some("required")),
        (Shadow, &["a"], quality, Some("required")),
        (Local, &[], &[], Some("required")),
    ] {
        let result = compile(with(required, rule(strategy, ask)));
        match (&result, refused) {
            (Ok(_), None) => {}
            (Err(PolicyError::Invalid { setting, .. }), Some(expected)) if setting == expected => {}
            _ => panic!("{strategy:?} {ask:?} {required:?}: {result:?}"),
        }
    }
    let only_frames = with(&[CheckId::StillImage], rule(All, &["a"]));
    assert!(compile(only_frames).is_ok(), "the vendors look where a single image leaves nothing to check");
}

#[test]
fn what_vendors_judge_stays_with_the_policy() {
    let policy = compile(with(&[PresentationAttack], rule(All, &["matcher", "a"]))).unwrap();
    let known: Vec<_> = policy.vendors().map(|(id, judges)| (id, judges.presentation_attack)).collect();
    assert_eq!(known, [("matcher", false), ("a", true)]);
    assert_eq!(compile(settings(DEFAULT)).unwrap().vendors().len(), 0);
}

#[test]
fn the_version_holds_whatever_can_change_a_decision() {
    let version = |vendors| compile(with(&[PresentationAttack], vendors)).unwrap().reference().version.clone();
    let base = rule(Quorum, &["a", "b", "c"]);
    let mut versions = vec![
        version(VendorRule::default()),
        version(base.clone()),
        version(VendorRule { quorum: 3, ..base.clone() }),
        version(VendorRule { ask: vec!["b".to_owned(), "a".to_owned(), "c".to_owned()], ..base.clone() }),
        version(VendorRule { unsure: [0.25, 0.750_000_06], ..base.clone() }),
        version(VendorRule { deadline_ms: 20_001, ..base.clone() }),
        version(VendorRule { max_cost_micros: Some(0), ..base.clone() }),
        version(VendorRule { max_daily_cost_micros: Some(0), ..base.clone() }),
        version(rule(All, &["a", "b", "c"])),
        version(rule(First, &["a", "b", "c"])),
        version(rule(Escalate, &["a", "b", "c"])),
        version(rule(Shadow, &["a", "b", "c"])),
    ];
    // A vendor that is set up to look at less.
    let less = |_: &str| Some(Judges { presentation_attack: true, deepfake: false, face_match: false });
    let config = with(&[PresentationAttack], base);
    let policy = Policy::compile_with("test", config, &manifest(&ALL_ROLES), &less).unwrap();
    versions.push(policy.reference().version.clone());
    versions.sort();
    versions.dedup();
    assert_eq!(versions.len(), 13);

    let plain = Policy::compile_for("test", settings(DEFAULT), &manifest(&ALL_ROLES)).unwrap();
    assert_eq!(compile(settings(DEFAULT)).unwrap().reference(), plain.reference());
}

#[test]
fn a_rule_is_read_from_toml() {
    let text =
        "version = \"7\"\nrequired = []\n[vendors]\nstrategy = \"first\"\nask = [\"a\", \"b\"]\nmax_cost_micros = 5\n";
    let config: PolicyConfig = toml::from_str(text).unwrap();
    assert_eq!(config.vendors, VendorRule { max_cost_micros: Some(5), ..rule(First, &["a", "b"]) });
    assert_eq!(toml::from_str::<PolicyConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
    assert!(compile(config).is_ok());
    for wrong in ["strategy = \"any\"", "ask = \"a\"", "vendor = []", "quorum = -1"] {
        let text = format!("version = \"7\"\nrequired = [\"PresentationAttack\"]\n[vendors]\n{wrong}\n");
        assert!(toml::from_str::<PolicyConfig>(&text).is_err(), "{wrong}");
    }
    assert!(!toml::to_string(&settings(DEFAULT)).unwrap().contains("vendors"));
}

/// The verdict of a session over one image, and the policy.
fn judged(config: PolicyConfig, attack: Option<f32>) -> (Policy, Verdict) {
    let policy = compile(config).unwrap();
    let mut session = Session::new(Context {
        policy: Arc::new(policy.clone()),
        pack: PackRef {
            id: "made-up".to_owned(),
            version: "1".to_owned(),
            assurance: Assurance::Custom,
            sha256: "00".to_owned(),
        },
        runtime: RuntimeRef { name: "none".to_owned(), version: "0".to_owned() },
        media: Media::Image,
        reference: None,
    });
    session.push(0, at(0), attack.map_or_else(empty, |score| scored(good(0), PresentationAttack, score)));
    (policy, session.finish(Duration::from_millis(20)))
}

fn says(vendor: &str, outcome: VendorOutcome, liveness: CheckState) -> VendorResult {
    VendorResult {
        state: VendorState::Answered(Box::new(VendorAnswer {
            outcome,
            liveness: Reading::state(liveness),
            deepfake: Reading::NOT_RUN,
            face_match: Reading::NOT_RUN,
            raw_code: String::new(),
            raw_score: None,
            reference: None,
            request_id: None,
            proof: None,
        })),
        attempts: 1,
        ..VendorResult::not_run(vendor, Detail::NotNeeded)
    }
}

#[test]
fn a_session_that_is_unsure_is_decided_by_the_vendor() {
    let config = PolicyConfig { vendors: rule(Escalate, &["a"]), ..settings(DEFAULT) };
    let live = || vec![says("a", VendorOutcome::Live, CheckState::Passed)];
    for (score, asked, without) in
        [(0.4, true, Decision::Reject), (0.6, true, Decision::Accept), (0.9, false, Decision::Accept)]
    {
        let (policy, local) = judged(config.clone(), Some(score));
        assert_eq!(local.decision, without);
        let fusion = Fusion::new(&policy, local);
        assert_eq!(fusion.next(&[]), if asked { vec![0] } else { Vec::new() }, "{score}");
        let verdict = fusion.conclude(if asked { live() } else { Vec::new() });
        assert_eq!(verdict.decision, Decision::Accept);
        assert!(verdict.checks.iter().filter(|check| check.required).all(|check| check.state == CheckState::Passed));
        assert_eq!(verdict.vendor_results[0].role, if asked { VendorRole::Deciding } else { VendorRole::None });
    }
    let (policy, local) = judged(config, None);
    let fusion = Fusion::new(&policy, local);
    assert!(fusion.next(&[]).is_empty(), "nobody is paid to find no face");
    assert_eq!(fusion.conclude(Vec::new()).decision, Decision::Retry);
}

#[test]
fn a_session_without_a_local_attack_check_needs_a_vendor_that_says_live() {
    let config = PolicyConfig { reasons: Visibility::Quality, ..with(&[Sharpness], rule(First, &["a", "b"])) };
    let (policy, local) = judged(config, Some(0.1));
    assert_eq!(local.decision, Decision::Accept, "on quality alone, and never the last word");
    let fused = |results| Fusion::new(&policy, local.clone()).conclude(results);
    let verdict = fused(vec![says("a", VendorOutcome::Live, CheckState::Passed)]);
    assert_eq!(verdict.decision, Decision::Accept);
    let answered = verdict.checks.iter().find(|check| check.source == Source::Vendor("a".to_owned())).unwrap();
    assert!(answered.required && answered.id == PresentationAttack);
    let verdict = fused(Vec::new());
    assert_eq!(verdict.decision, Decision::Indeterminate);
    assert_eq!(verdict.reasons[0].code, "UNDECIDED");
    let verdict = fused(vec![says("a", VendorOutcome::Live, CheckState::NotRun)]);
    assert_eq!(verdict.decision, Decision::Indeterminate);
}
