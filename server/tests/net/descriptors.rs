//! A process that has run out of file descriptors serves again once it has some. It is a process of its own, so that the other tests do
//! not run out of them.

use std::{env, fs::File, io, io::Write as _, process::Command, time::Duration};

use axum::Router;
use lifesign_server::net::HttpOptions;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::rig::{LAST, Running, read_head};

/// Set in the process of its own.
const MARK: &str = "LIFESIGN_TEST_FEW_DESCRIPTORS";

/// What it says once it has shown that it had none left.
const RAN_OUT: &str = "it had run out\n";

#[test]
fn a_listener_outlives_a_lack_of_file_descriptors() {
    if env::var_os(MARK).is_some() {
        return tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(lack());
    }
    let test = ["--exact", "descriptors::a_listener_outlives_a_lack_of_file_descriptors", "--nocapture"];
    let done = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
        .arg(env::current_exe().unwrap())
        .args(test)
        .env(MARK, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("1 passed") && said.contains(RAN_OUT), "{said}");
}

async fn lack() {
    let server = Running::start(HttpOptions::default(), Router::new()).await;
    let mut taken = Vec::new();
    let error = loop {
        match File::open("/dev/null") {
            Ok(file) => taken.push(file),
            Err(error) => break error,
        }
    };
    // The last one goes to the client, so that the server has none for its own end.
    taken.pop();
    let mut client = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(File::open("/dev/null").unwrap_err().raw_os_error(), error.raw_os_error());
    client.write_all(LAST.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(client.try_read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    io::stderr().write_all(RAN_OUT.as_bytes()).unwrap();
    taken.clear();
    assert!(read_head(&mut client).await.unwrap().starts_with("HTTP/1.1 200 "));
    server.stop().await;
}
