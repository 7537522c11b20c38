//! GLAIR's replies: the body first, then the HTTP status, become an answer or an error.

use serde_json::Value;

use super::wire::Answer;
use crate::{
    http::{ErrorKind, Reply},
    vendors::Probe,
    verdict::{AttackKind, CheckState, Inconclusive, RawMeasure, Reading, VendorAnswer, VendorOutcome},
};

/// Longest code, and longest name of a request, that is carried on unchanged; the documented codes have at most 19 characters.
const MAX_TEXT: usize = 128;

/// Which side of a probability is which: where the probability of a fake and that of its opposite meet.
const EVEN: f64 = 0.5;

/// The answer in a reply of either check.
///
/// What GLAIR says of the media it could not use is believed in a success and in a complaint about the request (400, 415); a
/// decision in a success alone.
pub(super) fn answer(reply: &Reply) -> Result<VendorAnswer, ErrorKind> {
    let failed = || Err(ErrorKind::of_status(reply.status));
    let complaint = matches!(reply.status.as_u16(), 400 | 415);
    if !reply.status.is_success() && !complaint {
        return failed();
    }
    let Some(body) = object(reply) else {
        return if complaint { failed() } else { Err(ErrorKind::Unreadable) };
    };
    if body.status.is_null() && body.read.is_null() && !complaint {
        return Err(ErrorKind::Unreadable);
    }
    let said = |why, state| Said { outcome: VendorOutcome::Inconclusive(why), deepfake: Reading::state(state) };
    let said = match body.status.as_str() {
        Some("NO_FILE" | "FILE_INVALID_FORMAT") => said(Inconclusive::MediaRefused, CheckState::NotRun),
        Some("FAILED") => said(Inconclusive::NoDecision, CheckState::Error),
        // "ERROR", which only a sample has, is here as well: it says that something is wrong and not what.
        _ if complaint => return failed(),
        Some("SUCCESS") => decision(&body.read),
        _ => said(Inconclusive::UnknownValue, CheckState::Error),
    };
    let deepfake = body.read.get("deepfake");
    Ok(VendorAnswer {
        outcome: said.outcome,
        // A face on a screen or in a mask is no deepfake, and GLAIR does not say that it looks for them.
        liveness: Reading::NOT_RUN,
        deepfake: said.deepfake,
        face_match: Reading::NOT_RUN,
        raw_code: raw_code(&body),
        raw_score: deepfake.and_then(|deepfake| deepfake.get("confidence")).and_then(Value::as_f64),
        reference: None,
        request_id: request_id(reply),
        proof: None,
    })
}

/// What a request without a file came to: refused for just that, it was let in.
pub(super) fn probe(reply: &Reply) -> Result<Probe, ErrorKind> {
    match ErrorKind::of_status(reply.status) {
        fault @ (ErrorKind::Credentials
        | ErrorKind::Forbidden
        | ErrorKind::Server
        | ErrorKind::Timeout
        | ErrorKind::RateLimited) => Err(fault),
        // A path that is not there is no line to GLAIR.
        fault if reply.status == ::http::StatusCode::NOT_FOUND => Err(fault),
        _ => {
            let missed = object(reply).is_some_and(|body| {
                let status = body.status.as_str();
                status == Some("NO_FILE")
                    || (status == Some("ERROR") && body.reason.as_str() == Some("No file in request body"))
            });
            let accepted = missed && (reply.status.is_success() || reply.status == ::http::StatusCode::BAD_REQUEST);
            Ok(if accepted { Probe::CredentialsAccepted } else { Probe::Reachable })
        }
    }
}

/// What an answer says.
struct Said {
    outcome: VendorOutcome,
    deepfake: Reading,
}

/// What `read` says, in a reply whose status is `SUCCESS`. It is `value` that decides.
fn decision(read: &Value) -> Said {
    let nothing = |why, state| Said { outcome: VendorOutcome::Inconclusive(why), deepfake: Reading::state(state) };
    let unknown = || nothing(Inconclusive::UnknownValue, CheckState::Error);
    let silent = || nothing(Inconclusive::NoDecision, CheckState::NotRun);
    let deepfake = match read {
        Value::Null => return silent(),
        Value::Object(read) => read.get("deepfake").unwrap_or(&Value::Null),
        _ => return unknown(),
    };
    let deepfake = match deepfake {
        Value::Null => return silent(),
        Value::Object(deepfake) => deepfake,
        _ => return unknown(),
    };
    let (outcome, state) = match deepfake.get("value") {
        None | Some(Value::Null) => return silent(),
        Some(Value::String(value)) => match value.as_str() {
            "real" => (VendorOutcome::Live, CheckState::Passed),
            "fake" => (VendorOutcome::Attack(AttackKind::Deepfake), CheckState::Failed),
            _ => return unknown(),
        },
        Some(_) => return unknown(),
    };
    let confidence = deepfake.get("confidence").and_then(Value::as_f64);
    Said { outcome, deepfake: reading(state, confidence) }
}

/// The page calls `confidence` the confidence in what came out, in percent. Its samples have 0.998 with a fake and 0.064 with
/// a real face, so it is read as the probability of a fake, 0..=1 (inferred). A number on the other side than `value`, or outside
/// of the range, says that this is not so: then it is no score.
fn reading(state: CheckState, confidence: Option<f64>) -> Reading {
    let Some(value) = confidence.filter(|confidence| (0.0..=1.0).contains(confidence)) else {
        return Reading::state(state);
    };
    let agrees = if state == CheckState::Failed { value >= EVEN } else { value <= EVEN };
    let score = agrees.then_some((1.0 - value) as f32);
    Reading { state, score, raw: Some(RawMeasure { value, unit: "probability" }) }
}

/// The body where it is an object.
fn object(reply: &Reply) -> Option<Answer> {
    // A list would be read as the fields in their order.
    let is_object = reply.body.trim_ascii_start().first() == Some(&b'{');
    is_object.then(|| serde_json::from_slice(&reply.body).ok()).flatten()
}

/// The value, which is the result, where the status is `SUCCESS` and there is one; else the status, which says why not.
fn raw_code(body: &Answer) -> String {
    let text =
        |value: &Value| value.as_str().filter(|text| !text.is_empty() && text.len() <= MAX_TEXT).map(str::to_owned);
    let value = body.read.get("deepfake").and_then(|deepfake| deepfake.get("value"));
    let value = value.filter(|_| body.status.as_str() == Some("SUCCESS"));
    value.and_then(text).or_else(|| text(&body.status)).unwrap_or_default()
}

/// GLAIR's name for the request. Documented to be in every reply.
fn request_id(reply: &Reply) -> Option<String> {
    let text = reply.headers.get("request-id")?.to_str().ok()?;
    (!text.is_empty() && text.len() <= MAX_TEXT).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use ::http::{HeaderMap, HeaderValue, StatusCode};
    use serde_json::json;

    use super::*;

    fn reply(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        let status = StatusCode::from_u16(status).unwrap();
        Reply { status, headers: HeaderMap::new(), body: body.into().into() }
    }

    fn read(body: Value) -> VendorAnswer {
        answer(&reply(200, body.to_string())).unwrap()
    }

    fn told(deepfake: Value) -> VendorAnswer {
        read(json!({"read": {"deepfake": deepfake}, "reason": "File Successfully Read", "status": "SUCCESS"}))
    }

    const FAKE: &str = include_str!("fixtures/fake.json");
    const NO_FILE: &str = include_str!("fixtures/no_file.json");

    #[test]
    fn the_samples_read_as_the_page_says() {
        for (sample, value, outcome, state, raw) in [
            (FAKE, "fake", VendorOutcome::Attack(AttackKind::Deepfake), CheckState::Failed, 0.99768),
            (
                include_str!("fixtures/real.json"),
                "real",
                VendorOutcome::Live,
                CheckState::Passed,
                0.064_151_674_509_048_46,
            ),
            (include_str!("fixtures/frames_real.json"), "real", VendorOutcome::Live, CheckState::Passed, 0.06789),
        ] {
            let mut reply = reply(200, sample);
            reply.headers.insert("Request-Id", HeaderValue::from_static("r-1"));
            let expected = VendorAnswer {
                outcome,
                liveness: Reading::NOT_RUN,
                deepfake: Reading {
                    state,
                    score: Some((1.0 - raw) as f32),
                    raw: Some(RawMeasure { value: raw, unit: "probability" }),
                },
                face_match: Reading::NOT_RUN,
                raw_code: value.into(),
                raw_score: Some(raw),
                reference: None,
                request_id: Some("r-1".into()),
                proof: None,
            };
            assert_eq!(answer(&reply).unwrap(), expected);
        }
        assert_eq!(answer(&reply(400, NO_FILE)), Err(ErrorKind::Refused));
    }

    #[test]
    fn a_number_is_a_score_only_where_it_agrees_with_the_value() {
        for (value, confidence, score, raw) in [
            ("fake", json!(1), Some(0.0), Some(1.0)),
            ("fake", json!(0.5), Some(0.5), Some(0.5)),
            ("fake", json!(0.49), None, Some(0.49)),
            ("real", json!(0.5), Some(0.5), Some(0.5)),
            ("real", json!(0.51), None, Some(0.51)),
            ("real", json!(0), Some(1.0), Some(0.0)),
            ("fake", json!(99.768), None, Some(99.768)),
            ("real", json!(1.01), None, Some(1.01)),
            ("real", json!(-0.01), None, Some(-0.01)),
            ("real", json!("0.1"), None, None),
            ("real", json!("NaN"), None, None),
            ("real", json!(null), None, None),
            ("fake", json!([0.9]), None, None),
        ] {
            let answer = told(json!({"value": value, "confidence": confidence}));
            let state = if value == "fake" { CheckState::Failed } else { CheckState::Passed };
            assert_eq!((answer.deepfake.state, answer.deepfake.score), (state, score), "{value} {confidence}");
            assert_eq!(answer.raw_score, raw, "{value} {confidence}");
            let measured = raw.filter(|raw| (0.0..=1.0).contains(raw));
            assert_eq!(answer.deepfake.raw.map(|raw| raw.value), measured, "{value} {confidence}");
        }
        let silent = told(json!({"value": "real"}));
        assert_eq!((silent.outcome, silent.deepfake), (VendorOutcome::Live, Reading::state(CheckState::Passed)));
    }

    #[test]
    fn every_status_has_its_meaning() {
        let media = (VendorOutcome::Inconclusive(Inconclusive::MediaRefused), CheckState::NotRun);
        for (status, (outcome, state)) in [
            ("NO_FILE", media),
            ("FILE_INVALID_FORMAT", media),
            ("FAILED", (VendorOutcome::Inconclusive(Inconclusive::NoDecision), CheckState::Error)),
        ] {
            for http in [200, 201, 400, 415] {
                let body = json!({"status": status, "reason": "why", "read": null}).to_string();
                let answer = answer(&reply(http, body)).unwrap();
                assert_eq!((answer.outcome, answer.deepfake), (outcome, Reading::state(state)), "{status} {http}");
                assert_eq!((answer.raw_code.as_str(), answer.liveness), (status, Reading::NOT_RUN));
            }
            // A decision beside it is none.
            let both = read(json!({"status": status, "read": {"deepfake": {"value": "real", "confidence": 0.01}}}));
            assert_eq!((both.outcome, both.deepfake), (outcome, Reading::state(state)), "{status}");
            assert_eq!(both.raw_code, status);
        }
        for read_part in [
            json!(null),
            json!({}),
            json!({"deepfake": null}),
            json!({"deepfake": {}}),
            json!({"deepfake": {"value": null}}),
        ] {
            let answer = read(json!({"status": "SUCCESS", "read": read_part}));
            assert_eq!(answer.outcome, VendorOutcome::Inconclusive(Inconclusive::NoDecision), "{read_part}");
            assert_eq!((answer.deepfake, answer.raw_code.as_str()), (Reading::NOT_RUN, "SUCCESS"), "{read_part}");
        }
    }

    #[test]
    fn what_is_not_documented_is_inconclusive() {
        let real = json!({"deepfake": {"value": "real", "confidence": 0.01}});
        let value = |value| json!({"status": "SUCCESS", "read": {"deepfake": {"value": value, "confidence": 0.01}}});
        for body in [
            json!({"status": "success", "read": real}),
            json!({"status": "SUCCESS ", "read": real}),
            json!({"status": "ERROR", "read": real}),
            json!({"status": "", "read": real}),
            json!({"status": null, "read": real}),
            json!({"status": true, "read": real}),
            json!({"status": 200, "read": real}),
            json!({"status": ["SUCCESS"], "read": real}),
            json!({"read": real}),
            json!({"status": "SUCCESS", "read": [real]}),
            json!({"status": "SUCCESS", "read": "real"}),
            json!({"status": "SUCCESS", "read": {"deepfake": "real"}}),
            json!({"status": "SUCCESS", "read": {"deepfake": [{"value": "real"}]}}),
            value(json!("Real")),
            value(json!("real ")),
            value(json!("")),
            value(json!("unsure")),
            value(json!(false)),
            value(json!(0)),
            value(json!({"real": true})),
            value(json!(["real"])),
        ] {
            let answer = read(body.clone());
            assert_eq!(answer.outcome, VendorOutcome::Inconclusive(Inconclusive::UnknownValue), "{body}");
            assert_eq!(answer.deepfake, Reading::state(CheckState::Error), "{body}");
        }
        assert_eq!(told(json!({"value": "x".repeat(129)})).raw_code, "SUCCESS");
    }

    #[test]
    fn faults_have_their_kinds() {
        for (status, kind) in [
            (401, ErrorKind::Credentials),
            (403, ErrorKind::Forbidden),
            (404, ErrorKind::Refused),
            (429, ErrorKind::RateLimited),
            (500, ErrorKind::Server),
            (504, ErrorKind::Timeout),
            (302, ErrorKind::Unreadable),
        ] {
            for body in ["", "<html>403 Forbidden</html>", NO_FILE, FAKE, r#"{"status":"NO_FILE"}"#] {
                assert_eq!(answer(&reply(status, body)), Err(kind), "{status} {body}");
            }
        }
        for status in [400, 415] {
            for body in ["", "<html>", "[]", "{}", NO_FILE, FAKE, include_str!("fixtures/real.json")] {
                assert_eq!(answer(&reply(status, body)), Err(ErrorKind::Refused), "{status} {body}");
            }
        }
        let list = r#"["SUCCESS", "", {"deepfake": {"value": "real"}}]"#;
        let twice = r#"{"status": "FAILED", "status": "SUCCESS", "read": {"deepfake": {"value": "real"}}}"#;
        for body in ["", "<html>", "null", "{}", "[]", list, twice, r#"{"reason": "x"}"#, "{\"status\": \"SUCCESS\""] {
            assert_eq!(answer(&reply(200, body)), Err(ErrorKind::Unreadable), "{body}");
        }
    }

    #[test]
    fn a_request_is_named_by_a_short_text() {
        let named = |name: HeaderValue| {
            let mut reply = reply(200, FAKE);
            reply.headers.insert("request-id", name);
            answer(&reply).unwrap().request_id
        };
        assert_eq!(named(HeaderValue::from_static("a-b")), Some("a-b".into()));
        for name in ["".into(), "x".repeat(129), "\u{e9}".into()] {
            assert_eq!(named(HeaderValue::from_bytes(name.as_bytes()).unwrap()), None, "{name}");
        }
    }

    #[test]
    fn a_probe_is_let_in_where_only_the_file_is_missed() {
        let no_file = r#"{"status":"NO_FILE","reason":"x"}"#;
        for (status, body, expected) in [
            (400, NO_FILE, Ok(Probe::CredentialsAccepted)),
            (400, no_file, Ok(Probe::CredentialsAccepted)),
            (200, no_file, Ok(Probe::CredentialsAccepted)),
            (400, r#"{"status":"ERROR","reason":"Invalid API key"}"#, Ok(Probe::Reachable)),
            (400, "<html>", Ok(Probe::Reachable)),
            (200, "{}", Ok(Probe::Reachable)),
            (404, NO_FILE, Err(ErrorKind::Refused)),
            (429, "", Err(ErrorKind::RateLimited)),
            (401, NO_FILE, Err(ErrorKind::Credentials)),
            (403, "<html>", Err(ErrorKind::Forbidden)),
            (500, NO_FILE, Err(ErrorKind::Server)),
            (504, "", Err(ErrorKind::Timeout)),
        ] {
            assert_eq!(probe(&reply(status, body)), expected, "{status} {body}");
        }
    }
}
