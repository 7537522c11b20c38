//! gRPC on a listener with TLS: tonic's client over HTTP/2, and who calls in every request.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use hyper_util::rt::TokioIo;
use lifesign_server::net::{ALPN_H2, ALPN_HTTP1, PeerInfo, Reloading, incoming};
use rustls::ClientConfig;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use tonic::{
    Request,
    service::InterceptorLayer,
    transport::{Channel, Endpoint, Server},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::rig::{Authority, Files, SECTION, connect};

struct Running {
    address: SocketAddr,
    callers: Arc<Mutex<Vec<PeerInfo>>>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(tls: Option<Reloading>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let callers = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&callers);
        let (_, health) = tonic_health::server::health_reporter();
        let serving = Server::builder()
            .layer(InterceptorLayer::new(move |request: Request<()>| {
                seen.lock().unwrap().push(request.extensions().get::<PeerInfo>().unwrap().clone());
                Ok(request)
            }))
            .add_service(health)
            .serve_with_incoming_shutdown(incoming(listener, 16, tls), stop.clone().cancelled_owned());
        let task = tokio::spawn(async move { serving.await.unwrap() });
        Self { address, callers, stop, task }
    }

    async fn stop(self) -> Vec<PeerInfo> {
        self.stop.cancel();
        self.task.await.unwrap();
        let callers = self.callers.lock().unwrap();
        callers.clone()
    }
}

async fn channel(mut client: ClientConfig, address: SocketAddr) -> Result<Channel, tonic::transport::Error> {
    client.alpn_protocols = vec![ALPN_H2.to_vec()];
    let connector = tower::service_fn(move |_| {
        let client = client.clone();
        async move {
            let stream = connect(&client, address).await?;
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(ALPN_H2));
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    Endpoint::from_static("http://localhost").connect_with_connector(connector).await
}

async fn call(channel: Channel) -> Result<(), tonic::Status> {
    HealthClient::new(channel).check(HealthCheckRequest { service: String::new() }).await.map(|_| ())
}

#[tokio::test]
async fn grpc_goes_over_tls_and_knows_who_calls() {
    let (authority, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let files = Files::with_clients_of(&authority.leaf(&["localhost"]), &clients);
    let reloading = Reloading::start(files.config.clone(), &[ALPN_H2, ALPN_HTTP1], SECTION).unwrap();
    let server = Running::start(Some(reloading)).await;
    let known = channel(authority.client(Some(&clients.leaf(&["backend"]))), server.address).await.unwrap();
    call(known.clone()).await.unwrap();
    call(known).await.unwrap();
    for identity in [None, Some(strangers.leaf(&["backend"])), Some(clients.expired())] {
        // With TLS 1.3 a client has sent its certificate before it hears what the server thinks of it.
        let refused = match channel(authority.client(identity.as_ref()), server.address).await {
            Ok(channel) => call(channel).await.is_err(),
            Err(_) => true,
        };
        assert!(refused);
    }
    assert!(channel(strangers.client(Some(&clients.leaf(&["backend"]))), server.address).await.is_err());
    let callers = server.stop().await;
    assert_eq!(callers.len(), 2, "nobody else got as far as a call");
    for caller in callers {
        assert_eq!(caller.ip.to_string(), "127.0.0.1");
        assert_eq!(caller.identities.first().unwrap(), "dns:backend");
    }
}

#[tokio::test]
async fn grpc_without_tls_knows_the_address() {
    let server = Running::start(None).await;
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address)).unwrap();
    call(endpoint.connect().await.unwrap()).await.unwrap();
    let callers = server.stop().await;
    assert_eq!((callers.len(), callers[0].ip.to_string().as_str(), callers[0].identities.len()), (1, "127.0.0.1", 0));
}
