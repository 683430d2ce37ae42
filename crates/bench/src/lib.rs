//! The benchmark behind `interline bench`: Interline beside a proxy that does nothing.
//!
//! Read first: [`run`], which measures, and [`Report`], what it found. Simulated provider and
//! generator share one core, the target has the other to itself; the figure that counts is the
//! target's CPU time per request and per streamed event, as a ratio to the floor **of the same
//! run**: absolute figures of a shared machine mean nothing.
//!
//! Invariants: every answer is checked for origin, order, usage and end; latency counts from the
//! moment a request was meant to be sent; repetitions are interleaved over the targets.
//!
//! It deliberately does not: measure TLS or a network card, or keep figures from other runs.

mod check;
mod child;
mod drive;
mod floor;
mod http;
mod load;
mod machine;
mod options;
mod report;
mod target;
mod ticks;

pub use child::{CHILD_COMMAND, child};
pub use options::{Area, Gate, Options};
pub use report::{Measurement, Report, Spread, Unit};
pub use target::TargetKind;

use std::path::PathBuf;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot start {what}")]
    Start {
        what: &'static str,
        source: std::io::Error,
    },
    #[error("{what} did not become ready; its log is {}", log.display())]
    NotReady { what: &'static str, log: PathBuf },
    #[error("{what} gave a wrong answer before anything was measured: {answer}")]
    WrongAnswer { what: &'static str, answer: String },
    #[error("{what}")]
    Io {
        what: &'static str,
        source: std::io::Error,
    },
    #[error("unknown child {0:?}")]
    UnknownChild(String),
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub done: usize,
    pub total: usize,
    /// What is being measured: `requests-1k interline 2/5`.
    pub step: String,
}

/// Measures. Blocks for as long as it takes; call it outside any async runtime.
///
/// # Errors
/// When a child process cannot be started or answers wrongly from the start. Errors under load
/// are counted in the report instead.
pub fn run(
    options: &Options,
    progress: &mut (dyn FnMut(&Progress) + Send),
) -> Result<Report, Error> {
    drive::run(options, progress)
}
