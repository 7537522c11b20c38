//! Bytes to verdict on one thread: the way that `check` and `bench` drive the core, which is the server's way without the
//! sockets.

mod file;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lifesign_core::{
    Error as CoreError,
    analysis::{Analyzer, Plan},
    frame::{Frame, FrameLimits},
    matching::Reference,
    policy::Policy,
    session::{Context, FrameTiming, Media, Session},
    verdict::{Detail, Verdict},
    video::Video,
};

use crate::{setup::Setup, video::VideoSetup};

pub(super) use file::{Content, FileError, VIDEO_EXTENSIONS, has_extension, read, read_image};

/// One thread's models under one policy.
pub(super) struct Judge {
    analyzer: Analyzer,
    /// Of the next judgement, but for its kind of media.
    context: Context,
    limits: FrameLimits,
    video: VideoSetup,
}

impl Judge {
    /// Loads the models.
    pub(super) fn load(setup: &Setup, policy: &Arc<Policy>) -> Result<Self, CoreError> {
        let context = Context {
            policy: Arc::clone(policy),
            pack: setup.pack.reference(),
            runtime: setup.runtime.describe(),
            media: Media::Image,
            reference: None,
        };
        let analyzer = Analyzer::load(&setup.pack, &*setup.runtime)?;
        Ok(Self { analyzer, context, limits: setup.limits, video: setup.video.clone() })
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

    /// From now on every face is compared with this one.
    pub(super) fn compare_with(&mut self, reference: Arc<Reference>) {
        self.context.reference = Some(reference);
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
        let (mut session, plan) = self.session(Media::Video);
        for frame in video.frames(sampling, &self.video.ffmpeg)? {
            let frame = frame?;
            self.step(&mut session, &plan, frame.index, frame.timing(Duration::ZERO, Duration::ZERO), &frame.frame);
            if session.is_complete() {
                break;
            }
        }
        Ok(session.finish(began.elapsed()))
    }

    fn list<B: AsRef<[u8]>>(
        &mut self,
        media: Media,
        frames: impl IntoIterator<Item = Result<B, FileError>>,
    ) -> Result<Verdict, (usize, FileError)> {
        let began = Instant::now();
        let (mut session, plan) = self.session(media);
        for (index, bytes) in frames.into_iter().enumerate() {
            let bytes = bytes.map_err(|error| (index, error))?;
            let decoding = Instant::now();
            let frame = Frame::decode(bytes.as_ref(), None, &self.limits).map_err(|error| (index, error.into()))?;
            // As in a server's list of frames, all are there from the start: files say nothing of when they were taken.
            let timing = FrameTiming { decode: decoding.elapsed(), ..FrameTiming::default() };
            self.step(&mut session, &plan, u64::try_from(index).unwrap_or(u64::MAX), timing, &frame);
            if session.is_complete() {
                break;
            }
        }
        Ok(session.finish(began.elapsed()))
    }

    fn session(&self, media: Media) -> (Session, Plan) {
        let context = Context { media, ..self.context.clone() };
        let plan = context.plan();
        (Session::new(context), plan)
    }

    fn step(&mut self, session: &mut Session, plan: &Plan, index: u64, timing: FrameTiming, frame: &Frame) {
        match self.analyzer.analyze(frame, plan) {
            Ok(analysis) => session.push(index, timing, analysis),
            Err(error) => {
                tracing::warn!(frame = index, %error, "a frame could not be analysed");
                session.fault(index, timing, &error)
            }
        };
    }
}
