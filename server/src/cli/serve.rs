//! `lifesign serve`: the gRPC server, until a signal asks it to stop.

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

use super::{CliError, Exit, JudgeArgs};
use crate::{
    config::{Config, Sources},
    engine::Engine,
    grpc,
    setup::Setup,
};

/// How long the start waits for vendors: the time to connect three times over. An orchestrator waits longer than that for a
/// server to come up.
const VENDOR_CHECK: Duration = Duration::from_secs(10);

/// Serve lifesign.v1 over gRPC until SIGINT or SIGTERM.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// Listen here [default: 127.0.0.1:50051]; port 0 takes a free one, which the log names
    #[arg(long, value_name = "ADDRESS:PORT")]
    grpc_addr: Option<SocketAddr>,
    /// Listen beyond this machine without encryption, behind a proxy that sees to it
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
        sources.flag("--insecure", "grpc.insecure", self.insecure.then_some(true));
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
    let address = config.grpc.addr;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| CliError::Failed(format!("cannot listen on {address}: {error}")))?;
    let address = listener.local_addr().map_err(CliError::failed)?;
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(%address, workers = engine.workers(), version, "listening; {}", setup.summary());
    grpc::serve(Arc::new(setup), engine, &config.grpc, listener, stop).await.map_err(CliError::failed)?;
    tracing::info!("stopped");
    Ok(Exit::Success)
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
