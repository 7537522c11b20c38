//! Luminance: is the mean luminance of the face in range?

use super::{Hint, QualityInput, QualityMeasure, on_region, raw_value, scale::within};
use crate::{
    analysis::{Measurement, Outcome},
    verdict::{CheckId, RawMeasure},
};

/// The mean luminance of the face in linear light, 0..=1 (ISO/IEC 29794-5, LuminanceMean). OFIQ's sigmoids have their
/// middles at 0.2 and 0.8, for the even light of a passport studio. Live webcam captures of the shared media have a median of
/// 0.11 and a minimum of 0.03, many of dark skin; an even limit of 0.2 would turn most of these people away. The lower limit
/// lies just below that minimum.
#[derive(Debug)]
pub(crate) struct Luminance;

const RANGE: [f32; 6] = [0.0, 0.025, 0.1, 0.6, 0.8, 1.0];

impl QualityMeasure for Luminance {
    fn id(&self) -> CheckId {
        CheckId::Luminance
    }

    fn measure(&self, input: &QualityInput<'_>) -> Outcome {
        on_region(input, |region| {
            let mean = region.mean_luminance();
            (within(mean, RANGE), RawMeasure { value: f64::from(mean), unit: "ratio" })
        })
    }

    fn hint(&self, failed: &Measurement) -> Option<Hint> {
        let [_, _, low_best, ..] = RANGE;
        let value = raw_value(failed)?;
        Some(if value < f64::from(low_best) { Hint::TooDark } else { Hint::TooBright })
    }
}
