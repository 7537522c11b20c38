//! The reference image of a call or a session: looked at once, and only what a comparison needs is kept of it.

use std::{sync::Arc, time::Instant};

use lifesign_core::{matching::Reference, verdict::Detail};
use lifesign_proto::v1;

use super::{
    calls::CallRecord,
    request,
    shared::{Shared, Turn},
};
use crate::{
    engine::{EngineError, Job, Media, Picture},
    status::Fault,
};

/// A reference image that a request brought, checked but not yet looked at.
pub(super) struct ReferenceImage {
    /// The path of its `Image` in the request.
    path: &'static str,
    media: Media,
}

impl ReferenceImage {
    /// Checks what can be checked without decoding.
    pub(super) fn read(
        shared: &Shared,
        path: &'static str,
        image: Option<v1::Image>,
    ) -> Result<Option<ReferenceImage>, Fault> {
        let Some(image) = image else { return Ok(None) };
        let limits = &shared.setup.limits;
        let media = request::media(path, image.data, &image.media_type, image.raw.as_ref(), limits)?;
        Ok(Some(Self { path, media }))
    }

    /// The picture itself; the bytes are shared.
    pub(super) fn media(&self) -> Media {
        self.media.clone()
    }

    /// Bytes of it.
    pub(super) fn bytes(&self) -> usize {
        self.media.data.len()
    }

    /// Has the pool look at it. That it shows no usable face is an outcome, which the reference itself carries; that it
    /// cannot be decoded is a fault.
    pub(super) async fn look(
        self,
        shared: &Shared,
        call: &CallRecord,
        turn: Turn,
        deadline: Instant,
    ) -> Result<Arc<Reference>, Fault> {
        let Self { path, media } = self;
        call.received(media.data.len() as u64);
        let plan = Arc::new(Reference::plan());
        let job = Job { picture: Picture::Media(media), limits: shared.setup.limits, plan, deadline };
        match shared.submit(job, turn).await?.await {
            Ok(done) => Ok(Arc::new(Reference::of(&done.analysis))),
            Err(EngineError::Runtime(error)) => {
                tracing::warn!(%error, "a reference image could not be analysed");
                Ok(Arc::new(Reference { embedding: Err(Detail::ModelFault), print: None }))
            }
            Err(error) => Err(Fault::from_engine(format!("{path}.data"), error)),
        }
    }
}
