//! Matroska and WebM files (RFC 9559): the first video track's blocks.
//!
//! No index is needed or used: every block is visited, in the order of the file. That is what browsers' recordings need,
//! which have no index and clusters of unknown length. The reader is our own, two hundred lines, because those that are
//! published are not made for files of strangers: matroska-demuxer 0.8 never comes back from a segment that begins with a
//! checksum and overflows on late timestamps, and symphonia copies every packet.

mod ebml;
mod write;

use std::time::Duration;

use self::ebml::{Element, Elements, Malformed, number};
pub(super) use self::write::Writer;
use super::{
    codec::Codec,
    error::VideoError,
    limits::VideoLimits,
    track::{Sample, Track},
};
use crate::frame::Turn;

/// The elements that are looked at, by RFC 9559's table of section 5.
mod id {
    pub(super) const SEGMENT: u32 = 0x1853_8067;
    pub(super) const INFO: u32 = 0x1549_A966;
    pub(super) const TIMESTAMP_SCALE: u32 = 0x2A_D7B1;
    pub(super) const DURATION: u32 = 0x4489;
    pub(super) const TRACKS: u32 = 0x1654_AE6B;
    pub(super) const TRACK_ENTRY: u32 = 0xAE;
    pub(super) const TRACK_NUMBER: u32 = 0xD7;
    pub(super) const TRACK_TYPE: u32 = 0x83;
    pub(super) const CODEC_ID: u32 = 0x86;
    pub(super) const CODEC_PRIVATE: u32 = 0x63A2;
    pub(super) const DEFAULT_DURATION: u32 = 0x23_E383;
    pub(super) const CONTENT_ENCODINGS: u32 = 0x6D80;
    pub(super) const VIDEO: u32 = 0xE0;
    pub(super) const PIXEL_WIDTH: u32 = 0xB0;
    pub(super) const PIXEL_HEIGHT: u32 = 0xBA;
    pub(super) const PROJECTION: u32 = 0x7670;
    pub(super) const POSE_ROLL: u32 = 0x7675;
    pub(super) const CLUSTER: u32 = 0x1F43_B675;
    pub(super) const TIMESTAMP: u32 = 0xE7;
    pub(super) const SIMPLE_BLOCK: u32 = 0xA3;
    pub(super) const BLOCK_GROUP: u32 = 0xA0;
    pub(super) const BLOCK: u32 = 0xA1;
    pub(super) const BLOCK_DURATION: u32 = 0x9B;
}

/// Finds the video track and its blocks, and checks frame count, declared duration and size as soon as they are known.
pub(super) fn demux<'a>(file: &'a [u8], format: &'static str, limits: &VideoLimits) -> Result<Track<'a>, VideoError> {
    let mut reader =
        Reader { file, format, limits, scale: 1_000_000, entry: None, cluster: 0, blocks: Vec::new(), last: None };
    reader.read()?;
    reader.finish()
}

/// What is known of a file so far.
struct Reader<'a, 'l> {
    file: &'a [u8],
    format: &'static str,
    limits: &'l VideoLimits,
    /// Nanoseconds of a tick.
    scale: u64,
    entry: Option<Entry<'a>>,
    /// The current cluster's time, in ticks.
    cluster: u64,
    /// The track's samples; `order` is their time in nanoseconds.
    blocks: Vec<Sample>,
    /// How long the last block says that it is shown, in ticks.
    last: Option<u64>,
}

/// The video track.
#[derive(Default)]
struct Entry<'a> {
    number: u64,
    is_video: bool,
    codec_id: &'a [u8],
    config: &'a [u8],
    /// Nanoseconds of a frame.
    frame: Option<u64>,
    width: u32,
    height: u32,
    roll: f64,
    encoded: bool,
}

impl<'a> Reader<'a, '_> {
    fn read(&mut self) -> Result<(), VideoError> {
        let format = self.format;
        let broken = |malformed: Malformed| malformed.of(format);
        let mut elements = Elements::new(self.file, 0);
        let mut cut = None;
        // The EBML header, which the container was told by.
        elements.step().map_err(broken)?;
        // The segment and its clusters are walked through, not into: so one whose length is not known needs no care.
        while let Some(id) = elements.peek() {
            let entered = matches!(id, id::SEGMENT | id::CLUSTER);
            let found = if entered { elements.enter() } else { elements.step() };
            let Some(element) = found.map_err(broken)? else { break };
            if entered {
                // What the headers inside say may already be beyond a limit, which is told first.
                if element.is_cut() {
                    cut.get_or_insert_with(|| self.cut(&element));
                }
                continue;
            }
            if element.end.is_none() || element.is_cut() {
                return Err(self.cut(&element));
            }
            match id {
                id::INFO => self.info(&element)?,
                id::TRACKS if self.entry.is_none() => self.tracks(&element)?,
                id::TIMESTAMP => self.cluster = element.unsigned(),
                id::SIMPLE_BLOCK => self.block(&element, None)?,
                id::BLOCK_GROUP => self.group(&element)?,
                _ => {}
            }
        }
        // What is left, where anything is, begins like no element.
        elements.step().map_err(broken)?;
        cut.map_or(Ok(()), Err)
    }

    fn cut(&self, element: &Element<'_>) -> VideoError {
        let (format, actual) = (self.format, self.file.len() as u64);
        match element.end {
            Some(needed) => VideoError::Truncated { format, what: "an element", needed, actual },
            None => VideoError::Damaged { format, what: "an element other than a cluster has no length".to_owned() },
        }
    }

    fn children(&self, parent: &Element<'a>, mut each: impl FnMut(&Element<'a>)) -> Result<(), VideoError> {
        let mut elements = Elements::new(parent.body, parent.start);
        while let Some(element) = elements.step().map_err(|malformed| malformed.of(self.format))? {
            if element.end.is_none() || element.is_cut() {
                let what = "an element reaches beyond the one that holds it".to_owned();
                return Err(VideoError::Damaged { format: self.format, what });
            }
            each(&element);
        }
        Ok(())
    }

    fn info(&mut self, info: &Element<'a>) -> Result<(), VideoError> {
        let (mut scale, mut duration) = (self.scale, 0.0);
        self.children(info, |element| match element.id {
            id::TIMESTAMP_SCALE => scale = element.unsigned(),
            id::DURATION => duration = element.float().unwrap_or_default(),
            _ => {}
        })?;
        self.scale = scale;
        // Rejects what is no number of seconds; so large a one is too long in any case.
        let declared = Duration::try_from_secs_f64(duration * scale as f64 / 1e9);
        self.limits.check_declared(declared.unwrap_or(if duration > 0.0 { Duration::MAX } else { Duration::ZERO }))
    }

    /// Takes the first video track of a codec that is understood, else the first video track.
    fn tracks(&mut self, tracks: &Element<'a>) -> Result<(), VideoError> {
        let mut elements = Elements::new(tracks.body, tracks.start);
        while let Some(element) = elements.step().map_err(|malformed| malformed.of(self.format))? {
            if element.id != id::TRACK_ENTRY {
                continue;
            }
            let entry = self.entry(&element)?;
            let known = !matches!(Codec::from_matroska(entry.codec_id), Codec::Other(_));
            if entry.is_video && (known || self.entry.is_none()) {
                self.entry = Some(entry);
                if known {
                    break;
                }
            }
        }
        let Some(entry) = &self.entry else { return Err(VideoError::NoVideoTrack { format: self.format }) };
        if entry.encoded {
            let what = "its track is compressed or encrypted once more (ContentEncodings)".to_owned();
            return Err(VideoError::Unsupported { format: self.format, what });
        }
        self.limits.check_dimensions(entry.width, entry.height)
    }

    fn entry(&self, element: &Element<'a>) -> Result<Entry<'a>, VideoError> {
        let (mut entry, mut video, mut projection) = (Entry::default(), None, None);
        self.children(element, |child| match child.id {
            id::TRACK_NUMBER => entry.number = child.unsigned(),
            id::TRACK_TYPE => entry.is_video = child.unsigned() == 1,
            id::CODEC_ID => entry.codec_id = child.text(),
            id::CODEC_PRIVATE => entry.config = child.body,
            id::DEFAULT_DURATION => entry.frame = Some(child.unsigned()),
            id::CONTENT_ENCODINGS => entry.encoded = true,
            id::VIDEO => video = Some(*child),
            _ => {}
        })?;
        let side = |child: &Element<'_>| u32::try_from(child.unsigned()).unwrap_or(u32::MAX);
        if let Some(video) = video {
            self.children(&video, |child| match child.id {
                id::PIXEL_WIDTH => entry.width = side(child),
                id::PIXEL_HEIGHT => entry.height = side(child),
                id::PROJECTION => projection = Some(*child),
                _ => {}
            })?;
        }
        if let Some(projection) = projection {
            self.children(&projection, |child| {
                if child.id == id::POSE_ROLL {
                    entry.roll = child.float().unwrap_or(f64::NAN);
                }
            })?;
        }
        Ok(entry)
    }

    fn group(&mut self, group: &Element<'a>) -> Result<(), VideoError> {
        let (mut block, mut duration) = (None, None);
        self.children(group, |child| match child.id {
            id::BLOCK => block = Some(*child),
            id::BLOCK_DURATION => duration = Some(child.unsigned()),
            _ => {}
        })?;
        block.map_or(Ok(()), |block| self.block(&block, duration))
    }

    /// A block (section 10): the track's number, a time relative to the cluster's, flags, then the frame.
    fn block(&mut self, block: &Element<'a>, duration: Option<u64>) -> Result<(), VideoError> {
        let Some(entry) = &self.entry else {
            return Err(VideoError::NoVideoTrack { format: self.format });
        };
        let header = number(block.body, 8, false).and_then(|(track, width)| {
            let (&[high, low, flags], _) = block.body.get(width..)?.split_first_chunk()?;
            Some((track, width + 3, i16::from_be_bytes([high, low]), flags))
        });
        let Some((track, header, relative, flags)) = header else {
            return Err(VideoError::Damaged {
                format: self.format,
                what: "a block is shorter than its header".to_owned(),
            });
        };
        if track != entry.number {
            return Ok(());
        }
        if flags & 0x06 != 0 {
            let what = "its video frames are laced".to_owned();
            return Err(VideoError::Unsupported { format: self.format, what });
        }
        self.limits.check_frames(self.blocks.len() as u64 + 1)?;
        let nanos = self.cluster.saturating_add_signed(relative.into()).saturating_mul(self.scale);
        let invisible = flags & 0x08 != 0;
        let data = block.start + header..block.start + block.body.len();
        self.blocks.push(Sample {
            order: i64::try_from(nanos).unwrap_or(i64::MAX),
            time: (!invisible).then(|| Duration::from_nanos(nanos)),
            picture: !data.is_empty(),
            data,
        });
        self.last = duration;
        Ok(())
    }

    fn finish(self) -> Result<Track<'a>, VideoError> {
        let entry = self.entry.ok_or(VideoError::NoVideoTrack { format: self.format })?;
        let turn = turn(entry.roll).ok_or_else(|| VideoError::Unsupported {
            format: self.format,
            what: "it is turned by no right angle".to_owned(),
        })?;
        let mut times: Vec<_> = self.blocks.iter().filter_map(|block| block.time).collect();
        times.sort_unstable();
        // The last frame is shown as long as it says, else as long as frames are said to be, else as the one before.
        let stated = self.last.map(|ticks| Duration::from_nanos(ticks.saturating_mul(self.scale)));
        let stated = stated.or(entry.frame.map(Duration::from_nanos));
        let lasts = stated.or(match times.as_slice() {
            [.., before, last] => Some(last.saturating_sub(*before)),
            _ => None,
        });
        let end = times.last().map(|last| last.saturating_add(lasts.unwrap_or_default()));
        Ok(Track {
            codec: Codec::from_matroska(entry.codec_id),
            config: entry.config,
            width: entry.width,
            height: entry.height,
            turn,
            samples: self.blocks,
            end: end.unwrap_or_default(),
        })
    }
}

/// The roll that makes a picture upright, counted counter-clockwise (section 5.1.4.1.28.47), in quarters.
fn turn(roll: f64) -> Option<Turn> {
    let quarters = roll / 90.0;
    if !quarters.is_finite() || (quarters - quarters.round()).abs() > 0.01 || quarters.abs() > 4.0 {
        return None;
    }
    let (transpose, flip_x, flip_y) = match (quarters.round() as i32).rem_euclid(4) {
        1 => (true, false, true),
        2 => (false, true, true),
        3 => (true, true, false),
        _ => (false, false, false),
    };
    Some(Turn { transpose, flip_x, flip_y })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolls_are_quarters() {
        let turned = |transpose, flip_x, flip_y| Some(Turn { transpose, flip_x, flip_y });
        for (roll, expected) in [
            (0.0, turned(false, false, false)),
            (90.0, turned(true, false, true)),
            (-90.0, turned(true, true, false)),
            (270.0, turned(true, true, false)),
            (180.0, turned(false, true, true)),
            (-180.0, turned(false, true, true)),
            (45.0, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
            (1e30, None),
        ] {
            assert_eq!(turn(roll), expected, "{roll}");
        }
    }

    /// What is written for ffmpeg is read back: names, configuration, sides, order.
    #[test]
    fn a_written_stream_is_read_back() {
        let mut file = Writer::header(&Codec::Vp9, &[1, 2, 3], 64, 48);
        for (rank, bytes) in [(0, b"zero".as_slice()), (2, b"two"), (1, b"one")] {
            file.extend(Writer::frame(rank, bytes.len()));
            file.extend(bytes);
        }
        let track = demux(&file, "video/webm", &VideoLimits::default()).unwrap();
        assert_eq!(
            (track.codec.clone(), track.config, track.width, track.height),
            (Codec::Vp9, [1, 2, 3].as_slice(), 64, 48)
        );
        let samples: Vec<_> = track.samples.iter().map(|sample| sample.bytes(&file)).collect();
        assert_eq!(samples, [b"zero".as_slice(), b"two", b"one"]);
        assert_eq!(track.output_order(), [0, 2, 1]);

        // Cut anywhere within the last block, it is cut; and every cut is an error or a shorter video.
        for length in 0..file.len() {
            let cut = demux(&file[..length], "video/webm", &VideoLimits::default());
            if length > file.len() - 3 {
                assert!(matches!(cut, Err(VideoError::Truncated { .. })), "{length}");
            } else if let Ok(cut) = cut {
                assert!(cut.samples.len() < 3, "{length}");
            }
        }
    }
}
