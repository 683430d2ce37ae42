//! What the handle and the writer thread share: the queue, the index of live keys, and the account
//! of which file still holds something live.

use crate::record::{self, Kind};
use crate::{Error, Options, Record};
use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// Bytes queued at which the writer stops gathering.
pub(crate) const FLUSH_BYTES: usize = 1 << 20;
/// Files above which the oldest is cleared by moving the little that is live in it to the newest,
/// so that one long stream does not keep everything after it on disk.
const CARRY_FILES: usize = 4;
/// A file is cleared only if at most one byte in this many is live; otherwise a long backlog would
/// be copied over and over.
const CARRY_SHARE: u64 = 8;

pub(crate) struct Shared {
    pub(crate) options: Options,
    state: Mutex<State>,
    /// The writer waits here for work.
    pub(crate) work: Condvar,
    /// The last group that is as durable as promised. Changed under the lock only.
    durable: AtomicU64,
}

impl Shared {
    pub(crate) fn new(options: Options, state: State) -> Self {
        Self {
            options,
            state: Mutex::new(state),
            work: Condvar::new(),
            durable: AtomicU64::new(0),
        }
    }

    /// A panic elsewhere does not stop the spool: every change below is complete before anything
    /// that could panic.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_durable(&self, group: u64) -> bool {
        self.durable.load(Ordering::Acquire) >= group
    }

    pub(crate) fn set_durable(&self, group: u64) {
        self.durable.store(group, Ordering::Release);
    }

    /// Unlocks, and wakes the writer if it waits for what just came. A notify without a listener
    /// still costs a system call, hence the flag.
    pub(crate) fn release(&self, mut state: MutexGuard<'_, State>) {
        let wake = state.waiting && state.is_worth_waking();
        if wake {
            state.waiting = false;
        }
        drop(state);
        if wake {
            self.work.notify_one();
        }
    }
}

/// Bytes for one file, in the order they were queued.
pub(crate) struct Chunk {
    pub(crate) file: u64,
    pub(crate) salt: u32,
    pub(crate) bytes: Vec<u8>,
}

/// Everything queued when the writer came for it.
pub(crate) struct Group {
    pub(crate) number: u64,
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) closes: usize,
    pub(crate) must_sync: bool,
    /// Files that hold nothing live once this group is durable.
    pub(crate) dead_files: Vec<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// Closed with this group.
    Closed(u64),
}

struct Slot {
    stage: Stage,
    file: u64,
    payload: Arc<[u8]>,
}

/// What is known about a file on disk, or about to be.
pub(crate) struct FileEntry {
    pub(crate) number: u64,
    pub(crate) salt: u32,
    pub(crate) bytes: u64,
    live: usize,
    live_bytes: u64,
}

/// A look at the spool for operators. All but `commits` are current values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Records queued for the writer.
    pub pending: usize,
    /// Keys opened and not closed.
    pub open: usize,
    /// Keys closed and not forgotten.
    pub backlog: usize,
    /// Payload bytes of the backlog.
    pub backlog_bytes: u64,
    /// The key that has waited longest to be forgotten. The spool has no clock; the time is in the
    /// key or the payload, for those who know them.
    pub oldest: Option<Record>,
    pub files: usize,
    /// Size on disk, with what is queued.
    pub bytes: u64,
    /// Groups written since start.
    pub commits: u64,
    /// Why nothing is accepted any more.
    pub failed: Option<String>,
}

pub(crate) struct State {
    slots: HashMap<Arc<str>, Slot>,
    /// Closed keys, oldest first; keys forgotten out of order are dropped when they reach the front.
    order: VecDeque<Arc<str>>,
    open: usize,
    backlog_bytes: u64,
    /// Oldest first. Never empty: the last is the one that is written.
    files: VecDeque<FileEntry>,
    chunks: Vec<Chunk>,
    queued_records: usize,
    queued_bytes: usize,
    queued_closes: usize,
    /// The group that is being gathered. The one before may be on its way to the disk.
    gathering: u64,
    /// Wakers of the group being gathered and of the one before, by the parity of their numbers.
    wakers: [Vec<Waker>; 2],
    /// The writer waits on the condition variable…
    pub(crate) waiting: bool,
    /// … for this many closes (0: for anything at all).
    pub(crate) wake_at: usize,
    pub(crate) stopping: bool,
    failed: Option<Arc<str>>,
    next_salt: u32,
}

impl State {
    /// `files` are those on disk, oldest first; `next` is the number of the first to be written.
    pub(crate) fn new(files: VecDeque<FileEntry>, next: u64, salt: u32) -> Self {
        let mut state = Self {
            slots: HashMap::new(),
            order: VecDeque::new(),
            open: 0,
            backlog_bytes: 0,
            files,
            chunks: Vec::new(),
            queued_records: 0,
            queued_bytes: 0,
            queued_closes: 0,
            gathering: 1,
            wakers: [Vec::new(), Vec::new()],
            waiting: false,
            wake_at: 0,
            stopping: false,
            failed: None,
            next_salt: salt,
        };
        state.begin_file(next);
        state
    }

    fn begin_file(&mut self, number: u64) {
        // Any change will do: a salt must only be unknown to those who choose payloads.
        self.next_salt = self
            .next_salt
            .wrapping_mul(747_796_405)
            .wrapping_add(2_891_336_453);
        self.files.push_back(FileEntry {
            number,
            salt: self.next_salt,
            bytes: record::FILE_HEADER as u64,
            live: 0,
            live_bytes: 0,
        });
    }

    /// Takes over a record found at start-up. `stage_open` or closed before anything of this run.
    pub(crate) fn restore(&mut self, file: u64, kind: Kind, record: &Record) {
        let stage = match kind {
            Kind::Open => Stage::Open,
            Kind::Close => Stage::Closed(0),
        };
        self.place(record.key.clone(), stage, file, record.payload.clone());
    }

    fn place(&mut self, key: Arc<str>, stage: Stage, file: u64, payload: Arc<[u8]>) {
        let size = payload.len() as u64;
        match stage {
            Stage::Open => self.open += 1,
            Stage::Closed(_) => {
                self.backlog_bytes = self.backlog_bytes.saturating_add(size);
                self.order.push_back(key.clone());
            }
        }
        self.add_live(file, size);
        self.slots.insert(
            key,
            Slot {
                stage,
                file,
                payload,
            },
        );
    }

    fn file_mut(&mut self, number: u64) -> Option<&mut FileEntry> {
        let place = self.files.binary_search_by_key(&number, |file| file.number);
        place.ok().and_then(|index| self.files.get_mut(index))
    }

    fn add_live(&mut self, file: u64, size: u64) {
        if let Some(file) = self.file_mut(file) {
            file.live += 1;
            file.live_bytes = file.live_bytes.saturating_add(size);
        }
    }

    fn remove_live(&mut self, slot: &Slot) {
        let size = slot.payload.len() as u64;
        match slot.stage {
            Stage::Open => self.open = self.open.saturating_sub(1),
            Stage::Closed(_) => self.backlog_bytes = self.backlog_bytes.saturating_sub(size),
        }
        if let Some(file) = self.file_mut(slot.file) {
            file.live = file.live.saturating_sub(1);
            file.live_bytes = file.live_bytes.saturating_sub(size);
        }
    }

    pub(crate) fn failure(&self) -> Option<Arc<str>> {
        self.failed.clone()
    }

    fn usable(&self) -> Result<(), Error> {
        match &self.failed {
            Some(reason) => Err(Error::Failed(reason.clone())),
            None if self.stopping => Err(Error::ShutDown),
            None => Ok(()),
        }
    }

    /// Queues bytes for the newest file, or for a new one if that is full.
    fn append(&mut self, limit: u64, kind: Kind, key: &str, payload: &[u8], size: usize) -> u64 {
        let size = size as u64;
        let newest = self.files.back().map_or((0, 0), |f| (f.number, f.bytes));
        let empty = newest.1 <= record::FILE_HEADER as u64;
        if !empty && newest.1.saturating_add(size) > limit {
            self.begin_file(newest.0.saturating_add(1));
        }
        let Some(file) = self.files.back_mut() else {
            return 0;
        };
        file.bytes = file.bytes.saturating_add(size);
        let (number, salt) = (file.number, file.salt);
        if self.chunks.last().is_none_or(|chunk| chunk.file != number) {
            self.chunks.push(Chunk {
                file: number,
                salt,
                bytes: Vec::new(),
            });
        }
        if let Some(chunk) = self.chunks.last_mut() {
            let before = chunk.bytes.len();
            record::encode(&mut chunk.bytes, salt, kind, key, payload);
            self.queued_bytes += chunk.bytes.len() - before;
        }
        self.queued_records += 1;
        number
    }

    pub(crate) fn open(
        &mut self,
        options: &Options,
        key: &str,
        payload: Vec<u8>,
    ) -> Result<(), Error> {
        self.usable()?;
        if self.queued_records >= options.max_pending {
            return Err(Error::Full("the disk does not keep up"));
        }
        if self.backlog_bytes >= options.max_backlog_bytes {
            return Err(Error::Full("too much waits to be posted"));
        }
        let size = record::size(key, &payload).ok_or(Error::TooLarge(payload.len()))?;
        if self.slots.contains_key(key) {
            return Err(Error::Duplicate(key.to_owned()));
        }
        let file = self.append(options.segment_bytes, Kind::Open, key, &payload, size);
        self.place(Arc::from(key), Stage::Open, file, Arc::from(payload));
        Ok(())
    }

    /// Answers the group the record is written with.
    pub(crate) fn close(
        &mut self,
        options: &Options,
        key: &str,
        payload: Vec<u8>,
    ) -> Result<u64, Error> {
        self.usable()?;
        let size = record::size(key, &payload).ok_or(Error::TooLarge(payload.len()))?;
        let key = match self.slots.get_key_value(key) {
            Some((_, slot)) if slot.stage != Stage::Open => {
                return Err(Error::Duplicate(key.to_owned()));
            }
            Some((key, _)) => key.clone(),
            None => Arc::from(key),
        };
        if let Some(opened) = self.slots.remove(&key) {
            self.remove_live(&opened);
        }
        let file = self.append(options.segment_bytes, Kind::Close, &key, &payload, size);
        let group = self.gathering;
        self.queued_closes += 1;
        self.place(key, Stage::Closed(group), file, Arc::from(payload));
        Ok(group)
    }

    /// The payload `key` was closed with, if `is_durable` says so of its group.
    pub(crate) fn find(&self, key: &str, is_durable: impl Fn(u64) -> bool) -> Option<Arc<[u8]>> {
        match self.slots.get(key)? {
            Slot {
                stage: Stage::Closed(group),
                payload,
                ..
            } if is_durable(*group) => Some(payload.clone()),
            _ => None,
        }
    }

    /// The oldest closed keys that are durable, at most `max`.
    pub(crate) fn oldest(&mut self, max: usize, is_durable: impl Fn(u64) -> bool) -> Vec<Record> {
        self.trim();
        let mut found = Vec::with_capacity(max.min(self.order.len()));
        for key in &self.order {
            if found.len() >= max {
                break;
            }
            match self.slots.get(key) {
                Some(slot) if matches!(slot.stage, Stage::Closed(group) if is_durable(group)) => {
                    found.push(Record {
                        key: key.clone(),
                        payload: slot.payload.clone(),
                    });
                }
                // Groups become durable in order: what follows is not durable either.
                Some(_) => break,
                None => {}
            }
        }
        found
    }

    fn is_closed(&self, key: &str) -> bool {
        self.slots
            .get(key)
            .is_some_and(|slot| slot.stage != Stage::Open)
    }

    pub(crate) fn forget(&mut self, key: &str) {
        if let Some(slot) = self.slots.remove(key) {
            self.remove_live(&slot);
        }
    }

    /// Drops the keys at the front of the order that were forgotten.
    pub(crate) fn trim(&mut self) {
        while let Some(key) = self.order.front()
            && !self.is_closed(key)
        {
            self.order.pop_front();
        }
    }

    pub(crate) fn has_work(&self) -> bool {
        self.queued_records > 0 || self.front_is_dead()
    }

    fn front_is_dead(&self) -> bool {
        self.files.len() > 1 && self.files.front().is_some_and(|file| file.live == 0)
    }

    /// Whether the writer should stop gathering.
    pub(crate) fn is_ready(&self) -> bool {
        self.stopping
            || self.queued_closes >= self.wake_at.max(1)
            || self.queued_bytes >= FLUSH_BYTES
    }

    fn is_worth_waking(&self) -> bool {
        self.is_ready() || (self.wake_at == 0 && self.has_work())
    }

    pub(crate) fn queued_closes(&self) -> usize {
        self.queued_closes
    }

    /// Hands everything queued to the writer and begins a new group. `spare` is an empty buffer to
    /// gather into, so that groups do not grow a new one each time.
    pub(crate) fn drain(&mut self, limit: u64, spare: Vec<u8>) -> Group {
        let carried = self.carry(limit);
        let mut dead_files = Vec::new();
        while self.front_is_dead() {
            dead_files.extend(self.files.pop_front().map(|file| file.number));
        }
        let group = Group {
            number: self.gathering,
            chunks: mem::take(&mut self.chunks),
            closes: self.queued_closes,
            must_sync: self.queued_closes > 0 || carried,
            dead_files,
        };
        if let Some(file) = self.files.back() {
            self.chunks.push(Chunk {
                file: file.number,
                salt: file.salt,
                bytes: spare,
            });
        }
        self.gathering = self.gathering.saturating_add(1);
        self.queued_records = 0;
        self.queued_bytes = 0;
        self.queued_closes = 0;
        group
    }

    /// Moves what is live in the oldest file to the newest if there are many files and little is
    /// live in it. Says whether anything moved.
    fn carry(&mut self, limit: u64) -> bool {
        let Some(front) = self.files.front() else {
            return false;
        };
        let is_worth_it = self.files.len() > CARRY_FILES
            && front.live > 0
            && front.live_bytes.saturating_mul(CARRY_SHARE) <= front.bytes;
        if !is_worth_it {
            return false;
        }
        let from = front.number;
        let keys: Vec<Arc<str>> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.file == from)
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            let Some(slot) = self.slots.get(&key) else {
                continue;
            };
            let payload = slot.payload.clone();
            let kind = match slot.stage {
                Stage::Open => Kind::Open,
                Stage::Closed(_) => Kind::Close,
            };
            let Some(size) = record::size(&key, &payload) else {
                continue;
            };
            let to = self.append(limit, kind, &key, &payload, size);
            let bytes = payload.len() as u64;
            self.add_live(to, bytes);
            if let Some(file) = self.file_mut(from) {
                file.live = file.live.saturating_sub(1);
                file.live_bytes = file.live_bytes.saturating_sub(bytes);
            }
            if let Some(slot) = self.slots.get_mut(&key) {
                slot.file = to;
            }
        }
        true
    }

    pub(crate) fn wake_after(&mut self, group: u64, waker: Waker) {
        let [even, odd] = &mut self.wakers;
        if group.is_multiple_of(2) { even } else { odd }.push(waker);
    }

    /// Swaps the wakers of a group that is done with an empty list.
    pub(crate) fn swap_wakers(&mut self, group: u64, empty: &mut Vec<Waker>) {
        let [even, odd] = &mut self.wakers;
        mem::swap(if group.is_multiple_of(2) { even } else { odd }, empty);
    }

    /// Refuses everything from here on. Answers whoever waits, to be woken.
    pub(crate) fn fail(&mut self, reason: &str) -> Vec<Waker> {
        self.failed.get_or_insert_with(|| Arc::from(reason));
        self.chunks.clear();
        self.queued_records = 0;
        self.queued_bytes = 0;
        self.queued_closes = 0;
        self.wakers.iter_mut().flat_map(mem::take).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn file_numbers(&self) -> Vec<u64> {
        self.files.iter().map(|file| file.number).collect()
    }

    pub(crate) fn status(&mut self, commits: u64, is_durable: impl Fn(u64) -> bool) -> Status {
        Status {
            pending: self.queued_records,
            open: self.open,
            backlog: self.slots.len().saturating_sub(self.open),
            backlog_bytes: self.backlog_bytes,
            oldest: self.oldest(1, is_durable).into_iter().next(),
            files: self.files.len(),
            bytes: self.files.iter().map(|file| file.bytes).sum(),
            commits,
            failed: self.failed.as_deref().map(str::to_owned),
        }
    }
}

impl FileEntry {
    pub(crate) fn found(number: u64, salt: u32, bytes: u64) -> Self {
        Self {
            number,
            salt,
            bytes,
            live: 0,
            live_bytes: 0,
        }
    }
}
