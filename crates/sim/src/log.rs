//! What was served: a bounded log, for tests to look into.

use crate::answer::Tokens;
use crate::dialect::Dialect;
use crate::script::What;
use crate::seen::Medium;
use parking_lot::Mutex;
use serde_derive::Serialize;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use tokio::time::Instant;

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    #[default]
    Running,
    /// All that the script wanted to say was handed to the connection.
    Complete,
    /// The script cut the connection.
    Cut,
    /// The client hung up before the end.
    Cancelled,
}

/// A credential, without the credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Credential {
    /// Sixteen hex digits, the same for the same credential.
    pub hash: String,
    pub last4: String,
}

impl Credential {
    pub(crate) fn new(secret: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        secret.hash(&mut hasher);
        let tail: Vec<char> = secret.chars().rev().take(4).collect();
        Self {
            hash: format!("{:016x}", hasher.finish()),
            last4: tail.into_iter().rev().collect(),
        }
    }
}

/// One request. Times are milliseconds since the simulated provider started.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Counts from 1 over all requests.
    pub number: u64,
    /// Counts from 1 over the requests of this model; 0 where none was asked.
    pub model_number: u64,
    /// Counts connections from 1: requests that share one were sent over the same.
    pub connection: u64,
    pub at_ms: u64,
    pub ended_ms: Option<u64>,
    pub dialect: Option<Dialect>,
    pub path: String,
    pub model: String,
    pub is_streaming: bool,
    /// Without the values of credentials.
    pub headers: Vec<(String, String)>,
    pub credential: Option<Credential>,
    /// The beginning of the body, see [`crate::Script::log_body_bytes`].
    pub body: String,
    /// Its whole length.
    pub body_bytes: usize,
    pub media: Vec<Medium>,
    /// `None` while nothing was answered.
    pub status: Option<u16>,
    pub fault: What,
    pub outcome: Outcome,
    /// Content chunks handed to the connection.
    pub chunks: u64,
    pub bytes_sent: u64,
    /// What was, or would have been, reported to the client.
    pub usage: Option<Tokens>,
}

#[derive(Debug)]
pub(crate) struct Log {
    started: Instant,
    entries: Mutex<VecDeque<Entry>>,
}

impl Log {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            entries: Mutex::default(),
        })
    }

    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Adds an entry; the oldest beyond `most` are forgotten.
    pub(crate) fn open(self: &Arc<Self>, entry: Entry, most: usize) -> Record {
        let number = entry.number;
        let mut entries = self.entries.lock();
        entries.push_back(entry);
        while entries.len() > most.max(1) {
            entries.pop_front();
        }
        Record {
            log: Some(Arc::clone(self)),
            number,
            is_ended: false,
        }
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.lock().iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        self.entries.lock().clear();
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.entries.lock();
        // Numbers only rise, but requests that raced may stand in another order.
        if let Some(entry) = entries
            .iter_mut()
            .rev()
            .find(|entry| entry.number == number)
        {
            change(entry);
        }
    }
}

/// The hand that writes one entry. Dropped before the end, it notes that the client left.
#[derive(Debug, Default)]
pub(crate) struct Record {
    log: Option<Arc<Log>>,
    number: u64,
    is_ended: bool,
}

impl Record {
    /// Writes nowhere.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Entry)) {
        if let Some(log) = &self.log {
            log.change(self.number, change);
        }
    }

    pub(crate) fn sent(&self, bytes: usize, is_content: bool) {
        self.change(|entry| {
            entry.chunks += u64::from(is_content);
            entry.bytes_sent += u64::try_from(bytes).unwrap_or(u64::MAX);
        });
    }

    pub(crate) fn complete(&mut self) {
        self.end(Outcome::Complete);
    }

    pub(crate) fn cut(&mut self) {
        self.end(Outcome::Cut);
    }

    fn end(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.is_ended, true)
            && let Some(log) = &self.log
        {
            let now = log.now_ms();
            log.change(self.number, |entry| {
                entry.outcome = outcome;
                entry.ended_ms = Some(now);
            });
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.end(Outcome::Cancelled);
    }
}
