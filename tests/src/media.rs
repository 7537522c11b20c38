//! The folder of models and labelled media that lies beside the repository, where there is one.
//!
//! Tests that need it skip, loudly and by name, where it is absent; in CI (`CI` set) its absence fails them.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// The repository's root.
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The shared folder, or `None` after saying which test is skipped.
pub fn shared(test: &str) -> Option<PathBuf> {
    let folder = repository().join("../shared");
    present(test, &format!("{} (labelled media and open models)", folder.display()), folder.join("media").is_dir())
        .then_some(folder)
}

/// Whether `what` is there; says that `test` is skipped where it is not, and fails instead in CI.
pub fn present(test: &str, what: &str, there: bool) -> bool {
    if !there {
        assert!(env::var_os("CI").is_none(), "{test}: {what} is absent; CI must have it");
        eprintln!("SKIPPED {test}: {what} is absent");
    }
    there
}

/// The open pack as a folder: this repository's manifest beside the shared model files.
pub fn open_pack(shared: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::copy(repository().join("models/open/pack.toml"), folder.path().join("pack.toml")).expect("the manifest");
    for entry in fs::read_dir(shared.join("models/open")).expect("the open models") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "onnx") {
            let name = path.file_name().expect("a name");
            fs::copy(&path, folder.path().join(name)).expect("a model file");
        }
    }
    folder
}

/// The files of a labelled folder, sorted by name.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}
