//! EBML elements (RFC 8794): a name, a length, and so many bytes.

use crate::video::error::VideoError;

/// An element's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element<'a> {
    /// With its length marker, as the tables of RFC 9559 have it.
    pub(super) id: u32,
    /// What is inside, as far as the file goes.
    pub(super) body: &'a [u8],
    /// Where `body` begins in the file.
    pub(super) start: usize,
    /// Where it would end; `None` where its length is not known, as in a recording that was never finished.
    pub(super) end: Option<u64>,
}

/// Reads elements in a row.
#[derive(Debug, Clone)]
pub(super) struct Elements<'a> {
    rest: &'a [u8],
    /// Where `rest` begins in the file.
    at: usize,
}

impl<'a> Elements<'a> {
    /// Of bytes that begin at a place in the file.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { rest: bytes, at }
    }

    /// The next one, and goes on behind it; `None` at the end. `Err` where what is left begins like no element.
    pub(super) fn step(&mut self) -> Result<Option<Element<'a>>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (element, header) = self.header()?;
        let length = element.end.map(|end| end - (self.at + header) as u64);
        // At most what is there, so the cast is lossless.
        let available = (self.rest.len() - header) as u64;
        self.skip(header + length.unwrap_or(available).min(available) as usize);
        Ok(Some(element))
    }

    /// The next one, and goes on inside of it.
    pub(super) fn enter(&mut self) -> Result<Option<Element<'a>>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (element, header) = self.header()?;
        self.skip(header);
        Ok(Some(element))
    }

    /// The next one's name, without going on.
    pub(super) fn peek(&self) -> Option<u32> {
        self.header().ok().map(|(element, _)| element.id)
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
        self.at = self.at.saturating_add(bytes);
    }

    fn header(&self) -> Result<(Element<'a>, usize), Malformed> {
        let (id, id_bytes) = number(self.rest, 4, true).ok_or(Malformed)?;
        let after = self.rest.get(id_bytes..).unwrap_or_default();
        let (length, length_bytes) = number(after, 8, false).ok_or(Malformed)?;
        let header = id_bytes + length_bytes;
        let inside = self.rest.get(header..).unwrap_or_default();
        let start = self.at.saturating_add(header);
        // All ones of its width are no length (section 6.2).
        let unknown = length == (1 << (7 * length_bytes)) - 1;
        let body = match usize::try_from(length) {
            Ok(length) if !unknown => inside.get(..length).unwrap_or(inside),
            _ => inside,
        };
        let end = (!unknown).then(|| (start as u64).saturating_add(length));
        // An id has four bytes at most, so the cast is lossless.
        Ok((Element { id: id as u32, body, start, end }, header))
    }
}

/// The bytes begin like no element.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Malformed {
    /// As the video's error.
    pub(super) fn of(self, format: &'static str) -> VideoError {
        VideoError::Damaged { format, what: "something in it begins like no element".to_owned() }
    }
}

impl<'a> Element<'a> {
    /// Whether the file ends before the element does.
    pub(super) fn is_cut(&self) -> bool {
        self.end.is_some_and(|end| end > self.start as u64 + self.body.len() as u64)
    }

    /// As an unsigned number (section 7.2); one of more than eight bytes is as many as fit.
    pub(super) fn unsigned(&self) -> u64 {
        self.body.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
    }

    /// As a floating-point number (section 7.3).
    pub(super) fn float(&self) -> Option<f64> {
        match self.body.len() {
            0 => Some(0.0),
            4 => self.body.first_chunk().map(|bytes| f32::from_be_bytes(*bytes).into()),
            8 => self.body.first_chunk().map(|bytes| f64::from_be_bytes(*bytes)),
            _ => None,
        }
    }

    /// As text, without the zeros that may follow it (section 7.4).
    pub(super) fn text(&self) -> &'a [u8] {
        let end = self.body.iter().position(|&byte| byte == 0).unwrap_or(self.body.len());
        self.body.get(..end).unwrap_or_default()
    }
}

/// A number of variable width (section 4), with or without its marker, and its bytes.
pub(super) fn number(bytes: &[u8], widest: usize, with_marker: bool) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let width = first.leading_zeros() as usize + 1;
    if width > widest {
        return None;
    }
    let value = bytes.get(..width)?.iter().fold(0, |number: u64, &byte| number << 8 | u64::from(byte));
    Some((if with_marker { value } else { value & !(1 << (7 * width)) }, width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_every_width() {
        assert_eq!(number(&[0x81], 8, false), Some((1, 1)));
        assert_eq!(number(&[0x40, 0x02], 8, false), Some((2, 2)));
        assert_eq!(number(&[0x1A, 0x45, 0xDF, 0xA3], 4, true), Some((0x1A45_DFA3, 4)));
        assert_eq!(number(&[1, 0, 0, 0, 0, 0, 0, 5], 8, false), Some((5, 8)));
        assert_eq!(number(&[1, 255, 255, 255, 255, 255, 255, 255], 8, false), Some(((1 << 56) - 1, 8)));
        assert_eq!(number(&[0x40], 8, false), None);
        assert_eq!(number(&[0x08, 0, 0, 0, 0], 4, true), None);
        assert_eq!(number(&[0; 9], 8, false), None);
        assert_eq!(number(&[], 8, false), None);
    }

    #[test]
    fn elements_are_walked_entered_and_cut() {
        let bytes = [0xE7, 0x82, 1, 2, 0x1F, 0x43, 0xB6, 0x75, 0xFF, 0xE7, 0x81, 9, 0xA3, 0x85, 7, 7];
        let mut elements = Elements::new(&bytes, 100);
        let first = elements.step().unwrap().unwrap();
        assert_eq!((first.id, first.unsigned(), first.start, first.end), (0xE7, 0x0102, 102, Some(104)));
        assert_eq!(elements.peek(), Some(0x1F43_B675));
        let cluster = elements.enter().unwrap().unwrap();
        assert_eq!((cluster.end, cluster.start, cluster.is_cut()), (None, 109, false));
        assert_eq!(elements.step().unwrap().unwrap().unsigned(), 9);
        let block = elements.step().unwrap().unwrap();
        assert_eq!((block.body, block.end, block.is_cut()), ([7, 7].as_slice(), Some(119), true));
        assert_eq!(elements.step(), Ok(None));
        assert_eq!(Elements::new(&[0], 0).step(), Err(Malformed));
        assert_eq!(Elements::new(&[0xA3], 0).enter(), Err(Malformed));
    }

    #[test]
    fn values_are_read_in_their_forms() {
        fn element(body: &[u8]) -> Element<'_> {
            Element { id: 0, body, start: 0, end: None }
        }
        assert_eq!(element(&[]).unsigned(), 0);
        assert_eq!(element(&[255; 9]).unsigned(), u64::MAX);
        assert_eq!(element(&1.5_f32.to_be_bytes()).float(), Some(1.5));
        assert_eq!(element(&(-2.5_f64).to_be_bytes()).float(), Some(-2.5));
        assert_eq!(element(&[0; 3]).float(), None);
        assert_eq!(element(b"webm\0\0").text(), b"webm");
    }
}
