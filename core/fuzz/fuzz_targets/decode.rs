//! Whatever the bytes, decoding gives a frame or a typed error: it does not panic, and keeps to its limits. An input is
//! read twice: as a file, and as raw pixels whose layout its first bytes choose.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lifesign_core::frame::{Frame, FrameError, FrameLimits, PixelFormat, RawLayout, Rotation};

/// Small, so that an input costs microseconds.
const LIMITS: FrameLimits =
    FrameLimits { max_bytes: 1 << 20, max_pixels: 1 << 16, max_dimension: 1 << 10, min_dimension: 1 };

fuzz_target!(|bytes: &[u8]| {
    check(&Frame::decode(bytes, None, &LIMITS));
    if let Some((&[format, turn, width, height, stride, short], pixels)) = bytes.split_first_chunk() {
        let layout = RawLayout {
            format: PixelFormat::ALL[usize::from(format) % PixelFormat::ALL.len()],
            width: width.into(),
            height: height.into(),
            stride: stride.into(),
            rotation: Rotation::ALL[usize::from(turn) % Rotation::ALL.len()],
            mirrored: turn >= 128,
        };
        check(&Frame::from_raw(pixels, &layout, &LIMITS));
        // Random bytes rarely have the length of their layout: make up what is missing.
        let made_up = fitting(&layout, short, pixels);
        check(&Frame::from_raw(&made_up, &layout, &LIMITS));
    }
});

/// As many bytes as the layout takes, less a few.
fn fitting(layout: &RawLayout, short: u8, pixels: &[u8]) -> Vec<u8> {
    let (width, height) = (layout.width as usize, layout.height as usize);
    let tight = width * layout.format.bytes_per_pixel() as usize;
    let stride = if layout.stride == 0 { tight } else { layout.stride as usize };
    let chroma_stride = match layout.format {
        PixelFormat::Nv21 => stride.max(2 * width.div_ceil(2)),
        PixelFormat::I420 => 2 * stride.div_ceil(2),
        _ => 0,
    };
    let length = (stride * height + chroma_stride * height.div_ceil(2)).saturating_sub(short.into());
    pixels.iter().copied().chain(std::iter::repeat(128)).take(length).collect()
}

fn check(result: &Result<Frame, FrameError>) {
    if let Ok(frame) = result {
        let pixels = u64::from(frame.width()) * u64::from(frame.height());
        assert!(pixels <= LIMITS.max_pixels);
        assert!(frame.width().max(frame.height()) <= LIMITS.max_dimension);
        assert_eq!(frame.rgb().len() as u64, 3 * pixels);
    }
}
