//! Why no video was made of pictures.

use std::time::Duration;

use crate::video::error::VideoError;

/// Why no video was made of pictures. Nothing of a picture is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The program cannot be used.
    #[error("videos are made of pictures by the ffmpeg program, which {why}")]
    NoProgram {
        /// Why, as the end of the sentence.
        why: String,
    },
    /// The program was built without one of the H.264 encoders that need no special hardware.
    #[error("the ffmpeg program has no software encoder for H.264: libx264 or libopenh264")]
    NoEncoder,
    /// Fewer than two pictures: no time passes in one.
    #[error("{actual} pictures make no video; it takes 2")]
    TooFew {
        /// Given.
        actual: usize,
    },
    /// A picture was not taken after the one before it.
    #[error("picture {index} was not taken after the one before it")]
    NotAscending {
        /// The place of the later one, from 0.
        index: usize,
    },
    /// Lasts longer than allowed.
    #[error("the pictures span {:.3} s; the limit is {:.3} s", .actual.as_secs_f64(), .limit.as_secs_f64())]
    TooLong {
        /// Allowed.
        limit: Duration,
        /// Given.
        actual: Duration,
    },
    /// Neither a JPEG nor a PNG with a header that can be read.
    #[error("picture {index} is no JPEG and no PNG")]
    NotAPicture {
        /// Its place, from 0.
        index: usize,
    },
    /// Not all of one type and size.
    #[error("the pictures are of several kinds: the first is {first}, picture {index} is {other}")]
    Mixed {
        /// Type and size of the first.
        first: String,
        /// The place of one that differs, from 0.
        index: usize,
        /// Its type and size.
        other: String,
    },
    /// A size that no video may have.
    #[error("a video of the pictures would not do: {0}")]
    Size(VideoError),
    /// The program failed, or made something other than what was asked for.
    #[error("ffmpeg made no video of the pictures: {what}")]
    Failed {
        /// What happened.
        what: String,
    },
    /// The program took longer than allowed.
    #[error("making a video took longer than the limit of {:.3} s", .limit.as_secs_f64())]
    TooSlow {
        /// Allowed.
        limit: Duration,
    },
    /// The video became larger than allowed.
    #[error("the video has more bytes than the limit of {limit}")]
    TooManyBytes {
        /// Allowed.
        limit: u64,
    },
}
