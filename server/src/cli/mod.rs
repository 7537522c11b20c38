//! The command line: what can be asked for, and which part of the program answers.

mod bench;
mod check;
mod clients;
mod config;
mod judge;
mod models;
mod serve;
mod vendors;

use std::{
    fmt,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use lifesign_core::verdict::Assurance;

use crate::{
    config::{Config, Loaded, LogLevel, Sources},
    telemetry,
};

/// Face liveness: is a live person in front of the camera, or a photo, a screen, a mask?
#[derive(Debug, Parser)]
#[command(name = "lifesign", version, propagate_version = true)]
pub struct Cli {
    /// Read settings from this TOML file [default: $LIFESIGN_CONFIG, else $LIFESIGN_HOME/lifesign.toml if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Log nothing less severe than this, to standard error
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<LogLevel>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve lifesign.v1 over gRPC, and vendors' endpoints over HTTP, until SIGINT or SIGTERM
    Serve(serve::ServeArgs),
    /// Judge images and videos; exit status 0: all accepted, 1: some not, 2: an error
    Check(check::CheckArgs),
    /// Measure the time from image bytes to verdict on one thread, and its ratio to the bare kernels
    Bench(bench::BenchArgs),
    /// List, fetch and verify model packs
    Models(models::ModelsArgs),
    /// List the vendors, and check that they can be reached and take the credentials
    Vendors(vendors::VendorsArgs),
    /// Manage who may call: API clients, their secrets, policies and quotas
    Clients(clients::ClientsArgs),
    /// Show or check the configuration
    Config(config::ConfigArgs),
}

/// What judges: the flags that every judging command shares.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct JudgeArgs {
    /// The model pack: builtin, open, or a folder with a pack.toml
    #[arg(long, value_name = "PACK")]
    pack: Option<String>,
    /// The ONNX runtime: a path to libonnxruntime, auto, or off (the pure-Rust rten)
    #[arg(long, value_name = "PATH|auto|off")]
    onnxruntime: Option<String>,
    /// Refuse a pack that can claim less than this: custom, builtin or open
    #[arg(long, value_name = "ASSURANCE", value_parser = parse_assurance)]
    require_assurance: Option<Assurance>,
}

impl JudgeArgs {
    fn apply(&self, sources: &mut Sources) {
        sources.flag("--pack", "pack", self.pack.clone());
        sources.flag("--onnxruntime", "onnxruntime", self.onnxruntime.clone());
        let assurance = self.require_assurance.map(|assurance| format!("{assurance:?}").to_ascii_uppercase());
        sources.flag("--require-assurance", "require_assurance", assurance);
    }
}

fn parse_assurance(text: &str) -> Result<Assurance, String> {
    match text.to_ascii_lowercase().as_str() {
        "custom" => Ok(Assurance::Custom),
        "builtin" => Ok(Assurance::Builtin),
        "open" => Ok(Assurance::Open),
        _ => Err("expected custom, builtin or open".to_owned()),
    }
}

/// How a command ended, as an exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done; for `check`, everything was accepted.
    Success,
    /// 1: done, and something was not accepted.
    NotAccepted,
    /// 2: something could not be done.
    Error,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Success => ExitCode::SUCCESS,
            Exit::NotAccepted => ExitCode::from(1),
            Exit::Error => ExitCode::from(2),
        }
    }
}

/// Why a command failed, as one message.
#[derive(Debug)]
pub enum CliError {
    /// In words for the user.
    Failed(String),
    /// Nobody reads the output any more. Nothing is said; what was asked for was not delivered, so it is no success.
    OutputClosed,
}

impl CliError {
    /// Any error as a failure.
    pub fn failed(error: impl fmt::Display) -> Self {
        CliError::Failed(error.to_string())
    }
}

impl From<io::Error> for CliError {
    /// An error of writing output.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { CliError::OutputClosed } else { CliError::failed(error) }
    }
}

/// Runs a command line. Results go to `out`, messages to `err`.
pub fn run(cli: &Cli, out: &mut dyn Write, err: &mut dyn Write) -> Exit {
    match dispatch(cli, out, err).and_then(|exit| out.flush().map(|()| exit).map_err(CliError::from)) {
        Ok(exit) => exit,
        Err(CliError::OutputClosed) => Exit::Error,
        Err(CliError::Failed(message)) => {
            // Where even this cannot be written, the exit status still says it.
            let _ = writeln!(err, "lifesign: {message}");
            Exit::Error
        }
    }
}

fn dispatch(cli: &Cli, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit, CliError> {
    let mut sources = Sources::from_process(cli.config.clone());
    sources.flag("--log-level", "log.level", cli.log_level.map(LogLevel::name));
    match &cli.command {
        Command::Serve(args) => {
            args.apply(&mut sources);
            serve::run(&start(&sources)?)
        }
        Command::Check(args) => {
            args.judge.apply(&mut sources);
            check::run(args, &start(&sources)?, out)
        }
        Command::Bench(args) => {
            args.judge.apply(&mut sources);
            bench::run(args, &start(&sources)?, out)
        }
        Command::Models(args) => {
            let config = start(&sources)?;
            models::run(args, &crate::models::home(), &crate::setup::runtime_choice(&config.onnxruntime), out)
        }
        Command::Vendors(args) => vendors::run(args, &start(&sources)?, out),
        Command::Clients(args) => clients::run(args, &start(&sources)?, out, err),
        Command::Config(args) => config::run(args, &sources, out),
    }
}

/// The configuration, with logging set up as it says.
fn start(sources: &Sources) -> Result<Config, CliError> {
    let Loaded { config, .. } = sources.load().map_err(CliError::failed)?;
    telemetry::init(&config.log).map_err(CliError::failed)?;
    Ok(config)
}
