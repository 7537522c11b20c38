//! The containers that are understood, by name and by their first bytes.

use super::error::VideoError;

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    /// video/mp4
    Mp4,
    /// video/quicktime
    QuickTime,
    /// video/x-matroska
    Matroska,
    /// video/webm
    WebM,
}

impl Container {
    /// All of them.
    pub const ALL: [Container; 4] = [Container::Mp4, Container::QuickTime, Container::Matroska, Container::WebM];

    /// The media type's name: IANA's, and for Matroska the one that every program uses.
    pub const fn name(self) -> &'static str {
        match self {
            Container::Mp4 => "video/mp4",
            Container::QuickTime => "video/quicktime",
            Container::Matroska => "video/x-matroska",
            Container::WebM => "video/webm",
        }
    }

    /// Reads a media type's name in any case; parameters after `;` are ignored. `video/matroska`, which IANA registered
    /// later, is taken too.
    ///
    /// # Errors
    /// [`VideoError::UnsupportedMediaType`].
    pub fn parse(name: &str) -> Result<Self, VideoError> {
        let essence = name.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("video/matroska") {
            return Ok(Container::Matroska);
        }
        Self::ALL
            .into_iter()
            .find(|kind| essence.eq_ignore_ascii_case(kind.name()))
            .ok_or(VideoError::UnsupportedMediaType)
    }

    /// Tells a container by its first bytes; `None` where they begin like none of them.
    ///
    /// An ISO file begins with a box: `ftyp` tells the brand (ISO/IEC 14496-12, section 4.3); old QuickTime files have none
    /// and begin with `moov`, `mdat`, `wide`, `free` or `skip`. Matroska begins with an EBML header (RFC 8794, section 11.2),
    /// whose document type lies within its first bytes.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(&[0x1A, 0x45, 0xDF, 0xA3]) {
            let head = bytes.get(..64).unwrap_or(bytes);
            let webm = head.windows(7).any(|window| matches!(window, [0x42, 0x82, 0x84, b'w', b'e', b'b', b'm']));
            return Some(if webm { Container::WebM } else { Container::Matroska });
        }
        match bytes.get(4..8)? {
            b"ftyp" if bytes.get(8..12)? == b"qt  " => Some(Container::QuickTime),
            b"ftyp" => Some(Container::Mp4),
            b"moov" | b"mdat" | b"wide" | b"free" | b"skip" => Some(Container::QuickTime),
            _ => None,
        }
    }

    /// Checks what a client declared against what came. MP4 and QuickTime are one format for this purpose, as are
    /// Matroska and WebM: recorders name them freely.
    ///
    /// # Errors
    /// [`VideoError::MediaTypeMismatch`].
    pub fn check_declared(self, declared: Self) -> Result<(), VideoError> {
        if self.is_iso() == declared.is_iso() {
            Ok(())
        } else {
            Err(VideoError::MediaTypeMismatch { declared: declared.name(), actual: self.name() })
        }
    }

    /// Made of ISO boxes.
    pub(super) fn is_iso(self) -> bool {
        matches!(self, Container::Mp4 | Container::QuickTime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_and_without_parameters() {
        for kind in Container::ALL {
            assert_eq!(Container::parse(kind.name()), Ok(kind));
        }
        assert_eq!(Container::parse(" Video/WebM; codecs=vp9 "), Ok(Container::WebM));
        assert_eq!(Container::parse("video/matroska"), Ok(Container::Matroska));
        for wrong in ["image/png", "video/avi", "mp4", ""] {
            assert_eq!(Container::parse(wrong), Err(VideoError::UnsupportedMediaType), "{wrong:?}");
        }
    }

    #[test]
    fn signatures_need_all_their_bytes() {
        assert_eq!(Container::sniff(b"\0\0\0\x20ftypisom"), Some(Container::Mp4));
        assert_eq!(Container::sniff(b"\0\0\0\x14ftypqt  "), Some(Container::QuickTime));
        assert_eq!(Container::sniff(b"\0\0\0\x08wide"), Some(Container::QuickTime));
        assert_eq!(Container::sniff(b"\0\0\0\x20ftypis"), None);
        assert_eq!(Container::sniff(b"\0\0\0\x20fty"), None);
        assert_eq!(Container::sniff(b"RIFF\0\0\0\0AVI "), None);
        assert_eq!(Container::sniff(b"\x1A\x45\xDF\xA3\x84\x42\x82\x84webm"), Some(Container::WebM));
        assert_eq!(Container::sniff(b"\x1A\x45\xDF\xA3\x8B\x42\x82\x88matroska"), Some(Container::Matroska));
        assert_eq!(Container::sniff(b"\x1A\x45\xDF"), None);
        assert_eq!(Container::sniff(b""), None);
    }

    #[test]
    fn a_declared_type_must_be_of_the_same_family() {
        assert_eq!(Container::Mp4.check_declared(Container::QuickTime), Ok(()));
        assert_eq!(
            Container::WebM.check_declared(Container::Mp4),
            Err(VideoError::MediaTypeMismatch { declared: "video/mp4", actual: "video/webm" })
        );
    }
}
