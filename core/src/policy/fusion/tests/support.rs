//! Policies that ask vendors, local verdicts and vendors' results, made up.

use std::{sync::LazyLock, time::Duration};

use crate::{
    pack::{Manifest, OPEN_MANIFEST},
    policy::{Judges, OnError, Policy, PolicyConfig, Strategy, VendorRule, builtin},
    session::decide::decide,
    verdict::{
        Assurance, AttackKind, Check, CheckId, CheckState, Detail, FrameStats, Inconclusive, PackRef, QualityFault,
        RawMeasure, Reading, RuntimeRef, Source, Timings, VendorAnswer, VendorOutcome, VendorResult, VendorRole,
        VendorState, Verdict,
    },
};

/// Looks at everything.
pub(super) const ALL: Judges = Judges { presentation_attack: true, deepfake: true, face_match: true };

/// Compares faces and no more.
pub(super) const MATCHER: Judges = Judges { presentation_attack: false, deepfake: false, face_match: true };

/// Three vendors, named in this order.
pub(super) const ASK: [&str; 3] = ["a", "b", "c"];

/// A rule that asks all three, two of which make a quorum.
pub(super) fn rule(strategy: Strategy) -> VendorRule {
    VendorRule {
        strategy,
        ask: ASK.map(str::to_owned).to_vec(),
        quorum: if strategy == Strategy::Quorum { 2 } else { 0 },
        unsure: [0.25, 0.75],
        ..VendorRule::default()
    }
}

/// A policy that requires PresentationAttack and asks vendors that look at everything.
pub(super) fn policy(strategy: Strategy) -> Policy {
    compile(PolicyConfig { vendors: rule(strategy), ..settings() }, &|_| Some(ALL))
}

pub(super) fn compile(config: PolicyConfig, vendors: &dyn Fn(&str) -> Option<Judges>) -> Policy {
    // Property tests compile thousands of policies.
    static MANIFEST: LazyLock<Manifest> = LazyLock::new(|| Manifest::parse(OPEN_MANIFEST, "open").unwrap());
    Policy::compile_with("test", config, &MANIFEST, vendors).unwrap()
}

pub(super) fn settings() -> PolicyConfig {
    builtin().into_iter().find(|(name, _)| *name == "presentation-attack-only").unwrap().1
}

/// A local check; with a score where it ran.
pub(super) fn check(id: CheckId, state: CheckState, score: f32, detail: Option<Detail>) -> Check {
    let ran = matches!(state, CheckState::Passed | CheckState::Failed);
    Check {
        id,
        state,
        score: ran.then_some(score),
        threshold: Some(0.5),
        raw: None,
        source: Source::Local,
        models: Vec::new(),
        duration: Duration::ZERO,
        required: true,
        detail: detail.filter(|_| !ran),
    }
}

/// PresentationAttack with a score, held against 0.5.
pub(super) fn scored(score: f32) -> Check {
    let state = if score >= 0.5 { CheckState::Passed } else { CheckState::Failed };
    check(CheckId::PresentationAttack, state, score, None)
}

/// The local verdict on these checks.
pub(super) fn local(checks: Vec<Check>) -> Verdict {
    let decision = decide(&checks, OnError::Indeterminate, true);
    Verdict {
        decision,
        checks,
        vendor_results: Vec::new(),
        faces: Vec::new(),
        pose: None,
        reasons: Vec::new(),
        diagnostics: vec!["frames: 1".to_owned()],
        policy: crate::verdict::PolicyRef { id: "test".to_owned(), version: "1.0".to_owned() },
        pack: PackRef {
            id: "made-up".to_owned(),
            version: "1".to_owned(),
            assurance: Assurance::Custom,
            sha256: "00".to_owned(),
        },
        runtime: RuntimeRef { name: "none".to_owned(), version: "0".to_owned() },
        frames: FrameStats::default(),
        timings: Timings::default(),
        best_frame_index: None,
        matched_frame_index: None,
        timeline: Vec::new(),
    }
}

/// An answer with nothing on any axis.
pub(super) fn answer(outcome: VendorOutcome) -> VendorAnswer {
    VendorAnswer {
        outcome,
        liveness: Reading::NOT_RUN,
        deepfake: Reading::NOT_RUN,
        face_match: Reading::NOT_RUN,
        raw_code: "200".to_owned(),
        raw_score: None,
        reference: None,
        request_id: None,
        proof: None,
    }
}

pub(super) fn state(vendor: &str, state: VendorState) -> VendorResult {
    VendorResult {
        vendor: vendor.to_owned(),
        state,
        role: VendorRole::None,
        duration: Duration::from_millis(7),
        attempts: 1,
        cost_micros: 3,
    }
}

pub(super) fn answered(vendor: &str, answer: VendorAnswer) -> VendorResult {
    state(vendor, VendorState::Answered(Box::new(answer)))
}

/// One letter of a table: what a vendor says, in short.
///
/// `L` live, `A` attack, `M` mismatch, `R` review, `Q` quality, `I` inconclusive, `T` a timeout, `B` no budget.
pub(super) fn result(vendor: &str, letter: char) -> VendorResult {
    let passed = Reading { state: CheckState::Passed, score: Some(0.9), raw: None };
    let failed = Reading {
        state: CheckState::Failed,
        score: Some(0.1),
        raw: Some(RawMeasure { value: 0.9, unit: "probability" }),
    };
    let live = VendorAnswer { liveness: passed, ..answer(VendorOutcome::Live) };
    match letter {
        'L' => answered(vendor, live),
        'A' => answered(vendor, VendorAnswer { liveness: failed, ..answer(VendorOutcome::Attack(AttackKind::Replay)) }),
        'M' => answered(vendor, VendorAnswer { face_match: failed, ..live }),
        'R' => answered(vendor, VendorAnswer { liveness: passed, ..answer(VendorOutcome::Review) }),
        'Q' => answered(vendor, answer(VendorOutcome::Quality(QualityFault::Blurry))),
        'I' => answered(
            vendor,
            VendorAnswer {
                liveness: Reading::state(CheckState::Error),
                ..answer(VendorOutcome::Inconclusive(Inconclusive::UnknownValue))
            },
        ),
        'T' => state(vendor, VendorState::Failed(Detail::VendorTimeout)),
        'B' => VendorResult::not_run(vendor, Detail::Budget),
        other => panic!("no such letter: {other}"),
    }
}

/// The results of the first vendors of [`ASK`], a letter each.
pub(super) fn results(letters: &str) -> Vec<VendorResult> {
    letters.chars().zip(ASK).map(|(letter, vendor)| result(vendor, letter)).collect()
}
