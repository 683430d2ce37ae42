//! `GET /models/{author}/{slug}/endpoints` and `GET /endpoints/zdr`.

use super::Site;
use super::models::{Architecture, Pricing, endpoints_of, find, parameter_names};
use crate::cached::Document;
use crate::error::ApiError;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use interline_domain::Parameter;
use interline_domain::catalogue::{Catalogue, Endpoint, Standing};
use interline_domain::routing::{EndpointHealth, HealthView};
use serde_derive::Serialize;

#[derive(Serialize)]
struct Data<T> {
    data: T,
}

#[derive(Serialize)]
struct ModelEndpoints<'a> {
    id: &'a str,
    name: &'a str,
    created: i64,
    description: &'a str,
    architecture: Architecture<'a>,
    endpoints: Vec<PublicEndpoint<'a>>,
}

/// One provider serving one model, as everybody may see it.
#[derive(Serialize)]
struct PublicEndpoint<'a> {
    name: String,
    model_id: &'a str,
    model_name: &'a str,
    context_length: u64,
    pricing: Pricing,
    provider_name: &'a str,
    tag: &'a str,
    quantization: &'static str,
    max_completion_tokens: Option<u64>,
    max_prompt_tokens: Option<u64>,
    supported_parameters: Vec<&'static str>,
    supports_implicit_caching: bool,
    supports_voice_cloning: bool,
    supports_tool_choice: ToolChoice,
    supports_diarization: bool,
    /// Server tools that the provider runs itself: we send none.
    native_tools: NativeTools,
    service_tier: Option<()>,
    status: i8,
    /// Nothing keeps these figures long enough yet.
    uptime_last_5m: Option<f64>,
    uptime_last_30m: Option<f64>,
    uptime_last_1d: Option<f64>,
    latency_last_30m: Option<()>,
    throughput_last_30m: Option<()>,
}

/// Written as `{}`.
#[derive(Serialize)]
struct NativeTools {}

/// Which values of `tool_choice` an endpoint understands.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the shape of the public API")]
struct ToolChoice {
    auto: bool,
    function: bool,
    none: bool,
    required: bool,
}

impl ToolChoice {
    fn new(endpoint: &Endpoint) -> Self {
        let quirks = &endpoint.quirks;
        let is_understood = endpoint.parameters.contains(Parameter::ToolChoice);
        let may_force = is_understood && quirks.forced_tools;
        Self {
            auto: is_understood,
            function: may_force && quirks.tool_choice_named,
            none: is_understood && quirks.tool_choice_none,
            required: may_force && quirks.tool_choice_required,
        }
    }
}

/// Show who serves a model.
pub(crate) async fn of_model(
    State(site): State<Site>,
    Path((author, slug)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let snapshot = site.app.gateway.snapshot.load_full();
    let index = find(&snapshot, &author, &slug)?;
    let health = site.app.gateway.health.now();
    let body = render_model(&snapshot.catalogue, index, &health);
    body.map(|body| Document::json(body).answer(&headers))
        .ok_or_else(|| ApiError::not_found("There is no such model."))
}

/// List the endpoints that keep nothing of any call.
pub(crate) async fn zero_retention(State(site): State<Site>, headers: HeaderMap) -> Response {
    let snapshot = site.app.gateway.snapshot.load_full();
    let health = site.app.gateway.health.now();
    Document::json(render_zero_retention(&snapshot.catalogue, &health)).answer(&headers)
}

fn render_model(catalogue: &Catalogue, index: usize, health: &dyn HealthView) -> Option<Vec<u8>> {
    let model = catalogue.models().get(index)?;
    let endpoints = model
        .endpoints
        .clone()
        .zip(endpoints_of(catalogue, model))
        .filter_map(|(at, endpoint)| PublicEndpoint::new(catalogue, endpoint, health.health(at)))
        .collect();
    let shown = ModelEndpoints {
        id: &model.id,
        name: &model.name,
        created: model.created,
        description: &model.description,
        architecture: Architecture::new(model),
        endpoints,
    };
    serde_json::to_vec(&Data { data: shown }).ok()
}

fn render_zero_retention(catalogue: &Catalogue, health: &dyn HealthView) -> Vec<u8> {
    let keeps_nothing = |endpoint: &Endpoint| {
        catalogue
            .providers()
            .get(endpoint.provider)
            .is_some_and(|provider| provider.data_policy.is_zero_retention())
    };
    let endpoints: Vec<_> = catalogue
        .endpoints()
        .iter()
        .enumerate()
        .filter(|(_, endpoint)| keeps_nothing(endpoint))
        .filter_map(|(at, endpoint)| PublicEndpoint::new(catalogue, endpoint, health.health(at)))
        .collect();
    serde_json::to_vec(&Data { data: endpoints }).unwrap_or_default()
}

impl<'a> PublicEndpoint<'a> {
    fn new(
        catalogue: &'a Catalogue,
        endpoint: &'a Endpoint,
        health: EndpointHealth,
    ) -> Option<Self> {
        let model = catalogue.models().get(endpoint.model)?;
        let provider = catalogue.providers().get(endpoint.provider)?;
        Some(Self {
            name: format!("{} | {}", provider.name, model.canonical_slug),
            model_id: &model.canonical_slug,
            model_name: &model.name,
            // The published schema has no null here.
            context_length: endpoint
                .context_length
                .or(model.context_length)
                .unwrap_or(0),
            pricing: Pricing::new(endpoint.prices.as_ref()),
            provider_name: &provider.name,
            tag: &endpoint.tag,
            quantization: endpoint.quantization.as_str(),
            max_completion_tokens: endpoint.max_completion_tokens,
            max_prompt_tokens: endpoint.max_prompt_tokens,
            supported_parameters: parameter_names(endpoint.parameters),
            supports_implicit_caching: endpoint.has_implicit_caching,
            supports_voice_cloning: false,
            supports_tool_choice: ToolChoice::new(endpoint),
            supports_diarization: false,
            native_tools: NativeTools {},
            service_tier: None,
            status: status(endpoint.standing, health),
            uptime_last_5m: None,
            uptime_last_30m: None,
            uptime_last_1d: None,
            latency_last_30m: None,
            throughput_last_30m: None,
        })
    }
}

/// 0 well, -1 degraded, -2 down, -3 not to be used here, -5 asked to be left alone.
fn status(standing: Standing, health: EndpointHealth) -> i8 {
    match (standing, health.is_unstable, health.is_resting) {
        (Standing::Ready, false, false) => 0,
        (Standing::Ready, true, false) => -1,
        (Standing::Ready, true, true) => -2,
        (Standing::Ready, false, true) => -5,
        _ => -3,
    }
}

#[cfg(test)]
mod tests;
