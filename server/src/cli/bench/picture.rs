//! The pictures that are measured on where the user names none: the sample portrait at the sizes of a webcam and of a
//! phone, made when the program runs.

use image::{
    DynamicImage, ImageError, ImageFormat, codecs::jpeg::JpegEncoder, imageops::FilterType,
    load_from_memory_with_format,
};

/// NASA's portrait of Eileen Collins, public domain; see `samples/README.md`.
const PORTRAIT: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/astronaut.jpg"));

/// 640x480 is a webcam's and a gRPC client's usual frame, 1920x1080 a phone's.
const SIZES: [(u32, u32); 2] = [(640, 480), (1920, 1080)];

/// JPEG quality: what phones and browsers write is around it.
const QUALITY: u8 = 90;

/// A JPEG with a name.
pub(super) struct Picture {
    /// For people.
    pub(super) name: String,
    /// The file's bytes.
    pub(super) jpeg: Vec<u8>,
}

impl Picture {
    /// The portrait at each of the sizes: as wide as the picture, cut at the bottom. No border is added, since flat
    /// borders decode faster than pictures do.
    pub(super) fn samples() -> Result<Vec<Picture>, ImageError> {
        let portrait = load_from_memory_with_format(PORTRAIT, ImageFormat::Jpeg)?;
        SIZES.iter().map(|&(width, height)| sample(&portrait, width, height)).collect()
    }
}

fn sample(portrait: &DynamicImage, width: u32, height: u32) -> Result<Picture, ImageError> {
    let scaled = portrait.resize_to_fill(width, width, FilterType::CatmullRom).crop_imm(0, 0, width, height);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY).encode_image(&scaled.into_rgb8())?;
    Ok(Picture { name: format!("sample portrait {width}x{height}"), jpeg })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::kernels::decode_jpeg;

    #[test]
    fn the_samples_have_the_sizes_they_claim() {
        let samples = Picture::samples().unwrap();
        let sizes: Vec<_> = samples.iter().map(|picture| decode_jpeg(&picture.jpeg).unwrap()).collect();
        assert_eq!(sizes, [(640, 480), (1920, 1080)]);
    }
}
