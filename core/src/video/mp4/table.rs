//! The sample table of an unfragmented track (ISO/IEC 14496-12, sections 8.6 and 8.7): runs of times, sizes and chunks,
//! expanded to one entry a sample once their number is known to be within the limits.

use super::{
    boxes::{IsoBox, damaged},
    fields::pair,
    fragments::Media,
};
use crate::video::{error::VideoError, limits::VideoLimits};

/// Reads the table of a `stbl` box. A fragmented file's is empty.
pub(super) fn read(stbl: &IsoBox<'_>, limits: &VideoLimits) -> Result<Vec<Media>, VideoError> {
    let format = stbl.format;
    let Some(sizes) = stbl.child(b"stsz")? else {
        if stbl.child(b"stz2")?.is_some() {
            return Err(VideoError::Unsupported { format, what: "its sizes are packed (stz2)".to_owned() });
        }
        return Ok(Vec::new());
    };
    let (_, _, mut fields) = sizes.full()?;
    let (size, count) = (fields.u32()?, fields.u32()?);
    limits.check_frames(count.into())?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let sizes: &[[u8; 4]] = if size == 0 { fields.entries(count)? } else { &[] };
    let count = count as usize;
    let sizes = sizes.iter().map(|size| u32::from_be_bytes(*size)).chain(std::iter::repeat(size)).take(count);

    let starts = starts(stbl, sizes, count)?;
    let durations = stbl.need(b"stts")?.full()?.2.list()?;
    let durations = durations.iter().map(pair).flat_map(|(count, lasts)| repeat(lasts, count));
    let shifts: &[[u8; 8]] = match stbl.child(b"ctts")? {
        Some(found) => found.full()?.2.list()?,
        None => &[],
    };
    // Signed in both versions: QuickTime's are, whatever they are called. A list that ends early shifts nothing more.
    let shifts = shifts.iter().map(pair).flat_map(|(count, shift)| repeat(shift.cast_signed(), count));
    let shifts = shifts.chain(std::iter::repeat(0));

    let (mut samples, mut decoded) = (Vec::with_capacity(count), 0_i64);
    for (((start, size), lasts), shift) in starts.into_iter().zip(durations).zip(shifts) {
        samples.push(Media { start, size, place: decoded.saturating_add(shift.into()), lasts });
        decoded = decoded.saturating_add(lasts.into());
    }
    if samples.len() < count {
        return Err(damaged(format, *b"stts", "does not time every frame"));
    }
    Ok(samples)
}

fn repeat<T: Clone>(value: T, count: u32) -> std::iter::RepeatN<T> {
    std::iter::repeat_n(value, count as usize)
}

/// Where each sample begins, and its size.
fn starts(
    stbl: &IsoBox<'_>,
    mut sizes: impl Iterator<Item = u32>,
    count: usize,
) -> Result<Vec<(u64, u32)>, VideoError> {
    let runs: &[[u8; 12]] = stbl.need(b"stsc")?.full()?.2.list()?;
    // First chunk, samples in a chunk, and which description.
    let word = |run: &[u8; 12], at: usize| {
        run.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_be_bytes(*bytes))
    };
    if runs.iter().any(|run| word(run, 8) != 1) {
        let what = "its codec settings change midway: send one recording at a time".to_owned();
        return Err(VideoError::Unsupported { format: stbl.format, what });
    }
    let (narrow, wide): (&[[u8; 4]], &[[u8; 8]]) = match stbl.child(b"stco")? {
        Some(found) => (found.full()?.2.list()?, &[]),
        None => (&[], stbl.need(b"co64")?.full()?.2.list()?),
    };
    let narrow = narrow.iter().map(|chunk| u64::from(u32::from_be_bytes(*chunk)));
    let chunks = narrow.chain(wide.iter().map(|chunk| u64::from_be_bytes(*chunk)));

    let mut starts = Vec::with_capacity(count);
    let mut runs = runs.iter().peekable();
    let mut in_chunk = 0;
    // Chunks are numbered from 1.
    for (number, chunk) in (1_u64..).zip(chunks) {
        while let Some(run) = runs.next_if(|run| u64::from(word(run, 0)) <= number) {
            in_chunk = word(run, 4);
        }
        let mut start = chunk;
        for _ in 0..in_chunk {
            let Some(size) = sizes.next() else { return Ok(starts) };
            starts.push((start, size));
            start = start.saturating_add(size.into());
        }
    }
    if starts.len() < count {
        return Err(damaged(stbl.format, *b"stsc", "does not place every frame"));
    }
    Ok(starts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::mp4::fields::tests::{boxed, first, words};

    /// The words of each box.
    struct Table {
        stts: Vec<u32>,
        ctts: Vec<u32>,
        stsc: Vec<u32>,
        stsz: Vec<u32>,
        stco: Vec<u32>,
    }

    fn table() -> Table {
        Table {
            stts: vec![1, 5, 10],
            ctts: vec![2, 1, 20, 1, u32::MAX],
            stsc: vec![2, 1, 2, 1, 3, 1, 1],
            stsz: vec![0, 5, 7, 8, 9, 10, 11],
            stco: vec![3, 100, 200, 300],
        }
    }

    fn load(table: &Table, limits: &VideoLimits) -> Result<Vec<Media>, VideoError> {
        let part = |kind, list: &[u32]| words(kind, 0, 0, list);
        let parts = [
            part(b"stts", &table.stts),
            part(b"ctts", &table.ctts),
            part(b"stsc", &table.stsc),
            part(b"stsz", &table.stsz),
            part(b"stco", &table.stco),
        ];
        read(&first(&boxed(b"stbl", &parts.each_ref().map(Vec::as_slice))), limits)
    }

    #[test]
    fn runs_are_expanded() {
        let samples = load(&table(), &VideoLimits::default()).unwrap();
        let media = |start, size, place| Media { start, size, place, lasts: 10 };
        // The second run of shifts is one of -1, and there is none after it.
        let expected = [media(100, 7, 20), media(107, 8, 9), media(200, 9, 20), media(209, 10, 30), media(300, 11, 40)];
        assert_eq!(samples, expected);
    }

    #[test]
    fn chunks_can_lie_beyond_four_gigabytes() {
        let parts = [
            words(b"stts", 0, 0, &[1, 1, 10]),
            words(b"stsc", 0, 0, &[1, 1, 1, 1]),
            words(b"stsz", 0, 0, &[6, 1]),
            words(b"co64", 0, 0, &[1, 1, 2]),
        ];
        let stbl = boxed(b"stbl", &parts.each_ref().map(Vec::as_slice));
        let samples = read(&first(&stbl), &VideoLimits::default()).unwrap();
        assert_eq!(samples, [Media { start: 1 << 32 | 2, size: 6, place: 0, lasts: 10 }]);
    }

    #[test]
    fn a_table_that_is_too_short_is_refused() {
        let limits = VideoLimits::default();
        let refused = |table: Table, kind: &str| {
            let error = load(&table, &limits).unwrap_err().to_string();
            assert!(error.contains(kind), "{error}");
        };
        refused(Table { stts: vec![1, 4, 10], ..table() }, "stts");
        refused(Table { stco: vec![2, 100, 200], ..table() }, "stsc");
        refused(Table { stsc: vec![0], ..table() }, "stsc");
        refused(Table { stsz: vec![0, 5, 7, 8], ..table() }, "stsz");
    }

    #[test]
    fn giant_counts_cost_nothing() {
        let limits = VideoLimits::default();
        let giant = Table { stsz: vec![1, u32::MAX], ..table() };
        assert!(matches!(load(&giant, &limits), Err(VideoError::TooManyFrames { actual: 0xFFFF_FFFF, .. })));
        let giant = Table {
            stts: vec![2, u32::MAX, u32::MAX, u32::MAX, 1],
            stsc: vec![2, 1, 2, 1, 2, u32::MAX, 1],
            stco: vec![2, u32::MAX, u32::MAX],
            ..table()
        };
        assert_eq!(load(&giant, &limits).unwrap().len(), 5);
    }

    #[test]
    fn a_second_description_is_refused() {
        let two = Table { stsc: vec![2, 1, 2, 1, 3, 1, 2], ..table() };
        assert!(matches!(load(&two, &VideoLimits::default()), Err(VideoError::Unsupported { .. })));
    }
}
