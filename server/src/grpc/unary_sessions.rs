//! `CreateSession`, `GetSession`, `CancelSession` and `DeleteSession`.

use std::time::{Duration, Instant, SystemTime};

use lifesign_proto::v1;
use uuid::Uuid;

use super::{
    active::{new_session, with_reference},
    calls::CallRecord,
    request,
    shared::{Shared, Turn},
};
use crate::{
    access::Caller,
    status::Fault,
    store::{Deleted, VendorHolding, View},
};

pub(super) async fn create(
    shared: &Shared,
    call: &CallRecord,
    caller: &Caller,
    mut request: v1::CreateSessionRequest,
    deadline: Instant,
) -> Result<v1::CreateSessionResponse, Fault> {
    let id = request::request_id(&std::mem::take(&mut request.request_id))?;
    let ttl = token_ttl(shared, request.token_ttl.as_ref())?;
    let content = request.clone();
    let (about, image) = new_session(shared, caller, request.config.unwrap_or_default(), "config.reference")?;
    call.policy(&about.policy);
    let create = || async {
        shared.spend(caller, &about.policy).await?;
        let about = with_reference(shared, call, about, image, Turn::Now, deadline).await?;
        let limit = shared.config.sessions.max_sessions;
        let created = shared.store().create_session(about, ttl, limit, shared.clock.now()).await?;
        Ok(v1::CreateSessionResponse {
            session_id: created.id.to_string(),
            session_token: created.token.reveal().to_owned(),
            nonce: created.nonce.to_vec(),
            expire_time: Some(created.expires.into()),
            limits: Some(shared.media_limits()),
        })
    };
    let work = shared.remembered((caller, "CreateSession", id), content, create);
    let response = tokio::time::timeout_at(deadline.into(), work).await.map_err(|_| Fault::Deadline)??;
    if let Ok(id) = response.session_id.parse() {
        call.session(id);
    }
    Ok(response)
}

pub(super) async fn get(
    shared: &Shared,
    call: &CallRecord,
    caller: &Caller,
    request: &v1::GetSessionRequest,
) -> Result<v1::Session, Fault> {
    let id = request::session_id(&request.session_id)?;
    let now = shared.clock.now();
    let view = shared.store().session(&caller.client, id, now).await?.ok_or(Fault::SessionUnknown)?;
    call.session(view.id);
    call.policy(&view.about.policy);
    Ok(session(view))
}

pub(super) async fn cancel(
    shared: &Shared,
    call: &CallRecord,
    caller: &Caller,
    mut request: v1::CancelSessionRequest,
) -> Result<v1::Session, Fault> {
    let request_id = request::request_id(&std::mem::take(&mut request.request_id))?;
    let id = request::session_id(&request.session_id)?;
    let cancel = || async {
        let now = shared.clock.now();
        // The policy's own retention is not known before the session is read; of a cancelled one there is no verdict to keep.
        let forget_at = now + Duration::from_secs(shared.config.sessions.remember_seconds);
        let cancelled = shared.store().cancel_session(&caller.client, id, forget_at, now).await?;
        shared.live.cancel(id);
        shared.live.changed();
        cancelled.map(session).ok_or(Fault::SessionUnknown)
    };
    let session = shared.remembered((caller, "CancelSession", request_id), request, cancel).await?;
    call.session(id);
    Ok(session)
}

pub(super) async fn delete(
    shared: &Shared,
    call: &CallRecord,
    caller: &Caller,
    mut request: v1::DeleteSessionRequest,
) -> Result<v1::DeletionReceipt, Fault> {
    let request_id = request::request_id(&std::mem::take(&mut request.request_id))?;
    let id = request::session_id(&request.session_id)?;
    let delete = || async {
        let now = shared.clock.now();
        let deleted = shared.store().delete_session(&caller.client, id, now).await?.ok_or(Fault::SessionUnknown)?;
        shared.live.cancel(id);
        shared.live.changed();
        if let Err(error) = shared.store().erase_residue().await {
            tracing::warn!(%error, "what was deleted may be left in the database's log for a while");
        }
        Ok(receipt(id, deleted, now))
    };
    let receipt = shared.remembered((caller, "DeleteSession", request_id), request, delete).await?;
    call.session(id);
    Ok(receipt)
}

fn receipt(id: Uuid, deleted: Deleted, now: SystemTime) -> v1::DeletionReceipt {
    let holding = |holding: VendorHolding| v1::deletion_receipt::VendorHolding {
        vendor: holding.vendor,
        reference: holding.reference,
        shows_picture: holding.shows_picture,
    };
    v1::DeletionReceipt {
        session_id: id.to_string(),
        delete_time: Some(now.into()),
        verdict_erased: deleted.verdict,
        media_erased: deleted.media,
        vendors: deleted.vendors.into_iter().map(holding).collect(),
    }
}

/// How long the token may wait: what the request says, within the server's maximum, or the server's default.
fn token_ttl(shared: &Shared, asked: Option<&prost_types::Duration>) -> Result<Duration, Fault> {
    let sessions = shared.config.sessions;
    let Some(asked) = asked else { return Ok(Duration::from_secs(sessions.token_ttl_seconds)) };
    let asked = Duration::try_from(*asked).ok().filter(|asked| !asked.is_zero());
    let asked = asked.ok_or_else(|| Fault::field("token_ttl", "TOKEN_TTL_INVALID", "it must be positive"))?;
    if asked > Duration::from_secs(sessions.max_token_ttl_seconds) {
        return Err(Fault::OverLimit {
            field: "token_ttl".to_owned(),
            reason: "TOKEN_TTL_TOO_LONG",
            unit: "seconds",
            limit: sessions.max_token_ttl_seconds,
            // Rounded up, so that what came is never shown as the limit itself.
            actual: asked.as_secs().saturating_add(u64::from(asked.subsec_nanos() > 0)),
        });
    }
    Ok(asked)
}

/// A session as it goes over the wire.
pub(super) fn session(view: View) -> v1::Session {
    v1::Session {
        session_id: view.id.to_string(),
        state: view.state.wire().into(),
        kind: view.about.kind.wire().into(),
        config: Some(v1::SessionConfig {
            policy: view.about.policy,
            client_reference: view.about.client_reference,
            reference: None,
        }),
        create_time: Some(view.created.into()),
        expire_time: Some(view.expires.into()),
        verdict: view.verdict,
        external_id: view.about.external_id,
    }
}
