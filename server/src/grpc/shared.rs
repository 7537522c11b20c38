//! What all calls share.

use std::{sync::Arc, time::Duration};

use lifesign_core::{
    matching::Reference,
    policy::Policy,
    session::{Context, Media as MediaKind},
    verdict::{PackRef, RuntimeRef},
    video::Container,
};
use lifesign_proto::v1;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::config::GrpcConfig;
use crate::{
    convert,
    engine::{Busy, Engine, Job, Ticket},
    sessions::{Clock, Memo, Store},
    setup::Setup,
    status::Fault,
    video::decode::Decoders,
};

/// Frames of one call or stream with the pool at a time: one at work and one waiting, so that a worker never idles
/// between two frames of the same client, and no client takes the whole queue.
pub(super) const MAX_IN_FLIGHT: usize = 2;

/// Whether a job waits for its turn where the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// A call's first job: work is refused at the door.
    Now,
    /// What is inside may wait.
    Wait,
}

/// Bytes per permit of the media budget: a semaphore counts to 2^29 only on 32-bit machines.
const BUDGET_UNIT: u64 = 1024;

/// The state behind the service.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) setup: Arc<Setup>,
    pub(super) engine: Engine,
    pub(super) decoders: Decoders,
    pub(super) config: GrpcConfig,
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) checked: Memo<v1::Verdict>,
    /// Holds tokens in clear for as long as a repeated `CreateSession` must hand the same one out again.
    pub(super) created: Memo<v1::CreateSessionResponse>,
    pub(super) cancelled: Memo<v1::Session>,
    /// Fires when open streams must end now.
    pub(super) stop: CancellationToken,
    pub(super) inline_allowed: bool,
    pack: PackRef,
    runtime: RuntimeRef,
    media_budget: Arc<Semaphore>,
}

impl Shared {
    pub(super) fn new(
        setup: Arc<Setup>,
        engine: Engine,
        config: GrpcConfig,
        inline_allowed: bool,
        stop: CancellationToken,
    ) -> Self {
        let sessions = config.sessions;
        let remember = Duration::from_secs(sessions.remember_seconds);
        let units = usize::try_from(config.max_stream_media_bytes / BUDGET_UNIT).unwrap_or(usize::MAX);
        Self {
            pack: setup.pack.reference(),
            runtime: setup.runtime.describe(),
            store: Store::new(sessions.max_sessions, remember),
            clock: Clock::default(),
            checked: Memo::new(sessions.max_remembered_requests, remember),
            created: Memo::new(sessions.max_remembered_requests, remember),
            cancelled: Memo::new(sessions.max_remembered_requests, remember),
            media_budget: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))),
            decoders: Decoders::new(setup.video.clone()),
            setup,
            engine,
            config,
            stop,
            inline_allowed,
        }
    }

    /// What a session of the core needs.
    pub(super) fn context(&self, policy: Arc<Policy>, media: MediaKind, reference: Option<Arc<Reference>>) -> Context {
        Context { policy, pack: self.pack.clone(), runtime: self.runtime.clone(), media, reference }
    }

    /// Hands a job to the pool.
    pub(super) async fn submit(&self, job: Job, turn: Turn) -> Result<Ticket, Busy> {
        match turn {
            Turn::Now => self.engine.submit(job),
            Turn::Wait => self.engine.submit_wait(job).await,
        }
    }

    /// Bytes of one message of a stream.
    pub(super) fn stream_message_bytes(&self) -> u64 {
        self.config.stream_message_bytes(&self.setup.limits, self.inline_allowed)
    }

    /// What media is accepted.
    pub(super) fn media_limits(&self) -> v1::MediaLimits {
        let images = convert::frame_limits(&self.setup.limits);
        let types = Container::ALL.iter().map(|container| container.name().to_owned());
        v1::MediaLimits {
            media_types: images.media_types.into_iter().chain(types).collect(),
            video: Some(convert::video_limits(&self.setup.video)),
            max_frames: self.config.max_frames,
            max_session_frames: self.config.max_session_frames,
            max_chunk_bytes: self.config.max_chunk_bytes,
            max_message_bytes: self.config.max_message_bytes,
            ..images
        }
    }

    /// Takes room for this many bytes of a stream's media out of the budget that all streams share; dropping the permit
    /// gives it back. It never waits: streams that wait for each other's half-received frames would wait for ever.
    pub(super) fn room_for(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Fault> {
        let units = (bytes as u64).div_ceil(BUDGET_UNIT);
        let full = || Fault::Quota { subject: "bytes of media on streams", limit: self.config.max_stream_media_bytes };
        let units = u32::try_from(units).map_err(|_| full())?;
        Arc::clone(&self.media_budget).try_acquire_many_owned(units).map_err(|_| full())
    }
}
