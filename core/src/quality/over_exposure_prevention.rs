//! OverExposurePrevention: is not too much of the face burnt out?

use std::ops::RangeInclusive;

use super::{Hint, QualityInput, QualityMeasure, on_region, scale::score};
use crate::{
    analysis::{Measurement, Outcome},
    verdict::{CheckId, RawMeasure},
};

/// The part of the face with a luminance of 247..=255 of 255 in linear light (ISO/IEC 29794-5).
#[derive(Debug)]
pub(crate) struct OverExposurePrevention;

const BRIGHT: RangeInclusive<usize> = 247..=255;
/// OFIQ's 1 / (p + 0.01) gives half of its best at 0.01, for studio light; a lamp's reflection on a forehead is more. Replayed
/// screens in the shared media reach 0.13, live captures 0.
const BRIGHT_LIMIT: f32 = 0.2;

impl QualityMeasure for OverExposurePrevention {
    fn id(&self) -> CheckId {
        CheckId::OverExposurePrevention
    }

    fn measure(&self, input: &QualityInput<'_>) -> Outcome {
        on_region(input, |region| {
            let part = region.share(BRIGHT);
            (score(part, 1.0, BRIGHT_LIMIT, 0.0), RawMeasure { value: f64::from(part), unit: "ratio" })
        })
    }

    fn hint(&self, _failed: &Measurement) -> Option<Hint> {
        Some(Hint::TooBright)
    }
}
