//! Pictures as they arrive, and the one form in which the rest of the core sees them.

use std::sync::Arc;

/// Why media was refused. The message names what was wrong and, where there is one, the limit and what came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
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
    /// The file is damaged or cut off.
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

/// What is accepted at the door. All of it settable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FrameLimits {
    /// Bytes of one encoded image or raw buffer.
    pub max_bytes: u64,
    /// Pixels of one image.
    pub max_pixels: u64,
    /// Pixels along either side.
    pub max_dimension: u32,
    /// Least pixels along either side.
    pub min_dimension: u32,
}

impl Default for FrameLimits {
    /// 10 MiB (the largest upload a vendor's page allows is FPT.AI's 10 MB), 25 megapixels and 8192 pixels a side (a
    /// phone's 24-megapixel photograph fits), 16 pixels at least (a face needs more; below it decoders are only exercised).
    fn default() -> Self {
        Self { max_bytes: 10 << 20, max_pixels: 25_000_000, max_dimension: 8192, min_dimension: 16 }
    }
}

/// Encoded formats that are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// image/jpeg
    Jpeg,
    /// image/png
    Png,
    /// image/webp
    Webp,
}

impl MediaType {
    /// All of them.
    pub const ALL: [MediaType; 3] = [MediaType::Jpeg, MediaType::Png, MediaType::Webp];

    /// The IANA name.
    pub const fn name(self) -> &'static str {
        match self {
            MediaType::Jpeg => "image/jpeg",
            MediaType::Png => "image/png",
            MediaType::Webp => "image/webp",
        }
    }
}

/// Pixel layouts as cameras deliver them, 8 bits a sample. YUV is BT.601, full range, as Android and JFIF have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// R, G, B.
    Rgb8,
    /// R, G, B, A.
    Rgba8,
    /// B, G, R, A.
    Bgra8,
    /// Y plane, then interleaved V, U at half size.
    Nv21,
    /// Y plane, then U, then V at half size.
    I420,
    /// Luma only.
    Gray8,
}

/// The clockwise turn that makes a picture upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Rotation {
    /// None.
    #[default]
    Deg0,
    /// A quarter turn clockwise.
    Deg90,
    /// Half a turn.
    Deg180,
    /// A quarter turn counter-clockwise.
    Deg270,
}

/// How to read a buffer of uncompressed pixels. Sizes are those before rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawLayout {
    /// The layout of samples.
    pub format: PixelFormat,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes from row to row of the first plane; 0 = tightly packed. NV21's chroma plane uses the same stride, I420's
    /// chroma planes use half of it, rounded up.
    pub stride: u32,
    /// The turn that makes it upright.
    pub rotation: Rotation,
    /// Whether the upright picture is mirrored left to right; it is mirrored back.
    pub mirrored: bool,
}

/// An upright picture: RGB, 8 bits, tightly packed rows. Cloning shares the pixels.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    width: u32,
    height: u32,
    rgb: Arc<[u8]>,
}
