//! A session while its stream is open.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lifesign_core::{
    policy::{Policy, Visibility},
    verdict::{CheckId, CheckKind, Verdict},
};
use lifesign_proto::v1::{self, stream_session_request as up, stream_session_response as down};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{request, shared::Shared};
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
    pub(super) fn open(shared: &Arc<Shared>, start: up::Start, ends: Instant) -> Result<Self, Fault> {
        let (now, expires) = (shared.clock.now(), shared.clock.at(ends));
        let policies = &shared.setup.policies;
        let (opened, by_token) = match start.session {
            None => {
                let what = "`session_token` or `config` must be set";
                return Err(Fault::field("start.session", "SESSION_MISSING", what));
            }
            Some(up::start::Session::SessionToken(token)) => (shared.store.open(&token, now, expires)?, true),
            Some(up::start::Session::Config(_)) if !shared.inline_allowed => return Err(Fault::InlineNotAllowed),
            Some(up::start::Session::Config(config)) => {
                let about = new_session(shared, config)?;
                (shared.store.open_inline(about, now, expires)?, false)
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
    let open_kinds: &[CheckKind] = match visibility {
        Visibility::Full => return,
        Visibility::Quality => &[CheckKind::Quality, CheckKind::Media],
        Visibility::None => &[],
    };
    let shown = |id: &str| CheckId::ALL.iter().any(|check| check.name() == id && open_kinds.contains(&check.kind()));
    verdict.checks.retain(|check| shown(&check.id));
    verdict.vendor_results.clear();
}

impl Drop for ActiveSession {
    fn drop(&mut self) {
        // A session that has ended stays as it is.
        self.shared.store.expire(self.opened.id, self.shared.clock.now());
    }
}

/// What a session is for, checked, with the policy's name resolved.
pub(super) fn new_session(shared: &Shared, config: v1::SessionConfig) -> Result<NewSession, Fault> {
    let policy = request::policy(&shared.setup.policies, &config.policy)?;
    request::client_reference(&config.client_reference)?;
    Ok(NewSession { policy: policy.reference().id.clone(), client_reference: config.client_reference })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(visibility: Visibility) -> (Vec<String>, usize, usize) {
        let checks = CheckId::ALL.iter().map(|id| v1::Check { id: id.name().into(), ..Default::default() });
        let mut verdict = v1::Verdict {
            checks: checks.collect(),
            diagnostics: vec!["judged 5 of 5".into()],
            vendor_results: vec![v1::VendorResult::default()],
            ..Default::default()
        };
        for_device(&mut verdict, visibility);
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
