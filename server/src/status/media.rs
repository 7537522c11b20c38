//! Refused media: what was wrong with it, the limit and what came. Exhaustive, as everything here.

use std::time::Duration;

use lifesign_core::{frame::FrameError, video::VideoError};
use tonic::Code;

use super::shape::{QUOTA_RETRY, Shape};

pub(super) fn frame_shape(error: &FrameError) -> Shape {
    match error {
        FrameError::Empty => invalid("MEDIA_EMPTY"),
        FrameError::TooManyBytes { limit, actual } => invalid("MEDIA_TOO_LARGE").limit(limit, actual),
        FrameError::TooLarge { limit, width, height } => {
            invalid("IMAGE_SIDE_TOO_LONG").limit(limit, size(width, height))
        }
        FrameError::TooManyPixels { limit, actual, width, height } => {
            invalid("TOO_MANY_PIXELS").limit(limit, actual).meta("size", size(width, height))
        }
        FrameError::TooSmall { limit, width, height } => invalid("IMAGE_TOO_SMALL").limit(limit, size(width, height)),
        FrameError::UnknownFormat => invalid("MEDIA_FORMAT_UNKNOWN"),
        FrameError::UnsupportedMediaType => invalid("MEDIA_TYPE_UNSUPPORTED"),
        FrameError::MediaTypeMismatch { declared, actual } => {
            invalid("MEDIA_TYPE_MISMATCH").meta("declared", declared).meta("actual", actual)
        }
        FrameError::Undecodable { format, .. } => invalid("MEDIA_UNDECODABLE").meta("format", format),
        FrameError::BadGeometry(_) => invalid("RAW_GEOMETRY"),
    }
}

pub(super) fn video_shape(error: &VideoError) -> Shape {
    match error {
        VideoError::Empty => invalid("MEDIA_EMPTY"),
        VideoError::TooManyBytes { limit, actual } => invalid("MEDIA_TOO_LARGE").limit(limit, actual),
        VideoError::TooShort { limit, actual } => seconds(invalid("VIDEO_TOO_SHORT"), *limit, *actual),
        VideoError::TooLong { limit, actual } => seconds(invalid("VIDEO_TOO_LONG"), *limit, *actual),
        VideoError::TooSmall { long, short, width, height } => {
            invalid("VIDEO_TOO_SMALL").limit(size(long, short), size(width, height))
        }
        VideoError::TooLarge { limit, width, height } => {
            invalid("VIDEO_SIDE_TOO_LONG").limit(limit, size(width, height))
        }
        VideoError::TooManyPixels { limit, actual, width, height } => {
            invalid("TOO_MANY_PIXELS").limit(limit, actual).meta("size", size(width, height))
        }
        VideoError::TooManyFrames { limit, actual } => invalid("TOO_MANY_FRAMES").limit(limit, actual),
        VideoError::TooSlow { limit } => {
            invalid("VIDEO_DECODE_TOO_SLOW").meta("limit", in_seconds(*limit)).meta("unit", "s")
        }
        VideoError::UnknownContainer => invalid("MEDIA_FORMAT_UNKNOWN"),
        VideoError::UnsupportedMediaType => invalid("MEDIA_TYPE_UNSUPPORTED"),
        VideoError::MediaTypeMismatch { declared, actual } => {
            invalid("MEDIA_TYPE_MISMATCH").meta("declared", declared).meta("actual", actual)
        }
        VideoError::NoVideoTrack { format } => invalid("VIDEO_NO_TRACK").meta("format", format),
        VideoError::NoFrames { format } => invalid("VIDEO_NO_FRAMES").meta("format", format),
        VideoError::Truncated { format, needed, actual, .. } => {
            invalid("VIDEO_TRUNCATED").meta("format", format).meta("needed", needed).meta("actual", actual)
        }
        VideoError::Damaged { format, .. } => invalid("MEDIA_UNDECODABLE").meta("format", format),
        VideoError::Unsupported { format, .. } => invalid("VIDEO_UNSUPPORTED").meta("format", format),
        VideoError::NoDecoder { codec, .. } => invalid("VIDEO_CODEC_UNSUPPORTED").meta("codec", codec),
        VideoError::Undecodable { codec, .. } => invalid("MEDIA_UNDECODABLE").meta("codec", codec),
        // This machine's fault, and perhaps not that of the next attempt.
        VideoError::Decoder { .. } => Shape::new(Code::Unavailable, "VIDEO_DECODER_FAILED").retry(QUOTA_RETRY),
    }
}

fn invalid(reason: &'static str) -> Shape {
    Shape::new(Code::InvalidArgument, reason)
}

fn size(width: &u32, height: &u32) -> String {
    format!("{width}x{height}")
}

fn seconds(shape: Shape, limit: Duration, actual: Duration) -> Shape {
    shape.limit(in_seconds(limit), in_seconds(actual)).meta("unit", "s")
}

fn in_seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}
