//! The guard over a real store: what lets nobody in, and that nothing shows why.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use lifesign_server::{
    access::{
        AccessConfig, Caller, Credentials, Denied, Forbidden, Guard, Moment, Scheme, TokenLifetimes, client_secret,
        fingerprint,
    },
    sessions::Token,
    store::{Store, clients::NewClient},
};
use ring::hmac;
use serde_json::{Value, json};

use crate::rig::{Place, places};

const HOUR: u64 = 3600;

/// A guard and the clock that it goes by.
struct Gate {
    guard: Guard,
    seconds: Arc<AtomicU64>,
    start: SystemTime,
}

impl Gate {
    /// A guard that lets 20 wrong credentials be looked at in 15 minutes, or as many as it likes.
    fn of(store: &Store, required: bool, failed_tries: u32) -> Self {
        let seconds = Arc::new(AtomicU64::new(0));
        let (wall, steady) = (UNIX_EPOCH + Duration::from_secs(1_790_078_410), Instant::now());
        let config = AccessConfig { failed_tries, ..AccessConfig::default() };
        let lifetimes =
            TokenLifetimes { facia: Duration::from_secs(8 * HOUR), deepvue: Duration::from_secs(24 * HOUR) };
        let clock = {
            let seconds = Arc::clone(&seconds);
            move || {
                let passed = Duration::from_secs(seconds.load(Ordering::Relaxed));
                Moment { wall: wall + passed, steady: steady + passed }
            }
        };
        let guard = Guard::new(store.clone(), &config, required, lifetimes).with_clock(Arc::new(clock));
        Self { guard, seconds, start: wall }
    }

    fn now(&self) -> SystemTime {
        self.start + Duration::from_secs(self.seconds.load(Ordering::Relaxed))
    }

    fn pass(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Adds a client with a secret, which is returned.
    async fn client(&self, place: &Place, id: &str, expires: Option<SystemTime>) -> String {
        let secret = client_secret().unwrap().expose().to_owned();
        let new = NewClient { secret: Some((fingerprint(&secret), expires)), ..NewClient::new(id) };
        place.store.add_client(&new, self.now()).await.unwrap();
        secret
    }
}

fn here() -> IpAddr {
    IpAddr::from([192, 0, 2, 1])
}

/// What was said of it, to the last character.
fn said(result: Result<Caller, Denied>) -> String {
    match result {
        Ok(caller) => format!("in: {}", caller.client),
        Err(denied) => format!("{denied:?}: {denied}"),
    }
}

const REFUSED: &str = "Refused: the credentials are missing or not valid";

#[tokio::test]
async fn whatever_is_wrong_with_a_credential_the_answer_is_the_same() {
    for place in places("whatever_is_wrong_with_a_credential_the_answer_is_the_same").await {
        let gate = Gate::of(&place.store, true, 0);
        let guard = &gate.guard;
        let good = gate.client(&place, "good", None).await;
        let revoked = gate.client(&place, "half", None).await;
        let shut = gate.client(&place, "shut", None).await;
        let expired = gate.client(&place, "late", Some(gate.now() + Duration::from_secs(HOUR))).await;
        let other = gate.client(&place, "other", None).await;
        let issue = async |id: &str, secret: &str, scheme| {
            let caller = guard.pair(here(), id, secret).await.unwrap();
            guard.issue(&caller, scheme).await.unwrap().token
        };
        let facia = issue("good", &good, Scheme::Facia).await;
        let deepvue = issue("good", &good, Scheme::Deepvue).await;
        let of_revoked = issue("half", &revoked, Scheme::Facia).await;
        let of_shut = issue("shut", &shut, Scheme::Facia).await;
        let of_expired = issue("late", &expired, Scheme::Facia).await;

        assert_eq!(said(guard.secret(here(), &good).await), "in: good");
        assert_eq!(said(guard.pair(here(), "good", &good).await), "in: good");
        assert_eq!(said(guard.token(here(), Scheme::Facia, &facia).await), "in: good");
        assert_eq!(said(guard.token(here(), Scheme::Deepvue, &deepvue).await), "in: good");
        for token in [&of_revoked, &of_shut, &of_expired] {
            assert!(guard.token(here(), Scheme::Facia, token).await.is_ok());
        }
        // Somebody else's server takes the same things away.
        let elsewhere = place.again().await;
        let prefix = elsewhere.secrets("half").await.unwrap()[0].prefix();
        elsewhere.revoke_secret("half", &prefix, gate.now()).await.unwrap();
        elsewhere.revoke_client("shut", gate.now()).await.unwrap();
        gate.pass(HOUR);

        let device = Token::random().unwrap();
        let huge = "x".repeat(1 << 20);
        let garbage = [
            String::new(),
            " ".to_owned(),
            "ls_".to_owned(),
            format!("ls_{}", "A".repeat(43)),
            device.reveal().to_owned(),
            format!("{good} "),
            format!("{good}\0"),
            good.to_uppercase(),
            good[..45].to_owned(),
            "sécret-\u{202e}".to_owned(),
            "' OR ''='".to_owned(),
            "..".to_owned(),
            format!("{good}{huge}"),
            huge.clone(),
        ];
        let secrets = [&revoked, &shut, &expired, &facia, &deepvue].into_iter().chain(&garbage);
        for (number, secret) in secrets.enumerate() {
            assert_eq!(said(guard.secret(here(), secret).await), REFUSED, "{number}");
            for id in ["good", "half", "shut", "late", "nobody", ""] {
                assert_eq!(said(guard.pair(here(), id, secret).await), REFUSED, "{number} {id}");
            }
        }
        for id in ["other", "GOOD", "good ", "good\0", "", "nobody", &huge] {
            assert_eq!(said(guard.pair(here(), id, &good).await), REFUSED, "{:.9}", id);
        }
        assert_eq!(said(guard.pair(here(), "good", &other).await), REFUSED);
        let tokens = [&good, &deepvue, &of_revoked, &of_shut, &of_expired].into_iter().chain(&garbage);
        for (number, token) in tokens.enumerate() {
            assert_eq!(said(guard.token(here(), Scheme::Facia, token).await), REFUSED, "{number}");
        }
        assert_eq!(said(guard.token(here(), Scheme::Deepvue, &facia).await), REFUSED);
        // What was good still is.
        assert_eq!(said(guard.secret(here(), &good).await), "in: good");
        assert_eq!(said(guard.token(here(), Scheme::Facia, &facia).await), "in: good");
    }
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn an_access_token_is_a_jwt_that_needs_its_signature_and_its_row() {
    for place in places("an_access_token_is_a_jwt_that_needs_its_signature_and_its_row").await {
        let gate = Gate::of(&place.store, true, 0);
        let guard = &gate.guard;
        let secret = gate.client(&place, "kyc@example.com", None).await;
        let caller = guard.secret(here(), &secret).await.unwrap();
        let issued = guard.issue(&caller, Scheme::Facia).await.unwrap();
        let token = &issued.token;
        assert_eq!(issued.expires, gate.now() + Duration::from_secs(8 * HOUR));
        let said = claims(token);
        let epoch = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert_eq!((&said["sub"], &said["aud"]), (&json!("kyc@example.com"), &json!("facia")));
        assert_eq!((&said["iat"], &said["exp"]), (&json!(epoch(gate.now())), &json!(epoch(issued.expires))));
        let again = guard.issue(&caller, Scheme::Facia).await.unwrap();
        assert_ne!(claims(&again.token)["jti"], said["jti"]);

        // A row of the same text does not stand in for the signature, nor a signature for the row.
        let (_, row) = place.store.find_by_secret(&fingerprint(&secret)).await.unwrap().unwrap();
        let forged = format!("{}A", &token[..token.len() - 1]);
        let forged = if forged == *token { format!("{}E", &token[..token.len() - 1]) } else { forged };
        place.store.add_token(&fingerprint(&forged), &row, Scheme::Facia, issued.expires).await.unwrap();
        assert!(matches!(guard.token(here(), Scheme::Facia, &forged).await, Err(Denied::Refused)));
        let (signed, _) = token.rsplit_once('.').unwrap();
        let key = place.store.keys().signing("access token");
        let resigned = |jti: &str| {
            let mut claims = said.clone();
            claims["jti"] = json!(jti);
            let header = signed.split('.').next().unwrap();
            let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
        };
        assert!(matches!(guard.token(here(), Scheme::Facia, &resigned("1")).await, Err(Denied::Refused)));
        place.store.add_token(&fingerprint(&resigned("1")), &row, Scheme::Facia, issued.expires).await.unwrap();
        assert!(guard.token(here(), Scheme::Facia, &resigned("1")).await.is_ok(), "with both it is one");

        // A row of the other scheme does not change what the token says.
        place.store.add_token(&fingerprint(&resigned("2")), &row, Scheme::Deepvue, issued.expires).await.unwrap();
        assert!(matches!(guard.token(here(), Scheme::Deepvue, &resigned("2")).await, Err(Denied::Refused)));

        // No token for a token, or for a secret that has been revoked since.
        let by_token = guard.token(here(), Scheme::Facia, token).await.unwrap();
        assert!(matches!(guard.issue(&by_token, Scheme::Facia).await, Err(Denied::Refused)));
        // Another server's guard takes it.
        let second = Gate::of(&place.again().await, true, 0);
        assert!(second.guard.token(here(), Scheme::Facia, token).await.is_ok());
        gate.pass(8 * HOUR - 1);
        assert!(guard.token(here(), Scheme::Facia, token).await.is_ok());
        gate.pass(1);
        assert!(matches!(guard.token(here(), Scheme::Facia, token).await, Err(Denied::Refused)));
        assert_eq!(place.store.sweep(&|_| Duration::ZERO, gate.now()).await.unwrap().access_tokens, 5);
        place.store.revoke_client("kyc@example.com", gate.now()).await.unwrap();
        assert!(matches!(guard.issue(&caller, Scheme::Facia).await, Err(Denied::Refused)));
    }
}

#[tokio::test]
async fn a_token_ends_with_the_secret_that_it_was_issued_for() {
    for place in places("a_token_ends_with_the_secret_that_it_was_issued_for").await {
        let gate = Gate::of(&place.store, true, 0);
        let guard = &gate.guard;
        let old = gate.client(&place, "kyc", None).await;
        let token = async |secret: &str| {
            guard.issue(&guard.secret(here(), secret).await.unwrap(), Scheme::Deepvue).await.unwrap()
        };
        let before = token(&old).await;
        let fresh = client_secret().unwrap();
        let grace = gate.now() + Duration::from_secs(2 * HOUR);
        place.store.rotate_secret("kyc", &fingerprint(fresh.expose()), None, grace, gate.now()).await.unwrap();
        let during = token(&old).await;
        assert_eq!(during.expires, grace, "it is said when it really ends");
        let of_fresh = token(fresh.expose()).await;
        gate.pass(2 * HOUR);
        for ended in [&before.token, &during.token] {
            assert!(matches!(guard.token(here(), Scheme::Deepvue, ended).await, Err(Denied::Refused)));
        }
        assert!(matches!(guard.secret(here(), &old).await, Err(Denied::Refused)));
        assert!(guard.token(here(), Scheme::Deepvue, &of_fresh.token).await.is_ok());
    }
}

#[tokio::test]
async fn after_too_many_failed_tries_nothing_is_looked_at_for_a_while() {
    for place in places("after_too_many_failed_tries_nothing_is_looked_at_for_a_while").await {
        let gate = Gate::of(&place.store, true, 20);
        let guard = &gate.guard;
        let secret = gate.client(&place, "kyc", None).await;
        let (home, away) = (here(), |host| IpAddr::from([198, 51, 100, host]));
        let token = guard.issue(&guard.pair(home, "kyc", &secret).await.unwrap(), Scheme::Facia).await.unwrap().token;
        // Successes are not counted.
        for _ in 0..30 {
            assert!(guard.secret(away(1), &secret).await.is_ok());
        }
        for _ in 0..20 {
            assert!(matches!(guard.secret(away(1), "wrong").await, Err(Denied::Refused)));
        }
        let limited = |result: Result<Caller, Denied>| match result {
            Err(Denied::TooManyTries { retry_after }) => retry_after.as_secs(),
            other => panic!("{other:?}"),
        };
        // Good ones neither: otherwise they could be told apart.
        gate.pass(100);
        assert_eq!(limited(guard.secret(away(1), &secret).await), 800);
        assert_eq!(limited(guard.pair(away(1), "kyc", &secret).await), 800);
        assert_eq!(limited(guard.token(away(1), Scheme::Facia, &token).await), 800);
        assert_eq!(limited(guard.identity(away(1), &["dns:x".to_owned()]).await), 800);
        assert!(guard.secret(home, &secret).await.is_ok(), "another address");
        gate.pass(800);
        assert!(guard.secret(away(1), &secret).await.is_ok());

        // From many addresses for one client, but where it got in before.
        for host in 2..22 {
            assert!(matches!(guard.pair(away(host), "kyc", "wrong").await, Err(Denied::Refused)));
            assert!(matches!(guard.pair(away(host), "nobody", "wrong").await, Err(Denied::Refused)));
        }
        assert_eq!(limited(guard.pair(away(99), "kyc", &secret).await), 900);
        assert_eq!(limited(guard.pair(away(99), "nobody", "wrong").await), 900, "there is no such client: the same");
        assert!(guard.pair(home, "kyc", &secret).await.is_ok());
        assert!(guard.secret(away(99), &secret).await.is_ok(), "by the secret alone it is not held to it");
        // Tokens past their time do not keep a client from getting the next.
        gate.pass(8 * HOUR);
        for _ in 0..40 {
            assert!(matches!(guard.token(home, Scheme::Facia, &token).await, Err(Denied::Refused)));
        }
        assert!(guard.secret(home, &secret).await.is_ok());
    }
}

#[tokio::test]
async fn a_certificate_lets_in_the_client_that_has_its_name() {
    for place in places("a_certificate_lets_in_the_client_that_has_its_name").await {
        let gate = Gate::of(&place.store, true, 0);
        let guard = &gate.guard;
        let leaf = format!("sha256:{}", "0f".repeat(32));
        for (id, name) in [("kyc", "dns:kyc.example.com"), ("bank", "uri:spiffe://bank/kyc"), ("gone", "dns:gone")] {
            let new = NewClient { identities: vec![name.to_owned()], ..NewClient::new(id) };
            place.store.add_client(&new, gate.now()).await.unwrap();
        }
        place.store.add_identity("kyc", &leaf.to_uppercase().replace("SHA256", "sha256"), gate.now()).await.unwrap();
        place.store.revoke_client("gone", gate.now()).await.unwrap();
        let many: Vec<String> = (0..65).map(|n| format!("dns:{n}")).chain(["dns:kyc.example.com".into()]).collect();
        let table: [(&[&str], &str); 10] = [
            (&["dns:kyc.example.com"], "in: kyc"),
            (&["dns:KYC.example.com", "dns:www.example.com", &leaf], "in: kyc"),
            (&["uri:spiffe://bank/kyc"], "in: bank"),
            (&["uri:spiffe://bank/kyc", "dns:kyc.example.com"], REFUSED),
            (&["dns:gone"], REFUSED),
            (&["dns:example.com"], REFUSED),
            (&["kyc.example.com"], REFUSED),
            (&["dns:\0", "dns:é", ""], REFUSED),
            (&[], REFUSED),
            (&many.iter().map(String::as_str).collect::<Vec<_>>(), REFUSED),
        ];
        for (names, expected) in table {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(said(guard.identity(here(), &names).await), expected, "{names:?}");
        }
        let caller = guard.identity(here(), &[leaf]).await.unwrap();
        assert_eq!(caller.secret, None);
        assert!(matches!(guard.issue(&caller, Scheme::Facia).await, Err(Denied::Refused)));
    }
}

#[tokio::test]
async fn a_check_needs_its_policy_and_what_is_left_of_the_quota() {
    for place in places("a_check_needs_its_policy_and_what_is_left_of_the_quota").await {
        let gate = Gate::of(&place.store, true, 0);
        let (guard, now, secret) = (&gate.guard, gate.now(), client_secret().unwrap());
        let new = NewClient {
            policies: vec!["standard".into()],
            per_minute: 2,
            per_day: 3,
            secret: Some((fingerprint(secret.expose()), None)),
            ..NewClient::new("kyc")
        };
        place.store.add_client(&new, now).await.unwrap();
        let caller = guard.secret(here(), secret.expose()).await.unwrap();
        for policy in ["", "other", "standard "] {
            assert!(matches!(guard.spend(&caller, policy, now).await, Err(Forbidden::Policy)));
        }
        let quota = async |now| match guard.spend(&caller, "standard", now).await {
            Ok(()) => None,
            Err(Forbidden::Quota { window, limit, retry_after }) => Some((window, limit, retry_after.as_secs())),
            Err(other) => panic!("{other}"),
        };
        // 12:00:10 UTC.
        assert_eq!((quota(now).await, quota(now).await), (None, None));
        assert_eq!(quota(now).await, Some(("minute", 2, 50)));
        let later = now + Duration::from_secs(50);
        assert_eq!(quota(later).await, None);
        assert_eq!(quota(later).await, Some(("day", 3, 12 * HOUR - 60)));
        assert_eq!(quota(later + Duration::from_secs(12 * HOUR)).await, None);
    }
}

#[tokio::test]
async fn where_callers_are_not_told_apart_everybody_is_let_in() {
    for place in places("where_callers_are_not_told_apart_everybody_is_let_in").await {
        let gate = Gate::of(&place.store, false, 1);
        let guard = &gate.guard;
        assert!(!guard.required());
        for _ in 0..3 {
            for result in [
                guard.secret(here(), "").await,
                guard.pair(here(), "a", "b").await,
                guard.token(here(), Scheme::Deepvue, "é").await,
                guard.identity(here(), &[]).await,
            ] {
                assert_eq!(result.unwrap(), Caller::anybody());
            }
        }
        let issued = guard.issue(&Caller::anybody(), Scheme::Deepvue).await.unwrap();
        assert_eq!(claims(&issued.token)["aud"], "deepvue");
        assert_eq!(issued.expires, gate.now() + Duration::from_secs(24 * HOUR));
        guard.spend(&Caller::anybody(), "standard", gate.now()).await.unwrap();
        // It opens nothing once callers are told apart.
        let strict = Gate::of(&place.store, true, 0);
        assert!(matches!(strict.guard.token(here(), Scheme::Deepvue, &issued.token).await, Err(Denied::Refused)));
    }
}

#[tokio::test]
async fn a_store_that_is_gone_lets_nobody_in() {
    for place in places("a_store_that_is_gone_lets_nobody_in").await {
        let gate = Gate::of(&place.store, true, 0);
        let guard = &gate.guard;
        let secret = gate.client(&place, "kyc", None).await;
        let caller = guard.secret(here(), &secret).await.unwrap();
        let token = guard.issue(&caller, Scheme::Facia).await.unwrap().token;
        place.store.close().await;
        let shut = [
            guard.secret(here(), &secret).await,
            guard.pair(here(), "kyc", &secret).await,
            guard.token(here(), Scheme::Facia, &token).await,
            guard.identity(here(), &["dns:x".to_owned()]).await,
        ];
        for result in shut {
            let denied = result.unwrap_err();
            assert!(matches!(denied, Denied::Store(_)));
            assert!(!format!("{denied:?} {denied} {guard:?}").contains(&secret));
        }
        let limited = Caller { per_day: 1, ..caller };
        assert!(matches!(guard.spend(&limited, "standard", gate.now()).await, Err(Forbidden::Store(_))));
    }
}

#[tokio::test]
async fn no_secret_and_no_token_is_in_the_database_file() {
    let place = places("no_secret_and_no_token_is_in_the_database_file").await.remove(0);
    let gate = Gate::of(&place.store, true, 0);
    let secret = gate.client(&place, "kyc", None).await;
    let caller = gate.guard.secret(here(), &secret).await.unwrap();
    let token = gate.guard.issue(&caller, Scheme::Facia).await.unwrap().token;
    assert!(!format!("{caller:?}").contains(&secret));
    let mut read = 0;
    for entry in std::fs::read_dir(place.folder()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        read += usize::from(holds("kyc"));
        for hidden in [&secret[3..], &token[token.len() - 43..]] {
            assert!(!holds(hidden));
        }
    }
    assert!(read > 0, "the client itself is in one of the files");
}
