//! How endpoints fared lately: fed by attempts, read by the plan.
//!
//! Per endpoint a ring of thirty one-second buckets, the run of failures since the last success,
//! and when it asked to be left alone. Only faults of the endpoint count (connect, TLS, timeout,
//! 5xx, malformed, cut); a bad request teaches nothing (R-O3).

use arc_swap::ArcSwap;
use interline_domain::catalogue::Catalogue;
use interline_domain::failure::Blame;
use interline_domain::routing::{EndpointHealth, HealthView};
use interline_domain::{ErrorType, Failure};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Seconds of the outage rule.
const WINDOW_SECONDS: u64 = 30;
const BUCKETS: usize = 30;
/// A significant outage: at least so many failures …
const OUTAGE_FAILURES: u32 = 3;
/// … and at least this share of the attempts, in percent.
const OUTAGE_PERCENT: u32 = 30;
/// Or so many failures of the transport or 5xx in a row, with no success since.
const OUTAGE_RUN: u32 = 2;
/// Failures in a row that put an endpoint to rest.
const BREAKER_RUN: u32 = 5;
const BREAKER_REST: Duration = Duration::from_secs(10);
const BREAKER_REST_MAX: Duration = Duration::from_mins(5);
/// Rest after a 429 that names no time, and the longest that one can ask for.
const CAPACITY_REST: Duration = Duration::from_secs(10);
const CAPACITY_REST_MAX: Duration = Duration::from_mins(1);
/// Rest after a refused credential or a model that is gone.
const REFUSED_REST: Duration = Duration::from_mins(1);

/// All endpoints' stories. Survives a swap of the catalogue: stories go by endpoint id.
#[derive(Debug, Default)]
pub struct HealthBook {
    by_id: Mutex<HashMap<String, Arc<Mutex<Story>>>>,
    /// Aligned with the endpoints of the running snapshot.
    aligned: ArcSwap<Vec<Arc<Mutex<Story>>>>,
}

/// What is known of one endpoint.
#[derive(Debug)]
struct Story {
    began: Instant,
    buckets: [Bucket; BUCKETS],
    failures_in_row: u32,
    rests_until: Option<Instant>,
    /// Doubles with every rest until a success.
    next_rest: Duration,
    /// Exponential means with a weight of 1/8 for the newest: milliseconds, tokens/s in thousandths.
    latency_ms: Option<u64>,
    throughput_milli: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    second: u64,
    successes: u32,
    failures: u32,
}

impl Story {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            buckets: [Bucket::default(); BUCKETS],
            failures_in_row: 0,
            rests_until: None,
            next_rest: BREAKER_REST,
            latency_ms: None,
            throughput_milli: None,
        }
    }

    fn second(&self, now: Instant) -> u64 {
        // Starts at the window's length so that zeroed buckets are out of the window.
        now.saturating_duration_since(self.began).as_secs() + WINDOW_SECONDS
    }

    fn bucket(&mut self, now: Instant) -> &mut Bucket {
        let second = self.second(now);
        let index = usize::try_from(second % WINDOW_SECONDS).unwrap_or(0);
        let bucket = &mut self.buckets[index];
        if bucket.second != second {
            *bucket = Bucket {
                second,
                ..Bucket::default()
            };
        }
        bucket
    }

    fn is_unstable(&self, now: Instant) -> bool {
        if self.failures_in_row == 0 {
            return false;
        }
        let oldest = self.second(now).saturating_sub(WINDOW_SECONDS - 1);
        let recent = self.buckets.iter().filter(|bucket| bucket.second >= oldest);
        let (successes, failures) = recent.fold((0_u32, 0_u32), |(s, f), bucket| {
            (
                s.saturating_add(bucket.successes),
                f.saturating_add(bucket.failures),
            )
        });
        let attempts = successes.saturating_add(failures);
        let is_share_bad = failures >= OUTAGE_FAILURES
            && failures.saturating_mul(100) >= attempts.saturating_mul(OUTAGE_PERCENT);
        is_share_bad || (self.failures_in_row >= OUTAGE_RUN && failures > 0)
    }

    fn rest(&mut self, now: Instant, span: Duration) {
        let until = now + span;
        self.rests_until = Some(self.rests_until.map_or(until, |earlier| earlier.max(until)));
    }

    fn failed(&mut self, now: Instant, failure: &Failure) {
        match failure.blame {
            Blame::Caller | Blame::Router => {}
            Blame::Capacity => {
                self.rest(
                    now,
                    failure
                        .retry_after
                        .unwrap_or(CAPACITY_REST)
                        .min(CAPACITY_REST_MAX),
                );
            }
            Blame::Credential | Blame::Listing => self.rest(now, REFUSED_REST),
            Blame::Endpoint => {
                let bucket = self.bucket(now);
                bucket.failures = bucket.failures.saturating_add(1);
                self.failures_in_row = self.failures_in_row.saturating_add(1);
                if self.failures_in_row >= BREAKER_RUN {
                    self.rest(now, self.next_rest);
                    self.next_rest = (self.next_rest * 2).min(BREAKER_REST_MAX);
                    self.failures_in_row = OUTAGE_RUN;
                }
            }
        }
    }

    fn succeeded(&mut self, now: Instant) {
        let bucket = self.bucket(now);
        bucket.successes = bucket.successes.saturating_add(1);
        self.failures_in_row = 0;
        self.rests_until = None;
        self.next_rest = BREAKER_REST;
    }

    fn view(&self, now: Instant) -> EndpointHealth {
        EndpointHealth {
            is_unstable: self.is_unstable(now),
            is_resting: self.rests_until.is_some_and(|until| until > now),
            latency_ms: self.latency_ms,
            throughput_milli: self.throughput_milli,
        }
    }
}

impl HealthBook {
    /// Brings the book in line with a new catalogue; stories of endpoints that stay are kept.
    pub fn align(&self, catalogue: &Catalogue) {
        let mut by_id = self.by_id.lock();
        let aligned: Vec<_> = catalogue
            .endpoints()
            .iter()
            .map(|endpoint| {
                let fresh = || Arc::new(Mutex::new(Story::new()));
                Arc::clone(by_id.entry(endpoint.id.clone()).or_insert_with(fresh))
            })
            .collect();
        by_id.retain(|_, story| Arc::strong_count(story) > 1);
        self.aligned.store(Arc::new(aligned));
    }

    pub fn record_failure(&self, endpoint: usize, failure: &Failure) {
        self.with(endpoint, |story| story.failed(Instant::now(), failure));
    }

    pub fn record_success(&self, endpoint: usize) {
        self.with(endpoint, |story| story.succeeded(Instant::now()));
    }

    /// Time to the first token, and tokens per second where there were enough to tell.
    pub fn record_speed(&self, endpoint: usize, latency: Duration, tokens_milli: Option<u64>) {
        self.with(endpoint, |story| {
            let latency = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
            story.latency_ms = Some(mean(story.latency_ms, latency));
            if let Some(throughput) = tokens_milli {
                story.throughput_milli = Some(mean(story.throughput_milli, throughput));
            }
        });
    }

    /// The health of every endpoint of the snapshot, for the operator port.
    pub fn all(&self) -> Vec<EndpointHealth> {
        let now = Instant::now();
        self.aligned
            .load()
            .iter()
            .map(|story| story.lock().view(now))
            .collect()
    }

    fn with(&self, endpoint: usize, change: impl FnOnce(&mut Story)) {
        if let Some(story) = self.aligned.load().get(endpoint) {
            change(&mut story.lock());
        }
    }

    /// A view at this instant, for one plan.
    pub fn now(&self) -> impl HealthView + '_ {
        Now {
            book: self.aligned.load_full(),
            now: Instant::now(),
        }
    }
}

struct Now {
    book: Arc<Vec<Arc<Mutex<Story>>>>,
    now: Instant,
}

impl HealthView for Now {
    fn health(&self, endpoint: usize) -> EndpointHealth {
        self.book
            .get(endpoint)
            .map(|story| story.lock().view(self.now))
            .unwrap_or_default()
    }
}

fn mean(old: Option<u64>, newest: u64) -> u64 {
    old.map_or(newest, |old| {
        old.saturating_mul(7).saturating_add(newest) / 8
    })
}

/// Whether a failure may be told to the health book at all: our own deadline on a request whose
/// caller set it does not count.
pub(crate) fn counts(failure: &Failure) -> bool {
    failure.blame != Blame::Caller && failure.error_type != ErrorType::InvalidRequest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(blame: Blame) -> Failure {
        Failure {
            blame,
            ..Failure::unavailable("x")
        }
    }

    #[test]
    fn two_failures_in_a_row_are_an_outage_and_a_success_ends_it() {
        let mut story = Story::new();
        let now = Instant::now();
        story.failed(now, &failure(Blame::Endpoint));
        assert!(!story.view(now).is_unstable, "one failure is no outage");
        story.failed(now, &failure(Blame::Endpoint));
        assert!(story.view(now).is_unstable);
        assert!(
            !story.view(now + Duration::from_secs(31)).is_unstable,
            "forgotten after 30 s"
        );
        story.succeeded(now);
        assert!(!story.view(now).is_unstable);
    }

    #[test]
    fn a_share_of_failures_is_an_outage() {
        let mut story = Story::new();
        let now = Instant::now();
        for _ in 0..6 {
            story.succeeded(now);
        }
        for _ in 0..2 {
            story.failed(now, &failure(Blame::Endpoint));
            story.succeeded(now);
        }
        story.failed(now, &failure(Blame::Endpoint));
        assert!(!story.view(now).is_unstable, "3 of 11 are under 30 %");
        story.succeeded(now);
        story.failed(now, &failure(Blame::Endpoint));
        assert!(story.view(now).is_unstable, "4 of 13 are over 30 %");
    }

    #[test]
    fn a_rate_limit_rests_and_bad_requests_teach_nothing() {
        let mut story = Story::new();
        let now = Instant::now();
        for _ in 0..100 {
            story.failed(now, &failure(Blame::Caller));
        }
        assert_eq!(story.view(now), EndpointHealth::default());
        let limited = Failure {
            retry_after: Some(Duration::from_secs(500)),
            ..failure(Blame::Capacity)
        };
        story.failed(now, &limited);
        assert!(story.view(now).is_resting && !story.view(now).is_unstable);
        assert!(
            !story.view(now + Duration::from_secs(61)).is_resting,
            "at most a minute"
        );
    }

    #[test]
    fn five_failures_in_a_row_rest_longer_each_time() {
        let mut story = Story::new();
        let mut now = Instant::now();
        for _ in 0..5 {
            story.failed(now, &failure(Blame::Endpoint));
        }
        assert!(story.view(now + Duration::from_secs(9)).is_resting);
        now += Duration::from_secs(11);
        assert!(!story.view(now).is_resting);
        for _ in 0..3 {
            story.failed(now, &failure(Blame::Endpoint));
        }
        assert!(story.view(now + Duration::from_secs(19)).is_resting);
    }
}
