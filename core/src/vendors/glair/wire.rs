//! GLAIR's JSON as its page has it. Values are kept as they came: what they must be is decided in `convert`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::vendors::base64::Base64;

/// What the check of frames takes.
#[derive(Serialize)]
pub(super) struct Frames<'a> {
    /// The pictures.
    pub(super) frames: Vec<Base64<'a>>,
}

/// A reply of either check.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Answer {
    /// Whether the media could be read.
    pub(super) status: Value,
    /// The same for people.
    pub(super) reason: Value,
    /// An object with `deepfake`, which is one with `value` and `confidence`; for `SUCCESS` only.
    pub(super) read: Value,
}
