//! InterEyeDistance: are the eyes far enough apart, in pixels, for the models?

use super::{Evidence, Hint, QualityInput, QualityMeasure, on_face, scale::score};
use crate::{
    analysis::{Measurement, Outcome},
    verdict::{CheckId, RawMeasure},
};

/// The distance of the eye centres in pixels, divided by the cosine of the yaw (ISO/IEC 29794-5, as OFIQ computes it), so
/// that turning the head does not shrink it.
///
/// OFIQ's middle is 70 px, for passports. Here the limit follows from ArcFace's 112x112 template, whose eyes are 35 px apart:
/// below about 30 px the embedding's crop is magnified by more than a sixth. (The liveness crops ask for 12 px only.)
#[derive(Debug)]
pub(crate) struct InterEyeDistance;

const LIMIT: f32 = 30.0;
/// OFIQ's middle, from where on more pixels add nothing here.
const BEST: f32 = 70.0;
/// A profile would divide by nearly nothing.
const MAX_YAW: f32 = 60.0;

impl QualityMeasure for InterEyeDistance {
    fn id(&self) -> CheckId {
        CheckId::InterEyeDistance
    }

    fn measure(&self, input: &QualityInput<'_>) -> Outcome {
        let yaw = if let Evidence::Known(pose) = input.pose { pose.yaw.abs().min(MAX_YAW) } else { 0.0 };
        on_face(input, |face| {
            let [right, left, ..] = face.landmarks;
            let distance = (left.x - right.x).hypot(left.y - right.y) / yaw.to_radians().cos();
            (score(distance, 0.0, LIMIT, BEST), RawMeasure { value: f64::from(distance), unit: "px" })
        })
    }

    fn hint(&self, _failed: &Measurement) -> Option<Hint> {
        Some(Hint::MoveCloser)
    }
}
