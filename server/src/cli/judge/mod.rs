//! Bytes to verdict on one thread: the way that `check` and `bench` drive the core, which is the server's way without the
//! sockets.

mod file;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use lifesign_core::{
    Error as CoreError,
    analysis::{Analyzer, Plan},
    frame::{Frame, FrameLimits},
    matching::Reference,
    policy::{Policy, Strategy},
    session::{Context, Event, FrameTiming, Media, Session},
    vendors::{Clip, Keeper, Material, Panel, Question, Shot},
    verdict::{Detail, Verdict},
    video::Video,
};

use tokio::runtime::Runtime;

use super::CliError;
use crate::{setup::Setup, video::VideoSetup};

pub(super) use file::{Content, FileError, VIDEO_EXTENSIONS, has_extension, read, read_image};

/// An hour: far beyond the longest deadline that a policy may set.
const FOREVER: Duration = Duration::from_secs(3600);

/// One thread's models under one policy.
pub(super) struct Judge {
    analyzer: Analyzer,
    /// Of the next judgement, but for its kind of media.
    context: Context,
    limits: FrameLimits,
    video: VideoSetup,
    /// The reference image itself, for vendors that compare with it.
    picture: Option<Shot>,
    /// The vendors, and what drives the calls to them; absent where the policy asks none.
    vendors: Option<(Arc<Panel>, Runtime)>,
}

impl Judge {
    /// Loads the models, and gets ready to ask vendors where the policy does.
    pub(super) fn load(setup: &Setup, policy: &Arc<Policy>) -> Result<Self, CliError> {
        let local = Self::load_local(setup, policy).map_err(CliError::failed)?;
        if policy.config().vendors.strategy == Strategy::Local {
            return Ok(local);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::failed)?;
        Ok(Self { vendors: Some((Arc::clone(&setup.vendors), runtime)), ..local })
    }

    /// Loads the models; the verdicts are the local ones, whatever the policy says of vendors.
    pub(super) fn load_local(setup: &Setup, policy: &Arc<Policy>) -> Result<Self, CoreError> {
        let context = Context {
            policy: Arc::clone(policy),
            pack: setup.pack.reference(),
            runtime: setup.runtime.describe(),
            media: Media::Image,
            reference: None,
        };
        let analyzer = Analyzer::load(&setup.pack, &*setup.runtime)?;
        let (limits, video) = (setup.limits, setup.video.clone());
        Ok(Self { analyzer, context, limits, video, picture: None, vendors: None })
    }

    /// What is kept of a reference image. A model that breaks on it makes FaceMatch an ERROR, and that is no pass.
    pub(super) fn reference(&mut self, frame: &Frame) -> Reference {
        match self.analyzer.analyze(frame, &Reference::plan()) {
            Ok(analysis) => Reference::of(&analysis),
            Err(error) => {
                tracing::warn!(%error, "the reference image could not be analysed");
                Reference { embedding: Err(Detail::ModelFault), print: None }
            }
        }
    }

    /// From now on every face is compared with this one, of this picture.
    pub(super) fn compare_with(&mut self, reference: Arc<Reference>, picture: &Frame) {
        self.context.reference = Some(reference);
        self.picture = self.vendors.is_some().then(|| Shot::Frame(picture.clone()));
    }

    /// Judges a file's content.
    pub(super) fn content(&mut self, content: &Content) -> Result<Verdict, FileError> {
        match content {
            Content::Image(bytes) => self.image(bytes),
            Content::Video(bytes) => self.video(bytes),
        }
    }

    /// Judges one image.
    pub(super) fn image(&mut self, bytes: &[u8]) -> Result<Verdict, FileError> {
        self.list(Media::Image, [Ok(bytes)]).map_err(|(_, error)| error)
    }

    /// Judges frames of one presentation, in their order, until the policy's evidence is complete. A frame that is no
    /// acceptable image is an error, as it is for the server; it comes with the frame's number. A model that breaks leads to
    /// a verdict that says so, and that is no pass.
    pub(super) fn frames<B: AsRef<[u8]>>(
        &mut self,
        frames: impl IntoIterator<Item = Result<B, FileError>>,
    ) -> Result<Verdict, (usize, FileError)> {
        self.list(Media::Frames, frames)
    }

    /// Judges a video. One that is beyond a limit, damaged or cut off is an error, as it is for the server.
    pub(super) fn video(&mut self, bytes: &[u8]) -> Result<Verdict, FileError> {
        let began = Instant::now();
        let video = Video::probe(bytes, None, &self.video.limits)?;
        let sampling = self.video.sampling(video.info(), &self.context.policy);
        let clip = self.vendors.is_some().then(|| Clip {
            data: Bytes::copy_from_slice(bytes),
            container: video.info().container,
            duration: video.info().duration,
            size: (video.info().width, video.info().height),
            made: false,
        });
        let (mut session, plan, mut keeper) = self.session(Media::Video);
        for frame in video.frames(sampling, &self.video.ffmpeg)? {
            let frame = frame?;
            let timing = frame.timing(Duration::ZERO, Duration::ZERO);
            let events = self.step(&mut session, &plan, frame.index, timing, &frame.frame);
            offer(&mut keeper, &session, (frame.index, timing.captured), &events, || Shot::Frame(frame.frame));
            if session.is_complete() {
                break;
            }
        }
        Ok(self.with_vendors(session.finish(began.elapsed()), keeper, clip))
    }

    fn list<B: AsRef<[u8]>>(
        &mut self,
        media: Media,
        frames: impl IntoIterator<Item = Result<B, FileError>>,
    ) -> Result<Verdict, (usize, FileError)> {
        let began = Instant::now();
        let (mut session, plan, mut keeper) = self.session(media);
        for (index, bytes) in frames.into_iter().enumerate() {
            let bytes = bytes.map_err(|error| (index, error))?;
            let decoding = Instant::now();
            let frame = Frame::decode(bytes.as_ref(), None, &self.limits).map_err(|error| (index, error.into()))?;
            // As in a server's list of frames, all are there from the start: files say nothing of when they were taken.
            let timing = FrameTiming { decode: decoding.elapsed(), ..FrameTiming::default() };
            let index = u64::try_from(index).unwrap_or(u64::MAX);
            let events = self.step(&mut session, &plan, index, timing, &frame);
            let file = || Shot::File(Bytes::copy_from_slice(bytes.as_ref()));
            offer(&mut keeper, &session, (index, None), &events, file);
            if session.is_complete() {
                break;
            }
        }
        Ok(self.with_vendors(session.finish(began.elapsed()), keeper, None))
    }

    fn session(&self, media: Media) -> (Session, Plan, Keeper<()>) {
        let context = Context { media, ..self.context.clone() };
        let plan = context.plan();
        let needs = self.vendors.as_ref().map(|(panel, _)| panel.needs(&self.context.policy)).unwrap_or_default();
        (Session::new(context), plan, Keeper::new(needs))
    }

    /// The verdict, with what the vendors say where the policy asks them.
    fn with_vendors(&self, local: Verdict, keeper: Keeper<()>, video: Option<Clip>) -> Verdict {
        let Some((panel, runtime)) = &self.vendors else { return local };
        let (limits, ffmpeg, reference) = (self.limits, self.video.ffmpeg.clone(), self.picture.clone());
        let material = Material { keeper, video, reference, limits, ffmpeg };
        let question = Question {
            gather: Arc::new(move |needs| material.gather(needs)),
            client_reference: None,
            // Nobody waits for less than the policy allows.
            deadline: Instant::now() + FOREVER,
            told: &|_, _, _| {},
        };
        runtime.block_on(panel.judge(&self.context.policy, local, question))
    }

    fn step(
        &mut self,
        session: &mut Session,
        plan: &Plan,
        index: u64,
        timing: FrameTiming,
        frame: &Frame,
    ) -> Vec<Event> {
        match self.analyzer.analyze(frame, plan) {
            Ok(analysis) => session.push(index, timing, analysis),
            Err(error) => {
                tracing::warn!(frame = index, %error, "a frame could not be analysed");
                session.fault(index, timing, &error)
            }
        }
    }
}

/// Keeps a frame that the session has just judged by `events`, where vendors may have to see it.
fn offer(
    keeper: &mut Keeper<()>,
    session: &Session,
    (index, captured): (u64, Option<Duration>),
    events: &[Event],
    shot: impl FnOnce() -> Shot,
) {
    let Some(best) = keeper.wants(session, index, events) else { return };
    if keeper.offer(captured, shot(), best, ()).is_err() {
        tracing::warn!(frame = index, "a frame could not be kept for vendors");
    }
}
