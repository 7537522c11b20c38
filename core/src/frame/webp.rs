//! WebP: the RIFF structure (RFC 9649, section 2), then `image`'s decoder.
//!
//! The decoder takes chunk sizes and the size inside the bitstream at their word and reserves memory for them, so all of
//! them are checked here: every chunk lies within the file, and the bitstream is as large as the file's header says.

use std::io::Cursor;

use image::{ColorType, ImageDecoder, codecs::webp::WebPDecoder};

use super::{
    Frame,
    decode::{Walker, undecodable},
    error::FrameError,
    limits::FrameLimits,
    media_type::MediaType,
    orient::{self, RGB, Turn},
    raw::rgba_row,
};

/// Decodes the picture; alpha is dropped.
pub(super) fn decode(bytes: &[u8], limits: &FrameLimits) -> Result<Frame, FrameError> {
    let file = Structure::inspect(bytes, limits)?;
    let broken = |error| undecodable(MediaType::Webp, error);
    let decoder = WebPDecoder::new(Cursor::new(bytes.get(..file.end).unwrap_or_default())).map_err(broken)?;
    let (width, height) = (file.width, file.height);
    let channels = match decoder.color_type() {
        ColorType::Rgb8 => RGB,
        ColorType::Rgba8 => RGB + 1,
        _ => return Err(undecodable(MediaType::Webp, "the pixels do not come as 8-bit RGB")),
    };
    if decoder.dimensions() != (width, height) || decoder.has_animation() {
        return Err(undecodable(MediaType::Webp, "the header is ambiguous"));
    }
    let row_bytes = width as usize * channels;
    let mut pixels = vec![0; row_bytes * height as usize];
    decoder.read_image(&mut pixels).map_err(broken)?;

    let turn = file.exif.map_or(Turn::default(), Turn::from_exif);
    let rgb = if channels == RGB {
        orient::turn_rgb(width, height, turn, pixels)
    } else {
        orient::assemble(width, height, turn, pixels.chunks_exact(row_bytes), rgba_row)
    };
    let (width, height) = turn.size(width, height);
    Frame::from_rgb(width, height, rgb)
}

/// What the chunks say.
struct Structure<'a> {
    width: u32,
    height: u32,
    /// From the TIFF header on.
    exif: Option<&'a [u8]>,
    /// Just behind the last chunk.
    end: usize,
}

impl<'a> Structure<'a> {
    fn inspect(bytes: &'a [u8], limits: &FrameLimits) -> Result<Self, FrameError> {
        let refuse = |what| undecodable(MediaType::Webp, what);
        let cut = || refuse("the file ends before its last chunk");
        let mut walker = Walker::new(bytes, 4);
        let riff_size = walker.array().map(u32::from_le_bytes).ok_or_else(cut)?;
        let end = usize::try_from(riff_size).ok().and_then(|size| size.checked_add(8)).ok_or_else(cut)?;
        walker.take(4).ok_or_else(cut)?;

        let mut canvas = None;
        let mut picture = None;
        let mut exif = None;
        // At least one chunk is looked at, so that a header that is all there is of a file is still judged by its size.
        while picture.is_none() && canvas.is_none() || walker.position() < end {
            let name: [u8; 4] = walker.array().ok_or_else(cut)?;
            let size =
                walker.array().map(u32::from_le_bytes).and_then(|size| usize::try_from(size).ok()).ok_or_else(cut)?;
            let mut data = walker.clone();
            match &name {
                b"VP8X" => {
                    let (flags, sides) = extended_header(&mut data).ok_or_else(cut)?;
                    limits.check_dimensions(sides.0, sides.1)?;
                    if flags & ANIMATION != 0 {
                        return Err(refuse("animations are not accepted"));
                    }
                    canvas = canvas.or(Some(sides));
                }
                b"VP8 " | b"VP8L" => {
                    let sides = if &name == b"VP8 " { lossy_header(&mut data) } else { lossless_header(&mut data) };
                    let sides = sides.ok_or_else(|| refuse("the bitstream does not begin with a key frame"))?;
                    limits.check_dimensions(sides.0, sides.1)?;
                    if picture.replace(sides).is_some() {
                        return Err(refuse("there are two pictures in it"));
                    }
                }
                b"ANIM" | b"ANMF" => return Err(refuse("animations are not accepted")),
                _ => {}
            }
            let data = walker.take(size).ok_or_else(cut)?;
            if &name == b"EXIF" {
                // Some writers keep the prefix that the metadata have in JPEG.
                exif = exif.or(Some(data.strip_prefix(b"Exif\0\0").unwrap_or(data)));
            }
            if size % 2 == 1 && walker.position() < end {
                walker.take(1).ok_or_else(cut)?;
            }
        }
        let (width, height) = picture.ok_or_else(|| refuse("there is no picture in it"))?;
        if canvas.is_some_and(|canvas| canvas != (width, height)) {
            return Err(refuse("the picture has another size than its canvas"));
        }
        if walker.position() > end || bytes.len() < end {
            return Err(cut());
        }
        Ok(Self { width, height, exif, end })
    }
}

/// The flag of an animated file.
const ANIMATION: u8 = 0b10;

/// Flags and canvas of a VP8X chunk (RFC 9649, section 2.7).
fn extended_header(data: &mut Walker<'_>) -> Option<(u8, (u32, u32))> {
    let [flags, _, _, _, w0, w1, w2, h0, h1, h2] = data.array()?;
    let side = |bytes| u32::from_le_bytes(bytes) + 1;
    Some((flags, (side([w0, w1, w2, 0]), side([h0, h1, h2, 0]))))
}

/// The size in a VP8 key frame's header (RFC 6386, section 9.1).
fn lossy_header(data: &mut Walker<'_>) -> Option<(u32, u32)> {
    let [tag, _, _, 0x9D, 0x01, 0x2A, w0, w1, h0, h1] = data.array()? else { return None };
    let side = |bytes| u32::from(u16::from_le_bytes(bytes) & 0x3FFF);
    (tag & 1 == 0).then(|| (side([w0, w1]), side([h0, h1])))
}

/// The size in a VP8L header (RFC 9649, section 3.4).
fn lossless_header(data: &mut Walker<'_>) -> Option<(u32, u32)> {
    let [0x2F, b0, b1, b2, b3] = data.array()? else { return None };
    let bits = u32::from_le_bytes([b0, b1, b2, b3]);
    Some(((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1))
}
