//! `lifesign clients`, from the first client to the last, in a home of its own.

use std::{process::Output, sync::Arc};

use lifesign_server::{
    access::fingerprint,
    keys::Keyring,
    store::{Store, StoreConfig},
};
use serde_json::Value;

use crate::support::{User, stderr, stdout};

fn done(output: &Output) -> Vec<&str> {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    stdout(output).lines().collect()
}

fn list(user: &User) -> Vec<Value> {
    let output = user.run(["clients", "list", "--json"]);
    done(&output).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn store<T>(user: &User, work: impl AsyncFnOnce(&Store) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let keys = Arc::new(Keyring::from_file(&user.path("lifesign.key")).unwrap());
        let store = Store::open(&StoreConfig::default(), keys, &user.path("")).await.unwrap();
        let result = work(&store).await;
        store.close().await;
        result
    })
}

#[test]
fn a_client_is_added_rotated_and_revoked() {
    let user = User::new();
    let added = user.run(["clients", "add", "kyc@example.com", "--policy", "strict", "--per-minute", "60"]);
    let [first] = done(&added)[..] else { panic!("{}", stdout(&added)) };
    assert!(first.starts_with("ls_") && first.len() == 46, "{first}");
    assert!(stderr(&added).contains("not shown again") && !stderr(&added).contains(first), "{}", stderr(&added));
    let known = |text: &str| {
        let found = store(&user, async |store| store.find_by_secret(&fingerprint(text)).await.unwrap());
        found.map(|(client, _)| client.id)
    };
    assert_eq!(known(first).as_deref(), Some("kyc@example.com"), "what was printed is what lets in");

    let client = &list(&user)[0];
    assert_eq!((&client["id"], &client["per_minute"]), (&"kyc@example.com".into(), &60.into()));
    assert_eq!((&client["per_day"], &client["policies"]), (&0.into(), &serde_json::json!(["strict"])));
    assert_eq!(client["secrets"][0]["works"], true);
    let prefix = client["secrets"][0]["prefix"].as_str().unwrap().to_owned();
    let table = user.run(["clients", "list"]);
    for expected in ["kyc@example.com", "strict", "60", "no limit", &prefix, "works"] {
        assert!(stdout(&table).contains(expected), "{expected}: {}", stdout(&table));
    }
    assert!(!stdout(&table).contains(&first[3..20]));

    // A day of grace, then none.
    let rotated = user.run(["clients", "rotate", "kyc@example.com"]);
    let [second] = done(&rotated)[..] else { panic!("{}", stdout(&rotated)) };
    assert!(stderr(&rotated).contains("24 hours") && stderr(&rotated).contains(&prefix), "{}", stderr(&rotated));
    let client = &list(&user)[0];
    assert_eq!([&client["secrets"][0]["works"], &client["secrets"][1]["works"]], [true, true]);
    assert!(client["secrets"][0]["expires"].is_string() && client["secrets"][1]["expires"].is_null());
    let third = user.run(["clients", "rotate", "kyc@example.com", "--now", "--expires", "90"]);
    assert_eq!(done(&third).len(), 1);
    let works: Vec<bool> = list(&user)[0]["secrets"].as_array().unwrap().iter().map(|s| s["works"] == true).collect();
    assert_eq!(works.iter().filter(|works| **works).count(), 1);
    assert!(known(second).is_some() && second != first);

    let last =
        list(&user)[0]["secrets"].as_array().unwrap().iter().find(|s| s["works"] == true).unwrap()["prefix"].clone();
    let revoked = user.run(["clients", "revoke", "kyc@example.com", "--secret", last.as_str().unwrap()]);
    assert_eq!(done(&revoked).len(), 0);
    assert!(list(&user)[0]["secrets"].as_array().unwrap().iter().all(|secret| secret["works"] == false));
    assert_eq!(done(&user.run(["clients", "revoke", "kyc@example.com"])).len(), 0);
    assert!(list(&user)[0]["revoked"].is_string());
    let again = user.run(["clients", "add", "kyc@example.com"]);
    assert_eq!((again.status.code(), stdout(&again)), (Some(2), ""));
    assert!(stderr(&again).contains("not given twice"), "{}", stderr(&again));
}

#[test]
fn the_most_talkative_log_has_no_secret() {
    let user = User::new();
    let added = user
        .lifesign(["clients", "add", "kyc", "--identity", "dns:KYC.example.com", "--expires", "30"])
        .args(["--log-level", "trace"])
        .env("LIFESIGN_LOG", "trace")
        .output()
        .unwrap();
    let [secret] = done(&added)[..] else { panic!("{}", stdout(&added)) };
    assert!(secret.starts_with("ls_"), "{secret}");
    let log = stderr(&added);
    assert!(log.contains("not shown again"), "{log}");
    assert!(!log.contains(&secret[3..]), "{log}");
    let listed = &list(&user)[0];
    assert_eq!(listed["identities"][0], "dns:kyc.example.com");
    assert!(listed["secrets"][0]["expires"].is_string());
    for name in ["lifesign.db", "lifesign.db-wal"] {
        let bytes = std::fs::read(user.path(name)).unwrap_or_default();
        let hidden = &secret[3..];
        assert!(!bytes.windows(hidden.len()).any(|window| window == hidden.as_bytes()), "{name}");
    }
}

#[test]
fn what_cannot_be_is_refused_and_nothing_is_added() {
    let user = User::new();
    let table: [(&[&str], &str); 9] = [
        (&["add", "a b"], "a client's id is"),
        (&["add", ""], "a client's id is"),
        (&["add", "kyc", "--policy", "no-such"], "there is no policy \"no-such\"; configured: "),
        (&["add", "kyc", "--per-minute", "0"], "--per-minute"),
        (&["add", "kyc", "--expires", "0"], "--expires"),
        (&["add", "kyc", "--identity", "cn:me"], "an identity is dns:NAME"),
        (&["rotate", "kyc"], "there is no such client"),
        (&["rotate", "kyc", "--now", "--grace", "3"], "cannot be used with"),
        (&["revoke", "kyc", "--secret", "ab"], "there is no such client"),
    ];
    for (arguments, said) in table {
        let output = user.lifesign(["clients"]).args(arguments).output().unwrap();
        assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""), "{arguments:?}");
        assert!(stderr(&output).contains(said), "{arguments:?}: {}", stderr(&output));
    }
    assert_eq!(list(&user), [] as [Value; 0]);
}
