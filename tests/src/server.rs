//! A `lifesign serve` process on a free port, stopped when dropped.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::Duration,
};

use lifesign_proto::v1::liveness_service_client::LivenessServiceClient;
use tonic::transport::{Channel, Endpoint};

use crate::tools::lifesign;

/// A running server.
pub struct Server {
    child: Child,
    /// Its data, where they end with it.
    home: Option<tempfile::TempDir>,
    log: Arc<Mutex<String>>,
    /// `127.0.0.1:PORT` of gRPC.
    pub address: String,
    /// `127.0.0.1:PORT` of HTTP.
    pub http: String,
}

impl Server {
    /// Starts a server with these arguments after `serve`, on a free loopback port, and waits until it listens.
    pub fn start<S: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = S>) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let path = home.path().to_owned();
        let mut server = Self::start_in(&path, arguments);
        server.home = Some(home);
        server
    }

    /// As [`Server::start`], with its data in this folder, as after a restart.
    pub fn start_in<S: AsRef<std::ffi::OsStr>>(home: &Path, arguments: impl IntoIterator<Item = S>) -> Self {
        let mut child = Command::new(lifesign())
            .arg("serve")
            .args(["--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"])
            .args(arguments)
            .env("LIFESIGN_HOME", home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("lifesign starts");
        let stderr = child.stderr.take().expect("a pipe");
        let (lines, announced) = mpsc::channel();
        let log = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&log);
        // The pipe is read to its end, or the server would block on a full one.
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push_str(&line);
                kept.push('\n');
                let _ = lines.send(line);
            }
        });
        let mut http = String::new();
        loop {
            match announced.recv_timeout(Duration::from_secs(60)) {
                Ok(line) => {
                    match announced_address(&line) {
                        // It comes first.
                        Some(address) if line.contains("for HTTP") => http = address,
                        Some(address) => return Self { child, home: None, log, address, http },
                        None => {}
                    }
                }
                Err(error) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    let log = log.lock().unwrap_or_else(PoisonError::into_inner);
                    panic!("the server did not start ({error}); it said:\n{log}");
                }
            }
        }
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the server has logged, once this is in it: a call's own line comes when the call is over, after its answer.
    ///
    /// # Panics
    /// Where it does not come within ten seconds.
    pub async fn log_with(&self, what: &str) -> String {
        for _ in 0..500 {
            let log = self.log();
            if log.contains(what) {
                return log;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the log has no {what:?}:\n{}", self.log());
    }

    /// Starts a server on a pack folder and an ONNX Runtime library.
    pub fn with_pack(pack: &Path, onnxruntime: &Path, more: &[&str]) -> Self {
        let arguments = ["--pack".as_ref(), pack.as_os_str(), "--onnxruntime".as_ref(), onnxruntime.as_os_str()];
        Self::start(arguments.into_iter().chain(more.iter().map(|argument| (*argument).as_ref())))
    }

    /// A client on a connection of its own.
    pub async fn client(&self) -> LivenessServiceClient<Channel> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).expect("an address");
        let channel = endpoint.connect().await.expect("the server accepts a connection");
        LivenessServiceClient::new(channel).max_decoding_message_size(64 << 20).max_encoding_message_size(128 << 20)
    }

    /// Its data folder, where it is its own.
    pub fn home(&self) -> Option<&Path> {
        self.home.as_ref().map(tempfile::TempDir::path)
    }

    /// Ends it as a crash does: no signal handler runs.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A field of the process's memory accounts in KiB: `VmRSS` (now) or `VmHWM` (the peak so far).
    pub fn memory_kib(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).expect("the process lives");
        let line = status.lines().find(|line| line.starts_with(field)).expect("the field");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The address in the line that says where the server listens.
fn announced_address(line: &str) -> Option<String> {
    if !line.contains("listening") {
        return None;
    }
    let start = line.find("127.0.0.1:")?;
    let address: String =
        line.get(start..)?.chars().take_while(|c| c.is_ascii_digit() || *c == '.' || *c == ':').collect();
    (!address.ends_with(":0")).then_some(address)
}
