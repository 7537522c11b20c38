//! Non-maximum suppression: of boxes that overlap, the surest stays.

use super::{Face, Rect};

/// Keeps each face whose box overlaps no surer kept one by more than `limit` (intersection over union). Surest first.
pub(crate) fn thin_out(mut faces: Vec<Face>, limit: f32) -> Vec<Face> {
    // The sort is stable, so that among equals the model's order decides, as in the reference.
    faces.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Face> = Vec::new();
    for face in faces {
        if kept.iter().all(|other| overlap(face.bbox, other.bbox) <= f64::from(limit)) {
            kept.push(face);
        }
    }
    kept
}

/// Intersection over union, 0..=1.
pub(crate) fn overlap(a: Rect, b: Rect) -> f64 {
    let span = |a0: f32, a1: f32, b0: f32, b1: f32| {
        let (a0, a1, b0, b1) = (f64::from(a0), f64::from(a1), f64::from(b0), f64::from(b1));
        ((a0 + a1).min(b0 + b1) - a0.max(b0)).max(0.0)
    };
    let shared = span(a.x, a.width, b.x, b.width) * span(a.y, a.height, b.y, b.height);
    let area = |rect: Rect| f64::from(rect.width) * f64::from(rect.height);
    let all = area(a) + area(b) - shared;
    if all > 0.0 { shared / all } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::Point;

    fn face(x: f32, score: f32) -> Face {
        Face { bbox: Rect { x, y: 0.0, width: 10.0, height: 10.0 }, score, landmarks: [Point::default(); 5] }
    }

    #[test]
    fn the_surest_of_overlapping_boxes_stays() {
        let kept = thin_out(vec![face(0.0, 0.7), face(1.0, 0.9), face(20.0, 0.8)], 0.3);
        let scores: Vec<f32> = kept.iter().map(|face| face.score).collect();
        assert_eq!(scores, [0.9, 0.8]);
    }

    #[test]
    fn overlap_is_intersection_over_union() {
        let at = |x| face(x, 1.0).bbox;
        assert_eq!(overlap(at(0.0), at(0.0)), 1.0);
        assert_eq!(overlap(at(0.0), at(10.0)), 0.0);
        assert!((overlap(at(0.0), at(5.0)) - 1.0 / 3.0).abs() < 1e-9);
        let nothing = Rect { x: 0.0, y: 0.0, width: 0.0, height: 0.0 };
        assert_eq!(overlap(nothing, nothing), 0.0);
    }

    #[test]
    fn a_chain_of_overlaps_keeps_its_ends() {
        // The middle one goes, and no longer suppresses the one behind it.
        let kept = thin_out(vec![face(0.0, 0.9), face(5.0, 0.8), face(10.0, 0.7)], 0.3);
        assert_eq!(kept.len(), 2);
    }
}
