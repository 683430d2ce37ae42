//! Anthropic Messages.

use super::{Event, Part, frame};
use crate::answer::{Answer, Tokens, words};
use crate::dialect::Dialect;
use crate::script::Finish;
use serde_json::{Value, json};

pub(super) fn whole(answer: &Answer) -> Value {
    let mut content = Vec::new();
    if !answer.reasoning.is_empty() {
        content.push(json!({"type": "thinking", "thinking": answer.reasoning.concat(), "signature": signature(answer)}));
    }
    let said = said(answer).concat();
    if !said.is_empty() {
        content.push(json!({"type": "text", "text": said}));
    }
    for (index, call) in answer.calls.iter().enumerate() {
        let input: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
        content.push(json!({"type": "tool_use", "id": tool_id(answer, index), "name": call.name, "input": input}));
    }
    let mut message = head(answer);
    message["content"] = json!(content);
    message["stop_reason"] = json!(stop_reason(answer));
    message["stop_sequence"] = json!(answer.stop_sequence);
    if let Some(tokens) = &answer.tokens {
        message["usage"] = usage(tokens, tokens.completion);
    }
    message
}

pub(super) fn events(answer: &Answer) -> Vec<Event> {
    let mut stream = Stream {
        events: Vec::new(),
        blocks: 0,
    };
    let mut message = head(answer);
    if let Some(tokens) = &answer.tokens {
        message["usage"] = usage(tokens, 1);
    }
    stream.push(
        Part::Frame,
        &json!({"type": "message_start", "message": message}),
    );
    if !answer.reasoning.is_empty() {
        let deltas = answer
            .reasoning
            .iter()
            .map(|piece| json!({"type": "thinking_delta", "thinking": piece}));
        let sealed =
            std::iter::once(json!({"type": "signature_delta", "signature": signature(answer)}));
        stream.block(
            &json!({"type": "thinking", "thinking": "", "signature": ""}),
            deltas.chain(sealed),
        );
    }
    let said = said(answer);
    if !said.is_empty() {
        let deltas = said
            .iter()
            .map(|piece| json!({"type": "text_delta", "text": piece}));
        stream.block(&json!({"type": "text", "text": ""}), deltas);
    }
    for (index, call) in answer.calls.iter().enumerate() {
        let fragments = std::iter::once(String::new()).chain(words(&call.arguments));
        let deltas =
            fragments.map(|fragment| json!({"type": "input_json_delta", "partial_json": fragment}));
        let start = json!({"type": "tool_use", "id": tool_id(answer, index), "name": call.name, "input": {}});
        stream.block(&start, deltas);
    }
    let mut end = json!({"type": "message_delta",
        "delta": {"stop_reason": stop_reason(answer), "stop_sequence": answer.stop_sequence}});
    if let Some(tokens) = &answer.tokens {
        end["usage"] = usage(tokens, tokens.completion);
    }
    stream.push(Part::Finish, &end);
    stream.push(Part::Done, &json!({"type": "message_stop"}));
    stream.events
}

struct Stream {
    events: Vec<Event>,
    blocks: u32,
}

impl Stream {
    fn push(&mut self, part: Part, value: &Value) {
        self.events.push(Event {
            part,
            bytes: frame(Dialect::AnthropicMessages, value),
        });
    }

    fn block(&mut self, start: &Value, deltas: impl Iterator<Item = Value>) {
        let index = self.blocks;
        self.push(
            Part::Frame,
            &json!({"type": "content_block_start", "index": index, "content_block": start}),
        );
        if index == 0 {
            self.push(Part::Frame, &json!({"type": "ping"}));
        }
        for delta in deltas {
            self.push(
                Part::Content,
                &json!({"type": "content_block_delta", "index": index, "delta": delta}),
            );
        }
        self.push(
            Part::Frame,
            &json!({"type": "content_block_stop", "index": index}),
        );
        self.blocks += 1;
    }
}

fn head(answer: &Answer) -> Value {
    json!({"id": format!("msg_sim{}", answer.number), "type": "message", "role": "assistant",
           "model": answer.model, "content": [], "stop_reason": null, "stop_sequence": null})
}

/// A refusal is text here, and a stop reason.
fn said(answer: &Answer) -> &[String] {
    if answer.refusal.is_empty() {
        &answer.text
    } else {
        &answer.refusal
    }
}

fn signature(answer: &Answer) -> String {
    format!("c2lnbmF0dXJlLW9m{:06}", answer.number)
}

fn tool_id(answer: &Answer, index: usize) -> String {
    format!("toolu_sim{}x{index}", answer.number)
}

fn stop_reason(answer: &Answer) -> &'static str {
    match answer.finish {
        _ if !answer.refusal.is_empty() => "refusal",
        Finish::Stop if answer.stop_sequence.is_some() => "stop_sequence",
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter => "refusal",
    }
}

/// Anthropic's input tokens leave cached and cache-written ones out.
fn usage(tokens: &Tokens, output: u64) -> Value {
    json!({
        "input_tokens": tokens.prompt.saturating_sub(tokens.cached).saturating_sub(tokens.cache_write),
        "cache_creation_input_tokens": tokens.cache_write,
        "cache_read_input_tokens": tokens.cached,
        "cache_creation": {"ephemeral_5m_input_tokens": tokens.cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": tokens.reasoning.min(output)},
        "service_tier": "standard",
    })
}

pub(super) fn error_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        408 | 504 => "timeout_error",
        529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}
