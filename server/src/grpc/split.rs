//! One service behind two limits on the size of a message: what a stream sends is a chunk, what a call sends can be a whole
//! video. Without it each of a thousand streams could bring a message as large as a call's.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use lifesign_proto::v1::liveness_service_server::{LivenessService, LivenessServiceServer};
use tonic::{body::Body, server::NamedService};
use tower::Service;

/// The path of the streaming method.
const STREAM: &str = "/lifesign.v1.LivenessService/StreamSession";

/// The service, once for calls and once for streams.
#[derive(Debug)]
pub(super) struct Split<T> {
    pub(super) calls: LivenessServiceServer<T>,
    pub(super) streams: LivenessServiceServer<T>,
}

impl<T> Clone for Split<T> {
    fn clone(&self) -> Self {
        Self { calls: self.calls.clone(), streams: self.streams.clone() }
    }
}

impl<T> NamedService for Split<T> {
    const NAME: &'static str = <LivenessServiceServer<T> as NamedService>::NAME;
}

impl<T: LivenessService> Service<Request<Body>> for Split<T> {
    type Response = Response<Body>;
    type Error = std::convert::Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // Neither of them has anything to wait for.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.uri().path() == STREAM { self.streams.call(request) } else { self.calls.call(request) }
    }
}
