//! Media that is broken on purpose: each is refused by name, and the server stays well.

use lifesign_core::frame::FrameLimits;
use lifesign_proto::v1;
use tonic::{Code, Status};

use crate::harness::*;

/// A PNG that declares a size and has nothing behind its header but the checksum.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    let crc = !chunk.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    });
    let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    file.extend(chunk);
    file.extend(crc.to_be_bytes());
    file
}

/// Reproducible bytes that are no image.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

async fn refused(client: &mut Client, image: v1::Image) -> Status {
    check(client, image).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_media_is_refused_by_field() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let with_raw = |raw: v1::RawPixels, data: usize| v1::Image {
        data: vec![9; data].into(),
        raw: Some(raw),
        ..Default::default()
    };
    let unknown_rotation = v1::RawPixels { rotation: 77, ..raw() };
    let unknown_format = v1::RawPixels { format: 99, ..raw() };
    let vast = v1::RawPixels { width: u32::MAX, height: u32::MAX, stride: u32::MAX, ..raw() };
    let table = [
        (file(vec![], ""), "MEDIA_EMPTY", "image.data"),
        (file(noise(50_000), ""), "MEDIA_FORMAT_UNKNOWN", "image.data"),
        (file(PORTRAIT, "image/png"), "MEDIA_TYPE_MISMATCH", "image.data"),
        (file(PORTRAIT, "video/mp4"), "MEDIA_TYPE_UNSUPPORTED", "image.media_type"),
        (file(png_header(1, 1), "image/png"), "IMAGE_TOO_SMALL", "image.data"),
        (file(png_header(20_000, 20_000), ""), "IMAGE_SIDE_TOO_LONG", "image.data"),
        (file(noise(11 << 20), ""), "MEDIA_TOO_LARGE", "image.data"),
        (with_raw(raw(), 100), "RAW_GEOMETRY", "image.data"),
        (with_raw(unknown_format, 320 * 240), "RAW_PIXELS_UNKNOWN", "image.raw.format"),
        (with_raw(unknown_rotation, 320 * 240), "RAW_PIXELS_UNKNOWN", "image.raw.rotation"),
        (with_raw(vast, 100), "IMAGE_SIDE_TOO_LONG", "image.data"),
        (v1::Image { media_type: "image/png".into(), ..image(LIVE) }, "MEDIA_TYPE_WITH_RAW", "image.media_type"),
    ];
    for (image, reason, path) in table {
        let status = refused(&mut client, image).await;
        is(&status, Code::InvalidArgument, reason);
        assert_eq!(field(&status), path);
    }
    rig.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_and_what_came_are_said() {
    use tonic_types::StatusExt;
    let rig = start(|config| config.limits = FrameLimits { max_bytes: 1000, ..config.limits }).await;
    let status = refused(&mut rig.client().await, file(noise(1001), "")).await;
    let info = status.get_details_error_info().unwrap();
    assert_eq!((info.metadata["limit"].as_str(), info.metadata["actual"].as_str()), ("1000", "1001"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_cut_off_anywhere_is_refused() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    for length in (1..PORTRAIT.len()).step_by(1024) {
        let status = refused(&mut client, file(&PORTRAIT[..length], "image/jpeg")).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{length}: {status:?}");
        assert_eq!(field(&status), "image.data");
    }
    rig.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_megabytes_are_refused_unread() {
    let rig = start(|_| ()).await;
    let mut client = rig.client().await;
    let status = refused(&mut client, file(vec![0; 60 << 20], "")).await;
    is(&status, Code::InvalidArgument, "MESSAGE_TOO_LARGE");
    let mut client = rig.client().await;
    let (_, status) = tell(&mut client, vec![start_inline(), chunk(0, 0, &vec![0; 60 << 20], true)]).await;
    is(&status, Code::InvalidArgument, "MESSAGE_TOO_LARGE");
    rig.is_well().await;
}
