//! Where the ONNX Runtime library is looked for.
//!
//! In this order: the path that was asked for, `ORT_DYLIB_PATH`, beside the executable, the system's library folders. The
//! first place that has one decides; whether it loads is not asked here, so that a broken library is reported and not
//! passed over.

use std::{
    cmp::Ordering,
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::RuntimeError;

/// The environment variable that names the library; the `ort` crate and others read the same one.
pub const VARIABLE: &str = "ORT_DYLIB_PATH";

/// The places to look in when no path was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// The value of `ORT_DYLIB_PATH`; empty counts as unset.
    pub variable: Option<OsString>,
    /// The executable's folder.
    pub beside: Option<PathBuf>,
    /// The system's library folders, in order.
    pub system: Vec<PathBuf>,
}

impl Places {
    /// The places of the running process.
    pub fn of_this_process() -> Self {
        Places {
            variable: std::env::var_os(VARIABLE),
            beside: std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned)),
            system: system_folders(),
        }
    }

    /// The library, or `None` where no place has one.
    ///
    /// # Errors
    /// [`RuntimeError::Library`] where `ORT_DYLIB_PATH` names nothing that exists.
    pub fn library(&self) -> Result<Option<PathBuf>, RuntimeError> {
        if let Some(variable) = self.variable.as_ref().filter(|value| !value.is_empty()) {
            return named(Path::new(variable)).map(Some);
        }
        Ok(self.beside.iter().chain(&self.system).find_map(|folder| in_folder(folder)))
    }
}

/// The library at a path that was asked for: the file itself, or the one in the folder.
///
/// # Errors
/// [`RuntimeError::Library`] where there is none.
pub fn named(path: &Path) -> Result<PathBuf, RuntimeError> {
    let missing = |what: &str| RuntimeError::Library { path: path.display().to_string(), what: what.to_owned() };
    if path.is_dir() {
        return in_folder(path).ok_or_else(|| missing("the folder holds no ONNX Runtime library"));
    }
    if path.is_file() { Ok(path.to_owned()) } else { Err(missing("no such file")) }
}

/// The library in this folder: the plain name first, else the highest version.
fn in_folder(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    let mut best: Option<(Vec<u32>, PathBuf)> = None;
    for entry in entries.flatten() {
        let Some(version) = entry.file_name().to_str().and_then(|name| version_in(name, std::env::consts::OS)) else {
            continue;
        };
        let path = entry.path();
        let better = best.as_ref().is_none_or(|(known, _)| order(&version, known) == Ordering::Less);
        if better && path.is_file() {
            best = Some((version, path));
        }
    }
    best.map(|(_, path)| path)
}

/// The plain name, which is what the system's packages link to the version in use, goes before any version; then the
/// highest version.
fn order(left: &[u32], right: &[u32]) -> Ordering {
    right.is_empty().cmp(&left.is_empty()).then_with(|| right.cmp(left))
}

/// The version in a library's file name (empty for the plain name), or `None` where it is no ONNX Runtime library of `os`.
fn version_in(name: &str, os: &str) -> Option<Vec<u32>> {
    let version = match os {
        "windows" => name.eq_ignore_ascii_case("onnxruntime.dll").then_some("")?,
        "macos" | "ios" => name.strip_prefix("libonnxruntime")?.strip_suffix(".dylib")?,
        _ => name.strip_prefix("libonnxruntime.so")?,
    };
    match version.strip_prefix('.') {
        Some(numbers) => numbers.split('.').map(|number| number.parse().ok()).collect(),
        None => version.is_empty().then(Vec::new),
    }
}

/// The folders that the system's loader searches, by convention rather than by its cache, whose format is private.
fn system_folders() -> Vec<PathBuf> {
    let (variable, fixed): (&str, &[&str]) = match std::env::consts::OS {
        // Windows keeps an ONNX Runtime of its own in System32, too old for us and not meant for others.
        "windows" => return Vec::new(),
        "macos" => ("DYLD_LIBRARY_PATH", &["/opt/homebrew/lib", "/usr/local/lib", "/usr/lib"]),
        _ => ("LD_LIBRARY_PATH", &["/usr/local/lib", "/usr/local/lib64", "/usr/lib", "/usr/lib64", "/lib", "/lib64"]),
    };
    let asked = std::env::var_os(variable);
    let asked = asked.iter().flat_map(std::env::split_paths).filter(|folder| folder.is_absolute());
    let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
    let fixed = fixed.iter().flat_map(|folder| [PathBuf::from(folder), Path::new(folder).join(&triple)]);
    asked.chain(fixed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised_by_system() {
        assert_eq!(version_in("libonnxruntime.so", "linux"), Some(vec![]));
        assert_eq!(version_in("libonnxruntime.so.1", "linux"), Some(vec![1]));
        assert_eq!(version_in("libonnxruntime.so.1.32.0", "linux"), Some(vec![1, 32, 0]));
        assert_eq!(version_in("libonnxruntime_providers_shared.so", "linux"), None);
        assert_eq!(version_in("libonnxruntime.so.bak", "linux"), None);
        assert_eq!(version_in("libonnxruntime.dylib", "macos"), Some(vec![]));
        assert_eq!(version_in("libonnxruntime.1.32.0.dylib", "macos"), Some(vec![1, 32, 0]));
        assert_eq!(version_in("libonnxruntime.so", "macos"), None);
        assert_eq!(version_in("onnxruntime.dll", "windows"), Some(vec![]));
        assert_eq!(version_in("onnxruntime_providers_shared.dll", "windows"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn places_are_tried_in_order() {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str, files: &[&str]| {
            let folder = root.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            for file in files {
                std::fs::write(folder.join(file), b"").unwrap();
            }
            folder
        };
        let empty = folder("empty", &["libonnxruntime_providers_shared.so"]);
        let versions = folder("versions", &["libonnxruntime.so.1.9.0", "libonnxruntime.so.1.32.0"]);
        let plain = folder("plain", &["libonnxruntime.so.1.32.0", "libonnxruntime.so"]);

        let mut places = Places { variable: None, beside: Some(empty.clone()), system: vec![empty.clone()] };
        assert_eq!(places.library(), Ok(None));
        places.system.push(versions.clone());
        assert_eq!(places.library(), Ok(Some(versions.join("libonnxruntime.so.1.32.0"))), "the highest, as numbers");
        places.beside = Some(plain.clone());
        assert_eq!(places.library(), Ok(Some(plain.join("libonnxruntime.so"))));
        places.variable = Some(versions.join("libonnxruntime.so.1.9.0").into());
        assert_eq!(places.library(), Ok(Some(versions.join("libonnxruntime.so.1.9.0"))));
        places.variable = Some(OsString::new());
        assert_eq!(places.library(), Ok(Some(plain.join("libonnxruntime.so"))), "an empty variable counts as unset");
        places.variable = Some(root.path().join("absent.so").into());
        assert!(matches!(places.library(), Err(RuntimeError::Library { what, .. }) if what == "no such file"));
        assert!(matches!(named(&empty), Err(RuntimeError::Library { what, .. }) if what.contains("holds no")));
        assert_eq!(named(&versions), Ok(versions.join("libonnxruntime.so.1.32.0")));
    }
}
