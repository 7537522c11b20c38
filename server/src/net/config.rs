//! The settings of TLS on one listener.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::{TlsError, TlsFault};

/// The longest time between two looks at the files: certificates are renewed days before they end.
const LONGEST_RELOAD_SECONDS: u64 = 24 * 3600;

/// Settings of TLS, in `[grpc.tls]` and `[http.tls]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// A PEM file with the server's certificate and, after it, those that lead to its authority.
    pub certificate: PathBuf,
    /// A PEM file with the certificate's private key (PKCS#8, PKCS#1 or SEC1, not encrypted), which other users cannot read.
    pub key: PathBuf,
    /// A PEM file with the authorities whose client certificates are taken (mTLS). Unset: clients are asked for none.
    pub client_ca: Option<PathBuf>,
    /// Whether a client without a certificate is turned away. Absent: where `client_ca` is set. `false`: a certificate is asked for, and one
    /// that is shown must be right, but callers may also come with a secret alone.
    pub require_client_certificate: Option<bool>,
    /// How often the files are looked at, in seconds: 30, so that a renewed certificate is in use within a minute. SIGHUP has them looked
    /// at once.
    pub reload_seconds: u64,
}

impl Default for TlsConfig {
    fn default() -> Self {
        Self {
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            client_ca: None,
            require_client_certificate: None,
            reload_seconds: 30,
        }
    }
}

impl TlsConfig {
    /// Checks the settings against each other; the files are looked at when the server starts. `section` is where they stand, such as
    /// `grpc.tls`.
    ///
    /// # Errors
    /// [`TlsError`] names the first one that is wrong.
    pub fn validate(&self, section: &'static str) -> Result<(), TlsError> {
        let wrong = |setting, fault| Err(TlsError { section, setting, fault });
        let empty = |path: &Path| path.as_os_str().is_empty();
        if empty(&self.certificate) {
            return wrong("certificate", TlsFault::Unset);
        }
        if empty(&self.key) {
            return wrong("key", TlsFault::Unset);
        }
        if self.client_ca.as_deref().is_some_and(empty) {
            return wrong("client_ca", TlsFault::Unset);
        }
        if self.require_client_certificate.is_some() && self.client_ca.is_none() {
            return wrong("require_client_certificate", TlsFault::NoAuthority);
        }
        if !(1..=LONGEST_RELOAD_SECONDS).contains(&self.reload_seconds) {
            return wrong("reload_seconds", TlsFault::Interval { longest: LONGEST_RELOAD_SECONDS });
        }
        Ok(())
    }

    /// Whether a client without a certificate is turned away.
    pub fn requires_client_certificate(&self) -> bool {
        self.client_ca.is_some() && self.require_client_certificate.unwrap_or(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> TlsConfig {
        toml::from_str(&format!("certificate = \"c.pem\"\nkey = \"k.pem\"\n{text}")).unwrap()
    }

    #[test]
    fn with_an_authority_certificates_are_required_unless_it_is_said() {
        for (text, required) in [
            ("", false),
            ("client_ca = \"a.pem\"", true),
            ("client_ca = \"a.pem\"\nrequire_client_certificate = true", true),
            ("client_ca = \"a.pem\"\nrequire_client_certificate = false", false),
        ] {
            let config = config(text);
            config.validate("grpc.tls").unwrap();
            assert_eq!(config.requires_client_certificate(), required, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (config, setting) in [
            (TlsConfig::default(), "certificate"),
            (TlsConfig { certificate: "c.pem".into(), ..TlsConfig::default() }, "key"),
            (config("client_ca = \"\""), "client_ca"),
            // Said without an authority, `true` would otherwise protect nothing.
            (config("require_client_certificate = true"), "require_client_certificate"),
            (config("reload_seconds = 0"), "reload_seconds"),
            (config("reload_seconds = 100000"), "reload_seconds"),
        ] {
            let error = config.validate("grpc.tls").unwrap_err();
            assert_eq!(error.setting, setting);
            assert!(error.to_string().starts_with(&format!("grpc.tls.{setting}: ")), "{error}");
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<TlsConfig>("certificates = \"c.pem\"").is_err());
    }
}
