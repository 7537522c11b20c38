//! Precedence, unknown keys by source, and ranges.

use std::{fs, path::PathBuf};

use lifesign_core::{policy::builtin, verdict::CheckId, video::VideoLimits};

use super::*;

fn environment(pairs: &[(&str, &str)]) -> Sources {
    let environment = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { environment, ..Sources::default() }
}

struct File {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn file(text: &str) -> File {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lifesign.toml");
    fs::write(&path, text).unwrap();
    File { path, _folder: folder }
}

fn message(sources: &Sources) -> String {
    sources.load().unwrap_err().to_string()
}

#[test]
fn without_any_source_the_defaults_stand() {
    let loaded = Sources::default().load().unwrap();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.config.policies.len(), builtin().len());
}

#[test]
fn each_source_beats_the_one_before() {
    let file = file("[limits]\nmax_bytes = 1000\nmax_pixels = 2000\nmin_dimension = 17\n");
    let mut sources = environment(&[("LIFESIGN_LIMITS__MAX_BYTES", "1001"), ("LIFESIGN_LIMITS__MAX_PIXELS", "2001")]);
    sources.file = Some(file.path.clone());
    sources.flag("--max-bytes", "limits.max_bytes", Some(1002_u32));
    let limits = sources.load().unwrap().config.limits;
    assert_eq!((limits.max_bytes, limits.max_pixels, limits.min_dimension), (1002, 2001, 17));
    assert_eq!(limits.max_dimension, Config::default().limits.max_dimension);
}

#[test]
fn the_file_is_chosen_by_flag_then_variable_then_home() {
    let by_flag = file("default_policy = \"strict\"\n");
    let by_variable = file("pack = \"by-variable\"\n");
    let home = file("pack = \"home\"\n");
    let home_folder = home.path.parent().unwrap().to_str().unwrap();
    let mut sources =
        environment(&[("LIFESIGN_CONFIG", by_variable.path.to_str().unwrap()), ("LIFESIGN_HOME", home_folder)]);
    assert_eq!(sources.load().unwrap().config.pack, "by-variable");
    sources.file = Some(by_flag.path.clone());
    assert_eq!(sources.load().unwrap().config.default_policy, "strict");
    let sources = environment(&[("LIFESIGN_CONFIG", ""), ("LIFESIGN_HOME", home_folder)]);
    assert_eq!(sources.load().unwrap().config.pack, "home");
}

#[test]
fn unknown_keys_are_refused_with_their_origin() {
    for (text, key) in [
        ("pak = \"open\"", "pak"),
        ("[grpc]\nadr = 1", "grpc.adr"),
        ("[policies.default]\nrequire = []", "policies.default.require"),
        ("[log]\ncolour = 1", "log.colour"),
    ] {
        let file = file(text);
        let sources = Sources { file: Some(file.path.clone()), ..Sources::default() };
        let said = message(&sources);
        assert!(said.contains(&format!("unknown setting {key} in the file {}", file.path.display())), "{said}");
    }
    let said = message(&environment(&[("LIFESIGN_GRPC__ADR", "x")]));
    assert!(said.contains("unknown setting grpc.adr in the environment variable LIFESIGN_GRPC__ADR"), "{said}");
    assert!(said.contains("addr"), "what is known is said: {said}");
    let said = message(&environment(&[("LIFESIGN_PAK", "x")]));
    assert!(said.contains("unknown setting pak in the environment variable LIFESIGN_PAK"), "{said}");
}

#[test]
fn exempt_variables_and_those_of_others_are_left_alone() {
    let sources =
        environment(&[("LIFESIGN_HOME", "/nowhere"), ("LIFESIGN_LOG", "debug"), ("PATH", "x"), ("lifesign_x", "y")]);
    assert_eq!(sources.load().unwrap().config, Config::default());
}

#[test]
fn bad_values_name_setting_origin_and_what_is_allowed() {
    let said = message(&environment(&[("LIFESIGN_LOG__FORMAT", "xml")]));
    assert!(said.contains("setting log.format in the environment variable LIFESIGN_LOG__FORMAT"), "{said}");
    assert!(said.contains("xml") && said.contains("json"), "{said}");
    let file = file("[policies.default]\nrequired = [\"Sharpnes\"]\n");
    let said = message(&Sources { file: Some(file.path.clone()), ..Sources::default() });
    assert!(said.contains("policies.default.required.0 in the file") && said.contains("Sharpness"), "{said}");
}

#[test]
fn a_variable_reaches_into_a_policy_and_its_thresholds() {
    let sources = environment(&[
        ("LIFESIGN_POLICIES__DEFAULT__THRESHOLDS__PRESENTATIONATTACK", "0.75"),
        ("LIFESIGN_POLICIES__STRICT__FRAMES_NEEDED", "9"),
        ("LIFESIGN_POLICIES__STRICT__REQUIRED", "[PresentationAttack]"),
    ]);
    let config = sources.load().unwrap().config;
    assert_eq!(config.policies["default"].thresholds[&CheckId::PresentationAttack], 0.75);
    assert_eq!(config.policies["strict"].frames_needed, 9);
    assert_eq!(config.policies["strict"].required, [CheckId::PresentationAttack]);
    assert_eq!(config.configured_policies.iter().collect::<Vec<_>>(), ["default", "strict"]);
}

#[test]
fn a_new_policy_must_be_whole() {
    let file = file("[policies.mine]\nversion = \"1\"\n");
    let said = message(&Sources { file: Some(file.path.clone()), ..Sources::default() });
    assert!(said.contains("policies.mine") && said.contains("missing field required"), "{said}");
}

#[test]
fn ranges_and_contradictions_are_refused() {
    for (name, value, expected) in [
        ("LIFESIGN_LIMITS__MAX_BYTES", "0", "limits.max_bytes is 0"),
        ("LIFESIGN_LIMITS__MAX_DIMENSION", "8", "limits.max_dimension is 8"),
        ("LIFESIGN_DEFAULT_POLICY", "nobody", "default_policy is nobody; allowed: close-up, default"),
        ("LIFESIGN_ENGINE__WORKERS", "5000", "engine.workers is 5000"),
        ("LIFESIGN_PACK", "", "pack is empty"),
        ("LIFESIGN_GRPC__MAX_FRAMES", "0", "grpc.max_frames"),
    ] {
        let said = message(&environment(&[(name, value)]));
        assert!(said.contains(expected), "{name}={value}: {said}");
    }
}

#[test]
fn a_preset_is_a_set_of_defaults() {
    let sources = environment(&[("LIFESIGN_VIDEO__PRESET", "fpt")]);
    assert_eq!(sources.load().unwrap().config.video.limits, VideoLimits::fpt());
    // The place that says otherwise may come before the one that names the preset.
    let file = file("[video.limits]\nmax_bytes = 123456\n");
    let sources = Sources { file: Some(file.path.clone()), ..sources };
    let loaded = sources.load().unwrap();
    assert_eq!(loaded.config.video.limits, VideoLimits { max_bytes: 123_456, ..VideoLimits::fpt() });
    let printed = to_toml(&loaded).unwrap();
    assert!(printed.contains("preset = \"fpt\"  # the environment variable LIFESIGN_VIDEO__PRESET\n"), "{printed}");
    assert!(printed.contains("min_long_side = 800\n"), "what the preset says is printed: {printed}");
    let copy = self::file(&printed);
    let read = Sources { file: Some(copy.path.clone()), ..Sources::default() }.load().unwrap().config;
    assert_eq!(read.video, loaded.config.video);
    let said = message(&environment(&[("LIFESIGN_VIDEO__PRESET", "facia")]));
    assert!(said.contains("video.preset: is facia; allowed: default, fpt, glair"), "{said}");
    let said = message(&environment(&[("LIFESIGN_VIDEO__PRESET", "5")]));
    assert!(said.contains("setting video.preset in the environment variable"), "{said}");
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_refused_by_name() {
    let sources = Sources { file: Some("/nowhere/lifesign.toml".into()), ..Sources::default() };
    assert!(matches!(sources.load(), Err(ConfigError::Unreadable { path, .. }) if path.ends_with("lifesign.toml")));
    let file = file("[grpc\n");
    let sources = Sources { file: Some(file.path.clone()), ..Sources::default() };
    assert!(matches!(sources.load(), Err(ConfigError::Syntax { what, .. }) if what.contains("line 1")));
}

#[test]
fn what_is_printed_reads_back_as_the_same() {
    let mut sources = environment(&[
        ("LIFESIGN_POLICIES__DEFAULT__THRESHOLDS__PRESENTATIONATTACK", "0.7"),
        ("LIFESIGN_REQUIRE_ASSURANCE", "OPEN"),
    ]);
    sources.flag("--pack", "pack", Some("a \"quoted\" # name"));
    let loaded = sources.load().unwrap();
    let printed = to_toml(&loaded).unwrap();
    let of_variable = "PresentationAttack = 0.7  # the environment variable \
                       LIFESIGN_POLICIES__DEFAULT__THRESHOLDS__PRESENTATIONATTACK\n";
    assert!(printed.contains(of_variable), "{printed}");
    assert!(printed.contains("# the flag --pack\n"), "{printed}");
    assert!(printed.contains("# inline_sessions is not set\n"), "{printed}");
    let copy = file(&printed);
    let read = Sources { file: Some(copy.path.clone()), ..Sources::default() }.load().unwrap().config;
    assert_eq!(Config { configured_policies: loaded.config.configured_policies.clone(), ..read }, loaded.config);
}

const FACIA: &str = "[vendors.facia]\nclient_id = \"me\"\nprice_micros = 7\n[vendors.facia.http.retry]\nattempts = 2\n";

#[test]
fn a_vendor_is_configured_where_its_table_is_and_has_its_own_defaults() {
    assert!(Config::default().vendors.is_empty());
    let file = file(FACIA);
    let mut sources = environment(&[
        ("LIFESIGN_VENDORS__FACIA__CLIENT_SECRET", "00123"),
        ("LIFESIGN_VENDORS__DEEPVUE__CLIENT_ID", "42"),
    ]);
    sources.file = Some(file.path.clone());
    let loaded = sources.load().unwrap();
    let facia = loaded.config.vendors["facia"].value();
    assert_eq!(facia["client_secret"], "00123", "a secret of digits is no number");
    assert_eq!(loaded.config.vendors["deepvue"].value()["client_id"], "42", "nor is an id");
    assert_eq!((&facia["price_micros"], &facia["http"]["retry"]["attempts"]), (&7.into(), &2.into()));
    assert_eq!(facia["base_url"], VendorSettings::defaults("facia").unwrap().value()["base_url"]);

    let printed = to_toml(&loaded).unwrap();
    let hidden =
        "# client_secret is set, and not shown  # the environment variable LIFESIGN_VENDORS__FACIA__CLIENT_SECRET\n";
    assert!(printed.contains(hidden) && !printed.contains("00123"), "{printed}");
    assert!(printed.contains("[vendors.facia.http.retry]\nattempts = 2  # the file "), "{printed}");
    assert!(!format!("{loaded:?}").contains("00123"));
    assert!(!format!("{:?}", loaded.config).contains("00123"));
    let copy = self::file(&printed);
    let read = Sources { file: Some(copy.path.clone()), ..Sources::default() }.load().unwrap().config;
    let mut facia = facia;
    facia["client_secret"] = serde_json::Value::Null;
    assert_eq!(read.vendors["facia"].value(), facia, "all but the secret reads back");
}

#[test]
fn vendors_and_their_settings_are_known_by_name() {
    for (text, key, known) in [
        ("[vendors.fasia]\nclient_id = \"me\"\n", "vendors.fasia", "facia"),
        ("[vendors.facia]\nclient = \"me\"\n", "vendors.facia.client", "client_id"),
        ("[vendors.facia.http]\ntimeout = 1\n", "vendors.facia.http.timeout", "request_timeout_ms"),
        ("[vendors.facia.http.retry]\ntries = 1\n", "vendors.facia.http.retry.tries", "attempts"),
    ] {
        let file = file(text);
        let said = message(&Sources { file: Some(file.path.clone()), ..Sources::default() });
        assert!(said.contains(&format!("unknown setting {key} in the file ")), "{said}");
        assert!(said.contains(known), "what is known is said: {said}");
    }
    let said = message(&environment(&[("LIFESIGN_VENDORS__FACIA__KEY", "s3cr3t")]));
    assert!(said.contains("vendors.facia.key in the environment variable") && !said.contains("s3cr3t"), "{said}");
}

#[test]
fn a_line_that_cannot_be_read_is_not_quoted() {
    let file = file("# a comment\n[vendors.facia]\nclient_secret = \"s3cr3t\n");
    let said = message(&Sources { file: Some(file.path.clone()), ..Sources::default() });
    assert!(said.contains("line 3") && !said.contains("s3cr3t"), "{said}");
}
