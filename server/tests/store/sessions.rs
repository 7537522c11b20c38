//! The promises about one session, with a clock that the tests set.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use lifesign_core::matching::Reference;
use lifesign_proto::v1;
use lifesign_server::store::{CreateError, Kind, NewSession, OpenError, State, Store};
use uuid::Uuid;

use crate::rig::{Place, places};

pub(crate) const TTL: Duration = Duration::from_secs(600);
pub(crate) const REMEMBER: Duration = Duration::from_secs(900);
const GRACE: Duration = Duration::from_secs(5);

pub(crate) fn about() -> NewSession {
    NewSession {
        owner: "bank".to_owned(),
        kind: Kind::Stream,
        policy: "default".to_owned(),
        client_reference: "person@example.org".to_owned(),
        external_id: String::new(),
        reference: None,
    }
}

pub(crate) fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
}

pub(crate) fn verdict() -> v1::Verdict {
    let reason = |code: &str| v1::Reason { code: code.to_owned(), message: "Words for the person.".to_owned() };
    v1::Verdict {
        decision: v1::Decision::Reject.into(),
        reasons: vec![reason("NOT_PASSED"), reason("TOO_DARK")],
        policy: Some(v1::PolicyRef { id: "default".to_owned(), version: "1.0123456789ab".to_owned() }),
        pack: Some(v1::PackRef { id: "open".to_owned(), version: "1.2".to_owned(), ..Default::default() }),
        diagnostics: vec!["a private matter".to_owned()],
        client_reference: "person@example.org".to_owned(),
        ..Default::default()
    }
}

async fn create(store: &Store, now: SystemTime) -> lifesign_server::store::Created {
    store.create_session(about(), TTL, 100, now).await.unwrap()
}

async fn state(store: &Store, id: Uuid, now: SystemTime) -> State {
    store.session("bank", id, now).await.unwrap().unwrap().state
}

#[tokio::test]
async fn a_token_opens_one_stream_and_its_verdict_outlives_the_server() {
    for place in places("a_token_opens_one_stream_and_its_verdict_outlives_the_server").await {
        let (store, now) = (&place.store, start());
        let made = create(store, now).await;
        let other = place.again().await;
        assert_eq!(state(&other, made.id, now).await, State::Pending);
        let opened = other.open_session(made.token.reveal(), now + TTL, now).await.unwrap();
        assert_eq!((opened.id, opened.about), (made.id, about()));
        assert_eq!(state(store, made.id, now).await, State::Active);
        let open = |store: Store| {
            let token = made.token.reveal().to_owned();
            async move { store.open_session(&token, now + TTL, now).await.unwrap_err() }
        };
        assert!(matches!(open(store.clone()).await, OpenError::Used));
        assert!(store.complete_session(made.id, &verdict(), now + REMEMBER, now).await.unwrap());
        assert!(matches!(open(other.clone()).await, OpenError::Used));
        store.close().await;
        let after = place.again().await;
        let view = after.session("bank", made.id, now).await.unwrap().unwrap();
        assert_eq!((view.state, view.version, view.decision), (State::Completed, 3, v1::Decision::Reject));
        assert_eq!((view.created, view.expires), (now, now + REMEMBER));
        assert_eq!((view.verdict, view.about), (Some(verdict()), about()));
    }
}

#[tokio::test]
async fn what_is_no_token_opens_nothing() {
    for Place { store, .. } in &places("what_is_no_token_opens_nothing").await {
        create(store, start()).await;
        for text in ["", "x", "' OR 1=1 --", "\0", &"x".repeat(100_000)] {
            let refused = store.open_session(text, start() + TTL, start()).await.unwrap_err();
            assert!(matches!(refused, OpenError::Unknown), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn time_runs_out_before_the_sweeper_comes() {
    for Place { store, .. } in &places("time_runs_out_before_the_sweeper_comes").await {
        let now = start();
        let made = create(store, now).await;
        let almost = now + TTL - Duration::from_millis(1);
        assert_eq!(state(store, made.id, almost).await, State::Pending);
        assert_eq!(state(store, made.id, now + TTL).await, State::Expired);
        let late = store.open_session(made.token.reveal(), now + TTL * 2, now + TTL).await.unwrap_err();
        assert!(matches!(late, OpenError::Expired), "{late:?}");

        let open = store.open_inline(about(), now + TTL, 100, now).await.unwrap().id;
        assert_eq!(state(store, open, now + TTL).await, State::Active, "the stream has a moment to end by itself");
        assert_eq!(state(store, open, now + TTL + GRACE).await, State::Expired);
        assert!(!store.complete_session(open, &verdict(), now + TTL * 9, now + TTL + GRACE).await.unwrap());
        assert!(store.complete_session(open, &verdict(), now + TTL + REMEMBER, now + TTL).await.unwrap());
        assert!(store.session("bank", open, now + TTL + REMEMBER).await.unwrap().is_none(), "it is to be forgotten");

        let work = NewSession { kind: Kind::Transaction, ..about() };
        let queued = store.open_inline(work, now + TTL, 100, now).await.unwrap().id;
        assert!(store.complete_session(queued, &verdict(), now + TTL * 9, now + TTL * 3).await.unwrap());
    }
}

#[tokio::test]
async fn sessions_end_once() {
    for Place { store, .. } in &places("sessions_end_once").await {
        let (now, forget) = (start(), start() + REMEMBER);
        let open = async || store.open_inline(about(), now + TTL, 100, now).await.unwrap().id;
        let cancelled = open().await;
        let view = store.cancel_session("bank", cancelled, forget, now).await.unwrap().unwrap();
        assert_eq!((view.state, view.expires), (State::Cancelled, forget));
        assert!(!store.complete_session(cancelled, &verdict(), forget, now).await.unwrap(), "the verdict is void");
        store.expire_session(cancelled, forget, now).await.unwrap();
        assert_eq!(state(store, cancelled, now).await, State::Cancelled);

        let done = open().await;
        assert!(store.complete_session(done, &verdict(), forget, now).await.unwrap());
        let view = store.cancel_session("bank", done, forget + TTL, now).await.unwrap().unwrap();
        assert_eq!((view.state, view.version, view.expires), (State::Completed, 2, forget));
        assert!(!store.complete_session(done, &v1::Verdict::default(), forget, now).await.unwrap());
        assert_eq!(store.session("bank", done, now).await.unwrap().unwrap().verdict, Some(verdict()));

        let broken = open().await;
        store.expire_session(broken, forget, now).await.unwrap();
        assert_eq!(state(store, broken, now).await, State::Expired);
        assert!(!store.complete_session(broken, &verdict(), forget, now).await.unwrap());

        let made = create(store, now).await;
        store.cancel_session("bank", made.id, forget, now).await.unwrap().unwrap();
        let refused = store.open_session(made.token.reveal(), now + TTL, now).await.unwrap_err();
        assert!(matches!(refused, OpenError::Cancelled), "{refused:?}");
        assert!(store.cancel_session("bank", Uuid::new_v4(), forget, now).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn another_owner_sees_and_ends_nothing() {
    for Place { store, .. } in &places("another_owner_sees_and_ends_nothing").await {
        let now = start();
        let named = NewSession { external_id: "ext-1".to_owned(), ..about() };
        let id = store.open_inline(named, now + TTL, 100, now).await.unwrap().id;
        for owner in ["shop", "", "BANK", "bank'", "%"] {
            assert!(store.session(owner, id, now).await.unwrap().is_none());
            assert!(store.by_external_id(owner, "ext-1", now).await.unwrap().is_none());
            assert!(store.cancel_session(owner, id, now + REMEMBER, now).await.unwrap().is_none());
            assert!(store.delete_session(owner, id, now).await.unwrap().is_none());
        }
        assert_eq!(store.by_external_id("bank", "ext-1", now).await.unwrap().unwrap().id, id);
        assert_eq!(state(store, id, now).await, State::Active);
        assert!(store.by_external_id("bank", "", now).await.unwrap().is_none());
        let again = NewSession { external_id: "ext-1".to_owned(), owner: "shop".to_owned(), ..about() };
        assert!(store.open_inline(again, now + TTL, 100, now).await.is_err(), "a name is one session's");
    }
}

#[tokio::test]
async fn a_full_store_says_when_there_is_room() {
    for Place { store, .. } in &places("a_full_store_says_when_there_is_room").await {
        let now = start();
        store.create_session(about(), TTL, 2, now).await.unwrap();
        let second = store.create_session(about(), TTL * 2, 2, now).await.unwrap();
        let full = async |now| match store.create_session(about(), TTL, 2, now).await {
            Err(CreateError::Full { limit: 2, retry_after }) => retry_after,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("the store took a third"),
        };
        assert_eq!(full(now).await, TTL);
        assert_eq!(store.count_open(Kind::Stream, now).await.unwrap(), 2);
        assert_eq!(store.count_open(Kind::Check, now).await.unwrap(), 0, "kinds have their own room");
        assert!(store.create_session(about(), TTL, 2, now + TTL).await.is_ok(), "the first has ended by then");
        store.cancel_session("bank", second.id, now + REMEMBER, now + TTL).await.unwrap();
        assert!(store.open_inline(about(), now + TTL * 2, 2, now + TTL).await.is_ok());
        assert_eq!(full(now + TTL).await, TTL);
    }
}

fn with_face() -> NewSession {
    NewSession { reference: Some(Arc::new(Reference { embedding: Ok(vec![0.25; 512]), print: None })), ..about() }
}

#[tokio::test]
async fn a_reference_is_handed_over_once_and_is_not_in_the_files() {
    let face: Vec<u8> = 0.25_f32.to_le_bytes().repeat(16);
    for place in places("a_reference_is_handed_over_once_and_is_not_in_the_files").await {
        let (store, now) = (&place.store, start());
        let made = store.create_session(with_face(), TTL, 100, now).await.unwrap();
        assert!(store.session("bank", made.id, now).await.unwrap().unwrap().about.reference.is_none());
        let opened = place.again().await.open_session(made.token.reveal(), now + TTL, now).await.unwrap();
        assert_eq!(opened.about, with_face());
        let inline = store.open_inline(with_face(), now + TTL, 100, now).await.unwrap();
        assert_eq!(inline.about, with_face());
        for file in std::fs::read_dir(place.folder()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            let found = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
            assert!(!found(&face) && !found(made.token.reveal().as_bytes()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_that_open_or_finish_a_session_one_does() {
    for place in places("of_fifty_that_open_or_finish_a_session_one_does").await {
        let (stores, now) = ([place.store.clone(), place.again().await], start());
        let made = create(&place.store, now).await;
        let token: Arc<str> = made.token.reveal().into();
        let opened = futures::future::join_all((0..50).map(|index| {
            let (store, token) = (stores[index % 2].clone(), Arc::clone(&token));
            tokio::spawn(async move { store.open_session(&token, now + TTL, now).await })
        }));
        let opened: Vec<_> = opened.await.into_iter().map(Result::unwrap).collect();
        assert_eq!(opened.iter().filter(|opened| opened.is_ok()).count(), 1);
        assert_eq!(opened.iter().filter(|opened| matches!(opened, Err(OpenError::Used))).count(), 49);

        let done = futures::future::join_all((0..50).map(|index| {
            let (store, verdict) = (stores[index % 2].clone(), verdict());
            tokio::spawn(async move {
                if index % 5 == 0 {
                    store.cancel_session("bank", made.id, now + REMEMBER, now).await.unwrap();
                    return false;
                }
                store.complete_session(made.id, &verdict, now + REMEMBER, now).await.unwrap()
            })
        }));
        let done = done.await.into_iter().filter(|done| *done.as_ref().unwrap()).count();
        let view = place.store.session("bank", made.id, now).await.unwrap().unwrap();
        assert_eq!((view.version, done), (3, usize::from(view.state == State::Completed)), "{:?}", view.state);
        assert_eq!(view.verdict.is_some(), view.state == State::Completed);
        assert_eq!(place.store.audit_lines(0, 100).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn versions_rise_with_every_change() {
    for Place { store, .. } in &places("versions_rise_with_every_change").await {
        let now = start();
        let mut ids = Vec::new();
        for _ in 0..120 {
            ids.push(store.open_inline(about(), now + TTL, 1000, now).await.unwrap().id);
        }
        let asked: Vec<Uuid> = ids.iter().copied().chain([Uuid::new_v4()]).collect();
        let found: HashSet<_> = store.versions(&asked).await.unwrap().into_iter().collect();
        assert_eq!(found, ids.iter().map(|id| (*id, State::Active, 1)).collect());
        store.expire_session(ids[7], now + REMEMBER, now).await.unwrap();
        assert_eq!(store.versions(&ids[7..8]).await.unwrap(), [(ids[7], State::Expired, 2)]);
        assert!(store.versions(&[]).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_recorded_session_is_complete_from_the_start() {
    for Place { store, .. } in &places("a_recorded_session_is_complete_from_the_start").await {
        let (now, id) = (start(), Uuid::new_v4());
        let check = NewSession { kind: Kind::Check, ..with_face() };
        store.record_session(check.clone(), &verdict(), id, now + REMEMBER, now).await.unwrap();
        let view = store.session("bank", id, now).await.unwrap().unwrap();
        assert_eq!((view.state, view.about.kind, view.verdict), (State::Completed, Kind::Check, Some(verdict())));
        assert!(store.record_session(check, &verdict(), id, now + REMEMBER, now).await.is_err(), "ids are used once");
        assert_eq!(store.audit_lines(0, 100).await.unwrap().len(), 1, "and what fails leaves no line");
    }
}
