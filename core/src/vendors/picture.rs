//! Pictures as vendors get them: upright JPEG or PNG files without metadata.

use bytes::Bytes;
use image::{ExtendedColorType, ImageEncoder as _, codecs::jpeg::JpegEncoder};
use img_parts::{ImageEXIF as _, jpeg::Jpeg, png::Png};

use crate::frame::{Frame, FrameError, FrameLimits, MediaType, RawLayout};

/// JPEG quality of pictures that are made here. Compression artefacts are what many models look at, so the loss is kept small: at
/// 95 the mean error of a luminance sample is about one level of 256, while a 1080p frame stays well below 1 MB.
const QUALITY: u8 = 95;

/// JPEG segments that say who, when and where: APP1 (Exif, XMP), APP13 (IPTC) and comments.
const JPEG_PERSONAL: [u8; 3] = [0xE1, 0xED, 0xFE];

/// PNG chunks that do.
const PNG_PERSONAL: [[u8; 4]; 5] = [*b"eXIf", *b"tEXt", *b"zTXt", *b"iTXt", *b"tIME"];

/// One frame of a presentation, as it is at hand.
#[derive(Clone, PartialEq)]
pub enum Shot {
    /// An image file, as it came.
    File(Bytes),
    /// Uncompressed pixels, as they came.
    Raw(Bytes, RawLayout),
    /// A decoded frame, such as one of a video.
    Frame(Frame),
}

impl std::fmt::Debug for Shot {
    /// Never the bytes: they show a person.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Shot::File(data) => f.debug_struct("File").field("bytes", &data.len()).finish(),
            Shot::Raw(data, layout) => {
                f.debug_struct("Raw").field("bytes", &data.len()).field("layout", layout).finish()
            }
            Shot::Frame(frame) => f.debug_tuple("Frame").field(frame).finish(),
        }
    }
}

/// An encoded picture. Cloning shares the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// The file.
    pub data: Bytes,
    /// What it is: [`MediaType::Jpeg`] or [`MediaType::Png`], which every vendor takes.
    pub media_type: MediaType,
}

impl std::fmt::Debug for Picture {
    /// Never the bytes: they show a person.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picture").field("bytes", &self.data.len()).field("media_type", &self.media_type).finish()
    }
}

impl Picture {
    /// A shot as vendors get it. A JPEG or PNG file that is upright as it lies keeps its pixels as they were compressed, since
    /// compressing them again would hide what vendors look for; only its metadata is left out. Everything else (WebP,
    /// pictures that Exif turns, pixels, frames of videos) becomes a JPEG of quality 95.
    ///
    /// # Errors
    /// [`FrameError`] where it cannot be decoded within the limits.
    pub fn of(shot: &Shot, limits: &FrameLimits) -> Result<Self, FrameError> {
        match shot {
            Shot::File(data) => match upright(data) {
                Some(picture) => Ok(picture),
                None => Self::encode(&Frame::decode(data, None, limits)?),
            },
            Shot::Raw(data, layout) => Self::encode(&Frame::from_raw(data, layout, limits)?),
            Shot::Frame(frame) => Self::encode(frame),
        }
    }

    /// The frame as a JPEG.
    ///
    /// # Errors
    /// [`FrameError::Undecodable`] where the encoder will not take it, such as one of more than 65535 pixels a side.
    pub fn encode(frame: &Frame) -> Result<Self, FrameError> {
        let mut out = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut out, QUALITY);
        encoder
            .write_image(frame.rgb(), frame.width(), frame.height(), ExtendedColorType::Rgb8)
            .map_err(|error| FrameError::Undecodable { format: MediaType::Jpeg.name(), what: error.to_string() })?;
        Ok(Self { data: out.into(), media_type: MediaType::Jpeg })
    }
}

/// A file that is upright as it lies, without its metadata; `None` where it has to be decoded to get there.
fn upright(data: &Bytes) -> Option<Picture> {
    let media_type = MediaType::sniff(data)?;
    let (exif, data) = match media_type {
        MediaType::Jpeg => {
            let mut file = Jpeg::from_bytes(data.clone()).ok()?;
            let exif = file.exif();
            file.segments_mut().retain(|segment| !JPEG_PERSONAL.contains(&segment.marker()));
            (exif, file.encoder().bytes())
        }
        MediaType::Png => {
            let mut file = Png::from_bytes(data.clone()).ok()?;
            let exif = file.exif();
            file.chunks_mut().retain(|chunk| !PNG_PERSONAL.contains(&chunk.kind()));
            (exif, file.encoder().bytes())
        }
        MediaType::Webp => return None,
    };
    let orientation = exif.and_then(|exif| image::metadata::Orientation::from_exif_chunk(&exif));
    let lies = orientation.is_none_or(|orientation| orientation == image::metadata::Orientation::NoTransforms);
    lies.then_some(Picture { data, media_type })
}

#[cfg(test)]
mod tests {
    use img_parts::jpeg::JpegSegment;

    use super::*;

    fn frame() -> Frame {
        let rgb = (0..96_u32 * 64).flat_map(|i| [(i % 251) as u8, (i / 96 * 3) as u8, 90]).collect();
        Frame::from_rgb(96, 64, rgb).unwrap()
    }

    /// A TIFF header with one entry: the orientation.
    fn exif(orientation: u8) -> Vec<u8> {
        let mut tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
        tiff.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
        tiff.extend(b"GPS 52.5 13.4");
        tiff
    }

    fn jpeg(orientation: u8) -> Bytes {
        let plain = Picture::encode(&frame()).unwrap();
        let mut file = Jpeg::from_bytes(plain.data).unwrap();
        file.set_exif(Some(exif(orientation).into()));
        file.segments_mut().insert(0, JpegSegment::new_with_contents(0xFE, Bytes::from_static(b"taken by Ada")));
        file.encoder().bytes()
    }

    fn holds(data: &[u8], text: &[u8]) -> bool {
        data.windows(text.len()).any(|window| window == text)
    }

    #[test]
    fn an_upright_file_keeps_its_pixels_and_loses_its_metadata() {
        let file = jpeg(1);
        assert!(holds(&file, b"GPS") && holds(&file, b"Ada"));
        let picture = Picture::of(&Shot::File(file.clone()), &FrameLimits::default()).unwrap();
        assert!(!holds(&picture.data, b"GPS") && !holds(&picture.data, b"Ada") && !holds(&picture.data, b"Exif"));
        let decode = |data: &[u8]| Frame::decode(data, None, &FrameLimits::default()).unwrap();
        assert_eq!(decode(&picture.data).rgb(), decode(&file).rgb(), "not compressed again");
    }

    #[test]
    fn what_exif_turns_is_turned() {
        let file = jpeg(6);
        let picture = Picture::of(&Shot::File(file.clone()), &FrameLimits::default()).unwrap();
        assert!(!holds(&picture.data, b"GPS"));
        let made = Frame::decode(&picture.data, None, &FrameLimits::default()).unwrap();
        assert_eq!((made.width(), made.height()), (64, 96));
        let wanted = Frame::decode(&file, None, &FrameLimits::default()).unwrap();
        let error: u64 = made.rgb().iter().zip(wanted.rgb()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(error / (made.rgb().len() as u64) < 4, "{error}");
    }

    #[test]
    fn a_png_stays_one_and_loses_its_text() {
        use image::{ExtendedColorType, ImageEncoder as _};
        use img_parts::png::PngChunk;
        let mut out = Vec::new();
        let (frame, encoder) = (frame(), image::codecs::png::PngEncoder::new(&mut out));
        encoder.write_image(frame.rgb(), 96, 64, ExtendedColorType::Rgb8).unwrap();
        let mut file = Png::from_bytes(out.into()).unwrap();
        file.chunks_mut().insert(1, PngChunk::new(*b"tEXt", Bytes::from_static(b"Author\0Ada")));
        let file = file.encoder().bytes();
        let picture = Picture::of(&Shot::File(file), &FrameLimits::default()).unwrap();
        assert_eq!(picture.media_type, MediaType::Png);
        assert!(!holds(&picture.data, b"Ada"));
        let read = Frame::decode(&picture.data, None, &FrameLimits::default()).unwrap();
        assert_eq!(read.rgb(), frame.rgb());
    }

    #[test]
    fn pixels_and_frames_become_jpegs_and_rubbish_an_error() {
        let shots = [
            Shot::Frame(frame()),
            Shot::Raw(
                Bytes::copy_from_slice(frame().rgb()),
                RawLayout {
                    format: crate::frame::PixelFormat::Rgb8,
                    width: 96,
                    height: 64,
                    stride: 0,
                    rotation: crate::frame::Rotation::Deg0,
                    mirrored: false,
                },
            ),
        ];
        for shot in shots {
            let picture = Picture::of(&shot, &FrameLimits::default()).unwrap();
            assert_eq!(MediaType::sniff(&picture.data), Some(MediaType::Jpeg));
            assert!(!format!("{shot:?} {picture:?}").contains("90, "));
        }
        assert!(Picture::of(&Shot::File(Bytes::from_static(b"rubbish")), &FrameLimits::default()).is_err());
        assert!(Picture::of(&Shot::File(Bytes::from_static(b"\xFF\xD8\xFF\xE0")), &FrameLimits::default()).is_err());
    }
}
