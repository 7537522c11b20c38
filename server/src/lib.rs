//! The lifesign program as a library: configuration, engine, gRPC server, command line.

pub mod cli;
pub mod config;
pub mod convert;
pub mod engine;
pub mod grpc;
pub mod models;
pub mod sessions;
pub mod setup;
pub mod status;
pub mod telemetry;
pub mod video;
