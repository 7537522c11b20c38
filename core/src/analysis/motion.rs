//! The coarse grey picture by which a live view is told from a still image.

use super::{MOTION_SIDE, MotionPrint};
use crate::{
    face::{
        Face, Rect,
        pixels::{Pixels, luma_cells},
    },
    frame::Frame,
};

impl MotionPrint {
    /// The print of a face: the square of twice the box's longer side around the box's centre. Outside the frame the edge
    /// pixel repeats.
    pub fn of(frame: &Frame, face: &Face) -> Option<Self> {
        let Rect { x, y, width, height } = face.bbox;
        let side = 2.0 * width.max(height);
        let square = Rect { x: x + (width - side) / 2.0, y: y + (height - side) / 2.0, width: side, height: side };
        let mut cells = Vec::with_capacity(MOTION_SIDE * MOTION_SIDE);
        luma_cells(Pixels::of(frame)?, square, MOTION_SIDE, MOTION_SIDE, &mut cells);
        Some(Self { cells: cells.into_boxed_slice().try_into().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_print_is_of_the_face_and_its_surroundings() {
        // Left half black, right half white; a face whose box ends at the middle.
        let rgb = (0..64 * 64).flat_map(|i| [if i % 64 < 32 { 0 } else { 255 }; 3]).collect();
        let frame = Frame::from_rgb(64, 64, rgb).unwrap();
        let bbox = Rect { x: 24.0, y: 24.0, width: 16.0, height: 16.0 };
        let face = Face { bbox, score: 0.9, landmarks: Default::default() };
        let print = MotionPrint::of(&frame, &face).unwrap();
        let row = &print.cells[..MOTION_SIDE];
        assert!(row[..16].iter().all(|&cell| cell == 0.0) && row[16..].iter().all(|&cell| cell == 255.0));
    }

    #[test]
    fn a_face_at_the_edge_has_a_print_too() {
        let frame = Frame::from_rgb(32, 32, vec![90; 32 * 32 * 3]).unwrap();
        let bbox = Rect { x: -40.0, y: 20.0, width: 60.0, height: 60.0 };
        let print = MotionPrint::of(&frame, &Face { bbox, score: 0.9, landmarks: Default::default() }).unwrap();
        assert!(print.cells.iter().all(|&cell| (cell - 90.0).abs() < 0.01));
    }
}
