//! YUV rows to RGB: BT.601, full range.
//!
//! R = Y + 1.402 (V − 128), G = Y − 0.344136 (U − 128) − 0.714136 (V − 128), B = Y + 1.772 (U − 128), from JFIF 1.02
//! (ITU-T T.871, section 7), which Android's camera formats follow. In 16-bit fixed point each result is within half a
//! level of the exact one. A chroma sample serves its 2x2 pixels as it is: face models see crops that are scaled down,
//! where an interpolated chroma makes no difference that would be worth its time.

use super::orient::RGB;

/// Fractional bits.
const SHIFT: u32 = 16;
/// 1.402
const R_V: i32 = 91_881;
/// 0.344136
const G_U: i32 = 22_553;
/// 0.714136
const G_V: i32 = 46_802;
/// 1.772
const B_U: i32 = 116_130;
/// A half, for rounding.
const HALF: i32 = 1 << (SHIFT - 1);

/// Writes one row from its luma row and an interleaved V, U row. Surplus samples (a stride's padding) are not read.
pub(crate) fn nv21_row(luma: &[u8], vu: &[u8], row: &mut [u8]) {
    for ((pixels, luma), chroma) in row.chunks_mut(2 * RGB).zip(luma.chunks(2)).zip(vu.chunks_exact(2)) {
        if let &[v, u] = chroma {
            write_pair(pixels, luma, u, v);
        }
    }
}

/// Writes one row from its luma row and the U and V rows. Surplus samples (a stride's padding) are not read.
pub(crate) fn i420_row(luma: &[u8], u: &[u8], v: &[u8], row: &mut [u8]) {
    for (((pixels, luma), &u), &v) in row.chunks_mut(2 * RGB).zip(luma.chunks(2)).zip(u).zip(v) {
        write_pair(pixels, luma, u, v);
    }
}

/// Writes the two pixels (one at an odd row's end) that share a chroma sample.
#[inline]
fn write_pair(pixels: &mut [u8], luma: &[u8], u: u8, v: u8) {
    let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
    let (red, green, blue) = (R_V * v + HALF, HALF - G_U * u - G_V * v, B_U * u + HALF);
    for (pixel, &y) in pixels.chunks_exact_mut(RGB).zip(luma) {
        let y = i32::from(y) << SHIFT;
        pixel.copy_from_slice(&[level(y + red), level(y + green), level(y + blue)]);
    }
}

#[inline]
fn level(fixed: i32) -> u8 {
    (fixed >> SHIFT).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_is_within_one_level_of_the_formula() {
        for y in (0..=255).step_by(5) {
            for u in (0..=255).step_by(3) {
                for v in (0..=255).step_by(3) {
                    let mut pixel = [0; RGB];
                    i420_row(&[y as u8], &[u as u8], &[v as u8], &mut pixel);
                    let (y, u, v) = (f64::from(y), f64::from(u) - 128.0, f64::from(v) - 128.0);
                    let exact = [y + 1.402 * v, y - 0.344_136 * u - 0.714_136 * v, y + 1.772 * u];
                    for (got, exact) in pixel.into_iter().zip(exact) {
                        let error = (f64::from(got) - exact.clamp(0.0, 255.0)).abs();
                        assert!(error <= 0.501, "y {y} u {u} v {v}: {got} for {exact}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_odd_row_uses_its_last_chroma_sample_for_one_pixel() {
        let mut interleaved = [0; 3 * RGB];
        nv21_row(&[10, 20, 30, 99], &[128, 128, 200, 90, 7, 7], &mut interleaved);
        let mut planar = [0; 3 * RGB];
        i420_row(&[10, 20, 30, 99], &[128, 90, 7], &[128, 200, 7], &mut planar);
        assert_eq!(interleaved, planar);
        assert_eq!(interleaved[..6], [10, 10, 10, 20, 20, 20]);
        assert_eq!(interleaved[6..], [131, 0, 0]);
    }
}
