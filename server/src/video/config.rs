//! The settings of videos: every default, each with its reason.

use std::path::PathBuf;

use lifesign_core::{
    verdict::TIMELINE,
    video::{Ffmpeg, VideoLimits},
};
use serde::{Deserialize, Serialize};

use super::VideoSetup;

/// Most frames that may be looked at of one video: as many as a verdict's timeline lists.
const MOST_SAMPLED: u32 = TIMELINE as u32;

/// What videos are accepted, and how they are looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VideoConfig {
    /// The limits that stand where `limits` does not say otherwise: `default`, or a vendor's: `fpt`, `glair`.
    pub preset: String,
    /// What is accepted, and what decoding may cost.
    pub limits: VideoLimits,
    /// Frames looked at of a second of video. 5, at which StillImage and FrameContinuity were calibrated
    /// (tests/calibration): frames closer together say the same twice, and cost twice as much.
    pub sample_rate: u32,
    /// Most frames looked at of one video, evenly spread: 64, the most that a policy may need. Bounds what a long video
    /// costs.
    pub max_sampled_frames: u32,
    /// The ffmpeg program, for what is not H.264: `auto` (where a folder of PATH has it), `off`, or a path. A path that
    /// leads to no file is refused.
    pub ffmpeg: String,
    /// Videos decoded at a time; 0, the default, means one per worker of the engine: a decoder keeps a processor busy,
    /// as a worker does. More wait for their turn.
    pub max_videos: usize,
}

impl Default for VideoConfig {
    fn default() -> Self {
        Self {
            preset: "default".to_owned(),
            limits: VideoLimits::default(),
            sample_rate: 5,
            max_sampled_frames: 64,
            ffmpeg: "auto".to_owned(),
            max_videos: 0,
        }
    }
}

/// A setting of videos is out of range or contradicts another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("video.{setting}: {what}")]
pub struct VideoConfigError {
    /// Its name.
    pub setting: &'static str,
    /// What is wrong with it.
    pub what: String,
}

impl VideoConfig {
    /// The defaults under a preset; those of `default` where there is none of this name, which [`Self::validate`] tells.
    pub fn of_preset(name: &str) -> Self {
        let limits = VideoLimits::preset(name).unwrap_or_default();
        Self { preset: name.to_owned(), limits, ..Self::default() }
    }

    /// Checks the settings against each other. `frames_needed` is the most that a policy needs.
    ///
    /// # Errors
    /// [`VideoConfigError`] names the first one that is wrong.
    pub fn validate(&self, frames_needed: u32) -> Result<(), VideoConfigError> {
        let wrong = |setting, what: String| Err(VideoConfigError { setting, what });
        let limits = &self.limits;
        if VideoLimits::preset(&self.preset).is_none() {
            return wrong("preset", format!("is {}; allowed: {}", self.preset, VideoLimits::PRESETS.join(", ")));
        }
        let positive = [
            ("limits.max_bytes", limits.max_bytes),
            ("limits.max_duration_ms", limits.max_duration_ms),
            ("limits.max_side", limits.max_side.into()),
            ("limits.max_pixels", limits.max_pixels),
            ("limits.max_frames", limits.max_frames.into()),
            ("limits.max_decode_ms", limits.max_decode_ms),
            ("limits.max_decoder_memory", limits.max_decoder_memory),
            ("sample_rate", self.sample_rate.into()),
        ];
        if let Some((setting, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return wrong(setting, "must not be 0".to_owned());
        }
        if limits.min_duration_ms > limits.max_duration_ms {
            let what = format!("is {}; limits.max_duration_ms is {}", limits.min_duration_ms, limits.max_duration_ms);
            return wrong("limits.min_duration_ms", what);
        }
        for (setting, least) in
            [("limits.min_long_side", limits.min_long_side), ("limits.min_short_side", limits.min_short_side)]
        {
            if least > limits.max_side {
                return wrong(setting, format!("is {least}; limits.max_side is {}", limits.max_side));
            }
        }
        if self.max_sampled_frames < frames_needed.max(1) || self.max_sampled_frames > MOST_SAMPLED {
            let least = frames_needed.max(1);
            let what = format!(
                "is {}; allowed: {least} (the most that a policy needs) to {MOST_SAMPLED}",
                self.max_sampled_frames
            );
            return wrong("max_sampled_frames", what);
        }
        if self.ffmpeg.trim().is_empty() {
            return wrong("ffmpeg", "is empty; allowed: auto, off, or a path".to_owned());
        }
        Ok(())
    }

    /// The settings with the program found and the number of decoders filled in.
    ///
    /// # Errors
    /// [`VideoConfigError`] where `ffmpeg` is a path that leads to no file.
    pub fn resolve(&self, workers: usize) -> Result<VideoSetup, VideoConfigError> {
        let ffmpeg = match self.ffmpeg.as_str() {
            "auto" => Ffmpeg::find(),
            "off" => Ffmpeg::off(),
            path if PathBuf::from(path).is_file() => Ffmpeg::At(path.into()),
            path => return Err(VideoConfigError { setting: "ffmpeg", what: format!("there is no file {path}") }),
        };
        Ok(VideoSetup {
            limits: self.limits,
            ffmpeg,
            sample_rate: self.sample_rate,
            max_sampled_frames: self.max_sampled_frames,
            max_videos: if self.max_videos == 0 { workers } else { self.max_videos }.max(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut VideoConfig)) -> &'static str {
        let mut config = VideoConfig::default();
        change(&mut config);
        config.validate(8).unwrap_err().setting
    }

    #[test]
    fn every_preset_agrees_with_itself() {
        for preset in VideoLimits::PRESETS {
            VideoConfig::of_preset(preset).validate(64).unwrap();
        }
        assert_eq!(VideoConfig::of_preset("default"), VideoConfig::default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(refused(|c| c.preset = "facia".into()), "preset");
        assert_eq!(refused(|c| c.limits.max_bytes = 0), "limits.max_bytes");
        assert_eq!(refused(|c| c.limits.min_duration_ms = 70_000), "limits.min_duration_ms");
        assert_eq!(refused(|c| c.limits.min_short_side = 5000), "limits.min_short_side");
        assert_eq!(refused(|c| c.sample_rate = 0), "sample_rate");
        assert_eq!(refused(|c| c.max_sampled_frames = 7), "max_sampled_frames");
        assert_eq!(refused(|c| c.max_sampled_frames = 257), "max_sampled_frames");
        assert_eq!(refused(|c| c.ffmpeg = " ".into()), "ffmpeg");
    }

    #[test]
    fn the_program_is_found_or_refused() {
        let resolve = |ffmpeg: &str| VideoConfig { ffmpeg: ffmpeg.to_owned(), ..VideoConfig::default() }.resolve(3);
        assert_eq!(resolve("off").unwrap().ffmpeg, Ffmpeg::off());
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(resolve(path).unwrap().ffmpeg.path(), Some(file.path()));
        assert_eq!(resolve("/nowhere/ffmpeg").unwrap_err().setting, "ffmpeg");
        assert_eq!(resolve("off").unwrap().max_videos, 3);
        assert_eq!(VideoConfig { max_videos: 1, ..VideoConfig::default() }.resolve(3).unwrap().max_videos, 1);
    }
}
