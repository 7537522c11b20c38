//! The bounded CPU pool: decoding and models run here, on their own threads, never on the threads that serve sockets.
//!
//! Each worker loads its own models and keeps them; nothing of a model crosses threads. Jobs wait in one bounded queue
//! as *compressed* bytes, so that memory is bounded by queue length and media size; a decoded picture exists only on
//! the worker that looks at it. Frames of videos come decoded, since a decoder cannot begin in the middle: a few for each of
//! the few videos that are decoded at a time. Work whose caller has gone away, or whose deadline has passed, is dropped before it is
//! decoded and again before it is analysed.

mod config;
mod job;
mod load;
mod worker;

pub use config::{EngineConfig, EngineConfigError};
pub use job::{Analysed, EngineError, Job, Media, MediaForm, Picture, Ticket};
pub use worker::Judge;

use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use lifesign_core::{Error as CoreError, analysis::Analyzer};
use tokio::sync::Semaphore;

use crate::setup::Setup;

use self::{job::Queued, load::LoadAverage, worker::Worker};

/// One place in this many is kept from streams. A stream waits for its place, so a few of them keep a queue full for as
/// long as they last; without a reserve every unary call, which does not wait, would be refused all that time.
const KEPT_FROM_STREAMS: usize = 4;

/// The queue is full; nothing was taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("all {workers} workers are busy and {queued} frames wait already; try again in {retry_after:?}")]
pub struct Busy {
    /// How long the queue is likely to take, from the mean time of recent jobs.
    pub retry_after: Duration,
    /// Workers of the pool.
    pub workers: usize,
    /// Jobs waiting, which is the queue's capacity.
    pub queued: usize,
}

/// Why the pool could not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineStartError {
    /// The settings contradict themselves.
    #[error(transparent)]
    Config(#[from] EngineConfigError),
    /// A worker could not load the models.
    #[error("worker {worker} could not load the models: {source}")]
    Load {
        /// Which, from 0.
        worker: usize,
        /// Why.
        source: CoreError,
    },
    /// The system refused a thread, or a worker died while it loaded.
    #[error("worker {worker} could not start: {what}")]
    Thread {
        /// Which, from 0.
        worker: usize,
        /// What the system said.
        what: String,
    },
}

/// A handle on the pool. Cloning shares it; the workers end when the last handle is gone and the queue is empty.
#[derive(Debug, Clone)]
pub struct Engine {
    queue: flume::Sender<Queued>,
    /// The places that streams may take.
    places: Arc<Semaphore>,
    load: Arc<LoadAverage>,
    workers: usize,
}

impl Engine {
    /// Starts the workers and waits until every one has loaded the pack's models. Blocks for as long as loading takes.
    ///
    /// # Errors
    /// [`EngineStartError`]; then no worker is left running.
    pub fn start(setup: &Setup, config: &EngineConfig) -> Result<Self, EngineStartError> {
        let (pack, runtime) = (Arc::clone(&setup.pack), Arc::clone(&setup.runtime));
        Self::start_with(config, move || {
            Analyzer::load(&pack, &*runtime).map(|analyzer| Box::new(analyzer) as Box<dyn Judge>)
        })
    }

    /// As [`Engine::start`], with anything that judges frames. `load` is called on every worker's own thread, once at
    /// the start and again after a panic.
    ///
    /// # Errors
    /// [`EngineStartError`].
    pub fn start_with<F>(config: &EngineConfig, load: F) -> Result<Self, EngineStartError>
    where
        F: Fn() -> Result<Box<dyn Judge>, CoreError> + Send + Sync + 'static,
    {
        let (workers, capacity) = config.resolve()?;
        let (queue, jobs) = flume::bounded(capacity);
        let average = Arc::new(LoadAverage::default());
        let load = Arc::new(load);
        let (ready, loaded) = mpsc::channel();
        for index in 0..workers {
            let worker = Worker::new(index, Arc::clone(&load), jobs.clone(), Arc::clone(&average));
            let ready = ready.clone();
            thread::Builder::new()
                .name(format!("lifesign-worker-{index}"))
                .spawn(move || worker.run(&ready))
                .map_err(|error| EngineStartError::Thread { worker: index, what: error.to_string() })?;
        }
        // Only the workers hold senders from here on, so a worker that dies while loading ends the wait.
        drop(ready);
        for index in 0..workers {
            match loaded.recv() {
                Ok((_, Ok(()))) => {}
                Ok((worker, Err(source))) => return Err(EngineStartError::Load { worker, source }),
                Err(mpsc::RecvError) => {
                    let what = "it ended while it was loading the models".to_owned();
                    return Err(EngineStartError::Thread { worker: index, what });
                }
            }
        }
        let places = Arc::new(Semaphore::new(capacity - capacity / KEPT_FROM_STREAMS));
        Ok(Self { queue, places, load: average, workers })
    }

    /// Puts a job in the queue, or refuses it at once. Dropping the ticket drops the work.
    ///
    /// # Errors
    /// [`Busy`] where the queue is full.
    pub fn submit(&self, job: Job) -> Result<Ticket, Busy> {
        let (queued, ticket) = job.queue(Instant::now());
        match self.queue.try_send(queued) {
            Ok(()) => Ok(ticket),
            Err(flume::TrySendError::Full(_)) => Err(self.busy()),
            // The workers outlive every handle, so this is a pool that lost all its threads: the ticket says so.
            Err(flume::TrySendError::Disconnected(_)) => Ok(ticket),
        }
    }

    /// Puts a job in the queue, waiting for room until the job's deadline. This is what slows a stream down: it is not
    /// read from while it waits here.
    ///
    /// # Errors
    /// [`Busy`] where no room came before the deadline.
    pub async fn submit_wait(&self, job: Job) -> Result<Ticket, Busy> {
        let deadline = job.deadline;
        let (mut queued, ticket) = job.queue(Instant::now());
        let placed = async {
            // The semaphore is never closed; if it were, the job would go without a place rather than be lost.
            queued.place = Arc::clone(&self.places).acquire_owned().await.ok();
            // A queue without workers drops the job, and the ticket then says that the pool has ended.
            let _ = self.queue.send_async(queued).await;
        };
        match tokio::time::timeout_at(deadline.into(), placed).await {
            Ok(()) => Ok(ticket),
            Err(tokio::time::error::Elapsed { .. }) => Err(self.busy()),
        }
    }

    /// Workers of the pool.
    pub fn workers(&self) -> usize {
        self.workers
    }

    fn busy(&self) -> Busy {
        let queued = self.queue.len();
        Busy { retry_after: self.load.estimate(queued, self.workers), workers: self.workers, queued }
    }
}

#[cfg(test)]
mod tests;
