//! The model object of the public API.

use crate::json::{Raw, raw_number};
use interline_domain::catalogue::{
    Catalogue, Endpoint, Modalities, Model, PriceOverride, Prices, Standing,
};
use interline_domain::money::Price;
use interline_domain::parameters::Parameters;
use serde_derive::Serialize;

/// What stands for a price that nobody knows.
const UNKNOWN_PRICE: &str = "-1";

/// One model, as `GET /models` lists it.
#[derive(Serialize)]
pub(crate) struct ModelObject<'a> {
    id: &'a str,
    canonical_slug: &'a str,
    name: &'a str,
    created: i64,
    description: &'a str,
    hugging_face_id: Option<&'a str>,
    context_length: Option<u64>,
    architecture: Architecture<'a>,
    pricing: Pricing,
    top_provider: TopProvider,
    /// Nothing limits single requests here.
    per_request_limits: Option<()>,
    supported_parameters: Vec<&'static str>,
    default_parameters: Option<DefaultParameters>,
    /// The catalogue does not say which voices there are.
    supported_voices: Option<()>,
    expiration_date: Option<&'a str>,
    knowledge_cutoff: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias_target: Option<AliasTarget<'a>>,
    links: Links,
}

#[derive(Serialize)]
pub(crate) struct Architecture<'a> {
    modality: String,
    input_modalities: Vec<&'static str>,
    output_modalities: Vec<&'static str>,
    tokenizer: &'a str,
    instruct_type: Option<&'a str>,
}

/// Dollars per unit, as decimal strings.
#[derive(Default, Serialize)]
pub(crate) struct Pricing {
    prompt: String,
    completion: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    web_search: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    internal_reasoning: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cache_read: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cache_write: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cache_write_1h: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    overrides: Vec<Override>,
}

#[derive(Serialize)]
struct Override {
    min_prompt_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cache_read: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cache_write: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cache_write_1h: Option<String>,
}

#[derive(Serialize)]
struct TopProvider {
    context_length: Option<u64>,
    max_completion_tokens: Option<u64>,
    is_moderated: bool,
}

/// The published schema knows these six and no others.
#[derive(Default, Serialize)]
struct DefaultParameters {
    temperature: Option<Raw>,
    top_p: Option<Raw>,
    top_k: Option<Raw>,
    frequency_penalty: Option<Raw>,
    presence_penalty: Option<Raw>,
    repetition_penalty: Option<Raw>,
}

#[derive(Serialize)]
struct Reasoning<'a> {
    mandatory: bool,
    /// `null`: any level. Absent: no control over the effort.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(
        clippy::option_option,
        reason = "absent and null mean different things"
    )]
    supported_efforts: Option<Option<&'a [String]>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supports_max_tokens: Option<bool>,
}

#[derive(Serialize)]
struct AliasTarget<'a> {
    slug: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Links {
    details: String,
}

impl<'a> ModelObject<'a> {
    /// An alias shows what it stands for under its own name.
    pub(crate) fn new(catalogue: &'a Catalogue, row: &'a Model) -> Self {
        let target = target(catalogue, row);
        let model = target.unwrap_or(row);
        let endpoints = endpoints_of(catalogue, model);
        let top = top_endpoint(catalogue, model);
        let provider = top.and_then(|top| catalogue.providers().get(top.provider));
        Self {
            id: &row.id,
            canonical_slug: &row.canonical_slug,
            name: &row.name,
            created: created(catalogue, row),
            description: &row.description,
            hugging_face_id: model.hugging_face_id.as_deref(),
            context_length: model.context_length,
            architecture: Architecture::new(model),
            pricing: Pricing::new(top.and_then(|top| top.prices.as_ref())),
            top_provider: TopProvider {
                context_length: top
                    .and_then(|top| top.context_length)
                    .or(model.context_length),
                max_completion_tokens: top.and_then(|top| top.max_completion_tokens),
                is_moderated: provider.is_some_and(|provider| provider.is_moderated),
            },
            per_request_limits: None,
            supported_parameters: parameter_names(union(endpoints)),
            default_parameters: DefaultParameters::new(&model.default_parameters),
            supported_voices: None,
            expiration_date: model.expiration_date.as_deref(),
            knowledge_cutoff: model.knowledge_cutoff.as_deref(),
            reasoning: Reasoning::new(model),
            alias_target: target.map(|target| AliasTarget {
                slug: &target.id,
                name: &target.name,
            }),
            links: Links {
                details: format!("/api/v1/models/{}/endpoints", model.canonical_slug),
            },
        }
    }
}

impl<'a> Architecture<'a> {
    pub(crate) fn new(model: &'a Model) -> Self {
        let input = modality_names(model.input_modalities);
        let output = modality_names(model.output_modalities);
        Self {
            modality: format!("{}->{}", input.join("+"), output.join("+")),
            input_modalities: input,
            output_modalities: output,
            tokenizer: &model.tokenizer,
            instruct_type: model.instruct_type.as_deref(),
        }
    }
}

impl Pricing {
    pub(crate) fn new(prices: Option<&Prices>) -> Self {
        let Some(prices) = prices else {
            let unknown = || UNKNOWN_PRICE.to_owned();
            return Self {
                prompt: unknown(),
                completion: unknown(),
                ..Self::default()
            };
        };
        let text = |price: Option<Price>| price.map(Price::to_decimal);
        Self {
            prompt: prices.prompt.to_decimal(),
            completion: prices.completion.to_decimal(),
            request: text(prices.request),
            image: text(prices.image),
            image_token: text(prices.image_token),
            image_output: text(prices.image_output),
            audio: text(prices.audio),
            audio_output: text(prices.audio_output),
            web_search: text(prices.web_search),
            internal_reasoning: text(prices.internal_reasoning),
            input_cache_read: text(prices.input_cache_read),
            input_cache_write: text(prices.input_cache_write),
            input_cache_write_1h: text(prices.input_cache_write_1h),
            overrides: prices.overrides.iter().map(Override::new).collect(),
        }
    }
}

impl Override {
    fn new(tier: &PriceOverride) -> Self {
        let text = |price: Option<Price>| price.map(Price::to_decimal);
        Self {
            min_prompt_tokens: tier.min_prompt_tokens,
            prompt: text(tier.prompt),
            completion: text(tier.completion),
            input_cache_read: text(tier.input_cache_read),
            input_cache_write: text(tier.input_cache_write),
            input_cache_write_1h: text(tier.input_cache_write_1h),
        }
    }
}

impl DefaultParameters {
    fn new(pairs: &[(String, String)]) -> Option<Self> {
        if pairs.is_empty() {
            return None;
        }
        let mut found = Self::default();
        for (name, number) in pairs {
            let place = match name.as_str() {
                "temperature" => &mut found.temperature,
                "top_p" => &mut found.top_p,
                "top_k" => &mut found.top_k,
                "frequency_penalty" => &mut found.frequency_penalty,
                "presence_penalty" => &mut found.presence_penalty,
                "repetition_penalty" => &mut found.repetition_penalty,
                _ => continue,
            };
            *place = raw_number(number);
        }
        Some(found)
    }
}

impl<'a> Reasoning<'a> {
    fn new(model: &'a Model) -> Option<Self> {
        if model.kind == "router" {
            return None;
        }
        let reasoning = model.reasoning.as_ref()?;
        Some(Self {
            mandatory: reasoning.is_mandatory,
            supported_efforts: match reasoning.supported_efforts.as_deref() {
                None => Some(None),
                Some([]) => None,
                Some(efforts) => Some(Some(efforts)),
            },
            default_effort: reasoning.default_effort.as_deref(),
            default_enabled: reasoning.default_enabled,
            supports_max_tokens: reasoning.supports_max_tokens,
        })
    }
}

/// What an alias stands for.
fn target<'a>(catalogue: &'a Catalogue, row: &Model) -> Option<&'a Model> {
    let target = row.alias_target.as_deref()?;
    catalogue.models().get(catalogue.find_model(target)?)
}

/// The model behind a row: an alias's target, else the row itself.
pub(crate) fn behind<'a>(catalogue: &'a Catalogue, row: &'a Model) -> &'a Model {
    target(catalogue, row).unwrap_or(row)
}

/// Unix seconds; zero if nobody knows. An alias without a date has its target's.
pub(crate) fn created(catalogue: &Catalogue, row: &Model) -> i64 {
    if row.created == 0 {
        behind(catalogue, row).created
    } else {
        row.created
    }
}

pub(crate) fn endpoints_of<'a>(catalogue: &'a Catalogue, model: &Model) -> &'a [Endpoint] {
    catalogue
        .endpoints()
        .get(model.endpoints.clone())
        .unwrap_or_default()
}

/// The endpoint whose figures stand for the model: routable before shown, priced before unpriced,
/// then the cheapest.
pub(crate) fn top_endpoint<'a>(catalogue: &'a Catalogue, model: &Model) -> Option<&'a Endpoint> {
    endpoints_of(catalogue, model)
        .iter()
        .min_by_key(|endpoint| {
            let price = endpoint.prices.as_ref().map_or(i64::MAX, |prices| {
                prices
                    .prompt
                    .pico()
                    .saturating_add(prices.completion.pico())
            });
            (endpoint.standing != Standing::Ready, price)
        })
}

pub(crate) fn union(endpoints: &[Endpoint]) -> Parameters {
    endpoints.iter().fold(Parameters::EMPTY, |all, endpoint| {
        all.union(endpoint.parameters)
    })
}

pub(crate) fn parameter_names(parameters: Parameters) -> Vec<&'static str> {
    parameters
        .iter()
        .map(interline_domain::parameters::Parameter::as_str)
        .collect()
}

fn modality_names(modalities: Modalities) -> Vec<&'static str> {
    modalities
        .iter()
        .map(interline_domain::catalogue::Modality::as_str)
        .collect()
}
