//! FaceMatch: the straightest judged face against the reference, and whether a frame is the reference image itself.

use crate::{
    analysis::{FrameAnalysis, Outcome, Plane},
    matching::{self, Reference},
    verdict::{Detail, RawMeasure},
};

/// The residual (see [`MotionPrint::residual`](crate::analysis::MotionPrint::residual)) up to which a frame is the reference
/// image itself, recompressed, resized, cropped or mirrored.
///
/// Measured by `cargo test -p lifesign-core --test reference_media -- --nocapture --ignored` on 90 portraits and live pictures,
/// each against itself after one change, and against the others; quantiles of the residual:
///
/// | | least | 10 % | 50 % | 90 % | 98 % | most |
/// |---|---|---|---|---|---|---|
/// | JPEG at qualities 90 to 30 | 0.001 | 0.003 | 0.007 | 0.015 | 0.021 | 0.023 |
/// | half the size | 0.003 | 0.008 | 0.018 | 0.035 | 0.045 | 0.068 |
/// | mirrored | 0.005 | 0.009 | 0.014 | 0.031 | 0.041 | 0.050 |
/// | brighter by 25 levels | 0.002 | 0.005 | 0.013 | 0.036 | 0.062 | 0.126 |
/// | cropped to 0.6 of the box around the face | 0.001 | 0.005 | 0.014 | 0.031 | 0.044 | 0.054 |
/// | cropped, half the size, JPEG at 60 | 0.007 | 0.011 | 0.020 | 0.039 | 0.058 | 0.076 |
/// | cropped to 0.3 | 0.002 | 0.011 | 0.029 | 0.067 | 0.098 | 0.165 |
/// | more contrast, clipped | 0.011 | 0.026 | 0.056 | 0.089 | 0.153 | 0.197 |
/// | another picture of the same person (17 pairs) | 0.238 | 0.497 | 0.563 | 0.698 | 0.785 | 0.785 |
///
/// A picture taken in the same sitting lies between: of the frames of seven genuine clips, 4 % are within 0.02 of one taken
/// three seconds or more away, 14 % within 0.03 and 35 % within 0.05, most of them of people who hardly move
/// (`a_reference_of_the_same_sitting_is_mostly_another_picture` in `core/tests/video_session`). So whoever takes the
/// reference moments before the check, from the same place and in the same pose, may be refused; a reference of another day is
/// far away. At 0.03 all recompressed copies are found, almost nine tenths of mirrored and cropped ones, four fifths at half size;
/// what is not found still has to pass as a live face.
const IDENTICAL: f64 = 0.03;

/// What is known of the person so far.
#[derive(Debug, Default)]
pub(super) struct Matched {
    straightest: Option<Straight>,
    identical: Option<Identical>,
}

/// The straightest judged face so far.
#[derive(Debug)]
struct Straight {
    index: u64,
    /// Sum of yaw and pitch, degrees.
    turn: f32,
    embedding: Vec<f32>,
}

/// A frame that is the reference image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identical {
    pub(super) index: u64,
    pub(super) residual: f64,
}

impl Matched {
    /// Takes a judged frame; gives its own FaceMatch score for the timeline.
    pub(super) fn push(&mut self, reference: &Reference, index: u64, analysis: &FrameAnalysis) -> Option<f32> {
        if self.identical.is_none() {
            self.identical = same_picture(reference, analysis)
                .filter(|residual| *residual <= IDENTICAL)
                .map(|residual| Identical { index, residual });
        }
        let embedding = analysis.embedding.as_ref()?;
        // Yaw and pitch hide parts of the face; roll hides nothing, and alignment turns it back. A face whose pose is not
        // known comes last.
        let turn = analysis.pose.map(|pose| pose.yaw.abs() + pose.pitch.abs()).filter(|turn| turn.is_finite());
        let turn = turn.unwrap_or(f32::INFINITY);
        if self.straightest.as_ref().is_none_or(|best| turn < best.turn) {
            self.straightest = Some(Straight { index, turn, embedding: embedding.clone() });
        }
        let known = reference.embedding.as_ref().ok()?;
        matching::cosine(known, embedding).map(matching::score)
    }

    /// The first frame that is the reference image.
    pub(super) fn identical(&self) -> Option<Identical> {
        self.identical
    }

    /// The frame whose face is compared.
    pub(super) fn index(&self) -> Option<u64> {
        self.identical.map(|found| found.index).or(self.straightest.as_ref().map(|best| best.index))
    }

    /// The straightest face's likeness to the reference's.
    pub(super) fn outcome(&self, known: &[f32]) -> Outcome {
        let Some(best) = &self.straightest else { return Outcome::NotRun(Detail::NotRequested) };
        match matching::cosine(known, &best.embedding) {
            Some(cosine) => Outcome::Scored {
                score: matching::score(cosine),
                raw: RawMeasure { value: f64::from(cosine), unit: "cosine" },
            },
            // Vectors of different lengths, or without a direction: two packs, or a broken model.
            None => Outcome::Broken(Detail::ModelFault),
        }
    }
}

/// How far a frame's print is from the reference's or from its mirror image; the worse direction of comparison counts, as
/// either print can be flat enough to be explained by anything.
fn same_picture(reference: &Reference, analysis: &FrameAnalysis) -> Option<f64> {
    let known = reference.print.as_ref()?;
    let frame = Plane::of(analysis.motion.as_ref()?).filter(Plane::has_contrast)?;
    let residual = |known: &Plane| known.residual(&frame).max(frame.residual(known));
    [Plane::of(known)?, Plane::of(&known.mirrored())?]
        .iter()
        .filter(|known| known.has_contrast())
        .map(residual)
        .min_by(f64::total_cmp)
}
