//! A body that can be sent again: its parts are shared, not copied.

use bytes::Bytes;
use futures_util::{FutureExt, TryStreamExt};
use http::HeaderValue;
use reqwest::multipart;
use serde::Serialize;

/// A body and its content type. Cloning shares the bytes.
#[derive(Clone, Default)]
pub struct Payload {
    pub(super) content_type: Option<HeaderValue>,
    pub(super) chunks: Vec<Bytes>,
}

/// A field of a multipart body.
#[derive(Clone)]
pub enum Part {
    /// A value.
    Text {
        /// The field: letters, digits, `_`, `-`, `.`, `[` and `]`.
        name: &'static str,
        /// What it holds.
        value: String,
    },
    /// A file.
    File {
        /// The field, as above.
        name: &'static str,
        /// The name that the vendor gets to see; never one that a client chose.
        file_name: String,
        /// The media type.
        mime: &'static str,
        /// The bytes, which are shared and not copied.
        data: Bytes,
    },
}

/// A body that cannot be made. Says what is wrong with it and nothing of what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PayloadError(&'static str);

impl Part {
    /// A value.
    pub fn text(name: &'static str, value: impl Into<String>) -> Self {
        Part::Text { name, value: value.into() }
    }

    /// A file.
    pub fn file(name: &'static str, file_name: impl Into<String>, mime: &'static str, data: Bytes) -> Self {
        Part::File { name, file_name: file_name.into(), mime, data }
    }
}

impl std::fmt::Debug for Part {
    /// Never what it holds.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, bytes) = match self {
            Part::Text { name, value } => (name, value.len()),
            Part::File { name, data, .. } => (name, data.len()),
        };
        f.debug_struct("Part").field("name", name).field("bytes", &bytes).finish_non_exhaustive()
    }
}

impl Payload {
    /// No body.
    pub fn empty() -> Self {
        Self::default()
    }

    /// `application/json`.
    ///
    /// # Errors
    /// Where the value has no JSON form, as a map whose keys are no texts.
    pub fn json(value: &(impl Serialize + ?Sized)) -> Result<Self, PayloadError> {
        let bytes = serde_json::to_vec(value).map_err(|_| PayloadError("the value has no JSON form"))?;
        Ok(Self::one("application/json", bytes))
    }

    /// `application/x-www-form-urlencoded`, the fields in their order.
    pub fn form(fields: &[(&str, &str)]) -> Self {
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self::one("application/x-www-form-urlencoded", text)
    }

    /// `multipart/form-data`, the parts in their order. The boundary is drawn at random; sending the payload again sends the
    /// same bytes.
    ///
    /// # Errors
    /// Where a field's or a file's name holds what would have to be escaped, since vendors differ in how they read escapes, or
    /// a media type is none.
    pub fn multipart(parts: Vec<Part>) -> Result<Self, PayloadError> {
        let form = parts.into_iter().try_fold(multipart::Form::new(), add)?;
        let content_type = format!("multipart/form-data; boundary={}", form.boundary());
        let content_type =
            HeaderValue::try_from(content_type).map_err(|_| PayloadError("the boundary is no header"))?;
        // All parts are in memory, so the stream never waits, and it hands every part's bytes on as they are.
        let chunks = form.into_stream().try_collect().now_or_never();
        let chunks = chunks.and_then(Result::ok).ok_or(PayloadError("a part is not in memory"))?;
        Ok(Self { content_type: Some(content_type), chunks })
    }

    fn one(content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self { content_type: Some(HeaderValue::from_static(content_type)), chunks: vec![bytes.into()] }
    }

    /// Bytes of it.
    pub fn len(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.len() as u64).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn add(form: multipart::Form, part: Part) -> Result<multipart::Form, PayloadError> {
    let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte));
    let (name, part) = match part {
        Part::Text { name, value } => (name, multipart::Part::text(value)),
        Part::File { name, file_name, mime, data } => {
            if !plain(&file_name) {
                return Err(PayloadError("a file's name would have to be escaped"));
            }
            let part = multipart::Part::stream(data).file_name(file_name).mime_str(mime);
            (name, part.map_err(|_| PayloadError("a file's media type is none"))?)
        }
    };
    if plain(name) { Ok(form.part(name, part)) } else { Err(PayloadError("a field's name would have to be escaped")) }
}

impl std::fmt::Debug for Payload {
    /// Never the bytes: they show a person.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Payload").field("content_type", &self.content_type).field("bytes", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn text(payload: &Payload) -> String {
        String::from_utf8(payload.chunks.concat()).unwrap()
    }

    #[test]
    fn json_and_forms_have_their_content_type_and_length() {
        let payload = Payload::json(&serde_json::json!({"a": [1, "ü"]})).unwrap();
        assert_eq!(payload.content_type.as_ref().unwrap(), "application/json");
        assert_eq!(text(&payload), r#"{"a":[1,"ü"]}"#);
        assert_eq!(payload.len(), 14);
        let payload = Payload::form(&[("client_id", "a b"), ("client_secret", "x&y=z+ü")]);
        assert_eq!(payload.content_type.as_ref().unwrap(), "application/x-www-form-urlencoded");
        assert_eq!(text(&payload), "client_id=a+b&client_secret=x%26y%3Dz%2B%C3%BC");
        assert!(Payload::empty().is_empty() && Payload::empty().content_type.is_none());
        assert!(Payload::json(&BTreeMap::from([((1, 2), 3)])).is_err());
    }

    #[test]
    fn a_multipart_body_is_whole_and_shares_the_media() {
        let data = Bytes::from_static(b"\x00video\r\n--");
        let file = Part::file("video", "video.mp4", "video/mp4", data.clone());
        let payload = Payload::multipart(vec![Part::text("type", "face \"1\""), file]).unwrap();
        let content_type = payload.content_type.as_ref().unwrap().to_str().unwrap();
        let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
        assert_eq!(
            text(&payload),
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\nface \"1\"\r\n--{boundary}\r\n\
                 Content-Disposition: form-data; name=\"video\"; filename=\"video.mp4\"\r\nContent-Type: video/mp4\r\n\r\n\
                 \0video\r\n--\r\n--{boundary}--\r\n"
            )
        );
        assert!(payload.chunks.iter().any(|chunk| chunk.as_ptr() == data.as_ptr()), "the media was copied");
        let again = payload.clone();
        assert!(payload.chunks.iter().zip(&again.chunks).all(|(one, other)| one.as_ptr() == other.as_ptr()));
    }

    #[test]
    fn names_that_would_have_to_be_escaped_are_refused() {
        let data = Bytes::from_static(b"x");
        for name in ["a b", "a\"", "a\r\nX: y", "ü"] {
            assert!(Payload::multipart(vec![Part::text(name, "1")]).is_err(), "{name:?}");
            let file = Part::file("file", name, "image/jpeg", data.clone());
            assert!(Payload::multipart(vec![file]).is_err(), "{name:?}");
        }
        assert!(Payload::multipart(vec![Part::text("frames[0]", "1")]).is_ok());
        assert!(Payload::multipart(vec![Part::file("file", "a.jpg", "no type", data)]).is_err());
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let file = Part::file("video", "video.mp4", "video/mp4", Bytes::from_static(b"hunter2"));
        let parts = vec![Part::text("password", "hunter2"), file];
        assert!(!format!("{parts:?}").contains("hunter2"));
        let payload = Payload::multipart(parts).unwrap();
        assert!(!format!("{payload:?}").contains("hunter2"));
    }
}
