//! FACIA's JSON as its pages have it. Values are kept as they came: what they must be is decided in `convert`.

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::vendors::base64::Base64;

/// What `/liveness` takes, in the page's order.
#[derive(Serialize)]
pub(super) struct Upload<'a> {
    /// `liveness`.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// The picture or video.
    pub(super) file: Base64<'a>,
    /// 1.
    pub(super) detect_deepfake: u8,
    /// 1.
    pub(super) offsite_liveness: u8,
    /// `video` for MP4, nothing otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_type: Option<&'static str>,
    /// 5 to 255 characters of the caller's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_reference: Option<&'a str>,
}

/// What `/result` takes.
#[derive(Serialize)]
pub(super) struct Question<'a> {
    /// What `/liveness` gave.
    pub(super) reference_id: &'a str,
}

/// What every reply is wrapped in.
#[derive(Deserialize)]
#[serde(bound = "D: DeserializeOwned")]
pub(super) struct Envelope<D> {
    /// `true`; `false` where the request went wrong.
    #[serde(default)]
    pub(super) status: Value,
    #[serde(default = "none", deserialize_with = "lenient")]
    result: Option<Wrapped<D>>,
}

#[derive(Deserialize)]
#[serde(bound = "D: DeserializeOwned")]
struct Wrapped<D> {
    #[serde(default = "none", deserialize_with = "lenient")]
    data: Option<D>,
}

impl<D> Envelope<D> {
    /// The data, where there are any.
    pub(super) fn data(self) -> Option<D> {
        self.result.and_then(|result| result.data)
    }
}

/// `/request-access-token`.
#[derive(Deserialize)]
pub(super) struct Token {
    /// The token.
    #[serde(default)]
    pub(super) token: Value,
}

/// `/liveness`.
#[derive(Deserialize)]
pub(super) struct Created {
    /// The transaction's name.
    #[serde(default)]
    pub(super) reference_id: Value,
}

/// `/result`.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Outcome {
    /// The transaction's name.
    pub(super) reference_id: Value,
    /// 1 passed, 0 failed.
    pub(super) status: Value,
    /// Called the probability of a deepfake; see `convert`.
    pub(super) deepfake_score: Value,
    /// FADR and two digits.
    pub(super) decline_code: Value,
    /// The same in words.
    pub(super) decline_reason: Value,
    /// The address of the picture that was declined.
    pub(super) declined_proof: Value,
}

fn none<T>() -> Option<T> {
    None
}

/// Reads an object as what it should be, and anything else, as the empty list that stands for an empty object, as nothing.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        // Serde would read a list as the fields in their order.
        value @ Value::Object(_) => serde_json::from_value(value).ok(),
        _ => None,
    })
}
