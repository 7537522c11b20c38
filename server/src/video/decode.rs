//! Decoding, away from the threads that serve sockets: each video on a thread of its own, so many at a time.
//!
//! A decoder is never further ahead than [`AHEAD`] frames of whoever takes them, so that what it decoded does not pile up
//! where the workers are busy; and it stops when nobody takes any more.

use std::{
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use lifesign_core::video::{Container, Ffmpeg, Sampling, Video, VideoError, VideoFrame, VideoInfo, VideoLimits};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout_at,
};

use super::VideoSetup;

/// Decoded frames of one video at a time: one at a worker, and one that is being decoded meanwhile or waits for it.
pub const AHEAD: usize = 2;

/// How long after its caller's deadline a decoder is stopped in the middle of a frame: the caller's own clock goes first.
const GRACE: Duration = Duration::from_millis(100);

/// Why a video is not decoded to its end.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The video was refused.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// No decoder became free in time.
    #[error("{limit} videos are being decoded, which is the limit")]
    Full {
        /// Decoded at a time.
        limit: usize,
    },
    /// The system refused a thread.
    #[error("no thread for the decoder: {0}")]
    Thread(io::Error),
    /// A bug: the decoder's thread ended before the video.
    #[error("the decoder broke down")]
    Broken,
}

/// All decoders of this process.
#[derive(Debug, Clone)]
pub struct Decoders {
    setup: VideoSetup,
    turns: Arc<Semaphore>,
}

/// A video whose headers are within the limits. It holds the file, which it does not copy.
#[derive(Debug)]
pub struct Admitted {
    file: Bytes,
    declared: Option<Container>,
    info: VideoInfo,
}

impl Admitted {
    /// What the headers say.
    pub fn info(&self) -> &VideoInfo {
        &self.info
    }

    /// The file; the bytes are shared.
    pub fn file(&self) -> Bytes {
        self.file.clone()
    }
}

impl Decoders {
    /// As many as the setup says.
    pub fn new(setup: VideoSetup) -> Self {
        let turns = Arc::new(Semaphore::new(setup.max_videos.min(Semaphore::MAX_PERMITS)));
        Self { setup, turns }
    }

    /// What they were made from.
    pub fn setup(&self) -> &VideoSetup {
        &self.setup
    }

    /// Reads the headers, before the video waits for anything.
    ///
    /// # Errors
    /// [`DecodeError::Video`], [`DecodeError::Broken`].
    pub async fn admit(&self, file: Bytes, declared: Option<Container>) -> Result<Admitted, DecodeError> {
        let limits = self.setup.limits;
        let probe = move || {
            let info = Video::probe(&file, declared, &limits)?.info().clone();
            Ok(Admitted { file, declared, info })
        };
        spawn_blocking(probe).await.map_err(|_| DecodeError::Broken)?
    }

    /// Begins to decode. Waits for a free decoder for half of the time that is left until the deadline: what gets its turn
    /// later has too little time to be decoded in.
    ///
    /// # Errors
    /// [`DecodeError::Full`], [`DecodeError::Thread`].
    pub async fn decode(
        &self,
        video: Admitted,
        sampling: Sampling,
        deadline: Instant,
    ) -> Result<Decoding, DecodeError> {
        let now = Instant::now();
        let patience = now + deadline.saturating_duration_since(now) / 2;
        let turn = timeout_at(patience.into(), Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(DecodeError::Full { limit: self.setup.max_videos }) };
        let left = deadline.saturating_duration_since(Instant::now()).saturating_add(GRACE);
        let max_decode_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).min(self.setup.limits.max_decode_ms);
        let (give, credits) = flume::bounded(AHEAD);
        for _ in 0..AHEAD {
            // There is room for all of them.
            let _ = give.try_send(());
        }
        let (out, frames) = flume::bounded(AHEAD);
        let limits = VideoLimits { max_decode_ms, ..self.setup.limits };
        let ffmpeg = self.setup.ffmpeg.clone();
        let work = Work { video, sampling, limits, ffmpeg, credits, out, _turn: turn };
        thread::Builder::new().name(THREAD.to_owned()).spawn(move || work.run()).map_err(DecodeError::Thread)?;
        Ok(Decoding { give, frames })
    }
}

/// The name of a decoder's thread; the system shows its first 15 bytes.
pub const THREAD: &str = "lifesign-video";

/// What the decoder's thread holds.
struct Work {
    video: Admitted,
    sampling: Sampling,
    limits: VideoLimits,
    ffmpeg: Ffmpeg,
    /// One for each frame that may be decoded; closed where no more are wanted.
    credits: flume::Receiver<()>,
    out: flume::Sender<Step>,
    /// Free again when this thread has ended, not before.
    _turn: OwnedSemaphorePermit,
}

/// What comes from the decoder's thread; nothing after `Err` and `Ok(None)`, which is the video's end.
type Step = Result<Option<VideoFrame>, VideoError>;

impl Work {
    fn run(self) {
        let file = &self.video.file;
        // The headers again: a millisecond, which is less than a thread costs that would have waited with them.
        let opened = Video::probe(file, self.video.declared, &self.limits)
            .and_then(|video| video.frames(self.sampling, &self.ffmpeg));
        let mut frames = match opened {
            Ok(frames) => frames,
            Err(error) => {
                // Where nobody listens any more, nobody wants to know.
                let _ = self.out.send(Err(error));
                return;
            }
        };
        while self.credits.recv().is_ok() && !self.out.is_disconnected() {
            let step = frames.next().transpose();
            let last = !matches!(step, Ok(Some(_)));
            if self.out.send(step).is_err() || last {
                return;
            }
        }
    }
}

/// A video that is being decoded. Dropping it, and what it gave out, stops the decoder.
#[derive(Debug)]
pub struct Decoding {
    give: flume::Sender<()>,
    frames: flume::Receiver<Step>,
}

/// A frame's place among the [`AHEAD`]. Dropping it lets the decoder go on.
#[derive(Debug)]
pub struct Place(flume::Sender<()>);

impl Drop for Place {
    fn drop(&mut self) {
        // It is full only where a place was given back that was never taken, and closed where the decoder has ended.
        let _ = self.0.try_send(());
    }
}

impl Decoding {
    /// The next frame; `None` after the last one. Not to be called again after that or after an error.
    ///
    /// # Errors
    /// [`DecodeError::Video`], [`DecodeError::Broken`].
    pub async fn next(&mut self) -> Result<Option<(VideoFrame, Place)>, DecodeError> {
        match self.frames.recv_async().await {
            Ok(Ok(Some(frame))) => Ok(Some((frame, Place(self.give.clone())))),
            Ok(Ok(None)) => Ok(None),
            Ok(Err(error)) => Err(error.into()),
            // Without its last word it did not reach the end.
            Err(flume::RecvError::Disconnected) => Err(DecodeError::Broken),
        }
    }
}
