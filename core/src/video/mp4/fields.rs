//! Numbers inside of a box: big-endian, one after the other. Lists are read where they lie, so a count costs no memory.

use super::boxes::{IsoBox, damaged};
use crate::video::error::VideoError;

/// What is left of a box's body.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    kind: [u8; 4],
    format: &'static str,
}

impl<'a> IsoBox<'a> {
    /// The version and flags that a full box begins with (ISO/IEC 14496-12, section 4.2.2), and what follows them.
    pub(super) fn full(&self) -> Result<(u8, u32, Fields<'a>), VideoError> {
        let mut fields = Fields { rest: self.body, kind: self.kind, format: self.format };
        let word = fields.u32()?;
        Ok((word.to_be_bytes()[0], word & 0xFF_FFFF, fields))
    }
}

impl<'a> Fields<'a> {
    /// So many bytes.
    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], VideoError> {
        let Some((bytes, rest)) = self.rest.split_first_chunk() else {
            return Err(damaged(self.format, self.kind, "is too short"));
        };
        self.rest = rest;
        Ok(*bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, VideoError> {
        self.bytes().map(u32::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, VideoError> {
        self.bytes().map(i32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, VideoError> {
        self.bytes().map(u64::from_be_bytes)
    }

    /// A length of time: 64 bits in version 1, else 32.
    pub(super) fn time(&mut self, version: u8) -> Result<u64, VideoError> {
        if version == 1 { self.u64() } else { self.u32().map(u64::from) }
    }

    /// A number where a flag says that it is there.
    pub(super) fn optional(&mut self, there: bool) -> Result<Option<u32>, VideoError> {
        there.then(|| self.u32()).transpose()
    }

    /// So many entries of so many bytes, all of which must be there.
    pub(super) fn entries<const N: usize>(&self, count: u32) -> Result<&'a [[u8; N]], VideoError> {
        let (entries, _) = self.rest.as_chunks();
        entries.get(..count as usize).ok_or_else(|| damaged(self.format, self.kind, "has fewer entries than it says"))
    }

    /// A list: its number of entries, then these.
    pub(super) fn list<const N: usize>(&mut self) -> Result<&'a [[u8; N]], VideoError> {
        let count = self.u32()?;
        self.entries(count)
    }
}

/// Pairs of numbers, as most lists have them.
pub(super) fn pair(entry: &[u8; 8]) -> (u32, u32) {
    let &[a, b, c, d, e, f, g, h] = entry;
    (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::video::mp4::boxes::Boxes;

    /// A box of these parts.
    pub(in crate::video::mp4) fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
        let body = parts.concat();
        [u32::try_from(body.len() + 8).unwrap().to_be_bytes().as_slice(), kind, &body].concat()
    }

    /// A full box of these words, behind its version and flags.
    pub(in crate::video::mp4) fn words(kind: &[u8; 4], version: u8, flags: u32, words: &[u32]) -> Vec<u8> {
        let head = u32::from(version) << 24 | flags;
        let body: Vec<u8> = std::iter::once(&head).chain(words).flat_map(|word| word.to_be_bytes()).collect();
        boxed(kind, &[&body])
    }

    /// The first box of a file.
    pub(in crate::video::mp4) fn first(file: &[u8]) -> IsoBox<'_> {
        Boxes::of_file(file, "video/mp4").next().unwrap().unwrap()
    }

    #[test]
    fn lists_are_whole_or_refused() {
        let file = words(b"stts", 1, 5, &[2, 3, 4, 5, 6]);
        let (version, flags, mut fields) = first(&file).full().unwrap();
        assert_eq!((version, flags), (1, 5));
        let entries: Vec<_> = fields.list::<8>().unwrap().iter().map(pair).collect();
        assert_eq!(entries, [(3, 4), (5, 6)]);
        let giant = words(b"stts", 0, 0, &[u32::MAX, 3, 4]);
        assert!(first(&giant).full().unwrap().2.list::<8>().is_err());
        assert!(first(&boxed(b"stts", &[b"\0\0\0"])).full().is_err());
    }

    #[test]
    fn times_have_the_width_of_their_version() {
        let file = words(b"mehd", 1, 0, &[1, 2]);
        let (_, _, fields) = first(&file).full().unwrap();
        assert_eq!(fields.clone().time(1), Ok(1 << 32 | 2));
        assert_eq!(fields.clone().time(0), Ok(1));
        assert_eq!(fields.clone().optional(true), Ok(Some(1)));
        assert_eq!(fields.clone().optional(false), Ok(None));
    }
}
