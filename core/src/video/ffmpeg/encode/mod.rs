//! A video made of pictures, for those who take nothing else: H.264 in MP4, by the `ffmpeg` program.
//!
//! The pictures go to the program's standard input and the file comes out of its standard output: a face is never on disk.
//! A plain MP4 cannot be written that way, since its index is put in front when all else is known; so the file is of
//! fragments, each of which has its own.

mod error;
mod plan;
#[cfg(unix)]
mod program;
#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::{fmt, time::Duration};

pub use self::error::EncodeError;
#[cfg(unix)]
use self::plan::Pictures;
use self::plan::Plan;
use super::Ffmpeg;
use crate::video::{codec::Codec, limits::VideoLimits};

/// How long making a video may take. Ours: ten seconds of 1080p take about five of one core's time, and whoever waits for a
/// verdict waits for this too.
const MAX_TIME: Duration = Duration::from_secs(20);

/// Bits a second at most. Ours: ten seconds, the longest that a vendor takes, are 5 MB then, and within the 6 MB that GLAIR takes;
/// faces hardly need as many.
const BITRATE: &str = "4M";

/// A picture and when it was taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Still<'a> {
    /// An upright JPEG or PNG file.
    pub data: &'a [u8],
    /// On any clock that all of them share.
    pub time: Duration,
}

impl fmt::Debug for Still<'_> {
    /// Never the bytes: they show a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Still").field("bytes", &self.data.len()).field("time", &self.time).finish()
    }
}

/// A video that was made: an MP4 file with H.264 in it, 25 frames a second.
#[derive(Clone, PartialEq, Eq)]
pub struct Made {
    /// The file.
    pub data: Vec<u8>,
    /// From the first frame's beginning to the last one's end.
    pub duration: Duration,
    /// Width and height in pixels.
    pub size: (u32, u32),
}

impl fmt::Debug for Made {
    /// Never the bytes: they show a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Made");
        shown.field("bytes", &self.data.len()).field("duration", &self.duration).field("size", &self.size).finish()
    }
}

/// Makes a video of pictures, all of one type and size, each shown from its time until that of the next; the last as long as
/// the others on average. Times are kept to a 25th of a second, which FPT.AI's newer page asks for as the least rate: of
/// pictures that come faster than that some are left out. Blocks, for 20 seconds at most.
///
/// A size that is odd loses its last column or row, since H.264 with 4:2:0 colours has even sizes only: a line added there
/// would be one that no camera took, and a vendor may look for just such edges.
///
/// # Errors
/// [`EncodeError`]: no program or no encoder in it, fewer than two pictures, times that do not ascend, more than a minute,
/// pictures of several kinds, what the program stumbles over, and limits of time (20 s) and of bytes (32 MiB).
pub fn make_clip(stills: &[Still<'_>], ffmpeg: &Ffmpeg) -> Result<Made, EncodeError> {
    make_within(stills, ffmpeg, MAX_TIME, &VideoLimits::default())
}

/// The same within other limits: bytes, sides and duration of what is made, and the program's memory.
#[cfg(unix)]
fn make_within(
    stills: &[Still<'_>],
    ffmpeg: &Ffmpeg,
    time: Duration,
    limits: &VideoLimits,
) -> Result<Made, EncodeError> {
    let plan = Plan::new(stills, limits)?;
    let program = match ffmpeg {
        Ffmpeg::Absent(why) => return Err(EncodeError::NoProgram { why: why.clone() }),
        Ffmpeg::At(program) => program,
    };
    let runs = program::Runs::begin(program, time, limits);
    let question = ["-nostdin", "-hide_banner", "-loglevel", "quiet", "-encoders"].map(str::to_owned);
    let listed = runs.output(&question, Pictures::none())?;
    let encoder = encoder(&String::from_utf8_lossy(&listed)).ok_or(EncodeError::NoEncoder)?;
    let data = runs.output(&arguments(&plan, encoder, limits.max_pixels), plan.pictures(stills))?;
    check(data, &plan, limits)
}

#[cfg(not(unix))]
fn make_within(stills: &[Still<'_>], _: &Ffmpeg, _: Duration, limits: &VideoLimits) -> Result<Made, EncodeError> {
    Plan::new(stills, limits)?;
    Err(EncodeError::NoProgram { why: "is run on Unix only".to_owned() })
}

/// The best of the software encoders in ffmpeg's list, whose lines are flags, a name and a description. Hardware is left alone:
/// whether it is there shows only in use.
fn encoder(list: &str) -> Option<&'static str> {
    let has = |name: &&str| list.lines().any(|line| line.split_whitespace().nth(1) == Some(*name));
    ["libx264", "libopenh264"].into_iter().find(has)
}

/// The program's arguments: files of pictures in, one after the other, an MP4 file out.
fn arguments(plan: &Plan, encoder: &str, max_pixels: u64) -> Vec<String> {
    let (width, height) = plan.size;
    // What most vendors read videos with takes colours for those of BT.601 whatever the file says, and so are those of a JPEG.
    let filter = format!("crop={width}:{height}:0:0,scale=out_color_matrix=bt601:out_range=tv,format=yuv420p");
    let quality: &[&str] = match encoder {
        // Close to what cannot be told from the original, as long as the bits suffice.
        "libx264" => &["-preset", "veryfast", "-crf", "18", "-maxrate", BITRATE, "-bufsize", BITRATE],
        _ => &["-b:v", BITRATE],
    };
    let text = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    [
        text(&["-nostdin", "-hide_banner", "-loglevel", "quiet", "-xerror", "-filter_threads", "1"]),
        text(&["-protocol_whitelist", "pipe", "-format_whitelist", "image2pipe", "-codec_whitelist", plan.decoder]),
        text(&["-max_pixels", &max_pixels.to_string(), "-err_detect", "explode", "-threads", "1", "-noautorotate"]),
        text(&["-f", "image2pipe", "-framerate", &plan::RATE.to_string(), "-c:v", plan.decoder, "-i", "pipe:0"]),
        text(&["-map", "0:v:0", "-map_metadata", "-1", "-vf", &filter, "-fps_mode", "passthrough"]),
        // Frames in the order of showing: with B-frames a file of fragments, which has no edit list, would begin after zero.
        text(&["-c:v", encoder, "-threads", "1", "-bf", "0", "-g", &plan::RATE.to_string()]),
        text(quality),
        text(&["-colorspace", "smpte170m", "-color_range", "tv"]),
        text(&["-movflags", "frag_keyframe+empty_moov+default_base_moof", "-f", "mp4", "pipe:1"]),
    ]
    .concat()
}

/// Looks at what came as at any other video: a program that ended well may still have left something out.
fn check(data: Vec<u8>, plan: &Plan, limits: &VideoLimits) -> Result<Made, EncodeError> {
    let failed = |what: String| EncodeError::Failed { what };
    let info = crate::video::probe(&data, limits).map_err(|error| failed(error.to_string()))?;
    let size = (info.width, info.height);
    if (info.codec.clone(), info.frames, size) != (Codec::H264, plan.frames(), plan.size) {
        let (frames, (width, height)) = (plan.frames(), plan.size);
        let made = format!("{} frames of {}, {}x{}", info.frames, info.codec.name(), size.0, size.1);
        return Err(failed(format!("it made {made} instead of {frames} of H.264, {width}x{height}")));
    }
    Ok(Made { data, duration: info.duration, size })
}
