//! Thirty-two streams at once: everyone gets a verdict, and memory stays within what DESIGN promises.

use std::{path::PathBuf, process::Command};

use lifesign_e2e::{clips, tools};
use lifesign_proto::v1::{
    MediaChunk, SessionConfig, StreamSessionRequest, stream_session_request as request,
    stream_session_response as response,
};
use tokio_stream::iter;

use crate::open_server;

const STREAMS: usize = 32;

/// The most that 32 streams may add to the idle server's peak, KiB (issue 3's bound).
const MOST_KIB: u64 = 400 * 1024;

/// Frames of the clip scaled up to 1920 pixels, the largest that a phone's front camera commonly streams.
fn large_frames(clip: PathBuf) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let large = folder.path().join("large.mkv");
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-i"])
        .arg(clip)
        .args(["-t", "3", "-an", "-vf", "fps=5,scale=1080:1920", "-c:v", "mjpeg", "-q:v", "3"])
        .arg(&large)
        .status()
        .expect("ffmpeg runs");
    assert!(status.success());
    clips::frames(&large, 5, 8)
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_streams_stay_within_the_memory_bound() {
    let test = "load::thirty_two_streams_stay_within_the_memory_bound";
    if !tools::has(test, "ffmpeg", &["-version"]) {
        return;
    }
    let Some(open) = open_server(test, &[]) else { return };
    let frames = large_frames(open.shared.join("media/video/tran_live.mp4"));
    let idle = open.server.memory_kib("VmHWM");

    let mut streams = tokio::task::JoinSet::new();
    for _ in 0..STREAMS {
        let mut client = open.server.client().await;
        let frames = frames.clone();
        streams.spawn(async move {
            let session = request::start::Session::Config(SessionConfig::default());
            let start = request::Message::Start(request::Start { session: Some(session) });
            let chunks = frames.into_iter().enumerate().flat_map(|(index, frame)| {
                let length = frame.len();
                let starts = (0..length).step_by(64 << 10);
                starts
                    .map(|offset| {
                        let end = (offset + (64 << 10)).min(length);
                        request::Message::Chunk(MediaChunk {
                            frame_index: index as u64,
                            offset: offset as u64,
                            data: frame[offset..end].to_vec().into(),
                            last: end == length,
                            ..Default::default()
                        })
                    })
                    .collect::<Vec<_>>()
            });
            let finish = request::Message::Finish(request::Finish {});
            let messages: Vec<_> = std::iter::once(start)
                .chain(chunks)
                .chain([finish])
                .map(|message| StreamSessionRequest { message: Some(message) })
                .collect();
            let mut replies = client.stream_session(iter(messages)).await.expect("a stream").into_inner();
            let mut verdict = None;
            while let Some(reply) = replies.message().await.expect("no fault") {
                if let Some(response::Message::Verdict(end)) = reply.message {
                    verdict = Some(end);
                }
            }
            verdict.expect("a verdict")
        });
    }
    let verdicts = streams.join_all().await;
    assert_eq!(verdicts.len(), STREAMS);
    for verdict in &verdicts {
        assert_eq!(verdict.decision, verdicts[0].decision, "the same frames, the same decision");
    }
    let peak = open.server.memory_kib("VmHWM");
    let added = peak.saturating_sub(idle);
    println!("idle {idle} KiB, peak under {STREAMS} streams {peak} KiB, added {added} KiB");
    assert!(added <= MOST_KIB, "{added} KiB above idle");
}
