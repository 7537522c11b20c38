//! The line to a vendor, against real sockets: what is sent, what comes back, what is repeated and what is held back.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod gates;
mod payloads;
mod retries;
mod secrets;
mod support;
mod ways;
