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
    reference::ReferenceImage,
    request,
    shared::{Shared, Turn},
};
use crate::{
    convert,
    sessions::{NewSession, Opened},
    status::Fault,
};

/// Holds a session open. Dropping it before the verdict expires the session: its stream broke, or its time ran out.
pub(super) struct ActiveSession {
    shared: Arc<Shared>,
    opened: Opened,
    policy: Arc<Policy>,
    /// Whether a device holds the other end, by a token. It is not told what is for the backend only.
    by_token: bool,
}

impl ActiveSession {
    /// Opens what `start` asks for, until `ends` at most.
    pub(super) async fn open(
        shared: &Arc<Shared>,
        call: &CallRecord,
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
                (shared.store.open(&token, shared.clock.now(), shared.clock.at(ends))?, true)
            }
            Some(up::start::Session::Config(_)) if !shared.inline_allowed => return Err(Fault::InlineNotAllowed),
            Some(up::start::Session::Config(config)) => {
                let (about, image) = new_session(shared, config, "start.config.reference")?;
                // The picture counts as media of a stream until it has been looked at.
                let _room = image.as_ref().map(|image| shared.room_for(image.bytes())).transpose()?;
                let about = with_reference(shared, call, about, image, Turn::Wait, ends).await?;
                (shared.store.open_inline(about, shared.clock.now(), shared.clock.at(ends))?, false)
            }
        };
        // The name was resolved when the session was made, and policies do not change while the server runs.
        let policy = request::policy(policies, &opened.about.policy)?;
        Ok(Self { shared: Arc::clone(shared), opened, policy, by_token })
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
        &self.opened.cancelled
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
    pub(super) fn complete(self, verdict: &Verdict) -> Result<v1::Verdict, Fault> {
        let id = self.opened.id;
        let mut wire = convert::verdict(verdict, &id.to_string(), &self.opened.about.client_reference);
        if !self.shared.store.complete(id, wire.clone(), self.shared.clock.now()) {
            return Err(Fault::SessionCancelled);
        }
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
        // A session that has ended stays as it is.
        self.shared.store.expire(self.opened.id, self.shared.clock.now());
    }
}

/// What a session is for, checked, with the policy's name resolved; and the reference image, which is at `path`, not yet
/// looked at.
pub(super) fn new_session(
    shared: &Shared,
    config: v1::SessionConfig,
    path: &'static str,
) -> Result<(NewSession, Option<ReferenceImage>), Fault> {
    let policy = request::policy(&shared.setup.policies, &config.policy)?;
    request::client_reference(&config.client_reference)?;
    let image = ReferenceImage::read(shared, path, config.reference)?;
    let (policy, client_reference) = (policy.reference().id.clone(), config.client_reference);
    Ok((NewSession { policy, client_reference, reference: None }, image))
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
