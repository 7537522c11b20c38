//! HeadSize: is the head neither too small nor too large in the frame?

use super::{Hint, QualityInput, QualityMeasure, on_face, raw_value, scale::within};
use crate::{
    analysis::{Measurement, Outcome},
    verdict::{CheckId, RawMeasure},
};

/// The raw value is the longer side of the face box over the shorter side of the frame. OFIQ relates the distance from eyes
/// to chin to the frame's height, for passport pictures of one format; phones held upright and webcams differ fourfold in
/// that, but not in how much of the narrower side a face takes.
///
/// The lower limit keeps the liveness models' 2.7-fold crop at least as fine as the pixels they were trained on at arm's
/// length; above the upper limit the crop with its tell-tale surroundings (a screen's bezel, a print's edge) no longer fits
/// into the frame.
#[derive(Debug)]
pub(crate) struct HeadSize;

const RANGE: [f32; 6] = [0.0, 0.2, 0.4, 0.85, 1.2, 1.6];

impl QualityMeasure for HeadSize {
    fn id(&self) -> CheckId {
        CheckId::HeadSize
    }

    fn measure(&self, input: &QualityInput<'_>) -> Outcome {
        on_face(input, |face| {
            let part = face.bbox.width.max(face.bbox.height) / input.width.min(input.height) as f32;
            (within(part, RANGE), RawMeasure { value: f64::from(part), unit: "ratio" })
        })
    }

    fn hint(&self, failed: &Measurement) -> Option<Hint> {
        let [.., best, _, _] = RANGE;
        let value = raw_value(failed)?;
        Some(if value < f64::from(best) { Hint::MoveCloser } else { Hint::MoveBack })
    }
}
