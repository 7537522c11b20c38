//! Sessions in memory: created, used once, ended, remembered for a while, forgotten. A restart forgets them all.
//!
//! The store never looks at a clock; every call says what time it is. Its memory is bounded by the cap on sessions and
//! by the sizes that the caller validates (a policy name, a reference, a verdict).

mod clock;
mod config;
mod memo;
mod store;
mod token;

pub use clock::Clock;
pub use config::SessionsConfig;
pub use memo::{ContentHash, Memo, MemoError, content_hash};
pub use store::{CreateError, Created, NewSession, OpenError, Opened, State, Store, StoreFull, View};
pub use token::{NONCE_BYTES, Token};
