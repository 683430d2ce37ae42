//! Where every request ends: the hold is released, the record written, the charge made durable.

use crate::Gateway;
use crate::record::{AttemptRecord, Opening, Outcome, Record};
use crate::refusal::Refusal;
use crate::snapshot::Snapshot;
use interline_domain::catalogue::{Endpoint, Prices};
use interline_domain::pricing::{self, Charge};
use interline_domain::{ErrorType, Failure, FinishReason, Money, Usage};
use interline_spool::Closed;
use interline_wallet::Hold;
use interline_wire::chat::answer::{Meter, Tail};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// One admitted request on its way. Whoever drops it without settling it says "cancelled before
/// anything was produced": the hold is released and the opening in the spool is closed at no cost.
pub(crate) struct Generation {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) record: Box<Record>,
    pub(crate) began: Instant,
    /// For answers whose provider reports no usage.
    pub(crate) prompt_tokens_estimate: u64,
    pub(crate) prompt_images: u64,
    /// The endpoint that answers, once there is one.
    pub(crate) endpoint: Option<usize>,
    pub(crate) first_token_after: Option<Duration>,
    /// `openrouter_metadata` was asked for.
    pub(crate) wants_metadata: bool,
    pub(crate) metadata: Option<String>,
    hold: Option<Hold>,
    is_open: bool,
}

/// The parts a [`Generation`] begins with.
pub(crate) struct Beginning {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) record: Box<Record>,
    pub(crate) began: Instant,
    pub(crate) prompt_tokens_estimate: u64,
    pub(crate) prompt_images: u64,
    pub(crate) wants_metadata: bool,
}

impl Generation {
    pub(crate) fn new(beginning: Beginning) -> Self {
        beginning.gateway.running.fetch_add(1, Ordering::Relaxed);
        Self {
            gateway: beginning.gateway,
            snapshot: beginning.snapshot,
            record: beginning.record,
            began: beginning.began,
            prompt_tokens_estimate: beginning.prompt_tokens_estimate,
            prompt_images: beginning.prompt_images,
            endpoint: None,
            first_token_after: None,
            wants_metadata: beginning.wants_metadata,
            metadata: None,
            hold: None,
            is_open: false,
        }
    }

    /// Takes the hold and writes the opening to the spool. From here on a crash is recognised.
    pub(crate) fn open(&mut self, hold: Hold) -> Result<(), Refusal> {
        let opening = Opening {
            account: self.record.account.clone(),
            key_hash: self.record.key_hash.clone(),
            created_at: self.record.created_at,
            held_nano: hold.amount().nano(),
            model: self.record.requested_model.clone(),
        };
        let payload = serde_json::to_vec(&opening).unwrap_or_default();
        self.gateway
            .spool
            .open_record(&self.record.id, payload)
            .map_err(|error| spool_refusal(&error))?;
        self.hold = Some(hold);
        self.is_open = true;
        Ok(())
    }

    /// Notes an attempt that failed, for the record and the health book.
    pub(crate) fn note_failure(
        &mut self,
        endpoint: usize,
        reason: &str,
        latency: Duration,
        failure: &Failure,
    ) {
        if crate::health::counts(failure) {
            self.gateway.health.record_failure(endpoint, failure);
        }
        let error_type = Some(failure.error_type.as_str().to_owned());
        self.note_attempt(endpoint, reason, latency, failure.status, error_type);
    }

    /// Notes the attempt that answers.
    pub(crate) fn note_success(&mut self, endpoint: usize, reason: &str, latency: Duration) {
        self.endpoint = Some(endpoint);
        self.first_token_after = Some(self.began.elapsed());
        self.note_attempt(endpoint, reason, latency, Some(200), None);
    }

    fn note_attempt(
        &mut self,
        endpoint: usize,
        reason: &str,
        latency: Duration,
        status: Option<u16>,
        error_type: Option<String>,
    ) {
        let catalogue = &self.snapshot.catalogue;
        let Some(facts) = catalogue.endpoints().get(endpoint) else {
            return;
        };
        let provider = catalogue.providers().get(facts.provider);
        let model = catalogue.models().get(facts.model);
        self.record.attempts.push(AttemptRecord {
            endpoint_id: facts.id.clone(),
            provider_name: provider
                .map(|provider| provider.name.clone())
                .unwrap_or_default(),
            model: model.map(|model| model.id.clone()).unwrap_or_default(),
            status,
            latency_ms: millis(latency),
            error_type,
            reason: reason.to_owned(),
        });
    }

    pub(crate) fn answering(&self) -> Option<&Endpoint> {
        self.snapshot.catalogue.endpoints().get(self.endpoint?)
    }

    /// Display name of the provider that answers.
    pub(crate) fn provider_name(&self) -> String {
        let providers = self.snapshot.catalogue.providers();
        let provider = self
            .answering()
            .and_then(|endpoint| providers.get(endpoint.provider));
        provider
            .map(|provider| provider.name.clone())
            .unwrap_or_default()
    }

    /// The answer is whole. Charges it and hands it to the spool; the returned future resolves
    /// once the charge is durable, and only then may the end be shown.
    pub(crate) fn settle_complete(mut self, meter: &Meter) -> Result<(Tail, Closed), Failure> {
        let tail = self.charge(meter, Outcome::Complete);
        if let Some(endpoint) = self.endpoint {
            self.gateway.health.record_success(endpoint);
            if let Some(latency) = self.first_token_after {
                let streaming = self.began.elapsed().saturating_sub(latency);
                let rate = throughput_milli(tail.usage.completion_tokens, streaming);
                self.gateway.health.record_speed(endpoint, latency, rate);
            }
        }
        match self.close() {
            Some(closed) => Ok((tail, closed)),
            None => Err(Failure {
                error_type: ErrorType::Server,
                ..Failure::unavailable("the answer could not be recorded")
            }),
        }
    }

    /// The client left a stream: it owes what was produced so far.
    pub(crate) fn settle_cancelled(mut self, meter: &Meter) {
        self.charge(meter, Outcome::Cancelled);
        drop(self.close());
    }

    /// The answer broke off: nothing is owed.
    pub(crate) fn settle_failed(mut self, failure: &Failure, meter: Option<&Meter>) {
        if let Some(endpoint) = self.endpoint
            && crate::health::counts(failure)
        {
            self.gateway.health.record_failure(endpoint, failure);
        }
        if let Some(meter) = meter {
            let usage = self.usage(meter);
            self.note_usage(&usage, meter);
        }
        self.record.error_type = Some(failure.error_type.as_str().to_owned());
        self.finish_unpaid(Outcome::Failed);
    }

    /// No endpoint answered.
    pub(crate) fn settle_refused(mut self, refusal: &Refusal) {
        self.record.error_type = Some(refusal.error_type.as_str().to_owned());
        self.finish_unpaid(Outcome::Failed);
    }

    fn finish_unpaid(&mut self, outcome: Outcome) {
        self.record.outcome = outcome;
        self.record.finish_reason = Some(FinishReason::Error.as_str().to_owned());
        self.record.generation_ms = millis(self.began.elapsed());
        drop(self.close());
    }

    /// Prices what was used at the version fixed at admission.
    fn charge(&mut self, meter: &Meter, outcome: Outcome) -> Tail {
        let usage = self.usage(meter);
        self.note_usage(&usage, meter);
        let prices = self
            .answering()
            .and_then(|endpoint| endpoint.prices.as_ref());
        let (charge, saved) = prices.map_or_else(Default::default, |prices| {
            (
                price(prices, &usage, meter, self.prompt_images),
                cache_saving(prices, &usage),
            )
        });
        self.record.cache_saved_nano = saved.nano();
        self.record.outcome = outcome;
        self.record.charged_nano = charge.total.nano();
        self.record.generation_ms = millis(self.began.elapsed());
        Tail {
            usage,
            charge,
            is_byok: false,
            metadata: self.metadata.take(),
        }
    }

    /// What the provider reported, or an estimate that says so.
    fn usage(&self, meter: &Meter) -> Usage {
        meter.usage.clone().unwrap_or_else(|| {
            let bytes = meter
                .text_bytes
                .saturating_add(meter.reasoning_bytes)
                .saturating_add(meter.argument_bytes);
            Usage {
                prompt_tokens: self.prompt_tokens_estimate,
                // About 3.6 bytes a token of Latin text; three tokens frame each call.
                completion_tokens: bytes.saturating_mul(10).div_ceil(36)
                    + u64::from(meter.tool_calls) * 3,
                is_estimated: true,
                ..Usage::default()
            }
        })
    }

    fn note_usage(&mut self, usage: &Usage, meter: &Meter) {
        let record = &mut self.record;
        record.prompt_tokens = usage.prompt_tokens;
        record.completion_tokens = usage.completion_tokens;
        record.cached_tokens = usage.cached_tokens;
        record.cache_write_tokens = usage.cache_write_tokens;
        record.reasoning_tokens = usage.reasoning_tokens;
        record.image_tokens = usage.image_completion_tokens;
        record.web_searches = usage.web_search_requests;
        record.prompt_images = self.prompt_images;
        record.is_estimated = usage.is_estimated;
        record.upstream_id.clone_from(&meter.upstream_id);
        record.service_tier.clone_from(&meter.service_tier);
        if let Some((reason, native)) = &meter.finish {
            record.finish_reason = Some(reason.as_str().to_owned());
            record.native_finish_reason.clone_from(native);
        }
        record.latency_ms = millis(
            self.first_token_after
                .unwrap_or_else(|| self.began.elapsed()),
        );
        let catalogue = &self.snapshot.catalogue;
        if let Some(endpoint) = self
            .endpoint
            .and_then(|index| catalogue.endpoints().get(index))
        {
            record.endpoint_id.clone_from(&endpoint.id);
            if let Some(provider) = catalogue.providers().get(endpoint.provider) {
                record.provider_name.clone_from(&provider.name);
            }
            if let Some(model) = catalogue.models().get(endpoint.model) {
                record.model.clone_from(&model.id);
            }
        }
    }

    /// Releases the hold and writes the record. `None`: the spool would not take it, so nothing
    /// may be charged.
    fn close(&mut self) -> Option<Closed> {
        self.is_open = false;
        let payload = serde_json::to_vec(&*self.record).unwrap_or_default();
        let closed = self.gateway.spool.close_record(&self.record.id, payload);
        let charged = match &closed {
            Ok(_) => Money::from_nano(self.record.charged_nano),
            Err(error) => {
                tracing::error!(generation.id = self.record.id, %error, "record lost: not charged");
                Money::ZERO
            }
        };
        if let Some(hold) = self.hold.take() {
            hold.settle(charged);
        }
        closed.ok()
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.gateway.running.fetch_sub(1, Ordering::Relaxed);
        if self.is_open {
            self.record.outcome = Outcome::Cancelled;
            self.record.generation_ms = millis(self.began.elapsed());
            drop(self.close());
        }
    }
}

/// The charge of an answer, with the zero-completion insurance applied.
fn price(prices: &Prices, usage: &Usage, meter: &Meter, images: u64) -> Charge {
    let charge = pricing::charge(prices, usage, images);
    let finish = meter.finish.as_ref().map(|(reason, _)| *reason);
    let is_blank = usage.completion_tokens == 0 && finish.is_none();
    if is_blank || finish == Some(FinishReason::Error) {
        pricing::insured(charge)
    } else {
        charge
    }
}

/// What the cached part of the prompt would have cost without a cache, less what it did cost.
fn cache_saving(prices: &Prices, usage: &Usage) -> Money {
    let uncached = Usage {
        cached_tokens: 0,
        cache_write_tokens: 0,
        cache_write_1h_tokens: 0,
        ..usage.clone()
    };
    let without = pricing::charge(prices, &uncached, 0).total;
    without.saturating_sub(pricing::charge(prices, usage, 0).total)
}

fn throughput_milli(tokens: u64, span: Duration) -> Option<u64> {
    // Fewer tokens than this say more about the network than about the model.
    const ENOUGH_TOKENS: u64 = 16;
    let millis = u64::try_from(span.as_millis())
        .ok()
        .filter(|millis| *millis > 0)?;
    (tokens >= ENOUGH_TOKENS).then(|| tokens.saturating_mul(1_000_000) / millis)
}

pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn spool_refusal(error: &interline_spool::Error) -> Refusal {
    tracing::error!(%error, "the spool takes no more records");
    Refusal::unavailable(
        "Usage cannot be recorded right now, so no billable request is taken. Try again shortly.",
        Duration::from_secs(5),
    )
}
