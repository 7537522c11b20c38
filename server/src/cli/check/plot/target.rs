//! The file that the plot goes to: whole or not at all.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use crate::cli::CliError;

/// Where the plot will be. It is written beside its place and then moved there, so that nobody ever reads half of it and
/// a run that fails leaves the one before it as it was.
pub(in crate::cli::check) struct Target {
    path: PathBuf,
    /// `None` for what is no regular file, such as a pipe: that is written to as it is.
    beside: Option<NamedTempFile>,
}

impl Target {
    /// Opens it before there is anything to write, so that a folder that is not there is told at once.
    pub(in crate::cli::check) fn open(path: &Path) -> Result<Self, CliError> {
        let failed = |error: io::Error| CliError::Failed(format!("--plot {}: {error}", path.display()));
        // Behind a link lies the file that is meant.
        let (path, regular) = match fs::canonicalize(path) {
            Ok(path) => {
                let kind = fs::metadata(&path).map_err(failed)?;
                if kind.is_dir() {
                    return Err(failed(io::ErrorKind::IsADirectory.into()));
                }
                (path, kind.is_file())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (path.to_owned(), true),
            Err(error) => return Err(failed(error)),
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let beside = regular.then(|| beside(folder)).transpose().map_err(failed)?;
        Ok(Self { path, beside })
    }

    /// Writes it.
    pub(in crate::cli::check) fn write(self, plot: &str) -> Result<(), CliError> {
        let Self { path, beside } = self;
        let failed = |error: io::Error| CliError::Failed(format!("--plot {}: {error}", path.display()));
        match beside {
            Some(mut file) => {
                file.write_all(plot.as_bytes()).and_then(|()| file.flush()).map_err(failed)?;
                file.persist(&path).map_err(|error| failed(error.error))?;
            }
            None => fs::OpenOptions::new()
                .write(true)
                .open(&path)
                .and_then(|mut file| file.write_all(plot.as_bytes()))
                .map_err(failed)?,
        }
        Ok(())
    }
}

/// A file of no name yet, which the user's mask decides who may read, as for any other file of theirs.
fn beside(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".lifesign-plot-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}
