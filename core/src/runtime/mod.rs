//! The seam to ONNX execution: load a model from bytes, run named tensors through it.
//!
//! Two backends stand behind it: ONNX Runtime, loaded at run time where it is found (feature `ort`), and `rten`, in pure
//! Rust (feature `rten`). A [`Model`] is neither `Send` nor `Sync`: it lives and dies on the worker that loaded it.

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
    /// ONNX Runtime from this path, or an error.
    Library(PathBuf),
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
    /// the outputs come back in the order of `outputs`.
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

    /// Loads a model from the bytes of an .onnx file, to run on one thread.
    ///
    /// # Errors
    /// [`RuntimeError::Load`].
    fn load(&self, name: &str, onnx: &[u8]) -> Result<Box<dyn Model>, RuntimeError>;
}

/// A shared runtime.
pub type SharedRuntime = Arc<dyn Runtime>;
