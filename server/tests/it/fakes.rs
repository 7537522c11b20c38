//! Vendors that say what a test tells them to: FACIA and Deepvue on real sockets, as far as the server's own tests need them.
//! How the clients speak to the real ones is the matter of the core's tests and of the conformance suite.

use std::sync::{Arc, Mutex};

use lifesign_core::{
    policy::{Strategy, VendorRule},
    testing::socket::{Answer, Request, SocketServer},
};
use lifesign_server::config::{Config, VendorSettings};
use serde_json::{Value, json};

/// What stands for every secret here.
pub(crate) const SECRET: &str = "s3cr3t-of-the-vendor";

/// A vendor, and what it answers uploads with.
pub(crate) struct Fake {
    server: SocketServer,
    answer: Arc<Mutex<Answer>>,
}

pub(crate) fn deepvue(live: bool) -> Answer {
    let data = json!({"is_live": live, "score": null});
    let body = json!({"code": 200, "timestamp": null, "transaction_id": "t-1", "sub_code": "SUCCESS", "data": data});
    Answer::json(200, body.to_string())
}

pub(crate) fn no_face() -> Answer {
    let body = json!({"code": 200, "transaction_id": "t-2", "sub_code": "FACE_NOT_DETECTED"});
    Answer::json(200, body.to_string())
}

pub(crate) fn facia(status: u8, code: Option<&str>) -> Answer {
    let data = json!({
        "type": "deepfake", "reference_id": "R1", "client_reference": null, "status": status, "deepfake_score": 0.2,
        "decline_code": code, "decline_reason": code.map(|_| "Declined."),
        "declined_proof": code.map(|_| "https://proof.test/image?expires=4102444800&signature=00ff"),
    });
    Answer::json(200, json!({"status": true, "message": "success", "result": {"data": data}}).to_string())
}

impl Fake {
    async fn start(answer: Answer, rest: impl Fn(&Request, &Mutex<Answer>) -> Answer + Send + Sync + 'static) -> Self {
        let answer = Arc::new(Mutex::new(answer));
        let told = Arc::clone(&answer);
        let server = SocketServer::start(move |request| rest(request, &told)).await.unwrap();
        Self { server, answer }
    }

    pub(crate) async fn deepvue(answer: Answer) -> Self {
        Self::start(answer, |request, told| match request.target.as_str() {
            "/v1/authorize" => {
                let token = json!({"access_token": SECRET, "token_type": "bearer", "expiry": "2100-01-01T00:00:00Z"});
                Answer::json(200, token.to_string())
            }
            _ => told.lock().unwrap().clone(),
        })
        .await
    }

    /// Its uploads are taken; the answer is that to `/result`.
    pub(crate) async fn facia(answer: Answer) -> Self {
        Self::start(answer, |request, told| match request.target.as_str() {
            "/liveness" => Answer::json(200, r#"{"status":true,"result":{"data":{"reference_id":"R1"}}}"#),
            _ => told.lock().unwrap().clone(),
        })
        .await
    }

    pub(crate) fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// Pictures that came.
    pub(crate) fn uploads(&self) -> Vec<Request> {
        let uploads = ["/liveness", "/v1/liveness-check"];
        self.server.requests().into_iter().filter(|request| uploads.contains(&request.target.as_str())).collect()
    }

    /// Waits until so many pictures have come.
    pub(crate) async fn wait_for_uploads(&self, count: usize) {
        for _ in 0..500 {
            if self.uploads().len() >= count {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{} uploads came, not {count}", self.uploads().len());
    }

    /// Makes it one of the configured vendors.
    pub(crate) fn configure(&self, config: &mut Config, id: &str) {
        let line =
            json!({"total_timeout_ms": 20_000, "retry": {"attempts": 1}, "rate": [{"calls": 1000, "per_ms": 1000}]});
        let common =
            json!({"base_url": self.server.url(), "client_secret": SECRET, "price_micros": 50_000, "http": line});
        let own = match id {
            "facia" => {
                json!({"auth": "client_secret_header", "poll": {"first_wait_ms": 1, "base_ms": 10, "max_ms": 20}})
            }
            _ => json!({"client_id": "me"}),
        };
        let mut settings = VendorSettings::defaults(id).unwrap().value();
        merge(&mut settings, common);
        merge(&mut settings, own);
        config.vendors.insert(id.to_owned(), serde_json::from_value(settings).unwrap());
    }
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.get_mut(&key).unwrap_or_else(|| panic!("there is no setting {key}")), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// Has the policy `test` ask these.
pub(crate) fn ask(config: &mut Config, strategy: Strategy, ask: &[&str]) {
    let ask: Vec<String> = ask.iter().map(|id| (*id).to_owned()).collect();
    let policy = config.policies.get_mut("test").unwrap();
    policy.vendors = VendorRule { strategy, ask, ..VendorRule::default() };
}
