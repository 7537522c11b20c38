//! What can be wrong with the TLS of a listener.

use std::{io, path::PathBuf};

/// A setting of TLS is wrong, or the file that it names. None of these texts has a file's content in it.
#[derive(Debug, thiserror::Error)]
#[error("{section}.{setting}: {fault}")]
pub struct TlsError {
    /// Where the setting stands: `grpc.tls` or `http.tls`.
    pub section: &'static str,
    /// Its name.
    pub setting: &'static str,
    /// What is wrong.
    pub fault: TlsFault,
}

/// What is wrong with a setting of TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsFault {
    /// It is not there.
    #[error("must be the path of a PEM file")]
    Unset,
    /// Client certificates are spoken of, and nothing says whose.
    #[error("says something about client certificates only together with client_ca")]
    NoAuthority,
    /// Out of range.
    #[error("must be from 1 to {longest}")]
    Interval {
        /// The most.
        longest: u64,
    },
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is larger than any such file is.
    #[error("{}: is larger than {limit} bytes", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// Allowed.
        limit: u64,
    },
    /// Others can read the key.
    #[error("{} can be read by other users: chmod 600 (defaultMode: 0400 for a Kubernetes secret)", .0.display())]
    Open(PathBuf),
    /// There are no certificates in it.
    #[error("{}: holds no certificate, or one that cannot be read; PEM is expected", .0.display())]
    NoCertificate(PathBuf),
    /// There is no key in it.
    #[error("{}: holds no private key that can be read; PKCS#8, PKCS#1 or SEC1 in PEM, not encrypted, is expected", .0.display())]
    NoKey(PathBuf),
    /// The key is another certificate's.
    #[error("{}: is not the key of the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// It has ended.
    #[error("{}: the certificate has expired ({not_after})", path.display())]
    Expired {
        /// The certificate's file.
        path: PathBuf,
        /// When.
        not_after: String,
    },
    /// It has not begun.
    #[error("{}: the certificate is not valid before {not_before}", path.display())]
    NotYet {
        /// The certificate's file.
        path: PathBuf,
        /// When it begins.
        not_before: String,
    },
    /// The certificate, the key or the authorities are of a kind that cannot be used.
    #[error("{}: {error}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: rustls::Error,
    },
    /// Client certificates could not be verified with these authorities.
    #[error("{}: {error}", path.display())]
    Verifier {
        /// The file.
        path: PathBuf,
        /// Why.
        error: rustls::server::VerifierBuilderError,
    },
}
