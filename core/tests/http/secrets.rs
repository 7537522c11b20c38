//! Nothing secret and nothing personal in what is printed.

use std::time::Duration;

use http::HeaderValue;
use lifesign_core::{
    http::{ErrorKind, HttpClient, HttpConfig, Payload, Repeat, Secret},
    testing::socket::Answer,
};

use crate::support::{far, line, once, post, send, serve};

const WORD: &str = "hunter2";

fn assert_silent(text: &str) {
    assert!(!text.contains(WORD) && !text.contains("aHVudGVyMg"), "{text}");
}

#[tokio::test]
async fn nothing_that_is_printed_holds_a_secret() {
    let server = serve(|_| Answer::json(500, WORD).with("Set-Cookie", WORD)).await;
    let mut call = post(&format!("http://{WORD}:{WORD}@{}/path?key={WORD}#{WORD}", server.address), Repeat::Safe);
    call.headers.insert("x-api-key", HeaderValue::from_static(WORD));
    call.payload = Payload::json(WORD).unwrap();
    assert_silent(&format!("{call:?} {:?}", call.payload));
    assert!(format!("{call:?}").contains("/path"), "{call:?}");
    let line = line(once());
    let printed = line.call(&call, far(), |reply| Ok::<_, ErrorKind>(format!("{reply:?}"))).await.unwrap();
    assert_silent(&format!("{printed:?}"));
    let error = send(&line, &call).await.unwrap_err();
    assert_silent(&format!("{error} {error:?}"));
    assert_eq!(error.to_string(), "the vendor failed (HTTP 500), after 1 requests");
}

#[tokio::test]
async fn faults_of_the_connection_hold_no_address() {
    let config = HttpConfig { request_timeout_ms: 500, ..once() };
    for answer in [Answer::Reset, Answer::Hang, Answer::Raw(format!("{WORD}\r\n\r\n").into_bytes())] {
        let server = serve(move |_| answer.clone()).await;
        let call = post(&format!("{}/{WORD}?key={WORD}", server.url()), Repeat::Paid);
        let error = send(&line(config.clone()), &call).await.unwrap_err();
        assert_silent(&format!("{error} {error:?}"));
    }
}

#[test]
fn the_proxys_password_is_not_printed() {
    let proxy = Some(Secret::new(format!("http://user:{WORD}@proxy.example:3128")));
    let config = HttpConfig { proxy, ..HttpConfig::default() };
    assert_silent(&format!("{config:?} {}", serde_json::to_string(&config).unwrap()));
    let line = HttpClient::new("test", config.clone()).unwrap();
    assert_silent(&format!("{line:?}"));
    assert!(format!("{line:?}").contains("test"));
    let mut wrong = config;
    wrong.retry.base_ms = Duration::from_secs(3600).as_millis() as u64;
    let error = HttpClient::new("test", wrong).unwrap_err();
    assert_silent(&format!("{error} {error:?}"));
    assert_eq!(error.to_string(), "http.retry.base_ms: 3600000 is not in 1..=60000");
}
