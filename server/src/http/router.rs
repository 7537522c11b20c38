//! All endpoints on one router, and how many requests may be at work.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;

use super::{Door, deepvue, facia};

/// When to come back where too much is at work: about what a check takes.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// The enabled endpoints. `max_requests`: at work at a time; each may hold a whole upload, so those beyond are refused before theirs is
/// read.
pub fn router(door: Door, max_requests: u32) -> Router {
    let router = facia::routes(door.clone()).merge(deepvue::routes(door));
    let permits = usize::try_from(max_requests).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
    router.layer(middleware::from_fn_with_state(Arc::new(Semaphore::new(permits)), one_of_few))
}

async fn one_of_few(State(places): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    let Ok(place) = places.try_acquire() else {
        // Every vendor's client reads the status; the keys are those in which the vendors put a message.
        let text = "too many requests at a time; try again later";
        let body = serde_json::json!({"status": false, "code": "503", "message": text, "detail": text, "reason": text});
        return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, RETRY_AFTER)], axum::Json(body))
            .into_response();
    };
    let response = next.run(request).await;
    drop(place);
    response
}
