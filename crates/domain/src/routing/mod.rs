//! Which endpoints a request may go to, in which order, and why.
//!
//! [`plan`] is one pure function of what the request needs, the catalogue, the health of the
//! endpoints, the caller's preferences and a seed. The same call answers live requests, the
//! decision view and replays: same arguments, same plan.

mod after_failure;
mod plan;
pub mod preferences;

pub use after_failure::{Repair, Step, after_failure};
pub use plan::plan;
pub use preferences::{MaxPrice, Preferences, SortBy};

use crate::catalogue::{Modalities, Standing};
use crate::parameters::Parameters;

/// One model the caller accepts, in order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Index into the catalogue's models.
    pub model: usize,
    /// What a dynamic variant (`:nitro`, `:floor`, `:exacto`) asks for; an explicit sort of the
    /// request beats it.
    pub sort: Option<SortBy>,
    /// `:thinking` on a model without a row of its own: reason unless told otherwise.
    pub thinks: bool,
    /// The name as the caller wrote it.
    pub requested: String,
}

/// What a request needs of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    pub models: Vec<Wanted>,
    pub parameters: Parameters,
    pub input: Modalities,
    pub output: Modalities,
    /// Estimate, for context windows.
    pub prompt_tokens: u64,
    /// The caller's output cap.
    pub max_tokens: Option<u64>,
}

/// How an endpoint fares right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointHealth {
    /// A significant outage in the last 30 seconds.
    pub is_unstable: bool,
    /// Asked to be left alone: rate limit, refused credential, model gone, breaker open.
    pub is_resting: bool,
    /// Time to first token, milliseconds, median.
    pub latency_ms: Option<u64>,
    /// Output tokens per second in thousandths, median.
    pub throughput_milli: Option<u64>,
}

/// Looks up the health of an endpoint by its index.
pub trait HealthView {
    fn health(&self, endpoint: usize) -> EndpointHealth;
}

/// Every endpoint is well: plans without a past.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllHealthy;

impl HealthView for AllHealthy {
    fn health(&self, _: usize) -> EndpointHealth {
        EndpointHealth::default()
    }
}

/// Why an endpoint has its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Named at this place in `order`.
    Ordered(usize),
    /// Drawn with a weight of one over the price squared.
    Drawn,
    /// Follows by price.
    ByPrice,
    Sorted(SortBy),
    /// Misses a preferred latency or throughput: behind those that hold it.
    BelowPreference,
    /// Failing in the last 30 seconds: behind the stable ones.
    Unstable,
    /// Resting after a rate limit or a refusal: last.
    Resting,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ordered(_) => "named in provider.order",
            Self::Drawn => "drawn by inverse square of price",
            Self::ByPrice => "next by price",
            Self::Sorted(SortBy::Price) => "sorted by price",
            Self::Sorted(SortBy::Throughput) => "sorted by throughput",
            Self::Sorted(SortBy::Latency) => "sorted by latency",
            Self::Sorted(SortBy::Exacto) => "sorted for tool calling",
            Self::BelowPreference => "misses a preferred latency or throughput",
            Self::Unstable => "failing in the last 30 seconds",
            Self::Resting => "resting after a rate limit or refusal",
        }
    }
}

/// Why an endpoint is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exclusion {
    Standing(Standing),
    /// Not in `only`.
    NotAllowed,
    /// In `ignore`.
    Ignored,
    DataCollection,
    ZeroRetention,
    Distillable,
    Quantization,
    MaxPrice,
    /// The prompt does not fit the window.
    ContextLength,
    /// The endpoint cannot answer at that length.
    OutputLength,
    InputModality(Modalities),
    OutputModality(Modalities),
    /// `require_parameters`: these are not supported.
    Parameters(Parameters),
    /// Another endpoint of the model supports these, this one does not.
    BetterParameters(Parameters),
    /// `allow_fallbacks: false`: not the first.
    FallbacksOff,
    /// A service tier nobody asked for.
    ServiceTier,
}

impl Exclusion {
    /// The public word in `excluded_by`; `None` where the vocabulary has none.
    pub const fn excluded_by(self) -> Option<&'static str> {
        Some(match self {
            Self::NotAllowed | Self::Ignored => "allowed_providers",
            Self::DataCollection => "data_policy:training",
            Self::ZeroRetention => "data_policy:zdr",
            Self::Quantization => "quantization",
            Self::MaxPrice => "max_price",
            Self::ContextLength | Self::OutputLength => "context_length",
            Self::Parameters(_) => "require_parameters",
            _ => return None,
        })
    }

    /// For people: follows "excluded:".
    pub fn describe(self) -> String {
        let list = |set: Modalities| {
            set.iter()
                .map(crate::catalogue::Modality::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let names = |set: Parameters| {
            set.iter()
                .map(super::parameters::Parameter::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        };
        match self {
            Self::Standing(Standing::NoCredential) => "no key for this provider".into(),
            Self::Standing(Standing::Unpriced) => "its price is unknown".into(),
            Self::Standing(Standing::NotSpoken) => "its wire format is not spoken yet".into(),
            Self::Standing(Standing::Disabled) => "switched off by the operator".into(),
            Self::Standing(Standing::Ready) => "ready".into(),
            Self::NotAllowed => "not in provider.only".into(),
            Self::Ignored => "in provider.ignore".into(),
            Self::DataCollection => "may store or train on prompts (data_collection: deny)".into(),
            Self::ZeroRetention => "no zero data retention (zdr: true)".into(),
            Self::Distillable => "its author does not allow distillation".into(),
            Self::Quantization => "another quantization than asked for".into(),
            Self::MaxPrice => "dearer than provider.max_price".into(),
            Self::ContextLength => "the prompt does not fit its context window".into(),
            Self::OutputLength => "cannot answer with that many tokens".into(),
            Self::InputModality(missing) => format!("takes no {} input", list(missing)),
            Self::OutputModality(missing) => format!("makes no {} output", list(missing)),
            Self::Parameters(missing) => format!("does not support {}", names(missing)),
            Self::BetterParameters(missing) => {
                format!("does not support {}, others do", names(missing))
            }
            Self::FallbacksOff => "not the first choice (allow_fallbacks: false)".into(),
            Self::ServiceTier => "a service tier that was not asked for".into(),
        }
    }
}

/// An endpoint that may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Index into the catalogue's endpoints.
    pub endpoint: usize,
    /// Index into [`Needs::models`].
    pub wanted: usize,
    pub reason: Reason,
}

/// The decision: whom to try, in order, and who is out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutePlan {
    pub candidates: Vec<Candidate>,
    /// `(endpoint, why)`, in catalogue order per model.
    pub excluded: Vec<(usize, Exclusion)>,
    pub seed: u64,
}

#[cfg(test)]
mod tests;
