//! Work that is done after its caller has been answered: accepted once it is in the store, taken by one server at a time under
//! a lease, and taken up by another where that server is gone. What is to be judged is sealed, and erased with the row.

use std::time::{Duration, SystemTime};

use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use super::{
    CreateError, Kind, NewSession, State, Store, StoreError, millis,
    sessions::{NewRow, room},
    time,
};

/// A job that this server has taken.
pub struct Job {
    /// The session whose media are to be judged.
    pub session: Uuid,
    /// What it is for.
    pub about: NewSession,
    /// What [`Store::create_transaction`] was given.
    pub payload: Vec<u8>,
    /// How often it has been begun, this time included.
    pub attempts: u32,
    /// When the session ends, verdict or not.
    pub expires: SystemTime,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("session", &self.session).field("attempts", &self.attempts).finish_non_exhaustive()
    }
}

fn context(session: &str) -> Vec<u8> {
    format!("job {session}").into_bytes()
}

impl Store {
    /// Takes media to be judged later. Once this returns, a crash loses nothing of it. `limit`: sessions that may be open or
    /// remembered at a time.
    ///
    /// # Errors
    /// [`CreateError`].
    pub async fn create_transaction(
        &self,
        about: &NewSession,
        payload: &[u8],
        expires: SystemTime,
        limit: u32,
        now: SystemTime,
    ) -> Result<Uuid, CreateError> {
        let id = Uuid::new_v4();
        let name = id.to_string();
        // Sealing megabytes takes milliseconds, which the threads that serve sockets do not have.
        let (keys, place, plain) = (self.keys().clone(), context(&name), payload.to_vec());
        let sealed = tokio::task::spawn_blocking(move || keys.seal(&place, &plain)).await;
        let sealed = sealed.map_err(|_| StoreError::Unreadable("a job could not be sealed"))??;
        let mut transaction = self.begin().await?;
        room(&mut transaction, about.kind, limit, now).await?;
        let row = NewRow { id, about, state: State::Pending, reference: Vec::new(), verdict: None };
        row.insert(&mut transaction, now, expires).await?;
        sqlx::query(
            "INSERT INTO jobs (session_id, payload, attempts, worker, lease, due) VALUES ($1, $2, 0, '', 0, $3)",
        )
        .bind(name)
        .bind(sealed)
        .bind(millis(now))
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::from)?;
        transaction.commit().await.map_err(StoreError::from)?;
        Ok(id)
    }

    /// Takes the job that has waited longest, if there is one that nobody works on; it is this server's for as long as the
    /// lease lasts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_job(&self, lease: Duration, now: SystemTime) -> Result<Option<Job>, StoreError> {
        let taken = AssertSqlSafe(format!(
            "UPDATE jobs SET worker = $1, lease = $2, attempts = attempts + 1 WHERE session_id = \
             (SELECT session_id FROM jobs WHERE due <= $3 AND lease <= $3 ORDER BY due, session_id LIMIT 1{}) \
             AND lease <= $3 RETURNING session_id, payload, attempts",
            self.dialect().skip_locked()
        ));
        let mut transaction = self.begin().await?;
        let row = sqlx::query(taken)
            .bind(self.server().to_string())
            .bind(millis(now + lease))
            .bind(millis(now))
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let (name, sealed): (String, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        let attempts: i64 = row.try_get(2)?;
        let session = sqlx::query(
            "SELECT owner, policy, client_reference, external_id, expires FROM sessions WHERE id = $1 AND state IN ($2, $3)",
        )
        .bind(name.clone())
        .bind(State::Pending.number())
        .bind(State::Active.number())
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(session) = session else {
            // It was cancelled or erased meanwhile: what it left is of no use to anybody.
            sqlx::query("DELETE FROM jobs WHERE session_id = $1").bind(name).execute(&mut *transaction).await?;
            transaction.commit().await?;
            return Ok(None);
        };
        sqlx::query("UPDATE sessions SET state = $1, version = version + 1 WHERE id = $2 AND state = $3")
            .bind(State::Active.number())
            .bind(name.clone())
            .bind(State::Pending.number())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        let (keys, place) = (self.keys().clone(), context(&name));
        let payload = tokio::task::spawn_blocking(move || keys.open(&place, &sealed)).await;
        let payload = payload.map_err(|_| StoreError::Unreadable("a job"))?.map_err(StoreError::Keys)?;
        let about = NewSession {
            owner: session.try_get(0)?,
            kind: Kind::Transaction,
            policy: session.try_get(1)?,
            client_reference: session.try_get(2)?,
            external_id: session.try_get(3)?,
            reference: None,
        };
        Ok(Some(Job {
            session: Uuid::try_parse(&name).map_err(|_| StoreError::Unreadable("a session's id"))?,
            about,
            payload,
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
            expires: time(session.try_get(4)?),
        }))
    }

    /// Keeps a job for this server until `lease` has passed. `false` where it is no longer this server's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn renew_job(&self, session: Uuid, lease: Duration, now: SystemTime) -> Result<bool, StoreError> {
        let renewed = sqlx::query("UPDATE jobs SET lease = $1 WHERE session_id = $2 AND worker = $3")
            .bind(millis(now + lease))
            .bind(session.to_string())
            .bind(self.server().to_string())
            .execute(self.pool())
            .await?;
        Ok(renewed.rows_affected() == 1)
    }

    /// Gives a job back, to be begun again at `due` by whichever server.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_off_job(&self, session: Uuid, due: SystemTime) -> Result<(), StoreError> {
        sqlx::query("UPDATE jobs SET worker = '', lease = 0, due = $1 WHERE session_id = $2 AND worker = $3")
            .bind(millis(due))
            .bind(session.to_string())
            .bind(self.server().to_string())
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// Jobs that wait or are being done.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn jobs(&self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM jobs").fetch_one(self.pool()).await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}
