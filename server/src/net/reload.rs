//! Certificates that are replaced while the server runs: new connections get the new one, open ones go on with theirs.

use std::{
    fmt, io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::{
    sync::Mutex,
    time::{MissedTickBehavior, interval},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::{
    config::TlsConfig,
    error::TlsError,
    tls::{Files, Served},
};

/// The TLS of a listener, kept up to date with its files until the last clone is dropped.
#[derive(Clone)]
pub struct Reloading {
    shared: Arc<Shared>,
    _watch: Arc<AbortOnDropHandle<()>>,
}

impl fmt::Debug for Reloading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reloading").field("section", &self.shared.section).finish_non_exhaustive()
    }
}

/// What a look at the files led to.
#[derive(Debug)]
pub enum Checked {
    /// They are those in use.
    Unchanged,
    /// They are in use from now on.
    Reloaded,
    /// They cannot be used; those from before still are.
    Refused {
        /// Why.
        error: TlsError,
        /// Whether the look before this one found the same fault in the same files; the log says it once only.
        again: bool,
    },
}

struct Shared {
    section: &'static str,
    config: TlsConfig,
    alpn: Vec<Vec<u8>>,
    current: ArcSwap<ServerConfig>,
    seen: Mutex<Seen>,
}

struct Seen {
    /// The contents in use.
    served: [u8; 32],
    /// The contents refused last, where they could be read at all, and why.
    refused: Option<(Option<[u8; 32]>, String)>,
}

impl Reloading {
    /// Reads the files and watches them from then on. `alpn` has the protocols in the order of preference; `section` is where the
    /// settings stand, such as `grpc.tls`. It must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`TlsError`] names the setting, and the file where that is to blame. A certificate that is not valid at the moment is refused too.
    pub fn start(config: TlsConfig, alpn: &[&[u8]], section: &'static str) -> Result<Self, TlsError> {
        config.validate(section)?;
        let alpn: Vec<Vec<u8>> = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        let files = Files::read(&config, section)?;
        let Served { config: current, not_after } = files.build(&config, section, &alpn, SystemTime::now())?;
        info!(section, %not_after, client_certificates = config.client_ca.is_some(), "TLS certificate loaded");
        let seen = Mutex::new(Seen { served: files.digest(), refused: None });
        let every = Duration::from_secs(config.reload_seconds);
        let shared = Arc::new(Shared { section, config, alpn, current: ArcSwap::new(current), seen });
        // The handler is in place when this returns, so no signal ends the process from here on.
        let hangups = Hangups::new().inspect_err(|error| warn!(section, %error, "SIGHUP is not listened to")).ok();
        let watch = tokio::spawn(watch(Arc::clone(&shared), every, hangups));
        Ok(Self { shared, _watch: Arc::new(AbortOnDropHandle::new(watch)) })
    }

    /// What a connection that begins now is served with.
    pub fn current(&self) -> Arc<ServerConfig> {
        self.shared.current.load_full()
    }

    /// Looks at the files now, as is done every `reload_seconds` and on SIGHUP.
    pub async fn check(&self) -> Checked {
        self.shared.check().await
    }
}

impl Shared {
    async fn check(self: &Arc<Self>) -> Checked {
        let mut seen = self.seen.lock().await;
        let (shared, served) = (Arc::clone(self), seen.served);
        let Ok((digest, built)) = tokio::task::spawn_blocking(move || shared.load(served)).await else {
            // The runtime is going down.
            return Checked::Unchanged;
        };
        match built {
            Ok(None) => {
                seen.refused = None;
                Checked::Unchanged
            }
            Ok(Some(Served { config, not_after })) => {
                self.current.store(config);
                *seen = Seen { served: digest.unwrap_or(served), refused: None };
                info!(section = self.section, %not_after, "TLS certificate replaced; open connections go on with the old one");
                Checked::Reloaded
            }
            Err(error) => {
                let refused = Some((digest, error.to_string()));
                let again = seen.refused == refused;
                if !again {
                    warn!(%error, "the TLS files changed and cannot be used; the certificate from before is kept");
                }
                seen.refused = refused;
                Checked::Refused { error, again }
            }
        }
    }

    /// The digest of the files' contents, and what they make; `None` where they are those that are served. What was refused is tried
    /// again: time may have made it valid.
    fn load(&self, served: [u8; 32]) -> (Option<[u8; 32]>, Result<Option<Served>, TlsError>) {
        let files = match Files::read(&self.config, self.section) {
            Ok(files) => files,
            Err(error) => return (None, Err(error)),
        };
        let digest = files.digest();
        if digest == served {
            return (Some(digest), Ok(None));
        }
        (Some(digest), files.build(&self.config, self.section, &self.alpn, SystemTime::now()).map(Some))
    }
}

async fn watch(shared: Arc<Shared>, every: Duration, mut hangups: Option<Hangups>) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first one is at once, and the files have just been read.
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = hung_up(&mut hangups) => {}
        }
        shared.check().await;
    }
}

async fn hung_up(hangups: &mut Option<Hangups>) {
    match hangups {
        Some(hangups) => hangups.next().await,
        None => std::future::pending().await,
    }
}

/// SIGHUP, by which administrators ask a server to read its files again.
#[cfg(unix)]
struct Hangups(tokio::signal::unix::Signal);

#[cfg(unix)]
impl Hangups {
    fn new() -> io::Result<Self> {
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map(Self)
    }

    async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending().await
        }
    }
}

/// There is no such signal here.
#[cfg(not(unix))]
struct Hangups;

#[cfg(not(unix))]
impl Hangups {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        std::future::pending().await
    }
}
