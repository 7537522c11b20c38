//! `lifesign serve`: gRPC, the compatible endpoints and the queue, until a signal asks them to stop.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Args;
use lifesign_core::{http::ErrorKind, vendors::Panel};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{CliError, Exit, JudgeArgs};
use crate::{
    access::Credentials,
    backing,
    config::{Config, Sources},
    engine::Engine,
    grpc::Service,
    http::{self, Door, NoFetch},
    models,
    net::{ALPN_H2, ALPN_HTTP1, HttpOptions, Reloading, TlsConfig, serve_http},
    sessions::Clock,
    setup::Setup,
};

/// How long the start waits for vendors: the time to connect three times over. An orchestrator waits longer than that for a
/// server to come up.
const VENDOR_CHECK: Duration = Duration::from_secs(10);

/// Serve lifesign.v1 over gRPC, and vendors' endpoints over HTTP, until SIGINT or SIGTERM.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Listen here [default: 127.0.0.1:50051]; port 0 takes a free one, which the log names
    #[arg(long, value_name = "ADDRESS:PORT")]
    grpc_addr: Option<SocketAddr>,
    /// Serve the endpoints of FACIA and Deepvue here [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS:PORT")]
    http_addr: Option<SocketAddr>,
    /// Listen beyond this machine without encryption or without asking who calls, behind a proxy that sees to both
    #[arg(long)]
    insecure: bool,
    /// Worker threads, each with its own models [default: one per core]
    #[arg(long, value_name = "N")]
    workers: Option<u32>,
    /// The policy of calls that name none
    #[arg(long, value_name = "NAME")]
    policy_default: Option<String>,
    #[command(flatten)]
    judge: JudgeArgs,
}

impl ServeArgs {
    pub(super) fn apply(&self, sources: &mut Sources) {
        sources.flag("--grpc-addr", "grpc.addr", self.grpc_addr.map(|address| address.to_string()));
        sources.flag("--http-addr", "http.addr", self.http_addr.map(|address| address.to_string()));
        sources.flag("--insecure", "grpc.insecure", self.insecure.then_some(true));
        sources.flag("--insecure", "http.insecure", self.insecure.then_some(true));
        sources.flag("--workers", "engine.workers", self.workers);
        sources.flag("--policy-default", "default_policy", self.policy_default.clone());
        self.judge.apply(sources);
    }
}

pub(super) fn run(config: &Config) -> Result<Exit, CliError> {
    let setup = Setup::load(config).map_err(CliError::failed)?;
    let engine = Engine::start(&setup, &config.engine).map_err(CliError::failed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::failed)?;
    runtime.block_on(serve(config, setup, engine))
}

async fn serve(config: &Config, setup: Setup, engine: Engine) -> Result<Exit, CliError> {
    let mut stop = stop_signal().map_err(CliError::failed)?;
    if config.check_vendors {
        tokio::select! {
            checked = check_vendors(&setup.vendors) => checked?,
            () = &mut stop => return Ok(Exit::Success),
        }
    }
    // Everything that can be refused is refused before a port is bound.
    for warning in config.exposure().map_err(CliError::failed)? {
        tracing::warn!("{warning}");
    }
    let grpc_protocols: &[&[u8]] = if config.grpc.web.enabled { &[ALPN_H2, ALPN_HTTP1] } else { &[ALPN_H2] };
    let grpc_tls = tls(config.grpc.tls.as_ref(), grpc_protocols, "grpc.tls")?;
    let http_tls = tls(config.http.tls.as_ref(), &[ALPN_HTTP1], "http.tls")?;
    let (grpc, address) = bind(config.grpc.addr).await?;
    let http = if config.http.enabled { Some(bind(config.http.addr).await?) } else { None };
    let clock = Clock::default();
    let backing = backing::open(config, &models::home(), clock).await.map_err(CliError::failed)?;
    let store = backing.store.clone();
    if backing.guard.required() && store.clients().await.map_err(CliError::failed)?.is_empty() {
        tracing::warn!("callers must say who they are, and there is no API client yet: `lifesign clients add`");
    }

    let (version, summary) = (env!("CARGO_PKG_VERSION"), setup.summary());
    let inline = config.grpc.inline_sessions.unwrap_or(address.ip().to_canonical().is_loopback());
    let (workers, guard) = (engine.workers(), Arc::clone(&backing.guard));
    let service =
        Service::new(Arc::new(setup), engine, &config.grpc, backing, clock, inline).map_err(CliError::failed)?;
    let told = CancellationToken::new();
    let tasks = TaskTracker::new();
    let (queue, tidy) = (service.clone(), service.clone());
    let (queue_told, tidy_told) = (told.clone(), told.clone());
    tasks.spawn(async move { queue.run_queue(queue_told).await });
    tasks.spawn(async move { tidy.tidy(tidy_told).await });
    if let Some((listener, address)) = http {
        let door = Door {
            desk: service.desk(),
            credentials: guard,
            fetch: Arc::new(NoFetch),
            config: Arc::new(config.http.endpoints.clone()),
        };
        let router = http::router(door, config.http.max_requests);
        tracing::info!(%address, encrypted = http_tls.is_some(), "listening for HTTP");
        let options = HttpOptions {
            max_connections: config.http.max_connections,
            request_timeout: Duration::from_millis(config.http.request_timeout_ms),
            drain: Duration::from_millis(config.grpc.drain_timeout_ms),
            tls: http_tls,
            ..HttpOptions::default()
        };
        tasks.spawn(serve_http(listener, router, options, told.clone().cancelled_owned()));
    }
    tracing::info!(%address, encrypted = grpc_tls.is_some(), workers, version, "listening; {summary}");
    let served = service.serve(grpc, grpc_tls, async {
        stop.await;
        told.cancel();
    });
    let served = served.await.map_err(CliError::failed);
    // Also where gRPC failed by itself.
    told.cancel();
    tasks.close();
    tasks.wait().await;
    store.close().await;
    served?;
    tracing::info!("stopped");
    Ok(Exit::Success)
}

fn tls(config: Option<&TlsConfig>, protocols: &[&[u8]], section: &'static str) -> Result<Option<Reloading>, CliError> {
    config.map(|config| Reloading::start(config.clone(), protocols, section)).transpose().map_err(CliError::failed)
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), CliError> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| CliError::Failed(format!("cannot listen on {address}: {error}")))?;
    let address = listener.local_addr().map_err(CliError::failed)?;
    Ok((listener, address))
}

/// Looks at every vendor's line. Refused credentials stop the start, since no call would ever be answered; a vendor that
/// cannot be reached does not, since it may be back before the first call.
async fn check_vendors(panel: &Panel) -> Result<(), CliError> {
    for (member, probed) in panel.probe(Instant::now() + VENDOR_CHECK).await {
        let spec = member.vendor().spec();
        match probed {
            Ok(found) => tracing::info!(vendor = spec.id, ?found, "vendor reached"),
            Err(error) if matches!(error.error.kind, ErrorKind::Credentials | ErrorKind::Forbidden) => {
                let settings: Vec<String> =
                    spec.secrets.iter().map(|name| format!("vendors.{}.{name}", spec.id)).collect();
                return Err(CliError::Failed(format!(
                    "vendor {} refuses its credentials ({error}): set right {}; or start without looking by `check_vendors = false`",
                    spec.id,
                    settings.join(", "),
                )));
            }
            Err(error) => tracing::warn!(vendor = spec.id, %error, "vendor not reached"),
        }
    }
    Ok(())
}

/// Ends when the process is asked to stop: SIGINT everywhere, SIGTERM where there is one. The handlers are in place when
/// this returns, so a signal that comes while the server starts is not lost.
#[cfg(unix)]
fn stop_signal() -> io::Result<Pin<Box<dyn Future<Output = ()> + Send>>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(Box::pin(async move {
        tokio::select! {
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        }
    }))
}

/// Ends when the process is asked to stop by Ctrl-C.
#[cfg(not(unix))]
fn stop_signal() -> io::Result<Pin<Box<dyn Future<Output = ()> + Send>>> {
    Ok(Box::pin(async {
        // Without a handler there is nothing to wait for; the system then ends the process itself.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        tracing::info!("Ctrl-C: stopping");
    }))
}
