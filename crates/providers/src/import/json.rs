//! The rows of the JSON tables. Fields we do not use are passed over.

use serde::de::{Deserialize, Deserializer};
use serde_derive::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// `{"data": [row, …]}` or the bare list.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Rows<T> {
    Wrapped { data: Vec<T> },
    Bare(Vec<T>),
}

impl<T> Rows<T> {
    pub(super) fn into_vec(self) -> Vec<T> {
        match self {
            Self::Wrapped { data } | Self::Bare(data) => data,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct JsonProvider {
    pub(super) slug: String,
    pub(super) name: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) homepage: Option<String>,
    pub(super) base_url: Option<String>,
    pub(super) base_url_src: Option<String>,
    pub(super) dialect: String,
    /// The first is the headline again.
    #[serde(default)]
    pub(super) protocols: Vec<JsonProtocol>,
    pub(super) auth: String,
    #[serde(default)]
    pub(super) env: Vec<String>,
    pub(super) headquarters: Option<String>,
    #[serde(default)]
    pub(super) datacenters: Vec<String>,
    pub(super) privacy_policy_url: Option<String>,
    pub(super) terms_of_service_url: Option<String>,
    pub(super) status_page_url: Option<String>,
    #[serde(default)]
    pub(super) data_policy: JsonPolicy,
    #[serde(default)]
    pub(super) moderation_required: bool,
    pub(super) note: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct JsonProtocol {
    pub(super) dialect: String,
    pub(super) base_url: Option<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct JsonPolicy {
    pub(super) may_train: Option<bool>,
    pub(super) retains_prompts: Option<bool>,
    pub(super) retention_days: Option<u32>,
    pub(super) zdr: Option<String>,
    pub(super) src: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct JsonModel {
    pub(super) id: String,
    pub(super) canonical_slug: Option<String>,
    pub(super) name: Option<String>,
    #[serde(default = "chat")]
    pub(super) kind: String,
    pub(super) created: Option<i64>,
    pub(super) description: Option<String>,
    pub(super) context_length: Option<u64>,
    pub(super) hugging_face_id: Option<String>,
    #[serde(default)]
    pub(super) architecture: JsonArchitecture,
    pub(super) default_parameters: Option<BTreeMap<String, Option<serde_json::Number>>>,
    pub(super) knowledge_cutoff: Option<String>,
    pub(super) expiration_date: Option<String>,
    pub(super) reasoning: Option<JsonReasoning>,
    pub(super) alias_target: Option<Value>,
    pub(super) last_listed: Option<String>,
    pub(super) named_by: Option<String>,
}

fn chat() -> String {
    "chat".to_owned()
}

#[derive(Deserialize)]
#[serde(default)]
pub(super) struct JsonArchitecture {
    pub(super) input_modalities: Vec<String>,
    pub(super) output_modalities: Vec<String>,
    pub(super) tokenizer: Option<String>,
    pub(super) instruct_type: Option<String>,
}

impl Default for JsonArchitecture {
    fn default() -> Self {
        Self {
            input_modalities: vec!["text".to_owned()],
            output_modalities: vec!["text".to_owned()],
            tokenizer: None,
            instruct_type: None,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct JsonReasoning {
    #[serde(default)]
    pub(super) mandatory: bool,
    /// Absent and `null` mean different things.
    #[serde(default, deserialize_with = "present")]
    #[expect(
        clippy::option_option,
        reason = "absent, null and a list are three answers"
    )]
    pub(super) supported_efforts: Option<Option<Vec<String>>>,
    pub(super) default_effort: Option<String>,
    pub(super) default_enabled: Option<bool>,
    pub(super) supports_max_tokens: Option<bool>,
}

#[expect(
    clippy::option_option,
    reason = "absent, null and a list are three answers"
)]
fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<Vec<String>>>, D::Error> {
    Option::<Vec<String>>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
pub(super) struct JsonEndpoint {
    pub(super) model: String,
    pub(super) provider: String,
    pub(super) tag: String,
    pub(super) provider_model_id: Option<String>,
    pub(super) dialect: Option<String>,
    #[serde(default)]
    pub(super) pricing: JsonPricing,
    #[serde(default)]
    pub(super) unit_prices: BTreeMap<String, String>,
    pub(super) context_length: Option<u64>,
    pub(super) max_completion_tokens: Option<u64>,
    pub(super) max_prompt_tokens: Option<u64>,
    pub(super) quantization: Option<String>,
    #[serde(default)]
    pub(super) supported_parameters: Vec<String>,
    #[serde(default)]
    pub(super) supports_implicit_caching: bool,
    #[serde(default)]
    pub(super) src: JsonSource,
}

#[derive(Default, Deserialize)]
pub(super) struct JsonSource {
    pub(super) price: Option<String>,
    pub(super) host: Option<String>,
}

/// Prices by name; `overrides` is a list.
#[derive(Default, Deserialize)]
#[serde(transparent)]
pub(super) struct JsonPricing(pub(super) Map<String, Value>);

/// A row of an OpenRouter-style `GET /models`.
#[derive(Deserialize)]
pub(super) struct JsonListedModel {
    #[serde(flatten)]
    pub(super) model: JsonModel,
    #[serde(default)]
    pub(super) pricing: JsonPricing,
    #[serde(default)]
    pub(super) top_provider: JsonTopProvider,
    #[serde(default)]
    pub(super) supported_parameters: Vec<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct JsonTopProvider {
    pub(super) context_length: Option<u64>,
    pub(super) max_completion_tokens: Option<u64>,
}
