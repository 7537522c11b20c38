//! `lifesign bench`: how long one image takes from bytes to verdict on one thread, where that time goes, and how much of
//! it the bare kernels need.
//!
//! The kernels are the JPEG decoder on the same bytes and the models on the very inputs that the pipeline gave them, each
//! as often as the pipeline ran it. Both sides are timed in turns in the same run, so that a machine that slows down
//! slows both.

mod kernels;
mod picture;
mod report;
mod stats;

use std::{io::Write, path::PathBuf, sync::Arc, time::Instant};

use clap::Args;
use lifesign_core::{policy::Policy, verdict::Decision};

use super::{
    CliError, Exit, JudgeArgs,
    judge::{Judge, read_image},
};
use crate::{config::Config, setup::Setup};

use kernels::{BareModels, Recorder, decode_jpeg};
use picture::Picture;
use report::Measured;
use stats::Samples;

/// Measure the time from bytes to verdict.
#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// A JPEG file to measure on; without one, the sample portrait at 640x480 and at 1920x1080
    #[arg(long, value_name = "FILE")]
    image: Vec<PathBuf>,
    /// Timed rounds
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    iterations: u32,
    /// Rounds before the timed ones
    #[arg(long, value_name = "N", default_value_t = 5)]
    warmup: u32,
    /// Judge by this policy instead of the default one
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Print one JSON object a line and image
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) judge: JudgeArgs,
}

pub(super) fn run(args: &BenchArgs, config: &Config, out: &mut dyn Write) -> Result<Exit, CliError> {
    let setup = Setup::load(config).map_err(CliError::failed)?;
    let policy = setup.policies.get(args.policy.as_deref().unwrap_or_default()).map_err(CliError::failed)?;
    let pictures = if args.image.is_empty() {
        Picture::samples().map_err(CliError::failed)?
    } else {
        let read = |path: &PathBuf| match read_image(path, &setup.limits) {
            Ok(jpeg) => Ok(Picture { name: path.display().to_string(), jpeg }),
            Err(error) => Err(CliError::Failed(format!("{}: {error}", path.display()))),
        };
        args.image.iter().map(read).collect::<Result<_, _>>()?
    };
    if !args.json {
        writeln!(out, "{}", setup.summary())?;
    }
    for picture in &pictures {
        let measured = measure(args, &setup, policy, picture)?;
        if args.json {
            writeln!(out, "{}", measured.json())?;
        } else {
            measured.table(out)?;
        }
        out.flush()?;
    }
    Ok(Exit::Success)
}

fn measure(args: &BenchArgs, setup: &Setup, policy: &Arc<Policy>, picture: &Picture) -> Result<Measured, CliError> {
    let failed = |error: &dyn std::fmt::Display| CliError::Failed(format!("{}: {error}", picture.name));
    let (width, height) = decode_jpeg(&picture.jpeg).map_err(|error| failed(&error))?;

    // What the pipeline runs is found by watching it, so the kernels are counted neither too often nor too seldom.
    let recorder = Arc::new(Recorder::new(Arc::clone(&setup.runtime)));
    let watched = Setup { runtime: Arc::clone(&recorder) as _, ..setup.clone() };
    let mut watched = Judge::load_local(&watched, policy).map_err(|error| failed(&error))?;
    recorder.start(true);
    let verdict = watched.image(&picture.jpeg).map_err(|error| failed(&error))?;
    let calls = recorder.take();
    recorder.start(false);

    let mut bare = BareModels::load(setup, calls).map_err(|error| failed(&error))?;
    let mut whole = Judge::load_local(setup, policy).map_err(|error| failed(&error))?;
    let mut measured = Measured::new(&picture.name, (width, height), &verdict, &bare);
    for round in 0..args.warmup.saturating_add(args.iterations) {
        let began = Instant::now();
        let answer = whole.image(&picture.jpeg).map_err(|error| failed(&error))?;
        let whole = began.elapsed();
        same(answer.decision, verdict.decision).map_err(|error| failed(&error))?;
        let began = Instant::now();
        decode_jpeg(&picture.jpeg).map_err(|error| failed(&error))?;
        let decode = began.elapsed();
        let models = bare.run().map_err(|error| failed(&error))?;
        // A third pass, watched, says where the time went; watching costs a little, so it is not the one that is rated.
        let watched = watched.image(&picture.jpeg).map_err(|error| failed(&error))?;
        let inside = recorder.take();
        if round >= args.warmup {
            measured.add(whole, decode, &models, &watched, &inside);
        }
    }
    Ok(measured)
}

/// The timed passes must do what the watched one did, or the comparison is void.
fn same(one: Decision, other: Decision) -> Result<(), String> {
    if one == other { Ok(()) } else { Err(format!("one pass gave {one:?}, another {other:?}")) }
}
