//! `lifesign vendors list|check`.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;
use clap::{Args, Subcommand};
use comfy_table::{ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use lifesign_core::{
    frame::FrameLimits,
    vendors::{
        Case, Clip, Evidence, Member, Panel, Picture, Probe, Shot, Spec, Submitted, VENDORS, VendorError, select,
    },
    video::{Container, Video},
};
use uuid::Uuid;

use super::{CliError, Exit};
use crate::{config::Config, setup};

/// What `--live` shows where no file is named: the portrait that also is the README's first picture, in the public domain.
const SAMPLE: &[u8] = include_bytes!("../../../samples/astronaut.jpg");

/// List the vendors and check their credentials.
#[derive(Debug, Args)]
pub(super) struct VendorsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List every vendor: what it judges and takes, whether it is configured, what a call costs
    List,
    /// See whether the configured vendors can be reached and take the credentials; exit status 1 where one does not
    Check(CheckArgs),
}

#[derive(Debug, Args)]
struct CheckArgs {
    /// Only these vendors [default: all that are configured]
    #[arg(value_name = "VENDOR")]
    vendors: Vec<String>,
    /// Also make one real call to each, which is billed
    #[arg(long)]
    live: bool,
    /// Show this image or video in the real call [default: the portrait that comes with the program]
    #[arg(long, value_name = "FILE", requires = "live")]
    media: Option<PathBuf>,
    /// Wait so many seconds for each vendor
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=600))]
    timeout: u16,
}

pub(super) fn run(args: &VendorsArgs, config: &Config, out: &mut dyn Write) -> Result<Exit, CliError> {
    match &args.action {
        Action::List => list(config, out),
        Action::Check(args) => {
            let panel = setup::panel(config).map_err(CliError::failed)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(CliError::failed)?.block_on(check(args, config, &panel, out))
        }
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic).set_header(header);
    table
}

fn list(config: &Config, out: &mut dyn Write) -> Result<Exit, CliError> {
    let mut table = table(&["vendor", "name", "judges", "takes", "answers", "configured", "a call costs"]);
    for spec in VENDORS {
        let (configured, price) = match config.vendors.get(spec.id).map(|settings| (spec.connect)(settings.value())) {
            None => ("no".to_owned(), String::new()),
            Some(Ok(vendor)) => ("yes".to_owned(), money(vendor.price_micros())),
            Some(Err(error)) => (format!("no: vendors.{}.{error}", spec.id), String::new()),
        };
        let takes: Vec<&str> = spec.takes.iter().map(|takes| takes.name()).collect();
        let answers = if spec.asynchronous { "later, by polling" } else { "at once" };
        table.add_row([spec.id, spec.title, &judges(spec), &takes.join(", "), answers, &configured, &price]);
    }
    writeln!(out, "{table}")?;
    Ok(Exit::Success)
}

fn judges(spec: &Spec) -> String {
    let all = [
        ("presentation attacks", spec.judges.presentation_attack),
        ("deepfakes", spec.judges.deepfake),
        ("face match", spec.judges.face_match),
    ];
    all.into_iter().filter(|(_, judges)| *judges).map(|(name, _)| name).collect::<Vec<_>>().join(", ")
}

/// Millionths of the operator's currency, as a number with the digits that matter.
fn money(micros: u64) -> String {
    let (whole, part) = (micros / 1_000_000, micros % 1_000_000);
    let digits = format!("{part:06}");
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() { whole.to_string() } else { format!("{whole}.{digits}") }
}

async fn check(args: &CheckArgs, config: &Config, panel: &Panel, out: &mut dyn Write) -> Result<Exit, CliError> {
    if let Some(unknown) = args.vendors.iter().find(|id| panel.member(id).is_none()) {
        let known: Vec<&str> = panel.members().iter().map(|member| member.vendor().spec().id).collect();
        return Err(CliError::Failed(format!("vendor {unknown} is not configured; configured: {}", known.join(", "))));
    }
    let chosen =
        |member: &&Member| args.vendors.is_empty() || args.vendors.iter().any(|id| id == member.vendor().spec().id);
    let members: Vec<&Member> = panel.members().iter().filter(chosen).collect();
    if members.is_empty() {
        return Err(CliError::Failed("no vendor is configured: add a table [vendors.ID]".to_owned()));
    }
    let evidence = if args.live { Some(evidence(args.media.as_deref(), config)?) } else { None };
    let mut table = table(if args.live { LIVE } else { PROBED });
    let mut exit = Exit::Success;
    for member in members {
        let (vendor, deadline) = (member.vendor(), Instant::now() + Duration::from_secs(args.timeout.into()));
        let price = money(vendor.price_micros());
        let probed = vendor.probe(deadline).await;
        let mut row = vec![vendor.spec().id.to_owned(), line(&probed)];
        let mut good = probed.is_ok();
        if let Some(evidence) = &evidence {
            let (cell, answered) = match &probed {
                Ok(_) => live(member, evidence, deadline).await,
                Err(_) => ("not asked".to_owned(), false),
            };
            row.push(cell);
            good &= answered;
        }
        row.push(price);
        table.add_row(row);
        if !good {
            exit = Exit::NotAccepted;
        }
    }
    writeln!(out, "{table}")?;
    Ok(exit)
}

const PROBED: &[&str] = &["vendor", "line", "a call would cost"];
const LIVE: &[&str] = &["vendor", "line", "answer", "the call costs"];

fn line(probed: &Result<Probe, VendorError>) -> String {
    match probed {
        Ok(Probe::CredentialsAccepted) => "reached, credentials accepted".to_owned(),
        Ok(Probe::Reachable) => "reached; whether it takes the credentials shows with a real call (--live)".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// One real call: how the answer reads, and whether there is one.
async fn live(member: &Member, evidence: &Evidence, deadline: Instant) -> (String, bool) {
    let vendor = member.vendor();
    let media = match select(vendor.spec(), vendor.media(), evidence) {
        Ok(media) => media,
        Err(why) => return (format!("not asked: {why}; name another file with --media"), false),
    };
    let request_id = Uuid::new_v4().to_string();
    let case = Case { media, reference: None, client_reference: None, request_id: &request_id, deadline };
    let began = Instant::now();
    match vendor.submit(&case).await {
        Ok(Submitted { answer, .. }) => {
            let code = if answer.raw_code.is_empty() { "none" } else { &answer.raw_code };
            (format!("{} (code {code}) in {:.1} s", answer.outcome.code(), began.elapsed().as_secs_f64()), true)
        }
        Err(error) => (error.to_string(), false),
    }
}

/// What is shown in a real call.
fn evidence(path: Option<&Path>, config: &Config) -> Result<Evidence, CliError> {
    let data = match path {
        None => Bytes::from_static(SAMPLE),
        Some(path) => {
            let named = |error: std::io::Error| CliError::Failed(format!("--media {}: {error}", path.display()));
            Bytes::from(fs::read(path).map_err(named)?)
        }
    };
    let what = path.map_or("the sample".to_owned(), |path| format!("--media {}", path.display()));
    let failed = |error: &dyn std::fmt::Display| CliError::Failed(format!("{what}: {error}"));
    if let Some(container) = Container::sniff(&data) {
        let video = Video::probe(&data, Some(container), &config.video.limits).map_err(|error| failed(&error))?;
        let info = video.info();
        let (duration, size) = (info.duration, (info.width, info.height));
        let clip = Clip { data: data.clone(), container, duration, size, made: false };
        return Ok(Evidence { video: Some(clip), ..Evidence::default() });
    }
    let limits: &FrameLimits = &config.limits;
    let picture = Picture::of(&Shot::File(data), limits).map_err(|error| failed(&error))?;
    Ok(Evidence { best: Some(picture.clone()), frames: vec![picture], ..Evidence::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_the_digits_that_matter() {
        let table = [(0, "0"), (1, "0.000001"), (50_000, "0.05"), (1_000_000, "1"), (12_340_000, "12.34")];
        for (micros, text) in table {
            assert_eq!(money(micros), text);
        }
    }

    #[test]
    fn the_sample_is_a_picture() {
        let evidence = evidence(None, &Config::default()).unwrap();
        assert!(evidence.best.is_some() && evidence.frames.len() == 1 && evidence.video.is_none());
        let missing = super::evidence(Some(Path::new("missing.jpg")), &Config::default()).unwrap_err();
        assert!(matches!(missing, CliError::Failed(text) if text.starts_with("--media missing.jpg: ")));
    }
}
