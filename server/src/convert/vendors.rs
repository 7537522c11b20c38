//! What came of vendors, as the wire has it.

use lifesign_core::{
    policy::VendorRule,
    vendors::{Member, Phase},
    verdict::{CheckState, Detail, Proof, VendorResult, VendorRole, VendorState},
};
use lifesign_proto::v1::{self as wire, get_capabilities_response as capabilities};

use super::verdict::{check_state, duration};

/// What came of the vendors that a policy names.
pub fn vendor_results(results: &[VendorResult]) -> Vec<wire::VendorResult> {
    results.iter().map(result).collect()
}

fn result(result: &VendorResult) -> wire::VendorResult {
    let plain = |state: CheckState, detail: Detail| wire::VendorResult {
        state: check_state(state).into(),
        deepfake_state: check_state(CheckState::NotRun).into(),
        face_match_state: check_state(CheckState::NotRun).into(),
        detail: detail.code().to_owned(),
        ..wire::VendorResult::default()
    };
    let answer = match &result.state {
        VendorState::NotRun(detail) => plain(CheckState::NotRun, *detail),
        VendorState::Failed(detail) => plain(CheckState::Error, *detail),
        VendorState::Answered(answer) => wire::VendorResult {
            state: check_state(answer.liveness.state).into(),
            deepfake_state: check_state(answer.deepfake.state).into(),
            face_match_state: check_state(answer.face_match.state).into(),
            outcome: answer.outcome.code().to_owned(),
            reference: answer.reference.clone().unwrap_or_default(),
            request_id: answer.request_id.clone().unwrap_or_default(),
            raw_code: answer.raw_code.clone(),
            raw_score: answer.raw_score,
            proof: answer.proof.as_ref().map(proof),
            ..wire::VendorResult::default()
        },
    };
    wire::VendorResult {
        vendor: result.vendor.clone(),
        duration: Some(duration(result.duration)),
        role: role(result.role).into(),
        attempts: result.attempts,
        cost_micros: result.cost_micros,
        ..answer
    }
}

fn proof(proof: &Proof) -> wire::vendor_result::Proof {
    wire::vendor_result::Proof { url: proof.url.clone(), expire_time: proof.expires.map(Into::into) }
}

fn role(role: VendorRole) -> wire::VendorRole {
    match role {
        VendorRole::Deciding => wire::VendorRole::Deciding,
        VendorRole::Shadow => wire::VendorRole::Shadow,
        VendorRole::None => wire::VendorRole::None,
    }
}

/// Where a vendor stands.
pub fn vendor_phase(phase: Phase) -> wire::VendorPhase {
    match phase {
        Phase::Asked => wire::VendorPhase::Asked,
        Phase::Answered => wire::VendorPhase::Answered,
        Phase::Failed => wire::VendorPhase::Failed,
        Phase::Skipped => wire::VendorPhase::Skipped,
    }
}

/// A configured vendor, as it stands.
pub fn vendor(member: &Member) -> capabilities::Vendor {
    let spec = member.vendor().spec();
    let (shadow_compared, shadow_disagreed) = member.shadowed();
    let judged = [
        ("PresentationAttack", spec.judges.presentation_attack),
        ("Deepfake", spec.judges.deepfake),
        ("FaceMatch", spec.judges.face_match),
    ];
    capabilities::Vendor {
        id: spec.id.to_owned(),
        healthy: member.is_healthy(),
        title: spec.title.to_owned(),
        judges: judged.into_iter().filter(|(_, judges)| *judges).map(|(name, _)| name.to_owned()).collect(),
        takes: spec.takes.iter().map(|takes| takes.name().to_owned()).collect(),
        asynchronous: spec.asynchronous,
        price_micros: member.vendor().price_micros(),
        shadow_compared,
        shadow_disagreed,
    }
}

/// What a policy says about vendors; `None` where it asks none.
pub fn vendor_rule(rule: &VendorRule) -> Option<capabilities::VendorRule> {
    let [unsure_from, unsure_to] = rule.unsure;
    (!rule.ask.is_empty()).then(|| capabilities::VendorRule {
        strategy: rule.strategy.name().to_owned(),
        ask: rule.ask.clone(),
        quorum: rule.quorum,
        unsure_from,
        unsure_to,
        deadline: Some(duration(std::time::Duration::from_millis(rule.deadline_ms))),
        max_cost_micros: rule.max_cost_micros,
        max_daily_cost_micros: rule.max_daily_cost_micros,
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use lifesign_core::verdict::{AttackKind, Reading, VendorAnswer, VendorOutcome};

    use super::*;

    #[test]
    fn an_answer_keeps_what_the_vendor_said() {
        let answer = VendorAnswer {
            outcome: VendorOutcome::Attack(AttackKind::Deepfake),
            liveness: Reading::NOT_RUN,
            deepfake: Reading::state(CheckState::Failed),
            face_match: Reading::state(CheckState::Error),
            raw_code: "FADR25".into(),
            raw_score: Some(0.0),
            reference: Some("6042".into()),
            request_id: None,
            proof: Some(Proof { url: "https://x.test/p".into(), expires: Some(UNIX_EPOCH + Duration::from_secs(9)) }),
        };
        let wire = result(&VendorResult {
            state: VendorState::Answered(Box::new(answer)),
            role: VendorRole::Deciding,
            duration: Duration::from_millis(1500),
            attempts: 2,
            cost_micros: 70,
            ..VendorResult::not_run("facia", Detail::Precheck)
        });
        assert_eq!((wire.vendor.as_str(), wire.outcome.as_str()), ("facia", "ATTACK_DEEPFAKE"));
        assert_eq!(wire.state(), wire::CheckState::NotRun);
        assert_eq!(wire.deepfake_state(), wire::CheckState::Failed);
        assert_eq!(wire.face_match_state(), wire::CheckState::Error);
        assert_eq!((wire.raw_code.as_str(), wire.raw_score, wire.reference.as_str()), ("FADR25", Some(0.0), "6042"));
        assert_eq!(wire.proof.unwrap().expire_time.unwrap().seconds, 9);
        assert_eq!((wire.role, wire.attempts, wire.cost_micros), (wire::VendorRole::Deciding.into(), 2, 70));
        assert_eq!(wire.detail, "");
    }

    #[test]
    fn without_an_answer_the_reason_is_told_and_nothing_reads_as_a_pass() {
        let asked = VendorResult {
            state: VendorState::Failed(Detail::VendorTimeout),
            ..VendorResult::not_run("fpt", Detail::Precheck)
        };
        let (failed, skipped) = (result(&asked), result(&VendorResult::not_run("fpt", Detail::Budget)));
        assert_eq!((failed.state(), failed.detail.as_str()), (wire::CheckState::Error, "VENDOR_TIMEOUT"));
        assert_eq!((skipped.state(), skipped.detail.as_str()), (wire::CheckState::NotRun, "BUDGET"));
        for wire in [failed, skipped] {
            assert_eq!(wire.deepfake_state(), wire::CheckState::NotRun);
            assert_eq!((wire.outcome.as_str(), wire.role()), ("", wire::VendorRole::None));
        }
    }
}
