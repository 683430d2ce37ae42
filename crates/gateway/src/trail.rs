//! The attempts of one request, and what the client is told when all of them failed.

use crate::admission::Admitted;
use crate::refusal::{Availability, AvailabilityCode, FailedAttempt, Refusal};
use crate::settle::Generation;
use interline_domain::failure::Blame;
use interline_domain::{ErrorType, Failure};
use interline_wire::chat::answer::Identity;
use std::time::Duration;

/// The attempts that failed.
#[derive(Default)]
pub(crate) struct Trail {
    /// `(endpoint, status)` of every try, the one that answers included.
    pub(crate) attempts: Vec<(usize, u16)>,
    failures: Vec<(Failure, FailedAttempt)>,
}

impl Trail {
    pub(crate) fn note(
        &mut self,
        endpoint: usize,
        identity: Identity,
        endpoint_id: &str,
        failure: Failure,
        latency: Duration,
    ) {
        self.attempts.push((
            endpoint,
            failure.status.unwrap_or_else(|| failure.error_type.code()),
        ));
        let attempt = FailedAttempt {
            provider: identity.provider,
            model: identity.model,
            endpoint_id: endpoint_id.to_owned(),
            status: failure.status,
            error_type: failure.error_type,
            latency,
        };
        self.failures.push((failure, attempt));
    }

    /// What the client is told when nobody answered (the matrix of `docs/guide/failures.md`).
    pub(crate) fn exhausted(&self, admitted: &Admitted, generation: &Generation) -> Refusal {
        let Some((last, attempt)) = self.failures.last() else {
            return Refusal::unavailable("No provider could be tried.", Duration::from_secs(1));
        };
        let all = |test: &dyn Fn(&Failure) -> bool| self.failures.iter().all(|(f, _)| test(f));
        let hints: Vec<Duration> = self
            .failures
            .iter()
            .filter_map(|(f, _)| f.retry_after)
            .collect();
        let shortest = hints.iter().min().copied();
        let mut refusal = if last.blame == Blame::Caller {
            Refusal::from_failure(last, &attempt.provider)
        } else if all(&|failure| failure.blame == Blame::Capacity) {
            let wait = shortest.unwrap_or(Duration::from_secs(10));
            let mut refusal = self.availability(
                admitted,
                ErrorType::RateLimitExceeded,
                429,
                AvailabilityCode::CapacityExhausted,
                true,
            );
            refusal.limit_source = Some("upstream_provider_shared_pool");
            refusal.retry_after = Some(wait);
            refusal
        } else if all(&|failure| failure.blame == Blame::Listing) {
            self.availability(
                admitted,
                ErrorType::NotFound,
                404,
                AvailabilityCode::ModelUnavailableUpstream,
                false,
            )
        } else if generation.began.elapsed() >= generation.gateway.settings.total_timeout {
            self.availability(
                admitted,
                ErrorType::Timeout,
                504,
                AvailabilityCode::TemporarilyUnavailable,
                true,
            )
        } else if all(&|failure| {
            failure
                .status
                .is_some_and(|status| (200..400).contains(&status))
        }) {
            Refusal {
                code: 502,
                ..Refusal::from_failure(last, &attempt.provider)
            }
        } else {
            let mut refusal = self.availability(
                admitted,
                ErrorType::ProviderOverloaded,
                503,
                AvailabilityCode::TemporarilyUnavailable,
                true,
            );
            refusal.retry_after = Some(shortest.unwrap_or(Duration::from_secs(2)));
            refusal
        };
        // The header promises what every provider said; without a hint from all it is our guess.
        refusal.previous = self
            .failures
            .iter()
            .map(|(_, attempt)| attempt.clone())
            .collect();
        refusal
    }

    fn availability(
        &self,
        admitted: &Admitted,
        error_type: ErrorType,
        code: u16,
        availability: AvailabilityCode,
        is_retryable: bool,
    ) -> Refusal {
        let mut affected: Vec<String> = self
            .failures
            .iter()
            .map(|(_, attempt)| attempt.provider.clone())
            .collect();
        affected.dedup();
        let message = match self.failures.as_slice() {
            [(only, attempt)] if only.error_type != ErrorType::Server => {
                format!("{} could not answer: {}", attempt.provider, only.message)
            }
            _ => format!(
                "No provider could answer just now (tried {}).",
                affected.join(", ")
            ),
        };
        Refusal {
            code,
            ..Refusal::new(error_type, message)
        }
        .with_availability(Availability {
            code: availability,
            is_retryable,
            requested_models: admitted.requested_models(),
            affected_providers: affected,
            excluded_by: Vec::new(),
            fallback_models: Vec::new(),
            constraint: None,
        })
    }
}
