//! Deepvue: a picture is uploaded, and the answer comes with the reply.

mod auth;
mod config;
mod convert;
mod image_url;
mod wire;

pub use config::{AuthorizeEncoding, DeepvueConfig, Plan};
pub use image_url::{ImageUrl, ImageUrlError};

use std::{fmt, time::Instant};

use ::http::{HeaderMap, Method};
use reqwest::Url;

use self::{auth::Auth, wire::Check};
use super::{
    BoxFuture, Case, ConnectError, MediaLimits, Probe, Selected, Spec, Submitted, Takes, Vendor, VendorError,
    base64::Base64, settings, token,
};
use crate::{
    http::{Call, CallError, ErrorKind, HttpClient, Payload, PayloadError, Repeat},
    policy::Judges,
};

/// Deepvue in the table.
pub const SPEC: Spec = Spec {
    id: "deepvue",
    title: "Deepvue",
    judges: Judges { presentation_attack: true, deepfake: false, face_match: false },
    takes: &[Takes::Image],
    asynchronous: false,
    secrets: &["client_secret"],
    settings: settings::defaults::<DeepvueConfig>,
    connect: |settings| Ok(Box::new(Deepvue::new(settings::read(settings)?)?)),
};

/// A client of Deepvue.
pub struct Deepvue {
    config: DeepvueConfig,
    http: HttpClient,
    auth: Auth,
    check: Url,
}

impl fmt::Debug for Deepvue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deepvue").field("plan", &self.config.plan).finish_non_exhaustive()
    }
}

impl Deepvue {
    /// A client from its settings; connects to nothing.
    ///
    /// # Errors
    /// [`ConnectError`], which names the setting to change.
    pub fn new(config: DeepvueConfig) -> Result<Self, ConnectError> {
        config.media.validate()?;
        config.check()?;
        Ok(Self {
            auth: Auth::new(&config)?,
            check: settings::endpoint(&config.base_url, "check_path", &config.check_path)?,
            http: HttpClient::new(SPEC.id, config.line())?,
            config,
        })
    }

    /// Has Deepvue fetch a picture by itself and gets the answer. A paid call, like [`Vendor::submit`].
    ///
    /// # Errors
    /// [`VendorError`].
    pub async fn check_url(&self, image: &ImageUrl, deadline: Instant) -> Result<Submitted, VendorError> {
        self.ask(Payload::json(&Check { image: image.as_str() }), deadline).await
    }

    async fn ask(&self, payload: Result<Payload, PayloadError>, deadline: Instant) -> Result<Submitted, VendorError> {
        let payload = payload.map_err(|_| unsendable())?;
        let call = Call {
            method: Method::POST,
            url: self.check.clone(),
            headers: HeaderMap::new(),
            payload,
            repeat: Repeat::Paid,
        };
        let answered = self.auth.call(&self.http, "upload", call, deadline, convert::answer).await?;
        Ok(Submitted { answer: answered.value, attempts: answered.attempts })
    }

    async fn submit_case(&self, case: &Case<'_>) -> Result<Submitted, VendorError> {
        match &case.media {
            Selected::Image(picture) => {
                let image = Base64 { prefix: "", bytes: &picture.data };
                self.ask(Payload::json(&Check { image }), case.deadline).await
            }
            Selected::Frames(_) | Selected::Video(_) => Err(unsendable()),
        }
    }

    async fn look(&self, deadline: Instant) -> Result<Probe, VendorError> {
        let renewed = self.auth.renew(&self.http, deadline).await;
        renewed.map_err(|error| VendorError { stage: token::STAGE, error })?;
        Ok(Probe::CredentialsAccepted)
    }
}

impl Vendor for Deepvue {
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
        Box::pin(self.submit_case(case))
    }

    fn probe(&self, deadline: Instant) -> BoxFuture<'_, Result<Probe, VendorError>> {
        Box::pin(self.look(deadline))
    }
}

/// What this vendor does not take, and what is not sent to see what happens.
fn unsendable() -> VendorError {
    VendorError { stage: "upload", error: CallError::new(ErrorKind::Refused) }
}
