//! The program as a decoder: frames in, chosen pixels out.

use std::{collections::VecDeque, io::Write, path::Path, time::Instant};

use super::{
    arguments,
    run::{self, Bounds, Run, RunError},
};
use crate::{
    frame::{Frame, Turn},
    video::{codec::Codec, error::VideoError, limits::VideoLimits, matroska::Writer, track::Track},
};

/// A running decoder. The program is killed where this is dropped.
#[derive(Debug)]
pub(in crate::video) struct Process<'a> {
    run: Run<Feed<'a>>,
    wanted: VecDeque<usize>,
    /// Frames that are wanted altogether.
    total: usize,
    codec: Codec,
    width: u32,
    height: u32,
    turn: Turn,
    limits: VideoLimits,
}

impl<'a> Process<'a> {
    /// Starts the program. The wanted ranks are ascending, and at least one.
    pub(in crate::video) fn start(
        program: &Path,
        file: &'a [u8],
        track: &Track<'a>,
        wanted: VecDeque<usize>,
        limits: VideoLimits,
    ) -> Result<Self, VideoError> {
        let (codec, width, height) = (track.codec.clone(), track.width, track.height);
        let order = track.output_order();
        let ranks: Vec<usize> = wanted.iter().copied().collect();
        let all = ranks.len() == order.len();
        // Whole seconds, rounded up; one more for starting.
        let bounds = Bounds { memory: limits.max_decoder_memory, seconds: limits.max_decode_ms.div_ceil(1000) + 1 };
        let words = arguments(&codec, width, height, limits.max_pixels, &ranks, all);
        let run = Run::start(program, &words, Feed::new(file, track, &order), bounds);
        let run = run.map_err(|error| fault(error, &codec, &limits))?;
        Ok(Self { run, total: wanted.len(), wanted, codec, width, height, turn: track.turn, limits })
    }

    /// The next wanted frame and its rank.
    pub(in crate::video) fn next(&mut self, deadline: Instant) -> Result<Option<(usize, Frame)>, VideoError> {
        let Some(&rank) = self.wanted.front() else { return Ok(None) };
        // Checked against the limits when the track was found, so it is a number of bytes that memory has.
        let bytes = self.width as usize * self.height as usize * 3;
        let mut pixels = vec![0; bytes];
        let mut filled = 0;
        while filled < bytes {
            let read = self.run.exchange(pixels.get_mut(filled..).unwrap_or_default(), deadline);
            match read.map_err(|error| fault(error, &self.codec, &self.limits))? {
                Some(count) => filled += count,
                None => return Err(self.ended(deadline)),
            }
        }
        self.wanted.pop_front();
        let frame = Frame::from_rgb_turned(self.width, self.height, self.turn, pixels);
        let frame = frame.map_err(|error| VideoError::Decoder { what: error.to_string() })?;
        Ok(Some((rank, frame)))
    }

    /// Why the output ended before the last wanted frame.
    fn ended(&mut self, deadline: Instant) -> VideoError {
        let status = self.run.wait(deadline);
        let came = self.total - self.wanted.len();
        let how = match status {
            None => return VideoError::TooSlow { limit: self.limits.decode_time() },
            Some(status) if status.success() => "ended".to_owned(),
            Some(status) => format!("failed ({status})"),
        };
        let what = format!("ffmpeg {how} after {came} of {} frames", self.total);
        VideoError::Undecodable { codec: self.codec.name().to_owned(), what }
    }
}

fn fault(error: RunError, codec: &Codec, limits: &VideoLimits) -> VideoError {
    match error {
        RunError::Missing(why) => VideoError::NoDecoder { codec: codec.name().to_owned(), why },
        RunError::Broken(what) => VideoError::Decoder { what },
        RunError::TooSlow => VideoError::TooSlow { limit: limits.decode_time() },
    }
}

/// What is still to be written: the stream's header, then each sample behind a header of its own.
#[derive(Debug)]
struct Feed<'a> {
    file: &'a [u8],
    /// Each sample's place in the file and its rank.
    samples: std::vec::IntoIter<(std::ops::Range<usize>, usize)>,
    head: Vec<u8>,
    body: &'a [u8],
    /// Bytes of both that are written.
    written: usize,
}

impl<'a> Feed<'a> {
    fn new(file: &'a [u8], track: &Track<'a>, order: &[usize]) -> Self {
        let mut ranks = vec![0; track.samples.len()];
        for (rank, &sample) in order.iter().enumerate() {
            if let Some(place) = ranks.get_mut(sample) {
                *place = rank;
            }
        }
        // A sample without a picture has no rank: it goes with the one that follows it.
        let mut following = 0;
        for (place, sample) in ranks.iter_mut().zip(&track.samples).rev() {
            if sample.picture {
                following = *place;
            } else {
                *place = following;
            }
        }
        let samples: Vec<_> = track.samples.iter().map(|sample| sample.data.clone()).zip(ranks).collect();
        Self {
            file,
            samples: samples.into_iter(),
            head: Writer::header(&track.codec, track.config, track.width, track.height),
            body: &[],
            written: 0,
        }
    }
}

impl run::Feed for Feed<'_> {
    fn write(&mut self, to: &mut impl Write) -> std::io::Result<bool> {
        loop {
            let in_body = self.written.saturating_sub(self.head.len());
            let rest = match self.head.get(self.written..) {
                Some(head) if !head.is_empty() => head,
                _ => self.body.get(in_body..).unwrap_or_default(),
            };
            if !rest.is_empty() {
                self.written += to.write(rest)?;
                return Ok(true);
            }
            let Some((data, rank)) = self.samples.next() else { return Ok(false) };
            self.body = self.file.get(data).unwrap_or_default();
            self.head = Writer::frame(rank, self.body.len());
            self.written = 0;
        }
    }
}
