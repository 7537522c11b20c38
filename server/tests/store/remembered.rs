//! Answers by request_id: the first answer comes again, on every server.

use std::{
    collections::HashSet,
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use lifesign_server::{
    sessions::{Clock, ContentHash},
    store::{MemoError, Slot, Store},
};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::rig::{Place, places};

const A: ContentHash = [1; 32];
const B: ContentHash = [2; 32];
const MINUTE: Duration = Duration::from_secs(60);

fn slot(request_id: Uuid) -> Slot<'static> {
    Slot { owner: "bank", method: "CheckMedia", request_id, limit: 100 }
}

async fn ask(store: &Store, slot: Slot<'_>, content: ContentHash, value: &str) -> Result<String, MemoError<String>> {
    let (clock, value) = (Clock::default(), value.as_bytes().to_vec());
    let answer = store.remembered(slot, content, MINUTE, clock.now() + MINUTE, &clock, || async { Ok(value) });
    answer.await.map(|answer| String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn the_first_answer_comes_again_on_every_server() {
    for place in places("the_first_answer_comes_again_on_every_server").await {
        let (store, id) = (&place.store, Uuid::new_v4());
        assert_eq!(ask(store, slot(id), A, "one").await.unwrap(), "one");
        assert_eq!(ask(&place.again().await, slot(id), A, "two").await.unwrap(), "one");
        assert!(matches!(ask(store, slot(id), B, "three").await, Err(MemoError::Reused)));
        for other in [
            slot(Uuid::new_v4()),
            Slot { owner: "shop", ..slot(id) },
            Slot { method: "CreateSession", ..slot(id) },
            Slot { owner: "bankC", method: "heckMedia", ..slot(id) },
        ] {
            assert_eq!(ask(store, other, B, "another").await.unwrap(), "another");
        }
        let empty = Uuid::new_v4();
        assert_eq!(ask(store, slot(empty), A, "").await.unwrap(), "");
        assert_eq!(ask(store, slot(empty), A, "x").await.unwrap(), "", "an empty answer is one");
    }
}

#[tokio::test]
async fn answers_are_forgotten_in_time() {
    for Place { store, .. } in &places("answers_are_forgotten_in_time").await {
        let (clock, id) = (Clock::default(), Uuid::new_v4());
        let call = || async { Ok::<_, String>(b"old".to_vec()) };
        store.remembered(slot(id), A, MINUTE, clock.now(), &clock, call).await.unwrap();
        assert_eq!(ask(store, slot(id), B, "new").await.unwrap(), "new", "whatever the content was");
        let swept = store.sweep(&|_| MINUTE, clock.now()).await.unwrap();
        assert_eq!(swept.answers, 0);
        assert_eq!(store.sweep(&|_| MINUTE, clock.now() + MINUTE * 2).await.unwrap().answers, 1);
    }
}

#[tokio::test]
async fn a_failure_is_not_remembered() {
    for Place { store, .. } in &places("a_failure_is_not_remembered").await {
        let (clock, id) = (Clock::default(), Uuid::new_v4());
        let failed = store.remembered(slot(id), A, MINUTE, clock.now() + MINUTE, &clock, || async { Err("no") }).await;
        assert!(matches!(failed, Err(MemoError::Call("no"))));
        assert_eq!(ask(store, slot(id), B, "yes").await.unwrap(), "yes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_calls_at_once_are_one_call() {
    for place in places("equal_calls_at_once_are_one_call").await {
        let (stores, id, calls) =
            ([place.store.clone(), place.again().await], Uuid::new_v4(), Arc::new(AtomicU32::new(0)));
        let all = futures::future::join_all((0..20).map(|index| {
            let (store, calls) = (stores[index % 2].clone(), Arc::clone(&calls));
            tokio::spawn(async move {
                let clock = Clock::default();
                let call = || async {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    Ok::<_, String>(vec![calls.fetch_add(1, Ordering::SeqCst) as u8])
                };
                store.remembered(slot(id), A, MINUTE, clock.now() + MINUTE, &clock, call).await.unwrap()
            })
        }));
        for answer in all.await {
            assert_eq!(answer.unwrap(), [0]);
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}

/// A call that is at work and never answers.
fn stuck(store: &Store, id: Uuid, lease: Duration) -> (oneshot::Receiver<()>, impl Future<Output = ()> + Send + use<>) {
    let (at_work, told) = oneshot::channel();
    let store = store.clone();
    let call = async move {
        let clock = Clock::default();
        let call = || async {
            at_work.send(()).unwrap();
            pending::<Result<Vec<u8>, String>>().await
        };
        let answer = store.remembered(slot(id), A, lease, clock.now() + MINUTE, &clock, call).await;
        panic!("there is no answer, and {answer:?} came");
    };
    (told, call)
}

#[tokio::test]
async fn a_call_that_was_given_up_frees_its_slot() {
    for place in places("a_call_that_was_given_up_frees_its_slot").await {
        let id = Uuid::new_v4();
        // Were the slot not freed, the second call would wait for an hour.
        let (at_work, call) = stuck(&place.store, id, MINUTE * 60);
        let task = tokio::spawn(call);
        at_work.await.unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(ask(&place.again().await, slot(id), A, "two").await.unwrap(), "two");
    }
}

#[tokio::test]
async fn a_call_that_was_lost_with_its_server_is_done_by_the_next() {
    for place in places("a_call_that_was_lost_with_its_server_is_done_by_the_next").await {
        let id = Uuid::new_v4();
        let (at_work, call) = stuck(&place.store, id, Duration::from_millis(300));
        let mut call = Box::pin(call);
        tokio::select! {
            told = at_work => told.unwrap(),
            () = &mut call => unreachable!("it is stuck"),
        }
        // Nothing of it runs any more, as after kill -9.
        std::mem::forget(call);
        let other = place.again().await;
        assert!(matches!(ask(&other, slot(id), B, "x").await, Err(MemoError::Reused)));
        let (two, three) = tokio::join!(ask(&place.store, slot(id), A, "two"), ask(&other, slot(id), A, "three"));
        let (two, three) = (two.unwrap(), three.unwrap());
        assert_eq!(two, three, "one of them did the work, and the other shares it");
        assert_eq!(ask(&other, slot(id), A, "four").await.unwrap(), two);
    }
}

#[tokio::test]
async fn patience_ends() {
    for Place { store, .. } in &places("patience_ends").await {
        let (clock, id) = (Clock::default(), Uuid::new_v4());
        let (at_work, call) = stuck(store, id, MINUTE * 60);
        let task = tokio::spawn(call);
        at_work.await.unwrap();
        let call = || async { Ok::<_, String>(Vec::new()) };
        let short = Duration::from_millis(20);
        let busy = store.remembered(slot(id), A, short, clock.now() + MINUTE, &clock, call).await;
        assert!(matches!(busy, Err(MemoError::Busy)));
        task.abort();
    }
}

#[tokio::test]
async fn answers_are_bounded_per_owner_and_the_oldest_go() {
    for Place { store, .. } in &places("answers_are_bounded_per_owner_and_the_oldest_go").await {
        let ids: Vec<Uuid> = (0..5).map(|_| Uuid::new_v4()).collect();
        let clock = Clock::default();
        let start = clock.now() + MINUTE;
        let three = |id| Slot { limit: 3, ..slot(id) };
        let other = Slot { owner: "shop", ..three(ids[0]) };
        assert_eq!(ask(store, other, A, "theirs").await.unwrap(), "theirs");
        for (index, id) in (0_u32..).zip(&ids) {
            let (expires, call) = (start + MINUTE * index, || async { Ok::<_, String>(vec![index as u8]) });
            store.remembered(three(*id), A, MINUTE, expires, &clock, call).await.unwrap();
        }
        for (index, id) in ids.iter().enumerate().skip(2) {
            assert_eq!(ask(store, slot(*id), A, "again").await.unwrap().as_bytes(), [index as u8]);
        }
        for id in &ids[..2] {
            assert_eq!(ask(store, slot(*id), A, "again").await.unwrap(), "again");
        }
        assert_eq!(ask(store, other, A, "mine").await.unwrap(), "theirs");
    }
}

#[tokio::test]
async fn the_store_alone_does_not_tell_an_answer() {
    for place in places("the_store_alone_does_not_tell_an_answer").await {
        let id = Uuid::new_v4();
        ask(&place.store, slot(id), A, "MARKED-ANSWER").await.unwrap();
        let kept: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT answer FROM remembered").fetch_all(&place.raw().await).await.unwrap();
        assert_eq!(kept.len(), 1);
        let secrets: HashSet<&[u8]> =
            [b"MARKED-ANSWER".as_slice(), id.as_bytes(), id.to_string().leak().as_bytes()].into();
        for file in std::fs::read_dir(place.folder()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            for secret in &secrets {
                assert!(!bytes.windows(secret.len()).any(|window| window == *secret));
            }
        }
    }
}
