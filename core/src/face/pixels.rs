//! A borrowed picture and the luma of its pixels.

use super::Rect;
use crate::frame::Frame;

/// One RGB pixel.
pub(crate) type Rgb = [u8; 3];

/// A borrowed picture: RGB, 8 bits, tightly packed rows, never empty.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pixels<'a> {
    width: usize,
    height: usize,
    pixels: &'a [Rgb],
}

/// A rectangle of whole pixels inside a picture, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    /// First column.
    pub(crate) x: usize,
    /// First row.
    pub(crate) y: usize,
    /// Columns.
    pub(crate) width: usize,
    /// Rows.
    pub(crate) height: usize,
}

impl<'a> Pixels<'a> {
    /// `None` where the samples don't fill `width` x `height` pixels exactly, or there are none.
    pub(crate) fn new(width: usize, height: usize, samples: &'a [u8]) -> Option<Self> {
        let (pixels, rest) = samples.as_chunks::<3>();
        (rest.is_empty() && !pixels.is_empty() && pixels.len() == width * height).then_some(Self {
            width,
            height,
            pixels,
        })
    }

    /// The picture of a frame. `None` only where a frame is empty, which its constructors rule out.
    pub(crate) fn of(frame: &'a Frame) -> Option<Self> {
        Self::new(frame.width() as usize, frame.height() as usize, frame.rgb())
    }

    /// Columns.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub(crate) fn height(&self) -> usize {
        self.height
    }

    /// The whole picture.
    pub(crate) fn whole(&self) -> Region {
        Region { x: 0, y: 0, width: self.width, height: self.height }
    }

    /// A row's pixels; empty past the last row.
    pub(crate) fn row(&self, y: usize) -> &'a [Rgb] {
        self.pixels.get(y * self.width..(y + 1) * self.width).unwrap_or_default()
    }

    /// The part of a row that lies in a region; empty where the region reaches outside.
    pub(crate) fn row_of(&self, region: Region, y: usize) -> &'a [Rgb] {
        self.row(region.y + y).get(region.x..region.x + region.width).unwrap_or_default()
    }

    /// The pixel at a place, the nearest edge pixel for a place outside.
    pub(crate) fn clamped(&self, x: i64, y: i64) -> Rgb {
        let x = x.clamp(0, self.width as i64 - 1) as usize;
        let y = y.clamp(0, self.height as i64 - 1) as usize;
        self.pixels.get(y * self.width + x).copied().unwrap_or_default()
    }

    /// The pixel at a place, black outside.
    pub(crate) fn or_black(&self, x: i64, y: i64) -> Rgb {
        if x < 0 || y < 0 || x >= self.width as i64 || y >= self.height as i64 {
            return Rgb::default();
        }
        self.pixels.get(y as usize * self.width + x as usize).copied().unwrap_or_default()
    }

    /// The whole pixels of a rectangle that lie inside the picture; `None` where there are none.
    pub(crate) fn region(&self, rect: Rect) -> Option<Region> {
        let span = |from: f32, length: f32, limit: usize| {
            let first = from.max(0.0) as usize;
            let last = (from + length).ceil().clamp(0.0, limit as f32) as usize;
            (first < last).then(|| (first, last - first))
        };
        let (x, width) = span(rect.x, rect.width, self.width)?;
        let (y, height) = span(rect.y, rect.height, self.height)?;
        Some(Region { x, y, width, height })
    }
}

/// Luma of gamma-coded samples, 0..=255, with the weights of ITU-R BT.709 in 16-bit fixed point. They add up to 65536, so
/// that white stays 255.
pub(crate) fn luma(pixel: Rgb) -> u32 {
    let [r, g, b] = pixel.map(u32::from);
    13933 * r + 46871 * g + 4732 * b
}

/// The scale of [`luma`]'s fixed point.
pub(crate) const LUMA_ONE: f32 = 65536.0;

/// Area-averaged luma, 0..=255, of a square grid of cells laid over a rectangle, row-major. The rectangle may reach outside
/// the picture, where the edge pixel repeats. At most `SAMPLES`² evenly spaced pixels of a cell are looked at, so that the
/// cost does not grow with the picture.
pub(crate) fn luma_cells(pixels: Pixels<'_>, rect: Rect, columns: usize, rows: usize, cells: &mut Vec<f32>) {
    const SAMPLES: usize = 6;
    let line = |from: f32, length: f32, cells: usize, limit: usize| -> (usize, Vec<usize>) {
        let step = f64::from(length) / cells as f64;
        let each = (step.ceil().max(1.0) as usize).min(SAMPLES);
        let places = (0..cells * each)
            .map(|i| (f64::from(from) + (i as f64 + 0.5) * step / each as f64).clamp(0.0, limit as f64 - 1.0) as usize)
            .collect();
        (each, places)
    };
    let (per_row, ys) = line(rect.y, rect.height, rows, pixels.height);
    let (per_column, xs) = line(rect.x, rect.width, columns, pixels.width);
    cells.clear();
    let mut sums = vec![0.0_f32; columns];
    let scale = 1.0 / (LUMA_ONE * (per_row * per_column) as f32);
    for band in ys.chunks_exact(per_row) {
        sums.fill(0.0);
        for &y in band {
            let row = pixels.row(y);
            for (sum, places) in sums.iter_mut().zip(xs.chunks_exact(per_column)) {
                // Six samples of 24 bits stay far below 2^32.
                let total: u32 = places.iter().filter_map(|&x| row.get(x)).map(|&pixel| luma(pixel)).sum();
                *sum += total as f32;
            }
        }
        cells.extend(sums.iter().map(|sum| sum * scale));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_must_fill_the_picture() {
        assert!(Pixels::new(2, 1, &[0; 6]).is_some());
        assert!(Pixels::new(2, 1, &[0; 7]).is_none());
        assert!(Pixels::new(2, 2, &[0; 6]).is_none());
        assert!(Pixels::new(0, 0, &[]).is_none());
    }

    #[test]
    fn white_has_luma_255_and_cells_average_areas() {
        let mut samples = vec![255_u8; 4 * 4 * 3];
        samples[..4 * 2 * 3].fill(0);
        let pixels = Pixels::new(4, 4, &samples).unwrap();
        let mut cells = Vec::new();
        luma_cells(pixels, Rect { x: 0.0, y: 0.0, width: 4.0, height: 4.0 }, 2, 2, &mut cells);
        assert_eq!(cells, [0.0, 0.0, 255.0, 255.0]);
        luma_cells(pixels, Rect { x: 0.0, y: 0.0, width: 4.0, height: 4.0 }, 1, 1, &mut cells);
        assert_eq!(cells, [127.5]);
    }

    #[test]
    fn cells_outside_repeat_the_edge() {
        let samples: Vec<u8> = (0..2 * 2).flat_map(|i| [i * 10; 3]).collect();
        let pixels = Pixels::new(2, 2, &samples).unwrap();
        let mut cells = Vec::new();
        luma_cells(pixels, Rect { x: -2.0, y: -2.0, width: 2.0, height: 2.0 }, 1, 1, &mut cells);
        assert_eq!(cells, [0.0]);
        luma_cells(pixels, Rect { x: 5.0, y: 5.0, width: 3.0, height: 3.0 }, 1, 1, &mut cells);
        assert!((cells[0] - 30.0).abs() < 1e-3);
    }

    #[test]
    fn a_region_is_cut_at_the_edges() {
        let samples = [0; 10 * 8 * 3];
        let pixels = Pixels::new(10, 8, &samples).unwrap();
        let region = pixels.region(Rect { x: -3.0, y: 2.2, width: 5.5, height: 100.0 }).unwrap();
        assert_eq!(region, Region { x: 0, y: 2, width: 3, height: 6 });
        assert!(pixels.region(Rect { x: 20.0, y: 0.0, width: 5.0, height: 5.0 }).is_none());
    }
}
