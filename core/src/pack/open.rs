//! Opening a pack: from a folder, from bytes, or the one in the binary. A pack that is opened has been checked whole.

use std::{fmt::Write as _, fs::File, io::Read, path::Path, sync::Arc};

use sha2::{Digest, Sha256};

use super::{MANIFEST_FILE, MAX_MANIFEST_BYTES, Manifest, ModelSpec, Pack, PackError};

impl Pack {
    /// Opens the pack in a folder: reads its `pack.toml` and every file that names, and checks sizes and hashes.
    ///
    /// # Errors
    /// [`PackError::Unreadable`], [`PackError::Manifest`] or [`PackError::Altered`]: nothing of a pack is used unless all
    /// of it is right.
    pub fn open(dir: &Path) -> Result<Self, PackError> {
        let who = dir.display().to_string();
        let bytes = read_capped(dir, MANIFEST_FILE, MAX_MANIFEST_BYTES, &who)?;
        if bytes.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(PackError::Manifest {
                pack: who,
                what: format!("it has more than {MAX_MANIFEST_BYTES} bytes"),
            });
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| PackError::Manifest { pack: who.clone(), what: "it is not UTF-8".to_owned() })?;
        Self::assemble(&text, &who, |spec| read_capped(dir, &spec.file, spec.size, &who).map(Arc::from))
    }

    /// Opens a pack whose parts are at hand; `lookup` gives the bytes of a file by its name.
    ///
    /// # Errors
    /// As [`Pack::open`]; [`PackError::Unreadable`] where `lookup` has no such file.
    pub fn from_parts(manifest: &str, lookup: impl Fn(&str) -> Option<Arc<[u8]>>) -> Result<Self, PackError> {
        let who = "embedded";
        Self::assemble(manifest, who, |spec| {
            lookup(&spec.file).ok_or_else(|| PackError::Unreadable {
                pack: who.to_owned(),
                file: spec.file.clone(),
                what: "it is missing".to_owned(),
            })
        })
    }

    fn assemble(
        text: &str,
        who: &str,
        read: impl Fn(&ModelSpec) -> Result<Arc<[u8]>, PackError>,
    ) -> Result<Self, PackError> {
        let manifest = Manifest::parse(text, who)?;
        let mut files = Vec::with_capacity(manifest.models.len());
        for spec in &manifest.models {
            let bytes = read(spec)?;
            check_bytes(spec, &bytes, who)?;
            files.push(bytes);
        }
        Ok(Pack { sha256: sha256_hex(text.as_bytes()), manifest, files })
    }
}

/// The sha256 of some bytes, in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn check_bytes(spec: &ModelSpec, bytes: &[u8], who: &str) -> Result<(), PackError> {
    let altered = |expected: String, actual: String| PackError::Altered {
        pack: who.to_owned(),
        file: spec.file.clone(),
        expected,
        actual,
    };
    let size = bytes.len() as u64;
    if size != spec.size {
        // Reading stopped one byte beyond, so how much more there is was never learnt.
        let actual = if size > spec.size { "more".to_owned() } else { format!("{size} bytes") };
        return Err(altered(format!("{} bytes", spec.size), actual));
    }
    let actual = sha256_hex(bytes);
    if actual == spec.sha256 {
        return Ok(());
    }
    Err(altered(format!("sha256 {}", spec.sha256), format!("sha256 {actual}")))
}

/// Reads a file, but at most one byte more than `cap`: enough to tell that it is too long, whatever its length.
fn read_capped(dir: &Path, file: &str, cap: u64, who: &str) -> Result<Vec<u8>, PackError> {
    let unreadable = |what: String| PackError::Unreadable { pack: who.to_owned(), file: file.to_owned(), what };
    let opened = File::open(dir.join(file)).map_err(|error| unreadable(error.to_string()))?;
    let known = opened.metadata().map_err(|error| unreadable(error.to_string()))?;
    if !known.is_file() {
        return Err(unreadable("it is not a file".to_owned()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(known.len().min(cap.saturating_add(1))).unwrap_or(0));
    opened.take(cap.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    Ok(bytes)
}
