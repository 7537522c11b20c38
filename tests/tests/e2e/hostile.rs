//! Bad input and rude clients against the real server: each gets the documented error or outcome, and afterwards the
//! server is SERVING, judges a real image, and has not grown.

use std::{fs, time::Duration};

use lifesign_proto::v1::{
    CheckMediaRequest, FrameList, Image, MediaChunk, PixelFormat, RawPixels, SessionConfig, StreamSessionRequest,
    check_media_request::Media, liveness_service_client::LivenessServiceClient, stream_session_request as request,
};
use tokio_stream::{StreamExt, iter};
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;

use crate::{OpenServer, open_server};

type Client = LivenessServiceClient<Channel>;

fn image(data: Vec<u8>, media_type: &str) -> Image {
    Image { data: data.into(), media_type: media_type.to_owned(), raw: None, capture_time: None }
}

async fn refused(client: &mut Client, media: Media) -> Status {
    let request = CheckMediaRequest { media: Some(media), ..Default::default() };
    let status = client.check_media(request).await.expect_err("refused");
    let info = status.get_details_error_info().unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!(info.domain, "lifesign", "{status:?}");
    assert!(!info.reason.is_empty() && info.reason.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{info:?}");
    status
}

async fn refused_bytes(client: &mut Client, data: Vec<u8>, media_type: &str) -> Status {
    let status = refused(client, Media::Image(image(data, media_type))).await;
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let fields = status.get_details_bad_request().unwrap_or_else(|| panic!("no BadRequest in {status:?}"));
    assert!(fields.field_violations.iter().all(|v| v.field.starts_with("image")), "{fields:?}");
    status
}

/// A PNG that declares this size and has nothing behind its header.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    let crc = crc32(&chunk);
    file.extend(chunk);
    file.extend(crc.to_be_bytes());
    file
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}

/// Reproducible bytes that are no image.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[0]
        })
        .collect()
}

fn real_jpeg(open: &OpenServer) -> Vec<u8> {
    fs::read(open.shared.join("media/live/minivision_T1.jpg")).expect("an image")
}

/// The server still answers: health says SERVING and a real person's image gets a verdict, after as many tries as a
/// client makes that does what RetryInfo says.
async fn still_well(open: &OpenServer, client: &mut Client) {
    let request = CheckMediaRequest {
        media: Some(Media::Image(image(real_jpeg(open), "image/jpeg"))),
        policy: "presentation-attack-only".into(),
        ..Default::default()
    };
    let mut tries = 0;
    let reply = loop {
        match client.check_media(request.clone()).await {
            Err(busy) if busy.code() == Code::ResourceExhausted && tries < 10 => {
                let delay = busy.get_details_retry_info().and_then(|info| info.retry_delay);
                tokio::time::sleep(delay.expect("a full queue says when to come again")).await;
                tries += 1;
            }
            reply => break reply.expect("a verdict"),
        }
    };
    let verdict = reply.into_inner().verdict.expect("a verdict");
    assert_eq!(verdict.decision(), lifesign_proto::v1::Decision::Accept);
    let health = std::process::Command::new("grpcurl")
        .args(["-plaintext", "-d", "{}", &open.server.address, "grpc.health.v1.Health/Check"])
        .output();
    if let Ok(health) = health {
        assert!(String::from_utf8_lossy(&health.stdout).contains("\"SERVING\""), "{health:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_media_is_refused_by_name() {
    let Some(open) = open_server("hostile::bad_media_is_refused_by_name", &[]) else { return };
    let mut client = open.server.client().await;
    let jpeg = real_jpeg(&open);
    still_well(&open, &mut client).await;

    refused_bytes(&mut client, Vec::new(), "").await;
    refused_bytes(&mut client, noise(50_000), "").await;
    refused_bytes(&mut client, noise(50_000), "image/jpeg").await;
    refused_bytes(&mut client, jpeg.clone(), "image/png").await;
    refused_bytes(&mut client, jpeg.clone(), "video/mp4").await;
    refused_bytes(&mut client, png_header(1, 1), "image/png").await;
    let huge = refused_bytes(&mut client, png_header(20_000, 20_000), "image/png").await;
    assert!(huge.message().contains("20000"), "{huge:?}");
    let raw = RawPixels { format: PixelFormat::Nv21.into(), width: 640, height: 480, ..Default::default() };
    let short = Image { data: vec![0; 1000].into(), raw: Some(raw), ..Default::default() };
    assert_eq!(refused(&mut client, Media::Image(short)).await.code(), Code::InvalidArgument);
    let unknown = RawPixels { format: 99, width: 64, height: 64, ..Default::default() };
    let unknown = Image { data: vec![0; 64 * 64 * 3].into(), raw: Some(unknown), ..Default::default() };
    assert_eq!(refused(&mut client, Media::Image(unknown)).await.code(), Code::InvalidArgument);
    let none = Media::Frames(FrameList { frames: Vec::new() });
    assert_eq!(refused(&mut client, none).await.code(), Code::InvalidArgument);
    let many = Media::Frames(FrameList { frames: vec![image(jpeg.clone(), ""); 1000] });
    assert_eq!(refused(&mut client, many).await.code(), Code::InvalidArgument);

    for length in (1..jpeg.len()).step_by(1024) {
        refused_bytes(&mut client, jpeg[..length].to_vec(), "image/jpeg").await;
    }
    still_well(&open, &mut client).await;

    // Sixty megabytes are refused by the message limit before they are all read.
    let settled = open.server.memory_kib("VmRSS");
    for _ in 0..4 {
        let request = CheckMediaRequest { media: Some(Media::Image(image(noise(60 << 20), ""))), ..Default::default() };
        let status = client.check_media(request).await.expect_err("too large");
        assert!(
            matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted | Code::InvalidArgument | Code::Unknown),
            "{status:?}"
        );
        client = open.server.client().await;
    }
    still_well(&open, &mut client).await;
    let grown = open.server.memory_kib("VmRSS").saturating_sub(settled);
    assert!(grown < 64 * 1024, "the server kept {grown} KiB");
}

fn start() -> StreamSessionRequest {
    let session = request::start::Session::Config(SessionConfig::default());
    message(request::Message::Start(request::Start { session: Some(session) }))
}

fn message(message: request::Message) -> StreamSessionRequest {
    StreamSessionRequest { message: Some(message) }
}

fn chunk(frame_index: u64, offset: u64, data: &[u8], last: bool) -> StreamSessionRequest {
    let data = data.to_vec().into();
    let chunk = MediaChunk { frame_index, offset, data, last, media_type: "image/jpeg".into(), ..Default::default() };
    message(request::Message::Chunk(chunk))
}

fn finish() -> StreamSessionRequest {
    message(request::Message::Finish(request::Finish {}))
}

/// The status a stream of these messages ends with.
async fn stream_status(client: &mut Client, messages: Vec<StreamSessionRequest>) -> Status {
    let mut replies = match client.stream_session(iter(messages)).await {
        Ok(replies) => replies.into_inner(),
        Err(status) => return status,
    };
    loop {
        match replies.message().await {
            Ok(Some(_)) => {}
            Ok(None) => return Status::ok(""),
            Err(status) => return status,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn disorder_on_a_stream_is_an_invalid_argument() {
    let Some(open) = open_server("hostile::disorder_on_a_stream_is_an_invalid_argument", &[]) else { return };
    let mut client = open.server.client().await;
    let jpeg = real_jpeg(&open);
    let (head, tail) = jpeg.split_at(10_000);
    let cases = [
        ("missing Start", vec![chunk(0, 0, &jpeg, true), finish()]),
        ("nothing but Finish", vec![finish()]),
        ("two Starts", vec![start(), start()]),
        ("an empty message", vec![start(), StreamSessionRequest { message: None }]),
        ("a gap in offsets", vec![start(), chunk(0, 0, head, false), chunk(0, 20_000, tail, true)]),
        ("chunks out of order", vec![start(), chunk(0, 10_000, tail, true), chunk(0, 0, head, false)]),
        ("a frame index skipped", vec![start(), chunk(0, 0, &jpeg, true), chunk(2, 0, &jpeg, true)]),
        ("the next frame before the last chunk", vec![start(), chunk(0, 0, head, false), chunk(1, 0, &jpeg, true)]),
        ("frames after Finish", vec![start(), finish(), chunk(0, 0, &jpeg, true)]),
        ("a chunk above 1 MiB", vec![start(), chunk(0, 0, &vec![0xFF; (1 << 20) + 1], false)]),
        ("an undecodable frame", vec![start(), chunk(0, 0, &noise(5000), true), finish()]),
        ("a truncated frame", vec![start(), chunk(0, 0, head, true), finish()]),
    ];
    for (name, messages) in cases {
        let status = stream_status(&mut client, messages).await;
        // What follows Finish may also come too late to be read: then the stream ends as if it had not been sent.
        let fine =
            status.code() == Code::InvalidArgument || (name == "frames after Finish" && status.code() == Code::Ok);
        assert!(fine, "{name}: {status:?}");
    }
    let none = stream_status(&mut client, vec![start(), finish()]).await;
    assert_eq!(none.code(), Code::Ok, "no frames at all is an outcome");
    still_well(&open, &mut client).await;
}

/// The longest that a stream may last in the test of rude clients, and so the time after which all are gone.
const LIFETIME: Duration = Duration::from_secs(8);

/// Clients that vanish in the middle of a frame, and clients that go on sending and never read an answer.
async fn be_rude(open: &OpenServer, jpeg: &[u8]) {
    for _ in 0..20 {
        let mut leaving = open.server.client().await;
        let messages = vec![start(), chunk(0, 0, jpeg, true), chunk(1, 0, &jpeg[..5_000], false)];
        let endless = iter(messages).chain(tokio_stream::pending());
        let mut replies = leaving.stream_session(endless).await.expect("a stream").into_inner();
        assert!(replies.message().await.expect("accepted").is_some());
        drop((replies, leaving));

        let mut deaf = open.server.client().await;
        let frames = jpeg.to_vec();
        let messages = (0..200).map(move |index| chunk(index, 0, &frames, true));
        let messages = iter(std::iter::once(start()).chain(messages));
        let replies = deaf.stream_session(messages).await.expect("a stream");
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(replies);
    }
    still_well(open, &mut open.server.client().await).await;
    tokio::time::sleep(LIFETIME + Duration::from_secs(1)).await;
    still_well(open, &mut open.server.client().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rude_clients_leave_nothing_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = folder.path().join("lifesign.toml");
    let lifetime = LIFETIME.as_millis();
    fs::write(&config, format!("[grpc.stream]\nidle_timeout_ms = 2000\nlifetime_ms = {lifetime}\n")).expect("a file");
    let arguments = ["--config", config.to_str().expect("a UTF-8 path")];
    let Some(open) = open_server("hostile::rude_clients_leave_nothing_behind", &arguments) else { return };
    let jpeg = real_jpeg(&open);
    // The first rounds fill caches and the allocator's arenas; what later ones add would be a leak.
    be_rude(&open, &jpeg).await;
    be_rude(&open, &jpeg).await;
    let settled = open.server.memory_kib("VmRSS");
    be_rude(&open, &jpeg).await;
    let after = open.server.memory_kib("VmRSS");
    println!("{settled} KiB after 80 broken streams, {after} KiB after 120");
    assert!(after < settled + 24 * 1024, "the server grew from {settled} to {after} KiB over 40 broken streams");
}
