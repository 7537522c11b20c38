//! JPEG: the marker structure (ITU-T T.81, annex B), then zune-jpeg.
//!
//! Decoders are lenient: where scan data are missing they paint grey and say nothing. So the structure is walked first,
//! and a file without its end marker is refused. A marker in the middle of a scan would still be taken as its end, so a
//! file whose one scan has all components (all that cameras write) is handed over without its end marker and with a
//! tail of one-bits instead: no Huffman code is all ones (T.81, section C.2), so a decoder that still needs data there
//! fails. Bytes after the end marker are ignored, as phones append previews and motion pictures there.

use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::{
    Frame,
    decode::{Walker, undecodable},
    error::FrameError,
    limits::FrameLimits,
    media_type::MediaType,
    orient::{self, RGB, Turn},
};

/// Scans of a progressive file. libjpeg's script has 10, and a file with very many tiny scans keeps a decoder busy for
/// no picture.
const MAX_SCANS: usize = 32;

/// One-bits, byte-stuffed, after the scan. The decoder reads at most 8 bytes ahead; more are there so that the end of
/// the buffer is never in sight of an intact file.
const TAIL: [[u8; 2]; 32] = [[0xFF, 0x00]; 32];

/// Decodes the first picture of the file.
pub(super) fn decode(bytes: &[u8], limits: &FrameLimits) -> Result<Frame, FrameError> {
    let file = Structure::inspect(bytes, limits)?;
    let with_tail: Vec<u8>;
    let input = if let Some(end) = file.only_scan_end {
        with_tail = [bytes.get(..end).unwrap_or_default(), TAIL.as_flattened()].concat();
        with_tail.as_slice()
    } else {
        bytes.get(..file.end).unwrap_or_default()
    };

    let broken = |error| undecodable(MediaType::Jpeg, error);
    let (width, height) = (usize::from(file.width), usize::from(file.height));
    // Strictness is for the scan. Headers in the wild are sloppy without harm.
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(width)
        .set_max_height(height)
        .jpeg_set_max_scans(MAX_SCANS)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(input), options);
    decoder.decode_headers().map_err(broken)?;
    if decoder.dimensions() != Some((width, height)) {
        return Err(undecodable(MediaType::Jpeg, "the frame header is ambiguous"));
    }
    decoder.set_options(options.set_strict_mode(true));
    let mut rgb = vec![0; width * height * RGB];
    decoder.decode_into(&mut rgb).map_err(broken)?;

    let (width, height) = (u32::from(file.width), u32::from(file.height));
    let turn = file.exif.map_or(Turn::default(), Turn::from_exif);
    let rgb = orient::turn_rgb(width, height, turn, rgb);
    let (width, height) = turn.size(width, height);
    Frame::from_rgb(width, height, rgb)
}

/// What the markers say.
struct Structure<'a> {
    width: u16,
    height: u16,
    /// From the TIFF header on.
    exif: Option<&'a [u8]>,
    /// Where the scan's data end, if one scan has all components of a sequential picture.
    only_scan_end: Option<usize>,
    /// Just behind the end marker.
    end: usize,
}

/// The part of a frame header that matters here.
#[derive(Clone, Copy)]
struct FrameHeader {
    width: u16,
    height: u16,
    components: u8,
    progressive: bool,
}

impl<'a> Structure<'a> {
    fn inspect(bytes: &'a [u8], limits: &FrameLimits) -> Result<Self, FrameError> {
        let refuse = |what: &str| undecodable(MediaType::Jpeg, what);
        let cut = || refuse("the file ends before its end marker");
        let mut walker = Walker::new(bytes, 2);
        let mut header: Option<FrameHeader> = None;
        let mut exif = None;
        let mut scans = 0_usize;
        let mut only_scan_end = None;
        loop {
            match next_marker(&mut walker).ok_or_else(cut)? {
                0xD9 => break,
                0xD8 => return Err(refuse("another picture begins inside this one")),
                // TEM and restart markers stand alone.
                0x01 | 0xD0..=0xD7 => {}
                marker @ 0xC0..=0xC2 => {
                    let found = frame_header(marker, segment(&mut walker).ok_or_else(cut)?)
                        .ok_or_else(|| refuse("the frame header is too short"))?;
                    if header.replace(found).is_some() {
                        return Err(refuse("there are two frame headers"));
                    }
                    limits.check_dimensions(found.width.into(), found.height.into())?;
                }
                0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                    return Err(refuse("lossless, hierarchical and arithmetic coding are not supported"));
                }
                0xDA => {
                    let scan = segment(&mut walker).ok_or_else(cut)?;
                    let header = header.ok_or_else(|| refuse("a scan comes before the frame header"))?;
                    if only_scan_end.is_some() {
                        return Err(refuse("a scan follows the one that should have been the last"));
                    }
                    scans += 1;
                    if scans > MAX_SCANS {
                        return Err(refuse("there are too many scans"));
                    }
                    skip_scan(&mut walker).ok_or_else(cut)?.map_err(refuse)?;
                    if !header.progressive && scan.first() == Some(&header.components) {
                        only_scan_end = Some(walker.position());
                    }
                }
                0xE1 => {
                    let data = segment(&mut walker).ok_or_else(cut)?;
                    exif = exif.or_else(|| data.strip_prefix(b"Exif\0\0"));
                }
                _ => {
                    segment(&mut walker).ok_or_else(cut)?;
                }
            }
        }
        let header = header.filter(|_| scans > 0).ok_or_else(|| refuse("there is no picture in it"))?;
        Ok(Self { width: header.width, height: header.height, exif, only_scan_end, end: walker.position() })
    }
}

/// The code of the next marker; stray bytes and fill bytes before it are skipped, as all decoders do.
fn next_marker(walker: &mut Walker<'_>) -> Option<u8> {
    loop {
        walker.skip_to(0xFF)?;
        let mut code = walker.byte()?;
        while code == 0xFF {
            code = walker.byte()?;
        }
        if code != 0 {
            return Some(code);
        }
    }
}

/// The data of a marker segment.
fn segment<'a>(walker: &mut Walker<'a>) -> Option<&'a [u8]> {
    let length = usize::from(u16::from_be_bytes(walker.array()?));
    walker.take(length.checked_sub(2)?)
}

/// Reads a frame header (T.81, B.2.2); `None` where it is too short.
fn frame_header(marker: u8, data: &[u8]) -> Option<FrameHeader> {
    let mut data = Walker::new(data, 1);
    let height = u16::from_be_bytes(data.array()?);
    let width = u16::from_be_bytes(data.array()?);
    Some(FrameHeader { width, height, components: data.byte()?, progressive: marker == 0xC2 })
}

/// Skips entropy-coded data up to the marker that ends them. `None` where the file ends first; an error where the
/// restart markers do not count up, which is how a lost part shows.
fn skip_scan(walker: &mut Walker<'_>) -> Option<Result<(), &'static str>> {
    let mut restart = 0;
    loop {
        walker.skip_to(0xFF)?;
        let mut ahead = walker.clone();
        match next_code(&mut ahead)? {
            0 => {}
            code @ 0xD0..=0xD7 => {
                if code != 0xD0 + restart {
                    return Some(Err("a part between two restart markers is missing"));
                }
                restart = (restart + 1) % 8;
            }
            _ => return Some(Ok(())),
        }
        *walker = ahead;
    }
}

/// The byte behind one or more 0xFF.
fn next_code(walker: &mut Walker<'_>) -> Option<u8> {
    loop {
        let byte = walker.byte()?;
        if byte != 0xFF {
            return Some(byte);
        }
    }
}
