//! What the final verdict says beside its decision: results, roles, checks, reasons, diagnostics.

use super::{
    super::Fusion,
    support::{ALL, MATCHER, answer, answered, check, compile, local, policy, results, rule, scored, settings},
};
use crate::{
    policy::{Judges, Policy, PolicyConfig, Strategy, VendorRule, Visibility},
    verdict::{
        AttackKind, Check, CheckId, CheckState, Decision, Detail, Proof, QualityFault, Reading, Source, VendorAnswer,
        VendorOutcome, VendorResult, VendorRole, VendorState, Verdict,
    },
};

fn concluded(policy: &Policy, checks: Vec<Check>, results: Vec<VendorResult>) -> Verdict {
    Fusion::new(policy, local(checks)).conclude(results)
}

/// Why each vendor was not asked, where it was not.
fn skipped(verdict: &Verdict) -> Vec<Option<Detail>> {
    let why = |result: &VendorResult| match result.state {
        VendorState::NotRun(detail) => Some(detail),
        VendorState::Answered(_) | VendorState::Failed(_) => None,
    };
    verdict.vendor_results.iter().map(why).collect()
}

fn roles(verdict: &Verdict) -> Vec<VendorRole> {
    verdict.vendor_results.iter().map(|result| result.role).collect()
}

/// A vendor's check.
fn of<'a>(verdict: &'a Verdict, vendor: &str, id: CheckId) -> &'a Check {
    let source = Source::Vendor(vendor.to_owned());
    verdict.checks.iter().find(|check| check.id == id && check.source == source).unwrap()
}

#[test]
fn who_was_not_asked_is_listed_with_the_reason() {
    use Detail::{NotNeeded, Precheck, VendorTimeout};
    use VendorRole::{Deciding, None as Nothing};
    let first = policy(Strategy::First);
    let verdict = concluded(&first, vec![scored(0.1)], Vec::new());
    assert_eq!(skipped(&verdict), [Some(Precheck); 3]);
    assert_eq!(roles(&verdict), [Nothing; 3]);
    assert!(verdict.checks.iter().skip(1).all(|check| !check.required && check.detail == Some(Precheck)));
    let verdict = concluded(&first, vec![scored(0.9)], results("TL"));
    assert_eq!(skipped(&verdict), [None, None, Some(NotNeeded)]);
    assert_eq!(roles(&verdict), [Nothing, Deciding, Nothing]);
    let verdict = concluded(&first, vec![scored(0.9)], results("TB"));
    assert_eq!(skipped(&verdict), [None, Some(Detail::Budget), Some(VendorTimeout)]);
    assert_eq!(roles(&verdict), [Deciding, Nothing, Nothing]);

    let escalate = policy(Strategy::Escalate);
    for (score, why) in [(0.9, NotNeeded), (0.1, NotNeeded)] {
        assert_eq!(skipped(&concluded(&escalate, vec![scored(score)], Vec::new())), [Some(why); 3], "{score}");
    }
    let blurry = check(CheckId::Sharpness, CheckState::Failed, 0.1, None);
    assert_eq!(skipped(&concluded(&escalate, vec![scored(0.9), blurry], Vec::new())), [Some(Precheck); 3]);

    let verdict = concluded(&policy(Strategy::All), vec![scored(0.9)], results("LTB"));
    assert_eq!(roles(&verdict), [Deciding, Deciding, Nothing]);
    let verdict = concluded(&policy(Strategy::Shadow), vec![scored(0.9)], results("LTB"));
    assert_eq!(roles(&verdict), [VendorRole::Shadow, VendorRole::Shadow, Nothing]);
}

#[test]
fn a_result_of_another_vendor_is_none_of_its_place() {
    let policy = policy(Strategy::First);
    let mut swapped = results("LT");
    swapped.swap(0, 1);
    let verdict = concluded(&policy, vec![scored(0.9)], swapped);
    assert_eq!(verdict.decision, Decision::Indeterminate);
    let names: Vec<_> = verdict.vendor_results.iter().map(|result| result.vendor.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn the_local_strategy_leaves_the_verdict_as_it_is() {
    let policy = compile(PolicyConfig { vendors: VendorRule::default(), ..settings() }, &|_| None);
    let verdict = local(vec![scored(0.9)]);
    assert!(Fusion::new(&policy, verdict.clone()).next(&[]).is_empty());
    assert_eq!(Fusion::new(&policy, verdict.clone()).conclude(results("AAA")), verdict);
}

#[test]
fn vendors_checks_follow_the_local_ones() {
    let sees = |id: &str| {
        Some(match id {
            "a" => ALL,
            "b" => Judges { deepfake: false, face_match: false, ..ALL },
            _ => MATCHER,
        })
    };
    let policy = compile(PolicyConfig { vendors: rule(Strategy::All), ..settings() }, &sees);
    let mut given = results("AL");
    let passed = Reading::state(CheckState::Passed);
    given.push(answered("c", VendorAnswer { face_match: passed, ..answer(VendorOutcome::Live) }));
    let verdict = concluded(&policy, vec![scored(0.9)], given);
    let listed: Vec<_> = verdict.checks.iter().map(|check| (check.id, check.source.clone(), check.state)).collect();
    let vendor = |id: &str| Source::Vendor(id.to_owned());
    assert_eq!(
        listed,
        [
            (CheckId::PresentationAttack, Source::Local, CheckState::Passed),
            (CheckId::PresentationAttack, vendor("a"), CheckState::Failed),
            (CheckId::Deepfake, vendor("a"), CheckState::NotRun),
            (CheckId::PresentationAttack, vendor("b"), CheckState::Passed),
            (CheckId::FaceMatch, vendor("c"), CheckState::Passed),
        ]
    );
    assert!(verdict.checks.iter().all(|check| check.required));
    let failed = of(&verdict, "a", CheckId::PresentationAttack);
    assert_eq!(
        (failed.score, failed.threshold, failed.raw.map(|raw| raw.unit)),
        (Some(0.1), None, Some("probability"))
    );
    assert_eq!(of(&verdict, "a", CheckId::Deepfake).detail, Some(Detail::VendorScope));
    assert_eq!(verdict.check(CheckId::PresentationAttack).unwrap().source, Source::Local);
}

#[test]
fn what_accept_needs_is_marked() {
    let required = |verdict: &Verdict| -> Vec<_> {
        verdict.checks.iter().filter(|check| check.required).map(|check| (check.source.clone(), check.id)).collect()
    };
    let (here, there) = (Source::Local, |id: &str| Source::Vendor(id.to_owned()));
    use CheckId::{Deepfake, PresentationAttack};

    let first = concluded(&policy(Strategy::First), vec![scored(0.9)], results("TL"));
    // The deciding vendor did not look for deepfakes, and ACCEPT does not claim so.
    assert_eq!(required(&first), [(here.clone(), PresentationAttack), (there("b"), PresentationAttack)]);
    let handed = concluded(&policy(Strategy::Escalate), vec![scored(0.5)], results("L"));
    assert_eq!(required(&handed), [(there("a"), PresentationAttack)]);
    let sure = concluded(&policy(Strategy::Escalate), vec![scored(0.9)], Vec::new());
    assert_eq!(required(&sure), [(here.clone(), PresentationAttack)]);
    let nobody = concluded(&policy(Strategy::First), vec![scored(0.9)], results("TTT"));
    assert_eq!(required(&nobody).len(), 1 + 2 * 3);
    let missing = of(&nobody, "b", Deepfake);
    assert_eq!((missing.state, missing.detail), (CheckState::Error, Some(Detail::VendorTimeout)));
    for strategy in [Strategy::Quorum, Strategy::Shadow] {
        let verdict = concluded(&policy(strategy), vec![scored(0.9)], results("LLA"));
        assert_eq!(required(&verdict), [(here.clone(), PresentationAttack)], "{strategy:?}");
    }
}

#[test]
fn an_answer_that_is_no_pass_does_not_read_as_one() {
    let passed = Reading { state: CheckState::Passed, score: Some(0.9), raw: None };
    for (outcome, state, detail) in [
        (VendorOutcome::Review, CheckState::NotRun, Detail::VendorReview),
        (VendorOutcome::Quality(QualityFault::Blurry), CheckState::NotRun, Detail::VendorQuality),
        (
            VendorOutcome::Inconclusive(crate::verdict::Inconclusive::NoDecision),
            CheckState::Error,
            Detail::VendorInconclusive,
        ),
    ] {
        for liveness in [passed, Reading::state(state)] {
            let given = vec![answered("a", VendorAnswer { liveness, ..answer(outcome) })];
            let verdict = concluded(&policy(Strategy::First), vec![scored(0.9)], given);
            let check = of(&verdict, "a", CheckId::PresentationAttack);
            assert_eq!((check.state, check.score, check.detail), (state, None, Some(detail)), "{outcome:?}");
            assert_ne!(verdict.decision, Decision::Accept);
        }
    }
    let odd = Reading { score: Some(f32::NAN), ..passed };
    let given = vec![answered("a", VendorAnswer { liveness: odd, ..answer(VendorOutcome::Live) })];
    let verdict = concluded(&policy(Strategy::First), vec![scored(0.9)], given);
    assert_eq!(of(&verdict, "a", CheckId::PresentationAttack).score, None);
}

#[test]
fn the_person_is_told_as_much_as_by_the_local_checks() {
    let codes = |visibility, answers: Vec<VendorAnswer>, strategy| -> Vec<_> {
        let policy =
            compile(PolicyConfig { reasons: visibility, vendors: rule(strategy), ..settings() }, &|_| Some(ALL));
        let results = answers.into_iter().zip(super::support::ASK).map(|(answer, id)| answered(id, answer)).collect();
        let verdict = concluded(&policy, vec![scored(0.9)], results);
        verdict.reasons.iter().map(|reason| reason.code).collect()
    };
    let failed = Reading::state(CheckState::Failed);
    let replay = VendorAnswer { liveness: failed, ..answer(VendorOutcome::Attack(AttackKind::Replay)) };
    let fake = VendorAnswer { deepfake: failed, ..answer(VendorOutcome::Attack(AttackKind::Deepfake)) };
    let copy = VendorAnswer { face_match: failed, ..answer(VendorOutcome::Attack(AttackKind::IdenticalImage)) };
    let other = VendorAnswer { face_match: failed, ..answer(VendorOutcome::Live) };
    let fault = |fault| answer(VendorOutcome::Quality(fault));
    use Visibility::{Full, None as Nothing, Quality};
    let first = |visibility, answer| codes(visibility, vec![answer], Strategy::First);

    for (answer, code) in [
        (&replay, "PRESENTATION_ATTACK_SUSPECTED"),
        (&fake, "DEEPFAKE_SUSPECTED"),
        (&copy, "IDENTICAL_IMAGE"),
        (&other, "FACE_MISMATCH"),
    ] {
        assert_eq!(first(Full, answer.clone()), [code]);
        assert_eq!(first(Quality, answer.clone()), ["NOT_PASSED"]);
        assert!(first(Nothing, answer.clone()).is_empty());
    }
    for (what, code) in [
        (QualityFault::NoFace, "NO_FACE"),
        (QualityFault::MultipleFaces, "MULTIPLE_FACES"),
        (QualityFault::FaceTooSmall, "FACE_TOO_SMALL"),
        (QualityFault::FaceTooLarge, "FACE_TOO_LARGE"),
        (QualityFault::FaceCovered, "FACE_COVERED"),
        (QualityFault::Blurry, "BLURRY"),
        (QualityFault::UnderExposed, "TOO_DARK"),
        (QualityFault::OverExposed, "TOO_BRIGHT"),
        (QualityFault::Shine, "TOO_BRIGHT"),
        (QualityFault::LowConfidence, "POOR_CAPTURE"),
        (QualityFault::InvalidCapture, "POOR_CAPTURE"),
        (QualityFault::StillImage, "POOR_CAPTURE"),
    ] {
        assert_eq!(first(Quality, fault(what)), [code]);
        assert!(first(Nothing, fault(what)).is_empty());
    }
    assert_eq!(first(Full, fault(QualityFault::StillImage)), ["STILL_IMAGE_SUSPECTED"]);
    assert_eq!(first(Quality, answer(VendorOutcome::Review)), ["NEEDS_REVIEW"]);
    assert_eq!(first(Quality, answer(VendorOutcome::Live)), ["UNDECIDED"], "it is silent on what it was asked for");

    let all = |answers| codes(Full, answers, Strategy::All);
    assert_eq!(
        all(vec![replay.clone(), fake, replay]),
        ["PRESENTATION_ATTACK_SUSPECTED", "DEEPFAKE_SUSPECTED"],
        "each once"
    );
    let faults = [QualityFault::Blurry, QualityFault::FaceTooSmall, QualityFault::Blurry];
    assert_eq!(all(faults.map(fault).to_vec()), ["FACE_TOO_SMALL", "BLURRY"], "most important first");
    let faults = [QualityFault::Blurry, QualityFault::NoFace, QualityFault::Blurry];
    assert_eq!(all(faults.map(fault).to_vec()), ["NO_FACE"]);
}

#[test]
fn local_reasons_stay_where_the_local_checks_decided() {
    for strategy in [Strategy::First, Strategy::Escalate, Strategy::Shadow] {
        let mut verdict = local(vec![scored(0.1)]);
        verdict.reasons = vec![crate::verdict::Reason { code: "NOT_PASSED", message: "The check was not passed." }];
        let policy = policy(strategy);
        assert_eq!(Fusion::new(&policy, verdict.clone()).conclude(results("LLL")).reasons, verdict.reasons);
    }
}

#[test]
fn the_backend_is_told_who_said_what() {
    let lines =
        |strategy, score, letters| concluded(&policy(strategy), vec![scored(score)], results(letters)).diagnostics;
    assert_eq!(
        lines(Strategy::First, 0.9, "TA"),
        [
            "frames: 1",
            "vendor a: no answer, VENDOR_TIMEOUT; without a say; attempts: 1",
            "vendor b: ATTACK_REPLAY, its code 200; deciding; attempts: 1",
            "vendor c: not asked, NOT_NEEDED; without a say; attempts: 0",
            "vendors, strategy first: b decided: REJECT",
        ]
    );
    for (strategy, score, letters, last) in [
        (Strategy::First, 0.9, "TTT", "nobody answered: INDETERMINATE"),
        (Strategy::First, 0.1, "", "nobody asked (PRECHECK), the local decision stands: REJECT"),
        (Strategy::Escalate, 0.9, "", "nobody asked (NOT_NEEDED), the local decision stands: ACCEPT"),
        (Strategy::Escalate, 0.5, "L", "PresentationAttack handed over, a decided: ACCEPT"),
        (Strategy::All, 0.9, "LTA", "1 live, 1 attack, 1 fault: REJECT"),
        (Strategy::Quorum, 0.9, "LLM", "2 live, 1 mismatch, 2 must agree: ACCEPT"),
        (Strategy::Shadow, 0.9, "LAM", "the local decision stands, contradicted by b, c: ACCEPT"),
        (Strategy::Shadow, 0.9, "LTQ", "the local decision stands: ACCEPT"),
    ] {
        let expected = format!("vendors, strategy {}: {last}", strategy.name());
        assert_eq!(lines(strategy, score, letters).last(), Some(&expected));
    }
}

#[test]
fn nothing_that_a_vendor_wrote_gets_into_the_diagnostics_but_a_short_code() {
    let long = "X".repeat(200);
    for code in ["https://vendor.example/p?expires=1", "Jane Doe, born 1990", "two\nlines", long.as_str()] {
        let said = VendorAnswer {
            raw_code: code.to_owned(),
            reference: Some("REFERENCE".to_owned()),
            request_id: Some("REQUEST".to_owned()),
            proof: Some(Proof { url: "https://vendor.example/proof".to_owned(), expires: None }),
            ..answer(VendorOutcome::Attack(AttackKind::Print))
        };
        let verdict = concluded(&policy(Strategy::First), vec![scored(0.9)], vec![answered("a", said)]);
        let text = verdict.diagnostics.join("\n");
        for told in [code, "REFERENCE", "REQUEST", "https:"] {
            assert!(!text.contains(told), "{text}");
        }
        assert!(text.contains("ATTACK_PRINT, its code not shown"), "{text}");
    }
}
