//! Secrets of clients: how they are made, and what is kept of them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use lifesign_core::http::Secret;
use sha2::{Digest, Sha256};

use crate::keys::{self, KeyError};

/// Random bytes of a secret: 256 bits, beyond guessing.
const SECRET_BYTES: usize = 32;

/// What a client's secret begins with, so that people and scanners of repositories know one when they see it.
const SECRET_PREFIX: &str = "ls_";

/// What the signing secret of a webhook begins with; the Standard Webhooks specification has the same.
const WEBHOOK_PREFIX: &str = "whsec_";

/// As much of a text as is hashed. The longest credential, the access token of a client with the longest id, has some 420 bytes; of a longer
/// text the beginning is looked up, for nothing.
pub(super) const MAX_TEXT: usize = 1024;

/// A fresh secret for a client: `ls_` and 43 characters. It is shown once and not kept.
///
/// # Errors
/// [`KeyError::Random`].
pub fn client_secret() -> Result<Secret, KeyError> {
    fresh(SECRET_PREFIX)
}

/// A fresh secret that announcements to a client are signed with: `whsec_` and 43 characters.
///
/// # Errors
/// [`KeyError::Random`].
pub fn webhook_secret() -> Result<Secret, KeyError> {
    fresh(WEBHOOK_PREFIX)
}

/// What the store keeps of a credential: its sha256. See [`crate::store::clients::SecretRow::hash`] for why not something slow.
pub fn fingerprint(text: &str) -> [u8; 32] {
    let bytes = text.as_bytes();
    Sha256::digest(bytes.get(..MAX_TEXT).unwrap_or(bytes)).into()
}

fn fresh(prefix: &str) -> Result<Secret, KeyError> {
    Ok(Secret::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(keys::random::<SECRET_BYTES>()?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_256_random_bits_that_any_header_holds() {
        for (make, prefix) in [(client_secret as fn() -> _, "ls_"), (webhook_secret, "whsec_")] {
            let [a, b]: [Secret; 2] = [make().unwrap(), make().unwrap()];
            assert!(a != b);
            let random = a.expose().strip_prefix(prefix).unwrap();
            assert_eq!((random.len(), URL_SAFE_NO_PAD.decode(random).unwrap().len()), (43, SECRET_BYTES));
            assert!(!format!("{a:?}").contains(random));
        }
    }

    #[test]
    fn a_fingerprint_is_of_the_whole_secret_and_of_no_more_than_the_longest() {
        let secret = client_secret().unwrap();
        let secret = secret.expose();
        for other in [&secret[1..], &secret[..secret.len() - 1], &format!("{secret} "), &secret.to_lowercase(), ""] {
            assert_ne!(fingerprint(secret), fingerprint(other));
        }
        let huge = "é".repeat(4 << 20);
        assert_eq!(fingerprint(&huge), fingerprint(&huge[..2 * MAX_TEXT]));
    }
}
