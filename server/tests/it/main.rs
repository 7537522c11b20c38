//! The server as its clients see it: a real socket, a real client, the tiny pack's models.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers fail the test in the same way as the test itself"
)]

mod callers;
mod check_media;
mod clips;
mod durable;
mod fakes;
mod harness;
mod hostile;
mod lifecycle;
mod overload;
mod references;
mod sessions;
mod streams;
mod vendors;
mod videos;
mod web;
