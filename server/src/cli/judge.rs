//! Bytes to verdict on one thread: the way that `check` and `bench` drive the core, which is the server's way without the
//! sockets.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    sync::Arc,
    time::Instant,
};

use lifesign_core::{
    Error as CoreError,
    analysis::{Analyzer, Plan},
    frame::{Frame, FrameError, FrameLimits},
    policy::Policy,
    session::{Context, FrameTiming, Media, Session},
    verdict::Verdict,
};

use crate::{setup::Setup, status::Fault};

/// Why a file got no verdict.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// The system would not let it be read.
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    /// It is no acceptable image.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl FileError {
    /// A stable UPPER_SNAKE code: for media, the reason that the server would give.
    pub(super) fn code(&self) -> String {
        use tonic_types::StatusExt;
        let fault = match self {
            FileError::Unreadable(_) => return "FILE_UNREADABLE".to_owned(),
            FileError::Frame(error) => Fault::Media { field: "file".to_owned(), error: error.clone() },
        };
        fault.status().get_details_error_info().map(|info| info.reason).unwrap_or_default()
    }
}

/// The bytes of a file, and never many more than the limit: what is larger is refused by its size, or, where the system
/// does not know the size (a pipe), once the limit has been read.
pub(super) fn read_limited(path: &Path, limits: &FrameLimits) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(FileError::Unreadable)?;
    let limit = limits.max_bytes;
    let metadata = file.metadata().map_err(FileError::Unreadable)?;
    if metadata.is_dir() {
        return Err(FileError::Unreadable(io::ErrorKind::IsADirectory.into()));
    }
    if metadata.len() > limit {
        return Err(FrameError::TooManyBytes { limit, actual: metadata.len() }.into());
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(FileError::Unreadable)?;
    Ok(bytes)
}

/// One thread's models under one policy.
pub(super) struct Judge {
    analyzer: Analyzer,
    context: Context,
    plan: Plan,
    limits: FrameLimits,
}

impl Judge {
    /// Loads the models.
    pub(super) fn load(setup: &Setup, policy: &Arc<Policy>, media: Media) -> Result<Self, CoreError> {
        let context = Context {
            policy: Arc::clone(policy),
            pack: setup.pack.reference(),
            runtime: setup.runtime.describe(),
            media,
            reference: None,
        };
        let analyzer = Analyzer::load(&setup.pack, &*setup.runtime)?;
        Ok(Self { analyzer, plan: policy.plan_for(media), context, limits: setup.limits })
    }

    /// Judges one image.
    pub(super) fn image(&mut self, bytes: &[u8]) -> Result<Verdict, FileError> {
        self.frames([Ok(bytes)]).map_err(|(_, error)| error)
    }

    /// Judges frames of one presentation, in their order, until the policy's evidence is complete. A frame that is no
    /// acceptable image is an error, as it is for the server; it comes with the frame's number. A model that breaks leads to
    /// a verdict that says so, and that is no pass.
    pub(super) fn frames<B: AsRef<[u8]>>(
        &mut self,
        frames: impl IntoIterator<Item = Result<B, FileError>>,
    ) -> Result<Verdict, (usize, FileError)> {
        let began = Instant::now();
        let mut session = Session::new(self.context.clone());
        for (index, bytes) in frames.into_iter().enumerate() {
            let bytes = bytes.map_err(|error| (index, error))?;
            let decoding = Instant::now();
            let frame = Frame::decode(bytes.as_ref(), None, &self.limits).map_err(|error| (index, error.into()))?;
            // As in a server's list of frames, all are there from the start: files say nothing of when they were taken.
            let timing = FrameTiming { decode: decoding.elapsed(), ..FrameTiming::default() };
            let number = u64::try_from(index).unwrap_or(u64::MAX);
            match self.analyzer.analyze(&frame, &self.plan) {
                Ok(analysis) => session.push(number, timing, analysis),
                Err(error) => {
                    tracing::warn!(frame = index, %error, "a frame could not be analysed");
                    session.fault(number, timing, &error)
                }
            };
            if session.is_complete() {
                break;
            }
        }
        Ok(session.finish(began.elapsed()))
    }
}
