//! `lifesign config print|check`.

use std::{io::Write, path::PathBuf};

use clap::{Args, Subcommand};

use super::{CliError, Exit};
use crate::{
    config::{Sources, to_toml},
    setup::Setup,
};

/// Show or check the configuration.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the effective configuration as TOML, with where each setting came from
    Print,
    /// Check the configuration, and whether its model pack, runtime and policies can be used; nothing is served
    Check {
        /// Check this file instead of the one that would be read
        file: Option<PathBuf>,
    },
}

pub(super) fn run(args: &ConfigArgs, sources: &Sources, out: &mut dyn Write) -> Result<Exit, CliError> {
    match &args.action {
        Action::Print => {
            let loaded = sources.load().map_err(CliError::failed)?;
            let text = to_toml(&loaded).map_err(CliError::failed)?;
            out.write_all(text.as_bytes())?;
        }
        Action::Check { file } => {
            let mut sources = sources.clone();
            sources.file = file.clone().or(sources.file);
            let config = sources.load().map_err(CliError::failed)?.config;
            let setup = Setup::load(&config).map_err(CliError::failed)?;
            let read = sources.chosen_file().map_or("no file".to_owned(), |file| file.display().to_string());
            writeln!(out, "configuration is usable ({read}): {}", setup.summary())?;
        }
    }
    Ok(Exit::Success)
}
