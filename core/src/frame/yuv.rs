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

/// Two pixels, which share a chroma sample.
const PAIR: usize = 2 * RGB;

/// Writes one row from its luma row and an interleaved V, U row. Surplus samples (a stride's padding) are not read.
pub(crate) fn nv21_row(luma: &[u8], vu: &[u8], row: &mut [u8]) {
    let (chroma, _) = vu.as_chunks();
    write_row(luma, chroma.iter().map(|&[v, u]| Tint::new(u, v)), row);
}

/// Writes one row from its luma row and the U and V rows. Surplus samples (a stride's padding) are not read.
pub(crate) fn i420_row(luma: &[u8], u: &[u8], v: &[u8], row: &mut [u8]) {
    write_row(luma, u.iter().zip(v).map(|(&u, &v)| Tint::new(u, v)), row);
}

#[inline]
fn write_row(luma: &[u8], mut tints: impl Iterator<Item = Tint>, row: &mut [u8]) {
    let (pairs, last) = row.as_chunks_mut::<PAIR>();
    let (lumas, _) = luma.as_chunks::<2>();
    // An odd row's last pixel has a chroma sample of its own.
    let last_luma = luma.get(2 * pairs.len());
    for ((pair, &[left, right]), tint) in pairs.iter_mut().zip(lumas).zip(tints.by_ref()) {
        let ([r0, g0, b0], [r1, g1, b1]) = (tint.over(left), tint.over(right));
        *pair = [r0, g0, b0, r1, g1, b1];
    }
    if let ([_, _, _], Some(&luma), Some(tint)) = (&*last, last_luma, tints.next()) {
        last.copy_from_slice(&tint.over(luma));
    }
}

/// What a chroma sample adds to each channel, in fixed point, with a half for rounding.
#[derive(Clone, Copy)]
struct Tint {
    red: i32,
    green: i32,
    blue: i32,
}

impl Tint {
    #[inline]
    fn new(u: u8, v: u8) -> Self {
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        Self { red: R_V * v + HALF, green: HALF - G_U * u - G_V * v, blue: B_U * u + HALF }
    }

    #[inline]
    fn over(self, luma: u8) -> [u8; RGB] {
        let luma = i32::from(luma) << SHIFT;
        [level(luma + self.red), level(luma + self.green), level(luma + self.blue)]
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
