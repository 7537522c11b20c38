//! The part of the frame that a model sees of a face. Every rule is a formula over the box or the landmarks; the numbers in
//! it come from the manifest.

use super::{
    Face, Point, Rect,
    pixels::{Pixels, Region},
    planes::Planes,
    resample::{Affine, Border, Resizer, warp},
};
use crate::{
    frame::Frame,
    pack::{CropRule, InputSpec},
};

/// Where InsightFace's ArcFace places the five landmarks in a crop of 112x112 pixels (`face_align.py`,
/// `arcface_dst`, in the order of [`Face::landmarks`]).
const ARCFACE: [(f64, f64); 5] =
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)];

/// The side of the crop that [`ARCFACE`] is given for.
const ARCFACE_SIDE: f64 = 112.0;

/// Cuts a face out of a frame as one model wants it, into a tensor that is kept from frame to frame.
#[derive(Debug)]
pub struct Crop {
    rule: CropRule,
    planes: Planes,
    resizer: Resizer,
    map: Option<Affine>,
}

impl Crop {
    /// `None` where the rule is not one that cuts a face ([`CropRule::Letterbox`] takes the whole frame).
    pub fn new(spec: &InputSpec) -> Option<Self> {
        match spec.crop {
            CropRule::Letterbox { .. } => None,
            CropRule::ScaledBox { .. }
            | CropRule::EyesMouth { .. }
            | CropRule::Arcface
            | CropRule::LevelledBox { .. } => {
                let (rule, planes) = (spec.crop.clone(), Planes::new(spec));
                Some(Self { rule, planes, resizer: Resizer::default(), map: None })
            }
        }
    }

    /// Cuts the face out. The values are `[1, 3, height, width]`, row-major, normalised as the manifest says.
    pub fn cut(&mut self, frame: &Frame, face: &Face) -> &[f32] {
        if let Some(pixels) = Pixels::of(frame) {
            self.fill(pixels, face);
        }
        self.planes.data()
    }

    /// Mirrors the last crop left to right.
    pub(crate) fn mirror(&mut self) {
        self.planes.mirror();
    }

    /// The last crop.
    pub(crate) fn data(&self) -> &[f32] {
        self.planes.data()
    }

    /// Maps pixels of the last crop to pixels of the frame; `None` before the first, and for rules that only resize.
    pub(crate) fn map(&self) -> Option<&Affine> {
        self.map.as_ref()
    }

    fn fill(&mut self, pixels: Pixels<'_>, face: &Face) {
        let (width, height) = (self.planes.width(), self.planes.height());
        let side = width as f64;
        let (map, border) = match self.rule {
            CropRule::Letterbox { .. } => return,
            CropRule::ScaledBox { scale } => {
                let region = scaled_box(pixels.width(), pixels.height(), face.bbox, decimal(scale));
                self.resizer.resize(pixels, region, width, height, &mut self.planes);
                return;
            }
            CropRule::EyesMouth { scale } => (eyes_mouth(&face.landmarks, decimal(scale), side), Border::Replicate),
            CropRule::Arcface => (arcface(&face.landmarks, side), Border::Zero),
            CropRule::LevelledBox { factor } => {
                (levelled_box(face.bbox, &face.landmarks, decimal(factor), side), Border::Zero)
            }
        };
        warp(pixels, &map, border, &mut self.planes);
        self.map = Some(map);
    }
}

/// Silent-Face-Anti-Spoofing's crop (`generate_patches.py`, `CropImage`): the box truncated to whole pixels, enlarged by
/// `scale` about its centre, or by less where the frame is too small, then shifted to lie inside the frame.
fn scaled_box(columns: usize, rows: usize, bbox: Rect, scale: f64) -> Region {
    let (limit_x, limit_y) = (columns as f64 - 1.0, rows as f64 - 1.0);
    let (x, y) = (f64::from(bbox.x).trunc(), f64::from(bbox.y).trunc());
    let (w, h) = (f64::from(bbox.width).trunc().max(1.0), f64::from(bbox.height).trunc().max(1.0));
    let scale = (limit_y / h).min((limit_x / w).min(scale));
    let (half_w, half_h) = (w * scale / 2.0, h * scale / 2.0);
    let (cx, cy) = (w / 2.0 + x, h / 2.0 + y);
    let shift = |low: f64, high: f64, limit: f64| {
        let (low, high) = if low < 0.0 { (0.0, high - low) } else { (low, high) };
        let (low, high) = if high > limit { (low - (high - limit), limit) } else { (low, high) };
        // `as` truncates, keeps a negative rest of rounding at 0 and a broken number at 0.
        let first = (low.max(0.0) as usize).min(limit as usize);
        let last = (high as usize).min(limit as usize).max(first);
        (first, last - first + 1)
    };
    let (x, width) = shift(cx - half_w, cx + half_w, limit_x);
    let (y, height) = shift(cy - half_h, cy + half_h, limit_y);
    Region { x, y, width, height }
}

/// MesoNet's crop (`pipeline.py`, `FaceFinder`): a square whose side is `2 * scale` times the larger of the eye distance and
/// the eye–mouth distance, centred three quarters of the way from the eyes to the nose tip, turned so that the mouth lies
/// straight below the eyes.
fn eyes_mouth(landmarks: &[Point; 5], scale: f64, size: f64) -> Affine {
    let [right_eye, left_eye, nose, right_mouth, left_mouth] = landmarks.map(wide);
    let eyes = middle(right_eye, left_eye);
    let mouth = middle(right_mouth, left_mouth);
    let centre = (0.75 * nose.0 + 0.25 * eyes.0, 0.75 * nose.1 + 0.25 * eyes.1);
    let (dx, dy) = (mouth.0 - eyes.0, mouth.1 - eyes.1);
    let length = dx.hypot(dy);
    let apart = (right_eye.0 - left_eye.0).hypot(right_eye.1 - left_eye.1);
    let side = apart.max(length) * 2.0 * scale;
    let down = if length > 0.0 { (dx / length, dy / length) } else { (0.0, 1.0) };
    let right = (down.1, -down.0);
    let (step, half) = (side / size, (size - 1.0) / 2.0);
    [
        [right.0 * step, down.0 * step, centre.0 - (right.0 + down.0) * step * half],
        [right.1 * step, down.1 * step, centre.1 - (right.1 + down.1) * step * half],
    ]
}

/// The least-squares similarity (Umeyama 1991, without reflection) from the ArcFace template, scaled to the crop's side, to
/// the landmarks.
fn arcface(landmarks: &[Point; 5], size: f64) -> Affine {
    let template = ARCFACE.map(|(x, y)| (x * (size / ARCFACE_SIDE), y * (size / ARCFACE_SIDE)));
    let target = landmarks.map(wide);
    let mean = |points: &[(f64, f64); 5]| {
        let (x, y) = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.0, sum.1 + point.1));
        (x / 5.0, y / 5.0)
    };
    let (from, to) = (mean(&template), mean(&target));
    let (mut along, mut across, mut norm) = (0.0, 0.0, 0.0);
    for (s, d) in template.iter().zip(&target) {
        let (sx, sy, dx, dy) = (s.0 - from.0, s.1 - from.1, d.0 - to.0, d.1 - to.1);
        along += sx * dx + sy * dy;
        across += sx * dy - sy * dx;
        norm += sx * sx + sy * sy;
    }
    let (c, s) = (along / norm, across / norm);
    [[c, -s, to.0 - (c * from.0 - s * from.1)], [s, c, to.1 - (s * from.0 + c * from.1)]]
}

/// A square around the box's centre, `factor` times its longer side, turned so that the eyes are level: what MediaPipe's
/// face mesh was trained on.
fn levelled_box(bbox: Rect, landmarks: &[Point; 5], factor: f64, size: f64) -> Affine {
    let [right_eye, left_eye, ..] = landmarks.map(wide);
    let side = f64::from(bbox.width).max(f64::from(bbox.height)) * factor;
    let cx = f64::from(bbox.x) + f64::from(bbox.width) / 2.0;
    let cy = f64::from(bbox.y) + f64::from(bbox.height) / 2.0;
    let (dx, dy) = (left_eye.0 - right_eye.0, left_eye.1 - right_eye.1);
    let length = dx.hypot(dy);
    let length = if length > 0.0 { length } else { 1.0 };
    let (c, s) = (dx / length, dy / length);
    let (step, half) = (side / size, (size - 1.0) / 2.0);
    [[c * step, -s * step, cx - (c - s) * step * half], [s * step, c * step, cy - (s + c) * step * half]]
}

/// The decimal number that a manifest's 32-bit float stands for: 2.7, not 2.7000000477. Crops are cut at whole pixels, and 120
/// times the one begins a pixel away from 120 times the other.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

fn wide(point: Point) -> (f64, f64) {
    (f64::from(point.x), f64::from(point.y))
}

fn middle(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rect(x: f32, y: f32, width: f32, height: f32) -> Rect {
        Rect { x, y, width, height }
    }

    fn apply(map: &Affine, x: f64, y: f64) -> (f64, f64) {
        let [[a, b, c], [d, e, f]] = *map;
        (a * x + b * y + c, d * x + e * y + f)
    }

    fn near(a: (f64, f64), b: (f64, f64)) -> bool {
        (a.0 - b.0).abs() < 1e-6 && (a.1 - b.1).abs() < 1e-6
    }

    #[test]
    fn a_scaled_box_stays_inside_the_frame() {
        // Room on all sides: 2.7 times 20 is 54, and both ends belong to the crop.
        assert_eq!(
            scaled_box(200, 200, rect(90.0, 90.0, 20.9, 20.9), 2.7),
            Region { x: 73, y: 73, width: 55, height: 55 }
        );
        // At a corner it is shifted, not cut.
        assert_eq!(scaled_box(200, 200, rect(0.0, 0.0, 20.0, 20.0), 2.0), Region { x: 0, y: 0, width: 41, height: 41 });
        assert_eq!(
            scaled_box(200, 200, rect(190.0, 190.0, 20.0, 20.0), 2.0),
            Region { x: 159, y: 159, width: 41, height: 41 }
        );
        // A face as large as the frame: the scale shrinks until it fits.
        let region = scaled_box(100, 80, rect(10.0, 0.0, 80.0, 80.0), 4.0);
        assert!(region.x + region.width <= 100 && region.y + region.height <= 80 && region.height >= 79);
    }

    #[test]
    fn a_scaled_box_of_nonsense_is_still_a_region_of_the_frame() {
        for bbox in [
            rect(f32::NAN, 0.0, 1.0, 1.0),
            rect(-1e9, 1e9, 5.0, 5.0),
            rect(0.0, 0.0, 0.0, -3.0),
            rect(5.0, 5.0, f32::INFINITY, 2.0),
        ] {
            let region = scaled_box(16, 16, bbox, 2.7);
            assert!(region.width >= 1 && region.height >= 1, "{bbox:?}: {region:?}");
            assert!(region.x + region.width <= 16 && region.y + region.height <= 16, "{bbox:?}: {region:?}");
        }
    }

    #[test]
    fn a_scale_means_its_decimal_number() {
        assert_eq!(decimal(2.7), 2.7);
        assert_eq!(120.0 * decimal(2.7), 324.0);
    }

    #[test]
    fn arcface_maps_the_template_onto_the_landmarks_it_was_made_from() {
        // The template, turned by 90 degrees, twice as large and shifted.
        let landmarks = ARCFACE.map(|(x, y)| Point { x: (300.0 - 2.0 * y) as f32, y: (40.0 + 2.0 * x) as f32 });
        let map = arcface(&landmarks, 112.0);
        for ((x, y), point) in ARCFACE.iter().zip(&landmarks) {
            let (px, py) = apply(&map, *x, *y);
            assert!((px - f64::from(point.x)).abs() < 1e-3 && (py - f64::from(point.y)).abs() < 1e-3);
        }
    }

    #[test]
    fn a_levelled_box_is_centred_and_turns_with_the_eyes() {
        let mut landmarks = [Point::default(); 5];
        landmarks[1] = Point { x: 0.0, y: 10.0 };
        let map = levelled_box(rect(100.0, 50.0, 40.0, 20.0), &landmarks, 1.5, 192.0);
        assert!(near(apply(&map, 95.5, 95.5), (120.0, 60.0)));
        // Eyes one above the other: the crop's rightward axis is the picture's downward one.
        let ((x0, y0), (x1, y1)) = (apply(&map, 0.0, 0.0), apply(&map, 192.0, 0.0));
        assert!((x1 - x0).abs() < 1e-9 && (y1 - y0 - 60.0).abs() < 1e-9);
    }

    #[test]
    fn eyes_and_mouth_set_the_side_and_the_turn() {
        let points = [(40.0, 40.0), (60.0, 40.0), (50.0, 50.0), (42.0, 70.0), (58.0, 70.0)];
        let map = eyes_mouth(&points.map(|(x, y)| Point { x, y }), 1.5, 256.0);
        // 30 from eyes to mouth, 20 between the eyes: the side is 30 * 2 * 1.5 = 90.
        let ((x0, y0), (x1, y1)) = (apply(&map, 0.0, 0.0), apply(&map, 256.0, 256.0));
        assert!((x1 - x0 - 90.0).abs() < 1e-9 && (y1 - y0 - 90.0).abs() < 1e-9);
        assert!(near(apply(&map, 127.5, 127.5), (50.0, 47.5)));
    }

    #[test]
    fn landmarks_in_one_place_give_finite_maps() {
        let landmarks = [Point { x: 3.0, y: 3.0 }; 5];
        for map in [
            eyes_mouth(&landmarks, 1.5, 256.0),
            arcface(&landmarks, 112.0),
            levelled_box(rect(0.0, 0.0, 1.0, 1.0), &landmarks, 1.5, 192.0),
        ] {
            assert!(map.iter().flatten().all(|value| value.is_finite()));
        }
    }
}
