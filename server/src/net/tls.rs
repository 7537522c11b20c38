//! From PEM files to what rustls serves with: TLS 1.2 and 1.3 by ring, the certificate, and whose client certificates are taken.

use std::{
    fs::File,
    io::Read,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use rustls::{
    InconsistentKeys, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{
    config::TlsConfig,
    error::{TlsError, TlsFault},
};

/// Bytes of a PEM file: 1 MiB, several times a bundle of every public authority.
const MAX_FILE: u64 = 1 << 20;

/// The files of a listener's TLS, as they were read at one moment. They hold a key, so they print nothing of themselves.
pub(super) struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// What is served with.
pub(super) struct Served {
    pub(super) config: Arc<ServerConfig>,
    /// When the certificate ends, for the log.
    pub(super) not_after: String,
}

impl Files {
    pub(super) fn read(config: &TlsConfig, section: &'static str) -> Result<Self, TlsError> {
        let at = |setting| move |fault| TlsError { section, setting, fault };
        Ok(Self {
            certificate: read(&config.certificate, false).map_err(at("certificate"))?,
            key: read(&config.key, true).map_err(at("key"))?,
            client_ca: match &config.client_ca {
                Some(path) => Some(read(path, false).map_err(at("client_ca"))?),
                None => None,
            },
        })
    }

    /// Tells these contents from others, however a file came by them: a new time, a new file of its name, another target of a link.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for part in [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten() {
            digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }

    /// What these files make, at this time, for these protocols in the order of preference.
    pub(super) fn build(
        &self,
        config: &TlsConfig,
        section: &'static str,
        alpn: &[Vec<u8>],
        now: SystemTime,
    ) -> Result<Served, TlsError> {
        let at = |setting| move |fault| TlsError { section, setting, fault };
        let chain = certificates(&self.certificate, &config.certificate).map_err(at("certificate"))?;
        let not_after = validity(&chain, &config.certificate, now).map_err(at("certificate"))?;
        // What the parser says of a broken file may quote it, so it is not passed on.
        let key =
            PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| at("key")(TlsFault::NoKey(config.key.clone())))?;
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| at("key")(TlsFault::Unusable { path: config.key.clone(), error }))?;
        let builder = match (&self.client_ca, &config.client_ca) {
            (Some(bundle), Some(path)) => builder.with_client_cert_verifier(
                verifier(bundle, path, config.requires_client_certificate(), provider).map_err(at("client_ca"))?,
            ),
            (Some(_), None) | (None, Some(_)) | (None, None) => builder.with_no_client_auth(),
        };
        let mut served = builder.with_single_cert(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                at("key")(TlsFault::Mismatch { key: config.key.clone(), certificate: config.certificate.clone() })
            }
            error => at("key")(TlsFault::Unusable { path: config.key.clone(), error }),
        })?;
        served.alpn_protocols = alpn.to_vec();
        if config.client_ca.is_some() {
            // A resumed connection would skip the verification of a client certificate that may have ended since.
            served.session_storage = Arc::new(NoServerSessionStorage {});
            served.send_tls13_tickets = 0;
        }
        Ok(Served { config: Arc::new(served), not_after })
    }
}

fn read(path: &Path, secret: bool) -> Result<Vec<u8>, TlsFault> {
    let file = |error| TlsFault::File { path: path.to_owned(), error };
    let opened = File::open(path).map_err(file)?;
    #[cfg(unix)]
    if secret {
        use std::os::unix::fs::PermissionsExt;
        // Group-readable is how orchestrators mount secrets; the world must not read it.
        if opened.metadata().map_err(file)?.permissions().mode() & 0o007 != 0 {
            return Err(TlsFault::Open(path.to_owned()));
        }
    }
    #[cfg(not(unix))]
    let _ = secret;
    let mut bytes = Vec::new();
    opened.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(file)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_FILE) {
        return Ok(bytes);
    }
    Err(TlsFault::TooLarge { path: path.to_owned(), limit: MAX_FILE })
}

fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    match CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>() {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(TlsFault::NoCertificate(path.to_owned())),
    }
}

/// Refuses a certificate that no client would take now, and says when it ends.
fn validity(chain: &[CertificateDer<'_>], path: &Path, now: SystemTime) -> Result<String, TlsFault> {
    let unreadable = || TlsFault::NoCertificate(path.to_owned());
    let leaf = chain.first().ok_or_else(unreadable)?;
    let (_, leaf) = X509Certificate::from_der(leaf).map_err(|_| unreadable())?;
    let (not_before, not_after) = (leaf.validity().not_before, leaf.validity().not_after);
    let now = now.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_secs()).ok());
    let now = now.unwrap_or_default();
    if now > not_after.timestamp() {
        return Err(TlsFault::Expired { path: path.to_owned(), not_after: not_after.to_string() });
    }
    if now < not_before.timestamp() {
        return Err(TlsFault::NotYet { path: path.to_owned(), not_before: not_before.to_string() });
    }
    Ok(not_after.to_string())
}

fn verifier(
    pem: &[u8],
    path: &Path,
    required: bool,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsFault> {
    let mut authorities = RootCertStore::empty();
    for authority in certificates(pem, path)? {
        authorities.add(authority).map_err(|error| TlsFault::Unusable { path: path.to_owned(), error })?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider);
    let verifier = if required { verifier } else { verifier.allow_unauthenticated() };
    verifier.build().map_err(|error| TlsFault::Verifier { path: path.to_owned(), error })
}
