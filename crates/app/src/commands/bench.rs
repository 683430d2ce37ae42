//! `interline bench`: hands over to the benchmark and prints what it found.

use super::exit::{Code, WithCode};
use super::session::{Session, print};
use crate::cli::{self, GateName};
use anyhow::{Context, Result};
use interline_bench::{Gate, Options};

pub(crate) fn run(session: &Session, options: cli::Bench) -> Result<Code> {
    let gate = options.gate.map(|gate| match gate {
        GateName::First => Gate::First,
        GateName::Goal => Gate::Goal,
    });
    let options = to_options(options)?;
    let report = interline_bench::run(&options, &mut |progress| {
        session.note(&format!(
            "[{}/{}] {}",
            progress.done, progress.total, progress.step
        ));
    })?;
    let text = if session.is_json() {
        report.json_lines()
    } else {
        report.table()
    };
    print(&text)?;
    if session.is_json() {
        // The table has them below its figures.
        for warning in report.warnings() {
            session.note(&format!("note: {warning}"));
        }
    }
    let failures = gate.map(|gate| report.failures(gate)).unwrap_or_default();
    for failure in &failures {
        session.note(&format!("gate: {failure}"));
    }
    let is_good = failures.is_empty() && report.errors() == 0;
    Ok(if is_good { Code::Done } else { Code::Failed })
}

fn to_options(given: cli::Bench) -> Result<Options> {
    let mut options = if given.quick {
        Options::quick()
    } else {
        Options::default()
    };
    options.repetitions = given.repetitions.unwrap_or(options.repetitions);
    options.rate = given.rate.unwrap_or(options.rate);
    options.window = given.window.unwrap_or(options.window);
    if !given.area.is_empty() {
        options.areas = given.area;
    }
    if !given.streams.is_empty() {
        options.stream_levels = given.streams;
    }
    options.interline = given.interline;
    if let Some(path) = given.extra_config {
        options.extra_config = std::fs::read_to_string(&path)
            .with_context(|| path.display().to_string())
            .code(Code::Configuration)?;
    }
    Ok(options)
}
