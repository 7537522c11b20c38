//! FACIA's replies: the HTTP status and the body together become a token, a transaction, an answer, "not yet", or an error.

use std::time::{Duration, SystemTime};

use reqwest::Url;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::wire::{Created, Envelope, Outcome, Token};
use crate::{
    http::{ErrorKind, Reply},
    verdict::{AttackKind, CheckState, Inconclusive, Proof, QualityFault, Reading, VendorAnswer, VendorOutcome},
};

/// Longest name of a transaction that is believed; the samples have 15 characters.
const MAX_REFERENCE: usize = 128;

/// Longest code that is carried on unchanged; the documented ones have 6 characters.
const MAX_CODE: usize = 64;

/// Longest address of a proof that is handed on; the sample has 150 characters.
const MAX_PROOF: usize = 2048;

/// What a decline code is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decline {
    Attack(AttackKind),
    Quality(QualityFault),
    /// The comparison with a reference image, which this client never asks for: what became of it.
    Match(CheckState),
}

/// Every documented decline code. The grouping is ours (inferred from the reasons' wording): 12, 13, 15 and 16 are about the
/// matched image as well, so they do not say that this capture is at fault.
const DECLINES: [(&str, Decline); 26] = [
    ("FADR01", Decline::Attack(AttackKind::Print)),
    ("FADR02", Decline::Attack(AttackKind::PaperMask)),
    ("FADR03", Decline::Attack(AttackKind::Replay)),
    ("FADR04", Decline::Attack(AttackKind::SiliconeMask)),
    ("FADR05", Decline::Attack(AttackKind::Screenshot)),
    ("FADR06", Decline::Attack(AttackKind::EditedImage)),
    ("FADR07", Decline::Attack(AttackKind::Evasion)),
    ("FADR08", Decline::Attack(AttackKind::AnimatedFace)),
    ("FADR09", Decline::Quality(QualityFault::UnderExposed)),
    ("FADR10", Decline::Quality(QualityFault::OverExposed)),
    ("FADR11", Decline::Quality(QualityFault::NoFace)),
    ("FADR12", Decline::Match(CheckState::Error)),
    ("FADR13", Decline::Match(CheckState::Error)),
    ("FADR14", Decline::Quality(QualityFault::LowConfidence)),
    ("FADR15", Decline::Match(CheckState::Error)),
    ("FADR16", Decline::Match(CheckState::Error)),
    ("FADR17", Decline::Quality(QualityFault::Blurry)),
    ("FADR18", Decline::Quality(QualityFault::Blurry)),
    ("FADR19", Decline::Quality(QualityFault::Shine)),
    ("FADR20", Decline::Quality(QualityFault::InvalidCapture)),
    ("FADR21", Decline::Attack(AttackKind::PrintOrReplay)),
    ("FADR22", Decline::Attack(AttackKind::IdenticalImage)),
    ("FADR23", Decline::Quality(QualityFault::FaceTooLarge)),
    ("FADR24", Decline::Quality(QualityFault::FaceTooSmall)),
    ("FADR25", Decline::Attack(AttackKind::Deepfake)),
    ("FADR26", Decline::Match(CheckState::Failed)),
];

/// The token in a reply of `/request-access-token`.
///
/// A refusal that comes with HTTP 200 is about the credentials (inferred): the request holds nothing else.
pub(super) fn token(reply: &Reply) -> Result<String, ErrorKind> {
    let envelope: Envelope<Token> = envelope(reply, ErrorKind::Credentials)?;
    let token = envelope.data().map(|data| data.token);
    token
        .as_ref()
        .and_then(Value::as_str)
        .filter(|token| !token.is_empty())
        .map(str::to_owned)
        .ok_or(ErrorKind::Unreadable)
}

/// The transaction in a reply of `/liveness`.
pub(super) fn created(reply: &Reply) -> Result<String, ErrorKind> {
    let envelope: Envelope<Created> = envelope(reply, ErrorKind::Refused)?;
    envelope.data().and_then(|data| reference(&data.reference_id)).ok_or(ErrorKind::Unreadable)
}

/// The answer in a reply of `/result`; `None` where there is none yet: a status among `pending`, or no decision.
pub(super) fn result(reply: &Reply, pending: &[u16]) -> Result<Option<VendorAnswer>, ErrorKind> {
    if pending.contains(&reply.status.as_u16()) {
        return Ok(None);
    }
    let envelope: Envelope<Outcome> = envelope(reply, ErrorKind::Refused)?;
    let went_well = envelope.status == Value::Bool(true);
    let Some(outcome) = envelope.data().filter(|data| !data.status.is_null()) else {
        return Ok(None);
    };
    Ok(Some(answer(&outcome, went_well)))
}

/// The body of a success. `status: false` in one is `refusal`. Every other status speaks for itself: 402 says that a parameter is
/// missing, whatever HTTP means by it, and is read as any other refusal of the request.
fn envelope<D: DeserializeOwned>(reply: &Reply, refusal: ErrorKind) -> Result<Envelope<D>, ErrorKind> {
    if !reply.status.is_success() {
        return Err(ErrorKind::of_status(reply.status));
    }
    // A list would be read as the fields in their order.
    if reply.body.trim_ascii_start().first() != Some(&b'{') {
        return Err(ErrorKind::Unreadable);
    }
    let envelope: Envelope<D> = serde_json::from_slice(&reply.body).map_err(|_| ErrorKind::Unreadable)?;
    if envelope.status == Value::Bool(false) { Err(refusal) } else { Ok(envelope) }
}

fn reference(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty() && text.len() <= MAX_REFERENCE).map(str::to_owned)
}

/// Decides by `status` and `decline_code` alone. `deepfake_score` is carried as it is: the page calls it the probability of a
/// deepfake, and its own sample is a detected deepfake with 0.236, so nothing can be made of it.
///
/// `status` 1 is read as passed on both axes (inferred): the page speaks of the deepfake alone, but the transaction is declined,
/// with a code, for every kind of attack. A decline says something on the axis of its code only.
fn answer(outcome: &Outcome, went_well: bool) -> VendorAnswer {
    let code = match &outcome.decline_code {
        Value::Null => Some(""),
        Value::String(code) => Some(code.as_str()),
        _ => None,
    };
    let unknown = (VendorOutcome::Inconclusive(Inconclusive::UnknownValue), [CheckState::Error, CheckState::Error]);
    let not_run = [CheckState::NotRun, CheckState::NotRun];
    let mut face_match = Reading::NOT_RUN;
    let (verdict, [liveness, deepfake]) = match (outcome.status.as_u64(), code) {
        _ if !went_well => unknown,
        (Some(1), Some("")) if is_blank(&outcome.decline_reason) => {
            (VendorOutcome::Live, [CheckState::Passed, CheckState::Passed])
        }
        (Some(0), Some(code)) => match DECLINES.iter().find(|(known, _)| *known == code) {
            Some((_, Decline::Attack(AttackKind::Deepfake))) => {
                (VendorOutcome::Attack(AttackKind::Deepfake), [CheckState::NotRun, CheckState::Failed])
            }
            Some((_, Decline::Attack(kind))) => {
                (VendorOutcome::Attack(*kind), [CheckState::Failed, CheckState::NotRun])
            }
            Some((_, Decline::Quality(fault))) => (VendorOutcome::Quality(*fault), not_run),
            Some((_, Decline::Match(state))) => {
                face_match = Reading::state(*state);
                (VendorOutcome::Inconclusive(Inconclusive::MatchOnly), not_run)
            }
            None => unknown,
        },
        _ => unknown,
    };
    VendorAnswer {
        outcome: verdict,
        liveness: Reading::state(liveness),
        deepfake: Reading::state(deepfake),
        face_match,
        raw_code: raw_code(outcome),
        raw_score: outcome.deepfake_score.as_f64(),
        reference: reference(&outcome.reference_id),
        request_id: None,
        proof: outcome.declined_proof.as_str().and_then(proof),
    }
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// The decline code, else the status.
fn raw_code(outcome: &Outcome) -> String {
    let text = match (&outcome.decline_code, &outcome.status) {
        (Value::String(code), _) | (Value::Null, Value::String(code)) if !code.is_empty() => code.clone(),
        (code @ Value::Number(_), _) => code.to_string(),
        (_, status @ (Value::Number(_) | Value::Bool(_))) => status.to_string(),
        _ => String::new(),
    };
    if text.len() <= MAX_CODE { text } else { String::new() }
}

/// The address of the declined picture, with the Unix time in its query until which it works (sample).
fn proof(text: &str) -> Option<Proof> {
    // The parser would drop tabs and line breaks, and what is handed on is the text as it came.
    if text.len() > MAX_PROOF || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return None;
    }
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "https" && url.host_str().is_some())?;
    let expires = url.query_pairs().find(|(name, _)| name == "expires");
    let expires = expires.and_then(|(_, seconds)| seconds.parse().ok());
    let expires = expires.and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    Some(Proof { url: text.to_owned(), expires })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use serde_json::json;

    use super::*;

    fn reply(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        let status = StatusCode::from_u16(status).unwrap();
        Reply { status, headers: HeaderMap::new(), body: body.into().into() }
    }

    fn outcome(data: Value) -> VendorAnswer {
        let body = json!({"status": true, "message": "success", "result": {"data": data}}).to_string();
        result(&reply(200, body), &[404]).unwrap().expect("a decision")
    }

    const UNKNOWN: VendorOutcome = VendorOutcome::Inconclusive(Inconclusive::UnknownValue);

    #[test]
    fn the_samples_read_as_the_page_says() {
        assert_eq!(token(&reply(200, include_str!("fixtures/token.json"))).unwrap(), "your_token_here");
        assert_eq!(created(&reply(200, include_str!("fixtures/liveness.json"))).unwrap(), "W4437KIWN0KDM13");
        let sample = include_str!("fixtures/result_declined.json");
        let answer = result(&reply(200, sample), &[404]).unwrap().unwrap();
        let expected: Value = serde_json::from_str(sample).unwrap();
        assert_eq!(
            answer,
            VendorAnswer {
                outcome: VendorOutcome::Attack(AttackKind::Deepfake),
                liveness: Reading::NOT_RUN,
                deepfake: Reading::state(CheckState::Failed),
                face_match: Reading::NOT_RUN,
                raw_code: "FADR25".into(),
                raw_score: Some(0.235_927_394_527_983_4),
                reference: Some("6042D9CB4974EXX".into()),
                request_id: None,
                proof: Some(Proof {
                    url: expected.pointer("/result/data/declined_proof").unwrap().as_str().unwrap().into(),
                    expires: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_234_567_890)),
                }),
            }
        );
    }

    #[test]
    fn a_pass_is_status_1_and_nothing_against_it() {
        let passed = outcome(json!({"status": 1, "deepfake_score": 0.9, "decline_code": null}));
        assert_eq!(passed.outcome, VendorOutcome::Live);
        assert_eq!((passed.liveness.state, passed.deepfake.state), (CheckState::Passed, CheckState::Passed));
        assert_eq!((passed.liveness.score, passed.deepfake.score, passed.raw_score), (None, None, Some(0.9)));
        assert_eq!((passed.raw_code.as_str(), passed.proof), ("1", None));
        assert_eq!(
            outcome(json!({"status": 1, "decline_code": "", "decline_reason": ""})).outcome,
            VendorOutcome::Live
        );
        for data in [
            json!({"status": 1, "decline_code": "FADR25"}),
            json!({"status": 1, "decline_code": "FADR11"}),
            json!({"status": 1, "decline_code": "FADR99"}),
            json!({"status": 1, "decline_code": 25}),
            json!({"status": 1, "decline_code": false}),
            json!({"status": 1, "decline_reason": "Deepfake Detected."}),
            json!({"status": "1"}),
            json!({"status": true}),
            json!({"status": 1.0}),
            json!({"status": 2}),
            json!({"status": -1}),
            json!({"status": [1]}),
            json!({"status": {"value": 1}}),
            json!({"status": "passed"}),
        ] {
            let answer = outcome(data.clone());
            assert_eq!(answer.outcome, UNKNOWN, "{data}");
            assert_eq!(
                (answer.liveness.state, answer.deepfake.state),
                (CheckState::Error, CheckState::Error),
                "{data}"
            );
        }
        for status in [json!(null), json!("true"), json!(1)] {
            let body = json!({"status": status, "result": {"data": {"status": 1}}}).to_string();
            assert_eq!(result(&reply(200, body), &[]).unwrap().unwrap().outcome, UNKNOWN, "{status}");
        }
    }

    #[test]
    fn every_documented_code_has_its_meaning() {
        for (place, (code, decline)) in DECLINES.iter().enumerate() {
            assert_eq!(*code, format!("FADR{:02}", place + 1));
            let answer = outcome(json!({"status": 0, "decline_code": code, "deepfake_score": "0.2"}));
            assert_eq!((answer.raw_code.as_str(), answer.raw_score), (*code, None));
            let states = [answer.liveness.state, answer.deepfake.state, answer.face_match.state];
            use CheckState::{Error, Failed, NotRun};
            let (outcome, expected) = match (place + 1, decline) {
                (25, Decline::Attack(kind)) => (VendorOutcome::Attack(*kind), [NotRun, Failed, NotRun]),
                (1..=8 | 21 | 22, Decline::Attack(kind)) => (VendorOutcome::Attack(*kind), [Failed, NotRun, NotRun]),
                (9..=11 | 14 | 17..=20 | 23 | 24, Decline::Quality(fault)) => {
                    (VendorOutcome::Quality(*fault), [NotRun, NotRun, NotRun])
                }
                (12 | 13 | 15 | 16, _) => {
                    (VendorOutcome::Inconclusive(Inconclusive::MatchOnly), [NotRun, NotRun, Error])
                }
                (26, _) => (VendorOutcome::Inconclusive(Inconclusive::MatchOnly), [NotRun, NotRun, Failed]),
                other => panic!("{other:?} is in the wrong group"),
            };
            assert_eq!((answer.outcome, states), (outcome, expected), "{code}");
        }
    }

    #[test]
    fn a_decline_without_a_known_code_is_inconclusive() {
        for code in
            [json!(null), json!(""), json!("FADR00"), json!("FADR27"), json!("fadr25"), json!("FADR25 "), json!(25)]
        {
            let answer = outcome(json!({"status": 0, "decline_code": code}));
            assert_eq!(answer.outcome, UNKNOWN, "{code}");
            assert_eq!(answer.liveness.state, CheckState::Error);
        }
        assert_eq!(outcome(json!({"status": 0})).raw_code, "0");
        assert_eq!(outcome(json!({"status": 0, "decline_code": "FADR27"})).raw_code, "FADR27");
        assert_eq!(outcome(json!({"status": 0, "decline_code": "X".repeat(65)})).raw_code, "");
    }

    #[test]
    fn a_reply_without_a_decision_is_not_yet_one() {
        for body in [
            json!({"status": true}),
            json!({}),
            json!({"status": true, "result": null}),
            json!({"status": true, "result": []}),
            json!({"status": true, "result": {"data": null}}),
            json!({"status": true, "result": {"data": []}}),
            json!({"status": true, "result": {"data": {"reference_id": "W", "status": null}}}),
        ] {
            assert_eq!(result(&reply(200, body.to_string()), &[404]), Ok(None), "{body}");
        }
        assert_eq!(result(&reply(404, "no such thing"), &[404]), Ok(None));
        assert_eq!(result(&reply(404, "no such thing"), &[]), Err(ErrorKind::Refused));
    }

    #[test]
    fn faults_have_their_kinds() {
        let refusal = json!({"status": false, "message": "Invalid"}).to_string();
        assert_eq!(token(&reply(200, refusal.clone())), Err(ErrorKind::Credentials));
        assert_eq!(created(&reply(200, refusal.clone())), Err(ErrorKind::Refused));
        assert_eq!(result(&reply(200, refusal.clone()), &[404]), Err(ErrorKind::Refused));
        for (status, kind) in [
            (400, ErrorKind::Refused),
            (401, ErrorKind::Credentials),
            (402, ErrorKind::Refused),
            (403, ErrorKind::Forbidden),
            (429, ErrorKind::RateLimited),
            (500, ErrorKind::Server),
            (504, ErrorKind::Timeout),
            (524, ErrorKind::Timeout),
        ] {
            for body in [refusal.as_str(), "<html>", include_str!("fixtures/result_declined.json")] {
                assert_eq!(token(&reply(status, body)), Err(kind));
                assert_eq!(created(&reply(status, body)), Err(kind));
                assert_eq!(result(&reply(status, body), &[404]), Err(kind));
            }
        }
        for body in ["", "<html>", "null", "[]", "[true, {}]", "{\"status\": true", "\"text\""] {
            assert_eq!(token(&reply(200, body)), Err(ErrorKind::Unreadable), "{body}");
            assert_eq!(created(&reply(200, body)), Err(ErrorKind::Unreadable), "{body}");
            assert_eq!(result(&reply(200, body), &[404]), Err(ErrorKind::Unreadable), "{body}");
        }
        for name in [json!(null), json!(""), json!(17), json!("W".repeat(129))] {
            let body = json!({"status": true, "result": {"data": {"reference_id": name, "token": ""}}}).to_string();
            assert_eq!(created(&reply(201, body.clone())), Err(ErrorKind::Unreadable), "{name}");
            assert_eq!(token(&reply(201, body)), Err(ErrorKind::Unreadable), "{name}");
        }
    }

    #[test]
    fn a_proof_is_an_https_address() {
        let shown = |text: &str| outcome(json!({"status": 0, "decline_code": "FADR03", "declined_proof": text})).proof;
        for text in [
            "",
            "http://api.facia.ai/a?expires=1",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https://a.test/\nb",
            " https://a.test/b",
            "api.facia.ai/a",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
        for text in
            ["https://a.test/b", "https://a.test/b?expires=soon", "https://a.test/b?expires=99999999999999999999"]
        {
            assert_eq!(shown(text).unwrap().expires, None, "{text}");
        }
        assert!(!format!("{:?}", shown("https://a.test/b?signature=secret")).contains("secret"));
    }
}
