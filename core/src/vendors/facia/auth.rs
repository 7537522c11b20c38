//! FACIA's credentials on a request: a token of the client's own making, or a header that stays.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header::AUTHORIZATION};
use serde_json::json;

use super::{
    config::{FaciaConfig, Scheme},
    convert,
};
use crate::{
    http::{Answered, Call, CallError, ErrorKind, HttpClient, Payload, Repeat, Reply, Secret, SecretError, secret},
    vendors::{
        BoxFuture, ConnectError, VendorError,
        settings::endpoint,
        token::{Fresh, TokenCache},
    },
};

/// The credentials, ready for use.
#[derive(Debug)]
pub(super) enum Auth {
    /// A token is asked for with this call and used for this long.
    Login(Box<Login>),
    /// A header that stays as it is.
    Header(HeaderName, HeaderValue),
}

/// How to get a token.
#[derive(Debug)]
pub(super) struct Login {
    call: Call,
    lasts: Duration,
    tokens: TokenCache,
}

impl Auth {
    /// The credentials that the settings name.
    pub(super) fn new(config: &FaciaConfig) -> Result<Self, ConnectError> {
        let client_secret =
            || secret("client_secret", config.client_secret.as_ref(), config.client_secret_file.as_deref());
        match config.auth {
            Scheme::Token => {
                let body = match (text(&config.client_id), text(&config.email)) {
                    (Some(id), None) => {
                        if config.client_id_key.is_empty() || config.client_id_key == config.client_secret_key {
                            let what = "client_id_key: must be neither empty nor the same as client_secret_key";
                            return Err(ConnectError::Setting(what.to_owned()));
                        }
                        json!({&config.client_id_key: id, &config.client_secret_key: client_secret()?.expose()})
                    }
                    (None, Some(email)) => {
                        let word = secret("password", config.password.as_ref(), config.password_file.as_deref())?;
                        json!({"email": email, "password": word.expose()})
                    }
                    (Some(_), Some(_)) => {
                        let what = "client_id and email are both set; set one of them";
                        return Err(ConnectError::Setting(what.to_owned()));
                    }
                    (None, None) => {
                        let what = "neither client_id nor email is set; auth = \"token\" needs one of them";
                        return Err(ConnectError::Setting(what.to_owned()));
                    }
                };
                let payload =
                    Payload::json(&body).map_err(|error| ConnectError::Setting(format!("client_id: {error}")))?;
                Ok(Auth::Login(Box::new(Login {
                    call: Call {
                        method: Method::POST,
                        url: endpoint(&config.base_url, "token_path", &config.token_path)?,
                        headers: HeaderMap::new(),
                        payload,
                        repeat: Repeat::Safe,
                    },
                    lasts: Duration::from_millis(config.token_ttl_ms),
                    tokens: TokenCache::default(),
                })))
            }
            Scheme::ClientSecretHeader => Ok(Auth::Header(
                HeaderName::from_static("client-secret"),
                value("client_secret", "", &client_secret()?)?,
            )),
            Scheme::Bearer => {
                let token = secret("token", config.token.as_ref(), config.token_file.as_deref())?;
                Ok(Auth::Header(AUTHORIZATION, value("token", "Bearer ", &token)?))
            }
        }
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
        match self {
            Auth::Login(login) => {
                login.tokens.call(http, (stage, call), deadline, || login.fetch(http, deadline), read).await
            }
            Auth::Header(name, value) => {
                call.headers.insert(name, value.clone());
                http.call(&call, deadline, read).await.map_err(|error| VendorError { stage, error })
            }
        }
    }
}

impl Login {
    fn fetch<'a>(&'a self, http: &'a HttpClient, deadline: Instant) -> BoxFuture<'a, Result<Fresh, CallError>> {
        Box::pin(async move {
            let token = http.call(&self.call, deadline, convert::token).await?.value;
            Ok(Fresh { token: Secret::new(token), lasts: self.lasts })
        })
    }

    /// Sees whether FACIA gives a token now.
    pub(super) async fn renew(&self, http: &HttpClient, deadline: Instant) -> Result<(), CallError> {
        self.tokens.renew(deadline, self.fetch(http, deadline)).await
    }
}

fn text(setting: &Option<String>) -> Option<&str> {
    setting.as_deref().filter(|text| !text.is_empty())
}

fn value(setting: &str, before: &str, secret: &Secret) -> Result<HeaderValue, SecretError> {
    let mut value = HeaderValue::from_str(&format!("{before}{}", secret.expose()))
        .map_err(|_| SecretError::Malformed { setting: setting.to_owned() })?;
    value.set_sensitive(true);
    Ok(value)
}
