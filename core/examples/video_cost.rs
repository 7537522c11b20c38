//! What a video costs: the time to sixteen sampled frames and this process's peak memory, beside `ffmpeg -i clip -f null -`
//! with one thread in the same run.
//!
//! `cargo run --release -p lifesign-core --no-default-features --features video --example video_cost -- clip.mp4 …`
#![expect(clippy::print_stdout, reason = "it prints a table")]

use std::{
    error::Error,
    fs,
    num::NonZeroU32,
    process::{Command, Stdio},
    time::Instant,
};

use lifesign_core::video::{Ffmpeg, Sampling, Video, VideoLimits};

/// As many frames as a policy looks at, and some to choose from.
const FRAMES: NonZeroU32 = NonZeroU32::MIN.saturating_add(15);

fn main() -> Result<(), Box<dyn Error>> {
    let ffmpeg = Ffmpeg::find();
    println!("clip; codec; frames; probe ms; {FRAMES} frames ms; ffmpeg ms; ratio; peak KiB of this process");
    for clip in std::env::args().skip(1) {
        let bytes = fs::read(&clip)?;
        let begun = Instant::now();
        let video = Video::probe(&bytes, None, &VideoLimits::default())?;
        let (probed, info) = (begun.elapsed(), video.info().clone());
        for frame in video.frames(Sampling::Even(FRAMES), &ffmpeg)? {
            frame?;
        }
        let ours = begun.elapsed();
        let begun = Instant::now();
        let path = ffmpeg.path().ok_or("ffmpeg is absent")?;
        let words = ["-v", "error", "-threads", "1", "-i", &clip, "-map", "0:v:0", "-f", "null", "-"];
        let ended = Command::new(path).args(words).stdin(Stdio::null()).status()?;
        let theirs = begun.elapsed();
        let state = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = state.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?").trim();
        println!(
            "{clip}; {}; {}; {:.1}; {:.0}; {:.0}; {:.2}; {peak}{}",
            info.codec.name(),
            info.frames,
            probed.as_secs_f64() * 1e3,
            ours.as_secs_f64() * 1e3,
            theirs.as_secs_f64() * 1e3,
            ours.as_secs_f64() / theirs.as_secs_f64(),
            if ended.success() { "" } else { "; ffmpeg failed" },
        );
    }
    Ok(())
}
