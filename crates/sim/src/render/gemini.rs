//! Gemini's generateContent.

use super::{Event, Part, frame};
use crate::answer::{Answer, Tokens};
use crate::dialect::Dialect;
use crate::script::{Call, Finish};
use serde_json::{Value, json};

pub(super) fn whole(answer: &Answer) -> Value {
    let mut parts = Vec::new();
    if !answer.reasoning.is_empty() {
        parts.push(json!({"text": answer.reasoning.concat(), "thought": true}));
    }
    let said = said(answer).concat();
    if !said.is_empty() {
        parts.push(json!({"text": said}));
    }
    for (index, call) in answer.calls.iter().enumerate() {
        parts.push(call_part(answer, index, call));
    }
    let tokens = answer.tokens.as_ref();
    envelope(
        answer,
        Some(parts),
        Some(finish(answer)),
        tokens.map(|tokens| usage(tokens, tokens.completion)),
    )
}

/// Each event is a whole response with the new parts; the last one has the finish and no news.
pub(super) fn events(answer: &Answer) -> Vec<Event> {
    let mut parts: Vec<Value> = answer
        .reasoning
        .iter()
        .map(|piece| json!({"text": piece, "thought": true}))
        .collect();
    parts.extend(said(answer).iter().map(|piece| json!({"text": piece})));
    parts.extend(
        answer
            .calls
            .iter()
            .enumerate()
            .map(|(index, call)| call_part(answer, index, call)),
    );
    let mut events = Vec::with_capacity(parts.len() + 1);
    for (index, part) in parts.into_iter().enumerate() {
        let so_far = u64::try_from(index + 1).unwrap_or(u64::MAX);
        let counted = answer
            .tokens
            .as_ref()
            .map(|tokens| usage(tokens, so_far.min(tokens.completion)));
        let value = envelope(answer, Some(vec![part]), None, counted);
        events.push(Event {
            part: Part::Content,
            bytes: frame(Dialect::Gemini, &value),
        });
    }
    let counted = answer
        .tokens
        .as_ref()
        .map(|tokens| usage(tokens, tokens.completion));
    let last = envelope(
        answer,
        Some(vec![json!({"text": ""})]),
        Some(finish(answer)),
        counted,
    );
    events.push(Event {
        part: Part::Finish,
        bytes: frame(Dialect::Gemini, &last),
    });
    events
}

fn envelope(
    answer: &Answer,
    parts: Option<Vec<Value>>,
    finish: Option<&str>,
    usage: Option<Value>,
) -> Value {
    let mut candidate = json!({"index": 0});
    if let Some(parts) = parts {
        candidate["content"] = json!({"role": "model", "parts": parts});
    }
    if let Some(finish) = finish {
        candidate["finishReason"] = json!(finish);
    }
    let mut body = json!({
        "candidates": [candidate],
        "modelVersion": answer.model,
        "responseId": format!("sim{}", answer.number),
    });
    if let Some(usage) = usage {
        body["usageMetadata"] = usage;
    }
    body
}

/// Only the first call of a step bears a signature.
fn call_part(answer: &Answer, index: usize, call: &Call) -> Value {
    let args: Value = serde_json::from_str(&call.arguments).unwrap_or_else(|_| json!({}));
    let mut part = json!({"functionCall": {"name": call.name, "args": args}});
    if index == 0 {
        part["thoughtSignature"] = json!(format!("c2lnbmF0dXJl{:06}", answer.number));
    }
    part
}

fn said(answer: &Answer) -> &[String] {
    if answer.refusal.is_empty() {
        &answer.text
    } else {
        &answer.refusal
    }
}

fn finish(answer: &Answer) -> &'static str {
    match answer.finish {
        _ if !answer.refusal.is_empty() => "PROHIBITED_CONTENT",
        Finish::Stop | Finish::ToolCalls => "STOP",
        Finish::Length => "MAX_TOKENS",
        Finish::ContentFilter => "SAFETY",
    }
}

/// Gemini counts thoughts beside the candidates' tokens, and no cache writes.
fn usage(tokens: &Tokens, output: u64) -> Value {
    let thoughts = tokens.reasoning.min(output);
    let mut usage = json!({
        "promptTokenCount": tokens.prompt,
        "candidatesTokenCount": output - thoughts,
        "totalTokenCount": tokens.prompt + output,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.prompt}],
    });
    if thoughts > 0 {
        usage["thoughtsTokenCount"] = json!(thoughts);
    }
    if tokens.cached > 0 {
        usage["cachedContentTokenCount"] = json!(tokens.cached);
    }
    usage
}

pub(super) fn error_status(status: u16) -> &'static str {
    match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        503 | 529 => "UNAVAILABLE",
        408 | 504 => "DEADLINE_EXCEEDED",
        500.. => "INTERNAL",
        _ => "FAILED_PRECONDITION",
    }
}
