//! GLAIR's settings and where their defaults come from.
//!
//! "Documented" is what the vendor's page states; "sample" is seen in its examples only; "inferred" and "undocumented" are why
//! a thing is a setting at all; "ours" is a choice of this project.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    http::{HttpConfig, RetryConfig, Secret},
    vendors::MediaLimits,
    video::Container,
};

/// Six megabytes as the page says, read as six million bytes: the smaller of the two readings, which is right in both. Ours.
const SIX_MEGABYTES: u64 = 6_000_000;

/// The table `[vendors.glair]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GlairConfig {
    /// Where GLAIR is. Documented.
    pub base_url: String,
    /// The path that takes videos. Documented.
    pub video_path: String,
    /// The path that takes frames. Documented.
    pub frames_path: String,
    /// The user of Basic authentication; holds no colon (RFC 7617, section 2). Documented.
    pub username: Option<Secret>,
    /// A file that holds it.
    pub username_file: Option<PathBuf>,
    /// The user's password. Documented.
    pub password: Option<Secret>,
    /// A file that holds it.
    pub password_file: Option<PathBuf>,
    /// The key in `x-api-key`. Documented.
    pub api_key: Option<Secret>,
    /// A file that holds it.
    pub api_key_file: Option<PathBuf>,
    /// Whether each request is named in the header `x-request-id`, so that GLAIR's record of it can be found by the name in ours.
    /// That the header is taken is documented.
    pub send_request_id: bool,
    /// What a call costs, millionths of the operator's currency. Prices are agreed on with the vendor: 0 until set.
    pub price_micros: u64,
    /// What media are sent. Documented: MP4 alone, 6 MB of a video, 6 MB of frames in total. Whether that is before or after
    /// base64 is undocumented, so the body as sent is kept within it. How many frames is undocumented: 16 is ours, some four a
    /// second of a short presentation.
    pub media: MediaLimits,
    /// The line. Documented: 429 is to be answered with exponential backoff, so an upload that got it is sent again. Whether one
    /// that was answered with a fault is billed is undocumented, so no other is.
    pub http: HttpConfig,
}

impl Default for GlairConfig {
    fn default() -> Self {
        Self {
            base_url: "https://api.vision.glair.ai".to_owned(),
            video_path: "/face/v1/deepfake".to_owned(),
            frames_path: "/face/v1/deepfake/images".to_owned(),
            username: None,
            username_file: None,
            password: None,
            password_file: None,
            api_key: None,
            api_key_file: None,
            send_request_id: true,
            price_micros: 0,
            media: MediaLimits {
                max_video_bytes: Some(SIX_MEGABYTES),
                video_containers: Some(vec![Container::Mp4.name().to_owned()]),
                max_frames: Some(16),
                max_frames_body_bytes: Some(SIX_MEGABYTES),
                ..MediaLimits::default()
            },
            http: HttpConfig {
                retry: RetryConfig { paid_statuses: vec![429], ..RetryConfig::default() },
                ..HttpConfig::default()
            },
        }
    }
}
