//! Lifesign's core: frames in, hints and one verdict out.
//!
//! The core knows no server, no foreign-function interface and no command line. It does no I/O but reading a model pack
//! from a folder, keeps no global state but ONNX Runtime's own, and never sees a clock: callers pass the time in. The
//! features `video` and `vendors` are exceptions in both: the first talks to the `ffmpeg` program and stops a decoder that takes
//! too long, the second talks to vendors over HTTP within deadlines. A phone has neither.
//!
//! The data flows one way: bytes → [`frame::Frame`] → faces → quality → (only if quality allows) liveness, deepfake and
//! embedding → [`analysis::FrameAnalysis`] → [`session::Session`] → [`verdict::Verdict`].

pub mod analysis;
pub mod deepfake;
pub mod error;
pub mod face;
pub mod frame;
#[cfg(feature = "vendors")]
pub mod http;
pub mod liveness;
pub mod matching;
pub mod pack;
pub mod policy;
pub mod quality;
pub mod runtime;
pub mod session;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "vendors")]
pub mod vendors;
pub mod verdict;
#[cfg(feature = "video")]
pub mod video;

pub use error::Error;
