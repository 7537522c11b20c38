//! The line itself: what every call goes through, in which order, and what is remembered of it.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{sleep, sleep_until, timeout_at},
};

use super::{
    Answered, BreakerCounts, BreakerState, Call, CallError, ErrorKind, Health, HttpConfig, HttpConfigError, Repeat,
    Reply,
    attempt::{Fault, exchange},
    breaker::{Breaker, Permit},
    retry::{Pauses, may_repeat},
    tls,
    windows::Windows,
};

/// One vendor's line. Shared by all calls to it. `Debug` shows no secret.
pub struct HttpClient {
    vendor: &'static str,
    config: HttpConfig,
    connections: reqwest::Client,
    breaker: Breaker,
    windows: Windows,
    room: Semaphore,
    last: Mutex<Health>,
}

/// Leave to make one request; given back when dropped.
struct Admitted<'a> {
    permit: Permit<'a>,
    _room: SemaphorePermit<'a>,
}

impl HttpClient {
    /// Sets the line up; connects to nothing. `vendor` is whose it is, for `Debug`.
    ///
    /// # Errors
    /// [`HttpConfigError`] for the first setting that is out of range, a CA file that cannot be read, a proxy that is no address.
    pub fn new(vendor: &'static str, config: HttpConfig) -> Result<Self, HttpConfigError> {
        config.validate()?;
        Ok(Self {
            vendor,
            connections: tls::connections(&config)?,
            breaker: Breaker::new(config.breaker),
            windows: Windows::new(&config.rate),
            room: Semaphore::new(config.max_concurrent as usize),
            last: Mutex::new(Health::Unknown),
            config,
        })
    }

    /// Sends a call, again where that is allowed and may help, until `deadline` at most, and has `read` make sense of the reply.
    /// `read` sees every reply that came whole, whatever its status, and says what it is: a value, or an error, whose kind
    /// decides whether it counts against the line (see [`ErrorKind`]) and whether the call is repeated.
    ///
    /// Every request goes through the circuit breaker, the cap on concurrent calls and the rate windows. A first request that
    /// they do not let through in time ends the call as [`ErrorKind::Suspended`] or [`ErrorKind::Saturated`]; a later one
    /// ends it with the error of the request before. Dropping the future takes the call back: what it held is free again,
    /// and nothing is recorded. Better to let it run into `deadline`, for then the line learns from it.
    ///
    /// # Errors
    /// [`CallError`] of the last attempt; its `sent` is about all of them.
    pub async fn call<T>(
        &self,
        call: &Call,
        deadline: Instant,
        read: impl Fn(&Reply) -> Result<T, ErrorKind>,
    ) -> Result<Answered<T>, CallError> {
        let until = deadline.min(Instant::now() + Duration::from_millis(self.config.total_timeout_ms));
        let mut pauses = Pauses::new(&self.config.retry);
        let mut last: Option<CallError> = None;
        loop {
            let admitted = match self.admit(call.repeat, until).await {
                Ok(admitted) => admitted,
                Err(refused) => return Err(last.unwrap_or(refused)),
            };
            let before = last.as_ref().map_or((0, false), |last| (last.attempts, last.sent));
            let attempts = before.0 + 1;
            let fault = match self.attempt(admitted, call, until, &read).await {
                Ok(value) => return Ok(Answered { value, attempts }),
                Err(fault) => fault,
            };
            let Fault { kind, status, sent, retry_after, .. } = fault;
            let error = CallError { kind, status, sent: sent || before.1, attempts, retry_after };
            // What became of this request alone decides on the next: the ones before it were repeated with leave.
            let retry = &self.config.retry;
            if attempts >= retry.attempts || !may_repeat(retry, call.repeat, kind, status, sent) {
                return Err(error);
            }
            let pause = pauses.next(retry_after);
            if Instant::now().checked_add(pause).is_none_or(|then| then >= until) {
                return Err(error);
            }
            sleep(pause).await;
            last = Some(error);
        }
    }

    /// Waits for room, and no longer than there is time.
    async fn admit(&self, repeat: Repeat, until: Instant) -> Result<Admitted<'_>, CallError> {
        let now = Instant::now();
        if now >= until {
            return Err(CallError::new(ErrorKind::Timeout));
        }
        // Asked first, so that nobody waits in vain, and asked for leave last, so that nobody who waits holds a probe's place.
        let owed = repeat == Repeat::Owed;
        if !owed {
            self.breaker.check(now).map_err(suspended)?;
        }
        let room = match timeout_at(until.into(), self.room.acquire()).await {
            Ok(Ok(room)) => room,
            _ => return Err(CallError::new(ErrorKind::Saturated)),
        };
        let moment = self
            .windows
            .reserve(Instant::now(), until)
            .map_err(|wait| CallError { retry_after: Some(wait), ..CallError::new(ErrorKind::Saturated) })?;
        sleep_until(moment.into()).await;
        let now = Instant::now();
        let permit = if owed { self.breaker.pass(now) } else { self.breaker.admit(now).map_err(suspended)? };
        Ok(Admitted { permit, _room: room })
    }

    /// Makes one request, and tells the breaker and the line's health what came of it.
    async fn attempt<T>(
        &self,
        admitted: Admitted<'_>,
        call: &Call,
        until: Instant,
        read: &impl Fn(&Reply) -> Result<T, ErrorKind>,
    ) -> Result<T, Fault> {
        let started = Instant::now();
        let patience = Duration::from_millis(self.config.request_timeout_ms);
        let limit = until.min(started + patience);
        let reply = exchange(&self.connections, call, self.config.max_response_bytes, limit).await;
        let outcome = reply.and_then(|reply| read(&reply).map_err(|kind| Fault::told(kind, &reply)));
        let now = Instant::now();
        // A caller that had hardly any time left says nothing about the vendor; else a few callers with short deadlines
        // could have the line suspended for all. Ours: the time that connecting alone may take has to have passed.
        let fair = patience.min(Duration::from_millis(self.config.connect_timeout_ms));
        if outcome.as_ref().is_err_and(|fault| fault.cut) && now.saturating_duration_since(started) < fair {
            return outcome;
        }
        let kind = outcome.as_ref().err().map(|fault| fault.kind);
        admitted.permit.settle(!kind.is_some_and(ErrorKind::counts), now);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = match kind {
            None | Some(ErrorKind::Refused) => Health::Healthy,
            Some(_) => Health::Unhealthy,
        };
        outcome
    }

    /// How the line stands.
    pub fn health(&self) -> Health {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match self.breaker_state() {
            BreakerState::Closed => last,
            BreakerState::Open | BreakerState::HalfOpen => Health::Unhealthy,
        }
    }

    /// What the circuit breaker does with calls now.
    pub fn breaker_state(&self) -> BreakerState {
        self.breaker.state(Instant::now())
    }

    /// How often the circuit breaker opened and half opened so far.
    pub fn breaker_counts(&self) -> BreakerCounts {
        self.breaker.counts()
    }

    /// Its settings.
    pub fn config(&self) -> &HttpConfig {
        &self.config
    }
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient")
            .field("vendor", &self.vendor)
            .field("config", &self.config)
            .field("breaker", &self.breaker_state())
            .finish_non_exhaustive()
    }
}

fn suspended(retry_after: Option<Duration>) -> CallError {
    CallError { retry_after, ..CallError::new(ErrorKind::Suspended) }
}
