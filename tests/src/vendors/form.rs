//! Request bodies as the vendors' pages have them: JSON, base64, and forms of both kinds.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use lifesign_core::testing::socket::Request;
use serde_json::Value;

/// A field of a form, or a file in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: String,
    /// The file's name, where it is a file.
    pub(super) file: Option<String>,
    pub(super) data: Vec<u8>,
}

/// What a file is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Jpeg,
    Png,
    Mp4,
}

pub(super) fn kind(data: &[u8]) -> Option<Kind> {
    if data.starts_with(&[0xFF, 0xD8, 0xFF]) {
        Some(Kind::Jpeg)
    } else if data.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(Kind::Png)
    } else if data.get(4..8) == Some(b"ftyp") {
        Some(Kind::Mp4)
    } else {
        None
    }
}

/// The bytes of base64 with its padding; `None` for anything else, the empty text included.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok().filter(|bytes| !bytes.is_empty())
}

pub(super) fn encode(text: &str) -> String {
    STANDARD.encode(text)
}

/// The content type without its parameters, in lower case.
pub(super) fn content_type(request: &Request) -> String {
    let value = request.header("content-type").unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A JSON object, whatever the request calls it.
pub(super) fn object(request: &Request) -> Option<Value> {
    serde_json::from_slice(&request.body).ok().filter(Value::is_object)
}

/// The pairs of a form, each in one of the two encodings; `None` where it is neither.
pub(super) fn form(request: &Request) -> Option<Vec<Field>> {
    match content_type(request).as_str() {
        "application/x-www-form-urlencoded" => Some(
            form_urlencoded::parse(&request.body)
                .map(|(name, value)| Field { name: name.into(), file: None, data: value.into_owned().into_bytes() })
                .collect(),
        ),
        "multipart/form-data" => multipart(request),
        _ => None,
    }
}

/// The field of this name.
pub(super) fn field<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields.iter().find(|field| field.name == name)
}

/// The text of a field that is no file.
pub(super) fn text<'a>(fields: &'a [Field], name: &str) -> Option<&'a str> {
    let field = field(fields, name).filter(|field| field.file.is_none())?;
    std::str::from_utf8(&field.data).ok()
}

/// The parts of a multipart form (RFC 7578); `None` where it breaks off or has no boundary.
fn multipart(request: &Request) -> Option<Vec<Field>> {
    let value = request.header("content-type")?;
    let boundary = value.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?.trim_matches('"');
    let mut rest = after(&request.body, format!("--{boundary}").as_bytes())?;
    let end = format!("\r\n--{boundary}");
    let mut fields = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(fields);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let body = after(rest, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&rest[..rest.len() - body.len() - 4]).ok()?;
        let next = after(body, end.as_bytes())?;
        let data = body[..body.len() - next.len() - end.len()].to_vec();
        let disposition = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
        let quoted = |key: &str| {
            let mut parts = disposition.split(';').map(str::trim);
            let value = parts.find_map(|part| part.strip_prefix(key)?.strip_prefix("=\""))?;
            Some(value.strip_suffix('"')?.to_owned())
        };
        fields.push(Field { name: quoted("name")?, file: quoted("filename"), data });
        rest = next;
    }
}

/// What follows the first place where `mark` stands.
fn after<'a>(text: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let start = text.windows(mark.len()).position(|window| window == mark)?;
    text.get(start + mark.len()..)
}
