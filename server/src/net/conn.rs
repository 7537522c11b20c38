//! An accepted connection: plain or TLS, with its peer, counted until it is closed, and not waited for without end.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::{Sleep, sleep},
};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::peer::PeerInfo;

/// What a client begins with: the preface of HTTP/2 (RFC 9113, 3.4) has 24 bytes. A request of HTTP/1 that is shorter is answered at once,
/// which ends the opening too.
const OPENING_BYTES: usize = 24;

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// To begin: 10 s, as for a TLS handshake. HTTP has limits of its own from there on.
    opening: Duration,
    /// To make room for more of what is sent to it: 30 s, which is what a peer that gives no sign of life has on gRPC
    /// (`keepalive_interval_ms` and `keepalive_timeout_ms`).
    stall: Duration,
}

impl Patience {
    pub(super) const DEFAULT: Self = Self { opening: Duration::from_secs(10), stall: Duration::from_secs(30) };
}

/// A connection that counts against the limit until it is dropped.
pub struct Conn {
    wire: Wire,
    peer: PeerInfo,
    opening: Option<Opening>,
    stall: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
}

/// What it goes over.
pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Until the client has begun.
struct Opening {
    ends: Pin<Box<Sleep>>,
    received: usize,
}

impl std::fmt::Debug for Conn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conn").field("tls", &matches!(self.wire, Wire::Tls(_))).finish_non_exhaustive()
    }
}

impl Conn {
    pub(super) fn new(wire: Wire, peer: PeerInfo, permit: OwnedSemaphorePermit, patience: Patience) -> Self {
        let opening = Some(Opening { ends: Box::pin(sleep(patience.opening)), received: 0 });
        Self { wire, peer, opening, stall: patience.stall, stalled: None, _permit: permit }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &PeerInfo {
        &self.peer
    }

    fn wire(&mut self) -> Pin<&mut (dyn Duplex + Unpin)> {
        Pin::new(match &mut self.wire {
            Wire::Plain(stream) => stream,
            Wire::Tls(stream) => stream.as_mut(),
        })
    }

    /// An error where the client has taken too long to begin.
    fn opens(&mut self, received: usize, context: &mut Context<'_>) -> io::Result<()> {
        let Some(opening) = &mut self.opening else { return Ok(()) };
        opening.received += received;
        if opening.received >= OPENING_BYTES {
            self.opening = None;
        } else if opening.ends.as_mut().poll(context).is_ready() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }

    /// An error in place of a write that has been pending for too long.
    fn moves<T>(&mut self, wrote: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.stalled = None;
            return wrote;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(self.stall)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Both directions.
trait Duplex: AsyncRead + AsyncWrite {}

impl<T: AsyncRead + AsyncWrite> Duplex for T {}

impl Connected for Conn {
    type ConnectInfo = PeerInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.peer.clone()
    }
}

impl AsyncRead for Conn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.wire().poll_read(context, buffer);
        if matches!(read, Poll::Ready(Err(_))) {
            return read;
        }
        let received = buffer.filled().len().saturating_sub(before);
        match self.opens(received, context) {
            Ok(()) => read,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl AsyncWrite for Conn {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.opening = None;
        let wrote = self.wire().poll_write(context, bytes);
        self.moves(wrote, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.wire().poll_flush(context);
        self.moves(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = self.wire().poll_shutdown(context);
        self.moves(shut, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.opening = None;
        let wrote = self.wire().poll_write_vectored(context, parts);
        self.moves(wrote, context)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.wire {
            Wire::Plain(stream) => stream.is_write_vectored(),
            Wire::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        sync::Semaphore,
    };

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(3600);

    async fn pair(patience: Patience) -> (TcpStream, Conn) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, address) = listener.accept().await.unwrap();
        let permit = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        (client, Conn::new(Wire::Plain(stream), PeerInfo::plain(address), permit, patience))
    }

    #[tokio::test]
    async fn a_client_that_does_not_begin_is_not_waited_for() {
        for sent in ["", "P", "PRI * HTTP/2.0\r\n\r\nSM\r"] {
            let (mut client, mut conn) = pair(Patience { opening: SHORT, stall: LONG }).await;
            client.write_all(sent.as_bytes()).await.unwrap();
            let mut received = Vec::new();
            let error = conn.read_to_end(&mut received).await.unwrap_err();
            assert_eq!((error.kind(), received.len()), (io::ErrorKind::TimedOut, sent.len()));
        }
    }

    #[tokio::test]
    async fn a_client_that_has_begun_may_be_idle() {
        let (mut client, mut conn) = pair(Patience { opening: SHORT, stall: LONG }).await;
        client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        conn.read_exact(&mut [0; OPENING_BYTES]).await.unwrap();
        // An answer ends the opening too.
        let (mut other, mut answered) = pair(Patience { opening: SHORT, stall: LONG }).await;
        answered.write_all(b"x").await.unwrap();
        tokio::time::sleep(SHORT * 2).await;
        for (client, conn) in [(&mut client, &mut conn), (&mut other, &mut answered)] {
            client.write_all(b"y").await.unwrap();
            assert_eq!(conn.read_u8().await.unwrap(), b'y');
        }
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_not_waited_for() {
        let (client, mut conn) = pair(Patience { opening: LONG, stall: SHORT }).await;
        let block = vec![0; 1 << 20];
        let error = loop {
            if let Err(error) = conn.write_all(&block).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);
    }
}
