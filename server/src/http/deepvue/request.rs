//! What Deepvue's pages have a caller send.

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use lifesign_proto::v1::check_media_request::Media;

use super::{
    super::{
        body::{Fields, WrongType},
        headers::{self, Malformed},
        picture::{self, Kind},
    },
    reply::Complaint,
};

/// How a request says who asks: both, of the same client.
pub(super) struct Keys<'a> {
    /// The access token.
    pub(super) token: &'a str,
    /// The client's secret, in the header `x-api-key`.
    pub(super) secret: &'a str,
}

/// The credentials in a request's head.
pub(super) fn keys(head: &HeaderMap) -> Result<Keys<'_>, Complaint> {
    // A token in a form that no token has is a bad one; none at all is another complaint on the page.
    let token = headers::bearer(head).map_err(|Malformed| Complaint::bad_token())?;
    let secret =
        headers::secret(head, HeaderName::from_static("x-api-key")).map_err(|Malformed| Complaint::inactive())?;
    match (token, secret) {
        (Some(token), Some(secret)) => Ok(Keys { token, secret }),
        (None, _) | (_, None) => Err(Complaint::not_authenticated()),
    }
}

/// Who asks for a token.
pub(super) fn pair(fields: &Fields<'_>) -> Result<(String, String), Complaint> {
    Ok((required(fields, "client_id")?.to_owned(), required(fields, "client_secret")?.to_owned()))
}

/// The picture of a check.
pub(super) enum Picture {
    /// It came with the request.
    Here(Media),
    /// It is behind this address, which nobody has looked at yet but to see that it begins like one.
    There(String),
}

/// Reads the question of a check.
pub(super) fn check(fields: &Fields<'_>) -> Result<Picture, Complaint> {
    let image = required(fields, "image")?;
    if is_web_address(image) {
        return Ok(Picture::There(image.to_owned()));
    }
    // Base64 has none of these, so that a text with one was meant as an address, and is none that anybody fetches.
    let meant_as_address = image.contains(':') || image.starts_with("//") || image.starts_with("www.");
    if meant_as_address && !picture::is_data_url(image) {
        return Err(Complaint::invalid_url());
    }
    picture::decode(image).and_then(media).map(Picture::Here).ok_or_else(Complaint::invalid_base64)
}

/// The bytes as a picture of a kind that the engine reads; which kinds Deepvue takes is documented nowhere. A video is none.
pub(super) fn media(data: Bytes) -> Option<Media> {
    match Kind::of(&data) {
        Some(Kind::Image(kind)) => Some(picture::image(data, kind)),
        Some(Kind::Video(_)) | None => None,
    }
}

fn is_web_address(text: &str) -> bool {
    let begins = |scheme: &str| text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
    begins("http://") || begins("https://")
}

fn required<'a>(fields: &'a Fields<'_>, name: &'static str) -> Result<&'a str, Complaint> {
    match fields.text(name) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(Complaint::missing(name)),
        Err(WrongType) => Err(Complaint::no_text(name)),
    }
}
