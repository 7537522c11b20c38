//! The seam to ONNX execution: load a model from bytes, run named tensors through it.
//!
//! Two backends stand behind it: ONNX Runtime, loaded at run time where it is found (feature `ort`), and `rten`, in pure
//! Rust (feature `rten`). A [`Model`] is neither `Send` nor `Sync`: it lives and dies on the worker that loaded it.

pub mod find;
#[cfg(feature = "ort")]
mod ort;
#[cfg(any(feature = "ort", feature = "rten"))]
mod protobuf;
#[cfg(feature = "rten")]
mod rten;

use std::{path::PathBuf, sync::Arc};

use crate::verdict::RuntimeRef;

/// Why a runtime or a model could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// A library was named or found but does not load: repair it, or say `off`.
    #[error("ONNX Runtime at {path} does not load: {what}")]
    Library {
        /// Where it was found.
        path: String,
        /// What the loader said.
        what: String,
    },
    /// This build has no backend that fits the request.
    #[error("this build has no {0} backend")]
    NotBuilt(&'static str),
    /// A model's bytes are no model that the runtime can run.
    #[error("model {model}: cannot be loaded: {what}")]
    Load {
        /// The model's name in the manifest.
        model: String,
        /// What the runtime said.
        what: String,
    },
    /// A model broke while it ran, or its tensors are not as the manifest says.
    #[error("model {model}: {what}")]
    Run {
        /// The model's name in the manifest.
        model: String,
        /// What went wrong.
        what: String,
    },
}

/// Which runtime to use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RuntimeChoice {
    /// ONNX Runtime where a library is found, else rten.
    #[default]
    Auto,
    /// rten.
    Off,
    /// ONNX Runtime from this path (the library, or a folder that holds it), or an error.
    Library(PathBuf),
}

impl std::str::FromStr for RuntimeChoice {
    type Err = std::convert::Infallible;

    /// `auto`, `off`, or a path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "auto" => RuntimeChoice::Auto,
            "off" => RuntimeChoice::Off,
            path => RuntimeChoice::Library(PathBuf::from(path)),
        })
    }
}

impl std::fmt::Display for RuntimeChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RuntimeChoice::Auto => f.write_str("auto"),
            RuntimeChoice::Off => f.write_str("off"),
            RuntimeChoice::Library(path) => path.display().fmt(f),
        }
    }
}

/// A dense tensor of 32-bit floats, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Values; as many as the product of `shape`.
    pub data: Vec<f32>,
}

/// A loaded model. Its implementations are bound to the thread that loaded them.
pub trait Model {
    /// Runs the model once. `input` holds the values of the model's only input, in the `shape` the manifest gives it;
    /// the outputs come back in the order of `outputs`, whose names must differ.
    ///
    /// # Errors
    /// [`RuntimeError::Run`] where an output is missing, is not a float tensor, or the runtime fails.
    fn run(
        &mut self,
        input: &str,
        shape: &[usize],
        data: &[f32],
        outputs: &[&str],
    ) -> Result<Vec<Tensor>, RuntimeError>;
}

/// A runtime that loads models. Shared between workers; what it loads is not.
pub trait Runtime: Send + Sync + std::fmt::Debug {
    /// Its name and version.
    fn describe(&self) -> RuntimeRef;

    /// Loads a model from the bytes of an .onnx file, to run on one thread. All its tensors must be in these bytes: they
    /// are what a pack's hash covers.
    ///
    /// # Errors
    /// [`RuntimeError::Load`].
    fn load(&self, name: &str, onnx: &[u8]) -> Result<Box<dyn Model>, RuntimeError>;
}

/// A shared runtime.
pub type SharedRuntime = Arc<dyn Runtime>;

/// Takes the runtime that `choice` asks for, looking for ONNX Runtime where [`find::Places::of_this_process`] says.
///
/// ONNX Runtime can be loaded only once in a process; asking again for the same library gives the same one.
///
/// # Errors
/// [`RuntimeError::Library`] where a library was named or found and does not load (never a silent fallback), or another
/// one is loaded already; [`RuntimeError::NotBuilt`] where this build lacks the backend.
pub fn select(choice: &RuntimeChoice) -> Result<SharedRuntime, RuntimeError> {
    select_from(choice, &find::Places::of_this_process())
}

/// [`select`] with the places to look in, for callers that decide those themselves.
///
/// # Errors
/// As [`select`].
pub fn select_from(choice: &RuntimeChoice, places: &find::Places) -> Result<SharedRuntime, RuntimeError> {
    match choice {
        RuntimeChoice::Off => embedded(),
        RuntimeChoice::Library(path) => onnxruntime(&find::named(path)?),
        RuntimeChoice::Auto if cfg!(feature = "ort") => match places.library()? {
            Some(path) => onnxruntime(&path),
            None => embedded(),
        },
        RuntimeChoice::Auto => embedded(),
    }
}

#[cfg(feature = "rten")]
#[expect(clippy::unnecessary_wraps, reason = "a build without rten has an error here")]
fn embedded() -> Result<SharedRuntime, RuntimeError> {
    Ok(Arc::new(rten::Rten))
}

#[cfg(not(feature = "rten"))]
fn embedded() -> Result<SharedRuntime, RuntimeError> {
    Err(RuntimeError::NotBuilt("rten"))
}

#[cfg(feature = "ort")]
fn onnxruntime(path: &std::path::Path) -> Result<SharedRuntime, RuntimeError> {
    Ok(Arc::new(ort::OnnxRuntime::open(path)?))
}

#[cfg(not(feature = "ort"))]
fn onnxruntime(_path: &std::path::Path) -> Result<SharedRuntime, RuntimeError> {
    Err(RuntimeError::NotBuilt("onnxruntime"))
}

/// Refuses a file that is broken, or whose tensors are not all in it, before a backend sees it.
#[cfg(any(feature = "ort", feature = "rten"))]
fn check_file(model: &str, onnx: &[u8]) -> Result<(), RuntimeError> {
    protobuf::check(onnx).map_err(|flaw| load_error(model, flaw))
}

/// Refuses input whose values do not fill its shape, before a backend sees it: what a backend makes of that differs.
#[cfg(any(feature = "ort", feature = "rten"))]
fn check_input(model: &str, shape: &[usize], data: &[f32]) -> Result<(), RuntimeError> {
    let wanted = shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
    match wanted {
        Some(wanted) if wanted > 0 && wanted == data.len() => Ok(()),
        _ => Err(run_error(model, format!("an input of shape {shape:?} was given {} values", data.len()))),
    }
}

#[cfg(any(feature = "ort", feature = "rten"))]
fn run_error(model: &str, what: impl std::fmt::Display) -> RuntimeError {
    RuntimeError::Run { model: model.to_owned(), what: what.to_string() }
}

#[cfg(any(feature = "ort", feature = "rten"))]
fn load_error(model: &str, what: impl std::fmt::Display) -> RuntimeError {
    RuntimeError::Load { model: model.to_owned(), what: what.to_string() }
}
