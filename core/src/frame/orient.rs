//! Turning pictures upright while their rows are made, in one pass.

/// Bytes of an RGB pixel.
pub(crate) const RGB: usize = 3;

/// Rows that are turned together. A column of the turned picture is then written 16 pixels (48 bytes) at a time, most of
/// a cache line, while the strip itself stays in the second-level cache.
const STRIP: usize = 16;

/// One of the eight ways to lay a rectangle onto itself: first transpose (swap x and y), then flip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Turn {
    /// Swap x and y.
    pub(crate) transpose: bool,
    /// Then swap left and right.
    pub(crate) flip_x: bool,
    /// Then swap top and bottom.
    pub(crate) flip_y: bool,
}

impl Turn {
    /// What makes a picture upright whose Exif metadata, from the TIFF header on, tell its orientation (tag 0x0112,
    /// Exif 2.32, section 4.6.4). Metadata that cannot be read turn nothing: viewers treat them so too.
    pub(crate) fn from_exif(exif: &[u8]) -> Self {
        let orientation = image::metadata::Orientation::from_exif_chunk(exif);
        let (transpose, flip_x, flip_y) = match orientation.map_or(1, image::metadata::Orientation::to_exif) {
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, true, false),
            7 => (true, true, true),
            8 => (true, false, true),
            _ => (false, false, false),
        };
        Self { transpose, flip_x, flip_y }
    }

    /// The size of the turned picture.
    pub(crate) fn size(self, width: u32, height: u32) -> (u32, u32) {
        if self.transpose { (height, width) } else { (width, height) }
    }
}

/// Makes the upright RGB picture from `height` rows, each of which `convert` writes as `width` RGB pixels. Both sides
/// are at least 1; their product times three fits a `usize` (the caller has checked them against its limits).
pub(crate) fn assemble<R>(
    width: u32,
    height: u32,
    turn: Turn,
    mut rows: impl Iterator<Item = R>,
    convert: impl Fn(R, &mut [u8]),
) -> Vec<u8> {
    let (width, height) = (width as usize, height as usize);
    let row_bytes = width * RGB;
    let mut upright = vec![0; row_bytes * height];
    if turn.transpose {
        let mut strip = vec![0; STRIP.min(height) * row_bytes];
        let mut first = 0;
        loop {
            let mut count = 0;
            for (row, source) in strip.chunks_exact_mut(row_bytes).zip(rows.by_ref()) {
                convert(source, row);
                count += 1;
            }
            // More rows than `height` are not read: they would lie outside the picture.
            let count = count.min(height - first);
            if count == 0 {
                break;
            }
            place_strip(&mut upright, &strip, Placement { width, height, first, count, turn });
            first += count;
        }
    } else {
        let write = |(row, source): (&mut [u8], R)| {
            convert(source, row);
            if turn.flip_x {
                reverse_pixels(row);
            }
        };
        let targets = upright.chunks_exact_mut(row_bytes);
        if turn.flip_y { targets.rev().zip(rows).for_each(write) } else { targets.zip(rows).for_each(write) }
    }
    upright
}

/// Turns a picture that is RGB already; one that is upright already is handed back as it came.
pub(crate) fn turn_rgb(width: u32, height: u32, turn: Turn, rgb: Vec<u8>) -> Vec<u8> {
    if turn == Turn::default() {
        return rgb;
    }
    let rows = rgb.chunks_exact(width as usize * RGB);
    assemble(width, height, turn, rows, |source, row| row.copy_from_slice(source))
}

/// Where a strip of source rows belongs in the transposed picture.
#[derive(Clone, Copy)]
struct Placement {
    /// Of the source.
    width: usize,
    /// Of the source.
    height: usize,
    /// The strip's first source row.
    first: usize,
    /// Its rows.
    count: usize,
    /// A turn that transposes.
    turn: Turn,
}

#[expect(
    clippy::indexing_slicing,
    reason = "x < width and k < count bound every offset: the strip has count rows of width pixels, the target width rows \
              of height pixels, and left + count <= height"
)]
fn place_strip(upright: &mut [u8], strip: &[u8], place: Placement) {
    let Placement { width, height, first, count, turn } = place;
    let left = if turn.flip_x { height - first - count } else { first };
    for x in 0..width {
        let target_row = if turn.flip_y { width - 1 - x } else { x };
        let start = (target_row * height + left) * RGB;
        let target = &mut upright[start..start + count * RGB];
        for (place, pixel) in target.chunks_exact_mut(RGB).enumerate() {
            let k = if turn.flip_x { count - 1 - place } else { place };
            let from = (k * width + x) * RGB;
            pixel.copy_from_slice(&strip[from..from + RGB]);
        }
    }
}

/// Mirrors one row.
fn reverse_pixels(row: &mut [u8]) {
    row.reverse();
    for pixel in row.chunks_exact_mut(RGB) {
        pixel.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, one pixel at a time.
    fn brute_force(width: usize, height: usize, turn: Turn, rgb: &[u8]) -> Vec<u8> {
        let (out_width, out_height) = if turn.transpose { (height, width) } else { (width, height) };
        let mut out = Vec::new();
        for out_y in 0..out_height {
            for out_x in 0..out_width {
                let x = if turn.flip_x { out_width - 1 - out_x } else { out_x };
                let y = if turn.flip_y { out_height - 1 - out_y } else { out_y };
                let (x, y) = if turn.transpose { (y, x) } else { (x, y) };
                let at = (y * width + x) * RGB;
                out.extend_from_slice(&rgb[at..at + RGB]);
            }
        }
        out
    }

    #[test]
    fn every_turn_of_every_shape_matches_the_definition() {
        for (width, height) in [(1, 1), (1, 5), (5, 1), (2, 3), (7, 16), (16, 17), (33, 31), (40, 64)] {
            let rgb: Vec<u8> = (0..width * height * RGB).map(|index| (index * 31 % 251) as u8).collect();
            for bits in 0..8 {
                let turn = Turn { transpose: bits & 1 != 0, flip_x: bits & 2 != 0, flip_y: bits & 4 != 0 };
                let turned = turn_rgb(width as u32, height as u32, turn, rgb.clone());
                assert_eq!(turned, brute_force(width, height, turn, &rgb), "{width}x{height} {turn:?}");
            }
        }
    }

    /// Exif orientation n says where the stored row 0 and column 0 lie; the expected pictures are written out.
    #[test]
    fn exif_orientations_put_the_first_row_and_column_where_the_standard_says() {
        // A stored 3x2 picture, named by its grey levels: a b c / d e f.
        let stored = [b'a', b'b', b'c', b'd', b'e', b'f'];
        let rgb: Vec<u8> = stored.iter().flat_map(|&level| [level; RGB]).collect();
        for (orientation, expected) in [
            (1, "abcdef"),
            (2, "cbafed"),
            (3, "fedcba"),
            (4, "defabc"),
            (5, "adbecf"),
            (6, "daebfc"),
            (7, "fcebda"),
            (8, "cfbead"),
            (0, "abcdef"),
            (9, "abcdef"),
        ] {
            // TIFF header, one entry: tag 0x0112, type SHORT, one value.
            let exif =
                [b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice(), &[orientation], b"\0\0\0\0\0\0"]
                    .concat();
            let turned = turn_rgb(3, 2, Turn::from_exif(&exif), rgb.clone());
            let seen: String = turned.chunks(RGB).map(|pixel| char::from(pixel[0])).collect();
            assert_eq!(seen, expected, "orientation {orientation}");
        }
        assert_eq!(Turn::from_exif(b""), Turn::default());
        assert_eq!(Turn::from_exif(b"MM\0\x2a\xff\xff\xff\xff"), Turn::default());
    }
}
