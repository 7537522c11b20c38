//! Failed tries, counted at times that the tests say.

use super::*;

const WINDOW: Duration = Duration::from_secs(60);

fn tries(limit: u32, cap: u32) -> Tries {
    Tries::new(&AccessConfig {
        failed_tries: limit,
        failed_window_seconds: WINDOW.as_secs(),
        max_tracked: cap,
        ..AccessConfig::default()
    })
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn account(name: u8) -> Account {
    [name; 32]
}

#[test]
fn the_limit_holds_until_the_window_is_over() {
    let (tries, here, start) = (tries(3, 10), ip("192.0.2.1"), Instant::now());
    let reached: Vec<bool> = (0..3).map(|_| tries.failed(here, None, start)).collect();
    assert_eq!(reached, [false, false, true]);
    assert_eq!(tries.check(here, None, start), Err(WINDOW));
    assert_eq!(tries.check(here, None, start + WINDOW / 3), Err(WINDOW - WINDOW / 3));
    assert_eq!(tries.check(ip("192.0.2.2"), None, start), Ok(()), "another address is not held to it");
    assert_eq!(tries.check(here, None, start + WINDOW), Ok(()));
    // A new window, with all its tries.
    assert!(!tries.failed(here, None, start + WINDOW));
    assert_eq!(tries.check(here, None, start + WINDOW), Ok(()));
}

#[test]
fn an_address_is_its_network() {
    let table = [
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
    ];
    for (one, other, same) in table {
        let (tries, now) = (tries(1, 10), Instant::now());
        tries.failed(ip(one), None, now);
        assert_eq!(tries.check(ip(other), None, now).is_err(), same, "{one} {other}");
    }
}

#[test]
fn an_id_is_limited_from_everywhere_but_where_it_got_in_before() {
    let (tries, now) = (tries(3, 100), Instant::now());
    let (home, client) = (ip("192.0.2.1"), account(1));
    tries.succeeded(home, &client);
    for host in 1..=3 {
        tries.failed(ip(&format!("198.51.100.{host}")), Some(&client), now);
    }
    let stranger = ip("203.0.113.1");
    assert_eq!(tries.check(stranger, Some(&client), now), Err(WINDOW));
    assert_eq!(tries.check(stranger, Some(&account(2)), now), Ok(()), "another id");
    assert_eq!(tries.check(stranger, None, now), Ok(()), "a secret alone");
    assert_eq!(tries.check(home, Some(&client), now), Ok(()));
    // Its own failed tries count at home as everywhere.
    for _ in 0..3 {
        tries.failed(home, Some(&client), now);
    }
    assert_eq!(tries.check(home, Some(&client), now), Err(WINDOW));
}

#[test]
fn a_success_gives_no_further_tries() {
    let (tries, here, now) = (tries(2, 10), ip("192.0.2.1"), Instant::now());
    tries.failed(here, Some(&account(1)), now);
    tries.succeeded(here, &account(2));
    tries.failed(here, Some(&account(1)), now);
    assert_eq!(tries.check(here, Some(&account(2)), now), Err(WINDOW));
}

#[test]
fn without_a_limit_nothing_is_counted() {
    let (tries, here, now) = (tries(0, 10), ip("192.0.2.1"), Instant::now());
    for _ in 0..100 {
        assert!(!tries.failed(here, Some(&account(1)), now));
        tries.succeeded(here, &account(1));
    }
    assert_eq!(tries.check(here, Some(&account(1)), now), Ok(()));
    let counts = tries.counts();
    assert_eq!((counts.peers.order.len(), counts.known.order.len()), (0, 0));
}

#[test]
fn what_is_tracked_is_bounded_and_the_oldest_go() {
    let (tries, start) = (tries(1, 8), Instant::now());
    for host in 0..=255_u8 {
        let peer = IpAddr::from([10, 0, 0, host]);
        tries.failed(peer, Some(&account(host)), start + Duration::from_millis(host.into()));
        tries.succeeded(peer, &account(host));
    }
    let now = start + Duration::from_secs(1);
    for host in 0..=255_u8 {
        let limited = tries.check(IpAddr::from([10, 0, 0, host]), None, now).is_err();
        assert_eq!(limited, host > 247, "{host}");
    }
    let counts = tries.counts();
    let sizes = [
        counts.peers.by_key.len(),
        counts.peers.order.len(),
        counts.accounts.by_key.len(),
        counts.accounts.order.len(),
        counts.known.pairs.len(),
        counts.known.order.len(),
    ];
    assert_eq!(sizes, [8; 6]);
    drop(counts);
    // Windows that are over take no memory either.
    assert_eq!(tries.check(ip("192.0.2.1"), None, now + WINDOW), Ok(()));
    let counts = tries.counts();
    assert_eq!((counts.peers.by_key.len(), counts.accounts.order.len()), (0, 0));
}
