//! The `lifesign` program.

use std::{io, process::ExitCode};

use clap::Parser;
use lifesign_server::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli::run(&cli, &mut io::BufWriter::new(io::stdout().lock()), &mut io::stderr()).into()
}
