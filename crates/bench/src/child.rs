//! The processes a run starts from its own binary, so that each one's CPU time is its own.

use crate::Error;
use crate::floor;
use crate::machine::raise_file_limit;
use interline_sim::{Script, Sim};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpSocket;

/// The hidden subcommand that [`child`] answers to.
pub const CHILD_COMMAND: &str = "bench-child";

const BACKLOG: u32 = 4096;

/// Runs a child process: `sim` or `floor <upstream address>`. Prints its address on standard
/// output and ends with its standard input, that is with the parent.
pub fn child(arguments: &[String]) -> Result<(), Error> {
    raise_file_limit();
    end_with_parent();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::Io {
            what: "no runtime",
            source,
        })?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["sim"] => runtime.block_on(run_sim()),
        ["floor", upstream] => match upstream.parse() {
            Ok(upstream) => runtime.block_on(run_floor(upstream)),
            Err(_) => Err(Error::UnknownChild((*upstream).to_owned())),
        },
        other => Err(Error::UnknownChild(other.join(" "))),
    }
}

async fn run_sim() -> Result<(), Error> {
    let script = Script {
        lean: true,
        ..Script::default()
    };
    let handle = Sim::start(script).await.map_err(|error| Error::Start {
        what: "the simulated provider",
        source: std::io::Error::other(error),
    })?;
    announce(handle.addr())?;
    std::future::pending().await
}

async fn run_floor(upstream: SocketAddr) -> Result<(), Error> {
    let start = |source| Error::Start {
        what: "the floor",
        source,
    };
    let socket = TcpSocket::new_v4().map_err(start)?;
    socket
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .map_err(start)?;
    let listener = socket.listen(BACKLOG).map_err(start)?;
    announce(listener.local_addr().map_err(start)?)?;
    floor::serve(listener, upstream).await.map_err(start)
}

fn announce(address: SocketAddr) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{address}")
        .and_then(|()| out.flush())
        .map_err(|source| Error::Io {
            what: "cannot announce the address",
            source,
        })
}

fn end_with_parent() {
    std::thread::spawn(|| {
        let mut byte = [0];
        while std::io::stdin().read(&mut byte).is_ok_and(|read| read > 0) {}
        std::process::exit(0);
    });
}
