//! Answers remembered by `request_id` (AIP-155), on all servers that share the store: a repeated call gets the first answer again.
//!
//! Of two equal calls at the same time the second waits for the first and shares its answer; if the first fails, is given up or is
//! lost with its server, the second does the work itself. Failures are not remembered: repeating a failed call is the
//! point of it.
//!
//! The row's key is a hash of the id, and the answer is sealed under the id, which is in the store nowhere: only who repeats the call
//! can have it read. A client whose ids can be guessed gives that up.

use std::{
    future::Future,
    time::{Duration, SystemTime},
};

use sha2::{Digest, Sha256};
use sqlx::Row as _;
use uuid::Uuid;

use super::{Store, StoreError, millis};
use crate::{
    keys::SealKey,
    sessions::{Clock, ContentHash},
};

/// What the key of an answer is derived for.
const PURPOSE: &str = "remembered answer";

/// The first and the longest pause between two looks at whether another call has answered. Most answers take a fraction of a second.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// How many leases a call waits: long enough to see one other call be lost and a second one answer.
const PATIENCE: u32 = 2;

/// Where an answer is remembered.
#[derive(Debug, Clone, Copy)]
pub struct Slot<'a> {
    /// Whose call it is.
    pub owner: &'a str,
    /// Which method.
    pub method: &'a str,
    /// The id of the call.
    pub request_id: Uuid,
    /// Answers remembered for this owner at most; the oldest go when there are more.
    pub limit: u32,
}

impl Slot<'_> {
    fn key(&self) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(b"lifesign request");
        for text in [self.owner, self.method] {
            hash.update(text.len().to_be_bytes());
            hash.update(text);
        }
        hash.update(self.request_id.as_bytes());
        hash.finalize().into()
    }

    fn seals(&self) -> SealKey {
        SealKey::derived(self.request_id.as_bytes(), PURPOSE)
    }
}

/// Why a remembered call gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum MemoError<E> {
    /// The id was used for another request.
    #[error("this request_id was used with other content")]
    Reused,
    /// An equal call is at work and has not answered in time.
    #[error("an equal call is still at work")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// The call itself failed.
    #[error("{0}")]
    Call(E),
}

impl<E> From<StoreError> for MemoError<E> {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What is known of a slot.
enum Known {
    /// The slot is this call's: it does the work.
    Ours(Claim),
    /// Another call has answered.
    Answer(Vec<u8>),
    /// Another call is at work.
    AtWork,
    /// The slot was freed just now: look again.
    Gone,
    /// It holds other content.
    Other,
}

impl Store {
    /// The remembered answer of this slot, or that of `call`, which is then remembered until `expires`. A call that has not answered
    /// within `lease` counts as lost, and the next equal one does the work: it must be longer than any call takes.
    ///
    /// Servers compare `lease` by their own clocks, which should agree to within a fraction of it.
    ///
    /// # Errors
    /// [`MemoError`].
    pub async fn remembered<E, C, F>(
        &self,
        slot: Slot<'_>,
        content: ContentHash,
        lease: Duration,
        expires: SystemTime,
        clock: &Clock,
        call: C,
    ) -> Result<Vec<u8>, MemoError<E>>
    where
        C: FnOnce() -> F,
        F: Future<Output = Result<Vec<u8>, E>>,
    {
        let key = slot.key();
        let context = [key, content].concat();
        let (patience, mut pause) = (clock.now() + lease * PATIENCE, PAUSE.0);
        let claim = loop {
            let now = clock.now();
            match self.look(&slot, key, content, (now + lease, expires), now).await? {
                Known::Ours(claim) => break claim,
                Known::Answer(sealed) => {
                    let unreadable = |_| StoreError::Unreadable("remembered.answer");
                    return Ok(slot.seals().open(&context, &sealed).map_err(unreadable)?);
                }
                Known::Other => return Err(MemoError::Reused),
                Known::Gone => {}
                Known::AtWork if now >= patience => return Err(MemoError::Busy),
                Known::AtWork => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
        };
        match call().await {
            Ok(answer) => {
                // The work is done. Should it not be remembered, the caller has its answer all the same: an error would only
                // make it repeat the work sooner.
                let kept = match slot.seals().seal(&context, &answer) {
                    Ok(sealed) => claim.keep(sealed).await,
                    Err(error) => Err(StoreError::Keys(error)),
                };
                if let Err(error) = kept {
                    tracing::warn!(%error, method = slot.method, "an answer could not be remembered");
                }
                Ok(answer)
            }
            Err(error) => {
                claim.free().await;
                Err(MemoError::Call(error))
            }
        }
    }

    /// Takes the slot, or says who has it.
    async fn look(
        &self,
        slot: &Slot<'_>,
        key: [u8; 32],
        content: ContentHash,
        (lease, expires): (SystemTime, SystemTime),
        now: SystemTime,
    ) -> Result<Known, StoreError> {
        let (key, lease, expires) = (key.to_vec(), millis(lease), millis(expires));
        let claimed = || Known::Ours(Claim { store: self.clone(), key: key.clone(), lease, held: true });
        let take = "INSERT INTO remembered (key, owner, content, answer, lease, expires) VALUES ($1, $2, $3, $4, $5, $6) \
                    ON CONFLICT (key) DO NOTHING";
        let taken = sqlx::query(take).bind(key.clone()).bind(slot.owner).bind(content.to_vec());
        let taken = taken.bind(Vec::<u8>::new()).bind(lease).bind(expires).execute(self.pool()).await?;
        if taken.rows_affected() == 1 {
            let claim = claimed();
            self.make_room(slot, &key).await?;
            return Ok(claim);
        }
        let found = "SELECT content, answer, lease, expires FROM remembered WHERE key = $1";
        let Some(row) = sqlx::query(found).bind(key.clone()).fetch_optional(self.pool()).await? else {
            return Ok(Known::Gone);
        };
        let (written, answer): (Vec<u8>, Vec<u8>) = (row.try_get("content")?, row.try_get("answer")?);
        let (held, ends): (i64, i64) = (row.try_get("lease")?, row.try_get("expires")?);
        if ends <= millis(now) {
            let over = "DELETE FROM remembered WHERE key = $1 AND expires = $2";
            sqlx::query(over).bind(key.clone()).bind(ends).execute(self.pool()).await?;
            return Ok(Known::Gone);
        }
        if written != content {
            return Ok(Known::Other);
        }
        if !answer.is_empty() {
            return Ok(Known::Answer(answer));
        }
        if held > millis(now) {
            return Ok(Known::AtWork);
        }
        // The first call is lost. Of those that notice, one takes its place: the lease in the row is then another.
        let over = "UPDATE remembered SET lease = $1, expires = $2 WHERE key = $3 AND lease = $4 AND answer = $5";
        let over = sqlx::query(over).bind(lease).bind(expires).bind(key.clone()).bind(held).bind(Vec::<u8>::new());
        let over = over.execute(self.pool()).await?;
        Ok(if over.rows_affected() == 1 && lease != held { claimed() } else { Known::Gone })
    }

    /// Lets go of the owner's oldest answers where there are more than allowed with this one.
    async fn make_room(&self, slot: &Slot<'_>, key: &[u8]) -> Result<(), StoreError> {
        let oldest = "DELETE FROM remembered WHERE key IN (SELECT key FROM remembered WHERE owner = $1 AND key <> $2 \
                      ORDER BY expires DESC, key LIMIT 1000 OFFSET $3)";
        let others = i64::from(slot.limit.saturating_sub(1));
        let oldest = sqlx::query(oldest).bind(slot.owner).bind(key.to_vec()).bind(others);
        oldest.execute(self.pool()).await?;
        Ok(())
    }
}

/// A slot that this call works for. Dropped before it was kept or freed (the caller left, or the call panicked), it frees the
/// slot in the background; what is lost with the process is freed by the end of the lease.
struct Claim {
    store: Store,
    key: Vec<u8>,
    /// The lease in the row: with the key it tells this claim from a later one.
    lease: i64,
    held: bool,
}

impl Claim {
    /// Puts the answer where equal calls find it, unless another call has taken over meanwhile.
    async fn keep(mut self, sealed: Vec<u8>) -> Result<(), StoreError> {
        let keep = "UPDATE remembered SET answer = $1 WHERE key = $2 AND lease = $3";
        let keep = sqlx::query(keep).bind(sealed).bind(self.key.clone()).bind(self.lease);
        keep.execute(self.store.pool()).await?;
        self.held = false;
        Ok(())
    }

    /// Frees the slot; where that fails, the end of the lease does.
    async fn free(mut self) {
        if free(&self.store, &self.key, self.lease).await.is_ok() {
            self.held = false;
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.held {
            return;
        }
        let (store, key, lease) = (self.store.clone(), std::mem::take(&mut self.key), self.lease);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { free(&store, &key, lease).await });
        }
    }
}

async fn free(store: &Store, key: &[u8], lease: i64) -> Result<(), StoreError> {
    let free = "DELETE FROM remembered WHERE key = $1 AND lease = $2 AND answer = $3";
    let free = sqlx::query(free).bind(key.to_vec()).bind(lease).bind(Vec::<u8>::new());
    free.execute(store.pool()).await?;
    Ok(())
}
