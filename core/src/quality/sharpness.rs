//! Sharpness: is the face in focus and not shaken?

use super::{Hint, QualityInput, QualityMeasure, on_region, scale::score};
use crate::{
    analysis::{Measurement, Outcome},
    verdict::{CheckId, RawMeasure},
};

/// The standard deviation of the Laplacian over the face, divided by the standard deviation of its luma: how much of the
/// contrast there is lies in single pixels. Pech-Pacheco et al. 2000 use the Laplacian's variance alone, which calls a sharp
/// face in flat light blurred; OFIQ's measure is a random forest over such values.
///
/// It is taken at the models' resolution (see [`super::FaceRegion`]): a soft lens at 12 megapixels costs nothing, a blur
/// that reaches the crops does. Live captures of the shared media have 0.14 and more, the sample picture that was blurred on
/// purpose 0.10.
#[derive(Debug)]
pub(crate) struct Sharpness;

const LIMIT: f32 = 0.12;
const BEST: f32 = 0.3;

impl QualityMeasure for Sharpness {
    fn id(&self) -> CheckId {
        CheckId::Sharpness
    }

    fn measure(&self, input: &QualityInput<'_>) -> Outcome {
        on_region(input, |region| {
            // A region without contrast, or too small to tell, has no sharpness.
            let part = match region.deviations() {
                Some((luma, laplacian)) if luma > 0.0 => laplacian / luma,
                Some(_) | None => 0.0,
            };
            (score(part, 0.0, LIMIT, BEST), RawMeasure { value: f64::from(part), unit: "ratio" })
        })
    }

    fn hint(&self, _failed: &Measurement) -> Option<Hint> {
        Some(Hint::Blurry)
    }
}
