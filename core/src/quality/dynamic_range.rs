//! DynamicRange: does the face use enough of the tonal range?

use super::{Hint, QualityInput, QualityMeasure, on_region, scale::score};
use crate::{
    analysis::{Measurement, Outcome},
    verdict::{CheckId, RawMeasure},
};

/// The entropy of the face's luminance histogram in bits, 0..=8 (ISO/IEC 29794-5; OFIQ's quality is 12.5 times it, so that
/// its middle is 4 bits). Dim live webcam captures of the shared media have 4.1 bits; the limit keeps half a bit away from them.
#[derive(Debug)]
pub(crate) struct DynamicRange;

const LIMIT: f32 = 3.5;
const BEST: f32 = 7.0;

impl QualityMeasure for DynamicRange {
    fn id(&self) -> CheckId {
        CheckId::DynamicRange
    }

    fn measure(&self, input: &QualityInput<'_>) -> Outcome {
        on_region(input, |region| {
            let bits = region.entropy();
            (score(bits, 0.0, LIMIT, BEST), RawMeasure { value: f64::from(bits), unit: "bit" })
        })
    }

    fn hint(&self, _failed: &Measurement) -> Option<Hint> {
        Some(Hint::LowContrast)
    }
}
