//! A model behind its crop: what every check that asks a model about a face has in common.

use super::{Crop, Face};
use crate::{
    Error,
    frame::Frame,
    pack::{InputSpec, ModelSpec, OutputSpec, Pack, PackError, Role},
    runtime::{Model, Runtime, RuntimeError, Tensor},
    verdict::ModelRef,
};

/// A loaded model and the crop it wants.
pub(crate) struct Net {
    spec: ModelSpec,
    model: Box<dyn Model>,
    crop: Crop,
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net").field("model", &self.spec.name).finish_non_exhaustive()
    }
}

impl Net {
    /// Loads every model of a role, in the manifest's order; `fits` says whether an output rule can be read by the role.
    pub(crate) fn load_all(
        pack: &Pack,
        role: Role,
        runtime: &dyn Runtime,
        fits: impl Fn(&OutputSpec) -> bool,
    ) -> Result<Vec<Self>, Error> {
        pack.models(role)
            .map(|(spec, onnx)| {
                if !fits(&spec.output) {
                    return Err(misfit(pack, spec, "its output rule does not fit the role"));
                }
                let crop = Crop::new(&spec.input)
                    .ok_or_else(|| misfit(pack, spec, "its crop rule takes the whole frame, not a face"))?;
                Ok(Self { spec: spec.clone(), model: runtime.load(&spec.name, onnx)?, crop })
            })
            .collect()
    }

    /// Loads the one model of a role, if the pack has it.
    pub(crate) fn load_one(
        pack: &Pack,
        role: Role,
        runtime: &dyn Runtime,
        fits: impl Fn(&OutputSpec) -> bool,
    ) -> Result<Option<Self>, Error> {
        if let Some((spec, _)) = pack.models(role).nth(1) {
            return Err(misfit(pack, spec, "the role can have one model only"));
        }
        Ok(Self::load_all(pack, role, runtime, fits)?.pop())
    }

    /// Name and version.
    pub(crate) fn reference(&self) -> ModelRef {
        ModelRef { name: self.spec.name.clone(), version: self.spec.version.clone() }
    }

    /// How its outputs are read.
    pub(crate) fn output(&self) -> &OutputSpec {
        &self.spec.output
    }

    /// Whether another model's crop is the very tensor that this one wants.
    pub(crate) fn wants_same_crop(&self, other: &Self) -> bool {
        // The tensor's name is all that may differ.
        let (mine, theirs) = (&self.spec.input, &other.spec.input);
        *mine == InputSpec { name: mine.name.clone(), ..theirs.clone() }
    }

    /// The crop, as last cut.
    pub(crate) fn crop(&self) -> &Crop {
        &self.crop
    }

    /// Cuts the face out.
    pub(crate) fn cut(&mut self, frame: &Frame, face: &Face) {
        self.crop.cut(frame, face);
    }

    /// Mirrors the crop.
    pub(crate) fn mirror(&mut self) {
        self.crop.mirror();
    }

    /// Runs the model on the crop.
    pub(crate) fn run(&mut self, outputs: &[&str]) -> Result<Vec<Tensor>, RuntimeError> {
        let input = &self.spec.input;
        let given = self.model.run(&input.name, &input.shape, self.crop.data(), outputs)?;
        checked(&self.spec.name, given, outputs)
    }

    /// The fault of this model in words.
    pub(crate) fn fault(&self, what: impl Into<String>) -> RuntimeError {
        RuntimeError::Run { model: self.spec.name.clone(), what: what.into() }
    }

    /// Runs the model on its own crop and reads one probability: the softmax of the bona fide class, or the number itself.
    pub(crate) fn read(&mut self) -> Result<Reading, RuntimeError> {
        read(&self.spec, &mut *self.model, self.crop.data())
    }

    /// As [`read`](Self::read), on another model's crop of the same [`InputSpec`].
    pub(crate) fn read_from(&mut self, crop: &Crop) -> Result<Reading, RuntimeError> {
        read(&self.spec, &mut *self.model, crop.data())
    }
}

fn read(spec: &ModelSpec, model: &mut dyn Model, data: &[f32]) -> Result<Reading, RuntimeError> {
    let fault = |what: String| RuntimeError::Run { model: spec.name.clone(), what };
    let mut values = |output: &str| -> Result<Box<[f32]>, RuntimeError> {
        let given = model.run(&spec.input.name, &spec.input.shape, data, &[output])?;
        let tensors = checked(&spec.name, given, &[output])?;
        Ok(tensors.into_iter().next().map(|tensor| tensor.data.into_boxed_slice()).unwrap_or_default())
    };
    match &spec.output {
        OutputSpec::Softmax { output, live_index } => {
            let logits = values(output)?;
            let probabilities = softmax(&logits);
            let Some(&probability) = probabilities.get(*live_index) else {
                let classes = logits.len();
                return Err(fault(format!("output {output} has {classes} classes, the bona fide one is {live_index}")));
            };
            Ok(Reading { probability, raw: logits, probabilities })
        }
        OutputSpec::ProbabilityReal { output, .. } => {
            let raw = values(output)?;
            let [probability] = *raw else {
                return Err(fault(format!("output {output} has {} values instead of 1", raw.len())));
            };
            // Sigmoids computed in 32 bits may leave the range by a rounding error, never by more.
            if !(-1e-4..=1.0001).contains(&probability) {
                return Err(fault(format!("output {output} is {probability}, not a probability")));
            }
            let probability = probability.clamp(0.0, 1.0);
            Ok(Reading { probability, raw, probabilities: vec![probability] })
        }
        OutputSpec::Yunet { .. } | OutputSpec::Embedding { .. } | OutputSpec::Mesh468 { .. } => {
            Err(fault("its output rule gives no probability".to_owned()))
        }
    }
}

/// What a model said about a face.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// P(bona fide), 0..=1.
    pub probability: f32,
    /// The model's output as it came: logits, or one probability.
    pub raw: Box<[f32]>,
    /// The probability of each class; of one where the model gives only P(bona fide).
    pub probabilities: Vec<f32>,
}

/// Whether a role that wants one probability can read an output.
pub(crate) fn gives_probability(output: &OutputSpec) -> bool {
    matches!(output, OutputSpec::Softmax { .. } | OutputSpec::ProbabilityReal { .. })
}

/// The manifest asks of a model what its role cannot do.
pub(crate) fn misfit(pack: &Pack, spec: &ModelSpec, what: &str) -> Error {
    let what = format!("{} model {}: {what}", spec.role.name(), spec.name);
    PackError::Manifest { pack: pack.manifest().pack.id.clone(), what }.into()
}

/// Refuses outputs that are missing or hold what is not a number: from a NaN, every comparison would come out as it likes.
pub(crate) fn checked(model: &str, given: Vec<Tensor>, asked: &[&str]) -> Result<Vec<Tensor>, RuntimeError> {
    let fault = |what: String| RuntimeError::Run { model: model.to_owned(), what };
    if given.len() != asked.len() {
        return Err(fault(format!("gave {} outputs instead of {}", given.len(), asked.len())));
    }
    for (tensor, name) in given.iter().zip(asked) {
        if !all_finite(&tensor.data) {
            return Err(fault(format!("output {name} is not finite")));
        }
    }
    Ok(given)
}

/// Whether all are numbers. A number times 0 is 0, what is none stays none, and sums are done in vectors, which a search
/// that stops at the first hit is not.
fn all_finite(values: &[f32]) -> bool {
    let (lanes, rest) = values.as_chunks::<16>();
    let mut sums = [0.0_f32; 16];
    for lane in lanes {
        for (sum, value) in sums.iter_mut().zip(lane) {
            *sum += value * 0.0;
        }
    }
    sums.iter().sum::<f32>() == 0.0 && rest.iter().all(|value| value.is_finite())
}

/// Probabilities from logits; the greatest is subtracted first, so that none overflows.
pub(crate) fn softmax(logits: &[f32]) -> Vec<f32> {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = logits.iter().map(|logit| (logit - greatest).exp()).collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn softmax_adds_up_to_one_and_survives_large_logits() {
        let probabilities = softmax(&[1000.0, 999.0, -1000.0]);
        assert!((probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((probabilities[0] - 0.731_058_6).abs() < 1e-6);
        assert!(softmax(&[]).is_empty());
    }

    #[test]
    fn a_value_that_is_no_number_is_found_wherever_it_stands() {
        for length in [1, 15, 16, 17, 40] {
            let mut values = vec![3e38_f32; length];
            assert!(all_finite(&values), "{length}");
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                for place in 0..length {
                    let kept = std::mem::replace(&mut values[place], bad);
                    assert!(!all_finite(&values), "{bad} at {place} of {length}");
                    values[place] = kept;
                }
            }
        }
    }

    #[test]
    fn outputs_are_counted() {
        let tensor = Tensor { shape: vec![1], data: vec![1.0] };
        assert!(checked("m", vec![tensor.clone()], &["a", "b"]).is_err());
        assert!(checked("m", vec![tensor], &["a"]).is_ok());
    }
}
