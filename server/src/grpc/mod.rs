//! The gRPC server: the liveness service behind its gate, with health, reflection and gRPC-Web.

mod active;
pub mod assembler;
mod browse;
mod calls;
mod capabilities;
mod check_media;
mod config;
mod desk;
mod layer;
mod record;
mod reference;
mod request;
mod service;
mod shared;
mod split;
mod stream;
mod unary_sessions;
mod vendors;
mod video;
mod wire;

pub use config::{GrpcConfig, GrpcConfigError, StreamConfig, WebConfig};
pub use shared::Backing;

use std::{future::Future, io, sync::Arc, time::Duration};

use http::{HeaderName, Method, header};
use lifesign_proto::{FILE_DESCRIPTOR_SET, v1::liveness_service_server::LivenessServiceServer};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{server::NamedService, transport::Server};
use tonic_web::GrpcWebLayer;
use tower::util::option_layer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::{info, warn};

use self::{
    config::Origins,
    desk::Counter,
    layer::{Gate, GateLayer},
    service::Liveness,
    shared::Shared,
    split::Split,
};
use crate::{
    engine::Engine,
    http::Desk,
    net::{Reloading, incoming},
    sessions::Clock,
    setup::Setup,
};

/// How often ended sessions that nobody asks for are forgotten.
const SWEEP: Duration = Duration::from_secs(10);

/// How long connections may take to send their last bytes once the last call is over.
const LAST_BYTES: Duration = Duration::from_secs(1);

/// Why the server ended other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A setting is wrong.
    #[error(transparent)]
    Config(#[from] GrpcConfigError),
    /// The listening socket is broken.
    #[error("the listening socket: {0}")]
    Socket(#[from] io::Error),
    /// Reflection could not be set up.
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The transport failed.
    #[error("transport: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// The service behind all doors: gRPC, the compatible endpoints, and the queue.
#[derive(Debug, Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

impl Service {
    /// The service over its models, its memory and its settings. `inline_allowed`: whether a stream may begin with a config.
    ///
    /// # Errors
    /// [`GrpcConfigError`].
    pub fn new(
        setup: Arc<Setup>,
        engine: Engine,
        config: &GrpcConfig,
        backing: Backing,
        clock: Clock,
        inline_allowed: bool,
    ) -> Result<Self, GrpcConfigError> {
        config.validate(&setup.limits, &setup.video.limits)?;
        Ok(Self { shared: Arc::new(Shared::new(setup, engine, config.clone(), backing, clock, inline_allowed)) })
    }

    /// What the compatible endpoints have done.
    pub fn desk(&self) -> Arc<dyn Desk> {
        Arc::new(Counter { shared: Arc::clone(&self.shared) })
    }

    /// Does the queue's jobs until told to stop.
    pub async fn run_queue(&self, stop: CancellationToken) {
        let counter = Arc::new(Counter { shared: Arc::clone(&self.shared) });
        let drain = Duration::from_millis(self.shared.config.drain_timeout_ms);
        self.shared.backing.queue.clone().run(counter, stop, drain).await;
    }

    /// Keeps the store tidy, and ends streams whose sessions were ended elsewhere, until told to stop.
    pub async fn tidy(&self, stop: CancellationToken) {
        let counter = Counter { shared: Arc::clone(&self.shared) };
        tokio::select! {
            () = counter.sweep(SWEEP, stop) => {}
            () = browse::patrol(&self.shared) => {}
        }
    }

    /// Serves gRPC until `shutdown` resolves, then takes no more connections, lets open calls and streams end within the drain
    /// limit, ends what is left, and returns.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn serve(
        &self,
        listener: TcpListener,
        tls: Option<Reloading>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let shared = &self.shared;
        let config = &shared.config;
        let (open, stop, told) = (shared.open.clone(), shared.stop.clone(), CancellationToken::new());
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_serving::<Grpc>().await;

        let guard = Arc::clone(&shared.backing.guard);
        let gate = Gate::new(config.max_calls, config.max_streams, config.max_message_bytes, open.clone(), guard);
        let liveness = Arc::new(Liveness::new(Arc::clone(shared)));
        let service = |message_bytes: u64| {
            let limit = usize::try_from(message_bytes).unwrap_or(usize::MAX);
            LivenessServiceServer::from_arc(Arc::clone(&liveness))
                .max_decoding_message_size(limit)
                .max_encoding_message_size(usize::try_from(config.max_message_bytes).unwrap_or(usize::MAX))
        };
        let service =
            Split { calls: service(config.max_message_bytes), streams: service(shared.stream_message_bytes()) };
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let server = Server::builder()
            .accept_http1(config.web.enabled)
            .max_concurrent_streams(config.max_concurrent_streams)
            .http2_keepalive_interval(Some(Duration::from_millis(config.keepalive_interval_ms)))
            .http2_keepalive_timeout(Some(Duration::from_millis(config.keepalive_timeout_ms)))
            .layer(option_layer(cors(config)?))
            .layer(option_layer(config.web.enabled.then(GrpcWebLayer::new)))
            .layer(GateLayer(Arc::new(gate)))
            .add_service(service)
            .add_service(health_service)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?);

        let incoming = incoming(listener, config.max_connections, tls);
        let serving = server.serve_with_incoming_shutdown(incoming, told.clone().cancelled_owned());
        let mut serving = std::pin::pin!(serving);
        tokio::select! {
            ended = &mut serving => return Ok(ended?),
            () = shutdown => {}
        }

        info!(open = open.len(), "shutting down: no new connections, open calls may end");
        health.set_not_serving::<Grpc>().await;
        health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
        told.cancel();
        open.close();
        let drained = async {
            // Watchers of health and reflection may stay as long as they like; only calls of the service are waited for.
            let drain = Duration::from_millis(config.drain_timeout_ms);
            if timeout(drain, open.wait()).await.is_err() {
                warn!(open = open.len(), "the drain limit is over: ending what is still open");
                stop.cancel();
            }
            sleep(LAST_BYTES).await;
        };
        tokio::select! {
            ended = &mut serving => Ok(ended?),
            () = drained => Ok(()),
        }
    }
}

type Grpc = LivenessServiceServer<Liveness>;

/// The service's name, for health checks.
pub const SERVICE_NAME: &str = <Grpc as NamedService>::NAME;

/// What pages of other origins may do; `None` where there are none to be let in.
fn cors(config: &GrpcConfig) -> Result<Option<CorsLayer>, GrpcConfigError> {
    let origins = match config.web.origins()? {
        Origins::Same => return Ok(None),
        Origins::Any => AllowOrigin::any(),
        Origins::List(list) => AllowOrigin::list(list),
    };
    let grpc = |name| HeaderName::from_static(name);
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::POST])
        .allow_headers([header::CONTENT_TYPE, grpc("x-grpc-web"), grpc("x-user-agent"), grpc("grpc-timeout")])
        .expose_headers([grpc("grpc-status"), grpc("grpc-message"), grpc("grpc-status-details-bin")]);
    Ok(config.web.enabled.then_some(layer))
}
