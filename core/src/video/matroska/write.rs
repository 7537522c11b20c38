//! A Matroska stream of one video track, as the `ffmpeg` program reads it from a pipe: frames of any codec with their
//! place in the order of showing, and nothing that a file from outside could smuggle in beside them.

use super::id;
use crate::video::codec::Codec;

/// Writes the stream's parts.
pub(in crate::video) struct Writer;

impl Writer {
    /// Milliseconds of the stream from one rank to the next. More than one, so that no rounding brings two together.
    pub(in crate::video) const STEP: u64 = 10;

    /// What comes before the first frame. The codec is one that is understood.
    pub(in crate::video) fn header(codec: &Codec, config: &[u8], width: u32, height: u32) -> Vec<u8> {
        let codec_id = match codec {
            Codec::H264 => "V_MPEG4/ISO/AVC",
            Codec::Hevc => "V_MPEGH/ISO/HEVC",
            Codec::Vp8 => "V_VP8",
            Codec::Vp9 => "V_VP9",
            Codec::Av1 => "V_AV1",
            Codec::Other(name) => name,
        };
        let video = [unsigned(id::PIXEL_WIDTH, width.into()), unsigned(id::PIXEL_HEIGHT, height.into())].concat();
        let mut entry = [
            unsigned(id::TRACK_NUMBER, 1),
            // TrackUID and FlagLacing.
            unsigned(0x73C5, 1),
            unsigned(0x9C, 0),
            unsigned(id::TRACK_TYPE, 1),
            element(id::CODEC_ID, codec_id.as_bytes()),
            element(id::VIDEO, &video),
        ]
        .concat();
        if !config.is_empty() {
            entry.extend(element(id::CODEC_PRIVATE, config));
        }
        // EBMLVersion and so on to DocTypeReadVersion.
        let head = [
            unsigned(0x4286, 1),
            unsigned(0x42F7, 1),
            unsigned(0x42F2, 4),
            unsigned(0x42F3, 8),
            element(0x4282, b"matroska"),
            unsigned(0x4287, 4),
            unsigned(0x4285, 2),
        ]
        .concat();
        // MuxingApp and WritingApp must be there.
        let info =
            [unsigned(id::TIMESTAMP_SCALE, 1_000_000), element(0x4D80, b"lifesign"), element(0x5741, b"lifesign")];
        let mut stream = element(0x1A45_DFA3, &head);
        // A segment of unknown length.
        stream.extend(name(id::SEGMENT));
        stream.push(0xFF);
        stream.extend(element(id::INFO, &info.concat()));
        stream.extend(element(id::TRACKS, &element(id::TRACK_ENTRY, &entry)));
        stream
    }

    /// What comes before a frame of so many bytes: a cluster of its own, whose time is the frame's rank times
    /// [`Self::STEP`].
    pub(in crate::video) fn frame(rank: usize, bytes: usize) -> Vec<u8> {
        let timestamp = unsigned(id::TIMESTAMP, (rank as u64).saturating_mul(Self::STEP));
        // Track 1, no time of its own, a frame that can be shown and that others may need.
        let block_header = [0x81, 0, 0, 0x80];
        let mut block = name(id::SIMPLE_BLOCK);
        block.extend(length(bytes + block_header.len()));
        block.extend(block_header);
        let mut cluster = name(id::CLUSTER);
        cluster.extend(length(timestamp.len() + block.len() + bytes));
        cluster.extend(timestamp);
        cluster.extend(block);
        cluster
    }
}

fn element(id: u32, body: &[u8]) -> Vec<u8> {
    [name(id), length(body.len()).to_vec(), body.to_vec()].concat()
}

fn unsigned(id: u32, value: u64) -> Vec<u8> {
    element(id, &value.to_be_bytes())
}

/// An id's bytes, which begin with its marker.
fn name(id: u32) -> Vec<u8> {
    id.to_be_bytes().into_iter().skip_while(|&byte| byte == 0).collect()
}

/// A length in eight bytes, seven of which count; no buffer is longer.
fn length(bytes: usize) -> [u8; 8] {
    (1 << 56 | bytes as u64).to_be_bytes()
}
