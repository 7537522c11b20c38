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
/// Live captures of the shared media lie between 0.36 (webcam) and 1.13 (phone at arm's length, a tall frame). Below the lower
/// limit a 640x480 webcam shows a face of 72 px, less than the liveness models' input; above the upper one the face fills
/// even a tall frame, and the surroundings in which a screen's bezel or a print's edge would show are gone.
#[derive(Debug)]
pub(crate) struct HeadSize;

const RANGE: [f32; 6] = [0.0, 0.15, 0.35, 1.0, 1.4, 1.8];

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
