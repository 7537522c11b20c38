//! Every shared clip: as many frames as ffprobe counts, shown when it says, and the same pictures.

use std::{num::NonZeroU32, time::Duration};

use lifesign_core::video::{Codec, Sampling, VideoLimits, probe};

use crate::support::{agree, clips, decode, program};

#[test]
fn every_clip_is_decoded_as_ffmpeg_does() {
    let name = "every_clip_is_decoded_as_ffmpeg_does";
    let (Some(clips), Some(ffmpeg)) = (clips(name), program(name)) else { return };
    let mut worst = f64::INFINITY;
    let mut beyond = 0;
    for clip in clips {
        let (info, psnr) = agree(&clip, &ffmpeg);
        println!("{}: {} {} frames, {psnr:.1} dB", clip.display(), info.codec.name(), info.frames);
        beyond += u32::from(info.codec == Codec::H264 && info.needs_ffmpeg);
        worst = worst.min(psnr);
    }
    assert!(worst >= 40.0, "{worst} dB");
    // The High 4:4:4 Predictive ones.
    assert_eq!(beyond, 3);
}

#[test]
fn sampled_frames_are_the_ones_of_the_whole() {
    let name = "sampled_frames_are_the_ones_of_the_whole";
    let (Some(clips), Some(ffmpeg)) = (clips(name), program(name)) else { return };
    for clip in
        clips.into_iter().filter(|clip| ["lp_d20.mp4", "apfol_live.webm"].iter().any(|name| clip.ends_with(name)))
    {
        let bytes = std::fs::read(&clip).unwrap();
        let all = decode(&bytes, Sampling::All, &ffmpeg).unwrap();
        let some = decode(&bytes, Sampling::Even(NonZeroU32::new(6).unwrap()), &ffmpeg).unwrap();
        assert_eq!(some.len(), 6);
        for frame in &some {
            let same = &all[frame.index as usize];
            assert_eq!((&frame.frame, frame.time), (&same.frame, same.time), "{} {}", clip.display(), frame.index);
        }
        let gaps: Vec<_> = some.windows(2).map(|pair| pair[1].time - pair[0].time).collect();
        let even = probe(&bytes, &VideoLimits::default()).unwrap().duration / 6;
        assert!(gaps.iter().all(|gap| gap.abs_diff(even) < Duration::from_millis(120)), "{gaps:?} for {even:?}");
    }
}

#[test]
fn the_presets_take_and_refuse_as_their_pages_say() {
    let Some(clips) = clips("the_presets_take_and_refuse_as_their_pages_say") else { return };
    for clip in clips {
        let bytes = std::fs::read(&clip).unwrap();
        let info = probe(&bytes, &VideoLimits::default()).unwrap();
        assert!(probe(&bytes, &VideoLimits::glair()).is_ok(), "{}: under 6 MB", clip.display());
        let (long, short) = (info.width.max(info.height), info.width.min(info.height));
        let seconds = info.duration.as_secs_f64();
        let fits = long >= 800 && short >= 600 && (5.0..=10.0).contains(&seconds);
        assert_eq!(probe(&bytes, &VideoLimits::fpt()).is_ok(), fits, "{}", clip.display());
    }
}
