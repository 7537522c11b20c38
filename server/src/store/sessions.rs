//! Sessions in the store: made, opened once, looked up. How they end is in `endings`.
//!
//! Every change is one conditional UPDATE, so that of two servers one makes it and the other learns that it was made. In the statements
//! `state <= 2` is a session that has not ended, and `kind <> 3` one that is no transaction: those run in the queue's time, not
//! in their own.

use std::time::{Duration, SystemTime};

use lifesign_proto::v1;
use prost::Message as _;
use sqlx::{Any, Row as _, Transaction, any::AnyRow};
use uuid::Uuid;

use super::{
    CreateError, Created, Kind, NewSession, OpenError, Opened, State, Store, StoreError, View, millis, reference, time,
};
use crate::{
    keys::{self, KeyError},
    sessions::{Token, TokenHash},
};

/// A stream ends its own session in time. This much later the store does it, should the stream have failed to.
const STREAM_GRACE: Duration = Duration::from_secs(5);

/// The columns that [`View::read`] reads.
macro_rules! columns {
    () => {
        "id, owner, kind, state, version, policy, client_reference, external_id, created, expires, decision, verdict"
    };
}

/// The condition that a session's time ran out and nobody has written that down yet. Its arguments are the places of the two times of
/// [`limits`].
macro_rules! overdue {
    ($now:literal, $late:literal) => {
        concat!("(state <= 2 AND kind <> 3 AND expires <= CASE WHEN state = 2 THEN ", $late, " ELSE ", $now, " END)")
    };
}

pub(super) use {columns, overdue};

/// Who is overdue now: those that should have ended by the first time, and open streams that should have by the second.
pub(super) fn limits(now: SystemTime) -> (i64, i64) {
    (millis(now), millis(now.checked_sub(STREAM_GRACE).unwrap_or(SystemTime::UNIX_EPOCH)))
}

/// How many ids are looked up at a time.
macro_rules! ids {
    () => {
        "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, \
         $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50"
    };
}

/// The number of places in `ids!`.
const IDS: usize = 50;

impl Store {
    /// Makes a session whose token works for `ttl`. With `limit` sessions of its kind open there is no room for it; servers that make
    /// sessions at the same moment may pass the limit by as many as they are.
    ///
    /// # Errors
    /// [`CreateError`].
    pub async fn create_session(
        &self,
        about: NewSession,
        ttl: Duration,
        limit: u32,
        now: SystemTime,
    ) -> Result<Created, CreateError> {
        let token = Token::random().map_err(|_| KeyError::Random)?;
        let created = Created { id: Uuid::new_v4(), token, nonce: keys::random()?, expires: now + ttl };
        let sealed = reference::seal(created.token.reveal(), created.id, about.reference.as_deref())?;
        let mut work = self.begin().await?;
        room(&mut work, about.kind, limit, now).await?;
        let row = NewRow { id: created.id, about: &about, state: State::Pending, reference: sealed, verdict: None };
        row.insert(&mut work, now, created.expires).await?;
        let kept = "INSERT INTO session_tokens (hash, session_id) VALUES ($1, $2)";
        let kept = sqlx::query(kept).bind(created.token.hash().bytes().to_vec()).bind(created.id.to_string());
        kept.execute(&mut *work).await?;
        work.commit().await?;
        Ok(created)
    }

    /// Makes a session that is at work already and lasts until `expires` at most. Its reference stays with the caller.
    ///
    /// # Errors
    /// [`CreateError`].
    pub async fn open_inline(
        &self,
        about: NewSession,
        expires: SystemTime,
        limit: u32,
        now: SystemTime,
    ) -> Result<Opened, CreateError> {
        let id = Uuid::new_v4();
        let mut work = self.begin().await?;
        room(&mut work, about.kind, limit, now).await?;
        let row = NewRow { id, about: &about, state: State::Active, reference: Vec::new(), verdict: None };
        row.insert(&mut work, now, expires).await?;
        work.commit().await?;
        Ok(Opened { id, about })
    }

    /// Opens the stream of the session with this token, once on all servers; the stream lasts until `expires` at most. The reference
    /// is handed over and erased here.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open_session(&self, token: &str, expires: SystemTime, now: SystemTime) -> Result<Opened, OpenError> {
        let hash = TokenHash::of(token).ok_or(OpenError::Unknown)?.bytes().to_vec();
        loop {
            let found = concat!(
                "SELECT ",
                columns!(),
                ", reference FROM sessions WHERE id = (SELECT session_id FROM session_tokens WHERE hash = $1)"
            );
            let row = sqlx::query(found).bind(hash.clone()).fetch_optional(self.pool()).await?;
            let row = row.ok_or(OpenError::Unknown)?;
            let view = View::read(&row, now)?.ok_or(OpenError::Unknown)?;
            match view.state {
                State::Pending => {}
                State::Active | State::Completed => return Err(OpenError::Used),
                State::Cancelled => return Err(OpenError::Cancelled),
                State::Expired => return Err(OpenError::Expired),
            }
            let sealed: Vec<u8> = row.try_get("reference")?;
            let reference = reference::open(token, view.id, &sealed)?;
            let opened = "UPDATE sessions SET state = $1, version = version + 1, expires = $2, reference = $3 \
                          WHERE id = $4 AND version = $5";
            let opened = sqlx::query(opened).bind(State::Active.number()).bind(millis(expires)).bind(Vec::<u8>::new());
            let opened = opened.bind(view.id.to_string()).bind(view.version).execute(self.pool()).await?;
            if opened.rows_affected() == 1 {
                return Ok(Opened { id: view.id, about: NewSession { reference, ..view.about } });
            }
            // It was changed since it was read, by an opening, a cancellation or the sweeper. It never becomes PENDING
            // again, so this ends.
        }
    }

    /// A session of this owner's, if it is known. One whose time ran out is EXPIRED, and one that is to be forgotten is unknown,
    /// whether or not the sweeper came by.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn session(&self, owner: &str, id: Uuid, now: SystemTime) -> Result<Option<View>, StoreError> {
        let found = concat!("SELECT ", columns!(), " FROM sessions WHERE id = $1 AND owner = $2");
        let row = sqlx::query(found).bind(id.to_string()).bind(owner).fetch_optional(self.pool()).await?;
        row.map_or(Ok(None), |row| View::read(&row, now))
    }

    /// A session of this owner's by its name at a compatible endpoint; as [`Store::session`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn by_external_id(
        &self,
        owner: &str,
        external_id: &str,
        now: SystemTime,
    ) -> Result<Option<View>, StoreError> {
        let found = concat!(
            "SELECT ",
            columns!(),
            " FROM sessions WHERE external_id = $1 AND external_id <> '' AND owner = $2"
        );
        let row = sqlx::query(found).bind(external_id).bind(owner).fetch_optional(self.pool()).await?;
        row.map_or(Ok(None), |row| View::read(&row, now))
    }

    /// Where these sessions stand; those that are gone are left out. This is for who watches sessions: it says what has been written
    /// down, which is up to a sweep behind where time ran out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn versions(&self, ids: &[Uuid]) -> Result<Vec<(Uuid, State, i64)>, StoreError> {
        let mut all = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(IDS) {
            let mut query = sqlx::query(concat!("SELECT id, state, version FROM sessions WHERE id IN (", ids!(), ")"));
            // One statement for any number: no session's id is empty.
            for place in 0..IDS {
                query = query.bind(chunk.get(place).map(Uuid::to_string).unwrap_or_default());
            }
            for row in query.fetch_all(self.pool()).await? {
                all.push((read_id(&row)?, State::of_number(row.try_get("state")?)?, row.try_get("version")?));
            }
        }
        Ok(all)
    }

    /// Sessions of this kind that have not ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_open(&self, kind: Kind, now: SystemTime) -> Result<u64, StoreError> {
        let count = "SELECT COUNT(*) FROM sessions WHERE state <= 2 AND kind = $1 AND expires > $2";
        let count: i64 = sqlx::query_scalar(count).bind(kind.number()).bind(millis(now)).fetch_one(self.pool()).await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}

/// Refuses another session of this kind where there is no room. It looks at `limit` entries of an index at most.
pub(super) async fn room(
    work: &mut Transaction<'static, Any>,
    kind: Kind,
    limit: u32,
    now: SystemTime,
) -> Result<(), CreateError> {
    let count = "SELECT COUNT(*) FROM (SELECT 1 FROM sessions WHERE state <= 2 AND kind = $1 AND expires > $2 LIMIT $3) AS open";
    let open = sqlx::query_scalar(count).bind(kind.number()).bind(millis(now)).bind(i64::from(limit));
    let open: i64 = open.fetch_one(&mut **work).await?;
    if open < i64::from(limit) {
        return Ok(());
    }
    let next = "SELECT COALESCE(MIN(expires), 0) FROM sessions WHERE state <= 2 AND kind = $1 AND expires > $2";
    let next = sqlx::query_scalar(next).bind(kind.number()).bind(millis(now)).fetch_one(&mut **work).await?;
    let retry_after = time(next).duration_since(now).unwrap_or_default().max(Duration::from_secs(1));
    Err(CreateError::Full { limit, retry_after })
}

/// A session as it is first written down.
pub(super) struct NewRow<'a> {
    pub(super) id: Uuid,
    pub(super) about: &'a NewSession,
    pub(super) state: State,
    /// Sealed; empty: none.
    pub(super) reference: Vec<u8>,
    pub(super) verdict: Option<&'a v1::Verdict>,
}

impl NewRow<'_> {
    pub(super) async fn insert(
        self,
        work: &mut Transaction<'static, Any>,
        now: SystemTime,
        expires: SystemTime,
    ) -> Result<(), StoreError> {
        let insert = "INSERT INTO sessions (id, owner, kind, state, version, policy, client_reference, external_id, \
                      reference, created, expires, decision, verdict) VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9, $10, $11, $12)";
        let Self { id, about, state, reference, verdict } = self;
        let query = sqlx::query(insert).bind(id.to_string()).bind(&*about.owner).bind(about.kind.number());
        let query = query.bind(state.number()).bind(&*about.policy).bind(&*about.client_reference);
        let query = query.bind(&*about.external_id).bind(reference).bind(millis(now)).bind(millis(expires));
        let query = query.bind(i64::from(verdict.map_or(0, |verdict| verdict.decision)));
        query.bind(verdict.map(v1::Verdict::encode_to_vec).unwrap_or_default()).execute(&mut **work).await?;
        Ok(())
    }
}

impl View {
    /// Reads a row of `columns!`, as it stands at this time; `None` where it is to be forgotten.
    pub(super) fn read(row: &AnyRow, now: SystemTime) -> Result<Option<Self>, StoreError> {
        let kind = Kind::of_number(row.try_get("kind")?)?;
        let written = State::of_number(row.try_get("state")?)?;
        let expires: i64 = row.try_get("expires")?;
        let (limit, late) = limits(now);
        let state = match written {
            State::Completed | State::Cancelled | State::Expired if expires <= limit => return Ok(None),
            State::Pending if kind != Kind::Transaction && expires <= limit => State::Expired,
            State::Active if kind != Kind::Transaction && expires <= late => State::Expired,
            State::Pending | State::Active | State::Completed | State::Cancelled | State::Expired => written,
        };
        let verdict: Vec<u8> = row.try_get("verdict")?;
        let verdict = (!verdict.is_empty()).then(|| v1::Verdict::decode(verdict.as_slice())).transpose();
        let decision = i32::try_from(row.try_get::<i64, _>("decision")?).ok();
        Ok(Some(Self {
            id: read_id(row)?,
            state,
            version: row.try_get("version")?,
            about: NewSession {
                owner: row.try_get("owner")?,
                kind,
                policy: row.try_get("policy")?,
                client_reference: row.try_get("client_reference")?,
                external_id: row.try_get("external_id")?,
                reference: None,
            },
            created: time(row.try_get("created")?),
            expires: time(expires),
            decision: decision
                .and_then(|decision| v1::Decision::try_from(decision).ok())
                .ok_or(StoreError::Unreadable("sessions.decision"))?,
            verdict: verdict.map_err(|_| StoreError::Unreadable("sessions.verdict"))?,
        }))
    }
}

/// The `id` of a row.
pub(super) fn read_id(row: &AnyRow) -> Result<Uuid, StoreError> {
    Uuid::parse_str(row.try_get("id")?).map_err(|_| StoreError::Unreadable("sessions.id"))
}
