//! Model packs: a folder, or bytes in the binary, with a manifest that says what each file is and must hash to.

mod builtin;
mod manifest;
mod open;
mod pull;
mod validate;
mod verify;

pub use manifest::*;
pub use open::sha256_hex;
pub use pull::{Fetch, Fetched, Folder, Progress, pull};
pub use validate::{MANIFEST_FILE, MAX_MANIFEST_BYTES, MAX_MODEL_BYTES};
pub use verify::{ModelReport, Report, verify};

use std::sync::Arc;

use crate::verdict::PackRef;

/// The manifest of the `open` pack, so that it is known what to fetch and what it must hash to.
pub const OPEN_MANIFEST: &str = include_str!("../../../models/open/pack.toml");

/// Why a pack cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// A file cannot be read.
    #[error("pack {pack}: {file}: {what}")]
    Unreadable {
        /// Folder or id.
        pack: String,
        /// File name.
        file: String,
        /// What the system said.
        what: String,
    },
    /// The manifest is not valid.
    #[error("pack {pack}: pack.toml: {what}")]
    Manifest {
        /// Folder or id.
        pack: String,
        /// What is wrong.
        what: String,
    },
    /// A file is not the one the manifest names.
    #[error("pack {pack}: {file}: expected {expected}, found {actual}")]
    Altered {
        /// Folder or id.
        pack: String,
        /// File name.
        file: String,
        /// Size or hash in the manifest.
        expected: String,
        /// Size or hash found.
        actual: String,
    },
    /// A model ran and gave other numbers than when the pack was made.
    #[error("pack {pack}: self-test of {model}: {what}")]
    SelfTest {
        /// Pack id.
        pack: String,
        /// Model name.
        model: String,
        /// What differs.
        what: String,
    },
    /// A file did not come whole. What came is kept.
    #[error("pack {pack}: {file}: {what}; pull again to go on from there")]
    Fetch {
        /// Pack id.
        pack: String,
        /// File name.
        file: String,
        /// What the source said.
        what: String,
    },
    /// Files that the source of a pull cannot have.
    #[error(
        "pack {pack}: upstream does not publish these files as they are used here; take them from a folder with \
         --from DIR: {files}"
    )]
    NotOffered {
        /// Pack id.
        pack: String,
        /// Their names, each with where it comes from.
        files: String,
    },
    /// Another process is pulling into the same folder.
    #[error("{folder}: another process is pulling into it")]
    Busy {
        /// The folder.
        folder: String,
    },
    /// A pack that is known but not there.
    #[error("pack {id} is not installed in {folder}; fetch it with: lifesign models pull {id}")]
    NotInstalled {
        /// Its id.
        id: String,
        /// Where it would be.
        folder: String,
    },
    /// This build carries no built-in pack.
    #[error("this build carries no built-in model pack; name one with --pack")]
    NoBuiltin,
}

/// A verified pack: its manifest and every model's bytes, whose hashes were checked when it was opened.
#[derive(Debug, Clone)]
pub struct Pack {
    manifest: Manifest,
    sha256: String,
    files: Vec<Arc<[u8]>>,
}

impl Pack {
    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Id, version, assurance and hash.
    pub fn reference(&self) -> PackRef {
        PackRef {
            id: self.manifest.pack.id.clone(),
            version: self.manifest.pack.version.clone(),
            assurance: self.manifest.pack.assurance,
            sha256: self.sha256.clone(),
        }
    }

    /// The models of a role with their bytes, in the manifest's order.
    pub fn models(&self, role: Role) -> impl Iterator<Item = (&ModelSpec, &[u8])> {
        self.manifest.models.iter().zip(&self.files).filter(move |(spec, _)| spec.role == role).map(|(s, f)| (s, &**f))
    }

    /// Whether the pack has a model of this role.
    pub fn has(&self, role: Role) -> bool {
        self.manifest.models.iter().any(|spec| spec.role == role)
    }
}
