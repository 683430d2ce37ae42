//! The canonical request, borrowed from the bytes the client sent.
//!
//! Numbers and schemas stay as they were written (`RawValue`); strings are borrowed unless they
//! hold escapes. Nothing that only needs to be carried is parsed.

use interline_domain::{Parameters, Retry};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A chat request, every known field in its place.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    pub model: Option<Cow<'a, str>>,
    pub models: Vec<Cow<'a, str>>,
    pub messages: Vec<Message<'a>>,
    /// Instead of `messages`: the text-completion shape.
    pub prompt: Option<Cow<'a, str>>,
    pub stream: bool,
    pub tools: Vec<Tool<'a>>,
    pub tool_choice: Option<ToolChoice<'a>>,
    pub parallel_tool_calls: Option<bool>,
    pub response_format: Option<ResponseFormat<'a>>,
    /// `max_completion_tokens`, else `max_tokens`.
    pub max_tokens: Option<u64>,
    pub stop: Vec<Cow<'a, str>>,
    pub reasoning: Option<Reasoning<'a>>,
    pub verbosity: Option<Cow<'a, str>>,
    pub user: Option<Cow<'a, str>>,
    pub session_id: Option<Cow<'a, str>>,
    pub service_tier: Option<Cow<'a, str>>,
    /// Top-level automatic caching, as written.
    pub cache_control: Option<&'a RawValue>,
    pub modalities: Vec<Cow<'a, str>>,
    /// `provider` (routing preferences), as written.
    pub provider: Option<&'a RawValue>,
    /// Which parameters of the public vocabulary the request uses (present and not null).
    pub parameters: Parameters,
    /// Every top-level field, in order, as written: numbers such as `temperature` are read here.
    pub fields: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Request<'a> {
    /// A top-level field as it was written; `null` counts as absent.
    pub fn field(&self, name: &str) -> Option<&'a RawValue> {
        self.fields
            .iter()
            .rev()
            .find(|(key, value)| key == name && value.get() != "null")
            .map(|(_, value)| *value)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    System,
    Developer,
    User,
    Assistant,
    Tool,
}

#[derive(Clone, Debug)]
pub struct Message<'a> {
    pub role: Role,
    pub content: Content<'a>,
    pub name: Option<Cow<'a, str>>,
    pub tool_calls: Vec<ToolCall<'a>>,
    pub tool_call_id: Option<Cow<'a, str>>,
    /// `reasoning`, or its alias `reasoning_content`.
    pub reasoning: Option<Cow<'a, str>>,
    pub reasoning_details: Vec<ReasoningDetail<'a>>,
    pub refusal: Option<Cow<'a, str>>,
    /// The whole message as it was written.
    pub raw: &'a RawValue,
}

#[derive(Clone, Debug, Default)]
pub enum Content<'a> {
    /// `null` or absent.
    #[default]
    None,
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
}

#[derive(Clone, Debug)]
pub struct Part<'a> {
    pub kind: PartKind<'a>,
    /// `cache_control`, or the default marker for a `prompt_cache_breakpoint`, as written.
    pub cache_control: Option<&'a RawValue>,
    /// The whole part as it was written.
    pub raw: &'a RawValue,
}

#[derive(Clone, Debug)]
pub enum PartKind<'a> {
    Text(Cow<'a, str>),
    /// An https link or a `data:` URL.
    Image {
        url: Cow<'a, str>,
        detail: Option<Cow<'a, str>>,
    },
    /// Base64 and the format's name.
    Audio {
        data: Cow<'a, str>,
        format: Cow<'a, str>,
    },
    File {
        filename: Option<Cow<'a, str>>,
        /// An https link or a `data:` URL.
        data: Option<Cow<'a, str>>,
        file_id: Option<Cow<'a, str>>,
    },
    Video {
        url: Cow<'a, str>,
    },
    /// Of a type we do not know: carried where the dialect is the same, dropped elsewhere.
    Other,
}

#[derive(Clone, Debug)]
pub struct ToolCall<'a> {
    pub id: Cow<'a, str>,
    pub name: Cow<'a, str>,
    /// JSON text exactly as written; may be empty.
    pub arguments: Cow<'a, str>,
}

#[derive(Clone, Debug)]
pub struct Tool<'a> {
    pub name: Cow<'a, str>,
    pub description: Option<Cow<'a, str>>,
    /// JSON Schema as written.
    pub parameters: Option<&'a RawValue>,
    pub strict: Option<bool>,
    pub cache_control: Option<&'a RawValue>,
    pub raw: &'a RawValue,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    None,
    Auto,
    Required,
    Named(Cow<'a, str>),
}

#[derive(Clone, Debug)]
pub enum ResponseFormat<'a> {
    Text,
    JsonObject,
    JsonSchema {
        name: Cow<'a, str>,
        schema: &'a RawValue,
        strict: Option<bool>,
    },
    /// `grammar`, `python`, or something newer.
    Other(&'a RawValue),
}

/// How much to think, after the shorthands (`reasoning_effort`, `include_reasoning`) are merged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reasoning<'a> {
    /// `max|xhigh|high|medium|low|minimal|none`; `none` also for `enabled: false`.
    pub effort: Option<Cow<'a, str>>,
    pub max_tokens: Option<u64>,
    pub exclude: bool,
    pub summary: Option<Cow<'a, str>>,
}

#[derive(Clone, Debug)]
pub struct ReasoningDetail<'a> {
    pub kind: ReasoningDetailKind<'a>,
    pub id: Option<Cow<'a, str>>,
    /// `anthropic-claude-v1`, `google-gemini-v1`, …; absent counts as `anthropic-claude-v1`.
    pub format: Option<Cow<'a, str>>,
    pub index: Option<u64>,
}

#[derive(Clone, Debug)]
pub enum ReasoningDetailKind<'a> {
    Text {
        text: Cow<'a, str>,
        signature: Option<Cow<'a, str>>,
    },
    Summary {
        summary: Cow<'a, str>,
    },
    Encrypted {
        data: Cow<'a, str>,
    },
    /// A kind we do not know.
    Other,
}

/// Why a body is not a request: what was wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestError {
    pub error_type: interline_domain::ErrorType,
    /// JSON path of the first offending field: `messages[2].role`. Empty: the body as a whole.
    pub path: String,
    pub message: String,
}

impl RequestError {
    /// The refusal as a failure value, for errors found while encoding.
    pub fn into_failure(self) -> interline_domain::Failure {
        let message = if self.path.is_empty() {
            self.message
        } else {
            format!("{}: {}", self.path, self.message)
        };
        interline_domain::Failure {
            retry: Retry::No,
            ..interline_domain::Failure::invalid(self.error_type, message)
        }
    }
}
