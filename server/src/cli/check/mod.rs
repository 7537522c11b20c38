//! `lifesign check`: image and video files in, a table or JSON lines out, and a plot.

mod files;
mod plot;
mod pool;
mod report;

use std::{
    io::Write,
    path::{Path, PathBuf},
    slice,
    sync::{Arc, OnceLock},
    thread,
};

use clap::Args;
use lifesign_core::{
    frame::Frame,
    matching::Reference,
    policy::{Policy, Strategy},
};

use super::{
    CliError, Exit, JudgeArgs,
    judge::{self, FileError, Judge},
};
use crate::{config::Config, setup::Setup};

use report::{Answer, Report};

/// Judge image and video files.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Images (JPEG, PNG, WebP), videos (MP4, QuickTime, Matroska, WebM), and folders, which are searched for them with all
    /// their subfolders
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Compare every face with the one in this image
    #[arg(long, value_name = "IMAGE")]
    reference: Option<PathBuf>,
    /// Draw the verdict on one file, or on the frames of one presentation: scores, hints and chosen frames over time
    #[arg(long, value_name = "SVG")]
    plot: Option<PathBuf>,
    /// Print one JSON object a line: {"file", "verdict"}, or {"file", "error"}, in the order of the files
    #[arg(long)]
    json: bool,
    /// Judge by this policy instead of the default one
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Work on so many files at a time [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Take all files, which are images then, as the frames of one presentation, in the order given
    #[arg(long)]
    frames: bool,
    #[command(flatten)]
    pub(super) judge: JudgeArgs,
}

pub(super) fn run(args: &CheckArgs, config: &Config, out: &mut dyn Write) -> Result<Exit, CliError> {
    let files = files::collect(&args.files).map_err(CliError::failed)?;
    let items = if args.frames { 1 } else { files.len() };
    let mut plot = args.plot.as_deref().map(|path| open_plot(path, items)).transpose()?;
    let setup = Setup::load(config).map_err(CliError::failed)?;
    let policy = setup.policies.get(args.policy.as_deref().unwrap_or_default()).map_err(CliError::failed)?;
    let judges = Judges {
        setup: &setup,
        policy,
        picture: args.reference.as_deref().map(|path| open_reference(path, &setup)).transpose()?,
        reference: OnceLock::new(),
    };
    let columns = (args.reference.is_some(), policy.config().vendors.strategy != Strategy::Local);
    let mut report = Report::new(out, args.json, columns, items);
    let mut deliver = |files: &[PathBuf], answer: Answer| {
        if let (Ok(verdict), Some(target)) = (&answer, plot.take()) {
            target.write(&plot::svg(verdict))?;
        }
        report.add(files, answer)
    };
    if args.frames {
        let images = files.iter().map(|path| judge::read_image(path, &setup.limits));
        match judges.load()?.frames(images) {
            Ok(verdict) => deliver(&files, Ok(verdict))?,
            // The frame at fault, not the whole list, is what the user has to look at.
            Err((index, error)) => deliver(files.get(index..=index).unwrap_or(&files), Err(error))?,
        }
    } else {
        let threads = args.threads.map_or_else(available_threads, usize::from).min(files.len());
        pool::ordered(
            threads,
            &files,
            || judges.load(),
            |judge, path| judge::read(path, &setup).and_then(|content| judge.content(&content)),
            |path, answer| deliver(slice::from_ref(path), answer),
        )?;
    }
    report.finish(&setup)
}

/// What the threads' judges have in common.
struct Judges<'a> {
    setup: &'a Setup,
    policy: &'a Arc<Policy>,
    /// The reference image, decoded.
    picture: Option<Frame>,
    /// What the first judge made of it, which serves all.
    reference: OnceLock<Arc<Reference>>,
}

impl Judges<'_> {
    fn load(&self) -> Result<Judge, CliError> {
        let mut judge = Judge::load(self.setup, self.policy)?;
        if let Some(picture) = &self.picture {
            let reference = self.reference.get_or_init(|| Arc::new(judge.reference(picture)));
            judge.compare_with(Arc::clone(reference), picture);
        }
        Ok(judge)
    }
}

/// A reference image that cannot be decoded is the user's mistake; one without a usable face is an outcome.
fn open_reference(path: &Path, setup: &Setup) -> Result<Frame, CliError> {
    let bytes = judge::read_image(path, &setup.limits);
    let frame = bytes.and_then(|bytes| Frame::decode(&bytes, None, &setup.limits).map_err(FileError::from));
    frame.map_err(|error| CliError::Failed(format!("--reference {}: {error}", path.display())))
}

fn open_plot(path: &Path, items: usize) -> Result<plot::Target, CliError> {
    if items != 1 {
        let what = format!("--plot draws one verdict, and {items} files were named: name one, or add --frames");
        return Err(CliError::Failed(what));
    }
    plot::Target::open(path)
}

fn available_threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
