//! The binary: configuration, wiring, subcommands, shutdown. No logic of requests lives here.
//!
//! Read first: [`node::Node`], one running server wired together, and [`commands::run`], which
//! hands each verb to its file. Results go to standard output, everything else to standard error.

mod banner;
mod bootstrap;
mod cli;
mod clock;
mod commands;
mod config;
mod credentials;
mod discovery;
mod environment;
mod logging;
mod node;
mod secrets;

use std::process::ExitCode;

// A release ships with jemalloc; if both are asked for, it wins.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[cfg(all(feature = "mimalloc", not(feature = "jemalloc")))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let environment = environment::Environment::read();
    // Wrong usage is explained by clap, which ends the process with 2.
    let cli = <cli::Cli as clap::Parser>::parse();
    commands::run(cli, environment)
}
