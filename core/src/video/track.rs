//! What a demuxer finds: one video track, and where each of its samples lies.

use std::{ops::Range, time::Duration};

use super::codec::Codec;
use crate::frame::Turn;

/// A video track.
#[derive(Debug)]
pub(super) struct Track<'a> {
    pub(super) codec: Codec,
    /// The decoder's configuration as the container keeps it (`avcC`, `hvcC`, `av1C`, Matroska's CodecPrivate); may be empty.
    pub(super) config: &'a [u8],
    /// Of a coded frame, as the container declares it.
    pub(super) width: u32,
    /// Of a coded frame, as the container declares it.
    pub(super) height: u32,
    /// Makes a coded frame upright.
    pub(super) turn: Turn,
    /// In decoding order.
    pub(super) samples: Vec<Sample>,
    /// When the last frame's time is over.
    pub(super) end: Duration,
}

/// A sample: what the decoder is given at once, mostly one picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    /// Its bytes in the file.
    pub(super) data: Range<usize>,
    /// Where it stands among the others when they are shown, in any unit.
    pub(super) order: i64,
    /// When it is shown; `None` where the file says that it is not.
    pub(super) time: Option<Duration>,
    /// Whether the decoder makes a picture of it.
    pub(super) picture: bool,
}

impl Sample {
    /// Its bytes; none where the file does not have them, which the demuxer has checked.
    pub(super) fn bytes<'a>(&self, file: &'a [u8]) -> &'a [u8] {
        file.get(self.data.clone()).unwrap_or_default()
    }
}

/// A frame that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    /// The how manyeth picture it is that comes out of the decoder, shown or not.
    pub(super) rank: usize,
    /// When it is shown.
    pub(super) time: Duration,
}

impl Track<'_> {
    /// The samples that become pictures, in the order in which these come out of a decoder: indices into `samples`.
    pub(super) fn output_order(&self) -> Vec<usize> {
        let mut order: Vec<_> =
            self.samples.iter().enumerate().filter(|(_, sample)| sample.picture).map(|(at, s)| (s.order, at)).collect();
        order.sort_unstable();
        order.into_iter().map(|(_, at)| at).collect()
    }

    /// The frames that are shown, by time.
    pub(super) fn shown(&self) -> Vec<Shown> {
        let order = self.output_order();
        let times = order.into_iter().map(|at| self.samples.get(at).and_then(|sample| sample.time));
        times.enumerate().filter_map(|(rank, time)| time.map(|time| Shown { rank, time })).collect()
    }
}

/// Ticks of a clock as time, to the nanosecond below; what is beyond counting is the largest time there is.
pub(super) fn ticks(ticks: u64, per_second: u32) -> Duration {
    let per_second = u128::from(per_second.max(1));
    let nanos = u128::from(ticks) * 1_000_000_000 / per_second;
    u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(order: i64, time: Option<u64>, picture: bool) -> Sample {
        Sample { data: 0..0, order, time: time.map(Duration::from_millis), picture }
    }

    #[test]
    fn frames_come_in_the_order_of_showing_and_keep_their_rank() {
        let samples = vec![
            sample(0, None, true),
            sample(30, Some(30), true),
            sample(10, Some(10), true),
            sample(20, Some(20), false),
            sample(25, Some(25), true),
        ];
        let track = Track {
            codec: Codec::H264,
            config: &[],
            width: 1,
            height: 1,
            turn: Turn::default(),
            samples,
            end: Duration::ZERO,
        };
        assert_eq!(track.output_order(), [0, 2, 4, 1]);
        let shown: Vec<_> = track.shown().iter().map(|shown| (shown.rank, shown.time.as_millis())).collect();
        assert_eq!(shown, [(1, 10), (2, 25), (3, 30)]);
    }

    #[test]
    fn ticks_are_counted_without_overflow() {
        assert_eq!(ticks(90_000, 90_000), Duration::from_secs(1));
        assert_eq!(ticks(1, 3), Duration::from_nanos(333_333_333));
        assert_eq!(ticks(u64::MAX, 1), Duration::MAX);
        assert_eq!(ticks(5, 0), Duration::from_secs(5));
    }
}
