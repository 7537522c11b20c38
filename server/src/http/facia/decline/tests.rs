//! Every decision, check, outcome and reason has its code, and none but ACCEPT is a pass.

use lifesign_core::verdict::{AttackKind, CheckKind, QualityFault, VendorOutcome};
use lifesign_proto::v1::VendorRole;

use super::*;

fn verdict(decision: Decision) -> v1::Verdict {
    v1::Verdict { decision: decision.into(), ..v1::Verdict::default() }
}

fn failed(id: CheckId) -> v1::Check {
    v1::Check { id: id.name().into(), state: CheckState::Failed.into(), required: true, ..v1::Check::default() }
}

fn reasons(codes: &[&str]) -> Vec<v1::Reason> {
    codes.iter().map(|code| v1::Reason { code: (*code).into(), message: String::new() }).collect()
}

fn said(vendor: &str, outcome: &str, raw_code: &str) -> v1::VendorResult {
    v1::VendorResult {
        vendor: vendor.into(),
        outcome: outcome.into(),
        raw_code: raw_code.into(),
        role: VendorRole::Deciding.into(),
        ..v1::VendorResult::default()
    }
}

fn code(verdict: &v1::Verdict) -> &'static str {
    Decline::of(verdict).map_or("", |decline| decline.texts().0)
}

#[test]
fn the_codes_are_in_their_order_and_the_page_own_words_are_kept() {
    for (place, decline) in Decline::ALL.into_iter().enumerate() {
        assert_eq!(decline.texts().0, format!("FADR{:02}", place + 1));
        assert!(decline.texts().1.ends_with('.'));
    }
    assert_eq!(Decline::Deepfake.texts(), ("FADR25", "Deepfake Detected."));
}

#[test]
fn only_acceptance_is_a_pass() {
    let mut unknown = v1::Verdict { decision: 99, ..v1::Verdict::default() };
    assert_eq!(Decline::of(&unknown), Some(Decline::InvalidProof));
    unknown.checks = vec![failed(CheckId::Sharpness)];
    assert_eq!(code(&unknown), "FADR20");
    for (decision, expected) in [
        (Decision::Unspecified, "FADR20"),
        (Decision::Accept, ""),
        (Decision::Reject, "FADR21"),
        (Decision::Retry, "FADR20"),
        (Decision::Review, "FADR14"),
        (Decision::Indeterminate, "FADR20"),
    ] {
        assert_eq!(code(&verdict(decision)), expected, "{decision:?}");
    }
}

#[test]
fn every_check_gives_a_code_of_its_own_group() {
    for id in CheckId::ALL {
        let decision = match id.kind() {
            CheckKind::Attack | CheckKind::Identity => Decision::Reject,
            CheckKind::Quality | CheckKind::Media => Decision::Retry,
        };
        let decline = Decline::of(&v1::Verdict { checks: vec![failed(*id)], ..verdict(decision) }).unwrap();
        let is_quality = decline.group() == Group::Quality;
        assert_eq!(is_quality, decision == Decision::Retry, "{id}: {decline:?}");
        // A failed check that is only advisory says nothing.
        let advisory = v1::Check { required: false, ..failed(*id) };
        let expected = code(&verdict(decision));
        assert_eq!(code(&v1::Verdict { checks: vec![advisory], ..verdict(decision) }), expected, "{id}");
    }
    // A rejection is never told as a poor capture, nor the other way round.
    let blurry = v1::Verdict { checks: vec![failed(CheckId::Sharpness)], ..verdict(Decision::Reject) };
    assert_eq!(code(&blurry), "FADR21");
    let attack = v1::Verdict { checks: vec![failed(CheckId::Deepfake)], ..verdict(Decision::Retry) };
    assert_eq!(code(&attack), "FADR20");
}

#[test]
fn failed_checks_say_which_attack_it_is() {
    let identical = v1::Check { detail: "IDENTICAL_IMAGE".into(), ..failed(CheckId::FaceMatch) };
    for (checks, expected) in [
        (vec![failed(CheckId::PresentationAttack)], "FADR21"),
        (vec![failed(CheckId::Deepfake)], "FADR25"),
        (vec![failed(CheckId::PresentationAttack), failed(CheckId::Deepfake)], "FADR25"),
        (vec![failed(CheckId::StillImage)], "FADR03"),
        (vec![failed(CheckId::FrameContinuity)], "FADR07"),
        (vec![failed(CheckId::FaceMatch)], "FADR26"),
        (vec![identical], "FADR22"),
    ] {
        assert_eq!(code(&v1::Verdict { checks, ..verdict(Decision::Reject) }), expected);
    }
    for (reason, expected) in
        [("IDENTICAL_IMAGE", "FADR22"), ("DEEPFAKE_SUSPECTED", "FADR25"), ("NOT_PASSED", "FADR21")]
    {
        assert_eq!(code(&v1::Verdict { reasons: reasons(&[reason]), ..verdict(Decision::Reject) }), expected);
    }
}

#[test]
fn the_most_important_reason_says_what_to_mend() {
    for (codes, expected) in [
        (&["NO_FACE"][..], "FADR11"),
        (&["TOO_DARK", "BLURRY"], "FADR09"),
        (&["TOO_BRIGHT"], "FADR10"),
        (&["BLURRY"], "FADR17"),
        (&["HOLD_STILL"], "FADR18"),
        (&["FACE_TOO_LARGE"], "FADR23"),
        (&["FACE_TOO_SMALL"], "FADR24"),
        (&["FACE_TURNED"], "FADR14"),
        (&["EYES_CLOSED"], "FADR14"),
        (&["FACE_COVERED"], "FADR14"),
        (&["LOW_CONTRAST"], "FADR14"),
        (&["MULTIPLE_FACES"], "FADR20"),
        (&["FACE_NOT_CENTERED"], "FADR20"),
        (&["MEDIA_UNREADABLE"], "FADR20"),
        (&["NO_FRAME"], "FADR20"),
        (&["POOR_CAPTURE"], "FADR20"),
        (&["SOMETHING_NEW", "BLURRY"], "FADR17"),
        (&["STILL_IMAGE_SUSPECTED"], "FADR20"),
        (&["REFERENCE_NO_FACE"], "FADR12"),
        (&["REFERENCE_BLURRY"], "FADR15"),
    ] {
        assert_eq!(code(&v1::Verdict { reasons: reasons(codes), ..verdict(Decision::Retry) }), expected, "{codes:?}");
    }
    // Where the policy keeps its reasons to itself.
    let blind = v1::Check { state: CheckState::NotRun.into(), detail: "NO_FACE".into(), ..failed(CheckId::Sharpness) };
    assert_eq!(code(&v1::Verdict { checks: vec![blind], ..verdict(Decision::Retry) }), "FADR11");
}

#[test]
fn what_facia_itself_said_is_passed_on_where_it_decided() {
    let rests_on = |results: Vec<v1::VendorResult>, decision| v1::Verdict {
        vendor_results: results,
        checks: vec![failed(CheckId::PresentationAttack)],
        ..verdict(decision)
    };
    for decline in Decline::ALL {
        let raw = decline.texts().0;
        let reject = rests_on(vec![said("facia", "", raw)], Decision::Reject);
        let retry = rests_on(vec![said("facia", "", raw)], Decision::Retry);
        let is_quality = decline.group() == Group::Quality;
        assert_eq!(code(&reject), if is_quality { "FADR21" } else { raw });
        assert_eq!(code(&retry), if is_quality { raw } else { "FADR20" });
        assert_eq!(code(&rests_on(vec![said("facia", "", raw)], Decision::Review)), "FADR14");
    }
    let shadow = v1::VendorResult { role: VendorRole::Shadow.into(), ..said("facia", "", "FADR04") };
    assert_eq!(code(&rests_on(vec![shadow], Decision::Reject)), "FADR21");
    assert_eq!(code(&rests_on(vec![said("fpt", "", "FADR04")], Decision::Reject)), "FADR21");
    assert_eq!(code(&rests_on(vec![said("facia", "", "FADR27")], Decision::Reject)), "FADR21");
    assert_eq!(code(&rests_on(vec![said("fpt", "ATTACK_REPLAY", "413")], Decision::Reject)), "FADR03");
    assert_eq!(code(&rests_on(vec![said("fpt", "QUALITY_BLURRY", "412")], Decision::Retry)), "FADR17");
}

/// The names in [`of_outcome`] are those that the core gives, each of them, and in the right group.
#[test]
fn every_outcome_of_a_vendor_has_its_code() {
    use AttackKind as A;
    use QualityFault as Q;
    let attacks = [
        A::Print,
        A::PaperMask,
        A::Replay,
        A::PrintOrReplay,
        A::SiliconeMask,
        A::Screenshot,
        A::EditedImage,
        A::Evasion,
        A::AnimatedFace,
        A::Deepfake,
        A::IdenticalImage,
    ];
    for kind in attacks {
        let decline = of_outcome(VendorOutcome::Attack(kind).code()).unwrap();
        assert_eq!(decline.group(), Group::Attack, "{kind:?}");
    }
    let faults = [
        Q::NoFace,
        Q::MultipleFaces,
        Q::FaceTooSmall,
        Q::FaceTooLarge,
        Q::FaceCovered,
        Q::Blurry,
        Q::UnderExposed,
        Q::OverExposed,
        Q::Shine,
        Q::LowConfidence,
        Q::StillImage,
        Q::InvalidCapture,
    ];
    for fault in faults {
        let decline = of_outcome(VendorOutcome::Quality(fault).code()).unwrap();
        assert_eq!(decline.group(), Group::Quality, "{fault:?}");
    }
    for nothing in [VendorOutcome::Attack(A::Unspecified), VendorOutcome::Live, VendorOutcome::Review] {
        assert_eq!(of_outcome(nothing.code()), None, "{nothing:?}");
    }
}
