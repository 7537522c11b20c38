//! GLAIR's credentials as headers: Basic authentication and a key, the same on every request.

use ::base64::{Engine as _, engine::general_purpose::STANDARD};
use ::http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};

use super::config::GlairConfig;
use crate::{
    http::{Secret, SecretError, secret},
    vendors::ConnectError,
};

/// The credentials that the settings name, ready for use.
pub(super) fn headers(config: &GlairConfig) -> Result<HeaderMap, ConnectError> {
    let username = secret("username", config.username.as_ref(), config.username_file.as_deref())?;
    let password = secret("password", config.password.as_ref(), config.password_file.as_deref())?;
    let key = secret("api_key", config.api_key.as_ref(), config.api_key_file.as_deref())?;
    if username.expose().contains(':') {
        // GLAIR would take what follows for the beginning of the password.
        return Err(ConnectError::Setting("username: holds a colon".to_owned()));
    }
    let pair = Secret::new(format!("{}:{}", username.expose(), password.expose()));
    let basic = Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())));
    Ok(HeaderMap::from_iter([
        (AUTHORIZATION, value("password", &basic)?),
        (HeaderName::from_static("x-api-key"), value("api_key", &key)?),
    ]))
}

fn value(setting: &str, word: &Secret) -> Result<HeaderValue, SecretError> {
    let mut value =
        HeaderValue::from_str(word.expose()).map_err(|_| SecretError::Malformed { setting: setting.to_owned() })?;
    value.set_sensitive(true);
    Ok(value)
}
