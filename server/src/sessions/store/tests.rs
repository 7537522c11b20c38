//! The store's promises, with a clock that the tests set.

use super::*;

const TTL: Duration = Duration::from_secs(600);
const REMEMBER: Duration = Duration::from_secs(900);

fn about() -> NewSession {
    NewSession { policy: "default".to_owned(), client_reference: "person@example.org".to_owned(), reference: None }
}

fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
}

#[test]
fn a_token_opens_one_stream() {
    let (store, now) = (Store::new(10, REMEMBER), start());
    let made = store.create(about(), TTL, now).unwrap();
    assert_eq!(store.get(made.id, now).unwrap().state, State::Pending);
    let opened = store.open(made.token.reveal(), now, now + TTL).unwrap();
    assert_eq!((opened.id, opened.about), (made.id, about()));
    assert_eq!(store.get(made.id, now).unwrap().state, State::Active);
    assert_eq!(store.open(made.token.reveal(), now, now + TTL).unwrap_err(), OpenError::Used);
    assert!(store.complete(made.id, v1::Verdict::default(), now));
    assert_eq!(store.open(made.token.reveal(), now, now + TTL).unwrap_err(), OpenError::Used);
    assert!(store.get(made.id, now).unwrap().verdict.is_some());
}

#[test]
fn a_token_expires_and_is_forgotten() {
    let (store, now) = (Store::new(10, REMEMBER), start());
    let made = store.create(about(), TTL, now).unwrap();
    assert_eq!(store.open(made.token.reveal(), now + TTL, now).unwrap_err(), OpenError::Expired);
    assert_eq!(store.get(made.id, now + TTL).unwrap().state, State::Expired);
    let later = now + TTL + REMEMBER;
    assert!(store.get(made.id, later).is_none());
    assert_eq!(store.open(made.token.reveal(), later, later).unwrap_err(), OpenError::Unknown);
    assert!(store.is_empty());
}

#[test]
fn cancelling_ends_the_stream_and_nothing_else() {
    let (store, now) = (Store::new(10, REMEMBER), start());
    let opened = store.open_inline(about(), now, now + TTL).unwrap();
    assert_eq!(store.cancel(opened.id, now).unwrap().state, State::Cancelled);
    assert!(opened.cancelled.is_cancelled());
    assert!(!store.complete(opened.id, v1::Verdict::default(), now), "a verdict after the end is void");
    assert_eq!(store.get(opened.id, now).unwrap().state, State::Cancelled);

    let done = store.open_inline(about(), now, now + TTL).unwrap();
    assert!(store.complete(done.id, v1::Verdict::default(), now));
    assert_eq!(store.cancel(done.id, now).unwrap().state, State::Completed);
    assert!(!done.cancelled.is_cancelled());
    assert!(store.cancel(Uuid::new_v4(), now).is_none());
}

#[test]
fn a_cancelled_token_opens_nothing() {
    let (store, now) = (Store::new(10, REMEMBER), start());
    let made = store.create(about(), TTL, now).unwrap();
    store.cancel(made.id, now).unwrap();
    assert_eq!(store.open(made.token.reveal(), now, now + TTL).unwrap_err(), OpenError::Cancelled);
}

#[test]
fn a_full_store_says_when_there_is_room() {
    let (store, now) = (Store::new(2, REMEMBER), start());
    store.create(about(), TTL, now).unwrap();
    store.create(about(), TTL * 2, now).unwrap();
    let Err(CreateError::Full(full)) = store.create(about(), TTL, now) else { panic!("the store took a third") };
    assert_eq!(full, StoreFull { limit: 2, retry_after: TTL });
    assert!(store.create(about(), TTL, now + TTL + REMEMBER).is_ok());
    assert_eq!(store.len(), 2);
}

#[test]
fn sweeping_forgets_sessions_and_tokens() {
    let (store, now) = (Store::new(100, REMEMBER), start());
    for _ in 0..10 {
        store.create(about(), TTL, now).unwrap();
    }
    store.sweep(now + TTL);
    assert_eq!(store.len(), 10, "expired ones are remembered");
    store.sweep(now + TTL + REMEMBER);
    assert!(store.is_empty());
    assert!(store.lock().tokens.is_empty());
}

#[test]
fn what_identifies_a_person_is_not_in_debug_output() {
    let text = format!("{:?}", with_face());
    assert!(!text.contains("person") && !text.contains("0.25"), "{text}");
}

fn with_face() -> NewSession {
    NewSession { reference: Some(Arc::new(Reference { embedding: Ok(vec![0.25; 4]), print: None })), ..about() }
}

#[test]
fn a_reference_is_let_go_when_the_stream_opens_or_the_session_ends() {
    let (store, now) = (Store::new(10, REMEMBER), start());
    let held = |id, now| store.get(id, now).unwrap().about.reference.is_some();
    let made = store.create(with_face(), TTL, now).unwrap();
    assert!(held(made.id, now));
    let opened = store.open(made.token.reveal(), now, now + TTL).unwrap();
    assert_eq!(opened.about, with_face(), "the stream has it");
    assert!(!held(made.id, now));
    let cancelled = store.create(with_face(), TTL, now).unwrap();
    store.cancel(cancelled.id, now);
    assert!(!held(cancelled.id, now));
    let expired = store.create(with_face(), TTL, now).unwrap();
    assert!(!held(expired.id, now + TTL));
    let inline = store.open_inline(with_face(), now, now + TTL).unwrap();
    assert_eq!(inline.about, with_face());
    assert!(!held(inline.id, now));
}
