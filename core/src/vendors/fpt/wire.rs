//! FPT.AI's JSON as its two pages have it, the flat form and the nested one. Values are kept as they came: what they must be is
//! decided in `form` and `convert`.

use serde::Deserialize;
use serde_json::Value;

/// A reply. In the nested form what is about liveness and deepfakes is inside `liveness`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Answer {
    /// What came of the request: a text of three digits.
    pub(super) code: Value,
    /// Whether the face is live.
    pub(super) is_live: Value,
    /// The probability of an attack, 0..=1.
    pub(super) prob: Value,
    /// Whether a person should look.
    pub(super) need_to_review: Value,
    /// Whether it is a deepfake; missing where that was not looked at.
    pub(super) is_deepfake: Value,
    /// The probability of a deepfake, 0..=1.
    pub(super) deepfake_prob: Value,
    /// [`Liveness`], in the nested form.
    pub(super) liveness: Value,
    /// [`FaceMatch`], in both forms.
    pub(super) face_match: Value,
    /// Why faces could not be compared: an object with `code` and `data`, which may be empty. In the flat form.
    pub(super) face_match_error: Value,
}

/// What the nested form says about liveness and deepfakes.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Liveness {
    /// As in [`Answer`].
    pub(super) code: Value,
    /// As in [`Answer`].
    pub(super) is_live: Value,
    /// What the flat form calls `prob`.
    pub(super) spoof_prob: Value,
    /// As in [`Answer`].
    pub(super) need_to_review: Value,
    /// As in [`Answer`].
    pub(super) is_deepfake: Value,
    /// As in [`Answer`].
    pub(super) deepfake_prob: Value,
}

/// The comparison with the image that was sent beside the video.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct FaceMatch {
    /// What came of it, in the nested form.
    pub(super) code: Value,
    /// Whether the faces are one person's.
    #[serde(rename = "isMatch")]
    pub(super) is_match: Value,
    /// How alike they are, 0..=100.
    pub(super) similarity: Value,
}
