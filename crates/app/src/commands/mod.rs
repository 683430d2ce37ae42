//! One file per verb. Each reads its options, calls what does the work, and prints the result.

mod bench;
mod books;
mod catalogue;
mod config;
mod credits;
mod doctor;
mod exit;
mod init;
mod keys;
mod ledger;
mod listing;
mod probe;
mod schema;
mod serve;
mod session;
mod sim;
pub(crate) mod style;

use crate::cli::{Cli, Verb};
use crate::environment::Environment;
use crate::logging;
use anyhow::{Context, Result};
use exit::{Code, WithCode};
use session::Session;
use std::process::ExitCode;

/// Runs a verb to its end and answers the exit code.
pub(crate) fn run(cli: Cli, environment: Environment) -> ExitCode {
    let session = Session::new(cli.global, environment);
    match dispatch(cli.verb, &session) {
        Ok(code) => code.into(),
        Err(error) => {
            let code = exit::code_of(&error);
            session.complain(&error, code);
            code.into()
        }
    }
}

fn dispatch(verb: Verb, session: &Session) -> Result<Code> {
    // These need neither a log nor a runtime of ours.
    match verb {
        Verb::Version => return version(session),
        Verb::BenchChild { arguments } => {
            interline_bench::child(&arguments)?;
            return Ok(Code::Done);
        }
        Verb::Bench(options) => return bench::run(session, options),
        _ => {}
    }
    let format = match &verb {
        Verb::Serve(options) => options.log_format,
        _ => logging::Format::Pretty,
    };
    logging::start(&session.environment, format, session.is_quiet()).code(Code::Configuration)?;
    install_tls()?;
    if let Verb::Serve(options) = verb {
        return serve::run(session, &options);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime cannot start")?;
    runtime.block_on(async {
        match verb {
            Verb::Init(options) => init::run(session, &options).await,
            Verb::Doctor(options) => doctor::run(session, &options).await,
            Verb::Config(verb) => config::run(session, verb).await,
            Verb::Keys(verb) => keys::run(session, verb).await,
            Verb::Credits(verb) => credits::run(session, verb).await,
            Verb::Ledger(verb) => ledger::run(session, verb).await,
            Verb::Catalogue(verb) => catalogue::run(session, verb),
            Verb::Providers(verb) => listing::providers(session, verb).await,
            Verb::Models(verb) => listing::models(session, verb).await,
            Verb::Sim(options) => sim::run(session, options).await,
            Verb::Serve(_) | Verb::Bench(_) | Verb::BenchChild { .. } | Verb::Version => {
                Ok(Code::Done)
            }
        }
    })
}

fn version(session: &Session) -> Result<Code> {
    let version = env!("CARGO_PKG_VERSION");
    let json = || serde_json::json!({ "name": "interline", "version": version });
    session.result(json, || format!("interline {version}\n"))?;
    Ok(Code::Done)
}

/// Named explicitly: with two providers in the build rustls would refuse to guess.
fn install_tls() -> Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("TLS was set up twice"))
}
