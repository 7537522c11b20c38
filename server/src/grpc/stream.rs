//! `StreamSession`: frames, or one video, up, hints and one verdict down. One task drives one stream from its first message to its last.
//!
//! The task reads only while it has room: at most [`MAX_IN_FLIGHT`] frames are with the pool, one more is being received.
//! What it writes goes through a channel of a few messages. So a client that sends faster than frames are judged, or
//! reads slower than hints are made, is slowed down by HTTP/2's flow control, and ended by the idle limit.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use lifesign_core::{
    analysis::Plan,
    session::{Context, Event, FrameTiming, Media as MediaKind, Session},
    verdict::Verdict,
};
use lifesign_proto::v1::{self, stream_session_request as up, stream_session_response as down};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::{
    active::ActiveSession,
    assembler::{AssembledFrame, Assembler, ChunkError, ChunkLimits, is_video},
    calls::Call,
    request,
    shared::{MAX_IN_FLIGHT, Shared},
    vendors::{Kept, Room},
    video::{Asked, VideoFile, VideoRun},
    wire::{Bounds, Inbox, Outbox, Wire},
};
use crate::{
    access::Caller,
    convert,
    engine::{Analysed, EngineError, Job, Picture, Ticket},
    status::{Fault, StreamTimeout},
};

/// Drives a stream to its end. `client_limit` is the call's own deadline, where it has one.
pub(super) async fn run(
    shared: Arc<Shared>,
    (call, caller): (Call, Option<Caller>),
    inbox: Inbox,
    outbox: Outbox,
    client_limit: Option<Duration>,
) {
    // The place for the last word is taken first, so that a full channel cannot swallow it.
    let Ok(last_word) = outbox.clone().try_reserve_owned() else { return };
    let lifetime = Duration::from_millis(shared.config.stream.lifetime_ms);
    let lifetime = client_limit.map_or(lifetime, |limit| limit.min(lifetime));
    let wire = Wire::new(&shared, inbox, outbox, lifetime);
    if let Err(fault) = call.told(drive(&shared, &call, caller.as_ref(), wire).await) {
        last_word.send(Err(fault.status()));
    }
}

async fn drive(shared: &Arc<Shared>, call: &Call, caller: Option<&Caller>, mut wire: Wire) -> Result<(), Fault> {
    let initial = Duration::from_millis(shared.config.stream.initial_timeout_ms);
    let start = match wire.bounds.within(initial, StreamTimeout::Initial, wire.inbox.read()).await?? {
        Some(up::Message::Start(start)) => start,
        Some(up::Message::Chunk(_) | up::Message::Finish(_)) | None => return Err(Fault::StartMissing),
    };
    let opening = ActiveSession::open(shared, call, caller, start, wire.bounds.ends);
    let active = wire.bounds.within(Duration::MAX, StreamTimeout::Lifetime, opening).await??;
    wire.bounds.cancelled = active.cancelled().clone();
    call.session(active.id());
    call.policy(&active.policy().reference().id);
    wire.bounds.send(down::Message::Accepted(active.accepted(wire.bounds.ends, wire.bounds.idle))).await?;

    let config = &shared.config;
    let context = shared.context(Arc::clone(active.policy()), MediaKind::Frames, active.reference());
    let judged = Judged {
        plan: Arc::new(context.plan()),
        session: Session::new(context.clone()),
        context,
        assembler: Assembler::new(ChunkLimits {
            chunk_bytes: u64::from(config.max_chunk_bytes),
            frame_bytes: shared.setup.limits.max_bytes,
            video_bytes: shared.setup.video.limits.max_bytes,
            frames: u64::from(config.max_session_frames),
        }),
        receiving: None,
        in_flight: VecDeque::with_capacity(MAX_IN_FLIGHT),
        started: Instant::now(),
        shared,
        kept: Kept::new(shared, active.policy()),
        call,
    };
    let evidence = judged.until_evidence_is_complete(&mut wire).await?;
    let verdict = with_vendors(shared, &wire.bounds, &active, evidence).await?;
    call.vendors(&convert::vendor_results(&verdict.vendor_results));
    let verdict = active.complete(&verdict).await?;
    call.decision(verdict.decision());
    wire.bounds.send(down::Message::Verdict(verdict)).await
}

/// What a stream's frames, or its video, came to.
struct Evidence {
    session: Session,
    kept: Kept,
    started: Instant,
}

/// The verdict, with what the vendors say where the policy asks them. A client that leaves meanwhile does not stop it: the
/// answer is paid for, and the backend reads it with `GetSession`.
async fn with_vendors(
    shared: &Shared,
    bounds: &Bounds,
    active: &ActiveSession,
    evidence: Evidence,
) -> Result<Verdict, Fault> {
    let Evidence { session, kept, started } = evidence;
    let (policy, local) = (active.policy(), session.finish(started.elapsed()));
    // At most two a vendor.
    let (tell, mut told) = mpsc::unbounded_channel();
    let (count, named) = (policy.config().vendors.ask.len(), active.names_vendors());
    let progress = move |place: usize, vendor: &str, phase| {
        let vendor = down::VendorProgress {
            vendor: if named { vendor.to_owned() } else { String::new() },
            place: u32::try_from(place).unwrap_or(u32::MAX),
            count: u32::try_from(count).unwrap_or(u32::MAX),
            phase: convert::vendor_phase(phase).into(),
        };
        // The receiver goes only after this.
        let _ = tell.send(down::Progress { vendor: Some(vendor), ..down::Progress::default() });
    };
    let judging = kept.judge(shared, policy, local, (active.client_reference(), bounds.ends), &progress);
    let work = async {
        let mut judging = std::pin::pin!(judging);
        let mut listens = true;
        let verdict = loop {
            tokio::select! {
                biased;
                Some(progress) = told.recv(), if listens => {
                    listens = bounds.send(down::Message::Progress(progress)).await.is_ok();
                }
                verdict = &mut judging => break verdict,
            }
        };
        // What was said last goes before the verdict.
        while listens && let Ok(progress) = told.try_recv() {
            listens = bounds.send(down::Message::Progress(progress)).await.is_ok();
        }
        verdict
    };
    bounds.unattended(work).await
}

/// A frame with the pool. The permit is its share of the media budget.
struct Pending {
    index: u64,
    arrived: Duration,
    captured: Option<Duration>,
    ticket: Ticket,
    room: Room,
}

/// The frames of a stream on their way to evidence.
struct Judged<'a> {
    context: Context,
    session: Session,
    plan: Arc<Plan>,
    assembler: Assembler,
    /// The share in the media budget of the frame that is being received.
    receiving: Option<OwnedSemaphorePermit>,
    in_flight: VecDeque<Pending>,
    kept: Kept,
    started: Instant,
    shared: &'a Arc<Shared>,
    call: &'a Call,
}

/// What happened next on a stream.
enum Step {
    Message(Option<up::Message>),
    Answer(Result<Analysed, EngineError>),
}

impl Judged<'_> {
    /// Takes frames until the policy needs no more or the client sends no more.
    async fn until_evidence_is_complete(mut self, wire: &mut Wire) -> Result<Evidence, Fault> {
        // `finished`: no more frames will come. `closed`: nothing at all will.
        let (mut finished, mut closed) = (false, false);
        while !finished || !self.in_flight.is_empty() {
            // After `finish` the client is still listened to: whatever it says is a fault.
            let listen = !closed && (finished || self.in_flight.len() < MAX_IN_FLIGHT);
            match self.step(wire, listen).await? {
                Step::Message(None) => {
                    closed = true;
                    self.finish(&mut finished)?;
                }
                Step::Message(Some(_)) if finished => return Err(Fault::AfterFinish),
                Step::Message(Some(up::Message::Start(_))) => return Err(Fault::StartRepeated),
                Step::Message(Some(up::Message::Finish(up::Finish {}))) => self.finish(&mut finished)?,
                Step::Message(Some(up::Message::Chunk(chunk))) => {
                    if let Some(video) = self.receive(wire, chunk).await? {
                        return self.judge_video(wire, video).await;
                    }
                }
                Step::Answer(answer) => {
                    if self.judge(wire, answer).await? {
                        return Ok(self.evidence());
                    }
                }
            }
        }
        // A message that came right behind `finish` is here by now.
        if !closed && let Some(Ok(Some(_))) = wire.inbox.read().now_or_never() {
            return Err(Fault::AfterFinish);
        }
        Ok(self.evidence())
    }

    fn evidence(self) -> Evidence {
        Evidence { session: self.session, kept: self.kept, started: self.started }
    }

    fn finish(&self, finished: &mut bool) -> Result<(), Fault> {
        *finished = true;
        Ok(self.assembler.finish()?)
    }

    /// Waits for the next message or the oldest frame's answer. Only a client that nobody waits for can be idle.
    async fn step(&mut self, wire: &mut Wire, listen: bool) -> Result<Step, Fault> {
        let idle = if self.in_flight.is_empty() { wire.bounds.idle } else { Duration::MAX };
        let answer = self.in_flight.front_mut();
        let next = async {
            tokio::select! {
                biased;
                message = wire.inbox.read(), if listen => message.map(Step::Message),
                Some(answer) = async { Some((&mut answer?.ticket).await) } => Ok(Step::Answer(answer)),
                // Neither is waited for: that cannot be, since a finished stream with no frame left is not stepped.
                else => Err(Fault::Internal),
            }
        };
        wire.bounds.within(idle, StreamTimeout::Idle, next).await?
    }

    /// Takes a chunk, and hands the frame to the pool if it was the last one of it. Gives the video back where that is what
    /// came.
    async fn receive(&mut self, wire: &mut Wire, chunk: v1::MediaChunk) -> Result<Option<VideoFile>, Fault> {
        if chunk.offset == 0 && chunk.media_type.starts_with("video/") {
            // Before megabytes of it come.
            request::video_type("chunk", &chunk.media_type)?;
        }
        let room = self.shared.room_for(chunk.data.len())?;
        match &mut self.receiving {
            Some(receiving) => receiving.merge(room),
            None => self.receiving = Some(room),
        }
        let Some(frame) = self.assembler.push(chunk)? else { return Ok(None) };
        let video = is_video(&frame.head);
        let AssembledFrame { index, data, head } = frame;
        self.call.received(data.len() as u64);
        if video {
            if head.raw.is_some() {
                let what = "it must be absent where `media_type` is a video's";
                return Err(Fault::field("chunk.raw", "MEDIA_TYPE_WITH_RAW", what));
            }
            let declared = request::video_type("chunk", &head.media_type)?;
            return Ok(Some(VideoFile { field: "chunk.data", data, declared }));
        }
        self.call.frame();
        let limits = self.shared.setup.limits;
        let media = request::media("chunk", data, &head.media_type, head.raw.as_ref(), &limits)?;
        let job =
            Job { picture: Picture::Media(media), limits, plan: Arc::clone(&self.plan), deadline: wire.bounds.ends };
        let arrived = self.started.elapsed();
        // Waiting here is what slows the client down: nothing is read meanwhile.
        let submitted = self.shared.engine.submit_wait(job);
        let ticket = wire.bounds.within(Duration::MAX, StreamTimeout::Lifetime, submitted).await??;
        let captured = request::capture_time(head.capture_time.as_ref());
        self.in_flight.push_back(Pending { index, arrived, captured, ticket, room: self.receiving.take() });
        Ok(None)
    }

    /// Takes the oldest frame's answer into account and tells the client; `true` where the evidence is complete.
    async fn judge(&mut self, wire: &mut Wire, answer: Result<Analysed, EngineError>) -> Result<bool, Fault> {
        let Some(Pending { index, arrived, captured, room, .. }) = self.in_flight.pop_front() else {
            return Err(Fault::Internal);
        };
        let timing = FrameTiming { arrived, captured, ..FrameTiming::default() };
        let events = match answer {
            Ok(done) => {
                let timing = FrameTiming { queue: done.queue, decode: done.decode, ..timing };
                let events = self.session.push(index, timing, done.analysis);
                self.kept.offer(&self.session, (index, captured), &events, done.picture, room).await;
                events
            }
            Err(EngineError::Runtime(error)) => self.session.fault(index, timing, &error),
            Err(EngineError::Frame(error)) => return Err(Fault::StreamMedia { index, error }),
            Err(error) => return Err(Fault::from_engine("chunk.data", error)),
        };
        tell(&wire.bounds, events).await
    }

    /// Judges a video, which is all that such a stream carries. The verdict does not wait for `finish`.
    async fn judge_video(self, wire: &mut Wire, video: VideoFile) -> Result<Evidence, Fault> {
        let Self { context, receiving, mut kept, started, shared, call, .. } = self;
        let context = Context { media: MediaKind::Video, ..context };
        let (policy, plan) = (Arc::clone(&context.policy), Arc::new(context.plan()));
        let mut session = Session::new(context);
        let Wire { inbox, bounds } = wire;
        let asked = Asked { shared, call, started, deadline: bounds.ends };
        let judging = async {
            let admitted = video.admit(shared).await?;
            kept.video(admitted.clip());
            let mut run = VideoRun::begin(asked, admitted, &policy, plan).await?;
            while let Some(events) = run.next(&mut session, &mut kept).await? {
                if tell(bounds, events).await? {
                    break;
                }
            }
            Ok(())
        };
        let listening = async {
            let mut judging = std::pin::pin!(judging);
            let (mut finished, mut closed) = (false, false);
            loop {
                tokio::select! {
                    biased;
                    judged = &mut judging => return judged,
                    message = inbox.read(), if !closed => match message? {
                        None => closed = true,
                        Some(_) if finished => return Err(Fault::AfterFinish),
                        Some(up::Message::Finish(up::Finish {})) => finished = true,
                        Some(up::Message::Start(_)) => return Err(Fault::StartRepeated),
                        Some(up::Message::Chunk(_)) => return Err(ChunkError::VideoNotAlone.into()),
                    },
                }
            }
        };
        bounds.within(Duration::MAX, StreamTimeout::Lifetime, listening).await??;
        // The file counts as media of a stream for as long as it was decoded from, or is kept for vendors.
        kept.hold(receiving);
        Ok(Evidence { session, kept, started })
    }
}

/// Tells the client what the session has to say; `true` where the evidence is complete.
async fn tell(bounds: &Bounds, events: Vec<Event>) -> Result<bool, Fault> {
    for event in events {
        match event {
            Event::Feedback { frame_index, hints, measures } => {
                let hints = hints.into_iter().map(|hint| convert::hint(hint).into()).collect();
                let measures = measures.iter().map(convert::check).collect();
                bounds.send(down::Message::Feedback(down::Feedback { frame_index, hints, measures })).await?;
            }
            Event::Progress { frame_index, judged, needed } => {
                let progress = down::Progress { frame_index, judged, needed, vendor: None };
                bounds.send(down::Message::Progress(progress)).await?;
            }
            Event::Complete => return Ok(true),
        }
    }
    Ok(false)
}
