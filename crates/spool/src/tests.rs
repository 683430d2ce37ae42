//! The promises of the spool, one by one and at random. `tests/crash.rs` kills a real process.

mod failures;
mod property;
mod replay;

use crate::{Closed, Error, Options, Record, Replay, Spool};
use std::collections::HashMap;
use std::future::Future as _;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

/// What the writer of a directory meets before it writes.
enum Hook {
    DiskFull,
    /// Announces itself, then waits to be let through once.
    Gate(Sender<()>, Receiver<()>),
}

static HOOKS: Mutex<Option<HashMap<PathBuf, Hook>>> = Mutex::new(None);

pub(crate) fn fail_point(options: &Options) -> io::Result<()> {
    let hook = HOOKS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .as_mut()
        .and_then(|hooks| hooks.remove(&options.directory));
    match hook {
        None => Ok(()),
        Some(Hook::DiskFull) => Err(io::ErrorKind::StorageFull.into()),
        Some(Hook::Gate(arrived, pass)) => {
            arrived.send(()).unwrap();
            pass.recv().unwrap();
            Ok(())
        }
    }
}

fn set_hook(directory: &Path, hook: Hook) {
    HOOKS
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert_default()
        .insert(directory.to_owned(), hook);
}

/// The writer's next write waits until the returned sender speaks.
fn gate(directory: &Path) -> (Receiver<()>, Sender<()>) {
    let (arrived, has_arrived) = channel();
    let (let_pass, pass) = channel();
    set_hook(directory, Hook::Gate(arrived, pass));
    (has_arrived, let_pass)
}

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn wait(closed: Closed) -> Result<(), Error> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut closed = pin!(closed);
    loop {
        match closed.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(result) => return result,
            Poll::Pending => thread::park(),
        }
    }
}

fn open(options: &Options) -> (Spool, Replay) {
    Spool::open(options.clone()).unwrap()
}

fn close(spool: &Spool, key: &str) {
    wait(spool.close_record(key, payload(key)).unwrap()).unwrap();
}

fn payload(key: &str) -> Vec<u8> {
    format!("{{\"of\":\"{key}\"}}").into_bytes()
}

fn keys(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| &*record.key).collect()
}

fn log_files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
        .collect();
    files.sort();
    files
}

#[test]
fn a_key_lives_from_open_to_forget() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, replay) = open(&Options::new(directory.path()));
    assert!(replay.opens.is_empty() && replay.closes.is_empty());

    spool.open_record("a", b"begin".to_vec()).unwrap();
    assert_eq!(spool.find("a"), None, "not closed yet");
    assert!(spool.take_closed(10).is_empty());
    assert!(matches!(
        spool.open_record("a", Vec::new()),
        Err(Error::Duplicate(_))
    ));
    close(&spool, "a");
    close(&spool, "b");
    assert!(matches!(
        spool.close_record("a", Vec::new()),
        Err(Error::Duplicate(_))
    ));
    assert_eq!(spool.find("a").as_deref(), Some(&*payload("a")));
    assert_eq!(keys(&spool.take_closed(1)), ["a"], "oldest first");
    assert_eq!(keys(&spool.take_closed(10)), ["a", "b"], "until forgotten");

    spool.forget(["b"]);
    assert_eq!(keys(&spool.take_closed(10)), ["a"], "out of order");
    spool.forget(["a", "unknown"]);
    assert_eq!(spool.find("a"), None);
    let status = spool.status();
    assert_eq!(
        (status.open, status.backlog, status.backlog_bytes),
        (0, 0, 0)
    );
    spool.shutdown();
    assert!(matches!(
        spool.open_record("c", Vec::new()),
        Err(Error::ShutDown)
    ));
    assert!(log_files(directory.path()).is_empty(), "nothing was live");
}

#[test]
fn what_waits_together_is_written_together() {
    let directory = tempfile::tempdir().unwrap();
    let (spool, _) = open(&Options::new(directory.path()));
    let (arrived, let_pass) = gate(directory.path());
    let first = spool.close_record("first", Vec::new()).unwrap();
    arrived.recv().unwrap();
    let rest: Vec<Closed> = (0..100)
        .map(|n| spool.close_record(&n.to_string(), Vec::new()).unwrap())
        .collect();
    assert!(spool.take_closed(10).is_empty(), "nothing is durable yet");
    assert_eq!(spool.find("first"), None);
    let_pass.send(()).unwrap();
    wait(first).unwrap();
    for closed in rest {
        wait(closed).unwrap();
    }
    assert_eq!(spool.status().commits, 2);
}

#[test]
fn full_files_are_removed_when_all_in_them_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 200,
        ..Options::new(directory.path())
    };
    let (spool, _) = open(&options);
    for n in 0..40 {
        spool
            .open_record(&format!("key {n}"), payload("x"))
            .unwrap();
        close(&spool, &format!("key {n}"));
    }
    let before = log_files(directory.path()).len();
    assert!(before > 10, "{before}");
    let posted = spool.take_closed(39);
    spool.forget(posted.iter().map(|record| &*record.key));
    // The next group carries the removal.
    close(&spool, "last");
    let after = log_files(directory.path()).len();
    assert!(after <= 3, "{after}");
    drop(spool);

    let (_, replay) = open(&options);
    let left = keys(&replay.closes);
    assert!(left.ends_with(&["key 39", "last"]), "{left:?}");
    assert!(left.len() < 6, "{left:?}");
}

#[test]
fn one_long_stream_does_not_keep_all_that_came_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 1000,
        ..Options::new(directory.path())
    };
    let (spool, _) = open(&options);
    spool.open_record("long", b"x".to_vec()).unwrap();
    for n in 0..400 {
        let key = format!("key {n}");
        close(&spool, &key);
        spool.forget([&*key]);
    }
    let count = log_files(directory.path()).len();
    assert!(count <= 6, "{count}");
    drop(spool);

    let (_, replay) = open(&options);
    assert_eq!(keys(&replay.opens), ["long"]);
}

#[test]
fn a_directory_has_one_owner() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options::new(directory.path());
    let (spool, _) = open(&options);
    assert!(matches!(
        Spool::open(options.clone()),
        Err(Error::Locked(_))
    ));
    let clone = spool.clone();
    drop(spool);
    assert!(matches!(
        Spool::open(options.clone()),
        Err(Error::Locked(_))
    ));
    drop(clone);
    open(&options);
}
