//! The one thread that writes.
//!
//! It takes whatever is queued as one group: one write per file, one sync if the group holds a
//! close. While it writes, the next group gathers. A lone close is written at once; when the last
//! group held several, the writer waits a moment for as many again, so that requests under load
//! share syncs and thread switches while a quiet spool adds no delay.

use crate::segment::{self, Segment};
use crate::state::{Group, Shared, State};
use crate::{Durability, Options};
use std::fs::{self, File};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

/// The longest wait for company before a group that holds a close is written.
const GROUP_LINGER: Duration = Duration::from_micros(500);
/// The longest an open stays in memory only. Nobody waits for it.
const OPEN_LINGER: Duration = Duration::from_millis(2);
/// A larger buffer is given back rather than kept for the next group.
const KEPT_BUFFER: usize = 256 << 10;

pub(crate) struct Writer {
    shared: Arc<Shared>,
    commits: Arc<AtomicU64>,
    /// Released when the thread ends.
    _lock: File,
    segment: Option<Segment>,
    /// Closes in the last group.
    expected: usize,
    spare: Vec<u8>,
    wakers: Vec<Waker>,
    is_done: bool,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, commits: Arc<AtomicU64>, lock: File) -> Self {
        Self {
            shared,
            commits,
            _lock: lock,
            segment: None,
            expected: 1,
            spare: Vec::new(),
            wakers: Vec::new(),
            is_done: false,
        }
    }

    /// Writes groups until the spool is shut down or the disk fails.
    pub(crate) fn run(mut self) {
        while let Some(group) = self.next_group() {
            let number = group.number;
            if let Err(error) = self.commit(group) {
                self.fail(&error.to_string());
                return;
            }
            self.report(number);
        }
        self.tidy();
        self.is_done = true;
    }

    /// Waits for work. `None` when there is none left and the spool is stopping.
    fn next_group(&mut self) -> Option<Group> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        while !state.has_work() {
            if state.stopping {
                return None;
            }
            state.wake_at = 0;
            state.waiting = true;
            state = shared
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.waiting = false;
        }
        state = gather(&shared, state, self.expected);
        let group = state.drain(
            shared.options.segment_bytes,
            std::mem::take(&mut self.spare),
        );
        self.expected = group.closes;
        Some(group)
    }

    fn commit(&mut self, group: Group) -> io::Result<()> {
        let options = &self.shared.options;
        let is_synced = options.durability == Durability::Fsync;
        let sync = is_synced && group.must_sync;
        for chunk in group.chunks {
            if chunk.bytes.is_empty() {
                self.spare = chunk.bytes;
                continue;
            }
            #[cfg(test)]
            crate::tests::fail_point(options)?;
            let mut segment = match self.segment.take() {
                Some(segment) if segment.number == chunk.file => segment,
                full => {
                    // What follows in the next file may be relied on only if this one is whole.
                    if let Some(full) = full.filter(|_| is_synced) {
                        full.sync()?;
                    }
                    Segment::create(
                        &options.directory,
                        chunk.file,
                        chunk.salt,
                        options.durability,
                    )?
                }
            };
            segment.append(&chunk.bytes, sync)?;
            self.segment = Some(segment);
            self.spare = chunk.bytes;
        }
        self.spare.clear();
        if self.spare.capacity() > KEPT_BUFFER {
            self.spare = Vec::new();
        }
        for number in group.dead_files {
            remove(options, number)?;
        }
        Ok(())
    }

    fn report(&mut self, group: u64) {
        let mut state = self.shared.lock();
        self.shared.set_durable(group);
        state.swap_wakers(group, &mut self.wakers);
        drop(state);
        self.commits.fetch_add(1, Ordering::Relaxed);
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }

    fn fail(&mut self, reason: &str) {
        let wakers = self.shared.lock().fail(reason);
        self.is_done = true;
        for waker in wakers {
            waker.wake();
        }
    }

    /// Leaves nothing behind if nothing is live.
    fn tidy(&mut self) {
        self.segment = None;
        let state = self.shared.lock();
        if state.is_empty() {
            for number in state.file_numbers() {
                // A file that stays is replayed and posted again, which changes nothing.
                let _ = remove(&self.shared.options, number);
            }
        }
    }
}

impl Drop for Writer {
    /// Nobody may wait for a writer that is gone, whatever ended it.
    fn drop(&mut self) {
        if !self.is_done {
            self.fail("the writer stopped");
        }
    }
}

/// Waits a moment for company: for as many closes as came last time.
fn gather<'a>(
    shared: &'a Shared,
    mut state: MutexGuard<'a, State>,
    expected: usize,
) -> MutexGuard<'a, State> {
    state.wake_at = expected.clamp(1, shared.options.max_batch.max(1));
    let linger = if state.queued_closes() > 0 {
        GROUP_LINGER
    } else {
        OPEN_LINGER
    };
    let deadline = Instant::now() + linger;
    while !state.is_ready() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        state.waiting = true;
        state = shared
            .work
            .wait_timeout(state, left)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        state.waiting = false;
    }
    state
}

fn remove(options: &Options, number: u64) -> io::Result<()> {
    match fs::remove_file(segment::path(&options.directory, number)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
