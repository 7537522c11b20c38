//! All configured vendors: asked as a policy says, within its deadline and budget, into one verdict.
//!
//! What is decided is in [`Fusion`], without I/O; here is only the asking. Whatever happens to a vendor, the verdict comes before
//! the deadline, and what had been answered by then is in it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use futures_util::future::join_all;
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout_at};
use uuid::Uuid;

use super::{
    Case, Evidence, Needs, Probe, Selected, Vendor, VendorError,
    ledger::{Account, Ledger},
    needs, select,
};
use crate::{
    http::Health,
    policy::{
        Judges, Policy, Strategy,
        fusion::{Fusion, disagrees},
    },
    verdict::{Decision, Detail, VendorResult, VendorRole, VendorState, Verdict},
};

/// This much of the deadline is kept for what comes after the vendors: the decision and the way back to the caller.
const RESERVE: Duration = Duration::from_millis(100);

/// A vendor's client is given this much less than its share of time, so that it can say itself what it was waiting for.
const MARGIN: Duration = Duration::from_millis(20);

/// A configured vendor, and how its answers for the record compared.
#[derive(Debug)]
pub struct Member {
    vendor: Box<dyn Vendor>,
    compared: AtomicU64,
    disagreed: AtomicU64,
}

impl Member {
    /// Its client.
    pub fn vendor(&self) -> &dyn Vendor {
        &*self.vendor
    }

    /// Whether its last call got an answer and it is not suspended.
    pub fn is_healthy(&self) -> bool {
        self.vendor.http().health() == Health::Healthy
    }

    /// Answers for the record that could be compared with the local decision, and those that contradicted it.
    pub fn shadowed(&self) -> (u64, u64) {
        (self.compared.load(Ordering::Relaxed), self.disagreed.load(Ordering::Relaxed))
    }
}

/// All configured vendors. Shared by all calls.
#[derive(Debug)]
pub struct Panel {
    members: Vec<Member>,
    ledger: Ledger,
    /// Places for making evidence, which takes a processor, and now and then an encoder's process.
    makers: Arc<Semaphore>,
}

/// Where a vendor stands, for whoever waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It is being asked.
    Asked,
    /// It answered.
    Answered,
    /// It gave no answer.
    Failed,
    /// It is not asked after all.
    Skipped,
}

/// Makes evidence of what came. Blocks, so it is called on a thread that may.
pub type Gather = dyn Fn(Needs) -> Evidence + Send + Sync;

/// What the panel has to know beside the local verdict.
pub struct Question<'a> {
    /// Makes evidence, where any is needed.
    pub gather: Arc<Gather>,
    /// The caller's own reference.
    pub client_reference: Option<&'a str>,
    /// When the verdict is of no use any more.
    pub deadline: Instant,
    /// Told where each vendor stands: its place in the policy's list, its id, its phase.
    pub told: &'a (dyn Fn(usize, &str, Phase) + Send + Sync),
}

impl std::fmt::Debug for Question<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Question").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

/// What one vendor is asked with.
struct Turn<'a> {
    place: usize,
    evidence: &'a Evidence,
    account: &'a Account<'a>,
    until: Instant,
}

impl Panel {
    /// These vendors, each of another kind.
    pub fn new(vendors: Vec<Box<dyn Vendor>>) -> Self {
        let member = |vendor| Member { vendor, compared: AtomicU64::new(0), disagreed: AtomicU64::new(0) };
        let makers = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            members: vendors.into_iter().map(member).collect(),
            ledger: Ledger::default(),
            makers: Arc::new(Semaphore::new(makers)),
        }
    }

    /// The configured vendors.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The member of this id.
    pub fn member(&self, id: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.vendor.spec().id == id)
    }

    /// What a vendor's answers are about; `None` where it is not configured.
    pub fn judges(&self, id: &str) -> Option<Judges> {
        self.member(id).map(|member| member.vendor.spec().judges)
    }

    /// What has to be kept of a presentation so that this policy's vendors can be asked.
    pub fn needs(&self, policy: &Policy) -> Needs {
        self.needs_of(policy.config().vendors.ask.iter().filter_map(|id| self.member(id)))
    }

    fn needs_of<'a>(&self, members: impl Iterator<Item = &'a Member>) -> Needs {
        members.map(|member| needs(member.vendor.spec(), member.vendor.media())).fold(Needs::default(), |sum, needs| {
            Needs {
                best: sum.best || needs.best,
                frames: sum.frames.max(needs.frames),
                video: sum.video || needs.video,
                made_video: sum.made_video || needs.made_video,
                reference: sum.reference || needs.reference,
            }
        })
    }

    /// Looks at every vendor's line, all at once, without asking anything that is billed.
    pub async fn probe(&self, deadline: Instant) -> Vec<(&Member, Result<Probe, VendorError>)> {
        join_all(self.members.iter().map(async |member| (member, member.vendor.probe(deadline).await))).await
    }

    /// The verdict under a policy: the local one where the policy asks no vendors, or where they are not needed.
    pub async fn judge(&self, policy: &Policy, local: Verdict, question: Question<'_>) -> Verdict {
        let rule = &policy.config().vendors;
        if rule.strategy == Strategy::Local {
            return local;
        }
        let began = Instant::now();
        let (id, decision) = (policy.reference().id.clone(), local.decision);
        let due = began.checked_add(Duration::from_millis(rule.deadline_ms)).unwrap_or(question.deadline);
        let due = due.min(question.deadline.checked_sub(RESERVE).unwrap_or(began));
        let account = self.ledger.open(&id, rule);
        let fusion = Fusion::new(policy, local);
        let (mut results, mut notes): (Vec<VendorResult>, Vec<String>) = (Vec::new(), Vec::new());
        loop {
            let (places, now) = (fusion.next(&results), Instant::now());
            // Whoever is left when the time is up is NOT_RUN for just that.
            if places.is_empty() || now >= due {
                break;
            }
            // One after the other, each gets its share of the time that is left, so that a slow one leaves some to the rest.
            let waiting = rule.ask.len().saturating_sub(results.len()).div_ceil(places.len()).max(1);
            let share = due.saturating_duration_since(now) / u32::try_from(waiting).unwrap_or(u32::MAX);
            let until = now.checked_add(share).map_or(due, |until| until.min(due));
            let asked = places.iter().filter_map(|place| self.member(rule.ask.get(*place)?));
            let Some(evidence) = self.evidence(&question.gather, self.needs_of(asked), until).await else {
                notes.push("no vendor was asked any more: what to show them was not ready in time".to_owned());
                break;
            };
            let turns = places.iter().map(|&place| {
                let turn = Turn { place, evidence: &evidence, account: &account, until };
                self.ask(rule.ask.get(place).map_or("", String::as_str), turn, &question)
            });
            for (result, note) in join_all(turns).await {
                results.push(result);
                notes.extend(note);
            }
        }
        if rule.strategy == Strategy::Shadow {
            self.compare(decision, &results);
        }
        let mut verdict = fusion.conclude(results);
        verdict.diagnostics.extend(notes);
        verdict.timings.total = verdict.timings.total.saturating_add(began.elapsed());
        verdict
    }

    /// Asks one vendor. Whatever happens, there is a result.
    async fn ask(&self, id: &str, turn: Turn<'_>, question: &Question<'_>) -> (VendorResult, Option<String>) {
        let Turn { place, evidence, account, until } = turn;
        let skip = |why, note| {
            (question.told)(place, id, Phase::Skipped);
            (VendorResult::not_run(id, why), note)
        };
        // A policy does not compile with a vendor that is not configured; if it did, nobody would have been asked.
        let Some(member) = self.member(id) else { return skip(Detail::VendorSuspended, None) };
        let vendor = member.vendor();
        let media = match select(vendor.spec(), vendor.media(), evidence) {
            Ok(media) => media,
            Err(why) => return skip(Detail::VendorMedia, Some(format!("vendor {id} was not asked: {why}"))),
        };
        let price = vendor.price_micros();
        let Some(reserved) = account.reserve(price, SystemTime::now()) else {
            return skip(Detail::Budget, Some(format!("vendor {id} was not asked: a call costs {price} millionths")));
        };
        (question.told)(place, id, Phase::Asked);
        let sent = sent(&media);
        let case = Case {
            media,
            reference: if vendor.spec().judges.face_match { evidence.reference.clone() } else { None },
            client_reference: question.client_reference,
            request_id: &Uuid::new_v4().to_string(),
            deadline: until.checked_sub(MARGIN).unwrap_or(until),
        };
        let began = Instant::now();
        let (state, attempts, billed, note) = match timeout_at(until.into(), vendor.submit(&case)).await {
            Ok(Ok(done)) => (VendorState::Answered(Box::new(done.answer)), done.attempts, true, None),
            Ok(Err(error)) => {
                let (detail, attempts, billed) = (error.error.kind.detail(), error.error.attempts, error.error.sent);
                (VendorState::Failed(detail), attempts, billed, Some(format!("vendor {id}: {error}")))
            }
            // It may have had the upload.
            Err(_) => (VendorState::Failed(Detail::VendorTimeout), 1, true, Some(format!("vendor {id}: out of time"))),
        };
        let cost_micros = if billed { price.saturating_mul(attempts.max(1).into()) } else { 0 };
        account.settle(reserved, cost_micros);
        let answered = matches!(state, VendorState::Answered(_));
        (question.told)(place, id, if answered { Phase::Answered } else { Phase::Failed });
        let result = VendorResult {
            vendor: id.to_owned(),
            state,
            role: VendorRole::None,
            duration: began.elapsed(),
            attempts,
            cost_micros,
        };
        (result, note.or_else(|| Some(format!("vendor {id} was sent {sent}"))))
    }

    /// The evidence, where it is made in time.
    async fn evidence(&self, gather: &Arc<Gather>, needs: Needs, until: Instant) -> Option<Evidence> {
        let (gather, makers) = (Arc::clone(gather), Arc::clone(&self.makers));
        let made = async {
            let place = makers.acquire_owned().await.ok()?;
            // The place is taken for as long as the work goes on, whoever still waits for it.
            let work = move || {
                let evidence = gather(needs);
                drop(place);
                evidence
            };
            spawn_blocking(work).await.ok()
        };
        timeout_at(until.into(), made).await.ok().flatten()
    }

    /// Counts how answers for the record compare with the local decision.
    fn compare(&self, decision: Decision, results: &[VendorResult]) {
        for result in results {
            if let (Some(member), Some(contradicts)) = (self.member(&result.vendor), disagrees(decision, result)) {
                member.compared.fetch_add(1, Ordering::Relaxed);
                member.disagreed.fetch_add(u64::from(contradicts), Ordering::Relaxed);
            }
        }
    }
}

/// What was sent, for diagnostics.
fn sent(media: &Selected) -> String {
    match media {
        Selected::Image(picture) => format!("an image of {} bytes", picture.data.len()),
        Selected::Frames(frames) => {
            let bytes: usize = frames.iter().map(|frame| frame.data.len()).sum();
            format!("{} frames of {bytes} bytes together", frames.len())
        }
        Selected::Video(clip) => {
            let made = if clip.made { ", made of its frames" } else { "" };
            format!("a video of {} bytes{made}", clip.data.len())
        }
    }
}
