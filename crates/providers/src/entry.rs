//! Providers, models and endpoints as they stand in files: the built-in catalogue, an operator's
//! catalogue directory and `interline.toml` all use these.
//!
//! Every field but the identifying ones is optional, so that a later file states only what
//! differs. Defaults are applied once, in `assemble`.

use crate::quirks::{QuirkRule, QuirksEntry};
use crate::words::{Effort, ModelKind, Word, ZeroRetention};
use core::fmt;
use interline_domain::catalogue::{Auth, Dialect, Modality, Quantization};
use interline_domain::money::Price;
use interline_domain::parameters::Parameter;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_derive::Deserialize;
use std::collections::BTreeMap;

macro_rules! merge_options {
    ($base:expr, $over:expr, $($field:ident),+ $(,)?) => {
        $(if $over.$field.is_some() { $base.$field.clone_from(&$over.$field); })+
    };
}

/// `[provider]` of a catalogue file, `[[providers]]` of a configuration.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderEntry {
    pub slug: String,
    pub name: Option<String>,
    /// `host`, `lab`, `cloud`, `media` or `local`.
    pub kind: Option<String>,
    pub homepage: Option<String>,
    pub dialect: Option<Word<Dialect>>,
    /// May hold placeholders in braces, filled from `address_env`.
    pub base_url: Option<String>,
    /// Other wire formats, best first, and where they are spoken.
    pub protocols: Option<Vec<ProtocolEntry>>,
    /// Models (ids, `*` for any characters) served in the first dialect only: while that one is
    /// not spoken, `protocols` are no way to them.
    pub native_only: Option<Vec<String>>,
    pub auth: Option<Word<Auth>>,
    /// Environment variables that may hold the key; the first one set wins.
    pub env: Option<Vec<String>>,
    /// Placeholder of `base_url` to the environment variable that fills it.
    pub address_env: Option<BTreeMap<String, String>>,
    pub headquarters: Option<String>,
    pub datacenters: Option<Vec<String>>,
    pub privacy_policy_url: Option<String>,
    pub terms_of_service_url: Option<String>,
    pub status_page_url: Option<String>,
    pub data_policy: Option<DataPolicyEntry>,
    pub moderation_required: Option<bool>,
    /// For readers only.
    pub note: Option<String>,
    pub quirks: Option<QuirksEntry>,
    pub quirk_rules: Option<Vec<QuirkRule>>,
    /// `false` switches all endpoints of the provider off.
    pub enabled: Option<bool>,
    /// The key itself. Only in a configuration, never in a catalogue.
    pub api_key: Option<String>,
    /// Environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// File that holds the key.
    pub api_key_file: Option<String>,
}

impl fmt::Debug for ProviderEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderEntry")
            .field("slug", &self.slug)
            .field("dialect", &self.dialect)
            .field("base_url", &self.base_url)
            .field("api_key", &self.api_key.as_ref().map(|_| "[redacted]"))
            .field("api_key_env", &self.api_key_env)
            .field("api_key_file", &self.api_key_file)
            .finish_non_exhaustive()
    }
}

impl ProviderEntry {
    /// Lays `over` over `self`. Quirks are layers of their own and stay as they are.
    pub(crate) fn merge(&mut self, over: &Self) {
        merge_options!(
            self,
            over,
            name,
            kind,
            homepage,
            protocols,
            native_only,
            auth,
            env,
            address_env,
            headquarters,
            datacenters,
            privacy_policy_url,
            terms_of_service_url,
            status_page_url,
            moderation_required,
            note,
            enabled,
        );
        if let (Some(url), None) = (&over.base_url, &over.protocols) {
            // What stood at the old address moves along; what stood elsewhere is unknown now.
            let old = self.base_url.take();
            if let Some(protocols) = &mut self.protocols {
                protocols.retain(|protocol| Some(&protocol.base_url) == old.as_ref());
                for protocol in protocols {
                    protocol.base_url.clone_from(url);
                }
            }
        }
        merge_options!(self, over, dialect, base_url);
        if let Some(variable) = &over.api_key_env {
            self.env = Some(vec![variable.clone()]);
        }
        if let Some(over) = &over.data_policy {
            let policy = self.data_policy.get_or_insert_with(Default::default);
            merge_options!(
                policy,
                over,
                training,
                retains_prompts,
                retention_days,
                zdr,
                source
            );
        }
    }
}

/// A wire format and where it is spoken.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtocolEntry {
    pub dialect: Word<Dialect>,
    pub base_url: String,
}

/// What a provider does with prompts. Absent: nobody says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataPolicyEntry {
    /// Whether it may train on prompts.
    pub training: Option<bool>,
    pub retains_prompts: Option<bool>,
    pub retention_days: Option<u32>,
    /// Zero data retention: `default` holds for every call.
    pub zdr: Option<Word<ZeroRetention>>,
    /// Who says so.
    pub source: Option<String>,
}

/// `[[models]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// `author/slug[:variant]`, lower case.
    pub id: String,
    pub canonical_slug: Option<String>,
    pub name: Option<String>,
    /// `chat` unless the output modalities say otherwise.
    pub kind: Option<Word<ModelKind>>,
    /// Unix seconds.
    pub created: Option<i64>,
    /// Composed from the facts when absent.
    pub description: Option<String>,
    pub context_length: Option<u64>,
    pub hugging_face_id: Option<String>,
    pub input_modalities: Option<Vec<Word<Modality>>>,
    pub output_modalities: Option<Vec<Word<Modality>>>,
    pub tokenizer: Option<String>,
    pub instruct_type: Option<String>,
    pub knowledge_cutoff: Option<String>,
    pub expiration_date: Option<String>,
    pub default_parameters: Option<BTreeMap<String, Number>>,
    pub reasoning: Option<ReasoningEntry>,
    /// The model a `~…-latest` alias stands for.
    pub alias_target: Option<String>,
    pub is_distillable: Option<bool>,
    /// The newest public list that names the model.
    pub last_listed: Option<String>,
    /// `us` where no public list has the name.
    pub named_by: Option<String>,
}

impl ModelEntry {
    pub(crate) fn merge(&mut self, over: &Self) {
        merge_options!(
            self,
            over,
            canonical_slug,
            name,
            kind,
            created,
            description,
            context_length,
            hugging_face_id,
            input_modalities,
            output_modalities,
            tokenizer,
            instruct_type,
            knowledge_cutoff,
            expiration_date,
            default_parameters,
            reasoning,
            alias_target,
            is_distillable,
            last_listed,
            named_by,
        );
    }
}

/// Reasoning abilities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasoningEntry {
    #[serde(default)]
    pub mandatory: bool,
    /// Descending. Absent: any level. Empty: no effort control.
    pub supported_efforts: Option<Vec<Word<Effort>>>,
    pub default_effort: Option<Word<Effort>>,
    pub default_enabled: Option<bool>,
    pub supports_max_tokens: Option<bool>,
}

/// `[[endpoints]]`: one provider serving one model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointEntry {
    pub model: String,
    /// In a catalogue file it may stand once, as `for_provider`.
    #[serde(default)]
    pub provider: String,
    /// What requests target: `provider[/variant]`. Absent: the provider's slug.
    pub tag: Option<String>,
    /// The provider's own name of the model. Absent: assumed (see the guide).
    pub upstream_model: Option<String>,
    /// Where it differs from the provider's.
    pub dialect: Option<Word<Dialect>>,
    pub pricing: Option<PricingEntry>,
    /// Prices per image, second, character, page or search, for what is not priced by token.
    pub unit_prices: Option<BTreeMap<String, Listed>>,
    /// Where it differs from the model's.
    pub context_length: Option<u64>,
    pub max_completion_tokens: Option<u64>,
    pub max_prompt_tokens: Option<u64>,
    pub quantization: Option<Word<Quantization>>,
    /// Absent: what other endpoints of the model support, or everything if there are none.
    pub supported_parameters: Option<Vec<Word<Parameter>>>,
    pub supports_implicit_caching: Option<bool>,
    pub quirks: Option<QuirksEntry>,
    /// `false` switches the endpoint off.
    pub enabled: Option<bool>,
    /// Where the price comes from.
    pub source: Option<String>,
}

impl EndpointEntry {
    pub(crate) fn tag(&self) -> &str {
        self.tag.as_deref().unwrap_or(&self.provider)
    }

    /// Lays `over` over `self`. `pricing` is replaced whole: a stale sub-price under a new base
    /// price would be nobody's price.
    pub(crate) fn merge(&mut self, over: &Self) {
        merge_options!(
            self,
            over,
            upstream_model,
            dialect,
            context_length,
            max_completion_tokens,
            max_prompt_tokens,
            quantization,
            supported_parameters,
            supports_implicit_caching,
            enabled,
            source,
        );
        if over.pricing.is_some() {
            self.pricing.clone_from(&over.pricing);
            self.unit_prices.clone_from(&over.unit_prices);
        }
    }
}

/// A price as listed: a decimal string in dollars per unit. Negative means "unknown".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// As written.
    pub text: String,
    pub price: Option<Price>,
    /// Finer than a pico-dollar, so `price` is rounded up.
    pub is_rounded: bool,
}

impl Listed {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let found =
            Price::parse_listed(text).map_err(|error| format!("price `{text}`: {error}"))?;
        Ok(Self {
            text: text.to_owned(),
            price: found.map(|(price, _)| price),
            is_rounded: found.is_some_and(|(_, is_rounded)| is_rounded),
        })
    }
}

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListedVisitor;

        impl ListedVisitor {
            fn refuse<E: Error, T>(number: impl fmt::Display) -> Result<T, E> {
                Err(E::custom(format_args!(
                    "a price is a decimal string, not a number\nwrite it in quotes: \"{number}\""
                )))
            }
        }

        impl Visitor<'_> for ListedVisitor {
            type Value = Listed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal string such as \"0.000001\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Listed, E> {
                Listed::read(text).map_err(E::custom)
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Listed, E> {
                Self::refuse(number)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Listed, E> {
                Self::refuse(number)
            }
        }

        deserializer.deserialize_any(ListedVisitor)
    }
}

macro_rules! pricing_entry {
    ($($field:ident),+ $(,)?) => {
        /// Prices of an endpoint, in dollars per token unless the name says otherwise.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct PricingEntry {
            $(pub $field: Option<Listed>,)+
            /// Long-context tiers.
            #[serde(default)]
            pub overrides: Vec<OverrideEntry>,
        }

        impl PricingEntry {
            /// The field of that name.
            pub(crate) fn field(&mut self, name: &str) -> Option<&mut Option<Listed>> {
                match name {
                    $(stringify!($field) => Some(&mut self.$field),)+
                    _ => None,
                }
            }

            /// The base prices that are stated, by name, in the order of the files.
            pub(crate) fn stated(&self) -> impl Iterator<Item = (&'static str, &Listed)> {
                [$((stringify!($field), self.$field.as_ref())),+]
                    .into_iter()
                    .filter_map(|(name, listed)| Some((name, listed?)))
            }
        }
    };
}

pricing_entry!(
    prompt,
    completion,
    input_cache_read,
    input_cache_write,
    input_cache_write_1h,
    internal_reasoning,
    request,
    image,
    image_token,
    image_output,
    audio,
    audio_output,
    web_search,
);

/// Prices for prompts longer than a threshold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverrideEntry {
    /// Holds for prompts of strictly more tokens.
    pub min_prompt_tokens: u64,
    pub prompt: Option<Listed>,
    pub completion: Option<Listed>,
    pub input_cache_read: Option<Listed>,
    pub input_cache_write: Option<Listed>,
    pub input_cache_write_1h: Option<Listed>,
}

impl OverrideEntry {
    /// The field of that name.
    pub(crate) fn field(&mut self, name: &str) -> Option<&mut Option<Listed>> {
        Some(match name {
            "prompt" => &mut self.prompt,
            "completion" => &mut self.completion,
            "input_cache_read" => &mut self.input_cache_read,
            "input_cache_write" => &mut self.input_cache_write,
            "input_cache_write_1h" => &mut self.input_cache_write_1h,
            _ => return None,
        })
    }

    pub(crate) fn stated(&self) -> impl Iterator<Item = (&'static str, &Listed)> {
        [
            ("prompt", self.prompt.as_ref()),
            ("completion", self.completion.as_ref()),
            ("input_cache_read", self.input_cache_read.as_ref()),
            ("input_cache_write", self.input_cache_write.as_ref()),
            ("input_cache_write_1h", self.input_cache_write_1h.as_ref()),
        ]
        .into_iter()
        .filter_map(|(name, listed)| Some((name, listed?)))
    }
}

/// A number that is only passed on, kept as the text JSON would have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number(pub String);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;

        impl Visitor<'_> for NumberVisitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
                Ok(Number(number.to_string()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number.to_string()))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
                if number.is_finite() {
                    Ok(Number(number.to_string()))
                } else {
                    Err(E::custom("not a finite number"))
                }
            }
        }

        deserializer.deserialize_any(NumberVisitor)
    }
}

/// What one file of a catalogue may hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CatalogueFile {
    /// The provider of all endpoints in this file that name none.
    pub(crate) for_provider: Option<String>,
    pub(crate) provider: Option<ProviderEntry>,
    #[serde(default)]
    pub(crate) models: Vec<ModelEntry>,
    #[serde(default)]
    pub(crate) endpoints: Vec<EndpointEntry>,
    /// Rules for all providers.
    #[serde(default)]
    pub(crate) quirk_rules: Vec<QuirkRule>,
    /// Old and short names of models.
    #[serde(default)]
    pub(crate) aliases: BTreeMap<String, String>,
}
