//! Which files a command line names.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::cli::judge::{VIDEO_EXTENSIONS, has_extension};

/// Files in a folder count as images or videos by their names; a file named on the command line is taken whatever its name.
const IMAGE_EXTENSIONS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];

/// Why there is nothing to judge.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilesError {
    /// A folder cannot be listed.
    #[error("{}: {error}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A folder without media: most likely a mistake, and no pass.
    #[error(
        "{}: there is no image (.jpg, .jpeg, .png, .webp) and no video (.mp4, .mov, .mkv, .webm) in this folder",
        .0.display()
    )]
    NoMedia(PathBuf),
}

/// The files in the order given; a folder's own in the order of their paths, subfolders included. A path that does not
/// exist is kept: it becomes an error of its own where the files are judged.
pub(super) fn collect(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FilesError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut found = Vec::new();
        walk(path, &mut found)?;
        if found.is_empty() {
            return Err(FilesError::NoMedia(path.clone()));
        }
        found.sort();
        files.append(&mut found);
    }
    Ok(files)
}

/// Links to files are followed; links to folders are not, since they can go in circles.
fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), FilesError> {
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        let failed = |error| FilesError::Folder { path: folder.clone(), error };
        for entry in fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            if entry.file_type().map_err(failed)?.is_dir() {
                pending.push(path);
            } else if is_media(&path) && path.is_file() {
                found.push(path);
            }
        }
    }
    Ok(())
}

fn is_media(path: &Path) -> bool {
    has_extension(path, &IMAGE_EXTENSIONS) || has_extension(path, &VIDEO_EXTENSIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_searched_in_order_and_files_are_taken_as_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("b/deep")).unwrap();
        for name in ["b/deep/2.PNG", "a.jpg", "notes.txt", "b/1.webp", "c.MOV"] {
            fs::write(root.join(name), b"x").unwrap();
        }
        let named = root.join("notes.txt");
        let files = collect(&[named.clone(), root.to_owned(), "missing.jpg".into()]).unwrap();
        let expected =
            [named, root.join("a.jpg"), root.join("b/1.webp"), root.join("b/deep/2.PNG"), root.join("c.MOV")];
        assert_eq!(files[..5], expected);
        assert_eq!(files[5], Path::new("missing.jpg"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_goes_in_circles_ends() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.jpg"), b"x").unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();
        assert_eq!(collect(&[folder.path().to_owned()]).unwrap().len(), 1);
    }

    #[test]
    fn a_folder_without_media_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes.txt"), b"x").unwrap();
        assert!(matches!(collect(&[folder.path().to_owned()]), Err(FilesError::NoMedia(_))));
    }
}
