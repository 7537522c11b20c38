//! Who may call: API clients with secrets, quotas and policies, behind every door. gRPC takes a secret as a bearer token, or the
//! name in a client certificate; each compatible endpoint takes its vendor's own scheme.
//!
//! A door turns what came into a [`Caller`] by [`Credentials`]. Whatever is wrong with a credential (unknown, revoked, expired, another
//! scheme's, a device's token), the answer is the same [`Denied::Refused`].

mod config;
mod guard;
mod identity;
mod jwt;
mod secrets;
mod tries;

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

pub use config::{AccessConfig, AccessConfigError};
pub use guard::{Clock, Guard, Moment, TokenLifetimes};
pub use identity::identity;
pub use secrets::{client_secret, fingerprint, webhook_secret};

use crate::store::StoreError;

/// Which endpoints an access token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// FACIA's.
    Facia,
    /// Deepvue's.
    Deepvue,
}

impl Scheme {
    /// Its name in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Scheme::Facia => "facia",
            Scheme::Deepvue => "deepvue",
        }
    }
}

/// Who calls. Sessions belong to `client`, and nobody else sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The client's id; empty where callers are not told apart.
    pub client: String,
    /// The policies it may name; empty: all.
    pub policies: Arc<[String]>,
    /// Checks it may make in a minute; 0: no limit.
    pub per_minute: u64,
    /// Checks it may make in a day (UTC); 0: no limit.
    pub per_day: u64,
    /// The sha256 of the secret that it came with, for tokens that end with it; `None`: it came without one.
    pub secret: Option<[u8; 32]>,
}

impl Caller {
    /// The caller where callers are not told apart.
    pub fn anybody() -> Self {
        Self { client: String::new(), policies: Arc::from([]), per_minute: 0, per_day: 0, secret: None }
    }

    /// Whether it may name this policy.
    pub fn may_use(&self, policy: &str) -> bool {
        self.policies.is_empty() || self.policies.iter().any(|allowed| allowed == policy)
    }
}

/// Why a credential lets nobody in.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// It opens nothing. Why is said to nobody.
    #[error("the credentials are missing or not valid")]
    Refused,
    /// Too many wrong ones came from this address.
    #[error("too many failed attempts; try again in {retry_after:?}")]
    TooManyTries {
        /// When the next one is looked at.
        retry_after: Duration,
    },
    /// The store cannot say.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a caller may not have this check made.
#[derive(Debug, thiserror::Error)]
pub enum Forbidden {
    /// The client may not name this policy.
    #[error("this client may not use the policy")]
    Policy,
    /// Its quota is spent.
    #[error("the quota of {limit} checks per {window} is spent; try again in {retry_after:?}")]
    Quota {
        /// `minute` or `day`.
        window: &'static str,
        /// Checks allowed in it.
        limit: u64,
        /// Until it is over.
        retry_after: Duration,
    },
    /// The store cannot say.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A fresh access token.
#[derive(Clone)]
pub struct Issued {
    /// The token in clear: a signed JWT. It is neither `Debug` nor `Display`.
    pub token: String,
    /// When it stops working.
    pub expires: SystemTime,
}

/// Turns credentials into a caller. `peer` is where they came from: too many wrong ones from there, and none is looked at for a
/// while. Where callers are not told apart, everything is let in as [`Caller::anybody`].
#[tonic::async_trait]
pub trait Credentials: Send + Sync + std::fmt::Debug {
    /// A secret alone: gRPC's bearer, FPT.AI's `api-key`, FACIA's `client-secret` header.
    async fn secret(&self, peer: IpAddr, secret: &str) -> Result<Caller, Denied>;

    /// A client's id with one of its secrets: FACIA's and Deepvue's token requests, GLAIR's Basic.
    async fn pair(&self, peer: IpAddr, id: &str, secret: &str) -> Result<Caller, Denied>;

    /// An access token for a caller that came by [`Credentials::secret`] or [`Credentials::pair`].
    async fn issue(&self, caller: &Caller, scheme: Scheme) -> Result<Issued, Denied>;

    /// An access token of this scheme.
    async fn token(&self, peer: IpAddr, scheme: Scheme, token: &str) -> Result<Caller, Denied>;

    /// Whether callers are told apart at all. Where they are not, endpoints ask for no credentials.
    fn required(&self) -> bool;
}
