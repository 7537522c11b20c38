//! The decision: a pure function of the checks.

use crate::{
    policy::OnError,
    verdict::{Check, CheckKind, CheckState, Decision, Detail},
};

/// What the required checks add up to. Advisory checks have no say. `reference_decides`: whether a FaceMatch that fails
/// rejects ([`Policy::reference_decides`](crate::policy::Policy::reference_decides)).
///
/// In this order:
/// 1. an attack or identity check FAILED: REJECT. It wins over bad quality, which matters only where the policy lets bad
///    frames be judged (`gate = false`): whoever switches the gate off takes the models' word on them;
/// 2. a check is ERROR: what the policy says, REVIEW or INDETERMINATE;
/// 3. a quality or media check FAILED: RETRY;
/// 4. a check is NOT_RUN: RETRY where another capture can mend it, INDETERMINATE where it cannot (no model, no reference)
///    or where the frames were good but too few;
/// 5. FaceMatch FAILED and may not reject: REVIEW. A frame that is the reference image itself rejects in any case;
/// 6. every required check PASSED, and there was at least one: ACCEPT.
pub(crate) fn decide(checks: &[Check], on_error: OnError, reference_decides: bool) -> Decision {
    let mut verdict = Standing::Nothing;
    for check in checks.iter().filter(|check| check.required) {
        verdict = verdict.max(standing(check, reference_decides));
    }
    match verdict {
        Standing::Reject => Decision::Reject,
        Standing::Broken => on_error.decision(),
        Standing::BadCapture | Standing::Mendable => Decision::Retry,
        Standing::Hopeless | Standing::TooFew | Standing::Nothing => Decision::Indeterminate,
        Standing::Doubt => Decision::Review,
        Standing::Passed => Decision::Accept,
    }
}

/// What one required check means for the whole; the greatest decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// No check was required: nothing was shown.
    Nothing,
    /// It passed.
    Passed,
    /// It says another person, but is too weak to be believed.
    Doubt,
    /// It needs more frames than came.
    TooFew,
    /// The capture kept it from running.
    Mendable,
    /// No other capture would let it run.
    Hopeless,
    /// The capture was not good enough.
    BadCapture,
    /// It broke.
    Broken,
    /// It says attack, or another person.
    Reject,
}

fn standing(check: &Check, reference_decides: bool) -> Standing {
    match (check.state, check.id.kind()) {
        (CheckState::Passed, _) => Standing::Passed,
        (CheckState::Failed, CheckKind::Identity)
            if !reference_decides && check.detail != Some(Detail::IdenticalImage) =>
        {
            Standing::Doubt
        }
        (CheckState::Failed, CheckKind::Attack | CheckKind::Identity) => Standing::Reject,
        (CheckState::Failed, CheckKind::Quality | CheckKind::Media) => Standing::BadCapture,
        (CheckState::Error, _) => Standing::Broken,
        (CheckState::NotRun, _) => match check.detail {
            Some(
                Detail::QualityGate
                | Detail::NoFace
                | Detail::NoFrame
                | Detail::ReferenceNoFace
                | Detail::ReferenceMultipleFaces
                | Detail::ReferenceTooSmall
                | Detail::ReferenceBlurry
                | Detail::ReferenceQuality
                | Detail::VendorQuality,
            ) => Standing::Mendable,
            Some(Detail::TooFewFrames | Detail::SingleFrame) => Standing::TooFew,
            Some(
                Detail::NoModel
                | Detail::NoReference
                | Detail::NotRequested
                | Detail::ModelFault
                | Detail::IdenticalImage
                | Detail::Precheck
                | Detail::NotNeeded
                | Detail::Budget
                | Detail::VendorMedia
                | Detail::VendorScope
                | Detail::VendorInconclusive
                | Detail::VendorReview
                | Detail::VendorTimeout
                | Detail::VendorUnreachable
                | Detail::VendorRateLimited
                | Detail::VendorCredentials
                | Detail::VendorRefused
                | Detail::VendorFault
                | Detail::VendorUnreadable
                | Detail::VendorSuspended,
            )
            | None => Standing::Hopeless,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::verdict::{CheckId, Source};

    const STATES: [CheckState; 4] = [CheckState::Passed, CheckState::Failed, CheckState::NotRun, CheckState::Error];
    const DETAILS: [Option<Detail>; 18] = [
        None,
        Some(Detail::NoModel),
        Some(Detail::QualityGate),
        Some(Detail::NoFace),
        Some(Detail::SingleFrame),
        Some(Detail::TooFewFrames),
        Some(Detail::NoReference),
        Some(Detail::NotRequested),
        Some(Detail::ModelFault),
        Some(Detail::NoFrame),
        Some(Detail::ReferenceNoFace),
        Some(Detail::ReferenceMultipleFaces),
        Some(Detail::ReferenceTooSmall),
        Some(Detail::ReferenceBlurry),
        Some(Detail::ReferenceQuality),
        Some(Detail::IdenticalImage),
        Some(Detail::VendorQuality),
        Some(Detail::VendorReview),
    ];

    fn check(id: CheckId, state: CheckState, detail: Option<Detail>, required: bool) -> Check {
        Check {
            id,
            state,
            score: None,
            threshold: None,
            raw: None,
            source: Source::Local,
            models: Vec::new(),
            duration: Duration::ZERO,
            required,
            detail,
        }
    }

    #[test]
    fn decides_by_the_table() {
        use CheckId::{FaceMatch, MediaLimits, PresentationAttack, Sharpness, StillImage};
        use CheckState::{Error, Failed, NotRun, Passed};
        use Decision::{Accept, Indeterminate, Reject, Retry};

        let pass = (PresentationAttack, Passed, None);
        let table = [
            (vec![pass], Accept),
            (vec![pass, (Sharpness, Passed, None)], Accept),
            (vec![(PresentationAttack, Failed, None)], Reject),
            (vec![(FaceMatch, Failed, None), pass], Reject),
            (vec![(PresentationAttack, Failed, None), (Sharpness, Failed, None)], Reject),
            (vec![(PresentationAttack, Failed, None), (Sharpness, Error, None)], Reject),
            (vec![(PresentationAttack, Error, Some(Detail::ModelFault)), (Sharpness, Failed, None)], Indeterminate),
            (vec![pass, (Sharpness, Failed, None)], Retry),
            (vec![pass, (MediaLimits, Failed, None)], Retry),
            (vec![(PresentationAttack, NotRun, Some(Detail::QualityGate))], Retry),
            (vec![(PresentationAttack, NotRun, Some(Detail::NoFace))], Retry),
            (vec![(PresentationAttack, NotRun, Some(Detail::NoFrame))], Retry),
            (vec![(PresentationAttack, NotRun, Some(Detail::TooFewFrames))], Indeterminate),
            (vec![pass, (StillImage, NotRun, Some(Detail::TooFewFrames))], Indeterminate),
            (vec![pass, (StillImage, NotRun, Some(Detail::SingleFrame))], Indeterminate),
            (vec![(FaceMatch, NotRun, Some(Detail::NoReference)), pass], Indeterminate),
            (
                vec![
                    (FaceMatch, NotRun, Some(Detail::NoReference)),
                    (PresentationAttack, NotRun, Some(Detail::QualityGate)),
                ],
                Indeterminate,
            ),
            (vec![(PresentationAttack, NotRun, None)], Indeterminate),
            (vec![], Indeterminate),
        ];
        for (checks, expected) in table {
            let checks: Vec<_> = checks.into_iter().map(|(id, state, detail)| check(id, state, detail, true)).collect();
            assert_eq!(decide(&checks, OnError::Indeterminate, true), expected, "{checks:?}");
        }
    }

    #[test]
    fn a_broken_check_is_reviewed_where_the_policy_says_so() {
        let checks = [check(CheckId::PresentationAttack, CheckState::Error, Some(Detail::ModelFault), true)];
        assert_eq!(decide(&checks, OnError::Review, true), Decision::Review);
        assert_eq!(decide(&checks, OnError::Indeterminate, true), Decision::Indeterminate);
    }

    #[test]
    fn a_weak_face_match_turns_acceptance_into_review_and_nothing_else() {
        use CheckId::{FaceMatch, PresentationAttack, Sharpness, StillImage};
        use CheckState::{Error, Failed, NotRun, Passed};
        use Decision::{Accept, Indeterminate, Reject, Retry, Review};

        let reference = |detail| (FaceMatch, NotRun, Some(detail));
        let table = [
            (vec![(FaceMatch, Failed, None)], Reject, Review),
            (vec![(FaceMatch, Failed, Some(Detail::IdenticalImage))], Reject, Reject),
            (vec![(FaceMatch, Passed, None)], Accept, Accept),
            (vec![(FaceMatch, Failed, None), (PresentationAttack, Failed, None)], Reject, Reject),
            (vec![(FaceMatch, Failed, None), (Sharpness, Failed, None)], Reject, Retry),
            (vec![(FaceMatch, Failed, None), (StillImage, NotRun, Some(Detail::TooFewFrames))], Reject, Indeterminate),
            (vec![(FaceMatch, Error, Some(Detail::ModelFault))], Indeterminate, Indeterminate),
            (vec![reference(Detail::NoModel)], Indeterminate, Indeterminate),
            (vec![reference(Detail::ReferenceNoFace)], Retry, Retry),
            (vec![reference(Detail::ReferenceMultipleFaces)], Retry, Retry),
            (vec![reference(Detail::ReferenceTooSmall)], Retry, Retry),
            (vec![reference(Detail::ReferenceBlurry)], Retry, Retry),
            (vec![reference(Detail::ReferenceQuality)], Retry, Retry),
            (vec![reference(Detail::ReferenceBlurry), (PresentationAttack, Failed, None)], Reject, Reject),
        ];
        for (checks, decides, reports) in table {
            let mut checks: Vec<_> =
                checks.into_iter().map(|(id, state, detail)| check(id, state, detail, true)).collect();
            checks.push(check(CheckId::Deepfake, Passed, None, true));
            assert_eq!(decide(&checks, OnError::Indeterminate, true), decides, "{checks:?}");
            assert_eq!(decide(&checks, OnError::Indeterminate, false), reports, "{checks:?}");
        }
    }

    #[test]
    fn advisory_checks_alone_accept_nothing() {
        let checks: Vec<_> = CheckId::ALL.iter().map(|&id| check(id, CheckState::Passed, None, false)).collect();
        assert_eq!(decide(&checks, OnError::Review, true), Decision::Indeterminate);
    }

    proptest! {
        #[test]
        fn accept_means_that_every_required_check_passed(
            parts in prop::collection::vec(
                (0..CheckId::ALL.len(), 0..STATES.len(), 0..DETAILS.len(), any::<bool>()),
                0..24,
            ),
            review in any::<bool>(),
            decides in any::<bool>(),
        ) {
            let checks: Vec<_> = parts
                .iter()
                .map(|&(id, state, detail, required)| check(CheckId::ALL[id], STATES[state], DETAILS[detail], required))
                .collect();
            let on_error = if review { OnError::Review } else { OnError::Indeterminate };
            let required: Vec<_> = checks.iter().filter(|check| check.required).collect();
            let all_passed = !required.is_empty() && required.iter().all(|check| check.state == CheckState::Passed);
            prop_assert_eq!(decide(&checks, on_error, decides) == Decision::Accept, all_passed);
        }

        #[test]
        fn nothing_is_accepted_with_a_reference_that_did_not_pass(
            parts in prop::collection::vec((0..CheckId::ALL.len(), 0..DETAILS.len(), any::<bool>()), 0..24),
            state in 1..STATES.len(),
            detail in 0..DETAILS.len(),
            review in any::<bool>(),
            decides in any::<bool>(),
        ) {
            // Everything else passed, so that it hangs on the reference alone.
            let mut checks: Vec<_> = parts
                .iter()
                .map(|&(id, detail, required)| check(CheckId::ALL[id], STATES[0], DETAILS[detail], required))
                .collect();
            checks.push(check(CheckId::FaceMatch, STATES[state], DETAILS[detail], true));
            let on_error = if review { OnError::Review } else { OnError::Indeterminate };
            prop_assert_ne!(decide(&checks, on_error, decides), Decision::Accept);
        }
    }
}
