//! Start, health, reflection, and an orderly end.

use std::time::Duration;

use lifesign_proto::v1;
use lifesign_server::{config::Config, engine::Engine};
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tonic::Code;

use crate::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_program_path_serves() {
    // No stand-in here: the pool is started as `lifesign serve` starts it.
    let (setup, config, folder) = setup(|_| ());
    let engine = Engine::start(&setup, &config.engine).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = service(setup, engine, &config, folder.path()).await;
    let server = tokio::spawn(async move { service.serve(listener, None, std::future::pending()).await });
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    let mut client = Client::new(endpoint.connect().await.unwrap());
    let verdict = check(&mut client, image(LIVE)).await.unwrap();
    assert_eq!(verdict.decision(), v1::Decision::Accept);
    server.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_lists_the_services_in_both_versions() {
    let rig = start(|_| ()).await;
    let channel = rig.endpoint().connect().await.unwrap();
    let wanted = ["grpc.health.v1.Health", "lifesign.v1.LivenessService"];

    use tonic_reflection::pb::v1;
    let list = v1::server_reflection_request::MessageRequest::ListServices(String::new());
    let request = v1::ServerReflectionRequest { host: String::new(), message_request: Some(list) };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel.clone());
    let answers = client.server_reflection_info(tokio_stream::iter([request])).await.unwrap();
    let answer = answers.into_inner().next().await.unwrap().unwrap().message_response;
    let Some(v1::server_reflection_response::MessageResponse::ListServicesResponse(list)) = answer else {
        panic!("{answer:?}")
    };
    let names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    assert!(wanted.iter().all(|name| names.iter().any(|known| known == name)), "{names:?}");

    use tonic_reflection::pb::v1alpha;
    let list = v1alpha::server_reflection_request::MessageRequest::ListServices(String::new());
    let request = v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(list) };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let answers = client.server_reflection_info(tokio_stream::iter([request])).await.unwrap();
    let answer = answers.into_inner().next().await.unwrap().unwrap().message_response;
    let Some(v1alpha::server_reflection_response::MessageResponse::ListServicesResponse(list)) = answer else {
        panic!("{answer:?}")
    };
    let names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    assert!(wanted.iter().all(|name| names.iter().any(|known| known == name)), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_open_streams_end() {
    let mut rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let (send, messages) = tokio::sync::mpsc::channel(8);
    let messages = tokio_stream::wrappers::ReceiverStream::new(messages);
    send.send(start_inline()).await.unwrap();
    let mut replies = client.stream_session(messages).await.unwrap().into_inner();
    assert!(replies.message().await.unwrap().is_some());

    rig.stop();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(rig.endpoint().connect().await.is_err(), "no new connections are taken");
    for index in 0..3 {
        send.send(frame(index, LIVE)).await.unwrap();
    }
    let (replies, status) = drain(&mut replies).await;
    assert_eq!(status.code(), Code::Ok, "{status:?}");
    assert_eq!(verdict(&replies).decision(), v1::Decision::Accept);
    rig.ended().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_what_does_not_end_by_itself() {
    let mut rig = start(|config| config.grpc.drain_timeout_ms = 300).await;
    let mut client = rig.client().await;
    let endless = tokio_stream::iter([start_inline()]).chain(tokio_stream::pending());
    let mut replies = client.stream_session(endless).await.unwrap().into_inner();
    assert!(replies.message().await.unwrap().is_some());
    rig.stop();
    let (_, status) = drain(&mut replies).await;
    is(&status, Code::Unavailable, "SHUTTING_DOWN");
    rig.ended().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_when_the_server_is_going() {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    let mut rig = start(|_| ()).await;
    // A call keeps the drain going.
    let guest = Guest::open(&rig, vec![start_inline()]).await;
    let mut health = HealthClient::new(rig.endpoint().connect().await.unwrap());
    let mut watch = health.watch(HealthCheckRequest { service: String::new() }).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status, 1);
    rig.stop();
    assert_eq!(watch.message().await.unwrap().unwrap().status, 2, "NOT_SERVING");
    // The watcher stays; the server ends all the same, once the stream has gone.
    guest.vanish();
    rig.ended().await.unwrap();
}

#[test]
fn listening_beyond_the_machine_needs_a_word() {
    let mut config = Config::default();
    for reachable in ["0.0.0.0:0", "[::]:0", "192.0.2.1:50051"] {
        config.grpc.addr = reachable.parse().unwrap();
        let refused = config.exposure().unwrap_err().to_string();
        assert!(refused.contains("grpc") && refused.contains("TLS"), "{refused}");
        assert!(config.access_required(), "whoever is reachable asks who calls");
    }
    config.grpc.insecure = true;
    let said = config.exposure().unwrap();
    assert!(said[0].contains("INSECURE"), "{said:?}");
    config.http.addr = "0.0.0.0:8080".parse().unwrap();
    assert!(config.exposure().unwrap_err().to_string().contains("http"));
    config.http.enabled = false;
    assert_eq!(config.exposure().unwrap().len(), 1);
}
