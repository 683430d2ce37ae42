//! `GET /generation?id=`: the record of one finished call.

use super::Site;
use crate::auth;
use crate::cached::private_json;
use crate::error::ApiError;
use crate::json::{Dollars, time_text};
use axum::extract::{Query, State};
use axum::response::Response;
use http::{HeaderMap, Uri};
use interline_domain::catalogue::Catalogue;
use interline_domain::id::{AccountId, GenerationId};
use interline_domain::{Money, Timestamp};
use interline_gateway::record::{AttemptRecord, Outcome, Record};
use serde_derive::Serialize;

#[derive(Serialize)]
struct Data<T> {
    data: T,
}

/// One generation. The published schema requires every field, null or not.
#[expect(clippy::struct_field_names, reason = "the names are given")]
#[derive(Serialize)]
struct Generation<'a> {
    id: &'a str,
    request_id: &'a str,
    created_at: String,
    api_type: &'static str,
    model: &'a str,
    provider_name: Option<&'a str>,
    router: Option<()>,
    preset_id: Option<()>,
    session_id: Option<&'a str>,
    workspace_id: Option<()>,
    app_id: Option<()>,
    origin: &'a str,
    http_referer: Option<&'a str>,
    user_agent: Option<&'a str>,
    external_user: Option<&'a str>,
    streamed: bool,
    cancelled: bool,
    finish_reason: Option<&'a str>,
    native_finish_reason: Option<&'a str>,
    /// Milliseconds to the first token.
    latency: u64,
    /// Milliseconds from the first token to the end.
    generation_time: u64,
    moderation_latency: Option<()>,
    tokens_prompt: u64,
    tokens_completion: u64,
    native_tokens_prompt: u64,
    native_tokens_completion: u64,
    native_tokens_reasoning: Option<u64>,
    native_tokens_cached: u64,
    native_tokens_completion_images: Option<u64>,
    num_media_prompt: Option<u64>,
    num_media_completion: Option<u64>,
    num_input_audio_prompt: Option<u64>,
    num_search_results: Option<u64>,
    num_fetches: Option<u64>,
    web_search_engine: Option<()>,
    usage: Dollars,
    total_cost: Dollars,
    /// What went past us to a provider on the caller's own key: nothing yet.
    upstream_inference_cost: Dollars,
    cache_discount: Option<Dollars>,
    is_byok: bool,
    service_tier: Option<&'a str>,
    data_region: &'static str,
    upstream_id: Option<&'a str>,
    response_cache_source_id: Option<()>,
    provider_responses: Vec<ProviderResponse<'a>>,
}

#[derive(Serialize)]
struct ProviderResponse<'a> {
    endpoint_id: &'a str,
    model_permaslug: &'a str,
    provider_name: &'a str,
    status: Option<u16>,
    latency: u64,
    is_byok: bool,
}

/// Show a generation of the caller's account.
pub(crate) async fn show(
    State(site): State<Site>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let caller = auth::caller(&site.app, &headers).await?;
    let account = &caller.account_id;
    let asked = wanted_id(&uri).map_err(|error| error.of(account.as_str()))?;
    let Some(record) = find(&site, account, &asked).await? else {
        let message = format!(
            "Generation {} not found",
            asked.chars().take(64).collect::<String>()
        );
        return Err(ApiError::not_found(message).of(account.as_str()));
    };
    let snapshot = site.app.gateway.snapshot.load();
    Ok(private_json(&Data {
        data: Generation::new(&record, &snapshot.catalogue),
    }))
}

fn wanted_id(uri: &Uri) -> Result<String, ApiError> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|error| ApiError::invalid(format!("the query is not readable: {error}")))?;
    pairs
        .into_iter()
        .find(|(name, value)| name == "id" && !value.is_empty())
        .map(|(_, value)| value)
        .ok_or_else(|| ApiError::invalid("id: missing; give the id of a generation, gen-…"))
}

/// The spool first: a call that has just ended is there until it is posted.
async fn find(site: &Site, account: &AccountId, asked: &str) -> Result<Option<Record>, ApiError> {
    let Some(id) = GenerationId::parse(asked) else {
        return Ok(None);
    };
    if let Some(payload) = site.app.gateway.spool.find(id.as_str()) {
        return Ok(read(&payload).filter(|record| record.account == account.as_str()));
    }
    let stored = site.app.store.generations().find(account, &id).await?;
    Ok(stored.and_then(|stored| read(stored.record.as_bytes())))
}

fn read(payload: &[u8]) -> Option<Record> {
    serde_json::from_slice(payload)
        .inspect_err(|error| tracing::error!(%error, "a record could not be read"))
        .ok()
}

impl<'a> Generation<'a> {
    fn new(record: &'a Record, catalogue: &'a Catalogue) -> Self {
        let charged = Dollars(Money::from_nano(record.charged_nano));
        let has_cache = record.cached_tokens > 0 || record.cache_write_tokens > 0;
        let model = if record.model.is_empty() {
            &record.requested_model
        } else {
            &record.model
        };
        Self {
            id: &record.id,
            request_id: &record.request_id,
            created_at: time_text(Timestamp::from_micros(record.created_at)),
            api_type: "completions",
            model: permaslug(catalogue, model),
            provider_name: some_text(&record.provider_name),
            router: None,
            preset_id: None,
            session_id: record.session_id.as_deref(),
            workspace_id: None,
            app_id: None,
            origin: record.http_referer.as_deref().unwrap_or_default(),
            http_referer: record.http_referer.as_deref(),
            user_agent: record.user_agent.as_deref(),
            external_user: record.external_user.as_deref(),
            streamed: record.streamed,
            cancelled: record.outcome == Outcome::Cancelled,
            finish_reason: record.finish_reason.as_deref(),
            native_finish_reason: record.native_finish_reason.as_deref(),
            latency: record.latency_ms,
            generation_time: record.generation_ms.saturating_sub(record.latency_ms),
            moderation_latency: None,
            tokens_prompt: record.prompt_tokens,
            tokens_completion: record.completion_tokens,
            native_tokens_prompt: record.prompt_tokens,
            native_tokens_completion: record.completion_tokens,
            native_tokens_reasoning: record.reasoning_tokens,
            native_tokens_cached: record.cached_tokens,
            native_tokens_completion_images: counted(record.image_tokens),
            num_media_prompt: counted(record.prompt_images),
            num_media_completion: None,
            num_input_audio_prompt: None,
            num_search_results: None,
            num_fetches: None,
            web_search_engine: None,
            usage: charged,
            total_cost: charged,
            upstream_inference_cost: Dollars(Money::ZERO),
            cache_discount: has_cache.then(|| Dollars(Money::from_nano(record.cache_saved_nano))),
            is_byok: false,
            service_tier: record.service_tier.as_deref(),
            data_region: data_region(&record.region),
            upstream_id: record.upstream_id.as_deref(),
            response_cache_source_id: None,
            provider_responses: record
                .attempts
                .iter()
                .map(|attempt| ProviderResponse::new(attempt, catalogue))
                .collect(),
        }
    }
}

impl<'a> ProviderResponse<'a> {
    fn new(attempt: &'a AttemptRecord, catalogue: &'a Catalogue) -> Self {
        Self {
            endpoint_id: &attempt.endpoint_id,
            model_permaslug: permaslug(catalogue, &attempt.model),
            provider_name: &attempt.provider_name,
            status: attempt.status,
            latency: attempt.latency_ms,
            is_byok: false,
        }
    }
}

/// The dated slug; the id as recorded once the model has left the catalogue.
fn permaslug<'a>(catalogue: &'a Catalogue, id: &'a str) -> &'a str {
    catalogue
        .find_model(id)
        .and_then(|index| catalogue.models().get(index))
        .map_or(id, |model| &model.canonical_slug)
}

fn some_text(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn counted(count: u64) -> Option<u64> {
    (count > 0).then_some(count)
}

/// The API has three words; a deployment may call itself what it likes.
fn data_region(region: &str) -> &'static str {
    match region {
        "eu" | "europe" => "europe",
        "us" => "us",
        _ => "global",
    }
}

#[cfg(test)]
pub(super) mod tests;
