//! Access tokens: each stands for a client's secret for a while, and falls with it.

use std::time::SystemTime;

use sqlx::{AssertSqlSafe, Row};

use super::{
    Store, StoreError,
    clients::{CLIENT_COLUMNS, ClientRow, SECRET_COLUMNS, SecretRow, hash},
    millis, time,
};
use crate::access::Scheme;

/// A token, and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// The sha256 of its text.
    pub hash: [u8; 32],
    /// When it stops working.
    pub expires: SystemTime,
    /// Whose it is.
    pub client: ClientRow,
    /// What it was issued for.
    pub secret: SecretRow,
}

impl TokenRow {
    /// Whether it opens anything now: only while the client and the secret do.
    pub fn works(&self, now: SystemTime) -> bool {
        now < self.expires && self.client.revoked.is_none() && self.secret.works(now)
    }
}

impl Store {
    /// Keeps a token that was issued for this secret of this client.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_token(
        &self,
        token: &[u8; 32],
        secret: &SecretRow,
        scheme: Scheme,
        expires: SystemTime,
    ) -> Result<(), StoreError> {
        let text = "INSERT INTO access_tokens (hash, client, secret, scheme, expires) VALUES ($1, $2, $3, $4, $5)";
        sqlx::query(text)
            .bind(token.to_vec())
            .bind(&secret.client)
            .bind(secret.hash.to_vec())
            .bind(scheme.name())
            .bind(millis(expires))
            .execute(self.pool())
            .await?;
        Ok(())
    }

    /// The token of this hash and scheme. Whether it is still good is for the caller to say.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_token(&self, token: &[u8; 32], scheme: Scheme) -> Result<Option<TokenRow>, StoreError> {
        let text = format!(
            "SELECT {CLIENT_COLUMNS}, {SECRET_COLUMNS}, t.hash AS token_hash, t.expires AS token_expires \
             FROM access_tokens t JOIN client_secrets s ON s.hash = t.secret AND s.client = t.client \
             JOIN clients c ON c.id = t.client WHERE t.hash = $1 AND t.scheme = $2"
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind(token.to_vec()).bind(scheme.name());
        let Some(row) = query.fetch_optional(self.pool()).await? else { return Ok(None) };
        Ok(Some(TokenRow {
            hash: hash(row.try_get("token_hash")?)?,
            expires: time(row.try_get("token_expires")?),
            client: ClientRow::read(&row)?,
            secret: SecretRow::read(&row)?,
        }))
    }
}
