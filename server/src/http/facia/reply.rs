//! What FACIA's pages have a server say: the envelope of every reply, a transaction's result, and complaints.

use std::{borrow::Cow, time::Duration};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use lifesign_core::verdict::CheckId;
use lifesign_proto::v1;
use serde::Serialize;
use tonic::Code;

use super::{
    super::{
        Outcome,
        body::BodyError,
        headers,
        verdict::{deciding, score},
    },
    decline::Decline,
};
use crate::{access::Denied, status::Fault};

/// What every reply is wrapped in.
#[derive(Serialize)]
struct Envelope<'a, T> {
    status: bool,
    message: &'a str,
    result: T,
}

#[derive(Serialize)]
struct Data<T> {
    data: T,
}

#[derive(Serialize)]
struct Token<'a> {
    token: &'a str,
}

#[derive(Serialize)]
struct Created<'a> {
    reference_id: &'a str,
}

/// A transaction's result, in the page's order.
#[derive(Serialize)]
struct Transaction<'a> {
    r#type: &'static str,
    reference_id: &'a str,
    client_reference: Option<&'a str>,
    status: Option<u8>,
    deepfake_score: Option<f64>,
    decline_code: Option<&'static str>,
    decline_reason: Option<&'static str>,
    declined_proof: Option<&'a str>,
}

fn good<T: Serialize>(message: &str, data: T) -> Response {
    let mut response = Json(Envelope { status: true, message, result: Data { data } }).into_response();
    headers::keep_nowhere(&mut response);
    response
}

/// The reply to a request for a token.
pub(super) fn token(token: &str) -> Response {
    good("token", Token { token })
}

/// The reply to an upload. 200 and 201 are both documented; the page does not say which is which.
pub(super) fn created(reference_id: &str) -> Response {
    good("Transaction Created", Created { reference_id })
}

/// The reply to a question whose answer is not there yet. How FACIA says so is documented nowhere. This is a result without a decision:
/// neither 1 nor 0, so that nobody takes it for either, and a client that looks for a decision goes on asking. A 404 would say the same as
/// for a transaction that does not exist, and have the caller wait for it.
pub(super) fn pending(reference_id: &str) -> Response {
    good(
        "The request is being processed",
        Transaction {
            r#type: "deepfake",
            reference_id,
            client_reference: None,
            status: None,
            deepfake_score: None,
            decline_code: None,
            decline_reason: None,
            declined_proof: None,
        },
    )
}

/// The reply to a question whose answer is there: 1 for ACCEPT, 0 for everything else.
pub(super) fn result(reference_id: &str, outcome: &Outcome) -> Response {
    let verdict = &outcome.verdict;
    let decline = Decline::of(verdict);
    let (code, reason) = decline.map(Decline::texts).unzip();
    good(
        "success",
        Transaction {
            r#type: "deepfake",
            reference_id,
            client_reference: Some(verdict.client_reference.as_str()).filter(|text| !text.is_empty()),
            status: Some(u8::from(decline.is_none())),
            deepfake_score: deepfake_score(verdict),
            decline_code: code,
            decline_reason: reason,
            declined_proof: decline.and(outcome.proof.as_deref()),
        },
    )
}

/// "The probability of a deepfake presence": FACIA's own number where the decision rests on FACIA, unchanged; else what is missing of the
/// Deepfake check's score to 1. `None` where nobody looked.
fn deepfake_score(verdict: &v1::Verdict) -> Option<f64> {
    let own = deciding(verdict).filter(|result| result.vendor == "facia").find_map(|result| result.raw_score);
    own.or_else(|| score(verdict, CheckId::Deepfake).map(|score| 1.0 - f64::from(score)))
        .filter(|score| score.is_finite())
}

/// Anything but what was asked for. The page has no sample of one: the envelope is that of its other replies (inferred).
#[derive(Debug)]
pub(super) struct Complaint {
    status: StatusCode,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
}

impl Complaint {
    fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into(), retry_after: None }
    }

    /// The request is not as it should be. The message names parameters and limits, and nothing that was sent.
    pub(super) fn bad(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A parameter is missing: 402 at FACIA, which has nothing to do with money.
    pub(super) fn missing(name: &str) -> Self {
        Self::new(StatusCode::PAYMENT_REQUIRED, format!("The {name} parameter is required."))
    }

    /// There is no such transaction, or it is somebody else's.
    pub(super) fn unknown() -> Self {
        Self::new(StatusCode::NOT_FOUND, "There is no such transaction.")
    }

    /// The credentials open nothing. The words are documented.
    pub(super) fn refused() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Invalid signature key")
    }

    /// Not POST.
    pub(super) fn method() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "The method is not allowed. Use POST.")
    }
}

impl IntoResponse for Complaint {
    fn into_response(self) -> Response {
        let none: [(); 0] = [];
        let envelope = Envelope { status: false, message: &self.message, result: none };
        let response = (self.status, Json(envelope)).into_response();
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
            | BodyError::Repeated => Self::bad(error.to_string()),
            BodyError::Internal => Fault::Internal.into(),
        }
    }
}

impl From<Denied> for Complaint {
    fn from(denied: Denied) -> Self {
        Fault::from(denied).into()
    }
}

impl From<Fault> for Complaint {
    /// A fault as one of the statuses that FACIA documents. Which policy an endpoint has is no caller's doing.
    fn from(fault: Fault) -> Self {
        let broken = || Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error");
        let complaint = match fault.code() {
            Code::InvalidArgument if matches!(fault, Fault::Policy(_)) => broken(),
            Code::InvalidArgument | Code::OutOfRange | Code::AlreadyExists => Self::bad(fault.to_string()),
            Code::Cancelled => Self::bad("The transaction was cancelled."),
            Code::Unauthenticated => Self::refused(),
            Code::PermissionDenied => Self::new(StatusCode::FORBIDDEN, "The service is not allowed for this client."),
            Code::NotFound => Self::unknown(),
            Code::ResourceExhausted => Self::new(StatusCode::TOO_MANY_REQUESTS, "Too many requests"),
            Code::DeadlineExceeded => Self::new(StatusCode::GATEWAY_TIMEOUT, "Gateway timeout"),
            Code::Ok
            | Code::Unknown
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss => broken(),
        };
        Self { retry_after: headers::retry_after(&fault), ..complaint }
    }
}
