//! `CheckMedia`: one image, or a list of frames, judged as a whole.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use lifesign_core::{
    frame::FrameLimits,
    policy::Policy,
    session::{Event, FrameTiming, Media as MediaKind},
};
use lifesign_proto::v1::{self, check_media_request};

use super::{
    calls::CallRecord,
    request,
    shared::{MAX_IN_FLIGHT, Shared},
};
use crate::{
    convert,
    engine::{EngineError, Job, Media, Ticket},
    sessions::{MemoError, content_hash},
    status::Fault,
};

/// The media of a request, checked.
struct Frames {
    kind: MediaKind,
    items: Vec<Item>,
}

struct Item {
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

/// Judges the request's media; a `request_id` that was answered before gets the same verdict again.
pub(super) async fn check_media(
    shared: &Shared,
    call: &CallRecord,
    mut request: v1::CheckMediaRequest,
    deadline: Instant,
) -> Result<v1::Verdict, Fault> {
    let policy = request::policy(&shared.setup.policies, &request.policy)?;
    call.policy(&policy.reference().id);
    request::client_reference(&request.client_reference)?;
    let id = request::request_id(&std::mem::take(&mut request.request_id))?;
    let work = async {
        let Some(id) = id else { return judge(shared, call, policy, request, deadline).await };
        // Hashing megabytes takes milliseconds, which the threads that serve sockets do not have.
        let content = request.clone();
        let hash = tokio::task::spawn_blocking(move || content_hash(&content)).await.map_err(|_| Fault::Internal)?;
        let answer =
            shared.checked.answer(id, hash, shared.clock.now(), || judge(shared, call, policy, request, deadline));
        answer.await.map_err(|error| match error {
            MemoError::Reused => Fault::RequestIdReused,
            MemoError::Call(fault) => fault,
        })
    };
    let verdict = tokio::time::timeout_at(deadline.into(), work).await.map_err(|_| Fault::Deadline)??;
    call.decision(verdict.decision());
    Ok(verdict)
}

async fn judge(
    shared: &Shared,
    call: &CallRecord,
    policy: Arc<Policy>,
    request: v1::CheckMediaRequest,
    deadline: Instant,
) -> Result<v1::Verdict, Fault> {
    let started = Instant::now();
    let frames = frames(request.media, shared.config.max_frames, &shared.setup.limits)?;
    let plan = Arc::new(policy.plan_for(frames.kind));
    let mut session = shared.session(policy, frames.kind);
    let mut items = (0u64..).zip(frames.items);
    let mut in_flight: VecDeque<Pending> = VecDeque::with_capacity(MAX_IN_FLIGHT);
    let mut first = true;
    loop {
        while in_flight.len() < MAX_IN_FLIGHT
            && let Some((index, Item { path, media, captured })) = items.next()
        {
            call.frame(media.data.len() as u64);
            let job = Job { media, limits: shared.setup.limits, plan: Arc::clone(&plan), deadline };
            // Work is refused at the door; a call that is inside may wait for its further frames' turn.
            let ticket = if std::mem::take(&mut first) {
                shared.engine.submit(job)?
            } else {
                shared.engine.submit_wait(job).await?
            };
            in_flight.push_back(Pending { index, path, captured, ticket });
        }
        let Some(Pending { index, path, captured, ticket }) = in_flight.pop_front() else { break };
        let timing = FrameTiming { captured, ..FrameTiming::default() };
        let events = match ticket.await {
            Ok(done) => {
                let timing = FrameTiming { queue: done.queue, decode: done.decode, ..timing };
                session.push(index, timing, done.analysis)
            }
            Err(EngineError::Runtime(error)) => session.fault(index, timing, &error),
            Err(error) => return Err(Fault::from_engine(format!("{path}.data"), error)),
        };
        if events.contains(&Event::Complete) {
            break;
        }
    }
    let verdict = session.finish(started.elapsed());
    Ok(convert::verdict(&verdict, "", &request.client_reference))
}

fn frames(media: Option<check_media_request::Media>, max_frames: u32, limits: &FrameLimits) -> Result<Frames, Fault> {
    let item = |path: String, image: v1::Image| -> Result<Item, Fault> {
        let media = request::media(&path, image.data, &image.media_type, image.raw.as_ref(), limits)?;
        Ok(Item { path, media, captured: request::capture_time(image.capture_time.as_ref()) })
    };
    match media {
        None => Err(Fault::field("media", "MEDIA_MISSING", "one of `image` and `frames` must be set")),
        Some(check_media_request::Media::Video(_)) => {
            Err(Fault::field("video", "MEDIA_MISSING", "videos are not judged yet"))
        }
        Some(check_media_request::Media::Image(image)) => {
            Ok(Frames { kind: MediaKind::Image, items: vec![item("image".to_owned(), image)?] })
        }
        Some(check_media_request::Media::Frames(list)) => {
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
            let items = items.map(|(index, image)| item(format!("frames.frames[{index}]"), image));
            Ok(Frames { kind: MediaKind::Frames, items: items.collect::<Result<_, _>>()? })
        }
    }
}
