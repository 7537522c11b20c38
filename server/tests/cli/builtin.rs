//! The program with nothing configured: the pack in the binary judges, and says what it is.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use lifesign_core::verdict::Assurance;

use crate::support::{User, lines, stderr, stdout};

const SAMPLES: [&str; 6] = ["astronaut.jpg", "blurred.jpg", "dark.jpg", "no_face.jpg", "tiny.jpg", "two_faces.jpg"];

#[test]
fn the_samples_are_judged_with_nothing_to_fetch() {
    let user = User::new();
    SAMPLES.iter().for_each(|name| drop(user.sample(name, name)));
    let output = user.run(["check", "--json", "--onnxruntime", "off"].iter().chain(&SAMPLES));
    let verdicts = lines(&output);
    assert_eq!(verdicts.len(), SAMPLES.len(), "{}", stderr(&output));
    for (line, name) in verdicts.iter().zip(SAMPLES) {
        let verdict = &line["verdict"];
        assert_eq!(verdict["pack"]["assurance"], "ASSURANCE_BUILTIN", "{line}");
        assert_eq!(verdict["pack"]["id"], "builtin", "{line}");
        let expected = if name == "astronaut.jpg" { "DECISION_ACCEPT" } else { "DECISION_RETRY" };
        assert_eq!(verdict["decision"], expected, "{line}");
    }
    let reasons = |index: usize| verdicts[index]["verdict"]["reasons"].to_string();
    for (index, code) in [(1, "BLURRY"), (2, "TOO_DARK"), (3, "NO_FACE"), (4, "NO_FACE"), (5, "MULTIPLE_FACES")] {
        assert!(reasons(index).contains(code), "{} says {}", SAMPLES[index], reasons(index));
    }
}

#[test]
fn the_start_up_line_says_builtin() {
    let user = User::new();
    let mut child = user
        .lifesign([
            "serve",
            "--onnxruntime",
            "off",
            "--workers",
            "1",
            "--grpc-addr",
            "127.0.0.1:0",
            "--http-addr",
            "127.0.0.1:0",
        ])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let announced = log.find(|line| line.contains("listening;"));
    child.kill().unwrap();
    child.wait().unwrap();
    let announced = announced.expect("it listens");
    assert!(announced.contains("BUILTIN") && announced.contains("builtin"), "{announced}");
}

#[test]
fn whoever_asks_for_more_is_refused() {
    let user = User::new();
    let picture = user.sample("astronaut.jpg", "face.jpg");
    let picture = picture.to_str().unwrap();
    for command in [vec!["serve", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"], vec!["check", picture]] {
        let output =
            user.lifesign(command).args(["--onnxruntime", "off", "--require-assurance", "open"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = stderr(&output);
        assert!(said.contains("require_assurance") && said.contains("Builtin"), "{said}");
        assert!(!said.contains("listening"), "{said}");
    }
}

#[test]
fn it_can_be_verified() {
    let user = User::new();
    let output = user.lifesign(["models", "verify", "builtin"]).env("LIFESIGN_ONNXRUNTIME", "off").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let pack = lifesign_core::pack::Pack::builtin().unwrap();
    assert_eq!(pack.manifest().pack.assurance, Assurance::Builtin);
    for model in &pack.manifest().models {
        assert!(stdout(&output).contains(&model.name), "{} is not in\n{}", model.name, stdout(&output));
    }
    let listed = user.run(["models", "list"]);
    assert!(stdout(&listed).contains("BUILTIN"), "{}", stdout(&listed));
}
