//! Serving HTTP/1.1 on a listener: every phase of a connection has a limit on time, and it all ends in order.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body, response::Response};
use bytes::Bytes;
use futures::{StreamExt, future::BoxFuture};
use http::{HeaderValue, Request, StatusCode, header};
use hyper::{
    body::{Body as HttpBody, Frame, Incoming, SizeHint},
    server::conn::http1,
    service::Service,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;
use tracing::{debug, info, warn};

use super::{listener::incoming, peer::PeerInfo, reload::Reloading};
use crate::http::Peer;

/// Bytes of a connection that are held before they are read, or until they are sent: 64 KiB, room for a head of the largest size. hyper's
/// own 400 KiB would be 1.6 GiB for 4096 connections.
const BUFFER: usize = 64 << 10;

/// The largest head that may be configured: with one the size of the buffer, a head that is too large would be told from one that is
/// not whole only by chance.
const MAX_HEADER_BYTES: usize = BUFFER / 2;

/// How HTTP is served.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Connections at a time; more wait in the system's backlog. 4096, as for gRPC.
    pub max_connections: u32,
    /// How long a client may take for a request's head, and how long a connection may be idle between two requests: 10 s.
    pub header_timeout: Duration,
    /// Bytes of a request's head, at most 32 KiB, the default; beyond them the answer is 431.
    pub max_header_bytes: usize,
    /// Headers of a request: 100, as hyper's own default is; beyond them the answer is 431.
    pub max_headers: usize,
    /// From a request's head to its answer: reading the body and working on it. 60 s, as a unary call of gRPC has. A client that has not
    /// sent its body by then gets 408, one that has, 503.
    pub request_timeout: Duration,
    /// How long open requests may go on after the server was told to stop: 30 s, as for gRPC.
    pub drain: Duration,
    /// TLS; `None`: plain.
    pub tls: Option<Reloading>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            header_timeout: Duration::from_secs(10),
            max_header_bytes: MAX_HEADER_BYTES,
            max_headers: 100,
            request_timeout: Duration::from_secs(60),
            drain: Duration::from_secs(30),
            tls: None,
        }
    }
}

/// Serves until `shutdown` resolves, then takes no more connections, ends idle ones, lets open requests end within the drain limit, ends
/// what is left, and returns. Every request has [`Peer`] and [`PeerInfo`] in its extensions.
pub async fn serve_http(
    listener: TcpListener,
    router: Router,
    options: HttpOptions,
    shutdown: impl Future<Output = ()>,
) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_header_size(options.max_header_bytes.min(MAX_HEADER_BYTES))
        .max_headers(options.max_headers)
        .max_buf_size(BUFFER);
    let (graceful, open, stop) = (GracefulShutdown::new(), TaskTracker::new(), CancellationToken::new());
    {
        let mut shutdown = std::pin::pin!(shutdown);
        let mut incoming = std::pin::pin!(incoming(listener, options.max_connections, options.tls.clone()));
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                accepted = incoming.next() => accepted,
            };
            let conn = match accepted {
                Some(Ok(conn)) => conn,
                Some(Err(error)) => {
                    debug!(%error, "a connection could not be accepted");
                    continue;
                }
                None => break,
            };
            let requests =
                Requests { router: router.clone(), peer: conn.peer().clone(), limit: options.request_timeout };
            let serving = graceful.watch(builder.serve_connection(TokioIo::new(conn), requests));
            let stop = stop.clone();
            open.spawn(async move {
                tokio::select! {
                    ended = serving => if let Err(error) = ended {
                        debug!(%error, "an HTTP connection ended");
                    },
                    () = stop.cancelled() => {}
                }
            });
        }
    }
    // The listening socket is closed by now.
    open.close();
    info!(open = open.len(), "shutting down: no new HTTP connections, open requests may end");
    if timeout(options.drain, graceful.shutdown()).await.is_err() {
        warn!(open = open.len(), "the drain limit is over: ending the HTTP requests that are still open");
        stop.cancel();
    }
    open.wait().await;
}

/// What answers the requests of one connection.
struct Requests {
    router: Router,
    peer: PeerInfo,
    limit: Duration,
}

impl Service<Request<Incoming>> for Requests {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(Peer(self.peer.ip));
        request.extensions_mut().insert(self.peer.clone());
        let (router, limit) = (self.router.clone(), self.limit);
        Box::pin(async move { Ok(answer(router, request, limit).await) })
    }
}

async fn answer(router: Router, request: Request<Incoming>, limit: Duration) -> Response {
    let whole = Arc::new(AtomicBool::new(request.body().is_end_stream()));
    let request = request.map(|body| Body::new(Watched { body, whole: Arc::clone(&whole) }));
    match timeout(limit, router.oneshot(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => {
            let mut response = Response::new(Body::empty());
            let sent = whole.load(Ordering::Relaxed);
            *response.status_mut() = if sent { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::REQUEST_TIMEOUT };
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
    }
}

/// A request's body, and whether all of it has come.
struct Watched {
    body: Incoming,
    whole: Arc<AtomicBool>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.whole.store(true, Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
