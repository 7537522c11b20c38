//! Plans, and programs that do other than they should.

use std::{os::unix::fs::PermissionsExt as _, time::Instant};

use image::{ExtendedColorType, ImageEncoder as _, codecs::jpeg::JpegEncoder, codecs::png::PngEncoder};

use super::*;

fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let (mut out, rgb) = (Vec::new(), vec![90; (width * height * 3) as usize]);
    JpegEncoder::new(&mut out).write_image(&rgb, width, height, ExtendedColorType::Rgb8).unwrap();
    out
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let (mut out, rgb) = (Vec::new(), vec![90; (width * height * 3) as usize]);
    PngEncoder::new(&mut out).write_image(&rgb, width, height, ExtendedColorType::Rgb8).unwrap();
    out
}

fn stills<'a>(data: &'a [u8], times: &[u64]) -> Vec<Still<'a>> {
    times.iter().map(|&ms| Still { data, time: Duration::from_millis(ms) }).collect()
}

fn plan(stills: &[Still<'_>]) -> Result<Plan, EncodeError> {
    Plan::new(stills, &VideoLimits::default())
}

/// A program that lists libx264 and, as an encoder, does this.
fn script(words: &str) -> (tempfile::TempDir, Ffmpeg) {
    let list = r#"case "$*" in *-encoders*) echo " V....D libx264 libx264 H.264"; exit 0;; esac"#;
    all(&format!("{list}\n{words}"))
}

fn all(words: &str) -> (tempfile::TempDir, Ffmpeg) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ffmpeg");
    std::fs::write(&path, format!("#!/bin/sh\n{words}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (folder, Ffmpeg::At(path))
}

#[test]
fn a_picture_is_shown_until_the_next_one_and_the_last_as_long_as_the_others() {
    let jpeg = jpeg(33, 17);
    for (times, repeats) in [
        (&[0, 40, 80][..], &[1, 1, 1][..]),
        (&[5_000, 5_100, 5_400], &[3, 7, 5]),
        // A hundred a second: of four about one is shown.
        (&[0, 10, 20, 30, 40, 50, 60], &[0, 1, 0, 0, 0, 1, 0]),
        (&[0, 1], &[0, 1]),
        (&[0, 30_000], &[750, 750]),
    ] {
        let plan = plan(&stills(&jpeg, times)).unwrap();
        assert_eq!(plan.repeats, repeats, "{times:?}");
        assert_eq!((plan.size, plan.decoder), ((32, 16), "mjpeg"), "even sides");
    }
}

#[test]
fn pictures_that_make_no_video_are_told_apart() {
    let (large, other, file) = (jpeg(64, 48), jpeg(48, 64), png(64, 48));
    assert_eq!(plan(&stills(&file, &[0, 40])).unwrap().decoder, "png");
    assert_eq!(plan(&[]), Err(EncodeError::TooFew { actual: 0 }));
    assert_eq!(plan(&stills(&large, &[7])), Err(EncodeError::TooFew { actual: 1 }));
    assert_eq!(plan(&stills(&large, &[0, 40, 40])), Err(EncodeError::NotAscending { index: 2 }));
    assert_eq!(plan(&stills(&large, &[50, 40, 60])), Err(EncodeError::NotAscending { index: 1 }));
    let (limit, actual) = (Duration::from_secs(60), Duration::from_secs(62));
    assert_eq!(plan(&stills(&large, &[0, 31_000])), Err(EncodeError::TooLong { limit, actual }));
    for (data, words) in [(&other, "image/jpeg of 48x64"), (&file, "image/png of 64x48")] {
        let mut mixed = stills(&large, &[0, 40, 80]);
        mixed[1].data = data;
        let error = plan(&mixed).unwrap_err();
        let first = "the pictures are of several kinds: the first is image/jpeg of 64x48, picture 1 is ";
        assert_eq!(error.to_string(), format!("{first}{words}"));
    }
    for rubbish in [&b"nothing"[..], b"", b"RIFF\x04\0\0\0WEBP", &large[..20]] {
        assert_eq!(plan(&stills(rubbish, &[0, 40])), Err(EncodeError::NotAPicture { index: 0 }));
    }
    assert!(matches!(plan(&stills(&jpeg(64, 9), &[0, 40])), Err(EncodeError::Size(_))));
}

#[test]
fn a_picture_is_written_as_often_as_it_is_shown_however_little_fits() {
    use super::super::run::Feed as _;

    struct Drip(Vec<u8>);
    impl std::io::Write for Drip {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let count = bytes.len().min(7);
            self.0.extend(&bytes[..count]);
            Ok(count)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let plan = Plan { repeats: vec![0, 2, 0, 1], decoder: "mjpeg", size: (16, 16) };
    let data = [b"first".as_slice(), b"the second", b"third", b"4"];
    let stills = data.map(|data| Still { data, time: Duration::ZERO });
    let (mut pictures, mut drip) = (plan.pictures(&stills), Drip(Vec::new()));
    while pictures.write(&mut drip).unwrap() {}
    assert_eq!(drip.0, b"the secondthe second4");
    assert!(!Pictures::none().write(&mut drip).unwrap());
}

#[test]
fn a_software_encoder_is_looked_for_by_its_whole_name() {
    for (list, found) in [
        (" V....D libopenh264          OpenH264\n V....D libx264   H.264 (codec h264)", Some("libx264")),
        (" V....D libopenh264          OpenH264 H.264 (codec h264)", Some("libopenh264")),
        (" V....D libx264rgb           libx264 H.264 RGB\n V....D h264_nvenc  NVENC libx264", None),
        ("", None),
    ] {
        assert_eq!(encoder(list), found, "{list}");
    }
}

#[test]
fn nothing_but_pipes_and_one_decoder_is_allowed() {
    let jpeg = jpeg(65, 48);
    let plan = plan(&stills(&jpeg, &[0, 40])).unwrap();
    let words = arguments(&plan, "libx264", 1000).join(" ");
    for part in [
        "-protocol_whitelist pipe -format_whitelist image2pipe -codec_whitelist mjpeg -max_pixels 1000",
        "-f image2pipe -framerate 25 -c:v mjpeg -i pipe:0",
        "-vf crop=64:48:0:0,scale=out_color_matrix=bt601:out_range=tv,format=yuv420p",
        "-c:v libx264 -threads 1 -bf 0 -g 25 -preset veryfast -crf 18 -maxrate 4M",
        "-movflags frag_keyframe+empty_moov+default_base_moof -f mp4 pipe:1",
    ] {
        assert!(words.contains(part), "{words}");
    }
    assert!(
        arguments(&plan, "libopenh264", 1000).join(" ").contains("-c:v libopenh264 -threads 1 -bf 0 -g 25 -b:v 4M")
    );
}

#[test]
fn a_program_that_is_absent_or_has_no_encoder_is_named() {
    let jpeg = jpeg(64, 48);
    let make = |ffmpeg: &Ffmpeg| make_clip(&stills(&jpeg, &[0, 40]), ffmpeg);
    for (ffmpeg, why) in [
        (Ffmpeg::off(), "is switched off"),
        (Ffmpeg::search(None), "is not installed"),
        (Ffmpeg::At("/nowhere/ffmpeg".into()), "does not start"),
    ] {
        let error = make(&ffmpeg).unwrap_err();
        assert!(matches!(&error, EncodeError::NoProgram { .. }) && error.to_string().contains(why), "{error}");
    }
    let (_folder, bare) = all("echo ' V....D mpeg4  MPEG-4'");
    assert_eq!(make(&bare), Err(EncodeError::NoEncoder));
    let (_folder, broken) = all("exit 3");
    assert!(matches!(make(&broken), Err(EncodeError::Failed { .. })));
}

#[test]
fn a_program_that_hangs_is_killed_in_time() {
    let jpeg = jpeg(64, 48);
    let limit = Duration::from_millis(400);
    // The second reads everything and says nothing; the third asks for nothing and is not even listing its encoders.
    for (_folder, hangs) in [script("exec sleep 60"), script("cat >/dev/null; exec sleep 60"), all("exec sleep 60")] {
        let begun = Instant::now();
        let made = make_within(&stills(&jpeg, &[0, 30_000]), &hangs, limit, &VideoLimits::default());
        assert_eq!(made, Err(EncodeError::TooSlow { limit }));
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}

#[test]
fn what_is_no_video_is_not_handed_on() {
    let jpeg = jpeg(64, 48);
    for words in ["exit 0", "exit 3", "kill -9 $$", "head -c 5000 /dev/zero", "cat"] {
        let (_folder, broken) = script(words);
        let made = make_clip(&stills(&jpeg, &[0, 40]), &broken);
        assert!(matches!(made, Err(EncodeError::Failed { .. })), "{words}: {made:?}");
    }
    let (_folder, endless) = script("exec cat /dev/zero");
    let limit = VideoLimits::default().max_bytes;
    assert_eq!(make_clip(&stills(&jpeg, &[0, 40]), &endless), Err(EncodeError::TooManyBytes { limit }));
}
