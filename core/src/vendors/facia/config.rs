//! FACIA's settings and where their defaults come from.
//!
//! "Documented" is what the vendor's pages state; "sample" is seen in its examples only; "inferred" and "undocumented" are why
//! a thing is a setting at all; "ours" is a choice of this project.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    http::{HttpConfig, RetryConfig, Secret},
    vendors::{ConnectError, MediaLimits, settings::within},
    video::Container,
};

/// How FACIA knows who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// An access token, asked for with the client's id and secret, or with an e-mail address and a password. Documented.
    #[default]
    Token,
    /// The client's secret as it is, in the header `client-secret`. In a sample of the vendor's older pages; the liveness page
    /// names the key without showing the header.
    ClientSecretHeader,
    /// An access token that the operator got and replaces, in `token`.
    Bearer,
}

/// How media travel. Documented: base64 inside JSON, or a file inside a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// JSON with base64.
    #[default]
    Json,
    /// A multipart form with the file as it is: a quarter less to send.
    Multipart,
}

/// How base64 is written into JSON. The page says base64 in one place and "base64:path" in another, and programs that others
/// published send both forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileForm {
    /// The encoded bytes alone.
    #[default]
    Plain,
    /// A data URL: `data:image/jpeg;base64,` before them.
    DataUrl,
}

/// When the result is asked for. How long FACIA takes is undocumented; all numbers are ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PollConfig {
    /// From the upload to the first question, milliseconds, 0..=60000.
    pub first_wait_ms: u64,
    /// From the first question to the second, milliseconds, 10..=60000; doubled each time.
    pub base_ms: u64,
    /// The longest wait, milliseconds, `base_ms`..=60000.
    pub max_ms: u64,
    /// HTTP statuses of `/result` that mean "not yet". What FACIA answers while it works is undocumented; 404 is inferred. A
    /// reply without a decision means the same whatever this says.
    pub pending_statuses: Vec<u16>,
}

/// The table `[vendors.facia]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaciaConfig {
    /// Where FACIA is. Documented.
    pub base_url: String,
    /// The path that gives access tokens. Documented.
    pub token_path: String,
    /// The path that takes media. Documented.
    pub liveness_path: String,
    /// The path that gives results. Documented.
    pub result_path: String,
    /// How FACIA knows who asks. A token is what the liveness page shows.
    pub auth: Scheme,
    /// The client's id, for `auth = "token"`.
    pub client_id: Option<String>,
    /// The client's secret, for `auth = "token"` and `"client_secret_header"`.
    pub client_secret: Option<Secret>,
    /// A file that holds it.
    pub client_secret_file: Option<PathBuf>,
    /// In place of `client_id`: the e-mail address of an account. Documented.
    pub email: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// A file that holds it.
    pub password_file: Option<PathBuf>,
    /// The token of `auth = "bearer"`.
    pub token: Option<Secret>,
    /// A file that holds it.
    pub token_file: Option<PathBuf>,
    /// What the client's id is called in the request for a token. Undocumented today; an older page spells it `client-id`.
    pub client_id_key: String,
    /// What the client's secret is called there. Undocumented today; an older page spells it `client-secret`.
    pub client_secret_key: String,
    /// How long a token is used, milliseconds, 1000..=172800000. The pages contradict each other (eight hours, two days) and
    /// the reply does not say; an hour is well within both. Ours.
    pub token_ttl_ms: u64,
    /// How media travel. JSON is what every sample on the page shows.
    pub encoding: Encoding,
    /// How base64 is written into JSON.
    pub base64: FileForm,
    /// When the result is asked for.
    pub poll: PollConfig,
    /// What a call costs, millionths of the operator's currency. Prices are agreed on with the vendor: 0 until set.
    pub price_micros: u64,
    /// What media are sent. FACIA documents types (JPEG, PNG, MP4) and no sizes, so there is no limit on these until one is set.
    pub media: MediaLimits,
    /// The line. An upload that was answered 429 is sent again: it was turned away before it was looked at (inferred). So is,
    /// whatever is set here, one that was answered 401, once and with a fresh token.
    pub http: HttpConfig,
}

impl Default for PollConfig {
    fn default() -> Self {
        Self { first_wait_ms: 1_000, base_ms: 500, max_ms: 2_000, pending_statuses: vec![404] }
    }
}

impl Default for FaciaConfig {
    fn default() -> Self {
        Self {
            base_url: "https://api.facia.ai".to_owned(),
            token_path: "/request-access-token".to_owned(),
            liveness_path: "/liveness".to_owned(),
            result_path: "/result".to_owned(),
            auth: Scheme::Token,
            client_id: None,
            client_secret: None,
            client_secret_file: None,
            email: None,
            password: None,
            password_file: None,
            token: None,
            token_file: None,
            client_id_key: "client_id".to_owned(),
            client_secret_key: "client_secret".to_owned(),
            token_ttl_ms: 3_600_000,
            encoding: Encoding::Json,
            base64: FileForm::Plain,
            poll: PollConfig::default(),
            price_micros: 0,
            media: MediaLimits {
                video_containers: Some(vec![Container::Mp4.name().to_owned()]),
                ..MediaLimits::default()
            },
            http: HttpConfig {
                retry: RetryConfig { paid_statuses: vec![429], ..RetryConfig::default() },
                ..HttpConfig::default()
            },
        }
    }
}

impl FaciaConfig {
    /// Looks at the numbers; addresses and credentials are looked at where they are put together.
    pub(super) fn check(&self) -> Result<(), ConnectError> {
        within("token_ttl_ms", self.token_ttl_ms, 1_000..=172_800_000)?;
        within("poll.first_wait_ms", self.poll.first_wait_ms, 0..=60_000)?;
        within("poll.base_ms", self.poll.base_ms, 10..=60_000)?;
        within("poll.max_ms", self.poll.max_ms, self.poll.base_ms..=60_000)?;
        for status in &self.poll.pending_statuses {
            // 401 is about the token, a 200 says itself whether it is the result, and a 5xx is a fault.
            if !(201..=499).contains(status) || *status == 401 {
                let what = format!("poll.pending_statuses: {status} is 401 or not within 201..=499");
                return Err(ConnectError::Setting(what));
            }
        }
        Ok(())
    }
}
