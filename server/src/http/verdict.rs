//! Questions that every endpoint asks of a verdict. What is not there, or is not known, is never good news.

use lifesign_core::verdict::CheckId;
use lifesign_proto::v1::{self, CheckState, VendorRole};

use crate::convert::LOCAL;

/// Which check it is; `None` for a name of a later version.
pub(super) fn id(check: &v1::Check) -> Option<CheckId> {
    CheckId::ALL.iter().copied().find(|id| id.name() == check.id)
}

/// The required checks that ended so, in the verdict's order.
pub(super) fn required(verdict: &v1::Verdict, state: CheckState) -> impl Iterator<Item = &v1::Check> {
    verdict.checks.iter().filter(move |check| check.required && check.state() == state)
}

/// The score of a check, 0..=1 with 1 = bona fide: this engine's own, else the first vendor's that has one.
pub(super) fn score(verdict: &v1::Verdict, id: CheckId) -> Option<f32> {
    let scored = |local: bool| {
        let mut checks = verdict.checks.iter().filter(move |check| (check.source == LOCAL) == local);
        checks.find_map(|check| check.score.filter(|score| check.id == id.name() && (0.0..=1.0).contains(score)))
    };
    scored(true).or_else(|| scored(false))
}

/// The vendors' results on which the decision rests.
pub(super) fn deciding(verdict: &v1::Verdict) -> impl Iterator<Item = &v1::VendorResult> {
    verdict.vendor_results.iter().filter(|result| result.role() == VendorRole::Deciding)
}

/// Whether there was no face to judge: a reason says so, where the policy gives reasons; else a check that had nothing to look at, or a
/// vendor on which the decision rests.
pub(super) fn saw_no_face(verdict: &v1::Verdict) -> bool {
    verdict.reasons.iter().any(|reason| reason.code == "NO_FACE")
        || required(verdict, CheckState::NotRun).any(|check| check.detail == "NO_FACE")
        || deciding(verdict).any(|result| result.outcome == "QUALITY_NO_FACE")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: &str, source: &str, score: Option<f32>) -> v1::Check {
        v1::Check { id: id.into(), source: source.into(), score, ..v1::Check::default() }
    }

    #[test]
    fn a_score_is_this_engines_where_it_has_one() {
        let verdict = |checks| v1::Verdict { checks, ..v1::Verdict::default() };
        let [facia, fpt, none, own, bad] = [
            check("Deepfake", "facia", None),
            check("Deepfake", "fpt", Some(0.25)),
            check("Deepfake", LOCAL, None),
            check("Deepfake", LOCAL, Some(0.75)),
            check("Deepfake", LOCAL, Some(f32::NAN)),
        ];
        let other = check("PresentationAttack", LOCAL, Some(0.5));
        for (checks, expected) in [
            (vec![facia.clone(), fpt.clone(), own], Some(0.75)),
            (vec![none, facia.clone(), fpt.clone()], Some(0.25)),
            (vec![bad, fpt], Some(0.25)),
            (vec![facia, other], None),
            (vec![], None),
        ] {
            assert_eq!(score(&verdict(checks), CheckId::Deepfake), expected);
        }
    }

    #[test]
    fn no_face_is_told_by_reasons_checks_and_vendors() {
        let mut verdict = v1::Verdict::default();
        assert!(!saw_no_face(&verdict));
        let blind = v1::Check { detail: "NO_FACE".into(), ..check("PresentationAttack", LOCAL, None) };
        verdict.checks = vec![v1::Check { state: CheckState::NotRun.into(), required: false, ..blind.clone() }];
        assert!(!saw_no_face(&verdict), "advisory");
        verdict.checks = vec![v1::Check { state: CheckState::NotRun.into(), required: true, ..blind }];
        assert!(saw_no_face(&verdict));
        let said = |role: VendorRole| v1::VendorResult {
            role: role.into(),
            outcome: "QUALITY_NO_FACE".into(),
            ..v1::VendorResult::default()
        };
        let by_vendor = |role| v1::Verdict { vendor_results: vec![said(role)], ..v1::Verdict::default() };
        assert!(saw_no_face(&by_vendor(VendorRole::Deciding)));
        assert!(!saw_no_face(&by_vendor(VendorRole::Shadow)));
        let reasons = vec![v1::Reason { code: "NO_FACE".into(), message: String::new() }];
        assert!(saw_no_face(&v1::Verdict { reasons, ..v1::Verdict::default() }));
    }

    #[test]
    fn every_check_is_known_by_its_name() {
        for known in CheckId::ALL {
            assert_eq!(id(&check(known.name(), LOCAL, None)), Some(*known));
        }
        assert_eq!(id(&check("SomethingNew", LOCAL, None)), None);
    }
}
