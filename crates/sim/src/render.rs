//! Gives an answer or an error the form of a dialect.

mod anthropic;
mod gemini;
pub(crate) mod openai;

use crate::answer::Answer;
use crate::check::Refusal;
use crate::dialect::Dialect;
use bytes::Bytes;
use serde_json::{Value, json};

/// What part of a stream an event is: faults strike between or at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Roles, starts and stops of blocks.
    Frame,
    Content,
    Finish,
    Usage,
    Done,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub part: Part,
    pub bytes: Bytes,
}

/// Unix seconds of the first answer; request numbers are added, so that runs repeat exactly.
const EPOCH: u64 = 1_770_000_000;

/// The answer as one body.
pub(crate) fn whole(dialect: Dialect, answer: &Answer) -> Bytes {
    let body = match dialect {
        Dialect::OpenaiChat => openai::whole(answer),
        Dialect::AnthropicMessages => anthropic::whole(answer),
        Dialect::Gemini => gemini::whole(answer),
    };
    Bytes::from(body.to_string())
}

/// The answer as a stream of events.
pub(crate) fn events(dialect: Dialect, answer: &Answer, include_usage: bool) -> Vec<Event> {
    match dialect {
        Dialect::OpenaiChat => openai::events(answer, include_usage),
        Dialect::AnthropicMessages => anthropic::events(answer),
        Dialect::Gemini => gemini::events(answer),
    }
}

/// The JSON of a value as one event of a stream.
pub(crate) fn frame(dialect: Dialect, value: &Value) -> Bytes {
    raw_frame(
        dialect,
        value["type"].as_str().unwrap_or_default(),
        &value.to_string(),
    )
}

/// One event around any text. `kind` is used where the dialect names its events.
pub(crate) fn raw_frame(dialect: Dialect, kind: &str, data: &str) -> Bytes {
    Bytes::from(match dialect {
        Dialect::OpenaiChat => format!("data: {data}\n\n"),
        Dialect::AnthropicMessages => format!("event: {kind}\ndata: {data}\n\n"),
        Dialect::Gemini => format!("data: {data}\r\n\r\n"),
    })
}

/// An event that says nothing: a comment, or what the dialect has in its place.
pub(crate) fn keep_alive(dialect: Dialect) -> Bytes {
    Bytes::from_static(match dialect {
        Dialect::OpenaiChat => b": keep-alive\n\n",
        Dialect::AnthropicMessages => b"event: ping\ndata: {\"type\":\"ping\"}\n\n",
        Dialect::Gemini => b": keep-alive\r\n\r\n",
    })
}

/// A single content event with this text: for frames of unusual size.
pub(crate) fn content(dialect: Dialect, text: &str) -> Bytes {
    match dialect {
        Dialect::OpenaiChat => frame(
            dialect,
            &json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}),
        ),
        Dialect::AnthropicMessages => frame(
            dialect,
            &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}),
        ),
        Dialect::Gemini => frame(
            dialect,
            &json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}]}),
        ),
    }
}

/// The body of an error with `status`, in the dialect's words. `wait_s` shows in Gemini's body.
pub(crate) fn error(dialect: Dialect, refusal: &Refusal, wait_s: Option<u32>) -> Value {
    let Refusal {
        status,
        code,
        param,
        message,
    } = refusal;
    match dialect {
        Dialect::OpenaiChat => {
            let kind = match status {
                429 => "requests",
                400..=499 => "invalid_request_error",
                _ => "server_error",
            };
            let code = if code.is_empty() {
                Value::Null
            } else {
                json!(code)
            };
            json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
        }
        Dialect::AnthropicMessages => json!({
            "type": "error",
            "error": {"type": anthropic::error_type(*status), "message": message},
            "request_id": "req_sim",
        }),
        Dialect::Gemini => {
            let mut error = json!({"code": status, "message": message, "status": gemini::error_status(*status)});
            if let Some(wait) = wait_s {
                error["details"] = json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{wait}s")}]);
            }
            json!({"error": error})
        }
    }
}

/// The words a provider finds for a status when the script gives none.
pub(crate) fn words_for(dialect: Dialect, status: u16) -> (&'static str, &'static str) {
    match (status, dialect) {
        (400, _) => ("invalid_value", "The request was not understood."),
        (401, Dialect::OpenaiChat) => ("invalid_api_key", "Incorrect API key provided: sim-****."),
        (401, _) => ("invalid_api_key", "invalid x-api-key"),
        (402, _) => ("insufficient_quota", "Your credit balance is too low."),
        (403, _) => ("permission_denied", "Your key may not use this model."),
        (404, _) => (
            "model_not_found",
            "The model does not exist or you do not have access to it.",
        ),
        (408, _) => ("timeout", "The request took too long to arrive."),
        (413, _) => ("request_too_large", "Request exceeds the maximum size."),
        (422, _) => (
            "unprocessable",
            "The request was well-formed but cannot be processed.",
        ),
        (429, Dialect::OpenaiChat) => ("rate_limit_exceeded", "Rate limit reached for requests."),
        (429, Dialect::AnthropicMessages) => {
            ("", "Number of request tokens has exceeded your rate limit.")
        }
        (429, Dialect::Gemini) => (
            "",
            "You exceeded your current quota, please check your plan.",
        ),
        (503, Dialect::OpenaiChat) => (
            "server_is_overloaded",
            "Our servers are currently overloaded.",
        ),
        (503, Dialect::Gemini) => ("", "The model is overloaded. Please try again later."),
        (529, _) => ("", "Overloaded"),
        _ => ("", "The server had an error while processing your request."),
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod decode_tests;
