//! The session: frames' analyses in, hints and one verdict out. No I/O, no clock, no threads; the server, the command
//! line and the bindings all drive this same state machine.
//!
//! What it keeps is bounded: sums, the scores of the frames judged (a session of frames is complete before there are many, a
//! video's frames are as many as its caller samples), the first [`TIMELINE`] frames' records, the best frame's faces, one
//! small grey picture and two face vectors to compare with.

mod clock;
mod conclude;
mod continuity;
pub(crate) mod decide;
mod evidence;
mod faults;
mod hints;
mod matched;
pub(crate) mod reasons;
mod still;
mod whole;

use std::{sync::Arc, time::Duration};

use self::{
    clock::Moment,
    continuity::Continuity,
    evidence::{Evidence, Grade},
    faults::Faults,
    hints::Debounce,
    matched::Matched,
    still::Still,
    whole::Whole,
};
use crate::{
    analysis::{FrameAnalysis, Measurement, Plan},
    face::{Face, HeadPose},
    frame::FrameError,
    matching::Reference,
    policy::Policy,
    quality::Hint,
    runtime::RuntimeError,
    verdict::{
        Check, CheckId, CheckKind, FrameRecord, FrameState, FrameStats, PackRef, RuntimeRef, TIMELINE, Timings, Verdict,
    },
};

/// Frames judged beyond what the policy needs while StillImage waits for a movement: at the thirty frames a second of a
/// fast camera its patience of [`still::PATIENCE`] is over by then.
const EXTRA_FRAMES: u32 = 64;

/// What is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// One image: judged on one frame; checks over several frames do not run.
    Image,
    /// Frames of one presentation.
    Frames,
    /// Frames of a video, evenly spread over it, about five a second and at most some hundreds: all of them are looked at,
    /// so that what comes late in it counts as well.
    Video,
}

/// What stays the same for a session's whole life.
#[derive(Debug, Clone)]
pub struct Context {
    /// Decides.
    pub policy: Arc<Policy>,
    /// Named in the verdict.
    pub pack: PackRef,
    /// Named in the verdict.
    pub runtime: RuntimeRef,
    /// What is judged.
    pub media: Media,
    /// Whom the face is compared with, where a reference image was given.
    pub reference: Option<Arc<Reference>>,
}

impl Context {
    /// What to run on each frame of such a session.
    pub fn plan(&self) -> Plan {
        self.policy.plan_with(self.media, self.reference.is_some())
    }
}

/// When a frame came and what it cost before it was analysed. Times of one session count from one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FrameTiming {
    /// When it arrived whole.
    pub arrived: Duration,
    /// When it was captured, on the client's clock.
    pub captured: Option<Duration>,
    /// How long it waited for a worker.
    pub queue: Duration,
    /// How long decoding took.
    pub decode: Duration,
}

/// What a session has to say after a frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// What the person should do has changed.
    Feedback {
        /// The frame it is drawn from.
        frame_index: u64,
        /// Most important first, at most three; [`Hint::HoldStill`] alone where all is well.
        hints: Vec<Hint>,
        /// That frame's quality checks.
        measures: Vec<Check>,
    },
    /// A frame was judged.
    Progress {
        /// The frame.
        frame_index: u64,
        /// Judged so far. It can pass `needed` while a required StillImage waits for the face to move.
        judged: u32,
        /// Needed.
        needed: u32,
    },
    /// The policy's evidence is complete: call [`Session::finish`].
    Complete,
}

/// A session.
///
/// A frame is *judged* where it has a face, passed every required quality check (if the policy gates) and got a score from
/// every required attack check that looks at single frames. Once as many are judged as the policy needs, the session is
/// complete, unless StillImage is required and the face has not moved yet: then it waits for up to two seconds more. It is
/// also complete as soon as ACCEPT can no longer be reached: a required check broke, the face changed, or a frame is the
/// reference image itself.
///
/// A [`Media::Video`] is complete in that last case only; its verdict comes with [`Session::finish`]. At least half of its
/// frames must be judged, a required quality check fails where more than half of them fail it, and SingleFacePresent where a
/// fifth of them shows several faces.
///
/// With a reference FaceMatch is made on the straightest judged face, the one with the least sum of yaw and pitch, and ACCEPT
/// needs it.
#[derive(Debug)]
pub struct Session {
    context: Context,
    stats: FrameStats,
    timings: Timings,
    first_arrival: Option<Duration>,
    last_index: Option<u64>,
    evidence: Evidence,
    debounce: Debounce,
    continuity: Continuity,
    still: Still,
    matched: Matched,
    whole: Whole,
    timeline: Vec<FrameRecord>,
    faces_seen: bool,
    best_judged: Option<Best>,
    best_other: Option<Best>,
    /// Frames on which the detector broke.
    faults: u32,
    /// What the models said that broke, the detector among them.
    told: Faults,
    complete: bool,
}

/// The best frame of its kind so far.
#[derive(Debug)]
struct Best {
    index: u64,
    /// Required quality checks passed, then mean quality or detector score: greater is better.
    rank: (u32, f64),
    faces: Vec<Face>,
    pose: Option<HeadPose>,
    measurements: Vec<Measurement>,
}

impl Session {
    /// Begins.
    pub fn new(context: Context) -> Self {
        Self {
            context,
            stats: FrameStats::default(),
            timings: Timings::default(),
            first_arrival: None,
            last_index: None,
            evidence: Evidence::default(),
            debounce: Debounce::default(),
            continuity: Continuity::default(),
            still: Still::default(),
            matched: Matched::default(),
            whole: Whole::default(),
            timeline: Vec::new(),
            faces_seen: false,
            best_judged: None,
            best_other: None,
            faults: 0,
            told: Faults::default(),
            complete: false,
        }
    }

    /// Takes a frame's analysis. Frames come in the order of `index`; one that comes late or twice, and any but the first
    /// of [`Media::Image`], is let go as by [`Session::dropped`]. After [`Event::Complete`] nothing changes any more.
    pub fn push(&mut self, index: u64, timing: FrameTiming, mut analysis: FrameAnalysis) -> Vec<Event> {
        if !self.admit(index, timing) {
            return Vec::new();
        }
        count(&mut self.stats.analysed);
        self.timings.analysis = self.timings.analysis.saturating_add(analysis.duration);
        for error in &analysis.faults {
            self.told.push(error);
        }
        for measurement in &mut analysis.measurements {
            measurement.outcome = evidence::settle(&measurement.outcome);
        }

        let policy = Arc::clone(&self.context.policy);
        let grade = evidence::grade(&policy, &analysis);
        let at = Moment::new(timing);
        self.faces_seen |= !analysis.faces.is_empty();
        self.continuity.push(at, &analysis.faces, analysis.embedding.as_deref(), grade.judged);
        if grade.judged {
            count(&mut self.stats.judged);
            self.still.push(at, analysis.motion.as_ref());
        }
        let likeness = match &self.context.reference {
            Some(reference) if grade.judged => self.matched.push(reference, index, &analysis),
            Some(_) | None => None,
        };
        if self.context.media == Media::Video {
            self.whole.push(&policy, &analysis);
        }
        self.evidence.push(&analysis, grade);

        let mut events = Vec::new();
        let hints = hints::of_frame(&policy, &analysis);
        if self.timeline.len() < TIMELINE {
            let state = match grade.blocked_by {
                _ if analysis.faces.is_empty() => FrameState::NoFace,
                Some(id) => FrameState::Blocked(id),
                None => FrameState::Judged,
            };
            let scores = frame_scores(&analysis, likeness);
            self.record(FrameRecord { index, captured: timing.captured, state, scores, hints: hints.clone() });
        }
        if let Some(hints) = self.debounce.push(hints, timing.arrived) {
            let measures = conclude::quality_of_frame(&policy, self.context.media, &analysis);
            events.push(Event::Feedback { frame_index: index, hints, measures });
        }
        self.keep_best(index, grade, analysis);
        if grade.judged {
            let needed = policy.needed(self.context.media);
            events.push(Event::Progress { frame_index: index, judged: self.stats.judged, needed });
        }
        self.settle_completion(&mut events);
        events
    }

    /// Takes note of a frame that was refused; it never counts as evidence. MediaLimits fails where most frames are.
    pub fn refuse(&mut self, index: u64, timing: FrameTiming, _error: &FrameError) -> Vec<Event> {
        if self.admit(index, timing) {
            count(&mut self.stats.refused);
            self.record(FrameRecord::without_scores(index, timing.captured, FrameState::Refused));
        }
        Vec::new()
    }

    /// Takes note of a frame on which the detector broke; the checks it would have served become ERROR.
    pub fn fault(&mut self, index: u64, timing: FrameTiming, error: &RuntimeError) -> Vec<Event> {
        let mut events = Vec::new();
        if self.admit(index, timing) {
            count(&mut self.faults);
            self.told.push(error);
            self.record(FrameRecord::without_scores(index, timing.captured, FrameState::Fault));
            self.settle_completion(&mut events);
        }
        events
    }

    /// Takes note of a frame that was received and let go.
    pub fn dropped(&mut self) {
        if !self.complete {
            count(&mut self.stats.received);
            count(&mut self.stats.dropped);
        }
    }

    /// Whether the policy's evidence is complete; further frames change nothing.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The best frame so far, as the verdict will name it.
    pub fn best_frame_index(&self) -> Option<u64> {
        self.best().map(|best| best.index)
    }

    /// The verdict on what has come so far. `now` counts from the same moment as [`FrameTiming::arrived`].
    ///
    /// With fewer frames judged than the policy needs there is no judgement either way, however the few look: RETRY where
    /// bad frames were to blame, INDETERMINATE where the good ones were simply too few. Of a video the policy's number and
    /// half of the frames are needed.
    pub fn finish(&self, now: Duration) -> Verdict {
        conclude::verdict(self, now)
    }

    fn best(&self) -> Option<&Best> {
        self.best_judged.as_ref().or(self.best_other.as_ref())
    }

    /// Counts a frame in; false where it is not to be looked at.
    fn admit(&mut self, index: u64, timing: FrameTiming) -> bool {
        if self.complete {
            return false;
        }
        let late = self.last_index.is_some_and(|last| index <= last);
        let surplus = self.context.media == Media::Image && self.last_index.is_some();
        if late || surplus {
            self.dropped();
            return false;
        }
        self.last_index = Some(index);
        self.first_arrival.get_or_insert(timing.arrived);
        count(&mut self.stats.received);
        self.timings.queue = self.timings.queue.saturating_add(timing.queue);
        self.timings.decode = self.timings.decode.saturating_add(timing.decode);
        true
    }

    /// Whether ACCEPT needs a check here: with a reference, FaceMatch as well.
    fn requires(&self, id: CheckId) -> bool {
        self.context.policy.requires(id, self.context.media) || self.compares(id)
    }

    /// Whether a check's answer is wanted here.
    fn asks(&self, id: CheckId) -> bool {
        self.context.policy.asks(id) || self.compares(id)
    }

    fn compares(&self, id: CheckId) -> bool {
        id == CheckId::FaceMatch && self.context.reference.is_some()
    }

    /// Frames that must be judged, as far as the frames are known.
    fn needed(&self) -> u32 {
        let needed = self.context.policy.needed(self.context.media);
        if self.context.media == Media::Video { needed.max(self.whole.needed()) } else { needed }
    }

    fn record(&mut self, record: FrameRecord) {
        if self.timeline.len() < TIMELINE {
            self.timeline.push(record);
        }
    }

    fn keep_best(&mut self, index: u64, grade: Grade, analysis: FrameAnalysis) {
        let (slot, second) = if grade.judged {
            (&mut self.best_judged, mean_quality(&analysis))
        } else {
            let score = analysis.faces.first().map_or(0.0, |face| f64::from(face.score));
            (&mut self.best_other, score)
        };
        let rank = (grade.passed, if second.is_finite() { second } else { 0.0 });
        // A tie goes to the earlier frame, so that the same frames always give the same verdict.
        if slot.as_ref().is_none_or(|best| rank > best.rank) {
            let FrameAnalysis { faces, pose, measurements, .. } = analysis;
            *slot = Some(Best { index, rank, faces, pose, measurements });
        }
    }

    fn settle_completion(&mut self, events: &mut Vec<Event>) {
        let policy = &self.context.policy;
        let needed = policy.needed(self.context.media);
        let broke = CheckId::ALL
            .iter()
            .any(|&id| self.requires(id) && self.evidence.tally(id).is_some_and(|tally| tally.broken.is_some()));
        let changed = self.requires(CheckId::FrameContinuity) && self.continuity.is_broken();
        let hopeless = broke || self.faults > 0 || changed;
        let moved = !self.requires(CheckId::StillImage)
            || self.still.is_settled(policy.threshold(CheckId::StillImage))
            || self.stats.judged >= needed.saturating_add(EXTRA_FRAMES);
        let enough = self.context.media != Media::Video && self.stats.judged >= needed && moved;
        if hopeless || enough {
            self.complete = true;
            events.push(Event::Complete);
        }
    }
}

/// A frame's scores in the order of [`CheckId::ALL`], its likeness to the reference among them.
fn frame_scores(analysis: &FrameAnalysis, likeness: Option<f32>) -> Vec<(CheckId, f32)> {
    let score = |id| match id {
        CheckId::FaceMatch => likeness,
        _ => analysis.measurement(id).and_then(Measurement::score),
    };
    CheckId::ALL.iter().filter_map(|&id| Some((id, score(id)?))).collect()
}

fn mean_quality(analysis: &FrameAnalysis) -> f64 {
    let scores = analysis.measurements.iter().filter(|measurement| measurement.id.kind() == CheckKind::Quality);
    let (sum, count) = scores
        .filter_map(Measurement::score)
        .fold((0.0, 0_u32), |(sum, count), score| (sum + f64::from(score), count + 1));
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}

fn count(counter: &mut u32) {
    *counter = counter.saturating_add(1);
}
