//! Why media was refused.

/// Why media was refused. The message names what was wrong and, where there is one, the limit and what came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// No bytes at all.
    #[error("the media is empty")]
    Empty,
    /// More bytes than allowed.
    #[error("the media has {actual} bytes; the limit is {limit}")]
    TooManyBytes {
        /// Allowed.
        limit: u64,
        /// Given.
        actual: u64,
    },
    /// A side longer than allowed.
    #[error("the image is {width}x{height}; the limit is {limit} pixels along a side")]
    TooLarge {
        /// Allowed along either side.
        limit: u32,
        /// Width as declared.
        width: u32,
        /// Height as declared.
        height: u32,
    },
    /// More pixels than allowed.
    #[error("the image is {width}x{height}, {actual} pixels; the limit is {limit}")]
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
    /// A side shorter than any face could be seen in.
    #[error("the image is {width}x{height}; a side must have at least {limit} pixels")]
    TooSmall {
        /// Least allowed along either side.
        limit: u32,
        /// Width.
        width: u32,
        /// Height.
        height: u32,
    },
    /// The bytes are no format that is understood.
    #[error("the media is not one of image/jpeg, image/png, image/webp")]
    UnknownFormat,
    /// The declared media type is not one that is understood.
    #[error("the media type is not one of image/jpeg, image/png, image/webp")]
    UnsupportedMediaType,
    /// The bytes are of another format than declared.
    #[error("the media was declared as {declared} but its bytes are {actual}")]
    MediaTypeMismatch {
        /// As declared.
        declared: &'static str,
        /// As found.
        actual: &'static str,
    },
    /// The file is damaged, cut off, or uses a part of its format that is not accepted (an animation).
    #[error("the {format} data could not be decoded: {what}")]
    Undecodable {
        /// The media type.
        format: &'static str,
        /// What the decoder stumbled over; never image content.
        what: String,
    },
    /// The geometry of raw pixels does not fit their bytes.
    #[error("raw pixels: {0}")]
    BadGeometry(String),
}
