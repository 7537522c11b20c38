//! The vendor of CONTRIBUTING.md, built as it stands there: one folder and one line, in a copy of the core.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use lifesign_e2e::media::repository;

/// The table's last line before the walk-through's is added, and what is added.
const TABLE: (&str, &str) = ("    glair,\n", "    glair,\n    acme,\n");

/// The files that the walk-through shows: a path in backquotes on a line of its own, then a fence, both indented.
fn shown() -> Vec<(PathBuf, String)> {
    let text = fs::read_to_string(repository().join("CONTRIBUTING.md")).unwrap();
    let mut files = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let path = line.trim().strip_prefix('`').and_then(|rest| rest.strip_suffix("`:"));
        let Some(path) = path.filter(|path| path.contains("/acme/")) else { continue };
        let body = lines.by_ref().skip_while(|line| !line.trim_start().starts_with("```")).skip(1);
        let body: Vec<&str> = body
            .take_while(|line| line.trim() != "```")
            .map(|line| line.strip_prefix("   ").unwrap_or_else(|| line.trim_start()))
            .collect();
        files.push((path.into(), body.join("\n") + "\n"));
    }
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn the_walk_through_builds_and_its_tests_pass() {
    let (root, built) = (repository(), repository().join("target/fifth-vendor"));
    // What an earlier run compiled is kept; the sources are new.
    for part in ["core", "proto", "server", "tests"] {
        let _ = fs::remove_dir_all(built.join(part));
    }
    copy(&root.join("core/src"), &built.join("core/src"));
    fs::create_dir_all(built.join("models/open")).unwrap();
    for file in ["core/Cargo.toml", "core/build.rs", "Cargo.lock", "models/open/pack.toml"] {
        fs::copy(root.join(file), built.join(file)).unwrap();
    }
    // The core alone, and not optimised: this is about whether it builds.
    let workspace = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let members = r#"members = ["core", "proto", "server", "tests"]"#;
    assert!(workspace.contains(members));
    let workspace = workspace.replace(members, r#"members = ["core"]"#).replace("opt-level = 3", "opt-level = 0");
    fs::write(built.join("Cargo.toml"), workspace).unwrap();
    // What the manifest names and this does not build: benches, examples and tests.
    let manifest = fs::read_to_string(built.join("core/Cargo.toml")).unwrap();
    let cut = manifest.find("[[").expect("the manifest names targets");
    let lints = "[lints]\nworkspace = true\n";
    assert!(manifest.ends_with(lints));
    fs::write(built.join("core/Cargo.toml"), format!("{}{lints}", &manifest[..cut])).unwrap();

    let files = shown();
    let names: Vec<_> = files.iter().filter_map(|(path, _)| path.file_name()).collect();
    assert_eq!(names, ["live.json", "config.rs", "wire.rs", "convert.rs", "mod.rs"]);
    for (path, text) in files {
        assert!(
            path.starts_with("core/src/vendors/acme"),
            "the walk-through touches one folder, not {}",
            path.display()
        );
        let path = built.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let table = built.join("core/src/vendors/mod.rs");
    let text = fs::read_to_string(&table).unwrap();
    assert_eq!(text.matches(TABLE.0).count(), 1, "the table ends with another vendor");
    fs::write(&table, text.replace(TABLE.0, TABLE.1)).unwrap();

    let output = Command::new(env!("CARGO"))
        .args(["test", "--offline", "--quiet", "-p", "lifesign-core", "--features", "vendors,testing", "--lib", "acme"])
        .env("CARGO_TARGET_DIR", built.join("target"))
        .env("RUSTFLAGS", "-D warnings")
        .current_dir(&built)
        .output()
        .unwrap();
    let said = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}
