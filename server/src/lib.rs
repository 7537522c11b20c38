//! The lifesign program as a library: configuration, engine, gRPC server, command line.

pub mod convert;
pub mod setup;
