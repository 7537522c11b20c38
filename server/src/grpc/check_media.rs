//! `CheckMedia`: one image, a list of frames, or a video, judged as a whole, with a reference image where one is given.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use lifesign_core::{
    analysis::Plan,
    frame::FrameLimits,
    policy::Policy,
    session::{Event, FrameTiming, Media as MediaKind, Session},
    verdict::Verdict,
};
use lifesign_proto::v1::{self, check_media_request};
use uuid::Uuid;

use super::{
    calls::{Call, CallRecord},
    record,
    reference::ReferenceImage,
    request,
    shared::{MAX_IN_FLIGHT, Shared, Turn},
    vendors::{self, Kept},
    video::{AdmittedVideo, Asked, VideoFile, VideoRun},
};
use crate::{
    access::Caller,
    engine::{EngineError, Job, Media, Picture, Ticket},
    status::Fault,
};

/// The media of a request, checked.
pub(super) enum Checked {
    Frames { kind: MediaKind, items: Vec<Item> },
    Video(AdmittedVideo),
}

pub(super) struct Item {
    /// The path of its `Image` in the request.
    path: String,
    media: Media,
    captured: Option<Duration>,
}

/// A frame with the pool.
struct Pending {
    index: u64,
    path: String,
    captured: Option<Duration>,
    ticket: Ticket,
}

/// A presentation that came whole, to be judged.
pub(super) struct Presentation {
    pub(super) policy: Arc<Policy>,
    pub(super) media: Option<check_media_request::Media>,
    pub(super) reference: Option<v1::Image>,
    /// The caller's own reference; empty where there is none.
    pub(super) client_reference: String,
}

impl Presentation {
    /// What a request brings, under its policy.
    pub(super) fn of(policy: Arc<Policy>, request: v1::CheckMediaRequest) -> Self {
        let v1::CheckMediaRequest { media, reference, client_reference, .. } = request;
        Self { policy, media, reference, client_reference }
    }
}

/// Judges the request's media; a `request_id` that was answered before gets the same verdict again.
pub(super) async fn check_media(
    shared: &Arc<Shared>,
    call: &Call,
    caller: Caller,
    mut request: v1::CheckMediaRequest,
    deadline: Instant,
) -> Result<v1::Verdict, Fault> {
    let policy = request::policy(&shared.setup.policies, &request.policy)?;
    call.policy(&policy.reference().id);
    request::client_reference(&request.client_reference)?;
    let id = request::request_id(&std::mem::take(&mut request.request_id))?;
    let asks = vendors::asks(&policy);
    let work = {
        let (shared, call) = (Arc::clone(shared), Arc::clone(call));
        async move {
            let answer = answer(&shared, &call, &caller, policy, id, request, deadline);
            tokio::time::timeout_at(deadline.into(), answer).await.map_err(|_| Fault::Deadline)?
        }
    };
    let verdict = if asks && id.is_some() {
        // A client that leaves while a vendor is being asked will ask again with the same `request_id`. What the vendor says is
        // paid for, so it is waited for and remembered, and nothing is uploaded twice.
        tokio::spawn(work).await.map_err(|_| Fault::Internal)??
    } else {
        work.await?
    };
    call.decision(verdict.decision());
    call.vendors(&verdict.vendor_results);
    Ok(verdict)
}

/// The remembered verdict of `id`, or a new one.
async fn answer(
    shared: &Shared,
    call: &CallRecord,
    caller: &Caller,
    policy: Arc<Policy>,
    id: Option<Uuid>,
    request: v1::CheckMediaRequest,
    deadline: Instant,
) -> Result<v1::Verdict, Fault> {
    let content = request.clone();
    let judge = || check(shared, call, caller, Presentation::of(policy, request), deadline);
    shared.remembered((caller, "CheckMedia", id), content, judge).await
}

/// Judges a presentation for a caller who waits, and keeps of it what its policy's retention says.
pub(super) async fn check(
    shared: &Shared,
    call: &CallRecord,
    caller: &Caller,
    presentation: Presentation,
    deadline: Instant,
) -> Result<v1::Verdict, Fault> {
    let (policy, client_reference) = (Arc::clone(&presentation.policy), presentation.client_reference.clone());
    shared.spend(caller, &policy.reference().id).await?;
    let verdict = judge(shared, call, presentation, Turn::Now, deadline).await?;
    record::check(shared, caller, &policy, client_reference, &verdict).await
}

/// Judges a presentation. `turn`: whether its first job waits for its turn.
pub(super) async fn judge(
    shared: &Shared,
    call: &CallRecord,
    presentation: Presentation,
    turn: Turn,
    deadline: Instant,
) -> Result<Verdict, Fault> {
    let Presentation { policy, media, reference, client_reference } = presentation;
    let asked = Asked { shared, call, started: Instant::now(), deadline };
    let started = asked.started;
    let image = ReferenceImage::read(shared, "reference", reference)?;
    if let Some(check_media_request::Media::Video(video)) = &media {
        call.received(video.data.len() as u64);
    }
    let media = checked(shared, media).await?;
    let mut kept = Kept::new(shared, &policy);
    if let Some(image) = &image {
        kept.reference(image.media());
    }
    let (reference, turn) = match image {
        Some(image) => (Some(image.look(shared, call, turn, deadline).await?), Turn::Wait),
        None => (None, turn),
    };
    let kind = match &media {
        Checked::Frames { kind, .. } => *kind,
        Checked::Video(_) => MediaKind::Video,
    };
    let context = shared.context(Arc::clone(&policy), kind, reference);
    let plan = Arc::new(context.plan());
    let mut session = Session::new(context);
    match media {
        Checked::Frames { items, .. } => {
            judge_frames(&asked, (&mut session, &mut kept), plan, items, turn).await?;
        }
        Checked::Video(video) => {
            kept.video(video.clip());
            let mut run = VideoRun::begin(asked, video, &policy, plan).await?;
            while let Some(events) = run.next(&mut session, &mut kept).await?
                && !events.contains(&Event::Complete)
            {}
        }
    }
    let local = session.finish(started.elapsed());
    let about = (client_reference.as_str(), deadline);
    Ok(kept.judge(shared, &policy, local, about, &|_, _, _| {}).await)
}

async fn judge_frames(
    asked: &Asked<'_>,
    (session, kept): (&mut Session, &mut Kept),
    plan: Arc<Plan>,
    items: Vec<Item>,
    mut turn: Turn,
) -> Result<(), Fault> {
    let limits = asked.shared.setup.limits;
    let mut items = (0u64..).zip(items);
    let mut in_flight: VecDeque<Pending> = VecDeque::with_capacity(MAX_IN_FLIGHT);
    loop {
        while in_flight.len() < MAX_IN_FLIGHT
            && let Some((index, Item { path, media, captured })) = items.next()
        {
            asked.call.received(media.data.len() as u64);
            asked.call.frame();
            let picture = Picture::Media(media);
            let job = Job { picture, limits, plan: Arc::clone(&plan), deadline: asked.deadline };
            // Work is refused at the door; a call that is inside may wait for its further frames' turn.
            let ticket = asked.shared.submit(job, std::mem::replace(&mut turn, Turn::Wait)).await?;
            in_flight.push_back(Pending { index, path, captured, ticket });
        }
        let Some(Pending { index, path, captured, ticket }) = in_flight.pop_front() else { return Ok(()) };
        let timing = FrameTiming { captured, ..FrameTiming::default() };
        let events = match ticket.await {
            Ok(done) => {
                let timing = FrameTiming { queue: done.queue, decode: done.decode, ..timing };
                let events = session.push(index, timing, done.analysis);
                kept.offer(session, (index, captured), &events, done.picture, None).await;
                events
            }
            Err(EngineError::Runtime(error)) => session.fault(index, timing, &error),
            Err(error) => return Err(Fault::from_engine(format!("{path}.data"), error)),
        };
        if events.contains(&Event::Complete) {
            return Ok(());
        }
    }
}

/// Checks media as far as they can be without decoding them.
pub(super) async fn checked(shared: &Shared, media: Option<check_media_request::Media>) -> Result<Checked, Fault> {
    match media {
        None => Err(Fault::field("media", "MEDIA_MISSING", "one of `image`, `frames` and `video` must be set")),
        Some(check_media_request::Media::Image(image)) => {
            let items = vec![item("image".to_owned(), image, &shared.setup.limits)?];
            Ok(Checked::Frames { kind: MediaKind::Image, items })
        }
        Some(check_media_request::Media::Frames(list)) => {
            let items = frames(list, shared.config.max_frames, &shared.setup.limits)?;
            Ok(Checked::Frames { kind: MediaKind::Frames, items })
        }
        Some(check_media_request::Media::Video(v1::Video { data, media_type })) => {
            let declared = request::video_type("video", &media_type)?;
            let video = VideoFile { field: "video.data", data, declared }.admit(shared).await?;
            Ok(Checked::Video(video))
        }
    }
}

fn frames(list: v1::FrameList, max_frames: u32, limits: &FrameLimits) -> Result<Vec<Item>, Fault> {
    let count = list.frames.len() as u64;
    if count == 0 {
        return Err(Fault::field("frames.frames", "MEDIA_MISSING", "there must be at least one frame"));
    }
    if count > u64::from(max_frames) {
        return Err(Fault::OverLimit {
            field: "frames.frames".to_owned(),
            reason: "TOO_MANY_FRAMES",
            unit: "frames",
            limit: u64::from(max_frames),
            actual: count,
        });
    }
    let items = list.frames.into_iter().enumerate();
    items.map(|(index, image)| item(format!("frames.frames[{index}]"), image, limits)).collect()
}

fn item(path: String, image: v1::Image, limits: &FrameLimits) -> Result<Item, Fault> {
    let media = request::media(&path, image.data, &image.media_type, image.raw.as_ref(), limits)?;
    Ok(Item { path, media, captured: request::capture_time(image.capture_time.as_ref()) })
}
