//! FACIA's endpoints: `POST /request-access-token`, `/liveness`, which takes a picture or a video and names a transaction, and `/result`,
//! which is asked until the transaction is done.

mod decline;
mod reply;
mod request;

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::post,
};
use http::request::Parts;

use self::{reply::Complaint, request::Key};
use super::{
    Ask, Door, Progress,
    body::{self, Form},
    headers,
};
use crate::access::{Caller, Scheme};

/// Its routes.
pub fn routes(door: Door) -> Router {
    if !door.config.facia.enabled {
        return Router::new();
    }
    Router::new()
        .route("/request-access-token", post(token).fallback(wrong_method))
        .route("/liveness", post(liveness).fallback(wrong_method))
        .route("/result", post(result).fallback(wrong_method))
        .with_state(door)
}

async fn wrong_method() -> Complaint {
    Complaint::method()
}

async fn token(State(door): State<Door>, request: Request) -> Result<Response, Complaint> {
    let (parts, body) = request.into_parts();
    let peer = headers::peer(&parts)?;
    let takes = [Form::Json, Form::Urlencoded, Form::Multipart];
    let read = body::read(&parts.headers, body, body::WORDS, &takes, |fields| request::pair(&fields));
    let (id, secret) = read.await??;
    if !headers::is_credential(&id) || !headers::is_credential(&secret) {
        return Err(Complaint::refused());
    }
    let caller = door.credentials.pair(peer, &id, &secret).await?;
    let issued = door.credentials.issue(&caller, Scheme::Facia).await?;
    Ok(reply::token(&issued.token))
}

async fn liveness(State(door): State<Door>, request: Request) -> Result<Response, Complaint> {
    let (parts, body) = request.into_parts();
    // Before anything of the body is read: strangers are not to fill the memory.
    let caller = caller(&door, &parts).await?;
    let takes = [Form::Json, Form::Multipart];
    let read = body::read(&parts.headers, body, body::MEDIA, &takes, |fields| request::upload(&fields));
    let upload = read.await??;
    let ask = Ask {
        caller,
        policy: door.config.facia.policy.clone(),
        media: upload.media,
        reference: None,
        client_reference: upload.client_reference,
    };
    Ok(reply::created(&door.desk.create(ask).await?))
}

async fn result(State(door): State<Door>, request: Request) -> Result<Response, Complaint> {
    let (parts, body) = request.into_parts();
    let caller = caller(&door, &parts).await?;
    let takes = [Form::Json, Form::Urlencoded, Form::Multipart];
    let read = body::read(&parts.headers, body, body::WORDS, &takes, |fields| request::question(&fields));
    let reference_id = read.await??;
    match door.desk.result(&caller, &reference_id).await? {
        Progress::Pending => Ok(reply::pending(&reference_id)),
        Progress::Done(outcome) => Ok(reply::result(&reference_id, &outcome)),
    }
}

async fn caller(door: &Door, parts: &Parts) -> Result<Caller, Complaint> {
    if !door.credentials.required() {
        return Ok(Caller::anybody());
    }
    let peer = headers::peer(parts)?;
    match request::key(&parts.headers) {
        Key::Token(token) => Ok(door.credentials.token(peer, Scheme::Facia, token).await?),
        Key::Secret(secret) => Ok(door.credentials.secret(peer, secret).await?),
        Key::None => Err(Complaint::refused()),
    }
}
