//! MP4 and QuickTime files, whole or fragmented: the first video track's samples.
//!
//! The reader is our own, because those that are published do not suit files of strangers in this crate: re_mp4 0.5 indexes
//! its tables unchecked, expands counts of four thousand million and drops the relation to the edit list; mp4parse knows
//! no fragments; mp4-atom 0.17 is sound but logs, which the core must not. Audio tracks are passed over unread. A file whose
//! movie header never came, as when a recording was cut off, has no index and cannot be read.

mod boxes;
mod edits;
mod fields;
mod fragments;
mod table;

use std::time::Duration;

use self::{
    boxes::{Boxes, IsoBox, damaged},
    edits::Edits,
    fields::Fields,
    fragments::{Defaults, Fragments, Media},
};
use super::{
    codec::Codec,
    error::VideoError,
    limits::VideoLimits,
    track::{Sample, Track, ticks},
};
use crate::frame::Turn;

/// Tracks of a fragmented file whose defaults are kept. A recording has two or three; each fragment looks through them.
const MAX_TRACKS: usize = 64;

/// Finds the video track and its samples, and checks frame count, declared duration and size as soon as they are known.
pub(super) fn demux<'a>(file: &'a [u8], format: &'static str, limits: &VideoLimits) -> Result<Track<'a>, VideoError> {
    let Some(moov) = Boxes::of_file(file, format).find(b"moov")? else {
        let what = "it has no movie header (moov): its recording was cut off or never finished".to_owned();
        return Err(VideoError::Damaged { format, what });
    };
    whole(&moov, "its movie header", file)?;
    let movie = movie(&moov.need(b"mvhd")?)?;
    let extends = moov.child(b"mvex")?;
    let declared = match extends.map(|found| found.child(b"mehd")).transpose()?.flatten() {
        Some(found) => {
            let (version, _, mut fields) = found.full()?;
            fields.time(version)?
        }
        None => movie.duration,
    };
    // All ones is how a header says that it does not know.
    if declared < u64::from(u32::MAX) {
        limits.check_declared(ticks(declared, movie.scale))?;
    }

    let trak = video_track(&moov)?;
    let ((track, matrix), mdia) = (track_header(&trak.need(b"tkhd")?)?, trak.need(b"mdia")?);
    let (scale, _) = timing(&mdia.need(b"mdhd")?)?;
    let stbl = mdia.need(b"minf")?.need(b"stbl")?;
    let entry = Entry::read(&stbl)?;
    limits.check_dimensions(entry.width, entry.height)?;

    let mut samples = table::read(&stbl, limits)?;
    if let Some(extends) = extends {
        let mut defaults = Vec::new();
        for found in extends.children() {
            let found = found?;
            if found.kind == *b"trex" {
                defaults.push(Defaults::read(&found)?);
            }
            if defaults.len() > MAX_TRACKS {
                return Err(damaged(format, *b"mvex", "has more tracks than any recording"));
            }
        }
        let decoded = samples.iter().map(|sample| i64::from(sample.lasts)).fold(0, i64::saturating_add);
        let mut fragments = Fragments { defaults: &defaults, track, decoded };
        for found in Boxes::of_file(file, format) {
            let found = found?;
            if found.kind == *b"moof" {
                whole(&found, "a fragment", file)?;
                fragments.read(&found, &mut samples, limits)?;
            }
        }
    }

    let edits = match trak.child(b"edts")?.map(|edts| edts.child(b"elst")).transpose()?.flatten() {
        Some(found) => Edits::read(&found, movie.scale, scale)?,
        None => Edits::default(),
    };
    let turn = turn(movie.matrix, matrix)
        .ok_or_else(|| VideoError::Unsupported { format, what: "it is turned by no right angle".to_owned() })?;
    let end = samples.iter().filter_map(|sample| edits.end(sample.place, sample.lasts.into(), scale)).max();
    let samples = samples.iter().map(|sample| place(sample, &edits, scale, file, format)).collect::<Result<_, _>>()?;
    let Entry { codec, config, width, height } = entry;
    Ok(Track { codec, config, width, height, turn, samples, end: end.unwrap_or_default() })
}

/// What is needed of an `mvhd` box (section 8.2.2).
struct Movie {
    /// Ticks of a second.
    scale: u32,
    /// Ticks.
    duration: u64,
    matrix: Matrix,
}

fn movie(mvhd: &IsoBox<'_>) -> Result<Movie, VideoError> {
    let (scale, duration) = timing(mvhd)?;
    let (version, _, mut fields) = mvhd.full()?;
    times(&mut fields, version)?;
    // Ticks and duration again; then the rate, the volume and nothing.
    fields.u32()?;
    fields.time(version)?;
    fields.bytes::<16>()?;
    Ok(Movie { scale, duration, matrix: Matrix::read(&mut fields)? })
}

/// Ticks of a second and duration of an `mvhd` or `mdhd` box, which begin alike.
fn timing(header: &IsoBox<'_>) -> Result<(u32, u64), VideoError> {
    let (version, _, mut fields) = header.full()?;
    times(&mut fields, version)?;
    Ok((fields.u32()?, fields.time(version)?))
}

/// Passes over the times of creation and modification.
fn times(fields: &mut Fields<'_>, version: u8) -> Result<(), VideoError> {
    fields.time(version)?;
    fields.time(version).map(|_| ())
}

/// The track's number and matrix, of a `tkhd` box (section 8.3.2).
fn track_header(tkhd: &IsoBox<'_>) -> Result<(u32, Matrix), VideoError> {
    let (version, _, mut fields) = tkhd.full()?;
    times(&mut fields, version)?;
    let track = fields.u32()?;
    // Nothing, the duration, nothing, layer, group, volume and nothing.
    fields.u32()?;
    fields.time(version)?;
    fields.bytes::<16>()?;
    Ok((track, Matrix::read(&mut fields)?))
}

/// What of a matrix turns a picture: a point (x, y) goes to (a x + c y, b x + d y).
#[derive(Debug, Clone, Copy)]
struct Matrix {
    a: i32,
    b: i32,
    c: i32,
    d: i32,
}

impl Matrix {
    fn read(fields: &mut Fields<'_>) -> Result<Self, VideoError> {
        // The order is a, b, u, c, d, v, x, y, w.
        let [a, b, _, c, d] = [fields.i32()?, fields.i32()?, fields.i32()?, fields.i32()?, fields.i32()?];
        Ok(Self { a, b, c, d })
    }
}

/// Refuses a box that the file ends within.
fn whole(found: &IsoBox<'_>, what: &'static str, file: &[u8]) -> Result<(), VideoError> {
    match found.cut_at {
        None => Ok(()),
        Some(needed) => Err(VideoError::Truncated { format: found.format, what, needed, actual: file.len() as u64 }),
    }
}

/// The first video track of a codec that is understood, else the first video track.
fn video_track<'a>(moov: &IsoBox<'a>) -> Result<IsoBox<'a>, VideoError> {
    let mut first = None;
    for trak in moov.children() {
        let trak = trak?;
        let Some(mdia) = (if trak.kind == *b"trak" { trak.child(b"mdia")? } else { None }) else { continue };
        let Some(handler) = mdia.child(b"hdlr")? else { continue };
        // Version and flags, a reserved word, then the handler (section 8.4.3).
        if handler.body.get(8..12) != Some(b"vide") {
            continue;
        }
        let stbl = mdia.need(b"minf")?.need(b"stbl")?;
        if !matches!(Entry::read(&stbl)?.codec, Codec::Other(_)) {
            return Ok(trak);
        }
        first = first.or(Some(trak));
    }
    first.ok_or(VideoError::NoVideoTrack { format: moov.format })
}

/// A visual sample entry (section 12.1.3).
struct Entry<'a> {
    codec: Codec,
    config: &'a [u8],
    width: u32,
    height: u32,
}

impl<'a> Entry<'a> {
    /// Bytes before the boxes within: those of a sample entry, and of a visual one.
    const FIELDS: usize = 8 + 70;

    fn read(stbl: &IsoBox<'a>) -> Result<Self, VideoError> {
        // Version and flags, and the number of entries; only the first is used.
        let stsd = stbl.need(b"stsd")?;
        let entry = stsd.children_after(8).next().transpose()?;
        let entry = entry.ok_or_else(|| damaged(stbl.format, *b"stsd", "describes nothing"))?;
        let side = |at: usize| entry.body.get(at..)?.first_chunk().map(|bytes| u32::from(u16::from_be_bytes(*bytes)));
        let (Some(width), Some(height)) = (side(24), side(26)) else {
            return Err(damaged(stbl.format, entry.kind, "is too short"));
        };
        let codec = Codec::from_fourcc(entry.kind);
        let kind = match codec {
            Codec::H264 => Some(b"avcC"),
            Codec::Hevc => Some(b"hvcC"),
            Codec::Av1 => Some(b"av1C"),
            _ => None,
        };
        let config = kind.map(|kind| entry.children_after(Self::FIELDS).find(kind)).transpose()?.flatten();
        Ok(Self { codec, config: config.map(|found| found.body).unwrap_or_default(), width, height })
    }
}

/// A sample's place in the file, which must have it, and its time.
fn place(media: &Media, edits: &Edits, scale: u32, file: &[u8], format: &'static str) -> Result<Sample, VideoError> {
    let needed = media.start.saturating_add(media.size.into());
    let actual = file.len() as u64;
    if needed > actual {
        return Err(VideoError::Truncated { format, what: "a frame", needed, actual });
    }
    // Both lie within the file, so the casts are lossless.
    let data = media.start as usize..needed as usize;
    let time: Option<Duration> = edits.time(media.place, scale);
    Ok(Sample { picture: !data.is_empty(), data, order: media.place, time })
}

/// What the matrices of movie and track do to a picture (section 8.2.2): turns by right angles and mirrors, whatever
/// their scale. `None` where they do anything else.
fn turn(movie: Matrix, track: Matrix) -> Option<Turn> {
    // Some writers leave a matrix out, which is nothing but zeros then.
    let signs = |matrix: Matrix| match [[matrix.a, matrix.b], [matrix.c, matrix.d]] {
        [[0, 0], [0, 0]] => [[1, 0], [0, 1]],
        rows => rows.map(|row| row.map(i32::signum)),
    };
    let ([[a, b], [c, d]], [[e, f], [g, h]]) = (signs(track), signs(movie));
    match [[a * e + b * g, a * f + b * h], [c * e + d * g, c * f + d * h]] {
        [[x @ (-1 | 1), 0], [0, y @ (-1 | 1)]] => Some(Turn { transpose: false, flip_x: x < 0, flip_y: y < 0 }),
        [[0, y @ (-1 | 1)], [x @ (-1 | 1), 0]] => Some(Turn { transpose: true, flip_x: x < 0, flip_y: y < 0 }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: i32 = 1 << 16;

    fn matrix(a: i32, b: i32, c: i32, d: i32) -> Matrix {
        Matrix { a, b, c, d }
    }

    #[test]
    fn matrices_turn_and_mirror() {
        let one = matrix(ONE, 0, 0, ONE);
        let quarter = matrix(0, ONE, -ONE, 0);
        let turned = |transpose, flip_x, flip_y| Some(Turn { transpose, flip_x, flip_y });
        assert_eq!(turn(one, one), turned(false, false, false));
        // A quarter turn clockwise: the first row becomes the last column.
        assert_eq!(turn(one, quarter), turned(true, true, false));
        assert_eq!(turn(quarter, one), turned(true, true, false));
        assert_eq!(turn(quarter, quarter), turned(false, true, true));
        assert_eq!(turn(one, matrix(0, -ONE, ONE, 0)), turned(true, false, true));
        assert_eq!(turn(one, matrix(-ONE, 0, 0, ONE)), turned(false, true, false));
        // Twice the size, and nothing at all.
        assert_eq!(turn(one, matrix(2 * ONE, 0, 0, 2 * ONE)), turned(false, false, false));
        assert_eq!(turn(matrix(0, 0, 0, 0), quarter), turned(true, true, false));
        assert_eq!(turn(one, matrix(ONE, ONE, -ONE, ONE)), None);
        assert_eq!(turn(one, matrix(ONE, 0, 0, 0)), None);
    }
}
