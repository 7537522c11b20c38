//! The codecs that are understood, and which of their samples are pictures.

/// How a track's frames are compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Codec {
    /// ITU-T H.264, AVC.
    H264,
    /// ITU-T H.265, HEVC.
    Hevc,
    /// RFC 6386.
    Vp8,
    /// VP9.
    Vp9,
    /// AV1.
    Av1,
    /// None that is decoded: the container's own name for it.
    Other(String),
}

impl Codec {
    /// By the four letters of an ISO sample entry.
    pub(super) fn from_fourcc(fourcc: [u8; 4]) -> Self {
        match &fourcc {
            b"avc1" | b"avc3" => Codec::H264,
            b"hvc1" | b"hev1" => Codec::Hevc,
            b"vp08" => Codec::Vp8,
            b"vp09" => Codec::Vp9,
            b"av01" => Codec::Av1,
            _ => Codec::Other(fourcc.escape_ascii().to_string()),
        }
    }

    /// By Matroska's codec id.
    pub(super) fn from_matroska(id: &[u8]) -> Self {
        match id {
            b"V_MPEG4/ISO/AVC" => Codec::H264,
            b"V_MPEGH/ISO/HEVC" => Codec::Hevc,
            b"V_VP8" => Codec::Vp8,
            b"V_VP9" => Codec::Vp9,
            b"V_AV1" => Codec::Av1,
            // An id is a few letters; what is longer is cut, so that a file cannot write our messages.
            _ => Codec::Other(id.get(..32).unwrap_or(id).escape_ascii().to_string()),
        }
    }

    /// The name for people.
    pub fn name(&self) -> &str {
        match self {
            Codec::H264 => "H.264",
            Codec::Hevc => "HEVC",
            Codec::Vp8 => "VP8",
            Codec::Vp9 => "VP9",
            Codec::Av1 => "AV1",
            Codec::Other(name) => name,
        }
    }

    /// Whether a sample becomes a picture that is shown. VP8 and VP9 have frames that are only referred to; an H.264
    /// sample may hold parameter sets alone, which its own module tells. The other codecs' samples are one shown picture
    /// each.
    pub(super) fn shows(&self, sample: &[u8]) -> bool {
        match self {
            // RFC 6386, section 9.1: bit 4 of the frame tag.
            Codec::Vp8 => sample.first().is_some_and(|tag| tag & 0x10 != 0),
            Codec::Vp9 => vp9_shows(sample),
            _ => !sample.is_empty(),
        }
    }
}

/// VP9 bitstream specification 0.6, section 6.2 and annex B: a superframe's last byte is 110xxxxx, and its last frame is
/// shown; a lone frame's header says whether it is.
fn vp9_shows(sample: &[u8]) -> bool {
    let (Some(&first), Some(&last)) = (sample.first(), sample.last()) else { return false };
    if last & 0xE0 == 0xC0 {
        return true;
    }
    // frame_marker (2 bits), profile (low, high), a reserved bit in profile 3, show_existing_frame, frame_type, show_frame.
    let skipped = if first & 0x30 == 0x30 { 5 } else { 4 };
    let bit = |at: u32| first.checked_shr(7 - at).is_some_and(|bits| bits & 1 == 1);
    bit(skipped) || bit(skipped + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_containers_are_known() {
        assert_eq!(Codec::from_fourcc(*b"avc1"), Codec::H264);
        assert_eq!(Codec::from_matroska(b"V_VP9"), Codec::Vp9);
        assert_eq!(Codec::from_fourcc(*b"mp4v").name(), "mp4v");
        assert_eq!(Codec::from_fourcc([0, 255, b'a', b'\n']).name(), r"\x00\xffa\n");
        assert_eq!(Codec::from_matroska(&[b'x'; 500]).name().len(), 32);
    }

    #[test]
    fn frames_that_are_only_referred_to_are_not_shown() {
        assert!(Codec::Vp8.shows(&[0x10]));
        assert!(!Codec::Vp8.shows(&[0x00]));
        assert!(!Codec::Vp8.shows(&[]));
        // Marker 10, profile 0, no existing frame, key frame, shown or not.
        assert!(Codec::Vp9.shows(&[0b1000_0010, 0]));
        assert!(!Codec::Vp9.shows(&[0b1000_0000, 0]));
        // An existing frame shown.
        assert!(Codec::Vp9.shows(&[0b1000_1000, 0]));
        // Profile 3 has one bit more.
        assert!(Codec::Vp9.shows(&[0b1011_0001, 0]));
        assert!(!Codec::Vp9.shows(&[0b1011_0010, 0]));
        // A superframe.
        assert!(Codec::Vp9.shows(&[0b1000_0000, 0xC0]));
        assert!(Codec::Hevc.shows(&[0]) && !Codec::Hevc.shows(&[]));
    }
}
