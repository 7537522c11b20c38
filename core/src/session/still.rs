//! StillImage: whether the frames of a session show something that moves, or one still image as a video.
//!
//! Every judged frame's [`MotionPrint`] is compared with the first one's: what a change of light and a small affine motion
//! do not explain is its [residual](MotionPrint::residual). The greatest residual of the session is the measure, since the
//! session ends with the first movement; of a whole video, where one moment of movement would be little for a live person,
//! it is the median.

use std::time::Duration;

use super::{Media, clock::Moment};
use crate::{
    analysis::{MotionPrint, Outcome, Plane},
    verdict::{Detail, RawMeasure, TIMELINE},
};

/// The residual that a session must reach, as a share of the contrast.
///
/// Measured by `tests/calibration/still_image.py` on nine genuine clips (phones, webcams, an interview) and on stills made
/// of five frames of each, in windows of five frames; quantiles of the residual:
///
/// | | least | 2 % | 10 % | 50 % | 98 % | most |
/// |---|---|---|---|---|---|---|
/// | genuine, 10 a second | 0.007 | 0.013 | 0.022 | 0.075 | 0.329 | 0.505 |
/// | genuine, 5 a second | 0.017 | 0.027 | 0.044 | 0.101 | 0.482 | 0.674 |
/// | genuine, 2 a second (two seconds in all) | 0.024 | 0.053 | 0.074 | 0.147 | 0.730 | 0.793 |
/// | still, identical frames | 0.000 | 0.000 | 0.000 | 0.000 | 0.000 | 0.000 |
/// | still, JPEG at qualities 95 to 60 | 0.001 | 0.002 | 0.002 | 0.004 | 0.012 | 0.017 |
/// | still, noise of 2 levels | 0.001 | 0.001 | 0.001 | 0.002 | 0.012 | 0.013 |
/// | still, noise of 10 levels | 0.003 | 0.003 | 0.004 | 0.007 | 0.021 | 0.049 |
/// | still, brightness and contrast drifting | 0.002 | 0.002 | 0.002 | 0.003 | 0.007 | 0.009 |
/// | still, shifted by up to 1 % of the width | 0.004 | 0.004 | 0.005 | 0.011 | 0.044 | 0.050 |
/// | still, shifted by up to 5 % | 0.004 | 0.006 | 0.008 | 0.017 | 0.081 | 0.224 |
/// | still, zoomed by up to 5 % | 0.002 | 0.002 | 0.004 | 0.014 | 0.081 | 0.103 |
/// | still, zoomed by up to 20 % | 0.008 | 0.008 | 0.012 | 0.037 | 0.155 | 0.169 |
/// | still, moved as by a hand, and JPEG | 0.005 | 0.006 | 0.010 | 0.017 | 0.066 | 0.113 |
///
/// So it catches the same picture sent again, recompressed, with noise or another brightness. It does **not** reliably
/// catch a still that is moved about: shifted or zoomed stills overlap with people who hold still. Nor does it catch a slide
/// show of different pictures, a photograph bent before a camera, or any replayed or synthesised video, which all move.
/// A genuine face held still for 400 ms can stay below the limit (one window in ten at ten frames a second); over two
/// seconds none did, which is why a session waits that long.
const LIMIT: f64 = 0.02;

/// How long a session waits for a movement once the other evidence is complete, counted from the first judged frame.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Frames of a video that span at least this are held to the median residual. On twelve genuine clips at five frames a second,
/// begun anywhere and three seconds long or longer, the least median was 0.040, twice the limit
/// (`genuine_clips_move_for_most_of_their_length` in `core/tests/video_session` prints them); videos of one photograph stay
/// below 0.015.
const WHOLE_SPAN: Duration = Duration::from_secs(3);

/// Frames that span less than this show no movement even where there is one, so that they cannot be called still.
const LEAST_SPAN: Duration = Duration::from_millis(400);

/// What is known of the movement so far.
#[derive(Debug, Default)]
pub(super) struct Still {
    first: Option<(Moment, Plane)>,
    span: Duration,
    compared: u32,
    greatest: f64,
    /// Of a video's frames, the first [`TIMELINE`].
    residuals: Vec<f64>,
}

impl Still {
    /// Takes a judged frame's print.
    pub(super) fn push(&mut self, at: Moment, print: Option<&MotionPrint>) {
        let Some(print) = print else { return };
        // A print that is no picture shows no movement.
        let Some(plane) = Plane::of(print) else { return };
        match &self.first {
            None => self.first = Some((at, plane)),
            Some((then, first)) => {
                self.span = self.span.max(at.since(then));
                self.compared = self.compared.saturating_add(1);
                let residual = first.residual(&plane);
                self.greatest = self.greatest.max(residual);
                if self.residuals.len() < TIMELINE {
                    self.residuals.push(residual);
                }
            }
        }
    }

    /// Whether more frames would be waited for in vain: a movement was seen, or patience is over.
    pub(super) fn is_settled(&self, threshold: f32) -> bool {
        self.span >= PATIENCE || (self.compared > 0 && score(self.greatest) >= threshold)
    }

    /// The score so far. A session whose frames are known to span less than [`LEAST_SPAN`] and show no movement is left
    /// undecided; where no times are known they are taken to be far enough apart.
    pub(super) fn outcome(&self, media: Media) -> Outcome {
        let short = !self.span.is_zero() && self.span < LEAST_SPAN && self.greatest < LIMIT;
        if self.compared == 0 || short {
            return Outcome::NotRun(Detail::TooFewFrames);
        }
        let whole = media == Media::Video && self.span >= WHOLE_SPAN;
        let value = if whole { self.median() } else { self.greatest };
        Outcome::Scored { score: score(value), raw: RawMeasure { value, unit: "ratio" } }
    }

    /// The upper median, so that half of the frames must have moved as far.
    fn median(&self) -> f64 {
        let mut sorted = self.residuals.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
    }
}

/// 0 where nothing moved, 0.5 at the limit.
fn score(residual: f64) -> f32 {
    (residual / (residual + LIMIT)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{analysis::MOTION_SIDE, session::FrameTiming};

    #[test]
    fn a_print_that_is_no_picture_shows_no_movement() {
        let mut still = Still::default();
        for (n, value) in [100.0, f32::NAN, f32::INFINITY].into_iter().enumerate() {
            let arrived = Duration::from_secs(n as u64);
            let cells = Box::new([value; MOTION_SIDE * MOTION_SIDE]);
            still.push(Moment::new(FrameTiming { arrived, ..FrameTiming::default() }), Some(&MotionPrint { cells }));
        }
        assert_eq!(still.outcome(Media::Frames), Outcome::NotRun(Detail::TooFewFrames));
    }

    #[test]
    fn the_score_is_a_half_at_the_limit() {
        assert_eq!([0.0, LIMIT].map(score), [0.0, 0.5]);
    }
}
