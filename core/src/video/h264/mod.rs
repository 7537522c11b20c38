//! H.264 in this process: openh264, built from its source.

mod config;

use std::{collections::VecDeque, time::Instant};

use openh264::{
    OpenH264API,
    decoder::{DecodeOptions, DecodedYUV, Decoder as OpenH264, DecoderConfig, Flush},
    formats::YUVSource,
};

pub(super) use self::config::Config;
use super::{
    error::VideoError,
    limits::VideoLimits,
    track::{Sample, Track},
};
use crate::frame::{Frame, Picture, Turn};

/// Decodes a track's samples one after the other.
pub(super) struct Decoder<'a> {
    file: &'a [u8],
    config: Config<'a>,
    openh264: OpenH264,
    /// Samples not decoded yet, in decoding order.
    samples: std::vec::IntoIter<Sample>,
    /// Pictures that the samples hold.
    expected: usize,
    /// The next sample is the first.
    first: bool,
    /// Ranks of the frames that are wanted and have not come, ascending.
    wanted: VecDeque<usize>,
    /// Converted frames that are not handed out yet: what the decoder kept back until its end, at most 16 of them
    /// (H.264, section A.3.1: `MaxDpbFrames`).
    ready: VecDeque<(usize, Frame)>,
    /// Pictures that have come out.
    came: usize,
    turn: Turn,
    limits: VideoLimits,
    /// One sample as a byte stream, kept for the next.
    stream: Vec<u8>,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(
        file: &'a [u8],
        track: Track<'a>,
        config: Config<'a>,
        wanted: VecDeque<usize>,
        limits: VideoLimits,
    ) -> Result<Self, VideoError> {
        // With the default, which empties the decoder after each sample, frames that others are shown before are lost.
        let settings = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
        let openh264 = OpenH264::with_api_config(OpenH264API::from_source(), settings)
            .map_err(|error| VideoError::Decoder { what: format!("openh264 did not start: {error}") })?;
        Ok(Self {
            file,
            config,
            openh264,
            expected: track.samples.iter().filter(|sample| sample.picture).count(),
            turn: track.turn,
            samples: track.samples.into_iter(),
            first: true,
            wanted,
            ready: VecDeque::new(),
            came: 0,
            limits,
            stream: Vec::new(),
        })
    }

    /// The next wanted frame and its rank.
    pub(super) fn next(&mut self, deadline: Instant) -> Result<Option<(usize, Frame)>, VideoError> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Ok(Some(ready));
            }
            // What comes after the last frame that is wanted is not decoded.
            if self.wanted.is_empty() {
                return Ok(None);
            }
            if Instant::now() >= deadline {
                return Err(VideoError::TooSlow { limit: self.limits.decode_time() });
            }
            let Some(sample) = self.samples.next() else {
                self.finish()?;
                if self.ready.is_empty() {
                    return Ok(None);
                }
                continue;
            };
            self.config.byte_stream(&sample, self.file, self.first, &mut self.stream);
            self.first = false;
            let options = DecodeOptions::new().flush_after_decode(Flush::NoFlush);
            let decoded =
                self.openh264.decode_with_options(&self.stream, options).map_err(|_| undecodable(self.came))?;
            let picture = decoded.as_ref();
            let mut sink = Sink {
                config: &self.config,
                wanted: &mut self.wanted,
                ready: &mut self.ready,
                came: &mut self.came,
                turn: self.turn,
                limits: &self.limits,
            };
            picture.map_or(Ok(()), |picture| sink.take(picture))?;
        }
    }

    /// Takes what the decoder kept back. Every picture must have come by then: each is taken for the how manyeth it is, so
    /// one that is lost would make those after it appear at another's time.
    fn finish(&mut self) -> Result<(), VideoError> {
        let rest = self.openh264.flush_remaining().map_err(|_| undecodable(self.came))?;
        let mut sink = Sink {
            config: &self.config,
            wanted: &mut self.wanted,
            ready: &mut self.ready,
            came: &mut self.came,
            turn: self.turn,
            limits: &self.limits,
        };
        rest.iter().try_for_each(|picture| sink.take(picture))?;
        if self.came != self.expected {
            let what = format!("{} of {} frames came", self.came, self.expected);
            return Err(VideoError::Undecodable { codec: "H.264".to_owned(), what });
        }
        Ok(())
    }
}

/// Where pictures go; apart from the decoder, which lends them.
struct Sink<'s, 'a> {
    config: &'s Config<'a>,
    wanted: &'s mut VecDeque<usize>,
    ready: &'s mut VecDeque<(usize, Frame)>,
    came: &'s mut usize,
    turn: Turn,
    limits: &'s VideoLimits,
}

impl Sink<'_, '_> {
    fn take(&mut self, picture: &DecodedYUV<'_>) -> Result<(), VideoError> {
        let rank = *self.came;
        *self.came += 1;
        if self.wanted.front() != Some(&rank) {
            return Ok(());
        }
        self.wanted.pop_front();
        let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
        let (width, height) = picture.dimensions();
        let (width, height) = (side(width), side(height));
        self.limits.check_dimensions(width, height)?;
        let (luma, u, v) = picture.strides();
        let frame = Frame::from_picture(&Picture {
            width,
            height,
            planes: [picture.y(), picture.u(), picture.v()],
            strides: [luma, u, v],
            coding: self.config.coding,
            turn: self.turn,
        });
        let frame = frame.map_err(|error| VideoError::Decoder { what: error.to_string() })?;
        self.ready.push_back((rank, frame));
        Ok(())
    }
}

/// openh264 says no more than a number.
fn undecodable(came: usize) -> VideoError {
    let what = format!("a frame is broken or refers to one that is missing, after {came} frames");
    VideoError::Undecodable { codec: "H.264".to_owned(), what }
}
