//! From a listening socket to connections: at most so many at a time, TLS handshakes beside each other, and nothing that one client
//! does or leaves undone keeps others out.

use std::{collections::VecDeque, io, net::SocketAddr, sync::Arc, time::Duration};

use futures::{Stream, StreamExt, stream};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

use super::{
    conn::{Conn, Patience, Wire},
    peer::PeerInfo,
    reload::Reloading,
};

/// What TLS handshakes get.
#[derive(Debug, Clone, Copy)]
struct Handshakes {
    /// How long each may take: 10 s are two round trips and a lost packet or two on the worst of mobile lines.
    limit: Duration,
    /// How many are at work at a time: 256. Each holds some 20 KiB, so all of them hold 5 MiB.
    places: usize,
    /// What each gets once all places are taken: 1 s, two round trips of a mobile line. Beyond it the oldest makes room, so that
    /// clients that only open connections keep nobody waiting for longer.
    grace: Duration,
}

impl Handshakes {
    const DEFAULT: Self = Self { limit: Duration::from_secs(10), places: 256, grace: Duration::from_secs(1) };
}

/// The first pause after a failed accept, which is doubled each time. Out of file descriptors, most likely: without a pause this would spin.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest pause after failed accepts.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Accepts connections, at most `limit` at a time; more wait in the system's backlog until one closes. With `tls` each is handed out once
/// its handshake is done, and one whose handshake fails just ends. It never ends and never fails; both are for what takes such a stream.
pub fn incoming(
    listener: TcpListener,
    limit: u32,
    tls: Option<Reloading>,
) -> impl Stream<Item = io::Result<Conn>> + Send + 'static {
    connections(listener, limit, tls, Handshakes::DEFAULT).map(Ok)
}

fn connections(
    listener: TcpListener,
    limit: u32,
    tls: Option<Reloading>,
    allowed: Handshakes,
) -> impl Stream<Item = Conn> + Send + 'static {
    let permits = usize::try_from(limit).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
    let door = Door { listener, permits: Arc::new(Semaphore::new(permits)), pause: None };
    let state = Listener { door, tls, allowed, handshakes: JoinSet::new(), order: VecDeque::new() };
    stream::unfold(state, |mut listener| async move { Some((listener.next().await?, listener)) })
}

struct Listener {
    door: Door,
    tls: Option<Reloading>,
    allowed: Handshakes,
    handshakes: JoinSet<Option<Conn>>,
    /// When each handshake began, the oldest first; also of some that are over.
    order: VecDeque<(Instant, AbortHandle)>,
}

impl Listener {
    async fn next(&mut self) -> Option<Conn> {
        loop {
            let full = self.handshakes.len() >= self.allowed.places;
            let oldest = self.order.front().map(|(began, _)| *began + self.allowed.grace);
            tokio::select! {
                Some(done) = self.handshakes.join_next() => {
                    self.order.retain(|(_, handshake)| !handshake.is_finished());
                    // Neither a connection nor done: it was ended to make room.
                    if let Ok(Some(conn)) = done {
                        return Some(conn);
                    }
                }
                accepted = self.door.accept(), if !full => {
                    let (stream, address, permit) = accepted?;
                    let Some(tls) = &self.tls else {
                        return Some(Conn::new(Wire::Plain(stream), PeerInfo::plain(address), permit, Patience::DEFAULT));
                    };
                    let acceptor = TlsAcceptor::from(tls.current());
                    let handshake = handshake(acceptor, stream, address, permit, self.allowed.limit);
                    self.order.push_back((Instant::now(), self.handshakes.spawn(handshake)));
                }
                () = at(oldest), if full => {
                    if let Some((_, handshake)) = self.order.pop_front() {
                        debug!("a TLS handshake is ended to make room for others");
                        handshake.abort();
                    }
                }
            }
        }
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

async fn handshake(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    address: SocketAddr,
    permit: OwnedSemaphorePermit,
    limit: Duration,
) -> Option<Conn> {
    match timeout(limit, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            let peer = PeerInfo::verified(address, stream.get_ref().1.peer_certificates());
            Some(Conn::new(Wire::Tls(Box::new(stream)), peer, permit, Patience::DEFAULT))
        }
        Ok(Err(error)) => {
            debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            debug!("a TLS handshake took too long");
            None
        }
    }
}

/// Lets connections in, one by one.
struct Door {
    listener: TcpListener,
    permits: Arc<Semaphore>,
    /// After a failed accept: how long to wait, and until when.
    pause: Option<(Duration, Instant)>,
}

impl Door {
    /// The next connection. Dropped before it is done, it loses none.
    async fn accept(&mut self) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        // The semaphore is never closed.
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        loop {
            if let Some((_, until)) = self.pause {
                sleep_until(until).await;
            }
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    self.pause = None;
                    // Hints are small and should not wait for more to send.
                    if let Err(error) = stream.set_nodelay(true) {
                        debug!(%error, "TCP_NODELAY could not be set");
                    }
                    return Some((stream, address, permit));
                }
                // The client went away before it was let in: its own affair.
                Err(error) if client_left(&error) => debug!(%error, "a connection ended before it was accepted"),
                Err(error) => {
                    let wait = match self.pause {
                        Some((last, _)) => last.saturating_mul(2).min(LONGEST_PAUSE),
                        None => {
                            warn!(%error, "no connection can be accepted; trying again");
                            PAUSE
                        }
                    };
                    self.pause = Some((wait, Instant::now() + wait));
                }
            }
        }
    }
}

fn client_left(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustls::{ClientConfig, RootCertStore, crypto::ring};
    use rustls_pki_types::ServerName;
    use tokio::io::AsyncReadExt;
    use tokio_rustls::TlsConnector;

    use super::*;
    use crate::net::{ALPN_HTTP1, TlsConfig};

    /// A server's TLS, and what a client that trusts it connects with.
    fn tls(folder: &tempfile::TempDir) -> (Reloading, TlsConnector) {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let config = TlsConfig {
            certificate: folder.path().join("tls.crt"),
            key: folder.path().join("tls.key"),
            ..TlsConfig::default()
        };
        fs::write(&config.certificate, certificate.pem()).unwrap();
        fs::write(&config.key, key.serialize_pem()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&config.key, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        (Reloading::start(config, &[ALPN_HTTP1], "http.tls").unwrap(), TlsConnector::from(Arc::new(client)))
    }

    /// None of them would end by itself, so the client gets in only because the oldest make room.
    #[tokio::test]
    async fn the_oldest_of_too_many_stalled_handshakes_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let (reloading, connector) = tls(&folder);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let allowed = Handshakes { limit: Duration::from_secs(3600), places: 4, grace: Duration::from_millis(100) };
        let mut connections = std::pin::pin!(connections(listener, 100, Some(reloading), allowed));
        let mut stalled = Vec::new();
        for _ in 0..10 {
            stalled.push(TcpStream::connect(address).await.unwrap());
        }
        let good = TcpStream::connect(address).await.unwrap();
        let good = connector.connect(ServerName::try_from("localhost").unwrap(), good);
        let both = async { tokio::join!(good, connections.next()) };
        let (client, conn) = timeout(Duration::from_secs(60), both).await.expect("it is not kept out");
        assert!(client.is_ok() && conn.is_some());
        // Ten and one for four places: at least seven have made room, the oldest first.
        for stream in &mut stalled[..7] {
            assert_eq!(stream.read(&mut [0]).await.unwrap_or_default(), 0);
        }
    }
}
