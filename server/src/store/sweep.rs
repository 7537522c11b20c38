//! What is over is written down as over, and what was kept for its time is erased. Any number of servers may sweep at the same time.

use std::time::{Duration, SystemTime};

use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::{
    AuditEvent, AuditLine, State, Store, StoreError, audit,
    deletion::{erase, erase_images},
    millis,
    sessions::{limits, read_id},
    time,
};

/// Rows in one transaction: others wait for it in SQLite, so it should take some milliseconds and no more.
const BATCH: i64 = 100;

/// How long the counts of a client's checks are kept. The longest window is a day, and the one before it is of no use.
const USAGE_KEPT: Duration = Duration::from_secs(2 * 24 * 3600);

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Sessions whose time ran out.
    pub expired: u64,
    /// Ended sessions that were erased.
    pub forgotten: u64,
    /// Sessions whose images were erased before they were.
    pub images_erased: u64,
    /// Answers by `request_id` that were erased.
    pub answers: u64,
    /// Access tokens past their time.
    pub access_tokens: u64,
    /// Counts of clients' checks in windows that are over.
    pub usage: u64,
    /// The encrypted files of erased images, which the object store is to remove.
    pub objects: Vec<String>,
}

impl Store {
    /// Ends what is overdue, and erases what has been kept for its time. `remember` says how long an ended session under a policy
    /// is kept.
    ///
    /// # Errors
    /// [`StoreError`]. What was done before it stays done.
    pub async fn sweep(
        &self,
        remember: &(dyn Fn(&str) -> Duration + Send + Sync),
        now: SystemTime,
    ) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        while self.expire_batch(remember, now, &mut swept).await? {}
        while self.forget_batch(now, &mut swept).await? {}
        while self.erase_images_batch(now, &mut swept).await? {}
        let answers = "DELETE FROM remembered WHERE key IN (SELECT key FROM remembered WHERE expires <= $1 LIMIT $2)";
        swept.answers = self.delete_in_batches(answers, now).await?;
        let tokens =
            "DELETE FROM access_tokens WHERE hash IN (SELECT hash FROM access_tokens WHERE expires <= $1 LIMIT $2)";
        swept.access_tokens = self.delete_in_batches(tokens, now).await?;
        let usage = "DELETE FROM client_usage WHERE (client, unit, start) IN \
                     (SELECT client, unit, start FROM client_usage WHERE start <= $1 LIMIT $2)";
        let old = now.checked_sub(USAGE_KEPT).unwrap_or(SystemTime::UNIX_EPOCH);
        swept.usage = self.delete_in_batches(usage, old).await?;
        Ok(swept)
    }

    /// A batch of open sessions whose time ran out. Each is remembered from when it ended, not from when that was noticed.
    /// Whether there may be more.
    async fn expire_batch(
        &self,
        remember: &(dyn Fn(&str) -> Duration + Send + Sync),
        now: SystemTime,
        swept: &mut Swept,
    ) -> Result<bool, StoreError> {
        // A transaction is the queue's for as long as there is work to be done on it.
        let overdue = "SELECT id, owner, policy, expires FROM sessions WHERE state <= 2 AND expires <= $2 \
                       AND (expires <= $1 OR state <> 2 OR kind = 3) \
                       AND NOT (kind = 3 AND EXISTS (SELECT 1 FROM jobs WHERE jobs.session_id = sessions.id)) \
                       ORDER BY expires, id LIMIT $3";
        let (limit, late) = limits(now);
        let mut work = self.begin().await?;
        let rows = sqlx::query(AssertSqlSafe(format!("{overdue}{}", self.dialect().skip_locked())));
        let rows = rows.bind(late).bind(limit).bind(BATCH).fetch_all(&mut *work).await?;
        for row in &rows {
            let (id, owner, policy): (Uuid, String, String) =
                (read_id(row)?, row.try_get("owner")?, row.try_get("policy")?);
            let forget_at = time(row.try_get("expires")?) + remember(&policy);
            let update = "UPDATE sessions SET state = $1, version = version + 1, expires = $2, reference = $3 WHERE id = $4 AND state <= 2";
            let update = sqlx::query(update).bind(State::Expired.number()).bind(millis(forget_at));
            let update = update.bind(Vec::<u8>::new()).bind(id.to_string()).execute(&mut *work).await?;
            if update.rows_affected() == 1 {
                let line = AuditLine::of_session(AuditEvent::Expired, &owner, id, &policy);
                audit::append(&mut *work, &line, now).await?;
                swept.expired += 1;
            }
        }
        work.commit().await?;
        Ok(is_full(rows.len()))
    }

    /// A batch of ended sessions that have been remembered for their time. Announcements of them that are still to be delivered stay:
    /// they say little more than the decision, and have their own end. Whether there may be more.
    async fn forget_batch(&self, now: SystemTime, swept: &mut Swept) -> Result<bool, StoreError> {
        let over =
            "SELECT id, owner, policy FROM sessions WHERE state > 2 AND expires <= $1 ORDER BY expires, id LIMIT $2";
        let mut work = self.begin().await?;
        let rows = sqlx::query(AssertSqlSafe(format!("{over}{}", self.dialect().skip_locked())));
        let rows = rows.bind(millis(now)).bind(BATCH).fetch_all(&mut *work).await?;
        let mut batch = Swept::default();
        for row in &rows {
            let (id, owner, policy): (Uuid, String, String) =
                (read_id(row)?, row.try_get("owner")?, row.try_get("policy")?);
            let gone = "DELETE FROM sessions WHERE id = $1";
            sqlx::query(gone).bind(id.to_string()).execute(&mut *work).await?;
            batch.objects.extend(erase(&mut work, id, now).await?.objects);
            let line = AuditLine::of_session(AuditEvent::Forgotten, &owner, id, &policy);
            audit::append(&mut *work, &line, now).await?;
            batch.forgotten += 1;
        }
        work.commit().await?;
        swept.forgotten += batch.forgotten;
        swept.objects.append(&mut batch.objects);
        Ok(is_full(rows.len()))
    }

    /// A batch of keys of images that have been kept for their time. Whether there may be more.
    async fn erase_images_batch(&self, now: SystemTime, swept: &mut Swept) -> Result<bool, StoreError> {
        let over = "SELECT session_id AS id FROM data_keys WHERE expires <= $1 ORDER BY expires, session_id LIMIT $2";
        let mut work = self.begin().await?;
        let rows = sqlx::query(AssertSqlSafe(format!("{over}{}", self.dialect().skip_locked())));
        let rows = rows.bind(millis(now)).bind(BATCH).fetch_all(&mut *work).await?;
        let mut objects = Vec::new();
        for row in &rows {
            objects.extend(erase_images(&mut work, read_id(row)?, now).await?);
        }
        work.commit().await?;
        swept.images_erased += u64::try_from(rows.len()).unwrap_or(u64::MAX);
        swept.objects.append(&mut objects);
        Ok(is_full(rows.len()))
    }

    /// Deletes rows by a statement that takes a time and a number of rows.
    async fn delete_in_batches(&self, statement: &'static str, until: SystemTime) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            let deleted = sqlx::query(statement).bind(millis(until)).bind(BATCH).execute(self.pool()).await?;
            all += deleted.rows_affected();
            if deleted.rows_affected() == 0 {
                return Ok(all);
            }
        }
    }
}

/// Whether a batch was full: there may be more then.
fn is_full(rows: usize) -> bool {
    i64::try_from(rows).is_ok_and(|rows| rows >= BATCH)
}
