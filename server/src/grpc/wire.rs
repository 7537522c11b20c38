//! The two directions of a stream, and everything that can end it from outside.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use lifesign_proto::v1::{self, stream_session_request as up, stream_session_response as down};
use tokio::{sync::mpsc, time::sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use super::shared::{MAX_IN_FLIGHT, Shared};
use crate::status::{Fault, StreamTimeout};

/// Messages to the client that may wait: a frame gives two at most, so this is what two frames have to say. One place
/// more is kept for the status that ends the stream.
pub(super) const OUTBOX: usize = 2 * MAX_IN_FLIGHT + 1;

/// What the client sends.
pub(super) type Inbox = Streaming<v1::StreamSessionRequest>;

/// What the client reads.
pub(super) type Outbox = mpsc::Sender<Result<v1::StreamSessionResponse, Status>>;

/// A stream's two directions.
pub(super) struct Wire {
    pub(super) inbox: Reader,
    pub(super) bounds: Bounds,
}

/// The client's messages.
pub(super) struct Reader {
    inbox: Inbox,
    message_limit: u64,
}

/// What ends a stream from outside: the backend, the server, the client's leaving, the clock.
pub(super) struct Bounds {
    /// When the stream ends, verdict or not.
    pub(super) ends: Instant,
    /// The longest pause of the client, in sending or in reading.
    pub(super) idle: Duration,
    /// Fires when the backend cancels the session.
    pub(super) cancelled: CancellationToken,
    lifetime: Duration,
    stop: CancellationToken,
    outbox: Outbox,
}

impl Wire {
    /// A stream that begins now and lasts `lifetime` at most.
    pub(super) fn new(shared: &Shared, inbox: Inbox, outbox: Outbox, lifetime: Duration) -> Self {
        Self {
            inbox: Reader { inbox, message_limit: shared.stream_message_bytes() },
            bounds: Bounds {
                ends: Instant::now() + lifetime,
                idle: Duration::from_millis(shared.config.stream.idle_timeout_ms),
                cancelled: CancellationToken::new(),
                lifetime,
                stop: shared.stop.clone(),
                outbox,
            },
        }
    }
}

impl Reader {
    /// The next message; `None` where the client sends no more.
    pub(super) async fn read(&mut self) -> Result<Option<up::Message>, Fault> {
        match self.inbox.message().await {
            Ok(None) => Ok(None),
            Ok(Some(v1::StreamSessionRequest { message: Some(message) })) => Ok(Some(message)),
            Ok(Some(v1::StreamSessionRequest { message: None })) => Err(Fault::MessageEmpty),
            Err(status) => Err(Fault::from_transport(status.code(), self.message_limit)),
        }
    }
}

impl Bounds {
    /// Sends, unless the client does not read for the idle limit.
    pub(super) async fn send(&self, message: down::Message) -> Result<(), Fault> {
        let message = v1::StreamSessionResponse { message: Some(message) };
        let sent = self.outbox.send(Ok(message));
        self.within(self.idle, StreamTimeout::Idle, sent).await?.map_err(|_| Fault::ClientGone)
    }

    /// Does `work` for the session's sake: it goes on although the client has left, and ends where the backend cancels, the
    /// server stops or the lifetime is over.
    pub(super) async fn unattended<T>(&self, work: impl Future<Output = T>) -> Result<T, Fault> {
        tokio::select! {
            biased;
            () = self.cancelled.cancelled() => Err(Fault::SessionCancelled),
            () = self.stop.cancelled() => Err(Fault::ShuttingDown),
            () = sleep_until(self.ends.into()) => {
                Err(Fault::StreamTimeout { which: StreamTimeout::Lifetime, limit: self.lifetime })
            }
            value = work => Ok(value),
        }
    }

    /// Does `work`, unless it takes longer than `limit` or something else ends the stream first.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        which: StreamTimeout,
        work: impl Future<Output = T>,
    ) -> Result<T, Fault> {
        let due = Instant::now().checked_add(limit).filter(|due| *due < self.ends);
        tokio::select! {
            biased;
            () = self.cancelled.cancelled() => Err(Fault::SessionCancelled),
            () = self.stop.cancelled() => Err(Fault::ShuttingDown),
            () = self.outbox.closed() => Err(Fault::ClientGone),
            () = sleep_until(due.unwrap_or(self.ends).into()) => Err(match due {
                Some(_) => Fault::StreamTimeout { which, limit },
                None => Fault::StreamTimeout { which: StreamTimeout::Lifetime, limit: self.lifetime },
            }),
            value = work => Ok(value),
        }
    }
}
