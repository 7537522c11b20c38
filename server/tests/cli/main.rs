//! The real program as a user runs it: exit statuses, output, configuration. One binary, so that it is linked once.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test's helpers fail the test in the same way as the test itself, and say what they skip"
)]

mod bench;
mod builtin;
mod check;
mod clients;
mod configuration;
mod serve;
mod support;
mod vendors;
mod video;
