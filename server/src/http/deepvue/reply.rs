//! What Deepvue's pages have a server say: two envelopes, one for what came of a check and one for what kept it from being made.

use std::time::{Duration, SystemTime};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use jiff::Timestamp;
use lifesign_core::verdict::CheckId;
use lifesign_proto::v1::{self, Decision};
use serde::Serialize;
use serde_json::{Value, json};
use tonic::Code;
use uuid::Uuid;

use super::super::{
    body::BodyError,
    headers,
    verdict::{saw_no_face, score},
};
use crate::{
    access::{Denied, Issued},
    status::Fault,
};

#[derive(Serialize)]
struct Authorized<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expiry: String,
}

/// What came of a check, in the page's order.
#[derive(Serialize)]
struct Checked {
    code: u16,
    /// `null` in every sample.
    timestamp: Option<u64>,
    transaction_id: String,
    sub_code: &'static str,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data>,
}

#[derive(Serialize)]
struct Data {
    is_live: bool,
    score: Option<f32>,
}

impl Checked {
    fn new(status: StatusCode, sub_code: &'static str, message: &'static str) -> Self {
        let transaction_id = Uuid::new_v4().to_string();
        Self { code: status.as_u16(), timestamp: None, transaction_id, sub_code, message, data: None }
    }
}

/// The reply to a request for a token. The time is in whole seconds, as in the page's sample: an earlier one, never a later one.
///
/// # Errors
/// [`Complaint`] where the time is none that RFC 3339 can write.
pub(super) fn authorized(issued: &Issued) -> Result<Response, Complaint> {
    let expiry = expiry(issued.expires).ok_or(Fault::Internal)?;
    let body = Authorized { access_token: &issued.token, token_type: "bearer", expiry };
    let mut response = Json(body).into_response();
    headers::keep_nowhere(&mut response);
    Ok(response)
}

fn expiry(expires: SystemTime) -> Option<String> {
    let seconds = Timestamp::try_from(expires).ok()?.as_second();
    Timestamp::from_second(seconds).ok().map(|time| time.to_string())
}

/// The reply to a check. `is_live` is true for ACCEPT alone: Deepvue has no word for a capture that another one may better, nor for one
/// that a person should look at. Where nothing could be judged it is Deepvue's own failure, which has no decision that could be believed.
///
/// # Errors
/// [`Complaint`] where nothing could be judged.
pub(super) fn checked(verdict: &v1::Verdict) -> Result<Response, Complaint> {
    let is_live = match verdict.decision() {
        Decision::Accept => true,
        Decision::Retry if saw_no_face(verdict) => {
            let checked = Checked::new(StatusCode::OK, "FACE_NOT_DETECTED", "Face Not Detected");
            return Ok(Json(named(checked, verdict)).into_response());
        }
        Decision::Retry | Decision::Reject | Decision::Review => false,
        Decision::Indeterminate | Decision::Unspecified => {
            let kind = Kind::Checked(Box::new(named(internal(), verdict)));
            return Err(Complaint { status: StatusCode::INTERNAL_SERVER_ERROR, kind, retry_after: None });
        }
    };
    let checked = Checked::new(StatusCode::OK, "SUCCESS", "Request processed successfully");
    let data = Data { is_live, score: score(verdict, CheckId::PresentationAttack) };
    Ok(Json(Checked { data: Some(data), ..named(checked, verdict) }).into_response())
}

/// The transaction is called as the session of the verdict, where there is one.
fn named(checked: Checked, verdict: &v1::Verdict) -> Checked {
    if verdict.session_id.is_empty() {
        return checked;
    }
    Checked { transaction_id: verdict.session_id.clone(), ..checked }
}

fn internal() -> Checked {
    Checked::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_SERVER_ERROR", "Internal Server Error")
}

/// Anything but what was asked for.
pub(super) struct Complaint {
    status: StatusCode,
    kind: Kind,
    retry_after: Option<Duration>,
}

enum Kind {
    /// `{"detail": …}`: what kept the check from being made.
    Detail(Value),
    /// The envelope of a check. Boxed: it is far larger than the other.
    Checked(Box<Checked>),
}

impl Complaint {
    fn detail(status: StatusCode, detail: impl Into<Value>) -> Self {
        Self { status, kind: Kind::Detail(detail.into()), retry_after: None }
    }

    fn sub_code(status: StatusCode, sub_code: &'static str, message: &'static str) -> Self {
        Self { status, kind: Kind::Checked(Box::new(Checked::new(status, sub_code, message))), retry_after: None }
    }

    /// The id or the secret is wrong, or they are not of one client.
    pub(super) fn inactive() -> Self {
        Self::detail(StatusCode::BAD_REQUEST, "Inactive client_id")
    }

    /// The token or the key is missing.
    pub(super) fn not_authenticated() -> Self {
        Self::detail(StatusCode::UNAUTHORIZED, "Not authenticated")
    }

    /// The token opens nothing.
    pub(super) fn bad_token() -> Self {
        Self::detail(StatusCode::FORBIDDEN, "Not a valid token")
    }

    /// No address of a picture, or none that this server fetches.
    pub(super) fn invalid_url() -> Self {
        Self::sub_code(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_URL", "Invalid URL")
    }

    /// No picture.
    pub(super) fn invalid_base64() -> Self {
        Self::sub_code(StatusCode::UNPROCESSABLE_ENTITY, "INVALID_BASE64_STRING", "Invalid base64 string")
    }

    /// A field is missing. `detail` may be a list (documented); its form is that of the vendor's framework (inferred).
    pub(super) fn missing(name: &'static str) -> Self {
        Self::listed(json!(["body", name]), "field required", "value_error.missing")
    }

    /// A field is there and is no text.
    pub(super) fn no_text(name: &'static str) -> Self {
        Self::listed(json!(["body", name]), "str type expected", "type_error.str")
    }

    /// Not POST.
    pub(super) fn method() -> Self {
        Self::detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
    }

    fn listed(place: Value, message: &str, kind: &str) -> Self {
        let fault = json!({"loc": place, "msg": message, "type": kind});
        Self::detail(StatusCode::UNPROCESSABLE_ENTITY, Value::Array(vec![fault]))
    }
}

impl IntoResponse for Complaint {
    fn into_response(self) -> Response {
        let response = match self.kind {
            Kind::Detail(detail) => (self.status, Json(json!({"detail": detail}))).into_response(),
            Kind::Checked(checked) => (self.status, Json(checked)).into_response(),
        };
        headers::refusal(response, self.retry_after)
    }
}

impl From<BodyError> for Complaint {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { .. }
            | BodyError::Broken
            | BodyError::ContentType
            | BodyError::Json
            | BodyError::Form
            | BodyError::TooManyFields
            | BodyError::Repeated => Self::listed(json!(["body"]), &error.to_string(), "value_error"),
            BodyError::Internal => Fault::Internal.into(),
        }
    }
}

/// What a credential that opens nothing is answered with, which depends on which of them it is; everything else that
/// [`Denied`] may be is not about the credential.
pub(super) fn denied(refused: fn() -> Complaint) -> impl Fn(Denied) -> Complaint {
    move |denied| match denied {
        Denied::Refused => refused(),
        Denied::TooManyTries { .. } | Denied::Store(_) => Fault::from(denied).into(),
    }
}

impl From<Fault> for Complaint {
    /// A fault as one of the statuses that Deepvue documents. Which policy an endpoint has is no caller's doing.
    fn from(fault: Fault) -> Self {
        let broken = || Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: Kind::Checked(Box::new(internal())),
            retry_after: None,
        };
        let complaint = match fault.code() {
            Code::InvalidArgument if matches!(fault, Fault::Policy(_)) => broken(),
            // All that a caller gives to be judged is the picture.
            Code::InvalidArgument | Code::OutOfRange => Self::invalid_base64(),
            Code::Unauthenticated => Self::bad_token(),
            // 403 is about tokens here, and has callers ask for a new one: the client is known, and the service not open to it.
            Code::PermissionDenied => Self::inactive(),
            Code::ResourceExhausted => Self::detail(StatusCode::TOO_MANY_REQUESTS, "Rate limit exceeded"),
            Code::DeadlineExceeded | Code::Unavailable => {
                Self::detail(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
            }
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::NotFound
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss => broken(),
        };
        Self { retry_after: headers::retry_after(&fault), ..complaint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends_at_a_whole_second() {
        let end = SystemTime::UNIX_EPOCH + Duration::from_millis(1_746_057_599_999);
        assert_eq!(expiry(end).as_deref(), Some("2025-04-30T23:59:59Z"));
        assert_eq!(expiry(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 40)), None);
    }
}
