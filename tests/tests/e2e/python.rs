//! A backend in Python: grpcio, frames as files and as raw pixels in 64 KiB chunks, sessions by token.

use std::{fs, process::Command};

use lifesign_e2e::{clips, media, tools};

use crate::open_server;

fn client(address: &str, command: &str, clip_frames: &[Vec<u8>]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let paths: Vec<_> = clip_frames
        .iter()
        .enumerate()
        .map(|(index, frame)| {
            let path = folder.path().join(format!("{index:04}.jpg"));
            fs::write(&path, frame).expect("a frame is written");
            path
        })
        .collect();
    let output = Command::new("python3")
        .arg(media::repository().join("tests/clients/client.py"))
        .args([address, command])
        .args(paths)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").trim().to_owned()
}

#[test]
fn grpcio_streams_chunks_and_uses_a_token() {
    let test = "python::grpcio_streams_chunks_and_uses_a_token";
    if !tools::has(test, "python3", &["-c", "import grpc, grpc_tools, PIL"])
        || !tools::has(test, "ffmpeg", &["-version"])
    {
        return;
    }
    let Some(open) = open_server(test, &[]) else { return };
    for (clip, decision) in [("tran_live.mp4", "DECISION_ACCEPT"), ("tran_replay.mp4", "DECISION_REJECT")] {
        let frames = clips::frames(&open.shared.join("media/video").join(clip), 5, 12);
        for command in ["stream", "raw", "session"] {
            assert_eq!(client(&open.server.address, command, &frames), decision, "{clip} by {command}");
        }
    }
}

#[test]
fn grpcio_sends_a_video_whole_and_in_chunks() {
    let test = "python::grpcio_sends_a_video_whole_and_in_chunks";
    if !tools::has(test, "python3", &["-c", "import grpc, grpc_tools"]) || !tools::has(test, "ffmpeg", &["-version"]) {
        return;
    }
    let Some(open) = open_server(test, &[]) else { return };
    for (clip, decision) in [("tran_live.mp4", "DECISION_ACCEPT"), ("apfol_replay.webm", "DECISION_REJECT")] {
        let clip = fs::read(open.shared.join("media/video").join(clip)).expect("a clip");
        assert_eq!(client(&open.server.address, "video", &[clip]), decision);
    }
}
