//! What ffmpeg and ffprobe say about a clip, and clips made with them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use lifesign_core::video::{Ffmpeg, Frames, Sampling, VideoError, VideoFrame, VideoInfo, VideoLimits, open};

/// The ffmpeg program; `None` after saying that the test `name` is skipped.
pub(crate) fn program(name: &str) -> Option<Ffmpeg> {
    let found = Ffmpeg::find();
    if found.path().is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name}: ffmpeg is absent");
        eprintln!("SKIPPED {name}: ffmpeg is absent");
        return None;
    }
    Some(found)
}

/// A run of ffmpeg or ffprobe: its standard output.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {words}");
    output.stdout
}

/// Makes a clip: the arguments between the global ones and the file, whose ending tells the container. Each clip is made
/// once for all tests that name it.
pub(crate) fn make(name: &str, arguments: &str) -> Vec<u8> {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().unwrap());
    // Made under a name of the thread's own, then moved: another thread never sees half a file.
    let (path, own) =
        (folder.path().join(name), folder.path().join(format!("{:?}-{name}", std::thread::current().id())));
    if !path.exists() {
        let mut words = vec!["-v", "error", "-y"];
        words.extend(arguments.split_whitespace());
        words.push(own.to_str().unwrap());
        run("ffmpeg", &words);
        std::fs::rename(&own, &path).unwrap();
    }
    std::fs::read(path).unwrap()
}

/// Writes bytes where ffmpeg can read them.
pub(crate) fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

/// When each frame is shown that ffprobe decodes, in milliseconds.
pub(crate) fn times(path: &Path) -> Vec<f64> {
    let entries = ["-v", "error", "-select_streams", "v:0", "-show_entries", "frame=best_effort_timestamp_time", "-of"];
    let words = [&entries[..], &["default=nokey=1:noprint_wrappers=1", path.to_str().unwrap()]].concat();
    let listed = String::from_utf8(run("ffprobe", &words)).unwrap();
    listed.lines().map(|line| 1000.0 * line.trim().parse::<f64>().unwrap()).collect()
}

/// ffmpeg's picture of the frames with these numbers, as RGB, turned as the file says.
pub(crate) fn pictures(path: &Path, indices: &[u64]) -> Vec<u8> {
    let choice: Vec<_> = indices.iter().map(|index| format!("eq(n,{index})")).collect();
    let filter = format!("select='{}'", choice.join("+"));
    let path = path.to_str().unwrap();
    let tail = ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"];
    let head = ["-v", "error", "-i", path, "-map", "0:v:0", "-vf", &filter];
    run("ffmpeg", &[&head[..], &tail[..]].concat())
}

/// Peak signal-to-noise ratio of 8-bit samples, in decibels.
pub(crate) fn psnr(ours: &[u8], theirs: &[u8]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let squares: f64 = ours.iter().zip(theirs).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * ours.len() as f64 / squares.max(1e-9)).log10()
}

/// Decodes what is chosen.
pub(crate) fn decode(bytes: &[u8], sampling: Sampling, ffmpeg: &Ffmpeg) -> Result<Vec<VideoFrame>, VideoError> {
    open(bytes, None, &VideoLimits::default(), sampling, ffmpeg).and_then(Iterator::collect)
}

/// Decodes every frame and compares it with ffprobe's and ffmpeg's: how many there are, when each is shown, and the
/// pictures of eight of them. Gives the information and the worst ratio.
pub(crate) fn agree(path: &Path, ffmpeg: &Ffmpeg) -> (VideoInfo, f64) {
    let name = path.display();
    let bytes = std::fs::read(path).unwrap();
    let frames: Frames<'_> = open(&bytes, None, &VideoLimits::default(), Sampling::All, ffmpeg).unwrap();
    let info = frames.info().clone();
    let expected = times(path);
    assert_eq!(info.frames, expected.len() as u64, "{name}: frames by the headers");
    let step = expected.len().div_ceil(8);
    let (mut indices, mut ours, mut first) = (Vec::new(), Vec::new(), Duration::ZERO);
    let mut came = 0;
    for frame in frames {
        let frame = frame.unwrap_or_else(|error| panic!("{name}: frame {came}: {error}"));
        assert_eq!(frame.index, came as u64, "{name}");
        assert_eq!((frame.frame.width(), frame.frame.height()), (info.width, info.height), "{name}");
        if came == 0 {
            first = frame.time;
        }
        let time = (frame.time - first).as_secs_f64() * 1000.0;
        assert!((time - (expected[came] - expected[0])).abs() < 1.1, "{name}: frame {came} at {time} ms");
        if came % step == 0 {
            indices.push(frame.index);
            ours.push(frame.frame);
        }
        came += 1;
    }
    assert_eq!(came, expected.len(), "{name}: frames that came");
    let theirs = pictures(path, &indices);
    let size = ours[0].rgb().len();
    assert_eq!(theirs.len(), size * ours.len(), "{name}");
    let ratios = ours.iter().zip(theirs.chunks(size)).map(|(ours, theirs)| psnr(ours.rgb(), theirs));
    (info, ratios.fold(f64::INFINITY, f64::min))
}

/// The shared clips, by name.
pub(crate) fn clips(name: &str) -> Option<Vec<PathBuf>> {
    let folder = lifesign_core::testing::shared(name)?.join("media/video");
    let mut clips: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    clips.sort();
    Some(clips)
}
