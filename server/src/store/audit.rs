//! The audit log: what was decided and erased, and when, without anything personal. Lines are added and never changed; triggers in
//! the database refuse anything else.

use std::time::SystemTime;

use lifesign_proto::v1;
use sqlx::{Any, Executor, Row as _, any::AnyRow};
use uuid::Uuid;

use super::{Store, StoreError, millis, time};

/// Lines that are read at a time, at most.
const MAX_LINES: u32 = 1000;

/// What a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditEvent {
    /// A session ended with a verdict.
    Decided,
    /// A backend cancelled a session.
    Cancelled,
    /// A session ended without a verdict.
    Expired,
    /// A session and what belongs to it was erased because its time was over.
    Forgotten,
    /// A session and what belongs to it was erased because its owner said so.
    Deleted,
    /// An API client was added.
    ClientAdded,
    /// An API client was revoked.
    ClientRevoked,
    /// A client got another secret.
    SecretAdded,
    /// A client's secret was revoked, or was given an end.
    SecretRevoked,
    /// A client may come by another name in a certificate.
    IdentityAdded,
    /// Where a client's verdicts are announced was set.
    WebhookSet,
}

impl AuditEvent {
    /// Its name in the log.
    pub const fn name(self) -> &'static str {
        match self {
            AuditEvent::Decided => "decided",
            AuditEvent::Cancelled => "cancelled",
            AuditEvent::Expired => "expired",
            AuditEvent::Forgotten => "forgotten",
            AuditEvent::Deleted => "deleted",
            AuditEvent::ClientAdded => "client_added",
            AuditEvent::ClientRevoked => "client_revoked",
            AuditEvent::SecretAdded => "secret_added",
            AuditEvent::SecretRevoked => "secret_revoked",
            AuditEvent::IdentityAdded => "identity_added",
            AuditEvent::WebhookSet => "webhook_set",
        }
    }
}

/// A line to add. There is no place in it for the caller's reference, a score or a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// What happened.
    pub event: AuditEvent,
    /// The API client that it happened to; empty where callers are not told apart.
    pub owner: String,
    /// The session; empty where it is about none.
    pub session_id: String,
    /// The policy's name; empty: none.
    pub policy: String,
    /// The version of the policy that decided; empty: none.
    pub policy_version: String,
    /// The model pack that judged, `ID VERSION`; empty: none.
    pub pack: String,
    /// ACCEPT, REJECT, RETRY, REVIEW or INDETERMINATE; empty: nothing was decided.
    pub decision: String,
    /// Codes and counts, such as the verdict's reasons.
    pub detail: String,
}

impl AuditLine {
    /// A line about a client.
    pub fn of_client(event: AuditEvent, owner: &str) -> Self {
        let owner = owner.to_owned();
        let [session_id, policy, policy_version, pack, decision, detail] = Default::default();
        Self { event, owner, session_id, policy, policy_version, pack, decision, detail }
    }

    /// A line about a session.
    pub fn of_session(event: AuditEvent, owner: &str, id: Uuid, policy: &str) -> Self {
        let (session_id, policy) = (id.to_string(), policy.to_owned());
        Self { session_id, policy, ..Self::of_client(event, owner) }
    }

    /// The line of a verdict on media of which nothing is kept.
    pub fn of_check(owner: &str, policy: &str, verdict: &v1::Verdict) -> Self {
        Self { session_id: String::new(), ..Self::of_verdict(owner, Uuid::nil(), policy, verdict) }
    }

    /// The line of a verdict: what decided, what it decided, and the codes of its reasons.
    pub(super) fn of_verdict(owner: &str, id: Uuid, policy: &str, verdict: &v1::Verdict) -> Self {
        let reasons: Vec<&str> = verdict.reasons.iter().map(|reason| reason.code.as_str()).collect();
        let decided = verdict.decision().as_str_name();
        Self {
            policy_version: verdict.policy.as_ref().map(|policy| policy.version.clone()).unwrap_or_default(),
            pack: verdict.pack.as_ref().map(|pack| format!("{} {}", pack.id, pack.version)).unwrap_or_default(),
            decision: decided.strip_prefix("DECISION_").unwrap_or(decided).to_owned(),
            detail: reasons.join(" "),
            ..Self::of_session(AuditEvent::Decided, owner, id, policy)
        }
    }
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number: it rises, with gaps.
    pub seq: i64,
    /// When it was written.
    pub at: SystemTime,
    /// [`AuditEvent::name`], or the name of one that a later version knows.
    pub event: String,
    /// As in [`AuditLine`], as are those that follow.
    pub owner: String,
    /// The session.
    pub session_id: String,
    /// The policy's name.
    pub policy: String,
    /// Its version.
    pub policy_version: String,
    /// The model pack.
    pub pack: String,
    /// The decision.
    pub decision: String,
    /// Codes and counts.
    pub detail: String,
}

impl Store {
    /// Adds a line.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn append_audit(&self, line: &AuditLine, now: SystemTime) -> Result<(), StoreError> {
        append(self.pool(), line, now).await
    }

    /// The lines after this number, in order, at most `limit` and never more than a thousand. With several servers a line may
    /// appear a moment after one with a higher number: whoever follows the log looks back a little.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn audit_lines(&self, after_seq: i64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let lines = "SELECT seq, at, owner, event, session_id, policy, policy_version, pack, decision, detail \
                     FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2";
        let limit = i64::from(limit.min(MAX_LINES));
        let rows = sqlx::query(lines).bind(after_seq).bind(limit).fetch_all(self.pool()).await?;
        rows.iter().map(read).collect()
    }
}

/// Adds a line, in a transaction or by itself.
pub(super) async fn append<'c>(
    to: impl Executor<'c, Database = Any>,
    line: &AuditLine,
    now: SystemTime,
) -> Result<(), StoreError> {
    let added = "INSERT INTO audit (at, owner, event, session_id, policy, policy_version, pack, decision, detail) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let query = sqlx::query(added).bind(millis(now)).bind(&*line.owner).bind(line.event.name());
    let query = query.bind(&*line.session_id).bind(&*line.policy).bind(&*line.policy_version);
    query.bind(&*line.pack).bind(&*line.decision).bind(&*line.detail).execute(to).await?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<AuditRow, StoreError> {
    Ok(AuditRow {
        seq: row.try_get("seq")?,
        at: time(row.try_get("at")?),
        event: row.try_get("event")?,
        owner: row.try_get("owner")?,
        session_id: row.try_get("session_id")?,
        policy: row.try_get("policy")?,
        policy_version: row.try_get("policy_version")?,
        pack: row.try_get("pack")?,
        decision: row.try_get("decision")?,
        detail: row.try_get("detail")?,
    })
}
