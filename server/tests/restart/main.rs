//! `kill -9` in the middle of a hundred transactions: every one that was accepted comes to one result, none to two, none is lost. On SQLite,
//! and on PostgreSQL with two servers.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test's helpers fail the test in the same way as the test itself, and say what was measured"
)]

mod wire;

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use lifesign_core::http::Secret;
use lifesign_e2e::{media::repository, postgres, server::Server};
use lifesign_server::{
    keys::Keyring,
    store::{Store, StoreConfig},
};
use tokio::task::JoinSet;

use wire::{create, result};

/// Transactions in all.
const COUNT: usize = 100;

/// Those that are accepted before the server is killed.
const BEFORE: usize = 60;

/// How long the last result may take: two leases, and the time that a hundred judgements take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(150);

/// Puts a hundred transactions, kills a server in between, starts it again, and waits for every accepted one's result.
/// `servers` are asked in turn; the first is killed.
async fn survive(home: &Path, settings: &Path, servers: usize, store: &StoreConfig) {
    let start = || Server::start_in(home, ["--config".as_ref(), settings.as_os_str()]);
    let mut running: Vec<Server> = (0..servers).map(|_| start()).collect();
    let picture = Arc::new(fs::read(repository().join("samples/astronaut.jpg")).unwrap());
    let mut accepted: Vec<String> = Vec::new();
    let mut posts = JoinSet::new();
    for number in 0..COUNT {
        let address = running[number % servers].http.clone();
        let (picture, reference) = (Arc::clone(&picture), format!("customer-{number}"));
        posts.spawn(async move { create(&address, &picture, &reference).await });
        if number == BEFORE {
            // What is on its way when it dies may be accepted or not; only what was answered counts.
            while accepted.len() < BEFORE / 2 {
                accepted.extend(posts.join_next().await.unwrap().unwrap());
            }
            running[0].kill();
            running[0] = start();
        }
    }
    while let Some(done) = posts.join_next().await {
        accepted.extend(done.unwrap());
    }
    assert!(accepted.len() > COUNT - BEFORE, "{} were accepted", accepted.len());
    let names: std::collections::BTreeSet<&String> = accepted.iter().collect();
    assert_eq!(names.len(), accepted.len(), "two transactions have one name");

    let began = tokio::time::Instant::now();
    let mut results: BTreeMap<String, serde_json::Value> = BTreeMap::new();
    while results.len() < accepted.len() {
        assert!(began.elapsed() < PATIENCE, "{} of {} have a result", results.len(), accepted.len());
        for name in &accepted {
            if !results.contains_key(name)
                && let Some(data) = result(&running[servers - 1].http, name).await
            {
                results.insert(name.clone(), data);
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("{} of {COUNT} accepted, all with a result after {:?}", accepted.len(), began.elapsed());
    for (name, data) in &results {
        assert_eq!(result(&running[0].http, name).await.as_ref(), Some(data), "a result changed");
        // A server that took the job up too often would end it without a judgement.
        assert_eq!(data["status"], 1, "{name}: {data}");
    }

    // What the log of decisions has: one for each transaction that was ever accepted, none twice.
    let keys = Arc::new(Keyring::from_file(&home.join("lifesign.key")).unwrap());
    let store = Store::open(store, keys, home).await.unwrap();
    let mut decided: BTreeMap<String, u32> = BTreeMap::new();
    for line in store.audit_lines(0, 10_000).await.unwrap() {
        if line.event == "decided" {
            *decided.entry(line.session_id).or_default() += 1;
        }
    }
    assert!(decided.len() >= accepted.len(), "{} decisions for {}", decided.len(), accepted.len());
    assert!(decided.values().all(|count| *count == 1), "{decided:?}");
    assert_eq!(store.jobs().await.unwrap(), 0, "nothing is left to be done");
}

/// Short leases, so that the test does not wait long for a dead server's jobs.
fn settings(folder: &Path, store: &str) -> std::path::PathBuf {
    let path = folder.join("settings.toml");
    let key = folder.join("lifesign.key");
    drop(Keyring::from_file(&key).unwrap());
    let text = format!(
        "onnxruntime = \"off\"\ndefault_policy = \"presentation-attack-only\"\n{store}\n[keys]\nfile = {key:?}\n\
         [queue]\nlease_ms = 2000\npoll_ms = 200\n[engine]\nworkers = 2\n"
    );
    fs::write(&path, text).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_survives_a_kill() {
    let home = tempfile::tempdir().unwrap();
    let settings = settings(home.path(), "");
    survive(home.path(), &settings, 1, &StoreConfig::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_survives_a_kill_of_one_of_two_servers() {
    let Some(url) = postgres::database("postgres_survives_a_kill_of_one_of_two_servers") else { return };
    let home = tempfile::tempdir().unwrap();
    let settings = settings(home.path(), &format!("[store]\nurl = {url:?}"));
    let store = StoreConfig { url: Some(Secret::new(url)), ..StoreConfig::default() };
    survive(home.path(), &settings, 2, &store).await;
}
