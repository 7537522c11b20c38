//! Bytes of strangers: whatever they are, a video within the limits or a typed error comes of them.

use std::time::{Duration, Instant};

use lifesign_core::video::{Ffmpeg, Sampling, VideoError, VideoLimits, probe};

use crate::{
    made::{SOURCE, X264},
    support::{decode, make, program},
};

/// Small clips of each container.
fn clips(name: &str) -> Option<Vec<(&'static str, Vec<u8>)>> {
    program(name)?;
    let clips = [
        ("index_last.mp4", ""),
        ("index_first.mp4", "-movflags faststart"),
        ("fragments.mp4", "-movflags frag_keyframe+empty_moov+default_base_moof"),
        ("plain.mkv", ""),
    ];
    Some(clips.map(|(name, options)| (name, make(name, &format!("{SOURCE} {X264} {options}")))).into())
}

/// The same numbers in every run (Knuth's MMIX generator).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// What the fuzz target starts from is worth starting from.
#[test]
fn every_fixture_is_a_whole_video() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/video_fixtures");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut seen = std::collections::BTreeSet::new();
    for path in paths.filter(|path| path.extension().is_some_and(|extension| extension != "md")) {
        let info = probe(&std::fs::read(&path).unwrap(), &VideoLimits::default()).unwrap();
        assert_eq!(info.frames, 5, "{}", path.display());
        seen.insert((info.container.name(), info.codec.name().to_owned()));
    }
    assert_eq!(seen.len(), 7, "{seen:?}");
}

#[test]
fn nothing_and_other_things_are_no_videos() {
    let limits = VideoLimits::default();
    assert_eq!(probe(&[], &limits), Err(VideoError::Empty));
    for bytes in [b"\xFF\xD8\xFF\xE0JFIF".as_slice(), b"RIFF\0\0\0\0AVI LIST", &[0; 64], b"\x1A\x45\xDF", b"moov"] {
        assert_eq!(probe(bytes, &limits), Err(VideoError::UnknownContainer), "{bytes:?}");
    }
    // Beginnings without anything behind them.
    for bytes in [b"\0\0\0\x10ftypisom\0\0\0\0".as_slice(), b"\0\0\0\x08wide", b"\x1A\x45\xDF\xA3\x80", b"\0\0\0\0moov"]
    {
        let error = probe(bytes, &limits).unwrap_err();
        assert!(matches!(error, VideoError::Damaged { .. } | VideoError::NoVideoTrack { .. }), "{error}");
    }
    let limits = VideoLimits { max_bytes: 3, ..limits };
    assert_eq!(probe(b"\0\0\0\x08", &limits), Err(VideoError::TooManyBytes { limit: 3, actual: 4 }));
}

/// A file that is cut off is never taken for a shorter video.
#[test]
fn a_cut_file_is_refused_wherever_it_is_cut() {
    let Some(clips) = clips("a_cut_file_is_refused_wherever_it_is_cut") else { return };
    for (name, bytes) in clips {
        let whole = probe(&bytes, &VideoLimits::default()).unwrap();
        let mut random = Random(1);
        let near_the_ends = (0..600).chain(bytes.len() - 600..bytes.len());
        let anywhere: Vec<_> = (0..200).map(|_| random.below(bytes.len())).collect();
        for length in near_the_ends.chain(anywhere) {
            let cut = probe(&bytes[..length], &VideoLimits::default());
            // Fragments are a whole recording up to each of them; elsewhere sound or an index may be missing, no picture.
            let fewer = cut.as_ref().is_ok_and(|info| info.frames < whole.frames);
            assert!(!fewer || name == "fragments.mp4", "{name} at {length}: {cut:?}");
            assert!(cut.is_err() || name != "index_last.mp4", "{name} at {length}");
        }
    }
}

#[test]
fn flipped_bits_give_a_video_within_the_limits_or_an_error() {
    let Some(clips) = clips("flipped_bits_give_a_video_within_the_limits_or_an_error") else { return };
    let limits = VideoLimits { max_frames: 200, ..VideoLimits::default() };
    for (name, bytes) in clips {
        let mut random = Random(7);
        let mut tried = 0;
        for round in 0..1500 {
            let mut flipped = bytes.clone();
            for _ in 0..=round % 4 {
                // Half of them near the ends, where the headers are.
                let edge = 3000.min(bytes.len() / 2);
                let at = match random.below(4) {
                    0 => random.below(edge),
                    1 => bytes.len() - 1 - random.below(edge),
                    _ => random.below(bytes.len()),
                };
                flipped[at] ^= 1 << random.below(8);
            }
            let Ok(info) = probe(&flipped, &limits) else { continue };
            assert!(info.frames <= 200 && info.duration <= Duration::from_secs(60), "{name}: {info:?}");
            assert!(info.width <= limits.max_side && info.height <= limits.max_side, "{name}: {info:?}");
            // Decoding costs more, so only some are.
            tried += 1;
            if tried % 12 == 0 {
                for frame in decode(&flipped, Sampling::All, &Ffmpeg::off()).unwrap_or_default() {
                    assert!(u64::from(frame.frame.width()) * u64::from(frame.frame.height()) <= limits.max_pixels);
                }
            }
        }
        assert!(tried > 30, "{name}: {tried}");
    }
}

/// Every 32-bit number of the header in turn becomes a giant: no memory and no time is spent on its word.
#[test]
fn giant_numbers_cost_nothing() {
    let Some(clips) = clips("giant_numbers_cost_nothing") else { return };
    for (name, bytes) in clips {
        let header = if name == "index_last.mp4" { bytes.len() - 2600..bytes.len() } else { 0..2600 };
        for at in header.step_by(2) {
            for giant in [[0xFF; 4], [0x7F, 0xFF, 0xFF, 0xFF]] {
                let mut changed = bytes.clone();
                for (place, byte) in changed[at..].iter_mut().zip(giant) {
                    *place = byte;
                }
                let begun = Instant::now();
                let _ = probe(&changed, &VideoLimits::default());
                assert!(begun.elapsed() < Duration::from_secs(1), "{name} at {at}");
            }
        }
    }
}

/// A segment that begins with a checksum, which an other reader never comes back from.
#[test]
fn a_checksum_first_is_passed_over() {
    let Some(clips) = clips("a_checksum_first_is_passed_over") else { return };
    let bytes = make("live.mkv", &format!("{SOURCE} {X264} -f matroska -live 1"));
    let segment = bytes.windows(4).position(|window| window == [0x18, 0x53, 0x80, 0x67]).unwrap();
    // Behind the id and its length of eight bytes.
    let inside = segment + 12;
    let checked = [&bytes[..inside], &[0xBF, 0x84, 1, 2, 3, 4], &bytes[inside..]].concat();
    let limits = VideoLimits::default();
    assert_eq!(probe(&checked, &limits).unwrap(), probe(&bytes, &limits).unwrap());
    drop(clips);
}
