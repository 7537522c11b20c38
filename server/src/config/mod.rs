//! The program's configuration: defaults in the binary, then a TOML file, then the environment, then flags. Read and
//! validated once, before a port is bound; a key that is not known is refused, wherever it stands.

mod error;
mod layers;
mod print;
mod retention;
mod validate;
mod vendors;

#[cfg(test)]
mod tests;

pub use error::ConfigError;
pub use layers::{EXEMPT_VARIABLES, Layer, Loaded, Sources, VARIABLE_PREFIX};
pub use print::to_toml;
pub use retention::{Retention, Retentions};
pub use vendors::VendorSettings;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::Duration,
};

use lifesign_core::{
    frame::FrameLimits,
    policy::{self, PolicyConfig},
    verdict::Assurance,
};
use serde::{Deserialize, Serialize};

use crate::{
    access::AccessConfig,
    engine::EngineConfig,
    grpc::GrpcConfig,
    http::HttpConfig,
    keys::KeysConfig,
    net::{Exposed, check},
    queue::QueueConfig,
    store::StoreConfig,
    video::VideoConfig,
};

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The model pack: `builtin`, `open`, or a folder with a `pack.toml`.
    pub pack: String,
    /// The ONNX runtime: a path to libonnxruntime, `auto` (ONNX Runtime where it is found, else rten) or `off` (rten).
    pub onnxruntime: String,
    /// Refuse to start on a pack that can claim less than this; CUSTOM < BUILTIN < OPEN. Unset: any pack will do.
    pub require_assurance: Option<Assurance>,
    /// The policy of calls that name none.
    pub default_policy: String,
    /// What media is accepted.
    pub limits: FrameLimits,
    /// What videos are accepted, and how they are looked at.
    pub video: VideoConfig,
    /// The pool of workers.
    pub engine: EngineConfig,
    /// The gRPC server.
    pub grpc: GrpcConfig,
    /// The HTTP listener with the compatible endpoints.
    pub http: HttpConfig,
    /// Where sessions, verdicts and work are kept.
    pub store: StoreConfig,
    /// What seals that.
    pub keys: KeysConfig,
    /// Who may call.
    pub access: AccessConfig,
    /// Work that its caller does not wait for.
    pub queue: QueueConfig,
    /// What is kept of a judgement, by policy. A policy that is not named keeps nothing beyond what its backend needs to read a verdict.
    pub retention: BTreeMap<String, Retention>,
    /// What is logged, and how.
    pub log: LogConfig,
    /// The policies a call may name. Those in the binary are the defaults here, so that a file may change one setting of
    /// one of them.
    pub policies: BTreeMap<String, PolicyConfig>,
    /// The vendors that may be asked, by id: a vendor is configured where its table is there. What can be set is the vendor's
    /// own business; `lifesign config print` shows it.
    pub vendors: BTreeMap<String, VendorSettings>,
    /// Whether `serve` looks at every vendor's line before it listens: a vendor that refuses its credentials stops the start,
    /// one that cannot be reached does not.
    pub check_vendors: bool,
    /// The policies that the file, the environment or a flag touched. Only these, and the default one, must fit the pack;
    /// a policy in the binary that asks for a model which the pack lacks is merely not offered.
    #[serde(skip)]
    pub configured_policies: BTreeSet<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            pack: "builtin".to_owned(),
            onnxruntime: "auto".to_owned(),
            require_assurance: None,
            default_policy: policy::DEFAULT.to_owned(),
            limits: FrameLimits::default(),
            video: VideoConfig::default(),
            engine: EngineConfig::default(),
            grpc: GrpcConfig::default(),
            http: HttpConfig::default(),
            store: StoreConfig::default(),
            keys: KeysConfig::default(),
            access: AccessConfig::default(),
            queue: QueueConfig::default(),
            retention: BTreeMap::new(),
            log: LogConfig::default(),
            policies: policy::builtin().into_iter().map(|(name, policy)| (name.to_owned(), policy)).collect(),
            vendors: BTreeMap::new(),
            check_vendors: true,
            configured_policies: BTreeSet::new(),
        }
    }
}

impl Config {
    /// Whether callers have to say who they are: what is set, else wherever a listener can be reached from other machines.
    pub fn access_required(&self) -> bool {
        let reachable = |addr: SocketAddr| !addr.ip().to_canonical().is_loopback();
        self.access.is_required(reachable(self.grpc.addr) || (self.http.enabled && reachable(self.http.addr)))
    }

    /// What is kept of judgements.
    pub fn retentions(&self) -> Retentions {
        Retentions::new(self.retention.clone(), Duration::from_secs(self.grpc.sessions.remember_seconds))
    }

    /// Whether each listener may be as reachable as it is; what has to be said of them at every start.
    ///
    /// # Errors
    /// [`Exposed`] for the first that may not.
    pub fn exposure(&self) -> Result<Vec<String>, Exposed> {
        let access = self.access_required();
        let grpc = check(self.grpc.addr, self.grpc.tls.is_some(), access, self.grpc.insecure, "grpc")?;
        let http = match &self.http {
            http if http.enabled => check(http.addr, http.tls.is_some(), access, http.insecure, "http")?,
            _ => None,
        };
        Ok(grpc.into_iter().chain(http).collect())
    }
}

/// What is logged, and how. Logs go to standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// The form of a line.
    pub format: LogFormat,
    /// The least severe level that is logged. `LIFESIGN_LOG` overrides it with tracing-subscriber's filter directives.
    pub level: LogLevel,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: LogLevel::Info }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How severe an event must be to be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// What may fail next.
    Warn,
    /// What an operator wants to know in ordinary running.
    Info,
    /// What a developer wants to know.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The name in configuration and in filter directives.
    pub const fn name(self) -> &'static str {
        match self {
            LogLevel::Off => "off",
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}
