//! Log lines on standard error: for people, or one JSON object each.

use crate::environment::Environment;
use anyhow::{Context, Result};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Other crates speak up when something is wrong, we also when something happens.
const DEFAULT_FILTER: &str = "warn,interline=info";
/// For commands that were asked to be quiet.
const QUIET_FILTER: &str = "error";

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A line for people.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Starts logging. `INTERLINE_LOG` holds a filter such as `interline_gateway=debug`.
///
/// No field of ours is a secret: keys are types that print as redacted, and prompts are not logged.
pub(crate) fn start(environment: &Environment, format: Format, is_quiet: bool) -> Result<()> {
    let default = if is_quiet {
        QUIET_FILTER
    } else {
        DEFAULT_FILTER
    };
    let text = environment.get("INTERLINE_LOG").unwrap_or(default);
    let filter = EnvFilter::try_new(text).with_context(|| format!("INTERLINE_LOG: `{text}`"))?;
    let has_colour = std::io::stderr().is_terminal() && environment.get("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Told about on standard error too, and a print that fails there panics: on a full disk
        // every request that logs would be lost.
        .log_internal_errors(false)
        .with_ansi(has_colour);
    let started = match format {
        Format::Pretty => lines.with_target(false).try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot start: {error}"))
}
