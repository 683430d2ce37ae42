//! The canonical form of an answer: what adapters emit and skins render.
//!
//! Text is borrowed from the frame where it needs no unescaping, so that a translated event costs
//! no allocation of its own. Call indices are ours: 0-based, dense, in order of first appearance,
//! per choice. Ids and names appear once, arguments concatenate to JSON text.

use interline_domain::{Failure, FinishReason, Usage};
use std::borrow::Cow;

/// Who made a reasoning blob, and so who can read it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReasoningFormat {
    Unknown,
    Anthropic,
    Gemini,
    OpenAiResponses,
}

impl ReasoningFormat {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Anthropic => "anthropic-claude-v1",
            Self::Gemini => "google-gemini-v1",
            Self::OpenAiResponses => "openai-responses-v1",
        }
    }
}

/// One step of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The provider's labels. They are recorded, never shown as ours.
    Start {
        upstream_id: Option<Cow<'a, str>>,
        upstream_model: Option<Cow<'a, str>>,
    },
    Text {
        choice: u32,
        text: Cow<'a, str>,
    },
    Refusal {
        choice: u32,
        text: Cow<'a, str>,
    },
    /// Readable reasoning. `block` is the order of blocks within the message.
    Reasoning {
        choice: u32,
        block: u32,
        is_summary: bool,
        text: Cow<'a, str>,
        format: ReasoningFormat,
    },
    /// Seals the readable reasoning of `block`.
    ReasoningSignature {
        choice: u32,
        block: u32,
        signature: Cow<'a, str>,
        format: ReasoningFormat,
    },
    /// Reasoning that only its maker can read. For Gemini, `id` is the tool call it belongs to.
    ReasoningOpaque {
        choice: u32,
        block: u32,
        id: Option<Cow<'a, str>>,
        data: Cow<'a, str>,
        format: ReasoningFormat,
    },
    ToolStart {
        choice: u32,
        call: u32,
        id: Cow<'a, str>,
        name: Cow<'a, str>,
    },
    /// A fragment of the arguments' JSON text, as the provider wrote it.
    ToolArguments {
        choice: u32,
        call: u32,
        fragment: Cow<'a, str>,
    },
    /// A `data:` URL (or a link) of an image made.
    Image {
        choice: u32,
        url: Cow<'a, str>,
    },
    /// Base64 audio and the transcript that goes with it.
    Audio {
        choice: u32,
        id: Option<Cow<'a, str>>,
        data: Option<Cow<'a, str>>,
        transcript: Option<Cow<'a, str>>,
    },
    /// Offsets count Unicode code points of the content so far.
    UrlCitation {
        choice: u32,
        url: Cow<'a, str>,
        title: Option<Cow<'a, str>>,
        content: Option<Cow<'a, str>>,
        start_index: u64,
        end_index: u64,
    },
    /// Counters; the last one holds. It is a side channel and never ends a turn.
    Usage(Usage),
    /// `native` is the provider's own word, `None` where it gave none.
    Finish {
        choice: u32,
        reason: FinishReason,
        native: Option<Cow<'a, str>>,
    },
    /// The provider said that it failed, inside the answer.
    Failed(Failure),
}

/// Receives events; decoders call it, in order.
pub trait Sink {
    fn event(&mut self, event: Event<'_>);
}

impl<F: FnMut(Event<'_>)> Sink for F {
    fn event(&mut self, event: Event<'_>) {
        self(event);
    }
}

/// An incremental decoder of one provider stream. Bytes may be cut anywhere.
pub trait StreamDecoder {
    /// Feeds bytes. A protocol error comes back as `Err` (and nothing more may be fed); an error
    /// that the provider reports arrives as [`Event::Failed`].
    fn feed(&mut self, bytes: &[u8], sink: &mut dyn Sink) -> Result<(), Failure>;

    /// The body ended. `Err` if the protocol's terminal marker is missing.
    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Failure>;

    /// The terminal marker was seen: nothing more will come, the connection may be reused.
    fn is_done(&self) -> bool;
}
