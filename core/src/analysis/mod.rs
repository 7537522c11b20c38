//! One frame through the models: faces, quality, and, only if quality allows, the costly checks.

mod analyzer;
mod motion;
mod residual;

pub use analyzer::Analyzer;
pub(crate) use residual::Plane;

use std::time::Duration;

use crate::{
    face::{Face, HeadPose},
    runtime::RuntimeError,
    verdict::{CheckId, Detail, ModelRef, RawMeasure},
};

/// What to run on a frame; a policy makes it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Checks to run. Those whose id is not here are left out (quality measures are cheap and always run, but FaceArea).
    pub checks: Vec<CheckId>,
    /// Quality checks that must reach this score before liveness, deepfake and embedding are run on the frame.
    pub gates: Vec<(CheckId, f32)>,
    /// Whether the face's embedding is wanted (for FrameContinuity or FaceMatch).
    pub embedding: bool,
}

impl Plan {
    /// Whether a check is to run, because it is asked for or is a gate.
    pub fn wants(&self, id: CheckId) -> bool {
        self.checks.contains(&id) || self.gates.iter().any(|(gate, _)| *gate == id)
    }
}

/// How one check on one frame ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It gave a number.
    Scored {
        /// 0..=1, 1 = bona fide or best.
        score: f32,
        /// The measure behind it.
        raw: RawMeasure,
    },
    /// It did not run.
    NotRun(Detail),
    /// It broke.
    Broken(Detail),
}

/// One check on one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// Which.
    pub id: CheckId,
    /// How it ended.
    pub outcome: Outcome,
    /// The models that took part.
    pub models: Vec<ModelRef>,
    /// Time spent.
    pub duration: Duration,
}

impl Measurement {
    /// The score, where there is one.
    pub fn score(&self) -> Option<f32> {
        match self.outcome {
            Outcome::Scored { score, .. } => Some(score),
            Outcome::NotRun(_) | Outcome::Broken(_) => None,
        }
    }
}

/// Side of [`MotionPrint`]'s square, in cells.
pub const MOTION_SIDE: usize = 32;

/// A small grey picture of the judged face and its surroundings, kept per frame to tell a live view from a still image:
/// the square of twice the box's longer side around the box's centre, area-averaged to 32x32 cells, luma 0..=255. It is
/// far too coarse to recognise anyone by, and is dropped with the session.
#[derive(Debug, Clone, PartialEq)]
pub struct MotionPrint {
    /// Row-major luma.
    pub cells: Box<[f32; MOTION_SIDE * MOTION_SIDE]>,
}

/// What was found in one frame.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameAnalysis {
    /// Width of the upright frame, pixels.
    pub width: u32,
    /// Height of the upright frame, pixels.
    pub height: u32,
    /// Faces, largest first; the first is the judged one.
    pub faces: Vec<Face>,
    /// Pose of the first face.
    pub pose: Option<HeadPose>,
    /// One per check that was asked for or is cheap, in the order of [`CheckId::ALL`].
    pub measurements: Vec<Measurement>,
    /// What the models said that broke on this frame; the checks that they serve are [`Outcome::Broken`].
    pub faults: Vec<RuntimeError>,
    /// The face as a unit vector, where it was asked for and could be made.
    pub embedding: Option<Vec<f32>>,
    /// For StillImage; `None` without a face.
    pub motion: Option<MotionPrint>,
    /// Time of the whole analysis.
    pub duration: Duration,
}

impl FrameAnalysis {
    /// The measurement of a check, if it was made or tried.
    pub fn measurement(&self, id: CheckId) -> Option<&Measurement> {
        self.measurements.iter().find(|measurement| measurement.id == id)
    }
}
