//! What a vendor gets to see of a request, and what comes back whole.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use lifesign_core::{
    http::{Call, ErrorKind, Part, Payload, Repeat},
    testing::socket::Answer,
};

use crate::support::{eager, far, line, ok, once, post, send, serve};

#[tokio::test]
async fn a_request_is_sent_as_told_and_the_reply_comes_whole() {
    let server = serve(|_| Answer::json(201, r#"{"live":true}"#).with("Request-Id", "r-1")).await;
    let mut call = post(&format!("{}/v1/check?lang=en", server.url()), Repeat::Paid);
    call.headers.insert("x-api-key", HeaderValue::from_static("key"));
    let told = line(once())
        .call(&call, far(), |reply| {
            let id = reply.headers["request-id"].to_str().unwrap().to_owned();
            Ok::<_, ErrorKind>((reply.status.as_u16(), id, reply.body.clone()))
        })
        .await
        .unwrap();
    assert_eq!((told.value.0, told.value.1.as_str(), told.attempts), (201, "r-1", 1));
    assert_eq!(told.value.2, r#"{"live":true}"#);
    let requests = server.requests();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v1/check?lang=en"));
    assert_eq!(request.text(), r#"{"face":"data"}"#);
    let version = concat!("lifesign/", env!("CARGO_PKG_VERSION"));
    for (name, value) in
        [("content-type", "application/json"), ("content-length", "15"), ("x-api-key", "key"), ("user-agent", version)]
    {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    assert_eq!((request.header("referer"), request.header("proxy-authorization")), (None, None));
}

#[tokio::test]
async fn a_multipart_body_is_the_same_when_it_is_sent_again() {
    let server =
        serve(|request| if request.header("x-turn") == Some("1") { Answer::json(500, "") } else { ok() }).await;
    let media: Bytes = (0..300_000_u32).map(|index| (index % 251) as u8).collect();
    let file = Part::file("video", "video.mp4", "video/mp4", media.clone());
    let payload = Payload::multipart(vec![Part::text("type", "face"), file]).unwrap();
    let line = line(once());
    for (turn, fails) in [("1", true), ("2", false)] {
        let headers = HeaderMap::from_iter([("x-turn".parse().unwrap(), HeaderValue::from_static(turn))]);
        let url = server.url().parse().unwrap();
        let call = Call { method: Method::POST, url, headers, payload: payload.clone(), repeat: Repeat::Paid };
        assert_eq!(send(&line, &call).await.is_err(), fails);
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].body, requests[1].body);
    assert_eq!(requests[0].body.len() as u64, payload.len());
    assert!(requests[0].body.windows(media.len()).any(|window| window == media));
    let content_type = requests[0].header("content-type").unwrap();
    assert!(content_type.starts_with("multipart/form-data; boundary="), "{content_type}");
    assert_eq!(requests[1].header("content-type").unwrap(), content_type);
    assert_eq!(requests[0].header("content-length"), Some(payload.len().to_string().as_str()));
}

#[tokio::test]
async fn a_repeated_call_sends_its_body_again() {
    let server = serve(|_| Answer::json(503, "")).await;
    let error = send(&line(eager(3)), &post(&server.url(), Repeat::Safe)).await.unwrap_err();
    assert_eq!((error.attempts, error.sent), (3, true));
    let bodies: Vec<_> = server.requests().iter().map(|request| request.text()).collect();
    assert_eq!(bodies, [r#"{"face":"data"}"#; 3]);
}

#[tokio::test]
async fn calls_without_a_body_have_no_content_type() {
    let server = serve(|_| ok()).await;
    let line = line(once());
    for method in [Method::GET, Method::POST] {
        let call = Call { method, payload: Payload::empty(), ..post(&server.url(), Repeat::Safe) };
        send(&line, &call).await.unwrap();
    }
    for request in server.requests() {
        assert_eq!((request.header("content-type"), request.body.len()), (None, 0), "{request:?}");
    }
}
