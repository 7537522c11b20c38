//! Listeners: connections as they are accepted, plain or over TLS with certificates that are replaced while the server runs, who is at
//! their other end, the loop that serves HTTP on them, and the rule on what may be reachable from elsewhere.

mod config;
mod conn;
mod error;
mod exposure;
mod http;
mod listener;
mod peer;
mod reload;
mod tls;

pub use config::TlsConfig;
pub use conn::Conn;
pub use error::{TlsError, TlsFault};
pub use exposure::{Exposed, check};
pub use http::{HttpOptions, serve_http};
pub use listener::incoming;
pub use peer::PeerInfo;
pub use reload::{Checked, Reloading};

/// HTTP/2, as ALPN has it (RFC 7540, 3.1).
pub const ALPN_H2: &[u8] = b"h2";

/// HTTP/1.1, as ALPN has it (RFC 7301, 6).
pub const ALPN_HTTP1: &[u8] = b"http/1.1";
