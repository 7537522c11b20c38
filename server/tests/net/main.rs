//! The listeners over real sockets: TLS and mTLS with authorities of the tests' own, certificates that are replaced, gRPC and HTTP on
//! top, and clients that stall.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's helpers fail the test in the same way as the test itself"
)]

#[cfg(unix)]
mod descriptors;
mod files;
mod grpc;
mod handshakes;
mod http;
mod mtls;
mod reload;
mod rig;
