//! The service with nothing configured and nothing beside the repository, tried with grpcurl: the built-in pack answers.

use lifesign_e2e::server::Server;
use serde_json::json;

use crate::grpcurl::{base64, grpcurl, ready};

fn sample(name: &str) -> String {
    let path = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../samples")).join(name);
    base64(&std::fs::read(path).expect("a sample"))
}

#[test]
fn capabilities_and_verdicts_say_builtin() {
    if !ready("builtin::capabilities_and_verdicts_say_builtin") {
        return;
    }
    let server = Server::start(["--onnxruntime", "off", "--workers", "1"]);
    let capabilities = grpcurl(&server.address, "lifesign.v1.LivenessService/GetCapabilities", "{}").expect("OK");
    assert_eq!(capabilities[0]["pack"]["assurance"], "ASSURANCE_BUILTIN");
    assert_eq!(capabilities[0]["models"].as_array().map(Vec::len), Some(4));
    for (name, decision) in [("astronaut.jpg", "DECISION_ACCEPT"), ("dark.jpg", "DECISION_RETRY")] {
        let request = json!({"image": {"data": sample(name), "mediaType": "image/jpeg"}});
        let reply = grpcurl(&server.address, "lifesign.v1.LivenessService/CheckMedia", &request.to_string());
        let verdict = &reply.expect("OK")[0]["verdict"];
        assert_eq!(verdict["decision"], decision, "{name}: {verdict}");
        assert_eq!(verdict["pack"]["assurance"], "ASSURANCE_BUILTIN", "{verdict}");
    }
}
