//! The `ffmpeg` program, for what is not decoded in this process: HEVC, VP8, VP9, AV1, and H.264 beyond openh264; and for
//! making a video of pictures.
//!
//! As a decoder it is given frames, not the file: the video is demuxed here, and one track's frames go to the program's standard input
//! as a plain Matroska stream; pixels come back on its standard output. So of the program's code a stranger's bytes reach
//! one demuxer, with a stream that we wrote, and one decoder. It runs without a shell, with an empty environment, may open
//! nothing but its two pipes, and under limits of time, memory and files.

#[cfg_attr(not(unix), expect(dead_code, reason = "the program runs on Unix only"))]
mod encode;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod run;

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

pub use self::encode::{EncodeError, Made, Still, make_clip};
#[cfg(unix)]
pub(super) use self::process::Process;
use super::{codec::Codec, matroska::Writer};

/// Where the program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ffmpeg {
    /// Not to be used, or not installed: why, as the end of "the ffmpeg program, which …".
    Absent(String),
    /// At this path.
    At(PathBuf),
}

impl Ffmpeg {
    /// Looks through a list of folders, as the variable `PATH` has it.
    pub fn search(path: Option<&OsString>) -> Self {
        let folders = path.map(env::split_paths).into_iter().flatten();
        let found = folders.map(|folder| folder.join("ffmpeg")).find(|program| program.is_file());
        found.map_or_else(|| Self::Absent("is not installed: it is in no folder of PATH".to_owned()), Self::At)
    }

    /// Looks through this process's `PATH`.
    pub fn find() -> Self {
        Self::search(env::var_os("PATH").as_ref())
    }

    /// Not to be used.
    pub fn off() -> Self {
        Self::Absent("is switched off".to_owned())
    }

    /// The path, where there is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Ffmpeg::Absent(_) => None,
            Ffmpeg::At(path) => Some(path),
        }
    }
}

/// The program's arguments: frames of one codec in, chosen frames out as RGB of one size. The frames are known by their
/// place in the order of showing.
#[cfg_attr(not(unix), expect(dead_code, reason = "the program runs on Unix only"))]
fn arguments(codec: &Codec, width: u32, height: u32, max_pixels: u64, wanted: &[usize], all: bool) -> Vec<String> {
    let decoders = match codec {
        Codec::H264 => "h264",
        Codec::Hevc => "hevc",
        Codec::Vp8 => "vp8,libvpx",
        Codec::Vp9 => "vp9,libvpx-vp9",
        Codec::Av1 | Codec::Other(_) => "libdav1d,libaom-av1,av1",
    };
    // Without a filter every frame would be converted, whether it is wanted or not. A recording can change its size midway
    // (WebRTC does): the scaler, which a frame of the right size passes unchanged, keeps what comes out countable.
    let scale = format!("scale={width}:{height}:flags=bicubic");
    let filter = if all { scale } else { format!("select='{}',{scale}", runs(wanted)) };
    let text = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    [
        text(&["-nostdin", "-hide_banner", "-loglevel", "quiet", "-xerror", "-filter_threads", "1"]),
        text(&["-protocol_whitelist", "pipe", "-format_whitelist", "matroska,webm", "-codec_whitelist", decoders]),
        text(&["-max_pixels", &max_pixels.to_string(), "-threads", "1", "-f", "matroska", "-i", "pipe:0"]),
        text(&["-map", "0:v:0", "-an", "-sn", "-dn", "-vf", &filter, "-fps_mode", "passthrough"]),
        text(&["-frames:v", &wanted.len().to_string(), "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"]),
    ]
    .concat()
}

/// Ascending ranks as an expression of ffmpeg's `select` filter, whose `pts` is milliseconds: runs of neighbours.
fn runs(ranks: &[usize]) -> String {
    let mut expression = String::new();
    for run in ranks.chunk_by(|before, after| before.checked_add(1) == Some(*after)) {
        if let (Some(&first), Some(&last)) = (run.first(), run.last()) {
            let plus = if expression.is_empty() { "" } else { "+" };
            let place = |rank: usize| rank as u64 * Writer::STEP;
            expression.push_str(&format!("{plus}between(pts,{},{})", place(first), place(last)));
        }
    }
    expression
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_looked_for_in_each_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (empty, full) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::create_dir_all(empty.join("ffmpeg")).unwrap();
        std::fs::create_dir(&full).unwrap();
        let path = env::join_paths([&empty, &full]).unwrap();
        assert!(matches!(Ffmpeg::search(Some(&path)), Ffmpeg::Absent(_)), "a folder is no program");
        std::fs::write(full.join("ffmpeg"), "").unwrap();
        assert_eq!(Ffmpeg::search(Some(&path)).path(), Some(full.join("ffmpeg").as_path()));
        assert_eq!(Ffmpeg::search(None).path(), None);
        assert_eq!(Ffmpeg::off().path(), None);
    }

    #[test]
    fn neighbours_are_asked_for_together() {
        assert_eq!(runs(&[4]), "between(pts,40,40)");
        assert_eq!(runs(&[0, 1, 2, 5, 7, 8]), "between(pts,0,20)+between(pts,50,50)+between(pts,70,80)");
        assert_eq!(runs(&[]), "");
    }

    #[test]
    fn nothing_but_pipes_one_container_and_one_codec_is_allowed() {
        let words = arguments(&Codec::Vp8, 64, 48, 1000, &[1, 2], false).join(" ");
        for part in [
            "-protocol_whitelist pipe -format_whitelist matroska,webm -codec_whitelist vp8,libvpx",
            "-max_pixels 1000 -threads 1 -f matroska -i pipe:0",
            "-vf select='between(pts,10,20)',scale=64:48:flags=bicubic",
            "-frames:v 2 -pix_fmt rgb24 -f rawvideo pipe:1",
        ] {
            assert!(words.contains(part), "{words}");
        }
        assert!(!arguments(&Codec::Vp8, 64, 48, 1000, &[0], true).join(" ").contains("select"));
    }
}
