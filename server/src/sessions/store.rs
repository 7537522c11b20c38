//! The store: every session by id and by token, behind one lock that is never held across an await.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use lifesign_core::matching::Reference;
use lifesign_proto::v1;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::token::{NONCE_BYTES, Token, TokenHash, random_bytes};

/// A stream ends its own session in time. This much later the store does it, should the stream have failed to.
const STREAM_GRACE: Duration = Duration::from_secs(5);

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Created; the token has not been used.
    Pending,
    /// A stream is open.
    Active,
    /// Ended with a verdict.
    Completed,
    /// Cancelled by the backend.
    Cancelled,
    /// Out of time, or its stream broke.
    Expired,
}

impl State {
    fn has_ended(self) -> bool {
        matches!(self, State::Completed | State::Cancelled | State::Expired)
    }
}

/// What a session is for.
#[derive(Clone, PartialEq)]
pub struct NewSession {
    /// The policy's name, resolved: never empty.
    pub policy: String,
    /// The caller's own reference; empty where there is none. Personal, so it is in no log and no `Debug`.
    pub client_reference: String,
    /// Whom the face is compared with. The store lets go of it when the stream opens, which then holds it, or when the
    /// session ends.
    pub reference: Option<Arc<Reference>>,
}

impl std::fmt::Debug for NewSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewSession").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// A session as it was created.
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
    /// What it is for.
    pub about: NewSession,
    /// Fires when the backend cancels the session.
    pub cancelled: CancellationToken,
}

/// A session as `GetSession` shows it.
#[derive(Debug, Clone)]
pub struct View {
    /// Its name.
    pub id: Uuid,
    /// Where it stands.
    pub state: State,
    /// What it is for.
    pub about: NewSession,
    /// When it was created.
    pub created: SystemTime,
    /// When it ends, or is forgotten once ended.
    pub expires: SystemTime,
    /// Once completed.
    pub verdict: Option<v1::Verdict>,
}

/// There is no room for another session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{limit} sessions are open or remembered, which is the limit")]
pub struct StoreFull {
    /// Sessions allowed.
    pub limit: u32,
    /// When the next one is forgotten.
    pub retry_after: Duration,
}

/// Why a token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
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
}

/// Why a session could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is no room.
    #[error(transparent)]
    Full(#[from] StoreFull),
    /// The system gave no random bytes.
    #[error("the system's random source failed: {0}")]
    Random(#[from] rand::rand_core::OsError),
}

struct Entry {
    view: View,
    token: Option<TokenHash>,
    cancelled: CancellationToken,
}

impl Entry {
    /// Brings the entry up to `now`; `false` where it is to be forgotten.
    fn refresh(&mut self, now: SystemTime, remember: Duration) -> bool {
        let grace = if self.view.state == State::Active { STREAM_GRACE } else { Duration::ZERO };
        if now < self.view.expires + grace {
            return true;
        }
        if !self.view.state.has_ended() {
            self.view.state = State::Expired;
            self.view.expires += remember;
            self.view.about.reference = None;
            self.cancelled.cancel();
        }
        now < self.view.expires
    }
}

#[derive(Default)]
struct Tables {
    sessions: HashMap<Uuid, Entry>,
    tokens: HashMap<TokenHash, Uuid>,
}

impl Tables {
    fn live(&mut self, id: Uuid, now: SystemTime, remember: Duration) -> Option<&mut Entry> {
        if !self.sessions.get_mut(&id)?.refresh(now, remember) {
            self.forget(id);
        }
        self.sessions.get_mut(&id)
    }

    fn forget(&mut self, id: Uuid) {
        if let Some(token) = self.sessions.remove(&id).and_then(|entry| entry.token) {
            self.tokens.remove(&token);
        }
    }

    fn sweep(&mut self, now: SystemTime, remember: Duration) {
        let tokens = &mut self.tokens;
        self.sessions.retain(|_, entry| {
            let keep = entry.refresh(now, remember);
            if let (false, Some(token)) = (keep, &entry.token) {
                tokens.remove(token);
            }
            keep
        });
    }
}

/// All sessions of this process.
pub struct Store {
    tables: Mutex<Tables>,
    limit: u32,
    remember: Duration,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Store {
    /// An empty store of at most `limit` sessions, each remembered for `remember` once it has ended.
    pub fn new(limit: u32, remember: Duration) -> Self {
        Self { tables: Mutex::default(), limit, remember }
    }

    /// Makes a session whose token works for `ttl`.
    ///
    /// # Errors
    /// [`CreateError`].
    pub fn create(&self, about: NewSession, ttl: Duration, now: SystemTime) -> Result<Created, CreateError> {
        let token = Token::random()?;
        let nonce = random_bytes()?;
        let hash = token.hash();
        let expires = now + ttl;
        let id = self.insert(about, State::Pending, Some(hash), now, expires)?.id;
        Ok(Created { id, token, nonce, expires })
    }

    /// Makes a session whose stream is open already and lasts until `expires` at most.
    ///
    /// # Errors
    /// [`CreateError::Full`].
    pub fn open_inline(&self, about: NewSession, now: SystemTime, expires: SystemTime) -> Result<Opened, CreateError> {
        Ok(self.insert(about, State::Active, None, now, expires)?)
    }

    /// Opens the stream of the session with this token, once; the stream lasts until `expires` at most.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, token: &str, now: SystemTime, expires: SystemTime) -> Result<Opened, OpenError> {
        let hash = TokenHash::of(token).ok_or(OpenError::Unknown)?;
        let mut tables = self.lock();
        let id = *tables.tokens.get(&hash).ok_or(OpenError::Unknown)?;
        let entry = tables.live(id, now, self.remember).ok_or(OpenError::Unknown)?;
        match entry.view.state {
            State::Pending => {}
            State::Active | State::Completed => return Err(OpenError::Used),
            State::Cancelled => return Err(OpenError::Cancelled),
            State::Expired => return Err(OpenError::Expired),
        }
        entry.view.state = State::Active;
        entry.view.expires = expires;
        let opened = Opened { id, about: entry.view.about.clone(), cancelled: entry.cancelled.clone() };
        entry.view.about.reference = None;
        Ok(opened)
    }

    /// The session, if it is known.
    pub fn get(&self, id: Uuid, now: SystemTime) -> Option<View> {
        self.lock().live(id, now, self.remember).map(|entry| entry.view.clone())
    }

    /// Ends a session with its verdict. `false` where it has ended otherwise meanwhile: the verdict is then void.
    pub fn complete(&self, id: Uuid, verdict: v1::Verdict, now: SystemTime) -> bool {
        self.end(id, State::Completed, Some(verdict), now)
    }

    /// Ends a session without a verdict because its stream broke or its time ran out. Ended sessions stay as they are.
    pub fn expire(&self, id: Uuid, now: SystemTime) {
        self.end(id, State::Expired, None, now);
    }

    /// Cancels a session, and its stream with it. Ended sessions stay as they are. `None` where it is unknown.
    pub fn cancel(&self, id: Uuid, now: SystemTime) -> Option<View> {
        self.end(id, State::Cancelled, None, now);
        self.get(id, now)
    }

    /// Forgets what is over and expires what is overdue. Each call does this for the session it looks at; this is for
    /// those that nobody asks for any more.
    pub fn sweep(&self, now: SystemTime) {
        self.lock().sweep(now, self.remember);
    }

    /// Sessions open or remembered.
    pub fn len(&self) -> usize {
        self.lock().sessions.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn insert(
        &self,
        about: NewSession,
        state: State,
        token: Option<TokenHash>,
        created: SystemTime,
        expires: SystemTime,
    ) -> Result<Opened, StoreFull> {
        let mut tables = self.lock();
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        if tables.sessions.len() >= limit {
            tables.sweep(created, self.remember);
        }
        if tables.sessions.len() >= limit {
            let next = tables.sessions.values().map(|entry| entry.view.expires).min().unwrap_or(created);
            let retry_after = next.duration_since(created).unwrap_or_default().max(Duration::from_secs(1));
            return Err(StoreFull { limit: self.limit, retry_after });
        }
        let id = Uuid::new_v4();
        let cancelled = CancellationToken::new();
        let opened = Opened { id, about: about.clone(), cancelled: cancelled.clone() };
        let reference = about.reference.filter(|_| state == State::Pending);
        let about = NewSession { reference, ..about };
        let view = View { id, state, about, created, expires, verdict: None };
        tables.sessions.insert(id, Entry { view, token, cancelled });
        if let Some(token) = token {
            tables.tokens.insert(token, id);
        }
        Ok(opened)
    }

    fn end(&self, id: Uuid, state: State, verdict: Option<v1::Verdict>, now: SystemTime) -> bool {
        match self.lock().live(id, now, self.remember) {
            Some(entry) if !entry.view.state.has_ended() => {
                entry.view.state = state;
                entry.view.about.reference = None;
                entry.view.verdict = verdict;
                entry.view.expires = now + self.remember;
                if state != State::Completed {
                    entry.cancelled.cancel();
                }
                true
            }
            Some(_) | None => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        // No panic can happen between two writes that belong together, so a poisoned lock still guards whole tables.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
