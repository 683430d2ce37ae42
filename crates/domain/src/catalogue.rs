//! The catalogue: models, providers, and endpoints (one provider serving one model at a price).
//!
//! A [`Catalogue`] is immutable; a change builds a new one and swaps it whole. Lookups on the hot
//! path are a hash of the model id and a slice of its endpoints.

use crate::money::Price;
use crate::parameters::Parameters;
use crate::quirks::Quirks;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// A wire format a provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    OpenAiChat,
    AnthropicMessages,
    Gemini,
    /// Known by name, not spoken yet: shown, never routed to.
    Other(&'static str),
}

impl Dialect {
    /// Dialects that are known and not spoken yet.
    const OTHERS: &'static [&'static str] = &[
        "openai-responses",
        "bedrock-converse",
        "bedrock-anthropic",
        "cohere-v2",
        "ollama",
        "azure-openai",
        "mistral",
        "vertex-gemini",
        "vertex-anthropic",
        "oci-genai",
        "watsonx",
        "openai-images",
        "bfl",
        "deepgram",
        "elevenlabs",
        "fal",
        "jina",
        "replicate",
        "stability",
        "tgi",
        "voyage",
    ];

    /// Every known name, spoken ones first.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ["openai-chat", "anthropic-messages", "gemini"]
            .into_iter()
            .chain(Self::OTHERS.iter().copied())
    }

    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "openai-chat" => Self::OpenAiChat,
            "anthropic-messages" => Self::AnthropicMessages,
            "gemini" => Self::Gemini,
            other => Self::Other(Self::OTHERS.iter().copied().find(|name| *name == other)?),
        })
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai-chat",
            Self::AnthropicMessages => "anthropic-messages",
            Self::Gemini => "gemini",
            Self::Other(name) => name,
        }
    }

    pub const fn is_spoken(self) -> bool {
        !matches!(self, Self::Other(_))
    }
}

/// How a credential is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Auth {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// A header of this (lower-case) name holds the key.
    Header(&'static str),
    /// No credential is needed.
    None,
    /// A scheme we do not speak yet; such a provider is shown, never routed to.
    Unsupported(&'static str),
}

impl Auth {
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "bearer" => Self::Bearer,
            "none" => Self::None,
            "x-api-key" => Self::Header("x-api-key"),
            "x-goog-api-key" => Self::Header("x-goog-api-key"),
            "api-key" => Self::Header("api-key"),
            "xi-api-key" => Self::Header("xi-api-key"),
            "aws-sigv4" => Self::Unsupported("aws-sigv4"),
            "gcp-oauth" => Self::Unsupported("gcp-oauth"),
            "token" => Self::Unsupported("token"),
            "key" => Self::Unsupported("key"),
            _ => return None,
        })
    }
}

/// A kind of content, going in or coming out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Modality {
    Text,
    Image,
    Audio,
    File,
    Video,
    Embeddings,
    Rerank,
    Speech,
    Transcription,
}

impl Modality {
    pub const ALL: &'static [Self] = &[
        Self::Text,
        Self::Image,
        Self::Audio,
        Self::File,
        Self::Video,
        Self::Embeddings,
        Self::Rerank,
        Self::Speech,
        Self::Transcription,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Audio => "audio",
            Self::File => "file",
            Self::Video => "video",
            Self::Embeddings => "embeddings",
            Self::Rerank => "rerank",
            Self::Speech => "speech",
            Self::Transcription => "transcription",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|modality| modality.as_str() == text)
    }
}

/// A set of [`Modality`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Modalities(u16);

impl Modalities {
    pub const fn with(self, modality: Modality) -> Self {
        Self(self.0 | 1 << modality as u8)
    }

    pub const fn contains(self, modality: Modality) -> bool {
        self.0 & (1 << modality as u8) != 0
    }

    pub const fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn iter(self) -> impl Iterator<Item = Modality> {
        Modality::ALL
            .iter()
            .copied()
            .filter(move |modality| self.contains(*modality))
    }
}

impl FromIterator<Modality> for Modalities {
    fn from_iter<I: IntoIterator<Item = Modality>>(modalities: I) -> Self {
        modalities.into_iter().fold(Self::default(), Self::with)
    }
}

/// Weight format of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Quantization {
    Int4,
    Int8,
    Fp4,
    Mxfp4,
    Nvfp4,
    Fp6,
    Fp8,
    Mxfp8,
    Fp16,
    Bf16,
    Fp32,
    #[default]
    Unknown,
}

impl Quantization {
    pub const ALL: &'static [Self] = &[
        Self::Int4,
        Self::Int8,
        Self::Fp4,
        Self::Mxfp4,
        Self::Nvfp4,
        Self::Fp6,
        Self::Fp8,
        Self::Mxfp8,
        Self::Fp16,
        Self::Bf16,
        Self::Fp32,
        Self::Unknown,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Fp4 => "fp4",
            Self::Mxfp4 => "mxfp4",
            Self::Nvfp4 => "nvfp4",
            Self::Fp6 => "fp6",
            Self::Fp8 => "fp8",
            Self::Mxfp8 => "mxfp8",
            Self::Fp16 => "fp16",
            Self::Bf16 => "bf16",
            Self::Fp32 => "fp32",
            Self::Unknown => "unknown",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|quantization| quantization.as_str() == text)
    }

    /// Asking for `fp4` accepts `mxfp4` and `nvfp4`; `fp8` accepts `mxfp8`.
    pub const fn satisfies(self, wanted: Self) -> bool {
        self as u8 == wanted as u8
            || matches!(
                (wanted, self),
                (Self::Fp4, Self::Mxfp4 | Self::Nvfp4) | (Self::Fp8, Self::Mxfp8)
            )
    }
}

/// What a provider does with prompts. `None`: nobody says, which counts as the worst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataPolicy {
    pub may_train: Option<bool>,
    pub retains_prompts: Option<bool>,
    pub retention_days: Option<u32>,
    /// Zero data retention holds for every call (not merely "on request").
    pub zero_retention: bool,
}

impl DataPolicy {
    /// Fit for `data_collection: "deny"`: neither trains on prompts nor keeps them.
    pub fn denies_collection(&self) -> bool {
        self.may_train == Some(false)
            && (self.retains_prompts == Some(false)
                || self.retention_days == Some(0)
                || self.zero_retention)
    }

    pub fn is_zero_retention(&self) -> bool {
        self.zero_retention || self.retention_days == Some(0)
    }
}

/// Somebody who runs models behind an API.
#[derive(Clone, Debug)]
pub struct Provider {
    pub slug: String,
    pub name: String,
    pub dialect: Dialect,
    pub base_url: String,
    /// Other wire formats the provider speaks, and where.
    pub protocols: Vec<(Dialect, String)>,
    pub auth: Auth,
    /// Environment variables that may hold the key, first one wins.
    pub key_variables: Vec<String>,
    pub headquarters: Option<String>,
    pub datacenters: Vec<String>,
    pub privacy_policy_url: Option<String>,
    pub terms_of_service_url: Option<String>,
    pub status_page_url: Option<String>,
    pub data_policy: DataPolicy,
    pub is_moderated: bool,
    pub quirks: Arc<Quirks>,
}

/// Reasoning abilities of a model, as the public model object shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    pub is_mandatory: bool,
    /// Descending. `None`: any level. Empty: no effort control.
    pub supported_efforts: Option<Vec<String>>,
    pub default_effort: Option<String>,
    pub default_enabled: Option<bool>,
    pub supports_max_tokens: Option<bool>,
}

/// A model as clients name it.
#[derive(Clone, Debug)]
pub struct Model {
    /// `author/slug[:variant]`, lower case.
    pub id: String,
    /// The dated slug that never changes.
    pub canonical_slug: String,
    pub name: String,
    pub description: String,
    /// Unix seconds.
    pub created: i64,
    pub context_length: Option<u64>,
    pub hugging_face_id: Option<String>,
    pub input_modalities: Modalities,
    pub output_modalities: Modalities,
    pub tokenizer: String,
    pub instruct_type: Option<String>,
    pub knowledge_cutoff: Option<String>,
    pub expiration_date: Option<String>,
    /// `(name, JSON number)` pairs of recommended sampling values.
    pub default_parameters: Vec<(String, String)>,
    pub reasoning: Option<Reasoning>,
    /// `chat`, `embedding`, `image`, `alias`, `router`, …
    pub kind: String,
    /// The model a `~…-latest` alias stands for today.
    pub alias_target: Option<String>,
    /// Whether the author allows training on the output; unknown counts as no.
    pub is_distillable: bool,
    /// Where this model's endpoints stand in [`Catalogue::endpoints`].
    pub endpoints: Range<usize>,
}

/// Price per unit of an endpoint. The base prices are always there: an endpoint without them has
/// no `Prices` at all and is not routable. Sub-prices fall back to the base of their direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// Per prompt token.
    pub prompt: Price,
    /// Per completion token.
    pub completion: Price,
    /// Per request.
    pub request: Option<Price>,
    /// Per input image.
    pub image: Option<Price>,
    /// Per image token of the prompt.
    pub image_token: Option<Price>,
    /// Per image token of the answer.
    pub image_output: Option<Price>,
    /// Per audio token of the prompt.
    pub audio: Option<Price>,
    /// Per audio token of the answer.
    pub audio_output: Option<Price>,
    /// Per search.
    pub web_search: Option<Price>,
    /// Per reasoning token.
    pub internal_reasoning: Option<Price>,
    /// Per prompt token read from the provider's cache.
    pub input_cache_read: Option<Price>,
    /// Per prompt token written to the provider's cache (five minutes).
    pub input_cache_write: Option<Price>,
    /// Per prompt token written to the provider's cache for an hour.
    pub input_cache_write_1h: Option<Price>,
    /// Long-context tiers, in the order written; later matching entries win per price.
    pub overrides: Vec<PriceOverride>,
}

/// Prices that hold when the prompt is longer than a threshold. Absent prices are inherited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PriceOverride {
    /// Holds for prompts of strictly more tokens.
    pub min_prompt_tokens: u64,
    pub prompt: Option<Price>,
    pub completion: Option<Price>,
    pub input_cache_read: Option<Price>,
    pub input_cache_write: Option<Price>,
    pub input_cache_write_1h: Option<Price>,
}

/// Whether requests may be sent to an endpoint, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    Ready,
    /// The provider has no key here: shown, not routable.
    NoCredential,
    /// Nobody said what it costs: shown, not routable until the operator does.
    Unpriced,
    /// Its dialect or its sign-in scheme is not spoken yet.
    NotSpoken,
    /// Switched off by the operator.
    Disabled,
}

/// One provider serving one model.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `model@tag`: unique, stable, what health and records refer to.
    pub id: String,
    /// Index into [`Catalogue::models`].
    pub model: usize,
    /// Index into [`Catalogue::providers`].
    pub provider: usize,
    /// What requests target: `provider[/variant]`.
    pub tag: String,
    /// The provider's own name of the model.
    pub upstream_model: String,
    /// The dialect we speak to it (the provider's first spoken protocol).
    pub dialect: Dialect,
    /// Base URL for that dialect.
    pub base_url: String,
    pub prices: Option<Prices>,
    pub context_length: Option<u64>,
    pub max_completion_tokens: Option<u64>,
    pub max_prompt_tokens: Option<u64>,
    pub quantization: Quantization,
    pub parameters: Parameters,
    pub has_implicit_caching: bool,
    pub standing: Standing,
    /// Provider defaults with the endpoint's own differences applied.
    pub quirks: Arc<Quirks>,
}

/// The snapshot. Build it with [`Catalogue::new`].
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    models: Vec<Model>,
    providers: Vec<Provider>,
    endpoints: Vec<Endpoint>,
    by_id: HashMap<String, usize>,
    by_slug: HashMap<String, usize>,
    by_provider: HashMap<String, usize>,
}

/// Why parts do not make a catalogue. Every mistake is reported, not only the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CatalogueError {
    DuplicateModel(String),
    DuplicateProvider(String),
    DuplicateEndpoint(String),
    /// An endpoint refers to a model or provider index that is not there.
    Dangling(String),
}

impl core::fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::DuplicateModel(id) => write!(f, "model `{id}` is listed twice"),
            Self::DuplicateProvider(slug) => write!(f, "provider `{slug}` is listed twice"),
            Self::DuplicateEndpoint(id) => write!(f, "endpoint `{id}` is listed twice"),
            Self::Dangling(id) => write!(f, "endpoint `{id}` names no known model or provider"),
        }
    }
}

impl core::error::Error for CatalogueError {}

impl Catalogue {
    /// Sorts endpoints by model, sets each model's range and builds the indices.
    pub fn new(
        mut models: Vec<Model>,
        providers: Vec<Provider>,
        mut endpoints: Vec<Endpoint>,
    ) -> Result<Self, Vec<CatalogueError>> {
        let mut errors = Vec::new();
        let mut by_id = HashMap::with_capacity(models.len());
        for (index, model) in models.iter().enumerate() {
            if by_id.insert(model.id.clone(), index).is_some() {
                errors.push(CatalogueError::DuplicateModel(model.id.clone()));
            }
        }
        let mut by_slug = HashMap::new();
        for (index, model) in models.iter().enumerate() {
            if !by_id.contains_key(&model.canonical_slug) {
                by_slug.entry(model.canonical_slug.clone()).or_insert(index);
            }
        }
        let mut by_provider = HashMap::with_capacity(providers.len());
        for (index, provider) in providers.iter().enumerate() {
            if by_provider.insert(provider.slug.clone(), index).is_some() {
                errors.push(CatalogueError::DuplicateProvider(provider.slug.clone()));
            }
        }
        let mut seen = std::collections::HashSet::with_capacity(endpoints.len());
        for endpoint in &endpoints {
            if endpoint.model >= models.len() || endpoint.provider >= providers.len() {
                errors.push(CatalogueError::Dangling(endpoint.id.clone()));
            }
            if !seen.insert(endpoint.id.as_str()) {
                errors.push(CatalogueError::DuplicateEndpoint(endpoint.id.clone()));
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        endpoints.sort_by(|a, b| (a.model, &a.tag).cmp(&(b.model, &b.tag)));
        let mut start = 0;
        for (index, model) in models.iter_mut().enumerate() {
            let count = endpoints[start..]
                .iter()
                .take_while(|e| e.model == index)
                .count();
            model.endpoints = start..start + count;
            start += count;
        }
        Ok(Self {
            models,
            providers,
            endpoints,
            by_id,
            by_slug,
            by_provider,
        })
    }

    pub fn models(&self) -> &[Model] {
        &self.models
    }

    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// Finds a model by id or dated slug. The name must be lower case already.
    pub fn find_model(&self, name: &str) -> Option<usize> {
        self.by_id
            .get(name)
            .or_else(|| self.by_slug.get(name))
            .copied()
    }

    pub fn find_provider(&self, slug: &str) -> Option<usize> {
        self.by_provider.get(slug).copied()
    }

    pub fn endpoints_of(&self, model: usize) -> &[Endpoint] {
        self.models
            .get(model)
            .map_or(&[], |model| &self.endpoints[model.endpoints.clone()])
    }

    /// The three known models whose names are nearest to one that is not known.
    pub fn nearest_models(&self, name: &str) -> Vec<&str> {
        let mut scored: Vec<(usize, &str)> = self
            .models
            .iter()
            .map(|model| {
                (
                    distance(name.as_bytes(), model.id.as_bytes()),
                    model.id.as_str(),
                )
            })
            .collect();
        scored.sort_unstable();
        scored
            .into_iter()
            .take(3)
            .filter(|(d, _)| *d <= name.len() / 2 + 2)
            .map(|(_, id)| id)
            .collect()
    }
}

/// Edit distance of the first 96 bytes, for suggestions only.
pub fn distance(a: &[u8], b: &[u8]) -> usize {
    let a = &a[..a.len().min(96)];
    let b = &b[..b.len().min(96)];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
