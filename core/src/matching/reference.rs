//! The reference image: whom the face is compared with.

use crate::{
    analysis::{FrameAnalysis, Measurement, MotionPrint, Outcome, Plan},
    verdict::{CheckId, Detail},
};

/// The score at which a quality measure passes here: its recommended limit, whatever a policy demands of captures.
const GOOD: f32 = 0.5;

/// The most that the second face of a reference image may measure of the first, as the ratio of their sides, for the first
/// to be the one that is meant. A "ghost" portrait beside the main one on an identity card or a passport's data page has
/// about half its width or less, so the half that captures are held to (SingleFacePresent) would refuse documents; of two
/// people in one picture neither is clearly the one where the smaller has half the area of the larger, which this is.
const SECOND: f64 = 0.7;

/// What is kept of a reference image: the face's vector and coarse grey print, or why it cannot be compared. Never the
/// picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// The face as a unit vector, or why there is none. [`Detail::ModelFault`] makes FaceMatch an ERROR, anything else
    /// NOT_RUN.
    pub embedding: Result<Vec<f32>, Detail>,
    /// For telling the reference image itself from another picture of the person.
    pub print: Option<MotionPrint>,
}

impl Reference {
    /// What to run on a reference image: the embedding and the cheap measures, no attack checks (a picture of a document
    /// is what an attack check is there to refuse), and no gates, so that [`Reference::of`] can tell what is wrong.
    pub fn plan() -> Plan {
        Plan { embedding: true, ..Plan::default() }
    }

    /// What an analysis of the reference image by [`Reference::plan`] gives. Its own quality is held to what a comparison
    /// needs, not to the policy's demands on captures: pictures in documents are small, grey and flat.
    ///
    /// In this order: a face there is, and it is the one that is meant; its eyes are as far apart as the embedding's crop
    /// needs (InterEyeDistance), it is in focus (Sharpness); it faces the camera, lies inside the picture, and is neither too
    /// dark nor too bright. Each measure passes at its recommended limit.
    pub fn of(analysis: &FrameAnalysis) -> Self {
        let embedding = match fault(analysis) {
            Some(detail) => Err(detail),
            None => analysis.embedding.clone().ok_or(missing(analysis)),
        };
        Self { embedding, print: analysis.motion.clone() }
    }
}

/// Why a reference image cannot be compared.
fn fault(analysis: &FrameAnalysis) -> Option<Detail> {
    if analysis.faces.is_empty() {
        return Some(Detail::ReferenceNoFace);
    }
    if let Some(Outcome::Scored { raw, .. }) = analysis.measurement(CheckId::SingleFacePresent).map(|m| &m.outcome)
        && raw.value > SECOND
    {
        return Some(Detail::ReferenceMultipleFaces);
    }
    let demands = [
        (CheckId::SingleFacePresent, 0.0, Detail::ReferenceMultipleFaces),
        (CheckId::InterEyeDistance, GOOD, Detail::ReferenceTooSmall),
        (CheckId::Sharpness, GOOD, Detail::ReferenceBlurry),
        (CheckId::HeadPose, GOOD, Detail::ReferenceQuality),
        (CheckId::CropOfTheFaceImage, GOOD, Detail::ReferenceQuality),
        (CheckId::Luminance, GOOD, Detail::ReferenceQuality),
        (CheckId::UnderExposurePrevention, GOOD, Detail::ReferenceQuality),
        (CheckId::OverExposurePrevention, GOOD, Detail::ReferenceQuality),
    ];
    demands.into_iter().find_map(|(id, least, detail)| {
        match analysis.measurement(id).map(|measurement| &measurement.outcome) {
            Some(Outcome::Broken(detail)) => Some(*detail),
            // What was not measured was not shown to be good.
            measured => {
                let score = measured.and_then(|outcome| match outcome {
                    Outcome::Scored { score, .. } => Some(*score),
                    Outcome::NotRun(_) | Outcome::Broken(_) => None,
                });
                (!score.is_some_and(|score| score >= least)).then_some(detail)
            }
        }
    })
}

/// Why a good face has no vector.
fn missing(analysis: &FrameAnalysis) -> Detail {
    match analysis.measurement(CheckId::FaceMatch) {
        Some(Measurement { outcome: Outcome::Broken(detail), .. }) => *detail,
        Some(_) | None => Detail::NoModel,
    }
}
