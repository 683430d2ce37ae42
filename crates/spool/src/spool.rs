//! The handle.

use crate::closed::Closed;
use crate::replay::{self, Replay};
use crate::state::{Shared, Status};
use crate::writer::Writer;
use crate::{Error, Options, Record};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// A node's usage file. Cloning is cheap and gives the same spool; it ends with
/// [`Spool::shutdown`], or when the last clone is dropped.
#[derive(Clone)]
pub struct Spool {
    shared: Arc<Shared>,
    thread: Arc<Thread>,
}

struct Thread {
    shared: Arc<Shared>,
    commits: Arc<AtomicU64>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl Thread {
    fn stop(&self) {
        let mut state = self.shared.lock();
        state.stopping = true;
        self.shared.release(state);
        let handle = self
            .handle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(handle) = handle {
            // A panic of the writer was reported to whoever waited for it.
            let _ = handle.join();
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Spool {
    /// Locks the directory, reads what an earlier run left, and starts the writer.
    ///
    /// Blocks: call it before the runtime serves requests. Fails with [`Error::Locked`] if the
    /// directory is in use.
    pub fn open(options: Options) -> Result<(Self, Replay), Error> {
        let (replay, state, lock) = replay::run(&options)?;
        let directory = options.directory.clone();
        let shared = Arc::new(Shared::new(options, state));
        let commits = Arc::new(AtomicU64::new(0));
        let writer = Writer::new(Arc::clone(&shared), Arc::clone(&commits), lock);
        let handle = thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || writer.run())
            .map_err(Error::io(&directory))?;
        let thread = Arc::new(Thread {
            shared: Arc::clone(&shared),
            commits,
            handle: Mutex::new(Some(handle)),
        });
        Ok((Self { shared, thread }, replay))
    }

    /// Notes that work for `key` begins. Written within milliseconds, not awaited.
    ///
    /// An error means that the work must not begin.
    pub fn open_record(&self, key: &str, payload: Vec<u8>) -> Result<(), Error> {
        let mut state = self.shared.lock();
        let opened = state.open(&self.shared.options, key, payload);
        self.shared.release(state);
        opened
    }

    /// Notes how the work for `key` ended. The record is queued when this returns and durable when
    /// the future resolves. A key that was never opened may be closed as well.
    pub fn close_record(&self, key: &str, payload: Vec<u8>) -> Result<Closed, Error> {
        let mut state = self.shared.lock();
        let group = state.close(&self.shared.options, key, payload);
        self.shared.release(state);
        group.map(|group| Closed::new(Arc::clone(&self.shared), group))
    }

    /// What `key` was closed with, if that is durable and not forgotten.
    pub fn find(&self, key: &str) -> Option<Arc<[u8]>> {
        self.shared
            .lock()
            .find(key, |group| self.shared.is_durable(group))
    }

    /// The oldest closed records, at most `max`. They stay until [`Self::forget`], so a second call
    /// answers them again: there is one poster, and a post that failed is simply tried again.
    pub fn take_closed(&self, max: usize) -> Vec<Record> {
        self.shared
            .lock()
            .oldest(max, |group| self.shared.is_durable(group))
    }

    /// Drops keys that are kept elsewhere now, open or closed; unknown ones are ignored. Files whose
    /// keys are all forgotten are removed soon after. A crash before that brings keys back in the
    /// next replay, so keeping them elsewhere must be idempotent.
    pub fn forget<'a>(&self, keys: impl IntoIterator<Item = &'a str>) {
        let mut state = self.shared.lock();
        for key in keys {
            state.forget(key);
        }
        state.trim();
        self.shared.release(state);
    }

    pub fn status(&self) -> Status {
        let commits = self.thread.commits.load(Ordering::Relaxed);
        self.shared
            .lock()
            .status(commits, |group| self.shared.is_durable(group))
    }

    /// Writes what is queued, refuses what comes after, and waits for the writer to end. Blocks for
    /// the length of a disk write.
    pub fn shutdown(&self) {
        self.thread.stop();
    }
}
