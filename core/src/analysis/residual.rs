//! How far one print is from another, beyond what light and a small motion of the camera explain.
//!
//! Both prints are smoothed; then the brightness gain and offset and the small affine motion (shift, turn, zoom, shear) that
//! explain the later print best are taken out by three Gauss-Newton steps (Lucas and Kanade 1981, extended to an affine motion
//! as in Baker and Matthews, "Lucas-Kanade 20 Years On", 2004); what is left, as RMS over the middle 18x18 cells and over the
//! contrast there, is the residual.

use super::{MOTION_SIDE, MotionPrint};

/// Standard deviation of the smoothing, cells. Without it the sampling of a coarse print alone leaves residuals of 0.1.
const SMOOTHING: f64 = 1.5;

/// Reach of the smoothing, cells: beyond three standard deviations nothing is left.
const REACH: usize = 5;

/// Cells left out along each edge: they change with the background that a box's jitter lets in.
const MARGIN: usize = 7;

/// Gauss-Newton steps.
const STEPS: usize = 3;

/// Longest correction of one step, cells; a longer one has lost its way.
const LONGEST: f64 = 1.5;

/// Contrast below which a print shows nothing to compare, levels.
const LEAST_CONTRAST: f64 = 1.0;

/// Cells that are compared.
const INNER: f64 = ((MOTION_SIDE - 2 * MARGIN) * (MOTION_SIDE - 2 * MARGIN)) as f64;

impl MotionPrint {
    /// What no change of light and no small affine motion explains of a later print, as a share of its contrast: 0 for the
    /// same picture, about 1 for an unrelated one. `None` where a print is no picture.
    pub fn residual(&self, later: &MotionPrint) -> Option<f64> {
        Some(Plane::of(self)?.residual(&Plane::of(later)?))
    }

    /// The print of the mirrored picture.
    pub fn mirrored(&self) -> Self {
        let mut cells = self.cells.clone();
        for row in cells.chunks_exact_mut(MOTION_SIDE) {
            row.reverse();
        }
        Self { cells }
    }
}

/// A smoothed print.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plane(Vec<f64>);

impl Plane {
    /// Smooths a print; `None` where it is no picture.
    pub(crate) fn of(print: &MotionPrint) -> Option<Self> {
        let finite = print.cells.iter().all(|cell| cell.is_finite());
        finite.then(|| Self(smooth(&print.cells.iter().map(|&cell| f64::from(cell)).collect::<Vec<_>>())))
    }

    /// As [`MotionPrint::residual`].
    pub(crate) fn residual(&self, later: &Self) -> f64 {
        residual(&self.0, &later.0)
    }

    /// Whether there is a picture at all where prints are compared: a flat one resembles every other.
    pub(crate) fn has_contrast(&self) -> bool {
        contrast(&self.0) >= LEAST_CONTRAST
    }
}

/// What no change of light and no small affine motion explains of `later`, as a share of its contrast.
fn residual(first: &[f64], later: &[f64]) -> f64 {
    let mut motion = [0.0; 6];
    let mut least = f64::INFINITY;
    for _ in 0..STEPS {
        let warped = warp(first, &motion);
        let mut normal = Normal::default();
        for (x, y) in inner() {
            normal.add(&columns(&warped, x, y), at(later, x, y));
        }
        let Some(solution) = normal.solve() else { break };
        let error: f64 = inner()
            .map(|(x, y)| {
                let fit: f64 = columns(&warped, x, y).iter().zip(&solution).map(|(a, b)| a * b).sum();
                (at(later, x, y) - fit).powi(2)
            })
            .sum();
        least = least.min((error / INNER).sqrt());
        let [gain, _, steps @ ..] = solution;
        // The gradients were those of the picture before its gain.
        let gain = if gain.abs() > 0.1 { gain } else { 0.1 };
        for (motion, step) in motion.iter_mut().zip(steps) {
            *motion += (step / gain).clamp(-LONGEST, LONGEST);
        }
    }
    let residual = least / contrast(later).max(LEAST_CONTRAST);
    if residual.is_finite() { residual } else { 0.0 }
}

/// The standard deviation over the compared cells, levels.
fn contrast(picture: &[f64]) -> f64 {
    let mean = inner().map(|(x, y)| at(picture, x, y)).sum::<f64>() / INNER;
    (inner().map(|(x, y)| (at(picture, x, y) - mean).powi(2)).sum::<f64>() / INNER).sqrt()
}

/// What a cell may be explained by: the picture itself (gain), a constant (offset), and its change under the six parameters
/// of an affine motion.
fn columns(picture: &[f64], x: usize, y: usize) -> [f64; 8] {
    let slope_x = (at(picture, x + 1, y) - at(picture, x.saturating_sub(1), y)) / 2.0;
    let slope_y = (at(picture, x, y + 1) - at(picture, x, y.saturating_sub(1))) / 2.0;
    let (u, v) = (centred(x), centred(y));
    [at(picture, x, y), 1.0, slope_x, u * slope_x, v * slope_x, slope_y, u * slope_y, v * slope_y]
}

/// Cells that are compared.
fn inner() -> impl Iterator<Item = (usize, usize)> {
    (MARGIN..MOTION_SIDE - MARGIN).flat_map(|y| (MARGIN..MOTION_SIDE - MARGIN).map(move |x| (x, y)))
}

/// A cell's centre on an axis from -1 to 1.
fn centred(cell: usize) -> f64 {
    (2.0 * cell as f64 + 1.0) / MOTION_SIDE as f64 - 1.0
}

/// A cell; beyond the edge, the edge.
fn at(plane: &[f64], x: usize, y: usize) -> f64 {
    plane.get(y.min(MOTION_SIDE - 1) * MOTION_SIDE + x.min(MOTION_SIDE - 1)).copied().unwrap_or(0.0)
}

/// The picture moved by an affine motion, bilinearly.
fn warp(picture: &[f64], motion: &[f64; 6]) -> Vec<f64> {
    let [dx, dxu, dxv, dy, dyu, dyv] = motion;
    let last = (MOTION_SIDE - 1) as f64;
    cells()
        .map(|(x, y)| {
            let (u, v) = (centred(x), centred(y));
            let from_x = (x as f64 + dx + dxu * u + dxv * v).clamp(0.0, last);
            let from_y = (y as f64 + dy + dyu * u + dyv * v).clamp(0.0, last);
            let (left, top) = (from_x.floor(), from_y.floor());
            let (fx, fy) = (from_x - left, from_y - top);
            let (left, top) = (left as usize, top as usize);
            let row = |y| at(picture, left, y) * (1.0 - fx) + at(picture, left + 1, y) * fx;
            row(top) * (1.0 - fy) + row(top + 1) * fy
        })
        .collect()
}

/// The picture after a Gaussian of [`SMOOTHING`].
fn smooth(picture: &[f64]) -> Vec<f64> {
    let weights: Vec<f64> =
        (0..=2 * REACH).map(|i| (-(i as f64 - REACH as f64).powi(2) / (2.0 * SMOOTHING * SMOOTHING)).exp()).collect();
    let total: f64 = weights.iter().sum();
    let pass = |value: &dyn Fn(usize) -> f64, centre: usize| {
        weights.iter().enumerate().map(|(i, w)| w * value((centre + i).saturating_sub(REACH))).sum::<f64>() / total
    };
    let across: Vec<f64> = cells().map(|(x, y)| pass(&|x| at(picture, x, y), x)).collect();
    cells().map(|(x, y)| pass(&|y| at(&across, x, y), y)).collect()
}

fn cells() -> impl Iterator<Item = (usize, usize)> {
    (0..MOTION_SIDE).flat_map(|y| (0..MOTION_SIDE).map(move |x| (x, y)))
}

/// The normal equations of a least-squares fit with eight unknowns, the right-hand side as the ninth column.
#[derive(Default)]
struct Normal {
    rows: [[f64; 9]; 8],
}

impl Normal {
    fn add(&mut self, columns: &[f64; 8], target: f64) {
        for (row, a) in self.rows.iter_mut().zip(columns) {
            for (cell, b) in row.iter_mut().zip(columns.iter().chain([&target])) {
                *cell += a * b;
            }
        }
    }

    /// Gaussian elimination with pivoting; a direction that the picture says nothing about gets no motion.
    #[expect(clippy::indexing_slicing, reason = "all indices come from 0..8 and 0..9, the sizes of the fixed arrays")]
    fn solve(mut self) -> Option<[f64; 8]> {
        for (i, row) in self.rows.iter_mut().enumerate() {
            // A ridge far below the least contrast that counts keeps a flat picture solvable.
            row[i] += 1e-9 * (1.0 + row[i].abs());
        }
        for pivot in 0..8 {
            let best = (pivot..8).max_by(|&a, &b| self.rows[a][pivot].abs().total_cmp(&self.rows[b][pivot].abs()))?;
            self.rows.swap(pivot, best);
            let head = self.rows[pivot];
            if !head[pivot].is_normal() {
                return None;
            }
            for row in &mut self.rows[pivot + 1..] {
                let factor = row[pivot] / head[pivot];
                for (cell, top) in row.iter_mut().zip(head).skip(pivot) {
                    *cell -= factor * top;
                }
            }
        }
        let mut solution = [0.0; 8];
        for i in (0..8).rev() {
            let known: f64 = (i + 1..8).map(|j| self.rows[i][j] * solution[j]).sum();
            solution[i] = (self.rows[i][8] - known) / self.rows[i][i];
        }
        solution.iter().all(|value: &f64| value.is_finite()).then_some(solution)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The residual below which StillImage sees no movement.
    const LIMIT: f64 = 0.02;

    /// A made-up face print: eyes, a mouth open by `opening` cells, on a background with a gradient, shifted by `shift`.
    fn print(opening: f64, shift: f64) -> Vec<f64> {
        cells()
            .map(|(x, y)| {
                let (x, y) = (x as f64 - 15.5 - shift, y as f64 - 15.5);
                let blob = |cx: f64, cy: f64, r: f64| (-((x - cx).powi(2) + (y - cy).powi(2)) / (r * r)).exp();
                150.0 + x - 90.0 * (blob(-4.0, -3.0, 2.0) + blob(4.0, -3.0, 2.0)) - 60.0 * blob(0.0, 5.0, 1.5 + opening)
            })
            .collect()
    }

    fn measure(first: &[f64], later: &[f64]) -> f64 {
        residual(&smooth(first), &smooth(later))
    }

    #[test]
    fn the_same_picture_leaves_nothing() {
        assert!(measure(&print(0.0, 0.0), &print(0.0, 0.0)) < 1e-4);
    }

    #[test]
    fn another_brightness_and_contrast_leave_nothing() {
        let dimmer: Vec<_> = print(0.0, 0.0).iter().map(|cell| 0.8 * cell + 12.0).collect();
        assert!(measure(&print(0.0, 0.0), &dimmer) < 1e-4);
    }

    #[test]
    fn a_shift_of_the_whole_leaves_little_and_a_moving_mouth_much() {
        let shifted = measure(&print(0.0, 0.0), &print(0.0, 0.8));
        let opened = measure(&print(0.0, 0.0), &print(1.0, 0.8));
        assert!(shifted < LIMIT, "{shifted}");
        assert!(opened > 2.0 * LIMIT, "{opened}");
    }

    #[test]
    fn noise_leaves_little() {
        let noisy: Vec<_> = print(0.0, 0.0)
            .iter()
            .enumerate()
            .map(|(i, cell)| cell + if (i * 2_654_435_761) & 0x8000 == 0 { 0.5 } else { -0.5 })
            .collect();
        assert!(measure(&print(0.0, 0.0), &noisy) < LIMIT);
    }

    #[test]
    fn pictures_without_contrast_show_no_movement() {
        let flat = vec![128.0; MOTION_SIDE * MOTION_SIDE];
        let other = vec![90.0; MOTION_SIDE * MOTION_SIDE];
        assert!(measure(&flat, &other) < LIMIT);
        assert!(measure(&print(0.0, 0.0), &flat) < LIMIT);
    }

    #[test]
    fn a_mirrored_print_is_another_until_it_is_mirrored_back() {
        let lopsided: Vec<f32> = print(0.0, 0.0)
            .iter()
            .enumerate()
            .map(|(i, cell)| if i % 32 < 12 { cell * 0.7 } else { *cell } as f32)
            .collect();
        let print = MotionPrint { cells: Box::new(lopsided.try_into().unwrap()) };
        assert!(print.residual(&print.mirrored()).unwrap() > 0.1);
        assert!(print.residual(&print.mirrored().mirrored()).unwrap() < 1e-4);
    }
}
