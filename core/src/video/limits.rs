//! What videos are accepted at the door.

use std::time::Duration;

use super::error::VideoError;

/// What videos are accepted at the door, and what decoding one may cost. All of it settable; each bound is inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VideoLimits {
    /// Bytes of the file.
    pub max_bytes: u64,
    /// Least milliseconds from the first frame's beginning to the last one's end.
    pub min_duration_ms: u64,
    /// Most of them.
    pub max_duration_ms: u64,
    /// Least pixels along the longer side.
    pub min_long_side: u32,
    /// Least pixels along the shorter side.
    pub min_short_side: u32,
    /// Most pixels along either side.
    pub max_side: u32,
    /// Most pixels of one frame.
    pub max_pixels: u64,
    /// Most frames in the file, whether they are looked at or not: all of them must be decoded to see the last.
    pub max_frames: u32,
    /// Milliseconds of waiting for the decoder, over the whole video. The time a caller spends on frames is not counted.
    pub max_decode_ms: u64,
    /// Bytes of address space for the `ffmpeg` program. Enforced on Linux; elsewhere only its time is limited.
    pub max_decoder_memory: u64,
}

impl Default for VideoLimits {
    /// 32 MiB hold ten seconds of 1080p at a phone's 20 Mbit/s; a minute is six times the longest clip that a vendor takes
    /// (FPT.AI's ten seconds), and 3600 frames are a minute at 60 a second. The sides are the frame's bounds of H.264
    /// level 5.1 (ITU-T H.264, table A-1: 36 864 macroblocks of 256 pixels), which hold 4096x2160; 16 pixels at least, as
    /// for images. Half a minute decodes the largest of them on a slow core. ffmpeg 5.1 with one thread decodes
    /// 4096x2160 in 4:4:4 within 768 MiB of address space and not within 512 (`prlimit --as`); a gibibyte leaves room.
    fn default() -> Self {
        Self {
            max_bytes: 32 << 20,
            min_duration_ms: 0,
            max_duration_ms: 60_000,
            min_long_side: 16,
            min_short_side: 16,
            max_side: 4096,
            max_pixels: 36_864 * 256,
            max_frames: 3600,
            max_decode_ms: 30_000,
            max_decoder_memory: 1 << 30,
        }
    }
}

impl VideoLimits {
    /// The presets by name.
    pub const PRESETS: [&'static str; 3] = ["default", "fpt", "glair"];

    /// A preset by its name in [`Self::PRESETS`].
    pub fn preset(name: &str) -> Option<Self> {
        match name {
            "default" => Some(Self::default()),
            "fpt" => Some(Self::fpt()),
            "glair" => Some(Self::glair()),
            _ => None,
        }
    }

    /// What FPT.AI's liveness page asks for: "does not exceed 10MB and has the minimum resolution of 800x600", "5-10
    /// seconds long". Megabytes are taken as the smaller, decimal ones, so that what passes here passes there.
    pub fn fpt() -> Self {
        Self {
            max_bytes: 10_000_000,
            min_duration_ms: 5_000,
            max_duration_ms: 10_000,
            min_long_side: 800,
            min_short_side: 600,
            ..Self::default()
        }
    }

    /// What GLAIR's deepfake page asks for: "The maximum video size is 6MB", decimal as above.
    pub fn glair() -> Self {
        Self { max_bytes: 6_000_000, ..Self::default() }
    }

    /// Checks the size of a file before anything looks at it.
    ///
    /// # Errors
    /// [`VideoError::Empty`], [`VideoError::TooManyBytes`].
    pub fn check_bytes(&self, bytes: u64) -> Result<(), VideoError> {
        if bytes == 0 {
            return Err(VideoError::Empty);
        }
        if bytes > self.max_bytes {
            return Err(VideoError::TooManyBytes { limit: self.max_bytes, actual: bytes });
        }
        Ok(())
    }

    /// Checks the sides of a frame, before memory for its pixels is taken.
    ///
    /// # Errors
    /// [`VideoError::TooLarge`], [`VideoError::TooManyPixels`], [`VideoError::TooSmall`], in this order.
    pub fn check_dimensions(&self, width: u32, height: u32) -> Result<(), VideoError> {
        if width > self.max_side || height > self.max_side {
            return Err(VideoError::TooLarge { limit: self.max_side, width, height });
        }
        let actual = u64::from(width) * u64::from(height);
        if actual > self.max_pixels {
            return Err(VideoError::TooManyPixels { limit: self.max_pixels, actual, width, height });
        }
        // Zero is never a picture, whatever the limit says.
        let (long, short) = (self.min_long_side.max(1), self.min_short_side.max(1));
        if width.max(height) < long || width.min(height) < short {
            return Err(VideoError::TooSmall { long, short, width, height });
        }
        Ok(())
    }

    /// Checks the time from the first frame's beginning to the last one's end.
    ///
    /// # Errors
    /// [`VideoError::TooLong`], [`VideoError::TooShort`].
    pub fn check_duration(&self, actual: Duration) -> Result<(), VideoError> {
        let (least, most) = (Duration::from_millis(self.min_duration_ms), Duration::from_millis(self.max_duration_ms));
        if actual > most {
            return Err(VideoError::TooLong { limit: most, actual });
        }
        if actual < least {
            return Err(VideoError::TooShort { limit: least, actual });
        }
        Ok(())
    }

    /// Checks the duration that a header declares before any frame is counted. It may count a longer audio track, so it
    /// has a second's grace.
    pub(super) fn check_declared(&self, declared: Duration) -> Result<(), VideoError> {
        let limit = Duration::from_millis(self.max_duration_ms);
        if declared > limit.saturating_add(Duration::from_secs(1)) {
            return Err(VideoError::TooLong { limit, actual: declared });
        }
        Ok(())
    }

    /// Checks a number of frames before memory for their places is taken.
    pub(super) fn check_frames(&self, actual: u64) -> Result<(), VideoError> {
        if actual > u64::from(self.max_frames) {
            return Err(VideoError::TooManyFrames { limit: self.max_frames, actual });
        }
        Ok(())
    }

    /// The decoder's time.
    pub(super) fn decode_time(&self) -> Duration {
        Duration::from_millis(self.max_decode_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_inclusive() {
        let limits = VideoLimits { max_bytes: 10, max_side: 1000, max_pixels: 700_000, ..VideoLimits::fpt() };
        assert_eq!(limits.check_bytes(0), Err(VideoError::Empty));
        assert_eq!(limits.check_bytes(10), Ok(()));
        assert_eq!(limits.check_bytes(11), Err(VideoError::TooManyBytes { limit: 10, actual: 11 }));
        for (width, height, ok) in [(800, 600, true), (600, 800, true), (799, 600, false), (800, 599, false)] {
            assert_eq!(limits.check_dimensions(width, height).is_ok(), ok, "{width}x{height}");
        }
        assert!(matches!(limits.check_dimensions(1001, 600), Err(VideoError::TooLarge { .. })));
        assert!(matches!(limits.check_dimensions(1000, 701), Err(VideoError::TooManyPixels { .. })));
        for (millis, ok) in [(4999, false), (5000, true), (10_000, true), (10_001, false)] {
            assert_eq!(limits.check_duration(Duration::from_millis(millis)).is_ok(), ok, "{millis}");
        }
        assert!(limits.check_frames(3600).is_ok());
        assert!(matches!(limits.check_frames(3601), Err(VideoError::TooManyFrames { limit: 3600, actual: 3601 })));
    }

    #[test]
    fn a_header_may_count_a_little_more_than_the_frames_do() {
        let limits = VideoLimits::fpt();
        assert!(limits.check_declared(Duration::from_secs(11)).is_ok());
        assert!(matches!(limits.check_declared(Duration::from_secs(12)), Err(VideoError::TooLong { .. })));
    }

    #[test]
    fn nothing_by_nothing_is_refused_even_without_a_least_side() {
        let limits = VideoLimits { min_long_side: 0, min_short_side: 0, ..VideoLimits::default() };
        assert!(matches!(limits.check_dimensions(0, 5), Err(VideoError::TooSmall { short: 1, .. })));
    }

    #[test]
    fn every_preset_has_its_name() {
        for name in VideoLimits::PRESETS {
            assert!(VideoLimits::preset(name).is_some(), "{name}");
        }
        assert_eq!(VideoLimits::preset("none"), None);
    }
}
