//! The one error of the core: what broke, and what a caller can do about it.

use crate::{frame::FrameError, pack::PackError, policy::PolicyError, runtime::RuntimeError};

/// Everything that can go wrong in the core. Outcomes (an attack, no face, a blurry frame) are not errors; they are in
/// the [`Verdict`](crate::verdict::Verdict).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The media is broken, of the wrong kind, or beyond a limit: send other media.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The model pack cannot be used: repair or replace it.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The ONNX runtime could not be loaded, or a model broke while it ran.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The policy contradicts itself or asks for what the pack does not have: change the configuration.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}
