//! Stages before any model: decoding, against the bare decoder, and raw conversions.
//!
//! `cargo bench -p lifesign-core --bench frame`. The pictures are made from the sample portrait by scaling.
#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::{hint::black_box, io::Cursor};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use image::{ExtendedColorType, ImageEncoder, RgbImage, codecs::jpeg::JpegEncoder, imageops};
use lifesign_core::frame::{Frame, FrameLimits, PixelFormat, RawLayout, Rotation};
use zune_jpeg::{JpegDecoder, zune_core::bytestream::ZCursor};

const SIZES: [(u32, u32); 2] = [(640, 480), (1920, 1080)];

/// The portrait, stretched to a camera's frame.
fn picture(width: u32, height: u32) -> RgbImage {
    let file = include_bytes!("../../samples/astronaut.jpg");
    let portrait = image::load_from_memory(file).unwrap().into_rgb8();
    imageops::resize(&portrait, width, height, imageops::FilterType::Triangle)
}

/// Quality 90, chroma at full resolution (this encoder has no other): the decoder has the most to do.
fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let encoder = JpegEncoder::new_with_quality(&mut file, 90);
    encoder.write_image(picture, picture.width(), picture.height(), ExtendedColorType::Rgb8).unwrap();
    file.into_inner()
}

fn decoding(criterion: &mut Criterion) {
    let limits = FrameLimits::default();
    for (width, height) in SIZES {
        let file = jpeg(&picture(width, height));
        let mut group = criterion.benchmark_group(format!("jpeg {width}x{height}"));
        group.throughput(Throughput::Elements(u64::from(width) * u64::from(height)));
        group.bench_function("bare decoder", |bencher| {
            bencher.iter(|| JpegDecoder::new(ZCursor::new(black_box(&file))).decode().unwrap());
        });
        group.bench_function("Frame::decode", |bencher| {
            bencher.iter(|| Frame::decode(black_box(&file), None, &limits).unwrap());
        });
        group.finish();
    }
}

fn conversions(criterion: &mut Criterion) {
    let limits = FrameLimits::default();
    for (width, height) in SIZES {
        let mut group = criterion.benchmark_group(format!("raw {width}x{height}"));
        group.throughput(Throughput::Elements(u64::from(width) * u64::from(height)));
        // What the bytes are makes no difference to the time.
        let pixels: Vec<u8> = (0..width * height * 4).map(|index| (index * 31 / 8) as u8).collect();
        for (format, bits) in [
            (PixelFormat::Rgb8, 24),
            (PixelFormat::Rgba8, 32),
            (PixelFormat::Nv21, 12),
            (PixelFormat::I420, 12),
            (PixelFormat::Gray8, 8),
        ] {
            for rotation in [Rotation::Deg0, Rotation::Deg90] {
                let layout = RawLayout { format, width, height, stride: 0, rotation, mirrored: true };
                let length = (width * height) as usize * bits / 8;
                let buffer = pixels.get(..length).unwrap();
                group.bench_function(format!("{format:?} {rotation:?} mirrored"), |bencher| {
                    bencher.iter(|| Frame::from_raw(black_box(buffer), &layout, &limits).unwrap());
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, decoding, conversions);
criterion_main!(benches);
