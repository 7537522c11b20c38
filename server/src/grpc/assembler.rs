//! Chunks in, frames out: sans-IO, so that every order of chunks can be tried without a socket.

use bytes::{Bytes, BytesMut};
use lifesign_core::video::Container;
use lifesign_proto::v1;

/// Why a chunk does not fit those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// Of another frame than is due.
    #[error("frame_index is {actual}; {expected} is due")]
    FrameIndex {
        /// Due.
        expected: u64,
        /// Given.
        actual: u64,
    },
    /// Of another place in the frame than is due.
    #[error("offset is {actual}; {expected} is due")]
    Offset {
        /// Due: the bytes received of this frame so far.
        expected: u64,
        /// Given.
        actual: u64,
    },
    /// A chunk that is not the last brought nothing.
    #[error("a chunk that is not the last must bring data")]
    NoData,
    /// The whole frame brought nothing.
    #[error("the frame is empty")]
    EmptyFrame,
    /// Too large a chunk.
    #[error("data has {actual} bytes; the limit is {limit}")]
    ChunkTooLarge {
        /// Allowed.
        limit: u64,
        /// Given.
        actual: u64,
    },
    /// Too large a frame.
    #[error("the frame has {actual} bytes or more; the limit is {limit}")]
    FrameTooLarge {
        /// Allowed.
        limit: u64,
        /// Received so far, with this chunk.
        actual: u64,
    },
    /// A video after a frame, or anything after a video.
    #[error("a stream carries either frames, or one video alone as frame 0")]
    VideoNotAlone,
    /// Too many frames.
    #[error("the session has had its {limit} frames")]
    TooManyFrames {
        /// Allowed.
        limit: u64,
    },
    /// The stream was finished in the middle of a frame.
    #[error("the stream was finished {received} bytes into a frame, before its last chunk")]
    Unfinished {
        /// Bytes received of it.
        received: u64,
    },
}

/// What is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkLimits {
    /// Bytes of one chunk.
    pub chunk_bytes: u64,
    /// Bytes of one frame.
    pub frame_bytes: u64,
    /// Bytes of a video.
    pub video_bytes: u64,
    /// Frames of one session.
    pub frames: u64,
}

/// A frame whose chunks have all come.
#[derive(Debug, Clone, PartialEq)]
pub struct AssembledFrame {
    /// Its index.
    pub index: u64,
    /// Its bytes.
    pub data: Bytes,
    /// What its first chunk said besides: capture time, media type, raw layout. Its `data` is empty.
    pub head: v1::MediaChunk,
}

#[derive(Debug)]
struct Partial {
    head: v1::MediaChunk,
    /// The first chunk as it came: a frame of one chunk is never copied.
    first: Bytes,
    /// All of it from the second chunk on.
    rest: BytesMut,
}

impl Partial {
    fn len(&self) -> u64 {
        (self.first.len() + self.rest.len()) as u64
    }
}

/// Puts the frames of one stream together.
#[derive(Debug)]
pub struct Assembler {
    limits: ChunkLimits,
    next_index: u64,
    partial: Option<Partial>,
    /// A video has come whole.
    video: bool,
}

impl Assembler {
    /// At the beginning of a stream.
    pub fn new(limits: ChunkLimits) -> Self {
        Self { limits, next_index: 0, partial: None, video: false }
    }

    /// The index that the next chunk must carry.
    pub fn next_index(&self) -> u64 {
        self.next_index
    }

    /// Takes a chunk; gives the frame if this was its last one. After an error the stream is to be ended.
    ///
    /// # Errors
    /// [`ChunkError`].
    pub fn push(&mut self, mut chunk: v1::MediaChunk) -> Result<Option<AssembledFrame>, ChunkError> {
        let received = self.partial.as_ref().map_or(0, Partial::len);
        self.check(&chunk, received)?;
        let (last, data) = (chunk.last, std::mem::take(&mut chunk.data));
        let partial = match self.partial.take() {
            None => Partial { head: chunk, first: data, rest: BytesMut::new() },
            Some(mut partial) => {
                if partial.rest.is_empty() {
                    partial.rest.extend_from_slice(&std::mem::take(&mut partial.first));
                }
                partial.rest.extend_from_slice(&data);
                partial
            }
        };
        if !last {
            self.partial = Some(partial);
            return Ok(None);
        }
        let data = if partial.rest.is_empty() { partial.first } else { partial.rest.freeze() };
        if data.is_empty() {
            return Err(ChunkError::EmptyFrame);
        }
        let index = self.next_index;
        self.next_index += 1;
        self.video = is_video(&partial.head);
        Ok(Some(AssembledFrame { index, data, head: partial.head }))
    }

    /// Whether the stream may end here.
    ///
    /// # Errors
    /// [`ChunkError::Unfinished`].
    pub fn finish(&self) -> Result<(), ChunkError> {
        match &self.partial {
            None => Ok(()),
            Some(partial) => Err(ChunkError::Unfinished { received: partial.len() }),
        }
    }

    fn check(&self, chunk: &v1::MediaChunk, received: u64) -> Result<(), ChunkError> {
        let video = is_video(self.partial.as_ref().map_or(chunk, |partial| &partial.head));
        if self.video || (video && self.next_index > 0) {
            return Err(ChunkError::VideoNotAlone);
        }
        if self.next_index >= self.limits.frames {
            return Err(ChunkError::TooManyFrames { limit: self.limits.frames });
        }
        if chunk.frame_index != self.next_index {
            return Err(ChunkError::FrameIndex { expected: self.next_index, actual: chunk.frame_index });
        }
        if chunk.offset != received {
            return Err(ChunkError::Offset { expected: received, actual: chunk.offset });
        }
        let bytes = chunk.data.len() as u64;
        if bytes > self.limits.chunk_bytes {
            return Err(ChunkError::ChunkTooLarge { limit: self.limits.chunk_bytes, actual: bytes });
        }
        let total = received.saturating_add(bytes);
        let limit = if video { self.limits.video_bytes } else { self.limits.frame_bytes };
        if total > limit {
            return Err(ChunkError::FrameTooLarge { limit, actual: total });
        }
        if bytes == 0 && !chunk.last {
            return Err(ChunkError::NoData);
        }
        Ok(())
    }
}

/// Whether a frame's first chunk begins a video.
pub(super) fn is_video(head: &v1::MediaChunk) -> bool {
    Container::parse(&head.media_type).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: ChunkLimits = ChunkLimits { chunk_bytes: 8, frame_bytes: 20, video_bytes: 30, frames: 3 };

    fn chunk(frame_index: u64, offset: u64, data: &'static [u8], last: bool) -> v1::MediaChunk {
        v1::MediaChunk { frame_index, offset, data: Bytes::from_static(data), last, ..Default::default() }
    }

    #[test]
    fn a_frame_of_one_chunk_is_not_copied() {
        let data = Bytes::from_static(b"abc");
        let sent =
            v1::MediaChunk { data: data.clone(), last: true, media_type: "image/png".into(), ..Default::default() };
        let frame = Assembler::new(LIMITS).push(sent).unwrap().unwrap();
        assert_eq!(frame.data.as_ptr(), data.as_ptr());
        assert_eq!((frame.index, frame.head.media_type.as_str()), (0, "image/png"));
    }

    #[test]
    fn chunks_out_of_order_are_refused() {
        let refuse = |chunks: Vec<v1::MediaChunk>| {
            let mut assembler = Assembler::new(LIMITS);
            let (last, before) = chunks.split_last().unwrap();
            for chunk in before {
                assembler.push(chunk.clone()).unwrap();
            }
            assembler.push(last.clone()).unwrap_err()
        };
        let first = chunk(0, 0, b"ab", false);
        assert_eq!(refuse(vec![chunk(1, 0, b"a", true)]), ChunkError::FrameIndex { expected: 0, actual: 1 });
        assert_eq!(refuse(vec![chunk(0, 1, b"a", true)]), ChunkError::Offset { expected: 0, actual: 1 });
        assert_eq!(refuse(vec![first.clone(), first.clone()]), ChunkError::Offset { expected: 2, actual: 0 });
        assert_eq!(refuse(vec![first.clone(), chunk(0, 3, b"a", true)]), ChunkError::Offset { expected: 2, actual: 3 });
        assert_eq!(
            refuse(vec![first.clone(), chunk(1, 2, b"a", true)]),
            ChunkError::FrameIndex { expected: 0, actual: 1 }
        );
        assert_eq!(refuse(vec![chunk(0, 0, b"", false)]), ChunkError::NoData);
        assert_eq!(refuse(vec![chunk(0, 0, b"", true)]), ChunkError::EmptyFrame);
    }

    #[test]
    fn sizes_and_counts_are_capped() {
        let too_large = Assembler::new(LIMITS).push(chunk(0, 0, b"123456789", true));
        assert_eq!(too_large, Err(ChunkError::ChunkTooLarge { limit: 8, actual: 9 }));

        let mut assembler = Assembler::new(LIMITS);
        assembler.push(chunk(0, 0, b"12345678", false)).unwrap();
        assembler.push(chunk(0, 8, b"12345678", false)).unwrap();
        let over = assembler.push(chunk(0, 16, b"12345", true));
        assert_eq!(over, Err(ChunkError::FrameTooLarge { limit: 20, actual: 21 }));

        let mut assembler = Assembler::new(LIMITS);
        for index in 0..3 {
            assembler.push(chunk(index, 0, b"x", true)).unwrap();
        }
        assert_eq!(assembler.push(chunk(3, 0, b"x", true)), Err(ChunkError::TooManyFrames { limit: 3 }));
    }

    #[test]
    fn a_video_is_alone_and_has_its_own_limit() {
        let part = |frame_index, offset, last| v1::MediaChunk {
            media_type: "video/webm".into(),
            ..chunk(frame_index, offset, b"12345678", last)
        };
        let mut assembler = Assembler::new(LIMITS);
        for offset in [0, 8] {
            assert_eq!(assembler.push(part(0, offset, false)), Ok(None));
        }
        // The type is read from the first chunk.
        let whole = assembler.push(chunk(0, 16, b"12345678", true)).unwrap().unwrap();
        assert_eq!((whole.data.len(), is_video(&whole.head)), (24, true));
        assert_eq!(assembler.push(chunk(1, 0, b"x", true)), Err(ChunkError::VideoNotAlone));
        assert_eq!(assembler.push(part(1, 0, true)), Err(ChunkError::VideoNotAlone));

        let mut assembler = Assembler::new(LIMITS);
        for offset in [0, 8, 16] {
            assembler.push(part(0, offset, false)).unwrap();
        }
        assert_eq!(assembler.push(part(0, 24, true)), Err(ChunkError::FrameTooLarge { limit: 30, actual: 32 }));

        let mut assembler = Assembler::new(LIMITS);
        assembler.push(chunk(0, 0, b"x", true)).unwrap();
        assert_eq!(assembler.push(part(1, 0, true)), Err(ChunkError::VideoNotAlone));
        // A picture of another type than a video's is no video, whatever it calls itself.
        assert!(!is_video(&v1::MediaChunk { media_type: "video/x-flv".into(), ..Default::default() }));
    }

    #[test]
    fn a_stream_ends_between_frames_only() {
        let mut assembler = Assembler::new(LIMITS);
        assert_eq!(assembler.finish(), Ok(()));
        assembler.push(chunk(0, 0, b"abc", false)).unwrap();
        assert_eq!(assembler.finish(), Err(ChunkError::Unfinished { received: 3 }));
        assembler.push(chunk(0, 3, b"", true)).unwrap();
        assert_eq!(assembler.finish(), Ok(()));
    }

    proptest! {
        /// However frames are cut into chunks, they come out as they went in.
        #[test]
        fn any_cut_gives_the_frames_back(frames in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u8>(), 1..8), 1..5), 0..6)) {
            let limits = ChunkLimits { chunk_bytes: 8, frame_bytes: 64, video_bytes: 8, frames: 6 };
            let mut assembler = Assembler::new(limits);
            for (index, chunks) in (0u64..).zip(&frames) {
                let mut offset = 0;
                for (position, data) in chunks.iter().enumerate() {
                    let last = position + 1 == chunks.len();
                    let sent = v1::MediaChunk { frame_index: index, offset, data: Bytes::copy_from_slice(data), last, ..Default::default() };
                    offset += data.len() as u64;
                    match assembler.push(sent).unwrap() {
                        Some(frame) => {
                            prop_assert!(last);
                            prop_assert_eq!(frame.index, index);
                            prop_assert_eq!(frame.data.to_vec(), chunks.concat());
                        }
                        None => prop_assert!(!last),
                    }
                }
            }
            prop_assert_eq!(assembler.next_index(), frames.len() as u64);
        }

        /// Whatever comes, no panic, and never more held than the limit.
        #[test]
        fn any_chunks_keep_to_the_limits(chunks in prop::collection::vec((0u64..3, 0u64..24, 0usize..12, any::<bool>()), 0..40)) {
            let mut assembler = Assembler::new(LIMITS);
            for (frame_index, offset, length, last) in chunks {
                let data = Bytes::from(vec![7; length]);
                let sent = v1::MediaChunk { frame_index, offset, data, last, ..Default::default() };
                if let Ok(Some(frame)) = assembler.push(sent) {
                    prop_assert!(frame.data.len() as u64 <= LIMITS.frame_bytes);
                }
                if let Err(ChunkError::Unfinished { received }) = assembler.finish() {
                    prop_assert!(received <= LIMITS.frame_bytes);
                }
            }
        }
    }
}
