//! A file as media: read within the limits of what it is, which its bytes say.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use lifesign_core::{
    frame::{FrameError, FrameLimits, MediaType},
    video::{Container, VideoError, VideoLimits},
};

use crate::{setup::Setup, status::Fault};

/// Names that say "video". The bytes decide; the name does only where they are of no known kind at all (an empty file,
/// or a damaged one), so that what is said about such a file fits it.
pub(in crate::cli) const VIDEO_EXTENSIONS: [&str; 4] = ["mp4", "mov", "mkv", "webm"];

/// Enough of a file to tell what it is: what [`Container::sniff`] looks at most.
const HEAD: u64 = 64;

/// Why a file got no verdict.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum FileError {
    /// The system would not let it be read.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// It is no acceptable image.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It is no acceptable video.
    #[error(transparent)]
    Video(#[from] VideoError),
}

impl FileError {
    /// A stable UPPER_SNAKE code: for media, the reason that the server would give.
    pub(in crate::cli) fn code(&self) -> String {
        use tonic_types::StatusExt;
        let field = "file".to_owned();
        let fault = match self {
            FileError::Unreadable(_) => return "FILE_UNREADABLE".to_owned(),
            FileError::Frame(error) => Fault::Media { field, error: error.clone() },
            FileError::Video(error) => Fault::Video { field, error: error.clone() },
        };
        fault.status().get_details_error_info().map(|info| info.reason).unwrap_or_default()
    }
}

/// A file's bytes, by kind.
pub(in crate::cli) enum Content {
    /// An image, or nothing that is known.
    Image(Vec<u8>),
    /// A video.
    Video(Vec<u8>),
}

/// The bytes of an image or a video.
pub(in crate::cli) fn read(path: &Path, setup: &Setup) -> Result<Content, FileError> {
    let mut opened = Opened::new(path)?;
    let container = Container::sniff(&opened.head);
    if container.is_some() || (MediaType::sniff(&opened.head).is_none() && has_extension(path, &VIDEO_EXTENSIONS)) {
        opened.rest(&setup.video.limits).map(Content::Video)
    } else {
        opened.rest(&setup.limits).map(Content::Image)
    }
}

/// The bytes of an image.
pub(in crate::cli) fn read_image(path: &Path, limits: &FrameLimits) -> Result<Vec<u8>, FileError> {
    Opened::new(path)?.rest(limits)
}

/// Whether a file's name ends in one of these.
pub(in crate::cli) fn has_extension(path: &Path, known: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    known.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

/// What a kind of media says of a file's size.
trait Limit {
    fn most(&self) -> u64;
    fn too_many(&self, actual: u64) -> FileError;
}

impl Limit for FrameLimits {
    fn most(&self) -> u64 {
        self.max_bytes
    }

    fn too_many(&self, actual: u64) -> FileError {
        FrameError::TooManyBytes { limit: self.max_bytes, actual }.into()
    }
}

impl Limit for VideoLimits {
    fn most(&self) -> u64 {
        self.max_bytes
    }

    fn too_many(&self, actual: u64) -> FileError {
        VideoError::TooManyBytes { limit: self.max_bytes, actual }.into()
    }
}

struct Opened {
    file: File,
    size: u64,
    head: Vec<u8>,
}

impl Opened {
    fn new(path: &Path) -> Result<Self, FileError> {
        let mut file = File::open(path).map_err(FileError::Unreadable)?;
        let metadata = file.metadata().map_err(FileError::Unreadable)?;
        if metadata.is_dir() {
            return Err(FileError::Unreadable(io::ErrorKind::IsADirectory.into()));
        }
        let mut head = Vec::new();
        file.by_ref().take(HEAD).read_to_end(&mut head).map_err(FileError::Unreadable)?;
        Ok(Self { file, size: metadata.len(), head })
    }

    /// All bytes, and never many more than the limit: what is larger is refused by its size, or, where the system does
    /// not know the size (a pipe), once the limit has been read.
    fn rest(&mut self, limits: &impl Limit) -> Result<Vec<u8>, FileError> {
        let limit = limits.most();
        if self.size > limit {
            return Err(limits.too_many(self.size));
        }
        let mut bytes = std::mem::take(&mut self.head);
        let left = limit.saturating_add(1).saturating_sub(bytes.len() as u64);
        self.file.by_ref().take(left).read_to_end(&mut bytes).map_err(FileError::Unreadable)?;
        if bytes.len() as u64 > limit { Err(limits.too_many(bytes.len() as u64)) } else { Ok(bytes) }
    }
}
