//! What the caller says about providers: the `provider` object, already validated.

use crate::catalogue::Quantization;
use crate::money::Price;

/// A deterministic order instead of the weighted draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SortBy {
    Price,
    Throughput,
    Latency,
    /// Tool-calling quality; ordered as the default until those signals exist.
    Exacto,
}

impl SortBy {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Throughput => "throughput",
            Self::Latency => "latency",
            Self::Exacto => "exacto",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Price, Self::Throughput, Self::Latency, Self::Exacto]
            .into_iter()
            .find(|by| by.as_str() == text)
    }
}

/// Cut-offs per percentile, in milli-units: milliseconds for latency, thousandths of a token per
/// second for throughput. An endpoint is preferred while all of them hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cutoffs {
    pub p50: Option<u64>,
    pub p75: Option<u64>,
    pub p90: Option<u64>,
    pub p99: Option<u64>,
}

impl Cutoffs {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The dearest endpoint the caller accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaxPrice {
    /// Per prompt token.
    pub prompt: Option<Price>,
    /// Per completion token.
    pub completion: Option<Price>,
    pub request: Option<Price>,
    pub image: Option<Price>,
    pub audio: Option<Price>,
}

/// Routing preferences of one request. Slugs and tags are lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of the public API"
)]
pub struct Preferences {
    /// Try these first, in this order; disables sorting and the weighted draw.
    pub order: Vec<String>,
    /// Allow-list. `None`: everything. An empty list allows nothing.
    pub only: Option<Vec<String>>,
    pub ignore: Vec<String>,
    pub allow_fallbacks: bool,
    pub require_parameters: bool,
    /// `data_collection: "deny"`.
    pub deny_collection: bool,
    pub zero_retention: bool,
    pub enforce_distillable: bool,
    pub quantizations: Vec<Quantization>,
    pub sort: Option<SortBy>,
    /// One list over all models rather than model after model.
    pub merge_models: bool,
    pub min_throughput: Cutoffs,
    pub max_latency: Cutoffs,
    pub max_price: MaxPrice,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            order: Vec::new(),
            only: None,
            ignore: Vec::new(),
            allow_fallbacks: true,
            require_parameters: false,
            deny_collection: false,
            zero_retention: false,
            enforce_distillable: false,
            quantizations: Vec::new(),
            sort: None,
            merge_models: false,
            min_throughput: Cutoffs::default(),
            max_latency: Cutoffs::default(),
            max_price: MaxPrice::default(),
        }
    }
}

/// Whether a slug of the request means this endpoint: a provider's slug or name means all of its
/// endpoints, a slug with a variant exactly that tag. Service-tier endpoints must be named whole.
pub fn matches(wanted: &str, tag: &str, provider_slug: &str, provider_name: &str) -> bool {
    if tag.eq_ignore_ascii_case(wanted) {
        return true;
    }
    let names_provider =
        provider_slug.eq_ignore_ascii_case(wanted) || provider_name.eq_ignore_ascii_case(wanted);
    names_provider && !is_service_tier(tag)
}

fn is_service_tier(tag: &str) -> bool {
    matches!(
        tag.rsplit_once('/'),
        Some((_, "priority" | "flex" | "fast" | "batch"))
    )
}
