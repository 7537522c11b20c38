//! Sources of settings and their precedence, and what is refused.

use crate::support::{User, stderr, stdout};

#[test]
fn defaults_are_printed_and_read_back() {
    let user = User::new();
    let printed = user.run(["config", "print"]);
    assert!(printed.status.success(), "{}", stderr(&printed));
    assert!(stdout(&printed).contains("addr = \"127.0.0.1:50051\"\n"), "{}", stdout(&printed));
    let file = user.file("copy.toml", &printed.stdout);
    let again = user.lifesign(["config", "print", "--config"]).arg(file).output().unwrap();
    assert!(again.status.success(), "{}", stderr(&again));
    let plain = |text: &str| text.lines().map(|line| line.split("  # ").next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(plain(stdout(&again)), plain(stdout(&printed)));
}

#[test]
fn variable_beats_file_and_each_is_named() {
    let user = User::new();
    user.file("lifesign.toml", "[limits]\nmax_bytes = 1000001\nmax_pixels = 1000002\n");
    let printed = user.lifesign(["config", "print"]).env("LIFESIGN_LIMITS__MAX_BYTES", "1000003").output().unwrap();
    let text = stdout(&printed);
    assert!(text.contains("max_bytes = 1000003  # the environment variable LIFESIGN_LIMITS__MAX_BYTES"), "{text}");
    assert!(text.contains("max_pixels = 1000002  # the file "), "{text}");
}

#[test]
fn a_flag_beats_a_variable() {
    let user = User::new();
    let folder = user.path("by-flag");
    let output =
        user.lifesign(["check", "x.jpg", "--pack"]).arg(&folder).env("LIFESIGN_PACK", "/by-variable").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("by-flag"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("by-variable"), "{}", stderr(&output));
}

#[test]
fn unknown_keys_are_refused_wherever_they_stand() {
    let user = User::new();
    let file = user.file("bad.toml", "[grpc]\nadr = \"127.0.0.1:1\"\n");
    let by_file = user.lifesign(["serve", "--config"]).arg(&file).output().unwrap();
    let by_variable = user.lifesign(["serve"]).env("LIFESIGN_GRPC__ADR", "127.0.0.1:1").output().unwrap();
    let by_flag = user.run(["serve", "--grpc-adr", "127.0.0.1:1"]);
    for (output, origin) in [(by_file, "bad.toml"), (by_variable, "LIFESIGN_GRPC__ADR"), (by_flag, "--grpc-adr")] {
        assert_eq!(output.status.code(), Some(2), "{origin}");
        assert!(stderr(&output).contains(origin), "{}", stderr(&output));
    }
}

#[test]
fn config_check_needs_a_usable_pack() {
    let user = User::new();
    let pack = user.pack();
    let text = format!("pack = {:?}\nonnxruntime = \"off\"\n", pack.to_str().unwrap());
    let file = user.file("good.toml", text + "default_policy = \"presentation-attack-only\"\n");
    let good = user.lifesign(["config", "check"]).arg(&file).output().unwrap();
    assert!(good.status.success(), "{}", stderr(&good));
    assert!(stdout(&good).contains("rten"), "{}", stdout(&good));
    let bad = user.lifesign(["config", "check"]).env("LIFESIGN_PACK", user.path("nothing")).output().unwrap();
    assert_eq!(bad.status.code(), Some(2));
    assert!(stderr(&bad).contains("nothing"), "{}", stderr(&bad));
}

#[test]
fn a_pack_below_the_required_assurance_is_refused() {
    let user = User::new();
    let pack = user.pack();
    let output = user
        .lifesign(["check", "x.jpg", "--onnxruntime", "off", "--require-assurance", "open", "--pack"])
        .arg(&pack)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("require_assurance"), "{}", stderr(&output));
}

#[test]
fn version_and_help_answer() {
    let user = User::new();
    let version = user.run(["--version"]);
    assert_eq!(stdout(&version).trim(), format!("lifesign {}", env!("CARGO_PKG_VERSION")));
    assert!(stdout(&user.run(["--help"])).contains("serve"));
}
