//! `lifesign vendors`, `check` under a policy that asks vendors, and what a wrong key does to the start.

use std::{process::Output, sync::Arc};

use lifesign_core::testing::socket::{Answer, SocketServer};

use crate::support::{LIVE, User, lines, stderr, stdout};

const SECRET: &str = "s3cr3t-key-of-deepvue";

/// A Deepvue that takes this secret alone and says live.
async fn deepvue() -> SocketServer {
    SocketServer::start(|request| match request.target.as_str() {
        "/v1/authorize" if request.text().contains(SECRET) => {
            Answer::json(200, r#"{"access_token":"t","token_type":"bearer","expiry":"2100-01-01T00:00:00Z"}"#)
        }
        "/v1/authorize" => Answer::json(401, r#"{"detail":"Not authenticated"}"#),
        _ => Answer::json(
            200,
            r#"{"code":200,"transaction_id":"t","sub_code":"SUCCESS","data":{"is_live":true,"score":null}}"#,
        ),
    })
    .await
    .unwrap()
}

/// A configuration with the tiny pack, that vendor, and a policy that asks it.
fn configure(user: &User, vendor: &SocketServer) {
    let pack = user.pack();
    let text = format!(
        r#"
pack = {pack:?}
onnxruntime = "off"
default_policy = "asking"
[vendors.deepvue]
base_url = "{url}"
client_id = "me"
price_micros = 50000
[[vendors.deepvue.http.rate]]
calls = 100
per_ms = 1000
[policies.asking]
version = "1"
required = ["PresentationAttack"]
gate = false
[policies.asking.vendors]
strategy = "first"
ask = ["deepvue"]
"#,
        pack = pack.to_str().unwrap(),
        url = vendor.url(),
    );
    user.file("lifesign.toml", text);
}

/// Runs the program with this secret, beside the sockets.
async fn run(user: &Arc<User>, secret: &str, arguments: &[&str]) -> Output {
    let (user, secret) = (Arc::clone(user), secret.to_owned());
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let work = move || {
        let mut command = user.lifesign(arguments);
        command.env("LIFESIGN_VENDORS__DEEPVUE__CLIENT_SECRET", secret).output().unwrap()
    };
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[test]
fn every_vendor_is_listed() {
    let user = User::new();
    let output = user.run(["vendors", "list"]);
    assert!(output.status.success(), "{}", stderr(&output));
    for expected in ["facia", "deepvue", "glair", "fpt", "presentation attacks", "deepfakes", "by polling"] {
        assert!(stdout(&output).contains(expected), "{}", stdout(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_checked_without_an_upload_and_live_with_one() {
    let (user, vendor) = (Arc::new(User::new()), deepvue().await);
    configure(&user, &vendor);
    let output = run(&user, SECRET, &["vendors", "check"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("credentials accepted") && stdout(&output).contains("0.05"),
        "{}",
        stdout(&output)
    );
    let uploads = || vendor.requests().iter().filter(|request| request.target == "/v1/liveness-check").count();
    assert_eq!(uploads(), 0);

    let output = run(&user, SECRET, &["vendors", "check", "deepvue", "--live"]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("LIVE (code SUCCESS)"), "{}", stdout(&output));
    assert_eq!(uploads(), 1);

    let output = run(&user, "another", &["vendors", "check", "--live"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    assert!(stdout(&output).contains("refused") && stdout(&output).contains("not asked"), "{}", stdout(&output));
    assert_eq!(uploads(), 1);
    let output = run(&user, SECRET, &["vendors", "check", "glair"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("vendor glair is not configured; configured: deepvue"), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_wrong_key_stops_the_start_with_the_settings_name() {
    let (user, vendor) = (Arc::new(User::new()), deepvue().await);
    configure(&user, &vendor);
    let serve = ["serve", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"];
    let wrong = run(&user, "another-secret", &serve).await;
    assert_eq!(wrong.status.code(), Some(2));
    let said = stderr(&wrong);
    assert!(said.contains("vendors.deepvue.client_secret") && said.contains("refuses its credentials"), "{said}");
    assert!(!said.contains("another-secret") && !said.contains("listening"), "{said}");

    let (there, arguments) = (Arc::clone(&user), serve);
    let missing = tokio::task::spawn_blocking(move || there.run(arguments)).await.unwrap();
    assert_eq!(missing.status.code(), Some(2));
    let said = stderr(&missing);
    assert!(said.contains("vendors.deepvue.client_secret is not set"), "{said}");
    assert!(said.contains("client_secret_file"), "the remedy is said: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_asks_a_vendor_which_is_not_configured_is_refused() {
    let user = User::new();
    let pack = user.pack();
    let text = format!(
        "pack = {:?}\nonnxruntime = \"off\"\n[policies.asking]\nversion = \"1\"\nrequired = [\"PresentationAttack\"]\n\
         [policies.asking.vendors]\nstrategy = \"first\"\nask = [\"fpt\"]\n",
        pack.to_str().unwrap()
    );
    let file = user.file("asking.toml", text);
    let output = user.lifesign(["config", "check"]).arg(file).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("vendors.fpt") && stderr(&output).contains("asking"), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_asks_vendors_as_the_server_does() {
    let (user, vendor) = (Arc::new(User::new()), deepvue().await);
    configure(&user, &vendor);
    let picture = user.grey(LIVE, "live.png");
    let output = run(&user, SECRET, &["check", "--json", picture.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let verdict = &lines(&output)[0]["verdict"];
    assert_eq!(verdict["decision"], "DECISION_ACCEPT");
    assert_eq!(verdict["vendorResults"][0]["outcome"], "LIVE");
    assert_eq!(verdict["vendorResults"][0]["costMicros"], "50000");
    let table = run(&user, SECRET, &["check", picture.to_str().unwrap()]).await;
    assert!(stdout(&table).contains("vendors") && stdout(&table).contains("deepvue LIVE"), "{}", stdout(&table));
    // The vendor is gone: no pass.
    drop(vendor);
    let output = run(&user, SECRET, &["check", "--json", picture.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let verdict = &lines(&output)[0]["verdict"];
    assert_eq!(verdict["decision"], "DECISION_INDETERMINATE");
    assert_eq!(verdict["vendorResults"][0]["detail"], "VENDOR_UNREACHABLE");
}
