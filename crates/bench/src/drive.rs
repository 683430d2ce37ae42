//! The course of a run: which scenario, on which target, when, and what is read before and after.

use crate::load::{self, Ask, Tally};
use crate::machine::{self, Cores};
use crate::options::{Area, Options};
use crate::report::{Measurement, Report, Unit};
use crate::target::{self, Target, TargetKind, Upstream};
use crate::{Error, Progress};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

/// Between measurements, so that what the last one left behind is done.
const REST: Duration = Duration::from_millis(300);
/// Files a process opens beside its connections.
const SPARE_FILES: u64 = 500;
const OPEN_WITHIN: Duration = Duration::from_mins(1);
/// Held this long before memory is read.
const SETTLE: Duration = Duration::from_secs(2);
const SATURATING_CONNECTIONS: u32 = 64;
const STREAM_EVENTS: u32 = 200;

/// What one measurement does.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Requests { prompt_bytes: usize },
    Events { streams: u32 },
    Latency,
    FirstToken,
    Memory { streams: u32 },
}

#[derive(Clone, Debug)]
struct Scenario {
    name: String,
    kind: Kind,
}

fn scenarios(options: &Options, file_limit: u64, notes: &mut Vec<String>) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut add = |name: String, kind| all.push(Scenario { name, kind });
    for area in &options.areas {
        match area {
            Area::Requests => {
                add(
                    "requests-1k".into(),
                    Kind::Requests {
                        prompt_bytes: 1_000,
                    },
                );
                add(
                    "requests-20k".into(),
                    Kind::Requests {
                        prompt_bytes: 20_000,
                    },
                );
            }
            Area::Events => {
                add("events-10k".into(), Kind::Events { streams: 100 });
                add("events-50k".into(), Kind::Events { streams: 500 });
            }
            Area::Latency => {
                add("latency".into(), Kind::Latency);
                add("first-token".into(), Kind::FirstToken);
            }
            Area::Memory => {
                for wanted in &options.stream_levels {
                    // A proxy has two connections for each stream.
                    let most = u32::try_from(file_limit.saturating_sub(SPARE_FILES) / 2)
                        .unwrap_or(u32::MAX);
                    let streams = (*wanted).min(most);
                    if streams < *wanted {
                        notes.push(format!("{wanted} held streams were lowered to {streams}: the limit of open files is {file_limit}"));
                    }
                    add(format!("memory-{streams}"), Kind::Memory { streams });
                }
            }
        }
    }
    all
}

pub(crate) fn run(
    options: &Options,
    progress: &mut (dyn FnMut(&Progress) + Send),
) -> Result<Report, Error> {
    // A thread of its own: pinning it must not pin the caller.
    std::thread::scope(|scope| {
        let running = scope.spawn(|| Run::start(options)?.all(progress));
        running
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

struct Run<'a> {
    options: &'a Options,
    runtime: Runtime,
    cores: Option<Cores>,
    upstream: Upstream,
    targets: Vec<Target>,
    scenarios: Vec<Scenario>,
    report: Report,
}

impl<'a> Run<'a> {
    fn start(options: &'a Options) -> Result<Self, Error> {
        let mut report = Report::default();
        let file_limit = machine::raise_file_limit();
        let cores = machine::cores();
        match cores {
            Some(cores) => {
                machine::pin(cores.generator);
            }
            None => report
                .notes
                .push("fewer than two cores can be chosen: nothing is pinned".to_owned()),
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| Error::Io {
                what: "no runtime",
                source,
            })?;
        let upstream = Upstream::start(cores)?;
        let mut run = Self {
            options,
            runtime,
            cores,
            scenarios: scenarios(options, file_limit, &mut report.notes),
            targets: Vec::new(),
            upstream,
            report,
        };
        for kind in &options.targets {
            let target = run.fresh(*kind)?;
            run.targets.push(target);
        }
        Ok(run)
    }

    /// Starts a target and asks it one request of each kind.
    fn fresh(&self, kind: TargetKind) -> Result<Target, Error> {
        let upstream: SocketAddr = self.upstream.address;
        let target = target::start(kind, upstream, self.options, self.cores)?;
        for ask in [Ask::whole(1_000), Ask::stream(5, 1)] {
            let answer = self.runtime.block_on(load::probe(&target, ask));
            answer.map_err(|answer| Error::WrongAnswer {
                what: kind.name(),
                answer,
            })?;
        }
        Ok(target)
    }

    fn all(mut self, progress: &mut (dyn FnMut(&Progress) + Send)) -> Result<Report, Error> {
        let steps = self.steps();
        let total = steps.len();
        for (done, (scenario, kind, repetition)) in steps.into_iter().enumerate() {
            let step = format!(
                "{} {} {}/{}",
                scenario.name,
                kind.name(),
                repetition,
                self.options.repetitions
            );
            progress(&Progress { done, total, step });
            let measured = self.measure(&scenario, kind, repetition)?;
            self.report.measurements.extend(measured);
            std::thread::sleep(REST);
        }
        progress(&Progress {
            done: total,
            total,
            step: "done".to_owned(),
        });
        self.report.options(self.options);
        Ok(self.report)
    }

    /// Targets change fastest, so that a busy minute of the machine strikes all of them.
    fn steps(&self) -> Vec<(Scenario, TargetKind, u32)> {
        let mut steps = Vec::new();
        for repetition in 1..=self.options.repetitions {
            for scenario in &self.scenarios {
                for kind in &self.options.targets {
                    let is_worth_it = match (scenario.kind, kind) {
                        (Kind::Memory { .. }, TargetKind::Direct) => false,
                        // Memory hardly varies, and a fresh target takes its time.
                        (Kind::Memory { .. }, _) => repetition <= 3,
                        // Without CPU figures of its own, direct only shows what the generator can do.
                        (Kind::Requests { .. } | Kind::Events { .. }, TargetKind::Direct) => {
                            repetition == 1
                        }
                        _ => true,
                    };
                    if is_worth_it {
                        steps.push((scenario.clone(), *kind, repetition));
                    }
                }
            }
        }
        steps
    }

    fn measure(
        &mut self,
        scenario: &Scenario,
        kind: TargetKind,
        repetition: u32,
    ) -> Result<Option<Measurement>, Error> {
        let mut measurement = if let Kind::Memory { streams } = scenario.kind {
            // What a target still holds from before would be counted as idle.
            let target = self.fresh(kind)?;
            self.hold(&target, streams)
        } else {
            let Some(target) = self.targets.iter().find(|target| target.kind == kind) else {
                return Ok(None);
            };
            self.load(target, scenario.kind)
        };
        measurement.scenario.clone_from(&scenario.name);
        measurement.target = kind;
        measurement.repetition = repetition;
        Ok(Some(measurement))
    }

    fn load(&self, target: &Target, kind: Kind) -> Measurement {
        let set = LocalSet::new();
        let tally = Tally::new();
        let unit = match kind {
            Kind::Requests { prompt_bytes } => {
                load::closed(
                    &set,
                    target,
                    Ask::whole(prompt_bytes),
                    SATURATING_CONNECTIONS,
                    &tally,
                );
                Unit::Request
            }
            Kind::Events { streams } => {
                load::closed(
                    &set,
                    target,
                    Ask::stream(STREAM_EVENTS, 10),
                    streams,
                    &tally,
                );
                Unit::Event
            }
            Kind::Latency => {
                load::open(&set, target, Ask::whole(1_000), self.options.rate, &tally);
                Unit::Request
            }
            Kind::FirstToken | Kind::Memory { .. } => {
                // Long enough for a stream to leave the quick acknowledgements of its beginning.
                load::open(
                    &set,
                    target,
                    Ask::stream(40, 5),
                    self.options.rate / 5,
                    &tally,
                );
                Unit::Request
            }
        };
        let (before, after) = self.runtime.block_on(set.run_until(async {
            tokio::time::sleep(self.options.warm_up).await;
            tally.measure(true);
            let before = self.snapshot(target, &tally);
            tokio::time::sleep(self.options.window).await;
            let after = self.snapshot(target, &tally);
            load::stop(&tally);
            tokio::time::sleep(Duration::from_millis(50)).await;
            (before, after)
        }));
        let mut measurement = before.until(&after, unit);
        measurement.read(&tally);
        measurement
    }

    fn hold(&self, target: &Target, streams: u32) -> Measurement {
        let set = LocalSet::new();
        let tally = Tally::new();
        let idle = target.pid().and_then(machine::resident_kib);
        let (before, after, held) = self.runtime.block_on(set.run_until(async {
            let before = self.snapshot(target, &tally);
            load::hold(&set, target, streams, &tally);
            let started = Instant::now();
            while tally.opened.get() < streams
                && started.elapsed() < OPEN_WITHIN
                && tally.errors.get() == 0
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            tokio::time::sleep(SETTLE).await;
            let held = target.pid().and_then(machine::resident_kib);
            let after = self.snapshot(target, &tally);
            load::stop(&tally);
            (before, after, held)
        }));
        let mut measurement = before.until(&after, Unit::Stream);
        measurement.read(&tally);
        measurement.hold(tally.opened.get(), idle, held);
        measurement
    }

    fn snapshot(&self, target: &Target, tally: &Tally) -> Snapshot {
        Snapshot {
            at: Instant::now(),
            target: target.pid().and_then(machine::cpu_time),
            upstream: machine::cpu_time(self.upstream.pid()),
            generator: machine::cpu_time(std::process::id()),
            machine: machine::machine_time(),
            requests: tally.requests.get(),
            events: tally.events.get(),
        }
    }
}

/// What stood at one moment.
struct Snapshot {
    at: Instant,
    target: Option<Duration>,
    upstream: Option<Duration>,
    generator: Option<Duration>,
    machine: Option<Duration>,
    requests: u64,
    events: u64,
}

impl Snapshot {
    fn until(&self, later: &Self, unit: Unit) -> Measurement {
        let seconds = (later.at - self.at).as_secs_f64();
        let share = |from: Option<Duration>, to: Option<Duration>| {
            Some(to?.saturating_sub(from?).as_secs_f64() / seconds)
        };
        let target = share(self.target, later.target);
        let upstream = share(self.upstream, later.upstream);
        let generator = share(self.generator, later.generator);
        let machine = share(self.machine, later.machine);
        let ours = target.unwrap_or(0.0) + upstream.unwrap_or(0.0) + generator.unwrap_or(0.0);
        Measurement {
            unit,
            seconds,
            units: match unit {
                Unit::Event => later.events - self.events,
                Unit::Request | Unit::Stream => later.requests - self.requests,
            },
            target_util: target,
            upstream_util: upstream,
            generator_util: generator,
            ext_util: machine.map(|machine| (machine - ours).max(0.0)),
            ..Measurement::default()
        }
    }
}
