//! The literal samples of both pages, and everything that is near them and is not documented.

use ::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::*;
use CheckState::{Error, Failed, NotRun, Passed};

fn reply(status: u16, body: impl Into<Vec<u8>>) -> Reply {
    let status = StatusCode::from_u16(status).unwrap();
    Reply { status, headers: HeaderMap::new(), body: body.into().into() }
}

/// A reply with code 200 and these fields.
fn told(fields: Value) -> VendorAnswer {
    let mut body = json!({"code": "200", "message": "request successful."});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    answer(&reply(200, body.to_string()), true).unwrap()
}

fn states(answer: &VendorAnswer) -> [CheckState; 3] {
    [answer.liveness.state, answer.deepfake.state, answer.face_match.state]
}

const UNKNOWN: VendorOutcome = VendorOutcome::Inconclusive(Inconclusive::UnknownValue);
const SILENT: VendorOutcome = VendorOutcome::Inconclusive(Inconclusive::NoDecision);
const SPOOF: VendorOutcome = VendorOutcome::Attack(AttackKind::Unspecified);

const LIVE: &str = include_str!("../fixtures/live.json");
const NO_VIDEO_SAMPLE: &str = include_str!("../fixtures/no_video.json");
const NO_FACE: &str = include_str!("../fixtures/no_face.json");

#[test]
fn the_samples_with_a_decision_read_as_the_page_says() {
    let measure = |state, value: f64| Reading {
        state,
        score: Some((1.0 - value) as f32),
        raw: Some(RawMeasure { value, unit: "probability" }),
    };
    let alike = |percent: f64| Reading {
        state: Failed,
        score: Some((percent / 100.0) as f32),
        raw: Some(RawMeasure { value: percent, unit: "percent" }),
    };
    let (live, real) = (measure(Passed, 0.006_677_149), measure(Passed, 0.001_608_711_3));
    let review =
        Reading { state: NotRun, score: None, raw: Some(RawMeasure { value: 0.121_276_7, unit: "probability" }) };
    for (sample, outcome, liveness, deepfake, face_match, prob) in [
        (
            include_str!("../fixtures/live_no_error.json"),
            VendorOutcome::Live,
            live,
            real,
            alike(1.818_778_813_364_702_5),
            0.006_677_149,
        ),
        (LIVE, VendorOutcome::Live, live, real, alike(81.818_788_136_470_25), 0.006_677_149),
        (
            include_str!("../fixtures/match_error.json"),
            VendorOutcome::Live,
            live,
            real,
            Reading::state(Error),
            0.006_677_149,
        ),
        (
            include_str!("../fixtures/review.json"),
            VendorOutcome::Review,
            review,
            measure(Failed, 0.999_999_64),
            alike(8.060_021_979_547_948),
            0.121_276_7,
        ),
        (
            include_str!("../fixtures/attack.json"),
            SPOOF,
            measure(Failed, 0.925_505_4),
            Reading::NOT_RUN,
            alike(22.457_926_631_125_535),
            0.925_505_4,
        ),
        (
            include_str!("../fixtures/nested.json"),
            VendorOutcome::Live,
            measure(Passed, 0.0015),
            measure(Passed, 0.0),
            alike(18.45),
            0.0015,
        ),
    ] {
        let expected = VendorAnswer {
            outcome,
            liveness,
            deepfake,
            face_match,
            raw_code: "200".into(),
            raw_score: Some(prob),
            reference: None,
            request_id: None,
            proof: None,
        };
        assert_eq!(answer(&reply(200, sample), true).unwrap(), expected, "{sample}");
        // Without an image there was nothing to compare, whatever the reply says.
        let expected = VendorAnswer { face_match: Reading::NOT_RUN, ..expected };
        assert_eq!(answer(&reply(200, sample), false).unwrap(), expected, "{sample}");
    }
}

#[test]
fn the_samples_with_a_fault_are_no_spoof() {
    let quality = VendorOutcome::Quality;
    for (sample, code, expected) in [
        (include_str!("../fixtures/multiple_faces.json"), "408", quality(QualityFault::MultipleFaces)),
        (NO_VIDEO_SAMPLE, "409", VendorOutcome::Inconclusive(Inconclusive::MediaRefused)),
        (NO_FACE, "410", quality(QualityFault::NoFace)),
        (include_str!("../fixtures/face_too_small.json"), "411", quality(QualityFault::FaceTooSmall)),
        (include_str!("../fixtures/blurry.json"), "412", quality(QualityFault::Blurry)),
        (include_str!("../fixtures/still_image.json"), "413", quality(QualityFault::StillImage)),
        (r#"{"code": 406, "is_live": true, "need_to_review": false}"#, "406", quality(QualityFault::FaceCovered)),
        (r#"{"code":"200","liveness":{"code":"410","is_live":"true"}}"#, "410", quality(QualityFault::NoFace)),
    ] {
        // The code decides, also where it is the HTTP status as well: 408 is no time-out then.
        for status in [200, 400, code.parse().unwrap()] {
            let answer = answer(&reply(status, sample), true).unwrap();
            assert_eq!((answer.outcome, answer.raw_code.as_str()), (expected, code));
            assert_eq!(states(&answer), [NotRun; 3], "{code}");
        }
    }
}

#[test]
fn flags_decide_and_the_review_comes_first() {
    for (fields, outcome, expected) in [
        (json!({"is_live": true, "need_to_review": false}), VendorOutcome::Live, [Passed, NotRun]),
        (
            json!({"is_live": "true", "need_to_review": "false", "is_deepfake": "false"}),
            VendorOutcome::Live,
            [Passed, Passed],
        ),
        (json!({"is_live": true, "need_to_review": false, "is_deepfake": null}), VendorOutcome::Live, [Passed, NotRun]),
        (
            json!({"is_live": true, "need_to_review": false, "is_deepfake": true}),
            VendorOutcome::Attack(AttackKind::Deepfake),
            [Passed, Failed],
        ),
        (json!({"is_live": false, "need_to_review": false, "is_deepfake": true}), SPOOF, [Failed, Failed]),
        (json!({"is_live": false}), SPOOF, [Failed, NotRun]),
        (json!({"is_live": false, "need_to_review": true}), VendorOutcome::Review, [NotRun, NotRun]),
        (
            json!({"is_live": true, "need_to_review": "true", "is_deepfake": false}),
            VendorOutcome::Review,
            [NotRun, Passed],
        ),
        (json!({"need_to_review": true}), VendorOutcome::Review, [NotRun, NotRun]),
        (json!({"is_live": true}), SILENT, [NotRun, NotRun]),
        (json!({"is_live": true, "need_to_review": null}), SILENT, [NotRun, NotRun]),
        (json!({"need_to_review": false}), SILENT, [NotRun, NotRun]),
        (json!({"is_live": null, "need_to_review": false, "is_deepfake": false}), SILENT, [NotRun, Passed]),
        (json!({}), SILENT, [NotRun, NotRun]),
        (json!({"liveness": {}}), SILENT, [NotRun, NotRun]),
    ] {
        let answer = told(fields.clone());
        assert_eq!((answer.outcome, &states(&answer)[..2]), (outcome, &expected[..]), "{fields}");
    }
}

#[test]
fn what_is_not_documented_is_inconclusive() {
    let with = |name: &str, value: Value| {
        let mut fields = json!({"is_live": true, "prob": "0.1", "need_to_review": false, "is_deepfake": false, "deepfake_prob": 0.1});
        fields[name] = value;
        fields
    };
    for (fields, expected) in [
        (with("is_live", json!("True")), [Error, Passed]),
        (with("is_live", json!(1)), [Error, Passed]),
        (with("need_to_review", json!("no")), [Error, Passed]),
        (with("need_to_review", json!({})), [Error, Passed]),
        (with("prob", json!("NaN")), [Error, Passed]),
        (with("prob", json!("inf")), [Error, Passed]),
        (with("prob", json!("")), [Error, Passed]),
        (with("prob", json!(true)), [Error, Passed]),
        (with("is_deepfake", json!("unsure")), [Passed, Error]),
        (with("is_deepfake", json!(0)), [Passed, Error]),
        (with("deepfake_prob", json!("N/A")), [Passed, Error]),
        (with("deepfake_prob", json!([0.1])), [Passed, Error]),
        // Two places that contradict each other, and one that is no object.
        (with("liveness", json!({"is_live": "false"})), [Error, Passed]),
        (with("liveness", json!({"need_to_review": "true"})), [Error, Passed]),
        (with("liveness", json!({"is_deepfake": true})), [Passed, Error]),
        (with("liveness", json!({"spoof_prob": "0.9"})), [Error, Passed]),
        (with("liveness", json!("true")), [Error, Error]),
        (with("liveness", json!([{"is_live": "true"}])), [Error, Error]),
    ] {
        let answer = told(fields.clone());
        assert_eq!((answer.outcome, &states(&answer)[..2]), (UNKNOWN, &expected[..]), "{fields}");
    }
    assert_eq!(told(with("liveness", json!({"is_live": "true", "spoof_prob": 0.1}))).outcome, VendorOutcome::Live);
}

#[test]
fn unknown_codes_are_inconclusive_and_bad_keys_are_errors() {
    for code in [
        json!("201"),
        json!("407"),
        json!("500"),
        json!("0"),
        json!("200 "),
        json!(200.0),
        json!(true),
        json!(""),
        json!(["200"]),
        json!(null),
    ] {
        let body = json!({"code": code, "is_live": true, "need_to_review": false, "is_deepfake": false}).to_string();
        let answer = answer(&reply(200, body.clone()), true).unwrap();
        assert_eq!((answer.outcome, states(&answer)), (UNKNOWN, [Error, Error, NotRun]), "{body}");
    }
    for code in [json!("400"), json!(401), json!("403")] {
        for status in [200, 400] {
            let body = json!({"code": code, "is_live": true, "need_to_review": false}).to_string();
            assert_eq!(answer(&reply(status, body), true), Err(ErrorKind::Credentials), "{code}");
        }
    }
}

#[test]
fn a_probability_out_of_range_is_no_score() {
    for prob in [json!("1.01"), json!(-0.01), json!("93"), json!(1e300)] {
        let answer = told(
            json!({"is_live": true, "need_to_review": false, "prob": prob, "is_deepfake": false, "deepfake_prob": prob}),
        );
        assert_eq!(answer.outcome, VendorOutcome::Live, "{prob}");
        assert_eq!((answer.liveness, answer.deepfake), (Reading::state(Passed), Reading::state(Passed)));
        assert!(answer.raw_score.is_some());
    }
    for (prob, score) in [(json!(0), 1.0), (json!("1"), 0.0)] {
        let answer = told(json!({"is_live": true, "need_to_review": false, "prob": prob}));
        assert_eq!(answer.liveness.score, Some(score));
    }
}

#[test]
fn a_comparison_is_on_its_own_axis() {
    for (fields, state, score) in [
        (json!({"face_match": {"isMatch": true, "similarity": 81.5}}), Passed, Some(0.815)),
        (json!({"face_match": {"isMatch": "true", "similarity": "100"}, "face_match_error": {}}), Passed, Some(1.0)),
        (json!({"face_match": {"isMatch": false, "similarity": 0}, "face_match_error": null}), Failed, Some(0.0)),
        (json!({"face_match": {"code": 200, "isMatch": true, "similarity": 100.1}}), Passed, None),
        (json!({"face_match": {"isMatch": true, "similarity": -1}}), Passed, None),
        (json!({"face_match": {"isMatch": true}}), Passed, None),
        (json!({"face_match": {}}), NotRun, None),
        (json!({"face_match": null}), NotRun, None),
        (json!({}), NotRun, None),
        (json!({"face_match": {"similarity": 99}}), Error, None),
        (json!({"face_match": {"isMatch": "yes", "similarity": 99}}), Error, None),
        (json!({"face_match": {"isMatch": true, "similarity": "N/A"}}), Error, None),
        (json!({"face_match": {"code": "407", "isMatch": "true", "similarity": "99"}}), Error, None),
        (json!({"face_match": {"code": [], "isMatch": "true"}}), Error, None),
        (json!({"face_match": [{"isMatch": true}]}), Error, None),
        (json!({"face_match": ["200", true, 99]}), Error, None),
        (json!({"face_match": true}), Error, None),
        (json!({"face_match": {"isMatch": true}, "face_match_error": {"code": "407"}}), Error, None),
        (json!({"face_match_error": "407"}), Error, None),
    ] {
        let mut all = json!({"is_live": true, "need_to_review": false});
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let answer = told(all);
        assert_eq!((answer.outcome, answer.liveness.state), (VendorOutcome::Live, Passed), "{fields}");
        assert_eq!((answer.face_match.state, answer.face_match.score), (state, score), "{fields}");
    }
}

#[test]
fn faults_have_their_kinds() {
    for (status, kind) in [
        (401, ErrorKind::Credentials),
        (403, ErrorKind::Forbidden),
        (429, ErrorKind::RateLimited),
        (500, ErrorKind::Server),
        (504, ErrorKind::Timeout),
        (302, ErrorKind::Unreadable),
    ] {
        for body in ["", "<html>403 Forbidden</html>", LIVE, NO_FACE] {
            assert_eq!(answer(&reply(status, body), true), Err(kind), "{status} {body}");
        }
    }
    for (status, kind) in [(400, ErrorKind::Refused), (404, ErrorKind::Refused), (408, ErrorKind::Timeout)] {
        for body in ["", "<html>", "{}", "[]", LIVE, r#"{"code": "500"}"#] {
            assert_eq!(answer(&reply(status, body), true), Err(kind), "{status} {body}");
        }
    }
    let twice = r#"{"code": "200", "is_live": false, "is_live": true, "need_to_review": false}"#;
    for body in
        ["", "<html>", "null", "[]", "{}", r#"["200", true]"#, r#"{"message": "x"}"#, "{\"code\": \"200\"", twice]
    {
        assert_eq!(answer(&reply(200, body), true), Err(ErrorKind::Unreadable), "{body}");
    }
}

#[test]
fn a_probe_is_let_in_where_only_the_video_is_missed() {
    for (status, body, expected) in [
        (200, NO_VIDEO_SAMPLE, Ok(Probe::CredentialsAccepted)),
        (409, NO_VIDEO_SAMPLE, Ok(Probe::CredentialsAccepted)),
        (200, r#"{"code": 409}"#, Ok(Probe::CredentialsAccepted)),
        (200, NO_FACE, Ok(Probe::Reachable)),
        (200, "<html>", Ok(Probe::Reachable)),
        (404, "", Ok(Probe::Reachable)),
        (200, r#"{"code": "400"}"#, Err(ErrorKind::Credentials)),
        (400, r#"{"code": 401}"#, Err(ErrorKind::Credentials)),
        (401, NO_VIDEO_SAMPLE, Err(ErrorKind::Credentials)),
        (403, "<html>", Err(ErrorKind::Credentials)),
        (500, NO_VIDEO_SAMPLE, Err(ErrorKind::Server)),
        (504, "", Err(ErrorKind::Timeout)),
    ] {
        assert_eq!(probe(&reply(status, body)), expected, "{status} {body}");
    }
}
