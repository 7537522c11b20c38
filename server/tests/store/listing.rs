//! Lists of sessions: filters, pages and their tokens.

use std::time::{Duration, SystemTime};

use lifesign_proto::v1;
use lifesign_server::store::{Filter, Kind, ListError, NewSession, Page, PageRequest, State, Store};
use uuid::Uuid;

use crate::{
    rig::{Place, places},
    sessions::{REMEMBER, TTL, about, start, verdict},
};

async fn page(store: &Store, filter: &Filter, size: u32, token: &str, now: SystemTime) -> Page {
    store.list_sessions("bank", filter, PageRequest { size, token }, now).await.unwrap()
}

async fn ids(store: &Store, filter: Filter, now: SystemTime) -> Vec<Uuid> {
    page(store, &filter, 100, "", now).await.sessions.iter().map(|session| session.id).collect()
}

#[tokio::test]
async fn pages_have_every_session_once_newest_first() {
    for Place { store, .. } in &places("pages_have_every_session_once_newest_first").await {
        let now = start();
        let mut made = Vec::new();
        for index in 0..23 {
            // Several at the same time.
            let at = now + Duration::from_secs(index / 5);
            let id = store.open_inline(about(), now + TTL, 100, at).await.unwrap().id;
            made.push((at, id.to_string()));
        }
        let foreign = NewSession { owner: "shop".to_owned(), ..about() };
        store.open_inline(foreign, now + TTL, 100, now).await.unwrap();
        made.sort();
        made.reverse();
        let (mut seen, mut token) = (Vec::new(), String::new());
        let filter = Filter::default();
        loop {
            let page = page(store, &filter, 5, &token, now + TTL / 2).await;
            assert!(page.sessions.len() == 5 || page.next.is_empty());
            seen.extend(page.sessions.into_iter().map(|session| (session.created, session.id.to_string())));
            if seen.len() == 10 {
                // One that is made meanwhile shifts nothing.
                store.open_inline(about(), now + TTL, 100, now + TTL / 2).await.unwrap();
            }
            token = page.next;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, made);
        let exact = page(store, &filter, 24, "", now + TTL / 2).await;
        assert!(exact.sessions.len() == 24 && exact.next.is_empty());
    }
}

#[tokio::test]
async fn a_page_token_is_for_one_list_and_no_other() {
    for place in places("a_page_token_is_for_one_list_and_no_other").await {
        let (store, now) = (&place.store, start());
        for _ in 0..3 {
            store.open_inline(about(), now + TTL, 100, now).await.unwrap();
        }
        let filter = Filter { states: vec![State::Active, State::Pending], ..Filter::default() };
        let first = page(store, &filter, 2, "", now).await;
        let refused = async |owner: &str, filter: &Filter, token: &str| {
            let page = store.list_sessions(owner, filter, PageRequest { size: 2, token }, now).await;
            assert!(matches!(page, Err(ListError::PageToken)), "{token}");
        };
        refused("shop", &filter, &first.next).await;
        refused("bank", &Filter::default(), &first.next).await;
        refused("bank", &Filter { policy: "default".to_owned(), ..filter.clone() }, &first.next).await;
        refused("bank", &Filter { created_from: Some(SystemTime::UNIX_EPOCH), ..filter.clone() }, &first.next).await;
        for place in 0..first.next.len() {
            let mut altered = first.next.clone().into_bytes();
            altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
            refused("bank", &filter, &String::from_utf8(altered).unwrap()).await;
        }
        for text in ["x", "AAAA", "é", "' OR 1=1", &"A".repeat(10_000)] {
            refused("bank", &filter, text).await;
        }
        let turned = Filter { states: vec![State::Pending, State::Active], ..Filter::default() };
        let rest = page(&place.again().await, &turned, 2, &first.next, now).await;
        assert!(rest.sessions.len() == 1 && rest.next.is_empty(), "another server goes on with it");
    }
}

#[tokio::test]
async fn filters_hold_all_at_once() {
    for Place { store, .. } in &places("filters_hold_all_at_once").await {
        let now = start();
        let second = Duration::from_secs(1);
        let strict = NewSession { policy: "strict".to_owned(), client_reference: "c-2".to_owned(), ..about() };
        let early = store.open_inline(about(), now + TTL, 100, now).await.unwrap().id;
        let active = store.open_inline(strict.clone(), now + TTL * 9, 100, now + second).await.unwrap().id;
        let rejected = Uuid::new_v4();
        let checked = NewSession { kind: Kind::Check, ..strict };
        store.record_session(checked, &verdict(), rejected, now + TTL * 9, now + second * 2).await.unwrap();
        let all = Filter::default;
        let at = now + second * 3;
        assert_eq!(ids(store, all(), at).await, [rejected, active, early]);
        let states = |states: &[State]| Filter { states: states.to_vec(), ..all() };
        assert_eq!(ids(store, states(&[State::Active]), at).await, [active, early]);
        assert_eq!(ids(store, states(&[State::Completed, State::Pending]), at).await, [rejected]);
        let over = now + TTL * 2;
        assert_eq!(ids(store, states(&[State::Active]), over).await, [active], "states are those of the time");
        assert_eq!(ids(store, states(&[State::Expired]), over).await, [early]);
        let decisions = |decisions: &[v1::Decision]| Filter { decisions: decisions.to_vec(), ..all() };
        assert_eq!(ids(store, decisions(&[v1::Decision::Reject]), at).await, [rejected]);
        assert_eq!(ids(store, decisions(&[v1::Decision::Accept, v1::Decision::Retry]), at).await, Vec::<Uuid>::new());
        let policy = || Filter { policy: "strict".to_owned(), ..all() };
        assert_eq!(ids(store, policy(), at).await, [rejected, active]);
        let both = Filter { states: vec![State::Active], client_reference: "c-2".to_owned(), ..policy() };
        assert_eq!(ids(store, both, at).await, [active]);
        assert_eq!(ids(store, Filter { client_reference: "c-%".to_owned(), ..all() }, at).await, Vec::<Uuid>::new());
        let span = |from: SystemTime, before: SystemTime| Filter {
            created_from: Some(from),
            created_before: Some(before),
            ..all()
        };
        assert_eq!(ids(store, span(now, now + second * 2), at).await, [active, early]);
        assert_eq!(ids(store, span(now + Duration::from_nanos(1), at), at).await, [rejected, active]);
        assert_eq!(ids(store, all(), now + TTL * 9).await, [active, early], "what is to be forgotten is not listed");
    }
}

#[tokio::test]
async fn a_list_has_the_outcome_and_not_the_evidence() {
    for Place { store, .. } in &places("a_list_has_the_outcome_and_not_the_evidence").await {
        let now = start();
        store.record_session(about(), &verdict(), Uuid::new_v4(), now + REMEMBER, now).await.unwrap();
        let listed = page(store, &Filter::default(), 0, "", now).await.sessions.remove(0).verdict.unwrap();
        let v1::Verdict { decision, reasons, policy, pack, .. } = verdict();
        assert_eq!(listed, v1::Verdict { decision, reasons, policy, pack, ..Default::default() });
    }
}
