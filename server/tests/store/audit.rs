//! The audit log, and what is announced beside it.

use lifesign_server::store::{AuditEvent, AuditLine};
use uuid::Uuid;

use crate::{
    rig::places,
    sessions::{REMEMBER, TTL, about, start, verdict},
};

#[tokio::test]
async fn the_log_has_every_end_and_nothing_personal() {
    for place in places("the_log_has_every_end_and_nothing_personal").await {
        let (store, now) = (&place.store, start());
        let mut ids = Vec::new();
        for _ in 0..4 {
            ids.push(store.open_inline(about(), now + TTL, 100, now).await.unwrap().id);
        }
        store.complete_session(ids[0], &verdict(), now + REMEMBER, now).await.unwrap();
        store.cancel_session("bank", ids[1], now + REMEMBER, now).await.unwrap();
        store.expire_session(ids[2], now + REMEMBER, now).await.unwrap();
        store.delete_session("bank", ids[3], now).await.unwrap().unwrap();
        store.append_audit(&AuditLine::of_client(AuditEvent::SecretRevoked, "bank"), now).await.unwrap();
        let lines = store.audit_lines(0, 100).await.unwrap();
        let events: Vec<&str> = lines.iter().map(|line| line.event.as_str()).collect();
        assert_eq!(events, ["decided", "cancelled", "expired", "deleted", "secret_revoked"]);
        let decided = &lines[0];
        assert_eq!((decided.at, decided.owner.as_str(), decided.policy.as_str()), (now, "bank", "default"));
        assert_eq!(decided.session_id, ids[0].to_string());
        assert_eq!((decided.policy_version.as_str(), decided.pack.as_str()), ("1.0123456789ab", "open 1.2"));
        assert_eq!((decided.decision.as_str(), decided.detail.as_str()), ("REJECT", "NOT_PASSED TOO_DARK"));
        let text = format!("{lines:?}");
        assert!(!text.contains("person") && !text.contains("private"), "{text}");
        let rest = store.audit_lines(lines[2].seq, 1).await.unwrap();
        assert_eq!(rest, lines[3..4]);
    }
}

#[tokio::test]
async fn the_database_refuses_to_change_a_line() {
    for place in places("the_database_refuses_to_change_a_line").await {
        let line = AuditLine::of_session(AuditEvent::Deleted, "bank", Uuid::new_v4(), "default");
        place.store.append_audit(&line, start()).await.unwrap();
        let raw = place.raw().await;
        for change in ["UPDATE audit SET decision = 'ACCEPT'", "DELETE FROM audit"] {
            assert!(sqlx::query(change).execute(&raw).await.is_err(), "{change}");
        }
        assert_eq!(place.store.audit_lines(0, 10).await.unwrap().len(), 1);
    }
}
