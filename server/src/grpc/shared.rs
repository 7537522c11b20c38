//! What all calls share.

use std::{sync::Arc, time::Duration};

use lifesign_core::{
    policy::Policy,
    session::{Context, Media as MediaKind, Session},
    verdict::{PackRef, RuntimeRef},
};
use lifesign_proto::v1;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::config::GrpcConfig;
use crate::{
    convert,
    engine::Engine,
    sessions::{Clock, Memo, Store},
    setup::Setup,
    status::Fault,
};

/// Frames of one call or stream with the pool at a time: one at work and one waiting, so that a worker never idles
/// between two frames of the same client, and no client takes the whole queue.
pub(super) const MAX_IN_FLIGHT: usize = 2;

/// Bytes per permit of the media budget: a semaphore counts to 2^29 only on 32-bit machines.
const BUDGET_UNIT: u64 = 1024;

/// The state behind the service.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) setup: Arc<Setup>,
    pub(super) engine: Engine,
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
            setup,
            engine,
            config,
            stop,
            inline_allowed,
        }
    }

    /// A session of the core, ready for frames.
    pub(super) fn session(&self, policy: Arc<Policy>, media: MediaKind) -> Session {
        Session::new(Context { policy, pack: self.pack.clone(), runtime: self.runtime.clone(), media, reference: None })
    }

    /// What media is accepted.
    pub(super) fn media_limits(&self) -> v1::MediaLimits {
        v1::MediaLimits {
            max_frames: self.config.max_frames,
            max_session_frames: self.config.max_session_frames,
            max_chunk_bytes: self.config.max_chunk_bytes,
            max_message_bytes: self.config.max_message_bytes,
            ..convert::frame_limits(&self.setup.limits)
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
