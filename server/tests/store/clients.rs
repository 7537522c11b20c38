//! Clients, their secrets and quotas in the store.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lifesign_core::http::Secret;
use lifesign_e2e::postgres;
use lifesign_server::{
    access::fingerprint,
    keys::Keyring,
    store::{
        Store, StoreConfig, Window,
        clients::{ClientError, NewClient},
    },
};

use crate::rig::places;

/// A Tuesday, 12:00:10 UTC.
fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_078_410)
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_client_is_read_as_it_was_added() {
    for place in places("a_client_is_read_as_it_was_added").await {
        let (store, now) = (&place.store, noon());
        let new = NewClient {
            policies: vec!["standard".into(), "étroit".into()],
            per_minute: 5,
            per_day: u64::MAX,
            secret: Some((fingerprint("one"), Some(now + HOUR))),
            identities: vec!["dns:KYC.example.com".into(), "uri:spiffe://a/b".into()],
            webhook_url: "https://example.com/?t=hidden-7f3a".into(),
            webhook_key: b"sealed-7f3a".to_vec(),
            ..NewClient::new("kyc+eu@example.com")
        };
        store.add_client(&new, now).await.unwrap();
        let other = place.again().await;
        let client = other.client(&new.id).await.unwrap().unwrap();
        assert_eq!((client.id.as_str(), client.created, client.revoked), (new.id.as_str(), now, None));
        assert_eq!((&*client.policies, client.per_minute), (&*new.policies, 5));
        assert_eq!(client.per_day, u64::try_from(i64::MAX).unwrap(), "the most that the store holds");
        assert_eq!((&client.webhook_url, &client.webhook_key), (&new.webhook_url, &new.webhook_key));
        assert!(!format!("{client:?}").contains("7f3a"));
        assert_eq!(other.identities(&new.id).await.unwrap(), ["dns:kyc.example.com", "uri:spiffe://a/b"]);
        let by_name = other.find_by_identity("dns:kyc.example.com").await.unwrap();
        assert_eq!(by_name.as_ref(), Some(&client));
        let (found, secret) = other.find_by_secret(&fingerprint("one")).await.unwrap().unwrap();
        assert_eq!((&found, secret.expires, secret.created), (&client, Some(now + HOUR), now));
        assert!(secret.works(now) && !secret.works(now + HOUR));
        assert_eq!(other.find_by_secret(&fingerprint("two")).await.unwrap(), None);
        assert_eq!(other.clients().await.unwrap(), [client]);
        for unknown in ["", "nobody", "kyc\0", "'; DROP TABLE clients; --", &"x".repeat(10_000)] {
            assert_eq!(other.client(unknown).await.unwrap(), None);
        }
    }
}

#[tokio::test]
async fn what_cannot_be_added_leaves_nothing_behind() {
    for place in places("what_cannot_be_added_leaves_nothing_behind").await {
        let (store, now) = (&place.store, noon());
        let bad: [String; 9] = [
            String::new(),
            "a b".into(),
            "a:b".into(),
            "a/b".into(),
            "a\n".into(),
            "a\0".into(),
            "é".into(),
            "x".repeat(129),
            "a,b".into(),
        ];
        for id in bad {
            let refused = store.add_client(&NewClient::new(id.as_str()), now).await;
            assert!(matches!(refused, Err(ClientError::Id)), "{id:?}");
        }
        let identities = vec!["dns:mine".to_owned()];
        let first = NewClient { identities: identities.clone(), ..NewClient::new("first") };
        store.add_client(&first, now).await.unwrap();
        assert!(matches!(store.add_client(&first, now).await, Err(ClientError::Taken)));
        let taken = NewClient { identities, secret: Some((fingerprint("s"), None)), ..NewClient::new("second") };
        assert!(matches!(store.add_client(&taken, now).await, Err(ClientError::IdentityTaken)));
        let unclear = NewClient { identities: vec!["cn:someone".into()], ..taken.clone() };
        assert!(matches!(store.add_client(&unclear, now).await, Err(ClientError::Identity)));
        for policy in [String::new(), "p".repeat(65)] {
            let unnamed = NewClient { policies: vec![policy], ..taken.clone() };
            assert!(matches!(store.add_client(&unnamed, now).await, Err(ClientError::Policy)));
        }
        assert_eq!(store.client("second").await.unwrap(), None);
        assert_eq!(store.find_by_secret(&fingerprint("s")).await.unwrap(), None);
        // A name that it has already is no mistake; another's is.
        store.add_identity("first", "dns:MINE", now).await.unwrap();
        store.add_client(&NewClient::new("third"), now).await.unwrap();
        let taken = store.add_identity("third", "dns:mine", now).await;
        assert!(matches!(taken, Err(ClientError::IdentityTaken)));
    }
}

#[tokio::test]
async fn a_revoked_client_stays_out_and_its_id_is_not_given_again() {
    for place in places("a_revoked_client_stays_out_and_its_id_is_not_given_again").await {
        let (store, now) = (&place.store, noon());
        let new = NewClient {
            secret: Some((fingerprint("s"), None)),
            identities: vec!["dns:mine".into()],
            webhook_url: "https://example.com/".into(),
            webhook_key: vec![1],
            ..NewClient::new("gone")
        };
        store.add_client(&new, now).await.unwrap();
        store.revoke_client("gone", now + HOUR).await.unwrap();
        let (client, secret) = store.find_by_secret(&fingerprint("s")).await.unwrap().unwrap();
        assert_eq!((client.revoked, secret.revoked), (Some(now + HOUR), Some(now + HOUR)));
        assert_eq!((client.webhook_url.as_str(), client.webhook_key.len()), ("", 0), "nothing is announced to it");
        assert!(!secret.works(now), "not even to a clock that is behind");
        assert_eq!(store.find_by_identity("dns:mine").await.unwrap(), None);
        let unknown = [
            store.revoke_client("gone", now).await,
            store.add_secret("gone", &fingerprint("t"), None, now).await,
            store.rotate_secret("gone", &fingerprint("t"), None, now, now).await.map(drop),
            store.revoke_secret("gone", &secret.prefix(), now).await,
            store.add_identity("gone", "dns:mine", now).await,
            store.set_webhook("gone", "https://example.com/", &[1], now).await,
            store.revoke_client("never", now).await,
            store.revoke_client("a\0", now).await,
        ];
        for (place, result) in unknown.into_iter().enumerate() {
            assert!(matches!(result, Err(ClientError::Unknown)), "{place}: {result:?}");
        }
        assert!(matches!(store.add_client(&new, now).await, Err(ClientError::Taken)));
        assert_eq!(store.find_by_secret(&fingerprint("t")).await.unwrap(), None);
    }
}

#[tokio::test]
async fn one_secret_is_revoked_by_the_first_digits_of_its_hash() {
    for place in places("one_secret_is_revoked_by_the_first_digits_of_its_hash").await {
        let (store, now) = (&place.store, noon());
        store.add_client(&NewClient::new("kyc"), now).await.unwrap();
        store.add_client(&NewClient::new("other"), now).await.unwrap();
        let mut hashes = [fingerprint("a"), fingerprint("b"), fingerprint("c")];
        hashes[1][..16].copy_from_slice(&[0xab; 16]);
        hashes[2][..16].copy_from_slice(&[0xab; 16]);
        hashes[0][0] = 0x12;
        for (count, hash) in (0..).zip(&hashes) {
            store.add_secret("kyc", hash, None, now + HOUR * count).await.unwrap();
        }
        assert!(matches!(store.revoke_secret("kyc", "ABAB", now).await, Err(ClientError::SecretAmbiguous)));
        for wrong in ["", "cd", "zz", "%", &"ab".repeat(40)] {
            assert!(matches!(store.revoke_secret("kyc", wrong, now).await, Err(ClientError::SecretUnknown)), "{wrong}");
        }
        assert!(matches!(store.revoke_secret("other", "12", now).await, Err(ClientError::SecretUnknown)));
        store.revoke_secret("kyc", "12", now).await.unwrap();
        assert!(matches!(store.revoke_secret("kyc", "12", now).await, Err(ClientError::SecretUnknown)));
        let works: Vec<bool> = store.secrets("kyc").await.unwrap().iter().map(|secret| secret.works(now)).collect();
        assert_eq!(works, [false, true, true]);
    }
}

#[tokio::test]
async fn a_rotated_secret_works_for_its_grace_and_never_longer_than_before() {
    for place in places("a_rotated_secret_works_for_its_grace_and_never_longer_than_before").await {
        let (store, now) = (&place.store, noon());
        let [long, short, fresh, last] = ["long", "short", "fresh", "last"].map(fingerprint);
        store.add_client(&NewClient::new("kyc"), now).await.unwrap();
        store.add_secret("kyc", &long, None, now).await.unwrap();
        store.add_secret("kyc", &short, Some(now + HOUR), now).await.unwrap();
        let ended = store.rotate_secret("kyc", &fresh, Some(now + HOUR * 100), now + HOUR * 24, now).await.unwrap();
        assert_eq!(ended.len(), 2);
        let works = async |hash: &[u8; 32], at: SystemTime| {
            let (_, secret) = store.find_by_secret(hash).await.unwrap().unwrap();
            secret.works(at)
        };
        let second = Duration::from_secs(1);
        assert!(works(&long, now + HOUR * 24 - second).await && !works(&long, now + HOUR * 24).await);
        assert!(works(&short, now + HOUR - second).await && !works(&short, now + HOUR).await, "no longer than before");
        assert!(works(&fresh, now + HOUR * 99).await && !works(&fresh, now + HOUR * 100).await);
        // At once: what still works is revoked, what does not is left as it is.
        let ended = store.rotate_secret("kyc", &last, None, now + HOUR * 2, now + HOUR * 2).await.unwrap();
        assert_eq!(ended.len(), 2);
        assert!(!works(&long, now).await && !works(&fresh, now).await && works(&last, now + HOUR * 9000).await);
        let (_, secret) = store.find_by_secret(&short).await.unwrap().unwrap();
        assert_eq!(secret.revoked, None);
    }
}

/// 200 checks at a time through two servers.
async fn spend_200(first: &Store, second: &Store, per_minute: u64, per_day: u64, now: SystemTime) -> Vec<Window> {
    let mut calls = tokio::task::JoinSet::new();
    for count in 0..200 {
        let store = if count % 2 == 0 { first.clone() } else { second.clone() };
        calls.spawn(async move { store.spend("kyc", per_minute, per_day, now).await.unwrap() });
    }
    calls.join_all().await.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_share_a_store_let_through_no_more_than_the_quota() {
    for place in places("servers_that_share_a_store_let_through_no_more_than_the_quota").await {
        let (first, second, now) = (&place.store, place.again().await, noon());
        let refused = spend_200(first, &second, 30, 1000, now).await;
        assert_eq!(refused, [Window::Minute; 170]);
        let used = async |window| first.used("kyc", window, now).await.unwrap();
        assert_eq!((used(Window::Minute).await, used(Window::Day).await), (30, 30), "refused ones are not counted");
        // The next minute, in which the day's quota ends it.
        let later = now + Duration::from_secs(60);
        let refused = spend_200(first, &second, 100, 70, later).await;
        assert_eq!(refused, [Window::Day; 160]);
        assert_eq!(second.used("kyc", Window::Minute, later).await.unwrap(), 40);
        assert_eq!((used(Window::Minute).await, used(Window::Day).await), (30, 70));
        // Another client, another day, no limit.
        assert_eq!(first.spend("other", 1, 1, later).await.unwrap(), None);
        assert_eq!(first.spend("kyc", 100, 70, later + HOUR * 24).await.unwrap(), None);
        assert_eq!(first.spend("kyc", 0, 0, later).await.unwrap(), None);
        assert_eq!(used(Window::Day).await, 70);
    }
}

#[tokio::test]
async fn windows_are_those_of_the_clock_and_forgotten_when_they_are_over() {
    assert_eq!(Window::Minute.rest(noon()), Duration::from_secs(50));
    assert_eq!(Window::Day.rest(noon()), HOUR * 12 - Duration::from_secs(10));
    for place in places("windows_are_those_of_the_clock_and_forgotten_when_they_are_over").await {
        let (store, now) = (&place.store, noon());
        store.spend("kyc", 9, 9, now).await.unwrap();
        assert_eq!(store.sweep(&|_| HOUR, now + HOUR * 24).await.unwrap().usage, 0);
        assert_eq!(store.used("kyc", Window::Day, now).await.unwrap(), 1);
        assert_eq!(store.sweep(&|_| HOUR, now + HOUR * 72).await.unwrap().usage, 2);
        assert_eq!(store.used("kyc", Window::Day, now).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn every_change_has_its_line_in_the_audit_log_and_no_secret_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", folder.path().join("audited.db").display());
    let urls = [Some(file), postgres::database("every_change_has_its_line_in_the_audit_log")];
    for url in urls.into_iter().flatten() {
        let config = StoreConfig { url: Some(Secret::new(url.as_str())), ..StoreConfig::default() };
        audited(&config, folder.path(), &url).await;
    }
}

async fn audited(config: &StoreConfig, folder: &Path, url: &str) {
    let keys = Keyring::from_file(&folder.join("lifesign.key")).unwrap();
    let (store, now) = (Store::open(config, Arc::new(keys), folder).await.unwrap(), noon());
    let [a, b, c] = ["a", "b", "c"].map(fingerprint);
    let first = NewClient { secret: Some((a, None)), identities: vec!["dns:mine".into()], ..NewClient::new("kyc") };
    store.add_client(&first, now).await.unwrap();
    store.rotate_secret("kyc", &b, None, now + HOUR, now).await.unwrap();
    store.set_webhook("kyc", "https://example.com/", &[1], now).await.unwrap();
    store.rotate_secret("kyc", &c, None, now, now).await.unwrap();
    store.revoke_client("kyc", now).await.unwrap();
    // What is refused has none.
    store.add_client(&first, now).await.unwrap_err();
    store.add_secret("kyc", &a, None, now).await.unwrap_err();
    let pool = sqlx::AnyPool::connect(url).await.unwrap();
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT owner, event, detail FROM audit ORDER BY seq").fetch_all(&pool).await.unwrap();
    pool.close().await;
    let prefix = |hash: [u8; 32]| hash[..4].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut expected = vec![
        ("client_added", String::new()),
        ("secret_added", prefix(a)),
        ("identity_added", "dns".to_owned()),
        ("secret_revoked", format!("{} in 3600 s", prefix(a))),
        ("secret_added", prefix(b)),
        ("webhook_set", "on".to_owned()),
    ];
    // Both were added at the same moment, so either may come first.
    let mut ended = vec![("secret_revoked", prefix(a)), ("secret_revoked", prefix(b))];
    if rows[6].2 != ended[0].1 {
        ended.reverse();
    }
    expected.extend(ended);
    expected.push(("secret_added", prefix(c)));
    expected.push(("client_revoked", String::new()));
    assert!(rows.iter().all(|(owner, _, _)| owner == "kyc"));
    let rows: Vec<(&str, String)> = rows.iter().map(|(_, event, detail)| (event.as_str(), detail.clone())).collect();
    assert_eq!(rows, expected);
}
