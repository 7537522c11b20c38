//! Deepvue's page as a server: a token that ends at a time, and a check of a picture.

use std::time::{Duration, SystemTime};

use lifesign_core::testing::socket::{Answer, Request};
use prost_types::Timestamp;
use serde_json::{Value, json};

use super::{Kind, Refusal, Says, Script, Stage, at, form, sample};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../core/src/vendors/deepvue/fixtures/", $name, ".json"))
    };
}

const ID: &str = "deepvue-client";
const SECRET: &str = "deepvue-secret-9d20";

/// How long a token is good for. Documented.
const LASTS: Duration = Duration::from_secs(24 * 3600);

pub(super) const KIND: Kind = Kind {
    id: "deepvue",
    secrets: &[SECRET],
    settings: || json!({"client_id": ID, "client_secret": SECRET}),
    uploads: &["/v1/liveness-check"],
    door,
    media,
    judge,
    refuse,
    other,
};

fn refuse(why: Refusal) -> Answer {
    match why {
        Refusal::Key => Answer::json(400, fixture!("inactive_client")),
        Refusal::Token => Answer::json(403, fixture!("not_a_valid_token")),
        // Documented without a sample; the envelope is that of the other complaints that come before the check.
        Refusal::TooMany => Answer::json(429, json!({"detail": "Rate limit exceeded"}).to_string()),
        Refusal::Broken => Answer::json(500, fixture!("internal_server_error")),
        Refusal::Media => Answer::json(422, fixture!("invalid_base64")),
    }
}

/// The token as `Bearer`, and the client's secret as `x-api-key`.
fn door(script: &Script, request: &Request) -> Result<(), Answer> {
    let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    match token {
        // Which of the two a wrong key is answered with is undocumented.
        _ if request.header("x-api-key") != Some(SECRET) => Err(Answer::json(401, fixture!("not_authenticated"))),
        None => Err(Answer::json(401, fixture!("not_authenticated"))),
        Some(token) if script.is_valid(token) => Ok(()),
        Some(_) => Err(refuse(Refusal::Token)),
    }
}

fn other(script: &Script, request: &Request) -> Option<Answer> {
    let wanted = request.method == "POST" && request.target == "/v1/authorize";
    wanted.then(|| {
        script.asked_for_token();
        at(Stage::Token, script, refuse, || authorize(script, request))
    })
}

/// What is missing, as a list: the vendor's framework writes `detail` so.
fn missing(name: &str) -> Answer {
    let detail = json!([{"loc": ["body", name], "msg": "field required", "type": "value_error.missing"}]);
    Answer::json(422, json!({"detail": detail}).to_string())
}

/// One page shows a multipart form and another an urlencoded one: either will do.
fn authorize(script: &Script, request: &Request) -> Answer {
    let Some(fields) = form::form(request) else { return missing("client_id") };
    let Some(id) = form::text(&fields, "client_id") else { return missing("client_id") };
    let Some(secret) = form::text(&fields, "client_secret") else { return missing("client_secret") };
    if id != ID || secret != SECRET || script.says() == Says::RefusedKey {
        return refuse(Refusal::Key);
    }
    let expiry = Timestamp::from(SystemTime::now() + LASTS).to_string();
    let changes = [("/access_token", json!(script.issue())), ("/expiry", json!(expiry))];
    Answer::json(200, sample(fixture!("authorize"), &changes).to_string())
}

fn media(request: &Request) -> Result<Vec<Vec<u8>>, Answer> {
    let body = form::object(request).filter(|_| form::content_type(request) == "application/json");
    let Some(image) = body.as_ref().and_then(|body| body.get("image")).and_then(Value::as_str) else {
        return Err(missing("image"));
    };
    if let Some(rest) = image.strip_prefix("http") {
        let host = rest.strip_prefix("s://").or_else(|| rest.strip_prefix("://"));
        let good = host.is_some_and(|host| !host.is_empty() && !host.contains(char::is_whitespace));
        return if good { Ok(vec![image.into()]) } else { Err(Answer::json(422, fixture!("invalid_url"))) };
    }
    let decoded = form::decode(image).filter(|data| {
        // Which kinds of picture are taken is documented nowhere; a video is no picture.
        matches!(form::kind(data), Some(form::Kind::Jpeg | form::Kind::Png))
    });
    decoded.map(|data| vec![data]).ok_or_else(|| refuse(Refusal::Media))
}

/// There is no deepfake here: the page speaks of photos, screens and masks, and has no word for one.
fn judge(_: &Script, _: &Request, says: Says) -> Answer {
    match says {
        Says::NoFace => Answer::json(200, fixture!("face_not_detected")),
        _ => {
            let is_live = !matches!(says, Says::Spoof | Says::Deepfake);
            Answer::json(200, sample(fixture!("success"), &[("/data/is_live", is_live.into())]).to_string())
        }
    }
}
