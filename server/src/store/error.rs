//! What can go wrong with the store.

use std::{io, path::PathBuf};

use crate::keys::KeyError;

/// What can go wrong with the store. None of these texts has a row's content in it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The setting is wrong.
    #[error("store.url: {0}")]
    Address(&'static str),
    /// A file or folder cannot be used.
    #[error("{}: {error}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The database cannot be reached.
    #[error("the store cannot be opened: {0}")]
    Connect(String),
    /// The tables cannot be brought up to date.
    #[error("the store's tables: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// What is in it was sealed with a key that is not configured.
    #[error("the store was sealed with another key: set keys.file to it, or name it in keys.previous_files")]
    OtherKey,
    /// The key cannot be used.
    #[error(transparent)]
    Keys(KeyError),
    /// A row is not what it should be: written by a later version, or altered.
    #[error("the store holds something that cannot be read: {0}")]
    Unreadable(&'static str),
    /// What was deleted may still be in the database's log of changes.
    #[error("the store's log of changes could not be emptied: it is in use")]
    Residue,
    /// A statement failed: the database is gone, full, or overloaded. Trying again later may help.
    #[error("the store failed: {}", StoreError::without_address(_0))]
    Database(#[from] sqlx::Error),
}

impl StoreError {
    /// An error of the driver in words, without what a driver may quote: addresses with passwords, values of rows.
    pub(super) fn without_address(error: impl std::borrow::Borrow<sqlx::Error>) -> String {
        match error.borrow() {
            sqlx::Error::Database(error) => match error.code() {
                Some(code) => format!("the database refused a statement (code {code})"),
                None => "the database refused a statement".to_owned(),
            },
            sqlx::Error::Io(error) => format!("the connection failed: {}", error.kind()),
            sqlx::Error::Tls(_) => "the connection could not be encrypted".to_owned(),
            sqlx::Error::PoolTimedOut => "no connection was free in time".to_owned(),
            sqlx::Error::PoolClosed => "the store has been closed".to_owned(),
            sqlx::Error::Configuration(_) => "the address cannot be used".to_owned(),
            sqlx::Error::RowNotFound => "a row is missing".to_owned(),
            _ => "the driver failed".to_owned(),
        }
    }
}
