//! Clips made for the purpose: each container and codec, B-frames, variable rates, fragments, edits, turns.

use std::{path::Path, time::Duration};

use lifesign_core::{
    frame::{Frame, FrameLimits, PixelFormat, RawLayout, Rotation},
    video::{Codec, Container, Ffmpeg, Sampling, Video, VideoError, VideoLimits, probe},
};

use crate::support::{agree, decode, file, make, program};

/// Two seconds of H.264 with B-frames, and a tone.
pub(crate) const SOURCE: &str = "-f lavfi -i testsrc2=s=176x144:r=25:d=2 -f lavfi -i sine=d=2";
pub(crate) const X264: &str = "-c:v libx264 -pix_fmt yuv420p -bf 3 -g 20 -c:a aac";

fn h264(name: &str, options: &str) -> Vec<u8> {
    make(name, &format!("{SOURCE} {X264} {options}"))
}

/// Our frames are ffmpeg's.
fn same(name: &str, bytes: &[u8], ffmpeg: &Ffmpeg) -> lifesign_core::video::VideoInfo {
    let file = file(bytes);
    let (info, psnr) = agree(file.path(), ffmpeg);
    assert!(psnr >= 40.0, "{name}: {psnr} dB");
    info
}

#[test]
fn every_container_of_h264_is_read() {
    let Some(ffmpeg) = program("every_container_of_h264_is_read") else { return };
    for (name, options, container) in [
        ("index_last.mp4", "", Container::Mp4),
        ("index_first.mp4", "-movflags faststart", Container::Mp4),
        ("fragments.mp4", "-movflags frag_keyframe+empty_moov+default_base_moof", Container::Mp4),
        ("fragments_old.mp4", "-movflags frag_keyframe", Container::Mp4),
        ("every_frame.mp4", "-movflags frag_every_frame+empty_moov+default_base_moof", Container::Mp4),
        ("plain.mov", "", Container::QuickTime),
        ("plain.mkv", "", Container::Matroska),
        // As a browser records: no lengths, no index, no duration.
        ("live.mkv", "-f matroska -live 1", Container::Matroska),
    ] {
        let bytes = h264(name, options);
        let info = same(name, &bytes, &ffmpeg);
        assert_eq!((info.container, info.frames, info.needs_ffmpeg), (container, 50, false), "{name}");
        assert_eq!((info.width, info.height, info.codec), (176, 144, Codec::H264), "{name}");
        assert!(
            info.duration.abs_diff(Duration::from_secs(2)) < Duration::from_millis(45),
            "{name}: {:?}",
            info.duration
        );
    }
}

#[test]
fn other_codecs_go_to_the_program() {
    let Some(ffmpeg) = program("other_codecs_go_to_the_program") else { return };
    for (name, options, codec) in [
        ("vp8.webm", "-c:v libvpx -deadline realtime -auto-alt-ref 1 -lag-in-frames 16 -an", Codec::Vp8),
        ("vp9.webm", "-c:v libvpx-vp9 -deadline realtime -lag-in-frames 16 -an", Codec::Vp9),
        ("vp9.mp4", "-c:v libvpx-vp9 -deadline realtime -an", Codec::Vp9),
        ("hevc.mp4", "-c:v libx265 -x265-params log-level=none -preset ultrafast -tag:v hvc1 -an", Codec::Hevc),
        ("hevc.mkv", "-c:v libx265 -x265-params log-level=none -preset ultrafast -an", Codec::Hevc),
        ("h264_444.mp4", "-c:v libx264 -pix_fmt yuv444p -an", Codec::H264),
        ("h264_10.mkv", "-c:v libx264 -pix_fmt yuv420p10le -an", Codec::H264),
        ("interlaced.mp4", "-c:v libx264 -pix_fmt yuv420p -flags +ilme+ildct -an", Codec::H264),
    ] {
        let bytes = make(name, &format!("{SOURCE} {options}"));
        let info = same(name, &bytes, &ffmpeg);
        assert_eq!((info.codec, info.needs_ffmpeg, info.frames), (codec, true, 50), "{name}");
    }
}

#[test]
fn colours_are_those_that_the_stream_declares() {
    let Some(ffmpeg) = program("colours_are_those_that_the_stream_declares") else { return };
    for (name, options) in [
        ("bt709.mp4", "-vf scale=out_color_matrix=bt709 -colorspace bt709"),
        ("full.mp4", "-vf scale=out_range=full -color_range pc"),
    ] {
        same(name, &h264(name, &format!("{options} -an")), &ffmpeg);
    }
}

#[test]
fn a_variable_rate_keeps_its_times() {
    let Some(ffmpeg) = program("a_variable_rate_keeps_its_times") else { return };
    for name in ["variable.mp4", "variable.mkv"] {
        let bytes = h264(name, "-vf select=lt(n\\,12)+not(mod(n\\,9)) -fps_mode vfr -an");
        let info = same(name, &bytes, &ffmpeg);
        assert_eq!(info.frames, 16, "{name}");
        let frames = decode(&bytes, Sampling::All, &ffmpeg).unwrap();
        let gaps: Vec<_> = frames.windows(2).map(|pair| (pair[1].time - pair[0].time).as_millis()).collect();
        assert_eq!((gaps[0], gaps[14]), (40, 360), "{name}: {gaps:?}");
    }
}

#[test]
fn an_edit_list_cuts_what_is_not_shown() {
    let Some(ffmpeg) = program("an_edit_list_cuts_what_is_not_shown") else { return };
    let whole = file(&h264("index_last.mp4", ""));
    // Copied from half a second on: the frames since the key frame before are in the file and hidden.
    let cut = make("edited.mp4", &format!("-ss 0.5 -i {} -map 0:v -c copy", whole.path().display()));
    let info = same("edited.mp4", &cut, &ffmpeg);
    assert!(info.frames < 50 && info.frames >= 36, "{}", info.frames);
}

/// Turns by the header's matrix are applied: the frames are those of the same clip without it, turned.
#[test]
fn turns_are_applied() {
    let Some(ffmpeg) = program("turns_are_applied") else { return };
    for (name, options, decoder) in [
        ("index_last.mp4", format!("{SOURCE} {X264}"), &Ffmpeg::off()),
        ("vp9.mp4", format!("{SOURCE} -c:v libvpx-vp9 -deadline realtime -an"), &ffmpeg),
    ] {
        let plain = make(name, &options);
        let upright = decode(&plain, Sampling::All, decoder).unwrap();
        for (rotation, [a, b, c, d]) in
            [(Rotation::Deg90, [0, 1, -1, 0]), (Rotation::Deg180, [-1, 0, 0, -1]), (Rotation::Deg270, [0, -1, 1, 0])]
        {
            let mut turned = plain.clone();
            let track = turned.windows(4).position(|window| window == b"tkhd").unwrap();
            // Version and flags, five words, two of nothing, then layer, group, volume: 40 bytes (version 0).
            let matrix = track + 4 + 40;
            for (at, sign) in [(0, a), (4, b), (12, c), (16, d)] {
                turned[matrix + at..matrix + at + 4].copy_from_slice(&(sign * (1_i32 << 16)).to_be_bytes());
            }
            // ffmpeg turns by the same matrix of its own accord.
            same(name, &turned, decoder);
            let frames = decode(&turned, Sampling::All, decoder).unwrap();
            let info = probe(&turned, &VideoLimits::default()).unwrap();
            assert_eq!((info.width, info.height), (frames[0].frame.width(), frames[0].frame.height()));
            for (frame, plain) in frames.iter().zip(&upright) {
                assert_eq!(frame.frame, turn(&plain.frame, rotation), "{name} {rotation:?} {}", frame.index);
            }
        }
        let mut skewed = plain.clone();
        let track = skewed.windows(4).position(|window| window == b"tkhd").unwrap();
        skewed[track + 44 + 4..track + 44 + 8].copy_from_slice(&(1_i32 << 16).to_be_bytes());
        assert!(matches!(probe(&skewed, &VideoLimits::default()), Err(VideoError::Unsupported { .. })));
    }
}

fn turn(frame: &Frame, rotation: Rotation) -> Frame {
    let (width, height) = (frame.width(), frame.height());
    let layout = RawLayout { format: PixelFormat::Rgb8, width, height, stride: 0, rotation, mirrored: false };
    Frame::from_raw(frame.rgb(), &layout, &FrameLimits::default()).unwrap()
}

#[test]
fn a_file_without_pictures_has_no_video_track() {
    if program("a_file_without_pictures_has_no_video_track").is_none() {
        return;
    }
    for (name, options) in
        [("tone.mp4", "-vn -c:a aac"), ("tone.webm", "-vn -c:a libopus"), ("tone.mkv", "-vn -c:a aac")]
    {
        let bytes = make(name, &format!("{SOURCE} {options}"));
        assert!(matches!(probe(&bytes, &VideoLimits::default()), Err(VideoError::NoVideoTrack { .. })), "{name}");
    }
}

#[test]
fn a_codec_that_nobody_decodes_is_named() {
    let Some(ffmpeg) = program("a_codec_that_nobody_decodes_is_named") else { return };
    for (name, codec) in [("mpeg4.mp4", "mp4v"), ("mpeg4.mkv", "V_MPEG4/ISO/ASP")] {
        let bytes = make(name, &format!("{SOURCE} -c:v mpeg4 -an"));
        let error = decode(&bytes, Sampling::All, &ffmpeg).unwrap_err().to_string();
        assert!(error.contains(codec) && error.contains("send H.264"), "{error}");
    }
}

/// Ten minutes of 4K: refused by the header, whichever limit is looked at, and at once.
#[test]
fn ten_minutes_of_4k_are_refused_at_once() {
    if program("ten_minutes_of_4k_are_refused_at_once").is_none() {
        return;
    }
    for name in ["long.mp4", "long.mkv"] {
        let bytes =
            make(name, "-f lavfi -i color=s=3840x2160:r=1/60:d=600 -c:v libx264 -preset ultrafast -pix_fmt yuv420p");
        let begun = std::time::Instant::now();
        let refused = probe(&bytes, &VideoLimits::default());
        assert!(matches!(refused, Err(VideoError::TooLong { .. })), "{name}: {refused:?}");
        // The first bytes are enough where the header comes first.
        if name.ends_with("mkv") {
            assert!(matches!(probe(&bytes[..4096], &VideoLimits::default()), Err(VideoError::TooLong { .. })));
        }
        let limits = VideoLimits { max_duration_ms: 3_600_000, max_pixels: 1920 * 1080, ..VideoLimits::default() };
        assert!(matches!(probe(&bytes, &limits), Err(VideoError::TooManyPixels { .. })), "{name}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{name}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_declared_type_is_checked() {
    if program("a_declared_type_is_checked").is_none() {
        return;
    }
    let bytes = h264("plain.mov", "");
    let limits = VideoLimits::default();
    assert!(Video::probe(&bytes, Some(Container::Mp4), &limits).is_ok());
    assert_eq!(
        Video::probe(&bytes, Some(Container::WebM), &limits).err(),
        Some(VideoError::MediaTypeMismatch { declared: "video/webm", actual: "video/quicktime" })
    );
    assert!(!Path::new("plain.mov").exists(), "clips are made in a folder of their own");
}
