//! What a session in the store is: its kinds and states, how it is made, opened and shown.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use lifesign_core::matching::Reference;
use lifesign_proto::v1;
use uuid::Uuid;

use super::StoreError;
use crate::{
    keys::KeyError,
    sessions::{NONCE_BYTES, Token},
};

/// How a session came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Frames come on a stream.
    Stream,
    /// Judged in the call that brought the media.
    Check,
    /// The media were taken, and the result comes later.
    Transaction,
}

impl Kind {
    /// As the wire has it.
    pub const fn wire(self) -> v1::SessionKind {
        match self {
            Kind::Stream => v1::SessionKind::Stream,
            Kind::Check => v1::SessionKind::Check,
            Kind::Transaction => v1::SessionKind::Transaction,
        }
    }

    pub(super) const fn number(self) -> i64 {
        self.wire() as i64
    }

    pub(super) fn of_number(number: i64) -> Result<Self, StoreError> {
        let all = [Kind::Stream, Kind::Check, Kind::Transaction];
        all.into_iter().find(|kind| kind.number() == number).ok_or(StoreError::Unreadable("sessions.kind"))
    }
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Created; the token has not been used, or nobody has begun the work.
    Pending,
    /// A stream is open, or the work has begun.
    Active,
    /// Ended with a verdict.
    Completed,
    /// Cancelled by the backend.
    Cancelled,
    /// Out of time, or its stream broke.
    Expired,
}

impl State {
    /// All of them.
    pub const ALL: [State; 5] = [State::Pending, State::Active, State::Completed, State::Cancelled, State::Expired];

    /// Whether nothing about it changes any more.
    pub const fn has_ended(self) -> bool {
        matches!(self, State::Completed | State::Cancelled | State::Expired)
    }

    /// As the wire has it.
    pub const fn wire(self) -> v1::SessionState {
        match self {
            State::Pending => v1::SessionState::Pending,
            State::Active => v1::SessionState::Active,
            State::Completed => v1::SessionState::Completed,
            State::Cancelled => v1::SessionState::Cancelled,
            State::Expired => v1::SessionState::Expired,
        }
    }

    pub(super) const fn number(self) -> i64 {
        self.wire() as i64
    }

    pub(super) fn of_number(number: i64) -> Result<Self, StoreError> {
        Self::ALL.into_iter().find(|state| state.number() == number).ok_or(StoreError::Unreadable("sessions.state"))
    }
}

/// What a session is for.
#[derive(Clone, PartialEq)]
pub struct NewSession {
    /// The API client it belongs to; empty where callers are not told apart.
    pub owner: String,
    /// How it came about.
    pub kind: Kind,
    /// The policy's name, resolved: never empty.
    pub policy: String,
    /// The caller's own reference; empty where there is none. Personal, so it is in no log and no `Debug`.
    pub client_reference: String,
    /// Its name at a compatible endpoint, unique in the store; empty where it has none.
    pub external_id: String,
    /// Whom the face is compared with. The store keeps it sealed under the token until the stream opens, which then holds
    /// it, or until the session ends.
    pub reference: Option<Arc<Reference>>,
}

impl fmt::Debug for NewSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("NewSession");
        shown.field("owner", &self.owner).field("kind", &self.kind).field("policy", &self.policy);
        shown.finish_non_exhaustive()
    }
}

/// A session as it was created. It is not `Debug`: it holds its token in clear.
pub struct Created {
    /// Its name.
    pub id: Uuid,
    /// Opens its stream, once.
    pub token: Token,
    /// Binds evidence to it.
    pub nonce: [u8; NONCE_BYTES],
    /// When the token stops working.
    pub expires: SystemTime,
}

/// A session whose stream was opened.
#[derive(Debug)]
pub struct Opened {
    /// Its name.
    pub id: Uuid,
    /// What it is for, with the reference.
    pub about: NewSession,
}

/// A session as it stands.
#[derive(Clone)]
pub struct View {
    /// Its name.
    pub id: Uuid,
    /// Where it stands.
    pub state: State,
    /// Rises with every change.
    pub version: i64,
    /// What it is for, without the reference.
    pub about: NewSession,
    /// When it was created.
    pub created: SystemTime,
    /// When it ends, or is forgotten once ended.
    pub expires: SystemTime,
    /// What was decided; unspecified until there is a verdict.
    pub decision: v1::Decision,
    /// Once completed.
    pub verdict: Option<v1::Verdict>,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A verdict has the caller's reference and the places of faces in it.
        let mut shown = f.debug_struct("View");
        shown.field("id", &self.id).field("state", &self.state).field("version", &self.version);
        shown.field("about", &self.about).field("decision", &self.decision).finish_non_exhaustive()
    }
}

/// Why a session could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is no room.
    #[error("{limit} sessions are open, which is the limit")]
    Full {
        /// Sessions of the kind that may be open at a time.
        limit: u32,
        /// When the next one ends at the latest.
        retry_after: Duration,
    },
    /// The system gave no random bytes.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for CreateError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Why a token opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No session has this token, or the session has been forgotten.
    #[error("there is no session with this token")]
    Unknown,
    /// It opened a stream before.
    #[error("the token has been used")]
    Used,
    /// It waited too long.
    #[error("the token has expired")]
    Expired,
    /// The backend cancelled the session.
    #[error("the session was cancelled")]
    Cancelled,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_the_statements_name() {
        // `state <= 2` is open, `kind <> 3` is no transaction: in the statements of this folder and in the migrations.
        for state in State::ALL {
            assert_eq!(state.number() <= 2, !state.has_ended(), "{state:?}");
            assert_eq!(State::of_number(state.number()).unwrap(), state);
        }
        for kind in [Kind::Stream, Kind::Check, Kind::Transaction] {
            assert_eq!(kind.number() == 3, kind == Kind::Transaction);
            assert_eq!(Kind::of_number(kind.number()).unwrap(), kind);
        }
        assert!(State::of_number(0).is_err() && Kind::of_number(4).is_err());
    }

    #[test]
    fn what_identifies_a_person_is_not_in_debug_output() {
        let about = NewSession {
            owner: "bank".to_owned(),
            kind: Kind::Stream,
            policy: "default".to_owned(),
            client_reference: "person@example.org".to_owned(),
            external_id: String::new(),
            reference: Some(Arc::new(Reference { embedding: Ok(vec![0.25; 4]), print: None })),
        };
        let verdict = v1::Verdict { client_reference: about.client_reference.clone(), ..Default::default() };
        let view = View {
            id: Uuid::nil(),
            state: State::Completed,
            version: 1,
            about,
            created: SystemTime::UNIX_EPOCH,
            expires: SystemTime::UNIX_EPOCH,
            decision: v1::Decision::Accept,
            verdict: Some(verdict),
        };
        let text = format!("{view:?} {:?}", view.about);
        assert!(text.contains("bank") && !text.contains("person") && !text.contains("0.25"), "{text}");
    }
}
