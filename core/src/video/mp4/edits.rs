//! Edit lists: which of a track's media is shown, and when (ISO/IEC 14496-12, section 8.6.6).

use std::time::Duration;

use super::boxes::IsoBox;
use crate::video::{error::VideoError, track::ticks};

/// Stretches of media that are shown, in order.
#[derive(Debug, Default)]
pub(super) struct Edits {
    /// Empty where everything is shown as it is.
    spans: Vec<Span>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    /// Media ticks; the end is beyond the span.
    from: i64,
    until: i64,
    /// When its first tick is shown.
    at: Duration,
}

impl Edits {
    /// From an `elst` box, whose lengths are in ticks of the movie and whose places are in ticks of the media. A list that
    /// shows media again or in another order is refused: a frame would have to be handed out twice.
    pub(super) fn read(list: &IsoBox<'_>, movie_scale: u32, media_scale: u32) -> Result<Self, VideoError> {
        let (version, _, mut fields) = list.full()?;
        let count = fields.u32()?;
        let (mut spans, mut at, mut shown_until) = (Vec::new(), Duration::ZERO, i64::MIN);
        for _ in 0..count {
            let length = fields.time(version)?;
            let from = if version == 1 { fields.bytes().map(i64::from_be_bytes)? } else { fields.i32()?.into() };
            // The rate, which is 1 in recordings, as ffmpeg takes it to be in all.
            fields.u32()?;
            // A negative place is time in which nothing is shown.
            if from >= 0 {
                if from < shown_until {
                    let what =
                        "its edit list shows a part twice or out of order: send it as it was recorded".to_owned();
                    return Err(VideoError::Unsupported { format: list.format, what });
                }
                // To the nearest tick, as ffmpeg does; none is to the end of the media.
                let (movie, media) = (u128::from(movie_scale.max(1)), u128::from(media_scale));
                let lasts = (u128::from(length) * media + movie / 2) / movie;
                let until = match length {
                    0 => i64::MAX,
                    _ => from.saturating_add(i64::try_from(lasts).unwrap_or(i64::MAX)),
                };
                spans.push(Span { from, until, at });
                shown_until = until;
            }
            at = at.saturating_add(ticks(length, movie_scale));
        }
        Ok(Self { spans })
    }

    /// When a place in the media is shown, if it is. Without a list that is `scale` ticks a second from zero on, which
    /// what lies before is moved to.
    pub(super) fn time(&self, place: i64, scale: u32) -> Option<Duration> {
        if self.spans.is_empty() {
            return Some(ticks(u64::try_from(place).unwrap_or(0), scale));
        }
        let span = self.span(place)?;
        let into = u64::try_from(place.saturating_sub(span.from)).unwrap_or(0);
        Some(span.at.saturating_add(ticks(into, scale)))
    }

    /// When a frame that begins at a place and lasts so long is over, at most its span's end.
    pub(super) fn end(&self, place: i64, lasts: u64, scale: u32) -> Option<Duration> {
        let left = |span: &Span| u64::try_from(span.until.saturating_sub(place)).unwrap_or(0);
        let most = self.span(place).map_or(u64::MAX, left);
        self.time(place, scale).map(|time| time.saturating_add(ticks(lasts.min(most), scale)))
    }

    fn span(&self, place: i64) -> Option<&Span> {
        let after = self.spans.partition_point(|span| span.from <= place);
        self.spans.get(after.checked_sub(1)?).filter(|span| place < span.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::mp4::fields::tests::{first, words};

    /// Entries of length and place, at 1000 ticks of the movie and 10 of the media a second.
    fn edits(entries: &[(u32, i32)]) -> Result<Edits, VideoError> {
        let mut list = vec![u32::try_from(entries.len()).unwrap()];
        list.extend(entries.iter().flat_map(|&(length, place)| [length, place.cast_unsigned(), 1 << 16]));
        Edits::read(&first(&words(b"elst", 0, 0, &list)), 1000, 10)
    }

    fn millis(edits: &Edits, place: i64) -> Option<u128> {
        edits.time(place, 10).map(|time| time.as_millis())
    }

    #[test]
    fn without_a_list_everything_is_shown() {
        let none = Edits::default();
        assert_eq!(millis(&none, 15), Some(1500));
        assert_eq!(millis(&none, -3), Some(0));
        assert_eq!(none.end(15, 1, 10), Some(Duration::from_millis(1600)));
    }

    #[test]
    fn a_list_shifts_delays_and_cuts() {
        // Half a second of nothing, one second from tick 2 on, then half a second from tick 20 on.
        let list = edits(&[(500, -1), (1000, 2), (500, 20)]).unwrap();
        let expected =
            [(0, None), (1, None), (2, Some(500)), (11, Some(1400)), (12, None), (20, Some(1500)), (25, None)];
        for (place, expected) in expected {
            assert_eq!(millis(&list, place), expected, "{place}");
        }
        assert_eq!(list.end(11, 5, 10), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn a_length_of_none_is_to_the_end() {
        let list = edits(&[(0, 2)]).unwrap();
        assert_eq!(millis(&list, 1), None);
        assert_eq!(millis(&list, 1_000_002), Some(100_000_000));
    }

    #[test]
    fn the_second_version_has_wide_numbers() {
        let file = words(b"elst", 1, 0, &[1, 0, 1000, 0, 2, 1 << 16]);
        let list = Edits::read(&first(&file), 1000, 10).unwrap();
        assert_eq!((millis(&list, 1), millis(&list, 2), millis(&list, 12)), (None, Some(0), None));
    }

    #[test]
    fn showing_twice_or_backwards_is_refused() {
        assert!(edits(&[(1000, 5), (1000, 5)]).is_err());
        assert!(edits(&[(1000, 50), (1000, 5)]).is_err());
        assert!(edits(&[(1000, 5), (1000, 15)]).is_ok());
        assert!(Edits::read(&first(&words(b"elst", 0, 0, &[u32::MAX])), 1000, 10).is_err());
    }
}
