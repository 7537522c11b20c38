//! What may be reachable from other machines: a listener with TLS and with callers told apart, or one of which it was said that it
//! needs neither.

use std::net::SocketAddr;

/// A listener would be reachable from elsewhere without protection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{what}: {addr} is reachable from other machines {}: {}; or, behind a proxy that sees to it, say `{what}.insecure = true` (--insecure)",
    lacks(*.tls, *.access),
    remedies(what, *.tls, *.access)
)]
pub struct Exposed {
    /// The listener: `grpc` or `http`.
    pub what: String,
    /// Where it would listen.
    pub addr: SocketAddr,
    /// Whether it has TLS.
    pub tls: bool,
    /// Whether callers are told apart.
    pub access: bool,
}

/// Whether a listener may be opened: on a loopback address, or with TLS and with callers told apart (`access`), or where `insecure` was
/// said. In the last case it returns what the log must say at every start. `what` is the section of its settings: `grpc` or `http`.
///
/// # Errors
/// [`Exposed`] says what is missing and how to set it.
pub fn check(addr: SocketAddr, tls: bool, access: bool, insecure: bool, what: &str) -> Result<Option<String>, Exposed> {
    // A dual-stack socket has IPv4 addresses in IPv6 form.
    if addr.ip().to_canonical().is_loopback() || (tls && access) {
        return Ok(None);
    }
    if !insecure {
        return Err(Exposed { what: what.to_owned(), addr, tls, access });
    }
    let travels = if tls { "" } else { "; secrets and faces travel in clear" };
    let anybody = if access { "" } else { "; anybody who can connect can call" };
    Ok(Some(format!(
        "{what}: INSECURE: {addr} is reachable from other machines {}{travels}{anybody}",
        lacks(tls, access).to_uppercase()
    )))
}

const fn lacks(tls: bool, access: bool) -> &'static str {
    match (tls, access) {
        (false, false) => "without TLS and without authentication",
        (false, true) => "without TLS",
        (true, false) => "without authentication",
        (true, true) => "with TLS and authentication",
    }
}

fn remedies(what: &str, tls: bool, access: bool) -> String {
    let certificate = format!("set `certificate` and `key` in [{what}.tls]");
    let clients = "require callers to have credentials (`lifesign clients add`)";
    match (tls, access) {
        (false, false) => format!("{certificate} and {clients}"),
        (false, true) => certificate,
        (true, false) => clients.to_owned(),
        (true, true) => "nothing is missing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_may_do_without() {
        for addr in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            for insecure in [false, true] {
                assert_eq!(check(addr.parse().unwrap(), false, false, insecure, "grpc"), Ok(None), "{addr}");
            }
        }
    }

    #[test]
    fn beyond_it_both_are_needed_or_it_is_said_at_every_start() {
        for addr in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "10.0.0.1:1", "[fe80::1]:1", "[::ffff:10.0.0.1]:1"] {
            let addr: SocketAddr = addr.parse().unwrap();
            for (tls, access) in [(false, false), (false, true), (true, false)] {
                let exposed = check(addr, tls, access, false, "http").unwrap_err().to_string();
                let warning = check(addr, tls, access, true, "http").unwrap().expect("a warning");
                assert!(exposed.contains("`http.insecure = true` (--insecure)"), "{exposed}");
                assert_eq!(exposed.contains("[http.tls]"), !tls, "{exposed}");
                assert_eq!(exposed.contains("clients add"), !access, "{exposed}");
                assert_eq!(warning.contains("WITHOUT TLS"), !tls, "{warning}");
                assert_eq!(warning.contains("WITHOUT AUTHENTICATION"), !access, "{warning}");
                assert_eq!((warning.contains("in clear"), warning.contains("anybody")), (!tls, !access), "{warning}");
            }
            for insecure in [false, true] {
                assert_eq!(check(addr, true, true, insecure, "http"), Ok(None), "{addr}");
            }
        }
    }
}
