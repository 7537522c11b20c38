//! What all calls share.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, SystemTime},
};

use lifesign_core::{
    matching::Reference,
    policy::Policy,
    session::{Context, Media as MediaKind},
    verdict::{PackRef, RuntimeRef},
    video::Container,
};
use lifesign_proto::v1;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::config::GrpcConfig;
use crate::{
    access::{Caller, Guard},
    config::Retentions,
    convert,
    engine::{Busy, Engine, Job, Ticket},
    queue::Queue,
    sessions::{Clock, Content, Live, content_hash},
    setup::Setup,
    status::Fault,
    store::{MemoError, Slot, Store},
    video::decode::Decoders,
};

/// What the service keeps its memory in, and who says who may call.
#[derive(Debug, Clone)]
pub struct Backing {
    /// Sessions, verdicts, work.
    pub store: Store,
    /// Who may call.
    pub guard: Arc<Guard>,
    /// Work that its caller does not wait for.
    pub queue: Queue,
    /// What is kept, and for how long.
    pub retention: Arc<Retentions>,
}

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

/// A call ends by its own time limit before another server may take its `request_id` over.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

/// Bytes per permit of the media budget: a semaphore counts to 2^29 only on 32-bit machines.
const BUDGET_UNIT: u64 = 1024;

/// The state behind the service.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) setup: Arc<Setup>,
    pub(super) engine: Engine,
    pub(super) decoders: Decoders,
    pub(super) config: GrpcConfig,
    pub(super) backing: Backing,
    pub(super) clock: Clock,
    pub(super) live: Live,
    /// What goes on after its call: it is waited for when the server shuts down.
    pub(super) open: TaskTracker,
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
        backing: Backing,
        clock: Clock,
        inline_allowed: bool,
    ) -> Self {
        let units = usize::try_from(config.max_stream_media_bytes / BUDGET_UNIT).unwrap_or(usize::MAX);
        Self {
            pack: setup.pack.reference(),
            runtime: setup.runtime.describe(),
            backing,
            clock,
            live: Live::default(),
            open: TaskTracker::new(),
            media_budget: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))),
            decoders: Decoders::new(setup.video.clone()),
            setup,
            engine,
            config,
            stop: CancellationToken::new(),
            inline_allowed,
        }
    }

    /// The store.
    pub(super) fn store(&self) -> &Store {
        &self.backing.store
    }

    /// When a session under this policy, which ends now, is forgotten.
    pub(super) fn forget_at(&self, policy: &str) -> SystemTime {
        self.clock.now() + self.backing.retention.verdict(policy)
    }

    /// Whether the caller may have another check made under this policy; counts it.
    pub(super) async fn spend(&self, caller: &Caller, policy: &str) -> Result<(), Fault> {
        Ok(self.backing.guard.spend(caller, policy, self.clock.now()).await?)
    }

    /// The remembered answer of a call, or that of `call`, which is then remembered; without an `id` nothing is. `content` is the
    /// request, which must be the same when the call is repeated.
    pub(super) async fn remembered<T, C, F>(
        &self,
        (caller, method, id): (&Caller, &'static str, Option<Uuid>),
        content: impl Content + 'static,
        call: C,
    ) -> Result<T, Fault>
    where
        T: prost::Message + Default,
        C: FnOnce() -> F,
        F: Future<Output = Result<T, Fault>>,
    {
        let Some(id) = id else { return call().await };
        // Hashing megabytes takes milliseconds, which the threads that serve sockets do not have.
        let content = spawn_blocking(move || content_hash(content)).await.map_err(|_| Fault::Internal)?;
        let sessions = self.config.sessions;
        let limit = sessions.max_remembered_requests;
        let slot = Slot { owner: &caller.client, method, request_id: id, limit };
        let lease = Duration::from_millis(self.config.unary_timeout_ms).saturating_add(LEASE_MARGIN);
        let expires = self.clock.now() + Duration::from_secs(sessions.remember_seconds);
        let call = || async { call().await.map(|answer| answer.encode_to_vec()) };
        let answer = self.store().remembered(slot, content, lease, expires, &self.clock, call).await;
        let answer = answer.map_err(|error| match error {
            MemoError::Reused => Fault::RequestIdReused,
            MemoError::Busy => Fault::Deadline,
            MemoError::Store(error) => Fault::Store(error),
            MemoError::Call(fault) => fault,
        })?;
        T::decode(answer.as_slice()).map_err(|_| Fault::Internal)
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
