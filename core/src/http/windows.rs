//! Rate windows: at most so many requests in any span of so many milliseconds, several spans at once.
//!
//! A log of the last requests, exact, rather than a token bucket: a bucket that was full lets its whole content and its refill
//! through within one window, up to twice what the vendor allows, and vendors count windows.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::RateWindow;

/// The windows of one line.
///
/// Who comes first gets the first moment at which there is room in every window, and waits for it on its own: no lock is held
/// while waiting, places are given in the order of asking, and who would have to wait for too long is told so at once. A place
/// that is given stays counted even if its call is dropped while it waits: there may be fewer requests than allowed, never
/// more. The vendor's own clock sees requests a network's delay apart from these moments.
#[derive(Debug)]
pub(super) struct Windows {
    windows: Vec<(usize, Duration)>,
    /// The moments given to the last requests, ascending; as many as the largest window counts.
    given: Mutex<VecDeque<Instant>>,
}

impl Windows {
    pub(super) fn new(rate: &[RateWindow]) -> Self {
        let windows = rate.iter().map(|window| (window.calls as usize, Duration::from_millis(window.per_ms))).collect();
        Self { windows, given: Mutex::default() }
    }

    /// The moment at which a request may be made, now or later but before `until`; it counts from then on.
    ///
    /// # Errors
    /// How long it would be until there is room in all windows, where that is too late. Nothing is counted then.
    pub(super) fn reserve(&self, now: Instant, until: Instant) -> Result<Instant, Duration> {
        let Some(most) = self.windows.iter().map(|(calls, _)| *calls).max() else { return Ok(now) };
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        // Never before the one that was asked for earlier, so that the log ascends.
        let mut moment = given.back().map_or(now, |last| now.max(*last));
        for (calls, per) in &self.windows {
            let full = given.len().checked_sub(*calls).and_then(|index| given.get(index));
            if let Some(first) = full {
                moment = moment.max(*first + *per);
            }
        }
        if moment > now && moment >= until {
            return Err(moment.saturating_duration_since(now));
        }
        given.push_back(moment);
        while given.len() > most {
            given.pop_front();
        }
        Ok(moment)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn windows(rate: &[(u32, u64)]) -> Windows {
        let rate: Vec<_> = rate.iter().map(|&(calls, per_ms)| RateWindow { calls, per_ms }).collect();
        Windows::new(&rate)
    }

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn without_windows_there_is_always_room() {
        let (windows, now) = (windows(&[]), Instant::now());
        for _ in 0..100 {
            assert_eq!(windows.reserve(now, now), Ok(now));
        }
        assert!(windows.given.lock().unwrap().is_empty());
    }

    #[test]
    fn a_request_waits_until_there_is_room_in_all_windows() {
        let (windows, start) = (windows(&[(2, 1_000), (3, 10_000)]), Instant::now());
        let until = start + ms(60_000);
        let given: Vec<_> = (0..5).map(|_| windows.reserve(start, until).unwrap() - start).collect();
        assert_eq!(given, [ms(0), ms(0), ms(1_000), ms(10_000), ms(10_000)]);
    }

    #[test]
    fn who_would_have_to_wait_too_long_is_told_at_once_and_takes_no_place() {
        let (windows, start) = (windows(&[(1, 1_000)]), Instant::now());
        assert_eq!(windows.reserve(start, start + ms(1)), Ok(start));
        let later = start + ms(400);
        for _ in 0..3 {
            assert_eq!(windows.reserve(later, start + ms(1_000)), Err(ms(600)));
        }
        assert_eq!(windows.reserve(later, start + ms(1_001)), Ok(start + ms(1_000)));
        assert_eq!(windows.reserve(later, start + ms(1_001)), Err(ms(1_600)));
    }

    #[test]
    fn a_pause_leaves_no_more_room_than_one_window() {
        let (windows, start) = (windows(&[(3, 1_000)]), Instant::now());
        let rested = start + ms(3_600_000);
        let given: Vec<_> = (0..6).map(|_| windows.reserve(rested, rested + ms(9_000)).unwrap() - rested).collect();
        assert_eq!(given, [ms(0), ms(0), ms(0), ms(1_000), ms(1_000), ms(1_000)]);
    }

    proptest! {
        /// Whatever the windows and whenever requests come: no window ever holds more than it may, the order is that of asking,
        /// the log stays small, and no request waits while there is room for it.
        #[test]
        fn no_window_is_ever_exceeded(
            rate in prop::collection::vec((1_u32..6, 1_u64..60), 1..4),
            gaps in prop::collection::vec(0_u64..25, 1..60),
        ) {
            let windows = windows(&rate);
            let start = Instant::now();
            let (mut now, mut given) = (start, Vec::<Instant>::new());
            let room = |given: &[Instant], at: Instant| rate.iter().all(|&(calls, per)| {
                given.iter().filter(|&&one| one + ms(per) > at).count() < calls as usize
            });
            for gap in gaps {
                now += ms(gap);
                let moment = windows.reserve(now, now + ms(1_000_000)).unwrap();
                prop_assert!(moment >= now && given.last().is_none_or(|last| moment >= *last));
                prop_assert!(room(&given, moment), "a window holds too many");
                let earliest = given.last().map_or(now, |last| now.max(*last));
                prop_assert!(moment == earliest || !room(&given, moment - ms(1)), "it could have gone earlier");
                given.push(moment);
                prop_assert!(windows.given.lock().unwrap().len() <= 5);
            }
        }
    }
}
