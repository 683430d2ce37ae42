//! What an open and a close cost: `cargo run --release -p interline-spool --example cost -- DIR`.
//!
//! Each of so many "connections" opens a key, closes it and waits, over and over, on one thread.
//! Printed per request: CPU time of the whole process (Linux), and how requests shared groups.
#![expect(clippy::print_stdout, reason = "a tool for the terminal")]

use interline_spool::{Closed, Durability, Options, Spool};
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Instant;

const REQUESTS: u32 = 200_000;

struct Unpark(thread::Thread, AtomicUsize);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        // As a runtime does: the first wake costs a system call, the next find it awake.
        if self.1.fetch_add(1, Ordering::AcqRel) == 0 {
            self.0.unpark();
        }
    }
}

/// Nanoseconds this process was on a CPU, all threads.
fn cpu_nanos() -> u64 {
    std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
        .sum()
}

fn begin(spool: &Spool, number: u32) -> Closed {
    let key = format!("gen-1750000000-{number:020}");
    spool.open_record(&key, vec![b'o'; 120]).expect("open");
    spool.close_record(&key, vec![b'c'; 400]).expect("close")
}

fn run(directory: &str, durability: Durability, connections: usize) {
    let directory = format!("{directory}/{durability:?}-{connections}");
    let (spool, _) = Spool::open(Options {
        durability,
        ..Options::new(&directory)
    })
    .expect("the directory can be used");
    let unpark = Arc::new(Unpark(thread::current(), AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&unpark));
    let (began, cpu) = (Instant::now(), cpu_nanos());
    let mut next = 0;
    let mut done = 0;
    let mut waiting: Vec<Closed> = Vec::new();
    while done < REQUESTS {
        while waiting.len() < connections && next < REQUESTS {
            waiting.push(begin(&spool, next));
            next += 1;
        }
        unpark.1.store(0, Ordering::Release);
        let before = waiting.len();
        waiting.retain_mut(|closed| {
            match Pin::new(closed).poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(result) => {
                    result.expect("written");
                    false
                }
                Poll::Pending => true,
            }
        });
        done += u32::try_from(before - waiting.len()).unwrap_or(0);
        if waiting.len() == before {
            thread::park();
        } else if done % 64 < 8 {
            // The poster's share, roughly.
            let posted = spool.take_closed(500);
            spool.forget(posted.iter().map(|record| &*record.key));
        }
    }
    let commits = spool.status().commits;
    let cpu = cpu_nanos() - cpu;
    println!(
        "{durability:?}, {connections} connections: {} ns CPU and {} ns wall a request, {} requests a group",
        cpu / u64::from(REQUESTS),
        began.elapsed().as_nanos() / u128::from(REQUESTS),
        u64::from(REQUESTS) / commits.max(1),
    );
    drop(spool);
    let _ = std::fs::remove_dir_all(directory);
}

fn main() {
    let directory = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "target/spool-cost".to_owned());
    for durability in [Durability::Buffered, Durability::Fsync] {
        for connections in [1, 16, 64, 256] {
            run(&directory, durability, connections);
        }
    }
}
