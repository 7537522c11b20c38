//! Uncompressed pixels as cameras deliver them, converted once into upright RGB.

use super::{
    Frame,
    error::FrameError,
    limits::FrameLimits,
    orient::{self, RGB, Turn},
    yuv,
};

/// Pixel layouts as cameras deliver them, 8 bits a sample. YUV is BT.601, full range, as Android and JFIF have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// R, G, B.
    Rgb8,
    /// R, G, B, A. Alpha is ignored.
    Rgba8,
    /// B, G, R, A. Alpha is ignored.
    Bgra8,
    /// Y plane, then interleaved V, U at half size, rounded up.
    Nv21,
    /// Y plane, then U, then V at half size, rounded up.
    I420,
    /// Luma only.
    Gray8,
}

impl PixelFormat {
    /// All of them.
    pub const ALL: [PixelFormat; 6] = [
        PixelFormat::Rgb8,
        PixelFormat::Rgba8,
        PixelFormat::Bgra8,
        PixelFormat::Nv21,
        PixelFormat::I420,
        PixelFormat::Gray8,
    ];

    /// Bytes from pixel to pixel in the first plane.
    pub const fn bytes_per_pixel(self) -> u32 {
        match self {
            PixelFormat::Rgb8 => 3,
            PixelFormat::Rgba8 | PixelFormat::Bgra8 => 4,
            PixelFormat::Nv21 | PixelFormat::I420 | PixelFormat::Gray8 => 1,
        }
    }
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

impl Rotation {
    /// All of them.
    pub const ALL: [Rotation; 4] = [Rotation::Deg0, Rotation::Deg90, Rotation::Deg180, Rotation::Deg270];
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
    /// Bytes from row to row of the first plane; 0 = tightly packed. NV21's chroma plane uses the same stride (one more
    /// where an odd one could not hold the last V, U pair), I420's chroma planes use half of it, rounded up.
    pub stride: u32,
    /// The turn that makes it upright.
    pub rotation: Rotation,
    /// Whether the upright picture is mirrored left to right; it is mirrored back.
    pub mirrored: bool,
}

impl RawLayout {
    /// First the rotation, then the mirror.
    fn turn(&self) -> Turn {
        let (transpose, flip_x, flip_y) = match self.rotation {
            Rotation::Deg0 => (false, false, false),
            Rotation::Deg90 => (true, true, false),
            Rotation::Deg180 => (false, true, true),
            Rotation::Deg270 => (true, false, true),
        };
        Turn { transpose, flip_x: flip_x != self.mirrored, flip_y }
    }
}

impl Frame {
    /// Converts uncompressed pixels into an upright frame. The buffer holds exactly what the layout says; only the
    /// padding after the very last row may be missing, as cameras leave it out.
    ///
    /// # Errors
    /// [`FrameError::Empty`], [`FrameError::TooManyBytes`], [`FrameError::TooLarge`], [`FrameError::TooManyPixels`],
    /// [`FrameError::TooSmall`] by the limits; [`FrameError::BadGeometry`] where the buffer does not fit the layout.
    pub fn from_raw(bytes: &[u8], layout: &RawLayout, limits: &FrameLimits) -> Result<Self, FrameError> {
        limits.check_bytes(bytes.len() as u64)?;
        limits.check_dimensions(layout.width, layout.height)?;
        let planes = Planes::split(bytes, layout)?;
        let (width, height, turn) = (layout.width, layout.height, layout.turn());
        let luma = planes.luma.chunks(planes.stride);
        let chroma_rows = |plane| rows_twice(plane, planes.chroma_stride);
        let rgb = match layout.format {
            PixelFormat::Rgb8 => orient::assemble(width, height, turn, luma, |source: &[u8], row| {
                row.iter_mut().zip(source).for_each(|(to, from)| *to = *from);
            }),
            PixelFormat::Rgba8 => orient::assemble(width, height, turn, luma, rgba_row),
            PixelFormat::Bgra8 => orient::assemble(width, height, turn, luma, |source: &[u8], row| {
                for (pixel, &[b, g, r, _]) in row.as_chunks_mut().0.iter_mut().zip(source.as_chunks().0) {
                    *pixel = [r, g, b];
                }
            }),
            PixelFormat::Gray8 => orient::assemble(width, height, turn, luma, grey_row),
            PixelFormat::Nv21 => {
                let rows = luma.zip(chroma_rows(planes.first_chroma));
                orient::assemble(width, height, turn, rows, |(luma, vu), row| yuv::nv21_row(luma, vu, row))
            }
            PixelFormat::I420 => {
                let chroma = chroma_rows(planes.first_chroma).zip(chroma_rows(planes.second_chroma));
                orient::assemble(width, height, turn, luma.zip(chroma), |(luma, (u, v)), row| {
                    yuv::i420_row(luma, u, v, row);
                })
            }
        };
        let (width, height) = turn.size(width, height);
        Frame::from_rgb(width, height, rgb)
    }
}

/// Writes a row whose three channels are one.
pub(crate) fn grey_row(source: &[u8], row: &mut [u8]) {
    for (pixel, &level) in row.as_chunks_mut().0.iter_mut().zip(source) {
        *pixel = [level; RGB];
    }
}

/// Writes a row from R, G, B, A; alpha is dropped.
pub(crate) fn rgba_row(source: &[u8], row: &mut [u8]) {
    for (pixel, &[r, g, b, _]) in row.as_chunks_mut().0.iter_mut().zip(source.as_chunks().0) {
        *pixel = [r, g, b];
    }
}

/// Each row of a half-height plane, twice.
fn rows_twice(plane: &[u8], stride: usize) -> impl Iterator<Item = &[u8]> {
    // A format without chroma has empty planes and a stride of 0, which `chunks` does not take.
    plane.chunks(stride.max(1)).flat_map(|row| [row, row])
}

/// A buffer cut into its planes. Every row of each is complete; only the last may lack its padding.
struct Planes<'a> {
    stride: usize,
    chroma_stride: usize,
    luma: &'a [u8],
    /// V, U of NV21, U of I420; else empty.
    first_chroma: &'a [u8],
    /// V of I420; else empty.
    second_chroma: &'a [u8],
}

impl<'a> Planes<'a> {
    fn split(bytes: &'a [u8], layout: &RawLayout) -> Result<Self, FrameError> {
        let format = layout.format;
        let (width, height) = (u64::from(layout.width), u64::from(layout.height));
        let row_bytes = width * u64::from(format.bytes_per_pixel());
        let stride = if layout.stride == 0 { row_bytes } else { u64::from(layout.stride) };
        if stride < row_bytes {
            return Err(FrameError::BadGeometry(format!(
                "a stride of {stride} bytes is too short for {width} pixels, which take {row_bytes}"
            )));
        }
        let half_width = width.div_ceil(2);
        let (chroma_row, chroma_stride, chroma_planes) = match format {
            PixelFormat::Nv21 => (2 * half_width, stride.max(2 * half_width), 1),
            PixelFormat::I420 => (half_width, stride.div_ceil(2), 2),
            PixelFormat::Rgb8 | PixelFormat::Rgba8 | PixelFormat::Bgra8 | PixelFormat::Gray8 => (0, 0, 0),
        };
        let (last_row, last_stride) =
            if chroma_planes == 0 { (row_bytes, stride) } else { (chroma_row, chroma_stride) };
        let sizes = || {
            let luma = stride.checked_mul(height)?;
            let chroma = chroma_stride.checked_mul(height.div_ceil(2))?;
            let padded = chroma.checked_mul(chroma_planes)?.checked_add(luma)?;
            Some((luma, chroma, padded - (last_stride - last_row), padded))
        };
        let actual = bytes.len() as u64;
        let too_big =
            || FrameError::BadGeometry(format!("{width}x{height} with a stride of {stride} is beyond counting"));
        let (luma, chroma, least, most) = sizes().ok_or_else(too_big)?;
        if !(least..=most).contains(&actual) {
            return Err(FrameError::BadGeometry(format!(
                "{width}x{height} {format:?} with a stride of {stride} takes {most} bytes ({least} without the last \
                 row's padding); {actual} came"
            )));
        }
        // Both sizes are at most `bytes.len()` but for the last plane's missing padding, so the casts are lossless.
        let (luma, rest) = bytes.split_at_checked(luma as usize).unwrap_or((bytes, &[]));
        let (first_chroma, second_chroma) = rest.split_at_checked(chroma as usize).unwrap_or((rest, &[]));
        Ok(Self { stride: stride as usize, chroma_stride: chroma_stride as usize, luma, first_chroma, second_chroma })
    }
}
