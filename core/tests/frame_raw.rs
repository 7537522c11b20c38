//! Raw pixels: every format, stride, rotation and mirror against a conversion written one pixel at a time.
#![expect(clippy::panic, clippy::indexing_slicing, reason = "a test's helpers fail by panicking")]

use lifesign_core::frame::{Frame, FrameError, FrameLimits, PixelFormat, RawLayout, Rotation};
use proptest::prelude::*;

const LIMITS: FrameLimits =
    FrameLimits { max_bytes: 1 << 20, max_pixels: 100_000, max_dimension: 1000, min_dimension: 1 };

/// Strides of the first and of the chroma planes, and the number of chroma planes.
fn strides(layout: &RawLayout) -> (usize, usize, usize) {
    let width = layout.width as usize;
    let tight = width * layout.format.bytes_per_pixel() as usize;
    let stride = if layout.stride == 0 { tight } else { layout.stride as usize };
    match layout.format {
        PixelFormat::Nv21 => (stride, stride.max(width.div_ceil(2) * 2), 1),
        PixelFormat::I420 => (stride, stride.div_ceil(2), 2),
        _ => (stride, 0, 0),
    }
}

fn buffer_len(layout: &RawLayout) -> usize {
    let (stride, chroma, planes) = strides(layout);
    let height = layout.height as usize;
    stride * height + chroma * height.div_ceil(2) * planes
}

/// The stored picture's pixel, by the definition of its format.
fn stored_pixel(bytes: &[u8], layout: &RawLayout, x: usize, y: usize) -> [u8; 3] {
    let (stride, chroma, _) = strides(layout);
    let height = layout.height as usize;
    let planes_at = stride * height;
    let yuv = |luma: u8, u: u8, v: u8| {
        let (luma, u, v) = (f64::from(luma), f64::from(u) - 128.0, f64::from(v) - 128.0);
        [luma + 1.402 * v, luma - 0.344_136 * u - 0.714_136 * v, luma + 1.772 * u]
            .map(|level| level.clamp(0.0, 255.0).round() as u8)
    };
    let row = &bytes[y * stride..];
    match layout.format {
        PixelFormat::Rgb8 => [row[x * 3], row[x * 3 + 1], row[x * 3 + 2]],
        PixelFormat::Rgba8 => [row[x * 4], row[x * 4 + 1], row[x * 4 + 2]],
        PixelFormat::Bgra8 => [row[x * 4 + 2], row[x * 4 + 1], row[x * 4]],
        PixelFormat::Gray8 => [row[x]; 3],
        PixelFormat::Nv21 => {
            let at = planes_at + y / 2 * chroma + x / 2 * 2;
            yuv(row[x], bytes[at + 1], bytes[at])
        }
        PixelFormat::I420 => {
            let at = planes_at + y / 2 * chroma + x / 2;
            yuv(row[x], bytes[at], bytes[at + chroma * height.div_ceil(2)])
        }
    }
}

/// The upright picture, by the definitions of rotation and mirror.
fn expected(bytes: &[u8], layout: &RawLayout) -> (u32, u32, Vec<u8>) {
    let (width, height) = (layout.width as usize, layout.height as usize);
    let (out_width, out_height) = match layout.rotation {
        Rotation::Deg0 | Rotation::Deg180 => (width, height),
        Rotation::Deg90 | Rotation::Deg270 => (height, width),
    };
    let mut rgb = Vec::new();
    for out_y in 0..out_height {
        for out_x in 0..out_width {
            let turned_x = if layout.mirrored { out_width - 1 - out_x } else { out_x };
            let (x, y) = match layout.rotation {
                Rotation::Deg0 => (turned_x, out_y),
                Rotation::Deg90 => (out_y, height - 1 - turned_x),
                Rotation::Deg180 => (width - 1 - turned_x, height - 1 - out_y),
                Rotation::Deg270 => (width - 1 - out_y, turned_x),
            };
            rgb.extend(stored_pixel(bytes, layout, x, y));
        }
    }
    (out_width as u32, out_height as u32, rgb)
}

fn noise(len: usize) -> Vec<u8> {
    (0..len as u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn check(layout: &RawLayout) {
    let bytes = noise(buffer_len(layout));
    let frame = Frame::from_raw(&bytes, layout, &LIMITS).unwrap_or_else(|error| panic!("{layout:?}: {error}"));
    let (width, height, rgb) = expected(&bytes, layout);
    assert_eq!((frame.width(), frame.height()), (width, height), "{layout:?}");
    // Fixed-point YUV may round the other way where the exact level lies halfway.
    let tolerance = u8::from(matches!(layout.format, PixelFormat::Nv21 | PixelFormat::I420));
    let same = frame.rgb().iter().zip(&rgb).all(|(got, want)| got.abs_diff(*want) <= tolerance);
    assert!(same, "{layout:?}");

    // The padding after the last row may be missing, but not one sample of it.
    let (stride, chroma, _) = strides(layout);
    let chroma_row = (layout.width as usize).div_ceil(2) * if layout.format == PixelFormat::Nv21 { 2 } else { 1 };
    let padding = match layout.format {
        PixelFormat::Nv21 | PixelFormat::I420 => chroma - chroma_row,
        format => stride - layout.width as usize * format.bytes_per_pixel() as usize,
    };
    let least = &bytes[..bytes.len() - padding];
    assert_eq!(Frame::from_raw(least, layout, &LIMITS).as_ref(), Ok(&frame), "{layout:?}");
    let short = Frame::from_raw(&least[..least.len() - 1], layout, &LIMITS);
    assert!(matches!(short, Err(FrameError::BadGeometry(_) | FrameError::Empty)), "{layout:?}: {short:?}");
    let long = [bytes.as_slice(), &[0]].concat();
    let long = Frame::from_raw(&long, layout, &LIMITS);
    assert!(matches!(long, Err(FrameError::BadGeometry(_))), "{layout:?}: {long:?}");
}

#[test]
fn every_format_turns_upright_as_defined() {
    for format in PixelFormat::ALL {
        for (width, height) in [(1, 1), (1, 2), (2, 1), (4, 2), (5, 3), (17, 9), (8, 33), (33, 18)] {
            for padding in [None, Some(0), Some(1), Some(6)] {
                for rotation in Rotation::ALL {
                    for mirrored in [false, true] {
                        let stride = padding.map_or(0, |padding| width * format.bytes_per_pixel() + padding);
                        check(&RawLayout { format, width, height, stride, rotation, mirrored });
                    }
                }
            }
        }
    }
}

#[test]
fn a_layout_that_does_not_fit_is_named() {
    let layout = RawLayout {
        format: PixelFormat::Rgb8,
        width: 4,
        height: 2,
        stride: 0,
        rotation: Rotation::Deg0,
        mirrored: false,
    };
    let refuse = |layout: &RawLayout, len| Frame::from_raw(&vec![0; len], layout, &LIMITS).unwrap_err();
    assert_eq!(refuse(&layout, 0), FrameError::Empty);
    assert_eq!(
        refuse(&layout, 23).to_string(),
        "raw pixels: 4x2 Rgb8 with a stride of 12 takes 24 bytes (24 without the last row's padding); 23 came"
    );
    assert_eq!(
        refuse(&RawLayout { stride: 11, ..layout }, 24).to_string(),
        "raw pixels: a stride of 11 bytes is too short for 4 pixels, which take 12"
    );
    let wide = RawLayout { width: 1001, ..layout };
    assert_eq!(refuse(&wide, 24), FrameError::TooLarge { limit: 1000, width: 1001, height: 2 });
    let empty = RawLayout { width: 0, ..layout };
    assert_eq!(refuse(&empty, 24), FrameError::TooSmall { limit: 1, width: 0, height: 2 });
    let many = FrameLimits { max_bytes: 23, ..LIMITS };
    let error = Frame::from_raw(&[0; 24], &layout, &many).unwrap_err();
    assert_eq!(error, FrameError::TooManyBytes { limit: 23, actual: 24 });
}

#[test]
fn sizes_beyond_counting_are_refused() {
    let limits = FrameLimits { max_bytes: u64::MAX, max_pixels: u64::MAX, max_dimension: u32::MAX, min_dimension: 0 };
    for format in PixelFormat::ALL {
        let (rotation, mirrored) = (Rotation::Deg90, true);
        let layout = RawLayout { format, width: 1, height: u32::MAX, stride: u32::MAX, rotation, mirrored };
        assert!(matches!(Frame::from_raw(&[0; 64], &layout, &limits), Err(FrameError::BadGeometry(_))));
    }
}

fn layouts() -> impl Strategy<Value = RawLayout> {
    let side = prop_oneof![0..40_u32, any::<u32>()];
    let stride = prop_oneof![Just(0), 0..200_u32, any::<u32>()];
    let formats = proptest::sample::select(PixelFormat::ALL.as_slice());
    let rotations = proptest::sample::select(Rotation::ALL.as_slice());
    (formats, side.clone(), side, stride, rotations, any::<bool>()).prop_map(
        |(format, width, height, stride, rotation, mirrored)| RawLayout {
            format,
            width,
            height,
            stride,
            rotation,
            mirrored,
        },
    )
}

proptest! {
    #[test]
    fn no_geometry_panics(layout in layouts(), bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
        if let Ok(frame) = Frame::from_raw(&bytes, &layout, &LIMITS) {
            let (width, height) = (frame.width() as usize, frame.height() as usize);
            prop_assert_eq!(frame.rgb().len(), width * height * 3);
        }
    }

    #[test]
    fn any_geometry_that_fits_is_converted_as_defined(
        format in proptest::sample::select(PixelFormat::ALL.as_slice()),
        rotation in proptest::sample::select(Rotation::ALL.as_slice()),
        (width, height, padding) in (1..50_u32, 1..50_u32, 0..9_u32),
        mirrored: bool,
    ) {
        let stride = width * format.bytes_per_pixel() + padding;
        check(&RawLayout { format, width, height, stride, rotation, mirrored });
    }
}
