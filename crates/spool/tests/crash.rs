//! A process is killed while it writes. Every close it was told is durable must be there after,
//! exactly once; a key it began and did not close must be open or unknown, never closed twice.

use interline_spool::{Options, Spool};
use std::collections::BTreeMap;
use std::future::Future as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

const DIRECTORY: &str = "INTERLINE_SPOOL_CRASH_TEST";

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn options(directory: impl Into<std::path::PathBuf>) -> Options {
    Options {
        segment_bytes: 64 << 10,
        ..Options::new(directory)
    }
}

/// The process that gets killed: four threads, each naming on standard output what it was told is
/// durable. Does nothing when run as an ordinary test.
#[test]
fn child() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how the parent reaches the child"
    )]
    let Ok(directory) = std::env::var(DIRECTORY) else {
        return;
    };
    let (spool, replay) = Spool::open(options(directory)).unwrap();
    let first = replay.closes.len();
    let mut threads = Vec::new();
    for thread in 0..4 {
        let spool = spool.clone();
        threads.push(thread::spawn(move || {
            let waker = Waker::from(Arc::new(Unpark(thread::current())));
            for n in 0.. {
                let key = format!("{first}-{thread}-{n}");
                spool.open_record(&key, b"begin".to_vec()).unwrap();
                let closed = spool.close_record(&key, key.clone().into_bytes()).unwrap();
                let mut closed = pin!(closed);
                let mut is_done = || match closed.as_mut().poll(&mut Context::from_waker(&waker)) {
                    Poll::Ready(result) => result.is_ok(),
                    Poll::Pending => false,
                };
                while !is_done() {
                    thread::park();
                }
                let mut out = std::io::stdout().lock();
                writeln!(out, "durable {key}").unwrap();
                out.flush().unwrap();
            }
        }));
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn no_acknowledged_close_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let before = acknowledged.len();
        for line in lines {
            let line = line.unwrap();
            if let Some((_, key)) = line.split_once("durable ") {
                acknowledged.push(key.to_owned());
            }
            // SIGKILL; what it wrote before is still read.
            if acknowledged.len() == before + 100 * round {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();

        let (_, replay) = Spool::open(options(directory.path())).unwrap();
        assert!(replay.damage.is_empty());
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        for record in &replay.closes {
            assert_eq!(record.key.as_bytes(), &*record.payload);
            *found.entry(&record.key).or_default() += 1;
        }
        for key in &acknowledged {
            assert_eq!(found.get(key.as_str()), Some(&1), "{key}");
        }
        for record in &replay.opens {
            assert!(!acknowledged.iter().any(|key| **key == *record.key));
        }
    }
}
