//! The pack in the binary. What `models/builtin` held when the crate was built is its table of files.

use std::sync::Arc;

use super::{Pack, PackError};

/// A table of embedded files by name, as the build script writes it.
type Files = &'static [(&'static str, &'static [u8])];

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

impl Pack {
    /// The built-in pack.
    ///
    /// # Errors
    /// [`PackError::NoBuiltin`] where the crate was built without one: feature `builtin` off, or no `models/builtin` with
    /// a manifest. Otherwise as [`Pack::open`].
    pub fn builtin() -> Result<Self, PackError> {
        Self::from_embedded(BUILTIN)
    }

    /// A pack from a table of embedded files, `pack.toml` among them.
    ///
    /// # Errors
    /// [`PackError::NoBuiltin`] where the table has no `pack.toml`; otherwise as [`Pack::open`].
    pub fn from_embedded(files: &[(&str, &[u8])]) -> Result<Self, PackError> {
        let find = |wanted: &str| files.iter().find(|(name, _)| *name == wanted).map(|(_, bytes)| *bytes);
        let manifest = find(super::MANIFEST_FILE).ok_or(PackError::NoBuiltin)?;
        let manifest = std::str::from_utf8(manifest)
            .map_err(|_| PackError::Manifest { pack: "embedded".to_owned(), what: "it is not UTF-8".to_owned() })?;
        Self::from_parts(manifest, |name| find(name).map(Arc::from))
    }
}
