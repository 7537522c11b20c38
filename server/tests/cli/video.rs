//! `lifesign check` on videos, with a reference image, and with a plot.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde_json::Value;

use crate::support::{ATTACK, LIVE, User, lines, samples, stderr, stdout};

/// Clips of a second and a few kilobytes; see the README beside them.
fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../core/tests/video_fixtures")).join(name)).unwrap()
}

/// Whether the ffmpeg program is there; where it is not the test `name` is skipped, and says so.
fn ffmpeg(name: &str) -> bool {
    let found = lifesign_core::video::Ffmpeg::find().path().is_some();
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{name}: ffmpeg is absent");
        eprintln!("SKIPPED {name}: ffmpeg is absent");
    }
    found
}

/// A clip of one picture.
fn still(user: &User, picture: &Path, seconds: u32, name: &str) {
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-loop", "1", "-i"])
        .arg(picture)
        .args(["-t", &seconds.to_string(), "-r", "10", "-vf", "scale=640:-2", "-pix_fmt", "yuv420p"])
        .arg(user.path(name))
        .status()
        .unwrap();
    assert!(made.success(), "ffmpeg makes {name}");
}

fn check<'a>(line: &'a Value, id: &str) -> &'a Value {
    let checks = line["verdict"]["checks"].as_array().unwrap_or_else(|| panic!("{line}"));
    checks.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no {id} in {line}"))
}

/// The shared models as a pack, as `--pack` takes it; `None` where the test `name` is to be skipped.
fn open_pack(user: &User, name: &str) -> Option<String> {
    let shared = lifesign_core::testing::shared(name)?;
    let folder = user.path("open-pack");
    fs::create_dir_all(&folder).unwrap();
    lifesign_core::testing::open_pack(&shared, &folder).unwrap();
    Some(folder.to_str().unwrap().to_owned())
}

#[test]
fn a_video_is_told_by_its_bytes_and_judged_with_a_timeline() {
    let user = User::new();
    // The names lie or say nothing.
    for (fixture_name, name) in [("h264_aac.mp4", "clip.jpg"), ("live.mkv", "clip"), ("turned.mov", "clip.mp4")] {
        user.file(name, fixture(fixture_name));
        let output = user.check([name]);
        let line = &lines(&output)[0];
        let timeline = line["verdict"]["timeline"].as_array().unwrap_or_else(|| panic!("{line}"));
        assert_eq!(timeline.len(), 5, "{name}: {line}");
        assert_eq!(line["verdict"]["frames"]["received"], 5, "{name}: {line}");
        for (index, frame) in timeline.iter().enumerate() {
            // Zero is left out where it means zero: proto3 JSON.
            let number = frame.get("frameIndex").map_or("0", |number| number.as_str().unwrap());
            assert_eq!(number, index.to_string(), "{name}: {frame}");
            assert!(frame["captureTime"].is_string(), "{name}: {frame}");
            // The tiny detector takes so small a picture for a nearly black one.
            assert_eq!(frame["state"], "FRAME_STATE_NO_FACE", "{name}: {frame}");
        }
    }
    // And a picture stays one, whatever its name.
    user.grey(LIVE, "grey.png");
    user.file("picture.mp4", fs::read(user.path("grey.png")).unwrap());
    assert_eq!(user.check(["picture.mp4"]).status.code(), Some(0));
}

#[test]
fn a_video_is_accepted_or_rejected() {
    if !ffmpeg("a_video_is_accepted_or_rejected") {
        return;
    }
    let user = User::new();
    for (level, decision, status) in [(LIVE, "DECISION_ACCEPT", 0), (ATTACK, "DECISION_REJECT", 1)] {
        let picture = user.grey(level, "grey.png");
        let name = format!("{level}.mp4");
        still(&user, &picture, 4, &name);
        let output = user.check([&name]);
        assert_eq!(output.status.code(), Some(status), "{}", stdout(&output));
        let line = &lines(&output)[0];
        assert_eq!(line["verdict"]["decision"], decision, "{line}");
        // Five a second.
        let timeline = line["verdict"]["timeline"].as_array().unwrap();
        assert_eq!(timeline.len(), 20, "{line}");
        for frame in timeline {
            assert_eq!(frame["state"], "FRAME_STATE_JUDGED", "{frame}");
            assert!(frame["scores"]["PresentationAttack"].is_number(), "{frame}");
        }
    }
}

#[test]
fn a_folder_is_searched_for_videos_too() {
    let user = User::new();
    for (name, of) in [("a.MP4", "h264_aac.mp4"), ("b/b.mov", "turned.mov"), ("c.mkv", "opus.mkv")] {
        user.file(&format!("clips/{name}"), fixture(of));
    }
    user.grey(LIVE, "clips/d.png");
    user.file("clips/notes.txt", "no clip");
    let output = user.check(["clips"]);
    let files: Vec<String> = lines(&output).iter().map(|line| line["file"].as_str().unwrap().to_owned()).collect();
    assert_eq!(files, ["clips/a.MP4", "clips/b/b.mov", "clips/c.mkv", "clips/d.png"], "{}", stderr(&output));
}

#[test]
fn a_bad_video_is_an_error_that_says_what_is_wrong() {
    let user = User::new();
    user.file("empty.mp4", b"");
    user.file("garbage.mp4", "this is no video, whatever its name says");
    let whole = fixture("h264_aac.mp4");
    let header_first = fixture("turned.mov");
    user.file("cut.mov", &header_first[..header_first.len() - 100]);
    user.file("cut.mp4", &whole[..whole.len() / 2]);
    let path = user.path("large.mp4");
    // A sparse file: it has a size and little to read.
    fs::write(&path, &whole).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(60_000_000_000).unwrap();
    let output = user.check(["empty.mp4", "garbage.mp4", "cut.mov", "cut.mp4", "large.mp4", "missing.mp4"]);
    assert_eq!(output.status.code(), Some(2));
    let lines = lines(&output);
    let codes: Vec<_> = lines.iter().map(|line| line["error"]["code"].as_str().unwrap_or_default()).collect();
    let expected = ["MEDIA_EMPTY", "MEDIA_FORMAT_UNKNOWN", "VIDEO_TRUNCATED", "MEDIA_UNDECODABLE", "MEDIA_TOO_LARGE"];
    assert_eq!(codes[..5], expected, "{}", stdout(&output));
    assert_eq!(codes[5], "FILE_UNREADABLE");
    let message = |index: usize| lines[index]["error"]["message"].as_str().unwrap();
    assert!(message(0).contains("the video is empty"), "{}", message(0));
    assert!(message(1).contains("video/mp4"), "{}", message(1));
    assert!(message(3).contains("cut off"), "{}", message(3));
    assert!(message(4).contains("60000000000"), "{}", message(4));
}

#[test]
fn limits_come_from_the_configuration() {
    let user = User::new();
    user.file("clip.mp4", fixture("h264_aac.mp4"));
    let run = |name: &str, value: &str| {
        let pack = user.pack();
        let mut command = user.lifesign(["check", "--json", "clip.mp4", "--onnxruntime", "off", "--pack"]);
        let output = command.arg(pack).env(name, value).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {}{}", stdout(&output), stderr(&output));
        lines(&output)[0]["error"].clone()
    };
    let long = run("LIFESIGN_VIDEO__LIMITS__MAX_DURATION_MS", "500");
    assert_eq!(long["code"], "VIDEO_TOO_LONG");
    assert!(long["message"].as_str().unwrap().contains("1.000 s; the limit is 0.500 s"), "{long}");
    assert_eq!(run("LIFESIGN_VIDEO__LIMITS__MAX_BYTES", "100")["code"], "MEDIA_TOO_LARGE");
    assert_eq!(run("LIFESIGN_VIDEO__PRESET", "fpt")["code"], "VIDEO_TOO_SMALL");
}

#[test]
fn without_ffmpeg_the_codec_and_the_remedy_are_named() {
    let user = User::new();
    user.file("clip.webm", fixture("vp9.webm"));
    let pack = user.pack();
    let mut command = user.lifesign(["check", "--json", "clip.webm", "--onnxruntime", "off", "--pack"]);
    let output = command.arg(pack).env("LIFESIGN_VIDEO__FFMPEG", "off").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = &lines(&output)[0]["error"];
    assert_eq!(error["code"], "VIDEO_CODEC_UNSUPPORTED");
    for expected in ["VP9", "is switched off", "install ffmpeg", "H.264"] {
        assert!(error["message"].as_str().unwrap().contains(expected), "{expected} in {error}");
    }
}

#[test]
fn with_ffmpeg_other_codecs_are_judged() {
    if !ffmpeg("with_ffmpeg_other_codecs_are_judged") {
        return;
    }
    let user = User::new();
    for name in ["vp8.webm", "vp9.webm", "vp9.mp4", "hevc.mp4"] {
        user.file(name, fixture(name));
        let output = user.check([name]);
        assert_eq!(lines(&output)[0]["verdict"]["timeline"].as_array().map(Vec::len), Some(5), "{}", stdout(&output));
    }
}

#[test]
fn a_video_of_one_photograph_is_rejected_as_a_still_image() {
    if !ffmpeg("a_video_of_one_photograph_is_rejected_as_a_still_image") {
        return;
    }
    let user = User::new();
    still(&user, &samples().join("astronaut.jpg"), 4, "still.mp4");
    let output = user.run(["check", "--json", "still.mp4", "--onnxruntime", "off", "--plot", "out.svg"]);
    assert_eq!(output.status.code(), Some(1), "{}{}", stdout(&output), stderr(&output));
    let line = &lines(&output)[0];
    assert_eq!(line["verdict"]["decision"], "DECISION_REJECT", "{line}");
    assert_eq!(check(line, "StillImage")["state"], "CHECK_STATE_FAILED", "{line}");
    assert_eq!(check(line, "PresentationAttack")["state"], "CHECK_STATE_PASSED", "the portrait itself passes: {line}");
    plot_agrees(&user, "out.svg", line);
}

#[test]
fn live_clips_are_accepted_and_replays_rejected_on_the_open_pack() {
    let user = User::new();
    let name = "live_clips_are_accepted_and_replays_rejected_on_the_open_pack";
    let Some(shared) = lifesign_core::testing::shared(name).filter(|_| ffmpeg(name)) else { return };
    let Some(pack) = open_pack(&user, name) else { return };
    for (clip, decision) in [
        ("tran_live.mp4", "DECISION_ACCEPT"),
        ("apfol_live.webm", "DECISION_ACCEPT"),
        ("tran_replay.mp4", "DECISION_REJECT"),
        ("apfol_replay.webm", "DECISION_REJECT"),
        ("mani_replay.mp4", "DECISION_REJECT"),
    ] {
        let path = shared.join("media/video").join(clip);
        let plot = format!("{clip}.svg");
        let mut command = user.lifesign(["check", "--json", "--pack", &pack, "--onnxruntime", "off", "--plot", &plot]);
        let output = command.arg(path).output().unwrap();
        let line = &lines(&output)[0];
        assert_eq!(line["verdict"]["decision"], decision, "{clip}: {}", line["verdict"]["diagnostics"]);
        plot_agrees(&user, &plot, line);
    }
}

#[test]
fn a_reference_decides_who_it_is() {
    let user = User::new();
    let Some(shared) = lifesign_core::testing::shared("a_reference_decides_who_it_is") else { return };
    let Some(pack) = open_pack(&user, "a_reference_decides_who_it_is") else { return };
    let portrait = |name: &str| shared.join("media/portrait").join(name).to_str().unwrap().to_owned();
    let compare = |image: &str, reference: &str| {
        let (image, reference) = (portrait(image), portrait(reference));
        let words = ["check", "--json", "--pack", &pack, "--onnxruntime", "off", &image, "--reference", &reference];
        let output = user.run(words);
        let line = lines(&output).remove(0);
        (check(&line, "FaceMatch").clone(), line["verdict"]["decision"].as_str().unwrap().to_owned())
    };
    let (same, _) = compare("ag_obama_obama1.jpg", "ag_obama_obama2.jpg");
    assert_eq!(same["state"], "CHECK_STATE_PASSED", "{same}");
    let (other, decision) = compare("ag_obama_obama1.jpg", "inspire_rdj_1.jpeg");
    assert_eq!(other["state"], "CHECK_STATE_FAILED", "{other}");
    assert_ne!(decision, "DECISION_ACCEPT");
    assert!(same["score"].as_f64() > other["score"].as_f64());
    let (itself, decision) = compare("ag_obama_obama1.jpg", "ag_obama_obama1.jpg");
    assert_eq!(itself["detail"], "IDENTICAL_IMAGE", "{itself}");
    assert_ne!(decision, "DECISION_ACCEPT");
}

#[test]
fn a_reference_without_a_face_is_an_outcome_and_the_table_has_its_column() {
    let user = User::new();
    user.sample("astronaut.jpg", "face.jpg");
    user.sample("no_face.jpg", "wall.jpg");
    let output = user.run(["check", "face.jpg", "--onnxruntime", "off", "--reference", "wall.jpg"]);
    assert_eq!(output.status.code(), Some(1), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("FaceMatch"), "{}", stdout(&output));
    assert!(stdout(&output).contains("REFERENCE_NO_FACE"), "{}", stdout(&output));
    let output = user.run(["check", "face.jpg", "--onnxruntime", "off"]);
    assert!(!stdout(&output).contains("FaceMatch"), "{}", stdout(&output));
}

#[test]
fn a_reference_that_cannot_be_read_is_an_error_that_names_it() {
    let user = User::new();
    user.grey(LIVE, "face.png");
    user.file("broken.jpg", "no picture");
    user.file("clip.mp4", fixture("h264_aac.mp4"));
    for (name, said) in [("broken.jpg", "image/jpeg"), ("missing.jpg", "cannot be read"), ("clip.mp4", "image/jpeg")] {
        let output = user.check(["face.png", "--reference", name]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(stdout(&output).is_empty(), "nothing is judged without it: {}", stdout(&output));
        assert!(stderr(&output).contains(&format!("--reference {name}")), "{}", stderr(&output));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

#[test]
fn images_and_lists_of_frames_are_drawn_too() {
    let user = User::new();
    for number in 0..6 {
        user.grey(if number < 3 { LIVE } else { ATTACK }, &format!("{number}.png"));
    }
    user.file("0.svg", "what was there before");
    let output = user.check(["0.png", "--plot", "0.svg"]);
    plot_agrees(&user, "0.svg", &lines(&output)[0]);
    let names = ["0.png", "1.png", "2.png", "3.png", "4.png", "5.png"];
    let output = user.check(names.iter().chain(&["--frames", "--plot", "list.svg"]));
    plot_agrees(&user, "list.svg", &lines(&output)[0]);
    assert!(fs::read_to_string(user.path("list.svg")).unwrap().contains("number of the frame"));
}

#[test]
fn a_plot_is_of_one_item_and_only_of_a_verdict() {
    let user = User::new();
    user.grey(LIVE, "a.png");
    user.grey(LIVE, "b.png");
    user.file("broken.mp4", "no video");
    let output = user.check(["a.png", "b.png", "--plot", "out.svg"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("2 files were named"), "{}", stderr(&output));
    user.file("out.svg", "before");
    let before: BTreeSet<_> = fs::read_dir(user.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let output = user.check(["broken.mp4", "--plot", "out.svg"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(fs::read_to_string(user.path("out.svg")).unwrap(), "before", "an error draws nothing");
    let after: BTreeSet<_> = fs::read_dir(user.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(before, after, "nothing is left lying about");
    let output = user.check(["a.png", "--plot", "no/such/folder/out.svg"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--plot no/such/folder/out.svg"), "{}", stderr(&output));
}

/// The plot is well-formed, and has what the JSON verdict has: a mark a frame, a point a score, a flag for each choice.
fn plot_agrees(user: &User, plot: &str, line: &Value) {
    let text = fs::read_to_string(user.path(plot)).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let count = |class: &str| document.descendants().filter(|node| node.attribute("class") == Some(class)).count();
    let timeline = line["verdict"]["timeline"].as_array().unwrap();
    assert_eq!(count("frame"), timeline.len(), "{plot}");
    let scores: usize = timeline.iter().map(|frame| frame["scores"].as_object().map_or(0, |all| all.len())).sum();
    assert_eq!(count("point"), scores, "{plot}");
    assert_eq!(count("choice") > 0, line["verdict"].get("bestFrameIndex").is_some(), "{plot}");
    let decision = line["verdict"]["decision"].as_str().unwrap().trim_start_matches("DECISION_");
    let words: Vec<_> = document.descendants().filter_map(|node| node.text()).map(str::trim).collect();
    assert!(words.contains(&decision), "{plot}");
    let file = line["file"].as_str().unwrap_or("5.png");
    let name = Path::new(file).file_name().unwrap().to_str().unwrap();
    assert!(!text.contains(name), "a file's name can be personal: {name} in {plot}");
}
