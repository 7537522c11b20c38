//! Videos: real clips and made ones against what ffmpeg makes of them, and what must be refused.
#![expect(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what was measured, and what was skipped")]

mod encode;
mod hostile;
mod made;
mod media;
mod program;
mod support;
