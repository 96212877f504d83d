//! Structured logs, on standard error.

use std::str::FromStr;

use tracing::Level;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people: time, level, sentence, fields.
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends everything from `level` up to standard error. Once in the life of a process; a second call changes
/// nothing. `color` is for the text format.
pub fn start(format: LogFormat, level: Level, color: bool) {
    let builder = fmt()
        .with_writer(std::io::stderr)
        .with_max_level(LevelFilter::from_level(level))
        .with_target(false)
        // It would say on standard error that standard error is gone, and panic.
        .log_internal_errors(false);
    // An error says that there is a subscriber already, which then serves as well.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(color).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}

/// A level by its name, for the command line.
pub fn parse_level(text: &str) -> Result<Level, String> {
    Level::from_str(text).map_err(|_| "expected error, warn, info, debug or trace".to_owned())
}
