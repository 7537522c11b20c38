//! What goes into the pool and what comes out.

use std::{
    borrow::Cow,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use lifesign_core::{
    Error as CoreError,
    analysis::{FrameAnalysis, Plan},
    frame::{Frame, FrameError, FrameLimits, MediaType, RawLayout},
    runtime::RuntimeError,
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// How the bytes of a [`Media`] are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaForm {
    /// An image file, of this type where the sender said so.
    Encoded(Option<MediaType>),
    /// Uncompressed pixels.
    Raw(RawLayout),
}

/// One picture as it came over the wire. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Media {
    /// The file, or the pixels.
    pub data: Bytes,
    /// Which of them.
    pub form: MediaForm,
}

impl std::fmt::Debug for Media {
    /// Never the bytes: they show a person.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Media").field("bytes", &self.data.len()).field("form", &self.form).finish()
    }
}

impl Media {
    /// Decodes it within the limits.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn decode(&self, limits: &FrameLimits) -> Result<Frame, FrameError> {
        match &self.form {
            MediaForm::Encoded(declared) => Frame::decode(&self.data, *declared, limits),
            MediaForm::Raw(layout) => Frame::from_raw(&self.data, layout, limits),
        }
    }
}

/// What a worker looks at.
#[derive(Debug)]
pub enum Picture {
    /// As it came over the wire; the worker decodes it.
    Media(Media),
    /// A frame of a video, whose decoder holds the frames before it.
    Decoded(Frame),
}

impl Picture {
    /// The frame, decoded within the limits where it is not yet.
    pub(super) fn frame(&self, limits: &FrameLimits) -> Result<Cow<'_, Frame>, FrameError> {
        match self {
            Picture::Media(media) => media.decode(limits).map(Cow::Owned),
            Picture::Decoded(frame) => Ok(Cow::Borrowed(frame)),
        }
    }
}

/// One frame to decode, where it is not yet, and analyse.
#[derive(Debug)]
pub struct Job {
    /// The picture.
    pub picture: Picture,
    /// What is accepted.
    pub limits: FrameLimits,
    /// What to run.
    pub plan: Arc<Plan>,
    /// When nobody wants the answer any more.
    pub deadline: Instant,
}

impl Job {
    pub(super) fn queue(self, now: Instant) -> (Queued, Ticket) {
        let (reply, answer) = oneshot::channel();
        (Queued { job: self, since: now, reply, place: None }, Ticket { answer })
    }
}

/// What a job gave.
#[derive(Debug)]
pub struct Analysed {
    /// What was found.
    pub analysis: FrameAnalysis,
    /// The picture, given back: a vendor may have to see it.
    pub picture: Picture,
    /// Waiting for a worker.
    pub queue: Duration,
    /// Decoding and conversion.
    pub decode: Duration,
    /// Everything after it.
    pub analyse: Duration,
}

/// Why a job gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The media was refused.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The detector broke.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The models are gone: they could not be loaded again after a fault.
    #[error("the models could not be loaded again after a fault: {0}")]
    Reload(CoreError),
    /// The deadline passed before the work was done.
    #[error("the deadline passed before a worker was free")]
    Expired,
    /// A bug: the job panicked. The worker goes on with fresh models.
    #[error("the analysis broke down")]
    Panicked,
    /// The pool is gone.
    #[error("the pool of workers has ended")]
    Stopped,
}

/// A job in the queue.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) job: Job,
    pub(super) since: Instant,
    pub(super) reply: oneshot::Sender<Result<Analysed, EngineError>>,
    /// A stream's share of the queue; it is free again when a worker takes the job.
    pub(super) place: Option<OwnedSemaphorePermit>,
}

impl Queued {
    /// Whether the caller has dropped its ticket.
    pub(super) fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }
}

/// The answer to come. Dropping it tells the pool that the work is not wanted any more.
#[derive(Debug)]
#[must_use = "dropping a ticket drops the work"]
pub struct Ticket {
    answer: oneshot::Receiver<Result<Analysed, EngineError>>,
}

impl Future for Ticket {
    type Output = Result<Analysed, EngineError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(context).map(|answer| answer.unwrap_or(Err(EngineError::Stopped)))
    }
}
