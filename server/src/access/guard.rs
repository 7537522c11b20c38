//! The guard: credentials become callers by what is in the store, with a limit on failed tries, and callers have their checks counted.
//!
//! Whatever is wrong with a credential, the same is done: one look-up by its hash, one comparison of whole hashes, one answer. Nothing is looked up by
//! a client's id, so nothing shows whether there is such a client. Nothing is cached: what was revoked opens nothing from the next call
//! on, on every server.

use std::{
    fmt,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ring::hmac;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::{
    AccessConfig, Caller, Credentials, Denied, Forbidden, Issued, Scheme, identity,
    jwt::{self, Claims},
    secrets::fingerprint,
    tries::{Account, Tries},
};
use crate::store::{
    Store, StoreError, Window,
    clients::{ClientRow, SecretRow},
};

/// Names of one certificate that are looked up: more than any has that a client is to come by.
const MAX_IDENTITIES: usize = 64;

/// What the key of access tokens is for.
const PURPOSE: &str = "access token";

/// How long access tokens work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenLifetimes {
    /// FACIA's.
    pub facia: Duration,
    /// Deepvue's.
    pub deepvue: Duration,
}

impl TokenLifetimes {
    const fn of(self, scheme: Scheme) -> Duration {
        match scheme {
            Scheme::Facia => self.facia,
            Scheme::Deepvue => self.deepvue,
        }
    }
}

/// A moment on both clocks: secrets and tokens end at a time of day, which every server must see alike; failed tries are counted by a clock that
/// nobody sets.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The time of day.
    pub wall: SystemTime,
    /// The time since something.
    pub steady: Instant,
}

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self { wall: SystemTime::now(), steady: Instant::now() }
    }
}

/// Says what time it is.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// Lets callers in.
pub struct Guard {
    store: Store,
    required: bool,
    lifetimes: TokenLifetimes,
    tries: Tries,
    key: hmac::Key,
    clock: Clock,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("required", &self.required).finish_non_exhaustive()
    }
}

/// What came of a credential.
enum Looked {
    /// It is good.
    In(Caller),
    /// It is not.
    Out,
    /// It is a token of ours that is past its time, as everybody who has it can read in it. Clients find out by using it, often in many calls at
    /// once, and must be able to get the next.
    Stale,
}

impl Guard {
    /// A guard of this store. `required`: whether callers must say who they are; see [`AccessConfig::is_required`].
    pub fn new(store: Store, config: &AccessConfig, required: bool, lifetimes: TokenLifetimes) -> Self {
        let key = store.keys().signing(PURPOSE);
        Self { store, required, lifetimes, tries: Tries::new(config), key, clock: Arc::new(Moment::now) }
    }

    /// The same with another clock, for tests.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// A client certificate's names: `dns:NAME`, `uri:URI`, and `sha256:HEX` of the certificate itself. That it was issued by an authority that is
    /// trusted, and is held by who shows it, is the listener's to find out. Names of several clients let nobody in.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn identity(&self, peer: IpAddr, identities: &[String]) -> Result<Caller, Denied> {
        if !self.required {
            return Ok(Caller::anybody());
        }
        let now = self.look(peer, None)?;
        let mut found: Option<ClientRow> = None;
        let mut sole = identities.len() <= MAX_IDENTITIES;
        for name in identities.iter().take(MAX_IDENTITIES).filter_map(|name| identity(name)) {
            if let Some(client) = self.store.find_by_identity(&name).await? {
                sole &= found.as_ref().is_none_or(|before| before.id == client.id);
                found = Some(client);
            }
        }
        let client = found.filter(|client| sole && client.revoked.is_none());
        self.conclude(peer, None, now, client.map_or(Looked::Out, |client| Looked::In(caller(client, None))))
    }

    /// Counts a check of a caller under this policy (its name, also where the call named none and the default one is meant).
    ///
    /// # Errors
    /// [`Forbidden`]; then nothing was counted.
    pub async fn spend(&self, caller: &Caller, policy: &str, now: SystemTime) -> Result<(), Forbidden> {
        if !caller.may_use(policy) {
            return Err(Forbidden::Policy);
        }
        match self.store.spend(&caller.client, caller.per_minute, caller.per_day, now).await? {
            None => Ok(()),
            Some(window) => {
                let limit = match window {
                    Window::Minute => caller.per_minute,
                    Window::Day => caller.per_day,
                };
                Err(Forbidden::Quota { window: window.name(), limit, retry_after: window.rest(now) })
            }
        }
    }

    /// Whether a credential from there is looked at, and when.
    fn look(&self, peer: IpAddr, account: Option<&Account>) -> Result<Moment, Denied> {
        let now = (self.clock)();
        match self.tries.check(peer, account, now.steady) {
            Ok(()) => Ok(now),
            Err(retry_after) => Err(Denied::TooManyTries { retry_after }),
        }
    }

    /// The client whose secret this is, where both are good.
    async fn find(&self, secret: &str, now: Moment) -> Result<Option<(ClientRow, SecretRow)>, StoreError> {
        let hash = fingerprint(secret);
        let found = self.store.find_by_secret(&hash).await?;
        // The look-up is by hash: how long it takes says nothing of the secret behind another hash. The comparison says the same of the
        // database, whose idea of equal bytes is its own.
        Ok(found.filter(|(client, secret)| {
            bool::from(secret.hash.ct_eq(&hash)) & client.revoked.is_none() & secret.works(now.wall)
        }))
    }

    fn conclude(&self, peer: IpAddr, account: Option<&Account>, now: Moment, looked: Looked) -> Result<Caller, Denied> {
        match looked {
            Looked::In(caller) => {
                if let Some(account) = account {
                    self.tries.succeeded(peer, account);
                }
                Ok(caller)
            }
            Looked::Stale => Err(Denied::Refused),
            Looked::Out => {
                if self.tries.failed(peer, account, now.steady) {
                    tracing::warn!(
                        "too many failed credentials: no more are looked at for a while from one address, or for one client"
                    );
                }
                Err(Denied::Refused)
            }
        }
    }

    fn claims(&self, client: &str, scheme: Scheme, now: SystemTime, expires: SystemTime) -> Claims {
        Claims {
            sub: client.to_owned(),
            iat: seconds(now),
            exp: seconds(expires),
            jti: Uuid::new_v4().to_string(),
            aud: scheme.name().to_owned(),
        }
    }
}

#[tonic::async_trait]
impl Credentials for Guard {
    async fn secret(&self, peer: IpAddr, secret: &str) -> Result<Caller, Denied> {
        if !self.required {
            return Ok(Caller::anybody());
        }
        let now = self.look(peer, None)?;
        let found = self.find(secret, now).await?;
        let looked = found.map_or(Looked::Out, |(client, secret)| Looked::In(caller(client, Some(secret.hash))));
        self.conclude(peer, None, now, looked)
    }

    async fn pair(&self, peer: IpAddr, id: &str, secret: &str) -> Result<Caller, Denied> {
        if !self.required {
            return Ok(Caller::anybody());
        }
        let account = fingerprint(id);
        let now = self.look(peer, Some(&account))?;
        let found = self.find(secret, now).await?;
        // The hash is of the beginning of a long id, and no client has a long one.
        let found = found.filter(|(client, _)| fingerprint(&client.id).ct_eq(&account).into());
        let looked = found.map_or(Looked::Out, |(client, secret)| Looked::In(caller(client, Some(secret.hash))));
        self.conclude(peer, Some(&account), now, looked)
    }

    async fn issue(&self, caller: &Caller, scheme: Scheme) -> Result<Issued, Denied> {
        let now = (self.clock)().wall;
        let mut expires = now + self.lifetimes.of(scheme);
        // Where callers are not told apart, clients that ask for a token first get one all the same.
        let secret = if self.required {
            // Who came by a token or a certificate has no secret, and so gets no token that would outlive what it came by.
            let hash = caller.secret.ok_or(Denied::Refused)?;
            let found = self.store.find_by_secret(&hash).await?;
            let works = |(client, secret): &(ClientRow, SecretRow)| {
                client.revoked.is_none() && client.id == caller.client && secret.works(now)
            };
            let (_, secret) = found.filter(works).ok_or(Denied::Refused)?;
            expires = secret.expires.map_or(expires, |end| end.min(expires));
            Some(secret)
        } else {
            None
        };
        let claims = self.claims(&caller.client, scheme, now, expires);
        // What is said in it and what is kept of it are the same second.
        let expires = UNIX_EPOCH + Duration::from_secs(claims.exp);
        let unreadable = |_| StoreError::Unreadable("the id of a client");
        let token = jwt::sign(&self.key, &claims).map_err(unreadable)?;
        if let Some(secret) = secret {
            self.store.add_token(&fingerprint(&token), &secret, scheme, expires).await?;
        }
        Ok(Issued { token, expires })
    }

    async fn token(&self, peer: IpAddr, scheme: Scheme, token: &str) -> Result<Caller, Denied> {
        if !self.required {
            return Ok(Caller::anybody());
        }
        let now = self.look(peer, None)?;
        let hash = fingerprint(token);
        let claims = jwt::verify(&self.key, token).filter(|claims| claims.aud == scheme.name());
        let row = self.store.find_token(&hash, scheme).await?;
        let row = row.filter(|row| bool::from(row.hash.ct_eq(&hash)) & row.works(now.wall));
        let looked = match (claims, row) {
            (Some(claims), _) if claims.exp <= seconds(now.wall) => Looked::Stale,
            (Some(claims), Some(row)) if claims.sub == row.client.id => Looked::In(caller(row.client, None)),
            (_, _) => Looked::Out,
        };
        self.conclude(peer, None, now, looked)
    }

    fn required(&self) -> bool {
        self.required
    }
}

fn caller(client: ClientRow, secret: Option<[u8; 32]>) -> Caller {
    let ClientRow { id, policies, per_minute, per_day, .. } = client;
    Caller { client: id, policies, per_minute, per_day, secret }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
