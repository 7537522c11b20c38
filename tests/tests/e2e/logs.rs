//! Architecture invariant 6: nothing personal in a log, not even at its most talkative.

use std::fs;

use lifesign_proto::v1::{
    CheckMediaRequest, CreateSessionRequest, Image, MediaChunk, SessionConfig, StreamSessionRequest,
    check_media_request::Media, stream_session_request as request,
};
use tokio_stream::iter;

use crate::open_server;

#[tokio::test(flavor = "multi_thread")]
async fn a_log_has_no_token_reference_or_image() {
    let test = "logs::a_log_has_no_token_reference_or_image";
    let Some(open) = open_server(test, &["--log-level", "trace"]) else { return };
    let mut client = open.server.client().await;
    let jpeg = fs::read(open.shared.join("media/live/minivision_T1.jpg")).expect("an image");
    let reference = "canary-reference-5521".to_owned();

    let image = Image { data: jpeg.clone().into(), ..Default::default() };
    let check = CheckMediaRequest {
        media: Some(Media::Image(image)),
        client_reference: reference.clone(),
        ..Default::default()
    };
    client.check_media(check).await.expect("a verdict");

    let config = SessionConfig { client_reference: reference.clone(), ..Default::default() };
    let made = client.create_session(CreateSessionRequest { config: Some(config), ..Default::default() }).await;
    let made = made.expect("a session").into_inner();
    let token = made.session_token.clone();
    let start = request::start::Session::SessionToken(token.clone());
    let mut messages = vec![request::Message::Start(request::Start { session: Some(start) })];
    for frame_index in 0..3 {
        let chunk = MediaChunk { frame_index, data: jpeg.clone().into(), last: true, ..Default::default() };
        messages.push(request::Message::Chunk(chunk));
    }
    messages.push(request::Message::Finish(request::Finish {}));
    let messages = messages.into_iter().map(|message| StreamSessionRequest { message: Some(message) });
    let mut replies = client.stream_session(iter(messages.collect::<Vec<_>>())).await.expect("a stream").into_inner();
    while replies.message().await.expect("no fault").is_some() {}

    let log = open.server.log();
    assert!(log.contains(&made.session_id), "a session can be followed in the log:\n{log}");
    for (what, secret) in [("the token", &token), ("the reference", &reference)] {
        assert!(!log.contains(secret), "{what} is in the log");
    }
    let head = jpeg.get(..8).expect("an image");
    for form in [format!("{head:?}"), head.iter().map(|byte| format!("{byte:02x}")).collect::<String>()] {
        assert!(!log.contains(form.trim_matches(['[', ']'])), "image bytes are in the log");
    }
    // Whatever the encoding, an image in a line would make it longer than any line that is only about one.
    let longest = log.lines().map(str::len).max().unwrap_or_default();
    assert!(longest < 2_000, "a line of {longest} bytes");
}
