//! What happens to a call before its message is read and after its answer is made: it is counted, refused where there are
//! too many at a time or nobody knows who calls, and a status that the transport made gets the details that every status of ours has.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, Request, Response, header};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tonic::{Code, body::Body};
use tower::{Layer, Service};

use super::calls::CallRecord;
use crate::{
    access::{Caller, Credentials, Denied, Guard},
    net::PeerInfo,
    status::Fault,
};

/// Calls of this service are counted; health and reflection are not.
const SERVICE: &str = "/lifesign.v1.LivenessService/";

/// The doors: how many calls of a kind may be at work. `checks` is for all that bring media in one message.
#[derive(Debug)]
pub(super) struct Gate {
    checks: (Arc<Semaphore>, u32),
    streams: (Arc<Semaphore>, u32),
    message_limit: u64,
    open: TaskTracker,
    guard: Arc<Guard>,
}

/// The method that a device may call, with the token of its own session in place of credentials.
const FOR_DEVICES: &str = "StreamSession";

impl Gate {
    /// `open` counts the calls at work, for the shutdown to wait for.
    pub(super) fn new(checks: u32, streams: u32, message_limit: u64, open: TaskTracker, guard: Arc<Guard>) -> Self {
        let door = |limit: u32| {
            let permits = usize::try_from(limit).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
            (Arc::new(Semaphore::new(permits)), limit)
        };
        Self { checks: door(checks), streams: door(streams), message_limit, open, guard }
    }

    fn enter(&self, method: &str) -> (super::calls::Call, Result<(), Fault>) {
        let (door, subject) = match method {
            "CheckMedia" | "CreateSession" => (Some(&self.checks), "calls that bring media"),
            "StreamSession" | "WatchSession" => (Some(&self.streams), "streams"),
            _ => (None, "calls"),
        };
        let (permit, entered) = match door {
            None => (None, Ok(())),
            Some((permits, limit)) => match Arc::clone(permits).try_acquire_owned() {
                Ok(permit) => (Some(permit), Ok(())),
                Err(_) => (None, Err(Fault::Quota { subject, limit: u64::from(*limit) })),
            },
        };
        (CallRecord::begin(method.to_owned(), self.open.token(), permit), entered)
    }
}

/// Who calls; `None` where nobody says so and the method is for devices as well.
async fn caller(guard: &Guard, method: &str, headers: &HeaderMap, peer: &PeerInfo) -> Result<Option<Caller>, Denied> {
    if !guard.required() {
        return Ok(Some(Caller::anybody()));
    }
    // A header that came twice is no credential.
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    match (given.next(), given.next()) {
        (Some(value), None) => {
            // What has another form opens nothing either, and is looked at like a wrong secret.
            let secret = value.to_str().ok().and_then(bearer).unwrap_or_default();
            guard.secret(peer.ip, secret).await.map(Some)
        }
        (Some(_), Some(_)) => guard.secret(peer.ip, "").await.map(Some),
        (None, _) if !peer.identities.is_empty() => match guard.identity(peer.ip, &peer.identities).await {
            // A device of an app with certificates has one that is no API client's.
            Err(Denied::Refused) if method == FOR_DEVICES => Ok(None),
            found => found.map(Some),
        },
        (None, _) if method == FOR_DEVICES => Ok(None),
        (None, _) => Err(Denied::Refused),
    }
}

/// The secret in `Bearer SECRET`; the scheme's name in any case.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

/// Puts the gate in front of the services.
#[derive(Debug, Clone)]
pub(super) struct GateLayer(pub(super) Arc<Gate>);

impl<S> Layer<S> for GateLayer {
    type Service = GateService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GateService { inner, gate: Arc::clone(&self.0) }
    }
}

/// A service behind the gate.
#[derive(Debug, Clone)]
pub(super) struct GateService<S> {
    inner: S,
    gate: Arc<Gate>,
}

impl<S> Service<Request<Body>> for GateService<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let Some(method) = request.uri().path().strip_prefix(SERVICE) else {
            return Box::pin(self.inner.call(request));
        };
        // A name that the service does not know is not worth a log field of the client's choosing.
        let method = KNOWN.iter().find(|known| **known == method).copied().unwrap_or("unknown");
        let (call, entered) = self.gate.enter(method);
        if let Err(fault) = entered {
            call.failed(&fault);
            return Box::pin(std::future::ready(Ok(fault.status().into_http())));
        }
        request.extensions_mut().insert(Arc::clone(&call));
        let gate = Arc::clone(&self.gate);
        let limit = gate.message_limit;
        // The one that was said to be ready is the one that is called.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        Box::pin(async move {
            // A server in a test may have no peers of its own kind.
            let peer = request.extensions().get::<PeerInfo>().cloned().unwrap_or_else(PeerInfo::nobody);
            match caller(&gate.guard, method, request.headers(), &peer).await {
                Ok(Some(caller)) => drop(request.extensions_mut().insert(caller)),
                Ok(None) => {}
                Err(denied) => {
                    let fault = Fault::Denied(denied);
                    call.failed(&fault);
                    return Ok(fault.status().into_http());
                }
            }
            let mut response = inner.call(request).await?;
            let Some(code) = header_code(&response) else { return Ok(response) };
            // A status of ours has details. One without was made by the transport, before a method saw the message.
            let bare = !response.headers().contains_key("grpc-status-details-bin");
            if bare && matches!(code, Code::OutOfRange | Code::Internal) {
                let fault = Fault::from_transport(code, limit);
                call.failed(&fault);
                response = fault.status().into_http();
            }
            call.ended(code, None);
            Ok(response)
        })
    }
}

/// The methods, for the log.
const KNOWN: [&str; 9] = [
    "CheckMedia",
    "CreateSession",
    "StreamSession",
    "GetSession",
    "ListSessions",
    "WatchSession",
    "DeleteSession",
    "CancelSession",
    "GetCapabilities",
];

/// The code of an answer that is a status and nothing else.
fn header_code(response: &Response<Body>) -> Option<Code> {
    response.headers().get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::access::{AccessConfig, TokenLifetimes};

    #[test]
    fn every_method_of_the_service_is_known() {
        let set = prost_reflect::DescriptorPool::decode(lifesign_proto::FILE_DESCRIPTOR_SET).unwrap();
        let service = set.get_service_by_name("lifesign.v1.LivenessService").unwrap();
        let methods: Vec<String> = service.methods().map(|method| method.name().to_owned()).collect();
        assert_eq!(methods, KNOWN);
    }

    #[tokio::test]
    async fn the_gate_closes_and_opens_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = crate::store::Store::in_folder(folder.path()).await.unwrap();
        let lifetimes = TokenLifetimes { facia: Duration::from_secs(1), deepvue: Duration::from_secs(1) };
        let guard = Guard::new(store, &AccessConfig::default(), false, lifetimes);
        let gate = Gate::new(1, 1, 0, TaskTracker::new(), Arc::new(guard));
        let (first, entered) = gate.enter("CheckMedia");
        entered.unwrap();
        assert!(matches!(gate.enter("CheckMedia").1, Err(Fault::Quota { limit: 1, .. })));
        gate.enter("StreamSession").1.unwrap();
        assert!(gate.enter("CreateSession").1.is_err(), "it may bring a picture as well");
        gate.enter("GetSession").1.unwrap();
        drop(first);
        gate.enter("CheckMedia").1.unwrap();
    }
}
