//! An authority, the files of a server, a server that says who calls, and clients of it.

use std::{fs, io, net::SocketAddr, path::PathBuf, sync::Arc};

use axum::{Extension, Router, routing::get};
use lifesign_server::{
    http::Peer,
    net::{ALPN_HTTP1, HttpOptions, PeerInfo, Reloading, TlsConfig, serve_http},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::{ClientConfig, RootCertStore, crypto::ring, version};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

/// Where the settings of the tests stand.
pub(crate) const SECTION: &str = "http.tls";

/// A request after which the connection is closed.
pub(crate) const LAST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// A request after which the connection stays open.
pub(crate) const NEXT: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// A certificate and its key.
pub(crate) struct Leaf {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// An authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names.
    pub(crate) fn leaf(&self, names: &[&str]) -> Leaf {
        self.sign(CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap())
    }

    /// A certificate for `localhost` that has ended.
    pub(crate) fn expired(&self) -> Leaf {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        self.sign(params)
    }

    pub(crate) fn sign(&self, params: CertificateParams) -> Leaf {
        let key = KeyPair::generate().unwrap();
        Leaf { certificate: params.signed_by(&key, &self.0).unwrap().pem(), key: key.serialize_pem() }
    }

    /// What a client that trusts this authority alone connects with, and with this certificate where there is one.
    pub(crate) fn client(&self, identity: Option<&Leaf>) -> ClientConfig {
        self.client_of(identity, version::TLS13.version)
    }

    /// As [`Authority::client`], with this version of TLS only.
    pub(crate) fn client_of(&self, identity: Option<&Leaf>, version: rustls::ProtocolVersion) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let version = if version == version::TLS12.version { &version::TLS12 } else { &version::TLS13 };
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(leaf) => {
                let chain = vec![CertificateDer::from_pem_slice(leaf.certificate.as_bytes()).unwrap()];
                builder
                    .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap())
                    .unwrap()
            }
        };
        config.alpn_protocols = vec![ALPN_HTTP1.to_vec()];
        config
    }
}

/// The files of a server's TLS.
pub(crate) struct Files {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) config: TlsConfig,
}

impl Files {
    pub(crate) fn new(leaf: &Leaf) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name| folder.path().join(name);
        let config = TlsConfig { certificate: at("tls.crt"), key: at("tls.key"), ..TlsConfig::default() };
        let files = Self { folder, config };
        files.replace(leaf);
        files
    }

    /// With certificates of this authority taken from clients.
    pub(crate) fn with_clients_of(leaf: &Leaf, authority: &Authority) -> Self {
        let mut files = Self::new(leaf);
        let path = files.at("ca.crt");
        fs::write(&path, authority.pem()).unwrap();
        files.config.client_ca = Some(path);
        files
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn replace(&self, leaf: &Leaf) {
        fs::write(&self.config.certificate, &leaf.certificate).unwrap();
        self.replace_key(&leaf.key);
    }

    pub(crate) fn replace_key(&self, key: &str) {
        fs::write(&self.config.key, key).unwrap();
        self.open_key(0o600);
    }

    pub(crate) fn open_key(&self, mode: u32) {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&self.config.key, fs::Permissions::from_mode(mode)).unwrap();
        }
        #[cfg(not(unix))]
        let _ = mode;
    }

    pub(crate) fn start(&self) -> Reloading {
        Reloading::start(self.config.clone(), &[ALPN_HTTP1], SECTION).unwrap()
    }
}

/// A running HTTP server.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    /// Serves `/`, which answers with the caller's address and identities, and what else there is in `router`.
    pub(crate) async fn start(options: HttpOptions, router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let router = router.route("/", get(who));
        let task = tokio::spawn(serve_http(listener, router, options, stop.clone().cancelled_owned()));
        Self { address, stop, task }
    }

    pub(crate) async fn tls(reloading: &Reloading) -> Self {
        Self::start(HttpOptions { tls: Some(reloading.clone()), ..HttpOptions::default() }, Router::new()).await
    }

    /// Tells it to stop.
    pub(crate) fn tell(&self) {
        self.stop.cancel();
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) async fn stop(self) {
        self.tell();
        self.task.await.unwrap();
    }
}

async fn who(Extension(Peer(ip)): Extension<Peer>, Extension(peer): Extension<PeerInfo>) -> String {
    assert_eq!(ip, peer.ip);
    format!("{ip} {}", peer.identities.join(" "))
}

/// A TLS connection.
pub(crate) async fn connect(client: &ClientConfig, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(client.clone())).connect(name, stream).await
}

/// One request on a connection of its own: the body of the answer.
pub(crate) async fn ask(client: &ClientConfig, address: SocketAddr) -> io::Result<String> {
    last(&mut connect(client, address).await?, LAST).await
}

/// Sends a request after which the server closes the connection: the body of its answer, which must be 200.
pub(crate) async fn last(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    Ok(body.to_owned())
}

/// Sends a request after which the connection stays open: the whole of the answer, which must say how long it is.
pub(crate) async fn next(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes()).await?;
    let mut answer = read_head(stream).await?;
    let (head, begun) = answer.split_once("\r\n\r\n").expect("a head");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut rest = vec![0; length.parse::<usize>().unwrap() - begun.len()];
    stream.read_exact(&mut rest).await?;
    answer.push_str(std::str::from_utf8(&rest).unwrap());
    Ok(answer)
}

/// The head of an answer, and what of its body came with it.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut answer = Vec::new();
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8(answer).unwrap())
}
