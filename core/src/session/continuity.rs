//! FrameContinuity: the same face stays from the first judged frame to the last.
//!
//! Two things are looked at. The box of the face may move and grow only as far as a head does in the time between two
//! frames, and may be away only for a moment. And where the pack has an embedding model, every judged face must resemble
//! the first one. A leap or an absence is forgiven once a later embedding shows the same face again; without embeddings
//! nothing can show it, and the break stands.
//!
//! The limits hold for frames up to a second apart, as a video's are that is sampled over a minute. There one missed detection
//! is an absence of two seconds, which only an embedding can forgive.
//!
//! Nothing is followed before the first judged frame: until then there is no evidence that a swap could profit from.

use super::clock::Moment;
use crate::{
    analysis::Outcome,
    face::Face,
    verdict::{Detail, RawMeasure},
};

/// How far the centre of the box may move between two frames, in multiples of the face's size, however short the time.
/// Neighbouring frames of a list without times are held to it as well. On nine genuine clips the greatest step was 0.15 at
/// ten frames a second, 0.28 at five and 0.50 at two (`tests/calibration/continuity.py`).
const STEP_BASE: f64 = 0.6;

/// How much further it may move for each second between the two.
const STEP_RATE: f64 = 1.0;

/// Time beyond which no further step is allowed, seconds: times may be the client's word.
const STEP_TIME: f64 = 1.0;

/// How much the face may grow or shrink between two frames. The greatest on those clips was 1.23, at two frames a second.
const SIZE_RATIO: f64 = 1.6;

/// How long the face may be out of sight, seconds: longer than a blink of the detector, shorter than it takes to put
/// something else before the camera.
const GAP_TIME: f64 = 1.0;

/// How many frames in a row may be without a face, where times say nothing.
const GAP_FRAMES: u32 = 10;

/// The least cosine between the first judged face and a later one, for embeddings such as MobileFaceNet's of the open pack.
/// The limit for telling people apart is higher: at 0.40, 0 of 1,766 pairs of different people match and 6 % of pairs of
/// the same person do not (the pack's card). Within one session light and camera stay, a false break costs more, and every
/// later frame is compared. In nine genuine clips 98 % of the pairs within four seconds were above 0.396 although heads
/// turn far beyond what HeadPose lets through (the least of 5,468: 0.144); of pairs from different clips 98 % were below
/// 0.233, the greatest of 3,503 was 0.304 (`tests/calibration/continuity.py`). The built-in pack's embedding is of the same
/// scale: 98 % above 0.491 within a clip, the least 0.206; 98 % below 0.372 between clips, the greatest 0.527, so a swap of
/// faces passes here more often (the same script with `models/builtin`). A pack whose cosines are of another scale sets its
/// own threshold for FrameContinuity.
const COSINE: f64 = 0.25;

/// The face followed so far. Its size does not grow with the number of frames.
#[derive(Debug, Default)]
pub(super) struct Continuity {
    last: Option<Seen>,
    reference: Option<Vec<f32>>,
    faceless: u32,
    compared: u32,
    /// The greatest step, as a share of what is allowed, that needed no forgiveness.
    greatest: f64,
    /// A step or an absence beyond what is allowed, and not forgiven yet.
    doubt: Option<f64>,
    least_cosine: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Moment,
    x: f64,
    y: f64,
    size: f64,
}

impl Continuity {
    /// Takes a frame: its faces, largest first, and the first one's embedding, if it was made. On a frame that was not
    /// judged the nearest face is followed, so that a passer-by who is larger for a moment breaks nothing.
    pub(super) fn push(&mut self, at: Moment, faces: &[Face], embedding: Option<&[f32]>, judged: bool) {
        let seen = faces.iter().filter_map(|face| Seen::new(at, face));
        let seen = match self.last {
            Some(last) if !judged => seen.min_by(|a, b| a.step_from(&last, 0).total_cmp(&b.step_from(&last, 0))),
            _ => faces.first().and_then(|face| Seen::new(at, face)),
        };
        let Some(seen) = seen else {
            self.faceless = self.faceless.saturating_add(u32::from(self.last.is_some()));
            return;
        };
        match self.last {
            None if !judged => return,
            None => {}
            Some(last) => {
                let step = seen.step_from(&last, self.faceless);
                if step > 1.0 {
                    self.doubt = Some(self.doubt.map_or(step, |doubt| doubt.max(step)));
                } else {
                    self.greatest = self.greatest.max(step);
                }
                self.compared = self.compared.saturating_add(u32::from(judged));
            }
        }
        self.last = Some(seen);
        self.faceless = 0;
        if let Some(embedding) = embedding
            && judged
        {
            self.resemble(embedding);
        }
    }

    fn resemble(&mut self, embedding: &[f32]) {
        let Some(reference) = &self.reference else {
            // A face first seen after a leap cannot vouch for the one before it.
            if self.doubt.is_none() {
                self.reference = Some(embedding.to_vec());
            }
            return;
        };
        let cosine = cosine(reference, embedding);
        self.least_cosine = Some(self.least_cosine.map_or(cosine, |least| least.min(cosine)));
        if cosine >= COSINE {
            self.doubt = None;
        }
    }

    /// Whether the face is known to have changed, whatever comes.
    pub(super) fn is_broken(&self) -> bool {
        self.least_cosine.is_some_and(|cosine| cosine < COSINE) || (self.doubt.is_some() && self.reference.is_none())
    }

    /// The score so far: 0.5 where a limit is just met. The raw measure is the least cosine where the faces could be
    /// compared and the box gave no cause for doubt, else the greatest step as a share of what is allowed.
    pub(super) fn outcome(&self) -> Outcome {
        if self.compared == 0 {
            return Outcome::NotRun(Detail::TooFewFrames);
        }
        let step = self.doubt.unwrap_or(self.greatest);
        let step_score = 1.0 / (1.0 + step);
        let (score, value, unit) = match self.least_cosine {
            Some(cosine) if self.doubt.is_none() => (step_score.min(cosine_score(cosine)), cosine, "cosine"),
            Some(cosine) => (step_score.min(cosine_score(cosine)), step, "ratio"),
            None => (step_score, step, "ratio"),
        };
        Outcome::Scored { score: score as f32, raw: RawMeasure { value, unit } }
    }
}

impl Seen {
    fn new(at: Moment, face: &Face) -> Option<Self> {
        let [x, y, width, height] = [face.bbox.x, face.bbox.y, face.bbox.width, face.bbox.height].map(f64::from);
        let size = (width * height).sqrt();
        let seen = Self { at, x: x + width / 2.0, y: y + height / 2.0, size };
        (seen.x.is_finite() && seen.y.is_finite() && width > 0.0 && size.is_finite() && size > 0.0).then_some(seen)
    }

    /// How far this is from an earlier sight, as a share of what is allowed.
    fn step_from(&self, earlier: &Self, faceless: u32) -> f64 {
        let elapsed = self.at.since(&earlier.at).as_secs_f64();
        let moved = (self.x - earlier.x).hypot(self.y - earlier.y) / earlier.size.min(self.size);
        let grown = (self.size / earlier.size).ln().abs();
        let mut step = moved / (STEP_BASE + STEP_RATE * elapsed.min(STEP_TIME));
        step = step.max(grown / SIZE_RATIO.ln());
        if faceless > 0 {
            let gap = if elapsed > 0.0 { elapsed / GAP_TIME } else { f64::from(faceless) / f64::from(GAP_FRAMES) };
            step = step.max(gap);
        }
        step
    }
}

/// Cosine of two vectors that should have unit length; -1, which resembles nothing, where it cannot be told.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    if a.len() == b.len() && cosine.is_finite() { cosine.clamp(-1.0, 1.0) } else { -1.0 }
}

/// Straight lines from -1 to 0, the limit to 0.5, and 1 to 1.
fn cosine_score(cosine: f64) -> f64 {
    if cosine >= COSINE {
        0.5 + 0.5 * (cosine - COSINE) / (1.0 - COSINE)
    } else {
        0.5 * (cosine + 1.0) / (COSINE + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        face::{Point, Rect},
        session::FrameTiming,
    };

    fn face(x: f32, size: f32) -> Face {
        Face { bbox: Rect { x, y: 0.0, width: size, height: size }, score: 0.9, landmarks: [Point::default(); 5] }
    }

    fn at(millis: u64) -> Moment {
        Moment::new(FrameTiming { arrived: Duration::from_millis(millis), ..FrameTiming::default() })
    }

    fn score(faces: &[(u64, Face)]) -> f32 {
        let mut continuity = Continuity::default();
        for (millis, face) in faces {
            continuity.push(at(*millis), std::slice::from_ref(face), None, true);
        }
        match continuity.outcome() {
            Outcome::Scored { score, .. } => score,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_step_is_held_against_the_time_it_took() {
        assert_eq!(score(&[(0, face(0.0, 100.0)), (100, face(0.0, 100.0))]), 1.0);
        assert!((score(&[(0, face(0.0, 100.0)), (0, face(60.0, 100.0))]) - 0.5).abs() < 1e-6);
        assert!(score(&[(0, face(0.0, 100.0)), (100, face(75.0, 100.0))]) < 0.5);
        assert!(score(&[(0, face(0.0, 100.0)), (500, face(75.0, 100.0))]) > 0.5);
        assert!(score(&[(0, face(0.0, 100.0)), (60_000, face(165.0, 100.0))]) < 0.5, "time is no licence");
    }

    #[test]
    fn a_face_that_grows_at_once_is_another() {
        assert!(score(&[(0, face(0.0, 100.0)), (100, face(-25.0, 150.0))]) > 0.5);
        assert!(score(&[(0, face(0.0, 100.0)), (100, face(-35.0, 170.0))]) < 0.5);
    }

    #[test]
    fn a_larger_passer_by_on_a_frame_that_is_not_judged_breaks_nothing() {
        let mut continuity = Continuity::default();
        continuity.push(at(0), &[face(0.0, 100.0)], None, true);
        continuity.push(at(100), &[face(400.0, 200.0), face(2.0, 100.0)], None, false);
        continuity.push(at(200), &[face(4.0, 100.0)], None, true);
        assert!(matches!(continuity.outcome(), Outcome::Scored { score, .. } if score > 0.9));
    }

    #[test]
    fn one_frame_shows_no_continuity() {
        let mut continuity = Continuity::default();
        assert_eq!(continuity.outcome(), Outcome::NotRun(Detail::TooFewFrames));
        continuity.push(at(0), &[face(0.0, 100.0)], Some(&[1.0]), true);
        assert_eq!(continuity.outcome(), Outcome::NotRun(Detail::TooFewFrames));
    }

    #[test]
    fn a_face_after_a_leap_cannot_vouch_for_the_one_before() {
        let mut continuity = Continuity::default();
        continuity.push(at(0), &[face(0.0, 100.0)], None, true);
        for n in 1..4 {
            continuity.push(at(100 * n), &[face(500.0, 100.0)], Some(&[1.0, 0.0]), true);
        }
        assert!(continuity.is_broken());
    }

    #[test]
    fn the_least_likeness_counts() {
        let mut continuity = Continuity::default();
        for (n, vector) in [[1.0, 0.0], [0.6, 0.8], [0.9, 0.1]].iter().enumerate() {
            continuity.push(at(100 * n as u64), &[face(0.0, 100.0)], Some(vector), true);
        }
        let Outcome::Scored { score, raw } = continuity.outcome() else { panic!("scored") };
        assert!((raw.value - 0.6).abs() < 1e-6 && raw.unit == "cosine");
        assert!(f64::from(score) > 0.5 && !continuity.is_broken());
    }

    #[test]
    fn a_vector_that_is_none_resembles_nothing() {
        for vector in [vec![], vec![0.0, 0.0], vec![f32::NAN, 1.0], vec![1.0, 0.0, 0.0]] {
            let mut continuity = Continuity::default();
            continuity.push(at(0), &[face(0.0, 100.0)], Some(&[1.0, 0.0]), true);
            continuity.push(at(100), &[face(0.0, 100.0)], Some(&vector), true);
            assert!(continuity.is_broken(), "{vector:?}");
        }
    }

    #[test]
    fn the_score_of_a_likeness_rises_through_a_half_at_the_limit() {
        assert_eq!([-1.0, COSINE, 1.0].map(cosine_score), [0.0, 0.5, 1.0]);
    }
}
