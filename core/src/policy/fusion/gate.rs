//! Whether the local checks leave anything to ask vendors about.

use super::super::{Policy, Strategy};
use crate::verdict::{Check, CheckId, CheckState, Decision, Detail, Source, Verdict};

/// Whether vendors are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// They are.
    Open,
    /// They are not, for this reason, and the local decision stands.
    Closed(Detail),
}

impl Gate {
    /// What the local verdict leaves open under the policy's strategy. For all strategies but `escalate` and `shadow` a
    /// closed gate never leaves an ACCEPT standing: they are closed wherever the local decision is another.
    pub(super) fn of(policy: &Policy, local: &Verdict) -> Self {
        let open = match policy.config().vendors.strategy {
            Strategy::Local => return Gate::Closed(Detail::NotNeeded),
            // Where nothing local is required, nothing speaks against asking: the vendors alone decide.
            Strategy::First | Strategy::All | Strategy::Quorum => {
                let nothing = required(local).next().is_none();
                local.decision == Decision::Accept || (nothing && local.decision == Decision::Indeterminate)
            }
            Strategy::Escalate => return escalate(policy, local),
            // Anything else is no opinion that a vendor's could be compared with.
            Strategy::Shadow => matches!(local.decision, Decision::Accept | Decision::Reject),
        };
        if open { Gate::Open } else { Gate::Closed(Detail::Precheck) }
    }
}

/// Whether a check is the one that `escalate` hands over.
pub(super) fn is_handed_over(check: &Check) -> bool {
    check.id == CheckId::PresentationAttack && check.source == Source::Local
}

/// The checks that the local decision was made of.
fn required(local: &Verdict) -> impl Iterator<Item = &Check> {
    local.checks.iter().filter(|check| check.required && check.source == Source::Local)
}

/// Asks where all else passed and PresentationAttack could not tell: its score is neither here nor there, its model broke or
/// is missing. Where the capture kept it from running (no face, bad quality, too few frames) another capture would let it,
/// and a vendor would be paid for the same bad one.
fn escalate(policy: &Policy, local: &Verdict) -> Gate {
    let Some(attack) = required(local).find(|check| is_handed_over(check)) else {
        return Gate::Closed(Detail::Precheck);
    };
    if required(local).any(|check| !is_handed_over(check) && check.state != CheckState::Passed) {
        return Gate::Closed(Detail::Precheck);
    }
    let [from, to] = policy.config().vendors.unsure;
    match (attack.state, attack.detail) {
        // NaN is within no range.
        (CheckState::Passed | CheckState::Failed, _) => match attack.score {
            Some(score) if (from..=to).contains(&score) => Gate::Open,
            _ => Gate::Closed(Detail::NotNeeded),
        },
        (CheckState::Error, _) | (CheckState::NotRun, Some(Detail::NoModel | Detail::ModelFault)) => Gate::Open,
        (CheckState::NotRun, _) => Gate::Closed(Detail::Precheck),
    }
}
