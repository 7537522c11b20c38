//! The limit on failed tries, in memory: after so many wrong credentials from one address, or for one client's id, none is looked at until the
//! window is over.
//!
//! Secrets are beyond guessing; the limit keeps what is not (a client's mistake in a loop, somebody with a list of leaked secrets) from
//! costing a look-up each. A success is not counted, neither for nor against: whoever has one good secret gets no further tries
//! for others by showing it. Calls that are looked at at the same time may fail together beyond the limit, by as many as the server
//! takes at a time.
//!
//! A limit for an id alone would let anybody lock a client out by its id, from anywhere. So where a client has got in before, that address is held
//! to its own limit only.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::Hash,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::config::AccessConfig;

/// The hash of a client's id as it was sent: whether there is such a client or not, the same is kept of it.
pub(super) type Account = [u8; 32];

/// Counts failed tries.
#[derive(Debug)]
pub(super) struct Tries {
    limit: u32,
    window: Duration,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    peers: Windows<Network>,
    accounts: Windows<Account>,
    known: Known,
}

impl Tries {
    pub(super) fn new(config: &AccessConfig) -> Self {
        let cap = usize::try_from(config.max_tracked).unwrap_or(usize::MAX);
        let counts = Counts { peers: Windows::new(cap), accounts: Windows::new(cap), known: Known::new(cap) };
        Self { limit: config.failed_tries, window: config.failed_window(), counts: Mutex::new(counts) }
    }

    /// Whether a credential is looked at; the time until one is, where it is not.
    pub(super) fn check(&self, peer: IpAddr, account: Option<&Account>, now: Instant) -> Result<(), Duration> {
        let network = Network::of(peer);
        let mut counts = self.counts();
        counts.forget(self.window, now);
        let mut wait = self.wait(counts.peers.get(&network), now);
        if let Some(account) = account.filter(|account| !counts.known.has(network, **account)) {
            wait = wait.max(self.wait(counts.accounts.get(account), now));
        }
        wait.map_or(Ok(()), Err)
    }

    /// Counts a failed try; whether it was the one that reached a limit.
    pub(super) fn failed(&self, peer: IpAddr, account: Option<&Account>, now: Instant) -> bool {
        if self.limit == 0 {
            return false;
        }
        let network = Network::of(peer);
        let mut counts = self.counts();
        counts.forget(self.window, now);
        let mut reached = counts.peers.count(network, now) == self.limit;
        if let Some(account) = account.filter(|account| !counts.known.has(network, **account)) {
            reached |= counts.accounts.count(*account, now) == self.limit;
        }
        reached
    }

    /// Remembers that a client got in from there.
    pub(super) fn succeeded(&self, peer: IpAddr, account: &Account) {
        if self.limit > 0 {
            self.counts().known.add(Network::of(peer), *account);
        }
    }

    fn wait(&self, window: Option<&Window>, now: Instant) -> Option<Duration> {
        let window = window.filter(|window| self.limit > 0 && window.failed >= self.limit)?;
        Some(self.window.saturating_sub(now.saturating_duration_since(window.start)))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Counts are whole at every moment, so a panic elsewhere leaves nothing half done.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn forget(&mut self, window: Duration, now: Instant) {
        self.peers.forget(window, now);
        self.accounts.forget(window, now);
    }
}

/// An address as it is counted: IPv4 as it is, also where it came in IPv6's form, and of IPv6 the first 64 bits, since whoever has one such address
/// has them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Network(IpAddr);

impl Network {
    fn of(peer: IpAddr) -> Self {
        match peer.to_canonical() {
            IpAddr::V4(address) => Self(address.into()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self(std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
        }
    }
}

#[derive(Debug)]
struct Window {
    start: Instant,
    failed: u32,
}

/// Windows by key; each begins with the first failed try. No more than `cap`: the oldest goes.
#[derive(Debug)]
struct Windows<K> {
    cap: usize,
    by_key: HashMap<K, Window>,
    /// Every key once, in the order in which its window began.
    order: VecDeque<K>,
}

impl<K: Copy + Eq + Hash> Windows<K> {
    fn new(cap: usize) -> Self {
        Self { cap, by_key: HashMap::new(), order: VecDeque::new() }
    }

    fn get(&self, key: &K) -> Option<&Window> {
        self.by_key.get(key)
    }

    /// Drops the windows that are over.
    fn forget(&mut self, length: Duration, now: Instant) {
        while let Some(oldest) = self.order.front() {
            let over = |window: &Window| now.saturating_duration_since(window.start) >= length;
            if !self.by_key.get(oldest).is_none_or(over) {
                return;
            }
            self.by_key.remove(oldest);
            self.order.pop_front();
        }
    }

    /// Counts a failed try, and says how many there are.
    fn count(&mut self, key: K, now: Instant) -> u32 {
        if let Some(window) = self.by_key.get_mut(&key) {
            window.failed = window.failed.saturating_add(1);
            return window.failed;
        }
        if self.order.len() >= self.cap
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_key.remove(&oldest);
        }
        self.by_key.insert(key, Window { start: now, failed: 1 });
        self.order.push_back(key);
        1
    }
}

/// From where which client got in before.
#[derive(Debug)]
struct Known {
    cap: usize,
    pairs: HashSet<(Network, Account)>,
    order: VecDeque<(Network, Account)>,
}

impl Known {
    fn new(cap: usize) -> Self {
        Self { cap, pairs: HashSet::new(), order: VecDeque::new() }
    }

    fn has(&self, network: Network, account: Account) -> bool {
        self.pairs.contains(&(network, account))
    }

    fn add(&mut self, network: Network, account: Account) {
        if !self.pairs.insert((network, account)) {
            return;
        }
        self.order.push_back((network, account));
        if self.order.len() > self.cap
            && let Some(oldest) = self.order.pop_front()
        {
            self.pairs.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests;
