//! The keys that seal what the store and the object store hold. AES-256-GCM with random nonces; keys for other uses are derived
//! by HKDF-SHA256, so that none is ever used for two things.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf, hmac,
    rand::{SecureRandom, SystemRandom},
};
use serde::{Deserialize, Serialize};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// The key's file in the data folder.
const FILE: &str = "lifesign.key";

/// What the check value of a key is made of.
const CHECK: &[u8] = b"lifesign key check";

/// Which keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeysConfig {
    /// A file of 64 hexadecimal digits, readable by this user only. Unset: `lifesign.key` in the data folder, made at the first start; servers that share a
    /// store must share the key, so with PostgreSQL it must be set. Whoever has it and the store can read what is kept; lose it, and nobody can.
    pub file: Option<PathBuf>,
    /// Keys that were used before: what they sealed can still be read.
    pub previous_files: Vec<PathBuf>,
}

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A key file cannot be read or made.
    #[error("the key file {}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is no key.
    #[error("the key file {} must hold 64 hexadecimal digits and nothing else", .0.display())]
    Malformed(PathBuf),
    /// Others can read it.
    #[error("the key file {} can be read by other users: chmod 600", .0.display())]
    Open(PathBuf),
    /// With a shared store the key must be named.
    #[error("keys.file must be set: servers that share a store must share its key")]
    Missing,
    /// The system gave no random bytes.
    #[error("the system's random source failed")]
    Random,
    /// What should be opened was sealed with another key, for another purpose, or altered.
    #[error("what was sealed cannot be opened with the keys at hand")]
    Sealed,
}

/// A key that seals. It prints nothing of itself.
pub struct SealKey(LessSafeKey);

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey")
    }
}

impl SealKey {
    /// A key of these bytes.
    pub fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        match UnboundKey::new(&AES_256_GCM, bytes) {
            Ok(key) => Self(LessSafeKey::new(key)),
            Err(ring::error::Unspecified) => unreachable!("the key has the length that the algorithm asks for"),
        }
    }

    /// A key derived from a secret of high entropy (a random token, a random request id) for one purpose.
    pub fn derived(secret: &[u8], purpose: &str) -> Self {
        Self::new(&derive(secret, purpose))
    }

    /// Seals a text for one place: `context` must be the same when it is opened. Nonce, ciphertext and tag.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut sealed = plain.to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut sealed)
            .map_err(|ring::error::Unspecified| KeyError::Sealed)?;
        sealed.splice(..0, nonce);
        Ok(sealed)
    }

    /// Opens what [`SealKey::seal`] sealed for the same place.
    ///
    /// # Errors
    /// [`KeyError::Sealed`] where it is anything else.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(KeyError::Sealed)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|ring::error::Unspecified| KeyError::Sealed)?;
        let mut text = text.to_vec();
        let opened = self.0.open_in_place(nonce, Aad::from(context), &mut text);
        let length = opened.map_err(|ring::error::Unspecified| KeyError::Sealed)?.len();
        text.truncate(length);
        Ok(text)
    }
}

/// The configured keys: one that seals, and those that sealed before.
pub struct Keyring {
    secret: [u8; KEY_BYTES],
    seals: SealKey,
    previous: Vec<([u8; KEY_BYTES], SealKey)>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("previous", &self.previous.len()).finish_non_exhaustive()
    }
}

impl Keyring {
    /// The configured keys. `home` is the data folder; `shared`, whether several servers use the store.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load(config: &KeysConfig, home: &Path, shared: bool) -> Result<Self, KeyError> {
        let secret = match &config.file {
            Some(path) => read(path)?,
            None if shared => return Err(KeyError::Missing),
            None => read_or_make(&home.join(FILE))?,
        };
        let previous = config.previous_files.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
        Ok(Self::new(secret, previous))
    }

    /// The key of this file, which is made where it is not there.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        Ok(Self::new(read_or_make(path)?, Vec::new()))
    }

    fn new(secret: [u8; KEY_BYTES], previous: Vec<[u8; KEY_BYTES]>) -> Self {
        let seal = |secret: &[u8; KEY_BYTES]| SealKey::derived(secret, "lifesign seal");
        let previous = previous.into_iter().map(|secret| (secret, seal(&secret))).collect();
        Self { seals: seal(&secret), secret, previous }
    }

    /// Seals with the newest key; see [`SealKey::seal`].
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.seals.seal(context, plain)
    }

    /// Opens what any of the keys sealed.
    ///
    /// # Errors
    /// [`KeyError::Sealed`].
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let previous = self.previous.iter().map(|(_, key)| key);
        std::iter::once(&self.seals)
            .chain(previous)
            .find_map(|key| key.open(context, sealed).ok())
            .ok_or(KeyError::Sealed)
    }

    /// A key for HMAC-SHA256, for one purpose: the same on every server that shares the key.
    pub fn signing(&self, purpose: &str) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &derive(&self.secret, purpose))
    }

    /// Tells this key from others without giving anything of it away.
    pub fn check_value(&self) -> Vec<u8> {
        check_value(&self.secret)
    }

    /// Whether one of the keys made this check value.
    pub fn made_check_value(&self, found: &[u8]) -> bool {
        let previous = self.previous.iter().map(|(secret, _)| secret);
        std::iter::once(&self.secret).chain(previous).any(|secret| check_value(secret) == found)
    }
}

fn check_value(secret: &[u8; KEY_BYTES]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &derive(secret, "lifesign check")), CHECK).as_ref().to_vec()
}

/// Random bytes of the system.
///
/// # Errors
/// [`KeyError::Random`].
pub fn random<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|ring::error::Unspecified| KeyError::Random)?;
    Ok(bytes)
}

fn derive(secret: &[u8], purpose: &str) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    let info = [purpose.as_bytes()];
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"lifesign").extract(secret);
    match prk.expand(&info, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut key)) {
        Ok(()) => key,
        Err(ring::error::Unspecified) => unreachable!("32 bytes are what HKDF-SHA256 gives"),
    }
}

fn read(path: &Path) -> Result<[u8; KEY_BYTES], KeyError> {
    let file = |error| KeyError::File { path: path.to_owned(), error };
    let text = fs::read_to_string(path).map_err(file)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Group-readable is how orchestrators mount secrets; the world must not read it.
        if fs::metadata(path).map_err(file)?.permissions().mode() & 0o007 != 0 {
            return Err(KeyError::Open(path.to_owned()));
        }
    }
    let malformed = || KeyError::Malformed(path.to_owned());
    let digits = text.trim().as_bytes();
    if digits.len() != 2 * KEY_BYTES {
        return Err(malformed());
    }
    let mut key = [0; KEY_BYTES];
    for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| malformed())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| malformed())?;
    }
    Ok(key)
}

/// Reads the key, or makes one where there is none. Two processes that start at the same time end up with the same key.
fn read_or_make(path: &Path) -> Result<[u8; KEY_BYTES], KeyError> {
    let file = |error| KeyError::File { path: path.to_owned(), error };
    if !path.exists() {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(file)?;
        let key: [u8; KEY_BYTES] = random()?;
        let text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        // Of mode 0600 from its first moment, and in its place only when it is whole.
        let mut made = tempfile::NamedTempFile::new_in(folder).map_err(file)?;
        io::Write::write_all(&mut made, text.as_bytes()).map_err(file)?;
        made.as_file().sync_all().map_err(file)?;
        match made.persist_noclobber(path) {
            Ok(_) => {}
            Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(refused) => return Err(file(refused.error)),
        }
    }
    read(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_at_its_place_only() {
        let key = SealKey::new(&[7; KEY_BYTES]);
        let sealed = key.seal(b"here", b"a face").unwrap();
        assert_eq!(key.open(b"here", &sealed).unwrap(), b"a face");
        assert!(key.open(b"there", &sealed).is_err());
        assert!(SealKey::new(&[8; KEY_BYTES]).open(b"here", &sealed).is_err());
        for place in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[place] ^= 1;
            assert!(key.open(b"here", &altered).is_err(), "byte {place}");
            assert!(key.open(b"here", &sealed[..place]).is_err(), "cut at {place}");
        }
        assert_ne!(sealed, key.seal(b"here", b"a face").unwrap(), "nonces are random");
    }

    #[test]
    fn a_key_is_made_once_and_read_by_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let config = KeysConfig::default();
        let first = Keyring::load(&config, folder.path(), false).unwrap();
        let again = Keyring::load(&config, folder.path(), false).unwrap();
        assert_eq!(again.open(b"", &first.seal(b"", b"x").unwrap()).unwrap(), b"x");
        assert!(matches!(Keyring::load(&config, folder.path(), true), Err(KeyError::Missing)));
        let path = folder.path().join(FILE);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
            assert!(matches!(Keyring::load(&config, folder.path(), false), Err(KeyError::Open(_))));
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        for bad in ["", "12", &"zz".repeat(32), &"é".repeat(32), &"00".repeat(33)] {
            fs::write(&path, bad).unwrap();
            assert!(matches!(Keyring::load(&config, folder.path(), false), Err(KeyError::Malformed(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_key_that_was_replaced_still_opens_what_it_sealed() {
        let old = Keyring::new([1; KEY_BYTES], vec![]);
        let new = Keyring::new([2; KEY_BYTES], vec![[1; KEY_BYTES]]);
        let sealed = old.seal(b"", b"x").unwrap();
        assert_eq!(new.open(b"", &sealed).unwrap(), b"x");
        assert!(old.open(b"", &new.seal(b"", b"x").unwrap()).is_err());
        assert!(new.made_check_value(&old.check_value()) && !old.made_check_value(&new.check_value()));
        assert_ne!(new.signing("a").sign_text(), new.signing("b").sign_text());
    }

    trait SignText {
        fn sign_text(&self) -> Vec<u8>;
    }

    impl SignText for hmac::Key {
        fn sign_text(&self) -> Vec<u8> {
            hmac::sign(self, b"x").as_ref().to_vec()
        }
    }
}
