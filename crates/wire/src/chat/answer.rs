//! What every way of answering has in common: who answers, what was counted, how it ends.
//!
//! The end is withheld: an answer writer keeps the finish reason and the usage to itself until
//! the caller has made the charge durable and calls `finish`. So a stream that was not settled
//! never looks finished.

use bytes::{Bytes, BytesMut};
use interline_domain::pricing::Charge;
use interline_domain::{Failure, FinishReason, Usage};

/// Whose answer it is. The strings are written into every chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Our generation id, `gen-…`.
    pub id: String,
    /// The concrete model that answers, `author/slug`.
    pub model: String,
    /// The provider's display name.
    pub provider: String,
    /// Unix seconds, the same on all chunks.
    pub created: i64,
    /// Reasoning happens but is not shown: `reasoning` and `reasoning_details` are left out.
    pub exclude_reasoning: bool,
}

/// What was counted while an answer passed by. Counters, never the text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meter {
    /// A token was produced: text, refusal, reasoning, a call, an image, audio. Comments, roles,
    /// empty deltas and pings are not content.
    pub has_content: bool,
    pub text_bytes: u64,
    pub reasoning_bytes: u64,
    pub argument_bytes: u64,
    pub tool_calls: u32,
    pub images: u32,
    /// The last usage the provider reported, normalised.
    pub usage: Option<Usage>,
    /// The first choice's end, as it will be written.
    pub finish: Option<(FinishReason, Option<String>)>,
    /// The provider's own id of the answer.
    pub upstream_id: Option<String>,
    /// The provider's service tier, its synonyms already brought to ours.
    pub service_tier: Option<String>,
}

/// What is written after the last content, once the charge is durable.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tail {
    pub usage: Usage,
    pub charge: Charge,
    pub is_byok: bool,
    /// `openrouter_metadata`, already JSON.
    pub metadata: Option<String>,
}

/// A streamed answer in our chat form: upstream bytes in, client bytes out.
pub trait ChatStream: Send {
    /// Feeds upstream bytes, cut anywhere; appends whole SSE events for the client. `Err`: the
    /// provider broke its protocol or reported a failure. What was appended before stands.
    fn feed(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), Failure>;

    /// The upstream body ended. `Err` if the protocol's terminal marker is missing.
    fn end(&mut self, out: &mut BytesMut) -> Result<(), Failure>;

    /// The terminal marker was seen; what may still come is of no interest.
    fn is_done(&self) -> bool;

    fn meter(&self) -> &Meter;

    /// Writes the withheld finish chunk(s), the usage chunk (`choices: []`) and `[DONE]`.
    fn finish(&mut self, tail: &Tail, out: &mut BytesMut);

    /// Ends the stream with the documented error chunk and `[DONE]`. `error` is the JSON object
    /// that goes under `error`; `metadata` the one under `openrouter_metadata`.
    fn fail(&mut self, error: &str, metadata: Option<&str>, out: &mut BytesMut);
}

/// A whole answer in our chat form, waiting for its charge.
pub trait ChatAnswer: Send {
    fn meter(&self) -> &Meter;

    /// The response body.
    fn finish(self: Box<Self>, tail: &Tail) -> Bytes;
}
