//! Every vendor's client against a server on a socket: what is sent, byte for byte, and what comes of every reply.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod curl;
mod deepvue;
mod facia;
mod fpt;
mod glair;

/// Puts what was configured over the defaults, table by table.
fn put_over(settings: &mut serde_json::Value, changes: serde_json::Value) {
    match (settings, changes) {
        (serde_json::Value::Object(table), serde_json::Value::Object(changes)) => {
            for (name, change) in changes {
                put_over(table.entry(name).or_insert(serde_json::Value::Null), change);
            }
        }
        (value, change) => *value = change,
    }
}
