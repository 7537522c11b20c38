//! A request's body on its way out, and the knowledge of whether any of it went.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    vec,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

const UNTOUCHED: u8 = 0;
const TAKEN: u8 = 1;
const GIVEN_UP: u8 = 2;

/// Whether the connection has begun to take the body. Both sides decide in one atomic step: once the caller has given up, no
/// byte of an untouched body can leave any more, so that "not sent" stays true after it was said.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch(Arc<AtomicU8>);

impl Watch {
    /// Gives up, and says whether any byte may have left before.
    pub(super) fn give_up(&self) -> bool {
        self.step(GIVEN_UP) == TAKEN
    }

    /// Begins to take the body, unless the caller has given up.
    fn take(&self) -> bool {
        self.step(TAKEN) == TAKEN
    }

    /// Goes to `next` where nothing was decided yet; what is decided now.
    fn step(&self, next: u8) -> u8 {
        match self.0.compare_exchange(UNTOUCHED, next, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => next,
            Err(decided) => decided,
        }
    }
}

/// The caller no longer waits, so nothing is sent.
#[derive(Debug, thiserror::Error)]
#[error("given up before the body was sent")]
pub(super) struct GivenUp;

/// The chunks of a payload, in their order; their length is known, so there is no transfer encoding.
#[derive(Debug)]
pub(super) struct WatchedBody {
    chunks: vec::IntoIter<Bytes>,
    left: u64,
    watch: Watch,
}

impl WatchedBody {
    pub(super) fn new(chunks: Vec<Bytes>, watch: Watch) -> Self {
        let left = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        Self { chunks: chunks.into_iter(), left, watch }
    }
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        let this = self.get_mut();
        if !this.watch.take() {
            return Poll::Ready(Some(Err(GivenUp)));
        }
        Poll::Ready(this.chunks.next().map(|chunk| {
            this.left = this.left.saturating_sub(chunk.len() as u64);
            Ok(Frame::data(chunk))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn next(body: &mut WatchedBody) -> Option<Result<Bytes, GivenUp>> {
        let Poll::Ready(frame) = Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) else {
            panic!("a body in memory never waits");
        };
        frame.map(|frame| frame.map(|frame| frame.into_data().unwrap()))
    }

    #[test]
    fn its_length_is_known_and_its_first_chunk_is_noticed() {
        let watch = Watch::default();
        let mut body = WatchedBody::new(vec![Bytes::from("ab"), Bytes::from("c")], watch.clone());
        assert_eq!(body.size_hint().exact(), Some(3));
        assert_eq!(next(&mut body).unwrap().unwrap(), "ab");
        assert!(watch.give_up(), "two bytes may have left");
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(1), false));
        assert_eq!(next(&mut body).unwrap().unwrap(), "c");
        assert!(body.is_end_stream() && next(&mut body).is_none());
    }

    #[test]
    fn nothing_leaves_after_it_was_said_that_nothing_left() {
        let watch = Watch::default();
        let mut body = WatchedBody::new(vec![Bytes::from("ab")], watch.clone());
        assert!(!watch.give_up());
        assert!(next(&mut body).unwrap().is_err());
        assert!(!watch.give_up());
    }
}
