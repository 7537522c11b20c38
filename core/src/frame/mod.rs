//! Pictures as they arrive, and the one form in which the rest of the core sees them.
//!
//! Whatever comes (JPEG, PNG, WebP, a camera's raw pixels) is checked against [`FrameLimits`] before memory is taken for
//! its pixels, decoded once, turned upright, and is a [`Frame`] from then on.

mod decode;
mod error;
mod jpeg;
mod limits;
mod media_type;
mod orient;
#[cfg(feature = "video")]
mod picture;
mod png;
mod raw;
mod webp;
mod yuv;

use std::{fmt, sync::Arc};

pub use self::{
    error::FrameError,
    limits::FrameLimits,
    media_type::MediaType,
    raw::{PixelFormat, RawLayout, Rotation},
};
#[cfg(feature = "video")]
pub(crate) use self::{orient::Turn, picture::Picture, yuv::Coding};

/// An upright picture: RGB, 8 bits, tightly packed rows. Cloning shares the pixels.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    width: u32,
    height: u32,
    // A `Vec` inside, because making an `Arc<[u8]>` of the decoder's buffer would copy every pixel.
    rgb: Arc<Vec<u8>>,
}

impl Frame {
    /// Takes pixels that are upright RGB already: `width * height * 3` bytes, row by row from the top, each pixel R, G, B.
    ///
    /// # Errors
    /// [`FrameError::BadGeometry`] where a side is 0 or the bytes are not as many as the sides say.
    pub fn from_rgb(width: u32, height: u32, rgb: Vec<u8>) -> Result<Self, FrameError> {
        let expected = u64::from(width) * u64::from(height);
        let expected = expected.checked_mul(orient::RGB as u64);
        if width == 0 || height == 0 || expected != Some(rgb.len() as u64) {
            return Err(FrameError::BadGeometry(format!("{width}x{height} does not fit {} bytes of RGB", rgb.len())));
        }
        Ok(Self { width, height, rgb: Arc::new(rgb) })
    }

    /// Pixels in a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels: `width * height * 3` bytes, row by row from the top, each pixel R, G, B.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }
}

impl fmt::Debug for Frame {
    /// The size only: pixels of a person never reach a log.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Frame")
            .field("width", &self.width)
            .field("height", &self.height)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rgb_must_fit_its_size() {
        assert!(Frame::from_rgb(2, 1, vec![0; 6]).is_ok());
        for (width, height, bytes) in [(2, 1, 5), (2, 1, 7), (0, 1, 0), (1, 0, 0), (0, 0, 0), (u32::MAX, u32::MAX, 3)] {
            assert!(matches!(Frame::from_rgb(width, height, vec![0; bytes]), Err(FrameError::BadGeometry(_))));
        }
    }

    #[test]
    fn debug_shows_no_pixel() {
        let frame = Frame::from_rgb(2, 1, vec![201; 6]).unwrap();
        assert_eq!(format!("{frame:?}"), "Frame { width: 2, height: 1, .. }");
    }

    #[test]
    fn clones_share_the_pixels() {
        let frame = Frame::from_rgb(2, 1, vec![7; 6]).unwrap();
        assert!(std::ptr::eq(frame.rgb(), frame.clone().rgb()));
    }
}
