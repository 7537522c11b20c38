//! Videos in: a file's bytes become the frames that are looked at, each with the time at which it is shown.
//!
//! [`Video::probe`] reads headers only and checks them against [`VideoLimits`], so that what is too long or too large is
//! refused before anything is decoded. [`Video::frames`] then decodes each frame once, up to the last that is wanted, and
//! hands out the wanted ones, turned upright. H.264 with 8-bit 4:2:0 frames is decoded in this process; HEVC, VP8, VP9,
//! AV1 and the rest of H.264 by the [`Ffmpeg`] program where there is one. Memory does not grow with a video's length but
//! for a hundred bytes a frame: the file itself is the caller's, a frame is dropped before the next is made.
//!
//! Whatever is damaged, cut off or cannot be decoded to its end is an error, never a shorter video: a verdict on the part
//! that happened to be readable would be one on another presentation than was made. Pixel aspect ratios other than 1:1
//! and crops that a container asks for are not applied, as ffmpeg does not either.

mod codec;
mod container;
mod error;
mod ffmpeg;
mod h264;
mod limits;
mod matroska;
mod mp4;
mod sample;
mod track;

use std::{
    collections::VecDeque,
    fmt,
    time::{Duration, Instant},
};

pub use self::{
    codec::Codec,
    container::Container,
    error::VideoError,
    ffmpeg::{EncodeError, Ffmpeg, Made, Still, make_clip},
    limits::VideoLimits,
    sample::Sampling,
};
use self::{
    h264::Config,
    track::{Shown, Track},
};
use crate::{frame::Frame, session::FrameTiming};

/// What a video's headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoInfo {
    /// The kind of file.
    pub container: Container,
    /// How its frames are compressed.
    pub codec: Codec,
    /// Pixels in a row of an upright frame. A recording can change its size midway; this is its first.
    pub width: u32,
    /// Rows of an upright frame.
    pub height: u32,
    /// From the first frame's beginning to the last one's end.
    pub duration: Duration,
    /// Frames that are shown.
    pub frames: u64,
    /// Whether [`Ffmpeg`] must decode it.
    pub needs_ffmpeg: bool,
}

/// A frame and its place in the video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoFrame {
    /// The frame, upright.
    pub frame: Frame,
    /// The how manyeth shown frame of the video it is, from 0.
    pub index: u64,
    /// When it is shown, on the video's clock. Later frames have the same or a later time.
    pub time: Duration,
    /// How long this process waited for it; what was decoded on the way to it is counted in.
    pub decode: Duration,
}

impl VideoFrame {
    /// As a session counts time: the video's clock is the client's, and the frame arrived when the caller says.
    pub fn timing(&self, arrived: Duration, queue: Duration) -> FrameTiming {
        FrameTiming { arrived, captured: Some(self.time), queue, decode: self.decode }
    }
}

/// A video whose headers were read and are within the limits.
#[derive(Debug)]
pub struct Video<'a> {
    file: &'a [u8],
    limits: VideoLimits,
    info: VideoInfo,
    track: Track<'a>,
    shown: Vec<Shown>,
    /// For H.264.
    config: Option<Config<'a>>,
}

/// Reads a video's headers: [`Video::probe`]'s information alone.
///
/// # Errors
/// As [`Video::probe`].
pub fn probe(bytes: &[u8], limits: &VideoLimits) -> Result<VideoInfo, VideoError> {
    Video::probe(bytes, None, limits).map(|video| video.info)
}

/// Opens a video and begins to decode it: [`Video::probe`] and [`Video::frames`] in one.
///
/// # Errors
/// As these two.
pub fn open<'a>(
    bytes: &'a [u8],
    declared: Option<Container>,
    limits: &VideoLimits,
    sampling: Sampling,
    ffmpeg: &Ffmpeg,
) -> Result<Frames<'a>, VideoError> {
    Video::probe(bytes, declared, limits)?.frames(sampling, ffmpeg)
}

impl<'a> Video<'a> {
    /// Reads a file's headers, the place of each frame, and nothing of the frames themselves but their first bytes and,
    /// in H.264, the parameter sets between them.
    ///
    /// # Errors
    /// What is beyond a limit ([`VideoError::TooLong`] and the like), what is no video that is understood, what is
    /// damaged or cut off. A codec that cannot be decoded is told by [`Self::frames`].
    pub fn probe(bytes: &'a [u8], declared: Option<Container>, limits: &VideoLimits) -> Result<Self, VideoError> {
        limits.check_bytes(bytes.len() as u64)?;
        let container = Container::sniff(bytes).ok_or(VideoError::UnknownContainer)?;
        declared.map_or(Ok(()), |declared| container.check_declared(declared))?;
        let format = container.name();
        let mut track = if container.is_iso() {
            mp4::demux(bytes, format, limits)?
        } else {
            matroska::demux(bytes, format, limits)?
        };
        let config = if track.codec == Codec::H264 {
            let config = Config::read(&mut track, bytes, format, limits)?;
            (track.width, track.height) = (config.width, config.height);
            Some(config)
        } else {
            let codec = track.codec.clone();
            for sample in &mut track.samples {
                sample.picture = codec.shows(sample.bytes(bytes));
            }
            None
        };
        let shown = track.shown();
        let (Some(first), Some(last)) = (shown.first(), shown.last()) else {
            return Err(VideoError::NoFrames { format });
        };
        let duration = track.end.max(last.time).saturating_sub(first.time);
        limits.check_duration(duration)?;
        let (width, height) = track.turn.size(track.width, track.height);
        let needs_ffmpeg = config.as_ref().is_none_or(|config| config.beyond.is_some());
        let info = VideoInfo {
            container,
            codec: track.codec.clone(),
            width,
            height,
            duration,
            frames: shown.len() as u64,
            needs_ffmpeg,
        };
        Ok(Self { file: bytes, limits: *limits, info, track, shown, config })
    }

    /// What the headers say.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// Begins to decode.
    ///
    /// # Errors
    /// [`VideoError::NoDecoder`] and [`VideoError::Unsupported`] where the codec cannot be decoded,
    /// [`VideoError::Decoder`] where a decoder does not start.
    pub fn frames(self, sampling: Sampling, ffmpeg: &Ffmpeg) -> Result<Frames<'a>, VideoError> {
        let chosen = sample::choose(&self.shown, self.track.end, sampling);
        let plan: VecDeque<_> =
            chosen.into_iter().filter_map(|index| self.shown.get(index).map(|shown| (index as u64, *shown))).collect();
        let wanted = plan.iter().map(|(_, shown)| shown.rank).collect();
        let decoder = match (self.config, self.track.codec.clone()) {
            (Some(config), _) if config.beyond.is_none() => {
                Decoder::H264(Box::new(h264::Decoder::new(self.file, self.track, config, wanted, self.limits)?))
            }
            (_, Codec::Other(name)) => {
                let what = format!("its codec is {name}: send H.264, HEVC, VP8, VP9 or AV1");
                return Err(VideoError::Unsupported { format: self.info.container.name(), what });
            }
            (config, codec) => {
                let beyond = config.and_then(|config| config.beyond).unwrap_or_default();
                let name = [codec.name(), &beyond].join(" ").trim_end().to_owned();
                with_ffmpeg(ffmpeg, name, self.file, &self.track, wanted, self.limits)?
            }
        };
        Ok(Frames { info: self.info, decoder: Some(decoder), plan, left: self.limits.decode_time() })
    }
}

/// Starts the program, where there is one.
#[cfg(unix)]
fn with_ffmpeg<'a>(
    ffmpeg: &Ffmpeg,
    codec: String,
    file: &'a [u8],
    track: &Track<'a>,
    wanted: VecDeque<usize>,
    limits: VideoLimits,
) -> Result<Decoder<'a>, VideoError> {
    match ffmpeg {
        Ffmpeg::Absent(why) => Err(VideoError::NoDecoder { codec, why: why.clone() }),
        Ffmpeg::At(program) => {
            Ok(Decoder::Ffmpeg(Box::new(ffmpeg::Process::start(program, file, track, wanted, limits)?)))
        }
    }
}

#[cfg(not(unix))]
fn with_ffmpeg<'a>(
    _: &Ffmpeg,
    codec: String,
    _: &'a [u8],
    _: &Track<'a>,
    _: VecDeque<usize>,
    _: VideoLimits,
) -> Result<Decoder<'a>, VideoError> {
    Err(VideoError::NoDecoder { codec, why: "is run on Unix only".to_owned() })
}

/// Who decodes.
enum Decoder<'a> {
    H264(Box<h264::Decoder<'a>>),
    #[cfg(unix)]
    Ffmpeg(Box<ffmpeg::Process<'a>>),
}

impl Decoder<'_> {
    fn next(&mut self, deadline: Instant) -> Result<Option<(usize, Frame)>, VideoError> {
        match self {
            Decoder::H264(decoder) => decoder.next(deadline),
            #[cfg(unix)]
            Decoder::Ffmpeg(process) => process.next(deadline),
        }
    }
}

/// A video's chosen frames, by time. It ends after the last one or after an error; dropping it stops the decoder.
pub struct Frames<'a> {
    info: VideoInfo,
    decoder: Option<Decoder<'a>>,
    /// Frames still to come and their indices among those that are shown.
    plan: VecDeque<(u64, Shown)>,
    /// Of the decoder's time.
    left: Duration,
}

impl Frames<'_> {
    /// What the headers say.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// How many frames are still to come, where nothing fails.
    pub fn remaining(&self) -> usize {
        self.plan.len()
    }

    fn step(&mut self) -> Result<Option<VideoFrame>, VideoError> {
        let (Some(decoder), Some(&(index, shown))) = (&mut self.decoder, self.plan.front()) else { return Ok(None) };
        let begun = Instant::now();
        let next = decoder.next(begun + self.left)?;
        let decode = begun.elapsed();
        self.left = self.left.saturating_sub(decode);
        match next {
            Some((rank, frame)) if rank == shown.rank => {
                self.plan.pop_front();
                Ok(Some(VideoFrame { frame, index, time: shown.time, decode }))
            }
            _ => Err(VideoError::Undecodable {
                codec: self.info.codec.name().to_owned(),
                what: format!("frame {index} did not come"),
            }),
        }
    }
}

impl Iterator for Frames<'_> {
    type Item = Result<VideoFrame, VideoError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.step();
        if !matches!(item, Ok(Some(_))) || self.plan.is_empty() {
            // Nothing more will be asked of it.
            self.decoder = None;
        }
        item.transpose()
    }
}

impl fmt::Debug for Frames<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Frames")
            .field("info", &self.info)
            .field("remaining", &self.plan.len())
            .finish_non_exhaustive()
    }
}
