//! Which picture is shown in which frames, and the pictures as the program reads them.

use std::{io::Cursor, time::Duration};

use image::{ImageFormat, ImageReader};

use super::{EncodeError, Still};
use crate::{frame::MediaType, video::limits::VideoLimits};

/// Frames a second: FPT.AI's newer page asks for at least as many.
pub(super) const RATE: u32 = 25;

/// What is to be made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// In how many frames each picture is shown. None at all for one that is followed by the next at once.
    pub(super) repeats: Vec<u64>,
    /// ffmpeg's name of the decoder for the pictures.
    pub(super) decoder: &'static str,
    /// Width and height of the video.
    pub(super) size: (u32, u32),
}

impl Plan {
    /// Looks at the pictures' times and headers.
    pub(super) fn new(stills: &[Still<'_>], limits: &VideoLimits) -> Result<Self, EncodeError> {
        let (Some(first), Some(last), 2..) = (stills.first(), stills.last(), stills.len()) else {
            return Err(EncodeError::TooFew { actual: stills.len() });
        };
        if let Some(before) = stills.windows(2).position(|pair| matches!(pair, [a, b] if a.time >= b.time)) {
            return Err(EncodeError::NotAscending { index: before + 1 });
        }
        let span = last.time.saturating_sub(first.time);
        let mean = span / u32::try_from(stills.len() - 1).unwrap_or(u32::MAX);
        let (actual, limit) = (span.saturating_add(mean), Duration::from_millis(limits.max_duration_ms));
        if actual > limit {
            return Err(EncodeError::TooLong { limit, actual });
        }
        let kind = kind(0, first)?;
        for (index, still) in stills.iter().enumerate().skip(1) {
            let other = self::kind(index, still)?;
            if other != kind {
                let text = |(format, (width, height)): (MediaType, (u32, u32))| {
                    format!("{} of {width}x{height}", format.name())
                };
                return Err(EncodeError::Mixed { first: text(kind), index, other: text(other) });
            }
        }
        let (format, (width, height)) = kind;
        let size = (width & !1, height & !1);
        limits.check_dimensions(size.0, size.1).map_err(EncodeError::Size)?;
        let ends = stills.iter().skip(1).map(|still| still.time.saturating_sub(first.time)).chain([actual]);
        let mut begin = 0;
        let mut repeats: Vec<u64> = ends.map(|end| frame(end) - std::mem::replace(&mut begin, frame(end))).collect();
        // Where all of them came within half a frame there is one frame all the same, and it shows the last.
        if let (Some(last), true) = (repeats.last_mut(), frame(actual) == 0) {
            *last = 1;
        }
        Ok(Self { repeats, decoder: if format == MediaType::Png { "png" } else { "mjpeg" }, size })
    }

    /// Frames of the video.
    pub(super) fn frames(&self) -> u64 {
        self.repeats.iter().sum()
    }

    /// The pictures of this plan's stills, each as often as it is shown.
    pub(super) fn pictures<'a>(&self, stills: &[Still<'a>]) -> Pictures<'a> {
        let left: Vec<_> = stills.iter().map(|still| still.data).zip(self.repeats.iter().copied()).collect();
        Pictures { left: left.into_iter(), data: &[], repeats: 0, written: 0 }
    }
}

/// The frame that begins nearest to this time.
fn frame(time: Duration) -> u64 {
    let nearest = (time.as_nanos() * u128::from(RATE) + 500_000_000) / 1_000_000_000;
    u64::try_from(nearest).unwrap_or(u64::MAX)
}

/// What a picture is, by its header.
fn kind(index: usize, still: &Still<'_>) -> Result<(MediaType, (u32, u32)), EncodeError> {
    let unknown = EncodeError::NotAPicture { index };
    let (media_type, format) = match MediaType::sniff(still.data) {
        Some(jpeg @ MediaType::Jpeg) => (jpeg, ImageFormat::Jpeg),
        Some(png @ MediaType::Png) => (png, ImageFormat::Png),
        Some(MediaType::Webp) | None => return Err(unknown),
    };
    let size = ImageReader::with_format(Cursor::new(still.data), format).into_dimensions();
    size.map(|size| (media_type, size)).map_err(|_| unknown)
}

/// Pictures still to be written. One that is shown for longer is written again, which costs no memory.
#[derive(Debug)]
pub(super) struct Pictures<'a> {
    left: std::vec::IntoIter<(&'a [u8], u64)>,
    data: &'a [u8],
    /// How often `data` is still to be written, this time among them.
    repeats: u64,
    /// Bytes of this time that are written.
    written: usize,
}

#[cfg(unix)]
impl Pictures<'_> {
    /// Nothing to write.
    pub(super) fn none() -> Self {
        Self { left: Vec::new().into_iter(), data: &[], repeats: 0, written: 0 }
    }
}

#[cfg(unix)]
impl super::super::run::Feed for Pictures<'_> {
    fn write(&mut self, to: &mut impl std::io::Write) -> std::io::Result<bool> {
        loop {
            let rest = self.data.get(self.written..).unwrap_or_default();
            if self.repeats > 0 && !rest.is_empty() {
                self.written += to.write(rest)?;
                return Ok(true);
            }
            self.written = 0;
            self.repeats = self.repeats.saturating_sub(1);
            if self.repeats == 0 {
                let Some((data, repeats)) = self.left.next() else { return Ok(false) };
                (self.data, self.repeats) = (data, repeats);
            }
        }
    }
}
