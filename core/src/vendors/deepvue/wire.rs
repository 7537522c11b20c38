//! Deepvue's JSON as its pages have it. Values are kept as they came: what they must be is decided in `convert`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the liveness check takes. `image` is base64, or the address of a picture.
#[derive(Serialize)]
pub(super) struct Check<T> {
    /// The picture.
    pub(super) image: T,
}

/// The two envelopes of a reply in one: `detail` stands alone, the others together.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Answer {
    /// The HTTP status once more, which may not be the one that HTTP has.
    pub(super) code: Value,
    /// What came of it.
    pub(super) sub_code: Value,
    /// Deepvue's name for the transaction.
    pub(super) transaction_id: Value,
    /// An object with `is_live` and `score`, for `SUCCESS` only.
    pub(super) data: Value,
    /// What is wrong with the request: a text, or a list of faults.
    pub(super) detail: Value,
}

/// `/v1/authorize`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Authorized {
    /// The token.
    pub(super) access_token: Value,
    /// When it ends.
    pub(super) expiry: Value,
    /// What is wrong with the request.
    pub(super) detail: Value,
}
