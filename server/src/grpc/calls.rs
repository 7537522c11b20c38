//! One log line per call, and the count of calls that a shutdown waits for.
//!
//! What may be logged is what [`CallRecord`] has a setter for: names, codes, counts and times. There is no setter for
//! media, tokens or references.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use lifesign_proto::v1;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::Code;
use tracing::info;
use uuid::Uuid;

use crate::status::Fault;

#[derive(Debug, Default)]
struct Facts {
    code: Option<Code>,
    reason: Option<&'static str>,
    session: Option<Uuid>,
    policy: Option<String>,
    decision: Option<v1::Decision>,
    /// Each vendor that was asked, with how its answer reads.
    vendors: Option<String>,
    frames: u64,
    bytes: u64,
}

/// A call at work. It is logged when the last owner drops it: then the call is over, however it ended.
#[derive(Debug)]
pub(super) struct CallRecord {
    method: String,
    started: Instant,
    facts: Mutex<Facts>,
    /// Released together with the record.
    _share: (TaskTrackerToken, Option<OwnedSemaphorePermit>),
}

/// A shared record: the layer that sees the call first and the method that does the work both write to it.
pub(super) type Call = Arc<CallRecord>;

impl CallRecord {
    pub(super) fn begin(method: String, open: TaskTrackerToken, permit: Option<OwnedSemaphorePermit>) -> Call {
        Arc::new(Self { method, started: Instant::now(), facts: Mutex::default(), _share: (open, permit) })
    }

    /// How it ended. The first word counts: what the method says goes before what the transport makes of it.
    pub(super) fn ended(&self, code: Code, reason: Option<&'static str>) {
        self.with(|facts| {
            if facts.code.is_none() {
                facts.code = Some(code);
                facts.reason = reason;
            }
        });
    }

    /// It ended with this answer, which is given back.
    pub(super) fn told<T>(&self, answer: Result<T, Fault>) -> Result<T, Fault> {
        match &answer {
            Ok(_) => self.ended(Code::Ok, None),
            Err(fault) => self.failed(fault),
        }
        answer
    }

    /// It ended with a fault.
    pub(super) fn failed(&self, fault: &Fault) {
        self.ended(fault.code(), Some(fault.reason()));
    }

    pub(super) fn session(&self, id: Uuid) {
        self.with(|facts| facts.session = Some(id));
    }

    pub(super) fn policy(&self, id: &str) {
        self.with(|facts| facts.policy = Some(id.to_owned()));
    }

    pub(super) fn decision(&self, decision: v1::Decision) {
        self.with(|facts| facts.decision = Some(decision));
    }

    /// What came of the vendors that were asked.
    pub(super) fn vendors(&self, results: &[v1::VendorResult]) {
        if results.is_empty() {
            return;
        }
        let each = results.iter().map(|result| {
            let what = if result.outcome.is_empty() { &result.detail } else { &result.outcome };
            format!("{}:{what}", result.vendor)
        });
        let each = each.collect::<Vec<_>>().join(" ");
        self.with(|facts| facts.vendors = Some(each));
    }

    /// Another file or buffer came whole.
    pub(super) fn received(&self, bytes: u64) {
        self.with(|facts| facts.bytes += bytes);
    }

    /// Another frame is looked at: one that came by itself, or one of a video.
    pub(super) fn frame(&self) {
        self.with(|facts| facts.frames += 1);
    }

    fn with(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        let facts = self.facts.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Without a word from the method, the transport dropped the call: the client has gone.
        let code = facts.code.unwrap_or(Code::Cancelled);
        info!(
            method = self.method.as_str(),
            code = ?code,
            reason = facts.reason,
            ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            session = facts.session.map(tracing::field::display),
            policy = facts.policy.as_deref(),
            decision = facts.decision.map(|decision| decision.as_str_name()),
            vendors = facts.vendors.as_deref(),
            frames = facts.frames,
            bytes = facts.bytes,
            "call",
        );
    }
}
