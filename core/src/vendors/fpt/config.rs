//! FPT.AI's settings and where their defaults come from.
//!
//! "Documented" is what the vendor's pages state; "sample" is seen in its examples only; "inferred" and "undocumented" are why
//! a thing is a setting at all; "ours" is a choice of this project.

use std::path::PathBuf;

use ::http::HeaderName;
use serde::{Deserialize, Serialize};

use crate::{
    http::{HttpConfig, RetryConfig, Secret},
    vendors::{ConnectError, MediaLimits},
    video::Container,
};

/// Headers that say how the request itself is to be read, and that the line sets.
const TAKEN: [&str; 6] = ["connection", "content-length", "content-type", "host", "te", "transfer-encoding"];

/// The table `[vendors.fpt]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FptConfig {
    /// Where FPT.AI is. Documented.
    pub base_url: String,
    /// The path that takes videos. Documented; a newer page has the same service at `/vision/ekyc/liveness`. Either form of reply
    /// is read from either.
    pub path: String,
    /// The key. Documented.
    pub api_key: Option<Secret>,
    /// A file that holds it.
    pub api_key_file: Option<PathBuf>,
    /// The header that holds the key. Every sample has `api-key`, and the table on the same page `api_key`: the samples are
    /// taken to be right (inferred).
    pub api_key_header: String,
    /// Whether the form asks for faces that something covers to be refused, in the field `detect_mask`. Documented for the
    /// service's second version only, and its value is undocumented: `true` is sent. Off.
    pub detect_mask: bool,
    /// Whether the reference image is sent beside the video, to be compared with its face. Documented.
    pub send_reference: bool,
    /// Bytes of a reference image; a larger one is not sent, and the faces are not compared. Documented as 5 MB, read as five
    /// million bytes: the smaller of the two readings, which is right in both.
    pub max_reference_bytes: u64,
    /// What a call costs, millionths of the operator's currency. Prices are agreed on with the vendor: 0 until set.
    pub price_micros: u64,
    /// What videos are sent. Documented: 10 MB (read as ten million bytes, as above), 5 to 10 seconds, 800x600 at least. A newer
    /// page has 5 to 6 seconds and 720p. The containers are those that a sample of a refusal lists.
    pub media: MediaLimits,
    /// The line. An upload that was answered 429 is sent again: it was turned away before it was looked at (inferred, as is that
    /// FPT.AI answers so). Whether one that was answered with a fault is billed is undocumented, so no other is.
    pub http: HttpConfig,
}

impl Default for FptConfig {
    fn default() -> Self {
        Self {
            base_url: "https://api.fpt.ai".to_owned(),
            path: "/dmp/liveness/v3".to_owned(),
            api_key: None,
            api_key_file: None,
            api_key_header: "api-key".to_owned(),
            detect_mask: false,
            send_reference: true,
            max_reference_bytes: 5_000_000,
            price_micros: 0,
            media: MediaLimits {
                max_video_bytes: Some(10_000_000),
                video_containers: Some(Container::ALL.map(|container| container.name().to_owned()).to_vec()),
                min_video_ms: Some(5_000),
                max_video_ms: Some(10_000),
                min_short_side: Some(600),
                min_long_side: Some(800),
                ..MediaLimits::default()
            },
            http: HttpConfig {
                retry: RetryConfig { paid_statuses: vec![429], ..RetryConfig::default() },
                ..HttpConfig::default()
            },
        }
    }
}

impl FptConfig {
    /// The header that holds the key.
    pub(super) fn header(&self) -> Result<HeaderName, ConnectError> {
        let name = HeaderName::from_bytes(self.api_key_header.as_bytes()).ok();
        let free = name.filter(|name| !TAKEN.contains(&name.as_str()));
        free.ok_or_else(|| ConnectError::Setting("api_key_header: is no header that could hold a key".to_owned()))
    }
}
