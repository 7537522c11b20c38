//! The HTTP listener: endpoints that answer as FACIA and Deepvue do, from this machine. Each is a thin translation: what
//! its vendor's page says of requests, credentials and replies, onto the engine and policies that gRPC uses.
//!
//! Every vendor's folder has the same files: `mod.rs` (its routes), `request.rs` (what comes, as its page has it), `reply.rs` (a verdict, or a
//! fault, as its page says it). They know each other not at all, and of the rest of the server only [`Door`].

pub mod deepvue;
pub mod facia;

use std::{net::IpAddr, sync::Arc};

use lifesign_proto::v1;

use crate::{
    access::{Caller, Credentials},
    status::Fault,
};

/// Media to be judged for a caller.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Who asks.
    pub caller: Caller,
    /// The policy's name; empty: the default one.
    pub policy: String,
    /// What to judge.
    pub media: v1::check_media_request::Media,
    /// The picture to compare the face with.
    pub reference: Option<v1::Image>,
    /// The caller's own reference; empty: none. The desk checks its length (5..=255 characters).
    pub client_reference: String,
}

/// How far a transaction has come.
#[derive(Debug, Clone)]
pub enum Progress {
    /// It waits, or is being judged.
    Pending,
    /// It is done.
    Done(Box<Outcome>),
}

/// A transaction's end.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The verdict.
    pub verdict: v1::Verdict,
    /// An address of the best frame that works for a while, where the policy keeps one.
    pub proof: Option<String>,
}

/// What an endpoint can have done. Quotas, policies that a client may not use, limits on media and on concurrent work, time-outs: all of
/// that is the desk's, and comes back as a [`Fault`].
#[tonic::async_trait]
pub trait Desk: Send + Sync + std::fmt::Debug {
    /// Judges media while the caller waits.
    async fn check(&self, ask: Ask) -> Result<Outcome, Fault>;

    /// Takes media to be judged later. Once this returns, a restart loses nothing of it. The name is `reference_id`: 15 upper-case letters and digits.
    async fn create(&self, ask: Ask) -> Result<String, Fault>;

    /// How far a transaction of this caller has come; [`Fault::SessionUnknown`] where there is none of this name, or it is somebody else's.
    async fn result(&self, caller: &Caller, reference_id: &str) -> Result<Progress, Fault>;
}

/// Gets no picture: addresses are not taken.
#[derive(Debug, Clone, Copy)]
pub struct NoFetch;

#[tonic::async_trait]
impl Fetch for NoFetch {
    async fn fetch(&self, _: &str) -> Result<bytes::Bytes, FetchError> {
        Err(FetchError::Off)
    }
}

/// Gets the picture behind an address, where that is allowed.
#[tonic::async_trait]
pub trait Fetch: Send + Sync + std::fmt::Debug {
    /// The bytes behind `url`.
    async fn fetch(&self, url: &str) -> Result<bytes::Bytes, FetchError>;
}

/// Why the picture behind an address was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Addresses are not taken (the default).
    #[error("pictures are not taken by address")]
    Off,
    /// It is no address that is allowed: its form, its scheme, its host, or where that host really is. Which of them is said to nobody but the log.
    #[error("the address is not allowed")]
    NotAllowed,
    /// There is no picture behind it, or not in time, or too large.
    #[error("nothing could be fetched from the address")]
    Failed,
}

/// What every endpoint has.
#[derive(Debug, Clone)]
pub struct Door {
    /// Has media judged.
    pub desk: Arc<dyn Desk>,
    /// Lets callers in.
    pub credentials: Arc<dyn Credentials>,
    /// Gets pictures by address.
    pub fetch: Arc<dyn Fetch>,
    /// The endpoints' policies and limits.
    pub config: Arc<EndpointsConfig>,
}

/// Where a request came from: the connection's peer. The listener puts it into every request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

mod body;
mod config;
mod headers;
mod picture;
mod router;
mod verdict;

pub use config::{EndpointConfig, EndpointsConfig, HttpConfig};
pub use router::router;
