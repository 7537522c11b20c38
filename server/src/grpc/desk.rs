//! What the compatible endpoints have done: media judged while the caller waits, or taken to be judged later.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use lifesign_core::policy::Policy;
use lifesign_proto::v1;
use prost::Message;
use tokio_util::sync::CancellationToken;

use super::{
    calls::{Call, CallRecord},
    check_media::{self, Presentation},
    record, request,
    shared::{Shared, Turn},
};
use crate::{
    access::Caller,
    convert,
    http::{Ask, Desk, Outcome, Progress},
    keys,
    queue::{Ended, Workshop},
    status::Fault,
    store::{Job, Kind, NewSession, State},
};

/// Characters of a transaction's name, as FACIA's samples have it: 15, of which 36 kinds there are, 77 bits in all.
const NAME_CHARS: usize = 15;

/// The characters of a transaction's name.
const ALPHABET: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The service, as the endpoints and the queue see it.
#[derive(Debug, Clone)]
pub(super) struct Counter {
    pub(super) shared: Arc<Shared>,
}

impl Counter {
    fn begin(&self, method: &str) -> Call {
        CallRecord::begin(method.to_owned(), self.shared.open.token(), None)
    }

    /// What is asked, with the policy found and everything checked that can be without looking at the media.
    fn presentation(&self, call: &CallRecord, ask: Ask) -> Result<(Caller, Presentation), Fault> {
        let policy = request::policy(&self.shared.setup.policies, &ask.policy)?;
        call.policy(&policy.reference().id);
        request::client_reference(&ask.client_reference)?;
        let Ask { caller, media, reference, client_reference, .. } = ask;
        Ok((caller, Presentation { policy, media: Some(media), reference, client_reference }))
    }
}

#[tonic::async_trait]
impl Desk for Counter {
    async fn check(&self, ask: Ask) -> Result<Outcome, Fault> {
        let call = self.begin("http check");
        let work = async {
            let limit = Duration::from_millis(self.shared.config.unary_timeout_ms);
            let deadline = Instant::now() + limit;
            let (caller, presentation) = self.presentation(&call, ask)?;
            let judging = check_media::check(&self.shared, &call, &caller, presentation, deadline);
            let judged = tokio::time::timeout_at(deadline.into(), judging).await;
            let verdict = judged.map_err(|_| Fault::Deadline)??;
            call.decision(verdict.decision());
            call.vendors(&verdict.vendor_results);
            Ok(outcome(verdict))
        };
        call.told(work.await)
    }

    async fn create(&self, ask: Ask) -> Result<String, Fault> {
        let call = self.begin("http create");
        let work = async {
            let shared = &self.shared;
            let (caller, presentation) = self.presentation(&call, ask)?;
            let Presentation { policy, media, reference, client_reference } = presentation;
            let name = transaction_name()?;
            let policy = policy.reference().id.clone();
            // What is hopeless is refused while its sender listens.
            check_media::checked(shared, media.clone()).await?;
            let payload = v1::CheckMediaRequest {
                media,
                reference,
                policy: policy.clone(),
                client_reference: client_reference.clone(),
                ..v1::CheckMediaRequest::default()
            };
            let (limit, actual) = (shared.backing.queue.config().max_payload_bytes, payload.encoded_len() as u64);
            if actual > limit {
                return Err(Fault::MessageTooLarge { limit });
            }
            call.received(actual);
            shared.spend(&caller, &policy).await?;
            let about = NewSession {
                owner: caller.client,
                kind: Kind::Transaction,
                policy,
                client_reference,
                external_id: name.clone(),
                reference: None,
            };
            let now = shared.clock.now();
            let expires = now + Duration::from_secs(shared.backing.queue.config().max_wait_seconds);
            let (store, limit) = (shared.store(), shared.config.sessions.max_sessions);
            let id = store.create_transaction(&about, &payload.encode_to_vec(), expires, limit, now).await?;
            call.session(id);
            shared.backing.queue.wake();
            Ok(name)
        };
        call.told(work.await)
    }

    async fn result(&self, caller: &Caller, reference_id: &str) -> Result<Progress, Fault> {
        let call = self.begin("http result");
        let work = async {
            let (store, now) = (self.shared.store(), self.shared.clock.now());
            let view = store.by_external_id(&caller.client, reference_id, now).await?.ok_or(Fault::SessionUnknown)?;
            call.session(view.id);
            match (view.state, view.verdict) {
                (State::Completed, Some(verdict)) => Ok(Progress::Done(Box::new(outcome(verdict)))),
                (State::Completed, None) | (State::Pending | State::Active, _) => Ok(Progress::Pending),
                // It ended without being judged, which is no pass.
                (State::Cancelled | State::Expired, _) => {
                    let why = "the transaction ended before it was judged";
                    let mut verdict = unjudged(&self.shared, None, why);
                    verdict.client_reference = view.about.client_reference;
                    Ok(Progress::Done(Box::new(outcome(verdict))))
                }
            }
        };
        call.told(work.await)
    }
}

/// No picture is kept, so there is no address of one.
fn outcome(verdict: v1::Verdict) -> Outcome {
    Outcome { verdict, proof: None }
}

/// A fresh name for a transaction.
fn transaction_name() -> Result<String, Fault> {
    // A byte is taken modulo 36: the first four characters come up an eighth more often, which takes a bit or two from 77.
    let bytes: [u8; NAME_CHARS] = keys::random().map_err(|_| Fault::Internal)?;
    let pick = |byte: u8| ALPHABET.get(usize::from(byte) % ALPHABET.len()).copied().map(char::from);
    Ok(bytes.into_iter().filter_map(pick).collect())
}

/// A verdict on what could not be judged at all.
fn unjudged(shared: &Shared, policy: Option<&Policy>, why: &str) -> v1::Verdict {
    v1::Verdict {
        decision: v1::Decision::Indeterminate.into(),
        diagnostics: vec![why.to_owned()],
        policy: policy.map(|policy| convert::policy_ref(policy.reference())),
        pack: Some(convert::pack_ref(&shared.setup.pack.reference())),
        runtime: Some(convert::runtime_ref(&shared.setup.runtime.describe())),
        ..v1::Verdict::default()
    }
}

#[tonic::async_trait]
impl Workshop for Counter {
    async fn work(&self, job: Job, last: bool, deadline: Instant) -> Ended {
        let call = self.begin("transaction");
        call.session(job.session);
        call.policy(&job.about.policy);
        let id = job.session;
        match self.judge(&call, &job, deadline).await {
            Ok(verdict) => self.end(&call, &job, verdict).await,
            Err(fault) if is_passing(&fault) && !last => {
                call.failed(&fault);
                Ended::Again
            }
            Err(fault) => {
                let policy = request::policy(&self.shared.setup.policies, &job.about.policy).ok();
                let mut verdict = unjudged(&self.shared, policy.as_deref(), &fault.to_string());
                verdict.session_id = id.to_string();
                verdict.client_reference.clone_from(&job.about.client_reference);
                self.end(&call, &job, verdict).await
            }
        }
    }
}

impl Counter {
    async fn judge(&self, call: &CallRecord, job: &Job, deadline: Instant) -> Result<v1::Verdict, Fault> {
        let shared = &self.shared;
        if shared.clock.now() >= job.expires {
            return Err(Fault::Deadline);
        }
        let request = v1::CheckMediaRequest::decode(job.payload.as_slice()).map_err(|_| Fault::MessageMalformed)?;
        let policy = request::policy(&shared.setup.policies, &job.about.policy)?;
        let judging = check_media::judge(shared, call, Presentation::of(policy, request), Turn::Wait, deadline);
        let judged = tokio::select! {
            judged = tokio::time::timeout_at(deadline.into(), judging) => judged.map_err(|_| Fault::Deadline)??,
            () = shared.stop.cancelled() => return Err(Fault::ShuttingDown),
        };
        Ok(convert::verdict(&judged, &job.session.to_string(), &job.about.client_reference))
    }

    async fn end(&self, call: &CallRecord, job: &Job, verdict: v1::Verdict) -> Ended {
        let completed = record::complete(&self.shared, job.session, &job.about.policy, &verdict).await;
        match completed {
            Ok(counts) => {
                call.ended(tonic::Code::Ok, None);
                if counts {
                    call.decision(verdict.decision());
                    call.vendors(&verdict.vendor_results);
                }
                Ended::Done
            }
            Err(fault) => {
                call.failed(&fault);
                Ended::Again
            }
        }
    }
}

/// Whether another try may do better: the server was busy, going down, or cut off from its store.
fn is_passing(fault: &Fault) -> bool {
    use tonic::Code;
    matches!(
        fault.code(),
        Code::ResourceExhausted | Code::Unavailable | Code::DeadlineExceeded | Code::Internal | Code::Cancelled
    )
}

impl Counter {
    /// Tidies up for as long as the server runs: ends what is overdue, erases what is past its time.
    pub(super) async fn sweep(&self, every: Duration, stop: CancellationToken) {
        let mut rounds = tokio::time::interval(every);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = rounds.tick() => {}
            }
            let (shared, now) = (&self.shared, self.shared.clock.now());
            let remember = |policy: &str| shared.backing.retention.verdict(policy);
            match shared.store().sweep(&remember, now).await {
                Ok(swept) if swept.forgotten > 0 => {
                    shared.live.changed();
                    if let Err(error) = shared.store().erase_residue().await {
                        tracing::warn!(%error, "what was erased may be left in the database's log for a while");
                    }
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "what is past its time could not be erased yet"),
            }
        }
    }
}
