//! Who is asked, and what the answers come to: a table for each strategy.

use super::{
    super::{Fusion, disagrees, vote::Vote},
    support::{
        ALL, ASK, MATCHER, answer, answered, check, compile, local, policy, result, results, rule, scored, settings,
    },
};
use crate::{
    policy::{Judges, OnError, Policy, PolicyConfig, Strategy},
    verdict::{
        AttackKind, Check, CheckId, CheckState, Decision, Detail, Inconclusive, QualityFault, Reading, VendorAnswer,
        VendorOutcome,
    },
};

use CheckState::{Error, Failed, NotRun, Passed};
use Decision::{Accept, Indeterminate, Reject, Retry, Review};

fn concluded(policy: &Policy, checks: Vec<Check>, letters: &str) -> Decision {
    Fusion::new(policy, local(checks)).conclude(results(letters)).decision
}

/// The places asked when the vendors answer as the letters say, one string for each round.
fn rounds(policy: &Policy, checks: Vec<Check>, letters: &str) -> Vec<Vec<usize>> {
    let fusion = Fusion::new(policy, local(checks));
    let (mut so_far, mut rounds) = (Vec::new(), Vec::new());
    loop {
        let next = fusion.next(&so_far);
        if next.is_empty() {
            return rounds;
        }
        so_far.extend(next.iter().map(|&place| result(ASK[place], letters.chars().nth(place).unwrap())));
        rounds.push(next);
    }
}

fn table(strategy: Strategy, rows: &[(&str, Decision)]) {
    let policy = policy(strategy);
    for (letters, expected) in rows {
        assert_eq!(concluded(&policy, vec![scored(0.6)], letters), *expected, "{strategy:?} {letters}");
    }
}

#[test]
fn first_takes_the_first_opinion() {
    table(
        Strategy::First,
        &[
            ("L", Accept),
            ("A", Reject),
            ("M", Reject),
            ("Q", Retry),
            ("R", Review),
            ("TL", Accept),
            ("TIA", Reject),
            ("BL", Accept),
            ("IBQ", Retry),
            ("TIB", Indeterminate),
            ("TT", Indeterminate),
            ("", Indeterminate),
        ],
    );
    let policy = policy(Strategy::First);
    assert_eq!(rounds(&policy, vec![scored(0.9)], "LLL"), [[0]]);
    assert_eq!(rounds(&policy, vec![scored(0.9)], "TQL"), [[0], [1]]);
    assert_eq!(rounds(&policy, vec![scored(0.9)], "TBI"), [[0], [1], [2]]);
}

#[test]
fn all_takes_the_worst() {
    table(
        Strategy::All,
        &[
            ("LLL", Accept),
            ("LLA", Reject),
            ("MTT", Reject),
            ("LLT", Indeterminate),
            ("LQT", Indeterminate),
            ("LLB", Indeterminate),
            ("LQR", Retry),
            ("LRL", Review),
            ("LL", Indeterminate),
            ("", Indeterminate),
        ],
    );
    assert_eq!(rounds(&policy(Strategy::All), vec![scored(0.9)], "LLL"), [[0, 1, 2]]);
}

#[test]
fn a_quorum_must_agree() {
    table(
        Strategy::Quorum,
        &[
            ("LLL", Accept),
            ("LLA", Accept),
            ("LTL", Accept),
            ("MLL", Accept),
            ("LAA", Reject),
            ("LAM", Reject),
            ("LAT", Indeterminate),
            ("LTT", Indeterminate),
            ("LB", Indeterminate),
            ("LQR", Retry),
            ("QQL", Retry),
            ("LQA", Review),
            ("LAR", Review),
            ("RRL", Review),
            ("L", Indeterminate),
        ],
    );
    assert_eq!(rounds(&policy(Strategy::Quorum), vec![scored(0.9)], "LLL"), [[0, 1, 2]]);
}

#[test]
fn a_shadow_changes_nothing() {
    let policy = policy(Strategy::Shadow);
    for letters in ["LLL", "AAA", "TTT", "QRM", ""] {
        assert_eq!(concluded(&policy, vec![scored(0.9)], letters), Accept, "{letters}");
        assert_eq!(concluded(&policy, vec![scored(0.1)], letters), Reject, "{letters}");
    }
    for score in [0.1, 0.9] {
        assert_eq!(rounds(&policy, vec![scored(score)], "LLL"), [[0, 1, 2]]);
    }
    let broken = check(CheckId::PresentationAttack, Error, 0.0, Some(Detail::ModelFault));
    assert!(rounds(&policy, vec![broken], "LLL").is_empty(), "there is nothing to compare with");
}

#[test]
fn nobody_is_asked_about_what_the_local_checks_did_not_accept() {
    use CheckId::{FaceMatch, PresentationAttack, Sharpness};
    for strategy in [Strategy::First, Strategy::All, Strategy::Quorum] {
        let policy = policy(strategy);
        for (checks, decision) in [
            (vec![scored(0.1)], Reject),
            (vec![scored(0.9), check(Sharpness, Failed, 0.1, None)], Retry),
            (vec![scored(0.9), check(FaceMatch, NotRun, 0.0, Some(Detail::NoModel))], Indeterminate),
            (vec![check(PresentationAttack, NotRun, 0.0, Some(Detail::NoFace))], Retry),
            (vec![check(PresentationAttack, Error, 0.0, Some(Detail::ModelFault))], Indeterminate),
        ] {
            assert!(rounds(&policy, checks.clone(), "LLL").is_empty(), "{strategy:?} {checks:?}");
            assert_eq!(concluded(&policy, checks.clone(), "LLL"), decision, "{strategy:?} {checks:?}");
        }
    }
}

#[test]
fn where_nothing_local_is_required_vendors_decide_alone() {
    for strategy in [Strategy::First, Strategy::All, Strategy::Quorum] {
        let config = PolicyConfig { required: Vec::new(), vendors: rule(strategy), ..settings() };
        let policy = compile(config, &|_| Some(ALL));
        assert!(!rounds(&policy, Vec::new(), "LLL").is_empty(), "{strategy:?}");
        assert_eq!(concluded(&policy, Vec::new(), "LLL"), Accept, "{strategy:?}");
        assert_eq!(concluded(&policy, Vec::new(), "TTT"), Indeterminate, "{strategy:?}");
        assert_eq!(concluded(&policy, Vec::new(), ""), Indeterminate, "{strategy:?}");
        // A reference is compared whatever the policy requires.
        let stranger = vec![check(CheckId::FaceMatch, Failed, 0.1, None)];
        assert_eq!(concluded(&policy, stranger, "LLL"), Reject, "{strategy:?}");
    }
}

#[test]
fn escalate_asks_where_the_local_check_could_not_tell() {
    use CheckId::{PresentationAttack, Sharpness, StillImage};
    let policy = policy(Strategy::Escalate);
    let attack = |state, detail| check(PresentationAttack, state, 0.0, detail);
    let good = check(Sharpness, Passed, 0.9, None);
    let blurry = check(Sharpness, Failed, 0.1, None);
    let short = check(StillImage, NotRun, 0.0, Some(Detail::TooFewFrames));
    for (checks, asked, accepted, without) in [
        (vec![scored(0.5)], true, Accept, Indeterminate),
        (vec![scored(0.25)], true, Accept, Indeterminate),
        (vec![scored(0.75), good.clone()], true, Accept, Indeterminate),
        (vec![scored(0.249)], false, Reject, Reject),
        (vec![scored(0.751)], false, Accept, Accept),
        (vec![attack(Error, Some(Detail::ModelFault)), good.clone()], true, Accept, Indeterminate),
        (vec![attack(NotRun, Some(Detail::NoModel))], true, Accept, Indeterminate),
        (vec![attack(NotRun, Some(Detail::QualityGate))], false, Retry, Retry),
        (vec![attack(NotRun, Some(Detail::NoFace))], false, Retry, Retry),
        (vec![attack(NotRun, Some(Detail::NoFrame))], false, Retry, Retry),
        (vec![attack(NotRun, Some(Detail::TooFewFrames))], false, Indeterminate, Indeterminate),
        (vec![attack(NotRun, None)], false, Indeterminate, Indeterminate),
        (vec![scored(0.5), blurry], false, Retry, Retry),
        (vec![scored(0.5), short], false, Indeterminate, Indeterminate),
        (vec![good], false, Accept, Accept),
    ] {
        let expected: &[&[usize]] = if asked { &[&[0]] } else { &[] };
        assert_eq!(rounds(&policy, checks.clone(), "LLL"), expected, "{checks:?}");
        assert_eq!(concluded(&policy, checks.clone(), "L"), accepted, "{checks:?}");
        assert_eq!(concluded(&policy, checks.clone(), "TTT"), without, "{checks:?}");
        if asked {
            assert_eq!(concluded(&policy, checks, "TA"), Reject);
        }
    }
}

#[test]
fn what_broke_is_reviewed_where_the_policy_says_so() {
    for strategy in [Strategy::First, Strategy::Escalate, Strategy::All, Strategy::Quorum] {
        let config = PolicyConfig { on_error: OnError::Review, vendors: rule(strategy), ..settings() };
        let policy = compile(config, &|_| Some(ALL));
        assert_eq!(concluded(&policy, vec![scored(0.6)], "TTT"), Review, "{strategy:?}");
    }
}

#[test]
fn a_result_is_a_vote() {
    let state = Reading::state;
    let live = |liveness, deepfake, face_match| VendorAnswer {
        liveness: state(liveness),
        deepfake: state(deepfake),
        face_match: state(face_match),
        ..answer(VendorOutcome::Live)
    };
    let with = |outcome, of: VendorAnswer| VendorAnswer { outcome, ..of };
    let unknown = VendorOutcome::Inconclusive(Inconclusive::UnknownValue);
    let blurry = VendorOutcome::Quality(QualityFault::Blurry);
    for (answer, expected) in [
        (live(Passed, NotRun, NotRun), Vote::Live),
        (live(Passed, Passed, Passed), Vote::Live),
        (live(NotRun, NotRun, NotRun), Vote::Fault),
        (live(Passed, Error, NotRun), Vote::Fault),
        (live(Passed, Passed, Error), Vote::Fault),
        (live(Failed, Passed, Passed), Vote::Attack),
        (live(Passed, Failed, Passed), Vote::Attack),
        (live(Passed, Passed, Failed), Vote::Mismatch),
        (with(VendorOutcome::Attack(AttackKind::Print), live(Passed, Passed, Passed)), Vote::Attack),
        (with(VendorOutcome::Attack(AttackKind::Unspecified), live(NotRun, NotRun, Failed)), Vote::Attack),
        (with(VendorOutcome::Review, live(Passed, Passed, Passed)), Vote::Review),
        (with(VendorOutcome::Review, live(Failed, Passed, Passed)), Vote::Attack),
        (with(blurry, live(NotRun, NotRun, NotRun)), Vote::Quality),
        (with(blurry, live(NotRun, NotRun, Failed)), Vote::Mismatch),
        (with(unknown, live(Passed, Passed, Passed)), Vote::Fault),
        (with(unknown, live(Error, Failed, NotRun)), Vote::Attack),
        (with(VendorOutcome::Inconclusive(Inconclusive::MatchOnly), live(NotRun, NotRun, Passed)), Vote::Fault),
        (with(VendorOutcome::Inconclusive(Inconclusive::MatchOnly), live(NotRun, NotRun, Failed)), Vote::Mismatch),
    ] {
        assert_eq!(Vote::of(&answered("a", answer.clone())), expected, "{answer:?}");
    }
    assert_eq!(Vote::of(&result("a", 'T')), Vote::Fault);
    assert_eq!(Vote::of(&result("a", 'B')), Vote::Fault);
}

#[test]
fn live_counts_only_where_the_vendor_looked_at_what_it_is_asked_for() {
    let deepfakes = Judges { presentation_attack: false, deepfake: true, face_match: false };
    let passed = Reading::state(Passed);
    let silent = answer(VendorOutcome::Live);
    for (judges, answer, expected) in [
        (ALL, VendorAnswer { liveness: passed, ..silent.clone() }, Vote::Live),
        (ALL, VendorAnswer { deepfake: passed, face_match: passed, ..silent.clone() }, Vote::Fault),
        (deepfakes, VendorAnswer { deepfake: passed, ..silent.clone() }, Vote::Live),
        (deepfakes, VendorAnswer { face_match: passed, ..silent.clone() }, Vote::Fault),
        (MATCHER, VendorAnswer { face_match: passed, ..silent }, Vote::Live),
    ] {
        assert_eq!(Vote::asked(&answered("a", answer.clone()), judges), expected, "{judges:?} {answer:?}");
    }
}

#[test]
fn a_disagreement_needs_two_opinions() {
    for (decision, letter, expected) in [
        (Accept, 'L', Some(false)),
        (Accept, 'A', Some(true)),
        (Accept, 'M', Some(true)),
        (Reject, 'L', Some(true)),
        (Reject, 'A', Some(false)),
        (Accept, 'Q', None),
        (Accept, 'R', None),
        (Accept, 'T', None),
        (Reject, 'I', None),
        (Reject, 'B', None),
        (Retry, 'A', None),
        (Review, 'L', None),
        (Indeterminate, 'A', None),
    ] {
        assert_eq!(disagrees(decision, &result("a", letter)), expected, "{decision:?} {letter}");
    }
}
