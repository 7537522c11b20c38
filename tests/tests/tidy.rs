//! The rules of the tree that no compiler checks: file heads and lengths, what the core may depend on, no unfinished code.

use std::{fs, path::PathBuf, process::Command};

use lifesign_e2e::media::repository;

/// Longer than the 400 lines aimed at: a file between the two is a reason to look, beyond this a reason to split.
const MAX_LINES: usize = 450;

fn tracked(pattern: &str) -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "--", pattern])
        .current_dir(repository())
        .output()
        .expect("git runs");
    let files: Vec<_> = String::from_utf8(output.stdout)
        .expect("paths are UTF-8")
        .lines()
        .map(|line| repository().join(line))
        .filter(|path| path.is_file())
        .collect();
    assert!(!files.is_empty(), "git lists no {pattern}");
    files
}

fn read(path: &PathBuf) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_rust_file_has_a_head_line_and_one_concept() {
    let mut faults = Vec::new();
    for path in tracked("*.rs") {
        let text = read(&path);
        // A fuzz target may begin with `#![no_main]`, which has to stand above everything else.
        let head = text.lines().find(|line| !line.starts_with("#![") && !line.is_empty());
        if !head.is_some_and(|line| line.starts_with("//!")) {
            faults.push(format!("{}: no `//!` head line", path.display()));
        }
        let lines = text.lines().count();
        if lines > MAX_LINES {
            faults.push(format!("{}: {lines} lines; at most {MAX_LINES}", path.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nothing_is_left_unfinished() {
    let marks = [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("FIX", "ME")];
    let mut faults = Vec::new();
    for path in tracked("*.rs") {
        for (number, line) in read(&path).lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                faults.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn dependencies(arguments: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--prefix", "none", "--edges", "normal", "--format", "{p}", "--offline"])
        .args(arguments)
        .current_dir(repository())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).expect("UTF-8");
    listed.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Architecture invariant 1: the core knows no server, no FFI, no command line.
#[test]
fn the_core_knows_no_server_ffi_or_command_line() {
    let found = |features: &[&str], banned: &[&str]| {
        let listed = dependencies(&[&["-p", "lifesign-core"], features].concat());
        assert!(listed.iter().any(|name| name == "lifesign-core"), "the tree was read");
        listed.into_iter().filter(|name| banned.contains(&name.as_str())).collect::<Vec<_>>()
    };
    let servers = ["tonic", "prost", "uniffi", "clap", "axum", "ureq", "lifesign-server", "lifesign-proto"];
    assert_eq!(found(&["--all-features"], &servers), Vec::<String>::new());
    // Sockets come with vendors alone.
    let sockets = [&servers[..], &["tokio", "reqwest", "hyper", "rustls", "tracing"]].concat();
    assert_eq!(found(&["--features", "builtin,video,testing"], &sockets), Vec::<String>::new());
    assert!(found(&["--features", "vendors"], &sockets).contains(&"reqwest".to_owned()), "the filter works");
}

/// Architecture invariant 1, the phone's part: the mobile build needs no C compiler and opens no library.
#[test]
fn the_mobile_build_is_pure_rust() {
    let banned = ["ort", "ort-sys", "libloading", "reqwest", "tokio", "cc", "openssl-sys", "libjpeg-turbo", "mozjpeg"];
    let listed = dependencies(&["-p", "lifesign-core", "--no-default-features", "--features", "rten"]);
    assert!(listed.iter().any(|name| name == "rten"), "the tree was read");
    let found: Vec<_> = listed
        .into_iter()
        .filter(|name| banned.contains(&name.as_str()) || (name.ends_with("-sys") && name != "linux-raw-sys"))
        .collect();
    assert!(found.is_empty(), "the mobile build depends on {found:?}");
}

/// Architecture invariant 9: an unwinding profile, so that a panic becomes an exception in an app and not its death.
#[test]
fn no_profile_aborts_on_panic() {
    assert!(!read(&repository().join("Cargo.toml")).contains("panic = \"abort\""));
}

/// STYLE: generated code is never written into the sources.
#[test]
fn generated_code_stays_out_of_the_tree() {
    for path in tracked("*.rs") {
        let text = read(&path);
        assert!(
            !text.starts_with(concat!("// This file is @", "generated")),
            "{} was written by a generator",
            path.display()
        );
    }
}
