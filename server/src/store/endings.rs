//! How sessions end: with a verdict, cancelled, or out of time. The end, the line in the audit log and what is
//! let go of are one transaction, so that none of them is there without the others.
//!
//! Locks are taken in the same order everywhere: the session first, then what belongs to it.

use std::time::SystemTime;

use lifesign_proto::v1;
use prost::Message as _;
use sqlx::{Any, Row as _, Transaction, any::AnyRow};
use uuid::Uuid;

use super::{
    AuditEvent, AuditLine, NewSession, State, Store, StoreError, View, audit, millis,
    sessions::{NewRow, limits, overdue},
};

impl Store {
    /// Ends a session with its verdict, which is kept until `forget_at`. `false` where it has ended already, here or on another
    /// server, or its time was over: the verdict is then void.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn complete_session(
        &self,
        id: Uuid,
        verdict: &v1::Verdict,
        forget_at: SystemTime,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let mut work = self.begin().await?;
        let Some(ended) = end(&mut work, id, None, State::Completed, Some(verdict), forget_at, now).await? else {
            return Ok(false);
        };
        decided(&mut work, &ended, id, verdict, now).await?;
        work.commit().await?;
        Ok(true)
    }

    /// Writes down a session that was judged in one call, COMPLETED from the start.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_session(
        &self,
        about: NewSession,
        verdict: &v1::Verdict,
        id: Uuid,
        forget_at: SystemTime,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let mut work = self.begin().await?;
        let row = NewRow { id, about: &about, state: State::Completed, reference: Vec::new(), verdict: Some(verdict) };
        row.insert(&mut work, now, forget_at).await?;
        let ended = Ended { owner: about.owner, policy: about.policy };
        decided(&mut work, &ended, id, verdict, now).await?;
        work.commit().await?;
        Ok(())
    }

    /// Ends a session without a verdict because its stream broke or its time ran out. Ended sessions stay as they are.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn expire_session(&self, id: Uuid, forget_at: SystemTime, now: SystemTime) -> Result<(), StoreError> {
        self.end_without_verdict(id, None, State::Expired, forget_at, now).await
    }

    /// Cancels a session of this owner's. Ended sessions stay as they are. `None` where it is unknown.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cancel_session(
        &self,
        owner: &str,
        id: Uuid,
        forget_at: SystemTime,
        now: SystemTime,
    ) -> Result<Option<View>, StoreError> {
        self.end_without_verdict(id, Some(owner), State::Cancelled, forget_at, now).await?;
        self.session(owner, id, now).await
    }

    async fn end_without_verdict(
        &self,
        id: Uuid,
        owner: Option<&str>,
        state: State,
        forget_at: SystemTime,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let mut work = self.begin().await?;
        if let Some(ended) = end(&mut work, id, owner, state, None, forget_at, now).await? {
            let event = if state == State::Cancelled { AuditEvent::Cancelled } else { AuditEvent::Expired };
            audit::append(&mut *work, &AuditLine::of_session(event, &ended.owner, id, &ended.policy), now).await?;
        }
        work.commit().await?;
        Ok(())
    }
}

/// What a session was for, once it has ended.
struct Ended {
    owner: String,
    policy: String,
}

/// Ends a session that has not ended, and lets go of its reference and of the work on it. `None` where it has ended or is overdue.
async fn end(
    work: &mut Transaction<'static, Any>,
    id: Uuid,
    owner: Option<&str>,
    state: State,
    verdict: Option<&v1::Verdict>,
    forget_at: SystemTime,
    now: SystemTime,
) -> Result<Option<Ended>, StoreError> {
    let update = concat!(
        "UPDATE sessions SET state = $1, version = version + 1, expires = $2, decision = $3, verdict = $4, reference = $5 \
         WHERE id = $6 AND state <= 2 AND ($7 = 0 OR owner = $8) AND ($9 = 1 OR NOT ",
        overdue!("$10", "$11"),
        ") RETURNING owner, policy"
    );
    // What is out of time may be ended as such by whoever notices.
    let expires = i64::from(state == State::Expired);
    let (limit, late) = limits(now);
    let query = sqlx::query(update).bind(state.number()).bind(millis(forget_at));
    let query = query.bind(i64::from(verdict.map_or(0, |verdict| verdict.decision)));
    let query = query.bind(verdict.map(v1::Verdict::encode_to_vec).unwrap_or_default()).bind(Vec::<u8>::new());
    let query = query.bind(id.to_string()).bind(i64::from(owner.is_some())).bind(owner.unwrap_or_default());
    let rows = query.bind(expires).bind(limit).bind(late).fetch_all(&mut **work).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let job = "DELETE FROM jobs WHERE session_id = $1";
    sqlx::query(job).bind(id.to_string()).execute(&mut **work).await?;
    ended(row).map(Some)
}

fn ended(row: &AnyRow) -> Result<Ended, StoreError> {
    Ok(Ended { owner: row.try_get("owner")?, policy: row.try_get("policy")? })
}

/// What goes with a verdict: its line in the audit log.
async fn decided(
    work: &mut Transaction<'static, Any>,
    ended: &Ended,
    id: Uuid,
    verdict: &v1::Verdict,
    now: SystemTime,
) -> Result<(), StoreError> {
    audit::append(&mut **work, &AuditLine::of_verdict(&ended.owner, id, &ended.policy, verdict), now).await?;
    Ok(())
}
