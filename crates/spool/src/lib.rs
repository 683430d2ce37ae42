//! A node's own durable usage file: append, group commit, replay.
//!
//! Read first: [`Spool`], the handle, and `record.rs`, the bytes of one record. A key is opened
//! before the work it stands for begins, closed when the work is done, and forgotten when somebody
//! else keeps the result. After a crash [`Spool::open`] says what was open and what was closed.
//!
//! Invariants: a close that was reported durable survives a crash of the process (and, with
//! [`Durability::Fsync`], of the machine) until it is forgotten; no damage is skipped in silence;
//! one process per directory; every queue has a bound; no request waits on another's disk write
//! longer than one group.
//!
//! Deliberately not here: money, a runtime, a clock, retries. Payloads are opaque bytes. Why this
//! is plain files and not a database is told in `docs/adr/0003-lease-hold-spool-post.md`.

mod closed;
mod record;
mod replay;
mod segment;
mod spool;
mod state;
mod writer;

pub use closed::Closed;
pub use replay::{Damage, Replay};
pub use spool::Spool;
pub use state::Status;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a reported close survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the machine: each group is written and synced.
    #[default]
    Fsync,
    /// A crash of the process only: each group is written, the kernel syncs when it likes.
    Buffered,
}

/// How to open a spool. [`Options::new`] has the defaults.
#[derive(Clone, Debug)]
pub struct Options {
    /// Belongs to this spool alone; created if it is missing.
    pub directory: PathBuf,
    pub durability: Durability,
    /// Size at which a file is full and the next is begun, in bytes.
    pub segment_bytes: u64,
    /// Waiting closes at which the writer stops gathering and commits.
    pub max_batch: usize,
    /// Records queued for the writer at which new opens are refused. Closes are never refused for
    /// it: their work is done already, and the opens before them bound their number.
    pub max_pending: usize,
    /// Payload bytes of closed keys nobody has forgotten yet at which new opens are refused. They
    /// are kept in memory for [`Spool::find`], so this bounds memory as well as disk.
    pub max_backlog_bytes: u64,
}

impl Options {
    /// Defaults: synced, 8 MiB files, groups of 64, 65,536 records queued, 1 GiB of backlog.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            durability: Durability::Fsync,
            segment_bytes: 8 << 20,
            max_batch: 64,
            max_pending: 65_536,
            max_backlog_bytes: 1 << 30,
        }
    }
}

/// A key and the payload it was opened or closed with. Cloning shares the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub key: Arc<str>,
    pub payload: Arc<[u8]>,
}

/// Why the spool did not do as asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Too many records are queued, or too much is closed and not yet forgotten. Passes by itself.
    #[error("the usage spool is full: {0}")]
    Full(&'static str),
    /// Writing failed. Nothing is accepted until the process is started again.
    #[error("the usage spool has failed: {0}")]
    Failed(Arc<str>),
    #[error("the usage spool is shut down")]
    ShutDown,
    /// The key is open or closed already.
    #[error("`{0}` is in the usage spool already")]
    Duplicate(String),
    #[error("a spool record of {0} bytes is too large")]
    TooLarge(usize),
    /// Another process (or another handle) holds the directory.
    #[error("{} is in use by another process; each node needs a spool directory of its own", .0.display())]
    Locked(PathBuf),
    /// The files were written by a version with another format.
    #[error("{} is a spool file of an unknown version", .0.display())]
    UnknownFormat(PathBuf),
    #[error("{}: {source}", path.display())]
    Io {
        path: PathBuf,
        source: Arc<io::Error>,
    },
}

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }
}

#[cfg(test)]
mod tests;
