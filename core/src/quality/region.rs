//! The light on a face: a small grey picture of its inner part and what is counted in it.

use std::sync::LazyLock;

use crate::{
    face::{
        Face, Rect,
        pixels::{Pixels, luma_cells},
    },
    frame::Frame,
};

/// Cells along the longer side at most: as many as the largest crop of a liveness or embedding model has pixels there, so
/// that what the measures see is what the models see.
const MAX_SIDE: f32 = 112.0;

/// The part of the box that is face, not hair or background: from each side.
const INSET_X: f32 = 0.15;
/// From the top, where hair and foreheads' fringes are.
const INSET_TOP: f32 = 0.2;
/// From the bottom, where the neck begins.
const INSET_BOTTOM: f32 = 0.08;

/// A small grey picture of the inner part of a face, and the histogram of its luminance.
#[derive(Debug, Clone, PartialEq)]
pub struct FaceRegion {
    columns: usize,
    /// Luma of gamma-coded samples, row-major, 0..=255.
    luma: Vec<f32>,
    /// How many cells have each luminance, 0..=255 in linear light as ISO/IEC 29794-5 has it.
    histogram: [u32; 256],
}

impl FaceRegion {
    /// Cuts the inner part of a face out, averaged to at most 112 cells a side; `None` where it lies outside the frame.
    pub fn of(frame: &Frame, face: &Face) -> Option<Self> {
        let Rect { x, y, width, height } = face.bbox;
        let inner = Rect {
            x: x + INSET_X * width,
            y: y + INSET_TOP * height,
            width: (1.0 - 2.0 * INSET_X) * width,
            height: (1.0 - INSET_TOP - INSET_BOTTOM) * height,
        };
        let pixels = Pixels::of(frame)?;
        let region = pixels.region(inner)?;
        let (w, h) = (region.width as f32, region.height as f32);
        let shrink = (MAX_SIDE / w.max(h)).min(1.0);
        let cells = |length: f32| ((length * shrink).round() as usize).max(1);
        let rect = Rect { x: region.x as f32, y: region.y as f32, width: w, height: h };
        let (columns, rows) = (cells(w), cells(h));
        let mut luma = Vec::with_capacity(columns * rows);
        luma_cells(pixels, rect, columns, rows, &mut luma);
        Some(Self::from_luma(columns, luma))
    }

    fn from_luma(columns: usize, luma: Vec<f32>) -> Self {
        let mut histogram = [0; 256];
        for value in &luma {
            let linear = LINEAR.get((value + 0.5) as usize).copied().unwrap_or(u8::MAX);
            if let Some(count) = histogram.get_mut(usize::from(linear)) {
                *count += 1;
            }
        }
        Self { columns, luma, histogram }
    }

    /// The mean luminance, 0..=1 in linear light.
    pub fn mean_luminance(&self) -> f32 {
        let sum: f64 = self.histogram.iter().zip(0_u32..).map(|(&n, level)| f64::from(n) * f64::from(level)).sum();
        (sum / self.luma.len() as f64 / 255.0) as f32
    }

    /// The part of the face whose luminance lies in a range of levels, 0..=1.
    pub fn share(&self, levels: std::ops::RangeInclusive<usize>) -> f32 {
        let count: u32 = self.histogram.get(levels).unwrap_or_default().iter().sum();
        count as f32 / self.luma.len() as f32
    }

    /// The entropy of the luminance histogram, 0..=8 bits.
    pub fn entropy(&self) -> f32 {
        let total = self.luma.len() as f64;
        let shares = self.histogram.iter().filter(|&&count| count > 0).map(|&count| f64::from(count) / total);
        // `0 - x` rather than `-x`: a flat picture has an entropy of 0, not of -0.
        (0.0 - shares.map(|share| share * share.log2()).sum::<f64>()) as f32
    }

    /// The standard deviation of the luma, and of its Laplacian (the 4-neighbour kernel), in levels. `None` where there are
    /// fewer than 3x3 cells.
    pub fn deviations(&self) -> Option<(f32, f32)> {
        let rows: Vec<&[f32]> = self.luma.chunks_exact(self.columns).collect();
        let (mut sum, mut squares, mut count) = (0.0_f64, 0.0_f64, 0_u32);
        for window in rows.windows(3) {
            let &[above, here, below] = window else { continue };
            let lines = above.iter().skip(1).zip(below.iter().skip(1)).zip(here.windows(3));
            for ((up, down), middle) in lines {
                let &[left, centre, right] = middle else { continue };
                let value = f64::from(up + down + left + right - 4.0 * centre);
                (sum, squares, count) = (sum + value, squares + value * value, count + 1);
            }
        }
        if count == 0 {
            return None;
        }
        let deviation = |sum: f64, squares: f64, count: f64| {
            let mean = sum / count;
            (squares / count - mean * mean).max(0.0).sqrt() as f32
        };
        let (s, q) =
            self.luma.iter().fold((0.0, 0.0), |(s, q), &v| (s + f64::from(v), q + f64::from(v) * f64::from(v)));
        Some((deviation(s, q, self.luma.len() as f64), deviation(sum, squares, f64::from(count))))
    }
}

/// sRGB's gamma-coded levels in linear light (IEC 61966-2-1), both 0..=255. OFIQ linearises each channel before it weighs
/// them; here the weighed luma is linearised, which differs by a few levels on strongly coloured skin and costs a third.
static LINEAR: LazyLock<[u8; 256]> = LazyLock::new(|| {
    std::array::from_fn(|level| {
        let coded = level as f64 / 255.0;
        let linear = if coded > 0.04045 { ((coded + 0.055) / 1.055).powf(2.4) } else { coded / 12.92 };
        (linear * 255.0 + 0.5) as u8
    })
});

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A region of 32x32 cells from a formula.
    pub(crate) fn painted(paint: impl Fn(usize, usize) -> f32) -> FaceRegion {
        let luma = (0..32 * 32).map(|i| paint(i % 32, i / 32)).collect();
        FaceRegion::from_luma(32, luma)
    }

    #[test]
    fn a_flat_region_has_no_contrast() {
        let region = painted(|_, _| 255.0);
        assert_eq!(region.mean_luminance(), 1.0);
        assert_eq!(region.entropy(), 0.0);
        assert_eq!(region.share(247..=255), 1.0);
        assert_eq!(region.deviations(), Some((0.0, 0.0)));
    }

    #[test]
    fn two_levels_are_one_bit_and_linear_light_is_darker_than_luma() {
        let region = painted(|x, _| if x < 16 { 0.0 } else { 128.0 });
        assert!((region.entropy() - 1.0).abs() < 1e-6);
        assert_eq!(region.share(0..=25), 0.5);
        // sRGB 128 is 55 of 255 in linear light.
        assert!((region.mean_luminance() - 55.0 / 255.0 / 2.0).abs() < 1e-6);
    }

    #[test]
    fn a_checkerboard_is_sharper_than_a_ramp() {
        let ramp = painted(|x, _| x as f32 * 8.0).deviations().unwrap();
        let board = painted(|x, y| if (x + y) % 2 == 0 { 0.0 } else { 200.0 }).deviations().unwrap();
        assert!(ramp.1 < 1e-3 && board.1 > 500.0, "{ramp:?} {board:?}");
    }

    #[test]
    fn too_few_cells_have_no_sharpness() {
        assert_eq!(FaceRegion::from_luma(2, vec![1.0; 8]).deviations(), None);
        assert_eq!(FaceRegion::from_luma(3, vec![1.0; 6]).deviations(), None);
    }

    #[test]
    fn a_face_outside_the_frame_has_no_region() {
        let frame = Frame::from_rgb(32, 32, vec![7; 32 * 32 * 3]).unwrap();
        let mut face = Face {
            bbox: Rect { x: 100.0, y: 0.0, width: 20.0, height: 20.0 },
            score: 1.0,
            landmarks: Default::default(),
        };
        assert!(FaceRegion::of(&frame, &face).is_none());
        face.bbox.x = 0.0;
        let region = FaceRegion::of(&frame, &face).unwrap();
        assert_eq!(region.share(0..=25), 1.0);
    }
}
