//! HeadPose: does the head face the camera?

use super::{Hint, QualityInput, QualityMeasure, scale::score};
use crate::{
    analysis::{Measurement, Outcome},
    verdict::{CheckId, RawMeasure},
};

/// The angle, of yaw, pitch and roll, that uses up most of its limit; its raw value in degrees. The score falls in a
/// straight line from 1 at 0 degrees over 0.5 at the limit to 0 at twice the limit.
///
/// The limits are those at which a session still gets frames of people who hold a phone low or look past a webcam: of the
/// live captures in the shared media one, a head bent down to the chest, exceeds them; the profiles, tilts and bows of its
/// `quality` folder do. OFIQ's cos² scores 0.75 at 30 degrees.
#[derive(Debug)]
pub(crate) struct HeadPoseMeasure;

/// About the vertical axis.
const YAW: f32 = 35.0;
/// Nodding; people look down on phones and up to webcams.
const PITCH: f32 = 30.0;
/// In the picture's plane; crops are turned back, so that only the detector suffers.
const ROLL: f32 = 35.0;

impl QualityMeasure for HeadPoseMeasure {
    fn id(&self) -> CheckId {
        CheckId::HeadPose
    }

    fn measure(&self, input: &QualityInput<'_>) -> Outcome {
        input.pose.outcome(|pose| {
            let angles = [(pose.yaw, YAW), (pose.pitch, PITCH), (pose.roll, ROLL)];
            let scored = angles.map(|(angle, limit)| (score(angle.abs(), 2.0 * limit, limit, 0.0), angle));
            let (score, angle) = scored.into_iter().fold((f32::INFINITY, 0.0), |worst, next| {
                if next.0 < worst.0 || next.0.is_nan() { next } else { worst }
            });
            (score, RawMeasure { value: f64::from(angle), unit: "deg" })
        })
    }

    fn hint(&self, _failed: &Measurement) -> Option<Hint> {
        Some(Hint::LookStraight)
    }
}
