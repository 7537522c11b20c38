//! A vendor's access token: asked for once however many calls need it, and once more when the vendor calls it bad.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use http::{HeaderValue, header::AUTHORIZATION};
use tokio::{sync::Mutex, time::timeout_at};

use super::{BoxFuture, VendorError};
use crate::http::{Answered, Call, CallError, ErrorKind, HttpClient, Reply, Secret};

/// The stage of a [`VendorError`] about the token.
pub(super) const STAGE: &str = "token";

/// What a vendor gave for the credentials.
#[derive(Debug)]
pub(super) struct Fresh {
    /// The token.
    pub(super) token: Secret,
    /// How long it is used from now on.
    pub(super) lasts: Duration,
}

/// A token in use. The serial tells a token from the one that replaced it.
#[derive(Clone)]
struct Token {
    header: HeaderValue,
    serial: u64,
}

/// Which token will do.
enum Want {
    /// One that has not lapsed.
    Usable,
    /// One that is not this one, which the vendor refused.
    Other(u64),
    /// One that was issued from now on.
    New,
}

#[derive(Default)]
struct State {
    /// The token, when it came, and when it lapses.
    token: Option<(Token, Instant, Instant)>,
    /// Tokens so far.
    serial: u64,
    /// When the vendor last gave none, in a way that asking again would not change, and why.
    refused: Option<(Instant, CallError)>,
}

/// The token that all calls of a client share.
#[derive(Default)]
pub(super) struct TokenCache {
    /// Locked while a token is asked for, so that those who need one meanwhile wait for it.
    state: Mutex<State>,
}

impl std::fmt::Debug for TokenCache {
    /// Never the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

impl TokenCache {
    /// Makes a call with the token in its `Authorization` header. Where the vendor answers that the token is bad (401, or 403
    /// that was read as [`ErrorKind::Credentials`]), the call is made once more with a fresh one, a paid call too: the vendor
    /// turned it away at the door, before it looked at the body. A second refusal is final.
    ///
    /// `fetch` asks for a token; nothing is asked unless the future is awaited.
    pub(super) async fn call<'a, T>(
        &self,
        http: &HttpClient,
        (stage, mut call): (&'static str, Call),
        deadline: Instant,
        fetch: impl Fn() -> BoxFuture<'a, Result<Fresh, CallError>>,
        read: impl Fn(&Reply) -> Result<T, ErrorKind>,
    ) -> Result<Answered<T>, VendorError> {
        let failed = |error| VendorError { stage: STAGE, error };
        let first = self.get(Want::Usable, deadline, fetch()).await.map_err(failed)?;
        call.headers.insert(AUTHORIZATION, first.header);
        let refusal = match http.call(&call, deadline, &read).await {
            Err(error) if is_about_the_token(&error) => error,
            other => return other.map_err(|error| VendorError { stage, error }),
        };
        let made = refusal.attempts;
        let counted = |error: CallError| CallError {
            sent: error.sent || refusal.sent,
            attempts: error.attempts.saturating_add(made),
            ..error
        };
        let second = self.get(Want::Other(first.serial), deadline, fetch()).await;
        let second = second.map_err(|error| failed(counted(error)))?;
        call.headers.insert(AUTHORIZATION, second.header);
        match http.call(&call, deadline, &read).await {
            Ok(answered) => Ok(Answered { attempts: answered.attempts.saturating_add(made), ..answered }),
            Err(error) => Err(VendorError { stage, error: counted(error) }),
        }
    }

    /// Sees whether the vendor gives a token now, whatever is at hand. It is kept, as any other.
    pub(super) async fn renew(
        &self,
        deadline: Instant,
        fetch: impl Future<Output = Result<Fresh, CallError>>,
    ) -> Result<(), CallError> {
        self.get(Want::New, deadline, fetch).await.map(drop)
    }

    async fn get(
        &self,
        want: Want,
        deadline: Instant,
        fetch: impl Future<Output = Result<Fresh, CallError>>,
    ) -> Result<Token, CallError> {
        let asked = Instant::now();
        let locked = timeout_at(deadline.into(), self.state.lock()).await;
        let mut state = locked.map_err(|_| CallError::new(ErrorKind::Timeout))?;
        if let Some((token, came, lapses)) = &state.token {
            // What came while we waited is as good as anything that we could ask for, even if it is said to have lapsed: a
            // clock that is wrong must not make every call ask.
            let usable = match want {
                Want::Usable => Instant::now() < *lapses || *came >= asked,
                Want::Other(serial) => token.serial != serial,
                Want::New => *came >= asked,
            };
            if usable {
                return Ok(token.clone());
            }
        }
        // So is a refusal: twenty calls with a wrong password are one request. Faults that may pass are not shared, since
        // they may be due to the other call's shorter deadline.
        if let Some((came, error)) = &state.refused
            && *came >= asked
        {
            return Err(error.clone());
        }
        // Of an error's counts, callers learn those of the paid call only, and a token is none.
        let unpaid = |error| CallError { sent: false, attempts: 0, ..error };
        let outcome = fetch.await.map_err(unpaid).and_then(|fresh| {
            let mut header = HeaderValue::from_str(&format!("Bearer {}", fresh.token.expose()))
                .map_err(|_| CallError::new(ErrorKind::Unreadable))?;
            header.set_sensitive(true);
            Ok((header, fresh.lasts))
        });
        let now = Instant::now();
        match outcome {
            Ok((header, lasts)) => {
                state.serial += 1;
                let token = Token { header, serial: state.serial };
                let lapses = now.checked_add(lasts).unwrap_or(now);
                state.token = Some((token.clone(), now, lapses));
                Ok(token)
            }
            Err(error) => {
                if !error.kind.may_retry() {
                    state.refused = Some((now, error.clone()));
                }
                Err(error)
            }
        }
    }
}

/// Whether another token may help. A 400 about the client's own id is not among them.
fn is_about_the_token(error: &CallError) -> bool {
    error.kind == ErrorKind::Credentials && matches!(error.status, Some(401 | 403))
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    /// Asks a vendor that takes a moment and numbers its tokens.
    async fn ask(asked: &AtomicU32, lasts: Duration) -> Result<Fresh, CallError> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let number = asked.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Fresh { token: Secret::new(format!("t{number}")), lasts })
    }

    async fn refuse(asked: &AtomicU32, kind: ErrorKind) -> Result<Fresh, CallError> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        asked.fetch_add(1, Ordering::SeqCst);
        Err(CallError::new(kind))
    }

    #[tokio::test]
    async fn a_token_is_used_until_it_lapses() {
        let (cache, asked) = (TokenCache::default(), AtomicU32::new(0));
        let hour = Duration::from_secs(3600);
        for _ in 0..3 {
            let token = cache.get(Want::Usable, soon(), ask(&asked, hour)).await.unwrap();
            assert_eq!(token.header, "Bearer t1");
            assert!(token.header.is_sensitive() && !format!("{cache:?}").contains("t1"));
        }
        let renewed = cache.get(Want::Other(1), soon(), ask(&asked, Duration::ZERO)).await.unwrap();
        assert_eq!(renewed.header, "Bearer t2");
        // Somebody who was refused with the first one finds the second; the second has lapsed for everybody else.
        let other = cache.get(Want::Other(1), soon(), ask(&asked, hour)).await.unwrap();
        assert_eq!(other.header, "Bearer t2");
        let next = cache.get(Want::Usable, soon(), ask(&asked, hour)).await.unwrap();
        assert_eq!(next.header, "Bearer t3");
        cache.renew(soon(), ask(&asked, hour)).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn those_who_wait_share_what_comes() {
        for lasts in [Duration::ZERO, Duration::from_secs(60)] {
            let (cache, asked) = (Arc::new(TokenCache::default()), Arc::new(AtomicU32::new(0)));
            let calls = (0..20).map(|_| cache.get(Want::Usable, soon(), ask(&asked, lasts)));
            for token in futures_util::future::join_all(calls).await {
                assert_eq!(token.unwrap().header, "Bearer t1");
            }
            assert_eq!(asked.load(Ordering::SeqCst), 1, "{lasts:?}");
        }
    }

    #[tokio::test]
    async fn a_refusal_is_shared_by_those_who_wait_and_by_nobody_later() {
        let (cache, asked) = (TokenCache::default(), AtomicU32::new(0));
        let calls = (0..20).map(|_| cache.get(Want::Usable, soon(), refuse(&asked, ErrorKind::Credentials)));
        for outcome in futures_util::future::join_all(calls).await {
            assert_eq!(outcome.map(drop).unwrap_err().kind, ErrorKind::Credentials);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        assert!(cache.get(Want::Usable, soon(), ask(&asked, Duration::ZERO)).await.is_ok());
    }

    #[tokio::test]
    async fn a_fault_that_may_pass_is_not_shared() {
        let (cache, asked) = (TokenCache::default(), AtomicU32::new(0));
        let (bad, good) = tokio::join!(
            cache.get(Want::Usable, soon(), refuse(&asked, ErrorKind::Timeout)),
            cache.get(Want::Usable, soon(), ask(&asked, Duration::ZERO)),
        );
        assert_eq!(bad.map(drop).unwrap_err().kind, ErrorKind::Timeout);
        assert!(good.is_ok());
    }

    #[tokio::test]
    async fn waiting_ends_at_the_deadline() {
        let cache = TokenCache::default();
        let _held = cache.state.lock().await;
        let deadline = Instant::now() + Duration::from_millis(30);
        let asked = AtomicU32::new(0);
        let outcome = cache.get(Want::Usable, deadline, ask(&asked, Duration::ZERO)).await;
        assert_eq!(outcome.map(drop).unwrap_err().kind, ErrorKind::Timeout);
    }

    #[tokio::test]
    async fn a_token_that_no_header_can_hold_is_unreadable() {
        let cache = TokenCache::default();
        let fetch = async { Ok(Fresh { token: Secret::new("a\nb"), lasts: Duration::ZERO }) };
        let outcome = cache.get(Want::Usable, soon(), fetch).await;
        assert_eq!(outcome.map(drop).unwrap_err().kind, ErrorKind::Unreadable);
    }
}
