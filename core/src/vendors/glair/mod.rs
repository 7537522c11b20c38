//! GLAIR: a video or frames are uploaded, and the answer comes with the reply. It looks at deepfakes and at nothing else.

mod auth;
mod config;
mod convert;
mod wire;

pub use config::GlairConfig;

use std::{fmt, time::Instant};

use ::http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::Url;

use self::wire::Frames;
use super::{
    BoxFuture, Case, ConnectError, MediaLimits, Probe, Selected, Spec, Submitted, Takes, Vendor, VendorError,
    base64::Base64, settings,
};
use crate::{
    http::{Call, CallError, ErrorKind, HttpClient, Part, Payload, PayloadError, Repeat},
    policy::Judges,
    video::Container,
};

/// GLAIR in the table.
pub const SPEC: Spec = Spec {
    id: "glair",
    title: "GLAIR",
    judges: Judges { presentation_attack: false, deepfake: true, face_match: false },
    takes: &[Takes::Video, Takes::Frames],
    asynchronous: false,
    secrets: &["username", "password", "api_key"],
    settings: settings::defaults::<GlairConfig>,
    connect: |settings| Ok(Box::new(Glair::new(settings::read(settings)?)?)),
};

/// A client of GLAIR.
pub struct Glair {
    config: GlairConfig,
    http: HttpClient,
    credentials: HeaderMap,
    video: Url,
    frames: Url,
}

impl fmt::Debug for Glair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Glair").field("send_request_id", &self.config.send_request_id).finish_non_exhaustive()
    }
}

impl Glair {
    /// A client from its settings; connects to nothing.
    ///
    /// # Errors
    /// [`ConnectError`], which names the setting to change.
    pub fn new(config: GlairConfig) -> Result<Self, ConnectError> {
        config.media.validate()?;
        let address = |name, path| settings::endpoint(&config.base_url, name, path);
        Ok(Self {
            credentials: auth::headers(&config)?,
            video: address("video_path", &config.video_path)?,
            frames: address("frames_path", &config.frames_path)?,
            http: HttpClient::new(SPEC.id, config.http.clone())?,
            config,
        })
    }

    /// Where the media go, and as what; `None` for what GLAIR does not take.
    fn upload(&self, media: &Selected) -> Option<(&Url, Result<Payload, PayloadError>)> {
        match media {
            Selected::Video(clip) if clip.container == Container::Mp4 => {
                let file = Part::file("video", "video.mp4", Container::Mp4.name(), clip.data.clone());
                Some((&self.video, Payload::multipart(vec![file])))
            }
            Selected::Frames(pictures) if !pictures.is_empty() => {
                let frames = pictures.iter().map(|picture| Base64 { prefix: "", bytes: &picture.data }).collect();
                Some((&self.frames, Payload::json(&Frames { frames })))
            }
            Selected::Video(_) | Selected::Frames(_) | Selected::Image(_) => None,
        }
    }

    fn call(&self, url: &Url, payload: Payload, repeat: Repeat) -> Call {
        Call { method: Method::POST, url: url.clone(), headers: self.credentials.clone(), payload, repeat }
    }

    async fn ask(&self, case: &Case<'_>) -> Result<Submitted, VendorError> {
        // What this vendor does not take is not sent to see what happens.
        let unsendable = || VendorError { stage: "upload", error: CallError::new(ErrorKind::Refused) };
        let (url, payload) = self.upload(&case.media).ok_or_else(unsendable)?;
        let mut call = self.call(url, payload.map_err(|_| unsendable())?, Repeat::Paid);
        // A name that no header may hold is left out: the request is as good without it.
        let name = HeaderValue::from_str(case.request_id).ok().filter(|name| !name.is_empty());
        if let Some(name) = name.filter(|_| self.config.send_request_id) {
            call.headers.insert(HeaderName::from_static("x-request-id"), name);
        }
        let answered = self.http.call(&call, case.deadline, convert::answer).await;
        let answered = answered.map_err(|error| VendorError { stage: "upload", error })?;
        Ok(Submitted { answer: answered.value, attempts: answered.attempts })
    }

    /// Posts a form without a video, which GLAIR documents to be turned away for just that. That this is not billed is inferred:
    /// there is nothing in it that could be judged.
    async fn look(&self, deadline: Instant) -> Result<Probe, VendorError> {
        // The counts of an error are about paid calls, and this is none.
        let unpaid = |error| VendorError { stage: "probe", error: CallError { sent: false, attempts: 0, ..error } };
        let payload = Payload::multipart(vec![Part::text("probe", "1")]);
        let payload = payload.map_err(|_| unpaid(CallError::new(ErrorKind::Refused)))?;
        let call = self.call(&self.video, payload, Repeat::Safe);
        Ok(self.http.call(&call, deadline, convert::probe).await.map_err(unpaid)?.value)
    }
}

impl Vendor for Glair {
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
