//! `lifesign check`: what it prints and how it ends.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
};

use crate::support::{ATTACK, LIVE, User, lines, samples, stderr, stdout};

fn decision(line: &serde_json::Value) -> &str {
    line["verdict"]["decision"].as_str().unwrap_or_else(|| panic!("{line}"))
}

#[test]
fn verdicts_come_in_the_order_of_the_files() {
    let user = User::new();
    let names: Vec<String> = (0..12).map(|number| format!("{number:02}.jpg")).collect();
    for (number, name) in names.iter().enumerate() {
        user.grey(if number % 3 == 0 { LIVE } else { ATTACK }, name);
    }
    let output = user.check(names.iter().rev().map(String::as_str).chain(["--threads", "3"]));
    let lines = lines(&output);
    let files: Vec<&str> = lines.iter().map(|line| line["file"].as_str().unwrap()).collect();
    assert_eq!(files, names.iter().rev().collect::<Vec<_>>());
    for (number, line) in lines.iter().rev().enumerate() {
        assert_eq!(decision(line), if number % 3 == 0 { "DECISION_ACCEPT" } else { "DECISION_REJECT" }, "{line}");
    }
}

#[test]
fn exit_status_follows_the_decisions() {
    let user = User::new();
    user.grey(LIVE, "live.png");
    user.grey(ATTACK, "attack.png");
    user.file("broken.png", "x");
    assert_eq!(user.check(["live.png"]).status.code(), Some(0));
    assert_eq!(user.check(["live.png", "attack.png"]).status.code(), Some(1));
    assert_eq!(user.check(["live.png", "attack.png", "broken.png"]).status.code(), Some(2));
    assert_eq!(user.check(["live.png", "broken.png"]).status.code(), Some(2));
}

#[test]
fn a_threshold_from_the_environment_decides() {
    let user = User::new();
    user.grey(LIVE, "live.png");
    let output = user
        .lifesign(["check", "--json", "live.png", "--onnxruntime", "off", "--policy", "mine", "--pack"])
        .arg(user.pack())
        .env("LIFESIGN_POLICIES__MINE__VERSION", "\"1\"")
        .env("LIFESIGN_POLICIES__MINE__REQUIRED", "[PresentationAttack]")
        .env("LIFESIGN_POLICIES__MINE__GATE", "false")
        .env("LIFESIGN_POLICIES__MINE__THRESHOLDS__PRESENTATIONATTACK", "1.0")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}{}", stdout(&output), stderr(&output));
    assert_eq!(decision(&lines(&output)[0]), "DECISION_REJECT");
}

#[test]
fn a_folder_is_searched_with_its_subfolders() {
    let user = User::new();
    user.sample("astronaut.jpg", "pictures/b/2.jpg");
    user.sample("astronaut.jpg", "pictures/a.JPEG");
    user.file("pictures/notes.txt", "no picture");
    let output = user.check(["pictures"]);
    let files: Vec<String> = lines(&output).iter().map(|line| line["file"].as_str().unwrap().to_owned()).collect();
    assert_eq!(files, ["pictures/a.JPEG", "pictures/b/2.jpg"]);
}

#[test]
fn a_folder_without_images_is_an_error() {
    let user = User::new();
    user.file("empty/notes.txt", "no picture");
    let output = user.check(["empty"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("there is no image"), "{}", stderr(&output));
    assert!(output.stdout.is_empty());
}

#[test]
fn a_bad_file_is_an_error_on_its_line_and_the_rest_is_judged() {
    let user = User::new();
    user.sample("astronaut.jpg", "face.jpg");
    user.file("empty.jpg", b"");
    user.file("text.jpg", "not a picture");
    let jpeg = fs::read(samples().join("astronaut.jpg")).unwrap();
    user.file("cut.jpg", &jpeg[..jpeg.len() / 2]);
    let output = user.check(["empty.jpg", "text.jpg", "cut.jpg", "missing.jpg", "face.jpg"]);
    assert_eq!(output.status.code(), Some(2));
    let lines = lines(&output);
    let codes: Vec<&str> = lines[..4].iter().map(|line| line["error"]["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["MEDIA_EMPTY", "MEDIA_FORMAT_UNKNOWN", "MEDIA_UNDECODABLE", "FILE_UNREADABLE"]);
    assert!(lines[..4].iter().all(|line| !line["error"]["message"].as_str().unwrap().is_empty()));
    assert!(lines[4]["verdict"].is_object());
}

#[test]
fn a_file_beyond_the_limit_is_refused_by_its_size() {
    let user = User::new();
    let path = user.path("large.jpg");
    // A sparse file: it has a size and no content to read.
    fs::File::create(&path).unwrap().set_len(60_000_000_000).unwrap();
    let output = user.check(["large.jpg"]);
    assert_eq!(output.status.code(), Some(2));
    let error = &lines(&output)[0]["error"];
    assert_eq!(error["code"], "MEDIA_TOO_LARGE");
    assert!(error["message"].as_str().unwrap().contains("60000000000"), "{error}");
}

#[test]
fn files_can_be_frames_of_one_presentation() {
    let user = User::new();
    for number in 0..5 {
        user.grey(LIVE, &format!("{number}.jpg"));
    }
    let output = user.check(["0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg", "--frames"]);
    let lines = lines(&output);
    assert_eq!(lines.len(), 1, "{}", stdout(&output));
    assert_eq!(lines[0]["files"].as_array().unwrap().len(), 5);
    assert_eq!(lines[0]["verdict"]["frames"]["received"], 5);
    user.file("2.jpg", "broken");
    let output = user.check(["0.jpg", "1.jpg", "2.jpg", "--frames"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stdout(&output).matches("\"error\"").count(), 1);
    assert!(stdout(&output).contains("2.jpg"));
}

#[test]
fn people_get_a_table() {
    let user = User::new();
    user.sample("astronaut.jpg", "face.jpg");
    user.file("empty.jpg", b"");
    let pack = user.pack();
    let output =
        user.lifesign(["check", "face.jpg", "empty.jpg", "--onnxruntime", "off", "--pack"]).arg(pack).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = stdout(&output);
    for expected in ["face.jpg", "PresentationAttack", "MEDIA_EMPTY", "1 errors", "rten", "CUSTOM"] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

#[test]
fn a_closed_pipe_is_no_panic_and_no_success() {
    let user = User::new();
    for number in 0..40 {
        user.grey(ATTACK, &format!("many/{number:02}.jpg"));
    }
    let pack = user.pack();
    let mut child = user
        .lifesign(["check", "--json", "many", "--onnxruntime", "off", "--pack"])
        .arg(pack)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with('{'), "{line}");
    drop(reader);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(!stderr(&output).contains("panicked") && !stderr(&output).contains("pipe"), "{}", stderr(&output));
}

#[test]
fn an_unknown_policy_or_pack_is_named() {
    let user = User::new();
    user.sample("astronaut.jpg", "face.jpg");
    let output = user.check(["face.jpg", "--policy", "nobody"]);
    assert_eq!(output.status.code(), Some(2));
    let pack = user.pack();
    let output = user
        .lifesign(["check", "face.jpg", "--onnxruntime", "off", "--policy", "nobody", "--pack"])
        .arg(&pack)
        .output()
        .unwrap();
    assert!(stderr(&output).contains("no policy named nobody"), "{}", stderr(&output));
}

#[test]
fn the_open_pack_has_to_be_pulled_first() {
    let user = User::new();
    user.sample("astronaut.jpg", "face.jpg");
    let output = user.run(["check", "face.jpg", "--onnxruntime", "off", "--pack", "open"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("lifesign models pull open"), "{}", stderr(&output));
}

#[test]
fn without_a_pack_the_built_in_one_judges_or_the_way_to_one_is_shown() {
    let user = User::new();
    user.sample("astronaut.jpg", "face.jpg");
    let output = user.run(["check", "face.jpg", "--onnxruntime", "off"]);
    match lifesign_core::pack::Pack::builtin() {
        Ok(_) => assert!(stdout(&output).contains("BUILTIN"), "{}{}", stdout(&output), stderr(&output)),
        Err(_) => {
            assert_eq!(output.status.code(), Some(2));
            for expected in ["--pack", "lifesign models pull open"] {
                assert!(stderr(&output).contains(expected), "{}", stderr(&output));
            }
        }
    }
}

#[test]
fn a_library_that_does_not_load_is_no_silent_fallback() {
    let user = User::new();
    user.sample("astronaut.jpg", "face.jpg");
    let library = user.file("libonnxruntime.so", "no library");
    let pack = user.pack();
    let output =
        user.lifesign(["check", "face.jpg", "--onnxruntime"]).arg(library).arg("--pack").arg(pack).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("libonnxruntime.so"), "{}", stderr(&output));
}
