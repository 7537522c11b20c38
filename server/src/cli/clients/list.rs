//! `lifesign clients list`: a table for people, or a JSON object a line.

use std::{io::Write, time::SystemTime};

use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    cli::CliError,
    store::{
        Store,
        clients::{ClientRow, SecretRow},
    },
};

const HEADER: [&str; 7] = ["client", "added", "policies", "a minute", "a day (UTC)", "secrets", "certificates"];

pub(super) async fn list(store: &Store, json: bool, now: SystemTime, out: &mut dyn Write) -> Result<(), CliError> {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic).set_header(HEADER);
    for client in store.clients().await.map_err(CliError::failed)? {
        let secrets = store.secrets(&client.id).await.map_err(CliError::failed)?;
        let identities = store.identities(&client.id).await.map_err(CliError::failed)?;
        if json {
            writeln!(out, "{}", object(&client, &secrets, &identities, now))?;
        } else {
            table.add_row(row(&client, &secrets, &identities, now));
        }
    }
    if !json {
        writeln!(out, "{table}")?;
    }
    Ok(())
}

fn row(client: &ClientRow, secrets: &[SecretRow], identities: &[String], now: SystemTime) -> [String; 7] {
    let limit = |limit: u64| if limit == 0 { "no limit".to_owned() } else { limit.to_string() };
    let added = match client.revoked {
        None => text(client.created),
        Some(revoked) => format!("{}, revoked {}", text(client.created), text(revoked)),
    };
    let secrets = secrets.iter().map(|secret| format!("{} {}", secret.prefix(), state(secret, now)));
    let policies = if client.policies.is_empty() { "all".to_owned() } else { client.policies.join(", ") };
    [
        client.id.clone(),
        added,
        policies,
        limit(client.per_minute),
        limit(client.per_day),
        secrets.collect::<Vec<_>>().join("\n"),
        identities.join("\n"),
    ]
}

fn state(secret: &SecretRow, now: SystemTime) -> String {
    match (secret.revoked, secret.expires) {
        (Some(at), _) => format!("revoked {}", text(at)),
        (None, Some(at)) if at <= now => format!("expired {}", text(at)),
        (None, Some(at)) => format!("works until {}", text(at)),
        (None, None) => "works".to_owned(),
    }
}

fn object(client: &ClientRow, secrets: &[SecretRow], identities: &[String], now: SystemTime) -> Value {
    let secrets = secrets.iter().map(|secret| {
        json!({
            "prefix": secret.prefix(), "created": text(secret.created), "expires": secret.expires.map(text),
            "revoked": secret.revoked.map(text), "works": secret.works(now) && client.revoked.is_none(),
        })
    });
    json!({
        "id": client.id, "created": text(client.created), "revoked": client.revoked.map(text),
        "policies": &*client.policies, "per_minute": client.per_minute, "per_day": client.per_day,
        "secrets": secrets.collect::<Vec<_>>(), "identities": identities,
    })
}

/// To the second, as RFC 3339 has it.
fn text(time: SystemTime) -> String {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let time = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "-".to_owned(), |time| time.to_string())
}
