//! API clients: who may call, with which secrets and names in certificates, how much, and where verdicts are announced to them.

mod changes;

use std::{fmt, sync::Arc, time::SystemTime};

use sqlx::{AssertSqlSafe, Row, any::AnyRow};

use super::{Store, StoreError, time};

pub use changes::NewClient;

/// Longest id of a client: an e-mail address is one, and they are seldom longer.
const MAX_ID: usize = 128;

/// Longest name of a policy that a client may be held to; the protocol's own bound.
const MAX_POLICY: usize = 64;

/// Hexadecimal digits by which people name a secret. With a few secrets a client, eight are never the same by chance.
const PREFIX_DIGITS: usize = 8;

/// A client's columns, as [`ClientRow::read`] takes them.
pub(super) const CLIENT_COLUMNS: &str = "c.id AS id, c.created AS created, c.revoked AS revoked, c.policies AS policies, \
     c.per_minute AS per_minute, c.per_day AS per_day, c.webhook_url AS webhook_url, c.webhook_key AS webhook_key";

/// A secret's columns, as [`SecretRow::read`] takes them.
pub(super) const SECRET_COLUMNS: &str = "s.hash AS secret_hash, s.client AS secret_client, s.created AS secret_created, \
     s.expires AS secret_expires, s.revoked AS secret_revoked";

/// A client.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientRow {
    /// Its name: it owns its sessions by it, so it is never given twice.
    pub id: String,
    /// When it was added.
    pub created: SystemTime,
    /// When it was shut out.
    pub revoked: Option<SystemTime>,
    /// The policies it may name; empty: all.
    pub policies: Arc<[String]>,
    /// Checks it may make in a minute; 0: no limit.
    pub per_minute: u64,
    /// Checks it may make in a day (UTC); 0: no limit.
    pub per_day: u64,
    /// Where verdicts are announced; empty: nowhere. Its query may hold a token, so it is not in `Debug`.
    pub webhook_url: String,
    /// The text `whsec_…` that the client was shown, sealed for [`webhook_context`]; empty: none.
    pub webhook_key: Vec<u8>,
}

impl fmt::Debug for ClientRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRow").field("id", &self.id).field("revoked", &self.revoked).finish_non_exhaustive()
    }
}

/// A secret of a client, of which the store knows the hash alone.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// The sha256 of the secret. The secret is 256 random bits: nobody guesses it with the hash in hand, so a hash that is slow on purpose,
    /// as passwords need, would only make each call slow.
    pub hash: [u8; 32],
    /// Whose it is.
    pub client: String,
    /// When it was made.
    pub created: SystemTime,
    /// When it stops working; `None`: never.
    pub expires: Option<SystemTime>,
    /// When it was revoked.
    pub revoked: Option<SystemTime>,
}

impl fmt::Debug for SecretRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretRow").field("prefix", &self.prefix()).finish_non_exhaustive()
    }
}

impl SecretRow {
    /// Whether it opens anything now.
    pub fn works(&self, now: SystemTime) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }

    /// The name that people call it by: the first digits of its hash.
    pub fn prefix(&self) -> String {
        let mut digits = hex(&self.hash);
        digits.truncate(PREFIX_DIGITS);
        digits
    }

    pub(super) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            hash: hash(row.try_get("secret_hash")?)?,
            client: row.try_get("secret_client")?,
            created: time(row.try_get("secret_created")?),
            expires: moment(row.try_get("secret_expires")?),
            revoked: moment(row.try_get("secret_revoked")?),
        })
    }
}

/// Why a client cannot be added or changed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No such id can be.
    #[error("a client's id is 1 to {MAX_ID} letters, digits and . _ @ + -")]
    Id,
    /// There was such a client, and it is not to be mistaken for another.
    #[error("there is or was a client of this id; ids are not given twice, since sessions belong to them")]
    Taken,
    /// There is none.
    #[error("there is no such client, or it has been revoked")]
    Unknown,
    /// No policy can have such a name.
    #[error("a policy's name has 1 to {MAX_POLICY} bytes")]
    Policy,
    /// No certificate has such a name.
    #[error(
        "an identity is dns:NAME, uri:URI, or sha256: and the 64 hexadecimal digits of a certificate's fingerprint"
    )]
    Identity,
    /// Another client comes by it.
    #[error("another client has this identity")]
    IdentityTaken,
    /// None of its secrets that is in use begins so.
    #[error("no secret in use has this prefix; `clients list` shows them")]
    SecretUnknown,
    /// More than one does.
    #[error("several secrets have this prefix: give more digits")]
    SecretAmbiguous,
    /// The store cannot say, or cannot write.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for ClientError {
    fn from(error: sqlx::Error) -> Self {
        ClientError::Store(error.into())
    }
}

/// Whether a client may have this id. None of these characters means anything in a header, a URL or a table.
pub fn is_client_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._@+-".contains(&byte);
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(allowed)
}

/// What a client's webhook key is sealed for, so that it cannot be put into another client's row.
pub fn webhook_context(id: &str) -> Vec<u8> {
    format!("webhook:{id}").into_bytes()
}

impl Store {
    /// A client, revoked ones too.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn client(&self, id: &str) -> Result<Option<ClientRow>, StoreError> {
        if !is_client_id(id) {
            return Ok(None);
        }
        let text = format!("SELECT {CLIENT_COLUMNS} FROM clients c WHERE c.id = $1");
        let row = sqlx::query(AssertSqlSafe(text)).bind(id).fetch_optional(self.pool()).await?;
        row.as_ref().map(ClientRow::read).transpose()
    }

    /// All clients by id, revoked ones too.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clients(&self) -> Result<Vec<ClientRow>, StoreError> {
        let text = format!("SELECT {CLIENT_COLUMNS} FROM clients c ORDER BY c.id");
        sqlx::query(AssertSqlSafe(text)).fetch_all(self.pool()).await?.iter().map(ClientRow::read).collect()
    }

    /// The secrets of a client, the oldest first, with those that work no more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn secrets(&self, client: &str) -> Result<Vec<SecretRow>, StoreError> {
        let text =
            format!("SELECT {SECRET_COLUMNS} FROM client_secrets s WHERE s.client = $1 ORDER BY s.created, s.hash");
        let rows = sqlx::query(AssertSqlSafe(text)).bind(client).fetch_all(self.pool()).await?;
        rows.iter().map(SecretRow::read).collect()
    }

    /// The names in certificates that a client comes by.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn identities(&self, client: &str) -> Result<Vec<String>, StoreError> {
        let text = "SELECT identity FROM client_identities WHERE client = $1 ORDER BY identity";
        Ok(sqlx::query_scalar(text).bind(client).fetch_all(self.pool()).await?)
    }

    /// The client with this secret, and the secret. Whether they are still good is for the caller to say.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_by_secret(&self, hash: &[u8; 32]) -> Result<Option<(ClientRow, SecretRow)>, StoreError> {
        let text = format!(
            "SELECT {CLIENT_COLUMNS}, {SECRET_COLUMNS} \
             FROM client_secrets s JOIN clients c ON c.id = s.client WHERE s.hash = $1"
        );
        let row = sqlx::query(AssertSqlSafe(text)).bind(hash.to_vec()).fetch_optional(self.pool()).await?;
        row.as_ref().map(|row| Ok((ClientRow::read(row)?, SecretRow::read(row)?))).transpose()
    }

    /// The client that comes by this name in a certificate, written as [`crate::access::identity`] writes it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_by_identity(&self, identity: &str) -> Result<Option<ClientRow>, StoreError> {
        let text = format!(
            "SELECT {CLIENT_COLUMNS} FROM client_identities i JOIN clients c ON c.id = i.client WHERE i.identity = $1"
        );
        let row = sqlx::query(AssertSqlSafe(text)).bind(identity).fetch_optional(self.pool()).await?;
        row.as_ref().map(ClientRow::read).transpose()
    }
}

impl ClientRow {
    pub(super) fn read(row: &AnyRow) -> Result<Self, StoreError> {
        // A list that cannot be read must not become the empty one, which allows everything.
        let policies: String = row.try_get("policies")?;
        let policies: Vec<String> =
            serde_json::from_str(&policies).map_err(|_| StoreError::Unreadable("the policies of a client"))?;
        let count = |count: i64| u64::try_from(count).map_err(|_| StoreError::Unreadable("the quota of a client"));
        Ok(Self {
            id: row.try_get("id")?,
            created: time(row.try_get("created")?),
            revoked: moment(row.try_get("revoked")?),
            policies: policies.into(),
            per_minute: count(row.try_get("per_minute")?)?,
            per_day: count(row.try_get("per_day")?)?,
            webhook_url: row.try_get("webhook_url")?,
            webhook_key: row.try_get("webhook_key")?,
        })
    }
}

/// A time that may be none.
fn moment(millis: i64) -> Option<SystemTime> {
    (millis != 0).then(|| time(millis))
}

pub(super) fn hash(bytes: Vec<u8>) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Unreadable("a hash"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
