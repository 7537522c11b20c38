//! A server on a free port, its models made by code, and the messages that tests send.

use std::{
    path::Path,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use lifesign_core::{
    analysis::{Analyzer, FrameAnalysis, Plan},
    frame::Frame,
    policy::{self, PolicyConfig},
    runtime::{RuntimeChoice, RuntimeError, select},
    testing::tiny_pack,
};
use lifesign_proto::v1::{
    self, liveness_service_client::LivenessServiceClient, stream_session_request as up, stream_session_response as down,
};
use lifesign_server::{
    backing,
    config::Config,
    engine::{Engine, Judge},
    grpc::{ServeError, Service},
    sessions::Clock,
    setup::{Policies, Setup, panel},
    store::Store,
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Status, Streaming,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_types::StatusExt;

/// A portrait that real decoders read.
pub(crate) const PORTRAIT: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/astronaut.jpg"));

/// The tiny pack takes this grey for a bona fide presentation …
pub(crate) const LIVE: u8 = 140;
/// … and this one for an attack.
pub(crate) const ATTACK: u8 = 60;

pub(crate) type Client = LivenessServiceClient<Channel>;

/// Lets tests stop the workers, and see how many frames they have begun.
#[derive(Default)]
pub(crate) struct Hold {
    held: Mutex<bool>,
    changed: Condvar,
    begun: AtomicUsize,
}

impl Hold {
    pub(crate) fn set(&self, held: bool) {
        *self.held.lock().unwrap() = held;
        self.changed.notify_all();
    }

    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    /// Waits until so many frames have been begun in all.
    pub(crate) async fn wait_for(&self, begun: usize) {
        for _ in 0..500 {
            if self.begun() >= begun {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} frames were begun, not {begun}", self.begun());
    }

    fn pass(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let held = self.held.lock().unwrap();
        drop(self.changed.wait_while(held, |held| *held).unwrap());
    }
}

struct Held(Analyzer, Arc<Hold>);

impl Judge for Held {
    fn judge(&mut self, frame: &Frame, plan: &Plan) -> Result<FrameAnalysis, RuntimeError> {
        self.1.pass();
        self.0.analyze(frame, plan)
    }
}

/// A running server.
pub(crate) struct Rig {
    pub(crate) address: String,
    pub(crate) hold: Arc<Hold>,
    shutdown: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<Result<(), ServeError>>>,
    folder: Arc<tempfile::TempDir>,
}

/// A server with the tiny pack and one policy, `test`: a liveness score on three frames, whatever the quality.
pub(crate) async fn start(change: impl FnOnce(&mut Config)) -> Rig {
    start_on(None, change).await
}

/// Another server on the same store.
pub(crate) async fn start_beside(rig: &Rig, change: impl FnOnce(&mut Config)) -> Rig {
    start_on(Some(Arc::clone(&rig.folder)), change).await
}

async fn start_on(folder: Option<Arc<tempfile::TempDir>>, change: impl FnOnce(&mut Config)) -> Rig {
    let (setup, config, own) = setup(change);
    let folder = folder.unwrap_or_else(|| Arc::new(own));
    let hold = Arc::new(Hold::default());
    let (pack, runtime, gate) = (Arc::clone(&setup.pack), Arc::clone(&setup.runtime), Arc::clone(&hold));
    let engine = Engine::start_with(&config.engine, move || {
        Ok(Box::new(Held(Analyzer::load(&pack, &*runtime)?, Arc::clone(&gate))) as Box<dyn Judge>)
    });
    let engine = engine.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (shutdown, told) = oneshot::channel::<()>();
    let service = service(setup, engine, &config, folder.path()).await;
    let stop = CancellationToken::new();
    let (queue, tidy) = (service.clone(), service.clone());
    tokio::spawn({
        let stop = stop.clone();
        async move { tokio::join!(queue.run_queue(stop.clone()), tidy.tidy(stop)) }
    });
    let served = tokio::spawn(async move {
        let _stop = stop.drop_guard();
        service.serve(listener, None, async { drop(told.await) }).await
    });
    Rig { address, hold, shutdown: Some(shutdown), served: Some(served), folder }
}

/// The service, with its store in this folder.
pub(crate) async fn service(setup: Setup, engine: Engine, config: &Config, folder: &Path) -> Service {
    let clock = Clock::default();
    let backing = backing::open(config, folder, clock).await.unwrap();
    let inline = config.grpc.inline_sessions.unwrap_or(true);
    Service::new(Arc::new(setup), engine, &config.grpc, backing, clock, inline).unwrap()
}

/// What [`start`] starts, not started.
pub(crate) fn setup(change: impl FnOnce(&mut Config)) -> (Setup, Config, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let pack = tiny_pack(folder.path()).unwrap();
    let mut config = Config::default();
    config.policies.insert("test".to_owned(), test_policy(3));
    config.default_policy = "test".to_owned();
    config.engine.workers = 2;
    change(&mut config);
    let vendors = panel(&config).unwrap();
    let policies = Policies::compile(&config, &pack, &vendors).unwrap();
    let runtime = select(&RuntimeChoice::Off).unwrap();
    let video = config.video.resolve(config.engine.workers).unwrap();
    let (pack, vendors) = (Arc::new(pack), Arc::new(vendors));
    (Setup { pack, runtime, policies, vendors, limits: config.limits, video }, config, folder)
}

pub(crate) fn test_policy(frames_needed: u32) -> PolicyConfig {
    let builtin = policy::builtin();
    let (_, attack_only) = builtin.into_iter().find(|(name, _)| *name == "presentation-attack-only").unwrap();
    PolicyConfig { frames_needed, ..attack_only }
}

impl Rig {
    pub(crate) async fn client(&self) -> Client {
        self.client_with(|endpoint| endpoint).await
    }

    pub(crate) async fn client_with(&self, change: impl FnOnce(Endpoint) -> Endpoint) -> Client {
        let channel = change(self.endpoint()).connect().await.unwrap();
        LivenessServiceClient::new(channel).max_encoding_message_size(256 << 20).max_decoding_message_size(64 << 20)
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.address)).unwrap()
    }

    /// What health says of a service; `""` is the server.
    pub(crate) async fn health(&self, service: &str) -> i32 {
        let mut client = HealthClient::new(self.endpoint().connect().await.unwrap());
        client.check(HealthCheckRequest { service: service.to_owned() }).await.unwrap().into_inner().status
    }

    /// The server says SERVING and judges a frame.
    pub(crate) async fn is_well(&self) {
        assert_eq!(self.health("").await, 1);
        assert_eq!(self.health("lifesign.v1.LivenessService").await, 1);
        let verdict = check(&mut self.client().await, image(LIVE)).await.unwrap();
        assert_eq!(verdict.decision(), v1::Decision::Accept);
    }

    /// A handle of one's own on the server's store.
    pub(crate) async fn store(&self) -> Store {
        backing::open_store(&Config::default(), self.folder.path()).await.unwrap()
    }

    /// Tells the server to stop.
    pub(crate) fn stop(&mut self) {
        drop(self.shutdown.take());
    }

    /// How the server ended.
    pub(crate) async fn ended(&mut self) -> Result<(), ServeError> {
        let served = self.served.take().unwrap();
        tokio::time::timeout(Duration::from_secs(20), served).await.expect("the server ends").unwrap()
    }

    /// Waits until a session is in this state.
    pub(crate) async fn session_becomes(&self, id: &str, state: v1::SessionState) {
        let mut client = self.client().await;
        let mut last = v1::SessionState::Unspecified;
        for _ in 0..500 {
            let request = v1::GetSessionRequest { session_id: id.to_owned() };
            last = client.get_session(request).await.unwrap().into_inner().session.unwrap().state();
            if last == state {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("session {id} is {last:?}, not {state:?}");
    }
}

/// Uncompressed grey pixels.
pub(crate) fn raw() -> v1::RawPixels {
    v1::RawPixels { format: v1::PixelFormat::Gray8.into(), width: 320, height: 240, ..Default::default() }
}

pub(crate) fn pixels(grey: u8) -> Bytes {
    Bytes::from(vec![grey; 320 * 240])
}

pub(crate) fn image(grey: u8) -> v1::Image {
    v1::Image { data: pixels(grey), raw: Some(raw()), ..Default::default() }
}

pub(crate) fn file(data: impl Into<Bytes>, media_type: &str) -> v1::Image {
    v1::Image { data: data.into(), media_type: media_type.to_owned(), ..Default::default() }
}

pub(crate) async fn check(client: &mut Client, image: v1::Image) -> Result<v1::Verdict, Status> {
    check_request(client, image_request(image)).await
}

pub(crate) fn image_request(image: v1::Image) -> v1::CheckMediaRequest {
    v1::CheckMediaRequest { media: Some(v1::check_media_request::Media::Image(image)), ..Default::default() }
}

pub(crate) fn frames_request(frames: Vec<v1::Image>) -> v1::CheckMediaRequest {
    let media = v1::check_media_request::Media::Frames(v1::FrameList { frames });
    v1::CheckMediaRequest { media: Some(media), ..Default::default() }
}

pub(crate) async fn check_request(client: &mut Client, request: v1::CheckMediaRequest) -> Result<v1::Verdict, Status> {
    Ok(client.check_media(request).await?.into_inner().verdict.unwrap())
}

pub(crate) fn message(message: up::Message) -> v1::StreamSessionRequest {
    v1::StreamSessionRequest { message: Some(message) }
}

/// Begins with an inline session.
pub(crate) fn start_inline() -> v1::StreamSessionRequest {
    let session = Some(up::start::Session::Config(v1::SessionConfig::default()));
    message(up::Message::Start(up::Start { session }))
}

/// Begins with a token.
pub(crate) fn start_token(token: &str) -> v1::StreamSessionRequest {
    let session = Some(up::start::Session::SessionToken(token.to_owned()));
    message(up::Message::Start(up::Start { session }))
}

pub(crate) fn finish() -> v1::StreamSessionRequest {
    message(up::Message::Finish(up::Finish {}))
}

/// A whole frame of raw pixels.
pub(crate) fn frame(frame_index: u64, grey: u8) -> v1::StreamSessionRequest {
    let chunk = v1::MediaChunk { frame_index, data: pixels(grey), last: true, raw: Some(raw()), ..Default::default() };
    message(up::Message::Chunk(chunk))
}

/// A part of a file.
pub(crate) fn chunk(frame_index: u64, offset: u64, data: &[u8], last: bool) -> v1::StreamSessionRequest {
    let data = Bytes::copy_from_slice(data);
    message(up::Message::Chunk(v1::MediaChunk { frame_index, offset, data, last, ..Default::default() }))
}

pub(crate) async fn create(client: &mut Client) -> v1::CreateSessionResponse {
    client.create_session(v1::CreateSessionRequest::default()).await.unwrap().into_inner()
}

/// Everything a stream answers to these messages, and the status it ends with.
pub(crate) async fn converse(
    client: &mut Client,
    messages: impl Stream<Item = v1::StreamSessionRequest> + Send + 'static,
) -> (Vec<down::Message>, Status) {
    match client.stream_session(messages).await {
        Ok(replies) => drain(&mut replies.into_inner()).await,
        Err(status) => (Vec::new(), status),
    }
}

/// The rest of a stream.
pub(crate) async fn drain(replies: &mut Streaming<v1::StreamSessionResponse>) -> (Vec<down::Message>, Status) {
    let mut all = Vec::new();
    while let Some(reply) = replies.next().await {
        match reply {
            Ok(reply) => all.push(reply.message.unwrap()),
            Err(status) => return (all, status),
        }
    }
    (all, Status::ok(""))
}

/// As [`converse`] with messages at hand.
pub(crate) async fn tell(client: &mut Client, messages: Vec<v1::StreamSessionRequest>) -> (Vec<down::Message>, Status) {
    converse(client, tokio_stream::iter(messages)).await
}

/// A client in a world of its own, which can end without a word: its sockets close in the middle of everything.
pub(crate) struct Guest {
    world: Option<tokio::runtime::Runtime>,
    pub(crate) session_id: String,
}

impl Guest {
    /// Opens a stream with these messages and keeps it open.
    pub(crate) async fn open(rig: &Rig, messages: Vec<v1::StreamSessionRequest>) -> Self {
        let world = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let endpoint = rig.endpoint();
        let (tell, told) = oneshot::channel();
        world.spawn(async move {
            let mut client = Client::new(endpoint.connect().await.unwrap());
            let endless = tokio_stream::iter(messages).chain(tokio_stream::pending());
            let mut replies = client.stream_session(endless).await.unwrap().into_inner();
            let first = replies.message().await.unwrap().unwrap().message.unwrap();
            tell.send(accepted(&[first]).session_id.clone()).unwrap();
            std::future::pending::<()>().await;
        });
        Self { world: Some(world), session_id: told.await.unwrap() }
    }

    /// Gone.
    pub(crate) fn vanish(self) {
        drop(self);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(world) = self.world.take() {
            world.shutdown_background();
        }
    }
}

/// The session's name, from the first message.
pub(crate) fn accepted(replies: &[down::Message]) -> &down::Accepted {
    match replies.first() {
        Some(down::Message::Accepted(accepted)) => accepted,
        other => panic!("the stream began with {other:?}"),
    }
}

/// The verdict, which is the last message and the only one of its kind.
pub(crate) fn verdict(replies: &[down::Message]) -> &v1::Verdict {
    let count = replies.iter().filter(|reply| matches!(reply, down::Message::Verdict(_))).count();
    match replies.last() {
        Some(down::Message::Verdict(verdict)) if count == 1 => verdict,
        other => panic!("{count} verdicts; the stream ended with {other:?}"),
    }
}

/// A status has this code and this reason, and our domain.
#[track_caller]
pub(crate) fn is(status: &Status, code: Code, reason: &str) {
    let info = status.get_details_error_info();
    let info = info.unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"));
    assert_eq!((status.code(), info.reason.as_str(), info.domain.as_str()), (code, reason, "lifesign"), "{status:?}");
}

/// The field that a status blames.
#[track_caller]
pub(crate) fn field(status: &Status) -> String {
    let bad = status.get_details_bad_request().unwrap_or_else(|| panic!("no BadRequest in {status:?}"));
    bad.field_violations[0].field.clone()
}
