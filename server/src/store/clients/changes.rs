//! Changes of who may call. Each is one transaction with its line in the audit log, so that there is no change without its line.

use std::time::SystemTime;

use sqlx::{Any, Transaction};

use super::{ClientError, MAX_POLICY, SecretRow, hex, is_client_id};
use crate::{
    access::identity,
    store::{AuditEvent, AuditLine, Store, StoreError, audit, millis},
};

/// A client to be added.
#[derive(Clone)]
pub struct NewClient {
    /// See [`is_client_id`].
    pub id: String,
    /// The policies it may name; empty: all.
    pub policies: Vec<String>,
    /// Checks it may make in a minute; 0: no limit.
    pub per_minute: u64,
    /// Checks it may make in a day (UTC); 0: no limit.
    pub per_day: u64,
    /// The hash of its first secret, and when that stops working.
    pub secret: Option<([u8; 32], Option<SystemTime>)>,
    /// Names in certificates that it comes by.
    pub identities: Vec<String>,
    /// Where verdicts are announced; empty: nowhere.
    pub webhook_url: String,
    /// The key of announcements, sealed for [`super::webhook_context`]; empty: none.
    pub webhook_key: Vec<u8>,
}

impl NewClient {
    /// A client that may name every policy as often as it likes, and as yet has nothing to come by.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            policies: Vec::new(),
            per_minute: 0,
            per_day: 0,
            secret: None,
            identities: Vec::new(),
            webhook_url: String::new(),
            webhook_key: Vec::new(),
        }
    }
}

impl Store {
    /// Adds a client with all that it has.
    ///
    /// # Errors
    /// [`ClientError`]; then nothing was added.
    pub async fn add_client(&self, new: &NewClient, now: SystemTime) -> Result<(), ClientError> {
        if !is_client_id(&new.id) {
            return Err(ClientError::Id);
        }
        if !new.policies.iter().all(|policy| (1..=MAX_POLICY).contains(&policy.len())) {
            return Err(ClientError::Policy);
        }
        let policies = serde_json::to_string(&new.policies).map_err(|_| ClientError::Policy)?;
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let mut tx = self.begin().await?;
        let text = "INSERT INTO clients (id, created, revoked, policies, per_minute, per_day, webhook_url, webhook_key) \
                    VALUES ($1, $2, 0, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING";
        let added = sqlx::query(text)
            .bind(&new.id)
            .bind(millis(now))
            .bind(policies)
            .bind(count(new.per_minute))
            .bind(count(new.per_day))
            .bind(&new.webhook_url)
            .bind(new.webhook_key.clone())
            .execute(&mut *tx)
            .await?;
        if added.rows_affected() == 0 {
            return Err(ClientError::Taken);
        }
        audit(&mut tx, now, &new.id, AuditEvent::ClientAdded, "").await?;
        if let Some((hash, expires)) = &new.secret {
            insert_secret(&mut tx, &new.id, hash, *expires, now).await?;
        }
        for identity in &new.identities {
            insert_identity(&mut tx, &new.id, identity, now).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Shuts a client out, at once and for good: its secrets, access tokens and names in certificates open nothing any more, and nothing is
    /// announced to it. Its sessions stay until they expire.
    ///
    /// # Errors
    /// [`ClientError::Unknown`], or the store's.
    pub async fn revoke_client(&self, id: &str, now: SystemTime) -> Result<(), ClientError> {
        let mut tx = self.hold(id).await?;
        let text = "UPDATE clients SET revoked = $2, webhook_url = '', webhook_key = $3 WHERE id = $1";
        sqlx::query(text).bind(id).bind(millis(now)).bind(Vec::<u8>::new()).execute(&mut *tx).await?;
        let text = "UPDATE client_secrets SET revoked = $2 WHERE client = $1 AND revoked = 0";
        sqlx::query(text).bind(id).bind(millis(now)).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM access_tokens WHERE client = $1").bind(id).execute(&mut *tx).await?;
        // The certificate may be another client's from now on.
        sqlx::query("DELETE FROM client_identities WHERE client = $1").bind(id).execute(&mut *tx).await?;
        audit(&mut tx, now, id, AuditEvent::ClientRevoked, "").await?;
        Ok(tx.commit().await?)
    }

    /// Adds a secret beside those that the client has.
    ///
    /// # Errors
    /// [`ClientError::Unknown`], or the store's.
    pub async fn add_secret(
        &self,
        id: &str,
        hash: &[u8; 32],
        expires: Option<SystemTime>,
        now: SystemTime,
    ) -> Result<(), ClientError> {
        let mut tx = self.hold(id).await?;
        insert_secret(&mut tx, id, hash, expires, now).await?;
        Ok(tx.commit().await?)
    }

    /// Adds a secret in place of those that the client has. They work until `until`, so that a client can be told of the new one in the
    /// meantime; where that is now, they are revoked. The prefixes of those that this ends.
    ///
    /// # Errors
    /// [`ClientError::Unknown`], or the store's.
    pub async fn rotate_secret(
        &self,
        id: &str,
        hash: &[u8; 32],
        expires: Option<SystemTime>,
        until: SystemTime,
        now: SystemTime,
    ) -> Result<Vec<String>, ClientError> {
        let mut tx = self.hold(id).await?;
        let mut ended = Vec::new();
        for secret in secrets(&mut tx, id).await?.iter().filter(|secret| secret.works(now)) {
            let prefix = secret.prefix();
            if until <= now {
                revoke(&mut tx, secret, now).await?;
            } else if secret.expires.is_none_or(|expires| until < expires) {
                let text = "UPDATE client_secrets SET expires = $2 WHERE hash = $1";
                sqlx::query(text).bind(secret.hash.to_vec()).bind(millis(until)).execute(&mut *tx).await?;
                let grace = until.duration_since(now).unwrap_or_default().as_secs();
                audit(&mut tx, now, id, AuditEvent::SecretRevoked, &format!("{prefix} in {grace} s")).await?;
            }
            ended.push(prefix);
        }
        insert_secret(&mut tx, id, hash, expires, now).await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// Revokes the one secret in use whose hash begins with these hexadecimal digits, and with it the access tokens that it was shown for.
    ///
    /// # Errors
    /// [`ClientError::SecretUnknown`], [`ClientError::SecretAmbiguous`], [`ClientError::Unknown`], or the store's.
    pub async fn revoke_secret(&self, id: &str, prefix: &str, now: SystemTime) -> Result<(), ClientError> {
        let mut tx = self.hold(id).await?;
        let prefix = prefix.to_ascii_lowercase();
        let mut found = secrets(&mut tx, id).await?;
        found.retain(|secret| secret.revoked.is_none() && !prefix.is_empty() && hex(&secret.hash).starts_with(&prefix));
        let secret = match found.as_slice() {
            [] => return Err(ClientError::SecretUnknown),
            [secret] => secret,
            [_, _, ..] => return Err(ClientError::SecretAmbiguous),
        };
        revoke(&mut tx, secret, now).await?;
        Ok(tx.commit().await?)
    }

    /// Adds a name in certificates that the client comes by; see [`identity`].
    ///
    /// # Errors
    /// [`ClientError::Identity`], [`ClientError::IdentityTaken`], [`ClientError::Unknown`], or the store's.
    pub async fn add_identity(&self, id: &str, name: &str, now: SystemTime) -> Result<(), ClientError> {
        let mut tx = self.hold(id).await?;
        insert_identity(&mut tx, id, name, now).await?;
        Ok(tx.commit().await?)
    }

    /// Sets where verdicts are announced, and the key of announcements, sealed for [`super::webhook_context`]. An empty address: nowhere.
    ///
    /// # Errors
    /// [`ClientError::Unknown`], or the store's.
    pub async fn set_webhook(&self, id: &str, url: &str, sealed: &[u8], now: SystemTime) -> Result<(), ClientError> {
        let mut tx = self.hold(id).await?;
        let text = "UPDATE clients SET webhook_url = $2, webhook_key = $3 WHERE id = $1";
        sqlx::query(text).bind(id).bind(url).bind(sealed.to_vec()).execute(&mut *tx).await?;
        audit(&mut tx, now, id, AuditEvent::WebhookSet, if url.is_empty() { "off" } else { "on" }).await?;
        Ok(tx.commit().await?)
    }

    /// Begins a change of a client that is not revoked. Writing its row, though nothing in it changes, keeps other changes of it waiting until this one
    /// is through: SQLite has no other way that PostgreSQL has too.
    async fn hold(&self, id: &str) -> Result<Transaction<'static, Any>, ClientError> {
        if !is_client_id(id) {
            return Err(ClientError::Unknown);
        }
        let mut tx = self.begin().await?;
        let text = "UPDATE clients SET revoked = revoked WHERE id = $1 AND revoked = 0";
        if sqlx::query(text).bind(id).execute(&mut *tx).await?.rows_affected() == 0 {
            return Err(ClientError::Unknown);
        }
        Ok(tx)
    }
}

async fn secrets(tx: &mut Transaction<'static, Any>, id: &str) -> Result<Vec<SecretRow>, StoreError> {
    let text = format!("SELECT {} FROM client_secrets s WHERE s.client = $1 ORDER BY s.created", super::SECRET_COLUMNS);
    let rows = sqlx::query(sqlx::AssertSqlSafe(text)).bind(id).fetch_all(&mut **tx).await?;
    rows.iter().map(SecretRow::read).collect()
}

async fn insert_secret(
    tx: &mut Transaction<'static, Any>,
    id: &str,
    hash: &[u8; 32],
    expires: Option<SystemTime>,
    now: SystemTime,
) -> Result<(), StoreError> {
    let text = "INSERT INTO client_secrets (hash, client, created, expires, revoked) VALUES ($1, $2, $3, $4, 0)";
    let expires = expires.map_or(0, millis);
    sqlx::query(text).bind(hash.to_vec()).bind(id).bind(millis(now)).bind(expires).execute(&mut **tx).await?;
    let secret = SecretRow { hash: *hash, client: id.to_owned(), created: now, expires: None, revoked: None };
    audit(tx, now, id, AuditEvent::SecretAdded, &secret.prefix()).await
}

async fn revoke(tx: &mut Transaction<'static, Any>, secret: &SecretRow, now: SystemTime) -> Result<(), StoreError> {
    let text = "UPDATE client_secrets SET revoked = $2 WHERE hash = $1";
    sqlx::query(text).bind(secret.hash.to_vec()).bind(millis(now)).execute(&mut **tx).await?;
    let text = "DELETE FROM access_tokens WHERE secret = $1";
    sqlx::query(text).bind(secret.hash.to_vec()).execute(&mut **tx).await?;
    audit(tx, now, &secret.client, AuditEvent::SecretRevoked, &secret.prefix()).await
}

async fn insert_identity(
    tx: &mut Transaction<'static, Any>,
    id: &str,
    name: &str,
    now: SystemTime,
) -> Result<(), ClientError> {
    let name = identity(name).ok_or(ClientError::Identity)?;
    let text = "INSERT INTO client_identities (identity, client) VALUES ($1, $2) ON CONFLICT (identity) DO NOTHING";
    if sqlx::query(text).bind(&name).bind(id).execute(&mut **tx).await?.rows_affected() == 0 {
        let text = "SELECT client FROM client_identities WHERE identity = $1";
        let owner: Option<String> = sqlx::query_scalar(text).bind(&name).fetch_optional(&mut **tx).await?;
        return if owner.as_deref() == Some(id) { Ok(()) } else { Err(ClientError::IdentityTaken) };
    }
    // The name may be a person's; its kind is not.
    let kind = name.split(':').next().unwrap_or_default();
    Ok(audit(tx, now, id, AuditEvent::IdentityAdded, kind).await?)
}

async fn audit(
    tx: &mut Transaction<'static, Any>,
    now: SystemTime,
    owner: &str,
    event: AuditEvent,
    detail: &str,
) -> Result<(), StoreError> {
    let line = AuditLine { detail: detail.to_owned(), ..AuditLine::of_client(event, owner) };
    audit::append(&mut **tx, &line, now).await
}
