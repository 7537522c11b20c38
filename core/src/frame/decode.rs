//! Bounded decoding: limits first, then a walk over the file's structure, then pixels.
//!
//! Each format has a file of its own with the same two steps. `inspect` walks the container without decoding: it checks
//! the declared size against the limits as soon as it is known, that the file is whole, and that it is no animation (a
//! camera's capture never is one, and which of its pictures would be judged is for nobody to guess). `decode` then runs
//! the decoder on a file whose memory is known. Alpha is dropped, not blended, as OpenCV's `imread` does.

use std::fmt::Display;

use super::{Frame, error::FrameError, jpeg, limits::FrameLimits, media_type::MediaType, png, webp};

/// What an error message may take of a decoder's own words.
const MAX_WHAT: usize = 160;

impl Frame {
    /// Decodes a JPEG, PNG or WebP file into an upright frame (Exif orientation applied). The format is told by the
    /// bytes; a declared type must agree with them.
    ///
    /// # Errors
    /// [`FrameError::Empty`], [`FrameError::TooManyBytes`], [`FrameError::TooLarge`], [`FrameError::TooManyPixels`],
    /// [`FrameError::TooSmall`] by the limits, before memory for pixels is taken; [`FrameError::UnknownFormat`],
    /// [`FrameError::MediaTypeMismatch`]; [`FrameError::Undecodable`] where the file is damaged, cut off or animated.
    pub fn decode(bytes: &[u8], declared: Option<MediaType>, limits: &FrameLimits) -> Result<Self, FrameError> {
        limits.check_bytes(bytes.len() as u64)?;
        let actual = MediaType::sniff(bytes).ok_or(FrameError::UnknownFormat)?;
        if let Some(declared) = declared
            && declared != actual
        {
            return Err(FrameError::MediaTypeMismatch { declared: declared.name(), actual: actual.name() });
        }
        match actual {
            MediaType::Jpeg => jpeg::decode(bytes, limits),
            MediaType::Png => png::decode(bytes, limits),
            MediaType::Webp => webp::decode(bytes, limits),
        }
    }
}

/// The error of a file that cannot be decoded. `what` is cut to a bounded length.
pub(super) fn undecodable(format: MediaType, what: impl Display) -> FrameError {
    let what: String = what.to_string().chars().take(MAX_WHAT).collect();
    FrameError::Undecodable { format: format.name(), what }
}

/// Reads a file's structure from front to back. What lies beyond its end is `None`.
#[derive(Debug, Clone)]
pub(super) struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walker<'a> {
    /// Starts at an offset.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The offset of the next byte.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    /// The next bytes.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// The next bytes as an array.
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.first_chunk().copied()
    }

    /// Skips to the next byte of this value, which is then the next to be read.
    pub(super) fn skip_to(&mut self, value: u8) -> Option<()> {
        self.at += memchr::memchr(value, self.bytes.get(self.at..)?)?;
        Some(())
    }
}
