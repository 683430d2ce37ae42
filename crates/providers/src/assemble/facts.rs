//! Entries as values of the domain: defaults, prices, descriptions.

use super::merge::MergedProvider;
use crate::entry::{DataPolicyEntry, Listed, ModelEntry, PricingEntry};
use crate::words::{Word, ZeroRetention};
use interline_domain::catalogue::{
    Auth, DataPolicy, Dialect, Modalities, Modality, Model, PriceOverride, Prices, Provider,
    Reasoning,
};
use interline_domain::parameters::{Parameter, Parameters};
use interline_domain::quirks::Quirks;
use std::sync::Arc;

pub(super) fn provider(merged: &MergedProvider<'_>) -> Provider {
    let entry = &merged.entry;
    let mut quirks = Quirks::default();
    for layer in [merged.base, merged.over].into_iter().flatten() {
        if let Some(entry) = &layer.quirks {
            entry.apply(&mut quirks);
        }
    }
    let address = |url: &str| url.trim_end_matches('/').to_owned();
    Provider {
        slug: entry.slug.clone(),
        name: entry.name.clone().unwrap_or_else(|| entry.slug.clone()),
        // Checked before: every provider states a dialect.
        dialect: entry
            .dialect
            .map_or(Dialect::OpenAiChat, |Word(dialect)| dialect),
        base_url: entry.base_url.as_deref().map(address).unwrap_or_default(),
        protocols: entry
            .protocols
            .iter()
            .flatten()
            .map(|protocol| (protocol.dialect.0, address(&protocol.base_url)))
            .collect(),
        auth: entry.auth.map_or(Auth::Bearer, |Word(auth)| auth),
        key_variables: entry.env.clone().unwrap_or_default(),
        headquarters: entry.headquarters.clone(),
        datacenters: entry.datacenters.clone().unwrap_or_default(),
        privacy_policy_url: entry.privacy_policy_url.clone(),
        terms_of_service_url: entry.terms_of_service_url.clone(),
        status_page_url: entry.status_page_url.clone(),
        data_policy: entry
            .data_policy
            .as_ref()
            .map(data_policy)
            .unwrap_or_default(),
        is_moderated: entry.moderation_required == Some(true),
        quirks: Arc::new(quirks),
    }
}

fn data_policy(entry: &DataPolicyEntry) -> DataPolicy {
    DataPolicy {
        may_train: entry.training,
        retains_prompts: entry.retains_prompts,
        retention_days: entry.retention_days,
        zero_retention: entry.zdr == Some(Word(ZeroRetention::Default)),
    }
}

/// `None` where a base price is missing or unknown.
pub(super) fn prices(entry: &PricingEntry) -> Option<Prices> {
    let price = |listed: &Option<Listed>| listed.as_ref().and_then(|listed| listed.price);
    Some(Prices {
        prompt: price(&entry.prompt)?,
        completion: price(&entry.completion)?,
        request: price(&entry.request),
        image: price(&entry.image),
        image_token: price(&entry.image_token),
        image_output: price(&entry.image_output),
        audio: price(&entry.audio),
        audio_output: price(&entry.audio_output),
        web_search: price(&entry.web_search),
        internal_reasoning: price(&entry.internal_reasoning),
        input_cache_read: price(&entry.input_cache_read),
        input_cache_write: price(&entry.input_cache_write),
        input_cache_write_1h: price(&entry.input_cache_write_1h),
        overrides: entry
            .overrides
            .iter()
            .map(|tier| PriceOverride {
                min_prompt_tokens: tier.min_prompt_tokens,
                prompt: price(&tier.prompt),
                completion: price(&tier.completion),
                input_cache_read: price(&tier.input_cache_read),
                input_cache_write: price(&tier.input_cache_write),
                input_cache_write_1h: price(&tier.input_cache_write_1h),
            })
            .collect(),
    })
}

/// The upstream name where no source states one: labs name their own models by the plain slug,
/// hosts mostly by the weights' name on Hugging Face. A wrong guess is a 404 upstream, no more.
pub(super) fn assumed_name(model: &ModelEntry, provider_kind: Option<&str>) -> String {
    let plain = model.id.split(':').next().unwrap_or(&model.id);
    if provider_kind == Some("host") {
        return model.hugging_face_id.as_deref().unwrap_or(plain).to_owned();
    }
    plain
        .split_once('/')
        .map_or(plain, |(_, slug)| slug)
        .to_owned()
}

pub(super) fn modalities(words: Option<&Vec<Word<Modality>>>) -> Modalities {
    words.map_or_else(
        || Modalities::default().with(Modality::Text),
        |words| words.iter().map(|Word(modality)| *modality).collect(),
    )
}

pub(super) fn outputs(model: &ModelEntry) -> Modalities {
    modalities(model.output_modalities.as_ref())
}

pub(super) fn kind(model: &ModelEntry) -> &'static str {
    if let Some(Word(kind)) = model.kind {
        return kind.0;
    }
    let outputs = outputs(model);
    [
        (Modality::Text, "chat"),
        (Modality::Embeddings, "embedding"),
        (Modality::Image, "image"),
        (Modality::Speech, "speech"),
        (Modality::Transcription, "transcription"),
        (Modality::Rerank, "rerank"),
        (Modality::Video, "video"),
    ]
    .into_iter()
    .find(|(modality, _)| outputs.contains(*modality))
    .map_or("chat", |(_, kind)| kind)
}

pub(super) fn model(entry: &ModelEntry, hosts: usize, parameters: Parameters) -> Model {
    let kind = kind(entry);
    let description = entry
        .description
        .clone()
        .unwrap_or_else(|| describe(entry, kind, hosts, parameters));
    let slug = entry
        .id
        .split_once('/')
        .map_or(entry.id.as_str(), |(_, slug)| slug);
    Model {
        id: entry.id.clone(),
        canonical_slug: entry
            .canonical_slug
            .clone()
            .unwrap_or_else(|| entry.id.clone()),
        name: entry.name.clone().unwrap_or_else(|| slug.to_owned()),
        description,
        created: entry.created.unwrap_or(0),
        context_length: entry.context_length,
        hugging_face_id: entry.hugging_face_id.clone(),
        input_modalities: modalities(entry.input_modalities.as_ref()),
        output_modalities: outputs(entry),
        tokenizer: entry
            .tokenizer
            .clone()
            .unwrap_or_else(|| "Other".to_owned()),
        instruct_type: entry.instruct_type.clone(),
        knowledge_cutoff: entry.knowledge_cutoff.clone(),
        expiration_date: entry.expiration_date.clone(),
        default_parameters: entry
            .default_parameters
            .iter()
            .flatten()
            .map(|(name, number)| (name.clone(), number.0.clone()))
            .collect(),
        reasoning: entry.reasoning.as_ref().map(|reasoning| Reasoning {
            is_mandatory: reasoning.mandatory,
            supported_efforts: reasoning.supported_efforts.as_ref().map(|efforts| {
                efforts
                    .iter()
                    .map(|Word(effort)| effort.0.to_owned())
                    .collect()
            }),
            default_effort: reasoning
                .default_effort
                .map(|Word(effort)| effort.0.to_owned()),
            default_enabled: reasoning.default_enabled,
            supports_max_tokens: reasoning.supports_max_tokens,
        }),
        kind: kind.to_owned(),
        alias_target: entry.alias_target.clone(),
        is_distillable: entry.is_distillable == Some(true),
        endpoints: 0..0,
    }
}

/// A sentence of facts, for models whose file has no description.
fn describe(entry: &ModelEntry, kind: &str, hosts: usize, parameters: Parameters) -> String {
    let author = entry.id.split_once('/').map_or("", |(author, _)| author);
    let what = match kind {
        "chat" => "Chat model",
        "embedding" => "Embedding model",
        "image" => "Image generation model",
        "speech" => "Text-to-speech model",
        "transcription" => "Speech-to-text model",
        "rerank" => "Reranking model",
        "classifier" => "Decision (classification) model",
        "ocr" => "Document OCR model",
        "video" => "Video generation model",
        _ => "Model",
    };
    let mut facts = Vec::new();
    if let Some(context) = entry.context_length {
        facts.push(format!("{}-token context", grouped(context)));
    }
    let inputs: Vec<&str> = modalities(entry.input_modalities.as_ref())
        .iter()
        .filter(|modality| *modality != Modality::Text)
        .map(Modality::as_str)
        .collect();
    if !inputs.is_empty() {
        facts.push(format!("accepts {}", inputs.join(", ")));
    }
    match &entry.reasoning {
        Some(reasoning) if reasoning.mandatory => facts.push("always reasons".to_owned()),
        Some(_) => facts.push("optional reasoning".to_owned()),
        None => {}
    }
    if parameters.contains(Parameter::Tools) {
        facts.push("tool calling".to_owned());
    }
    match hosts {
        0 => {}
        1 => facts.push("1 provider".to_owned()),
        more => facts.push(format!("{more} providers")),
    }
    let from = if author.is_empty() {
        what.to_owned()
    } else {
        format!("{what} from {}", author.trim_start_matches('~'))
    };
    if facts.is_empty() {
        format!("{from}.")
    } else {
        format!("{from}: {}.", facts.join("; "))
    }
}

/// `1050000` as `1,050,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
