//! PNG: the chunk structure (PNG specification, third edition, section 5), then the `png` crate.
//!
//! Text and colour profiles, which may be compressed and unfold to any size, are never unfolded: nothing here needs them.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Transformations};

use super::{
    Frame,
    decode::{Walker, undecodable},
    error::FrameError,
    limits::FrameLimits,
    media_type::MediaType,
    orient::{self, RGB, Turn},
    raw::{grey_row, rgba_row},
};

/// Decodes the picture. 16-bit samples keep their high byte and alpha is dropped, as OpenCV's `imread` does.
pub(super) fn decode(bytes: &[u8], limits: &FrameLimits) -> Result<Frame, FrameError> {
    let file = Structure::inspect(bytes, limits)?;
    let broken = |error| undecodable(MediaType::Png, error);
    let mut decoder = Decoder::new(Cursor::new(bytes.get(..file.end).unwrap_or_default()));
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(broken)?;
    if reader.info().size() != (file.width, file.height) {
        return Err(undecodable(MediaType::Png, "the header is ambiguous"));
    }
    let (colour, depth) = reader.output_color_type();
    let channels = colour.samples();
    let size = file.width as usize * file.height as usize * channels;
    if depth != BitDepth::Eight || reader.output_buffer_size() != Some(size) {
        return Err(undecodable(MediaType::Png, "the pixels do not come as 8-bit samples"));
    }
    let mut pixels = vec![0; size];
    reader.next_frame(&mut pixels).map_err(broken)?;

    let turn = file.exif.map_or(Turn::default(), Turn::from_exif);
    let rows = pixels.chunks_exact(file.width as usize * channels);
    let (width, height) = (file.width, file.height);
    let rgb = match colour {
        ColorType::Rgb => orient::turn_rgb(width, height, turn, pixels),
        ColorType::Rgba => orient::assemble(width, height, turn, rows, rgba_row),
        ColorType::Grayscale => orient::assemble(width, height, turn, rows, grey_row),
        ColorType::GrayscaleAlpha => orient::assemble(width, height, turn, rows, |source: &[u8], row| {
            for (pixel, &[level, _]) in row.as_chunks_mut().0.iter_mut().zip(source.as_chunks().0) {
                *pixel = [level; RGB];
            }
        }),
        ColorType::Indexed => return Err(undecodable(MediaType::Png, "the palette was not applied")),
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
    /// Just behind the IEND chunk.
    end: usize,
}

impl<'a> Structure<'a> {
    fn inspect(bytes: &'a [u8], limits: &FrameLimits) -> Result<Self, FrameError> {
        let refuse = |what| undecodable(MediaType::Png, what);
        let cut = || refuse("the file ends before its IEND chunk");
        let mut walker = Walker::new(bytes, 8);
        let (name, data) = chunk(&mut walker).ok_or_else(cut)?;
        let mut header = Walker::new(data, 0);
        let (b"IHDR", Some(width), Some(height)) = (&name, header.array(), header.array()) else {
            return Err(refuse("the first chunk is no header"));
        };
        let (width, height) = (u32::from_be_bytes(width), u32::from_be_bytes(height));
        limits.check_dimensions(width, height)?;
        let mut exif = None;
        loop {
            let (name, data) = chunk(&mut walker).ok_or_else(cut)?;
            match &name {
                b"IEND" => break,
                b"acTL" => return Err(refuse("animations are not accepted")),
                b"eXIf" => exif = exif.or(Some(data)),
                _ => {}
            }
        }
        Ok(Self { width, height, exif, end: walker.position() })
    }
}

/// The name and data of the next chunk. Its checksum is for the decoder to verify.
fn chunk<'a>(walker: &mut Walker<'a>) -> Option<([u8; 4], &'a [u8])> {
    let length = u32::from_be_bytes(walker.array()?);
    let name = walker.array()?;
    let data = walker.take(usize::try_from(length).ok()?)?;
    walker.take(4)?;
    Some((name, data))
}
