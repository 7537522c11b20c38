//! What every vendor offers: a description that the table holds, and a client made from settings.

use std::{fmt, future::Future, pin::Pin, time::Instant};

use serde_json::Value;

use super::{ConnectError, MediaLimits, Picture, Selected, VendorError};
use crate::{http::HttpClient, policy::Judges, verdict::VendorAnswer};

/// A boxed future, so that the trait can be used as an object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A kind of media that a vendor takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Takes {
    /// One picture.
    Image,
    /// Several pictures of one presentation.
    Frames,
    /// A recording.
    Video,
}

impl Takes {
    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Takes::Image => "image",
            Takes::Frames => "frames",
            Takes::Video => "video",
        }
    }
}

/// What a vendor is. Constant; lives in the table.
#[derive(Debug)]
pub struct Spec {
    /// Its id in configuration, verdicts and logs: lower-case letters and digits.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What its answers are about.
    pub judges: Judges,
    /// What it takes, the most telling first.
    pub takes: &'static [Takes],
    /// Whether the answer is fetched after the upload, by polling.
    pub asynchronous: bool,
    /// The settings that hold secrets. Each may also be given as a file, by the same name with `_file`.
    pub secrets: &'static [&'static str],
    /// Every setting with its default, as the table `[vendors.ID]` has them.
    pub settings: fn() -> Value,
    /// A client from settings: the defaults with what was configured put over them.
    pub connect: fn(settings: Value) -> Result<Box<dyn Vendor>, ConnectError>,
}

/// What to ask a vendor.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// What it gets to see; fits what it takes.
    pub media: Selected,
    /// The reference image, where one was given and the vendor compares faces.
    pub reference: Option<Picture>,
    /// The caller's own reference, 5..=255 characters, for vendors that take one.
    pub client_reference: Option<&'a str>,
    /// A name for this request, for vendors that take one: a UUID, made for this call.
    pub request_id: &'a str,
    /// When the answer is of no use any more.
    pub deadline: Instant,
}

/// A vendor's answer, and how often its paid request was sent.
#[derive(Debug)]
pub struct Submitted {
    /// The answer.
    pub answer: VendorAnswer,
    /// Paid requests made.
    pub attempts: u32,
}

/// What a look at the line found, without asking anything that is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The vendor took the credentials.
    CredentialsAccepted,
    /// The vendor can be reached; whether it takes the credentials shows only with a paid call.
    Reachable,
}

/// A vendor's client. Shared by all calls; keeps tokens and counts, no media.
pub trait Vendor: Send + Sync + fmt::Debug {
    /// What the vendor is.
    fn spec(&self) -> &'static Spec;

    /// What media it takes, as configured.
    fn media(&self) -> &MediaLimits;

    /// What a call costs, in millionths of the operator's currency, as configured.
    fn price_micros(&self) -> u64;

    /// Its line: for its health.
    fn http(&self) -> &HttpClient;

    /// Uploads the case's media, once unless configured otherwise, and gets the answer.
    fn submit<'a>(&'a self, case: &'a Case<'a>) -> BoxFuture<'a, Result<Submitted, VendorError>>;

    /// Sees whether the vendor can be reached and takes the credentials, without uploading anything.
    fn probe(&self, deadline: Instant) -> BoxFuture<'_, Result<Probe, VendorError>>;
}
