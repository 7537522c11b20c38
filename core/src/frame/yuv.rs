//! YUV rows to RGB.
//!
//! Camera formats are BT.601 at full range: R = Y + 1.402 (V − 128), G = Y − 0.344136 (U − 128) − 0.714136 (V − 128),
//! B = Y + 1.772 (U − 128), from JFIF 1.02 (ITU-T T.871, section 7), which Android's camera formats follow. Videos tell
//! their matrix and range ([`Coding`]). In 16-bit fixed point each result is within half a level of the exact one at full
//! range, and within one at limited range. A chroma sample serves its 2x2 pixels as it is: face models see crops that are
//! scaled down, where an interpolated chroma makes no difference that would be worth its time.

use super::orient::RGB;

/// Fractional bits.
const SHIFT: u32 = 16;
/// A half, for rounding.
const HALF: i32 = 1 << (SHIFT - 1);

/// Two pixels, which share a chroma sample.
const PAIR: usize = 2 * RGB;

/// How luma and chroma make up a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Coding {
    /// The luma of black.
    black: i32,
    /// What each factor is, in fixed point: of luma, then of V in red, of U and V in green, of U in blue.
    luma: i32,
    r_v: i32,
    g_u: i32,
    g_v: i32,
    b_u: i32,
}

impl Coding {
    /// BT.601, full range.
    pub(crate) const JFIF: Coding = Coding::new(BT601, true);

    /// What a video's stream says: H.273's matrix coefficients (table 4) and whether the range is full. What it leaves
    /// unsaid, or says in a matrix that is not one of BT.601's, BT.709's or BT.2020's, is BT.601, as ffmpeg takes it.
    #[cfg(feature = "video")]
    pub(crate) const fn of_video(matrix_coefficients: u8, full_range: bool) -> Self {
        let weights = match matrix_coefficients {
            1 => BT709,
            9 => BT2020,
            _ => BT601,
        };
        Self::new(weights, full_range)
    }

    /// H.273, section 8.3, equations 38 to 46 and their inverse: the limited range has 219 steps of luma above 16 and 224
    /// of chroma.
    const fn new((red, blue): (f64, f64), full_range: bool) -> Self {
        let (black, luma, chroma) = if full_range { (0, 1.0, 1.0) } else { (16, 255.0 / 219.0, 255.0 / 224.0) };
        let green = 1.0 - red - blue;
        let (r_v, b_u) = (2.0 * (1.0 - red) * chroma, 2.0 * (1.0 - blue) * chroma);
        Self {
            black,
            luma: fixed(luma),
            r_v: fixed(r_v),
            g_u: fixed(b_u * blue / green),
            g_v: fixed(r_v * red / green),
            b_u: fixed(b_u),
        }
    }
}

/// The weights of red and blue in luma, from H.273, table 4.
const BT601: (f64, f64) = (0.299, 0.114);
#[cfg(feature = "video")]
const BT709: (f64, f64) = (0.2126, 0.0722);
#[cfg(feature = "video")]
const BT2020: (f64, f64) = (0.2627, 0.0593);

/// A factor, which is positive, in fixed point.
const fn fixed(factor: f64) -> i32 {
    (factor * (1 << SHIFT) as f64 + 0.5) as i32
}

/// Writes one row from its luma row and an interleaved V, U row. Surplus samples (a stride's padding) are not read.
pub(crate) fn nv21_row(luma: &[u8], vu: &[u8], row: &mut [u8]) {
    let (chroma, _) = vu.as_chunks();
    write_row(Coding::JFIF, luma, chroma.iter().map(|&[v, u]| Tint::new(Coding::JFIF, u, v)), row);
}

/// Writes one row from its luma row and the U and V rows. Surplus samples (a stride's padding) are not read.
pub(crate) fn i420_row(luma: &[u8], u: &[u8], v: &[u8], row: &mut [u8]) {
    planar_row(Coding::JFIF, luma, u, v, row);
}

/// The same for any coding.
#[inline]
pub(crate) fn planar_row(coding: Coding, luma: &[u8], u: &[u8], v: &[u8], row: &mut [u8]) {
    write_row(coding, luma, u.iter().zip(v).map(|(&u, &v)| Tint::new(coding, u, v)), row);
}

#[inline]
fn write_row(coding: Coding, luma: &[u8], mut tints: impl Iterator<Item = Tint>, row: &mut [u8]) {
    let (pairs, last) = row.as_chunks_mut::<PAIR>();
    let (lumas, _) = luma.as_chunks::<2>();
    // An odd row's last pixel has a chroma sample of its own.
    let last_luma = luma.get(2 * pairs.len());
    for ((pair, &[left, right]), tint) in pairs.iter_mut().zip(lumas).zip(tints.by_ref()) {
        let ([r0, g0, b0], [r1, g1, b1]) = (tint.over(coding, left), tint.over(coding, right));
        *pair = [r0, g0, b0, r1, g1, b1];
    }
    if let ([_, _, _], Some(&luma), Some(tint)) = (&*last, last_luma, tints.next()) {
        last.copy_from_slice(&tint.over(coding, luma));
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
    fn new(coding: Coding, u: u8, v: u8) -> Self {
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        Self { red: coding.r_v * v + HALF, green: HALF - coding.g_u * u - coding.g_v * v, blue: coding.b_u * u + HALF }
    }

    #[inline]
    fn over(self, coding: Coding, luma: u8) -> [u8; RGB] {
        let luma = (i32::from(luma) - coding.black) * coding.luma;
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
    fn the_camera_coding_has_the_factors_of_jfif() {
        let expected = Coding { black: 0, luma: 1 << SHIFT, r_v: 91_881, g_u: 22_553, g_v: 46_802, b_u: 116_130 };
        assert_eq!(Coding::JFIF, expected);
    }

    /// H.273's forward equations, rounded to eight bits, and back.
    #[cfg(feature = "video")]
    #[test]
    fn every_video_coding_inverts_its_forward_equations() {
        for (matrix, (red, blue)) in
            [(1, (0.2126, 0.0722)), (5, (0.299, 0.114)), (6, (0.299, 0.114)), (2, BT601), (9, BT2020)]
        {
            for full in [false, true] {
                let (black, luma_steps, chroma_steps) = if full { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) };
                for colour in
                    [[0, 0, 0], [255, 255, 255], [200, 60, 30], [10, 120, 240], [30, 220, 90], [128, 128, 128]]
                {
                    let [r, g, b] = colour.map(|level: u8| f64::from(level) / 255.0);
                    let luma = red * r + (1.0 - red - blue) * g + blue * b;
                    let (cb, cr) = (0.5 * (b - luma) / (1.0 - blue), 0.5 * (r - luma) / (1.0 - red));
                    let [y, u, v] = [black + luma_steps * luma, 128.0 + chroma_steps * cb, 128.0 + chroma_steps * cr]
                        .map(|x| x.round() as u8);
                    let mut pixel = [0; RGB];
                    planar_row(Coding::of_video(matrix, full), &[y], &[u], &[v], &mut pixel);
                    for (got, sent) in pixel.into_iter().zip(colour) {
                        assert!(got.abs_diff(sent) <= 2, "matrix {matrix} full {full}: {pixel:?} for {colour:?}");
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
