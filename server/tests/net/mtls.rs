//! Whose certificates are taken from clients, and what callers are known by.

use rcgen::{CertificateParams, SanType};
use rustls::{ClientConfig, HandshakeKind, version};
use tokio::io::AsyncReadExt;

use crate::rig::{Authority, Files, Leaf, NEXT, Running, ask, connect, next};

/// Both versions that are spoken.
const VERSIONS: [rustls::ProtocolVersion; 2] = [version::TLS12.version, version::TLS13.version];

#[tokio::test]
async fn the_right_certificate_is_taken_by_both_sides() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let mut params = CertificateParams::new(vec!["backend.example.org".to_owned()]).unwrap();
    params.subject_alt_names.push(SanType::URI("spiffe://example.org/backend".try_into().unwrap()));
    let identity = clients.sign(params);
    let files = Files::with_clients_of(&authority.leaf(&["localhost"]), &clients);
    let server = Running::tls(&files.start()).await;
    for version in VERSIONS {
        let client = authority.client_of(Some(&identity), version);
        let mut stream = connect(&client, server.address).await.unwrap();
        let answer = next(&mut stream, NEXT).await.unwrap();
        assert!(
            answer.contains("127.0.0.1 dns:backend.example.org uri:spiffe://example.org/backend sha256:"),
            "{answer}"
        );
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version));
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
    server.stop().await;
}

#[tokio::test]
async fn other_clients_are_turned_away_and_nobody_with_them() {
    let (authority, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let (right, wrong, expired) = (clients.leaf(&["a"]), strangers.leaf(&["a"]), clients.expired());
    for required in [true, false] {
        let mut files = Files::with_clients_of(&authority.leaf(&["localhost"]), &clients);
        files.config.require_client_certificate = Some(required);
        let server = Running::tls(&files.start()).await;
        let table: [(&str, Option<&Leaf>, bool); 4] = [
            ("the right one", Some(&right), true),
            ("another authority's", Some(&wrong), false),
            ("an expired one", Some(&expired), false),
            ("none", None, !required),
        ];
        for version in VERSIONS {
            for (what, identity, taken) in table {
                let answer = ask(&authority.client_of(identity, version), server.address).await;
                assert_eq!(answer.is_ok(), taken, "{what}, required {required}, {version:?}: {answer:?}");
                let known = answer.is_ok_and(|answer| answer.contains("dns:a "));
                assert_eq!(known, taken && identity.is_some(), "{what}");
            }
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn where_no_authority_is_configured_certificates_are_not_asked_for() {
    let (authority, anybody) = (Authority::new(), Authority::new().leaf(&["a"]));
    let server = Running::tls(&Files::new(&authority.leaf(&["localhost"])).start()).await;
    assert_eq!(ask(&authority.client(Some(&anybody)), server.address).await.unwrap(), "127.0.0.1 ");
    server.stop().await;
}

#[tokio::test]
async fn a_client_does_not_take_another_authoritys_server_or_another_host() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = Running::tls(&Files::new(&authority.leaf(&["localhost"])).start()).await;
    assert!(ask(&stranger.client(None), server.address).await.is_err());
    ask(&authority.client(None), server.address).await.expect("the server goes on");
    let other = Running::tls(&Files::new(&authority.leaf(&["other.example.org"])).start()).await;
    assert!(ask(&authority.client(None), other.address).await.is_err());
    server.stop().await;
    other.stop().await;
}

/// How the second of two connections began. The first has read an answer, and with it what there was to resume with.
async fn second(client: &ClientConfig, server: &Running) -> Option<HandshakeKind> {
    let mut first = connect(client, server.address).await.unwrap();
    next(&mut first, NEXT).await.unwrap();
    drop(first);
    let mut second = connect(client, server.address).await.unwrap();
    next(&mut second, NEXT).await.unwrap();
    second.get_ref().1.handshake_kind()
}

#[tokio::test]
async fn a_client_certificate_is_verified_on_every_connection() {
    let authority = Authority::new();
    let (leaf, identity) = (authority.leaf(&["localhost"]), authority.leaf(&["a"]));
    for version in VERSIONS {
        let plain = Running::tls(&Files::new(&leaf).start()).await;
        assert_eq!(second(&authority.client_of(None, version), &plain).await, Some(HandshakeKind::Resumed));
        plain.stop().await;
        let mutual = Running::tls(&Files::with_clients_of(&leaf, &authority).start()).await;
        assert_eq!(second(&authority.client_of(Some(&identity), version), &mutual).await, Some(HandshakeKind::Full));
        mutual.stop().await;
    }
}

#[tokio::test]
async fn a_protocol_that_is_not_spoken_is_refused() {
    let authority = Authority::new();
    let server = Running::tls(&Files::new(&authority.leaf(&["localhost"])).start()).await;
    let mut client = authority.client(None);
    client.alpn_protocols = vec![b"h2".to_vec()];
    let ended = match connect(&client, server.address).await {
        Ok(mut stream) => stream.read_u8().await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert!(ended.is_err());
    server.stop().await;
}
