//! Access tokens in the form of a JWT (RFC 7519) with HS256, since the vendors' are and some clients read when theirs ends.
//!
//! One header is written, and only that one is read: a token cannot say how it is to be verified.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde::{Deserialize, Serialize};

/// `{"alg":"HS256","typ":"JWT"}`.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    /// The client.
    pub(super) sub: String,
    /// When it was issued, in seconds since the epoch.
    pub(super) iat: u64,
    /// When it ends, in seconds since the epoch.
    pub(super) exp: u64,
    /// Tells it from every other.
    pub(super) jti: String,
    /// The scheme.
    pub(super) aud: String,
}

/// The token that says this.
pub(super) fn sign(key: &hmac::Key, claims: &Claims) -> Result<String, serde_json::Error> {
    let signed = format!("{HEADER}.{}", URL_SAFE_NO_PAD.encode(serde_json::to_vec(claims)?));
    let signature = hmac::sign(key, signed.as_bytes());
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// What a token says, where it was signed with this key. The comparison is constant in time.
pub(super) fn verify(key: &hmac::Key, token: &str) -> Option<Claims> {
    let (signed, signature) = token.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    hmac::verify(key, signed.as_bytes(), &signature).ok()?;
    let claims = signed.strip_prefix(HEADER)?.strip_prefix('.')?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::secrets::MAX_TEXT;

    fn key(byte: u8) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32])
    }

    fn claims(client: &str) -> Claims {
        let jti = uuid::Uuid::new_v4().to_string();
        Claims { sub: client.to_owned(), iat: 1_700_000_000, exp: 1_700_003_600, jti, aud: "deepvue".to_owned() }
    }

    #[test]
    fn a_token_says_what_was_signed() {
        let claims = claims("kyc@example.com");
        let token = sign(&key(1), &claims).unwrap();
        assert_eq!(verify(&key(1), &token), Some(claims));
        assert_eq!(verify(&key(2), &token), None);
        let header = token.split('.').next().unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(header).unwrap(), br#"{"alg":"HS256","typ":"JWT"}"#);
    }

    #[test]
    fn no_character_of_a_token_can_be_changed() {
        let token = sign(&key(1), &claims("kyc")).unwrap();
        for place in 0..token.len() {
            for other in ["A", "B", ".", ""] {
                let altered = format!("{}{other}{}", &token[..place], &token[place + 1..]);
                assert!(altered == token || verify(&key(1), &altered).is_none(), "{place}: {other:?}");
            }
        }
        assert_eq!(verify(&key(1), &format!("{token}=")), None);
    }

    #[test]
    fn a_token_cannot_say_how_it_is_verified() {
        let claims = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims("kyc")).unwrap());
        for header in [r#"{"alg":"none"}"#, r#"{"alg":"HS256"}"#, r#"{"typ":"JWT","alg":"HS256"}"#] {
            let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header));
            let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key(1), signed.as_bytes()));
            assert_eq!(verify(&key(1), &format!("{signed}.{signature}")), None, "{header}");
            assert_eq!(verify(&key(1), &format!("{signed}.")), None, "{header}");
        }
    }

    #[test]
    fn the_longest_token_is_looked_up_whole() {
        assert!(sign(&key(1), &claims(&"x".repeat(128))).unwrap().len() < MAX_TEXT / 2);
    }
}
