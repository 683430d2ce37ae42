//! A clock that ticks at a constant rate, finer than the runtime's own millisecond.

use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Ticks that may wait while the generator is busy; beyond them the rate is not kept.
const MAX_BEHIND: usize = 100_000;

/// Each tick is the instant it was due: what a late reader counts from.
pub(crate) struct Ticks {
    due: mpsc::Receiver<Instant>,
}

impl Ticks {
    /// Starts a thread that sleeps from tick to tick, until this is dropped. A thread's sleep is
    /// exact to some 50 µs, tokio's to a millisecond.
    pub(crate) fn new(rate: u32) -> Self {
        let interval = Duration::from_secs(1) / rate.max(1);
        let (sender, due) = mpsc::channel(MAX_BEHIND);
        std::thread::spawn(move || {
            let mut next = Instant::now();
            while !sender.is_closed() {
                next += interval;
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
                if sender.try_send(next).is_err() {
                    break;
                }
            }
        });
        Self { due }
    }

    /// Waits for the next tick; `None` if the rate could not be kept.
    pub(crate) async fn next(&mut self) -> Option<Instant> {
        self.due.recv().await
    }
}
