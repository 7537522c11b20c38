//! An HTTP/1.1 server on a real socket that does what a test tells it to, right and wrong, and keeps every request as it came.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// Largest request that is taken; the vendors' own limits are far below.
const MAX_REQUEST: usize = 64 << 20;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `POST`, …
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names as they were sent, in their order.
    pub headers: Vec<(String, String)>,
    /// The body, without any transfer encoding.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What the server does with a request it has read whole.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A reply with this status, these further headers and this body.
    Reply(u16, Vec<(String, String)>, Vec<u8>),
    /// The same after a while.
    Late(Duration, Box<Answer>),
    /// The reply's head at once, its body a byte at a time with this pause between them.
    Drip(Duration, Box<Answer>),
    /// Half of the reply's body, then the end of the connection.
    Cut(Box<Answer>),
    /// These bytes in place of a reply, then the end of the connection.
    Raw(Vec<u8>),
    /// A reset of the connection.
    Reset,
    /// Nothing, for as long as the client waits.
    Hang,
}

impl Answer {
    /// A JSON reply.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Answer::Reply(status, vec![("Content-Type".into(), "application/json".into())], body.into().into_bytes())
    }

    /// The same with a further header.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        match self {
            Answer::Reply(status, mut headers, body) => {
                headers.push((name.to_owned(), value.to_owned()));
                Answer::Reply(status, headers, body)
            }
            Answer::Late(pause, inner) => Answer::Late(pause, Box::new(inner.with(name, value))),
            Answer::Drip(pause, inner) => Answer::Drip(pause, Box::new(inner.with(name, value))),
            Answer::Cut(inner) => Answer::Cut(Box::new(inner.with(name, value))),
            other => other,
        }
    }
}

type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct SocketServer {
    /// Where it listens.
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    task: tokio::task::JoinHandle<()>,
}

impl SocketServer {
    /// Listens on a free port of the loopback address and answers every request as `handler` says.
    ///
    /// # Errors
    /// Where the system gives no socket.
    pub async fn start(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> io::Result<Self> {
        Self::on(TcpListener::bind(("127.0.0.1", 0)).await?, handler)
    }

    /// The same on a socket that listens already, for tests in which it matters when it begins to.
    ///
    /// # Errors
    /// Where the socket has no address.
    pub fn on(listener: TcpListener, handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (kept, handler): (_, Arc<Handler>) = (Arc::clone(&requests), Arc::new(handler));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (handler, kept) = (Arc::clone(&handler), Arc::clone(&kept));
                connections.spawn(async move {
                    // A client that goes away in the middle is what some tests are about.
                    let _ = serve(stream, &*handler, &kept).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, requests, task })
    }

    /// `http://address`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far, in the order in which they were read.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for SocketServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, handler: &Handler, kept: &Mutex<Vec<Request>>) -> io::Result<()> {
    // A head and a body are two writes: without this the second waits 40 ms for the first to be acknowledged.
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some(request) = read(&mut stream, &mut buffer).await? {
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        if !answer(&mut stream, handler(&request)).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Answers; `false` where the connection is over.
async fn answer(stream: &mut TcpStream, what: Answer) -> io::Result<bool> {
    let (mut pause, mut cut, mut inner) = (None, false, what);
    loop {
        inner = match inner {
            Answer::Late(wait, next) => {
                sleep(wait).await;
                *next
            }
            Answer::Drip(each, next) => {
                pause = Some(each);
                *next
            }
            Answer::Cut(next) => {
                cut = true;
                *next
            }
            Answer::Raw(bytes) => {
                stream.write_all(&bytes).await?;
                stream.shutdown().await?;
                return Ok(false);
            }
            Answer::Reset => {
                // Without lingering, closing a socket resets the connection.
                stream.set_zero_linger()?;
                return Ok(false);
            }
            Answer::Hang => {
                // Until the client gives up.
                let mut rest = [0];
                while stream.read(&mut rest).await? > 0 {}
                return Ok(false);
            }
            Answer::Reply(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} Told\r\nContent-Length: {}\r\n", body.len());
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                head.push_str("\r\n");
                stream.write_all(head.as_bytes()).await?;
                let sent = if cut { body.get(..body.len() / 2).unwrap_or_default() } else { &body };
                match pause {
                    None => stream.write_all(sent).await?,
                    Some(pause) => {
                        for byte in sent.chunks(1) {
                            stream.write_all(byte).await?;
                            sleep(pause).await;
                        }
                    }
                }
                if cut {
                    stream.shutdown().await?;
                }
                return Ok(!cut);
            }
        };
    }
}

/// The next request, or `None` where the client has closed the connection.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let (mut request, head, length, chunked) = loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Request::new(&mut headers);
        if let httparse::Status::Complete(head) = parsed.parse(buffer).map_err(|_| broken("no HTTP request"))? {
            let headers: Vec<(String, String)> = parsed
                .headers
                .iter()
                .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
                .collect();
            let request = Request {
                method: parsed.method.unwrap_or_default().to_owned(),
                target: parsed.path.unwrap_or_default().to_owned(),
                headers,
                body: Vec::new(),
            };
            let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0_usize);
            let chunked = request.header("transfer-encoding").is_some();
            break (request, head, length, chunked);
        }
        if !more(stream, buffer).await? {
            return if buffer.is_empty() { Ok(None) } else { Err(broken("half a head")) };
        }
    };
    if chunked {
        return Err(broken("a transfer encoding: the clients here know the length of what they send"));
    }
    while buffer.len() < head + length {
        if !more(stream, buffer).await? {
            return Err(broken("half a body"));
        }
    }
    let rest = buffer.split_off(head + length);
    request.body = buffer.split_off(head);
    *buffer = rest;
    Ok(Some(request))
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<bool> {
    if buffer.len() > MAX_REQUEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the request is too large"));
    }
    Ok(stream.read_buf(buffer).await? > 0)
}
