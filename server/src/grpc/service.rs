//! The service: each method is a few lines that hand over to the module that does the work, and a status on the way back.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use lifesign_proto::v1::{self, liveness_service_server::LivenessService};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};

use super::{
    browse,
    calls::{Call, CallRecord},
    capabilities::capabilities,
    check_media::check_media,
    request,
    shared::Shared,
    stream, unary_sessions,
    wire::OUTBOX,
};
use crate::{
    access::{Caller, Denied},
    status::Fault,
};

/// The service's methods over their shared state.
#[derive(Debug)]
pub(super) struct Liveness {
    shared: Arc<Shared>,
}

impl Liveness {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// When nobody wants the answer of a unary call any more.
    fn deadline<T>(&self, request: &Request<T>) -> Instant {
        let limit = Duration::from_millis(self.shared.config.unary_timeout_ms);
        request::deadline(request.metadata(), Instant::now(), limit)
    }
}

/// The record that the gate made. A service used without the gate (in a test) gets one that counts for nothing.
fn call<T>(request: &Request<T>) -> Call {
    let record = request.extensions().get::<Call>().cloned();
    record.unwrap_or_else(|| CallRecord::begin("unknown".to_owned(), TaskTracker::new().token(), None))
}

/// Who calls, as the gate found. Without the gate nobody does.
fn caller<T>(request: &Request<T>) -> Result<Caller, Fault> {
    request.extensions().get::<Caller>().cloned().ok_or(Fault::Denied(Denied::Refused))
}

/// Runs a unary method and says how it ended.
async fn answer<T>(call: &CallRecord, work: impl Future<Output = Result<T, Fault>>) -> Result<Response<T>, Status> {
    Ok(Response::new(call.told(work.await)?))
}

#[tonic::async_trait]
impl LivenessService for Liveness {
    type StreamSessionStream = ReceiverStream<Result<v1::StreamSessionResponse, Status>>;

    async fn check_media(
        &self,
        request: Request<v1::CheckMediaRequest>,
    ) -> Result<Response<v1::CheckMediaResponse>, Status> {
        let (call, caller) = (call(&request), caller(&request));
        let deadline = self.deadline(&request);
        let work = async {
            let verdict = check_media(&self.shared, &call, caller?, request.into_inner(), deadline).await?;
            Ok(v1::CheckMediaResponse { verdict: Some(verdict) })
        };
        answer(&call, work).await
    }

    async fn create_session(
        &self,
        request: Request<v1::CreateSessionRequest>,
    ) -> Result<Response<v1::CreateSessionResponse>, Status> {
        let (call, caller) = (call(&request), caller(&request));
        let deadline = self.deadline(&request);
        let work =
            async { unary_sessions::create(&self.shared, &call, &caller?, request.into_inner(), deadline).await };
        answer(&call, work).await
    }

    async fn stream_session(
        &self,
        request: Request<Streaming<v1::StreamSessionRequest>>,
    ) -> Result<Response<Self::StreamSessionStream>, Status> {
        let by = (call(&request), request.extensions().get::<Caller>().cloned());
        let client_limit = request::grpc_timeout(request.metadata());
        let (outbox, replies) = mpsc::channel(OUTBOX);
        let shared = Arc::clone(&self.shared);
        tokio::spawn(stream::run(shared, by, request.into_inner(), outbox, client_limit));
        Ok(Response::new(ReceiverStream::new(replies)))
    }

    async fn get_session(
        &self,
        request: Request<v1::GetSessionRequest>,
    ) -> Result<Response<v1::GetSessionResponse>, Status> {
        let (call, caller) = (call(&request), caller(&request));
        let work = async {
            let session = unary_sessions::get(&self.shared, &call, &caller?, request.get_ref()).await?;
            Ok(v1::GetSessionResponse { session: Some(session) })
        };
        answer(&call, work).await
    }

    async fn list_sessions(
        &self,
        request: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        let (call, caller) = (call(&request), caller(&request));
        answer(&call, async { browse::list(&self.shared, &caller?, request.into_inner()).await }).await
    }

    type WatchSessionStream = ReceiverStream<Result<v1::WatchSessionResponse, Status>>;

    async fn watch_session(
        &self,
        request: Request<v1::WatchSessionRequest>,
    ) -> Result<Response<Self::WatchSessionStream>, Status> {
        let (call, caller) = (call(&request), caller(&request));
        let caller = caller.inspect_err(|fault| call.failed(fault))?;
        let (outbox, replies) = mpsc::channel(1);
        let (shared, id) = (Arc::clone(&self.shared), request.into_inner().session_id);
        tokio::spawn(browse::watch(shared, call, caller, id, outbox));
        Ok(Response::new(ReceiverStream::new(replies)))
    }

    async fn delete_session(
        &self,
        request: Request<v1::DeleteSessionRequest>,
    ) -> Result<Response<v1::DeleteSessionResponse>, Status> {
        let (call, caller) = (call(&request), caller(&request));
        let work = async {
            let receipt = unary_sessions::delete(&self.shared, &call, &caller?, request.into_inner()).await?;
            Ok(v1::DeleteSessionResponse { receipt: Some(receipt) })
        };
        answer(&call, work).await
    }

    async fn cancel_session(
        &self,
        request: Request<v1::CancelSessionRequest>,
    ) -> Result<Response<v1::CancelSessionResponse>, Status> {
        let (call, caller) = (call(&request), caller(&request));
        let work = async {
            let session = unary_sessions::cancel(&self.shared, &call, &caller?, request.into_inner()).await?;
            Ok(v1::CancelSessionResponse { session: Some(session) })
        };
        answer(&call, work).await
    }

    async fn get_capabilities(
        &self,
        request: Request<v1::GetCapabilitiesRequest>,
    ) -> Result<Response<v1::GetCapabilitiesResponse>, Status> {
        let call = call(&request);
        answer(&call, async { Ok(capabilities(&self.shared)) }).await
    }
}
