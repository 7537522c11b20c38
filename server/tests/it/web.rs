//! gRPC-Web, as a browser speaks it: HTTP/1.1, one POST.

use lifesign_proto::v1;
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::*;

/// A gRPC message frame.
fn framed(message: &impl Message) -> Vec<u8> {
    let body = message.encode_to_vec();
    let mut frame = vec![0];
    frame.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    frame.extend(body);
    frame
}

/// Sends one HTTP/1.1 request; gives the head and the body, chunks joined.
async fn exchange(rig: &Rig, head: &str, body: &[u8]) -> (String, Vec<u8>) {
    let mut socket = TcpStream::connect(&rig.address).await.unwrap();
    let head = format!("{head}host: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", rig.address, body.len());
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(body).await.unwrap();
    let mut reply = Vec::new();
    socket.read_to_end(&mut reply).await.unwrap();
    let end = reply.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(reply[..end].to_vec()).unwrap().to_ascii_lowercase();
    let body = reply.split_off(end + 4);
    let body = if head.contains("transfer-encoding: chunked") { unchunk(&body) } else { body };
    (head, body)
}

fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|window| window == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return whole;
        }
        whole.extend(&body[end + 2..end + 2 + size]);
        body = &body[end + 2 + size + 2..];
    }
}

const CHECK: &str =
    "POST /lifesign.v1.LivenessService/CheckMedia HTTP/1.1\r\ncontent-type: application/grpc-web+proto\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_can_check_media() {
    let rig = start(|_| ()).await;
    let (head, body) = exchange(&rig, CHECK, &framed(&image_request(image(LIVE)))).await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
    let response = v1::CheckMediaResponse::decode(&body[5..5 + length]).unwrap();
    assert_eq!(response.verdict.unwrap().decision(), v1::Decision::Accept);
    let trailers = String::from_utf8_lossy(&body[5 + length + 5..]).into_owned();
    assert!(trailers.contains("grpc-status:0"), "{trailers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_grpc_web_is_refused() {
    let rig = start(|_| ()).await;
    let (head, _) = exchange(&rig, "GET / HTTP/1.1\r\n", &[]).await;
    assert!(head.starts_with("http/1.1 400"), "{head}");
    rig.is_well().await;
}

const PREFLIGHT: &str = "OPTIONS /lifesign.v1.LivenessService/CheckMedia HTTP/1.1\r\norigin: https://app.example.org\r\n\
                         access-control-request-method: POST\r\naccess-control-request-headers: content-type,x-grpc-web\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn other_origins_need_leave() {
    let rig = start(|_| ()).await;
    let (head, _) = exchange(&rig, PREFLIGHT, &[]).await;
    assert!(!head.contains("access-control-allow-origin"), "{head}");

    let rig = start(|config| config.grpc.web.allowed_origins = vec!["https://app.example.org".into()]).await;
    let (head, _) = exchange(&rig, PREFLIGHT, &[]).await;
    assert!(head.contains("access-control-allow-origin: https://app.example.org"), "{head}");
    let (head, _) = exchange(&rig, &PREFLIGHT.replace("app.example.org", "evil.example.org"), &[]).await;
    assert!(!head.contains("access-control-allow-origin"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_can_be_kept_out() {
    let rig = start(|config| config.grpc.web.enabled = false).await;
    let mut socket = TcpStream::connect(&rig.address).await.unwrap();
    socket.write_all(CHECK.as_bytes()).await.unwrap();
    socket.write_all(b"content-length: 0\r\n\r\n").await.unwrap();
    let mut reply = Vec::new();
    // The connection may be reset instead of closed.
    let _ = socket.read_to_end(&mut reply).await;
    assert!(!reply.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&reply));
    rig.is_well().await;
}
