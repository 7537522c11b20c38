//! FPT.AI: a video is uploaded, with a reference image beside it where there is one, and the answer comes with the reply.

mod config;
mod convert;
mod form;
mod wire;

pub use config::FptConfig;

use std::{fmt, time::Instant};

use ::http::{HeaderMap, HeaderValue, Method};
use reqwest::Url;

use super::{
    BoxFuture, Case, ConnectError, MediaLimits, Picture, Probe, Selected, Spec, Submitted, Takes, Vendor, VendorError,
    settings,
};
use crate::{
    frame::MediaType,
    http::{Call, CallError, ErrorKind, HttpClient, Part, Payload, PayloadError, Repeat, Reply, SecretError, secret},
    policy::Judges,
    video::Container,
};

/// FPT.AI in the table.
pub const SPEC: Spec = Spec {
    id: "fpt",
    title: "FPT.AI",
    judges: Judges { presentation_attack: true, deepfake: true, face_match: true },
    takes: &[Takes::Video],
    asynchronous: false,
    secrets: &["api_key"],
    settings: settings::defaults::<FptConfig>,
    connect: |settings| Ok(Box::new(Fpt::new(settings::read(settings)?)?)),
};

/// A client of FPT.AI.
pub struct Fpt {
    config: FptConfig,
    http: HttpClient,
    credentials: HeaderMap,
    url: Url,
}

impl fmt::Debug for Fpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fpt").field("path", &self.config.path).finish_non_exhaustive()
    }
}

impl Fpt {
    /// A client from its settings; connects to nothing.
    ///
    /// # Errors
    /// [`ConnectError`], which names the setting to change.
    pub fn new(config: FptConfig) -> Result<Self, ConnectError> {
        config.media.validate()?;
        const KEY: &str = "api_key";
        let key = secret(KEY, config.api_key.as_ref(), config.api_key_file.as_deref())?;
        let mut key =
            HeaderValue::from_str(key.expose()).map_err(|_| SecretError::Malformed { setting: KEY.to_owned() })?;
        key.set_sensitive(true);
        Ok(Self {
            credentials: HeaderMap::from_iter([(config.header()?, key)]),
            url: settings::endpoint(&config.base_url, "path", &config.path)?,
            http: HttpClient::new(SPEC.id, config.http.clone())?,
            config,
        })
    }

    /// The reference image as it is sent, where it is.
    fn reference(&self, case: &Case<'_>) -> Option<Part> {
        let Picture { data, media_type } = case.reference.as_ref().filter(|_| self.config.send_reference)?;
        let name = match media_type {
            MediaType::Jpeg => "face.jpg",
            MediaType::Png => "face.png",
            MediaType::Webp => return None,
        };
        let fits = data.len() as u64 <= self.config.max_reference_bytes;
        fits.then(|| Part::file("cmnd", name, media_type.name(), data.clone()))
    }

    fn call(&self, payload: Result<Payload, PayloadError>, repeat: Repeat) -> Result<Call, CallError> {
        // What cannot be put into a form was not sent.
        let payload = payload.map_err(|_| CallError::new(ErrorKind::Refused))?;
        Ok(Call { method: Method::POST, url: self.url.clone(), headers: self.credentials.clone(), payload, repeat })
    }

    async fn ask(&self, case: &Case<'_>) -> Result<Submitted, CallError> {
        // What this vendor does not take is not sent to see what happens.
        let Selected::Video(clip) = &case.media else { return Err(CallError::new(ErrorKind::Refused)) };
        let name = match clip.container {
            Container::Mp4 => "video.mp4",
            Container::QuickTime => "video.mov",
            Container::Matroska => "video.mkv",
            Container::WebM => "video.webm",
        };
        let reference = self.reference(case);
        let compares = reference.is_some();
        let mut parts = vec![Part::file("video", name, clip.container.name(), clip.data.clone())];
        parts.extend(reference);
        parts.extend(self.config.detect_mask.then(|| Part::text("detect_mask", "true")));
        let call = self.call(Payload::multipart(parts), Repeat::Paid)?;
        let read = |reply: &Reply| convert::answer(reply, compares);
        let answered = self.http.call(&call, case.deadline, read).await?;
        Ok(Submitted { answer: answered.value, attempts: answered.attempts })
    }

    /// Posts a form without a video, which FPT.AI documents to be turned away for just that. That this is not billed is inferred:
    /// there is nothing in it that could be judged.
    async fn look(&self, deadline: Instant) -> Result<Probe, CallError> {
        let call = self.call(Payload::multipart(vec![Part::text("probe", "1")]), Repeat::Safe)?;
        let seen = self.http.call(&call, deadline, convert::probe).await;
        // The counts of an error are about paid calls, and this is none.
        Ok(seen.map_err(|error| CallError { sent: false, attempts: 0, ..error })?.value)
    }
}

impl Vendor for Fpt {
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
        Box::pin(async move { self.ask(case).await.map_err(|error| VendorError { stage: "upload", error }) })
    }

    fn probe(&self, deadline: Instant) -> BoxFuture<'_, Result<Probe, VendorError>> {
        Box::pin(async move { self.look(deadline).await.map_err(|error| VendorError { stage: "probe", error }) })
    }
}
