//! Deepvue's credentials on a request: a token that lives until a time the vendor names, and the API key.

use std::time::{Duration, Instant, SystemTime};

use ::http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;

use super::{
    config::{AuthorizeEncoding, DeepvueConfig},
    convert,
};
use crate::{
    http::{
        Answered, Call, CallError, ErrorKind, HttpClient, Part, Payload, Repeat, Reply, Secret, SecretError, secret,
    },
    vendors::{
        BoxFuture, ConnectError, VendorError,
        settings::endpoint,
        token::{Fresh, TokenCache},
    },
};

/// The credentials, ready for use.
#[derive(Debug)]
pub(super) struct Auth {
    authorize: Call,
    key: HeaderValue,
    margin: Duration,
    ttl: Duration,
    tokens: TokenCache,
}

impl Auth {
    /// The credentials that the settings name.
    pub(super) fn new(config: &DeepvueConfig) -> Result<Self, ConnectError> {
        const SETTING: &str = "client_secret";
        let word = secret(SETTING, config.client_secret.as_ref(), config.client_secret_file.as_deref())?;
        let mut key =
            HeaderValue::from_str(word.expose()).map_err(|_| SecretError::Malformed { setting: SETTING.to_owned() })?;
        key.set_sensitive(true);
        let (id, word) = (config.client_id.as_str(), word.expose());
        let payload = match config.authorize_encoding {
            AuthorizeEncoding::Urlencoded => Ok(Payload::form(&[("client_id", id), ("client_secret", word)])),
            AuthorizeEncoding::Multipart => {
                Payload::multipart(vec![Part::text("client_id", id), Part::text("client_secret", word)])
            }
        };
        Ok(Self {
            authorize: Call {
                method: Method::POST,
                url: endpoint(&config.base_url, "authorize_path", &config.authorize_path)?,
                headers: HeaderMap::new(),
                payload: payload.map_err(|error| ConnectError::Setting(format!("client_id: {error}")))?,
                repeat: Repeat::Safe,
            },
            key,
            margin: Duration::from_millis(config.refresh_margin_ms),
            ttl: Duration::from_millis(config.token_ttl_ms),
            tokens: TokenCache::default(),
        })
    }

    /// Makes a call with the credentials on it.
    pub(super) async fn call<T>(
        &self,
        http: &HttpClient,
        stage: &'static str,
        mut call: Call,
        deadline: Instant,
        read: impl Fn(&Reply) -> Result<T, ErrorKind>,
    ) -> Result<Answered<T>, VendorError> {
        call.headers.insert(HeaderName::from_static("x-api-key"), self.key.clone());
        self.tokens.call(http, (stage, call), deadline, || self.fetch(http, deadline), read).await
    }

    /// Sees whether Deepvue gives a token now.
    pub(super) async fn renew(&self, http: &HttpClient, deadline: Instant) -> Result<(), CallError> {
        self.tokens.renew(deadline, self.fetch(http, deadline)).await
    }

    fn fetch<'a>(&'a self, http: &'a HttpClient, deadline: Instant) -> BoxFuture<'a, Result<Fresh, CallError>> {
        Box::pin(async move {
            let (token, expiry) = http.call(&self.authorize, deadline, convert::token).await?.value;
            let lasts = lasts(expiry.as_deref(), SystemTime::now(), self.margin, self.ttl);
            Ok(Fresh { token: Secret::new(token), lasts })
        })
    }
}

/// How long a token is used that ends at `expiry`; `otherwise` where that says nothing. Zero where it has ended by this
/// machine's clock: it is used for the calls that waited for it and for no others.
fn lasts(expiry: Option<&str>, now: SystemTime, margin: Duration, otherwise: Duration) -> Duration {
    let end = expiry.and_then(|text| text.parse::<Timestamp>().ok());
    match end.and_then(|end| SystemTime::try_from(end).ok()) {
        Some(end) => end.duration_since(now).unwrap_or_default().saturating_sub(margin),
        None => otherwise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_used_until_a_margin_before_its_end() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_746_057_599); // 2025-04-30T23:59:59Z
        let (margin, otherwise) = (Duration::from_secs(300), Duration::from_secs(3600));
        for (expiry, seconds) in [
            (Some("2025-05-01T23:59:59Z"), 86_400 - 300),
            (Some("2025-05-02T05:29:59+05:30"), 86_400 - 300),
            (Some("2025-05-01T23:59:59.000000Z"), 86_400 - 300),
            (Some("2025-05-01T00:00:00Z"), 0),
            (Some("2025-04-30T23:59:59Z"), 0),
            (Some("1970-01-01T00:00:00Z"), 0),
            // Without an offset it is no time that could be compared with ours.
            (Some("2025-05-01T23:59:59"), 3600),
            (Some("2025-05-01"), 3600),
            (Some("86400"), 3600),
            (Some(""), 3600),
            (Some("string"), 3600),
            (None, 3600),
        ] {
            assert_eq!(lasts(expiry, now, margin, otherwise), Duration::from_secs(seconds), "{expiry:?}");
        }
    }
}
