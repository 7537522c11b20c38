//! Erasing a session and all that belongs to it.

use std::time::SystemTime;

use lifesign_proto::v1;
use prost::Message as _;
use sqlx::{Any, Row as _, Transaction};
use uuid::Uuid;

use super::{AuditEvent, AuditLine, Dialect, State, Store, StoreError, audit, millis};

/// How often SQLite is asked to empty its log: each time it waits for readers and writers for as long as the busy timeout, so
/// this is for a log that is in use for half a minute on end.
const CHECKPOINTS: u32 = 3;

/// What was erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// Whether there was a verdict.
    pub verdict: bool,
    /// Images that can be decrypted no more.
    pub images: u32,
    /// Whether media waited to be judged.
    pub media: bool,
    /// Whether it had not ended.
    pub was_open: bool,
    /// What vendors that were shown something may still hold.
    pub vendors: Vec<VendorHolding>,
    /// The encrypted files of the images, which the object store is to remove.
    pub objects: Vec<String>,
}

/// A vendor that was shown something of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorHolding {
    /// Its id.
    pub vendor: String,
    /// Its name for the transaction; empty: it gave none.
    pub reference: String,
    /// Whether it gave an address at which it shows a picture.
    pub shows_picture: bool,
}

impl Store {
    /// Erases a session of this owner's: its row, its token, the work on it, the key of its images, and the announcements that were not
    /// delivered. What is left is a line of the audit log, and the encrypted files until the object store has removed them.
    /// `None` where there is no such session.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete_session(&self, owner: &str, id: Uuid, now: SystemTime) -> Result<Option<Deleted>, StoreError> {
        let mut work = self.begin().await?;
        let row = "DELETE FROM sessions WHERE id = $1 AND owner = $2 RETURNING state, policy, verdict";
        let rows = sqlx::query(row).bind(id.to_string()).bind(owner).fetch_all(&mut *work).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (state, policy): (i64, String) = (row.try_get("state")?, row.try_get("policy")?);
        let verdict: Vec<u8> = row.try_get("verdict")?;
        // What cannot be read, by a later version's fault say, is erased all the same.
        let read = v1::Verdict::decode(verdict.as_slice()).unwrap_or_default();
        let Erased { media, objects } = erase(&mut work, id, now).await?;
        sqlx::query("DELETE FROM deliveries WHERE session_id = $1").bind(id.to_string()).execute(&mut *work).await?;
        let deleted = Deleted {
            verdict: !verdict.is_empty(),
            images: u32::try_from(objects.len()).unwrap_or(u32::MAX),
            media,
            was_open: State::of_number(state).is_ok_and(|state| !state.has_ended()),
            vendors: read.vendor_results.iter().filter_map(holding).collect(),
            objects,
        };
        let detail = format!(
            "verdict={} images={} media={} vendors={}",
            u8::from(deleted.verdict),
            deleted.images,
            u8::from(deleted.media),
            deleted.vendors.len()
        );
        let line = AuditLine { detail, ..AuditLine::of_session(AuditEvent::Deleted, owner, id, &policy) };
        audit::append(&mut *work, &line, now).await?;
        work.commit().await?;
        Ok(Some(deleted))
    }

    /// Removes what is left of erased rows in the database's own files, as far as that can be done.
    ///
    /// SQLite overwrites what is deleted; its log of changes, where older content of pages may still be, is written into the database
    /// and emptied here. PostgreSQL is asked to clear the dead rows: old pages may stay in its own log and in backups for as long as
    /// those are kept, which is why images are encrypted under a key that is wrapped by one outside the database.
    ///
    /// # Errors
    /// [`StoreError::Database`]; [`StoreError::Residue`] where others use the log of changes without a pause.
    pub async fn erase_residue(&self) -> Result<(), StoreError> {
        match self.dialect() {
            Dialect::Sqlite => {
                for _ in 0..CHECKPOINTS {
                    let done = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(self.pool()).await?;
                    if done.try_get::<i64, _>(0)? == 0 {
                        return Ok(());
                    }
                }
                Err(StoreError::Residue)
            }
            Dialect::Postgres => {
                // Not in one text: several statements in one would be a transaction, in which VACUUM does not run.
                for table in ["VACUUM sessions", "VACUUM data_keys", "VACUUM jobs"] {
                    sqlx::raw_sql(table).execute(self.pool()).await?;
                }
                Ok(())
            }
        }
    }
}

/// What [`erase`] erased beside the session itself.
pub(super) struct Erased {
    /// Whether there was work to be done on it.
    pub(super) media: bool,
    /// The files of its images.
    pub(super) objects: Vec<String>,
}

/// Erases what belongs to a session whose row the caller has deleted: its token, its work, the key of its images. The encrypted
/// files are left to be removed from now on.
pub(super) async fn erase(
    work: &mut Transaction<'static, Any>,
    id: Uuid,
    now: SystemTime,
) -> Result<Erased, StoreError> {
    let token = "DELETE FROM session_tokens WHERE session_id = $1";
    sqlx::query(token).bind(id.to_string()).execute(&mut **work).await?;
    let job = "DELETE FROM jobs WHERE session_id = $1";
    let job = sqlx::query(job).bind(id.to_string()).execute(&mut **work).await?;
    Ok(Erased { media: job.rows_affected() > 0, objects: erase_images(work, id, now).await? })
}

/// Erases the key of a session's images: this is their erasure. The encrypted files are left to be removed from now on.
pub(super) async fn erase_images(
    work: &mut Transaction<'static, Any>,
    id: Uuid,
    now: SystemTime,
) -> Result<Vec<String>, StoreError> {
    let key = "DELETE FROM data_keys WHERE session_id = $1";
    sqlx::query(key).bind(id.to_string()).execute(&mut **work).await?;
    let images = "DELETE FROM images WHERE session_id = $1 RETURNING object";
    let objects: Vec<String> = sqlx::query_scalar(images).bind(id.to_string()).fetch_all(&mut **work).await?;
    for object in &objects {
        let orphan = "INSERT INTO orphans (object, session_id, due, attempts) VALUES ($1, $2, $3, 0) \
                      ON CONFLICT (object) DO NOTHING";
        let orphan = sqlx::query(orphan).bind(&**object).bind(id.to_string()).bind(millis(now));
        orphan.execute(&mut **work).await?;
    }
    Ok(objects)
}

/// What a vendor may hold; `None` where it was shown nothing.
fn holding(result: &v1::VendorResult) -> Option<VendorHolding> {
    let named = [&result.reference, &result.request_id].into_iter().find(|name| !name.is_empty());
    let shown = result.attempts > 0 || named.is_some() || result.proof.is_some();
    shown.then(|| VendorHolding {
        vendor: result.vendor.clone(),
        reference: named.cloned().unwrap_or_default(),
        shows_picture: result.proof.is_some(),
    })
}
