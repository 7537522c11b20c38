//! Resizing and warping straight into a model's input tensor.
//!
//! Both are bilinear with half-pixel centres and no smoothing, in 32-bit floats with the operations in the order written
//! here: a difference of one level moved a borderline liveness score by 0.03, so the numbers must be the reference's to the
//! last bit. Resized samples are rounded half up to whole levels, as an 8-bit picture would hold them; warped ones are not.

use super::{
    pixels::{Pixels, Region, Rgb},
    planes::Planes,
};

/// Where one output column or row takes its value from: `first * (1 - weight) + second * weight`.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tap {
    first: usize,
    second: usize,
    weight: f32,
}

/// Row buffers and taps, kept from call to call.
#[derive(Debug, Default)]
pub(crate) struct Resizer {
    columns: Vec<Tap>,
    rows: Vec<Tap>,
    top: Line,
    bottom: Line,
}

/// One source row, interpolated along x: three planes of floats.
#[derive(Debug, Default)]
struct Line {
    /// The source row that it holds.
    source: Option<usize>,
    planes: [Vec<f32>; 3],
}

impl Resizer {
    /// Resizes a region of the picture to `width` x `height` and places it top left in the tensor. What lies right of it
    /// and below is left as it is.
    pub(crate) fn resize(&mut self, pixels: Pixels<'_>, region: Region, width: usize, height: usize, out: &mut Planes) {
        let (width, height) = (width.min(out.width()), height.min(out.height()));
        taps(region.width, width, &mut self.columns);
        taps(region.height, height, &mut self.rows);
        for line in [&mut self.top, &mut self.bottom] {
            line.source = None;
            line.planes.iter_mut().for_each(|plane| plane.resize(width, 0.0));
        }
        let plain = region.width == width;
        for (y, row) in self.rows.iter().enumerate() {
            if self.top.source != Some(row.first) {
                if self.bottom.source == Some(row.first) {
                    std::mem::swap(&mut self.top, &mut self.bottom);
                } else {
                    self.top.interpolate(pixels.row_of(region, row.first), row.first, &self.columns, plain);
                }
            }
            // With a weight of 0 the lower row adds exactly nothing: pictures scaled by whole odd factors skip it.
            let blend = row.weight != 0.0;
            if blend && self.bottom.source != Some(row.second) {
                self.bottom.interpolate(pixels.row_of(region, row.second), row.second, &self.columns, plain);
            }
            let lines = self.top.planes.iter().zip(&self.bottom.planes);
            for (target, (top, bottom)) in out.rgb_rows(y).into_iter().zip(lines) {
                if blend {
                    let weight = row.weight;
                    for ((value, &a), &b) in target.iter_mut().zip(top).zip(bottom) {
                        *value = round_half_up(a * (1.0 - weight) + b * weight);
                    }
                } else {
                    for (value, &a) in target.iter_mut().zip(top) {
                        *value = round_half_up(a);
                    }
                }
            }
            out.finish_row(y, width);
        }
    }
}

impl Line {
    fn interpolate(&mut self, row: &[Rgb], source: usize, columns: &[Tap], plain: bool) {
        self.source = Some(source);
        let [reds, greens, blues] = &mut self.planes;
        let targets = reds.iter_mut().zip(greens).zip(blues);
        if plain {
            for (((red, green), blue), pixel) in targets.zip(row) {
                let [r, g, b] = pixel.map(f32::from);
                (*red, *green, *blue) = (r, g, b);
            }
            return;
        }
        for (((red, green), blue), tap) in targets.zip(columns) {
            let (Some(a), Some(b)) = (row.get(tap.first), row.get(tap.second)) else { continue };
            let (far, near) = (tap.weight, 1.0 - tap.weight);
            let ([r0, g0, b0], [r1, g1, b1]) = (a.map(f32::from), b.map(f32::from));
            *red = r0 * near + r1 * far;
            *green = g0 * near + g1 * far;
            *blue = b0 * near + b1 * far;
        }
    }
}

/// `floor(x + 0.5)` for 0 <= x < 2^23, in operations that every processor has as vectors.
fn round_half_up(value: f32) -> f32 {
    (value + 0.5) as i32 as f32
}

/// Half-pixel centres, clamped to the edges; positions in 64 bits, weights in 32.
fn taps(from: usize, to: usize, taps: &mut Vec<Tap>) {
    taps.clear();
    let (scale, last) = (from as f64 / to as f64, from.saturating_sub(1));
    taps.extend((0..to).map(|i| {
        let place = ((i as f64 + 0.5) * scale - 0.5).clamp(0.0, last as f64);
        let first = place as usize;
        Tap { first, second: (first + 1).min(last), weight: (place - first as f64) as f32 }
    }));
}

/// What lies outside the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Border {
    /// Black.
    Zero,
    /// The nearest edge pixel.
    Replicate,
}

/// Maps output pixels to places in the picture: `x' = a*x + b*y + c` for each of the two rows `[a, b, c]`.
pub(crate) type Affine = [[f64; 3]; 2];

/// Fills the whole tensor with the picture seen through `map`.
pub(crate) fn warp(pixels: Pixels<'_>, map: &Affine, border: Border, out: &mut Planes) {
    let (width, height) = (out.width(), out.height());
    let (columns, rows) = (pixels.width() as i64, pixels.height() as i64);
    let [[ax, bx, cx], [ay, by, cy]] = *map;
    for y in 0..height {
        let (across, down) = (bx * y as f64, by * y as f64);
        let [reds, greens, blues] = out.rgb_rows(y);
        for (x, ((red, green), blue)) in reds.iter_mut().zip(greens).zip(blues).enumerate() {
            let (px, py) = (ax * x as f64 + across + cx, ay * x as f64 + down + cy);
            let (x0, y0) = (floor(px), floor(py));
            let (fx, fy) = ((px - x0 as f64) as f32, (py - y0 as f64) as f32);
            let inside = x0 >= 0 && y0 >= 0 && x0 + 1 < columns && y0 + 1 < rows;
            let (upper, lower) = if inside {
                (pair(pixels.row(y0 as usize), x0 as usize), pair(pixels.row(y0 as usize + 1), x0 as usize))
            } else {
                let at = |x, y| match border {
                    Border::Zero => pixels.or_black(x, y),
                    Border::Replicate => pixels.clamped(x, y),
                };
                ([at(x0, y0), at(x0 + 1, y0)], [at(x0, y0 + 1), at(x0 + 1, y0 + 1)])
            };
            let [top, bottom] = [upper, lower].map(|[a, b]| {
                let ([r0, g0, b0], [r1, g1, b1]) = (a.map(f32::from), b.map(f32::from));
                [r0 * (1.0 - fx) + r1 * fx, g0 * (1.0 - fx) + g1 * fx, b0 * (1.0 - fx) + b1 * fx]
            });
            let ([r0, g0, b0], [r1, g1, b1]) = (top, bottom);
            *red = r0 * (1.0 - fy) + r1 * fy;
            *green = g0 * (1.0 - fy) + g1 * fy;
            *blue = b0 * (1.0 - fy) + b1 * fy;
        }
        out.finish_row(y, width);
    }
}

fn pair(row: &[Rgb], x: usize) -> [Rgb; 2] {
    row.get(x..).and_then(|rest| rest.first_chunk::<2>()).copied().unwrap_or_default()
}

/// Rounds down; far outside it saturates well within the range in which a neighbour's index can still be computed.
fn floor(value: f64) -> i64 {
    let whole = value.clamp(-1e9, 1e9) as i64;
    whole - i64::from((whole as f64) > value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        face::planes::tests::spec,
        pack::{Colour, InputSpec},
    };

    fn planes(width: usize, height: usize) -> Planes {
        Planes::new(&spec(width, height, Colour::Rgb))
    }

    /// The formula of the reference, pixel by pixel, without any of the shortcuts.
    fn plain_resize(samples: &[u8], w: usize, h: usize, ow: usize, oh: usize) -> Vec<f32> {
        let axis = |i: usize, n: usize, on: usize| {
            let s = ((i as f64 + 0.5) * (n as f64 / on as f64) - 0.5).clamp(0.0, n as f64 - 1.0);
            let i0 = s.floor() as usize;
            (i0, (i0 + 1).min(n - 1), (s - i0 as f64) as f32)
        };
        let at = |x: usize, y: usize, c: usize| f32::from(samples[(y * w + x) * 3 + c]);
        let mut out = Vec::new();
        for c in 0..3 {
            for y in 0..oh {
                for x in 0..ow {
                    let ((x0, x1, fx), (y0, y1, fy)) = (axis(x, w, ow), axis(y, h, oh));
                    let top = at(x0, y0, c) * (1.0 - fx) + at(x1, y0, c) * fx;
                    let bottom = at(x0, y1, c) * (1.0 - fx) + at(x1, y1, c) * fx;
                    out.push((top * (1.0 - fy) + bottom * fy + 0.5).floor().clamp(0.0, 255.0));
                }
            }
        }
        out
    }

    fn noise(count: usize) -> Vec<u8> {
        (0..count as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    }

    #[test]
    fn resizing_equals_the_plain_formula_to_the_bit() {
        for (w, h, ow, oh) in
            [(7, 5, 7, 5), (9, 9, 3, 3), (7, 5, 20, 13), (64, 48, 17, 31), (5, 1, 3, 4), (30, 20, 15, 10)]
        {
            let samples = noise(w * h * 3);
            let pixels = Pixels::new(w, h, &samples).unwrap();
            let mut out = planes(ow, oh);
            let mut resizer = Resizer::default();
            // A second time, to see that nothing of the first is left in the buffers.
            for _ in 0..2 {
                resizer.resize(pixels, pixels.whole(), ow, oh, &mut out);
            }
            assert_eq!(out.data(), plain_resize(&samples, w, h, ow, oh), "{w}x{h} to {ow}x{oh}");
        }
    }

    #[test]
    fn a_region_is_resized_as_if_it_were_a_picture() {
        let samples = noise(12 * 10 * 3);
        let pixels = Pixels::new(12, 10, &samples).unwrap();
        let region = Region { x: 3, y: 2, width: 6, height: 7 };
        let cut: Vec<u8> = (0..7).flat_map(|y| pixels.row_of(region, y).iter().flatten().copied()).collect();
        let mut out = planes(4, 4);
        Resizer::default().resize(pixels, region, 4, 4, &mut out);
        assert_eq!(out.data(), plain_resize(&cut, 6, 7, 4, 4));
    }

    #[test]
    fn what_lies_beside_the_resized_part_stays() {
        let samples = [9_u8; 4 * 2 * 3];
        let pixels = Pixels::new(4, 2, &samples).unwrap();
        let mut out = planes(3, 3);
        Resizer::default().resize(pixels, pixels.whole(), 2, 1, &mut out);
        assert_eq!(out.data()[..9], [9.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn rounding_is_half_up() {
        for (value, rounded) in [(0.0, 0.0), (0.49, 0.0), (0.5, 1.0), (2.5, 3.0), (254.5, 255.0), (255.0, 255.0)] {
            assert_eq!(round_half_up(value), rounded, "{value}");
        }
    }

    #[test]
    fn floor_goes_down_for_negative_numbers_and_saturates() {
        assert_eq!(floor(-0.5), -1);
        assert_eq!(floor(-1.0), -1);
        assert_eq!(floor(1.9), 1);
        assert_eq!(floor(f64::NAN), 0);
        assert_eq!(floor(1e300), 1_000_000_000);
    }

    #[test]
    fn the_identity_map_copies_and_the_border_rule_fills_the_outside() {
        let samples = noise(3 * 3 * 3);
        let pixels = Pixels::new(3, 3, &samples).unwrap();
        let shifted = [[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]];
        for (border, outside) in [(Border::Zero, 0.0), (Border::Replicate, f32::from(samples[0]))] {
            let mut out = planes(3, 3);
            warp(pixels, &shifted, border, &mut out);
            assert_eq!(out.data()[..3], [outside, f32::from(samples[0]), f32::from(samples[3])]);
        }
    }

    #[test]
    fn half_a_pixel_is_the_mean_of_two() {
        let samples = [0, 0, 0, 100, 100, 100];
        let pixels = Pixels::new(2, 1, &samples).unwrap();
        let wanted = InputSpec { divide: 100.0, ..spec(1, 1, Colour::Bgr) };
        let mut out = Planes::new(&wanted);
        warp(pixels, &[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]], Border::Zero, &mut out);
        assert_eq!(out.data(), [0.5, 0.5, 0.5]);
    }
}
