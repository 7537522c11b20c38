//! `CreateSession`, `GetSession` and `CancelSession`.

use std::time::{Duration, Instant};

use lifesign_proto::v1;

use super::{
    active::{new_session, with_reference},
    calls::CallRecord,
    request,
    shared::{Shared, Turn},
};
use crate::{
    sessions::{MemoError, State, View, content_hash},
    status::Fault,
};

pub(super) async fn create(
    shared: &Shared,
    call: &CallRecord,
    mut request: v1::CreateSessionRequest,
    deadline: Instant,
) -> Result<v1::CreateSessionResponse, Fault> {
    let id = request::request_id(&std::mem::take(&mut request.request_id))?;
    let ttl = token_ttl(shared, request.token_ttl.as_ref())?;
    // Cheap where there is no picture, and hashing one takes milliseconds, which this thread does not have.
    let content = request.clone();
    let hash = tokio::task::spawn_blocking(move || content_hash(content)).await.map_err(|_| Fault::Internal)?;
    let (about, image) = new_session(shared, request.config.unwrap_or_default(), "config.reference")?;
    call.policy(&about.policy);
    let create = || async {
        let about = with_reference(shared, call, about, image, Turn::Now, deadline).await?;
        let created = shared.store.create(about, ttl, shared.clock.now())?;
        Ok(v1::CreateSessionResponse {
            session_id: created.id.to_string(),
            session_token: created.token.reveal().to_owned(),
            nonce: created.nonce.to_vec(),
            expire_time: Some(created.expires.into()),
            limits: Some(shared.media_limits()),
        })
    };
    let work = async {
        match id {
            None => create().await,
            Some(id) => shared.created.answer(id, hash, shared.clock.now(), create).await.map_err(unremembered),
        }
    };
    let response = tokio::time::timeout_at(deadline.into(), work).await.map_err(|_| Fault::Deadline)??;
    if let Ok(id) = response.session_id.parse() {
        call.session(id);
    }
    Ok(response)
}

pub(super) fn get(shared: &Shared, call: &CallRecord, request: &v1::GetSessionRequest) -> Result<v1::Session, Fault> {
    let id = request::session_id(&request.session_id)?;
    let view = shared.store.get(id, shared.clock.now()).ok_or(Fault::SessionUnknown)?;
    call.session(view.id);
    call.policy(&view.about.policy);
    Ok(session(view))
}

pub(super) async fn cancel(
    shared: &Shared,
    call: &CallRecord,
    mut request: v1::CancelSessionRequest,
) -> Result<v1::Session, Fault> {
    let request_id = request::request_id(&std::mem::take(&mut request.request_id))?;
    let hash = content_hash(request.clone());
    let id = request::session_id(&request.session_id)?;
    let now = shared.clock.now();
    let cancel = || async { shared.store.cancel(id, now).map(session).ok_or(Fault::SessionUnknown) };
    let session = match request_id {
        None => cancel().await,
        Some(request_id) => shared.cancelled.answer(request_id, hash, now, cancel).await.map_err(unremembered),
    }?;
    call.session(id);
    Ok(session)
}

fn unremembered(error: MemoError<Fault>) -> Fault {
    match error {
        MemoError::Reused => Fault::RequestIdReused,
        MemoError::Call(fault) => fault,
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

fn session(view: View) -> v1::Session {
    v1::Session {
        session_id: view.id.to_string(),
        state: state(view.state).into(),
        config: Some(v1::SessionConfig {
            policy: view.about.policy,
            client_reference: view.about.client_reference,
            reference: None,
        }),
        create_time: Some(view.created.into()),
        expire_time: Some(view.expires.into()),
        verdict: view.verdict,
    }
}

fn state(state: State) -> v1::SessionState {
    match state {
        State::Pending => v1::SessionState::Pending,
        State::Active => v1::SessionState::Active,
        State::Completed => v1::SessionState::Completed,
        State::Cancelled => v1::SessionState::Cancelled,
        State::Expired => v1::SessionState::Expired,
    }
}
