//! From votes to a decision, by strategy.

use super::{
    super::{OnError, Strategy, VendorRule},
    vote::Vote,
};
use crate::verdict::Decision;

/// What the votes come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ruling {
    /// The decision.
    pub(super) decision: Decision,
    /// The place in `ask` of the one vendor that made it, under `first` and `escalate`.
    pub(super) by: Option<usize>,
}

/// Decides by the votes of `ask`, in its order, where vendors were asked. `local`: what the local checks decided.
///
/// - `first`, `escalate`: the first vote that is not a fault; where there is none, what the policy says of what broke.
/// - `all`: the worst vote, in the order in which local checks weigh: against the person, fault, quality, review, live.
/// - `quorum`: as many live votes as it takes accept, as many against the person reject. A mismatch is a vote against the
///   person like an attack, so that a vendor which compares faces can be outvoted on it: whenever a reference was given,
///   ACCEPT needs the local FaceMatch too, and vendors were not asked before it passed. Without either, a fault is what the
///   policy says of it; what is left is RETRY where somebody wants another capture and nobody sees an attack, else REVIEW.
/// - `shadow`: what the local checks say.
pub(super) fn rule(rule: &VendorRule, votes: &[Vote], on_error: OnError, local: Decision) -> Ruling {
    let (decision, by) = match rule.strategy {
        Strategy::Local | Strategy::Shadow => (local, None),
        Strategy::First | Strategy::Escalate => {
            let by = votes.iter().position(|vote| vote.is_conclusive());
            (of(by.and_then(|place| votes.get(place)).copied(), on_error), by)
        }
        Strategy::All => (of(votes.iter().max().copied(), on_error), None),
        Strategy::Quorum => (quorum(rule, votes, on_error), None),
    };
    Ruling { decision, by }
}

/// What one vote means where it alone decides; nobody's is a fault.
fn of(vote: Option<Vote>, on_error: OnError) -> Decision {
    match vote.unwrap_or(Vote::Fault) {
        Vote::Live => Decision::Accept,
        Vote::Review => Decision::Review,
        Vote::Quality => Decision::Retry,
        Vote::Fault => on_error.decision(),
        Vote::Mismatch | Vote::Attack => Decision::Reject,
    }
}

fn quorum(rule: &VendorRule, votes: &[Vote], on_error: OnError) -> Decision {
    let count = |is: fn(Vote) -> bool| votes.iter().filter(|vote| is(**vote)).count();
    let reached = |count: usize| u64::try_from(count).is_ok_and(|count| count >= u64::from(rule.quorum));
    let against = count(Vote::is_against);
    if reached(count(|vote| vote == Vote::Live)) {
        Decision::Accept
    } else if reached(against) {
        Decision::Reject
    } else if count(|vote| vote == Vote::Fault) > 0 {
        on_error.decision()
    } else if count(|vote| vote == Vote::Quality) > 0 && against == 0 {
        Decision::Retry
    } else {
        Decision::Review
    }
}
