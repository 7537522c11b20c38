//! SingleFacePresent: is there exactly one face that matters?

use super::{Hint, QualityInput, QualityMeasure, raw_value, scored};
use crate::{
    analysis::{Measurement, Outcome},
    verdict::{CheckId, RawMeasure},
};

/// OFIQ's unicity f = sqrt(a2 / a1), where a1 and a2 are the areas of the largest and the second-largest box: 0 with one
/// face, 1 with two of one size. Score = 1 - f, so that at the limit of 0.5 the second face is half as wide and high as the
/// first: a passer-by in the background is smaller than that, a second person in front of the camera is not. Without a face
/// the raw value is a count of 0 and the score 0.
#[derive(Debug)]
pub(crate) struct SingleFacePresent;

impl QualityMeasure for SingleFacePresent {
    fn id(&self) -> CheckId {
        CheckId::SingleFacePresent
    }

    fn measure(&self, input: &QualityInput<'_>) -> Outcome {
        let mut areas = input.faces.iter().map(|face| face.bbox.width * face.bbox.height);
        let Some(largest) = areas.next() else {
            return scored(0.0, RawMeasure { value: 0.0, unit: "count" });
        };
        // The faces come largest first.
        let unicity = (areas.next().unwrap_or(0.0) / largest).sqrt();
        scored(1.0 - unicity, RawMeasure { value: f64::from(unicity), unit: "ratio" })
    }

    fn hint(&self, failed: &Measurement) -> Option<Hint> {
        let value = raw_value(failed)?;
        Some(if value == 0.0 { Hint::NoFace } else { Hint::MultipleFaces })
    }
}
