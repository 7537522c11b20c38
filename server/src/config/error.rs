//! Why a configuration was refused: the setting, where it came from, what is wrong and what is allowed.

use std::path::PathBuf;

/// A configuration that cannot be used. Values of settings are named, since none of them is a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("configuration file {}: {what}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        what: String,
    },
    /// The file is not TOML.
    #[error("configuration file {}: {what}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser said, with the line.
        what: String,
    },
    /// No such setting.
    #[error("unknown setting {key} in {origin}; known here: {known}")]
    UnknownKey {
        /// Dotted.
        key: String,
        /// The file, variable or flag.
        origin: String,
        /// The settings there are at this place.
        known: String,
    },
    /// A value of the wrong type, or a name that is not understood.
    #[error("setting {key} in {origin}: {what}")]
    BadValue {
        /// Dotted.
        key: String,
        /// The file, variable or flag.
        origin: String,
        /// What is wrong with it, and what is allowed.
        what: String,
    },
    /// A value that is well-formed and out of range, or that contradicts another.
    #[error("setting {key} is {actual}; allowed: {allowed}")]
    OutOfRange {
        /// Dotted.
        key: String,
        /// As given.
        actual: String,
        /// What would do.
        allowed: String,
    },
    /// The engine's or the server's own word on its settings.
    #[error("{0}")]
    Part(String),
}
