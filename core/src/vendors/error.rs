//! Why a vendor gave no answer, and why a vendor cannot be set up.

use crate::http::{CallError, HttpConfigError, SecretError};

/// A vendor gave no answer: faults of transport, credentials and quota, never an opinion on the person. What a caller can do
/// is in [`CallError`]: its kind, whether it was sent, when to try again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{stage}: {error}")]
pub struct VendorError {
    /// What was being done: `token`, `upload`, `result`, `probe`.
    pub stage: &'static str,
    /// What broke. `sent` and `attempts` are about the paid upload, whatever the stage.
    pub error: CallError,
}

/// A vendor cannot be set up: change the setting that the message names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// A credential is missing, doubly given or unusable.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A setting is unknown, of the wrong type or out of range. Relative to the vendor's table.
    #[error("{0}")]
    Setting(String),
    /// A setting of the line.
    #[error(transparent)]
    Http(#[from] HttpConfigError),
}
