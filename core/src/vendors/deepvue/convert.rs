//! Deepvue's replies: the body first, then the HTTP status, become a token, an answer, or an error.

use ::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::wire::{Answer, Authorized};
use crate::{
    http::{ErrorKind, Reply},
    verdict::{AttackKind, CheckState, Inconclusive, QualityFault, Reading, VendorAnswer, VendorOutcome},
};

/// Longest name of a transaction, and longest code, that is carried on unchanged; the documented codes have 21 characters.
const MAX_TEXT: usize = 128;

/// The token in a reply of `/v1/authorize`, and the time at which it is said to end.
pub(super) fn token(reply: &Reply) -> Result<(String, Option<String>), ErrorKind> {
    let Some(body) = object::<Authorized>(reply) else {
        return Err(if reply.status.is_success() { ErrorKind::Unreadable } else { ErrorKind::of_status(reply.status) });
    };
    if !body.detail.is_null() || !reply.status.is_success() {
        return Err(fault(&body.detail, reply.status));
    }
    let token = body.access_token.as_str().filter(|token| !token.is_empty()).ok_or(ErrorKind::Unreadable)?;
    Ok((token.to_owned(), body.expiry.as_str().map(str::to_owned)))
}

/// The answer in a reply of the liveness check.
pub(super) fn answer(reply: &Reply) -> Result<VendorAnswer, ErrorKind> {
    let Some(body) = object::<Answer>(reply) else {
        return Err(if reply.status.is_success() { ErrorKind::Unreadable } else { ErrorKind::of_status(reply.status) });
    };
    if !body.detail.is_null() {
        return Err(fault(&body.detail, reply.status));
    }
    let sub_code = body.sub_code.as_str().unwrap_or_default();
    match sub_code {
        "INVALID_URL" | "INVALID_BASE64_STRING" => return Err(ErrorKind::Refused),
        "INTERNAL_SERVER_ERROR" => return Err(ErrorKind::Server),
        _ => {}
    }
    // A body that speaks of a decision in a reply that failed is no decision.
    if !reply.status.is_success() {
        return Err(fault(&Value::Null, reply.status));
    }
    // What failed may also come as HTTP 200 with the status inside.
    let code = body.code.as_u64();
    let failed = code.filter(|code| (400..600).contains(code)).and_then(|code| u16::try_from(code).ok());
    if let Some(status) = failed.and_then(|code| StatusCode::from_u16(code).ok()) {
        return Err(fault(&Value::Null, status));
    }
    if body.sub_code.is_null() && body.code.is_null() && body.data.is_null() {
        return Err(ErrorKind::Unreadable);
    }
    let is_live = body.data.get("is_live").unwrap_or(&Value::Null);
    let unknown = (VendorOutcome::Inconclusive(Inconclusive::UnknownValue), CheckState::Error);
    let (outcome, liveness) = match (code, sub_code, &body.data, is_live) {
        (Some(200), "SUCCESS", Value::Object(_), Value::Bool(true)) => (VendorOutcome::Live, CheckState::Passed),
        (Some(200), "SUCCESS", Value::Object(_), Value::Bool(false)) => {
            (VendorOutcome::Attack(AttackKind::Unspecified), CheckState::Failed)
        }
        (Some(200), "SUCCESS", Value::Object(_) | Value::Null, Value::Null) => {
            (VendorOutcome::Inconclusive(Inconclusive::NoDecision), CheckState::NotRun)
        }
        // Without a face nothing was judged; a decision beside it would contradict it.
        (Some(200), "FACE_NOT_DETECTED", _, Value::Null) => {
            (VendorOutcome::Quality(QualityFault::NoFace), CheckState::NotRun)
        }
        _ => unknown,
    };
    Ok(VendorAnswer {
        outcome,
        liveness: Reading::state(liveness),
        deepfake: Reading::NOT_RUN,
        face_match: Reading::NOT_RUN,
        raw_code: text(&body.sub_code).unwrap_or_default(),
        // Which way it points is undocumented, and every sample has null.
        raw_score: body.data.get("score").and_then(Value::as_f64),
        reference: text(&body.transaction_id),
        request_id: None,
        proof: None,
    })
}

/// The body where it is an object.
fn object<T: DeserializeOwned>(reply: &Reply) -> Option<T> {
    // A list would be read as the fields in their order.
    let is_object = reply.body.trim_ascii_start().first() == Some(&b'{');
    is_object.then(|| serde_json::from_slice(&reply.body).ok()).flatten()
}

/// What kind of fault it is that Deepvue puts into words, or that the status alone speaks of. Whatever the status, three of
/// the texts are about the credentials; 403 always is: the vendor documents it for tokens only.
fn fault(detail: &Value, status: StatusCode) -> ErrorKind {
    match (detail.as_str(), status.as_u16()) {
        (Some("Inactive client_id" | "Not authenticated" | "Not a valid token"), _) | (_, 401 | 403) => {
            ErrorKind::Credentials
        }
        // A complaint about the request with a status that says that it went well.
        (_, 200..=299) => ErrorKind::Refused,
        _ => ErrorKind::of_status(status),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty() && text.len() <= MAX_TEXT).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use ::http::HeaderMap;
    use serde_json::json;

    use super::*;

    fn reply(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        let status = StatusCode::from_u16(status).unwrap();
        Reply { status, headers: HeaderMap::new(), body: body.into().into() }
    }

    fn read(body: Value) -> VendorAnswer {
        answer(&reply(200, body.to_string())).unwrap()
    }

    const UNKNOWN: VendorOutcome = VendorOutcome::Inconclusive(Inconclusive::UnknownValue);

    #[test]
    fn the_samples_that_are_answers_read_as_the_page_says() {
        let expected = |outcome, liveness, raw_code: &str| VendorAnswer {
            outcome,
            liveness: Reading::state(liveness),
            deepfake: Reading::NOT_RUN,
            face_match: Reading::NOT_RUN,
            raw_code: raw_code.into(),
            raw_score: None,
            reference: Some("string".into()),
            request_id: None,
            proof: None,
        };
        let success = answer(&reply(200, include_str!("fixtures/success.json"))).unwrap();
        assert_eq!(success, expected(VendorOutcome::Live, CheckState::Passed, "SUCCESS"));
        let no_face = answer(&reply(200, include_str!("fixtures/face_not_detected.json"))).unwrap();
        let outcome = VendorOutcome::Quality(QualityFault::NoFace);
        assert_eq!(no_face, expected(outcome, CheckState::NotRun, "FACE_NOT_DETECTED"));
    }

    #[test]
    fn the_samples_that_are_faults_have_their_kinds_whatever_the_status() {
        for (body, status, kind) in [
            (include_str!("fixtures/inactive_client.json"), 400, ErrorKind::Credentials),
            (include_str!("fixtures/not_authenticated.json"), 401, ErrorKind::Credentials),
            (include_str!("fixtures/not_a_valid_token.json"), 403, ErrorKind::Credentials),
            (include_str!("fixtures/invalid_url.json"), 422, ErrorKind::Refused),
            (include_str!("fixtures/invalid_base64.json"), 422, ErrorKind::Refused),
            (include_str!("fixtures/internal_server_error.json"), 500, ErrorKind::Server),
        ] {
            assert_eq!(answer(&reply(status, body)), Err(kind), "{body}");
            assert_eq!(answer(&reply(200, body)), Err(kind), "{body}");
            assert!(token(&reply(status, body)).is_err(), "{body}");
        }
    }

    #[test]
    fn faults_without_words_have_the_kind_of_their_status() {
        let list = r#"{"detail": [{"loc": ["body", "image"], "msg": "field required"}]}"#;
        for (status, kind) in [
            (400, ErrorKind::Refused),
            (401, ErrorKind::Credentials),
            (403, ErrorKind::Credentials),
            (422, ErrorKind::Refused),
            (429, ErrorKind::RateLimited),
            (500, ErrorKind::Server),
            (503, ErrorKind::Server),
            (504, ErrorKind::Timeout),
        ] {
            for body in [list, r#"{"detail": "Something"}"#, "{}", include_str!("fixtures/success.json")] {
                assert_eq!(answer(&reply(status, body)), Err(kind), "{status} {body}");
                assert_eq!(token(&reply(status, body)).unwrap_err(), kind, "{status} {body}");
            }
            let inside = json!({"code": status, "sub_code": "SOMETHING_NEW", "data": {"is_live": true}}).to_string();
            assert_eq!(answer(&reply(200, inside)), Err(kind), "{status} inside");
        }
        // Nothing that is no object is believed, but 403 without one is a gateway's as likely as a token's.
        for body in ["", "<html>", "null", "[]", "[200, \"SUCCESS\"]", "{\"code\": 200"] {
            assert_eq!(answer(&reply(200, body)), Err(ErrorKind::Unreadable), "{body}");
            assert_eq!(token(&reply(200, body)).unwrap_err(), ErrorKind::Unreadable, "{body}");
            assert_eq!(answer(&reply(403, body)), Err(ErrorKind::Forbidden), "{body}");
            assert_eq!(answer(&reply(503, body)), Err(ErrorKind::Server), "{body}");
        }
        assert_eq!(answer(&reply(200, "{}")), Err(ErrorKind::Unreadable));
        assert_eq!(answer(&reply(200, list)), Err(ErrorKind::Refused));
    }

    #[test]
    fn not_live_is_said_and_never_guessed() {
        let said = read(json!({"code": 200, "sub_code": "SUCCESS", "data": {"is_live": false, "score": 0.25}}));
        assert_eq!(said.outcome, VendorOutcome::Attack(AttackKind::Unspecified));
        assert_eq!((said.liveness, said.raw_score), (Reading::state(CheckState::Failed), Some(0.25)));
        assert_eq!(said.reference, None);
        for data in [json!(null), json!({}), json!({"is_live": null}), json!({"score": 0.9})] {
            let silent = read(json!({"code": 200, "sub_code": "SUCCESS", "data": data}));
            assert_eq!(silent.outcome, VendorOutcome::Inconclusive(Inconclusive::NoDecision), "{data}");
            assert_eq!(silent.liveness.state, CheckState::NotRun);
        }
    }

    #[test]
    fn what_is_not_documented_is_inconclusive() {
        let live = json!({"is_live": true, "score": null});
        for body in [
            json!({"code": 200, "sub_code": "success", "data": live}),
            json!({"code": 200, "sub_code": "SUCCESS_WITH_WARNING", "data": live}),
            json!({"code": 200, "sub_code": null, "data": live}),
            json!({"code": 200, "sub_code": "", "data": live}),
            json!({"code": 200, "sub_code": 7, "data": live}),
            json!({"code": 200, "data": live}),
            json!({"code": "200", "sub_code": "SUCCESS", "data": live}),
            json!({"code": 202, "sub_code": "SUCCESS", "data": live}),
            json!({"code": null, "sub_code": "SUCCESS", "data": live}),
            json!({"sub_code": "SUCCESS", "data": live}),
            json!({"code": 200, "sub_code": "SUCCESS", "data": {"is_live": "true"}}),
            json!({"code": 200, "sub_code": "SUCCESS", "data": {"is_live": 1}}),
            json!({"code": 200, "sub_code": "SUCCESS", "data": [true]}),
            json!({"code": 200, "sub_code": "SUCCESS", "data": "live"}),
            json!({"code": 200, "sub_code": "FACE_NOT_DETECTED", "data": live}),
            json!({"code": 200, "sub_code": "MULTIPLE_FACES_DETECTED"}),
        ] {
            let answer = read(body.clone());
            assert_eq!(answer.outcome, UNKNOWN, "{body}");
            assert_eq!(answer.liveness.state, CheckState::Error, "{body}");
        }
        let score =
            |score| read(json!({"code": 200, "sub_code": "SUCCESS", "data": {"is_live": true, "score": score}}));
        assert_eq!((score(json!("0.5")).raw_score, score(json!(1)).raw_score), (None, Some(1.0)));
    }

    #[test]
    fn a_token_comes_with_its_end_or_without() {
        let sample = include_str!("fixtures/authorize.json");
        let expected = ("string".to_owned(), Some("2025-04-30T23:59:59Z".to_owned()));
        assert_eq!(token(&reply(200, sample)), Ok(expected));
        for expiry in [json!(null), json!(17)] {
            let body = json!({"access_token": "t", "token_type": "bearer", "expiry": expiry}).to_string();
            assert_eq!(token(&reply(200, body)), Ok(("t".to_owned(), None)));
        }
        for word in [json!(null), json!(""), json!(17), json!(["t"])] {
            let body = json!({"access_token": word}).to_string();
            assert_eq!(token(&reply(200, body)), Err(ErrorKind::Unreadable));
        }
        let both = json!({"access_token": "t", "detail": "Inactive client_id"}).to_string();
        assert_eq!(token(&reply(200, both)), Err(ErrorKind::Credentials));
    }
}
