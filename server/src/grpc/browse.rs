//! `ListSessions` and `WatchSession`.

use std::{sync::Arc, time::Duration};

use lifesign_proto::v1;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep},
};
use tonic::Status;
use uuid::Uuid;

use super::{calls::Call, request, shared::Shared, unary_sessions::session};
use crate::{
    access::Caller,
    status::Fault,
    store::{Filter, ListError, PageRequest, State},
};

/// How often a watched session is looked at, for what other servers do to it.
const LOOK: Duration = Duration::from_secs(1);

/// How often the sessions whose streams are open here are looked at: this much later than another server is told, a stream ends that was
/// cancelled there.
const PATROL: Duration = Duration::from_secs(1);

pub(super) async fn list(
    shared: &Shared,
    caller: &Caller,
    request: v1::ListSessionsRequest,
) -> Result<v1::ListSessionsResponse, Fault> {
    let negative = |_| Fault::field("page_size", "PAGE_SIZE_NEGATIVE", "it must not be negative");
    let size = u32::try_from(request.page_size).map_err(negative)?;
    let filter = filter(&request)?;
    let page = PageRequest { size, token: &request.page_token };
    let page = shared.store().list_sessions(&caller.client, &filter, page, shared.clock.now()).await;
    let page = page.map_err(|error| match error {
        ListError::PageToken => {
            let what = "it is not one that this call gave, or the filters are others";
            Fault::field("page_token", "PAGE_TOKEN_INVALID", what)
        }
        ListError::Store(error) => Fault::Store(error),
    })?;
    let sessions = page.sessions.into_iter().map(session).collect();
    Ok(v1::ListSessionsResponse { sessions, next_page_token: page.next })
}

fn filter(request: &v1::ListSessionsRequest) -> Result<Filter, Fault> {
    let unknown = |field: &str| Fault::field(field, "VALUE_UNKNOWN", "it holds a value that this server does not know");
    let states = request.states.iter().map(|&number| {
        let state = v1::SessionState::try_from(number)
            .ok()
            .and_then(|state| State::ALL.into_iter().find(|known| known.wire() == state));
        state.ok_or_else(|| unknown("states"))
    });
    let decisions = request.decisions.iter().map(|&number| {
        let decision = v1::Decision::try_from(number).ok().filter(|decision| *decision != v1::Decision::Unspecified);
        decision.ok_or_else(|| unknown("decisions"))
    });
    let time = |field: &'static str, time: Option<prost_types::Timestamp>| {
        time.map(std::time::SystemTime::try_from)
            .transpose()
            .map_err(|_| Fault::field(field, "TIME_INVALID", "it is no time"))
    };
    request::client_reference(&request.client_reference)?;
    Ok(Filter {
        states: states.collect::<Result<_, _>>()?,
        decisions: decisions.collect::<Result<_, _>>()?,
        policy: request.policy.clone(),
        client_reference: request.client_reference.clone(),
        created_from: time("create_time_from", request.create_time_from)?,
        created_before: time("create_time_before", request.create_time_before)?,
    })
}

/// Sends a session as it stands, and again whenever it has changed, until it has ended, the client leaves or the server stops.
pub(super) async fn watch(
    shared: Arc<Shared>,
    call: Call,
    caller: Caller,
    session_id: String,
    replies: mpsc::Sender<Result<v1::WatchSessionResponse, Status>>,
) {
    if let Err(fault) = call.told(follow(&shared, &call, &caller, &session_id, &replies).await) {
        // A client that has left needs no last word.
        let _ = replies.send(Err(fault.status())).await;
    }
}

async fn follow(
    shared: &Shared,
    call: &Call,
    caller: &Caller,
    session_id: &str,
    replies: &mpsc::Sender<Result<v1::WatchSessionResponse, Status>>,
) -> Result<(), Fault> {
    let id = request::session_id(session_id)?;
    call.session(id);
    let mut seen: Option<(i64, State)> = None;
    loop {
        // Whoever waits before looking misses nothing between the two.
        let change = shared.live.change();
        let mut change = std::pin::pin!(change);
        change.as_mut().enable();
        let view = shared.store().session(&caller.client, id, shared.clock.now()).await?;
        let view = view.ok_or(Fault::SessionUnknown)?;
        let (now, ended) = ((view.version, view.state), view.state.has_ended());
        if seen != Some(now) {
            seen = Some(now);
            let told = replies.send(Ok(v1::WatchSessionResponse { session: Some(session(view)) }));
            tokio::select! {
                told = told => told.map_err(|_| Fault::ClientGone)?,
                () = shared.stop.cancelled() => return Err(Fault::ShuttingDown),
            }
        }
        if ended {
            return Ok(());
        }
        tokio::select! {
            () = change => {}
            () = sleep(LOOK) => {}
            () = replies.closed() => return Err(Fault::ClientGone),
            () = shared.stop.cancelled() => return Err(Fault::ShuttingDown),
        }
    }
}

/// Ends the streams of this server whose sessions another server has ended, for as long as it runs.
pub(super) async fn patrol(shared: &Shared) {
    let mut rounds = interval(PATROL);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        let open = shared.live.ids();
        if open.is_empty() {
            continue;
        }
        let found = match shared.store().versions(&open).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "whether sessions were cancelled elsewhere is not known");
                continue;
            }
        };
        // One that has just got its verdict is on its way to its client.
        let goes_on = |state: State| matches!(state, State::Active | State::Completed);
        let active = |id: &Uuid| found.iter().any(|(known, state, _)| known == id && goes_on(*state));
        open.iter().filter(|id| !active(id)).for_each(|id| shared.live.cancel(*id));
    }
}
