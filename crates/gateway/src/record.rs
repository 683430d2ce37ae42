//! The record of one generation: what `GET /generation` shows, what the poster charges.
//!
//! It travels as JSON through the spool into the ledger's `generation.record` column, so a look-up
//! reads the same document from either. Fields are only ever added.

use serde_derive::{Deserialize, Serialize};

/// How a generation ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The client got the end marker, or would have.
    #[default]
    Complete,
    /// The client left a stream before its end.
    Cancelled,
    /// No answer, or one that broke off: nothing is owed.
    Failed,
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

/// One try at one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRecord {
    pub endpoint_id: String,
    pub provider_name: String,
    pub model: String,
    /// The provider's status; `None`: it never answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    pub latency_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// Why the endpoint had its place.
    pub reason: String,
}

/// Everything kept of a generation. No prompt, no answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    pub id: String,
    pub request_id: String,
    pub account: String,
    pub key_hash: String,
    /// Microseconds UTC.
    pub created_at: i64,
    pub outcome: Outcome,
    pub requested_model: String,
    pub model: String,
    pub provider_name: String,
    pub endpoint_id: String,
    pub streamed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_finish_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// To the first token; for whole answers, to the answer.
    pub latency_ms: u64,
    /// From the request to the end of the answer.
    pub generation_ms: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub cached_tokens: u64,
    pub cache_write_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    pub image_tokens: u64,
    pub web_searches: u64,
    pub prompt_images: u64,
    pub is_estimated: bool,
    /// What the account is charged, in nano-dollars.
    pub charged_nano: i64,
    /// What the cache saved (negative: its writes cost more), in nano-dollars.
    pub cache_saved_nano: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_referer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_id: Option<String>,
    pub region: String,
    /// The seed of the plan: with the catalogue and health of that moment it repeats the decision.
    pub route_seed: u64,
    pub attempts: Vec<AttemptRecord>,
}

/// What is known when the first attempt begins: enough to recognise a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    pub account: String,
    pub key_hash: String,
    pub created_at: i64,
    pub held_nano: i64,
    pub model: String,
}
