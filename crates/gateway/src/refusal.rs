//! Why a request was not answered, complete enough for every skin to render.

use interline_domain::{ErrorType, Failure};
pub use interline_wire::chat::error::AvailabilityCode;
use interline_wire::chat::error::{self as wire, ErrorBody, PreviousError};
use std::time::Duration;

/// `error.availability`: what the model lacks, and what would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Availability {
    pub code: AvailabilityCode,
    pub is_retryable: bool,
    pub requested_models: Vec<String>,
    pub affected_providers: Vec<String>,
    pub excluded_by: Vec<&'static str>,
    pub fallback_models: Vec<String>,
    /// `(field, detail)` of the constraint that removed the last endpoint.
    pub constraint: Option<(&'static str, String)>,
}

/// One failed attempt, as `previous_errors` and the record show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedAttempt {
    pub provider: String,
    pub model: String,
    pub endpoint_id: String,
    pub status: Option<u16>,
    pub error_type: ErrorType,
    pub latency: Duration,
}

/// A request that got no answer. The server turns it into a status and a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub error_type: ErrorType,
    /// Deviates from the type's own code where the documentation has another (504 for a spent
    /// deadline, 503 for exhaustion).
    pub code: u16,
    pub message: String,
    pub retry_after: Option<Duration>,
    /// The provider whose failure this is, if it is one's.
    pub provider_name: Option<String>,
    pub provider_code: Option<String>,
    pub raw: Option<String>,
    pub limit_source: Option<&'static str>,
    pub reason: Option<&'static str>,
    pub remedy_hint: Option<String>,
    pub previous: Vec<FailedAttempt>,
    pub availability: Option<Box<Availability>>,
    /// `openrouter_metadata`, already JSON, where the caller asked for it.
    pub metadata: Option<String>,
    /// The generation, once there is one: sent as `X-Generation-Id`.
    pub generation_id: Option<String>,
}

impl Refusal {
    pub fn new(error_type: ErrorType, message: impl Into<String>) -> Self {
        Self {
            error_type,
            code: error_type.code(),
            message: message.into(),
            retry_after: None,
            provider_name: None,
            provider_code: None,
            raw: None,
            limit_source: None,
            reason: None,
            remedy_hint: None,
            previous: Vec::new(),
            availability: None,
            metadata: None,
            generation_id: None,
        }
    }

    /// Trouble of our own: never 401, 402, 403 or 404 (R-O5).
    pub fn unavailable(message: impl Into<String>, retry_after: Duration) -> Self {
        Self {
            code: 503,
            retry_after: Some(retry_after),
            ..Self::new(ErrorType::ProviderOverloaded, message)
        }
    }

    pub fn with_availability(mut self, availability: Availability) -> Self {
        self.availability = Some(Box::new(availability));
        self
    }

    /// A provider's failure that goes to the client as it is (the caller's own fault, or there
    /// was no choice). What the provider says about our credential is nobody else's business.
    pub fn from_failure(failure: &Failure, provider: &str) -> Self {
        let code = failure.error_type.code();
        let body = ErrorBody::from_failure(failure, code, provider, false);
        Self {
            provider_name: Some(provider.to_owned()),
            provider_code: body.metadata.provider_code,
            raw: body.metadata.raw,
            retry_after: failure.retry_after,
            ..Self::new(failure.error_type, body.message)
        }
    }
}

impl Refusal {
    /// The error as the wire has it, for a body or for the band.
    pub fn to_body(&self, user_id: Option<String>) -> ErrorBody {
        let mut body = ErrorBody::new(self.code, self.error_type, self.message.clone());
        body.user_id = user_id;
        body.availability = self
            .availability
            .as_deref()
            .map(|a| wire_availability(self, a));
        let metadata = &mut body.metadata;
        metadata.provider_code.clone_from(&self.provider_code);
        metadata.provider_name.clone_from(&self.provider_name);
        metadata.raw.clone_from(&self.raw);
        metadata.is_byok = self.provider_name.as_ref().map(|_| false);
        metadata.limit_source = self.limit_source;
        metadata.reason = self.reason;
        metadata.remedy_hint.clone_from(&self.remedy_hint);
        metadata.previous_errors = self
            .previous
            .iter()
            .map(|attempt| PreviousError {
                provider: attempt.provider.clone(),
                code: Some(attempt.error_type.as_str().to_owned()),
                status: attempt.status,
            })
            .collect();
        body
    }
}

fn wire_availability(refusal: &Refusal, availability: &Availability) -> wire::Availability {
    let docs_url = format!("/docs/api#{}", availability.code.as_str());
    let mut wire = wire::Availability::new(availability.code, availability.is_retryable, docs_url);
    wire.requested_models
        .clone_from(&availability.requested_models);
    wire.retry_after = refusal.retry_after;
    wire.affected_providers
        .clone_from(&availability.affected_providers);
    wire.excluded_by = availability
        .excluded_by
        .iter()
        .map(|word| (*word).to_owned())
        .collect();
    wire.fallback_models
        .clone_from(&availability.fallback_models);
    wire.constraint = availability
        .constraint
        .as_ref()
        .map(|(field, detail)| wire::Constraint {
            field: (*field).to_owned(),
            detail: detail.clone(),
        });
    wire
}
