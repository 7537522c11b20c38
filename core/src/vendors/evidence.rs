//! What there is to show to vendors.

use std::time::Duration;

use bytes::Bytes;

use super::Picture;
use crate::video::Container;

/// A video file. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Clip {
    /// The file.
    pub data: Bytes,
    /// What it is.
    pub container: Container,
    /// How long it is.
    pub duration: Duration,
    /// Pixels of the upright picture, width and height.
    pub size: (u32, u32),
    /// Whether it was made of frames here, rather than recorded.
    pub made: bool,
}

impl std::fmt::Debug for Clip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clip")
            .field("bytes", &self.data.len())
            .field("container", &self.container)
            .field("duration", &self.duration)
            .field("size", &self.size)
            .field("made", &self.made)
            .finish()
    }
}

/// What came of one presentation, as far as the vendors that will be asked need it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The best frame.
    pub best: Option<Picture>,
    /// Judged frames, in their order, evenly spread over the presentation; the best is among them.
    pub frames: Vec<Picture>,
    /// The video that came, or one made of the frames.
    pub video: Option<Clip>,
    /// Why there is no video, where frames came: no encoder, too few frames, …; for diagnostics.
    pub no_video: Option<String>,
    /// The reference image.
    pub reference: Option<Picture>,
}

/// What the vendors that will be asked need, so that nothing else is decoded, encoded or kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Needs {
    /// The best frame.
    pub best: bool,
    /// This many frames at most; 0 for none.
    pub frames: u32,
    /// The video that came.
    pub video: bool,
    /// A video made of the frames where none came: for vendors that take nothing else.
    pub made_video: bool,
    /// The reference image.
    pub reference: bool,
}
