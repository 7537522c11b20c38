//! Sessions while their streams are open, and what their tokens and requests are. What lasts is in the store.

mod clock;
mod config;
mod content;
mod live;
mod token;

pub use clock::Clock;
pub use config::SessionsConfig;
pub use content::{Content, ContentHash, content_hash};
pub use live::{Live, Place};
pub(crate) use token::TokenHash;
pub use token::{NONCE_BYTES, Token};
