//! The endpoints on a free port of this machine, and what stands behind them: a desk, credentials and a fetcher that do what they are told.

use std::{
    collections::HashMap,
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use axum::{Extension, Router};
use bytes::Bytes;
use lifesign_e2e::media::repository;
use lifesign_proto::v1::{self, CheckState, Decision, check_media_request::Media};
use lifesign_server::{
    access::{Caller, Credentials, Denied, Issued, Scheme},
    http::{Ask, Desk, Door, EndpointsConfig, Fetch, FetchError, Outcome, Peer, Progress, deepvue, facia},
    status::Fault,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// The first client, and the second.
pub(crate) const ID: &str = "client-one";
pub(crate) const SECRET: &str = "secret-of-one-c8f1";
pub(crate) const OTHER_ID: &str = "client-two";
pub(crate) const OTHER_SECRET: &str = "secret-of-two-9d20";

/// A fault, and the status, words and `Retry-After` that it is answered with.
pub(crate) type Row<'a> = (fn() -> Fault, u16, &'a str, Option<&'a str>);

/// What a transaction comes to.
pub(crate) type Says = fn() -> Result<Outcome, Fault>;

/// Judges as it is told, and keeps what it was asked.
#[derive(Debug)]
pub(crate) struct FakeDesk {
    says: Mutex<Says>,
    refuses: Mutex<Option<fn() -> Fault>>,
    /// "Not yet"s before each result.
    pub(crate) pending: AtomicU32,
    asks: Mutex<Vec<Ask>>,
    transactions: Mutex<HashMap<String, (Ask, u32)>>,
}

impl FakeDesk {
    pub(crate) fn says(&self, says: Says) {
        *self.says.lock().unwrap() = says;
        *self.refuses.lock().unwrap() = None;
    }

    /// Takes nothing from now on.
    pub(crate) fn refuses(&self, fault: fn() -> Fault) {
        *self.refuses.lock().unwrap() = Some(fault);
    }

    pub(crate) fn asks(&self) -> Vec<Ask> {
        self.asks.lock().unwrap().clone()
    }

    fn take(&self, ask: &Ask) -> Result<(), Fault> {
        if let Some(fault) = *self.refuses.lock().unwrap() {
            return Err(fault());
        }
        self.asks.lock().unwrap().push(ask.clone());
        Ok(())
    }

    fn outcome(&self, ask: &Ask) -> Result<Outcome, Fault> {
        let mut outcome = (*self.says.lock().unwrap())()?;
        outcome.verdict.client_reference.clone_from(&ask.client_reference);
        Ok(outcome)
    }
}

#[tonic::async_trait]
impl Desk for FakeDesk {
    async fn check(&self, ask: Ask) -> Result<Outcome, Fault> {
        self.take(&ask)?;
        self.outcome(&ask)
    }

    async fn create(&self, ask: Ask) -> Result<String, Fault> {
        self.take(&ask)?;
        let mut transactions = self.transactions.lock().unwrap();
        let name = format!("W{:014}", transactions.len());
        transactions.insert(name.clone(), (ask, self.pending.load(Ordering::SeqCst)));
        Ok(name)
    }

    async fn result(&self, caller: &Caller, reference_id: &str) -> Result<Progress, Fault> {
        let mut transactions = self.transactions.lock().unwrap();
        let found = transactions.get_mut(reference_id).filter(|(ask, _)| ask.caller.client == caller.client);
        let (ask, pending) = found.ok_or(Fault::SessionUnknown)?;
        if *pending > 0 {
            *pending -= 1;
            return Ok(Progress::Pending);
        }
        self.outcome(ask).map(|outcome| Progress::Done(Box::new(outcome)))
    }
}

/// Knows two clients and the tokens that it gave them.
#[derive(Debug)]
pub(crate) struct FakeCredentials {
    required: AtomicBool,
    tokens: Mutex<HashMap<String, (Scheme, String)>>,
    denies: Mutex<Option<fn() -> Denied>>,
    /// The next token that is shown has just ended, as have all others.
    pub(crate) expires_next: AtomicBool,
    /// Tokens that were given.
    pub(crate) issued: AtomicU32,
    /// Whatever was shown here is said to come from there.
    peers: Mutex<Vec<IpAddr>>,
}

impl FakeCredentials {
    pub(crate) fn denies(&self, denied: Option<fn() -> Denied>) {
        *self.denies.lock().unwrap() = denied;
    }

    pub(crate) fn ask_for_none(&self) {
        self.required.store(false, Ordering::SeqCst);
    }

    pub(crate) fn expire(&self) {
        self.tokens.lock().unwrap().clear();
    }

    pub(crate) fn peers(&self) -> Vec<IpAddr> {
        self.peers.lock().unwrap().clone()
    }

    fn look(&self, peer: IpAddr) -> Result<(), Denied> {
        self.peers.lock().unwrap().push(peer);
        (*self.denies.lock().unwrap()).map_or(Ok(()), |denied| Err(denied()))
    }
}

fn caller(client: &str) -> Caller {
    Caller { client: client.to_owned(), ..Caller::anybody() }
}

#[tonic::async_trait]
impl Credentials for FakeCredentials {
    async fn secret(&self, peer: IpAddr, secret: &str) -> Result<Caller, Denied> {
        self.look(peer)?;
        match secret {
            SECRET => Ok(caller(ID)),
            OTHER_SECRET => Ok(caller(OTHER_ID)),
            _ => Err(Denied::Refused),
        }
    }

    async fn pair(&self, peer: IpAddr, id: &str, secret: &str) -> Result<Caller, Denied> {
        self.look(peer)?;
        match (id, secret) {
            (ID, SECRET) | (OTHER_ID, OTHER_SECRET) => Ok(caller(id)),
            _ if !self.required() => Ok(Caller::anybody()),
            _ => Err(Denied::Refused),
        }
    }

    async fn issue(&self, caller: &Caller, scheme: Scheme) -> Result<Issued, Denied> {
        let number = self.issued.fetch_add(1, Ordering::SeqCst);
        let token = format!("{}.token.{number}", scheme.name());
        self.tokens.lock().unwrap().insert(token.clone(), (scheme, caller.client.clone()));
        Ok(Issued { token, expires: SystemTime::now() + Duration::from_secs(24 * 3600) })
    }

    async fn token(&self, peer: IpAddr, scheme: Scheme, token: &str) -> Result<Caller, Denied> {
        self.look(peer)?;
        if self.expires_next.swap(false, Ordering::SeqCst) {
            self.expire();
        }
        match self.tokens.lock().unwrap().get(token) {
            Some((given, client)) if *given == scheme => Ok(caller(client)),
            _ => Err(Denied::Refused),
        }
    }

    fn required(&self) -> bool {
        self.required.load(Ordering::SeqCst)
    }
}

/// Finds the same behind every address.
#[derive(Debug)]
pub(crate) struct FakeFetch {
    pub(crate) finds: Mutex<fn() -> Result<Bytes, FetchError>>,
    pub(crate) asked: Mutex<Vec<String>>,
}

#[tonic::async_trait]
impl Fetch for FakeFetch {
    async fn fetch(&self, url: &str) -> Result<Bytes, FetchError> {
        self.asked.lock().unwrap().push(url.to_owned());
        (*self.finds.lock().unwrap())()
    }
}

/// A reply as it came.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// The body, which has to be JSON and to be called so.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// The endpoints, running. They end when this is dropped.
pub(crate) struct Rig {
    pub(crate) address: SocketAddr,
    pub(crate) desk: Arc<FakeDesk>,
    pub(crate) credentials: Arc<FakeCredentials>,
    pub(crate) fetch: Arc<FakeFetch>,
    pub(crate) router: Router,
    server: JoinHandle<()>,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Rig {
    pub(crate) async fn start() -> Self {
        let desk = Arc::new(FakeDesk {
            says: Mutex::new(live),
            refuses: Mutex::new(None),
            pending: AtomicU32::new(0),
            asks: Mutex::default(),
            transactions: Mutex::default(),
        });
        let credentials = Arc::new(FakeCredentials {
            required: AtomicBool::new(true),
            tokens: Mutex::default(),
            denies: Mutex::new(None),
            expires_next: AtomicBool::new(false),
            issued: AtomicU32::new(0),
            peers: Mutex::default(),
        });
        let fetch = Arc::new(FakeFetch { finds: Mutex::new(|| Err(FetchError::Off)), asked: Mutex::default() });
        let mut config = EndpointsConfig::default();
        config.facia.policy = "facia-policy".to_owned();
        config.deepvue.policy = "deepvue-policy".to_owned();
        let door = Door {
            desk: Arc::<FakeDesk>::clone(&desk),
            credentials: Arc::<FakeCredentials>::clone(&credentials),
            fetch: Arc::<FakeFetch>::clone(&fetch),
            config: Arc::new(config),
        };
        let peer = Peer(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)));
        // Merged as the listener merges them.
        let routes = facia::routes(door.clone()).merge(deepvue::routes(door));
        let router = routes.layer(Extension(peer));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = router.clone();
        let server = tokio::spawn(async move { axum::serve(listener, served).await.unwrap() });
        Self { address, desk, credentials, fetch, router, server }
    }

    /// A request as it is, of which only the end of the connection is added.
    pub(crate) async fn raw(&self, request: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut whole = Vec::new();
        stream.read_to_end(&mut whole).await.unwrap();
        let whole = String::from_utf8(whole).expect("replies are text");
        let (head, text) = whole.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no reply: {whole}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Reply { status, head: head.to_owned(), text: text.to_owned() }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        request += &format!("Content-Length: {}\r\n\r\n", body.len());
        self.raw(&[request.as_bytes(), body].concat()).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let json = [("Content-Type", "application/json")];
        self.send("POST", path, &[&json, headers].concat(), body.as_bytes()).await
    }
}

pub(crate) fn check(id: &str, state: CheckState, score: Option<f32>) -> v1::Check {
    v1::Check {
        id: id.into(),
        state: state.into(),
        score,
        source: "local".into(),
        required: true,
        ..v1::Check::default()
    }
}

pub(crate) fn outcome(decision: Decision, attack: CheckState, deepfake: CheckState) -> Outcome {
    let score = |state| match state {
        CheckState::Passed => Some(0.75),
        CheckState::Failed => Some(0.25),
        _ => None,
    };
    let checks = vec![check("PresentationAttack", attack, score(attack)), check("Deepfake", deepfake, score(deepfake))];
    let verdict = v1::Verdict {
        decision: decision.into(),
        checks,
        session_id: "6b0b7f0e-6a5c-4a57-9d0e-0d8e4c1a0d57".into(),
        ..v1::Verdict::default()
    };
    Outcome { verdict, proof: None }
}

pub(crate) fn live() -> Result<Outcome, Fault> {
    Ok(outcome(Decision::Accept, CheckState::Passed, CheckState::Passed))
}

pub(crate) fn spoof() -> Result<Outcome, Fault> {
    Ok(outcome(Decision::Reject, CheckState::Failed, CheckState::Passed))
}

pub(crate) fn deepfake() -> Result<Outcome, Fault> {
    let proof = Some("https://lifesign.test/proof/1?expires=1234567890&signature=00".to_owned());
    Ok(Outcome { proof, ..outcome(Decision::Reject, CheckState::Passed, CheckState::Failed) })
}

pub(crate) fn no_face() -> Result<Outcome, Fault> {
    let mut outcome = outcome(Decision::Retry, CheckState::NotRun, CheckState::NotRun);
    outcome.verdict.reasons = vec![v1::Reason { code: "NO_FACE".into(), message: "No face was found.".into() }];
    Ok(outcome)
}

/// A portrait as JPEG, as it lies in the repository.
pub(crate) fn photo() -> Vec<u8> {
    fs::read(repository().join("samples/astronaut.jpg")).unwrap()
}

/// A second of video as MP4.
pub(crate) fn video() -> Vec<u8> {
    fs::read(repository().join("core/tests/video_fixtures/h264_aac.mp4")).unwrap()
}

/// The bytes of media, and what they are called.
pub(crate) fn file(media: &Media) -> (Vec<u8>, &str) {
    match media {
        Media::Image(image) => (image.data.to_vec(), &image.media_type),
        Media::Video(video) => (video.data.to_vec(), &video.media_type),
        Media::Frames(_) => panic!("no endpoint here takes frames"),
    }
}

/// What every value of a reply is, in place of the value: two with the same keys and types are the same.
pub(crate) fn shape(value: &Value) -> Value {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(number) if number.is_f64() => "float".into(),
        Value::Number(_) => "integer".into(),
        Value::String(_) => "string".into(),
        Value::Array(list) => list.iter().map(shape).collect(),
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
    }
}

/// The same of a sample in the vendor's page.
pub(crate) fn shape_of(sample: &str) -> Value {
    shape(&serde_json::from_str(sample).unwrap())
}
