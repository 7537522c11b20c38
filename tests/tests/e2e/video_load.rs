//! What videos cost: decoders that stop with their callers, memory under sixteen of them, time and memory of one.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use lifesign_e2e::{clips, server::Server, tools};
use lifesign_proto::v1::{CheckMediaRequest, Decision, stream_session_response as response};
use tokio_stream::{StreamExt, iter};

use crate::{
    open_server,
    videos::{Client, check, messages, video},
};

const VIDEOS: usize = 16;

/// The most that 16 videos at once may add to the peak under two, KiB. Two are decoded at a time either way; each of the
/// others holds its file, 1 MiB, in a buffer that may have twice its size; half of this is left for the allocator.
const MOST_KIB: u64 = 64 * 1024;

/// Threads of the server that decode, and processes that it has started.
fn decoders(server: &Server) -> (usize, usize) {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.id())).expect("the process lives");
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    let threads = names.filter(|name| name.starts_with("lifesign-video")).count();
    let processes = fs::read_dir("/proc").expect("/proc").filter_map(|entry| {
        let status = fs::read_to_string(entry.ok()?.path().join("status")).ok()?;
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse::<u32>().ok()?;
        (parent == server.id()).then_some(())
    });
    (threads, processes.count())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_takes_its_decoder_with_it() {
    let test = "video_load::a_caller_that_leaves_takes_its_decoder_with_it";
    if !tools::has(test, "ffmpeg", &["-version"]) {
        return;
    }
    let Some(open) = open_server(test, &[]) else { return };
    for (name, media_type, processes) in [("tran_live.mp4", "video/mp4", 0), ("apfol_live.webm", "video/webm", 1)] {
        let clip = fs::read(open.shared.join("media/video").join(name)).expect("a clip");
        // By a stream, at the first frame that was judged: the sockets close without a word.
        let world = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let world = world.expect("a runtime");
        let (address, parts) = (format!("http://{}", open.server.address), messages(&clip, media_type));
        let (tell, told) = tokio::sync::oneshot::channel();
        world.spawn(async move {
            let mut client = Client::connect(address).await.expect("a connection");
            let endless = iter(parts).chain(tokio_stream::pending());
            let mut replies = client.stream_session(endless).await.expect("a stream").into_inner();
            while let Some(reply) = replies.message().await.expect("no fault") {
                if matches!(reply.message, Some(response::Message::Progress(_))) {
                    break;
                }
            }
            tell.send(()).expect("the test waits");
            std::future::pending::<()>().await;
        });
        told.await.expect("a frame was judged");
        assert_eq!(decoders(&open.server), (1, processes), "{name}: it is being decoded");
        world.shutdown_background();
        none_left(&open.server, &format!("{name} on a stream")).await;
        // By a call, a moment after its decoder began.
        let mut client = open.server.client().await;
        let request = video(clip, media_type);
        let call = tokio::spawn(async move { check(&mut client, request).await });
        for _ in 0..1000 {
            if decoders(&open.server).0 == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(decoders(&open.server).0, 1, "{name}");
        call.abort();
        none_left(&open.server, &format!("{name} by a call")).await;
    }
    let clip = fs::read(open.shared.join("media/video/tran_live.mp4")).expect("a clip");
    let verdict = check(&mut open.server.client().await, video(clip, "")).await.expect("a verdict");
    assert_eq!(verdict.decision(), Decision::Accept);
}

/// Left to itself, a decoder in a debug build works for longer than this waits.
async fn none_left(server: &Server, name: &str) {
    let begun = Instant::now();
    let mut left = decoders(server);
    while begun.elapsed() < Duration::from_secs(5) {
        if left == (0, 0) {
            println!("{name}: gone after {:.0?}", begun.elapsed());
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        left = decoders(server);
    }
    panic!("{name}: threads and processes left: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_videos_at_once_stay_within_the_memory_bound() {
    let test = "video_load::sixteen_videos_at_once_stay_within_the_memory_bound";
    // What is measured is memory: a slow machine may take its time, and a few frames of each video are enough.
    let settings =
        "[engine]\nworkers = 2\n[video]\nsample_rate = 1\nmax_sampled_frames = 16\n[grpc]\nunary_timeout_ms = 900000\n";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("lifesign.toml");
    fs::write(&file, settings).expect("a file");
    let Some(open) = open_server(test, &["--config", file.to_str().expect("UTF-8")]) else { return };
    let clip = fs::read(open.shared.join("media/video/tran_live.mp4")).expect("a clip");
    let idle = open.server.memory_kib("VmHWM");
    let two = at_once(&open.server, &clip, 2).await;
    let warm = open.server.memory_kib("VmHWM");
    let most = at_once(&open.server, &clip, VIDEOS).await;
    let peak = open.server.memory_kib("VmHWM");
    println!("idle {idle} KiB, peak under 2 videos {warm} KiB, under {VIDEOS} videos {peak} KiB");
    assert!(two <= 2 && most <= 2, "{two} and {most} were decoded at a time");
    let added = peak.saturating_sub(warm);
    assert!(added <= MOST_KIB, "{added} KiB more");
}

/// Has so many copies of a video judged at once; the most threads that were decoding at a time.
async fn at_once(server: &Server, clip: &[u8], count: usize) -> usize {
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..count {
        let (mut client, request) = (server.client().await, video(clip.to_vec(), "video/mp4"));
        calls.spawn(async move { check(&mut client, request).await.expect("a verdict") });
    }
    let mut most = 0;
    while !calls.is_empty() {
        most = most.max(decoders(server).0);
        if let Ok(Some(verdict)) = tokio::time::timeout(Duration::from_millis(50), calls.join_next()).await {
            assert_eq!(verdict.expect("the call ends").frames.expect("counts").analysed, 16);
        }
    }
    most
}

/// So many seconds of 720p at 30 frames a second, H.264 Main: a live clip forwards and backwards, again and again, so that
/// nothing leaps, letterboxed.
fn hd(source: &Path, seconds: u32) -> Vec<u8> {
    let scale = "fps=30,scale=1280:720:force_original_aspect_ratio=decrease,pad=1280:720:-1:-1";
    let filter = format!(
        "[0:v]trim=0:5,{scale},split[a][b];[b]reverse[c];[a][c]concat=n=2:v=1,loop=loop=-1:size=300,trim=0:{seconds}"
    );
    let encoder = "-an -c:v libx264 -profile:v main -preset fast -b:v 4M -pix_fmt yuv420p";
    clips::made_of(source, &format!("-filter_complex {filter} {encoder}"), "mp4")
}

/// Time to a verdict of ten seconds of 720p beside `ffmpeg -i clip -f null -` in the same run, and the server's peak memory
/// for ten and for fifty seconds. Timing is the release profile's, on a machine that does nothing else:
///
/// `cargo test --release -p lifesign-e2e --test e2e -- --ignored --nocapture video_load::the_cost_of_a_video`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for the release profile on an idle machine"]
async fn the_cost_of_a_video() {
    let test = "video_load::the_cost_of_a_video";
    if !tools::has(test, "ffmpeg", &["-version"]) {
        return;
    }
    let mut peaks = Vec::new();
    for seconds in [10, 50] {
        // Each with a server of its own, since a peak does not go down again.
        let Some(open) = open_server(test, &[]) else { return };
        let clip = hd(&open.shared.join("media/video/tran_live.mp4"), seconds);
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        fs::write(file.path(), &clip).expect("a clip");
        let request =
            |policy: &str| CheckMediaRequest { policy: policy.to_owned(), ..video(clip.clone(), "video/mp4") };
        let mut client = open.server.client().await;
        let idle = open.server.memory_kib("VmHWM");
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let begun = Instant::now();
            let verdict = check(&mut client, request("")).await.expect("a verdict");
            ours.push(begun.elapsed().as_secs_f64());
            let frames = verdict.frames.expect("counts");
            assert!((5 * seconds).min(64) <= frames.analysed && frames.analysed <= 64, "{frames:?}");
            let begun = Instant::now();
            let ended = Command::new("ffmpeg")
                .args(["-v", "error", "-nostdin", "-i"])
                .arg(file.path())
                .args(["-f", "null", "-"])
                .stdin(Stdio::null())
                .status()
                .expect("ffmpeg runs");
            theirs.push(begun.elapsed().as_secs_f64());
            assert!(ended.success());
        }
        let median = |times: &mut Vec<f64>| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        };
        let (ours, theirs) = (median(&mut ours), median(&mut theirs));
        let peak = open.server.memory_kib("VmHWM");
        println!(
            "{seconds} s, {} KiB: verdict {ours:.2} s, ffmpeg {theirs:.2} s, ratio {:.2}; idle {idle} KiB, peak {peak} KiB",
            clip.len() / 1024,
            ours / theirs,
        );
        peaks.push((peak, clip.len() as u64 / 1024));
    }
    // The file itself is held; beyond it the peak does not grow with the duration: a tenth is the measurement's own noise.
    let beyond = |(peak, file): (u64, u64)| peak.saturating_sub(file);
    assert!(beyond(peaks[1]) <= beyond(peaks[0]) * 11 / 10, "{peaks:?}");
}
