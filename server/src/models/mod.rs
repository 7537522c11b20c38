//! Model packs as the program finds them: in the binary, pulled into the data folder, or in a folder of the user's.

pub mod http;

use std::{
    env,
    path::{Path, PathBuf},
    str::FromStr,
};

use lifesign_core::pack::{MANIFEST_FILE, OPEN_MANIFEST, Pack, PackError};

/// Which pack to judge with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PackChoice {
    /// The one in the binary.
    Builtin,
    /// The open models, pulled into the data folder.
    Open,
    /// A folder with a `pack.toml`.
    Folder(PathBuf),
}

impl FromStr for PackChoice {
    type Err = PackError;

    /// `builtin`, `open`, or a folder. A folder of one of these names is written `./open`.
    fn from_str(text: &str) -> Result<Self, PackError> {
        match text {
            "builtin" => Ok(PackChoice::Builtin),
            "open" => Ok(PackChoice::Open),
            folder => Ok(PackChoice::Folder(PathBuf::from(folder))),
        }
    }
}

/// The manifest of a pack that can be pulled by name.
pub fn known(name: &str) -> Option<&'static str> {
    (name == "open").then_some(OPEN_MANIFEST)
}

/// The data folder: `LIFESIGN_HOME`, else the user's data folder by the system's convention, else (a process without a home
/// directory) `lifesign-data` in the working directory.
pub fn home() -> PathBuf {
    let by_variable = env::var_os("LIFESIGN_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let by_user = || directories::ProjectDirs::from("", "", "lifesign").map(|dirs| dirs.data_dir().to_owned());
    by_variable.or_else(by_user).unwrap_or_else(|| PathBuf::from("lifesign-data"))
}

/// Where a pulled pack lies in the data folder.
pub fn installed(home: &Path, id: &str) -> PathBuf {
    home.join("packs").join(id)
}

/// Opens the pack that is asked for.
///
/// # Errors
/// [`PackError::NoBuiltin`]; [`PackError::NotInstalled`] naming the command that fetches it; otherwise as [`Pack::open`].
pub fn locate(choice: &PackChoice, home: &Path) -> Result<Pack, PackError> {
    match choice {
        PackChoice::Builtin => Pack::builtin(),
        PackChoice::Folder(folder) => Pack::open(folder),
        PackChoice::Open => {
            let folder = installed(home, "open");
            if !folder.join(MANIFEST_FILE).exists() {
                return Err(PackError::NotInstalled { id: "open".to_owned(), folder: folder.display().to_string() });
            }
            Pack::open(&folder)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_that_was_not_pulled_names_the_command() {
        let home = tempfile::tempdir().unwrap();
        let error = locate(&"open".parse().unwrap(), home.path()).unwrap_err().to_string();
        assert!(error.ends_with("fetch it with: lifesign models pull open"), "{error}");
        let missing = home.path().join("nothing");
        let error = locate(&PackChoice::Folder(missing), home.path()).unwrap_err();
        assert!(matches!(error, PackError::Unreadable { file, .. } if file == "pack.toml"));
        let pack = lifesign_core::testing::tiny_pack(home.path()).unwrap();
        let folder = home.path().to_str().unwrap().parse().unwrap();
        assert_eq!(locate(&folder, home.path()).unwrap().reference(), pack.reference());
    }
}
