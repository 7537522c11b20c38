//! THE place where a gRPC status is made.
//!
//! Every fault that a call can end with is a [`Fault`]; one exhaustive match says its code, its reason and what goes with
//! it. Outcomes (an attack, no face, a blurry frame) are not faults: they are in the verdict. A status carries
//! `google.rpc.ErrorInfo` (domain `lifesign`) always, `BadRequest` where a field is to blame, `RetryInfo` where trying
//! again later helps, `QuotaFailure` where a configured limit on concurrent use was reached.

mod media;
mod shape;

use std::time::Duration;

use lifesign_core::{Error as CoreError, frame::FrameError, policy::PolicyError, video::VideoError};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{
    access::{Denied, Forbidden},
    engine::{Busy, EngineError},
    grpc::assembler::ChunkError,
    store::{CreateError, OpenError, StoreError},
};

/// The `domain` of every `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "lifesign";

/// Which limit on time a stream ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamTimeout {
    /// No `start` came.
    Initial,
    /// Nothing came, or the client did not read what was sent.
    Idle,
    /// The stream as a whole took too long.
    Lifetime,
}

/// Everything a call can end with but an answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Media was refused; the field says which.
    #[error("{field}: {error}")]
    Media {
        /// The path of the field in the request.
        field: String,
        /// Why.
        error: FrameError,
    },
    /// A video was refused; the field says which.
    #[error("{field}: {error}")]
    Video {
        /// The path of the field in the request.
        field: String,
        /// Why.
        error: VideoError,
    },
    /// A frame of a stream was refused.
    #[error("chunk.data: frame {index}: {error}")]
    StreamMedia {
        /// The frame's index.
        index: u64,
        /// Why.
        error: FrameError,
    },
    /// A field's value is not acceptable.
    #[error("{field}: {what}")]
    Field {
        /// The path of the field in the request.
        field: String,
        /// UPPER_SNAKE.
        reason: &'static str,
        /// What was wrong with it; never the value itself.
        what: String,
    },
    /// A count or size is beyond a limit.
    #[error("{field}: {actual} {unit}; the limit is {limit}")]
    OverLimit {
        /// The path of the field in the request.
        field: String,
        /// UPPER_SNAKE.
        reason: &'static str,
        /// What is counted.
        unit: &'static str,
        /// Allowed.
        limit: u64,
        /// Given.
        actual: u64,
    },
    /// A message beyond the limit of the transport.
    #[error("the message is larger than the limit of {limit} bytes")]
    MessageTooLarge {
        /// Allowed.
        limit: u64,
    },
    /// A message that is not the protocol buffer it should be.
    #[error("the message cannot be read")]
    MessageMalformed,
    /// The policy named does not exist.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A `request_id` came again with other content.
    #[error("request_id: it was used with other content")]
    RequestIdReused,
    /// The first message of a stream was not `start`, or there was none.
    #[error("the first message must be `start`")]
    StartMissing,
    /// A second `start`.
    #[error("`start` must be sent once only")]
    StartRepeated,
    /// A stream message with nothing in it, or with something from a later version.
    #[error("the message holds none of `start`, `chunk` and `finish`")]
    MessageEmpty,
    /// Something came after `finish`.
    #[error("nothing may be sent after `finish`")]
    AfterFinish,
    /// A chunk does not fit those before it.
    #[error("chunk: {0}")]
    Chunk(#[from] ChunkError),
    /// No session of this name, or it has been forgotten.
    #[error("there is no such session")]
    SessionUnknown,
    /// The token opens nothing.
    #[error(transparent)]
    Token(#[from] OpenError),
    /// The server takes no inline sessions.
    #[error("this server takes no inline session config: create a session and send its token")]
    InlineNotAllowed,
    /// A session could not be made.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// The queue is full.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// More calls, streams or media bytes at a time than configured.
    #[error("the limit of {limit} {subject} at a time has been reached")]
    Quota {
        /// What is counted.
        subject: &'static str,
        /// Allowed.
        limit: u64,
    },
    /// A stream ran into a limit on time.
    #[error("{}", stream_timeout(*.which, *.limit))]
    StreamTimeout {
        /// Which.
        which: StreamTimeout,
        /// How long it is.
        limit: Duration,
    },
    /// The call's deadline passed.
    #[error("the deadline of the call passed")]
    Deadline,
    /// The backend cancelled the session.
    #[error("the session was cancelled")]
    SessionCancelled,
    /// The server is going down.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The client's side of the stream broke; the status reaches nobody but the log.
    #[error("the client's stream broke off")]
    ClientGone,
    /// The analysis failed for another reason than the media.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The credentials open nothing, or too many wrong ones came.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The caller may not have this done, or has spent its quota.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The store failed.
    #[error("the store cannot be used at the moment")]
    Store(#[from] StoreError),
    /// A bug, or a pool that has lost its workers. The details are in the server's log.
    #[error("internal error")]
    Internal,
}

fn stream_timeout(which: StreamTimeout, limit: Duration) -> String {
    match which {
        StreamTimeout::Initial => format!("no `start` came within {limit:?}"),
        StreamTimeout::Idle => format!("nothing was sent, or nothing was read, for {limit:?}"),
        StreamTimeout::Lifetime => format!("the stream took longer than {limit:?}"),
    }
}

impl Fault {
    /// A field that is not acceptable.
    pub fn field(field: impl Into<String>, reason: &'static str, what: impl Into<String>) -> Self {
        Fault::Field { field: field.into(), reason, what: what.into() }
    }

    /// What the pool said about the media in `field`.
    pub fn from_engine(field: impl Into<String>, error: EngineError) -> Self {
        match error {
            EngineError::Frame(error) => Fault::Media { field: field.into(), error },
            EngineError::Runtime(error) => Fault::Core(error.into()),
            EngineError::Reload(error) => Fault::Core(error),
            EngineError::Expired => Fault::Deadline,
            EngineError::Panicked | EngineError::Stopped => Fault::Internal,
        }
    }

    /// What the transport said of the client's side. It has three kinds of things to say: a message beyond the limit, a
    /// message that cannot be read, or that there is no client any more.
    pub fn from_transport(code: Code, message_limit: u64) -> Self {
        match code {
            Code::OutOfRange => Fault::MessageTooLarge { limit: message_limit },
            Code::Internal => Fault::MessageMalformed,
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::InvalidArgument
            | Code::DeadlineExceeded
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::Unimplemented
            | Code::Unavailable
            | Code::DataLoss
            | Code::Unauthenticated => Fault::ClientGone,
        }
    }

    /// The stable reason, as in the status's `ErrorInfo`.
    pub fn reason(&self) -> &'static str {
        self.shape().reason
    }

    /// The code of the status.
    pub fn code(&self) -> Code {
        self.shape().code
    }

    /// The fault as the status that goes over the wire.
    pub fn status(&self) -> Status {
        let shape = self.shape();
        let mut details = ErrorDetails::new();
        details.set_error_info(shape.reason, DOMAIN, shape.metadata);
        if let Some(field) = shape.field {
            details.add_bad_request_violation(field, self.to_string());
        }
        if let Some(delay) = shape.retry {
            details.set_retry_info(Some(delay));
        }
        if let Some(subject) = shape.quota {
            details.add_quota_failure_violation(subject, self.to_string());
        }
        Status::with_error_details(shape.code, self.to_string(), details)
    }
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        fault.status()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(fault: Fault) -> (Code, String, Option<String>, Option<Duration>) {
        let status = fault.status();
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(info.domain, DOMAIN);
        assert!(info.reason.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{}", info.reason);
        let field = details.bad_request().and_then(|bad| bad.field_violations.first()).map(|v| v.field.clone());
        (status.code(), info.reason.clone(), field, details.retry_info().and_then(|retry| retry.retry_delay))
    }

    #[test]
    fn media_names_the_field_the_limit_and_what_came() {
        let error = FrameError::TooManyBytes { limit: 10, actual: 60 };
        let status = Fault::Media { field: "frames.frames[3].data".into(), error }.status();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "frames.frames[3].data: the media has 60 bytes; the limit is 10");
        let details = status.get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "frames.frames[3].data");
        let metadata = &details.error_info().unwrap().metadata;
        assert_eq!((metadata["limit"].as_str(), metadata["actual"].as_str()), ("10", "60"));
    }

    #[test]
    fn a_video_names_what_is_wrong_with_it_and_the_remedy() {
        let info = |error| {
            let status = Fault::Video { field: "video.data".into(), error }.status();
            let details = status.get_error_details();
            assert_eq!(details.bad_request().unwrap().field_violations[0].field, "video.data");
            (status.code(), details.error_info().unwrap().clone(), details.retry_info().is_some())
        };
        let (code, long, _) =
            info(VideoError::TooLong { limit: Duration::from_secs(60), actual: Duration::from_millis(600_040) });
        assert_eq!((code, long.reason.as_str()), (Code::InvalidArgument, "VIDEO_TOO_LONG"));
        assert_eq!(
            [&long.metadata["limit"], &long.metadata["actual"], &long.metadata["unit"]],
            ["60.000", "600.040", "s"]
        );
        let (code, codec, _) = info(VideoError::NoDecoder { codec: "VP9".into(), why: "is switched off".into() });
        assert_eq!((code, codec.reason.as_str()), (Code::InvalidArgument, "VIDEO_CODEC_UNSUPPORTED"));
        assert_eq!(codec.metadata["codec"], "VP9");
        let (code, _, retry) = info(VideoError::Decoder { what: "no thread".into() });
        assert_eq!((code, retry), (Code::Unavailable, true), "the machine's fault, not the video's");
    }

    #[test]
    fn a_full_queue_says_when_to_come_back() {
        let retry_after = Duration::from_millis(300);
        let (code, reason, field, retry) = detail(Busy { retry_after, workers: 2, queued: 8 }.into());
        assert_eq!(
            (code, reason.as_str(), field, retry),
            (Code::ResourceExhausted, "QUEUE_FULL", None, Some(retry_after))
        );
    }

    #[test]
    fn faults_have_the_documented_codes() {
        use Code::*;
        let table: [(Fault, Code, &str); 12] = [
            (Fault::StartMissing, InvalidArgument, "START_MISSING"),
            (Fault::StartRepeated, InvalidArgument, "START_REPEATED"),
            (Fault::AfterFinish, InvalidArgument, "MESSAGE_AFTER_FINISH"),
            (Fault::SessionUnknown, NotFound, "SESSION_UNKNOWN"),
            (OpenError::Used.into(), FailedPrecondition, "TOKEN_USED"),
            (OpenError::Expired.into(), FailedPrecondition, "TOKEN_EXPIRED"),
            (PolicyError::Unknown("x".into()).into(), InvalidArgument, "POLICY_UNKNOWN"),
            (Fault::Deadline, DeadlineExceeded, "DEADLINE_EXCEEDED"),
            (Fault::from_engine("x", EngineError::Panicked), Internal, "INTERNAL"),
            (Fault::from_engine("x", FrameError::Empty.into()), InvalidArgument, "MEDIA_EMPTY"),
            (ChunkError::Offset { expected: 1, actual: 2 }.into(), InvalidArgument, "CHUNK_OUT_OF_ORDER"),
            (Fault::ShuttingDown, Unavailable, "SHUTTING_DOWN"),
        ];
        for (fault, code, reason) in table {
            let name = fault.to_string();
            let (actual, actual_reason, ..) = detail(fault);
            assert_eq!((actual, actual_reason.as_str()), (code, reason), "{name}");
        }
    }
}
