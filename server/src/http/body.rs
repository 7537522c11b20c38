//! Bodies of requests: read up to a limit, then taken apart into named fields, in whichever of three ways they are written.
//!
//! All of it is somebody else's text: nothing of it is in an error, a log or a `Debug`.

use std::borrow::Cow;

use axum::{
    body::Body,
    extract::{DefaultBodyLimit, FromRequest, Multipart, Request},
};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use http::{HeaderMap, header};
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use url::form_urlencoded;

use super::headers;

/// What a body may take besides its media: names, a reference, the heads of a form's parts. Ours.
const REST: u64 = 64 << 10;

/// A body without media, in bytes: credentials, the name of a transaction. Ours.
pub(super) const WORDS: u64 = REST;

/// A body with one picture, in bytes: the largest picture that the engine takes by default (10 MiB), as base64. Deepvue documents no
/// limit.
pub(super) const PICTURE: u64 = in_base64(10 << 20) + REST;

/// A body with a picture or a video, in bytes: the largest video that the engine takes by default (32 MiB), as base64. FACIA documents
/// no limit.
pub(super) const MEDIA: u64 = in_base64(32 << 20) + REST;

const fn in_base64(bytes: u64) -> u64 {
    bytes.div_ceil(3) * 4
}

/// Most fields of a body. Ours: the vendors' pages know six.
const MAX_FIELDS: usize = 64;

/// Why a body was not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    /// It is longer than is taken.
    #[error("The request body is larger than the limit of {limit} bytes.")]
    TooLarge {
        /// Bytes.
        limit: u64,
    },
    /// The connection broke, or the body's own framing did.
    #[error("The request body ends before its time.")]
    Broken,
    /// It is none of what the endpoint takes.
    #[error("The content type is not one that this endpoint takes.")]
    ContentType,
    /// It is no JSON object.
    #[error("The request body is not a JSON object.")]
    Json,
    /// It is no multipart form.
    #[error("The request body is not a multipart form.")]
    Form,
    /// More fields than anybody needs.
    #[error("The request body has more than {MAX_FIELDS} fields.")]
    TooManyFields,
    /// Programs differ in which of two they believe.
    #[error("A field is in the request body twice.")]
    Repeated,
    /// A bug.
    #[error("Internal error.")]
    Internal,
}

/// A field that is something else than it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WrongType;

/// What a field holds.
pub(super) enum Field<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A file of a form. What the form calls it is looked at by nobody.
    File(Bytes),
    /// `true` or `false` of JSON.
    Flag(bool),
    /// A whole number of JSON.
    Number(u64),
    /// `null` of JSON.
    Null,
    /// Anything else of JSON.
    Other,
}

/// The fields of a body, each of another name.
pub(super) struct Fields<'a>(Vec<(String, Field<'a>)>);

impl<'a> Fields<'a> {
    /// The field of this name; JSON's `null` is none.
    pub(super) fn get(&self, name: &str) -> Option<&Field<'a>> {
        let found = self.0.iter().find(|(given, _)| given == name).map(|(_, field)| field);
        found.filter(|field| !matches!(field, Field::Null))
    }

    /// The text of this name.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, WrongType> {
        match self.get(name) {
            None => Ok(None),
            Some(Field::Text(text)) => Ok(Some(text)),
            Some(Field::File(_) | Field::Flag(_) | Field::Number(_) | Field::Null | Field::Other) => Err(WrongType),
        }
    }

    /// A yes or no: `true` or 1, `false` or 0, in a form as text.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, WrongType> {
        match self.get(name) {
            None => Ok(None),
            Some(Field::Flag(flag)) => Ok(Some(*flag)),
            Some(Field::Number(1)) => Ok(Some(true)),
            Some(Field::Number(0)) => Ok(Some(false)),
            Some(Field::Text(text)) => match text.as_ref() {
                "1" | "true" => Ok(Some(true)),
                "0" | "false" => Ok(Some(false)),
                _ => Err(WrongType),
            },
            Some(Field::File(_) | Field::Number(_) | Field::Null | Field::Other) => Err(WrongType),
        }
    }

    fn put(&mut self, name: String, field: Field<'a>) -> Result<(), BodyError> {
        if self.0.len() == MAX_FIELDS {
            return Err(BodyError::TooManyFields);
        }
        if self.0.iter().any(|(given, _)| *given == name) {
            return Err(BodyError::Repeated);
        }
        self.0.push((name, field));
        Ok(())
    }
}

/// A way in which fields are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// application/json
    Json,
    /// application/x-www-form-urlencoded
    Urlencoded,
    /// multipart/form-data
    Multipart,
}

impl Form {
    fn of(headers: &HeaderMap) -> Result<Self, BodyError> {
        let value = headers::one(headers, header::CONTENT_TYPE).map_err(|headers::Malformed| BodyError::ContentType)?;
        let essence = value.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let forms = [
            ("application/json", Form::Json),
            ("application/x-www-form-urlencoded", Form::Urlencoded),
            ("multipart/form-data", Form::Multipart),
        ];
        let found = forms.into_iter().find(|(name, _)| essence.eq_ignore_ascii_case(name));
        found.map(|(_, form)| form).ok_or(BodyError::ContentType)
    }
}

/// Reads a body of at most `limit` bytes and makes something of its fields, on a thread where that may take its time: a video as base64
/// is tens of megabytes.
pub(super) async fn read<T: Send + 'static>(
    head: &HeaderMap,
    body: Body,
    limit: u64,
    takes: &[Form],
    make: impl FnOnce(Fields<'_>) -> T + Send + 'static,
) -> Result<T, BodyError> {
    let form = Form::of(head)?;
    if !takes.contains(&form) {
        return Err(BodyError::ContentType);
    }
    let whole = collect(head, body, limit).await?;
    match form {
        Form::Json => apart(move || json(&whole).map(make)).await,
        Form::Urlencoded => apart(move || urlencoded(&whole).map(make)).await,
        Form::Multipart => multipart(head, whole).await.map(make),
    }
}

async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BodyError> + Send + 'static,
) -> Result<T, BodyError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(BodyError::Internal))
}

/// The whole body. What claims to be too long is not begun with; what turns out to be is given up.
async fn collect(head: &HeaderMap, body: Body, limit: u64) -> Result<Bytes, BodyError> {
    let too_large = |length: u64| if length > limit { Err(BodyError::TooLarge { limit }) } else { Ok(()) };
    let claimed = head.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    too_large(claimed.unwrap_or_default())?;
    let mut stream = body.into_data_stream();
    let mut whole = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| BodyError::Broken)?;
        too_large(whole.len() as u64 + chunk.len() as u64)?;
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

fn json(whole: &[u8]) -> Result<Fields<'_>, BodyError> {
    serde_json::from_slice::<Object<'_>>(whole).map_err(|_| BodyError::Json)?.0
}

fn urlencoded(whole: &[u8]) -> Result<Fields<'_>, BodyError> {
    let mut fields = Fields(Vec::new());
    for (name, value) in form_urlencoded::parse(whole) {
        fields.put(name.into_owned(), Field::Text(value))?;
    }
    Ok(fields)
}

/// A form with files (RFC 7578). The whole of it is here, and with it the limit on all of its parts.
async fn multipart(head: &HeaderMap, whole: Bytes) -> Result<Fields<'static>, BodyError> {
    let mut request = Request::new(Body::from(whole));
    if let Some(kind) = head.get(header::CONTENT_TYPE) {
        request.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    }
    DefaultBodyLimit::disable().apply(&mut request);
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| BodyError::Form)?;
    let mut fields = Fields(Vec::new());
    while let Some(part) = form.next_field().await.map_err(|_| BodyError::Form)? {
        let name = part.name().ok_or(BodyError::Form)?.to_owned();
        let is_file = part.file_name().is_some();
        let data = part.bytes().await.map_err(|_| BodyError::Form)?;
        let field = if is_file {
            Field::File(data)
        } else {
            Field::Text(String::from_utf8(data.into()).map_err(|_| BodyError::Form)?.into())
        };
        fields.put(name, field)?;
    }
    Ok(fields)
}

/// A JSON object; what is wrong with its fields beside the fields.
struct Object<'a>(Result<Fields<'a>, BodyError>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut fields = Ok(Fields(Vec::new()));
        while let Some(name) = map.next_key::<String>()? {
            let field = map.next_value()?;
            fields = fields.and_then(|mut fields: Fields<'de>| fields.put(name, field).map(|()| fields));
            if fields.is_err() {
                // The rest is read over, so that what is no JSON is called so.
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                break;
            }
        }
        Ok(Object(fields))
    }
}

impl<'de> Deserialize<'de> for Field<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Field<'de>, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Field<'de>, E> {
        Ok(Field::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field<'de>, E> {
        Ok(Field::Number(number))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Field<'de>, E> {
        Ok(Field::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Field<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}

#[cfg(test)]
mod tests;
