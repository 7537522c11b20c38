//! The bare kernels, and the recorder that finds out which of them the pipeline runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use lifesign_core::{
    pack::Role,
    runtime::{Model, Runtime, RuntimeError, SharedRuntime, Tensor},
    verdict::RuntimeRef,
};
use zune_jpeg::{
    JpegDecoder,
    errors::DecodeErrors,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use crate::setup::Setup;

/// The JPEG decoder that the frame module uses, alone: bytes to RGB. Gives width and height.
pub(super) fn decode_jpeg(bytes: &[u8]) -> Result<(usize, usize), DecodeErrors> {
    let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let pixels = decoder.decode()?;
    std::hint::black_box(&pixels);
    Ok(decoder.dimensions().unwrap_or_default())
}

/// One run of a model inside the pipeline.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// The model's name in the manifest.
    pub(super) model: String,
    /// Time inside the runtime.
    pub(super) time: Duration,
    /// What went in; `None` where only times were recorded.
    input: Option<Input>,
}

#[derive(Debug, Clone)]
struct Input {
    name: String,
    shape: Vec<usize>,
    data: Vec<f32>,
    outputs: Vec<String>,
}

/// A runtime that runs everything through another one and notes each run.
#[derive(Debug)]
pub(super) struct Recorder {
    inner: SharedRuntime,
    log: Arc<Mutex<Log>>,
}

#[derive(Debug, Default)]
struct Log {
    keep_inputs: bool,
    calls: Vec<Call>,
}

impl Recorder {
    /// Watches this runtime.
    pub(super) fn new(inner: SharedRuntime) -> Self {
        Self { inner, log: Arc::default() }
    }

    /// Forgets what was recorded, and says whether inputs are kept from now on.
    pub(super) fn start(&self, keep_inputs: bool) {
        *lock(&self.log) = Log { keep_inputs, calls: Vec::new() };
    }

    /// The runs since the last call, in their order.
    pub(super) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut lock(&self.log).calls)
    }
}

/// A log is whole after every single push, so a panic elsewhere leaves nothing half written.
fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Runtime for Recorder {
    fn describe(&self) -> RuntimeRef {
        self.inner.describe()
    }

    fn load(&self, name: &str, onnx: &[u8]) -> Result<Box<dyn Model>, RuntimeError> {
        let inner = self.inner.load(name, onnx)?;
        Ok(Box::new(Watched { name: name.to_owned(), inner, log: Arc::clone(&self.log) }))
    }
}

struct Watched {
    name: String,
    inner: Box<dyn Model>,
    log: Arc<Mutex<Log>>,
}

impl Model for Watched {
    fn run(
        &mut self,
        input: &str,
        shape: &[usize],
        data: &[f32],
        outputs: &[&str],
    ) -> Result<Vec<Tensor>, RuntimeError> {
        let began = Instant::now();
        let tensors = self.inner.run(input, shape, data, outputs)?;
        let time = began.elapsed();
        let mut log = lock(&self.log);
        let input = log.keep_inputs.then(|| Input {
            name: input.to_owned(),
            shape: shape.to_vec(),
            data: data.to_vec(),
            outputs: outputs.iter().map(|&output| output.to_owned()).collect(),
        });
        log.calls.push(Call { model: self.name.clone(), time, input });
        Ok(tensors)
    }
}

/// The models alone, with the inputs that the pipeline gave them.
pub(super) struct BareModels {
    models: BTreeMap<String, Box<dyn Model>>,
    calls: Vec<(String, Input)>,
}

impl BareModels {
    /// Loads the models that were run, and no other.
    pub(super) fn load(setup: &Setup, calls: Vec<Call>) -> Result<Self, RuntimeError> {
        let calls: Vec<(String, Input)> =
            calls.into_iter().filter_map(|call| Some((call.model, call.input?))).collect();
        let mut models = BTreeMap::new();
        let roles: BTreeSet<Role> = setup.pack.manifest().models.iter().map(|spec| spec.role).collect();
        for (spec, onnx) in roles.into_iter().flat_map(|role| setup.pack.models(role)) {
            if calls.iter().any(|(model, _)| *model == spec.name) {
                models.insert(spec.name.clone(), setup.runtime.load(&spec.name, onnx)?);
            }
        }
        Ok(Self { models, calls })
    }

    /// How often each model runs for one image, in the order of the first runs.
    pub(super) fn counts(&self) -> Vec<(String, usize)> {
        let mut counts: Vec<(String, usize)> = Vec::new();
        for (model, _) in &self.calls {
            match counts.iter_mut().find(|(name, _)| name == model) {
                Some((_, count)) => *count += 1,
                None => counts.push((model.clone(), 1)),
            }
        }
        counts
    }

    /// Runs all of them once, with each model's time; a model that the pipeline runs twice is run twice.
    pub(super) fn run(&mut self) -> Result<Vec<(String, Duration)>, RuntimeError> {
        let mut times = Vec::with_capacity(self.calls.len());
        for (name, input) in &self.calls {
            let missing = || RuntimeError::Run { model: name.clone(), what: "it was not loaded".to_owned() };
            let model = self.models.get_mut(name).ok_or_else(missing)?;
            let outputs: Vec<&str> = input.outputs.iter().map(String::as_str).collect();
            let began = Instant::now();
            let tensors = model.run(&input.name, &input.shape, &input.data, &outputs)?;
            std::hint::black_box(&tensors);
            times.push((name.clone(), began.elapsed()));
        }
        Ok(times)
    }
}
