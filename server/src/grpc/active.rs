//! A session while its stream is open.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lifesign_core::{
    matching::Reference,
    policy::{Policy, Visibility},
    verdict::{CheckId, CheckKind, Verdict},
};
use lifesign_proto::v1::{self, stream_session_request as up, stream_session_response as down};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    calls::CallRecord,
    record,
    reference::ReferenceImage,
    request,
    shared::{Shared, Turn},
};
use crate::{
    access::{Caller, Denied},
    convert,
    sessions::Place,
    status::Fault,
    store::{Kind, NewSession, Opened},
};

/// Holds a session open. Dropping it before the verdict expires the session: its stream broke, or its time ran out.
pub(super) struct ActiveSession {
    shared: Arc<Shared>,
    opened: Opened,
    place: Place,
    policy: Arc<Policy>,
    /// Whether it has its verdict.
    completed: bool,
    /// Whether a device holds the other end, by a token. It is not told what is for the backend only.
    by_token: bool,
}

impl ActiveSession {
    /// Opens what `start` asks for, until `ends` at most. A token opens its own session, whoever brings it; anything else takes a
    /// caller.
    pub(super) async fn open(
        shared: &Arc<Shared>,
        call: &CallRecord,
        caller: Option<&Caller>,
        start: up::Start,
        ends: Instant,
    ) -> Result<Self, Fault> {
        let policies = &shared.setup.policies;
        let (opened, by_token) = match start.session {
            None => {
                let what = "`session_token` or `config` must be set";
                return Err(Fault::field("start.session", "SESSION_MISSING", what));
            }
            Some(up::start::Session::SessionToken(token)) => {
                (shared.store().open_session(&token, shared.clock.at(ends), shared.clock.now()).await?, true)
            }
            Some(up::start::Session::Config(_)) if !shared.inline_allowed => return Err(Fault::InlineNotAllowed),
            Some(up::start::Session::Config(config)) => {
                let caller = caller.ok_or(Fault::Denied(Denied::Refused))?;
                let (about, image) = new_session(shared, caller, config, "start.config.reference")?;
                shared.spend(caller, &about.policy).await?;
                // The picture counts as media of a stream until it has been looked at.
                let _room = image.as_ref().map(|image| shared.room_for(image.bytes())).transpose()?;
                let about = with_reference(shared, call, about, image, Turn::Wait, ends).await?;
                let limit = shared.config.sessions.max_sessions;
                let now = shared.clock.now();
                (shared.store().open_inline(about, shared.clock.at(ends), limit, now).await?, false)
            }
        };
        let place = shared.live.enter(opened.id);
        shared.live.changed();
        // The name was resolved when the session was made, and policies do not change while a server runs.
        let policy = match request::policy(policies, &opened.about.policy) {
            Ok(policy) => policy,
            Err(fault) => {
                // Another server made the session under a policy that this one does not have.
                expire(shared, opened.id, Duration::ZERO).await;
                return Err(fault);
            }
        };
        Ok(Self { shared: Arc::clone(shared), opened, place, policy, completed: false, by_token })
    }

    pub(super) fn id(&self) -> Uuid {
        self.opened.id
    }

    pub(super) fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Whom the face is compared with.
    pub(super) fn reference(&self) -> Option<Arc<Reference>> {
        self.opened.about.reference.clone()
    }

    /// The caller's own reference; empty where there is none.
    pub(super) fn client_reference(&self) -> &str {
        &self.opened.about.client_reference
    }

    /// Whether whoever reads the stream may learn which vendors are asked.
    pub(super) fn names_vendors(&self) -> bool {
        !self.by_token
    }

    /// Fires when the backend cancels the session.
    pub(super) fn cancelled(&self) -> &CancellationToken {
        &self.place.cancelled
    }

    /// The first message to the client.
    pub(super) fn accepted(&self, ends: Instant, idle: Duration) -> down::Accepted {
        down::Accepted {
            session_id: self.opened.id.to_string(),
            limits: Some(self.shared.media_limits()),
            server_time: Some(self.shared.clock.now().into()),
            next_frame_index: 0,
            expire_time: Some(self.shared.clock.at(ends).into()),
            idle_timeout: Some(convert::duration(idle)),
        }
    }

    /// Ends the session with its verdict; gives what the client may see of it.
    pub(super) async fn complete(mut self, verdict: &Verdict) -> Result<v1::Verdict, Fault> {
        let id = self.opened.id;
        let mut wire = convert::verdict(verdict, &id.to_string(), &self.opened.about.client_reference);
        if !record::complete(&self.shared, id, &self.policy.reference().id, &wire).await? {
            return Err(Fault::SessionCancelled);
        }
        self.completed = true;
        if self.by_token {
            for_device(&mut wire, self.policy.config().reasons);
        }
        Ok(wire)
    }
}

/// Takes out of a verdict what a device may not learn: whoever holds the device could otherwise read the scores of the
/// attack checks, and mend the attack until it passes. The backend reads the whole verdict with `GetSession`.
fn for_device(verdict: &mut v1::Verdict, visibility: Visibility) {
    verdict.diagnostics.clear();
    // Whom the backend asks, what that costs and where the vendor shows pictures of the person is between the two of them.
    verdict.vendor_results.clear();
    verdict.checks.retain(|check| check.source == convert::LOCAL);
    let open_kinds: &[CheckKind] = match visibility {
        Visibility::Full => return,
        Visibility::Quality => &[CheckKind::Quality, CheckKind::Media],
        Visibility::None => &[],
    };
    let shown = |id: &str| CheckId::ALL.iter().any(|check| check.name() == id && open_kinds.contains(&check.kind()));
    verdict.checks.retain(|check| shown(&check.id));
    // Frame by frame it would tell even more than the checks; and which frame was compared tells which to forge.
    verdict.timeline.clear();
    verdict.matched_frame_index = None;
}

impl Drop for ActiveSession {
    fn drop(&mut self) {
        if self.completed {
            return;
        }
        let (shared, id) = (Arc::clone(&self.shared), self.opened.id);
        let remember = shared.backing.retention.verdict(&self.policy.reference().id);
        let expiring = async move { expire(&shared, id, remember).await };
        // Where the runtime is gone, the sweeper does it when the session's time is over.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            self.shared.open.spawn_on(expiring, &runtime);
        }
    }
}

/// Ends a session without a verdict. One that has ended stays as it is.
async fn expire(shared: &Shared, id: Uuid, remember: Duration) {
    let now = shared.clock.now();
    if let Err(error) = shared.store().expire_session(id, now + remember, now).await {
        tracing::warn!(session = %id, %error, "a session without a verdict is left to the sweeper");
    }
    shared.live.changed();
}

/// What a session is for, checked, with the policy's name resolved; and the reference image, which is at `path`, not yet
/// looked at.
pub(super) fn new_session(
    shared: &Shared,
    caller: &Caller,
    config: v1::SessionConfig,
    path: &'static str,
) -> Result<(NewSession, Option<ReferenceImage>), Fault> {
    let policy = request::policy(&shared.setup.policies, &config.policy)?;
    request::client_reference(&config.client_reference)?;
    let image = ReferenceImage::read(shared, path, config.reference)?;
    let (policy, client_reference) = (policy.reference().id.clone(), config.client_reference);
    let (owner, external_id) = (caller.client.clone(), String::new());
    let about = NewSession { owner, kind: Kind::Stream, policy, client_reference, external_id, reference: None };
    Ok((about, image))
}

/// The session with what is kept of its reference image.
pub(super) async fn with_reference(
    shared: &Shared,
    call: &CallRecord,
    about: NewSession,
    image: Option<ReferenceImage>,
    turn: Turn,
    deadline: Instant,
) -> Result<NewSession, Fault> {
    let reference = match image {
        Some(image) => Some(image.look(shared, call, turn, deadline).await?),
        None => None,
    };
    Ok(NewSession { reference, ..about })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(visibility: Visibility) -> (Vec<String>, usize, usize) {
        let checks = CheckId::ALL.iter().map(|id| v1::Check {
            id: id.name().into(),
            source: convert::LOCAL.into(),
            ..Default::default()
        });
        let of_vendor = v1::Check { id: "PresentationAttack".into(), source: "facia".into(), ..Default::default() };
        let mut verdict = v1::Verdict {
            checks: checks.chain([of_vendor]).collect(),
            diagnostics: vec!["judged 5 of 5".into()],
            vendor_results: vec![v1::VendorResult::default()],
            timeline: vec![v1::FrameRecord::default()],
            matched_frame_index: Some(3),
            ..Default::default()
        };
        for_device(&mut verdict, visibility);
        let told = (verdict.timeline.len(), verdict.matched_frame_index);
        assert_eq!(told, if visibility == Visibility::Full { (1, Some(3)) } else { (0, None) });
        let ids = verdict.checks.into_iter().map(|check| check.id).collect();
        (ids, verdict.diagnostics.len(), verdict.vendor_results.len())
    }

    #[test]
    fn a_device_learns_what_the_policy_lets_it() {
        let (ids, diagnostics, vendors) = told(Visibility::Quality);
        assert!(ids.contains(&"Sharpness".to_owned()) && ids.contains(&"MediaLimits".to_owned()));
        for secret in ["PresentationAttack", "Deepfake", "StillImage", "FrameContinuity", "FaceMatch"] {
            assert!(!ids.contains(&secret.to_owned()), "{secret}");
        }
        assert_eq!((diagnostics, vendors), (0, 0));
        assert_eq!(told(Visibility::None), (Vec::new(), 0, 0));
        let (ids, diagnostics, _) = told(Visibility::Full);
        assert_eq!((ids.len(), diagnostics), (CheckId::ALL.len(), 0));
    }
}
