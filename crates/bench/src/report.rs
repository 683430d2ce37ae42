//! What was found: every measurement, and the medians with their ratios to the floor.

mod table;

use crate::load::Tally;
use crate::options::{Gate, Options};
use crate::target::TargetKind;
use hdrhistogram::Histogram;
use serde_derive::Serialize;

/// Above this share of a core used by others, figures are suspect.
const BUSY: f64 = 0.15;
/// A saturated target uses at least this share of its core.
const SATURATED: f64 = 0.8;
/// A stall of Nagle's algorithm with delayed acknowledgement lasts 40 ms.
const STALL_US: f64 = 35_000.0;

/// What a CPU figure is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    #[default]
    Request,
    Event,
    Stream,
}

/// One scenario on one target, once. Shares are of one core; `None` where the system does not
/// tell.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    pub scenario: String,
    pub target: TargetKind,
    /// Counts from 1.
    pub repetition: u32,
    pub unit: Unit,
    pub seconds: f64,
    /// Finished within the window.
    pub units: u64,
    pub target_util: Option<f64>,
    pub upstream_util: Option<f64>,
    pub generator_util: Option<f64>,
    /// Used by what is no part of the run.
    pub ext_util: Option<f64>,
    pub latency_p50_us: Option<u64>,
    pub latency_p99_us: Option<u64>,
    pub first_p50_us: Option<u64>,
    pub first_p99_us: Option<u64>,
    pub gap_p50_us: Option<u64>,
    pub gap_p99_us: Option<u64>,
    pub streams: Option<u32>,
    pub idle_kib: Option<u64>,
    pub held_kib: Option<u64>,
    pub errors: u64,
    /// Up to five different ones.
    pub error_samples: Vec<String>,
}

impl Default for Measurement {
    fn default() -> Self {
        Self {
            scenario: String::new(),
            target: TargetKind::Direct,
            repetition: 0,
            unit: Unit::default(),
            seconds: 0.0,
            units: 0,
            target_util: None,
            upstream_util: None,
            generator_util: None,
            ext_util: None,
            latency_p50_us: None,
            latency_p99_us: None,
            first_p50_us: None,
            first_p99_us: None,
            gap_p50_us: None,
            gap_p99_us: None,
            streams: None,
            idle_kib: None,
            held_kib: None,
            errors: 0,
            error_samples: Vec::new(),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts and times far below 2^52"
)]
fn float(number: u64) -> f64 {
    number as f64
}

fn quantile(histogram: &Histogram<u64>, quantile: f64) -> Option<u64> {
    (!histogram.is_empty()).then(|| histogram.value_at_quantile(quantile))
}

impl Measurement {
    pub(crate) fn read(&mut self, tally: &Tally) {
        let both =
            |histogram: &Histogram<u64>| (quantile(histogram, 0.5), quantile(histogram, 0.99));
        (self.latency_p50_us, self.latency_p99_us) = both(&tally.latency.borrow());
        (self.first_p50_us, self.first_p99_us) = both(&tally.first.borrow());
        (self.gap_p50_us, self.gap_p99_us) = both(&tally.gap.borrow());
        self.errors = tally.errors.get();
        self.error_samples.clone_from(&tally.samples.borrow());
    }

    pub(crate) fn hold(&mut self, streams: u32, idle: Option<u64>, held: Option<u64>) {
        (self.streams, self.idle_kib, self.held_kib) = (Some(streams), idle, held);
        self.units = u64::from(streams);
    }

    /// CPU microseconds of the target per request or event.
    pub fn cpu_us(&self) -> Option<f64> {
        let is_counted = self.units > 0 && self.unit != Unit::Stream;
        Some(self.target_util? * self.seconds * 1e6 / float(self.units)).filter(|_| is_counted)
    }

    pub fn per_second(&self) -> f64 {
        if self.seconds > 0.0 {
            float(self.units) / self.seconds
        } else {
            0.0
        }
    }

    /// Resident memory that each held stream added.
    pub fn kib_per_stream(&self) -> Option<f64> {
        let streams = self.streams.filter(|streams| *streams > 0)?;
        Some(float(self.held_kib?.saturating_sub(self.idle_kib?)) / f64::from(streams))
    }

    /// Asked for all it can give, it was not given the time for it.
    fn is_unsaturated(&self) -> bool {
        self.scenario.starts_with("requests")
            && self.target_util.is_some_and(|share| share < SATURATED)
    }

    fn is_busy(&self) -> bool {
        self.ext_util.is_some_and(|share| share > BUSY)
    }
}

/// The median of the repetitions, and how far they lay apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let upper = *values.get(middle)?;
        let is_even = values.len().is_multiple_of(2);
        let lower = if is_even {
            *values.get(middle.checked_sub(1)?)?
        } else {
            upper
        };
        Some(Self {
            median: f64::midpoint(lower, upper),
            min: *values.first()?,
            max: *values.last()?,
        })
    }
}

/// A figure that is compared over the targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    CpuUs,
    PerSecond,
    LatencyP50,
    LatencyP99,
    FirstP50,
    FirstP99,
    KibPerStream,
}

impl Figure {
    fn of(self, measurement: &Measurement) -> Option<f64> {
        match self {
            Self::CpuUs => measurement.cpu_us(),
            Self::PerSecond => Some(measurement.per_second()),
            Self::LatencyP50 => measurement.latency_p50_us.map(float),
            Self::LatencyP99 => measurement.latency_p99_us.map(float),
            Self::FirstP50 => measurement.first_p50_us.map(float),
            Self::FirstP99 => measurement.first_p99_us.map(float),
            Self::KibPerStream => measurement.kib_per_stream(),
        }
    }
}

/// Everything a run found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub measurements: Vec<Measurement>,
    /// What a reader must know: lowered levels, missing pinning.
    pub notes: Vec<String>,
}

impl Report {
    pub(crate) fn options(&mut self, options: &Options) {
        if options.repetitions < 5 {
            let note = format!(
                "{} repetitions: a look, not a figure to quote",
                options.repetitions
            );
            self.notes.push(note);
        }
    }

    fn of<'a>(
        &'a self,
        scenario: &'a str,
        target: TargetKind,
    ) -> impl Iterator<Item = &'a Measurement> {
        self.measurements
            .iter()
            .filter(move |one| one.scenario == scenario && one.target == target)
    }

    fn spread(&self, scenario: &str, target: TargetKind, figure: Figure) -> Option<Spread> {
        Spread::of(
            self.of(scenario, target)
                .filter_map(|one| figure.of(one))
                .collect(),
        )
    }

    /// `combine(target, other)` of the same repetition.
    fn against(
        &self,
        scenario: &str,
        target: TargetKind,
        other: TargetKind,
        figure: Figure,
        combine: fn(f64, f64) -> f64,
    ) -> Option<Spread> {
        let pairs = self.of(scenario, target).filter_map(|one| {
            let pair = self
                .of(scenario, other)
                .find(|pair| pair.repetition == one.repetition)?;
            Some(combine(figure.of(one)?, figure.of(pair)?))
        });
        Spread::of(pairs.filter(|value| value.is_finite()).collect())
    }

    fn ratio(&self, scenario: &str, figure: Figure) -> Option<Spread> {
        self.against(
            scenario,
            TargetKind::Interline,
            TargetKind::Floor,
            figure,
            |ours, floor| ours / floor,
        )
    }

    /// Answers that were wrong or did not come, over all measurements.
    pub fn errors(&self) -> u64 {
        self.measurements.iter().map(|one| one.errors).sum()
    }

    /// Interline's CPU time per request or event as a multiple of the floor's.
    pub fn cpu_ratio(&self, scenario: &str) -> Option<Spread> {
        self.ratio(scenario, Figure::CpuUs)
    }

    /// What somebody who quotes these figures must hear.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.notes.clone();
        let busy = self.measurements.iter().filter(|one| one.is_busy()).count();
        if busy > 0 {
            let all = self.measurements.len();
            warnings.push(format!("the machine was busy: others used more than {BUSY} of a core in {busy} of {all} measurements"));
        }
        for one in &self.measurements {
            if one.errors > 0 {
                let sample = one.error_samples.first().map_or("", String::as_str);
                warnings.push(format!(
                    "{} {}: {} errors, such as: {sample}",
                    one.scenario,
                    one.target.name(),
                    one.errors
                ));
            }
        }
        let idle = self
            .measurements
            .iter()
            .filter(|one| one.is_unsaturated())
            .count();
        if idle > 0 {
            warnings.push(format!(
                "in {idle} measurements of requests the target had less than {SATURATED} of a core: not saturated"
            ));
        }
        for target in [TargetKind::Floor, TargetKind::Interline] {
            let stalled = |target| {
                self.of("first-token", target)
                    .any(|one| one.gap_p99_us.is_some_and(|gap| float(gap) > STALL_US))
            };
            if stalled(target) && !stalled(TargetKind::Direct) {
                warnings.push(format!(
                    "{}: gaps of 40 ms between chunks; is TCP_NODELAY set on both sides?",
                    target.name()
                ));
            }
        }
        warnings
    }

    /// What exceeds the gate; empty if it holds. A missing figure fails.
    pub fn failures(&self, gate: Gate) -> Vec<String> {
        let (request, event, event_50k, stream_kib) = match gate {
            Gate::First => (2.0, 1.5, 1.5, 40.0),
            Gate::Goal => (1.5, 1.1, 1.1, 20.0),
        };
        let mut failures = Vec::new();
        for scenario in self.scenarios() {
            let (value, most, what) = if scenario.starts_with("requests") {
                (
                    self.ratio(scenario, Figure::CpuUs),
                    request,
                    "times the floor per request",
                )
            } else if scenario == "events-50k" {
                (
                    self.ratio(scenario, Figure::CpuUs),
                    event_50k,
                    "times the floor per event",
                )
            } else if scenario.starts_with("events") {
                (
                    self.ratio(scenario, Figure::CpuUs),
                    event,
                    "times the floor per event",
                )
            } else if scenario.starts_with("memory") {
                (
                    self.spread(scenario, TargetKind::Interline, Figure::KibPerStream),
                    stream_kib,
                    "KiB per stream",
                )
            } else {
                continue;
            };
            match value {
                None => failures.push(format!("{scenario}: not measured")),
                Some(value) if value.median > most => {
                    failures.push(format!(
                        "{scenario}: {:.2} {what}, at most {most}",
                        value.median
                    ));
                }
                Some(_) => {}
            }
        }
        if self.errors() > 0 {
            failures.push(format!("{} answers were wrong or missing", self.errors()));
        }
        failures
    }

    /// In the order they were first measured.
    fn scenarios(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for one in &self.measurements {
            if !names.contains(&one.scenario.as_str()) {
                names.push(&one.scenario);
            }
        }
        names
    }

    /// One JSON object a line: each measurement, with what is derived from it.
    pub fn json_lines(&self) -> String {
        let mut lines = String::new();
        for one in &self.measurements {
            let mut value = serde_json::to_value(one).unwrap_or_default();
            if let Some(fields) = value.as_object_mut() {
                fields.insert("cpu_us".into(), one.cpu_us().into());
                fields.insert("per_second".into(), one.per_second().into());
                fields.insert("kib_per_stream".into(), one.kib_per_stream().into());
            }
            lines.push_str(&value.to_string());
            lines.push('\n');
        }
        lines
    }

    /// The table for people.
    pub fn table(&self) -> String {
        table::render(self)
    }
}

#[cfg(test)]
mod tests;
