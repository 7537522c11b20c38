//! Fetching a pack's files into a folder: resumed where it was cut off, capped, hashed while it streams, and visible under
//! its name only when it is right. Where the bytes come from is [`Fetch`]'s business; the core knows only folders.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{MANIFEST_FILE, Manifest, ModelSpec, Pack, PackError, open::hex};

/// Taken at a time; also how often progress is told.
const CHUNK: usize = 64 << 10;

/// A place that files come from.
pub trait Fetch {
    /// Whether this place can have the file at all. It says no without asking anyone.
    fn offers(&self, spec: &ModelSpec) -> bool;

    /// Opens the file, from byte `offset` on if the place can do that, else from the start.
    ///
    /// # Errors
    /// In words, without secrets: the file is not there, or the place does not answer.
    fn open(&self, spec: &ModelSpec, offset: u64) -> Result<Fetched, String>;
}

/// A file as it comes in.
pub struct Fetched {
    /// Where it starts: the offset asked for, or 0.
    pub offset: u64,
    /// Its bytes from there on.
    pub body: Box<dyn Read>,
}

/// How far a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Its name.
    pub file: &'a str,
    /// Bytes that are there.
    pub done: u64,
    /// Bytes it has.
    pub size: u64,
    /// Whether it was there, and right, before.
    pub kept: bool,
}

/// A folder with the files under their names, as `--from DIR` gives it.
#[derive(Debug, Clone)]
pub struct Folder(pub PathBuf);

impl Fetch for Folder {
    fn offers(&self, _: &ModelSpec) -> bool {
        true
    }

    fn open(&self, spec: &ModelSpec, _: u64) -> Result<Fetched, String> {
        let path = self.0.join(&spec.file);
        let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Fetched { offset: 0, body: Box::new(file) })
    }
}

/// Brings a pack into the folder `dest`, which is made where it is missing, and opens it there. Files that are there and
/// right are kept. The manifest is written last, so a folder without one is an unfinished pack.
///
/// # Errors
/// [`PackError::Fetch`] where a file does not come whole (what came is kept, the next pull goes on from there);
/// [`PackError::Altered`] where its bytes are others than the manifest's (they are thrown away);
/// [`PackError::NotOffered`] naming the files that this place cannot have, after fetching the others;
/// [`PackError::Busy`] where another process is pulling into this folder; otherwise as [`Pack::open`].
pub fn pull(
    manifest: &str,
    fetch: &dyn Fetch,
    dest: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Pack, PackError> {
    let parsed = Manifest::parse(manifest, "to pull")?;
    let target = Target { pack: &parsed.pack.id, dest };
    fs::create_dir_all(dest).map_err(|error| target.unwritable(&dest.display().to_string(), &error))?;
    let _lock = target.lock()?;
    let mut missing = Vec::new();
    for spec in &parsed.models {
        if target.has(spec) {
            progress(Progress { file: &spec.file, done: spec.size, size: spec.size, kept: true });
        } else if fetch.offers(spec) {
            target.file(spec, fetch, progress)?;
        } else {
            missing.push(format!("{} ({})", spec.file, spec.source));
        }
    }
    if !missing.is_empty() {
        return Err(PackError::NotOffered { pack: parsed.pack.id, files: missing.join("; ") });
    }
    let part = dest.join(format!("{MANIFEST_FILE}.part"));
    fs::write(&part, manifest)
        .and_then(|()| fs::rename(&part, dest.join(MANIFEST_FILE)))
        .map_err(|error| target.unwritable(MANIFEST_FILE, &error))?;
    Pack::open(dest)
}

struct Target<'a> {
    pack: &'a str,
    dest: &'a Path,
}

impl Target<'_> {
    /// Holds other pulls into this folder off until it is dropped, or the process ends.
    fn lock(&self) -> Result<File, PackError> {
        let name = ".pull.lock";
        let file = File::create(self.dest.join(name)).map_err(|error| self.unwritable(name, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(PackError::Busy { folder: self.dest.display().to_string() }),
            Err(fs::TryLockError::Error(error)) => Err(self.unwritable(name, &error)),
        }
    }

    /// Whether the file is there and right.
    fn has(&self, spec: &ModelSpec) -> bool {
        let Ok(mut file) = File::open(self.dest.join(&spec.file)) else { return false };
        let mut hash = Sha256::new();
        let right = file.metadata().is_ok_and(|known| known.len() == spec.size);
        right && io::copy(&mut file, &mut hash).is_ok() && hex(&hash.finalize()) == spec.sha256
    }

    fn file(
        &self,
        spec: &ModelSpec,
        fetch: &dyn Fetch,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), PackError> {
        let path = self.dest.join(format!("{}.part", spec.file));
        let mut part = self.part(spec, &path)?;
        if part.length < spec.size {
            let mut fetched = fetch.open(spec, part.length).map_err(|what| self.fetch(spec, what))?;
            if fetched.offset != part.length {
                if fetched.offset != 0 {
                    return Err(self.fetch(spec, format!("it came from byte {} on, unasked", fetched.offset)));
                }
                part.restart().map_err(|error| self.unwritable(&spec.file, &error))?;
            }
            self.stream(spec, &mut *fetched.body, &mut part, progress)?;
        }
        let actual = hex(&part.hash.finalize());
        part.file.sync_all().map_err(|error| self.unwritable(&spec.file, &error))?;
        if actual != spec.sha256 {
            return Err(self.altered(spec, &path, format!("sha256 {}", spec.sha256), format!("sha256 {actual}")));
        }
        fs::rename(&path, self.dest.join(&spec.file)).map_err(|error| self.unwritable(&spec.file, &error))
    }

    /// What an earlier pull left, hashed; what can only be wrong is thrown away.
    fn part(&self, spec: &ModelSpec, path: &Path) -> Result<Part, PackError> {
        let open = || -> io::Result<Part> {
            let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
            let mut hash = Sha256::new();
            let length = io::copy(&mut (&mut file).take(spec.size.saturating_add(1)), &mut hash)?;
            let mut part = Part { file, hash, length };
            if length > spec.size {
                part.restart()?;
            }
            Ok(part)
        };
        open().map_err(|error| self.unwritable(&spec.file, &error))
    }

    fn stream(
        &self,
        spec: &ModelSpec,
        body: &mut dyn Read,
        part: &mut Part,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), PackError> {
        let mut buffer = vec![0; CHUNK];
        loop {
            progress(Progress { file: &spec.file, done: part.length, size: spec.size, kept: false });
            let count = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let what = format!("it broke off after {} of {} bytes: {error}", part.length, spec.size);
                    return Err(self.fetch(spec, what));
                }
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            if part.length + bytes.len() as u64 > spec.size {
                let path = self.dest.join(format!("{}.part", spec.file));
                return Err(self.altered(spec, &path, format!("{} bytes", spec.size), "more".to_owned()));
            }
            part.push(bytes).map_err(|error| self.unwritable(&spec.file, &error))?;
        }
        if part.length < spec.size {
            let what = format!("it ended after {} of {} bytes", part.length, spec.size);
            return Err(self.fetch(spec, what));
        }
        Ok(())
    }

    fn altered(&self, spec: &ModelSpec, part: &Path, expected: String, actual: String) -> PackError {
        // Where it cannot be removed, the next pull finds it wrong again.
        let _ = fs::remove_file(part);
        PackError::Altered { pack: self.pack.to_owned(), file: spec.file.clone(), expected, actual }
    }

    fn fetch(&self, spec: &ModelSpec, what: String) -> PackError {
        PackError::Fetch { pack: self.pack.to_owned(), file: spec.file.clone(), what }
    }

    fn unwritable(&self, file: &str, error: &io::Error) -> PackError {
        PackError::Unreadable { pack: self.pack.to_owned(), file: file.to_owned(), what: error.to_string() }
    }
}

/// A file that is coming in.
struct Part {
    file: File,
    hash: Sha256,
    length: u64,
}

impl Part {
    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn restart(&mut self) -> io::Result<()> {
        use std::io::Seek as _;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.hash = Sha256::new();
        self.length = 0;
        Ok(())
    }
}
