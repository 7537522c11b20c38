//! Logs, to standard error: text for people, or one JSON object a line. Never media, tokens or anything personal; what is
//! logged is chosen at each call, and no type that holds such data prints itself.

use std::{env, io, io::IsTerminal};

use tracing_subscriber::{EnvFilter, filter::ParseError};

use crate::config::{LogConfig, LogFormat};

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `LIFESIGN_LOG` is no filter.
    #[error("LIFESIGN_LOG: {0}")]
    Filter(#[from] ParseError),
    /// Logging was set up before.
    #[error("{0}")]
    Taken(String),
}

/// Sets up logging for the whole process, once. `LIFESIGN_LOG` holds filter directives (`info,lifesign_server=debug`) and
/// overrides the configured level.
///
/// # Errors
/// [`TelemetryError`].
pub fn init(config: &LogConfig) -> Result<(), TelemetryError> {
    let directives = env::var("LIFESIGN_LOG").ok().filter(|text| !text.is_empty());
    let filter = EnvFilter::try_new(directives.as_deref().unwrap_or(config.level.name()))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match config.format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(|error| TelemetryError::Taken(error.to_string()))
}
