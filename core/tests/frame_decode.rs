//! Encoded pictures: every kind of file that is accepted shows the right pixels, and every broken one is refused.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's helpers fail by panicking")]

use std::io::Cursor;

use image::ExtendedColorType;
use lifesign_core::frame::{Frame, FrameError, FrameLimits, MediaType};

/// Small pictures are allowed here, so that small fixtures can be used.
const LIMITS: FrameLimits =
    FrameLimits { max_bytes: 4 << 20, max_pixels: 1_000_000, max_dimension: 2000, min_dimension: 1 };

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/frame_fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn portrait() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/astronaut.jpg")).unwrap()
}

fn decode(bytes: &[u8]) -> Result<Frame, FrameError> {
    Frame::decode(bytes, None, &LIMITS)
}

fn mean_difference(left: &Frame, right: &Frame) -> f64 {
    assert_eq!((left.width(), left.height()), (right.width(), right.height()));
    let total: u64 = left.rgb().iter().zip(right.rgb()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    total as f64 / left.rgb().len() as f64
}

/// A picture in all three formats, as large as a real one.
fn portrait_files() -> [Vec<u8>; 3] {
    let jpeg = portrait();
    let frame = decode(&jpeg).unwrap();
    let encode = |format| {
        let mut file = Cursor::new(Vec::new());
        let (rgb, kind) = (frame.rgb(), ExtendedColorType::Rgb8);
        image::write_buffer_with_format(&mut file, rgb, frame.width(), frame.height(), kind, format).unwrap();
        file.into_inner()
    };
    [jpeg, encode(image::ImageFormat::Png), encode(image::ImageFormat::WebP)]
}

#[test]
fn every_kind_of_file_shows_the_scene() {
    let scene = decode(&fixture("scene.png")).unwrap();
    assert_eq!((scene.width(), scene.height()), (93, 77));
    // The allowed mean difference in levels is what the kind's compression costs, doubled.
    for (name, allowed) in [
        ("interlaced.png", 0.0),
        ("lossless.webp", 0.0),
        ("lossless_alpha.webp", 0.0),
        ("lossy.webp", 4.0),
        ("lossy_alpha.webp", 4.0),
        ("baseline_444.jpg", 2.0),
        ("baseline_420.jpg", 4.0),
        ("progressive.jpg", 4.0),
        ("restart.jpg", 4.0),
        ("cmyk.jpg", 4.0),
    ] {
        let frame = decode(&fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let difference = mean_difference(&frame, &scene);
        assert!(difference <= allowed, "{name}: {difference} levels off");
    }
    let grey = decode(&fixture("grey.jpg")).unwrap();
    for (pixel, colour) in grey.rgb().chunks(3).zip(scene.rgb().chunks(3)) {
        assert!(pixel[0] == pixel[1] && pixel[1] == pixel[2]);
        let luma = 0.299 * f64::from(colour[0]) + 0.587 * f64::from(colour[1]) + 0.114 * f64::from(colour[2]);
        assert!((f64::from(pixel[0]) - luma).abs() < 30.0);
    }
}

/// A JPEG may hold RGB instead of YCbCr. Taken for the other it shows a person in false colours, which no check would
/// notice, so each of the two ways to say it is tried alone.
#[test]
fn rgb_in_a_jpeg_is_not_taken_for_ycbcr() {
    let scene = decode(&fixture("scene.png")).unwrap();
    let both = fixture("rgb.jpg");
    let find = |needle: &[u8]| both.windows(needle.len()).position(|window| window == needle).unwrap();
    // Marker, length, "Adobe", version, two flags, transform.
    let adobe = find(b"\xFF\xEE\0\x0EAdobe");
    assert_eq!(both[adobe + 15], 0, "the fixture says RGB");
    // Marker, length, precision, height, width, 3 components of 3 bytes; in the scan, 3 components of 2 bytes.
    let (frame, scan) = (find(b"\xFF\xC0\0\x11"), find(b"\xFF\xDA\0\x0C\x03"));
    let ids: Vec<usize> = (0..3).map(|n| frame + 10 + 3 * n).chain((0..3).map(|n| scan + 5 + 2 * n)).collect();
    assert!(ids.iter().zip(*b"RGBRGB").all(|(&at, id)| both[at] == id));

    let by_names = [&both[..adobe], &both[adobe + 16..]].concat();
    let mut by_marker = both.clone();
    ids.iter().zip([1, 2, 3, 1, 2, 3]).for_each(|(&at, id)| by_marker[at] = id);
    for (file, said) in [(&both, "by both"), (&by_names, "by the components' names"), (&by_marker, "by the marker")] {
        let frame = decode(file).unwrap_or_else(|error| panic!("{said}: {error}"));
        let difference = mean_difference(&frame, &scene);
        assert!(difference <= 2.0, "{said}: {difference} levels off");
    }
    // What none of the defined transforms is, nobody can show rightly.
    let mut unknown = by_marker;
    unknown[adobe + 15] = 7;
    assert!(matches!(decode(&unknown), Err(FrameError::Undecodable { .. })));
}

#[test]
fn png_samples_of_every_depth_become_eight_bits() {
    use png::{BitDepth, ColorType, Encoder};
    type Case = (ColorType, BitDepth, &'static [u8], Option<&'static [u8]>, [[u8; 3]; 2]);
    // Each a 2x1 picture: samples, transparency, and the two pixels they mean. 16-bit samples keep their high byte.
    let cases: [Case; 10] = [
        (ColorType::Grayscale, BitDepth::One, &[0b0100_0000], None, [[0; 3], [255; 3]]),
        (ColorType::Grayscale, BitDepth::Two, &[0b0110_0000], None, [[85; 3], [170; 3]]),
        (ColorType::Grayscale, BitDepth::Four, &[0x1F], None, [[17; 3], [255; 3]]),
        (ColorType::Grayscale, BitDepth::Eight, &[3, 200], None, [[3; 3], [200; 3]]),
        (ColorType::Grayscale, BitDepth::Eight, &[3, 200], Some(&[0, 3]), [[3; 3], [200; 3]]),
        (ColorType::Grayscale, BitDepth::Sixteen, &[3, 255, 200, 0], None, [[3; 3], [200; 3]]),
        (ColorType::GrayscaleAlpha, BitDepth::Eight, &[3, 0, 200, 255], None, [[3; 3], [200; 3]]),
        (ColorType::Rgba, BitDepth::Eight, &[1, 2, 3, 0, 4, 5, 6, 9], None, [[1, 2, 3], [4, 5, 6]]),
        (ColorType::Rgb, BitDepth::Sixteen, &[1, 255, 2, 255, 3, 255, 4, 0, 5, 0, 6, 0], None, [[1, 2, 3], [4, 5, 6]]),
        (ColorType::Indexed, BitDepth::Eight, &[1, 0], Some(&[0, 128]), [[40, 50, 60], [10, 20, 30]]),
    ];
    for (colour, depth, samples, transparency, expected) in cases {
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, 2, 1);
        encoder.set_color(colour);
        encoder.set_depth(depth);
        if colour == ColorType::Indexed {
            encoder.set_palette([10, 20, 30, 40, 50, 60].as_slice());
        }
        if let Some(transparency) = transparency {
            encoder.set_trns(transparency);
        }
        encoder.write_header().unwrap().write_image_data(samples).unwrap();
        assert_eq!(decode(&file).unwrap().rgb(), expected.as_flattened(), "{colour:?} {depth:?}");
    }
}

/// Where the pixel of an upright picture lies in the stored one (Exif 2.32, section 4.6.4, tag 0x0112).
fn stored_position(orientation: u8, x: u32, y: u32, width: u32, height: u32) -> (u32, u32) {
    let (right, bottom) = (width - 1, height - 1);
    match orientation {
        1 => (x, y),
        2 => (right - x, y),
        3 => (right - x, bottom - y),
        4 => (x, bottom - y),
        5 => (y, x),
        6 => (y, bottom - x),
        7 => (right - y, bottom - x),
        8 => (right - y, x),
        _ => unreachable!("no such orientation"),
    }
}

fn with_orientation(kind: MediaType, orientation: u8) -> (Vec<u8>, Vec<u8>) {
    let tiff =
        [b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[orientation], b"\0\0\0\0\0\0\0"].concat();
    match kind {
        MediaType::Jpeg => {
            let plain = fixture("baseline_420.jpg");
            let length = (tiff.len() as u16 + 8).to_be_bytes();
            let file = [&plain[..2], b"\xff\xe1", &length, b"Exif\0\0", &tiff, &plain[2..]].concat();
            (plain, file)
        }
        MediaType::Png => {
            let plain = fixture("scene.png");
            let length = (tiff.len() as u32).to_be_bytes();
            let named = [b"eXIf".as_slice(), &tiff].concat();
            let crc = crc32(&named).to_be_bytes();
            // The header chunk ends at 33.
            let file = [&plain[..33], &length, &named, &crc, &plain[33..]].concat();
            (plain, file)
        }
        MediaType::Webp => {
            let plain = fixture("lossless.webp");
            let canvas = [8, 0, 0, 0, 92, 0, 0, 76, 0, 0];
            let size = (tiff.len() as u32).to_le_bytes();
            let body = [b"WEBPVP8X\x0a\0\0\0".as_slice(), &canvas, &plain[12..], b"EXIF", &size, &tiff].concat();
            let file = [b"RIFF", (body.len() as u32).to_le_bytes().as_slice(), &body].concat();
            (plain, file)
        }
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[test]
fn every_exif_orientation_is_applied_in_every_format() {
    for kind in MediaType::ALL {
        for orientation in 1..=8 {
            let (plain, file) = with_orientation(kind, orientation);
            let stored = decode(&plain).unwrap();
            let upright = decode(&file).unwrap_or_else(|error| panic!("{kind:?} {orientation}: {error}"));
            let (width, height) = (stored.width(), stored.height());
            let size = if orientation >= 5 { (height, width) } else { (width, height) };
            assert_eq!((upright.width(), upright.height()), size);
            for (index, pixel) in (0..).zip(upright.rgb().chunks(3)) {
                let (x, y) = (index % size.0, index / size.0);
                let (x, y) = stored_position(orientation, x, y, width, height);
                let at = (y * width + x) as usize * 3;
                assert_eq!(pixel, &stored.rgb()[at..at + 3], "{kind:?} {orientation}");
            }
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    for file in portrait_files() {
        let kind = MediaType::sniff(&file).unwrap();
        assert!(decode(&file).is_ok());
        for cut in (1024..file.len()).step_by(1024).chain([file.len() - 1, file.len() - 2]) {
            let error = decode(&file[..cut]).unwrap_err();
            assert!(matches!(error, FrameError::Undecodable { .. }), "{kind:?} cut at {cut}: {error}");
        }
    }
    for name in [
        "baseline_420.jpg",
        "progressive.jpg",
        "restart.jpg",
        "grey.jpg",
        "cmyk.jpg",
        "scene.png",
        "lossy.webp",
        "lossy_alpha.webp",
        "lossless.webp",
    ] {
        let file = fixture(name);
        for cut in 0..file.len() {
            assert!(decode(&file[..cut]).is_err(), "{name} cut at {cut}");
        }
    }
}

/// The end marker that a cut file lacks may have been put back by a program that meant to repair it.
#[test]
fn a_jpeg_without_all_its_scan_is_refused_even_with_an_end_marker() {
    let mut files = vec![portrait()];
    files.extend(["baseline_420.jpg", "baseline_444.jpg", "restart.jpg", "grey.jpg", "cmyk.jpg"].map(fixture));
    for (index, file) in files.into_iter().enumerate() {
        let scan = file.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap() + 14;
        // A step that is no multiple of anything; a cut within the last bytes may leave all that matters.
        for cut in (scan..file.len() - 8).step_by(file.len() / 200 + 1) {
            // A cut must not split a stuffed byte, which would make another marker.
            let cut = if file[cut - 1] == 0xFF { cut + 1 } else { cut };
            let repaired = [&file[..cut], &[0xFF, 0xD9]].concat();
            assert!(matches!(decode(&repaired), Err(FrameError::Undecodable { .. })), "file {index} cut at {cut}");
        }
        // An upload that stopped into a preallocated file has zeros where its end should be.
        let middle = (scan + file.len()) / 2;
        let zeros = [&file[..middle], vec![0; file.len() - middle].as_slice()].concat();
        assert!(matches!(decode(&zeros), Err(FrameError::Undecodable { .. })), "file {index} with a tail of zeros");
    }
}

#[test]
fn a_lost_restart_interval_is_noticed() {
    let file = fixture("restart.jpg");
    let at = |code| file.windows(2).position(|pair| pair == [0xFF, code]).unwrap();
    let without = [&file[..at(0xD1)], &file[at(0xD2)..]].concat();
    let error = decode(&without).unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
}

#[test]
fn a_webp_whose_sizes_were_made_to_fit_a_cut_is_refused() {
    for name in ["lossy.webp", "lossless.webp"] {
        let file = fixture(name);
        // A chunk that is whole in name only: both sizes say what is there, the bitstream needs more.
        for cut in (40..file.len() - 16).step_by(7) {
            let mut short = file[..cut & !1].to_vec();
            let riff = (short.len() as u32 - 8).to_le_bytes();
            short[4..8].copy_from_slice(&riff);
            let chunk = (short.len() as u32 - 20).to_le_bytes();
            short[16..20].copy_from_slice(&chunk);
            assert!(matches!(decode(&short), Err(FrameError::Undecodable { .. })), "{name} cut at {cut}");
        }
    }
}

#[test]
fn a_png_with_a_wrong_checksum_or_missing_rows_is_refused() {
    let file = fixture("scene.png");
    let at = file.windows(4).position(|name| name == b"IDAT").unwrap();
    let mut flipped = file.clone();
    flipped[at + 40] ^= 1;
    assert!(matches!(decode(&flipped), Err(FrameError::Undecodable { .. })));

    // The header says one row more than there is; its checksum is right.
    let mut taller = file;
    taller[23] += 1;
    let crc = crc32(&taller[12..29]).to_be_bytes();
    taller[29..33].copy_from_slice(&crc);
    assert!(matches!(decode(&taller), Err(FrameError::Undecodable { .. })));
}

#[test]
fn what_follows_the_end_of_a_file_is_ignored() {
    for file in portrait_files() {
        let followed = [file.as_slice(), b"MotionPhoto_Data\xff\xd8\xff\xda\0\0"].concat();
        assert_eq!(decode(&followed), decode(&file));
    }
}

#[test]
fn animations_are_refused() {
    for name in ["animated.webp", "animated.png"] {
        let error = decode(&fixture(name)).unwrap_err();
        assert!(error.to_string().contains("animation"), "{name}: {error}");
    }
}

#[test]
fn the_declared_type_must_be_that_of_the_bytes() {
    for (actual, file) in MediaType::ALL.into_iter().zip(portrait_files()) {
        for declared in MediaType::ALL {
            let result = Frame::decode(&file, Some(declared), &LIMITS);
            if declared == actual {
                assert!(result.is_ok());
            } else {
                let (declared, actual) = (declared.name(), actual.name());
                assert_eq!(result, Err(FrameError::MediaTypeMismatch { declared, actual }));
            }
        }
    }
    assert_eq!(decode(b""), Err(FrameError::Empty));
    assert_eq!(Frame::decode(b"", Some(MediaType::Png), &LIMITS), Err(FrameError::Empty));
    assert_eq!(decode(b"GIF89a\x01\0\x01\0"), Err(FrameError::UnknownFormat));
    assert_eq!(Frame::decode(b"not a picture", Some(MediaType::Jpeg), &LIMITS), Err(FrameError::UnknownFormat));
}

#[test]
fn every_limit_holds_in_every_format() {
    for file in portrait_files() {
        let size = file.len() as u64;
        let within = FrameLimits { max_bytes: size, max_pixels: 512 * 512, max_dimension: 512, min_dimension: 512 };
        assert!(Frame::decode(&file, None, &within).is_ok());
        for (limits, expected) in [
            (FrameLimits { max_bytes: size - 1, ..within }, FrameError::TooManyBytes { limit: size - 1, actual: size }),
            (
                FrameLimits { max_dimension: 511, ..within },
                FrameError::TooLarge { limit: 511, width: 512, height: 512 },
            ),
            (
                FrameLimits { max_pixels: 512 * 512 - 1, ..within },
                FrameError::TooManyPixels { limit: 512 * 512 - 1, actual: 512 * 512, width: 512, height: 512 },
            ),
            (
                FrameLimits { min_dimension: 513, ..within },
                FrameError::TooSmall { limit: 513, width: 512, height: 512 },
            ),
        ] {
            assert_eq!(Frame::decode(&file, None, &limits), Err(expected));
        }
    }
}

#[test]
fn one_pixel_is_too_small_by_default_and_a_picture_where_it_is_allowed() {
    for format in [image::ImageFormat::Jpeg, image::ImageFormat::Png, image::ImageFormat::WebP] {
        let mut file = Cursor::new(Vec::new());
        image::write_buffer_with_format(&mut file, &[200, 10, 60], 1, 1, ExtendedColorType::Rgb8, format).unwrap();
        let file = file.into_inner();
        let default = FrameLimits::default();
        let too_small = FrameError::TooSmall { limit: default.min_dimension, width: 1, height: 1 };
        assert_eq!(Frame::decode(&file, None, &default), Err(too_small));
        let frame = decode(&file).unwrap();
        assert_eq!((frame.width(), frame.height()), (1, 1));
        assert!(frame.rgb()[0].abs_diff(200) < 12, "{format:?} {:?}", frame.rgb());
    }
}
