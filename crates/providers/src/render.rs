//! Providers, models and endpoints as files of a catalogue, the way `import` writes them.

use crate::entry::{
    DataPolicyEntry, EndpointEntry, ModelEntry, PricingEntry, ProviderEntry, ReasoningEntry,
};
use crate::words::Word;
use crate::write::{Block, inline, list, quote};
use interline_domain::catalogue::{Auth, Dialect, Modality, Quantization};
use std::collections::BTreeMap;

/// `providers/<slug>.toml`.
pub(crate) fn provider_path(slug: &str) -> String {
    format!("providers/{slug}.toml")
}

/// `endpoints/<provider>.toml`.
pub(crate) fn endpoints_path(provider: &str) -> String {
    format!("endpoints/{provider}.toml")
}

/// `models/<author>.toml`; aliases stand with the author they follow.
pub(crate) fn models_path(id: &str) -> String {
    let author = id.split('/').next().unwrap_or(id);
    format!("models/{}.toml", author.trim_start_matches('~'))
}

pub(crate) fn provider(entry: &ProviderEntry) -> String {
    let mut block = Block::default();
    block.header("[provider]");
    block.text("slug", Some(&entry.slug));
    block.text("name", entry.name.as_deref());
    block.text("kind", entry.kind.as_deref());
    block.text("homepage", entry.homepage.as_deref());
    block.text("dialect", entry.dialect.as_ref().map(Word::name));
    block.text("base_url", entry.base_url.as_deref());
    if let Some(protocols) = &entry.protocols {
        let protocols: Vec<String> = protocols
            .iter()
            .map(|protocol| {
                inline(&[
                    ("dialect".to_owned(), quote(protocol.dialect.name())),
                    ("base_url".to_owned(), quote(&protocol.base_url)),
                ])
            })
            .collect();
        block.raw(
            "protocols",
            &format!("[\n  {},\n]", protocols.join(",\n  ")),
        );
    }
    if let Some(models) = &entry.native_only {
        block.list("native_only", models);
    }
    if entry.auth != Some(Word(Auth::Bearer)) {
        block.text("auth", entry.auth.as_ref().map(Word::name));
    }
    if let Some(env) = &entry.env {
        block.list("env", env);
    }
    if let Some(variables) = &entry.address_env {
        let fields: Vec<(String, String)> = variables
            .iter()
            .map(|(name, variable)| (name.clone(), quote(variable)))
            .collect();
        block.raw("address_env", &inline(&fields));
    }
    block.text("headquarters", entry.headquarters.as_deref());
    if let Some(datacenters) = &entry.datacenters {
        block.list("datacenters", datacenters);
    }
    block.text("privacy_policy_url", entry.privacy_policy_url.as_deref());
    block.text(
        "terms_of_service_url",
        entry.terms_of_service_url.as_deref(),
    );
    block.text("status_page_url", entry.status_page_url.as_deref());
    if let Some(policy) = &entry.data_policy {
        block.raw("data_policy", &data_policy(policy));
    }
    if entry.moderation_required == Some(true) {
        block.raw("moderation_required", "true");
    }
    block.text("note", entry.note.as_deref());
    block.finish()
}

fn data_policy(entry: &DataPolicyEntry) -> String {
    let mut fields = Fields::default();
    fields.add("training", entry.training);
    fields.add("retains_prompts", entry.retains_prompts);
    fields.add("retention_days", entry.retention_days);
    fields.add("zdr", entry.zdr.map(|zdr| quote(zdr.name())));
    fields.add("source", entry.source.as_deref().map(quote));
    inline(&fields.0)
}

/// All models of one author.
pub(crate) fn models<'a>(entries: impl IntoIterator<Item = &'a ModelEntry>) -> String {
    let mut block = Block::default();
    for entry in entries {
        model(&mut block, entry);
    }
    block.finish()
}

fn model(block: &mut Block, entry: &ModelEntry) {
    block.header("[[models]]");
    block.text("id", Some(&entry.id));
    if entry.canonical_slug.as_ref() != Some(&entry.id) {
        block.text("canonical_slug", entry.canonical_slug.as_deref());
    }
    block.text("name", entry.name.as_deref());
    block.text("kind", entry.kind.as_ref().map(Word::name));
    block.number("created", entry.created);
    block.text("description", entry.description.as_deref());
    block.number("context_length", entry.context_length);
    modalities(block, "input_modalities", entry.input_modalities.as_deref());
    modalities(
        block,
        "output_modalities",
        entry.output_modalities.as_deref(),
    );
    block.text("tokenizer", entry.tokenizer.as_deref());
    block.text("instruct_type", entry.instruct_type.as_deref());
    block.text("hugging_face_id", entry.hugging_face_id.as_deref());
    block.text("knowledge_cutoff", entry.knowledge_cutoff.as_deref());
    block.text("expiration_date", entry.expiration_date.as_deref());
    if let Some(parameters) = &entry.default_parameters {
        let fields: Vec<(String, String)> = parameters
            .iter()
            .map(|(name, number)| (name.clone(), number.0.clone()))
            .collect();
        block.raw("default_parameters", &inline(&fields));
    }
    if let Some(abilities) = &entry.reasoning {
        block.raw("reasoning", &reasoning(abilities));
    }
    block.text("alias_target", entry.alias_target.as_deref());
    if entry.is_distillable == Some(true) {
        block.raw("is_distillable", "true");
    }
    block.text("last_listed", entry.last_listed.as_deref());
    block.text("named_by", entry.named_by.as_deref());
}

fn modalities(block: &mut Block, name: &str, words: Option<&[Word<Modality>]>) {
    if let Some(words) = words
        && words != [Word(Modality::Text)]
    {
        let names: Vec<&str> = words.iter().map(Word::name).collect();
        block.list(name, &names);
    }
}

fn reasoning(entry: &ReasoningEntry) -> String {
    let mut fields = Fields::default();
    fields.add("mandatory", entry.mandatory.then_some(true));
    fields.add(
        "supported_efforts",
        entry.supported_efforts.as_ref().map(|efforts| {
            let names: Vec<&str> = efforts.iter().map(Word::name).collect();
            list(&names)
        }),
    );
    let default = entry.default_effort.map(|effort| quote(effort.name()));
    fields.add("default_effort", default);
    fields.add("default_enabled", entry.default_enabled);
    fields.add("supports_max_tokens", entry.supports_max_tokens);
    inline(&fields.0)
}

/// All endpoints of one provider. What equals the provider's or the model's is left out.
pub(crate) fn endpoints<'a>(
    provider: &str,
    dialect: Option<Word<Dialect>>,
    contexts: &BTreeMap<&str, Option<u64>>,
    entries: impl IntoIterator<Item = &'a EndpointEntry>,
) -> String {
    let mut block = Block::default();
    block.text("for_provider", Some(provider));
    for entry in entries {
        endpoint(&mut block, entry, dialect, contexts);
    }
    block.finish()
}

fn endpoint(
    block: &mut Block,
    entry: &EndpointEntry,
    dialect: Option<Word<Dialect>>,
    contexts: &BTreeMap<&str, Option<u64>>,
) {
    block.header("[[endpoints]]");
    block.text("model", Some(&entry.model));
    if entry.tag() != entry.provider {
        block.text("tag", entry.tag.as_deref());
    }
    block.text("upstream_model", entry.upstream_model.as_deref());
    if entry.dialect != dialect {
        block.text("dialect", entry.dialect.as_ref().map(Word::name));
    }
    if let Some(entry) = &entry.pricing {
        block.raw("pricing", &pricing(entry));
    }
    if let Some(prices) = &entry.unit_prices {
        let fields: Vec<(String, String)> = prices
            .iter()
            .map(|(name, listed)| (name.clone(), quote(&listed.text)))
            .collect();
        block.raw("unit_prices", &inline(&fields));
    }
    if contexts.get(entry.model.as_str()) != Some(&entry.context_length) {
        block.number("context_length", entry.context_length);
    }
    block.number("max_completion_tokens", entry.max_completion_tokens);
    block.number("max_prompt_tokens", entry.max_prompt_tokens);
    if entry.quantization != Some(Word(Quantization::Unknown)) {
        block.text("quantization", entry.quantization.as_ref().map(Word::name));
    }
    if let Some(parameters) = &entry.supported_parameters {
        let names: Vec<&str> = parameters.iter().map(Word::name).collect();
        block.list("supported_parameters", &names);
    }
    if entry.supports_implicit_caching == Some(true) {
        block.raw("supports_implicit_caching", "true");
    }
    if let Some(quirks) = &entry.quirks {
        block.raw("quirks", &inline(&quirks.stated()));
    }
    if entry.enabled == Some(false) {
        block.raw("enabled", "false");
    }
    block.text("source", entry.source.as_deref());
}

fn pricing(entry: &PricingEntry) -> String {
    let mut fields = Fields::default();
    for (name, listed) in entry.stated() {
        fields.add(name, Some(quote(&listed.text)));
    }
    if !entry.overrides.is_empty() {
        let tiers: Vec<String> = entry
            .overrides
            .iter()
            .map(|tier| {
                let mut fields = Fields::default();
                fields.add("min_prompt_tokens", Some(tier.min_prompt_tokens));
                for (name, listed) in tier.stated() {
                    fields.add(name, Some(quote(&listed.text)));
                }
                inline(&fields.0)
            })
            .collect();
        fields.add("overrides", Some(format!("[{}]", tiers.join(", "))));
    }
    inline(&fields.0)
}

/// Fields of an inline table.
#[derive(Default)]
struct Fields(Vec<(String, String)>);

impl Fields {
    fn add(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.0.push((name.to_owned(), value.to_string()));
        }
    }
}
