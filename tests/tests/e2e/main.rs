//! The real server and command line on the open pack, driven by real clients on real media. One binary, so that the
//! program is built and the tools are looked for once.

mod builtin;
mod grpcurl;
mod hostile;
mod load;
mod logs;
mod media_table;
mod python;
mod references;
mod vendor_logs;
mod vendor_media;
mod video_load;
mod videos;

use std::path::PathBuf;

use lifesign_e2e::{media, server::Server, tools};

/// What most tests need: the shared folder, the open pack in a folder of its own, and a server on it.
struct OpenServer {
    shared: PathBuf,
    server: Server,
    _pack: tempfile::TempDir,
}

/// Starts it, or says why `test` is skipped.
fn open_server(test: &str, more: &[&str]) -> Option<OpenServer> {
    let shared = media::shared(test)?;
    let onnxruntime = tools::onnxruntime(test)?;
    let pack = media::open_pack(&shared);
    let server = Server::with_pack(pack.path(), &onnxruntime, more);
    Some(OpenServer { shared, server, _pack: pack })
}
