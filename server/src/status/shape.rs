//! Every fault's code, reason and details: one exhaustive match, and one for each kind of error it carries, none with a
//! wildcard, so that a new fault does not compile until it has its place here.

use std::{collections::HashMap, time::Duration};

use lifesign_core::{Error as CoreError, pack::PackError, policy::PolicyError, runtime::RuntimeError};
use tonic::Code;

use super::{
    Fault, StreamTimeout,
    media::{frame_shape, video_shape},
};
use crate::{
    access::{Denied, Forbidden},
    grpc::assembler::ChunkError,
    store::{CreateError, OpenError},
};

impl Fault {
    pub(super) fn shape(&self) -> Shape {
        match self {
            Fault::Media { field, error } => frame_shape(error).field(field),
            Fault::Video { field, error } => video_shape(error).field(field),
            Fault::StreamMedia { index, error } => frame_shape(error).field("chunk.data").meta("frame_index", index),
            Fault::Field { field, reason, .. } => Shape::new(Code::InvalidArgument, reason).field(field),
            Fault::OverLimit { field, reason, limit, actual, .. } => {
                Shape::new(Code::InvalidArgument, reason).field(field).limit(limit, actual)
            }
            Fault::MessageTooLarge { limit } => {
                Shape::new(Code::InvalidArgument, "MESSAGE_TOO_LARGE").meta("limit", limit)
            }
            Fault::MessageMalformed => Shape::new(Code::InvalidArgument, "MESSAGE_MALFORMED"),
            Fault::Policy(error) => policy_shape(error),
            Fault::RequestIdReused => Shape::new(Code::InvalidArgument, "REQUEST_ID_REUSED").field("request_id"),
            Fault::StartMissing => Shape::new(Code::InvalidArgument, "START_MISSING").field("start"),
            Fault::StartRepeated => Shape::new(Code::InvalidArgument, "START_REPEATED").field("start"),
            Fault::MessageEmpty => Shape::new(Code::InvalidArgument, "MESSAGE_EMPTY").field("message"),
            Fault::AfterFinish => Shape::new(Code::InvalidArgument, "MESSAGE_AFTER_FINISH").field("message"),
            Fault::Chunk(error) => chunk_shape(error),
            Fault::SessionUnknown => Shape::new(Code::NotFound, "SESSION_UNKNOWN"),
            Fault::Token(error) => token_shape(error),
            Fault::InlineNotAllowed => {
                Shape::new(Code::FailedPrecondition, "INLINE_SESSION_NOT_ALLOWED").field("start.config")
            }
            Fault::Create(CreateError::Full { limit, retry_after }) => {
                Shape::new(Code::ResourceExhausted, "TOO_MANY_SESSIONS")
                    .meta("limit", limit)
                    .retry(*retry_after)
                    .quota("sessions")
            }
            Fault::Create(CreateError::Keys(_)) => Shape::new(Code::Internal, "INTERNAL"),
            Fault::Create(CreateError::Store(_)) => store_shape(),
            Fault::Busy(busy) => Shape::new(Code::ResourceExhausted, "QUEUE_FULL")
                .meta("workers", busy.workers)
                .meta("queued", busy.queued)
                .retry(busy.retry_after),
            Fault::Quota { subject, limit } => Shape::new(Code::ResourceExhausted, "TOO_MUCH_AT_ONCE")
                .meta("limit", limit)
                .retry(QUOTA_RETRY)
                .quota(subject),
            Fault::StreamTimeout { which, limit } => {
                let reason = match which {
                    StreamTimeout::Initial => "INITIAL_TIMEOUT",
                    StreamTimeout::Idle => "IDLE_TIMEOUT",
                    StreamTimeout::Lifetime => "LIFETIME_EXCEEDED",
                };
                Shape::new(Code::DeadlineExceeded, reason).meta("limit_ms", limit.as_millis())
            }
            Fault::Deadline => Shape::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED"),
            Fault::SessionCancelled => Shape::new(Code::Cancelled, "SESSION_CANCELLED"),
            Fault::ShuttingDown => Shape::new(Code::Unavailable, "SHUTTING_DOWN").retry(QUOTA_RETRY),
            Fault::ClientGone => Shape::new(Code::Cancelled, "CLIENT_GONE"),
            Fault::Denied(denied) => match denied {
                Denied::Refused => Shape::new(Code::Unauthenticated, "UNAUTHENTICATED"),
                Denied::TooManyTries { retry_after } => {
                    Shape::new(Code::ResourceExhausted, "TOO_MANY_FAILED_ATTEMPTS").retry(*retry_after)
                }
                Denied::Store(_) => store_shape(),
            },
            Fault::Forbidden(forbidden) => match forbidden {
                Forbidden::Policy => Shape::new(Code::PermissionDenied, "POLICY_NOT_ALLOWED").field("policy"),
                Forbidden::Quota { window, limit, retry_after } => Shape::new(Code::ResourceExhausted, "QUOTA_SPENT")
                    .meta("limit", limit)
                    .meta("window", window)
                    .retry(*retry_after)
                    .quota("checks"),
                Forbidden::Store(_) => store_shape(),
            },
            Fault::Store(_) => store_shape(),
            Fault::Core(error) => core_shape(error),
            Fault::Internal => Shape::new(Code::Internal, "INTERNAL"),
        }
    }
}

/// How long to wait where nothing can be computed: about what a call takes.
pub(super) const QUOTA_RETRY: Duration = Duration::from_secs(1);

/// The store is there again in a while, or an operator has to look; a caller can but try again.
fn store_shape() -> Shape {
    Shape::new(Code::Unavailable, "STORE_UNAVAILABLE").retry(QUOTA_RETRY)
}

/// What a status is made of.
pub(super) struct Shape {
    pub(super) code: Code,
    /// `ErrorInfo.reason`.
    pub(super) reason: &'static str,
    /// `BadRequest`: the field to blame.
    pub(super) field: Option<String>,
    /// `ErrorInfo.metadata`.
    pub(super) metadata: HashMap<String, String>,
    /// `RetryInfo`: when to come back.
    pub(super) retry: Option<Duration>,
    /// `QuotaFailure`: what there was too much of.
    pub(super) quota: Option<&'static str>,
}

impl Shape {
    pub(super) fn new(code: Code, reason: &'static str) -> Self {
        Self { code, reason, field: None, metadata: HashMap::new(), retry: None, quota: None }
    }

    pub(super) fn field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    pub(super) fn meta(mut self, key: &str, value: impl ToString) -> Self {
        self.metadata.insert(key.to_owned(), value.to_string());
        self
    }

    pub(super) fn limit(self, limit: impl ToString, actual: impl ToString) -> Self {
        self.meta("limit", limit).meta("actual", actual)
    }

    pub(super) fn retry(mut self, delay: Duration) -> Self {
        self.retry = Some(delay);
        self
    }

    fn quota(mut self, subject: &'static str) -> Self {
        self.quota = Some(subject);
        self
    }
}

fn core_shape(error: &CoreError) -> Shape {
    match error {
        CoreError::Frame(error) => frame_shape(error),
        CoreError::Pack(error) => pack_shape(error),
        CoreError::Runtime(error) => runtime_shape(error),
        CoreError::Policy(error) => policy_shape(error),
    }
}

fn pack_shape(error: &PackError) -> Shape {
    let failed = |reason| Shape::new(Code::FailedPrecondition, reason);
    match error {
        PackError::Unreadable { .. } => failed("PACK_UNREADABLE"),
        PackError::Manifest { .. } => failed("PACK_MANIFEST"),
        PackError::Altered { .. } => failed("PACK_ALTERED"),
        PackError::SelfTest { .. } => failed("PACK_SELF_TEST"),
        PackError::Fetch { .. } => failed("PACK_FETCH"),
        PackError::NotOffered { .. } => failed("PACK_NOT_OFFERED"),
        PackError::Busy { .. } => failed("PACK_BUSY"),
        PackError::NotInstalled { .. } => failed("PACK_NOT_INSTALLED"),
        PackError::NoBuiltin => failed("PACK_NOT_BUILT_IN"),
    }
}

fn runtime_shape(error: &RuntimeError) -> Shape {
    match error {
        RuntimeError::Library { .. } => Shape::new(Code::FailedPrecondition, "RUNTIME_LIBRARY"),
        RuntimeError::NotBuilt(_) => Shape::new(Code::FailedPrecondition, "RUNTIME_NOT_BUILT"),
        RuntimeError::Load { model, .. } => Shape::new(Code::FailedPrecondition, "MODEL_LOAD").meta("model", model),
        RuntimeError::Run { model, .. } => Shape::new(Code::Internal, "MODEL_FAULT").meta("model", model),
    }
}

fn policy_shape(error: &PolicyError) -> Shape {
    match error {
        PolicyError::Unknown(_) => Shape::new(Code::InvalidArgument, "POLICY_UNKNOWN").field("policy"),
        PolicyError::MissingRole { role, .. } => {
            Shape::new(Code::FailedPrecondition, "POLICY_NEEDS_MODEL").meta("role", role)
        }
        PolicyError::Invalid { setting, .. } => {
            Shape::new(Code::FailedPrecondition, "POLICY_INVALID").meta("setting", setting)
        }
    }
}

fn token_shape(error: &OpenError) -> Shape {
    match error {
        OpenError::Unknown => Shape::new(Code::NotFound, "SESSION_UNKNOWN"),
        OpenError::Used => Shape::new(Code::FailedPrecondition, "TOKEN_USED"),
        OpenError::Expired => Shape::new(Code::FailedPrecondition, "TOKEN_EXPIRED"),
        OpenError::Cancelled => Shape::new(Code::FailedPrecondition, "SESSION_CANCELLED"),
        OpenError::Store(_) => store_shape(),
    }
}

fn chunk_shape(error: &ChunkError) -> Shape {
    let invalid = |reason| Shape::new(Code::InvalidArgument, reason);
    match error {
        ChunkError::FrameIndex { expected, actual } => {
            invalid("CHUNK_OUT_OF_ORDER").field("chunk.frame_index").meta("expected", expected).meta("actual", actual)
        }
        ChunkError::Offset { expected, actual } => {
            invalid("CHUNK_OUT_OF_ORDER").field("chunk.offset").meta("expected", expected).meta("actual", actual)
        }
        ChunkError::NoData => invalid("CHUNK_EMPTY").field("chunk.data"),
        ChunkError::EmptyFrame => invalid("MEDIA_EMPTY").field("chunk.data"),
        ChunkError::ChunkTooLarge { limit, actual } => {
            invalid("CHUNK_TOO_LARGE").field("chunk.data").limit(limit, actual)
        }
        ChunkError::FrameTooLarge { limit, actual } => {
            invalid("MEDIA_TOO_LARGE").field("chunk.data").limit(limit, actual)
        }
        ChunkError::TooManyFrames { limit } => {
            invalid("TOO_MANY_FRAMES").field("chunk.frame_index").limit(limit, limit.saturating_add(1))
        }
        ChunkError::VideoNotAlone => invalid("VIDEO_NOT_ALONE").field("chunk.frame_index"),
        ChunkError::Unfinished { received } => {
            invalid("FRAME_UNFINISHED").field("chunk.last").meta("received", received)
        }
    }
}
