//! Architecture invariant 6 where vendors are asked: no secret, image byte or vendor's reply in the most talkative log, whether
//! the call succeeds, fails or is refused.

use std::fs;

use lifesign_core::testing::socket::{Answer, SocketServer};
use lifesign_e2e::{media::repository, server::Server};
use lifesign_proto::v1::{CheckMediaRequest, Decision, Image, check_media_request::Media};

/// None of these may be in the log.
const CANARIES: [&str; 7] = [
    "canary-client-secret",
    "canary-access-token",
    "canary-deepvue-secret",
    "canary-deepvue-token",
    "canary-transaction",
    "canary-proof-signature",
    "canary-vendor-message",
];

/// FACIA and Deepvue at one address; `faulty` makes every upload fail in one way or another.
async fn vendors(faulty: bool) -> SocketServer {
    let facia_result = r#"{"status":true,"message":"canary-vendor-message","result":{"data":{"type":"deepfake",
        "reference_id":"canary-transaction","client_reference":null,"status":0,"deepfake_score":0.2,"decline_code":"FADR25",
        "decline_reason":"canary-vendor-message",
        "declined_proof":"https://facia.test/api/image-url/1?expires=4102444800&signature=canary-proof-signature"}}}"#;
    SocketServer::start(move |request| match request.target.as_str() {
        "/request-access-token" => {
            Answer::json(200, r#"{"status":true,"message":"token","result":{"data":{"token":"canary-access-token"}}}"#)
        }
        "/v1/authorize" => Answer::json(
            200,
            r#"{"access_token":"canary-deepvue-token","token_type":"bearer","expiry":"2100-01-01T00:00:00Z"}"#,
        ),
        "/liveness" if faulty => Answer::json(500, r#"{"message":"canary-vendor-message"}"#),
        "/v1/liveness-check" if faulty => Answer::Raw(b"canary-vendor-message, which is no HTTP".to_vec()),
        "/liveness" => Answer::json(200, r#"{"status":true,"result":{"data":{"reference_id":"canary-transaction"}}}"#),
        "/result" => Answer::json(200, facia_result),
        _ => Answer::json(
            200,
            r#"{"code":200,"transaction_id":"canary-transaction","sub_code":"SUCCESS","message":"canary-vendor-message",
                "data":{"is_live":true,"score":null}}"#,
        ),
    })
    .await
    .expect("a socket")
}

fn configuration(url: &str) -> String {
    format!(
        r#"
default_policy = "asking"
[policies.asking]
version = "1"
required = ["SingleFacePresent", "PresentationAttack"]
[policies.asking.vendors]
strategy = "all"
ask = ["facia", "deepvue"]
[vendors.facia]
base_url = "{url}"
client_id = "me"
client_secret = "canary-client-secret"
[vendors.deepvue]
base_url = "{url}"
client_id = "me"
client_secret = "canary-deepvue-secret"
[[vendors.deepvue.http.rate]]
calls = 100
per_ms = 1000
"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_calls_to_vendors_holds_no_secret_and_no_picture() {
    for (faulty, decision) in [(false, Decision::Reject), (true, Decision::Indeterminate)] {
        let vendors = vendors(faulty).await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("lifesign.toml");
        fs::write(&file, configuration(&vendors.url())).expect("a file");
        let server = Server::start(["--config", file.to_str().expect("UTF-8"), "--log-level", "trace"]);
        let jpeg = fs::read(repository().join("samples/astronaut.jpg")).expect("the sample");
        let image = Image { data: jpeg.clone().into(), ..Default::default() };
        let check = CheckMediaRequest {
            media: Some(Media::Image(image)),
            client_reference: "canary-reference-77".to_owned(),
            ..Default::default()
        };
        let answer = server.client().await.check_media(check).await.expect("a verdict").into_inner();
        let verdict = answer.verdict.expect("a verdict");
        assert_eq!(verdict.decision(), decision, "{:?}", verdict.diagnostics);
        let uploads = vendors.requests().into_iter().filter(|request| request.body.len() > 10_000).count();
        assert_eq!(uploads, 2, "both were asked");

        // How vendors answered can be followed.
        let log = server.log_with("vendors=\"facia:").await;
        for canary in CANARIES.into_iter().chain(["canary-reference-77"]) {
            assert!(!log.contains(canary), "{canary} is in the log");
            assert!(!verdict.diagnostics.iter().any(|line| line.contains(canary)), "{canary} is in the diagnostics");
        }
        // The picture in base64, as both vendors got it, and as bytes.
        assert!(!log.contains("/9j/"), "a picture is in the log");
        let head: String = jpeg.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        assert!(!log.contains(&head), "a picture's bytes are in the log");
        let longest = log.lines().map(str::len).max().unwrap_or_default();
        assert!(longest < 2_000, "a line of {longest} bytes");
    }
}
