//! What vendors have cost: budgets of a check and of a day, reserved before a call is made.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::policy::VendorRule;

/// Seconds of a day. Days are those of UTC; leap seconds do not count in Unix time.
const DAY: u64 = 86_400;

/// What each policy's checks have cost today. In memory: a restart begins a new day's budget.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    days: Mutex<HashMap<String, Day>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Day {
    number: u64,
    spent: u64,
}

/// One check's account.
#[derive(Debug)]
pub(super) struct Account<'a> {
    ledger: &'a Ledger,
    policy: &'a str,
    rule: &'a VendorRule,
    spent: Mutex<u64>,
}

/// An amount that was set aside. Dropping it gives nothing back: a call that was given up may have been made.
#[derive(Debug)]
#[must_use = "settle it with what the call has cost"]
pub(super) struct Reserved {
    day: u64,
    amount: u64,
}

impl Ledger {
    /// The account of a check under this policy.
    pub(super) fn open<'a>(&'a self, policy: &'a str, rule: &'a VendorRule) -> Account<'a> {
        Account { ledger: self, policy, rule, spent: Mutex::new(0) }
    }

    fn with<T>(&self, policy: &str, day: u64, change: impl FnOnce(&mut u64) -> T) -> T {
        let mut days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = days.entry(policy.to_owned()).or_default();
        // A clock that was set back does not open a spent day again.
        if day > entry.number {
            *entry = Day { number: day, spent: 0 };
        }
        change(&mut entry.spent)
    }
}

impl Account<'_> {
    /// Sets aside what a call costs; `None` where either budget has no room for it.
    pub(super) fn reserve(&self, amount: u64, now: SystemTime) -> Option<Reserved> {
        let day = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() / DAY;
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let check =
            spent.checked_add(amount).filter(|sum| self.rule.max_cost_micros.is_none_or(|most| *sum <= most))?;
        let most = self.rule.max_daily_cost_micros;
        let fits = self.ledger.with(self.policy, day, |today| {
            let sum = today.checked_add(amount).filter(|sum| most.is_none_or(|most| *sum <= most));
            sum.map(|sum| *today = sum)
        });
        fits.map(|()| {
            *spent = check;
            Reserved { day, amount }
        })
    }

    /// Puts what the call has really cost in the place of what was set aside: nothing where the vendor was not reached, more
    /// where the upload was repeated. What was spent counts even beyond a budget.
    pub(super) fn settle(&self, reserved: Reserved, cost: u64) {
        let replace = |sum: &mut u64| *sum = sum.saturating_sub(reserved.amount).saturating_add(cost);
        replace(&mut self.spent.lock().unwrap_or_else(PoisonError::into_inner));
        self.ledger.with(self.policy, reserved.day, replace);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rule(check: Option<u64>, day: Option<u64>) -> VendorRule {
        VendorRule { max_cost_micros: check, max_daily_cost_micros: day, ..VendorRule::default() }
    }

    fn at(day: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(day * DAY + 5)
    }

    #[test]
    fn a_check_spends_no_more_than_its_budget() {
        let (ledger, rule) = (Ledger::default(), rule(Some(100), None));
        let account = ledger.open("p", &rule);
        let first = account.reserve(60, at(1)).unwrap();
        assert!(account.reserve(60, at(1)).is_none());
        account.settle(first, 0);
        assert!(account.reserve(60, at(1)).is_some(), "the first call was not made");
        assert!(ledger.open("p", &rule).reserve(100, at(1)).is_some(), "another check has its own budget");
        assert!(ledger.open("p", &rule).reserve(101, at(1)).is_none());
    }

    #[test]
    fn a_day_spends_no_more_than_its_budget_and_the_next_begins_anew() {
        let (ledger, rule) = (Ledger::default(), rule(None, Some(100)));
        let reserve = |amount, day| ledger.open("p", &rule).reserve(amount, at(day));
        let kept = reserve(90, 1).unwrap();
        assert!(reserve(20, 1).is_none());
        assert!(ledger.open("q", &rule).reserve(100, at(1)).is_some(), "another policy has its own budget");
        assert!(reserve(100, 2).is_some());
        assert!(reserve(1, 1).is_none(), "a clock that was set back opens nothing");
        // What comes of yesterday's call is yesterday's.
        ledger.open("p", &rule).settle(kept, 90);
        assert!(reserve(1, 2).is_none());
    }

    #[test]
    fn what_was_spent_counts_beyond_a_budget_and_nothing_overflows() {
        let (ledger, rule) = (Ledger::default(), rule(None, Some(100)));
        let account = ledger.open("p", &rule);
        let reserved = account.reserve(50, at(1)).unwrap();
        account.settle(reserved, 150);
        assert!(account.reserve(0, at(1)).is_none());
        let free = VendorRule::default();
        let account = ledger.open("r", &free);
        assert!(account.reserve(u64::MAX, at(1)).is_some());
        assert!(account.reserve(1, at(1)).is_none());
    }
}
