//! A decoded picture of a video, turned upright.

use super::{
    Frame,
    error::FrameError,
    orient::{self, RGB, Turn},
    yuv::{self, Coding},
};

/// A 4:2:0 picture in three planes, as a video decoder hands it out. The sides are those before the turn; a chroma plane
/// has half of each, rounded up.
#[derive(Clone, Copy)]
pub(crate) struct Picture<'a> {
    /// Pixels in a row.
    pub(crate) width: u32,
    /// Rows.
    pub(crate) height: u32,
    /// Y, U and V.
    pub(crate) planes: [&'a [u8]; 3],
    /// Bytes from row to row of each plane.
    pub(crate) strides: [usize; 3],
    /// What its samples mean.
    pub(crate) coding: Coding,
    /// Makes it upright.
    pub(crate) turn: Turn,
}

impl Frame {
    /// Converts a decoded picture. The caller has checked its sides against its limits.
    ///
    /// # Errors
    /// [`FrameError::BadGeometry`] where a side is 0 or a plane is too small for the sides.
    pub(crate) fn from_picture<'a>(picture: &Picture<'a>) -> Result<Self, FrameError> {
        let Picture { width, height, planes: [luma, u, v], strides, coding, turn } = *picture;
        let (columns, rows) = (width as usize, height as usize);
        let needed =
            [(columns, rows), (columns.div_ceil(2), rows.div_ceil(2)), (columns.div_ceil(2), rows.div_ceil(2))];
        for ((plane, stride), (row, count)) in [luma, u, v].into_iter().zip(strides).zip(needed) {
            // Every row is whole; the last one's padding may be missing.
            let least = stride.checked_mul(count.saturating_sub(1)).and_then(|all| all.checked_add(row));
            if row == 0 || count == 0 || stride < row || least.is_none_or(|least| plane.len() < least) {
                return Err(FrameError::BadGeometry(format!(
                    "a plane of {} bytes with a stride of {stride} does not fit {width}x{height}",
                    plane.len()
                )));
            }
        }
        let [luma_stride, u_stride, v_stride] = strides;
        let twice = |plane: &'a [u8], stride: usize| plane.chunks(stride).flat_map(|row| [row, row]);
        let chroma = twice(u, u_stride).zip(twice(v, v_stride));
        let source = luma.chunks(luma_stride).zip(chroma);
        let rgb = orient::assemble(width, height, turn, source, |(luma, (u, v)), row| {
            yuv::planar_row(coding, luma, u, v, row);
        });
        let (width, height) = turn.size(width, height);
        Frame::from_rgb(width, height, rgb)
    }

    /// Turns RGB rows, `width * height * 3` bytes, upright.
    ///
    /// # Errors
    /// [`FrameError::BadGeometry`] where a side is 0 or the bytes are not as many as the sides say.
    pub(crate) fn from_rgb_turned(width: u32, height: u32, turn: Turn, rgb: Vec<u8>) -> Result<Self, FrameError> {
        let frame = Frame::from_rgb(width, height, rgb)?;
        if turn == Turn::default() {
            return Ok(frame);
        }
        let source = frame.rgb().chunks_exact(width as usize * RGB);
        let turned = orient::assemble(width, height, turn, source, |source: &[u8], row| row.copy_from_slice(source));
        let (width, height) = turn.size(width, height);
        Frame::from_rgb(width, height, turned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameLimits, PixelFormat, RawLayout, Rotation};

    /// The same planes as one camera buffer: both ways give the same frame.
    #[test]
    fn planes_apart_are_read_as_planes_together() {
        let limits = FrameLimits { min_dimension: 1, ..FrameLimits::default() };
        for (width, height) in [(1_u32, 1_u32), (5, 3), (4, 6), (17, 2)] {
            let (stride, chroma) = (width as usize, width.div_ceil(2) as usize);
            let (rows, chroma_rows) = (height as usize, height.div_ceil(2) as usize);
            let buffer: Vec<u8> =
                (0..stride * rows + 2 * chroma * chroma_rows).map(|index| (index * 37 % 251) as u8).collect();
            let (luma, rest) = buffer.split_at(stride * rows);
            let (u, v) = rest.split_at(chroma * chroma_rows);
            for (rotation, turn) in [
                (Rotation::Deg0, Turn::default()),
                (Rotation::Deg90, Turn { transpose: true, flip_x: true, flip_y: false }),
            ] {
                let layout =
                    RawLayout { format: PixelFormat::I420, width, height, stride: 0, rotation, mirrored: false };
                let picture = Picture {
                    width,
                    height,
                    planes: [luma, u, v],
                    strides: [stride, chroma, chroma],
                    coding: Coding::JFIF,
                    turn,
                };
                assert_eq!(
                    Frame::from_picture(&picture).unwrap(),
                    Frame::from_raw(&buffer, &layout, &limits).unwrap(),
                    "{width}x{height} {rotation:?}"
                );
            }
        }
    }

    #[test]
    fn planes_that_are_too_small_are_refused() {
        let whole = Picture {
            width: 4,
            height: 4,
            planes: [&[0; 28], &[0; 6], &[0; 6]],
            strides: [8, 4, 4],
            coding: Coding::JFIF,
            turn: Turn::default(),
        };
        assert!(Frame::from_picture(&whole).is_ok());
        let wrong = [
            Picture { planes: [&[0; 27], &[0; 6], &[0; 6]], ..whole },
            Picture { planes: [&[0; 28], &[0; 6], &[0; 5]], ..whole },
            Picture { strides: [3, 4, 4], ..whole },
            Picture { strides: [8, 0, 4], ..whole },
            Picture { strides: [usize::MAX, 4, 4], ..whole },
            Picture { width: 0, ..whole },
            Picture { height: 0, ..whole },
        ];
        for picture in wrong {
            assert!(matches!(Frame::from_picture(&picture), Err(FrameError::BadGeometry(_))));
        }
    }

    #[test]
    fn rgb_is_turned() {
        let turn = Turn { transpose: true, flip_x: true, flip_y: false };
        let frame = Frame::from_rgb_turned(2, 1, turn, vec![1, 1, 1, 2, 2, 2]).unwrap();
        assert_eq!((frame.width(), frame.height(), frame.rgb()), (1, 2, [1, 1, 1, 2, 2, 2].as_slice()));
        assert!(Frame::from_rgb_turned(2, 2, turn, vec![0; 6]).is_err());
    }
}
