//! A stand-in for every vendor: a small server on a real socket that follows the vendor's page, told by a [`Script`] what to say.
//!
//! What is checked of a request and what is replied comes from the vendors' pages, not from the clients. Where a page leaves a
//! thing open, the comment beside it says so.

mod deepvue;
mod facia;
mod form;
mod fpt;
mod glair;
mod script;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use lifesign_core::{
    testing::socket::{Answer, Request, SocketServer},
    vendors::{ConnectError, Spec, Vendor, find},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub use script::{Counts, SECRET_TOKEN, Says, Script, Stage, Upload};

/// Every stand-in.
pub const FAKES: &[&Kind] = &[&deepvue::KIND, &facia::KIND, &fpt::KIND, &glair::KIND];

/// Between two bytes of a slow body.
const DRIP: Duration = Duration::from_millis(100);

/// Why a request is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Key,
    Token,
    TooMany,
    Broken,
    Media,
}

/// One vendor's page as a server.
pub struct Kind {
    /// The vendor's id in the table of vendors.
    pub id: &'static str,
    /// The credentials that its settings hold: no error and no `Debug` may show one.
    pub secrets: &'static [&'static str],
    /// Its own settings, without the address and the line.
    pub settings: fn() -> Value,
    /// Where media are uploaded to.
    uploads: &'static [&'static str],
    /// Looks at the credentials of a request.
    door: fn(&Script, &Request) -> Result<(), Answer>,
    /// Looks at the rest of an upload: its media, or what is wrong with it.
    media: fn(&Request) -> Result<Vec<Vec<u8>>, Answer>,
    /// The reply to an upload that comes to this.
    judge: fn(&Script, &Request, Says) -> Answer,
    /// The reply to one that is turned away.
    refuse: fn(Refusal) -> Answer,
    /// The reply to a request elsewhere: for a token, for a result.
    other: fn(&Script, &Request) -> Option<Answer>,
}

impl Kind {
    /// What it replies to a request, without any socket.
    pub fn answer(&self, script: &Script, request: &Request) -> Answer {
        script.keep(request);
        let path = request.target.split('?').next().unwrap_or_default();
        if self.uploads.contains(&path) {
            return if request.method == "POST" { self.upload(script, request) } else { nothing_here(405) };
        }
        (self.other)(script, request).unwrap_or_else(|| nothing_here(404))
    }

    fn upload(&self, script: &Script, request: &Request) -> Answer {
        let media = (self.media)(request);
        // Looked at before a token may end with this very upload, and told after it.
        let door = (self.door)(script, request);
        let (place, says) = script.begin(media.clone().unwrap_or_default());
        if let Err(refused) = door {
            return refused;
        }
        let refused = fault(self.refuse, says);
        // What is wrong with the media is told by a vendor that has looked at them.
        let unseen = matches!(says, Says::RefusedKey | Says::ExpiredToken | Says::TooMany(_));
        if let (true, Some(refused)) = (unseen, &refused) {
            return refused.clone();
        }
        if let Some(refused) = media.err().or(refused) {
            return refused;
        }
        let judged = if matches!(says, Says::SlowBody | Says::Cut) { Says::Live } else { says };
        script.judged(place, judged);
        let answer = (self.judge)(script, request, judged);
        let pause = script.pause();
        if pause.is_zero() { spoilt(says, answer) } else { Answer::Late(pause, Box::new(spoilt(says, answer))) }
    }
}

/// What goes wrong in the place of a reply; `None` where there is one.
fn fault(refuse: fn(Refusal) -> Answer, says: Says) -> Option<Answer> {
    Some(match says {
        Says::RefusedKey => refuse(Refusal::Key),
        Says::ExpiredToken => refuse(Refusal::Token),
        Says::TooMany(None) => refuse(Refusal::TooMany),
        Says::TooMany(Some(after)) => refuse(Refusal::TooMany).with("Retry-After", &after.to_string()),
        Says::BadMedia => refuse(Refusal::Media),
        Says::Broken => refuse(Refusal::Broken),
        Says::Hang => Answer::Hang,
        Says::Reset => Answer::Reset,
        Says::Noise => Answer::Raw(b"\x16\x03\x01 this is not the protocol\r\n\r\n".to_vec()),
        Says::Garbage => {
            let page = "<!DOCTYPE html><html><title>It works!</title></html>".to_owned();
            Answer::Reply(200, vec![("Content-Type".into(), "text/html".into())], page.into_bytes())
        }
        Says::Live | Says::Spoof | Says::Deepfake | Says::NoFace | Says::SlowBody | Says::Cut | Says::Flapping => {
            return None;
        }
    })
}

/// A reply on a line that does not carry it as it should.
fn spoilt(says: Says, answer: Answer) -> Answer {
    match says {
        Says::SlowBody => Answer::Drip(DRIP, Box::new(answer)),
        Says::Cut => Answer::Cut(Box::new(answer)),
        _ => answer,
    }
}

/// A reply at a stage that is no upload, or what goes wrong there in its place.
fn at(stage: Stage, script: &Script, refuse: fn(Refusal) -> Answer, reply: impl FnOnce() -> Answer) -> Answer {
    let Some(says) = script.fails(stage) else { return reply() };
    fault(refuse, says).unwrap_or_else(|| spoilt(says, reply()))
}

/// A running stand-in. It ends when this is dropped; its script lives on.
pub struct Fake {
    kind: &'static Kind,
    server: Option<SocketServer>,
    address: SocketAddr,
    /// What it says, and what it has seen.
    pub script: Arc<Script>,
}

impl Fake {
    /// Starts the stand-in of the vendor with this id on a free port of this machine.
    ///
    /// # Errors
    /// Where there is no such stand-in, or no port.
    pub async fn start(id: &str) -> io::Result<Self> {
        let kind = FAKES.iter().copied().find(|kind| kind.id == id);
        let kind = kind.ok_or_else(|| io::Error::other(format!("there is no stand-in for {id}")))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let mut fake = Self { kind, server: None, address, script: Arc::default() };
        fake.listen(listener)?;
        Ok(fake)
    }

    fn listen(&mut self, listener: TcpListener) -> io::Result<()> {
        let (kind, script) = (self.kind, Arc::clone(&self.script));
        self.server = Some(SocketServer::on(listener, move |request| kind.answer(&script, request))?);
        Ok(())
    }

    /// Stops listening and breaks all connections: whoever comes now is refused.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Listens again, at the same address.
    ///
    /// # Errors
    /// Where the port was taken meanwhile.
    pub async fn resume(&mut self) -> io::Result<()> {
        let listener = TcpListener::bind(self.address).await?;
        self.listen(listener)
    }

    /// The vendor's description in the table of vendors.
    pub fn spec(&self) -> &'static Spec {
        find(self.kind.id).expect("a stand-in is for a vendor of the table")
    }

    /// The credentials that its settings hold.
    pub fn secrets(&self) -> &'static [&'static str] {
        self.kind.secrets
    }

    /// The settings that point a client at it, to be put over the vendor's defaults: its address, its credentials, short
    /// time-outs, hardly any waits, no rate windows to speak of.
    pub fn settings_json(&self) -> Value {
        let mut settings = (self.kind.settings)();
        let line = json!({
            "base_url": format!("http://{}", self.address),
            "http": {
                "connect_timeout_ms": 1_000,
                "request_timeout_ms": 1_500,
                "total_timeout_ms": 5_000,
                "retry": {"attempts": 3, "base_ms": 1, "max_ms": 5},
                "rate": [{"calls": 1_000_000, "per_ms": 1_000}],
            },
        });
        put_over(&mut settings, line);
        settings
    }

    /// The same as the table `[vendors.ID]` of a server's configuration file.
    pub fn settings_toml(&self, id: &str) -> String {
        toml::to_string(&json!({"vendors": {id: self.settings_json()}})).expect("settings hold no null")
    }

    /// A client that is pointed at it, its settings changed by these.
    ///
    /// # Errors
    /// What the client says of its settings.
    pub fn connect(&self, changes: Value) -> Result<Box<dyn Vendor>, ConnectError> {
        let spec = self.spec();
        let mut settings = (spec.settings)();
        put_over(&mut settings, self.settings_json());
        put_over(&mut settings, changes);
        (spec.connect)(settings)
    }
}

/// Puts what was configured over the defaults, table by table.
pub fn put_over(settings: &mut Value, changes: Value) {
    match (settings, changes) {
        (Value::Object(table), Value::Object(changes)) => {
            for (name, change) in changes {
                put_over(table.entry(name).or_insert(Value::Null), change);
            }
        }
        (value, change) => *value = change,
    }
}

fn nothing_here(status: u16) -> Answer {
    Answer::Reply(status, Vec::new(), Vec::new())
}

/// A sample of a vendor's page, changed in these places. Each has to be there already, so that the sample's shape stays.
fn sample(text: &str, changes: &[(&str, Value)]) -> Value {
    let mut value: Value = serde_json::from_str(text).expect("a sample is JSON");
    for (place, change) in changes {
        *value.pointer_mut(place).unwrap_or_else(|| panic!("the sample has no {place}")) = change.clone();
    }
    value
}
