//! What a stand-in for a vendor says next, changeable while it runs, and all that it has seen.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lifesign_core::testing::socket::Request;

/// What the next uploads are answered with: a judgement, or what goes wrong in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Says {
    /// Nothing is wrong.
    Live,
    /// An attack: a replay where the vendor names the kind.
    Spoof,
    /// A synthesised or swapped face.
    Deepfake,
    /// There is no face.
    NoFace,
    /// The media cannot be used.
    BadMedia,
    /// The credentials are wrong, wherever they are shown.
    RefusedKey,
    /// The first upload's token has ended; a fresh one works.
    ExpiredToken,
    /// 429, with as many seconds in `Retry-After` where there are any.
    TooMany(Option<u32>),
    /// 500.
    Broken,
    /// No reply, for as long as the client waits.
    Hang,
    /// A reply of HTTP 200 that holds a page for people.
    Garbage,
    /// Bytes that are no HTTP.
    Noise,
    /// The head of a good reply at once, its body a byte at a time.
    SlowBody,
    /// The connection is reset.
    Reset,
    /// Half of a good reply's body, then the end of the connection.
    Cut,
    /// Every second upload is answered 500, the others as live.
    Flapping,
}

/// The requests of a vendor that has more than uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// For a token.
    Token,
    /// For the result of an upload.
    Result,
}

/// An upload that came whole.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The files in it, decoded; empty where it held none that could be read.
    pub media: Vec<Vec<u8>>,
    /// The judgement, where it came to one: the vendor would bill this.
    pub judged: Option<Says>,
}

/// What a stand-in has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests for a token.
    pub tokens: u32,
    /// Uploads that came whole, whatever became of them.
    pub uploads: u32,
    /// Of those, the ones that were judged.
    pub judged: u32,
    /// Questions for a result.
    pub polls: u32,
}

#[derive(Debug)]
struct State {
    says: Says,
    token: Option<Says>,
    result: Option<Says>,
    pause: Duration,
    pending: u32,
    tokens: u32,
    polls: u32,
    valid: HashSet<String>,
    expired_once: bool,
    transactions: HashMap<String, (Says, u32)>,
    uploads: Vec<Upload>,
    requests: Vec<Request>,
}

/// What a stand-in says and has seen. One for its whole life, however often it stops listening.
#[derive(Debug)]
pub struct Script(Mutex<State>);

impl Default for Script {
    /// Live, at once.
    fn default() -> Self {
        Self(Mutex::new(State {
            says: Says::Live,
            token: None,
            result: None,
            pause: Duration::ZERO,
            pending: 0,
            tokens: 0,
            polls: 0,
            valid: HashSet::new(),
            expired_once: false,
            transactions: HashMap::new(),
            uploads: Vec::new(),
            requests: Vec::new(),
        }))
    }
}

impl Script {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the uploads from now on so.
    pub fn say(&self, says: Says) {
        let mut state = self.lock();
        state.says = says;
        state.expired_once = false;
    }

    /// Has this go wrong from now on at a stage that is no upload.
    pub fn fail(&self, stage: Stage, says: Says) {
        let mut state = self.lock();
        match stage {
            Stage::Token => state.token = Some(says),
            Stage::Result => state.result = Some(says),
        }
    }

    /// Takes this long over every judgement from now on.
    pub fn take(&self, pause: Duration) {
        self.lock().pause = pause;
    }

    /// Answers this many questions for the result of every further transaction with "not yet".
    pub fn pend(&self, answers: u32) {
        self.lock().pending = answers;
    }

    /// What it says at the moment.
    pub fn says(&self) -> Says {
        self.lock().says
    }

    /// How long a judgement takes.
    pub fn pause(&self) -> Duration {
        self.lock().pause
    }

    /// What it has counted so far.
    pub fn counts(&self) -> Counts {
        let state = self.lock();
        let judged = state.uploads.iter().filter(|upload| upload.judged.is_some()).count();
        let number = |count: usize| u32::try_from(count).expect("a test makes fewer requests");
        Counts {
            tokens: state.tokens,
            uploads: number(state.uploads.len()),
            judged: number(judged),
            polls: state.polls,
        }
    }

    /// Every upload so far, in its order.
    pub fn uploads(&self) -> Vec<Upload> {
        self.lock().uploads.clone()
    }

    /// Every request so far, in its order.
    pub fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// What goes wrong at a stage now. A token expires but once.
    pub(super) fn fails(&self, stage: Stage) -> Option<Says> {
        let mut state = self.lock();
        let says = match stage {
            Stage::Token => state.token,
            Stage::Result => state.result,
        };
        if says == Some(Says::ExpiredToken) {
            (state.token, state.result) = (None, None);
            state.valid.clear();
        }
        says
    }

    pub(super) fn keep(&self, request: &Request) {
        self.lock().requests.push(request.clone());
    }

    /// Counts an upload; its place, and what to say to it.
    pub(super) fn begin(&self, media: Vec<Vec<u8>>) -> (usize, Says) {
        let mut state = self.lock();
        let place = state.uploads.len();
        state.uploads.push(Upload { media, judged: None });
        let says = match state.says {
            Says::Flapping if place % 2 == 1 => Says::Broken,
            Says::Flapping => Says::Live,
            Says::ExpiredToken if state.expired_once => Says::Live,
            Says::ExpiredToken => {
                state.expired_once = true;
                state.valid.clear();
                Says::ExpiredToken
            }
            says => says,
        };
        (place, says)
    }

    /// Records what the upload in this place was judged as.
    pub(super) fn judged(&self, place: usize, says: Says) {
        if let Some(upload) = self.lock().uploads.get_mut(place) {
            upload.judged = Some(says);
        }
    }

    /// Counts a request for a token.
    pub(super) fn asked_for_token(&self) {
        self.lock().tokens += 1;
    }

    /// Counts a question for a result.
    pub(super) fn asked_for_result(&self) {
        self.lock().polls += 1;
    }

    /// A token that is good until it expires.
    pub(super) fn issue(&self) -> String {
        let mut state = self.lock();
        let token = format!("{SECRET_TOKEN}{}", state.tokens);
        state.valid.insert(token.clone());
        token
    }

    /// Whether a token was issued here and has not expired.
    pub(super) fn is_valid(&self, token: &str) -> bool {
        self.lock().valid.contains(token)
    }

    /// Opens a transaction that will come to this.
    pub(super) fn open(&self, says: Says) -> String {
        let mut state = self.lock();
        let reference = format!("W{:014}", state.transactions.len() + 1);
        let pending = state.pending;
        state.transactions.insert(reference.clone(), (says, pending));
        reference
    }

    /// What a transaction has come to; `Err` with the answers that are still to be "not yet", this one included.
    pub(super) fn poll(&self, reference: &str) -> Option<Result<Says, u32>> {
        let mut state = self.lock();
        let (says, pending) = state.transactions.get_mut(reference)?;
        if *pending == 0 {
            return Some(Ok(*says));
        }
        *pending -= 1;
        Some(Err(*pending + 1))
    }
}

/// What every token begins with, so that one in the wrong place is found.
pub const SECRET_TOKEN: &str = "token-that-is-nobodys-business-";
