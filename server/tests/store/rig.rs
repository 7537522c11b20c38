//! Fresh stores for a test: one in SQLite, and one in PostgreSQL where that is installed.

use std::{path::Path, sync::Arc};

use lifesign_core::http::Secret;
use lifesign_e2e::postgres;
use lifesign_server::{
    keys::Keyring,
    store::{Store, StoreConfig},
};

/// A store, and what makes further handles on the same one, as another server has.
pub(crate) struct Place {
    pub(crate) store: Store,
    config: StoreConfig,
    folder: tempfile::TempDir,
}

impl Place {
    async fn open(config: StoreConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&config, folder.path()).await;
        Self { store, config, folder }
    }

    /// The same store, as another server (or this one after a restart) opens it.
    pub(crate) async fn again(&self) -> Store {
        open(&self.config, self.folder.path()).await
    }

    /// The database itself, for rows that other parts of the server write.
    pub(crate) async fn raw(&self) -> sqlx::AnyPool {
        let file = format!("sqlite:{}", self.folder.path().join("lifesign.db").display());
        let url = self.config.url.as_ref().map_or(file, |url| url.expose().to_owned());
        sqlx::AnyPool::connect(&url).await.unwrap()
    }

    /// The folder with the key, and with SQLite's files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

async fn open(config: &StoreConfig, folder: &Path) -> Store {
    let keys = Keyring::from_file(&folder.join("lifesign.key")).unwrap();
    Store::open(config, Arc::new(keys), folder).await.unwrap()
}

/// A fresh store on each database.
pub(crate) async fn places(test: &str) -> Vec<Place> {
    let mut places = vec![Place::open(StoreConfig::default()).await];
    if let Some(url) = postgres::database(test) {
        places.push(Place::open(StoreConfig { url: Some(Secret::new(url)), ..StoreConfig::default() }).await);
    }
    places
}

#[tokio::test]
async fn a_store_opens_again_and_refuses_another_key() {
    for place in places("a_store_opens_again_and_refuses_another_key").await {
        place.again().await.close().await;
        let other = tempfile::tempdir().unwrap();
        let keys = Arc::new(Keyring::from_file(&other.path().join("key")).unwrap());
        let refused = Store::open(&place.config, keys, place.folder()).await.unwrap_err();
        assert!(refused.to_string().contains("another key"), "{refused}");
    }
}
