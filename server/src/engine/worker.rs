//! One worker thread: its own models, one frame at a time.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use lifesign_core::{
    Error as CoreError,
    analysis::{Analyzer, FrameAnalysis, Plan},
    frame::Frame,
    runtime::RuntimeError,
};
use tracing::error;

use super::{
    job::{Analysed, EngineError, Queued},
    load::LoadAverage,
};

/// What a worker runs on each frame. The analyser is the one that matters; tests put a slow or a broken one in its place.
pub trait Judge {
    /// As [`Analyzer::analyze`].
    ///
    /// # Errors
    /// [`RuntimeError`] where nothing can be known about the frame.
    fn judge(&mut self, frame: &Frame, plan: &Plan) -> Result<FrameAnalysis, RuntimeError>;
}

impl Judge for Analyzer {
    fn judge(&mut self, frame: &Frame, plan: &Plan) -> Result<FrameAnalysis, RuntimeError> {
        self.analyze(frame, plan)
    }
}

/// Tells the pool that worker `.0` has loaded its models, or why not.
pub(super) type Ready = mpsc::Sender<(usize, Result<(), CoreError>)>;

/// What a job gave, before its picture goes back with it.
struct Found {
    analysis: FrameAnalysis,
    decode: Duration,
    analyse: Duration,
}

pub(super) struct Worker<F> {
    index: usize,
    load: Arc<F>,
    jobs: flume::Receiver<Queued>,
    average: Arc<LoadAverage>,
}

impl<F> Worker<F>
where
    F: Fn() -> Result<Box<dyn Judge>, CoreError>,
{
    pub(super) fn new(index: usize, load: Arc<F>, jobs: flume::Receiver<Queued>, average: Arc<LoadAverage>) -> Self {
        Self { index, load, jobs, average }
    }

    /// Loads the models, says so, and works until the last handle on the pool is gone.
    pub(super) fn run(self, ready: &Ready) {
        let mut judge = match (self.load)() {
            Ok(judge) => Some(judge),
            Err(error) => {
                // A closed channel means that another worker failed first and the pool has given up already.
                let _ = ready.send((self.index, Err(error)));
                return;
            }
        };
        if ready.send((self.index, Ok(()))).is_err() {
            return;
        }
        while let Ok(queued) = self.jobs.recv() {
            self.serve(&mut judge, queued);
        }
    }

    fn serve(&self, judge: &mut Option<Box<dyn Judge>>, mut queued: Queued) {
        // It waits no longer, so another stream's frame may.
        drop(queued.place.take());
        let started = Instant::now();
        if queued.is_abandoned() {
            return;
        }
        let found = if started >= queued.job.deadline {
            Err(EngineError::Expired)
        } else {
            // What the panicking job leaves behind is thrown away (the judge) or was its own (the frame), so no broken
            // state can be seen afterwards.
            let outcome = catch_unwind(AssertUnwindSafe(|| self.analyse(judge, &queued, started)));
            self.average.record(started.elapsed());
            match outcome {
                Ok(outcome) => outcome.unwrap_or(Err(EngineError::Expired)),
                Err(_) => {
                    error!(worker = self.index, "a job panicked; its worker loads the models anew");
                    *judge = None;
                    Err(EngineError::Panicked)
                }
            }
        };
        let Queued { job, since, reply, .. } = queued;
        let outcome = found.map(|Found { analysis, decode, analyse }| {
            let queue = started.duration_since(since);
            Analysed { analysis, picture: job.picture, queue, decode, analyse }
        });
        // The caller may have gone meanwhile; then nobody wants the answer.
        let _ = reply.send(outcome);
    }

    /// `None` where the work stopped being wanted on the way.
    fn analyse(
        &self,
        judge: &mut Option<Box<dyn Judge>>,
        queued: &Queued,
        started: Instant,
    ) -> Option<Result<Found, EngineError>> {
        let job = &queued.job;
        let frame = match job.picture.frame(&job.limits) {
            Ok(frame) => frame,
            Err(error) => return Some(Err(error.into())),
        };
        let decoded = Instant::now();
        if queued.is_abandoned() || decoded >= job.deadline {
            return None;
        }
        let judge = match judge {
            Some(judge) => judge,
            None => match (self.load)() {
                Ok(fresh) => judge.insert(fresh),
                Err(error) => return Some(Err(EngineError::Reload(error))),
            },
        };
        let analysis = match judge.judge(&frame, &job.plan) {
            Ok(analysis) => analysis,
            Err(error) => return Some(Err(error.into())),
        };
        Some(Ok(Found { analysis, decode: decoded.duration_since(started), analyse: decoded.elapsed() }))
    }
}
