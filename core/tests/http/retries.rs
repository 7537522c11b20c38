//! What is repeated, after which pause, and what is not.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use lifesign_core::{
    http::{ErrorKind, Health, HttpConfig, Repeat, RetryConfig},
    testing::socket::{Answer, SocketServer},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
};

use crate::support::{after, eager, far, in_time, line, ok, post, read, send, serve, until};

/// Answers so the first time, and well from then on.
async fn first(answer: Answer) -> SocketServer {
    let count = AtomicUsize::new(0);
    serve(move |_| if count.fetch_add(1, Ordering::SeqCst) == 0 { answer.clone() } else { ok() }).await
}

fn with(attempts: u32, paid_statuses: Vec<u16>, paid_faults: bool) -> HttpConfig {
    let config = eager(attempts);
    HttpConfig {
        retry: RetryConfig { paid_statuses, paid_faults, ..config.retry },
        request_timeout_ms: 3_000,
        ..config
    }
}

#[tokio::test]
async fn safe_calls_are_repeated_and_paid_ones_where_configured() {
    let server_fault = Answer::json(500, "");
    let statuses = || with(3, vec![429, 500], false);
    let faults = || with(3, vec![], true);
    let cases = [
        (&server_fault, eager(3), Repeat::Safe, true),
        (&server_fault, eager(3), Repeat::Paid, false),
        (&server_fault, statuses(), Repeat::Paid, true),
        (&server_fault, faults(), Repeat::Paid, false),
        (&Answer::Reset, eager(3), Repeat::Safe, true),
        (&Answer::Reset, eager(3), Repeat::Paid, false),
        (&Answer::Reset, statuses(), Repeat::Paid, false),
        (&Answer::Reset, faults(), Repeat::Paid, true),
        (&Answer::Hang, with(3, vec![], false), Repeat::Paid, false),
        (&Answer::Hang, faults(), Repeat::Paid, true),
        (&Answer::json(400, ""), eager(3), Repeat::Safe, false),
        (&Answer::json(400, ""), with(3, vec![400], true), Repeat::Paid, false),
        (&Answer::Raw(b"SSH-2.0\r\n\r\n".to_vec()), faults(), Repeat::Paid, false),
    ];
    // All at once, since some take as long as the line has patience.
    let told = cases.map(|(answer, config, repeat, repeated)| async move {
        let server = first(answer.clone()).await;
        let told = send(&line(config), &post(&server.url(), repeat)).await;
        let attempts = if repeated { 2 } else { 1 };
        assert_eq!(told.is_ok(), repeated, "{answer:?} {repeat:?}");
        assert_eq!(told.map_or_else(|error| error.attempts, |told| told.attempts), attempts, "{answer:?} {repeat:?}");
        assert_eq!(server.requests().len(), attempts as usize, "{answer:?} {repeat:?}");
    });
    join_all(told).await;
}

#[tokio::test]
async fn what_the_reader_says_decides_too() {
    let server = serve(|_| ok()).await;
    let (line, call) = (line(eager(3)), post(&server.url(), Repeat::Safe));
    let told = line.call(&call, far(), |_| Err::<(), _>(ErrorKind::RateLimited)).await.unwrap_err();
    assert_eq!((told.kind, told.status, told.attempts), (ErrorKind::RateLimited, Some(200), 3));
    let told = line.call(&call, far(), |_| Err::<(), _>(ErrorKind::Credentials)).await.unwrap_err();
    assert_eq!((told.kind, told.attempts), (ErrorKind::Credentials, 1));
    let paid = post(&server.url(), Repeat::Paid);
    let told = line.call(&paid, far(), |_| Err::<(), _>(ErrorKind::Server)).await.unwrap_err();
    assert_eq!((told.kind, told.attempts), (ErrorKind::Server, 1));
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let limited = || Answer::json(429, "").with("Retry-After", "1");
    for (config, repeat) in [(eager(2), Repeat::Safe), (with(2, vec![429], false), Repeat::Paid)] {
        let server = first(limited()).await;
        let started = Instant::now();
        let told = send(&line(config), &post(&server.url(), repeat)).await.unwrap();
        assert_eq!(told.attempts, 2);
        assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    }
    let server = first(limited()).await;
    let error = send(&line(eager(2)), &post(&server.url(), Repeat::Paid)).await.unwrap_err();
    assert_eq!((error.kind, error.status, error.attempts), (ErrorKind::RateLimited, Some(429), 1));
    assert_eq!(error.retry_after, Some(Duration::from_secs(1)));
}

#[tokio::test]
async fn a_pause_beyond_the_deadline_is_not_begun() {
    for seconds in ["3600", "99999999999999999999"] {
        let server = first(Answer::json(503, "").with("Retry-After", seconds)).await;
        let call = post(&server.url(), Repeat::Safe);
        let line = line(eager(3));
        let error =
            in_time("a long pause is given up at once", line.call(&call, after(20_000), read)).await.unwrap_err();
        assert_eq!((error.kind, error.attempts), (ErrorKind::Server, 1));
        assert!(error.retry_after >= Some(Duration::from_secs(3600)));
    }
}

#[tokio::test]
async fn a_paid_call_is_repeated_until_the_vendor_is_up() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let retry = RetryConfig { attempts: 10, base_ms: 500, max_ms: 5_000, ..RetryConfig::default() };
    let line = Arc::new(line(HttpConfig { retry, ..HttpConfig::default() }));
    let calling = tokio::spawn({
        let line = Arc::clone(&line);
        async move { send(&line, &post(&url, Repeat::Paid)).await }
    });
    until("a first request failed", || line.health() == Health::Unhealthy).await;
    let server = SocketServer::on(socket.listen(16).unwrap(), |_| ok()).unwrap();
    let told = calling.await.unwrap().unwrap();
    assert!(told.attempts >= 2, "{}", told.attempts);
    assert_eq!(server.requests().len(), 1, "only one request brought its body to the vendor");
    assert_eq!(line.health(), Health::Healthy);
}

#[tokio::test]
async fn sent_is_about_all_requests_of_a_call() {
    // One reply, and then the vendor is gone. A second socket keeps the port, so that nobody else comes to listen there.
    let bound = |address: SocketAddr| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseport(true).unwrap();
        socket.bind(address).unwrap();
        socket
    };
    let keeper = bound("127.0.0.1:0".parse().unwrap());
    let address = keeper.local_addr().unwrap();
    let (listener, url) = (bound(address).listen(1).unwrap(), format!("http://{address}"));
    let gone = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        drop(listener);
        let mut head = Vec::new();
        while !head.ends_with(b"}") {
            stream.read_buf(&mut head).await.unwrap();
        }
        stream.write_all(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await.unwrap();
    });
    let error = send(&line(with(3, vec![500], false)), &post(&url, Repeat::Paid)).await.unwrap_err();
    gone.await.unwrap();
    assert_eq!((error.kind, error.status, error.attempts), (ErrorKind::Unreachable, None, 3));
    drop(keeper);
    assert!(error.sent, "the first request brought the body to the vendor");
}
