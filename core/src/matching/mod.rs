//! Who it is: a face as a unit vector, and how alike two of them are.

mod reference;

pub use reference::Reference;

use crate::{
    Error,
    face::{Face, net::Net},
    frame::Frame,
    pack::{OutputSpec, Pack, Role},
    runtime::{Runtime, RuntimeError},
    verdict::ModelRef,
};

/// The embedding model of a pack.
#[derive(Debug)]
pub struct Embedder {
    net: Net,
}

impl Embedder {
    /// Loads it; `None` where the pack has none.
    ///
    /// # Errors
    /// [`Error::Pack`] where its rules are not an embedding's, or there are several; [`Error::Runtime`] where it does not
    /// load.
    pub fn load(pack: &Pack, runtime: &dyn Runtime) -> Result<Option<Self>, Error> {
        let fits = |rule: &OutputSpec| matches!(rule, OutputSpec::Embedding { .. });
        Ok(Net::load_one(pack, Role::Embedding, runtime, fits)?.map(|net| Self { net }))
    }

    /// Name and version.
    pub fn reference(&self) -> ModelRef {
        self.net.reference()
    }

    /// The face as a vector of length 1. With `flip` in the manifest the mirrored crop's vector is added first, as ArcFace's
    /// evaluation does (Deng et al. 2019).
    ///
    /// # Errors
    /// [`RuntimeError::Run`] where the model breaks, the vector has not the manifest's length, or is zero.
    pub fn embed(&mut self, frame: &Frame, face: &Face) -> Result<Vec<f32>, RuntimeError> {
        let OutputSpec::Embedding { output, dimensions, flip } = self.net.output().clone() else {
            return Err(self.net.fault("its output rule is not embedding"));
        };
        self.net.cut(frame, face);
        let mut sum = self.vector(&output, dimensions)?;
        if flip {
            self.net.mirror();
            let mirrored = self.vector(&output, dimensions)?;
            sum.iter_mut().zip(mirrored).for_each(|(a, b)| *a += b);
        }
        unit(&sum).ok_or_else(|| self.net.fault(format!("output {output} has no direction")))
    }

    fn vector(&mut self, output: &str, dimensions: usize) -> Result<Vec<f32>, RuntimeError> {
        let vector = self.net.run(&[output])?.into_iter().next().map(|tensor| tensor.data).unwrap_or_default();
        if vector.len() != dimensions {
            let what = format!("output {output} has {} values instead of {dimensions}", vector.len());
            return Err(self.net.fault(what));
        }
        Ok(vector)
    }
}

/// The cosine of the angle between two vectors, -1..=1. `None` where their lengths differ or one of them is zero or no
/// number: that is not "different people", it is no answer.
pub fn cosine(a: &[f32], b: &[f32]) -> Option<f32> {
    if a.len() != b.len() {
        return None;
    }
    let (a, b) = (unit(a)?, unit(b)?);
    Some(a.iter().zip(&b).map(|(a, b)| a * b).sum::<f32>().clamp(-1.0, 1.0))
}

/// A cosine as a score 0..=1: 0 = opposite, 1 = the same. The threshold that separates people belongs to the model and is in
/// its manifest.
pub fn score(cosine: f32) -> f32 {
    (cosine.clamp(-1.0, 1.0) + 1.0) / 2.0
}

/// The score at which two faces are the same to FPT.AI: "based on a threshold of 80 %", its Face Matching page says.
const SIMILAR: f32 = 80.0;

/// A FaceMatch score as FPT.AI's `similarity`, 0..=100. Both arguments are scores 0..=1 as a verdict has them, see [`score`].
/// Straight lines from (0, 0) over (`threshold`, 80) to (1, 100): whoever holds the number against FPT's published limit of
/// 80 decides as the check does, whatever the model's own scale. It is not a probability. (One of the samples on FPT's
/// liveness page has 81.8 with `isMatch` false; the others, 1.8 to 22.5, agree with the limit.)
pub fn similarity(score: f32, threshold: f32) -> f32 {
    let (score, threshold) = (score.clamp(0.0, 1.0), threshold.clamp(f32::EPSILON, 1.0));
    if score < threshold {
        SIMILAR * score / threshold
    } else if threshold < 1.0 {
        SIMILAR + (100.0 - SIMILAR) * (score - threshold) / (1.0 - threshold)
    } else {
        100.0
    }
}

fn unit(vector: &[f32]) -> Option<Vec<f32>> {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    (length.is_finite() && length > f32::MIN_POSITIVE).then(|| vector.iter().map(|value| value / length).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_is_of_the_angle_alone() {
        assert_eq!(cosine(&[2.0, 0.0], &[5.0, 0.0]), Some(1.0));
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 3.0]), Some(0.0));
        assert_eq!(cosine(&[1.0, 0.0], &[-4.0, 0.0]), Some(-1.0));
    }

    #[test]
    fn what_has_no_angle_gives_no_answer() {
        assert_eq!(cosine(&[], &[]), None);
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 0.0]), None);
        assert_eq!(cosine(&[1.0], &[1.0, 0.0]), None);
        assert_eq!(cosine(&[f32::NAN, 1.0], &[1.0, 0.0]), None);
        assert_eq!(cosine(&[f32::MAX, f32::MAX], &[1.0, 0.0]), None);
    }

    #[test]
    fn similarity_passes_eighty_where_the_score_passes_the_threshold() {
        for threshold in [0.3, 0.7, 0.729, 1.0] {
            assert_eq!(similarity(0.0, threshold), 0.0);
            assert_eq!(similarity(1.0, threshold), 100.0);
            let scores: Vec<f32> = (0..=1000).map(|i| i as f32 / 1000.0).collect();
            for pair in scores.windows(2) {
                assert!(similarity(pair[0], threshold) <= similarity(pair[1], threshold), "{threshold}");
                assert_eq!(similarity(pair[0], threshold) >= SIMILAR, pair[0] >= threshold, "{} {threshold}", pair[0]);
            }
        }
        assert_eq!([similarity(-1.0, 0.7), similarity(9.0, 0.7)], [0.0, 100.0]);
    }

    #[test]
    fn scores_span_nought_to_one() {
        assert_eq!([score(-1.0), score(0.0), score(1.0), score(7.0)], [0.0, 0.5, 1.0, 1.0]);
    }
}
