//! CropOfTheFaceImage: does the face lie inside the frame?

use super::{Hint, QualityInput, QualityMeasure, on_face, scale::score};
use crate::{
    analysis::{Measurement, Outcome},
    verdict::{CheckId, RawMeasure},
};

/// The part of the face box that lies inside the frame. OFIQ measures four margins around the head for passport pictures;
/// liveness needs no margin, only the whole face.
#[derive(Debug)]
pub(crate) struct CropOfTheFaceImage;

const LIMIT: f32 = 0.85;

impl QualityMeasure for CropOfTheFaceImage {
    fn id(&self) -> CheckId {
        CheckId::CropOfTheFaceImage
    }

    fn measure(&self, input: &QualityInput<'_>) -> Outcome {
        on_face(input, |face| {
            let inside = |from: f32, length: f32, limit: u32| {
                (((from + length).min(limit as f32) - from.max(0.0)) / length).max(0.0)
            };
            let bbox = face.bbox;
            let part = inside(bbox.x, bbox.width, input.width) * inside(bbox.y, bbox.height, input.height);
            (score(part, 0.5, LIMIT, 1.0), RawMeasure { value: f64::from(part), unit: "ratio" })
        })
    }

    fn hint(&self, _failed: &Measurement) -> Option<Hint> {
        Some(Hint::CenterFace)
    }
}
