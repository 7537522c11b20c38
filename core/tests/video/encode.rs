//! Videos made of pictures: their times, sizes and colours, and what cannot become one.

use std::time::{Duration, Instant};

use image::{ExtendedColorType, ImageEncoder as _, codecs::jpeg::JpegEncoder, codecs::png::PngEncoder};
use lifesign_core::video::{
    Codec, Container, EncodeError, Ffmpeg, Made, Sampling, Still, VideoLimits, make_clip, probe,
};

use crate::support::{decode, file, program, run};

const FRAME: Duration = Duration::from_millis(40);

/// The colour of the picture with this number: no two neighbours are alike.
fn colour(index: usize) -> [u8; 3] {
    [(40 + index * 37 % 180) as u8, (60 + index * 71 % 150) as u8, (50 + index * 53 % 170) as u8]
}

fn rgb(index: usize, width: u32, height: u32) -> Vec<u8> {
    colour(index).repeat((width * height) as usize)
}

fn jpeg(index: usize, width: u32, height: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut out, 95);
    encoder.write_image(&rgb(index, width, height), width, height, ExtendedColorType::Rgb8).unwrap();
    out
}

fn png(index: usize, width: u32, height: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let encoder = PngEncoder::new(&mut out);
    encoder.write_image(&rgb(index, width, height), width, height, ExtendedColorType::Rgb8).unwrap();
    out
}

/// Forty times over six seconds, no two distances alike, beginning well after zero.
fn uneven() -> Vec<Duration> {
    let steps = (0..39_u64).map(|index| 60 + index * 67 % 181);
    let sum: u64 = steps.clone().sum();
    let mut at = 0;
    let offsets: Vec<u64> = std::iter::once(0)
        .chain(steps.map(|step| {
            at += step;
            at
        }))
        .collect();
    offsets.into_iter().map(|at| Duration::from_millis(7_777 + at * 6_000 / sum)).collect()
}

fn make(files: &[Vec<u8>], times: &[Duration], ffmpeg: &Ffmpeg) -> Result<Made, EncodeError> {
    let stills: Vec<_> = files.iter().zip(times).map(|(data, &time)| Still { data, time }).collect();
    make_clip(&stills, ffmpeg)
}

fn mean(rgb: &[u8]) -> [f64; 3] {
    let count = (rgb.len() / 3) as f64;
    [0, 1, 2].map(|channel| rgb.iter().skip(channel).step_by(3).map(|&value| f64::from(value)).sum::<f64>() / count)
}

fn near(rgb: &[u8], index: usize) -> bool {
    mean(rgb).iter().zip(colour(index)).all(|(mean, expected)| (mean - f64::from(expected)).abs() < 6.0)
}

/// Which picture is to be seen in the frame that is shown at this time: the last that was taken before the frame's middle, since
/// the times are kept to the nearest frame.
fn shown(times: &[Duration], frame: Duration) -> usize {
    times.iter().rposition(|&time| time - times[0] < frame + FRAME / 2).unwrap()
}

#[test]
fn pictures_are_shown_when_they_were_taken() {
    let Some(ffmpeg) = program("pictures_are_shown_when_they_were_taken") else { return };
    let times = uneven();
    let files: Vec<_> = (0..times.len()).map(|index| jpeg(index, 320, 240)).collect();
    let made = make(&files, &times, &ffmpeg).unwrap();

    let info = probe(&made.data, &VideoLimits::default()).unwrap();
    assert_eq!((info.container, info.codec, info.needs_ffmpeg), (Container::Mp4, Codec::H264, false));
    assert_eq!(((info.width, info.height), made.size), ((320, 240), (320, 240)));
    let mean_interval = Duration::from_secs(6) / 39;
    let expected = Duration::from_secs(6) + mean_interval;
    assert!(made.duration.abs_diff(expected) <= FRAME, "{:?}", made.duration);
    assert_eq!((info.duration, info.frames), (made.duration, (made.duration.as_millis() / 40) as u64));

    // By our decoder and by ffmpeg, which may differ in what they take the colours for.
    let frames = decode(&made.data, Sampling::All, &Ffmpeg::off()).unwrap();
    assert_eq!((frames.len() as u64, frames[0].time), (info.frames, Duration::ZERO));
    let path = file(&made.data);
    let words = ["-v", "error", "-i", path.path().to_str().unwrap(), "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"];
    let theirs = run("ffmpeg", &words);
    assert_eq!(theirs.len(), frames.len() * 320 * 240 * 3);
    let mut seen = std::collections::BTreeSet::new();
    for (frame, theirs) in frames.iter().zip(theirs.chunks(320 * 240 * 3)) {
        let index = shown(&times, frame.time);
        for rgb in [frame.frame.rgb(), theirs] {
            assert!(near(rgb, index), "frame {}: {:?} is not picture {index}", frame.index, mean(rgb));
        }
        seen.insert(index);
    }
    assert_eq!(seen.len(), times.len(), "every picture is there");
}

#[test]
fn ffprobe_reads_the_duration_and_the_rate() {
    let Some(ffmpeg) = program("ffprobe_reads_the_duration_and_the_rate") else { return };
    let times = uneven();
    let files: Vec<_> = (0..times.len()).map(|index| jpeg(index, 160, 120)).collect();
    let made = make(&files, &times, &ffmpeg).unwrap();
    let path = file(&made.data);
    let ask = |entry: &str| {
        let words = ["-v", "error", "-show_entries", entry, "-of", "default=nokey=1:noprint_wrappers=1"];
        let told = run("ffprobe", &[&words[..], &[path.path().to_str().unwrap()]].concat());
        String::from_utf8(told).unwrap().trim().to_owned()
    };
    let seconds: f64 = ask("format=duration").parse().unwrap();
    assert!((seconds - made.duration.as_secs_f64()).abs() < 0.001, "{seconds}");
    assert_eq!(ask("stream=codec_name,pix_fmt,avg_frame_rate"), "h264\nyuv420p\n25/1");
    assert_eq!(ask("stream_tags=encoder,creation_time").lines().count(), 1, "nothing but the encoder's name");
}

#[test]
fn odd_sizes_lose_their_last_line() {
    let Some(ffmpeg) = program("odd_sizes_lose_their_last_line") else { return };
    let times = [0, 100, 200].map(Duration::from_millis);
    for kind in [jpeg, png] {
        for (given, made_of) in [((161, 121), (160, 120)), ((160, 121), (160, 120)), ((33, 64), (32, 64))] {
            let files: Vec<_> = (0..3).map(|index| kind(index, given.0, given.1)).collect();
            let made = make(&files, &times, &ffmpeg).unwrap();
            assert_eq!((made.size, made.duration), (made_of, Duration::from_millis(320)), "{given:?}");
            let frames = decode(&made.data, Sampling::All, &Ffmpeg::off()).unwrap();
            assert_eq!((frames[0].frame.width(), frames[0].frame.height()), made_of);
            for frame in frames {
                let rgb = frame.frame.rgb();
                let index = shown(&times, frame.time);
                assert!(near(rgb, index), "{given:?} frame {}: {:?}", frame.index, mean(rgb));
                let last = &rgb[rgb.len() - made_of.0 as usize * 3..];
                assert!(near(last, index), "{given:?}: the last row is of the picture, not a line of padding");
            }
        }
    }
}

/// Ten seconds, the longest that a vendor takes, of what compresses worst stay within the 6 MB that GLAIR takes.
#[test]
fn ten_seconds_of_noise_are_bounded() {
    let Some(ffmpeg) = program("ten_seconds_of_noise_are_bounded") else { return };
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let files: Vec<_> = (0..100)
        .map(|_| {
            let (mut out, rgb) = (Vec::new(), (0..320 * 240 * 3).map(|_| noise()).collect::<Vec<_>>());
            JpegEncoder::new_with_quality(&mut out, 95).write_image(&rgb, 320, 240, ExtendedColorType::Rgb8).unwrap();
            out
        })
        .collect();
    let times: Vec<_> = (0..100).map(|index| Duration::from_millis(index * 100)).collect();
    let made = make(&files, &times, &ffmpeg).unwrap();
    assert_eq!(made.duration, Duration::from_secs(10));
    assert!(made.data.len() < 6_000_000, "{}", made.data.len());
}

#[test]
fn rubbish_behind_a_good_header_is_an_error_at_once() {
    let Some(ffmpeg) = program("rubbish_behind_a_good_header_is_an_error_at_once") else { return };
    let times: Vec<_> = (0..10).map(|index| Duration::from_millis(index * 100)).collect();
    let good: Vec<_> = (0..10).map(|index| jpeg(index, 320, 240)).collect();
    let begun = Instant::now();
    for (what, spoil) in [
        ("cut after the header", (|data: &mut Vec<u8>| data.truncate(700)) as fn(&mut Vec<u8>)),
        ("two in one", |data| data.extend(data.clone())),
        ("a third that is another's size", |data| data.extend(jpeg(1, 64, 48))),
    ] {
        let mut files = good.clone();
        spoil(&mut files[4]);
        let made = make(&files, &times, &ffmpeg);
        assert!(matches!(made, Err(EncodeError::Failed { .. })), "{what}: {made:?}");
    }
    let rubbish: Vec<_> = good.iter().map(|data| [&data[..630], &[0x5A; 4_000][..]].concat()).collect();
    let made = make(&rubbish, &times, &ffmpeg);
    assert!(made.is_err(), "{made:?}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    // Some cameras leave a few bytes after the end of a picture; that is no damage.
    let padded: Vec<_> = good.iter().map(|data| [&data[..], &[0; 64]].concat()).collect();
    assert_eq!(make(&padded, &times, &ffmpeg).unwrap().duration, Duration::from_secs(1));
}
