//! The state of one answer: blocks in, events out. Knows nothing of framing.

use super::schema::{Block, Citation, Delta, Text, UsageReport};
use super::usage::Counters;
use crate::event::{Event, ReasoningFormat, Sink};
use crate::failure::classify;
use crate::target::ReadBack;
use interline_domain::FinishReason;
use interline_domain::catalogue::Dialect;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Anthropic answers with one choice.
const CHOICE: u32 = 0;

#[derive(Debug)]
pub(super) struct Answer {
    read_back: ReadBack,
    has_started: bool,
    open: Vec<OpenBlock>,
    /// Unicode code points of content so far: what citation offsets count.
    content_length: u64,
    reasoning_blocks: u32,
    calls: u32,
    /// The JSON tool was called; a second call would spoil the document.
    has_json: bool,
    /// Text seen while a JSON document is awaited from the JSON tool.
    held_text: String,
    counters: Counters,
    /// A usage report has not been passed on yet.
    usage_is_due: bool,
    native_finish: Option<String>,
}

#[derive(Debug)]
struct OpenBlock {
    index: u64,
    kind: OpenKind,
}

#[derive(Debug)]
enum OpenKind {
    Text {
        start: u64,
        citations: Vec<HeldCitation>,
    },
    Thinking {
        block: u32,
    },
    Tool {
        output: ToolOutput,
        has_arguments: bool,
        /// Arguments given with the start of the block, compact. Deltas win over them.
        input: Option<String>,
    },
    /// Of a kind that has no place in a chat answer.
    Skipped,
}

#[derive(Clone, Copy, Debug)]
enum ToolOutput {
    Call(u32),
    Content,
    Nowhere,
}

/// A citation waits for the end of its block, whose extent it covers.
#[derive(Debug)]
struct HeldCitation {
    url: String,
    title: Option<String>,
    content: Option<String>,
}

impl Answer {
    pub(super) fn new(read_back: ReadBack) -> Self {
        Self {
            read_back,
            has_started: false,
            open: Vec::new(),
            content_length: 0,
            reasoning_blocks: 0,
            calls: 0,
            has_json: false,
            held_text: String::new(),
            counters: Counters::default(),
            usage_is_due: false,
            native_finish: None,
        }
    }

    pub(super) fn start(
        &mut self,
        id: Option<Text<'_>>,
        model: Option<Text<'_>>,
        sink: &mut dyn Sink,
    ) {
        // Once: a relay that fails over in mid-stream begins anew.
        if std::mem::replace(&mut self.has_started, true) {
            return;
        }
        sink.event(Event::Start {
            upstream_id: Text::filled(id),
            upstream_model: Text::filled(model),
        });
    }

    pub(super) fn merge_usage(&mut self, report: UsageReport) {
        self.counters.merge(report);
        self.usage_is_due = true;
    }

    /// Passes the counters on. Those of the stream's start are not passed on: they lack the output.
    pub(super) fn report_usage(&mut self, sink: &mut dyn Sink) {
        if let Some(usage) = self.counters.usage().filter(|_| self.usage_is_due) {
            self.usage_is_due = false;
            sink.event(Event::Usage(usage));
        }
    }

    pub(super) fn set_stop_reason(&mut self, reason: Option<Text<'_>>) {
        if let Some(reason) = Text::filled(reason) {
            self.native_finish = Some(reason.into_owned());
        }
    }

    /// A block starts. A whole block (or one from a relay that does not stream it) already holds
    /// its content here.
    pub(super) fn open_block(&mut self, index: u64, block: Block<'_>, sink: &mut dyn Sink) {
        // An index that comes again means that its first block ended without saying so.
        self.close_block(index, sink);
        let kind = match &*block.kind {
            "text" => self.open_text(block, sink),
            "thinking" => self.open_thinking(block, sink),
            "redacted_thinking" => {
                self.redacted_thinking(block, sink);
                OpenKind::Skipped
            }
            "tool_use" => self.open_tool(block, sink),
            // server_tool_use and its results, compaction, fallback, and whatever comes next.
            _ => OpenKind::Skipped,
        };
        self.open.push(OpenBlock { index, kind });
    }

    fn open_text(&mut self, block: Block<'_>, sink: &mut dyn Sink) -> OpenKind {
        let start = self.content_length;
        if let Some(text) = Text::filled(block.text) {
            self.text(text, sink);
        }
        let citations = block.citations.unwrap_or_default();
        OpenKind::Text {
            start,
            citations: citations.into_iter().filter_map(hold_citation).collect(),
        }
    }

    fn open_thinking(&mut self, block: Block<'_>, sink: &mut dyn Sink) -> OpenKind {
        let order = self.next_reasoning_block();
        if let Some(text) = Text::filled(block.thinking) {
            reasoning(order, text, sink);
        }
        if let Some(signature) = Text::filled(block.signature) {
            reasoning_signature(order, signature, sink);
        }
        OpenKind::Thinking { block: order }
    }

    fn redacted_thinking(&mut self, block: Block<'_>, sink: &mut dyn Sink) {
        if let Some(data) = Text::filled(block.data) {
            sink.event(Event::ReasoningOpaque {
                choice: CHOICE,
                block: self.next_reasoning_block(),
                id: None,
                data,
                format: ReasoningFormat::Anthropic,
            });
        }
    }

    fn open_tool(&mut self, block: Block<'_>, sink: &mut dyn Sink) -> OpenKind {
        let name = block.name.unwrap_or_default().0;
        let output = if self.read_back.json_tool.as_deref() == Some(&*name) {
            self.open_json()
        } else {
            self.open_call(block.id.unwrap_or_default().0, name, sink)
        };
        OpenKind::Tool {
            output,
            has_arguments: false,
            input: block.input.and_then(filled_input),
        }
    }

    /// The call that stands for a JSON answer. What was said before it is no part of the document.
    fn open_json(&mut self) -> ToolOutput {
        if self.has_json {
            return ToolOutput::Nowhere;
        }
        self.has_json = true;
        self.held_text.clear();
        ToolOutput::Content
    }

    fn open_call(
        &mut self,
        id: Cow<'_, str>,
        name: Cow<'_, str>,
        sink: &mut dyn Sink,
    ) -> ToolOutput {
        let call = self.calls;
        self.calls = self.calls.saturating_add(1);
        let mut pairs = self.read_back.tool_names.iter();
        let name = match pairs.find(|(sent, _)| *sent == name) {
            Some((_, original)) => Cow::Owned(original.clone()),
            None => name,
        };
        sink.event(Event::ToolStart {
            choice: CHOICE,
            call,
            id,
            name,
        });
        ToolOutput::Call(call)
    }

    pub(super) fn delta(&mut self, index: u64, delta: Delta<'_>, sink: &mut dyn Sink) {
        let is_open = self.open.iter().any(|block| block.index == index);
        if !is_open {
            self.open_for(index, &delta, sink);
        }
        let Some(position) = self.open.iter().position(|block| block.index == index) else {
            return;
        };
        // Taken out while its delta is handled, so that the answer and the block can both change.
        let mut block = self.open.swap_remove(position);
        match (&mut block.kind, &*delta.kind) {
            (OpenKind::Text { .. }, "text_delta") => {
                if let Some(text) = Text::filled(delta.text) {
                    self.text(text, sink);
                }
            }
            (OpenKind::Text { citations, .. }, "citations_delta") => {
                citations.extend(delta.citation.and_then(hold_citation));
            }
            (OpenKind::Thinking { block }, "thinking_delta") => {
                if let Some(text) = Text::filled(delta.thinking) {
                    reasoning(*block, text, sink);
                }
            }
            (OpenKind::Thinking { block }, "signature_delta") => {
                if let Some(signature) = Text::filled(delta.signature) {
                    reasoning_signature(*block, signature, sink);
                }
            }
            (
                OpenKind::Tool {
                    output,
                    has_arguments,
                    ..
                },
                "input_json_delta",
            ) => {
                let fragment = delta.partial_json.unwrap_or_default().0;
                // White space before the first token would hide that nothing came (T12).
                if *has_arguments || !fragment.trim_ascii().is_empty() {
                    *has_arguments = true;
                    self.arguments(*output, fragment, sink);
                }
            }
            // A delta of another kind, or one that does not fit its block.
            _ => {}
        }
        self.open.push(block);
    }

    /// Some relays leave `content_block_start` out of text; the delta says what it belongs to.
    fn open_for(&mut self, index: u64, delta: &Delta<'_>, sink: &mut dyn Sink) {
        let kind = match &*delta.kind {
            "text_delta" => "text",
            "thinking_delta" | "signature_delta" => "thinking",
            _ => return,
        };
        let block = Block {
            kind: Cow::Borrowed(kind),
            ..Block::default()
        };
        self.open_block(index, block, sink);
    }

    pub(super) fn close_block(&mut self, index: u64, sink: &mut dyn Sink) {
        let position = self.open.iter().position(|block| block.index == index);
        let Some(position) = position else {
            return;
        };
        match self.open.remove(position).kind {
            OpenKind::Text { start, citations } => self.close_text(start, citations, sink),
            OpenKind::Tool {
                output,
                has_arguments: false,
                input,
            } => {
                let arguments = input.map_or(Cow::Borrowed("{}"), Cow::Owned);
                self.arguments(output, arguments, sink);
            }
            OpenKind::Tool { .. } | OpenKind::Thinking { .. } | OpenKind::Skipped => {}
        }
    }

    fn close_text(&mut self, start: u64, citations: Vec<HeldCitation>, sink: &mut dyn Sink) {
        if self.read_back.json_tool.is_some() {
            return; // offsets into text that may not become content
        }
        for citation in citations {
            sink.event(Event::UrlCitation {
                choice: CHOICE,
                url: Cow::Owned(citation.url),
                title: citation.title.map(Cow::Owned),
                content: citation.content.map(Cow::Owned),
                start_index: start,
                end_index: self.content_length,
            });
        }
    }

    /// The protocol's own end: closes what is open and says how the answer ended.
    pub(super) fn finish(&mut self, sink: &mut dyn Sink) {
        while let Some(index) = self.open.first().map(|block| block.index) {
            self.close_block(index, sink);
        }
        self.release_text(sink);
        self.report_usage(sink);
        let native = self.native_finish.take();
        let reason = native.as_deref().and_then(FinishReason::from_native);
        let reason = match reason.unwrap_or(FinishReason::Stop) {
            // Only the JSON tool was called, and its call is the content.
            FinishReason::ToolCalls if self.calls == 0 => FinishReason::Stop,
            reason => reason.with_tool_calls(self.calls > 0),
        };
        sink.event(Event::Finish {
            choice: CHOICE,
            reason,
            native: native.map(Cow::Owned),
        });
    }

    /// The provider says that it failed; `body` is the whole event or answer.
    pub(super) fn fail(&mut self, error_type: Option<&str>, body: &[u8], sink: &mut dyn Sink) {
        self.release_text(sink);
        let status = error_type.map_or(500, status_of);
        let mut failure = classify(Dialect::AnthropicMessages, status, &|_| None, body);
        if failure.provider_code.is_none() {
            failure.provider_code = error_type.map(str::to_owned);
        }
        sink.event(Event::Finish {
            choice: CHOICE,
            reason: FinishReason::Error,
            native: error_type.map(Cow::Borrowed),
        });
        sink.event(Event::Failed(failure));
    }

    /// Gives out the text that was held back for a JSON document that did not come.
    pub(super) fn release_text(&mut self, sink: &mut dyn Sink) {
        let text = std::mem::take(&mut self.held_text);
        if !text.is_empty() {
            self.content(Cow::Owned(text), sink);
        }
    }

    fn text(&mut self, text: Cow<'_, str>, sink: &mut dyn Sink) {
        match (&self.read_back.json_tool, self.has_json) {
            (None, _) => self.content(text, sink),
            // Perhaps only a preamble to the document; bounded by the answer's own length.
            (Some(_), false) => self.held_text.push_str(&text),
            (Some(_), true) => {}
        }
    }

    fn content(&mut self, text: Cow<'_, str>, sink: &mut dyn Sink) {
        let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        self.content_length = self.content_length.saturating_add(length);
        sink.event(Event::Text {
            choice: CHOICE,
            text,
        });
    }

    fn arguments(&mut self, output: ToolOutput, fragment: Cow<'_, str>, sink: &mut dyn Sink) {
        match output {
            ToolOutput::Call(call) => sink.event(Event::ToolArguments {
                choice: CHOICE,
                call,
                fragment,
            }),
            ToolOutput::Content => self.content(fragment, sink),
            ToolOutput::Nowhere => {}
        }
    }

    fn next_reasoning_block(&mut self) -> u32 {
        let block = self.reasoning_blocks;
        self.reasoning_blocks = block.saturating_add(1);
        block
    }
}

fn reasoning(block: u32, text: Cow<'_, str>, sink: &mut dyn Sink) {
    sink.event(Event::Reasoning {
        choice: CHOICE,
        block,
        is_summary: false,
        text,
        format: ReasoningFormat::Anthropic,
    });
}

fn reasoning_signature(block: u32, signature: Cow<'_, str>, sink: &mut dyn Sink) {
    sink.event(Event::ReasoningSignature {
        choice: CHOICE,
        block,
        signature,
        format: ReasoningFormat::Anthropic,
    });
}

/// Only web results have a canonical form; places in the caller's own documents have none.
fn hold_citation(citation: Citation<'_>) -> Option<HeldCitation> {
    if citation.kind != "web_search_result_location" {
        return None;
    }
    Some(HeldCitation {
        url: Text::filled(citation.url)?.into_owned(),
        title: Text::filled(citation.title).map(Cow::into_owned),
        content: Text::filled(citation.cited_text).map(Cow::into_owned),
    })
}

/// `input` of a block start as compact text; `None` for the placeholder `{}`.
fn filled_input(input: &RawValue) -> Option<String> {
    let compact = compact(input.get());
    (!matches!(compact.as_str(), "{}" | "null" | "\"\"")).then_some(compact)
}

/// Drops the white space between tokens of valid JSON. Keys keep their order and numbers their
/// spelling (T44).
fn compact(json: &str) -> String {
    let mut output = String::with_capacity(json.len());
    let (mut in_string, mut is_escaped) = (false, false);
    for character in json.chars() {
        if in_string {
            in_string = is_escaped || character != '"';
            is_escaped = !is_escaped && character == '\\';
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            in_string = character == '"';
        }
        output.push(character);
    }
    output
}

/// The HTTP status that an error type stands for (Anthropic API, "Errors").
pub(super) fn status_of(error_type: &str) -> u16 {
    match error_type {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "conflict_error" => 409,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 529,
        _ => 500,
    }
}
