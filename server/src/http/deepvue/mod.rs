//! Deepvue's endpoints: `POST /v1/authorize`, and `/v1/liveness-check`, which judges a picture while the caller waits.

mod reply;
mod request;

use axum::{
    Router,
    extract::{Request, State},
    response::Response,
    routing::post,
};
use http::request::Parts;
use lifesign_proto::v1::check_media_request::Media;

use self::{
    reply::{Complaint, denied},
    request::Picture,
};
use super::{
    Ask, Door, FetchError,
    body::{self, Form},
    headers,
};
use crate::access::{Caller, Scheme};

/// Its routes.
pub fn routes(door: Door) -> Router {
    if !door.config.deepvue.enabled {
        return Router::new();
    }
    Router::new()
        .route("/v1/authorize", post(authorize).fallback(wrong_method))
        .route("/v1/liveness-check", post(check).fallback(wrong_method))
        .with_state(door)
}

async fn wrong_method() -> Complaint {
    Complaint::method()
}

async fn authorize(State(door): State<Door>, request: Request) -> Result<Response, Complaint> {
    let (parts, body) = request.into_parts();
    let peer = headers::peer(&parts)?;
    // One page of the vendor shows an urlencoded form, another a multipart one.
    let takes = [Form::Urlencoded, Form::Multipart, Form::Json];
    let read = body::read(&parts.headers, body, body::WORDS, &takes, |fields| request::pair(&fields));
    let (id, secret) = read.await??;
    if !headers::is_credential(&id) || !headers::is_credential(&secret) {
        return Err(Complaint::inactive());
    }
    let inactive = denied(Complaint::inactive);
    let caller = door.credentials.pair(peer, &id, &secret).await.map_err(&inactive)?;
    let issued = door.credentials.issue(&caller, Scheme::Deepvue).await.map_err(&inactive)?;
    reply::authorized(&issued)
}

async fn check(State(door): State<Door>, request: Request) -> Result<Response, Complaint> {
    let (parts, body) = request.into_parts();
    // Before anything of the body is read: strangers are not to fill the memory, nor to have anything fetched.
    let caller = caller(&door, &parts).await?;
    let read = body::read(&parts.headers, body, body::PICTURE, &[Form::Json], |fields| request::check(&fields));
    let media = match read.await?? {
        Picture::Here(media) => media,
        Picture::There(url) => fetched(&door, &url).await?,
    };
    let ask = Ask {
        caller,
        policy: door.config.deepvue.policy.clone(),
        media,
        reference: None,
        client_reference: String::new(),
    };
    let outcome = door.desk.check(ask).await?;
    reply::checked(&outcome.verdict)
}

/// The picture behind an address. Why there is none is the same to the caller whatever it is: otherwise this would be a way to look
/// around in the network that the server is in.
async fn fetched(door: &Door, url: &str) -> Result<Media, Complaint> {
    match door.fetch.fetch(url).await {
        Ok(data) => request::media(data).ok_or_else(Complaint::invalid_url),
        Err(FetchError::Off | FetchError::NotAllowed | FetchError::Failed) => Err(Complaint::invalid_url()),
    }
}

/// The token's client, which has to be the key's as well.
async fn caller(door: &Door, parts: &Parts) -> Result<Caller, Complaint> {
    if !door.credentials.required() {
        return Ok(Caller::anybody());
    }
    let peer = headers::peer(parts)?;
    let keys = request::keys(&parts.headers)?;
    let token = door.credentials.token(peer, Scheme::Deepvue, keys.token).await;
    let caller = token.map_err(denied(Complaint::bad_token))?;
    let key = door.credentials.secret(peer, keys.secret).await.map_err(denied(Complaint::inactive))?;
    if key.client == caller.client { Ok(caller) } else { Err(Complaint::inactive()) }
}
