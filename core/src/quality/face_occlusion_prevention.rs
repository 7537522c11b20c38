//! FaceOcclusionPrevention: does nothing cover the face?

use super::{Hint, QualityInput, QualityMeasure};
use crate::{
    analysis::{Measurement, Outcome},
    verdict::{CheckId, RawMeasure},
};

/// P(nothing covers the face) as the pack's occlusion models give it; a model is calibrated by the pack's own threshold, so
/// the probability is the score. It needs an occlusion model.
#[derive(Debug)]
pub(crate) struct FaceOcclusionPrevention;

impl QualityMeasure for FaceOcclusionPrevention {
    fn id(&self) -> CheckId {
        CheckId::FaceOcclusionPrevention
    }

    fn costly(&self) -> bool {
        true
    }

    fn measure(&self, input: &QualityInput<'_>) -> Outcome {
        input.uncovered.outcome(|free| (free, RawMeasure { value: f64::from(free), unit: "probability" }))
    }

    fn hint(&self, _failed: &Measurement) -> Option<Hint> {
        Some(Hint::UncoverFace)
    }
}
