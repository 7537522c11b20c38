//! What the backend is told of vendors' part: nothing personal, no address, no body.

use super::{
    super::{Strategy, VendorRule},
    disagrees,
    gate::Gate,
    ruling::Ruling,
    vote::Vote,
};
use crate::verdict::{Decision, VendorResult, VendorRole, VendorState};

/// Most characters of a vendor's own code: all that are documented are shorter than thirty.
const CODE: usize = 48;

/// A line for each vendor.
pub(super) fn results(results: &[VendorResult]) -> impl Iterator<Item = String> {
    results.iter().map(|result| {
        let what = match &result.state {
            VendorState::NotRun(why) => format!("not asked, {}", why.code()),
            VendorState::Failed(why) => format!("no answer, {}", why.code()),
            VendorState::Answered(answer) => match plain(&answer.raw_code) {
                Some("") => answer.outcome.code().to_owned(),
                Some(code) => format!("{}, its code {code}", answer.outcome.code()),
                None => format!("{}, its code not shown", answer.outcome.code()),
            },
        };
        let role = match result.role {
            VendorRole::Deciding => "deciding",
            VendorRole::Shadow => "for the record",
            VendorRole::None => "without a say",
        };
        format!("vendor {}: {what}; {role}; attempts: {}", result.vendor, result.attempts)
    })
}

/// One line for the strategy. `local`: what the local checks decided.
pub(super) fn strategy(
    rule: &VendorRule,
    gate: Gate,
    votes: &[Vote],
    results: &[VendorResult],
    ruling: Ruling,
    local: Decision,
) -> String {
    let what = match (gate, rule.strategy) {
        (Gate::Closed(why), _) => format!("nobody asked ({}), the local decision stands", why.code()),
        (Gate::Open, Strategy::First | Strategy::Escalate) => {
            let who = match ruling.by.and_then(|place| results.get(place)) {
                Some(result) => format!("{} decided", result.vendor),
                None => "nobody answered".to_owned(),
            };
            if rule.strategy == Strategy::Escalate { format!("PresentationAttack handed over, {who}") } else { who }
        }
        (Gate::Open, Strategy::All) => counts(votes),
        (Gate::Open, Strategy::Quorum) => format!("{}, {} must agree", counts(votes), rule.quorum),
        (Gate::Open, Strategy::Local | Strategy::Shadow) => {
            let against: Vec<_> = results
                .iter()
                .filter(|result| disagrees(local, result) == Some(true))
                .map(|result| result.vendor.as_str())
                .collect();
            match against.as_slice() {
                [] => "the local decision stands".to_owned(),
                _ => format!("the local decision stands, contradicted by {}", against.join(", ")),
            }
        }
    };
    format!("vendors, strategy {}: {what}: {}", rule.strategy.name(), name(ruling.decision))
}

fn counts(votes: &[Vote]) -> String {
    [
        (Vote::Live, "live"),
        (Vote::Attack, "attack"),
        (Vote::Mismatch, "mismatch"),
        (Vote::Fault, "fault"),
        (Vote::Quality, "quality"),
        (Vote::Review, "review"),
    ]
    .into_iter()
    .map(|(vote, name)| (votes.iter().filter(|other| **other == vote).count(), name))
    .filter(|(count, _)| *count > 0)
    .map(|(count, name)| format!("{count} {name}"))
    .collect::<Vec<_>>()
    .join(", ")
}

/// A code as it may be shown: a short word or number, never a sentence or an address, whatever the vendor put there.
fn plain(code: &str) -> Option<&str> {
    let fits = code.len() <= CODE && code.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    fits.then_some(code)
}

fn name(decision: Decision) -> &'static str {
    match decision {
        Decision::Accept => "ACCEPT",
        Decision::Reject => "REJECT",
        Decision::Retry => "RETRY",
        Decision::Review => "REVIEW",
        Decision::Indeterminate => "INDETERMINATE",
    }
}
