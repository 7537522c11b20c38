//! The streams that are open on this server: what cancels them, and who wants to know when a session changes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The open streams of this server.
#[derive(Debug, Clone, Default)]
pub struct Live {
    open: Arc<Mutex<HashMap<Uuid, CancellationToken>>>,
    changed: Arc<Notify>,
}

/// An open stream's place in the table; dropping it takes it out.
#[derive(Debug)]
pub struct Place {
    live: Live,
    id: Uuid,
    /// Fires when the session is to end without a verdict.
    pub cancelled: CancellationToken,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.live.with(|open| open.remove(&self.id));
    }
}

impl Live {
    /// A stream was opened.
    pub fn enter(&self, id: Uuid) -> Place {
        let cancelled = CancellationToken::new();
        self.with(|open| open.insert(id, cancelled.clone()));
        Place { live: self.clone(), id, cancelled }
    }

    /// Ends the stream of this session, where it is open here.
    pub fn cancel(&self, id: Uuid) {
        if let Some(token) = self.with(|open| open.get(&id).cloned()) {
            token.cancel();
        }
    }

    /// The sessions whose streams are open here.
    pub fn ids(&self) -> Vec<Uuid> {
        self.with(|open| open.keys().copied().collect())
    }

    /// A session changed by this server's doing.
    pub fn changed(&self) {
        self.changed.notify_waiters();
    }

    /// Waits for the next change by this server's doing. Others' are seen by looking.
    pub fn change(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    fn with<T>(&self, look: impl FnOnce(&mut HashMap<Uuid, CancellationToken>) -> T) -> T {
        look(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_cancelled_while_it_is_open() {
        let live = Live::default();
        let (one, two) = (live.enter(Uuid::from_u128(1)), live.enter(Uuid::from_u128(2)));
        live.cancel(Uuid::from_u128(1));
        live.cancel(Uuid::from_u128(3));
        assert!(one.cancelled.is_cancelled() && !two.cancelled.is_cancelled());
        drop(one);
        assert_eq!(live.ids(), [Uuid::from_u128(2)]);
    }
}
