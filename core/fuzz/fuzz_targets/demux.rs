//! Whatever the bytes, a video's headers give information within the limits or a typed error: reading them does not panic,
//! and takes neither memory nor time on the word of a number in the file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lifesign_core::video::{VideoError, VideoLimits, probe};

fuzz_target!(|bytes: &[u8]| {
    let limits = VideoLimits { max_bytes: 1 << 20, max_frames: 500, ..VideoLimits::default() };
    match probe(bytes, &limits) {
        Ok(info) => {
            assert!(info.frames > 0 && info.frames <= u64::from(limits.max_frames));
            assert!(info.duration.as_millis() <= limits.max_duration_ms.into());
            assert!(info.width.max(info.height) <= limits.max_side);
            assert!(u64::from(info.width) * u64::from(info.height) <= limits.max_pixels);
        }
        // A message is bounded, whatever names the file gives to things.
        Err(error) => assert!(error.to_string().len() < 400),
    }
    assert!(!bytes.is_empty() || probe(bytes, &limits) == Err(VideoError::Empty));
});
