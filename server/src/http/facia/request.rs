//! What FACIA's pages have a caller send.

use http::{HeaderMap, HeaderName};
use lifesign_core::{frame::MediaType, video::Container};
use lifesign_proto::v1::check_media_request::Media;

use super::{
    super::{
        body::{Field, Fields, WrongType},
        headers::{self, Malformed},
        picture::{self, Kind},
    },
    reply::Complaint,
};

/// Length of a `client_reference` in characters. Documented.
const REFERENCE: std::ops::RangeInclusive<usize> = 5..=255;

/// Length of a `reference_id`, which is upper-case letters and digits; seen in the page's samples.
const NAME: usize = 15;

/// How a request says who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Key<'a> {
    /// An access token.
    Token(&'a str),
    /// The client's secret alone, in the header `client-secret`.
    Secret(&'a str),
    /// Nothing that could be either.
    None,
}

/// The credentials in a request's head. A token goes before a secret; one that is there in an odd form is none, whatever stands beside it.
pub(super) fn key(head: &HeaderMap) -> Key<'_> {
    let token = headers::bearer(head);
    let secret = headers::secret(head, HeaderName::from_static("client-secret"));
    match (token, secret) {
        (Ok(Some(token)), Ok(_)) => Key::Token(token),
        (Ok(None), Ok(Some(secret))) => Key::Secret(secret),
        (Ok(None), Ok(None)) | (Err(Malformed), _) | (_, Err(Malformed)) => Key::None,
    }
}

/// Who asks for a token: a client's id and secret, or an account's e-mail address and password, which are the same two here.
pub(super) fn pair(fields: &Fields<'_>) -> Result<(String, String), Complaint> {
    // An older page spells them with a hyphen.
    let either = |one: &str, other: &str| match (text(fields, one)?, text(fields, other)?) {
        (Some(_), Some(_)) => {
            Err(Complaint::bad(format!("{one} and {other} are the same parameter. Send one of them.")))
        }
        (Some(text), None) | (None, Some(text)) => Ok(Some(text)),
        (None, None) => Ok(None),
    };
    let client = (either("client_id", "client-id")?, either("client_secret", "client-secret")?);
    let account = (text(fields, "email")?, text(fields, "password")?);
    match (client, account) {
        ((Some(id), Some(secret)), _) | (_, (Some(id), Some(secret))) => Ok((id.to_owned(), secret.to_owned())),
        ((Some(_), None), _) => Err(Complaint::missing("client_secret")),
        (_, (Some(_), None)) => Err(Complaint::missing("password")),
        ((None, _), (None, _)) => Err(Complaint::missing("client_id")),
    }
}

/// What `/liveness` is asked.
pub(super) struct Upload {
    /// The picture or the video.
    pub(super) media: Media,
    /// Empty where there is none.
    pub(super) client_reference: String,
}

/// Reads an upload. `offsite_liveness` and `detect_deepfake` must both be true: there is nothing else that it could be.
pub(super) fn upload(fields: &Fields<'_>) -> Result<Upload, Complaint> {
    match text(fields, "type")? {
        None => return Err(Complaint::missing("type")),
        Some("liveness") => {}
        Some(_) => return Err(Complaint::bad("The type must be liveness.")),
    }
    for name in ["offsite_liveness", "detect_deepfake"] {
        match fields.flag(name) {
            Ok(Some(true)) => {}
            Ok(None) => return Err(Complaint::missing(name)),
            Ok(Some(false)) | Err(WrongType) => return Err(Complaint::bad(format!("The {name} must be true or 1."))),
        }
    }
    let client_reference = text(fields, "client_reference")?.unwrap_or_default();
    if !client_reference.is_empty() && !REFERENCE.contains(&client_reference.chars().count()) {
        return Err(Complaint::bad("The client_reference must have 5 to 255 characters."));
    }
    if client_reference.chars().any(char::is_control) {
        return Err(Complaint::bad("The client_reference must not hold control characters."));
    }
    let data = match fields.get("file") {
        None => return Err(Complaint::missing("file")),
        // In JSON it is base64, plain or with a data URL's head: the page says "base64" in one place and "base64:path" in another.
        Some(Field::Text(text)) if text.is_empty() => return Err(Complaint::missing("file")),
        Some(Field::Text(text)) => picture::decode(text).ok_or_else(|| Complaint::bad("The file is not base64."))?,
        Some(Field::File(data)) => data.clone(),
        Some(Field::Flag(_) | Field::Number(_) | Field::Null | Field::Other) => return Err(wrong_type("file")),
    };
    let file_type = text(fields, "file_type")?;
    let media = match Kind::of(&data) {
        // Optional for pictures, whatever it says: the page's own sample sends a picture as a video.
        Some(Kind::Image(kind @ (MediaType::Jpeg | MediaType::Png))) => picture::image(data, kind),
        Some(Kind::Video(container @ Container::Mp4)) => match file_type {
            Some("video") => picture::video(data, container),
            None => return Err(Complaint::missing("file_type")),
            Some(_) => return Err(Complaint::bad("The file_type of an mp4 must be video.")),
        },
        Some(Kind::Image(MediaType::Webp))
        | Some(Kind::Video(Container::QuickTime | Container::Matroska | Container::WebM))
        | None => return Err(Complaint::bad("The file must be of type jpeg, jpg, png or mp4.")),
    };
    Ok(Upload { media, client_reference: client_reference.to_owned() })
}

/// The transaction that `/result` is asked for. What could be no transaction's name is one that does not exist.
pub(super) fn question(fields: &Fields<'_>) -> Result<String, Complaint> {
    let name = text(fields, "reference_id")?.ok_or_else(|| Complaint::missing("reference_id"))?;
    let could_be = name.len() == NAME && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if could_be { Ok(name.to_owned()) } else { Err(Complaint::unknown()) }
}

/// A text that is not empty.
fn text<'a>(fields: &'a Fields<'_>, name: &str) -> Result<Option<&'a str>, Complaint> {
    let text = fields.text(name).map_err(|WrongType| wrong_type(name))?;
    Ok(text.filter(|text| !text.is_empty()))
}

fn wrong_type(name: &str) -> Complaint {
    Complaint::bad(format!("The {name} is of the wrong type."))
}
