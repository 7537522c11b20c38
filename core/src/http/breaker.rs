//! A circuit breaker: a vendor that keeps failing is left alone for a while, then asked carefully.
//!
//! Our own, because what is wanted is a dozen transitions, driven by times that are passed in, with probes that a dropped call gives
//! back and with counts to look at; the crates for it either read the clock themselves, wrap whole calls (ours are counted
//! by the request), or know no probes.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::BreakerConfig;

/// What a circuit breaker does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BreakerState {
    /// It lets them through.
    Closed,
    /// It lets none through.
    Open,
    /// It lets a few through, to see whether the vendor is back.
    HalfOpen,
}

/// How often a circuit breaker changed its mind, since the line was set up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BreakerCounts {
    /// Times it opened, whether from closed or from half open.
    pub openings: u64,
    /// Times it began to let calls through again.
    pub half_openings: u64,
}

/// The breaker of one line.
#[derive(Debug)]
pub(super) struct Breaker(Mutex<Machine>);

impl Breaker {
    pub(super) fn new(config: BreakerConfig) -> Self {
        Self(Mutex::new(Machine::new(config)))
    }

    /// Whether a request could be made now; where not, how long until the breaker is half open, if that is known.
    pub(super) fn check(&self, now: Instant) -> Result<(), Option<Duration>> {
        self.lock().check(now)
    }

    /// Leave for one request.
    pub(super) fn admit(&self, now: Instant) -> Result<Permit<'_>, Option<Duration>> {
        let epoch = self.lock().admit(now)?;
        Ok(Permit { breaker: self, epoch: Some(epoch) })
    }

    /// Leave for one request that must be made in any case. Where others are not let through, nothing is recorded of it.
    pub(super) fn pass(&self, now: Instant) -> Permit<'_> {
        self.admit(now).unwrap_or(Permit { breaker: self, epoch: None })
    }

    pub(super) fn state(&self, now: Instant) -> BreakerState {
        self.lock().state(now)
    }

    pub(super) fn counts(&self) -> BreakerCounts {
        self.lock().counts
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave for one request. Dropped without an outcome, as when the caller went away, it records nothing: that a caller lost
/// patience says nothing about the vendor. The place of a probe is free again then.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    breaker: &'a Breaker,
    epoch: Option<u64>,
}

impl Permit<'_> {
    /// Records how the request went.
    pub(super) fn settle(mut self, good: bool, now: Instant) {
        if let Some(epoch) = self.epoch.take() {
            self.breaker.lock().settle(epoch, good, now);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(epoch) = self.epoch {
            self.breaker.lock().release(epoch);
        }
    }
}

#[derive(Debug)]
enum Phase {
    /// When the last requests failed, as long as none succeeded since.
    Closed(VecDeque<Instant>),
    /// Until when.
    Open(Instant),
    /// Requests that are on their way.
    HalfOpen(u32),
}

/// The state machine itself.
#[derive(Debug)]
struct Machine {
    config: BreakerConfig,
    phase: Phase,
    /// Counts the phases. What comes of a request that an earlier phase let through says nothing about this one.
    epoch: u64,
    counts: BreakerCounts,
}

impl Machine {
    fn new(config: BreakerConfig) -> Self {
        Self { config, phase: Phase::Closed(VecDeque::new()), epoch: 0, counts: BreakerCounts::default() }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.epoch += 1;
    }

    fn open(&mut self, now: Instant) {
        self.counts.openings += 1;
        self.enter(Phase::Open(now + Duration::from_millis(self.config.open_ms)));
    }

    /// Time alone turns an open breaker into a half-open one.
    fn advance(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Open(until) if now >= until) {
            self.counts.half_openings += 1;
            self.enter(Phase::HalfOpen(0));
        }
    }

    fn state(&mut self, now: Instant) -> BreakerState {
        self.advance(now);
        match self.phase {
            Phase::Closed(_) => BreakerState::Closed,
            Phase::Open(_) => BreakerState::Open,
            Phase::HalfOpen(_) => BreakerState::HalfOpen,
        }
    }

    fn check(&mut self, now: Instant) -> Result<(), Option<Duration>> {
        self.advance(now);
        match self.phase {
            Phase::Closed(_) => Ok(()),
            Phase::Open(until) => Err(Some(until.saturating_duration_since(now))),
            // The probes decide, and nobody knows when.
            Phase::HalfOpen(probes) if probes >= self.config.probes => Err(None),
            Phase::HalfOpen(_) => Ok(()),
        }
    }

    fn admit(&mut self, now: Instant) -> Result<u64, Option<Duration>> {
        self.check(now)?;
        if let Phase::HalfOpen(probes) = &mut self.phase {
            *probes += 1;
        }
        Ok(self.epoch)
    }

    fn settle(&mut self, epoch: u64, good: bool, now: Instant) {
        if epoch != self.epoch {
            return;
        }
        match &mut self.phase {
            Phase::Closed(failures) if good => failures.clear(),
            Phase::Closed(failures) => {
                let most = self.config.failures as usize;
                failures.push_back(now);
                while failures.len() > most {
                    failures.pop_front();
                }
                let window = Duration::from_millis(self.config.window_ms);
                let first = failures.front().copied().unwrap_or(now);
                if failures.len() == most && now.saturating_duration_since(first) <= window {
                    self.open(now);
                }
            }
            Phase::HalfOpen(_) if good => self.enter(Phase::Closed(VecDeque::new())),
            Phase::HalfOpen(_) => self.open(now),
            // No request is let through in this phase, so none has its epoch.
            Phase::Open(_) => {}
        }
    }

    fn release(&mut self, epoch: u64) {
        if let Phase::HalfOpen(probes) = &mut self.phase
            && epoch == self.epoch
        {
            *probes = probes.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: BreakerConfig = BreakerConfig { failures: 3, window_ms: 1_000, open_ms: 500, probes: 2 };

    struct Line {
        breaker: Breaker,
        start: Instant,
    }

    impl Line {
        fn new() -> Self {
            Self { breaker: Breaker::new(CONFIG), start: Instant::now() }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn outcome(&self, ms: u64, good: bool) {
            self.breaker.admit(self.at(ms)).unwrap().settle(good, self.at(ms));
        }

        fn state(&self, ms: u64) -> BreakerState {
            self.breaker.state(self.at(ms))
        }

        /// One that opened at 0 ms.
        fn opened() -> Self {
            let line = Self::new();
            (0..3).for_each(|_| line.outcome(0, false));
            assert_eq!(line.state(0), BreakerState::Open);
            line
        }
    }

    #[test]
    fn failures_in_a_row_within_the_window_open_it() {
        let line = Line::new();
        line.outcome(0, false);
        line.outcome(500, false);
        assert_eq!(line.state(500), BreakerState::Closed);
        line.outcome(1_000, false);
        assert_eq!(line.state(1_000), BreakerState::Open);
        assert_eq!(line.breaker.check(line.at(1_100)), Err(Some(Duration::from_millis(400))));
        assert_eq!(line.breaker.admit(line.at(1_499)).unwrap_err(), Some(Duration::from_millis(1)));
        assert_eq!(line.breaker.counts(), BreakerCounts { openings: 1, half_openings: 0 });
    }

    #[test]
    fn a_success_between_or_a_longer_time_keeps_it_closed() {
        let line = Line::new();
        for (ms, good) in [(0, false), (1, false), (2, true), (3, false), (4, false)] {
            line.outcome(ms, good);
        }
        assert_eq!(line.state(4), BreakerState::Closed);
        line.outcome(1_004, false);
        assert_eq!(line.state(1_004), BreakerState::Closed, "the first of the three was a millisecond too long ago");
        line.outcome(1_004, false);
        assert_eq!(line.state(1_004), BreakerState::Open);
    }

    #[test]
    fn half_open_it_lets_so_many_through_at_a_time_and_the_first_success_closes_it() {
        let line = Line::opened();
        let first = line.breaker.admit(line.at(500)).unwrap();
        let second = line.breaker.admit(line.at(500)).unwrap();
        assert_eq!(line.breaker.check(line.at(500)), Err(None));
        assert_eq!(line.breaker.admit(line.at(500)).unwrap_err(), None);
        first.settle(true, line.at(600));
        assert_eq!(line.state(600), BreakerState::Closed);
        second.settle(false, line.at(600));
        line.outcome(600, false);
        line.outcome(600, false);
        assert_eq!(line.state(600), BreakerState::Closed, "the other probe's failure is none of this phase");
        assert_eq!(line.breaker.counts(), BreakerCounts { openings: 1, half_openings: 1 });
    }

    #[test]
    fn a_failure_when_half_open_opens_it_again() {
        let line = Line::opened();
        let first = line.breaker.admit(line.at(500)).unwrap();
        let second = line.breaker.admit(line.at(500)).unwrap();
        first.settle(false, line.at(700));
        assert_eq!(line.state(1_199), BreakerState::Open);
        second.settle(true, line.at(700));
        assert_eq!(line.state(1_199), BreakerState::Open, "a late success does not close it");
        assert_eq!(line.state(1_200), BreakerState::HalfOpen);
        assert_eq!(line.breaker.counts(), BreakerCounts { openings: 2, half_openings: 2 });
    }

    #[test]
    fn a_dropped_probe_gives_its_place_back_and_records_nothing() {
        let line = Line::opened();
        let held = line.breaker.admit(line.at(500)).unwrap();
        for _ in 0..5 {
            drop(line.breaker.admit(line.at(500)).unwrap());
        }
        assert_eq!(line.state(500), BreakerState::HalfOpen);
        held.settle(true, line.at(500));
        let closed = Line::new();
        for _ in 0..5 {
            drop(closed.breaker.admit(closed.at(0)).unwrap());
        }
        assert_eq!(closed.state(0), BreakerState::Closed);
    }

    #[test]
    fn a_probe_of_an_earlier_phase_frees_no_place_of_a_later_one() {
        let line = Line::opened();
        let old = line.breaker.admit(line.at(500)).unwrap();
        line.outcome(500, false);
        let _first = line.breaker.admit(line.at(1_000)).unwrap();
        let _second = line.breaker.admit(line.at(1_000)).unwrap();
        drop(old);
        assert_eq!(line.breaker.check(line.at(1_000)), Err(None));
    }

    #[test]
    fn a_late_outcome_of_a_request_let_through_before_it_opened_is_ignored() {
        let line = Line::new();
        let early = line.breaker.admit(line.at(0)).unwrap();
        (0..3).for_each(|_| line.outcome(0, false));
        early.settle(true, line.at(1));
        assert_eq!(line.state(1), BreakerState::Open);
    }
}
