//! Rows of the JSON tables as entries. What is wrong or not used is gathered, not fatal.

use super::Work;
use super::json::{JsonEndpoint, JsonListedModel, JsonModel, JsonPricing, JsonProvider, Rows};
use crate::entry::{
    DataPolicyEntry, EndpointEntry, Listed, ModelEntry, Number, OverrideEntry, PricingEntry,
    ProtocolEntry, ProviderEntry, ReasoningEntry,
};
use crate::problem::{Place, Problem};
use crate::words::{ModelKind, Named, Word};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;

impl Work {
    pub(super) fn rows<T: DeserializeOwned>(&mut self, file: &str, text: &str) -> Vec<T> {
        match serde_json::from_str::<Rows<T>>(text) {
            Ok(rows) => rows.into_vec(),
            Err(error) => {
                let line_start: usize = text
                    .split_inclusive('\n')
                    .take(error.line().saturating_sub(1))
                    .map(str::len)
                    .sum();
                let at = line_start + error.column().saturating_sub(1);
                let mut place = Place::of(file, text, &(at..at + 1));
                // Tables may stand on one line of a megabyte.
                if place.text.len() > 200 {
                    "(a long line)".clone_into(&mut place.text);
                    place.width = 1;
                }
                self.problems
                    .push(Problem::new(error.to_string()).at(Some(place)));
                Vec::new()
            }
        }
    }

    /// Reads a word; what is unknown is a problem of `of`.
    fn word<T: Named + PartialEq>(&mut self, of: &str, name: &str) -> Option<Word<T>> {
        match Word::<T>::read(name) {
            Ok(word) => Some(word),
            Err(problem) => {
                let message = format!("{of}: {}", problem.message);
                self.problems.push(Problem { message, ..problem });
                None
            }
        }
    }

    fn words<T: Named + PartialEq>(&mut self, of: &str, names: &[String]) -> Vec<Word<T>> {
        names
            .iter()
            .filter_map(|name| self.word(of, name))
            .collect()
    }

    fn listed_price(&mut self, of: &str, text: &str) -> Option<Listed> {
        match Listed::read(text) {
            Ok(listed) => Some(listed),
            Err(message) => {
                self.problems.push(Problem::new(format!("{of}: {message}")));
                None
            }
        }
    }

    pub(super) fn provider(&mut self, row: JsonProvider) -> ProviderEntry {
        let of = format!("provider {}", row.slug);
        let protocols: Vec<ProtocolEntry> = row
            .protocols
            .into_iter()
            .skip(1)
            .filter_map(|protocol| {
                Some(ProtocolEntry {
                    dialect: self.word(&of, &protocol.dialect)?,
                    base_url: protocol.base_url?,
                })
            })
            .collect();
        let policy = DataPolicyEntry {
            training: row.data_policy.may_train,
            retains_prompts: row.data_policy.retains_prompts,
            retention_days: row.data_policy.retention_days,
            zdr: row
                .data_policy
                .zdr
                .filter(|zdr| zdr != "unknown")
                .and_then(|zdr| self.word(&of, &zdr)),
            source: row.data_policy.src.filter(|source| source != "unknown"),
        };
        let unconfirmed = row
            .base_url_src
            .is_some_and(|source| source.contains("not confirmed"));
        ProviderEntry {
            name: row.name,
            kind: row.kind,
            homepage: row.homepage,
            dialect: self.word(&of, &row.dialect),
            base_url: row.base_url,
            protocols: (!protocols.is_empty()).then_some(protocols),
            auth: self.word(&of, &row.auth),
            env: (!row.env.is_empty()).then_some(row.env),
            headquarters: row.headquarters,
            datacenters: (!row.datacenters.is_empty()).then_some(row.datacenters),
            privacy_policy_url: row.privacy_policy_url,
            terms_of_service_url: row.terms_of_service_url,
            status_page_url: row.status_page_url,
            data_policy: (policy != DataPolicyEntry::default()).then_some(policy),
            moderation_required: row.moderation_required.then_some(true),
            note: row
                .note
                .or_else(|| unconfirmed.then(|| "base URL not confirmed by a source".to_owned())),
            slug: row.slug,
            ..ProviderEntry::default()
        }
    }

    pub(super) fn model(&mut self, row: JsonModel) -> ModelEntry {
        let of = format!("model {}", row.id);
        let is_composed = !matches!(row.kind.as_str(), "alias" | "router");
        let defaults: BTreeMap<String, Number> = row
            .default_parameters
            .into_iter()
            .flatten()
            .filter_map(|(name, number)| Some((name, Number(number?.to_string()))))
            .collect();
        let kind = (row.kind != "chat")
            .then(|| self.word::<ModelKind>(&of, &row.kind))
            .flatten();
        ModelEntry {
            canonical_slug: row.canonical_slug.filter(|slug| *slug != row.id),
            name: row.name,
            kind,
            created: row.created,
            // Composed descriptions are composed again from the facts at start.
            description: row.description.filter(|_| !is_composed),
            context_length: row.context_length,
            hugging_face_id: row.hugging_face_id,
            input_modalities: Some(self.words(&of, &row.architecture.input_modalities)),
            output_modalities: Some(self.words(&of, &row.architecture.output_modalities)),
            tokenizer: row.architecture.tokenizer.filter(|name| name != "Other"),
            instruct_type: row.architecture.instruct_type,
            knowledge_cutoff: row.knowledge_cutoff,
            expiration_date: row.expiration_date,
            default_parameters: (!defaults.is_empty()).then_some(defaults),
            reasoning: row.reasoning.map(|reasoning| ReasoningEntry {
                mandatory: reasoning.mandatory,
                // JSON: null is any level, absent is no effort control.
                supported_efforts: match reasoning.supported_efforts {
                    None => Some(Vec::new()),
                    Some(None) => None,
                    Some(Some(efforts)) => Some(self.words(&of, &efforts)),
                },
                default_effort: reasoning
                    .default_effort
                    .and_then(|effort| self.word(&of, &effort)),
                default_enabled: reasoning.default_enabled,
                supports_max_tokens: reasoning.supports_max_tokens,
            }),
            alias_target: row.alias_target.and_then(|target| {
                // A plain id, or `{slug, name}` as the public API shows it.
                let slug = target.get("slug").unwrap_or(&target);
                slug.as_str().map(str::to_owned)
            }),
            is_distillable: None,
            last_listed: row.last_listed,
            named_by: row.named_by,
            id: row.id,
        }
    }

    pub(super) fn endpoint(&mut self, row: JsonEndpoint) -> EndpointEntry {
        let of = format!("endpoint {}@{}", row.model, row.tag);
        let unit_prices: BTreeMap<String, Listed> = row
            .unit_prices
            .into_iter()
            .filter_map(|(name, text)| Some((name, self.listed_price(&of, &text)?)))
            .collect();
        let mut pricing = self.pricing(&of, row.pricing);
        // "0" beside a price per image or second is no free token: it is no price per token.
        let is_zero = |listed: &Option<Listed>| listed.as_ref().is_some_and(|l| l.text == "0");
        if !unit_prices.is_empty() && is_zero(&pricing.prompt) && is_zero(&pricing.completion) {
            pricing.prompt = None;
            pricing.completion = None;
        }
        let source = match (row.src.price, row.src.host) {
            (Some(price), Some(host)) => Some(format!("{price}; host {host}")),
            (price, host) => price.or(host),
        };
        EndpointEntry {
            tag: (row.tag != row.provider).then_some(row.tag),
            upstream_model: row.provider_model_id,
            dialect: row.dialect.and_then(|dialect| self.word(&of, &dialect)),
            pricing: (pricing != PricingEntry::default()).then_some(pricing),
            unit_prices: (!unit_prices.is_empty()).then_some(unit_prices),
            context_length: row.context_length,
            max_completion_tokens: row.max_completion_tokens,
            max_prompt_tokens: row.max_prompt_tokens,
            quantization: row
                .quantization
                .filter(|name| name != "unknown")
                .and_then(|name| self.word(&of, &name)),
            supported_parameters: Some(self.words(&of, &row.supported_parameters)),
            supports_implicit_caching: row.supports_implicit_caching.then_some(true),
            source,
            model: row.model,
            provider: row.provider,
            ..EndpointEntry::default()
        }
    }

    fn pricing(&mut self, of: &str, row: JsonPricing) -> PricingEntry {
        let mut pricing = PricingEntry::default();
        for (name, value) in row.0 {
            if let (Some(field), Some(text)) = (pricing.field(&name), value.as_str()) {
                *field = self.listed_price(of, text);
            } else if let ("overrides", Some(tiers)) = (name.as_str(), value.as_array()) {
                for tier in tiers {
                    pricing.overrides.extend(self.tier(of, tier));
                }
            } else if !value.is_null() {
                self.notes.push(format!("{of}: price `{name}` is not used"));
            }
        }
        pricing
    }

    fn tier(&mut self, of: &str, tier: &Value) -> Option<OverrideEntry> {
        let Some(min_prompt_tokens) = tier.get("min_prompt_tokens").and_then(Value::as_u64) else {
            self.notes.push(format!(
                "{of}: a price override without `min_prompt_tokens` is not used"
            ));
            return None;
        };
        let mut entry = OverrideEntry {
            min_prompt_tokens,
            ..OverrideEntry::default()
        };
        for (name, value) in tier.as_object()? {
            if let (Some(field), Some(text)) = (entry.field(name), value.as_str()) {
                *field = self.listed_price(of, text);
            }
        }
        Some(entry)
    }

    pub(super) fn listed(
        &mut self,
        row: JsonListedModel,
        provider: &str,
    ) -> (ModelEntry, EndpointEntry) {
        let of = format!("model {}", row.model.id);
        let mut pricing = self.pricing(&of, row.pricing);
        // Model lists write "0" for prices that do not apply.
        for name in ["request", "image", "web_search", "internal_reasoning"] {
            if let Some(field) = pricing.field(name)
                && field.as_ref().is_some_and(|listed| listed.text == "0")
            {
                *field = None;
            }
        }
        let parameters = row
            .supported_parameters
            .iter()
            .filter_map(|name| Word::read(name).ok())
            .collect();
        let upstream = row.model.id.clone();
        let mut model = self.model(row.model);
        model.id = model.id.to_ascii_lowercase();
        let endpoint = EndpointEntry {
            model: model.id.clone(),
            provider: provider.to_owned(),
            upstream_model: Some(upstream),
            pricing: Some(pricing),
            context_length: row.top_provider.context_length.or(model.context_length),
            max_completion_tokens: row.top_provider.max_completion_tokens,
            supported_parameters: Some(parameters),
            source: Some("model list of the provider".to_owned()),
            ..EndpointEntry::default()
        };
        (model, endpoint)
    }
}
