//! FACIA's page as a server: a token, an upload that opens a transaction, and the question for its result.

use lifesign_core::testing::socket::{Answer, Request};
use serde_json::{Value, json};

use super::{Kind, Refusal, Says, Script, Stage, at, form, sample};

const TOKEN: &str = include_str!("../../../core/src/vendors/facia/fixtures/token.json");
const CREATED: &str = include_str!("../../../core/src/vendors/facia/fixtures/liveness.json");
const DECLINED: &str = include_str!("../../../core/src/vendors/facia/fixtures/result_declined.json");

const ID: &str = "facia-client";
const SECRET: &str = "facia-secret-c8f1";
const EMAIL: &str = "someone@example.org";
const PASSWORD: &str = "facia-password-77aa";

pub(super) const KIND: Kind = Kind {
    id: "facia",
    secrets: &[SECRET, PASSWORD],
    settings: || {
        json!({
            "client_id": ID,
            "client_secret": SECRET,
            "poll": {"first_wait_ms": 0, "base_ms": 10, "max_ms": 20},
        })
    },
    uploads: &["/liveness"],
    door,
    media,
    judge: |script, _, says| created(&script.open(says)),
    refuse,
    other,
};

/// A complaint. The page has no sample of one: the envelope is that of its other replies (inferred).
fn complaint(status: u16, message: &str) -> Answer {
    Answer::json(status, json!({"status": false, "message": message, "result": []}).to_string())
}

fn refuse(why: Refusal) -> Answer {
    match why {
        Refusal::Key | Refusal::Token => complaint(401, "Invalid signature key"),
        Refusal::TooMany => complaint(429, "Too many requests"),
        Refusal::Broken => complaint(500, "Internal server error"),
        Refusal::Media => complaint(400, "The file cannot be read"),
    }
}

/// A bearer token, or the secret itself in a header of its own.
fn door(script: &Script, request: &Request) -> Result<(), Answer> {
    let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let good = match (token, request.header("client-secret")) {
        (Some(token), _) => script.is_valid(token),
        (None, secret) => secret == Some(SECRET),
    };
    if good { Ok(()) } else { Err(refuse(Refusal::Key)) }
}

fn other(script: &Script, request: &Request) -> Option<Answer> {
    match (request.method.as_str(), request.target.as_str()) {
        ("POST", "/request-access-token") => {
            script.asked_for_token();
            Some(at(Stage::Token, script, refuse, || token(script, request)))
        }
        ("POST", "/result") => {
            script.asked_for_result();
            let reply = || door(script, request).map_or_else(|refused| refused, |()| result(script, request));
            Some(at(Stage::Result, script, refuse, reply))
        }
        // Any page of the site itself.
        ("GET", "/") => Some(Answer::json(404, "{}")),
        _ => None,
    }
}

fn token(script: &Script, request: &Request) -> Answer {
    let Some(body) = form::object(request) else { return complaint(400, "The body is no JSON") };
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let good = match (text("client_id"), text("client_secret"), text("email"), text("password")) {
        (Some(id), Some(secret), _, _) => id == ID && secret == SECRET,
        (_, _, Some(email), Some(password)) => email == EMAIL && password == PASSWORD,
        // 402 is a missing parameter here, and nothing about money.
        _ => return complaint(402, "Parameters are missing"),
    };
    if !good || script.says() == Says::RefusedKey {
        return refuse(Refusal::Key);
    }
    Answer::json(200, sample(TOKEN, &[("/result/data/token", script.issue().into())]).to_string())
}

/// What an upload says, whichever of the two ways it travels in.
struct Asked {
    kind: Option<String>,
    file: Option<Vec<u8>>,
    detect_deepfake: Option<bool>,
    offsite_liveness: Option<bool>,
    file_type: Option<String>,
    client_reference: Option<String>,
}

/// "Must be true or 1", in JSON as well as in a form.
fn flag(value: &Value) -> bool {
    *value == json!(true) || *value == json!(1) || *value == json!("1") || *value == json!("true")
}

fn of_json(body: &Value) -> Asked {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
    let file = text("file").and_then(|file| {
        // The page says "base64" in one place and "base64:path" in another; a data URL is the usual form of the latter.
        let plain = match file.strip_prefix("data:") {
            Some(url) => url.split_once(";base64,").map(|(_, data)| data),
            None => Some(file.as_str()),
        };
        plain.and_then(form::decode)
    });
    Asked {
        kind: text("type"),
        file,
        detect_deepfake: body.get("detect_deepfake").map(flag),
        offsite_liveness: body.get("offsite_liveness").map(flag),
        file_type: text("file_type"),
        client_reference: text("client_reference"),
    }
}

fn of_form(fields: &[form::Field]) -> Asked {
    let text = |name: &str| form::text(fields, name).map(str::to_owned);
    let file = form::field(fields, "file").filter(|field| field.file.is_some());
    Asked {
        kind: text("type"),
        file: file.map(|field| field.data.clone()),
        detect_deepfake: text("detect_deepfake").map(|text| flag(&text.into())),
        offsite_liveness: text("offsite_liveness").map(|text| flag(&text.into())),
        file_type: text("file_type"),
        client_reference: text("client_reference"),
    }
}

fn media(request: &Request) -> Result<Vec<Vec<u8>>, Answer> {
    let asked = match form::content_type(request).as_str() {
        "application/json" => form::object(request).map(|body| of_json(&body)),
        "multipart/form-data" => form::form(request).map(|fields| of_form(&fields)),
        _ => None,
    };
    let Some(asked) = asked else { return Err(complaint(400, "The body is neither JSON nor a form")) };
    let missing = |name: &str| Err(complaint(402, &format!("{name} is missing")));
    match asked.kind.as_deref() {
        None => return missing("type"),
        Some("liveness") => {}
        Some(_) => return Err(complaint(400, "type must be liveness")),
    }
    for (name, flag) in [("detect_deepfake", asked.detect_deepfake), ("offsite_liveness", asked.offsite_liveness)] {
        match flag {
            None => return missing(name),
            Some(true) => {}
            Some(false) => return Err(complaint(400, &format!("{name} must be true or 1"))),
        }
    }
    if asked.client_reference.is_some_and(|text| !(5..=255).contains(&text.chars().count())) {
        return Err(complaint(400, "client_reference must have 5 to 255 characters"));
    }
    let Some(file) = asked.file else { return missing("file") };
    match (form::kind(&file), asked.file_type.as_deref()) {
        (None, _) => Err(complaint(400, "file must be a jpeg, jpg, png or mp4")),
        (Some(form::Kind::Mp4), None) => missing("file_type"),
        (Some(form::Kind::Mp4), Some(other)) if other != "video" => Err(complaint(400, "file_type must be video")),
        _ => Ok(vec![file]),
    }
}

fn created(reference: &str) -> Answer {
    Answer::json(200, sample(CREATED, &[("/result/data/reference_id", reference.into())]).to_string())
}

fn result(script: &Script, request: &Request) -> Answer {
    let body = form::object(request);
    let Some(reference) = body.as_ref().and_then(|body| body.get("reference_id")).and_then(Value::as_str) else {
        return complaint(402, "reference_id is missing");
    };
    let Some(outcome) = script.poll(reference) else { return complaint(404, "There is no such transaction") };
    let named = ("/result/data/reference_id", json!(reference));
    let says = match outcome {
        Ok(says) => says,
        // How "not yet" looks is documented nowhere: in turn the two ways that are thinkable.
        Err(left) if left % 2 == 0 => return complaint(404, "There is no result yet"),
        Err(_) => {
            return Answer::json(200, sample(DECLINED, &[named, ("/result/data/status", Value::Null)]).to_string());
        }
    };
    let declined = |code: &str, reason: &str| {
        let code = ("/result/data/decline_code", json!(code));
        sample(DECLINED, &[named.clone(), code, ("/result/data/decline_reason", json!(reason))])
    };
    let body = match says {
        Says::Spoof => declined("FADR03", "Replay attack."),
        Says::NoFace => declined("FADR11", "No face."),
        Says::Deepfake => sample(DECLINED, std::slice::from_ref(&named)),
        _ => {
            let none = ["decline_code", "decline_reason", "declined_proof"].map(|name| format!("/result/data/{name}"));
            let mut changes = vec![named, ("/result/data/status", json!(1))];
            changes.extend(none.iter().map(|place| (place.as_str(), Value::Null)));
            sample(DECLINED, &changes)
        }
    };
    Answer::json(200, body.to_string())
}
