//! FaceArea: does the face take as much of the frame as a capture page asks for?

use super::{Hint, QualityInput, QualityMeasure, on_face};
use crate::{
    analysis::{Measurement, Outcome},
    verdict::{CheckId, RawMeasure},
};

/// The part of the face box that lies inside the frame, over the square of the frame's shorter side. The score is that share
/// itself, at most 1, so that a policy's threshold says what the page says: 0.6 for FPT.AI's "3/5 of the frame", 0.3 for the
/// 30 % of its newer page.
///
/// Why the shorter side's square, not the whole frame: a face box is about three quarters as wide as high, so within a
/// frame of 1280x720 it covers at most 42 % of the area, and one of 800x600 (the least that the page takes) at most 56 %;
/// 3/5 of the area could not be met there by any face that is not cut off. Measured on the square, the rule asks the same of
/// the person however the phone is held: a box nine tenths as high as the shorter side. In an upright frame of 9:16 that
/// is 34 % of the whole, which is what the newer page says.
///
/// A rule of some pages, not a fault of a capture: it is measured only where a policy asks for it.
#[derive(Debug)]
pub(crate) struct FaceArea;

impl QualityMeasure for FaceArea {
    fn id(&self) -> CheckId {
        CheckId::FaceArea
    }

    fn on_request(&self) -> bool {
        true
    }

    fn measure(&self, input: &QualityInput<'_>) -> Outcome {
        on_face(input, |face| {
            let inside =
                |from: f32, length: f32, limit: u32| ((from + length).min(limit as f32) - from.max(0.0)).max(0.0);
            let bbox = face.bbox;
            let area = inside(bbox.x, bbox.width, input.width) * inside(bbox.y, bbox.height, input.height);
            let share = area / (input.width.min(input.height) as f32).powi(2);
            (share, RawMeasure { value: f64::from(share), unit: "ratio" })
        })
    }

    fn hint(&self, _failed: &Measurement) -> Option<Hint> {
        Some(Hint::MoveCloser)
    }
}
