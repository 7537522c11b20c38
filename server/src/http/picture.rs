//! Media as texts and files hold them: base64 with or without a data URL's head, and what the bytes are by their signature.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use lifesign_core::{frame::MediaType, video::Container};
use lifesign_proto::v1;

/// Base64 of RFC 4648, section 4; some programs leave the padding out, or some of it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a file is, by its first bytes. Whether it can be decoded is for the engine to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A picture.
    Image(MediaType),
    /// A video.
    Video(Container),
}

impl Kind {
    /// `None` where the bytes begin like nothing that the engine reads.
    pub(super) fn of(data: &[u8]) -> Option<Self> {
        MediaType::sniff(data).map(Kind::Image).or_else(|| Container::sniff(data).map(Kind::Video))
    }
}

/// The bytes that a text holds: base64, plain or as a data URL (RFC 2397). Line breaks are read over, since many encoders make them
/// (RFC 2045, section 6.8). `None` for anything else, and where there is nothing in it.
pub(super) fn decode(text: &str) -> Option<Bytes> {
    let plain = match data_url(text) {
        Some((head, plain)) => is_base64(head).then_some(plain)?,
        None => text,
    };
    let decoded = if plain.contains(['\r', '\n']) {
        BASE64.decode(plain.replace(['\r', '\n'], ""))
    } else {
        BASE64.decode(plain)
    };
    decoded.ok().filter(|bytes| !bytes.is_empty()).map(Bytes::from)
}

/// Whether a text is a data URL, whatever it holds.
pub(super) fn is_data_url(text: &str) -> bool {
    data_url(text).is_some()
}

fn data_url(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_at_checked(5)?;
    scheme.eq_ignore_ascii_case("data:").then(|| rest.split_once(',').unwrap_or((rest, "")))
}

fn is_base64(head: &str) -> bool {
    head.rsplit(';').next().is_some_and(|last| last.eq_ignore_ascii_case("base64")) && head.contains(';')
}

/// A picture as the engine takes it.
pub(super) fn image(data: Bytes, kind: MediaType) -> v1::check_media_request::Media {
    let media_type = kind.name().to_owned();
    v1::check_media_request::Media::Image(v1::Image { data, media_type, ..v1::Image::default() })
}

/// A video as the engine takes it.
pub(super) fn video(data: Bytes, container: Container) -> v1::check_media_request::Media {
    v1::check_media_request::Media::Video(v1::Video { data, media_type: container.name().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_in_the_ways_in_which_it_is_written() {
        for text in [
            "/9j/AA==",
            "/9j/AA=",
            "/9j/AA",
            "/9j\r\n/AA\n==",
            "data:image/jpeg;base64,/9j/AA==",
            "DATA:;Base64,/9j/AA",
        ] {
            assert_eq!(decode(text).as_deref(), Some(&[0xFF, 0xD8, 0xFF, 0][..]), "{text}");
        }
    }

    #[test]
    fn what_is_no_base64_holds_nothing() {
        for text in [
            "",
            "=",
            "====",
            "a",
            "example_string",
            "file.jpg",
            "/9j/AB==",
            "_9j_AA==",
            "/9j/ AA==",
            "/9j/\tAA==",
            "/9j/AA==\0",
            "data:",
            "data:,",
            "data:image/jpeg;base64",
            "data:image/jpeg;base64,",
            "data:image/jpeg,/9j/AA==",
            "data:base64,/9j/AA==",
            "data:image/jpeg;base64;x,/9j/AA==",
            "daté:;base64,/9j/AA==",
            "https://a.test/b",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn a_file_is_what_its_first_bytes_say() {
        assert_eq!(Kind::of(&[0xFF, 0xD8, 0xFF, 0]), Some(Kind::Image(MediaType::Jpeg)));
        assert_eq!(Kind::of(b"\0\0\0\x18ftypisom"), Some(Kind::Video(Container::Mp4)));
        for bytes in [&b""[..], b"GIF89a", b"<html>", b"%PDF-1.7", b"\0\0\0\0\0\0\0\0"] {
            assert_eq!(Kind::of(bytes), None);
        }
    }
}
