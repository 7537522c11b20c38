//! The encoded formats that are understood, by name and by their first bytes.

use super::error::FrameError;

/// Encoded formats that are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// image/jpeg
    Jpeg,
    /// image/png
    Png,
    /// image/webp
    Webp,
}

impl MediaType {
    /// All of them.
    pub const ALL: [MediaType; 3] = [MediaType::Jpeg, MediaType::Png, MediaType::Webp];

    /// The IANA name.
    pub const fn name(self) -> &'static str {
        match self {
            MediaType::Jpeg => "image/jpeg",
            MediaType::Png => "image/png",
            MediaType::Webp => "image/webp",
        }
    }

    /// Reads an IANA name in any case; parameters after `;` are ignored. `image/jpg`, which is no registered name but
    /// is what many clients send, is taken as JPEG.
    ///
    /// # Errors
    /// [`FrameError::UnsupportedMediaType`].
    pub fn parse(name: &str) -> Result<Self, FrameError> {
        let essence = name.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("image/jpg") {
            return Ok(MediaType::Jpeg);
        }
        Self::ALL
            .into_iter()
            .find(|kind| essence.eq_ignore_ascii_case(kind.name()))
            .ok_or(FrameError::UnsupportedMediaType)
    }

    /// Tells a format by its signature; `None` where the bytes begin like none of them.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
            Some(MediaType::Jpeg)
        } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(MediaType::Png)
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Some(MediaType::Webp)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_and_without_parameters() {
        for (name, expected) in [
            ("image/jpeg", Some(MediaType::Jpeg)),
            ("IMAGE/JPEG", Some(MediaType::Jpeg)),
            ("image/jpg", Some(MediaType::Jpeg)),
            (" image/png ; q=1", Some(MediaType::Png)),
            ("Image/WebP", Some(MediaType::Webp)),
            ("image/gif", None),
            ("video/mp4", None),
            ("jpeg", None),
            ("", None),
            (";", None),
        ] {
            assert_eq!(MediaType::parse(name).ok(), expected, "{name:?}");
        }
        for kind in MediaType::ALL {
            assert_eq!(MediaType::parse(kind.name()), Ok(kind));
        }
    }

    #[test]
    fn signatures_need_all_their_bytes() {
        assert_eq!(MediaType::sniff(&[0xFF, 0xD8]), None);
        assert_eq!(MediaType::sniff(&[0xFF, 0xD8, 0xFF]), Some(MediaType::Jpeg));
        assert_eq!(MediaType::sniff(b"\x89PNG\r\n\x1a"), None);
        assert_eq!(MediaType::sniff(b"\x89PNG\r\n\x1a\n"), Some(MediaType::Png));
        assert_eq!(MediaType::sniff(b"RIFF\0\0\0\0WEB"), None);
        assert_eq!(MediaType::sniff(b"RIFF\0\0\0\0WAVE"), None);
        assert_eq!(MediaType::sniff(b"RIFF\0\0\0\0WEBP"), Some(MediaType::Webp));
        assert_eq!(MediaType::sniff(b""), None);
    }
}
