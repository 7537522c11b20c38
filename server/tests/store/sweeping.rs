//! What is over is erased in time, and nothing before.

use std::time::{Duration, SystemTime};

use lifesign_server::store::{Kind, NewSession, State, Store, Swept};
use uuid::Uuid;

use crate::{
    deletion::{add_images, add_job, rows},
    rig::places,
    sessions::{REMEMBER, TTL, about, start, verdict},
};

const SECOND: Duration = Duration::from_secs(1);

fn remember(policy: &str) -> Duration {
    if policy == "kept" { REMEMBER * 4 } else { REMEMBER }
}

async fn sweep(store: &Store, now: SystemTime) -> Swept {
    store.sweep(&remember, now).await.unwrap()
}

#[tokio::test]
async fn sessions_expire_and_are_forgotten_in_time() {
    for place in places("sessions_expire_and_are_forgotten_in_time").await {
        let (store, now, raw) = (&place.store, start(), place.raw().await);
        let pending = store.create_session(about(), TTL, 100, now).await.unwrap().id;
        let kept = NewSession { policy: "kept".to_owned(), ..about() };
        let active = store.open_inline(kept, now + TTL, 100, now).await.unwrap().id;
        assert_eq!(sweep(store, now + TTL - SECOND).await, Swept::default());
        assert_eq!(sweep(store, now + TTL).await, Swept { expired: 1, ..Swept::default() });
        assert_eq!(store.versions(&[pending]).await.unwrap(), [(pending, State::Expired, 2)]);
        assert_eq!(store.versions(&[active]).await.unwrap(), [(active, State::Active, 1)], "it has a moment left");
        assert_eq!(sweep(store, now + TTL + SECOND * 5).await, Swept { expired: 1, ..Swept::default() });
        let view = store.session("bank", active, now + TTL * 2).await.unwrap().unwrap();
        assert_eq!((view.state, view.expires), (State::Expired, now + TTL + REMEMBER * 4));
        add_images(&raw, pending, now + TTL * 100).await;
        let over = now + TTL + REMEMBER;
        assert_eq!(sweep(store, over - SECOND).await, Swept::default());
        let swept = sweep(store, over).await;
        assert_eq!((swept.forgotten, swept.objects.len()), (1, 2));
        assert_eq!(rows(&raw).await, [1, 0, 0, 0, 0, 0]);
        assert_eq!(sweep(store, now + TTL + REMEMBER * 4).await.forgotten, 1);
        assert_eq!(rows(&raw).await, [0; 6]);
        let events: Vec<String> = store.audit_lines(0, 10).await.unwrap().into_iter().map(|line| line.event).collect();
        assert_eq!(events, ["expired", "expired", "forgotten", "forgotten"]);
    }
}

#[tokio::test]
async fn a_server_that_was_down_for_long_forgets_at_once() {
    for place in places("a_server_that_was_down_for_long_forgets_at_once").await {
        place.store.create_session(about(), TTL, 100, start()).await.unwrap();
        let swept = sweep(&place.store, start() + TTL + REMEMBER).await;
        assert_eq!(swept, Swept { expired: 1, forgotten: 1, ..Swept::default() });
    }
}

#[tokio::test]
async fn a_transaction_is_left_to_the_queue_while_it_has_work() {
    for place in places("a_transaction_is_left_to_the_queue_while_it_has_work").await {
        let (store, now, raw) = (&place.store, start(), place.raw().await);
        let work = NewSession { kind: Kind::Transaction, ..about() };
        let id = store.open_inline(work, now + TTL, 100, now).await.unwrap().id;
        add_job(&raw, id).await;
        assert_eq!(sweep(store, now + TTL * 50).await, Swept::default());
        assert_eq!(store.session("bank", id, now + TTL * 50).await.unwrap().unwrap().state, State::Active);
        sqlx::query("DELETE FROM jobs").execute(&raw).await.unwrap();
        assert_eq!(sweep(store, now + TTL).await, Swept { expired: 1, ..Swept::default() });
    }
}

#[tokio::test]
async fn images_go_before_their_session_where_they_are_kept_for_less() {
    for place in places("images_go_before_their_session_where_they_are_kept_for_less").await {
        let (store, now, raw) = (&place.store, start(), place.raw().await);
        let id = Uuid::new_v4();
        store.record_session(about(), &verdict(), id, now + REMEMBER, now).await.unwrap();
        add_images(&raw, id, now + TTL).await;
        assert_eq!(sweep(store, now + TTL - SECOND).await, Swept::default());
        let swept = sweep(store, now + TTL).await;
        assert_eq!((swept.images_erased, swept.objects.len(), swept.forgotten), (1, 2, 0));
        assert_eq!(rows(&raw).await, [1, 0, 0, 0, 0, 0]);
        let orphans: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM orphans").fetch_one(&raw).await.unwrap();
        assert_eq!(orphans, 2);
    }
}

#[tokio::test]
async fn tokens_and_counts_go_when_their_time_is_over() {
    for place in places("tokens_and_counts_go_when_their_time_is_over").await {
        let (store, now, raw) = (&place.store, start(), place.raw().await);
        let millis = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as i64;
        let day = SECOND * 24 * 3600;
        for index in 0..3_u32 {
            let token = "INSERT INTO access_tokens (hash, client, secret, scheme, expires) VALUES ($1, 'bank', $1, 'facia', $2)";
            let token = sqlx::query(token).bind(vec![index as u8]).bind(millis(now + SECOND * index));
            token.execute(&raw).await.unwrap();
            let usage = "INSERT INTO client_usage (client, unit, start, used) VALUES ('bank', 'd', $1, 5)";
            sqlx::query(usage).bind(millis(now - day * index)).execute(&raw).await.unwrap();
        }
        let swept = sweep(store, now + SECOND).await;
        assert_eq!(swept, Swept { access_tokens: 2, usage: 1, ..Swept::default() });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_sweep_at_once_share_the_work() {
    for place in places("servers_that_sweep_at_once_share_the_work").await {
        let (stores, now) = ([place.store.clone(), place.again().await], start());
        for _ in 0..250 {
            place.store.open_inline(about(), now + TTL, 1000, now).await.unwrap();
        }
        let both = |at| {
            let [first, second] = &stores;
            async move { tokio::join!(sweep(first, at), sweep(second, at)) }
        };
        let (first, second) = both(now + TTL * 2).await;
        assert_eq!(first.expired + second.expired, 250);
        let (first, second) = both(now + TTL + REMEMBER).await;
        assert_eq!(first.forgotten + second.forgotten, 250);
        let lines = place.store.audit_lines(0, 1000).await.unwrap();
        assert_eq!(lines.len(), 500, "each end and each erasure is one line");
    }
}
