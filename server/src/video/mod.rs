//! Videos: what is accepted, who decodes it, and which of its frames are looked at. The same for every door.

mod config;
pub mod decode;

use std::num::NonZeroU32;

use lifesign_core::{
    policy::Policy,
    video::{Codec, Ffmpeg, Sampling, VideoInfo, VideoLimits},
};

pub use config::{VideoConfig, VideoConfigError};

/// Times as many frames are taken of a short video as the policy needs, so that frames which are not good enough can be
/// made up for by others.
const SPARE: u32 = 2;

/// What every door needs to judge videos. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoSetup {
    /// What is accepted.
    pub limits: VideoLimits,
    /// Decodes what this process cannot.
    pub ffmpeg: Ffmpeg,
    /// Frames looked at of a second of video.
    pub sample_rate: u32,
    /// Most frames looked at of one video.
    pub max_sampled_frames: u32,
    /// Videos decoded at a time; at least 1.
    pub max_videos: usize,
}

impl VideoSetup {
    /// Which frames of a video are looked at: evenly spread, `sample_rate` for each second, at least twice as many as the
    /// policy needs, at most `max_sampled_frames`. A video with fewer frames than that is looked at whole.
    pub fn sampling(&self, info: &VideoInfo, policy: &Policy) -> Sampling {
        let by_time = info.duration.as_millis().saturating_mul(self.sample_rate.into()).div_ceil(1000);
        let by_time = u32::try_from(by_time).unwrap_or(u32::MAX);
        let by_policy = policy.config().frames_needed.saturating_mul(SPARE);
        let count = by_time.max(by_policy).min(self.max_sampled_frames);
        Sampling::Even(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN))
    }

    /// The codecs that are decoded here.
    pub fn codecs(&self) -> Vec<&'static str> {
        let by_program: &[Codec] = match &self.ffmpeg {
            Ffmpeg::At(_) => &[Codec::Hevc, Codec::Vp8, Codec::Vp9, Codec::Av1],
            Ffmpeg::Absent(_) => &[],
        };
        std::iter::once(&Codec::H264).chain(by_program).map(wire_name).collect()
    }
}

/// A codec's name as `VideoLimits.codecs` has it: letters and digits.
fn wire_name(codec: &Codec) -> &'static str {
    match codec {
        Codec::H264 => "H264",
        Codec::Hevc => "HEVC",
        Codec::Vp8 => "VP8",
        Codec::Vp9 => "VP9",
        Codec::Av1 => "AV1",
        Codec::Other(_) => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lifesign_core::{policy::builtin, testing::tiny_pack, video::Container};

    use super::*;

    fn setup() -> VideoSetup {
        VideoConfig::default().resolve(3).unwrap()
    }

    /// Frames taken of a video that lasts so long, by a policy that needs so many.
    fn taken(seconds: f64, frames_needed: u32) -> u32 {
        let folder = tempfile::tempdir().unwrap();
        let pack = tiny_pack(folder.path()).unwrap();
        let (_, config) = builtin().into_iter().find(|(name, _)| *name == "presentation-attack-only").unwrap();
        let config = lifesign_core::policy::PolicyConfig { frames_needed, ..config };
        let policy = Policy::compile("test", config, &pack).unwrap();
        let info = VideoInfo {
            container: Container::Mp4,
            codec: Codec::H264,
            width: 64,
            height: 64,
            duration: Duration::from_secs_f64(seconds),
            frames: 1000,
            needs_ffmpeg: false,
        };
        match setup().sampling(&info, &policy) {
            Sampling::Even(count) => count.get(),
            Sampling::All => panic!("a long video would be looked at whole"),
        }
    }

    #[test]
    fn frames_are_taken_by_time_with_spare_ones_and_a_cap() {
        assert_eq!(taken(4.0, 5), 20, "five a second");
        assert_eq!(taken(4.1, 5), 21, "a part of a second counts");
        assert_eq!(taken(1.0, 5), 10, "twice what the policy needs");
        assert_eq!(taken(0.0, 1), 2);
        assert_eq!(taken(60.0, 5), 64, "the cap");
        assert_eq!(taken(1.0, 64), 64, "the cap holds for the spare ones too");
    }

    #[test]
    fn codecs_are_those_that_somebody_here_decodes() {
        let with = |ffmpeg| VideoSetup { ffmpeg, ..setup() }.codecs();
        assert_eq!(with(Ffmpeg::off()), ["H264"]);
        assert_eq!(with(Ffmpeg::At("/ffmpeg".into())), ["H264", "HEVC", "VP8", "VP9", "AV1"]);
    }
}
