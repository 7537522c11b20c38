//! Decompression bombs: a small or hostile file never makes decoding take more memory than the limits imply. A counting
//! allocator watches, so this is a test binary of its own, and its one test runs alone.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test's helpers fail by panicking")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use lifesign_core::frame::{Frame, FrameError, FrameLimits};

/// Counts the bytes that are held, and the most that were.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grow(bytes: usize) {
    let held = HELD.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(held, Ordering::Relaxed);
}

#[expect(unsafe_code, reason = "a global allocator cannot be written without")]
// SAFETY: every call is handed to the system's allocator with the arguments it came with; counting touches no memory of
// its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        grow(new_size);
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::realloc`.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Decodes with the default limits (or others) and tells how much more memory was held at most.
fn measure(bytes: &[u8], limits: &FrameLimits) -> (Result<Frame, FrameError>, usize) {
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let result = Frame::decode(bytes, None, limits);
    (result, PEAK.load(Ordering::Relaxed) - before)
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let named = [name.as_slice(), data].concat();
    [(data.len() as u32).to_be_bytes().as_slice(), &named, &crc32(&named).to_be_bytes()].concat()
}

fn png(width: u32, height: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
    let header = [width.to_be_bytes().as_slice(), &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunks.concat(), chunk(b"IEND", b"")].concat()
}

/// Zeros, compressed by the `png` crate: the IDAT data of an all-black picture.
fn black_png(width: u32, height: u32) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Balanced);
    let mut writer = encoder.write_header().unwrap();
    let mut stream = writer.stream_writer().unwrap();
    let row = vec![0; width as usize * 3];
    for _ in 0..height {
        std::io::Write::write_all(&mut stream, &row).unwrap();
    }
    stream.finish().unwrap();
    drop(writer);
    file
}

/// The compressed data of a black picture make zeros that also do for a profile or a text.
fn idat(file: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut rest = &file[8..];
    while let Some((length, chunk)) = rest.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        if chunk.starts_with(b"IDAT") {
            data.extend_from_slice(&chunk[4..4 + length]);
        }
        rest = &chunk[4 + length + 4..];
    }
    data
}

/// A JPEG's headers up to the frame header, with the size that is said.
fn jpeg_header(width: u16, height: u16) -> Vec<u8> {
    let sides = [height.to_be_bytes(), width.to_be_bytes()].concat();
    [b"\xff\xd8\xff\xc0\0\x11\x08".as_slice(), &sides, b"\x03\x01\x22\0\x02\x11\0\x03\x11\0\xff\xd9"].concat()
}

fn webp(name: &[u8; 4], data: &[u8], more: &[u8]) -> Vec<u8> {
    let size = (data.len() as u32).to_le_bytes();
    let body = [b"WEBP".as_slice(), name, &size, data, more].concat();
    [b"RIFF".as_slice(), &(body.len() as u32).to_le_bytes(), &body].concat()
}

fn webp_lossy_header(width: u16, height: u16) -> Vec<u8> {
    [b"\x10\0\0\x9d\x01\x2a".as_slice(), &width.to_le_bytes(), &height.to_le_bytes()].concat()
}

fn webp_lossless_header(width: u32, height: u32) -> Vec<u8> {
    [[0x2F].as_slice(), &((width - 1) | (height - 1) << 14).to_le_bytes()].concat()
}

fn webp_canvas(width: u32, height: u32) -> Vec<u8> {
    [&[0; 4], &(width - 1).to_le_bytes()[..3], &(height - 1).to_le_bytes()[..3]].concat()
}

/// What an error may cost: a message and small change.
const NOTHING: usize = 4096;

#[test]
fn no_file_makes_decoding_take_memory_beyond_its_limits() {
    let limits = FrameLimits::default();

    let too_large = |width, height| FrameError::TooLarge { limit: limits.max_dimension, width, height };
    for (what, file, expected) in [
        ("a JPEG header", jpeg_header(20_000, 20_000), too_large(20_000, 20_000)),
        ("a PNG header", png(20_000, 20_000, &[]), too_large(20_000, 20_000)),
        ("the largest PNG header", png(u32::MAX, u32::MAX, &[]), too_large(u32::MAX, u32::MAX)),
        ("a WebP canvas", webp(b"VP8X", &webp_canvas(20_000, 20_000), b""), too_large(20_000, 20_000)),
        ("a lossy WebP", webp(b"VP8 ", &webp_lossy_header(16_000, 16_000), b""), too_large(16_000, 16_000)),
        ("a lossless WebP", webp(b"VP8L", &webp_lossless_header(16_384, 16_384), b""), too_large(16_384, 16_384)),
        (
            "a PNG of 8000x8000 zeros",
            black_png(8000, 8000),
            FrameError::TooManyPixels { limit: limits.max_pixels, actual: 64_000_000, width: 8000, height: 8000 },
        ),
    ] {
        let (result, peak) = measure(&file, &limits);
        assert_eq!(result, Err(expected), "{what}");
        assert!(peak <= NOTHING, "{what} took {peak} bytes");
    }

    let large = [jpeg_header(640, 480), vec![0; 60_000_000]].concat();
    let (result, peak) = measure(&large, &limits);
    assert_eq!(result, Err(FrameError::TooManyBytes { limit: limits.max_bytes, actual: large.len() as u64 }));
    assert!(peak <= NOTHING, "a 60 MB file took {peak} bytes");
    drop(large);

    // A WebP whose picture is larger than its canvas, and one whose metadata claim 4 GB.
    let inner = [b"VP8L\x05\0\0\0".as_slice(), &webp_lossless_header(16_384, 16_384), &[0]].concat();
    let (result, peak) = measure(&webp(b"VP8X", &webp_canvas(32, 32), &inner), &limits);
    assert!(matches!(result, Err(FrameError::TooLarge { width: 16_384, .. })), "{result:?}");
    assert!(peak <= NOTHING, "a picture beyond its canvas took {peak} bytes");
    let exif = b"EXIF\xfe\xff\xff\xff";
    let (result, peak) = measure(&webp(b"VP8X", &webp_canvas(32, 32), exif), &limits);
    assert!(matches!(result, Err(FrameError::Undecodable { .. })), "{result:?}");
    assert!(peak <= NOTHING, "a claim of 4 GB took {peak} bytes");

    // 300 MB of zeros in a colour profile and in a text, both well compressed, beside a small black picture.
    let zeros = idat(&black_png(10_000, 10_000));
    assert!(zeros.len() < 1_000_000);
    let profile = chunk(b"iCCP", &[b"p\0\0".as_slice(), &zeros].concat());
    let text = chunk(b"zTXt", &[b"t\0\0".as_slice(), &zeros].concat());
    let international = chunk(b"iTXt", &[b"t\0\x01\0\0\0".as_slice(), &zeros].concat());
    let picture = chunk(b"IDAT", &idat(&black_png(64, 64)));
    let file = png(64, 64, &[profile, text, international, picture]);
    let (result, peak) = measure(&file, &limits);
    assert_eq!(result.unwrap().rgb(), vec![0; 64 * 64 * 3]);
    let allowed = 2 * file.len() + 512 * 1024;
    assert!(peak <= allowed, "compressed metadata took {peak} bytes");

    // A picture data stream that goes on for 300 MB after its 64x64 pixels.
    let file = png(64, 64, &[chunk(b"IDAT", &zeros)]);
    let (_, peak) = measure(&file, &limits);
    assert!(peak <= 2 * file.len() + 512 * 1024, "surplus picture data took {peak} bytes");

    // The control: a picture within the limits does take memory, and the counter sees it.
    let (result, peak) = measure(&black_png(4000, 4000), &limits);
    assert_eq!(result.unwrap().width(), 4000);
    assert!((48_000_000..60_000_000).contains(&peak), "a 4000x4000 picture took {peak} bytes");
}
