//! What the machine says: CPU time, memory, limits, and which core runs what.
//!
//! Only Linux tells all of it. Elsewhere the benchmark still runs, without pinning and without
//! CPU figures.

use std::time::Duration;

/// CPU time of a process and its threads so far, running ones included.
pub(crate) fn cpu_time(pid: u32) -> Option<Duration> {
    by_threads(pid).or_else(|| by_ticks(pid))
}

/// In nanoseconds, from each thread's scheduler statistics. A thread that ended is missing: our
/// targets keep theirs.
fn by_threads(pid: u32) -> Option<Duration> {
    let mut nanos = 0_u64;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let path = thread.ok()?.path().join("schedstat");
        // A thread may end between the listing and the reading.
        let Ok(text) = std::fs::read_to_string(path) else {
            continue;
        };
        nanos += text.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    (nanos > 0).then_some(Duration::from_nanos(nanos))
}

/// In ticks of 10 ms, for kernels without scheduler statistics.
fn by_ticks(pid: u32) -> Option<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name may hold spaces and brackets: count from its end.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

/// Busy CPU time of the whole machine so far.
pub(crate) fn machine_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<u64> = text
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user, nice, system, (idle, iowait,) irq, softirq, steal
    let ticks: u64 = [0, 1, 2, 5, 6, 7]
        .iter()
        .filter_map(|index| fields.get(*index))
        .sum();
    Some(Duration::from_millis(ticks * 10))
}

/// Resident memory in KiB.
pub(crate) fn resident_kib(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Raises the number of files this process may open to the hard limit; returns it.
pub(crate) fn raise_file_limit() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let now = if setrlimit(Resource::Nofile, raised).is_ok() {
        limit.maximum
    } else {
        limit.current
    };
    now.unwrap_or(u64::MAX)
}

/// The two cores a run uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cores {
    pub generator: usize,
    pub target: usize,
}

#[cfg(target_os = "linux")]
mod pinning {
    use super::Cores;
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    /// The first two cores this process may use; `None` if there is but one.
    pub(crate) fn cores() -> Option<Cores> {
        let allowed = sched_getaffinity(None).ok()?;
        let mut free = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
        Some(Cores {
            generator: free.next()?,
            target: free.next()?,
        })
    }

    /// Ties the calling thread, and what it starts from now on, to `core`.
    pub(crate) fn pin(core: usize) -> bool {
        let mut set = CpuSet::new();
        set.set(core);
        sched_setaffinity(None, &set).is_ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod pinning {
    use super::Cores;

    pub(crate) fn cores() -> Option<Cores> {
        None
    }

    pub(crate) fn pin(_core: usize) -> bool {
        false
    }
}

pub(crate) use pinning::{cores, pin};
