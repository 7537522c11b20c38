//! What media is accepted at the door.

use super::error::FrameError;

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

impl FrameLimits {
    /// Checks the size of an encoded image or of a raw buffer, before anything looks at it.
    ///
    /// # Errors
    /// [`FrameError::Empty`], [`FrameError::TooManyBytes`].
    pub fn check_bytes(&self, bytes: u64) -> Result<(), FrameError> {
        if bytes == 0 {
            return Err(FrameError::Empty);
        }
        if bytes > self.max_bytes {
            return Err(FrameError::TooManyBytes { limit: self.max_bytes, actual: bytes });
        }
        Ok(())
    }

    /// Checks the sides that a header or a raw layout declares, before memory for the pixels is taken.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`], [`FrameError::TooManyPixels`], [`FrameError::TooSmall`], in this order.
    pub fn check_dimensions(&self, width: u32, height: u32) -> Result<(), FrameError> {
        if width > self.max_dimension || height > self.max_dimension {
            return Err(FrameError::TooLarge { limit: self.max_dimension, width, height });
        }
        let actual = u64::from(width) * u64::from(height);
        if actual > self.max_pixels {
            return Err(FrameError::TooManyPixels { limit: self.max_pixels, actual, width, height });
        }
        // Zero is never a picture, whatever the limit says.
        let limit = self.min_dimension.max(1);
        if width < limit || height < limit {
            return Err(FrameError::TooSmall { limit, width, height });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_inclusive() {
        let limits = FrameLimits { max_bytes: 10, max_pixels: 600, max_dimension: 40, min_dimension: 10 };
        assert_eq!(limits.check_bytes(0), Err(FrameError::Empty));
        assert_eq!(limits.check_bytes(10), Ok(()));
        assert_eq!(limits.check_bytes(11), Err(FrameError::TooManyBytes { limit: 10, actual: 11 }));
        assert_eq!(limits.check_dimensions(40, 15), Ok(()));
        assert_eq!(limits.check_dimensions(10, 10), Ok(()));
        assert_eq!(limits.check_dimensions(41, 9), Err(FrameError::TooLarge { limit: 40, width: 41, height: 9 }));
        assert_eq!(
            limits.check_dimensions(40, 16),
            Err(FrameError::TooManyPixels { limit: 600, actual: 640, width: 40, height: 16 })
        );
        assert_eq!(limits.check_dimensions(9, 10), Err(FrameError::TooSmall { limit: 10, width: 9, height: 10 }));
    }

    #[test]
    fn nothing_by_nothing_is_refused_even_without_a_least_side() {
        let limits = FrameLimits { min_dimension: 0, ..FrameLimits::default() };
        assert!(matches!(limits.check_dimensions(0, 5), Err(FrameError::TooSmall { limit: 1, .. })));
    }
}
