//! What must hold of every local verdict, every strategy and whatever vendors say.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    super::Fusion,
    support::{ALL, MATCHER, answer, answered, check, compile, local, rule, scored, settings, state},
};
use crate::{
    policy::{Judges, OnError, Policy, PolicyConfig, Strategy as Rule, Visibility},
    verdict::{
        AttackKind, Check, CheckId, CheckState, Decision, Detail, Inconclusive, QualityFault, Reading, Source,
        VendorAnswer, VendorOutcome, VendorResult, VendorRole, VendorState, Verdict,
    },
};

const STATES: [CheckState; 4] = [CheckState::Passed, CheckState::Failed, CheckState::NotRun, CheckState::Error];
const DETAILS: [Detail; 6] = [
    Detail::NoModel,
    Detail::ModelFault,
    Detail::QualityGate,
    Detail::NoFace,
    Detail::TooFewFrames,
    Detail::NoReference,
];
const OUTCOMES: [VendorOutcome; 8] = [
    VendorOutcome::Live,
    VendorOutcome::Attack(AttackKind::Replay),
    VendorOutcome::Attack(AttackKind::Deepfake),
    VendorOutcome::Quality(QualityFault::NoFace),
    VendorOutcome::Quality(QualityFault::StillImage),
    VendorOutcome::Review,
    VendorOutcome::Inconclusive(Inconclusive::UnknownValue),
    VendorOutcome::Inconclusive(Inconclusive::MatchOnly),
];
const STRATEGIES: [Rule; 5] = [Rule::First, Rule::Escalate, Rule::All, Rule::Quorum, Rule::Shadow];

/// What goes into one check.
#[derive(Debug, Clone)]
struct Case {
    policy: Policy,
    local: Verdict,
    results: Vec<VendorResult>,
}

fn checks() -> impl Strategy<Value = Vec<Check>> {
    // Mostly good, so that the gate is often open.
    let id = prop_oneof![3 => Just(CheckId::PresentationAttack), 1 => prop::sample::select(CheckId::ALL)];
    let one = (id, prop_oneof![4 => Just(0), 1 => 0..STATES.len()], 0.0_f32..=1.0, prop::sample::select(&DETAILS));
    let one = (one, prop::bool::weighted(0.8)).prop_map(|((id, state, score, why), required)| Check {
        required,
        ..check(id, STATES[state], score, Some(why))
    });
    prop::collection::vec(one, 0..4).prop_map(|checks| {
        let mut seen = BTreeSet::new();
        checks.into_iter().filter(|check| seen.insert(check.id)).collect()
    })
}

fn reading() -> impl Strategy<Value = Reading> {
    let score = prop_oneof![Just(None), any::<f32>().prop_map(Some)];
    (prop_oneof![4 => Just(0), 2 => 0..STATES.len()], score).prop_map(|(state, score)| Reading {
        state: STATES[state],
        score,
        raw: None,
    })
}

fn vendor_state() -> impl Strategy<Value = VendorState> {
    let outcome = prop_oneof![4 => Just(OUTCOMES[0]), 3 => prop::sample::select(&OUTCOMES)];
    let said = (outcome, reading(), reading(), reading()).prop_map(|(outcome, liveness, deepfake, face_match)| {
        VendorState::Answered(Box::new(VendorAnswer { liveness, deepfake, face_match, ..answer(outcome) }))
    });
    prop_oneof![
        6 => said,
        1 => Just(VendorState::Failed(Detail::VendorTimeout)),
        1 => Just(VendorState::Failed(Detail::VendorUnreadable)),
        1 => Just(VendorState::NotRun(Detail::Budget)),
        1 => Just(VendorState::NotRun(Detail::VendorMedia)),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let settings_of = (prop::sample::select(&STRATEGIES), any::<bool>(), any::<bool>(), any::<bool>());
    let results = prop::collection::vec(vendor_state(), 0..=3);
    (settings_of, checks(), results).prop_map(|((strategy, bare, blind, review), mut checks, states)| {
        // A policy may require nothing local where vendors decide, and ask one that only compares faces where that is safe.
        let bare = bare && matches!(strategy, Rule::First | Rule::All | Rule::Quorum);
        let blind = blind && matches!(strategy, Rule::All | Rule::Quorum | Rule::Shadow);
        match checks.iter_mut().find(|check| is_attack(check)) {
            Some(attack) => attack.required = !bare,
            None if bare => {}
            None => checks.push(scored(0.6)),
        }
        let judges = move |id: &str| Some(if blind && id == "b" { MATCHER } else { ALL });
        let config = PolicyConfig {
            required: if bare { Vec::new() } else { vec![CheckId::PresentationAttack] },
            reasons: Visibility::Quality,
            on_error: if review { OnError::Review } else { OnError::Indeterminate },
            vendors: rule(strategy),
            ..settings()
        };
        let results = states.into_iter().zip(super::support::ASK).map(|(said, id)| state(id, said)).collect();
        Case { policy: compile(config, &judges), local: local(checks), results }
    })
}

impl Case {
    fn strategy(&self) -> Rule {
        self.policy.config().vendors.strategy
    }

    fn judges(&self, place: usize) -> Judges {
        self.policy.vendors().nth(place).unwrap().1
    }

    fn conclude(&self) -> Verdict {
        Fusion::new(&self.policy, self.local.clone()).conclude(self.results.clone())
    }

    /// Whether the vendor of a place says live, told again from the words of the rule rather than by the code under test.
    fn live(&self, place: usize) -> bool {
        let Some(said) = self.results.get(place).and_then(VendorResult::answer) else { return false };
        let axes = [said.liveness.state, said.deepfake.state, said.face_match.state];
        let main = if self.judges(place).presentation_attack { axes[0] } else { axes[2] };
        said.outcome == VendorOutcome::Live
            && main == CheckState::Passed
            && axes.iter().all(|state| matches!(state, CheckState::Passed | CheckState::NotRun))
    }

    fn live_votes(&self) -> usize {
        (0..3).filter(|place| self.live(*place)).count()
    }
}

fn is_attack(check: &Check) -> bool {
    check.id == CheckId::PresentationAttack
}

/// The required local checks that did not pass.
fn open(local: &Verdict) -> Vec<&Check> {
    local.checks.iter().filter(|check| check.required && check.state != CheckState::Passed).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn accept_needs_the_local_checks_and_the_vendors(case in case()) {
        let verdict = case.conclude();
        if verdict.decision != Decision::Accept {
            return Ok(());
        }
        let handed_over = case.strategy() == Rule::Escalate
            && verdict.checks.iter().any(|check| is_attack(check) && check.source == Source::Local && !check.required);
        for check in open(&case.local) {
            prop_assert!(handed_over && is_attack(check), "{check:?}");
        }
        match case.strategy() {
            Rule::First => {
                let deciding = verdict.vendor_results.iter().position(|result| result.role == VendorRole::Deciding);
                prop_assert!(case.live(deciding.unwrap()));
            }
            Rule::Escalate if handed_over => prop_assert!(case.live_votes() > 0),
            Rule::All => prop_assert_eq!(case.live_votes(), 3),
            Rule::Quorum => prop_assert!(case.live_votes() >= 2),
            Rule::Escalate | Rule::Local | Rule::Shadow => prop_assert_eq!(case.local.decision, Decision::Accept),
        }
        // Somebody looked for presentation attacks and saw none.
        if case.strategy().decides() {
            let looked = verdict.checks.iter().any(|check| is_attack(check) && check.state == CheckState::Passed);
            prop_assert!(looked);
            prop_assert!(verdict.checks.iter().all(|check| !check.required || check.state == CheckState::Passed));
        }
        prop_assert!(verdict.reasons.is_empty() || case.strategy() == Rule::Shadow);
    }

    #[test]
    fn faults_alone_accept_nothing(case in case(), kinds in prop::collection::vec(0..3_u8, 3)) {
        let results = kinds.into_iter().zip(super::support::ASK).map(|(kind, id)| match kind {
            0 => state(id, VendorState::Failed(Detail::VendorFault)),
            1 => state(id, VendorState::NotRun(Detail::Budget)),
            _ => answered(id, answer(VendorOutcome::Inconclusive(Inconclusive::NoDecision))),
        });
        let accepted = Case { results: results.collect(), ..case.clone() }.conclude().decision == Decision::Accept;
        let alone = matches!(case.strategy(), Rule::Escalate | Rule::Shadow) && case.local.decision == Decision::Accept;
        prop_assert!(!accepted || alone);
    }

    #[test]
    fn a_vendors_fault_accepts_nothing_new(case in case(), place in 0..3_usize, timeout in any::<bool>()) {
        let why = if timeout { VendorState::Failed(Detail::VendorTimeout) } else { VendorState::NotRun(Detail::Budget) };
        let mut broken = case.clone();
        match case.strategy() {
            // In turn a fault moves on to the next, which is what the strategy is for: one more vendor that fails, after
            // those that answered, must change nothing.
            Rule::First | Rule::Escalate => {
                let count = case.results.len();
                if count < 3 {
                    broken.results.push(state(super::support::ASK[count], why));
                }
                prop_assert_eq!(broken.conclude().decision, case.conclude().decision);
            }
            Rule::All | Rule::Quorum | Rule::Shadow | Rule::Local => {
                if let Some(result) = broken.results.get_mut(place) {
                    result.state = why;
                }
                prop_assert!(
                    case.conclude().decision == Decision::Accept || broken.conclude().decision != Decision::Accept
                );
            }
        }
    }

    #[test]
    fn a_local_fault_accepts_nothing_new(case in case(), place in 0..4_usize, errs in any::<bool>()) {
        let mut checks = case.local.checks.clone();
        let Some(broken) = checks.get_mut(place) else { return Ok(()) };
        // An attack check that breaks is handed over under escalate: see `escalate_asks_where_the_local_check_could_not_tell`.
        if case.strategy() == Rule::Escalate && is_attack(broken) {
            return Ok(());
        }
        broken.state = if errs { CheckState::Error } else { CheckState::NotRun };
        broken.score = None;
        broken.detail = errs.then_some(Detail::ModelFault);
        let after = Case { local: local(checks), ..case.clone() };
        prop_assert!(case.conclude().decision == Decision::Accept || after.conclude().decision != Decision::Accept);
    }

    #[test]
    fn a_shadow_never_changes_the_decision(case in case()) {
        let config = PolicyConfig { vendors: rule(Rule::Shadow), ..settings() };
        let shadow = Case { policy: compile(config, &|_| Some(ALL)), ..case };
        let verdict = shadow.conclude();
        prop_assert_eq!(verdict.decision, shadow.local.decision);
        prop_assert_eq!(verdict.reasons, shadow.local.reasons);
        let own = verdict.checks.iter().filter(|check| check.source == Source::Local);
        prop_assert!(own.eq(shadow.local.checks.iter()));
    }

    #[test]
    fn live_turns_no_failed_local_check_into_accept(case in case(), id in prop::sample::select(CheckId::ALL)) {
        let mut checks = case.local.checks.clone();
        checks.retain(|other| other.id != id);
        // Below what `escalate` is unsure about.
        checks.push(check(id, CheckState::Failed, 0.2, None));
        let passed = Reading::state(CheckState::Passed);
        let said = VendorAnswer { liveness: passed, deepfake: passed, face_match: passed, ..answer(VendorOutcome::Live) };
        let results = super::support::ASK.map(|vendor| answered(vendor, said.clone())).to_vec();
        let verdict = Case { local: local(checks), results, ..case }.conclude();
        prop_assert_ne!(verdict.decision, Decision::Accept);
    }

    #[test]
    fn each_vendor_is_asked_at_most_once(case in case(), states in prop::collection::vec(vendor_state(), 3)) {
        let fusion = Fusion::new(&case.policy, case.local.clone());
        let mut so_far = Vec::new();
        loop {
            let next = fusion.next(&so_far);
            if next.is_empty() {
                break;
            }
            // The first places, in order: what was asked is never asked again.
            prop_assert_eq!(&next, &(so_far.len()..so_far.len() + next.len()).collect::<Vec<_>>());
            for place in next {
                prop_assert!(place < 3);
                so_far.push(state(super::support::ASK[place], states[place].clone()));
            }
        }
        let asked = so_far.len();
        let verdict = fusion.conclude(so_far);
        // What `next` left out was not needed, or not to be asked at all.
        prop_assert!(verdict.vendor_results.iter().skip(asked).all(|result| matches!(
            result.state,
            VendorState::NotRun(Detail::NotNeeded | Detail::Precheck)
        )));
    }

    #[test]
    fn every_vendor_has_one_result_and_its_checks(case in case()) {
        let verdict = case.conclude();
        let names: Vec<_> = verdict.vendor_results.iter().map(|result| result.vendor.as_str()).collect();
        prop_assert_eq!(names, super::support::ASK);
        for (given, listed) in case.results.iter().zip(&verdict.vendor_results) {
            prop_assert_eq!(&given.state, &listed.state, "what a vendor said is carried unchanged");
        }
        let not_run = verdict.vendor_results.iter().filter(|result| matches!(result.state, VendorState::NotRun(_)));
        prop_assert!(not_run.clone().all(|result| result.role == VendorRole::None));
        let locals = case.local.checks.len();
        prop_assert!(verdict.checks.iter().take(locals).all(|check| check.source == Source::Local));
        for (place, id) in super::support::ASK.iter().enumerate() {
            let source = Source::Vendor((*id).to_owned());
            let listed: Vec<_> = verdict.checks.iter().skip(locals).filter(|check| check.source == source).collect();
            prop_assert_eq!(listed.iter().any(|check| is_attack(check)), case.judges(place).presentation_attack);
            prop_assert!(listed.iter().all(|check| check.score.is_none_or(|score| (0.0..=1.0).contains(&score))));
        }
    }
}
