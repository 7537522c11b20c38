//! Small videos of one grey, which the tiny pack judges by its level, made by the ffmpeg program.

use std::{
    collections::HashMap,
    fs,
    process::{Command, Stdio},
    sync::{Mutex, OnceLock},
};

use lifesign_core::video::Ffmpeg;
use lifesign_proto::v1::{self, stream_session_request as up};

use crate::harness::message;

/// Whether clips can be made; says that `test` is skipped where they cannot, and fails instead in CI.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
pub(crate) fn can_be_made(test: &str) -> bool {
    let there = Ffmpeg::find().path().is_some();
    if !there {
        assert!(std::env::var_os("CI").is_none(), "{test}: ffmpeg is absent; CI must have it");
        eprintln!("SKIPPED {test}: ffmpeg is absent");
    }
    there
}

/// Makes a clip: ffmpeg's arguments, and the ending that tells the container. Each clip is made once.
pub(crate) fn make(arguments: &str, ending: &str) -> Vec<u8> {
    static MADE: OnceLock<Mutex<HashMap<String, Vec<u8>>>> = OnceLock::new();
    let mut made = MADE.get_or_init(Mutex::default).lock().unwrap();
    let key = format!("{arguments} {ending}");
    if let Some(clip) = made.get(&key) {
        return clip.clone();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("clip.{ending}"));
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin"])
        .args(arguments.split_whitespace())
        .arg(&path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    let clip = fs::read(path).unwrap();
    made.insert(key, clip.clone());
    clip
}

/// So many seconds of one grey, ten frames each, as `lavfi` makes them.
pub(crate) fn source(grey: u8, seconds: u32) -> String {
    format!("-f lavfi -i color=c=0x{grey:02x}{grey:02x}{grey:02x}:s=320x240:r=10:d={seconds}")
}

/// H.264 in MP4.
pub(crate) fn mp4(grey: u8, seconds: u32) -> Vec<u8> {
    make(&format!("{} -c:v libx264 -preset ultrafast -pix_fmt yuv420p", source(grey, seconds)), "mp4")
}

/// VP9 in WebM, which the ffmpeg program decodes.
pub(crate) fn webm(grey: u8, seconds: u32) -> Vec<u8> {
    make(&format!("{} -c:v libvpx-vp9 -deadline realtime", source(grey, seconds)), "webm")
}

/// A request to judge a video.
pub(crate) fn request(clip: impl Into<bytes::Bytes>, media_type: &str) -> v1::CheckMediaRequest {
    let video = v1::Video { data: clip.into(), media_type: media_type.to_owned() };
    v1::CheckMediaRequest { media: Some(v1::check_media_request::Media::Video(video)), ..Default::default() }
}

/// A video as the chunks of a stream, of at most so many bytes each.
pub(crate) fn chunks(clip: &[u8], media_type: &str, size: usize) -> Vec<v1::StreamSessionRequest> {
    let mut offset = 0;
    clip.chunks(size)
        .map(|data| {
            let chunk = v1::MediaChunk {
                offset,
                data: bytes::Bytes::copy_from_slice(data),
                last: offset as usize + data.len() == clip.len(),
                media_type: media_type.to_owned(),
                ..Default::default()
            };
            offset += data.len() as u64;
            message(up::Message::Chunk(chunk))
        })
        .collect()
}
