//! Counters, merged over the events of a stream and brought into our normal form.

use super::schema::{CacheCreation, Count, Iteration, UsageReport};
use interline_domain::Usage;

/// The counters so far. Every report is cumulative: per field the last one that is not null
/// holds, and nothing is ever added up over events (T18).
#[derive(Debug, Default)]
pub(super) struct Counters {
    report: UsageReport,
    is_reported: bool,
}

impl Counters {
    pub(super) fn merge(&mut self, report: UsageReport) {
        let held = &mut self.report;
        self.is_reported = true;
        keep_last(&mut held.input_tokens, report.input_tokens);
        keep_last(
            &mut held.cache_creation_input_tokens,
            report.cache_creation_input_tokens,
        );
        keep_last(
            &mut held.cache_read_input_tokens,
            report.cache_read_input_tokens,
        );
        keep_last(&mut held.cache_creation, report.cache_creation);
        keep_last(&mut held.output_tokens, report.output_tokens);
        keep_last(
            &mut held.output_tokens_details,
            report.output_tokens_details,
        );
        keep_last(&mut held.server_tool_use, report.server_tool_use);
        keep_last(&mut held.iterations, report.iterations);
    }

    /// The normal form; `None` while nothing was reported: absent is not zero.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.is_reported.then(|| self.normalise())
    }

    fn normalise(&self) -> Usage {
        let report = &self.report;
        let sums = self.sums();
        let written = sums.written();
        Usage {
            prompt_tokens: sums.input.saturating_add(written).saturating_add(sums.read),
            completion_tokens: sums.output,
            cached_tokens: sums.read,
            cache_write_tokens: written,
            cache_write_1h_tokens: sums.written_1h.min(written),
            reasoning_tokens: report
                .output_tokens_details
                .and_then(|details| details.thinking_tokens)
                .map(|count| count.0),
            web_search_requests: report
                .server_tool_use
                .map_or(0, |tools| number(tools.web_search_requests)),
            ..Usage::default()
        }
    }

    /// An answer of several runs is the sum of those that ran on this model; an advisor's run is
    /// another model's. After a fallback the top level already describes the answer.
    fn sums(&self) -> Sums {
        let report = &self.report;
        let iterations = report.iterations.as_deref().unwrap_or_default();
        let is_own = |run: &&Iteration| matches!(run.kind.as_str(), "message" | "compaction");
        let fell_back = iterations.iter().any(|run| run.kind == "fallback_message");
        if fell_back || !iterations.iter().any(|run| is_own(&run)) {
            let mut sums = Sums::default();
            sums.add(
                report.input_tokens,
                report.cache_creation_input_tokens,
                report.cache_read_input_tokens,
                report.cache_creation,
                report.output_tokens,
            );
            return sums;
        }
        iterations
            .iter()
            .filter(is_own)
            .fold(Sums::default(), |mut sums, run| {
                sums.add(
                    run.input_tokens,
                    run.cache_creation_input_tokens,
                    run.cache_read_input_tokens,
                    run.cache_creation,
                    run.output_tokens,
                );
                sums
            })
    }
}

#[derive(Default)]
struct Sums {
    input: u64,
    /// `cache_creation_input_tokens`.
    written_total: u64,
    written_5m: u64,
    written_1h: u64,
    read: u64,
    output: u64,
}

impl Sums {
    fn add(
        &mut self,
        input: Option<Count>,
        written: Option<Count>,
        read: Option<Count>,
        split: Option<CacheCreation>,
        output: Option<Count>,
    ) {
        let split = split.unwrap_or_default();
        for (sum, count) in [
            (&mut self.input, input),
            (&mut self.written_total, written),
            (&mut self.written_5m, split.ephemeral_5m_input_tokens),
            (&mut self.written_1h, split.ephemeral_1h_input_tokens),
            (&mut self.read, read),
            (&mut self.output, output),
        ] {
            *sum = sum.saturating_add(number(count));
        }
    }

    /// Tokens written to the cache. Some relays give only the split.
    fn written(&self) -> u64 {
        self.written_total
            .max(self.written_5m.saturating_add(self.written_1h))
    }
}

fn keep_last<T>(held: &mut Option<T>, reported: Option<T>) {
    if reported.is_some() {
        *held = reported;
    }
}

fn number(count: Option<Count>) -> u64 {
    count.map_or(0, |count| count.0)
}
