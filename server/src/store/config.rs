//! Where the store is.

use std::path::{Path, PathBuf};

use lifesign_core::http::Secret;
use serde::{Deserialize, Serialize};

use super::{Address, Dialect, StoreError};

/// The database's file in the data folder.
const FILE: &str = "lifesign.db";

/// Settings of the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `sqlite:PATH` for one server, or `postgres://USER@HOST/NAME` for several that share it. Unset: SQLite, in `lifesign.db` in the
    /// data folder. It may hold a password, so it is not shown.
    pub url: Option<Secret>,
    /// A file that holds the address, in place of `url`.
    pub url_file: Option<PathBuf>,
    /// Connections to PostgreSQL at a time: PostgreSQL allows 100 by default, which five servers may share.
    pub max_connections: u32,
    /// How long a call waits for a connection, in milliseconds.
    pub acquire_timeout_ms: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { url: None, url_file: None, max_connections: 16, acquire_timeout_ms: 10_000 }
    }
}

impl StoreConfig {
    /// Whether several servers may share it.
    ///
    /// # Errors
    /// [`StoreError::Address`], or [`StoreError::Folder`] where `url_file` cannot be read.
    pub fn is_shared(&self, home: &Path) -> Result<bool, StoreError> {
        Ok(self.resolve(home)?.dialect == Dialect::Postgres)
    }

    /// Where the database is, given the data folder.
    ///
    /// # Errors
    /// [`StoreError::Address`] for an address that is neither SQLite's nor PostgreSQL's; [`StoreError::Folder`] where
    /// `url_file` cannot be read.
    pub(crate) fn resolve(&self, home: &Path) -> Result<Address, StoreError> {
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path)
                .map(|text| Secret::new(text.trim()))
                .map_err(|error| StoreError::Folder { path: path.clone(), error })
        };
        let given = match (&self.url, &self.url_file) {
            (Some(_), Some(_)) => return Err(StoreError::Address("both url and url_file are set")),
            (Some(url), None) => Some(url.clone()),
            (None, Some(path)) => Some(read(path)?),
            (None, None) => None,
        };
        let file = |path: PathBuf| Address {
            text: format!("sqlite:{}?mode=rwc", path.display()),
            file: Some(path),
            dialect: Dialect::Sqlite,
        };
        let Some(given) = given else { return Ok(file(home.join(FILE))) };
        let text = given.expose();
        match text.split_once(':') {
            Some(("postgres" | "postgresql", _)) => {
                Ok(Address { text: text.to_owned(), file: None, dialect: Dialect::Postgres })
            }
            Some(("sqlite", path)) => {
                let path = path.trim_start_matches("//");
                if path.is_empty() || path.contains(['?', '#']) || path.starts_with(':') {
                    return Err(StoreError::Address("sqlite: must be followed by the path of a file"));
                }
                Ok(file(PathBuf::from(path)))
            }
            _ => Err(StoreError::Address("it must begin with sqlite: or postgres:")),
        }
    }
}
