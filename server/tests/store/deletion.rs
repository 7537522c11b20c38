//! Erasing one session, and that nothing of it is left in SQLite's files.

use std::time::SystemTime;

use lifesign_proto::v1;
use lifesign_server::store::{Deleted, NewSession, VendorHolding};
use sqlx::AnyPool;
use uuid::Uuid;

use crate::{
    rig::{Place, places},
    sessions::{REMEMBER, TTL, about, start, verdict},
};

const TABLES: [&str; 6] = ["sessions", "session_tokens", "jobs", "data_keys", "images", "deliveries"];

/// Rows of each of the tables.
pub(crate) async fn rows(raw: &AnyPool) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in TABLES {
        let count = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        counts.push(sqlx::query_scalar(count).fetch_one(raw).await.unwrap());
    }
    counts
}

/// Media that wait.
pub(crate) async fn add_job(raw: &AnyPool, id: Uuid) {
    let job = "INSERT INTO jobs (session_id, payload, attempts, worker, lease, due) VALUES ($1, $2, 0, '', 0, 0)";
    sqlx::query(job).bind(id.to_string()).bind(b"MEDIA-THAT-WAIT".to_vec()).execute(raw).await.unwrap();
}

/// Two images under a key that is kept until `expires`.
pub(crate) async fn add_images(raw: &AnyPool, id: Uuid, expires: SystemTime) {
    let expires = expires.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64;
    let key = "INSERT INTO data_keys (session_id, wrapped, expires) VALUES ($1, $2, $3)";
    let key = sqlx::query(key).bind(id.to_string()).bind(b"WRAPPED-DATA-KEY".to_vec()).bind(expires);
    key.execute(raw).await.unwrap();
    for name in ["best", "match"] {
        let image =
            "INSERT INTO images (session_id, name, object, media_type, size) VALUES ($1, $2, $3, 'image/jpeg', 9)";
        let image = sqlx::query(image).bind(id.to_string()).bind(name).bind(format!("{id}/{name}"));
        image.execute(raw).await.unwrap();
    }
}

async fn add_delivery(raw: &AnyPool, id: Uuid) {
    let waits = "INSERT INTO deliveries (id, client, session_id, body, created, attempts, worker, lease, due) \
                 VALUES ($1, 'bank', $1, $2, 0, 3, '', 0, 0)";
    sqlx::query(waits).bind(id.to_string()).bind(b"ANNOUNCEMENT".to_vec()).execute(raw).await.unwrap();
}

fn vendor(name: &str) -> v1::VendorResult {
    v1::VendorResult { vendor: name.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn a_session_goes_with_all_that_belongs_to_it() {
    for place in places("a_session_goes_with_all_that_belongs_to_it").await {
        let (store, now, raw) = (&place.store, start(), place.raw().await);
        let other = store.create_session(about(), TTL, 100, now).await.unwrap();
        add_images(&raw, other.id, now + TTL).await;
        add_job(&raw, other.id).await;
        add_delivery(&raw, other.id).await;
        let before = rows(&raw).await;

        let made = store.create_session(about(), TTL, 100, now).await.unwrap();
        let proof = v1::vendor_result::Proof { url: "https://v.example/picture".to_owned(), expire_time: None };
        let verdict = v1::Verdict {
            vendor_results: vec![
                v1::VendorResult { attempts: 1, reference: "f-1".to_owned(), proof: Some(proof), ..vendor("facia") },
                v1::VendorResult { attempts: 1, ..vendor("glair") },
                v1::VendorResult { request_id: "r-7".to_owned(), ..vendor("deepvue") },
                v1::VendorResult { detail: "NOT_NEEDED".to_owned(), ..vendor("fpt") },
            ],
            ..verdict()
        };
        assert!(store.complete_session(made.id, &verdict, now + REMEMBER, now).await.unwrap());
        add_images(&raw, made.id, now + TTL).await;
        add_delivery(&raw, made.id).await;

        let deleted = store.delete_session("bank", made.id, now).await.unwrap().unwrap();
        let holding = |vendor: &str, reference: &str, shows_picture| VendorHolding {
            vendor: vendor.to_owned(),
            reference: reference.to_owned(),
            shows_picture,
        };
        let mut objects = deleted.objects.clone();
        objects.sort();
        assert_eq!(objects, [format!("{}/best", made.id), format!("{}/match", made.id)]);
        let vendors =
            vec![holding("facia", "f-1", true), holding("glair", "", false), holding("deepvue", "r-7", false)];
        let expected = Deleted {
            verdict: true,
            images: 2,
            media: false,
            was_open: false,
            vendors,
            objects: deleted.objects.clone(),
        };
        assert_eq!(deleted, expected);
        assert_eq!(rows(&raw).await, before, "and nothing of another session");
        let mut orphans: Vec<String> = sqlx::query_scalar("SELECT object FROM orphans WHERE due = $1 AND attempts = 0")
            .bind(1_000_000_000_i64)
            .fetch_all(&raw)
            .await
            .unwrap();
        orphans.sort();
        assert_eq!(orphans, objects);
        assert!(store.session("bank", made.id, now).await.unwrap().is_none());
        assert!(store.delete_session("bank", made.id, now).await.unwrap().is_none(), "there is one receipt");
        let log = store.audit_lines(0, 10).await.unwrap();
        assert_eq!(log.last().unwrap().detail, "verdict=1 images=2 media=0 vendors=3");
    }
}

#[tokio::test]
async fn an_open_session_is_deleted_with_its_work() {
    for place in places("an_open_session_is_deleted_with_its_work").await {
        let (store, now, raw) = (&place.store, start(), place.raw().await);
        let made = store.create_session(about(), TTL, 100, now).await.unwrap();
        add_job(&raw, made.id).await;
        let deleted = store.delete_session("bank", made.id, now).await.unwrap().unwrap();
        assert!(deleted.was_open && deleted.media && !deleted.verdict && deleted.images == 0);
        assert_eq!(rows(&raw).await, [0; 6]);
        assert!(store.open_session(made.token.reveal(), now + TTL, now).await.is_err());
        assert!(!store.complete_session(made.id, &verdict(), now + REMEMBER, now).await.unwrap());
        assert_eq!(rows(&raw).await, [0; 6], "a verdict that comes late brings nothing back");
    }
}

fn found(place: &Place, what: &[u8]) -> Vec<String> {
    let files = std::fs::read_dir(place.folder()).unwrap().map(|file| file.unwrap().path());
    let holds =
        |path: &std::path::PathBuf| std::fs::read(path).unwrap().windows(what.len()).any(|window| window == what);
    files.filter(holds).map(|path| path.display().to_string()).collect()
}

#[tokio::test]
async fn nothing_of_it_is_left_in_sqlites_files() {
    for place in places("nothing_of_it_is_left_in_sqlites_files").await {
        let (store, now, raw) = (&place.store, start(), place.raw().await);
        // Long enough to need pages beside the row's own.
        let marked = "MARKED-REFERENCE-".repeat(1000);
        let about = NewSession { client_reference: marked, external_id: "MARKED-NAME".to_owned(), ..about() };
        let opened = store.open_inline(about, now + TTL, 100, now).await.unwrap();
        add_job(&raw, opened.id).await;
        add_images(&raw, opened.id, now + TTL).await;
        let marks: [&[u8]; 4] = [b"MARKED-REFERENCE-", b"MARKED-NAME", b"MEDIA-THAT-WAIT", b"WRAPPED-DATA-KEY"];
        let sqlite = place.folder().join("lifesign.db").exists();
        if sqlite {
            marks
                .iter()
                .for_each(|mark| assert!(!found(&place, mark).is_empty(), "the marks are where they are looked for"));
        }
        store.delete_session("bank", opened.id, now).await.unwrap().unwrap();
        store.erase_residue().await.unwrap();
        for mark in marks {
            assert_eq!(found(&place, mark), [""; 0], "{}", String::from_utf8_lossy(mark));
        }
    }
}
