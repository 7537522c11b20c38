//! GLAIR's page as a server: a video in a form, or a list of frames in JSON, judged for deepfakes.

use lifesign_core::testing::socket::{Answer, Request};
use serde_json::{Value, json};

use super::{Kind, Refusal, Says, Script, form};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../core/src/vendors/glair/fixtures/", $name, ".json"))
    };
}

const USER: &str = "glair-user-41b7";
const PASSWORD: &str = "glair-password-e3";
const KEY: &str = "glair-key-5f60";

const VIDEO: &str = "/face/v1/deepfake";
const FRAMES: &str = "/face/v1/deepfake/images";

/// "6MB"; whether a million bytes or 2^20 is not said, so the larger of the two here, where it is the clients that are strict.
const MOST: usize = 6 << 20;

pub(super) const KIND: Kind = Kind {
    id: "glair",
    secrets: &[USER, PASSWORD, KEY],
    settings: || json!({"username": USER, "password": PASSWORD, "api_key": KEY}),
    uploads: &[VIDEO, FRAMES],
    door,
    media,
    judge,
    refuse,
    other: |_, _| None,
};

/// A complaint about the request in the shape of the page's sample of one.
fn complaint(status: u16, code: &str, reason: &str) -> Answer {
    Answer::json(status, json!({"reason": reason, "status": code}).to_string())
}

fn refuse(why: Refusal) -> Answer {
    match why {
        Refusal::Key | Refusal::Token => complaint(401, "ERROR", "Unauthorized"),
        Refusal::TooMany => complaint(429, "ERROR", "Too many requests"),
        Refusal::Broken => complaint(500, "ERROR", "Internal server error"),
        Refusal::Media => Answer::json(400, fixture!("no_file")),
    }
}

fn door(_: &Script, request: &Request) -> Result<(), Answer> {
    let basic = request.header("authorization").and_then(|value| value.strip_prefix("Basic "));
    let known = basic == Some(form::encode(&format!("{USER}:{PASSWORD}")).as_str());
    match request.header("x-api-key") {
        Some(KEY) if known => Ok(()),
        // A good user with another's key: 403, whose body may be no JSON.
        Some(_) if known => Err(Answer::Reply(403, Vec::new(), b"Forbidden".to_vec())),
        _ => Err(refuse(Refusal::Key)),
    }
}

fn media(request: &Request) -> Result<Vec<Vec<u8>>, Answer> {
    let media = if request.target == VIDEO { video(request) } else { frames(request) }?;
    if media.iter().map(Vec::len).sum::<usize>() > MOST {
        return Err(complaint(400, "ERROR", "The file is larger than 6MB"));
    }
    Ok(media)
}

fn video(request: &Request) -> Result<Vec<Vec<u8>>, Answer> {
    let fields = form::form(request).unwrap_or_default();
    let Some(video) = form::field(&fields, "video") else { return Err(refuse(Refusal::Media)) };
    let named = video.file.as_ref().is_some_and(|name| name.ends_with(".mp4"));
    if !named || form::kind(&video.data) != Some(form::Kind::Mp4) {
        return Err(complaint(415, "FILE_INVALID_FORMAT", "The file is no mp4"));
    }
    Ok(vec![video.data.clone()])
}

fn frames(request: &Request) -> Result<Vec<Vec<u8>>, Answer> {
    let body = form::object(request);
    let list = body.as_ref().and_then(|body| body.get("frames")).and_then(Value::as_array);
    let Some(list) = list.filter(|list| !list.is_empty()) else { return Err(refuse(Refusal::Media)) };
    let decoded = list.iter().map(|frame| {
        let data = frame.as_str().and_then(form::decode)?;
        matches!(form::kind(&data), Some(form::Kind::Jpeg | form::Kind::Png)).then_some(data)
    });
    let decoded: Option<Vec<_>> = decoded.collect();
    decoded.ok_or_else(|| complaint(400, "FILE_INVALID_FORMAT", "A frame is no picture"))
}

/// It knows real and fake alone. Every reply names its request.
fn judge(script: &Script, request: &Request, says: Says) -> Answer {
    let body = match says {
        Says::Deepfake => fixture!("fake"),
        _ if request.target == FRAMES => fixture!("frames_real"),
        _ => fixture!("real"),
    };
    Answer::json(200, body).with("Request-Id", &format!("r-{}", script.counts().uploads))
}
