//! The ways to a vendor: through a proxy, over TLS with authorities of the operator's own.

use std::{io::Write as _, net::SocketAddr, sync::Arc};

use lifesign_core::{
    http::{ErrorKind, HttpConfig, Repeat, Secret},
    testing::socket::Answer,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::{TlsAcceptor, rustls};

use crate::support::{line, ok, once, post, send, serve};

/// `user:p@ss` in base64.
const BASIC: &str = "Basic dXNlcjpwQHNz";

#[tokio::test]
async fn plain_requests_go_through_the_proxy_with_its_credentials() {
    let proxy = serve(|_| ok()).await;
    for (user, credentials) in [("", None), ("user:p%40ss@", Some(BASIC))] {
        let address = Secret::new(format!("http://{user}{}", proxy.address));
        let line = line(HttpConfig { proxy: Some(address), ..once() });
        send(&line, &post("http://vendor.invalid/v1/check?lang=en", Repeat::Paid)).await.unwrap();
        let request = proxy.requests().pop().unwrap();
        assert_eq!(request.target, "http://vendor.invalid/v1/check?lang=en");
        assert_eq!(request.header("host"), Some("vendor.invalid"));
        assert_eq!(request.header("proxy-authorization"), credentials);
        assert_eq!(request.text(), r#"{"face":"data"}"#);
    }
}

#[tokio::test]
async fn encrypted_requests_show_the_proxy_nothing_but_the_host() {
    let proxy = serve(|_| Answer::json(403, "")).await;
    let address = Secret::new(format!("http://user:p%40ss@{}", proxy.address));
    let line = line(HttpConfig { proxy: Some(address), ..once() });
    let error = send(&line, &post("https://vendor.invalid/v1/check", Repeat::Paid)).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (ErrorKind::Unreachable, false));
    let request = proxy.requests().pop().unwrap();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("CONNECT", "vendor.invalid:443"));
    assert_eq!((request.header("proxy-authorization"), request.body.len()), (Some(BASIC), 0));
}

/// An authority, as a PEM file, and a server with a certificate of it for this name, which answers with the protocol it was
/// spoken to in.
async fn tls_server(name: &str) -> (tempfile::NamedTempFile, SocketAddr) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(authority_pem.as_bytes()).unwrap();
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust this server goes away here.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = Vec::new();
            while !request.ends_with(b"}") && stream.read_buf(&mut request).await.is_ok_and(|count| count > 0) {}
            let version = stream.get_ref().1.alpn_protocol().unwrap_or_default().to_vec();
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", version.len());
            let _ = stream.write_all(&[head.as_bytes(), &version].concat()).await;
            let _ = stream.shutdown().await;
        }
    });
    (file, address)
}

#[tokio::test]
async fn an_authority_of_the_operators_own_is_trusted_where_it_is_configured() {
    let (file, address) = tls_server("127.0.0.1").await;
    let call = post(&format!("https://{address}/"), Repeat::Paid);
    let trusting = || HttpConfig { ca_file: Some(file.path().to_owned()), ..once() };
    let told = send(&line(trusting()), &call).await.unwrap();
    assert_eq!((told.attempts, told.value.as_str()), (1, "http/1.1"), "the server would rather have spoken HTTP/2");
    let error = send(&line(once()), &call).await.unwrap_err();
    assert_eq!((error.kind, error.sent, error.attempts), (ErrorKind::Unreachable, false, 1));
    // The authority is trusted, and the certificate is another host's.
    let (file, address) = tls_server("vendor.invalid").await;
    let other = HttpConfig { ca_file: Some(file.path().to_owned()), ..once() };
    let error = send(&line(other), &post(&format!("https://{address}/"), Repeat::Paid)).await.unwrap_err();
    assert_eq!((error.kind, error.sent), (ErrorKind::Unreachable, false));
    let (_, address) = tls_server("127.0.0.1").await;
    let error = send(&line(trusting()), &post(&format!("https://{address}/"), Repeat::Paid)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable, "an authority of the same kind and another key");
}
