//! FPT.AI's replies: the code in the body first, then the HTTP status, become an answer or an error.

use super::{
    form::{Comparison, Form, Told},
    wire::Answer,
};
use crate::{
    http::{ErrorKind, Reply},
    vendors::Probe,
    verdict::{AttackKind, CheckState, Inconclusive, QualityFault, RawMeasure, Reading, VendorAnswer, VendorOutcome},
};

/// What is wrong with the capture, by code. 406 is documented for the service's second version. The message says that the request
/// went well, and 411 to 413 come with `is_live: false`: neither is looked at, for a face that is too small is no attack.
const QUALITY: [(&str, QualityFault); 6] = [
    ("406", QualityFault::FaceCovered),
    ("408", QualityFault::MultipleFaces),
    ("410", QualityFault::NoFace),
    ("411", QualityFault::FaceTooSmall),
    ("412", QualityFault::Blurry),
    ("413", QualityFault::StillImage),
];

/// No video came, or one with another extension.
const NO_VIDEO: &str = "409";

/// Codes about the key, or about the request as a whole, that a reply may hold whose HTTP status is 200 (inferred).
const CREDENTIALS: [&str; 3] = ["400", "401", "403"];

/// The answer in a reply; `compares` is whether a reference image was sent.
pub(super) fn answer(reply: &Reply, compares: bool) -> Result<VendorAnswer, ErrorKind> {
    let failed = || Err(ErrorKind::of_status(reply.status));
    let success = reply.status.is_success();
    // What speaks of the line or of the key speaks for itself. Other complaints may carry one of the codes as their status, and
    // 408 is two faces then rather than a time-out.
    if !success && (!reply.status.is_client_error() || matches!(reply.status.as_u16(), 401 | 403 | 429)) {
        return failed();
    }
    let Some(body) = object(reply) else {
        return if success { Err(ErrorKind::Unreadable) } else { failed() };
    };
    let Some(form) = read(body) else {
        return if success { Err(ErrorKind::Unreadable) } else { failed() };
    };
    let code = match &form.code {
        Told::Known(code) => code.as_str(),
        Told::Absent | Told::Unknown => "",
    };
    if CREDENTIALS.contains(&code) {
        return Err(ErrorKind::Credentials);
    }
    let fault = QUALITY.iter().find(|(known, _)| *known == code).map(|(_, fault)| *fault);
    let not_judged = |outcome| (outcome, Reading::NOT_RUN, Reading::NOT_RUN, Reading::NOT_RUN);
    let (outcome, liveness, deepfake, face_match) = match (code, fault) {
        (_, Some(fault)) => not_judged(VendorOutcome::Quality(fault)),
        (NO_VIDEO, None) => not_judged(VendorOutcome::Inconclusive(Inconclusive::MediaRefused)),
        // A body that speaks of a decision in a reply that failed is no decision.
        _ if !success => return failed(),
        ("200", None) => {
            let face_match = if compares { comparison(form.face_match) } else { Reading::NOT_RUN };
            (outcome(&form), liveness(&form), deepfake(&form), face_match)
        }
        _ => {
            let error = Reading::state(CheckState::Error);
            (VendorOutcome::Inconclusive(Inconclusive::UnknownValue), error, error, Reading::NOT_RUN)
        }
    };
    Ok(VendorAnswer {
        outcome,
        liveness,
        deepfake,
        face_match,
        raw_code: code.to_owned(),
        raw_score: form.prob.known(),
        reference: None,
        request_id: None,
        proof: None,
    })
}

/// What a request without a video came to: refused for just that, the key was taken.
pub(super) fn probe(reply: &Reply) -> Result<Probe, ErrorKind> {
    if matches!(reply.status.as_u16(), 401 | 403) {
        return Err(ErrorKind::Credentials);
    }
    if let fault @ (ErrorKind::Server | ErrorKind::Timeout) = ErrorKind::of_status(reply.status) {
        return Err(fault);
    }
    let code = object(reply).and_then(read).and_then(|form| form.code.known());
    match code.as_deref() {
        Some(NO_VIDEO) => Ok(Probe::CredentialsAccepted),
        Some(code) if CREDENTIALS.contains(&code) => Err(ErrorKind::Credentials),
        _ => Ok(Probe::Reachable),
    }
}

/// What a reply with code 200 adds up to. Every flag and every probability has to be one that is known before any of them counts.
fn outcome(form: &Form) -> VendorOutcome {
    let unknown = [form.is_live, form.need_to_review, form.is_deepfake].contains(&Told::Unknown)
        || [form.prob, form.deepfake_prob].contains(&Told::Unknown);
    if unknown {
        return VendorOutcome::Inconclusive(Inconclusive::UnknownValue);
    }
    match (form.need_to_review.known(), form.is_live.known(), form.is_deepfake.known()) {
        (Some(true), ..) => VendorOutcome::Review,
        (_, Some(false), _) => VendorOutcome::Attack(AttackKind::Unspecified),
        (Some(false), Some(true), Some(true)) => VendorOutcome::Attack(AttackKind::Deepfake),
        (Some(false), Some(true), _) => VendorOutcome::Live,
        // Every sample that says "live" says as well whether a person should look: without that nothing is decided.
        (None, Some(true), _) | (_, None, _) => VendorOutcome::Inconclusive(Inconclusive::NoDecision),
    }
}

/// `prob` is the probability of an attack, 0..=1: 0.007 with a live face and 0.93 with an attack in the samples.
fn liveness(form: &Form) -> Reading {
    if form.need_to_review == Told::Unknown {
        return Reading::state(CheckState::Error);
    }
    // Where a person should look, and where it is not said that none should, a "live" decides nothing.
    let decided = match form.need_to_review {
        Told::Known(true) => Told::Absent,
        Told::Absent if form.is_live == Told::Known(true) => Told::Absent,
        _ => form.is_live,
    };
    reading(decided, true, form.prob)
}

/// `is_deepfake` is missing where that was not looked at.
fn deepfake(form: &Form) -> Reading {
    reading(form.is_deepfake, false, form.deepfake_prob)
}

/// A flag that passes where it is `good`, and the probability of an attack that belongs to it.
fn reading(flag: Told<bool>, good: bool, probability: Told<f64>) -> Reading {
    let state = match (flag, probability) {
        (Told::Unknown, _) | (_, Told::Unknown) => return Reading::state(CheckState::Error),
        (Told::Absent, _) => CheckState::NotRun,
        (Told::Known(flag), _) if flag == good => CheckState::Passed,
        (Told::Known(_), _) => CheckState::Failed,
    };
    let value = probability.known().filter(|value| (0.0..=1.0).contains(value));
    Reading {
        state,
        score: value.filter(|_| state != CheckState::NotRun).map(|value| (1.0 - value) as f32),
        raw: value.map(|value| RawMeasure { value, unit: "probability" }),
    }
}

/// `similarity` is 0..=100.
fn comparison(told: Told<Comparison>) -> Reading {
    let found = match told {
        Told::Absent => return Reading::NOT_RUN,
        Told::Unknown => return Reading::state(CheckState::Error),
        Told::Known(found) => found,
    };
    let percent = found.similarity.filter(|percent| (0.0..=100.0).contains(percent));
    Reading {
        state: if found.is_match { CheckState::Passed } else { CheckState::Failed },
        score: percent.map(|percent| (percent / 100.0) as f32),
        raw: percent.map(|value| RawMeasure { value, unit: "percent" }),
    }
}

/// The body where it is an object.
fn object(reply: &Reply) -> Option<Answer> {
    // A list would be read as the fields in their order.
    let is_object = reply.body.trim_ascii_start().first() == Some(&b'{');
    is_object.then(|| serde_json::from_slice(&reply.body).ok()).flatten()
}

/// What it says; `None` where that is nothing that FPT.AI would say.
fn read(body: Answer) -> Option<Form> {
    let form = Form::from(body);
    (form.code != Told::Absent || form.is_live != Told::Absent).then_some(form)
}

#[cfg(test)]
mod tests;
