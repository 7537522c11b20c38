//! Why a video was refused.

use std::time::Duration;

/// Why a video was refused. The message names what was wrong, the limit and what came, and, where there is one, the
/// remedy. Nothing of the picture is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VideoError {
    /// No bytes at all.
    #[error("the video is empty")]
    Empty,
    /// More bytes than allowed.
    #[error("the video has {actual} bytes; the limit is {limit}")]
    TooManyBytes {
        /// Allowed.
        limit: u64,
        /// Given.
        actual: u64,
    },
    /// Over too soon.
    #[error("the video lasts {:.3} s; it must last at least {:.3} s", .actual.as_secs_f64(), .limit.as_secs_f64())]
    TooShort {
        /// Least allowed.
        limit: Duration,
        /// Given.
        actual: Duration,
    },
    /// Lasts longer than allowed.
    #[error("the video lasts {:.3} s; the limit is {:.3} s", .actual.as_secs_f64(), .limit.as_secs_f64())]
    TooLong {
        /// Allowed.
        limit: Duration,
        /// Given, or declared by the file's header.
        actual: Duration,
    },
    /// Fewer pixels than allowed.
    #[error("the video is {width}x{height}; its sides must have at least {long}x{short} pixels, either way round")]
    TooSmall {
        /// Least allowed along the longer side.
        long: u32,
        /// Least allowed along the shorter side.
        short: u32,
        /// Width as declared.
        width: u32,
        /// Height as declared.
        height: u32,
    },
    /// A side longer than allowed.
    #[error("the video is {width}x{height}; the limit is {limit} pixels along a side")]
    TooLarge {
        /// Allowed along either side.
        limit: u32,
        /// Width as declared.
        width: u32,
        /// Height as declared.
        height: u32,
    },
    /// More pixels in a frame than allowed.
    #[error("the video is {width}x{height}, {actual} pixels a frame; the limit is {limit}")]
    TooManyPixels {
        /// Allowed.
        limit: u64,
        /// Given.
        actual: u64,
        /// Width as declared.
        width: u32,
        /// Height as declared.
        height: u32,
    },
    /// More frames than allowed.
    #[error("the video has {actual} frames or more; the limit is {limit}")]
    TooManyFrames {
        /// Allowed.
        limit: u32,
        /// Counted so far.
        actual: u64,
    },
    /// Decoding took longer than allowed.
    #[error("decoding took longer than the limit of {:.3} s", .limit.as_secs_f64())]
    TooSlow {
        /// Allowed.
        limit: Duration,
    },
    /// The bytes are no container that is understood.
    #[error("the media is not one of video/mp4, video/quicktime, video/x-matroska, video/webm")]
    UnknownContainer,
    /// The declared media type is not one that is understood.
    #[error("the media type is not one of video/mp4, video/quicktime, video/x-matroska, video/webm")]
    UnsupportedMediaType,
    /// The bytes are of another family of containers than declared.
    #[error("the media was declared as {declared} but its bytes are {actual}")]
    MediaTypeMismatch {
        /// As declared.
        declared: &'static str,
        /// As found.
        actual: &'static str,
    },
    /// Nothing to see: audio only, or no track at all.
    #[error("the {format} file has no video track")]
    NoVideoTrack {
        /// The media type.
        format: &'static str,
    },
    /// A video track without a frame that is shown.
    #[error("the {format} file's video track has no frame to show")]
    NoFrames {
        /// The media type.
        format: &'static str,
    },
    /// The file ends before its data does.
    #[error("the {format} file is cut off: {what} ends at byte {needed}, the file at byte {actual}")]
    Truncated {
        /// The media type.
        format: &'static str,
        /// What is not whole.
        what: &'static str,
        /// Where it would end.
        needed: u64,
        /// Where the file ends.
        actual: u64,
    },
    /// The file contradicts itself or its format.
    #[error("the {format} file is damaged: {what}")]
    Damaged {
        /// The media type.
        format: &'static str,
        /// What is wrong; never picture content.
        what: String,
    },
    /// Well formed, but a part of its format that is not accepted.
    #[error("the {format} file is not supported: {what}")]
    Unsupported {
        /// The media type.
        format: &'static str,
        /// What it is, and what to send instead.
        what: String,
    },
    /// The codec needs the `ffmpeg` program, and there is none.
    #[error(
        "{codec} is decoded by the ffmpeg program, which {why}: install ffmpeg 5.1 or newer where the server runs, or send \
         H.264 with 8-bit 4:2:0 frames"
    )]
    NoDecoder {
        /// The codec, with its profile where that decides.
        codec: String,
        /// Why the program cannot be used.
        why: String,
    },
    /// The decoder stumbled.
    #[error("the {codec} track could not be decoded: {what}")]
    Undecodable {
        /// The codec.
        codec: String,
        /// What the decoder said; never picture content.
        what: String,
    },
    /// This machine failed, not the video: another attempt may succeed.
    #[error("the decoder failed: {what}")]
    Decoder {
        /// What failed.
        what: String,
    },
}
