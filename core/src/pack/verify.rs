//! Verifying a pack on a runtime: every model is loaded and run, and its numbers are held to those in the manifest.

use std::time::{Duration, Instant};

use super::{ModelSpec, OutputSpec, Pack, PackError, SelfTestSpec};
use crate::{
    Error,
    runtime::{Model, Runtime, Tensor},
    verdict::RuntimeRef,
};

/// What verifying found. There is a report only where all of it was right.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The runtime that ran the models.
    pub runtime: RuntimeRef,
    /// The models, in the manifest's order.
    pub models: Vec<ModelReport>,
}

/// One model that ran.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelReport {
    /// Its name in the manifest.
    pub name: String,
    /// How many self-tests it passed; 0 where the pack has none, and then only shapes and finiteness were looked at.
    pub self_tests: usize,
    /// The greatest absolute difference to a recorded number. 0 without self-tests.
    pub deviation: f32,
    /// How long one run took, the last of those made. A first impression, no benchmark.
    pub run: Duration,
}

/// Loads every model of the pack on the runtime; runs it on its self-tests, or on zeros where it has none.
///
/// # Errors
/// [`PackError::SelfTest`] where a number differs by more than the tolerance, is not finite, or an output has another shape
/// than its rule reads; [`crate::runtime::RuntimeError`] where a model does not load or run.
pub fn verify(pack: &Pack, runtime: &dyn Runtime) -> Result<Report, Error> {
    let mut models = Vec::with_capacity(pack.manifest.models.len());
    for (spec, bytes) in pack.manifest.models.iter().zip(&pack.files) {
        let mut model = runtime.load(&spec.name, bytes)?;
        let fail =
            |what: String| PackError::SelfTest { pack: pack.manifest.pack.id.clone(), model: spec.name.clone(), what };
        let mut report = ModelReport { name: spec.name.clone(), self_tests: 0, deviation: 0.0, run: Duration::ZERO };
        for test in pack.manifest.self_tests.iter().filter(|test| test.model == spec.name) {
            let outputs = run(spec, &mut *model, &input(test, spec), &mut report.run, &fail)?;
            let deviation = compare(spec, test, &outputs).map_err(&fail)?;
            report.deviation = report.deviation.max(deviation);
            report.self_tests += 1;
        }
        if report.self_tests == 0 {
            let zeros = vec![0.0; spec.input.shape.iter().product()];
            run(spec, &mut *model, &zeros, &mut report.run, &fail)?;
        }
        models.push(report);
    }
    Ok(Report { runtime: runtime.describe(), models })
}

/// Runs the model and checks that every output that the rule reads is there, finite and of the right shape.
fn run(
    spec: &ModelSpec,
    model: &mut dyn Model,
    data: &[f32],
    took: &mut Duration,
    fail: &impl Fn(String) -> PackError,
) -> Result<Vec<Tensor>, Error> {
    let names = spec.output.names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let start = Instant::now();
    let outputs = model.run(&spec.input.name, &spec.input.shape, data, &names)?;
    *took = start.elapsed();
    for (name, tensor) in names.iter().zip(&outputs) {
        let (wanted, least) = length(spec, name);
        let fits = if least { tensor.data.len() >= wanted } else { tensor.data.len() == wanted };
        if !fits {
            return Err(fail(format!(
                "output {name} has the shape {:?}, its rule reads {wanted} values",
                tensor.shape
            ))
            .into());
        }
        if !tensor.data.iter().all(|value| value.is_finite()) {
            return Err(fail(format!("output {name} is not finite")).into());
        }
    }
    Ok(outputs)
}

/// How many values an output must have, and whether it may have more.
fn length(spec: &ModelSpec, output: &str) -> (usize, bool) {
    let [.., height, width] = spec.input.shape;
    match &spec.output {
        OutputSpec::Yunet { strides, .. } => {
            let of = |stride: &&u32| output.strip_suffix(&format!("_{stride}")).is_some();
            let stride = strides.iter().find(of).and_then(|&stride| usize::try_from(stride).ok()).unwrap_or(1).max(1);
            let cells = (height / stride) * (width / stride);
            let each = match output.split('_').next() {
                Some("bbox") => 4,
                Some("kps") => 10,
                _ => 1,
            };
            (cells * each, false)
        }
        OutputSpec::Softmax { live_index, .. } => (live_index.saturating_add(1).max(2), true),
        OutputSpec::ProbabilityReal { .. } => (1, false),
        OutputSpec::Embedding { dimensions, .. } => (*dimensions, false),
        OutputSpec::Mesh468 { points, .. } => (if output == points { 468 * 3 } else { 1 }, false),
    }
}

/// The input of a self-test, by the formula at [`SelfTestSpec::seed`].
fn input(test: &SelfTestSpec, spec: &ModelSpec) -> Vec<f32> {
    let values: usize = spec.input.shape.iter().product();
    let shift = u64::from(test.seed) * 40_503;
    (0..values as u64)
        .map(|i| {
            let u = ((i * 2_654_435_761 + shift) & 0xffff_ffff) as f64 / 4_294_967_296.0;
            test.from + (test.to - test.from) * u as f32
        })
        .collect()
}

/// The greatest difference to the recorded numbers.
fn compare(spec: &ModelSpec, test: &SelfTestSpec, outputs: &[Tensor]) -> Result<f32, String> {
    let names = spec.output.names();
    let tensor = names.iter().zip(outputs).find(|(name, _)| **name == test.output).map(|(_, tensor)| tensor);
    let tensor = tensor.ok_or_else(|| format!("there is no output {}", test.output))?;
    if tensor.data.len() < test.expect.len() {
        return Err(format!("output {} has {} values, fewer than expected", test.output, tensor.data.len()));
    }
    let mut greatest = 0.0_f32;
    for (index, (expected, actual)) in test.expect.iter().zip(&tensor.data).enumerate() {
        let difference = (expected - actual).abs();
        if difference > test.tolerance {
            let (output, tolerance) = (&test.output, test.tolerance);
            return Err(format!("value {index} of {output} is {actual}, expected {expected} within {tolerance}"));
        }
        greatest = greatest.max(difference);
    }
    Ok(greatest)
}
