//! What the service keeps its memory in, opened as configured: keys, store, queue, and who may call.

use std::{path::Path, sync::Arc, time::Duration};

use crate::{
    access::{Guard, TokenLifetimes},
    config::Config,
    grpc::Backing,
    keys::{KeyError, Keyring},
    queue::Queue,
    sessions::Clock,
    store::{Store, StoreError},
};

/// Why it cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BackingError {
    /// The key cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens the store alone, for commands that serve nothing. `home` is the data folder.
///
/// # Errors
/// [`BackingError`].
pub async fn open_store(config: &Config, home: &Path) -> Result<Store, BackingError> {
    let shared = config.store.is_shared(home)?;
    let keys = Keyring::load(&config.keys, home, shared)?;
    Ok(Store::open(&config.store, Arc::new(keys), home).await?)
}

/// Opens everything.
///
/// # Errors
/// [`BackingError`].
pub async fn open(config: &Config, home: &Path, clock: Clock) -> Result<Backing, BackingError> {
    let store = open_store(config, home).await?;
    let endpoints = &config.http.endpoints;
    let lifetimes = TokenLifetimes {
        facia: Duration::from_secs(endpoints.facia_token_seconds),
        deepvue: Duration::from_secs(endpoints.deepvue_token_seconds),
    };
    let guard = Guard::new(store.clone(), &config.access, config.access_required(), lifetimes);
    Ok(Backing {
        queue: Queue::new(store.clone(), config.queue, clock),
        retention: Arc::new(config.retentions()),
        guard: Arc::new(guard),
        store,
    })
}
