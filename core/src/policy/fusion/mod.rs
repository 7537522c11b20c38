//! From the local verdict and vendors' results to the one verdict: pure functions.

mod checks;
mod gate;
mod ruling;
mod told;
mod vote;

#[cfg(test)]
mod tests;

use self::{
    gate::{Gate, is_handed_over},
    ruling::{Ruling, rule},
    vote::Vote,
};
use super::{Policy, Strategy};
use crate::{
    session::reasons,
    verdict::{Decision, Detail, VendorResult, VendorRole, VendorState, Verdict},
};

/// A local verdict on its way to the final one.
///
/// Whoever drives it asks the vendors of [`Fusion::next`] until nobody is left to ask, and then concludes:
/// 1. the gate: the local checks say whether anybody is asked at all;
/// 2. each result becomes a vote: live, attack, mismatch, review, quality, or a fault, which is everything that is not
///    known to be another;
/// 3. the strategy makes the votes one decision. A fault accepts nothing: it is what the policy's `on_error` says.
#[derive(Debug)]
pub struct Fusion<'a> {
    policy: &'a Policy,
    local: Verdict,
    gate: Gate,
}

impl<'a> Fusion<'a> {
    /// Begins with what the local checks said.
    pub fn new(policy: &'a Policy, local: Verdict) -> Self {
        let gate = Gate::of(policy, &local);
        Self { policy, local, gate }
    }

    /// The places in `ask` of the vendors to ask next, at once. `so_far`: the results of the first places, in their order.
    /// Empty where nobody is to be asked any more.
    pub fn next(&self, so_far: &[VendorResult]) -> Vec<usize> {
        let left = so_far.len()..self.policy.vendors().len();
        let strategy = self.policy.config().vendors.strategy;
        match (self.gate, strategy) {
            (Gate::Closed(_), _) | (Gate::Open, Strategy::Local) => Vec::new(),
            (Gate::Open, Strategy::First | Strategy::Escalate) => {
                let answered = self.votes(so_far).iter().any(|vote| vote.is_conclusive());
                left.take(usize::from(!answered)).collect()
            }
            (Gate::Open, Strategy::All | Strategy::Quorum | Strategy::Shadow) => left.collect(),
        }
    }

    /// The final verdict. `results`: of the first places of `ask`, in their order; the others become NOT_RUN: for the
    /// gate's reason where it was closed, as not needed where an earlier vendor answered, else as too late.
    ///
    /// The local checks keep their place and state; where PresentationAttack was handed over, ACCEPT does not need it any
    /// more. Vendors' checks follow in the order of `ask`.
    pub fn conclude(mut self, mut results: Vec<VendorResult>) -> Verdict {
        let config = self.policy.config();
        if config.vendors.strategy == Strategy::Local {
            return self.local;
        }
        let local = self.local.decision;
        self.complete(&mut results);
        let votes = self.votes(&results);
        let ruling = match self.gate {
            Gate::Open => rule(&config.vendors, &votes, config.on_error, local),
            Gate::Closed(_) => Ruling { decision: local, by: None },
        };

        // Each vote of a quorum may be outvoted, so that ACCEPT needs none of them in particular.
        let each = config.vendors.strategy != Strategy::Quorum;
        for (place, (result, (_, judges))) in results.iter_mut().zip(self.policy.vendors()).enumerate() {
            let vote = votes.get(place).copied().unwrap_or(Vote::Fault);
            let part = self.part(ruling, place);
            result.role = match result.state {
                VendorState::NotRun(_) => VendorRole::None,
                VendorState::Answered(_) | VendorState::Failed(_) => part,
            };
            self.local.checks.extend(checks::of(result, judges, vote, part == VendorRole::Deciding && each));
        }
        if self.gate == Gate::Open && config.vendors.strategy == Strategy::Escalate {
            for check in self.local.checks.iter_mut().filter(|check| is_handed_over(check)) {
                check.required = false;
            }
        }
        if self.gate == Gate::Open && config.vendors.strategy.decides() {
            let grounds: Vec<_> = results
                .iter()
                .zip(&votes)
                .filter(|(result, vote)| result.role == VendorRole::Deciding && speaks_for(**vote, ruling.decision))
                .filter_map(|(result, _)| result.answer())
                .collect();
            self.local.reasons = reasons::of_answers(ruling.decision, &grounds, config.reasons);
        }
        self.local.diagnostics.extend(told::results(&results));
        self.local.diagnostics.push(told::strategy(&config.vendors, self.gate, &votes, &results, ruling, local));
        self.local.decision = ruling.decision;
        self.local.vendor_results = results;
        self.local
    }

    /// One result for each vendor of `ask`, in its order. One that names another vendor than its place has is no result of
    /// that place.
    fn complete(&self, results: &mut Vec<VendorResult>) {
        let answered = self.votes(results).iter().any(|vote| vote.is_conclusive());
        let in_turn = matches!(self.policy.config().vendors.strategy, Strategy::First | Strategy::Escalate);
        let why = match self.gate {
            Gate::Closed(why) => why,
            Gate::Open if in_turn && answered => Detail::NotNeeded,
            // The rule's time was up before they were asked.
            Gate::Open => Detail::VendorTimeout,
        };
        let mut came = std::mem::take(results).into_iter();
        for (id, _) in self.policy.vendors() {
            let result = came.next().filter(|result| result.vendor == id);
            results.push(result.unwrap_or_else(|| VendorResult::not_run(id, why)));
        }
    }

    /// The votes of the first places, in their order.
    fn votes(&self, results: &[VendorResult]) -> Vec<Vote> {
        let judged = self.policy.vendors().zip(results);
        judged
            .map(|((id, judges), result)| if result.vendor == id { Vote::asked(result, judges) } else { Vote::Fault })
            .collect()
    }

    /// What the vendor of a place has to do with the decision, if it was asked. Where nobody answered in turn, all of them
    /// together are why.
    fn part(&self, ruling: Ruling, place: usize) -> VendorRole {
        match (self.gate, self.policy.config().vendors.strategy) {
            (Gate::Closed(_), _) | (_, Strategy::Local) => VendorRole::None,
            (Gate::Open, Strategy::Shadow) => VendorRole::Shadow,
            (Gate::Open, Strategy::All | Strategy::Quorum) => VendorRole::Deciding,
            (Gate::Open, Strategy::First | Strategy::Escalate) => match ruling.by {
                Some(by) if by != place => VendorRole::None,
                _ => VendorRole::Deciding,
            },
        }
    }
}

/// Whether a vote is one of those on which a decision rests.
fn speaks_for(vote: Vote, decision: Decision) -> bool {
    match decision {
        Decision::Accept => vote == Vote::Live,
        Decision::Reject => vote.is_against(),
        Decision::Retry => vote == Vote::Quality,
        Decision::Review => vote == Vote::Review,
        Decision::Indeterminate => vote == Vote::Fault,
    }
}

/// Whether a vendor that was asked for the record contradicts the local decision; `None` where one of the two says nothing.
pub fn disagrees(local: Decision, result: &VendorResult) -> Option<bool> {
    let accepted = match local {
        Decision::Accept => true,
        Decision::Reject => false,
        Decision::Retry | Decision::Review | Decision::Indeterminate => return None,
    };
    match Vote::of(result) {
        Vote::Live => Some(!accepted),
        vote if vote.is_against() => Some(accepted),
        _ => None,
    }
}
