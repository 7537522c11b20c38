//! FACIA's requests over plain sockets, which may be cut at any moment.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// What a server answers; `None` where it died before it had.
async fn post(address: &str, path: &str, body: &Value) -> Option<(u16, Value)> {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nAuthorization: Bearer none\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).await.ok()?;
    let text = String::from_utf8(reply).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}

/// Creates a transaction: its name, if the server said that it is accepted.
pub(crate) async fn create(address: &str, picture: &[u8], reference: &str) -> Option<String> {
    let body = json!({
        "type": "liveness",
        "file": STANDARD.encode(picture),
        "detect_deepfake": 1,
        "offsite_liveness": 1,
        "client_reference": reference,
    });
    // A server with too much at work says so, and is asked again, as its Retry-After has it.
    let (status, reply) = loop {
        match post(address, "/liveness", &body).await? {
            (503, _) => tokio::time::sleep(Duration::from_secs(1)).await,
            answer => break answer,
        }
    };
    assert!((200..300).contains(&status), "{status}: {reply}");
    Some(reply["result"]["data"]["reference_id"].as_str()?.to_owned())
}

/// A transaction's result, once there is one. A transaction that is not known is a lost one.
pub(crate) async fn result(address: &str, name: &str) -> Option<Value> {
    let (status, reply) = post(address, "/result", &json!({"reference_id": name})).await?;
    assert_eq!(status, 200, "{name} is lost: {reply}");
    let data = &reply["result"]["data"];
    data["status"].is_i64().then(|| data.clone())
}
