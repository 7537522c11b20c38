//! The store and what lies on it, on SQLite and on PostgreSQL: every test runs on both.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers fail the test in the same way as the test itself"
)]

mod access;
mod audit;
mod clients;
mod deletion;
mod listing;
mod remembered;
mod rig;
mod sessions;
mod sweeping;
