//! What a request may say, checked field by field before anything is done.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lifesign_core::{
    frame::{FrameError, FrameLimits, MediaType},
    policy::Policy,
    video::Container,
};
use lifesign_proto::v1;
use tonic::metadata::MetadataMap;
use uuid::Uuid;

use crate::{convert, engine::Media, engine::MediaForm, setup::Policies, status::Fault};

/// Length of a `client_reference` in characters, as FACIA's `client_reference` has it.
const REFERENCE_CHARS: std::ops::RangeInclusive<usize> = 5..=255;

/// Longest policy name that is looked up, in bytes. Longer ones are not echoed.
const MAX_POLICY_BYTES: usize = 64;

/// The answer leaves this much before the transport's own timer cuts the call off without details.
const DEADLINE_MARGIN: Duration = Duration::from_millis(5);

/// The policy of this name, or the default one.
pub(super) fn policy(policies: &Policies, name: &str) -> Result<Arc<Policy>, Fault> {
    if name.len() > MAX_POLICY_BYTES {
        let what = format!("the name has {} bytes; the limit is {MAX_POLICY_BYTES}", name.len());
        return Err(Fault::field("policy", "POLICY_UNKNOWN", what));
    }
    Ok(Arc::clone(policies.get(name)?))
}

/// A `client_reference`, or none.
pub(super) fn client_reference(text: &str) -> Result<(), Fault> {
    if text.chars().any(char::is_control) {
        let what = "it has a control character";
        return Err(Fault::field("client_reference", "CLIENT_REFERENCE_CONTROL", what));
    }
    let chars = text.chars().count();
    if text.is_empty() || REFERENCE_CHARS.contains(&chars) {
        return Ok(());
    }
    let (least, most) = REFERENCE_CHARS.into_inner();
    let what = format!("it has {chars} characters; {least} to {most} are allowed");
    Err(Fault::field("client_reference", "CLIENT_REFERENCE_LENGTH", what))
}

/// A `request_id`: a UUID, or none.
pub(super) fn request_id(text: &str) -> Result<Option<Uuid>, Fault> {
    if text.is_empty() {
        return Ok(None);
    }
    let invalid = || Fault::field("request_id", "REQUEST_ID_INVALID", "it is not a UUID");
    match Uuid::try_parse(text) {
        Ok(id) if !id.is_nil() => Ok(Some(id)),
        Ok(_) | Err(_) => Err(invalid()),
    }
}

/// A `session_id`. What is not a UUID names no session.
pub(super) fn session_id(text: &str) -> Result<Uuid, Fault> {
    if text.is_empty() {
        return Err(Fault::field("session_id", "SESSION_ID_MISSING", "it must be set"));
    }
    Uuid::try_parse(text).map_err(|_| Fault::SessionUnknown)
}

/// A picture, from an `Image` or from the head of a frame's chunks. `path` is the message's path in the request.
pub(super) fn media(
    path: &str,
    data: bytes::Bytes,
    media_type: &str,
    raw: Option<&v1::RawPixels>,
    limits: &FrameLimits,
) -> Result<Media, Fault> {
    let refuse = |error| Err(Fault::Media { field: format!("{path}.data"), error });
    let bytes = data.len() as u64;
    if data.is_empty() {
        return refuse(FrameError::Empty);
    }
    if bytes > limits.max_bytes {
        return refuse(FrameError::TooManyBytes { limit: limits.max_bytes, actual: bytes });
    }
    let form = match (raw, media_type) {
        (None, "") => MediaForm::Encoded(None),
        (None, name) => {
            let declared =
                MediaType::parse(name).map_err(|error| Fault::Media { field: format!("{path}.media_type"), error })?;
            MediaForm::Encoded(Some(declared))
        }
        (Some(raw), "") => {
            let layout = convert::raw_layout(raw).map_err(|error| {
                Fault::field(format!("{path}.raw.{}", error.field()), "RAW_PIXELS_UNKNOWN", error.to_string())
            })?;
            MediaForm::Raw(layout)
        }
        (Some(_), _) => {
            let what = "it must be empty where `raw` is set";
            return Err(Fault::field(format!("{path}.media_type"), "MEDIA_TYPE_WITH_RAW", what));
        }
    };
    Ok(Media { data, form })
}

/// A video, from a `Video` or from the head of its chunks. `path` is the message's path in the request.
pub(super) fn video_type(path: &str, media_type: &str) -> Result<Option<Container>, Fault> {
    if media_type.is_empty() {
        return Ok(None);
    }
    let refuse = |error| Fault::Video { field: format!("{path}.media_type"), error };
    Container::parse(media_type).map(Some).map_err(refuse)
}

/// A `capture_time`: not negative, else it is of no use and taken as absent.
pub(super) fn capture_time(time: Option<&prost_types::Duration>) -> Option<Duration> {
    time.and_then(|time| Duration::try_from(*time).ok())
}

/// When nobody wants the answer of a unary call any more: at its own `grpc-timeout` or after the server's limit.
pub(super) fn deadline(metadata: &MetadataMap, now: Instant, limit: Duration) -> Instant {
    let limit = match grpc_timeout(metadata) {
        Some(timeout) => limit.min(timeout.saturating_sub(DEADLINE_MARGIN)),
        None => limit,
    };
    now + limit
}

/// The `grpc-timeout` header: up to eight digits and a unit. What is not of that form is as good as absent.
pub(super) fn grpc_timeout(metadata: &MetadataMap) -> Option<Duration> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use lifesign_core::frame::{PixelFormat, Rotation};

    use super::*;

    fn field(fault: Fault) -> String {
        use tonic_types::StatusExt;
        let details = fault.status().get_error_details();
        details.bad_request().unwrap().field_violations[0].field.clone()
    }

    #[test]
    fn references_have_5_to_255_characters() {
        client_reference("").unwrap();
        client_reference("12345").unwrap();
        client_reference(&"ü".repeat(255)).unwrap();
        assert_eq!(field(client_reference("1234").unwrap_err()), "client_reference");
        assert_eq!(field(client_reference("12345\0").unwrap_err()), "client_reference");
        let fault = client_reference(&"x".repeat(256)).unwrap_err();
        assert!(fault.to_string().contains("256") && !fault.to_string().contains("xxx"));
    }

    #[test]
    fn request_ids_are_uuids() {
        assert_eq!(request_id("").unwrap(), None);
        let id = Uuid::new_v4();
        assert_eq!(request_id(&id.to_string()).unwrap(), Some(id));
        for bad in ["1", "00000000-0000-0000-0000-000000000000", "not-a-uuid"] {
            assert_eq!(field(request_id(bad).unwrap_err()), "request_id");
        }
    }

    #[test]
    fn media_is_refused_by_field() {
        let limits = FrameLimits { max_bytes: 4, ..FrameLimits::default() };
        let data = Bytes::from_static;
        assert_eq!(field(media("image", data(b""), "", None, &limits).unwrap_err()), "image.data");
        assert_eq!(field(media("image", data(b"12345"), "", None, &limits).unwrap_err()), "image.data");
        assert_eq!(field(media("image", data(b"1"), "video/mp4", None, &limits).unwrap_err()), "image.media_type");
        let raw = v1::RawPixels { format: 99, ..Default::default() };
        assert_eq!(field(media("chunk", data(b"1"), "", Some(&raw), &limits).unwrap_err()), "chunk.raw.format");
        let raw = v1::RawPixels { format: 1, width: 1, height: 1, ..Default::default() };
        assert_eq!(field(media("a", data(b"1"), "image/png", Some(&raw), &limits).unwrap_err()), "a.media_type");
        let MediaForm::Raw(layout) = media("a", data(b"123"), "", Some(&raw), &limits).unwrap().form else {
            panic!("raw pixels were taken for a file")
        };
        assert_eq!((layout.format, layout.rotation), (PixelFormat::Rgb8, Rotation::Deg0));
    }

    #[test]
    fn timeouts_are_read_as_the_protocol_has_them() {
        let read = |text: &str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("grpc-timeout", text.parse().unwrap());
            grpc_timeout(&metadata)
        };
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        assert_eq!(read("2S"), Some(Duration::from_secs(2)));
        assert_eq!(read("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for bad in ["", "m", "12", "123456789m", "-1S", "1x"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
