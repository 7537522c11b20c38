//! Helpers for tests, here and in the crates above: models made by code, where ONNX Runtime and the shared models lie.
//! Feature `testing`; never part of a release.

pub mod onnx;
mod packs;
mod places;
#[cfg(feature = "vendors")]
pub mod socket;

pub use packs::{open_pack, tiny_pack};
pub use places::{onnxruntime, runtimes, shared};
