//! `lifesign check`: image files in, a table or JSON lines out.

mod files;
mod plot;
mod pool;
mod report;

use std::{io::Write, path::PathBuf, sync::Arc, thread};

use clap::Args;
use lifesign_core::{policy::Policy, session::Media};

use super::{
    CliError, Exit, JudgeArgs,
    judge::{Judge, read_limited},
};
use crate::{config::Config, convert, setup::Setup};

use report::{Answer, Report};

/// Judge image files.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Image files (JPEG, PNG, WebP), and folders, which are searched for them with all their subfolders
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON object a line: {"file", "verdict"}, or {"file", "error"}, in the order of the files
    #[arg(long)]
    json: bool,
    /// Judge by this policy instead of the default one
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Work on so many files at a time [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Take all files as the frames of one presentation, in the order given
    #[arg(long)]
    frames: bool,
    #[command(flatten)]
    pub(super) judge: JudgeArgs,
}

pub(super) fn run(args: &CheckArgs, config: &Config, out: &mut dyn Write) -> Result<Exit, CliError> {
    let files = files::collect(&args.files).map_err(CliError::failed)?;
    let setup = Setup::load(config).map_err(CliError::failed)?;
    let policy = setup.policies.get(args.policy.as_deref().unwrap_or_default()).map_err(CliError::failed)?;
    if args.frames {
        return frames(args, &setup, policy, &files, out);
    }
    let threads = args.threads.map_or_else(available_threads, usize::from).min(files.len());
    let mut report = Report::new(out, args.json, files.len());
    pool::ordered(
        threads,
        &files,
        || Judge::load(&setup, policy, Media::Image).map_err(CliError::failed),
        |judge, path| {
            let verdict = read_limited(path, &setup.limits).and_then(|bytes| judge.image(&bytes));
            verdict.map(|verdict| convert::verdict(&verdict, "", ""))
        },
        |path, answer| report.add(std::slice::from_ref(path), answer),
    )?;
    report.finish(&setup)
}

fn frames(
    args: &CheckArgs,
    setup: &Setup,
    policy: &Arc<Policy>,
    files: &[PathBuf],
    out: &mut dyn Write,
) -> Result<Exit, CliError> {
    let mut judge = Judge::load(setup, policy, Media::Frames).map_err(CliError::failed)?;
    let mut report = Report::new(out, args.json, 1);
    let answer: Answer = match judge.frames(files.iter().map(|path| read_limited(path, &setup.limits))) {
        Ok(verdict) => Ok(convert::verdict(&verdict, "", "")),
        Err((index, error)) => {
            // The frame at fault, not the whole list, is what the user has to look at.
            let at_fault = files.get(index..=index).unwrap_or(files);
            report.add(at_fault, Err(error))?;
            return report.finish(setup);
        }
    };
    report.add(files, answer)?;
    report.finish(setup)
}

fn available_threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
