//! UnderExposurePrevention and OverExposurePrevention: is not too much of the face black, or burnt out?

use std::ops::RangeInclusive;

use super::{Hint, QualityInput, QualityMeasure, on_region, scale::score};
use crate::{
    analysis::{Measurement, Outcome},
    verdict::{CheckId, RawMeasure},
};

/// The part of the face that is black. ISO/IEC 29794-5 counts a luminance of 0..=25 of 255 in linear light, which is up to 88
/// as coded: by that, live webcam captures of the shared media are under-exposed to 95 % and more. Here black is 0..=2 in
/// linear light, 25 as coded, where a camera's noise hides what there is.
#[derive(Debug)]
pub(crate) struct UnderExposurePrevention;

/// The part of the face with a luminance of 247..=255 of 255 in linear light (ISO/IEC 29794-5).
#[derive(Debug)]
pub(crate) struct OverExposurePrevention;

const DARK: RangeInclusive<usize> = 0..=2;
/// Half of the face.
const DARK_LIMIT: f32 = 0.5;
const BRIGHT: RangeInclusive<usize> = 247..=255;
/// OFIQ's 1 / (p + 0.01) gives half of its best at 0.01, for studio light; a lamp's reflection on a forehead is more. Replayed
/// screens in the shared media reach 0.13, live captures 0.
const BRIGHT_LIMIT: f32 = 0.2;

impl QualityMeasure for UnderExposurePrevention {
    fn id(&self) -> CheckId {
        CheckId::UnderExposurePrevention
    }

    fn measure(&self, input: &QualityInput<'_>) -> Outcome {
        on_region(input, |region| {
            let part = region.share(DARK);
            (score(part, 1.0, DARK_LIMIT, 0.0), RawMeasure { value: f64::from(part), unit: "ratio" })
        })
    }

    fn hint(&self, _failed: &Measurement) -> Option<Hint> {
        Some(Hint::TooDark)
    }
}

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
