//! Clients that are no TLS clients, and those that begin a handshake and leave it.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::rig::{Authority, Files, LAST, Running, ask};

/// Long after everything here is over; a test that gets there hangs.
const NEVER: Duration = Duration::from_secs(60);

/// The first bytes of a TLS record that says it has 512.
const BEGUN: [u8; 9] = [22, 3, 1, 2, 0, 1, 0, 1, 252];

async fn server() -> (Authority, Running) {
    let authority = Authority::new();
    let server = Running::tls(&Files::new(&authority.leaf(&["localhost"])).start()).await;
    (authority, server)
}

#[tokio::test]
async fn what_is_not_tls_just_ends() {
    let (authority, server) = server().await;
    let garbage: Vec<u8> = (0..4096_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for sent in [LAST.as_bytes(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &garbage, &[0; 100], &[22, 3, 1, 255, 255, 0]] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut answer = Vec::new();
        // A reset ends it as well: not all that was sent has been read.
        let ended = timeout(NEVER, stream.read_to_end(&mut answer)).await.expect("it ends");
        assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset));
        // An alert is 7 bytes; nothing of HTTP is said.
        assert!(answer.len() <= 7, "{answer:?}");
    }
    ask(&authority.client(None), server.address).await.expect("the server goes on");
    server.stop().await;
}

async fn stalled(count: usize, address: SocketAddr) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for number in 0..count {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Some have begun, others have said nothing.
        stream.write_all(&BEGUN[..number % BEGUN.len()]).await.unwrap();
        streams.push(stream);
    }
    streams
}

fn is_open(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

#[tokio::test]
async fn fifty_stalled_handshakes_keep_nobody_out_and_end() {
    let (authority, server) = server().await;
    let mut stalled = stalled(50, server.address).await;
    ask(&authority.client(None), server.address).await.unwrap();
    assert_eq!(stalled.iter().filter(|stream| is_open(stream)).count(), 50, "they were still at work");
    for stream in &mut stalled {
        let ended = timeout(NEVER, stream.read(&mut [0])).await.expect("it is ended");
        assert_eq!(ended.unwrap_or_default(), 0);
    }
    server.stop().await;
}
