//! Quality of a capture: one measure a file, with the names of ISO/IEC 29794-5 (OFIQ).
//!
//! Every measure gives a raw number in its own unit and a score 0..=1 mapped so that 0.5 is the recommended limit; the
//! formula, the limit and its source are at each measure. The limits were set on the shared media by
//! `cargo test -p lifesign-core --test quality_media -- --nocapture`, which prints how many captures of each kind pass.
//!
//! Adding a measure is a file with a [`QualityMeasure`] and a line of [`MEASURES`].

mod crop_of_the_face_image;
mod dynamic_range;
mod eyes_open;
mod face_area;
mod face_occlusion_prevention;
mod head_pose;
mod head_size;
mod inter_eye_distance;
mod luminance;
mod over_exposure_prevention;
mod region;
mod scale;
mod sharpness;
mod single_face_present;
mod under_exposure_prevention;

pub use region::FaceRegion;

use crate::{
    analysis::{Measurement, Outcome},
    face::{Face, HeadPose},
    verdict::{CheckId, Detail, RawMeasure},
};

/// Every measure there is.
pub static MEASURES: &[&dyn QualityMeasure] = &[
    &single_face_present::SingleFacePresent,
    &head_size::HeadSize,
    &face_area::FaceArea,
    &inter_eye_distance::InterEyeDistance,
    &crop_of_the_face_image::CropOfTheFaceImage,
    &head_pose::HeadPoseMeasure,
    &sharpness::Sharpness,
    &luminance::Luminance,
    &under_exposure_prevention::UnderExposurePrevention,
    &over_exposure_prevention::OverExposurePrevention,
    &dynamic_range::DynamicRange,
    &eyes_open::EyesOpen,
    &face_occlusion_prevention::FaceOcclusionPrevention,
];

/// One measure of a capture's quality.
pub trait QualityMeasure: Sync {
    /// The check that it answers.
    fn id(&self) -> CheckId;

    /// Whether it needs a model of its own, which makes it too costly to run unasked.
    fn costly(&self) -> bool {
        false
    }

    /// Whether it is a rule that some ask for rather than a fault of any capture: then it is measured only where the plan
    /// wants it, so that it stands in no verdict unasked and has no part in choosing the best frame.
    fn on_request(&self) -> bool {
        false
    }

    /// Measures.
    fn measure(&self, input: &QualityInput<'_>) -> Outcome;

    /// What the person should do about a measurement of this check that failed; the raw value says in which direction it
    /// missed the range. `None` where nothing they do would help.
    fn hint(&self, failed: &Measurement) -> Option<Hint>;
}

/// What the measures look at.
#[derive(Debug, Clone)]
pub struct QualityInput<'a> {
    /// Width of the upright frame, pixels.
    pub width: u32,
    /// Height of the upright frame, pixels.
    pub height: u32,
    /// Faces, largest first; the first is the judged one.
    pub faces: &'a [Face],
    /// The light on the first face.
    pub region: Option<&'a FaceRegion>,
    /// How the first face is turned.
    pub pose: Evidence<HeadPose>,
    /// The smaller of both eyes' aspect ratios, see [`crate::face::Mesh`].
    pub eye_aspect: Evidence<f32>,
    /// P(nothing covers the face), from the pack's occlusion models.
    pub uncovered: Evidence<f32>,
}

/// What a model gave, or why it gave nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Evidence<T> {
    /// It ran.
    Known(T),
    /// It did not run.
    Absent(Detail),
    /// It broke.
    Broken(Detail),
}

impl<T> Evidence<T> {
    /// The outcome of a check on it: what is no number after all counts as broken, never as a pass.
    fn outcome(self, score: impl FnOnce(T) -> (f32, RawMeasure)) -> Outcome {
        match self {
            Evidence::Known(value) => {
                let (score, raw) = score(value);
                scored(score, raw)
            }
            Evidence::Absent(detail) => Outcome::NotRun(detail),
            Evidence::Broken(detail) => Outcome::Broken(detail),
        }
    }
}

/// The hint for a failed measurement of a quality check.
pub fn hint(failed: &Measurement) -> Option<Hint> {
    MEASURES.iter().find(|measure| measure.id() == failed.id).and_then(|measure| measure.hint(failed))
}

fn scored(score: f32, raw: RawMeasure) -> Outcome {
    if score.is_finite() && raw.value.is_finite() {
        Outcome::Scored { score: score.clamp(0.0, 1.0), raw }
    } else {
        Outcome::Broken(Detail::ModelFault)
    }
}

/// Measures the first face, where there is one.
fn on_face(input: &QualityInput<'_>, score: impl FnOnce(&Face) -> (f32, RawMeasure)) -> Outcome {
    match input.faces.first() {
        Some(face) => {
            let (score, raw) = score(face);
            scored(score, raw)
        }
        None => Outcome::NotRun(Detail::NoFace),
    }
}

/// Measures the light on the first face, where there is one.
fn on_region(input: &QualityInput<'_>, score: impl FnOnce(&FaceRegion) -> (f32, RawMeasure)) -> Outcome {
    match input.region {
        Some(region) => {
            let (score, raw) = score(region);
            scored(score, raw)
        }
        None => Outcome::NotRun(Detail::NoFace),
    }
}

/// The raw value of a measurement.
fn raw_value(measurement: &Measurement) -> Option<f64> {
    match measurement.outcome {
        Outcome::Scored { raw, .. } => Some(raw.value),
        Outcome::NotRun(_) | Outcome::Broken(_) => None,
    }
}

/// What the person should do. The order is the order of importance when several apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hint {
    /// No face in the frame.
    NoFace,
    /// More than one face.
    MultipleFaces,
    /// The face is too small.
    MoveCloser,
    /// The face is too large.
    MoveBack,
    /// The face is cut off or off-centre.
    CenterFace,
    /// Too little light on the face.
    TooDark,
    /// Too much light on the face.
    TooBright,
    /// Something covers the face.
    UncoverFace,
    /// The head is turned away.
    LookStraight,
    /// An eye is closed.
    OpenEyes,
    /// Out of focus or shaken.
    Blurry,
    /// Flat light, washed out.
    LowContrast,
    /// Nothing to correct.
    HoldStill,
}

#[cfg(test)]
mod tests;
