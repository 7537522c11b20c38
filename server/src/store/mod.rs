//! The store: sessions, work, clients, keys and the audit log, in SQLite (one server) or PostgreSQL (several).
//!
//! One set of statements for both: `$1` parameters, no NULLs, times as milliseconds since the epoch. Where the two differ is
//! in [`Dialect`] and in their migrations. Each file of this folder has the statements of one concern, as methods of [`Store`].

mod audit;
pub mod clients;
mod config;
mod deletion;
mod endings;
mod error;
mod jobs;
mod pages;
mod reference;
mod remembered;
mod session_types;
mod sessions;
mod sweep;
mod tokens;
mod usage;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sqlx::{
    Any, AnyPool, ConnectOptions, Executor, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions},
    migrate::Migrator,
};
use uuid::Uuid;

pub use audit::{AuditEvent, AuditLine, AuditRow};
pub use config::StoreConfig;
pub use deletion::{Deleted, VendorHolding};
pub use error::StoreError;
pub use jobs::Job;
pub use pages::{DEFAULT_PAGE, Filter, ListError, MAX_PAGE, Page, PageRequest};
pub use remembered::{MemoError, Slot};
pub use session_types::{CreateError, Created, Kind, NewSession, OpenError, Opened, State, View};
pub use sweep::Swept;
pub use tokens::TokenRow;
pub use usage::Window;

use crate::keys::Keyring;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Connections to SQLite: readers beside the one writer that it allows.
const SQLITE_CONNECTIONS: u32 = 4;

/// What the two databases do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A file of this machine.
    Sqlite,
    /// A server.
    Postgres,
}

impl Dialect {
    /// What a sub-select of rows to take over ends with, so that two servers never wait for each other's rows.
    pub const fn skip_locked(self) -> &'static str {
        match self {
            Dialect::Sqlite => "",
            Dialect::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// Begins a transaction that will write. SQLite's own default takes the lock only at the first write, and a transaction that has read
    /// before that cannot wait for it.
    const fn begin(self) -> &'static str {
        match self {
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        }
    }
}

/// A handle on the store. Cloning shares it.
#[derive(Clone)]
pub struct Store {
    pool: AnyPool,
    dialect: Dialect,
    keys: Arc<Keyring>,
    /// This process, among those that use the same store: the name on its leases.
    server: Uuid,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("dialect", &self.dialect).field("server", &self.server).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the configured database, makes it where it is a file that is not there, and brings its tables up to date.
    /// `home` is the data folder, where the file lies unless configured otherwise.
    ///
    /// # Errors
    /// [`StoreError`]: it cannot be reached, or its tables were made by a later version, or another key sealed it.
    pub async fn open(config: &StoreConfig, keys: Arc<Keyring>, home: &Path) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let url = config.resolve(home)?;
        let dialect = url.dialect;
        if let Some(folder) = url.file.as_deref().and_then(Path::parent) {
            std::fs::create_dir_all(folder).map_err(|error| StoreError::Folder { path: folder.to_owned(), error })?;
        }
        let connections = match dialect {
            Dialect::Sqlite => SQLITE_CONNECTIONS,
            Dialect::Postgres => config.max_connections,
        };
        // The driver would log every statement, the tables' whole making among them; what goes into a log is chosen here.
        let options: AnyConnectOptions =
            url.text.parse().map_err(|error| StoreError::Connect(StoreError::without_address(error)))?;
        let options = options.disable_statement_logging();
        let pool = AnyPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_millis(config.acquire_timeout_ms))
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if dialect == Dialect::Sqlite {
                        // Deleted content is overwritten; a commit is on the disk when it returns.
                        let settings = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; \
                                        PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;";
                        connection.execute(settings).await?;
                    }
                    Ok(())
                })
            })
            .connect_with(options)
            .await
            .map_err(|error| StoreError::Connect(StoreError::without_address(error)))?;
        match dialect {
            Dialect::Sqlite => SQLITE.run(&pool).await?,
            Dialect::Postgres => POSTGRES.run(&pool).await?,
        }
        let store = Self { pool, dialect, keys, server: Uuid::new_v4() };
        store.check_key().await?;
        Ok(store)
    }

    /// A store in a file of its own in this folder, for tests and tools.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn in_folder(folder: &Path) -> Result<Self, StoreError> {
        let keys = Keyring::from_file(&folder.join("lifesign.key")).map_err(StoreError::Keys)?;
        Self::open(&StoreConfig::default(), Arc::new(keys), folder).await
    }

    /// What differs between databases.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The name of this process on its leases.
    pub fn server(&self) -> Uuid {
        self.server
    }

    /// What seals what is not to be read in the database itself.
    pub fn keys(&self) -> &Arc<Keyring> {
        &self.keys
    }

    /// Where single statements run.
    pub(crate) fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Begins a transaction that will write.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Any>, StoreError> {
        Ok(self.pool.begin_with(self.dialect.begin()).await?)
    }

    /// Lets go of all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Refuses a store that was sealed with a key which is not at hand: what is in it could not be read, and two servers
    /// with different keys would each write what the other cannot read.
    async fn check_key(&self) -> Result<(), StoreError> {
        let mine = self.keys.check_value();
        let written = "INSERT INTO facts (name, value) VALUES ('key', $1) ON CONFLICT (name) DO NOTHING";
        sqlx::query(written).bind(mine.clone()).execute(&self.pool).await?;
        let found: Vec<u8> =
            sqlx::query_scalar("SELECT value FROM facts WHERE name = 'key'").fetch_one(&self.pool).await?;
        if self.keys.made_check_value(&found) {
            return Ok(());
        }
        Err(StoreError::OtherKey)
    }
}

/// Where the database is.
pub(crate) struct Address {
    /// As the driver takes it.
    pub(crate) text: String,
    /// SQLite's file.
    pub(crate) file: Option<PathBuf>,
    pub(crate) dialect: Dialect,
}

/// A time as the store has it: milliseconds since the epoch.
pub(crate) fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A time of the store.
pub(crate) fn time(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}
