//! FPT.AI's page as a server: a video, and a picture to compare it with, in one form.

use lifesign_core::testing::socket::{Answer, Request};
use serde_json::{Value, json};

use super::{Kind, Refusal, Says, Script, form, sample};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../core/src/vendors/fpt/fixtures/", $name, ".json"))
    };
}

const KEY: &str = "fpt-key-0b8d61";

/// "10MB" and "5MB"; the larger reading of each, where it is the clients that are strict.
const MOST_VIDEO: usize = 10 << 20;
const MOST_PICTURE: usize = 5 << 20;

/// What a sample of the page allows.
const EXTENSIONS: [&str; 4] = ["mov", "mp4", "mkv", "webm"];

pub(super) const KIND: Kind = Kind {
    id: "fpt",
    secrets: &[KEY],
    settings: || json!({"api_key": KEY}),
    uploads: &["/dmp/liveness/v3"],
    door,
    media,
    judge,
    refuse,
    other: |_, _| None,
};

/// A reply of HTTP 200 with a code of its own in the body, as all samples of the page have it.
fn coded(code: &str, data: &str) -> Answer {
    Answer::json(200, sample(fixture!("no_video"), &[("/code", code.into()), ("/data", data.into())]).to_string())
}

fn refuse(why: Refusal) -> Answer {
    match why {
        // Undocumented; seen elsewhere as HTTP 200 with this code (inferred).
        Refusal::Key | Refusal::Token => coded("400", "Invalid API key"),
        // Neither is documented: what any HTTP service does.
        Refusal::TooMany => Answer::json(429, r#"{"message":"API rate limit exceeded"}"#),
        Refusal::Broken => Answer::Reply(500, Vec::new(), b"Internal Server Error".to_vec()),
        Refusal::Media => Answer::json(200, fixture!("no_video")),
    }
}

/// The header of the samples. The table on the same page spells it with an underscore.
fn door(_: &Script, request: &Request) -> Result<(), Answer> {
    if request.header("api-key") == Some(KEY) { Ok(()) } else { Err(refuse(Refusal::Key)) }
}

fn media(request: &Request) -> Result<Vec<Vec<u8>>, Answer> {
    let fields = form::form(request).filter(|_| form::content_type(request) == "multipart/form-data");
    let fields = fields.unwrap_or_default();
    let Some(video) = form::field(&fields, "video") else { return Err(refuse(Refusal::Media)) };
    let extension = video.file.as_deref().and_then(|name| name.rsplit_once('.')).map(|(_, extension)| extension);
    if !extension.is_some_and(|extension| EXTENSIONS.contains(&extension)) || video.data.is_empty() {
        return Err(refuse(Refusal::Media));
    }
    // What is answered to a file that is too large is undocumented.
    let picture = form::field(&fields, "cmnd").map_or(0, |field| field.data.len());
    if video.data.len() > MOST_VIDEO || picture > MOST_PICTURE {
        return Err(Answer::Reply(413, Vec::new(), Vec::new()));
    }
    Ok(vec![video.data.clone()])
}

/// Faces are compared only where there is a picture to compare with.
fn judge(_: &Script, request: &Request, says: Says) -> Answer {
    let body = match says {
        Says::NoFace => sample(fixture!("no_face"), &[]),
        Says::Spoof => sample(fixture!("attack"), &[]),
        Says::Deepfake => {
            sample(fixture!("live"), &[("/is_deepfake", Value::Bool(true)), ("/deepfake_prob", "0.99999964".into())])
        }
        _ => sample(fixture!("live"), &[]),
    };
    let compared = form::form(request).is_some_and(|fields| form::field(&fields, "cmnd").is_some());
    let mut body = body;
    if let (false, Some(fields)) = (compared, body.as_object_mut()) {
        fields.remove("face_match");
    }
    Answer::json(200, body.to_string())
}
