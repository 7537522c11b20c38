//! A video on its way to a verdict: decoded on a thread of its own, its frames judged by the pool.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use lifesign_core::{
    analysis::Plan,
    policy::Policy,
    session::{Event, FrameTiming, Session},
    vendors::Clip,
    video::Container,
};

use super::{calls::CallRecord, shared::Shared, vendors::Kept};
use crate::{
    engine::{EngineError, Job, Picture, Ticket},
    status::Fault,
    video::decode::{AHEAD, Admitted, DecodeError, Decoding, Place},
};

/// A file that says it is a video, and where in the request it is.
pub(super) struct VideoFile {
    /// The path of its bytes.
    pub(super) field: &'static str,
    pub(super) data: bytes::Bytes,
    pub(super) declared: Option<Container>,
}

/// A video whose headers are within the limits.
pub(super) struct AdmittedVideo {
    field: &'static str,
    video: Admitted,
}

impl AdmittedVideo {
    /// The file as vendors get it.
    pub(super) fn clip(&self) -> Clip {
        let info = self.video.info();
        Clip {
            data: self.video.file(),
            container: info.container,
            duration: info.duration,
            size: (info.width, info.height),
            made: false,
        }
    }
}

impl VideoFile {
    /// Reads the headers: what is too long or too large is refused before anything else is done.
    pub(super) async fn admit(self, shared: &Shared) -> Result<AdmittedVideo, Fault> {
        let video = shared.decoders.admit(self.data, self.declared).await;
        Ok(AdmittedVideo { field: self.field, video: video.map_err(|error| Fault::from_decoder(self.field, error))? })
    }
}

/// Who asks, and until when.
pub(super) struct Asked<'a> {
    pub(super) shared: &'a Shared,
    pub(super) call: &'a CallRecord,
    /// When the call began: frames' times count from here.
    pub(super) started: Instant,
    pub(super) deadline: Instant,
}

/// A video that is being judged. Dropping it stops its decoder and drops its frames from the queue.
pub(super) struct VideoRun<'a> {
    asked: Asked<'a>,
    field: &'static str,
    plan: Arc<Plan>,
    decoding: Decoding,
    decoded: bool,
    in_flight: VecDeque<Pending>,
}

/// A frame with the pool.
struct Pending {
    index: u64,
    timing: FrameTiming,
    ticket: Ticket,
    _place: Place,
}

impl<'a> VideoRun<'a> {
    /// Waits for a decoder and begins.
    pub(super) async fn begin(
        asked: Asked<'a>,
        video: AdmittedVideo,
        policy: &Policy,
        plan: Arc<Plan>,
    ) -> Result<Self, Fault> {
        let AdmittedVideo { field, video } = video;
        let decoders = &asked.shared.decoders;
        let sampling = decoders.setup().sampling(video.info(), policy);
        let decoding = decoders.decode(video, sampling, asked.deadline).await;
        let decoding = decoding.map_err(|error| Fault::from_decoder(field, error))?;
        Ok(Self { asked, field, plan, decoding, decoded: false, in_flight: VecDeque::with_capacity(AHEAD) })
    }

    /// Gives the next frame's evidence to the session; `None` where there is no further frame. While one frame is with the
    /// pool the next one is being decoded. What vendors may have to see of it is kept.
    pub(super) async fn next(&mut self, session: &mut Session, kept: &mut Kept) -> Result<Option<Vec<Event>>, Fault> {
        while !self.decoded && self.in_flight.len() < AHEAD {
            match self.decoding.next().await.map_err(|error| Fault::from_decoder(self.field, error))? {
                None => self.decoded = true,
                Some((frame, place)) => {
                    self.asked.call.frame();
                    // The queue's share of its time is known when it comes back.
                    let timing = frame.timing(self.asked.started.elapsed(), std::time::Duration::ZERO);
                    let job = Job {
                        picture: Picture::Decoded(frame.frame),
                        limits: self.asked.shared.setup.limits,
                        plan: Arc::clone(&self.plan),
                        deadline: self.asked.deadline,
                    };
                    let ticket = self.asked.shared.engine.submit_wait(job).await?;
                    self.in_flight.push_back(Pending { index: frame.index, timing, ticket, _place: place });
                }
            }
        }
        let Some(Pending { index, timing, ticket, _place }) = self.in_flight.pop_front() else { return Ok(None) };
        match ticket.await {
            Ok(done) => {
                let events = session.push(index, FrameTiming { queue: done.queue, ..timing }, done.analysis);
                kept.offer(session, (index, timing.captured), &events, done.picture, None).await;
                Ok(Some(events))
            }
            Err(EngineError::Runtime(error)) => Ok(Some(session.fault(index, timing, &error))),
            Err(error) => Err(Fault::from_engine(self.field, error)),
        }
    }
}

impl Fault {
    /// What the decoders said about the video in `field`.
    fn from_decoder(field: &str, error: DecodeError) -> Self {
        match error {
            DecodeError::Video(error) => Fault::Video { field: field.to_owned(), error },
            DecodeError::Full { limit } => Fault::Quota { subject: "videos being decoded", limit: limit as u64 },
            DecodeError::Thread(error) => {
                tracing::error!(%error, "a video's decoder could not be started");
                Fault::Internal
            }
            DecodeError::Broken => Fault::Internal,
        }
    }
}
