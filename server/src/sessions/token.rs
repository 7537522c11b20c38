//! Session tokens and nonces.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::keys::{self, KeyError};

/// Bytes of a session's nonce.
pub const NONCE_BYTES: usize = 32;

/// Random bytes of a token: 256 bits, beyond guessing.
const TOKEN_BYTES: usize = 32;

/// Longest text that is looked up as a token; a real one is 43 characters. Longer ones are hashed for nothing.
const MAX_TEXT: usize = 128;

/// A fresh token in clear: handed out once and not kept. It is neither `Debug` nor `Display`.
pub struct Token(String);

impl Token {
    /// A new one, from the system's random source.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn random() -> Result<Self, KeyError> {
        Ok(Self(URL_SAFE_NO_PAD.encode(keys::random::<TOKEN_BYTES>()?)))
    }

    /// The text for the device.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash::of_text(&self.0)
    }
}

/// What the store keeps of a token. Sessions are looked up by it: how long a look-up takes tells at most something of
/// the hash of what was sent, and nothing of the 256 random bits behind another hash. So no comparison of the secret
/// itself happens anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TokenHash([u8; 32]);

impl TokenHash {
    /// The hash of what a client sent; `None` where it is too long to be a token.
    pub(crate) fn of(text: &str) -> Option<Self> {
        (text.len() <= MAX_TEXT).then(|| Self::of_text(text))
    }

    /// For the store.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn of_text(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_url_safe_distinct_and_256_bits() {
        let (a, b) = (Token::random().unwrap(), Token::random().unwrap());
        assert_ne!(a.reveal(), b.reveal());
        assert_eq!(URL_SAFE_NO_PAD.decode(a.reveal()).unwrap().len(), TOKEN_BYTES);
        assert!(a.reveal().chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    }

    #[test]
    fn an_overlong_text_is_no_token() {
        assert!(TokenHash::of(&"x".repeat(MAX_TEXT + 1)).is_none());
    }
}
