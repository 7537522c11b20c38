//! Frames of real clips, cut by ffmpeg as a phone's camera would deliver them.

use std::{fs, path::Path, process::Command};

/// A clip made of another: ffmpeg's arguments between the two, and the ending that tells the container.
pub fn made_of(clip: &Path, arguments: &str, ending: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let made = folder.path().join(format!("clip.{ending}"));
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(clip)
        .args(arguments.split_whitespace())
        .arg(&made)
        .status()
        .expect("ffmpeg runs");
    assert!(status.success(), "ffmpeg cannot make a clip of {}: {arguments}", clip.display());
    fs::read(made).expect("a clip")
}

/// At most `count` JPEG frames of a clip, `per_second` of them.
pub fn frames(clip: &Path, per_second: u32, count: usize) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(clip)
        .args(["-vf", &format!("fps={per_second}"), "-frames:v", &count.to_string(), "-q:v", "2"])
        .arg(folder.path().join("%04d.jpg"))
        .status()
        .expect("ffmpeg runs");
    assert!(status.success(), "ffmpeg cannot cut {}", clip.display());
    let frames: Vec<_> =
        crate::media::files(folder.path()).iter().map(|path| fs::read(path).expect("a frame")).collect();
    assert!(!frames.is_empty(), "{} gave no frames", clip.display());
    frames
}
