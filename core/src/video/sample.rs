//! Which frames of a video are looked at.

use std::{num::NonZeroU32, time::Duration};

use super::track::Shown;

/// Which frames are handed out. All frames up to the last one chosen are decoded either way, once; only the chosen ones
/// are converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// Every frame that is shown.
    All,
    /// The frames shown in the middle of so many slices of equal time; fewer where a frame is shown over several middles.
    Even(NonZeroU32),
}

/// Indices of the chosen frames, ascending. `frames` are by time, the last of them is shown until `end`.
pub(super) fn choose(frames: &[Shown], end: Duration, sampling: Sampling) -> Vec<usize> {
    let Sampling::Even(count) = sampling else { return (0..frames.len()).collect() };
    let count = count.get();
    let Some(first) = frames.first().map(|shown| shown.time) else { return Vec::new() };
    if count as usize >= frames.len() {
        return (0..frames.len()).collect();
    }
    let span = end.saturating_sub(first).as_nanos();
    let middle = |slice: u32| {
        let into = span * (2 * u128::from(slice) + 1) / (2 * u128::from(count));
        first.saturating_add(u64::try_from(into).map_or(Duration::MAX, Duration::from_nanos))
    };
    // The first frame is not after any middle, so each middle has a frame.
    let mut chosen: Vec<usize> =
        (0..count).map(|slice| frames.partition_point(|shown| shown.time <= middle(slice)).saturating_sub(1)).collect();
    chosen.dedup();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(millis: &[u64]) -> Vec<Shown> {
        millis.iter().enumerate().map(|(rank, &ms)| Shown { rank, time: Duration::from_millis(ms) }).collect()
    }

    fn even(millis: &[u64], end: u64, count: u32) -> Vec<usize> {
        choose(&frames(millis), Duration::from_millis(end), Sampling::Even(NonZeroU32::new(count).unwrap()))
    }

    #[test]
    fn a_steady_video_is_sampled_at_the_middles() {
        let steady: Vec<u64> = (0..100).map(|i| 1000 + 40 * i).collect();
        assert_eq!(even(&steady, 5000, 4), [12, 37, 62, 87]);
        assert_eq!(even(&steady, 5000, 1), [50]);
        assert_eq!(even(&steady, 5000, 100).len(), 100);
        assert_eq!(even(&steady, 5000, 1000).len(), 100);
    }

    #[test]
    fn a_variable_rate_is_sampled_by_time_not_by_count() {
        // Ten frames in the first tenth of a second, then one every 300 ms.
        let mut times: Vec<u64> = (0..10).map(|i| 10 * i).collect();
        times.extend([100, 400, 700, 1000]);
        assert_eq!(even(&times, 1300, 4), [10, 11, 12, 13]);
        // A frame shown over two middles is taken once.
        assert_eq!(even(&[0, 10, 20, 900], 1000, 3), [2]);
    }

    #[test]
    fn the_rest_is_everything_or_nothing() {
        assert_eq!(choose(&frames(&[0, 5]), Duration::from_secs(1), Sampling::All), [0, 1]);
        assert!(even(&[], 0, 3).is_empty());
        // An end that lies before the first frame, and times beyond counting.
        assert_eq!(even(&[50, 60, 70], 0, 2), [0]);
        let far = [Shown { rank: 0, time: Duration::MAX }, Shown { rank: 1, time: Duration::MAX }];
        assert_eq!(choose(&far, Duration::MAX, Sampling::Even(NonZeroU32::MIN)), [1]);
    }
}
