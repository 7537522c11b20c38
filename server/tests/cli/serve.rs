//! `lifesign serve`: start, refusal to start, and the end by signal.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::Stdio,
    time::{Duration, Instant},
};

use crate::support::{User, stderr};

const COMMON: [&str; 7] = ["serve", "--onnxruntime", "off", "--workers", "1", "--http-addr", "127.0.0.1:0"];

#[test]
fn refusals_come_before_a_port_is_bound() {
    let user = User::new();
    let pack = user.pack();
    let mut beyond = user.lifesign(COMMON);
    let beyond = beyond.args(["--grpc-addr", "0.0.0.0:0", "--pack"]).arg(&pack).output().unwrap();
    assert_eq!(beyond.status.code(), Some(2));
    assert!(stderr(&beyond).contains("--insecure"), "{}", stderr(&beyond));
    let mut absent = user.lifesign(COMMON);
    let absent = absent.args(["--grpc-addr", "127.0.0.1:0", "--pack"]).arg(user.path("absent")).output().unwrap();
    assert_eq!(absent.status.code(), Some(2));
    assert!(stderr(&absent).contains("absent") && !stderr(&absent).contains("listening"), "{}", stderr(&absent));
}

#[test]
fn a_taken_port_is_named() {
    let user = User::new();
    let pack = user.pack();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let policy = ["--policy-default", "presentation-attack-only"];
    let output =
        user.lifesign(COMMON).args(policy).args(["--grpc-addr", &address, "--pack"]).arg(&pack).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains(&format!("cannot listen on {address}")), "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_in_order() {
    for signal in ["-TERM", "-INT"] {
        let user = User::new();
        let pack = user.pack();
        let mut child = user
            .lifesign(COMMON)
            .args(["--policy-default", "presentation-attack-only", "--grpc-addr", "127.0.0.1:0", "--pack"])
            .arg(&pack)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let announced = log.find(|line| line.contains("listening;")).expect("it listens");
        for expected in ["127.0.0.1:", "rten", "CUSTOM", "presentation-attack-only"] {
            assert!(announced.contains(expected), "{expected} in {announced}");
        }
        let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if began.elapsed() > Duration::from_secs(20) {
                child.kill().unwrap();
                panic!("it did not end on {signal}");
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(status.code(), Some(0), "{signal}");
        assert!(log.any(|line| line.contains("stopped")), "{signal}");
    }
}

#[test]
fn logs_can_be_json() {
    let user = User::new();
    let pack = user.pack();
    let mut child = user
        .lifesign(COMMON)
        .args(["--policy-default", "presentation-attack-only", "--grpc-addr", "127.0.0.1:0", "--pack"])
        .arg(&pack)
        .env("LIFESIGN_LOG__FORMAT", "json")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let announced = log.find(|line| line.contains("listening;")).expect("it listens");
    child.kill().unwrap();
    child.wait().unwrap();
    let object: serde_json::Value = serde_json::from_str(&announced).unwrap();
    assert_eq!(object["level"], "INFO");
    assert!(object["address"].as_str().unwrap().starts_with("127.0.0.1:"));
}
