//! How long sessions live and how many there may be.

use serde::{Deserialize, Serialize};

/// Limits on sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionsConfig {
    /// How long a token may wait to be used, in seconds, where the request does not say: 10 minutes, time enough for a
    /// person to be led to the camera.
    pub token_ttl_seconds: u64,
    /// The longest a request may ask for, in seconds: an hour. A token is a bearer secret; a day-old one is a leak.
    pub max_token_ttl_seconds: u64,
    /// How long an ended session, and the answer to a `request_id`, are remembered, in seconds: 15 minutes, so that a
    /// backend that was restarted can still read the verdict.
    pub remember_seconds: u64,
    /// Sessions of a kind (streams, transactions) that may be open at a time, on all servers that share the store.
    pub max_sessions: u32,
    /// Answers remembered by `request_id` for each API client; the oldest goes when there are more.
    pub max_remembered_requests: u32,
}

impl Default for SessionsConfig {
    fn default() -> Self {
        Self {
            token_ttl_seconds: 600,
            max_token_ttl_seconds: 3600,
            remember_seconds: 900,
            max_sessions: 10_000,
            max_remembered_requests: 4096,
        }
    }
}
