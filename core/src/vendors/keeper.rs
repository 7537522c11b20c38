//! What is kept of a presentation for the vendors that its policy may ask, and the evidence made of it.

use std::time::Duration;

use super::{Clip, Evidence, Needs, Picture, Shot};
use crate::{
    frame::{FrameError, FrameLimits},
    session::{Event, Session},
    video::{Container, Ffmpeg, Made, Still, make_clip},
};

/// Frames kept of one presentation: ten seconds, the longest that a vendor takes, at the ten frames a second that the project's
/// clients send, and some to spare. When there are more, every second one is let go, and from then on only every second is
/// taken.
const MAX_KEPT: usize = 128;

/// Judged frames of one presentation, as far as vendors may need them. `R` is what a frame's memory is accounted with; it goes
/// when the frame goes. Where no vendor is asked, nothing is kept.
#[derive(Debug)]
pub struct Keeper<R> {
    needs: Needs,
    kept: Vec<Kept<R>>,
    /// Frames offered so far; of so many one is taken, and the best in any case.
    offered: usize,
    stride: usize,
}

#[derive(Debug)]
struct Kept<R> {
    captured: Option<Duration>,
    shot: Shot,
    best: bool,
    _room: R,
}

impl<R> Keeper<R> {
    /// Keeps what may be needed.
    pub fn new(needs: Needs) -> Self {
        Self { needs, kept: Vec::new(), offered: 0, stride: 1 }
    }

    /// Whether a frame is worth offering that the session has just answered with `events`: where it was judged and may be
    /// needed. Then also whether it is the best so far.
    pub fn wants(&self, session: &Session, index: u64, events: &[Event]) -> Option<bool> {
        let judged = events.iter().any(|event| matches!(event, Event::Progress { .. }));
        let best = session.best_frame_index() == Some(index);
        (judged && self.keeps(best)).then_some(best)
    }

    fn keeps(&self, best: bool) -> bool {
        self.keeps_all() || (self.needs.best && best)
    }

    fn keeps_all(&self) -> bool {
        self.needs.frames > 0 || self.needs.made_video
    }

    /// Takes a judged frame, the best so far or another one. A decoded frame is compressed here, which takes milliseconds.
    ///
    /// # Errors
    /// [`FrameError`] where it cannot be compressed; then nothing has changed.
    pub fn offer(&mut self, captured: Option<Duration>, shot: Shot, best: bool, room: R) -> Result<(), FrameError> {
        let turn = self.offered.is_multiple_of(self.stride);
        self.offered += 1;
        if !self.keeps(best) || !(best || turn) {
            return Ok(());
        }
        let shot = match shot {
            Shot::Frame(frame) => Shot::File(Picture::encode(&frame)?.data),
            other => other,
        };
        if best {
            self.kept.iter_mut().for_each(|kept| kept.best = false);
        }
        if !self.keeps_all() {
            self.kept.clear();
        }
        self.kept.push(Kept { captured, shot, best, _room: room });
        if self.kept.len() > MAX_KEPT {
            self.stride *= 2;
            let mut place = 0_usize;
            self.kept.retain(|kept| {
                place += 1;
                kept.best || place % 2 == 1
            });
        }
        Ok(())
    }

    /// The best frame.
    fn best(&self) -> Option<&Kept<R>> {
        self.kept.iter().find(|kept| kept.best)
    }

    /// At most `count` frames in their order, evenly spread, the best among them.
    fn spread(&self, count: usize) -> Vec<&Kept<R>> {
        let all = self.kept.len();
        if all <= count {
            return self.kept.iter().collect();
        }
        let best = self.kept.iter().position(|kept| kept.best);
        // The middles of `count` equal slices.
        let mut places: Vec<usize> = (0..count).map(|slice| (2 * slice + 1) * all / (2 * count)).collect();
        if let Some(best) = best
            && !places.contains(&best)
            && let Some(near) = places.iter_mut().min_by_key(|place| place.abs_diff(best))
        {
            *near = best;
        }
        self.kept.iter().enumerate().filter(|(place, _)| places.contains(place)).map(|(_, kept)| kept).collect()
    }
}

/// Everything that evidence can be made of.
#[derive(Debug)]
pub struct Material<R> {
    /// The judged frames that were kept.
    pub keeper: Keeper<R>,
    /// The video that came.
    pub video: Option<Clip>,
    /// The reference image.
    pub reference: Option<Shot>,
    /// Within which pictures are decoded.
    pub limits: FrameLimits,
    /// The encoder for videos made of frames.
    pub ffmpeg: Ffmpeg,
}

impl<R> Material<R> {
    /// Makes what is needed. Blocks: pictures may be decoded and compressed, and a video made by a program.
    pub fn gather(&self, needs: Needs) -> Evidence {
        let picture = |shot: &Shot| Picture::of(shot, &self.limits).ok();
        let best = if needs.best { self.keeper.best().and_then(|kept| picture(&kept.shot)) } else { None };
        let count = usize::try_from(needs.frames).unwrap_or(usize::MAX);
        let frames = self.keeper.spread(count).into_iter().filter_map(|kept| picture(&kept.shot)).collect();
        let (video, no_video) = match &self.video {
            Some(clip) if needs.video => (Some(clip.clone()), None),
            None if needs.made_video => match self.make_video() {
                Ok(clip) => (Some(clip), None),
                Err(why) => (None, Some(why)),
            },
            Some(_) | None => (None, None),
        };
        let reference = if needs.reference { self.reference.as_ref().and_then(picture) } else { None };
        Evidence { best, frames, video, no_video, reference }
    }

    fn make_video(&self) -> Result<Clip, String> {
        let mut pictures = Vec::with_capacity(self.keeper.kept.len());
        for kept in &self.keeper.kept {
            let time = kept.captured.ok_or("the frames came without capture times")?;
            let picture = Picture::of(&kept.shot, &self.limits).map_err(|error| error.to_string())?;
            pictures.push((picture.data, time));
        }
        let stills: Vec<_> = pictures.iter().map(|(data, time)| Still { data, time: *time }).collect();
        let Made { data, duration, size } = make_clip(&stills, &self.ffmpeg).map_err(|error| error.to_string())?;
        Ok(Clip { data: data.into(), container: Container::Mp4, duration, size, made: true })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::frame::Frame;

    const LIST: Needs = Needs { best: true, frames: 8, video: false, made_video: false, reference: false };
    const BEST: Needs = Needs { frames: 0, ..LIST };

    fn offer(keeper: &mut Keeper<Arc<()>>, index: u64, best: bool, room: &Arc<()>) {
        let shot = Shot::File(Bytes::from(vec![u8::try_from(index % 256).unwrap()]));
        keeper.offer(Some(Duration::from_secs(index)), shot, best, Arc::clone(room)).unwrap();
    }

    #[test]
    fn nothing_is_kept_where_nothing_is_needed() {
        let (mut keeper, room) = (Keeper::new(Needs::default()), Arc::new(()));
        assert!(!keeper.keeps(true));
        offer(&mut keeper, 0, true, &room);
        assert_eq!((keeper.kept.len(), Arc::strong_count(&room)), (0, 1));
    }

    #[test]
    fn only_the_best_is_kept_where_one_picture_is_needed() {
        let (mut keeper, room) = (Keeper::new(BEST), Arc::new(()));
        for (index, best) in [(0, true), (1, false), (2, true), (3, false)] {
            offer(&mut keeper, index, best, &room);
        }
        assert_eq!(keeper.best().unwrap().captured, Some(Duration::from_secs(2)));
        assert_eq!(Arc::strong_count(&room), 2, "the memory of the others is free again");
    }

    #[test]
    fn a_list_stays_bounded_evenly_spread_and_has_the_best() {
        let (mut keeper, room) = (Keeper::new(LIST), Arc::new(()));
        for index in 0..1000 {
            offer(&mut keeper, index, index == 0 || index == 333, &room);
            assert!(keeper.kept.len() <= MAX_KEPT);
        }
        let spread: Vec<u64> = keeper.spread(8).iter().map(|kept| kept.captured.unwrap().as_secs()).collect();
        assert_eq!(spread.len(), 8);
        assert!(spread.contains(&333) && spread.is_sorted(), "{spread:?}");
        assert!(spread.windows(2).all(|pair| pair[1] - pair[0] < 400), "{spread:?}");
        assert!(keeper.spread(0).is_empty());
        assert_eq!(keeper.spread(5000).len(), keeper.kept.len());
    }

    #[test]
    fn a_decoded_frame_is_kept_compressed() {
        let mut keeper = Keeper::new(BEST);
        let frame = Frame::from_rgb(64, 64, vec![120; 64 * 64 * 3]).unwrap();
        keeper.offer(Some(Duration::from_secs(1)), Shot::Frame(frame), true, ()).unwrap();
        let material =
            Material { keeper, video: None, reference: None, limits: FrameLimits::default(), ffmpeg: Ffmpeg::off() };
        let evidence = material.gather(Needs { made_video: true, ..BEST });
        assert!(evidence.best.is_some() && evidence.frames.is_empty() && evidence.video.is_none());
        assert!(evidence.no_video.is_some(), "there is no encoder");
    }

    #[test]
    fn frames_without_times_make_no_video() {
        let mut keeper = Keeper::new(Needs { made_video: true, ..Needs::default() });
        keeper.offer(None, Shot::File(Bytes::from_static(b"x")), true, ()).unwrap();
        let ffmpeg = Ffmpeg::off();
        let material = Material { keeper, video: None, reference: None, limits: FrameLimits::default(), ffmpeg };
        let evidence = material.gather(Needs { made_video: true, ..Needs::default() });
        assert_eq!(evidence.no_video.as_deref(), Some("the frames came without capture times"));
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "what was skipped")]
    fn frames_with_times_make_a_video() {
        let ffmpeg = Ffmpeg::find();
        if ffmpeg.path().is_none() {
            assert!(std::env::var_os("CI").is_none(), "frames_with_times_make_a_video: ffmpeg is absent");
            eprintln!("SKIPPED frames_with_times_make_a_video: ffmpeg is absent");
            return;
        }
        let needs = Needs { made_video: true, ..Needs::default() };
        let mut keeper = Keeper::new(needs);
        for index in 0..10_u64 {
            let frame = Frame::from_rgb(64, 48, vec![100; 64 * 48 * 3]).unwrap();
            keeper.offer(Some(Duration::from_millis(index * 100)), Shot::Frame(frame), index == 0, ()).unwrap();
        }
        let material = Material { keeper, video: None, reference: None, limits: FrameLimits::default(), ffmpeg };
        let evidence = material.gather(needs);
        let clip = evidence.video.unwrap();
        assert_eq!((clip.container, clip.duration, clip.size), (Container::Mp4, Duration::from_secs(1), (64, 48)));
        assert!(clip.made && evidence.no_video.is_none());
        assert_eq!(Container::sniff(&clip.data), Some(Container::Mp4));
    }
}
