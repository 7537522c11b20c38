//! The endpoints that answer as FACIA and Deepvue do, on a real socket, over a desk that says what a test wants.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers fail the test in the same way as the test itself"
)]

mod conformance;
mod deepvue;
mod facia;
mod facia_door;
mod hostile;
mod rig;
