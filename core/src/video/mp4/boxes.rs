//! Walking the boxes of an ISO file (ISO/IEC 14496-12, section 4.2). Only those that matter are looked into, so that an odd
//! box nobody needs cannot make a video unreadable.

use crate::video::error::VideoError;

/// Boxes of one level, in a row.
#[derive(Debug, Clone)]
pub(super) struct Boxes<'a> {
    rest: &'a [u8],
    /// Where `rest` begins in the file.
    at: u64,
    format: &'static str,
    /// Whether these are the file's own: there a box may reach to the end, or be cut off.
    top: bool,
}

/// One box.
#[derive(Debug, Clone, Copy)]
pub(super) struct IsoBox<'a> {
    pub(super) kind: [u8; 4],
    /// Where its header begins in the file.
    pub(super) start: u64,
    /// What follows the header.
    pub(super) body: &'a [u8],
    /// Where `body` begins in the file.
    pub(super) body_start: u64,
    /// Where it would end, where the file ends before.
    pub(super) cut_at: Option<u64>,
    pub(super) format: &'static str,
}

impl<'a> Boxes<'a> {
    /// Of a whole file.
    pub(super) fn of_file(file: &'a [u8], format: &'static str) -> Self {
        Self { rest: file, at: 0, format, top: true }
    }

    /// The first of a kind.
    pub(super) fn find(self, kind: &[u8; 4]) -> Result<Option<IsoBox<'a>>, VideoError> {
        for found in self {
            let found = found?;
            if found.kind == *kind {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn step(&mut self) -> Result<Option<IsoBox<'a>>, VideoError> {
        let Some((size, kind, mut header)) = self.header() else { return Ok(None) };
        let available = self.rest.len() as u64;
        let mut size = u64::from(size);
        if size == 1 {
            let Some(large) = self.rest.get(8..16).and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes)
            else {
                return Ok(None);
            };
            (size, header) = (large, 16);
        } else if size == 0 {
            // To the end of the file; further in it is QuickTime's terminator.
            if !self.top {
                return Ok(None);
            }
            size = available;
        }
        if size < header {
            return Err(damaged(self.format, kind, "is shorter than its header"));
        }
        let end = self.at.saturating_add(size);
        let cut_at = (size > available).then_some(end);
        if cut_at.is_some() && !self.top {
            return Err(damaged(self.format, kind, "reaches beyond the box that holds it"));
        }
        // At most what is there, so the casts are lossless.
        let (whole, rest) = self.rest.split_at_checked(size.min(available) as usize).unwrap_or((self.rest, &[]));
        let found = IsoBox {
            kind,
            start: self.at,
            body: whole.get(header as usize..).unwrap_or_default(),
            body_start: self.at.saturating_add(header),
            cut_at,
            format: self.format,
        };
        (self.rest, self.at) = (rest, end);
        Ok(Some(found))
    }

    fn header(&self) -> Option<(u32, [u8; 4], u64)> {
        let (size, rest) = self.rest.split_first_chunk()?;
        Some((u32::from_be_bytes(*size), *rest.first_chunk()?, 8))
    }
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Result<IsoBox<'a>, VideoError>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.step();
        if found.is_err() {
            self.rest = &[];
        }
        found.transpose()
    }
}

impl<'a> IsoBox<'a> {
    /// The boxes inside, after so many bytes.
    pub(super) fn children_after(&self, skipped: usize) -> Boxes<'a> {
        Boxes {
            rest: self.body.get(skipped..).unwrap_or_default(),
            at: self.body_start.saturating_add(skipped as u64),
            format: self.format,
            top: false,
        }
    }

    /// The boxes inside.
    pub(super) fn children(&self) -> Boxes<'a> {
        self.children_after(0)
    }

    /// The first box of a kind inside.
    pub(super) fn child(&self, kind: &[u8; 4]) -> Result<Option<IsoBox<'a>>, VideoError> {
        self.children().find(kind)
    }

    /// The first box of a kind inside, which must be there.
    pub(super) fn need(&self, kind: &[u8; 4]) -> Result<IsoBox<'a>, VideoError> {
        self.child(kind)?.ok_or_else(|| damaged(self.format, *kind, "is missing"))
    }
}

/// A box that is wrong.
pub(super) fn damaged(format: &'static str, kind: [u8; 4], what: &str) -> VideoError {
    VideoError::Damaged { format, what: format!("the box {} {what}", kind.escape_ascii()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind, bytes, and where it would end.
    type Seen = (String, usize, Option<u64>);

    fn walk(file: &[u8]) -> Vec<Result<Seen, VideoError>> {
        let name = |found: IsoBox<'_>| (found.kind.escape_ascii().to_string(), found.body.len(), found.cut_at);
        Boxes::of_file(file, "video/mp4").map(|found| found.map(name)).collect()
    }

    #[test]
    fn sizes_are_read_in_each_of_their_forms() {
        let file = b"\0\0\0\x0afreeab\0\0\0\x01wide\0\0\0\0\0\0\0\x11x\0\0\0\0mdatxyz";
        let expected = [("free".to_owned(), 2, None), ("wide".to_owned(), 1, None), ("mdat".to_owned(), 3, None)];
        assert_eq!(walk(file), expected.map(Ok));
    }

    #[test]
    fn a_cut_box_is_told_at_the_top_and_refused_inside() {
        assert_eq!(walk(b"\0\0\0\x20mdatxyz"), [Ok(("mdat".to_owned(), 3, Some(32)))]);
        let outer = b"\0\0\0\x10moov\0\0\0\x09trak";
        let moov = Boxes::of_file(outer, "video/mp4").next().unwrap().unwrap();
        assert!(matches!(moov.child(b"trak"), Err(VideoError::Damaged { .. })));
        assert!(matches!(moov.need(b"mvhd"), Err(VideoError::Damaged { .. })));
    }

    #[test]
    fn nothing_is_read_beyond_a_terminator_or_a_wrong_size() {
        let outer = b"\0\0\0\x1cmoov\0\0\0\x08mvhd\0\0\0\0\0\0\0\x08trak";
        let moov = Boxes::of_file(outer, "video/mp4").next().unwrap().unwrap();
        assert!(moov.child(b"mvhd").unwrap().is_some());
        assert!(moov.child(b"trak").unwrap().is_none());
        assert!(matches!(walk(b"\0\0\0\x07free").as_slice(), [Err(VideoError::Damaged { .. })]));
        assert!(matches!(walk(b"\0\0\0\x01free\0\0\0\0\0\0\0\x0f").as_slice(), [Err(VideoError::Damaged { .. })]));
        assert!(walk(b"\0\0\0\x01free\0\0\0").is_empty());
        assert!(walk(b"\0\0\0").is_empty());
    }
}
