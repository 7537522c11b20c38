//! Where a test finds what is not in the repository, and what it does where that is missing.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::runtime::{RuntimeChoice, RuntimeError, SharedRuntime, find, select};

/// The folder `shared` beside the repository, with models and media that may not be committed. Where it is absent the test
/// `name` is to return at once: this says so on the standard error.
///
/// # Panics
/// Where it is absent and the environment says `CI`: there a skipped test must not look like a passed one.
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared"));
    found(path.is_dir().then(|| path.to_owned()), name, "../shared")
}

/// An ONNX Runtime library: where `ORT_DYLIB_PATH` and the system have one, else that of Python's `onnxruntime`. Where
/// there is none the test `name` is to return, or leave that backend out: this says so on the standard error.
///
/// # Panics
/// Where there is none and the environment says `CI`.
pub fn onnxruntime(name: &str) -> Option<PathBuf> {
    let known = find::Places::of_this_process().library().ok().flatten();
    found(known.or_else(of_python), name, "an ONNX Runtime library")
}

/// Both runtimes, rten first; rten alone where [`onnxruntime`] finds no library.
///
/// # Errors
/// As [`select`].
///
/// # Panics
/// As [`onnxruntime`].
pub fn runtimes(name: &str) -> Result<Vec<SharedRuntime>, RuntimeError> {
    let choices = std::iter::once(RuntimeChoice::Off).chain(onnxruntime(name).map(RuntimeChoice::Library));
    choices.map(|choice| select(&choice)).collect()
}

#[expect(clippy::print_stderr, reason = "a test that cannot run must say so, and fail where it counts")]
fn found(path: Option<PathBuf>, name: &str, what: &str) -> Option<PathBuf> {
    if path.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name}: {what} is absent");
        eprintln!("SKIPPED {name}: {what} is absent");
    }
    path
}

fn of_python() -> Option<PathBuf> {
    let script = "import importlib.util as u; print(u.find_spec('onnxruntime').submodule_search_locations[0])";
    let output = Command::new("python3").args(["-c", script]).output().ok().filter(|output| output.status.success())?;
    let package = String::from_utf8(output.stdout).ok()?;
    find::named(&Path::new(package.trim()).join("capi")).ok()
}
