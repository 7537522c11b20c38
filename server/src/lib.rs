//! The lifesign program as a library: configuration, engine, store, gRPC and HTTP servers, command line.

pub mod access;
pub mod backing;
pub mod cli;
pub mod config;
pub mod convert;
pub mod engine;
pub mod grpc;
pub mod http;
pub mod keys;
pub mod models;
pub mod net;
pub mod queue;
pub mod sessions;
pub mod setup;
pub mod status;
pub mod store;
pub mod telemetry;
pub mod video;
