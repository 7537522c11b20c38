//! `lifesign clients add|list|rotate|revoke`: who may call.

mod list;

use std::{
    io::Write,
    time::{Duration, SystemTime},
};

use clap::{Args, Subcommand};
use lifesign_core::http::Secret;

use super::{CliError, Exit};
use crate::{
    access::{client_secret, fingerprint},
    backing,
    config::Config,
    models,
    store::{Store, clients::NewClient},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Longest life of a secret that can be asked for: ten years, which is as good as none.
const MAX_DAYS: i64 = 3650;

/// Manage who may call.
#[derive(Debug, Args)]
pub(super) struct ClientsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a client and print its secret, which is shown this once
    Add(AddArgs),
    /// Show the clients, what they may do, and their secrets by the first digits of their hashes
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Give a client a new secret, printed this once; the old ones work for a while longer
    Rotate(RotateArgs),
    /// Shut a client out for good, or revoke one of its secrets; it takes effect with the next call
    Revoke {
        /// The client
        #[arg(value_name = "ID")]
        id: String,
        /// Only the secret whose hash begins with these digits (`clients list` shows them)
        #[arg(long, value_name = "PREFIX")]
        secret: Option<String>,
    },
}

#[derive(Debug, Args)]
struct AddArgs {
    /// Its name: letters, digits and . _ @ + -; a system's rather than a person's, since it stays in the audit log
    #[arg(value_name = "ID")]
    id: String,
    /// A policy it may name; may be given several times [default: all]
    #[arg(long = "policy", value_name = "NAME")]
    policies: Vec<String>,
    /// Checks it may make in a minute [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    per_minute: Option<u64>,
    /// Checks it may make in a day (UTC) [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    per_day: Option<u64>,
    /// The secret stops working after so many days [default: never]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=MAX_DAYS))]
    expires: Option<u32>,
    /// A name in its client certificates: dns:NAME, uri:URI, or sha256: and a certificate's fingerprint; may be given several times
    #[arg(long = "identity", value_name = "NAME")]
    identities: Vec<String>,
}

#[derive(Debug, Args)]
struct RotateArgs {
    /// The client
    #[arg(value_name = "ID")]
    id: String,
    /// The old secrets work for so many hours more
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=24 * MAX_DAYS))]
    grace: u32,
    /// The old secrets stop working now
    #[arg(long, conflicts_with = "grace")]
    now: bool,
    /// The new secret stops working after so many days [default: never]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=MAX_DAYS))]
    expires: Option<u32>,
}

/// Runs `lifesign clients …`. Secrets, and nothing else but tables, go to `out`.
///
/// # Errors
/// Where the store cannot be used, or what was asked for cannot be.
pub(super) fn run(
    args: &ClientsArgs,
    config: &Config,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::failed)?;
    runtime.block_on(async {
        let now = SystemTime::now();
        match &args.action {
            Action::Add(args) => add(args, config, now, out, err).await?,
            Action::List { json } => list::list(&open_store(config).await?, *json, now, out).await?,
            Action::Rotate(args) => rotate(args, config, now, out, err).await?,
            Action::Revoke { id, secret } => {
                let store = open_store(config).await?;
                let what = match secret {
                    Some(prefix) => {
                        store.revoke_secret(id, prefix, now).await.map_err(CliError::failed)?;
                        format!("the secret {prefix} of client {id}")
                    }
                    None => {
                        store.revoke_client(id, now).await.map_err(CliError::failed)?;
                        format!("client {id}")
                    }
                };
                store.close().await;
                let _ = writeln!(err, "{what} was revoked");
            }
        }
        Ok(Exit::Success)
    })
}

async fn open_store(config: &Config) -> Result<Store, CliError> {
    backing::open_store(config, &models::home()).await.map_err(CliError::failed)
}

async fn add(
    args: &AddArgs,
    config: &Config,
    now: SystemTime,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), CliError> {
    if let Some(unknown) = args.policies.iter().find(|policy| !config.policies.contains_key(*policy)) {
        let known: Vec<&str> = config.policies.keys().map(String::as_str).collect();
        return Err(CliError::Failed(format!("there is no policy {unknown:?}; configured: {}", known.join(", "))));
    }
    let store = open_store(config).await?;
    let secret = client_secret().map_err(CliError::failed)?;
    let new = NewClient {
        policies: args.policies.clone(),
        per_minute: args.per_minute.unwrap_or_default(),
        per_day: args.per_day.unwrap_or_default(),
        secret: Some((fingerprint(secret.expose()), expiry(args.expires, now))),
        identities: args.identities.clone(),
        ..NewClient::new(&args.id)
    };
    store.add_client(&new, now).await.map_err(CliError::failed)?;
    store.close().await;
    show(&args.id, &secret, out)?;
    let _ = writeln!(err, "client {} was added; its secret is not shown again", args.id);
    Ok(())
}

async fn rotate(
    args: &RotateArgs,
    config: &Config,
    now: SystemTime,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<(), CliError> {
    let store = open_store(config).await?;
    let secret = client_secret().map_err(CliError::failed)?;
    let grace = if args.now { Duration::ZERO } else { Duration::from_secs(3600 * u64::from(args.grace)) };
    let hash = fingerprint(secret.expose());
    let ended = store.rotate_secret(&args.id, &hash, expiry(args.expires, now), now + grace, now).await;
    let ended = ended.map_err(CliError::failed)?;
    store.close().await;
    show(&args.id, &secret, out)?;
    let old = match (ended.as_slice(), args.now) {
        ([], _) => "it had no other that works".to_owned(),
        (ended, true) => format!("revoked: {}", ended.join(", ")),
        (ended, false) => format!("for at most {} hours more there work: {}", args.grace, ended.join(", ")),
    };
    let _ = writeln!(err, "client {} has a new secret, which is not shown again; {old}", args.id);
    Ok(())
}

/// Prints a secret on a line of its own.
fn show(id: &str, secret: &Secret, out: &mut dyn Write) -> Result<(), CliError> {
    writeln!(out, "{}", secret.expose()).and_then(|()| out.flush()).map_err(|error| {
        let remedy = format!("`lifesign clients rotate {id} --now` makes another");
        CliError::Failed(format!("the secret of client {id} could not be written ({error}): {remedy}"))
    })
}

fn expiry(days: Option<u32>, now: SystemTime) -> Option<SystemTime> {
    days.map(|days| now + DAY * days)
}
