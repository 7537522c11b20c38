//! Movie fragments (ISO/IEC 14496-12, section 8.8): each brings a few more samples.

use super::boxes::IsoBox;
use crate::video::{error::VideoError, limits::VideoLimits};

/// A sample as its track's media has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Media {
    /// Its first byte in the file.
    pub(super) start: u64,
    /// Bytes.
    pub(super) size: u32,
    /// When it is shown, in ticks of the media.
    pub(super) place: i64,
    /// Ticks of the media until the next one is decoded.
    pub(super) lasts: u32,
}

/// What a track's samples are where a fragment does not say it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Defaults {
    pub(super) track: u32,
    lasts: u32,
    size: u32,
}

impl Defaults {
    /// Of a `trex` box.
    pub(super) fn read(trex: &IsoBox<'_>) -> Result<Self, VideoError> {
        let (_, _, mut fields) = trex.full()?;
        let (track, _description) = (fields.u32()?, fields.u32()?);
        Ok(Self { track, lasts: fields.u32()?, size: fields.u32()? })
    }
}

/// Gathers one track's samples from fragments.
#[derive(Debug)]
pub(super) struct Fragments<'a> {
    /// Each track's, of `mvex`.
    pub(super) defaults: &'a [Defaults],
    /// The track that is wanted.
    pub(super) track: u32,
    /// When its next sample is decoded, in ticks of the media.
    pub(super) decoded: i64,
}

/// Flags of `tfhd` (section 8.8.7) and `trun` (section 8.8.8).
mod flag {
    pub(super) const BASE_OFFSET: u32 = 0x1;
    pub(super) const DESCRIPTION: u32 = 0x2;
    pub(super) const DEFAULT_DURATION: u32 = 0x8;
    pub(super) const DEFAULT_SIZE: u32 = 0x10;
    pub(super) const BASE_IS_MOOF: u32 = 0x2_0000;
    pub(super) const DATA_OFFSET: u32 = 0x1;
    pub(super) const FIRST_FLAGS: u32 = 0x4;
    pub(super) const DURATION: u32 = 0x100;
    pub(super) const SIZE: u32 = 0x200;
    pub(super) const SAMPLE_FLAGS: u32 = 0x400;
    pub(super) const SHIFT: u32 = 0x800;
}

impl Fragments<'_> {
    /// Adds what a `moof` box has of the track.
    pub(super) fn read(
        &mut self,
        moof: &IsoBox<'_>,
        samples: &mut Vec<Media>,
        limits: &VideoLimits,
    ) -> Result<(), VideoError> {
        // Where the data of the track before ended, which the next one's begins at where nothing else is said.
        let mut data_end = moof.start;
        for traf in moof.children() {
            let traf = traf?;
            if traf.kind == *b"traf" {
                data_end = self.read_track(&traf, moof.start, data_end, samples, limits)?;
            }
        }
        Ok(())
    }

    fn read_track(
        &mut self,
        traf: &IsoBox<'_>,
        moof_start: u64,
        data_end: u64,
        samples: &mut Vec<Media>,
        limits: &VideoLimits,
    ) -> Result<u64, VideoError> {
        let (_, flags, mut fields) = traf.need(b"tfhd")?.full()?;
        let track = fields.u32()?;
        let base = if flags & flag::BASE_OFFSET != 0 {
            fields.u64()?
        } else if flags & flag::BASE_IS_MOOF != 0 {
            moof_start
        } else {
            data_end
        };
        fields.optional(flags & flag::DESCRIPTION != 0)?;
        let mut defaults = self.defaults.iter().find(|all| all.track == track).copied().unwrap_or_default();
        defaults.lasts = fields.optional(flags & flag::DEFAULT_DURATION != 0)?.unwrap_or(defaults.lasts);
        defaults.size = fields.optional(flags & flag::DEFAULT_SIZE != 0)?.unwrap_or(defaults.size);

        // Another track's samples are only measured, to know where ours begin behind them.
        let mut wanted = (track == self.track).then_some(samples);
        if let (Some(_), Some(time)) = (&wanted, traf.child(b"tfdt")?) {
            let (version, _, mut fields) = time.full()?;
            self.decoded = i64::try_from(fields.time(version)?).unwrap_or(i64::MAX);
        }
        let mut at = base;
        for run in traf.children() {
            let run = run?;
            if run.kind == *b"trun" {
                at = self.read_run(&run, base, at, defaults, wanted.as_deref_mut(), limits)?;
            }
        }
        Ok(at)
    }

    /// A run of samples; gives the place behind its data.
    fn read_run(
        &mut self,
        trun: &IsoBox<'_>,
        base: u64,
        mut at: u64,
        defaults: Defaults,
        mut samples: Option<&mut Vec<Media>>,
        limits: &VideoLimits,
    ) -> Result<u64, VideoError> {
        let (_, flags, mut fields) = trun.full()?;
        let count = fields.u32()?;
        if flags & flag::DATA_OFFSET != 0 {
            at = base.saturating_add_signed(fields.i32()?.into());
        }
        fields.optional(flags & flag::FIRST_FLAGS != 0)?;
        let own = flag::DURATION | flag::SIZE | flag::SAMPLE_FLAGS | flag::SHIFT;
        if let Some(samples) = &samples {
            limits.check_frames(samples.len() as u64 + u64::from(count))?;
        } else if flags & own == 0 {
            // Such samples take no bytes here, so walking them could cost whatever their number pretends.
            return Ok(at.saturating_add(u64::from(count) * u64::from(defaults.size)));
        }
        for _ in 0..count {
            let lasts = fields.optional(flags & flag::DURATION != 0)?.unwrap_or(defaults.lasts);
            let size = fields.optional(flags & flag::SIZE != 0)?.unwrap_or(defaults.size);
            fields.optional(flags & flag::SAMPLE_FLAGS != 0)?;
            // Signed in both versions, as in a sample table.
            let shift = fields.optional(flags & flag::SHIFT != 0)?.unwrap_or(0).cast_signed();
            if let Some(samples) = &mut samples {
                samples.push(Media { start: at, size, place: self.decoded.saturating_add(shift.into()), lasts });
                self.decoded = self.decoded.saturating_add(lasts.into());
            }
            at = at.saturating_add(size.into());
        }
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::mp4::{
        boxes::Boxes,
        fields::tests::{boxed, first, words},
    };

    fn read(trafs: &[&[u8]], limits: &VideoLimits) -> Result<Vec<Media>, VideoError> {
        let trex = words(b"trex", 0, 0, &[2, 1, 5, 10, 0]);
        let defaults = [Defaults::read(&first(&trex)).unwrap()];
        let mut fragments = Fragments { defaults: &defaults, track: 2, decoded: 0 };
        let mut samples = Vec::new();
        // A box before, so that the fragment does not begin at zero.
        let file = [b"\0\0\0\x08free".as_slice(), &boxed(b"moof", trafs)].concat();
        let moof = Boxes::of_file(&file, "video/mp4").find(b"moof").unwrap().unwrap();
        fragments.read(&moof, &mut samples, limits).map(|()| samples)
    }

    fn media(start: u64, size: u32, place: i64, lasts: u32) -> Media {
        Media { start, size, place, lasts }
    }

    #[test]
    fn data_follows_what_is_before_it_unless_said_otherwise() {
        // Track 1, relative to the fragment, 10 bytes a sample: three of them from 100 on.
        let audio = boxed(b"traf", &[&words(b"tfhd", 0, 0x2_0010, &[1, 10]), &words(b"trun", 0, 1, &[3, 100])]);
        let (head, time) = (words(b"tfhd", 0, 0, &[2]), words(b"tfdt", 0, 0, &[1000]));
        let (plain, own) = (words(b"trun", 0, 0, &[2]), words(b"trun", 1, 0xB00, &[2, 7, 4, u32::MAX - 1, 8, 6, 3]));
        let video = boxed(b"traf", &[&head, &time, &plain, &own]);
        let samples = read(&[&audio, &video], &VideoLimits::default()).unwrap();
        // The audio's data begin at 8 + 100 and take 30 bytes.
        let expected =
            [media(138, 10, 1000, 5), media(148, 10, 1005, 5), media(158, 4, 1008, 7), media(162, 6, 1020, 8)];
        assert_eq!(samples, expected);
    }

    #[test]
    fn every_optional_field_is_passed_over() {
        // A base of 64 bits, a description, defaults; first flags and own flags.
        let head = words(b"tfhd", 0, 0x1B, &[2, 0, 500, 1, 3, 9]);
        let run = words(b"trun", 0, 0x405, &[2, 20, 0, 1, 2]);
        let samples = read(&[&boxed(b"traf", &[&head, &run])], &VideoLimits::default()).unwrap();
        assert_eq!(samples, [media(520, 9, 0, 3), media(529, 9, 3, 3)]);
    }

    #[test]
    fn giant_counts_cost_nothing() {
        let run = words(b"trun", 0, 0, &[u32::MAX]);
        let other = boxed(b"traf", &[&words(b"tfhd", 0, 0x2_0000, &[1]), &run]);
        assert_eq!(read(&[&other], &VideoLimits::default()), Ok(Vec::new()));
        let ours = boxed(b"traf", &[&words(b"tfhd", 0, 0x2_0000, &[2]), &run]);
        assert!(matches!(read(&[&ours], &VideoLimits::default()), Err(VideoError::TooManyFrames { .. })));
        let own = boxed(b"traf", &[&words(b"tfhd", 0, 0, &[1]), &words(b"trun", 0, 0x200, &[u32::MAX, 4])]);
        assert!(matches!(read(&[&own], &VideoLimits::default()), Err(VideoError::Damaged { .. })));
    }

    #[test]
    fn a_fragment_without_a_head_is_refused() {
        let traf = boxed(b"traf", &[&words(b"trun", 0, 0, &[1])]);
        assert!(read(&[&traf], &VideoLimits::default()).unwrap_err().to_string().contains("tfhd"));
    }
}
