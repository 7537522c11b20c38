//! Work that its caller does not wait for: taken out of the store, a few jobs at a time, judged, and ended with one verdict
//! each. A job whose server is gone is taken up by the next one when its lease is over.

mod config;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{Notify, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, warn};

pub use config::QueueConfig;

use crate::{
    sessions::Clock,
    store::{Job, Store, StoreError},
};

/// How a job's judgement ended.
#[derive(Debug)]
pub enum Ended {
    /// It has its verdict, or somebody else ended it: there is nothing more to do.
    Done,
    /// It could not be judged now (no worker free, a time-out, the store away); another try may do.
    Again,
}

/// Judges jobs.
#[tonic::async_trait]
pub trait Workshop: Send + Sync + 'static {
    /// Judges a job until `deadline` and ends its session. `last`: if it cannot be judged now, it never will, and the session ends
    /// with a verdict that says so.
    async fn work(&self, job: Job, last: bool, deadline: Instant) -> Ended;
}

/// Takes jobs out of the store.
#[derive(Debug, Clone)]
pub struct Queue {
    store: Store,
    config: QueueConfig,
    clock: Clock,
    /// Told when this server has put a job into the store.
    arrived: Arc<Notify>,
}

impl Queue {
    /// A queue over the jobs of this store.
    pub fn new(store: Store, config: QueueConfig, clock: Clock) -> Self {
        Self { store, config, clock, arrived: Arc::default() }
    }

    /// A job was put into the store: it need not wait for the next look.
    pub fn wake(&self) {
        self.arrived.notify_one();
    }

    /// The settings.
    pub fn config(&self) -> &QueueConfig {
        &self.config
    }

    /// Works until told to stop; then takes no more jobs and gives those at work until `drain` to end. What is not done by then
    /// is another server's, or this one's after its restart.
    pub async fn run(self, workshop: Arc<dyn Workshop>, stop: CancellationToken, drain: Duration) {
        let places = Arc::new(Semaphore::new(usize::try_from(self.config.concurrency).unwrap_or(1).max(1)));
        let jobs = TaskTracker::new();
        let pause = Duration::from_millis(self.config.poll_ms);
        loop {
            // The semaphore is never closed.
            let place = tokio::select! {
                () = stop.cancelled() => break,
                place = Arc::clone(&places).acquire_owned() => match place { Ok(place) => place, Err(_) => break },
            };
            match self.store.take_job(self.config.lease(), self.clock.now()).await {
                Ok(Some(job)) => {
                    let (queue, workshop) = (self.clone(), Arc::clone(&workshop));
                    jobs.spawn(async move {
                        queue.work(&*workshop, job).await;
                        drop(place);
                    });
                    continue;
                }
                Ok(None) => {}
                Err(error) => warn!(%error, "no job could be taken"),
            }
            drop(place);
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.arrived.notified() => {}
                () = sleep(pause) => {}
            }
        }
        jobs.close();
        if timeout(drain, jobs.wait()).await.is_err() {
            warn!(jobs = jobs.len(), "jobs at work are left to whoever takes them up when their lease is over");
        }
    }

    /// One job, under a lease that is kept up while it is at work. If the lease is lost, another server may be at it: then this one stops,
    /// since nothing it could say would count.
    async fn work(&self, workshop: &dyn Workshop, job: Job) {
        let (session, attempts) = (job.session, job.attempts);
        let last = attempts >= self.config.max_attempts || self.clock.now() >= job.expires;
        let deadline = Instant::now() + Duration::from_millis(self.config.job_timeout_ms);
        let working = workshop.work(job, last, deadline);
        let ended = tokio::select! {
            ended = working => ended,
            lost = self.keep(session) => {
                if let Err(error) = lost {
                    error!(%session, %error, "a job's lease could not be kept");
                } else {
                    warn!(%session, "a job's lease was lost");
                }
                return;
            }
        };
        if matches!(ended, Ended::Again) {
            let wait = self.config.backoff(attempts);
            if let Err(error) = self.store.put_off_job(session, self.clock.now() + wait).await {
                warn!(%session, %error, "a job waits for its lease to run out");
            }
        }
    }

    /// Ends when the lease is lost.
    async fn keep(&self, session: uuid::Uuid) -> Result<(), StoreError> {
        let lease = self.config.lease();
        let mut kept = Instant::now();
        loop {
            sleep(lease / 3).await;
            match self.store.renew_job(session, lease, self.clock.now()).await {
                Ok(true) => kept = Instant::now(),
                Ok(false) => return Ok(()),
                // The store may be back before the lease is over.
                Err(_) if kept.elapsed() < lease * 2 / 3 => {}
                Err(error) => return Err(error),
            }
        }
    }
}
