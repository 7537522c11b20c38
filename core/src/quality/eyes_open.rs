//! EyesOpen: are both eyes open?

use super::{Hint, QualityInput, QualityMeasure, scale::score};
use crate::{
    analysis::{Measurement, Outcome},
    verdict::{CheckId, RawMeasure},
};

/// The smaller of both eyes' aspect ratios (see [`crate::face::Mesh`]). OFIQ divides the lid distance by the distance from
/// eyes to chin instead; the ratio within the eye needs no chin, which a beard or a mask hides. It needs a mesh model.
///
/// Open eyes of live captures in the shared media have 0.12 to 0.33. The limit lies below them and finds eyes that are shut
/// without a trace; MediaPipe's first mesh keeps the lids apart (0.16) where dark lashes draw the line of a closed eye.
#[derive(Debug)]
pub(crate) struct EyesOpen;

const LIMIT: f32 = 0.1;
const BEST: f32 = 0.25;

impl QualityMeasure for EyesOpen {
    fn id(&self) -> CheckId {
        CheckId::EyesOpen
    }

    fn costly(&self) -> bool {
        true
    }

    fn measure(&self, input: &QualityInput<'_>) -> Outcome {
        input
            .eye_aspect
            .outcome(|aspect| (score(aspect, 0.0, LIMIT, BEST), RawMeasure { value: f64::from(aspect), unit: "ratio" }))
    }

    fn hint(&self, _failed: &Measurement) -> Option<Hint> {
        Some(Hint::OpenEyes)
    }
}
