//! What is to be measured.

use crate::target::TargetKind;
use std::path::PathBuf;
use std::time::Duration;

/// A group of scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// CPU time per request at saturation, prompts of 1 KB and 20 KB.
    Requests,
    /// CPU time per streamed event, at 10,000/s and 50,000/s.
    Events,
    /// Resident memory per held stream.
    Memory,
    /// Latency and first-token delay added, at a fixed rate.
    Latency,
}

impl Area {
    pub const ALL: [Self; 4] = [Self::Requests, Self::Events, Self::Latency, Self::Memory];

    /// Reads `requests`, `events`, `memory` or `latency`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "requests" => Some(Self::Requests),
            "events" => Some(Self::Events),
            "memory" => Some(Self::Memory),
            "latency" => Some(Self::Latency),
            _ => None,
        }
    }
}

/// Ratios to the floor that must not be exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// 2.0 per request, 1.5 per event, 40 KiB per stream.
    First,
    /// 1.5 per request, 1.1 per event at 50,000/s, 20 KiB per stream.
    Goal,
}

#[derive(Clone, Debug)]
pub struct Options {
    /// Measurements of each kind and target; the median counts. At least 5 for a figure to quote.
    pub repetitions: u32,
    /// Time measured, after [`Options::warm_up`].
    pub window: Duration,
    pub warm_up: Duration,
    pub areas: Vec<Area>,
    pub targets: Vec<TargetKind>,
    /// Held streams, one level after the other; lowered to what the file limit allows.
    pub stream_levels: Vec<u32>,
    /// Requests a second of the latency scenario.
    pub rate: u32,
    /// The binary measured; the running one by default.
    pub interline: Option<PathBuf>,
    /// Lines added to the configuration of the measured server.
    pub extra_config: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            repetitions: 5,
            window: Duration::from_secs(3),
            warm_up: Duration::from_millis(700),
            areas: Area::ALL.to_vec(),
            targets: TargetKind::ALL.to_vec(),
            stream_levels: vec![1_000, 9_500],
            rate: 500,
            interline: None,
            extra_config: String::new(),
        }
    }
}

impl Options {
    /// About a minute; good for a look, not for a quotation.
    pub fn quick() -> Self {
        Self {
            repetitions: 2,
            window: Duration::from_millis(1_500),
            warm_up: Duration::from_millis(400),
            stream_levels: vec![1_000],
            ..Self::default()
        }
    }
}
