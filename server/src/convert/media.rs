//! Media on the wire as the core's layouts and limits, and the core's hints as the wire's.

use std::time::Duration;

use lifesign_core::{
    frame::{FrameLimits, MediaType, PixelFormat, RawLayout, Rotation},
    quality::Hint,
    video::VideoLimits,
};
use lifesign_proto::v1 as wire;

use super::duration;
use crate::video::VideoSetup;

/// Why a description of raw pixels was refused. The setting it names is relative to `RawPixels`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RawPixelsError {
    /// `format` was left out, or is a number this server does not know.
    #[error("format {0} is not a pixel format that is understood")]
    Format(i32),
    /// `rotation` is a number this server does not know.
    #[error("rotation {0} is not a rotation that is understood")]
    Rotation(i32),
}

impl RawPixelsError {
    /// The field of `RawPixels` at fault.
    pub const fn field(self) -> &'static str {
        match self {
            RawPixelsError::Format(_) => "format",
            RawPixelsError::Rotation(_) => "rotation",
        }
    }
}

/// The layout that a client described. Whether it fits the bytes is for the core to say.
///
/// # Errors
/// [`RawPixelsError`] for enum numbers that are not understood: a client may send any.
pub fn raw_layout(raw: &wire::RawPixels) -> Result<RawLayout, RawPixelsError> {
    use wire::{PixelFormat as WireFormat, Rotation as WireRotation};
    let format = match WireFormat::try_from(raw.format) {
        Ok(WireFormat::Rgb8) => PixelFormat::Rgb8,
        Ok(WireFormat::Rgba8) => PixelFormat::Rgba8,
        Ok(WireFormat::Bgra8) => PixelFormat::Bgra8,
        Ok(WireFormat::Nv21) => PixelFormat::Nv21,
        Ok(WireFormat::I420) => PixelFormat::I420,
        Ok(WireFormat::Gray8) => PixelFormat::Gray8,
        Ok(WireFormat::Unspecified) | Err(_) => return Err(RawPixelsError::Format(raw.format)),
    };
    let rotation = match WireRotation::try_from(raw.rotation) {
        Ok(WireRotation::Unspecified | WireRotation::Rotation0) => Rotation::Deg0,
        Ok(WireRotation::Rotation90) => Rotation::Deg90,
        Ok(WireRotation::Rotation180) => Rotation::Deg180,
        Ok(WireRotation::Rotation270) => Rotation::Deg270,
        Err(_) => return Err(RawPixelsError::Rotation(raw.rotation)),
    };
    Ok(RawLayout { format, width: raw.width, height: raw.height, stride: raw.stride, rotation, mirrored: raw.mirrored })
}

/// The part of `MediaLimits` that the core's limits decide; the numbers of frames, chunks and messages stay 0 for the
/// server to fill in.
pub fn frame_limits(limits: &FrameLimits) -> wire::MediaLimits {
    wire::MediaLimits {
        max_image_bytes: limits.max_bytes,
        max_pixels: limits.max_pixels,
        max_dimension: limits.max_dimension,
        media_types: MediaType::ALL.iter().map(|media_type| media_type.name().to_owned()).collect(),
        ..wire::MediaLimits::default()
    }
}

/// What videos are accepted, how many of their frames are looked at, and the codecs.
pub fn video_limits(setup: &VideoSetup) -> wire::VideoLimits {
    // All of them by name, so that a limit that is added does not stay unsaid.
    let VideoLimits {
        max_bytes,
        min_duration_ms,
        max_duration_ms,
        min_long_side,
        min_short_side,
        max_side,
        max_pixels,
        max_frames,
        // What decoding may cost is this machine's affair.
        max_decode_ms: _,
        max_decoder_memory: _,
    } = setup.limits;
    wire::VideoLimits {
        max_bytes,
        min_duration: Some(duration(Duration::from_millis(min_duration_ms))),
        max_duration: Some(duration(Duration::from_millis(max_duration_ms))),
        min_long_side,
        min_short_side,
        max_side,
        max_pixels,
        max_frames,
        max_sampled_frames: setup.max_sampled_frames,
        codecs: setup.codecs().into_iter().map(str::to_owned).collect(),
    }
}

/// A hint for the person.
pub fn hint(hint: Hint) -> wire::Hint {
    match hint {
        Hint::NoFace => wire::Hint::NoFace,
        Hint::MultipleFaces => wire::Hint::MultipleFaces,
        Hint::MoveCloser => wire::Hint::MoveCloser,
        Hint::MoveBack => wire::Hint::MoveBack,
        Hint::CenterFace => wire::Hint::CenterFace,
        Hint::TooDark => wire::Hint::TooDark,
        Hint::TooBright => wire::Hint::TooBright,
        Hint::UncoverFace => wire::Hint::UncoverFace,
        Hint::LookStraight => wire::Hint::LookStraight,
        Hint::OpenEyes => wire::Hint::OpenEyes,
        Hint::Blurry => wire::Hint::Blurry,
        Hint::LowContrast => wire::Hint::LowContrast,
        Hint::HoldStill => wire::Hint::HoldStill,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn raw(format: i32, rotation: i32) -> wire::RawPixels {
        wire::RawPixels { format, rotation, width: 4, height: 2, stride: 12, mirrored: true }
    }

    #[test]
    fn every_wire_format_and_rotation_is_understood() {
        let layouts: BTreeSet<String> =
            (1..=6).map(|number| format!("{:?}", raw_layout(&raw(number, 0)).unwrap().format)).collect();
        assert_eq!(layouts.len(), 6);
        let turns: Vec<Rotation> = (0..=4).map(|number| raw_layout(&raw(1, number)).unwrap().rotation).collect();
        assert_eq!(turns, [Rotation::Deg0, Rotation::Deg0, Rotation::Deg90, Rotation::Deg180, Rotation::Deg270]);
    }

    #[test]
    fn unknown_numbers_are_refused_by_field() {
        for number in [0, -1, 7, i32::MAX] {
            assert_eq!(raw_layout(&raw(number, 0)), Err(RawPixelsError::Format(number)));
        }
        assert_eq!(raw_layout(&raw(1, 9)), Err(RawPixelsError::Rotation(9)));
        assert_eq!(RawPixelsError::Rotation(9).field(), "rotation");
    }

    #[test]
    fn geometry_is_kept() {
        let layout = raw_layout(&raw(2, 2)).unwrap();
        assert_eq!((layout.width, layout.height, layout.stride, layout.mirrored), (4, 2, 12, true));
    }

    #[test]
    fn hints_map_one_to_one_and_never_to_unspecified() {
        use Hint as H;
        let all = [
            H::NoFace,
            H::MultipleFaces,
            H::MoveCloser,
            H::MoveBack,
            H::CenterFace,
            H::TooDark,
            H::TooBright,
            H::UncoverFace,
            H::LookStraight,
            H::OpenEyes,
            H::Blurry,
            H::LowContrast,
            H::HoldStill,
        ];
        let mapped: BTreeSet<i32> = all.iter().map(|value| hint(*value).into()).collect();
        assert_eq!(mapped, (1..=13).collect());
    }

    #[test]
    fn limits_on_videos_are_said() {
        let setup = crate::video::VideoConfig { ffmpeg: "off".into(), ..crate::video::VideoConfig::of_preset("fpt") };
        let limits = video_limits(&setup.resolve(1).unwrap());
        assert_eq!((limits.max_bytes, limits.min_long_side, limits.min_short_side), (10_000_000, 800, 600));
        assert_eq!((limits.min_duration.unwrap().seconds, limits.max_duration.unwrap().seconds), (5, 10));
        assert_eq!((limits.max_sampled_frames, limits.codecs), (64, vec!["H264".to_owned()]));
    }

    #[test]
    fn limits_name_the_media_types() {
        let limits = frame_limits(&FrameLimits::default());
        assert_eq!(limits.max_image_bytes, FrameLimits::default().max_bytes);
        assert_eq!(limits.media_types, ["image/jpeg", "image/png", "image/webp"]);
    }
}
