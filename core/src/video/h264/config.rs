//! What an H.264 track says about itself (ISO/IEC 14496-15, section 5.3; ITU-T H.264, section 7.3): its parameter sets,
//! and from them whether the built-in decoder can do it.

use h264_reader::{
    nal::sps::{ChromaFormat, FrameMbsFlags, SeqParameterSet},
    rbsp::{BitReader, decode_nal},
};

use crate::{
    frame::Coding,
    video::{
        error::VideoError,
        limits::VideoLimits,
        track::{Sample, Track},
    },
};

/// The largest frame that openh264 takes, in macroblocks: level 5.1's (`MAX_MBS_PER_FRAME` is 36 864).
const MAX_MACROBLOCKS: u32 = 36_864;

/// NAL unit types (H.264, table 7-1): a slice of a picture, of one that starts anew, and a sequence parameter set.
const SLICE: u8 = 1;
const IDR_SLICE: u8 = 5;
const SPS: u8 = 7;

/// The configuration record and what it and the samples say.
#[derive(Debug)]
pub(in crate::video) struct Config<'a> {
    /// Bytes of a NAL unit's length.
    length_bytes: usize,
    /// Sequence and picture parameter sets, in order.
    sets: Vec<&'a [u8]>,
    /// Of a shown frame before it is turned.
    pub(in crate::video) width: u32,
    /// Of a shown frame before it is turned.
    pub(in crate::video) height: u32,
    /// What its samples mean.
    pub(super) coding: Coding,
    /// Why the built-in decoder cannot do it.
    pub(in crate::video) beyond: Option<String>,
}

impl<'a> Config<'a> {
    /// Reads the record and every parameter set within the samples, and marks the samples that hold no picture.
    pub(in crate::video) fn read(
        track: &mut Track<'a>,
        file: &'a [u8],
        format: &'static str,
        limits: &VideoLimits,
    ) -> Result<Self, VideoError> {
        let damaged = |what: &str| VideoError::Damaged { format, what: what.to_owned() };
        let (length_bytes, sets) =
            read_record(track.config).ok_or_else(|| damaged("its H.264 configuration (avcC) cannot be read"))?;
        let mut config = Self {
            length_bytes,
            sets: Vec::new(),
            width: track.width,
            height: track.height,
            coding: Coding::of_video(UNSPECIFIED, false),
            beyond: None,
        };
        let mut found = false;
        for set in &sets {
            if nal_type(set) == Some(SPS) {
                config.inspect(set, found, format, limits)?;
                found = true;
            }
        }
        config.sets = sets;
        for sample in &mut track.samples {
            let mut pictures = false;
            for nal in nals(sample.bytes(file), length_bytes) {
                let nal = nal.ok_or_else(|| damaged("a frame's parts are longer than the frame"))?;
                match nal_type(nal) {
                    Some(SLICE | IDR_SLICE) => pictures = true,
                    Some(SPS) => {
                        config.inspect(nal, found, format, limits)?;
                        found = true;
                    }
                    // Slices in partitions, of the extended profile.
                    Some(2..=4) => {
                        pictures = true;
                        config.beyond.get_or_insert_with(|| "with data partitions".to_owned());
                    }
                    _ => {}
                }
            }
            sample.picture = pictures;
        }
        if !found {
            return Err(damaged("its H.264 track has no sequence parameter set"));
        }
        Ok(config)
    }

    /// A sequence parameter set: its sizes are checked, the first one's are the track's.
    fn inspect(
        &mut self,
        nal: &[u8],
        seen: bool,
        format: &'static str,
        limits: &VideoLimits,
    ) -> Result<(), VideoError> {
        let damaged =
            || VideoError::Damaged { format, what: "an H.264 sequence parameter set cannot be read".to_owned() };
        let bits = decode_nal(nal).map_err(|_| damaged())?;
        let sps = SeqParameterSet::from_bits(BitReader::new(&*bits)).map_err(|_| damaged())?;
        let (width, height) = sps.pixel_dimensions().map_err(|_| damaged())?;
        limits.check_dimensions(width, height)?;
        if !seen {
            (self.width, self.height) = (width, height);
            let signal = sps.vui_parameters.as_ref().and_then(|vui| vui.video_signal_type.as_ref());
            let full = signal.is_some_and(|signal| signal.video_full_range_flag);
            let described = signal.and_then(|signal| signal.colour_description.as_ref());
            self.coding = Coding::of_video(described.map_or(UNSPECIFIED, |colour| colour.matrix_coefficients), full);
        }
        if self.beyond.is_none() {
            self.beyond = beyond(&sps);
        }
        Ok(())
    }

    /// Writes a sample as a byte stream (H.264, annex B), with the parameter sets before it where it is the first.
    pub(super) fn byte_stream(&self, sample: &Sample, file: &[u8], first: bool, stream: &mut Vec<u8>) {
        stream.clear();
        let sets = self.sets.iter().copied().filter(|_| first);
        for nal in sets.chain(nals(sample.bytes(file), self.length_bytes).flatten()) {
            stream.extend([0, 0, 0, 1]);
            stream.extend(nal);
        }
    }
}

/// H.273: the matrix coefficients are not specified.
const UNSPECIFIED: u8 = 2;

/// Why openh264 cannot decode it: it does the Constrained Baseline, Main and High profiles, frames only.
fn beyond(sps: &SeqParameterSet) -> Option<String> {
    let chroma = &sps.chroma_info;
    let profile: u8 = sps.profile_idc.into();
    if chroma.chroma_format != ChromaFormat::YUV420 {
        let format = match chroma.chroma_format {
            ChromaFormat::Monochrome => "monochrome",
            ChromaFormat::YUV422 => "4:2:2",
            _ => "4:4:4",
        };
        return Some(format!("with {format} frames (profile {profile})"));
    }
    if chroma.bit_depth_luma_minus8 > 0 || chroma.bit_depth_chroma_minus8 > 0 {
        return Some(format!("with more than 8 bits a sample (profile {profile})"));
    }
    if !matches!(profile, 66 | 77 | 100) {
        return Some(format!("of profile {profile}"));
    }
    if sps.frame_mbs_flags != FrameMbsFlags::Frames {
        return Some("with interlaced frames".to_owned());
    }
    if sps.pic_size_in_map_units() > MAX_MACROBLOCKS {
        return Some("with frames larger than level 5.1's".to_owned());
    }
    None
}

/// An `avcC` record: the bytes of a length, and the parameter sets.
fn read_record(record: &[u8]) -> Option<(usize, Vec<&[u8]>)> {
    // Version, profile, compatibility, level, then two bits of length and five of how many sets there are.
    let (&[_, _, _, _, lengths, count], mut rest) = record.split_first_chunk()?;
    let mut sets = Vec::new();
    take_sets(&mut rest, count & 0x1F, &mut sets)?;
    let (&count, mut rest) = rest.split_first()?;
    take_sets(&mut rest, count, &mut sets)?;
    Some((usize::from(lengths & 3) + 1, sets))
}

/// So many parameter sets, each behind its length of two bytes.
fn take_sets<'a>(rest: &mut &'a [u8], count: u8, sets: &mut Vec<&'a [u8]>) -> Option<()> {
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk()?;
        let (set, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        sets.push(set);
        *rest = after;
    }
    Some(())
}

/// The NAL units of a sample, each behind its length; `None` once where a length is wrong. Empty ones are left out.
fn nals(sample: &[u8], length_bytes: usize) -> impl Iterator<Item = Option<&[u8]>> {
    let mut rest = sample;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let found = rest.split_at_checked(length_bytes).and_then(|(length, after)| {
                let length = length.iter().fold(0, |number: usize, &byte| number << 8 | usize::from(byte));
                after.split_at_checked(length)
            });
            let Some((nal, after)) = found else {
                rest = &[];
                return Some(None);
            };
            rest = after;
            if !nal.is_empty() {
                return Some(Some(nal));
            }
        }
        None
    })
}

fn nal_type(nal: &[u8]) -> Option<u8> {
    nal.first().map(|header| header & 0x1F)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_whole_or_not_at_all() {
        let record = [1, 77, 0, 30, 0xFF, 0xE1, 0, 3, 0x67, 1, 2, 1, 0, 2, 0x68, 9];
        let (length_bytes, sets) = read_record(&record).unwrap();
        assert_eq!((length_bytes, sets), (4, vec![[0x67, 1, 2].as_slice(), &[0x68, 9]]));
        for length in 0..record.len() {
            assert_eq!(read_record(&record[..length]), None, "{length}");
        }
        // What an extension adds is not read.
        assert!(read_record(&[&record[..], &[0xFC]].concat()).is_some());
    }

    #[test]
    fn nal_units_are_walked_by_their_lengths() {
        let walk = |sample: &[u8], bytes| nals(sample, bytes).map(|nal| nal.map(<[u8]>::to_vec)).collect::<Vec<_>>();
        assert_eq!(walk(&[0, 2, 7, 8, 0, 0, 0, 1, 9], 2), [Some(vec![7, 8]), Some(vec![9])]);
        assert_eq!(walk(&[0, 2, 7], 2), [None]);
        assert_eq!(walk(&[1, 5, 0], 1), [Some(vec![5])]);
        assert_eq!(walk(&[0xFF, 0xFF, 0xFF, 0xFF, 1], 4), [None]);
        assert_eq!(walk(&[], 4), []);
    }
}
