//! What an encoder must know of the endpoint it writes for, and what it gives back.

use bytes::Bytes;
use interline_domain::Parameters;
use interline_domain::catalogue::Reasoning;
use interline_domain::quirks::Quirks;

/// The endpoint a request is encoded for. Borrowed from the catalogue snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The provider's own name of the model.
    pub upstream_model: &'a str,
    /// The longest answer the endpoint can give, in tokens.
    pub max_completion_tokens: Option<u64>,
    /// Parameters the endpoint supports; anything else of the vocabulary is dropped.
    pub parameters: Parameters,
    pub quirks: &'a Quirks,
    /// The model's reasoning abilities, if it has any.
    pub reasoning: Option<&'a Reasoning>,
    /// Ask for at most this many output tokens, whatever the caller wrote: what is affordable.
    pub output_cap: Option<u64>,
    /// The hashed end user, where the provider wants an identity. Never the raw one.
    pub user_hash: Option<&'a str>,
    /// Sealed reasoning of the history is left out (after the provider refused it once).
    pub strip_sealed_reasoning: bool,
    /// `max_tokens` is sent under the other name (after the provider refused the first).
    pub swap_limit_field: bool,
}

/// What the answer's decoder must undo of how the request was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadBack {
    /// Structured output is asked for through a tool of this name: its arguments are the content.
    pub json_tool: Option<String>,
    /// Tool names that the provider does not take: `(what was sent, what the caller wrote)`.
    pub tool_names: Vec<(String, String)>,
}

/// A request as the provider will get it. Credentials are attached later, by `outbound`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Appended to the endpoint's base URL: `/chat/completions`.
    pub path: String,
    /// Beyond `content-type`, `accept` and the credential: lower-case names.
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    /// Handed to the decoder of the answer.
    pub read_back: ReadBack,
}
