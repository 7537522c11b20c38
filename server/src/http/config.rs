//! The settings of the HTTP listener and of the compatible endpoints.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::net::TlsConfig;

/// Settings of the HTTP listener.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Whether there is one.
    pub enabled: bool,
    /// Where to listen. The default is reachable from this machine only.
    pub addr: SocketAddr,
    /// As `grpc.insecure`.
    pub insecure: bool,
    /// Encryption; absent: none.
    pub tls: Option<TlsConfig>,
    /// Connections at a time; more wait in the system's backlog.
    pub max_connections: u32,
    /// Requests at work at a time. Each may hold a whole upload, so this bounds what they hold together: as `grpc.max_calls`.
    pub max_requests: u32,
    /// How long a request may take from its first byte to its answer, in milliseconds: a minute for the judgement, as gRPC has it, and
    /// as long again for the upload of a video on a slow line.
    pub request_timeout_ms: u64,
    /// The compatible endpoints.
    pub endpoints: EndpointsConfig,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            insecure: false,
            tls: None,
            max_connections: 1024,
            max_requests: 48,
            request_timeout_ms: 120_000,
            endpoints: EndpointsConfig::default(),
        }
    }
}

impl HttpConfig {
    /// What is wrong with it. `policies`: those that an endpoint may name.
    ///
    /// # Errors
    /// The setting's name and why.
    pub fn validate(&self, policies: &[&str]) -> Result<(), String> {
        if self.max_connections == 0 || self.max_requests == 0 || self.request_timeout_ms == 0 {
            return Err("http.max_connections, max_requests and request_timeout_ms: must not be 0".to_owned());
        }
        for (name, endpoint) in self.endpoints.each() {
            let known = endpoint.policy.is_empty() || policies.contains(&endpoint.policy.as_str());
            if endpoint.enabled && !known {
                return Err(format!(
                    "http.endpoints.{name}.policy: there is no policy {}; there are {}",
                    endpoint.policy,
                    policies.join(", ")
                ));
            }
        }
        Ok(())
    }
}

impl EndpointsConfig {
    /// Each vendor's, by id.
    pub fn each(&self) -> [(&'static str, &EndpointConfig); 2] {
        [("facia", &self.facia), ("deepvue", &self.deepvue)]
    }
}

/// Settings of all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndpointsConfig {
    /// `/request-access-token`, `/liveness`, `/result`.
    pub facia: EndpointConfig,
    /// `/v1/authorize`, `/v1/liveness-check`.
    pub deepvue: EndpointConfig,
    /// How long an access token works, in seconds: 8 hours at FACIA, by one of its pages; Deepvue's 24 hours are kept to there.
    pub facia_token_seconds: u64,
    /// See `facia_token_seconds`.
    pub deepvue_token_seconds: u64,
}

/// Settings of one vendor's endpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EndpointConfig {
    /// Whether it is served.
    pub enabled: bool,
    /// The policy that its calls are judged under; empty: the default one.
    pub policy: String,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self { enabled: true, policy: String::new() }
    }
}

impl Default for EndpointsConfig {
    fn default() -> Self {
        Self {
            facia: EndpointConfig::default(),
            deepvue: EndpointConfig::default(),
            facia_token_seconds: 8 * 3600,
            deepvue_token_seconds: 24 * 3600,
        }
    }
}
