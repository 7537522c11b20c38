//! FACIA: a picture or an MP4 is uploaded, and the result is asked for until it is there.

mod auth;
mod config;
mod convert;
mod wire;

pub use config::{Encoding, FaciaConfig, FileForm, PollConfig, Scheme};

use std::{
    fmt,
    time::{Duration, Instant},
};

use ::http::{HeaderMap, Method};
use bytes::Bytes;
use reqwest::Url;
use tokio::time::sleep;

use self::{
    auth::Auth,
    wire::{Question, Upload},
};
use super::{
    BoxFuture, Case, ConnectError, MediaLimits, Probe, Selected, Spec, Submitted, Takes, Vendor, VendorError,
    base64::Base64, settings, token,
};
use crate::{
    frame::MediaType,
    http::{Call, CallError, ErrorKind, HttpClient, Part, Payload, PayloadError, Repeat},
    policy::Judges,
    verdict::VendorAnswer,
    video::Container,
};

/// FACIA in the table.
pub const SPEC: Spec = Spec {
    id: "facia",
    title: "FACIA",
    judges: Judges { presentation_attack: true, deepfake: true, face_match: false },
    takes: &[Takes::Video, Takes::Image],
    asynchronous: true,
    secrets: &["client_secret", "password", "token"],
    settings: settings::defaults::<FaciaConfig>,
    connect: |settings| Ok(Box::new(Facia::new(settings::read(settings)?)?)),
};

/// A client of FACIA.
pub struct Facia {
    config: FaciaConfig,
    http: HttpClient,
    auth: Auth,
    base: Url,
    liveness: Url,
    result: Url,
}

impl fmt::Debug for Facia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facia").field("auth", &self.config.auth).finish_non_exhaustive()
    }
}

/// What is sent of a case.
struct File<'a> {
    data: &'a Bytes,
    mime: &'static str,
    name: &'static str,
    is_video: bool,
}

impl Facia {
    /// A client from its settings; connects to nothing.
    ///
    /// # Errors
    /// [`ConnectError`], which names the setting to change.
    pub fn new(config: FaciaConfig) -> Result<Self, ConnectError> {
        config.media.validate()?;
        config.check()?;
        let address = |name, path| settings::endpoint(&config.base_url, name, path);
        Ok(Self {
            auth: Auth::new(&config)?,
            base: address("base_url", "/")?,
            liveness: address("liveness_path", &config.liveness_path)?,
            result: address("result_path", &config.result_path)?,
            http: HttpClient::new(SPEC.id, config.http.clone())?,
            config,
        })
    }

    fn upload(&self, file: &File<'_>, client_reference: Option<&str>) -> Result<Payload, PayloadError> {
        // Required for MP4, and left out otherwise: the page says "optional" and names no other value.
        let file_type = file.is_video.then_some("video");
        match self.config.encoding {
            Encoding::Json => {
                let prefix = match self.config.base64 {
                    FileForm::Plain => String::new(),
                    FileForm::DataUrl => format!("data:{};base64,", file.mime),
                };
                Payload::json(&Upload {
                    kind: "liveness",
                    file: Base64 { prefix: &prefix, bytes: file.data },
                    detect_deepfake: 1,
                    offsite_liveness: 1,
                    file_type,
                    client_reference,
                })
            }
            Encoding::Multipart => {
                let mut parts = vec![
                    Part::text("type", "liveness"),
                    Part::file("file", file.name, file.mime, file.data.clone()),
                    Part::text("detect_deepfake", "1"),
                    Part::text("offsite_liveness", "1"),
                ];
                parts.extend(file_type.map(|kind| Part::text("file_type", kind)));
                parts.extend(client_reference.map(|text| Part::text("client_reference", text)));
                Payload::multipart(parts)
            }
        }
    }

    async fn ask(&self, case: &Case<'_>) -> Result<Submitted, VendorError> {
        let unsendable = || VendorError { stage: "upload", error: CallError::new(ErrorKind::Refused) };
        let file = file(&case.media).ok_or_else(unsendable)?;
        let payload = self.upload(&file, case.client_reference).map_err(|_| unsendable())?;
        let call = post(&self.liveness, payload, Repeat::Paid);
        let created = self.auth.call(&self.http, "upload", call, case.deadline, convert::created).await?;
        let attempts = created.attempts;
        let mut answer = self.poll(&created.value, case.deadline).await.map_err(|error| VendorError {
            // The upload was made and is paid for, whatever became of the questions after it.
            error: CallError { sent: true, attempts, ..error.error },
            ..error
        })?;
        answer.reference = answer.reference.or(Some(created.value));
        Ok(Submitted { answer, attempts })
    }

    /// Asks for the result until it is there. A question that fails, after what repetitions the line allows, ends it.
    async fn poll(&self, reference_id: &str, deadline: Instant) -> Result<VendorAnswer, VendorError> {
        const STAGE: &str = "result";
        let late = |kind| VendorError { stage: STAGE, error: CallError::new(kind) };
        let payload = Payload::json(&Question { reference_id }).map_err(|_| late(ErrorKind::Refused))?;
        let call = post(&self.result, payload, Repeat::Owed);
        let settings = &self.config.poll;
        let longest = Duration::from_millis(settings.max_ms);
        let mut wait = Duration::from_millis(settings.first_wait_ms);
        let mut next = Duration::from_millis(settings.base_ms);
        loop {
            // A question after the deadline is not worth the wait for it.
            if deadline.saturating_duration_since(Instant::now()) <= wait {
                return Err(late(ErrorKind::Timeout));
            }
            sleep(wait).await;
            let read = |reply: &_| convert::result(reply, &settings.pending_statuses);
            if let Some(answer) = self.auth.call(&self.http, STAGE, call.clone(), deadline, read).await?.value {
                return Ok(answer);
            }
            wait = next;
            next = next.saturating_mul(2).min(longest);
        }
    }

    async fn look(&self, deadline: Instant) -> Result<Probe, VendorError> {
        match &self.auth {
            Auth::Login(login) => {
                let renewed = login.renew(&self.http, deadline).await;
                renewed.map_err(|error| VendorError { stage: token::STAGE, error })?;
                Ok(Probe::CredentialsAccepted)
            }
            // Nothing that FACIA documents tells whether a key is good without a transaction.
            Auth::Header(..) => {
                let call = Call {
                    method: Method::GET,
                    url: self.base.clone(),
                    headers: HeaderMap::new(),
                    payload: Payload::empty(),
                    repeat: Repeat::Safe,
                };
                let read = |reply: &crate::http::Reply| match ErrorKind::of_status(reply.status) {
                    fault @ (ErrorKind::Server | ErrorKind::Timeout) => Err(fault),
                    _ => Ok(()),
                };
                let seen = self.http.call(&call, deadline, read).await;
                // The counts of an error are about paid calls, and this is none.
                let unpaid = |error| CallError { sent: false, attempts: 0, ..error };
                seen.map_err(|error| VendorError { stage: "probe", error: unpaid(error) })?;
                Ok(Probe::Reachable)
            }
        }
    }
}

impl Vendor for Facia {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn media(&self) -> &MediaLimits {
        &self.config.media
    }

    fn price_micros(&self) -> u64 {
        self.config.price_micros
    }

    fn http(&self) -> &HttpClient {
        &self.http
    }

    fn submit<'a>(&'a self, case: &'a Case<'a>) -> BoxFuture<'a, Result<Submitted, VendorError>> {
        Box::pin(self.ask(case))
    }

    fn probe(&self, deadline: Instant) -> BoxFuture<'_, Result<Probe, VendorError>> {
        Box::pin(self.look(deadline))
    }
}

fn post(url: &Url, payload: Payload, repeat: Repeat) -> Call {
    Call { method: Method::POST, url: url.clone(), headers: HeaderMap::new(), payload, repeat }
}

/// The file to send: JPEG, PNG and MP4 are what FACIA documents; nothing else is sent to see what happens.
fn file(media: &Selected) -> Option<File<'_>> {
    match media {
        Selected::Image(picture) => {
            let (mime, name) = match picture.media_type {
                MediaType::Jpeg => ("image/jpeg", "file.jpg"),
                MediaType::Png => ("image/png", "file.png"),
                _ => return None,
            };
            Some(File { data: &picture.data, mime, name, is_video: false })
        }
        Selected::Video(clip) if clip.container == Container::Mp4 => {
            Some(File { data: &clip.data, mime: "video/mp4", name: "file.mp4", is_video: true })
        }
        Selected::Video(_) | Selected::Frames(_) => None,
    }
}
