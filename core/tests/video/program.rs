//! The ffmpeg program when it is absent, slow, broken or refused.

use std::{
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    time::{Duration, Instant},
};

use lifesign_core::video::{Ffmpeg, Sampling, VideoError, VideoLimits, open, probe};

use crate::{
    made::SOURCE,
    support::{decode, make, program},
};

fn vp9() -> Vec<u8> {
    make("vp9.webm", &format!("{SOURCE} -c:v libvpx-vp9 -deadline realtime -lag-in-frames 16 -an"))
}

/// A script in the program's place.
fn script(words: &str) -> (tempfile::TempDir, Ffmpeg) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ffmpeg");
    std::fs::write(&path, format!("#!/bin/sh\n{words}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (folder, Ffmpeg::At(path))
}

#[test]
fn without_the_program_the_codec_and_the_remedy_are_named() {
    if program("without_the_program_the_codec_and_the_remedy_are_named").is_none() {
        return;
    }
    let bytes = vp9();
    assert!(probe(&bytes, &VideoLimits::default()).is_ok(), "its headers are read all the same");
    let missing = Ffmpeg::At(PathBuf::from("/nowhere/ffmpeg"));
    for (ffmpeg, why) in [(Ffmpeg::search(None), "not installed"), (Ffmpeg::off(), "off"), (missing, "does not start")]
    {
        let error = decode(&bytes, Sampling::All, &ffmpeg).unwrap_err();
        assert!(matches!(error, VideoError::NoDecoder { .. }), "{error}");
        let words = error.to_string();
        assert!(words.contains("VP9") && words.contains(why) && words.contains("install ffmpeg"), "{words}");
    }
    let beyond = make("h264_444.mp4", &format!("{SOURCE} -c:v libx264 -pix_fmt yuv444p -an"));
    let words = decode(&beyond, Sampling::All, &Ffmpeg::off()).unwrap_err().to_string();
    assert!(words.contains("H.264 with 4:4:4 frames (profile 244)"), "{words}");
}

#[test]
fn a_program_that_hangs_is_killed_in_time() {
    if program("a_program_that_hangs_is_killed_in_time").is_none() {
        return;
    }
    let (_folder, hangs) = script("exec sleep 60");
    let limits = VideoLimits { max_decode_ms: 300, ..VideoLimits::default() };
    let bytes = vp9();
    let begun = Instant::now();
    let mut frames = open(&bytes, None, &limits, Sampling::All, &hangs).unwrap();
    assert_eq!(frames.next(), Some(Err(VideoError::TooSlow { limit: Duration::from_millis(300) })));
    assert_eq!(frames.next(), None);
    drop(frames);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_program_that_fails_or_stops_early_gives_no_short_video() {
    if program("a_program_that_fails_or_stops_early_gives_no_short_video").is_none() {
        return;
    }
    let bytes = vp9();
    // The second gives one frame of 176x144 and ends well.
    for words in ["exit 3", "head -c 76032 /dev/zero", "kill -9 $$"] {
        let (_folder, broken) = script(words);
        let error = decode(&bytes, Sampling::All, &broken).unwrap_err();
        assert!(matches!(error, VideoError::Undecodable { .. }), "{words}: {error}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn memory_beyond_the_limit_is_refused() {
    let Some(ffmpeg) = program("memory_beyond_the_limit_is_refused") else { return };
    let limits = VideoLimits { max_decoder_memory: 64 << 20, ..VideoLimits::default() };
    let bytes = vp9();
    let frames: Result<Vec<_>, _> = open(&bytes, None, &limits, Sampling::All, &ffmpeg).unwrap().collect();
    assert!(matches!(frames, Err(VideoError::Undecodable { .. })));
}

/// Damage that the program notices is an error, not a shorter or a greyer video.
#[test]
fn damaged_frames_are_not_skipped() {
    let Some(ffmpeg) = program("damaged_frames_are_not_skipped") else { return };
    let mut bytes = make("h264_444.mp4", &format!("{SOURCE} -c:v libx264 -pix_fmt yuv444p -an"));
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle..middle + 600] {
        *byte ^= 0x55;
    }
    let damaged = decode(&bytes, Sampling::All, &ffmpeg);
    assert!(damaged.is_err(), "{} frames", damaged.unwrap().len());
}

/// The decoder's time is what the caller waits, not what the caller does in between.
#[test]
fn a_slow_caller_is_not_the_decoders_fault() {
    let Some(ffmpeg) = program("a_slow_caller_is_not_the_decoders_fault") else { return };
    let limits = VideoLimits { max_decode_ms: 5_000, ..VideoLimits::default() };
    let bytes = vp9();
    let mut frames = open(&bytes, None, &limits, Sampling::All, &ffmpeg).unwrap();
    frames.next().unwrap().unwrap();
    std::thread::sleep(Duration::from_millis(5_200));
    assert_eq!(frames.map(Result::unwrap).count(), 49);
}
