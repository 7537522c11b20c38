//! The reference image: whom the face is compared with.

use crate::{
    analysis::{FrameAnalysis, MotionPrint},
    verdict::Detail,
};

/// What is kept of a reference image: the face's vector and coarse grey print, or why it cannot be compared. Never the
/// picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// The face as a unit vector, or why there is none.
    pub embedding: Result<Vec<f32>, Detail>,
    /// For telling the reference image itself from another picture of the person.
    pub print: Option<MotionPrint>,
}

impl Reference {
    /// What an analysis of the reference image gives. Its own quality is held to what a comparison needs, not to the policy's
    /// demands on captures: pictures in documents are small and grey.
    pub fn of(analysis: &FrameAnalysis) -> Self {
        let embedding = match (&analysis.embedding, analysis.faces.is_empty()) {
            (_, true) => Err(Detail::ReferenceNoFace),
            (Some(embedding), false) => Ok(embedding.clone()),
            (None, false) => Err(Detail::NoModel),
        };
        Self { embedding, print: analysis.motion.clone() }
    }
}
