//! What OpenAI's chat endpoint refuses (API reference and error texts, read 2026-02).

use super::{Refusal, Verdict, in_range, invalid, is_name, require, unknown_key};
use crate::seen::{list, plain_text};
use serde_json::Value;

const FIELDS: &[&str] = &[
    "model",
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "n",
    "seed",
    "stop",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
    "verbosity",
    "stream",
    "stream_options",
    "modalities",
    "audio",
    "prediction",
    "service_tier",
    "store",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "prompt_cache_options",
    "web_search_options",
    "user",
];
const MESSAGE_FIELDS: &[&str] = &[
    "role",
    "content",
    "name",
    "tool_calls",
    "tool_call_id",
    "refusal",
    "audio",
];
const PARTS: &[&str] = &["text", "image_url", "input_audio", "file", "refusal"];

pub(super) fn request(body: &Value, is_closed: bool) -> Verdict {
    if is_closed && let Some(key) = unknown_key(body, FIELDS) {
        return Err(Refusal {
            code: "unknown_parameter".into(),
            ..invalid(key, format!("Unknown parameter: '{key}'."))
        });
    }
    require(
        body["model"]
            .as_str()
            .is_some_and(|model| !model.is_empty()),
        "model",
        || "you must provide a model parameter".to_owned(),
    )?;
    parameters(body)?;
    tools(body)?;
    let messages = list(body, "messages");
    require(!messages.is_empty(), "messages", || {
        "Invalid 'messages': empty array. Expected an array with minimum length 1.".to_owned()
    })?;
    for (index, message) in messages.iter().enumerate() {
        self::message(index, message, is_closed)?;
    }
    tool_rounds(messages)
}

fn parameters(body: &Value) -> Verdict {
    for (key, least, most) in [
        ("temperature", 0.0, 2.0),
        ("top_p", 0.0, 1.0),
        ("presence_penalty", -2.0, 2.0),
        ("frequency_penalty", -2.0, 2.0),
        ("top_logprobs", 0.0, 20.0),
    ] {
        require(in_range(&body[key], least, most), key, || {
            format!("Invalid '{key}': expected a value between {least} and {most}.")
        })?;
    }
    for key in ["max_tokens", "max_completion_tokens"] {
        let is_good = body[key].is_null() || body[key].as_u64().is_some_and(|limit| limit > 0);
        require(is_good, key, || {
            format!("Invalid '{key}': integer below minimum value.")
        })?;
    }
    require(
        body["max_tokens"].is_null() || body["max_completion_tokens"].is_null(),
        "max_tokens",
        || {
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
                .to_owned()
        },
    )?;
    require(
        body["stream_options"].is_null() || body["stream"] == true,
        "stream_options",
        || "The 'stream_options' parameter is only allowed when 'stream' is enabled.".to_owned(),
    )?;
    require(list(body, "stop").len() <= 4, "stop", || {
        "Invalid 'stop': array too long. Expected an array with maximum length 4.".to_owned()
    })?;
    require(
        body["top_logprobs"].is_null() || body["logprobs"] == true,
        "top_logprobs",
        || "'logprobs' must be true to use 'top_logprobs'.".to_owned(),
    )?;
    response_format(body)
}

fn response_format(body: &Value) -> Verdict {
    let format = &body["response_format"];
    match format["type"].as_str() {
        None if format.is_null() => Ok(()),
        Some("text") => Ok(()),
        Some("json_object") => {
            let mentions = list(body, "messages").iter().any(|message| {
                plain_text(&message["content"])
                    .to_lowercase()
                    .contains("json")
            });
            require(mentions, "messages", || {
                "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.".to_owned()
            })
        }
        Some("json_schema") => {
            let name = format["json_schema"]["name"].as_str().unwrap_or_default();
            require(
                is_name(name, "_-", 64),
                "response_format.json_schema.name",
                || "Missing or invalid 'response_format.json_schema.name'.".to_owned(),
            )
        }
        _ => Err(invalid(
            "response_format.type",
            "Invalid value: 'response_format.type'.",
        )),
    }
}

fn tools(body: &Value) -> Verdict {
    let tools = list(body, "tools");
    require(tools.len() <= 128, "tools", || {
        "Invalid 'tools': array too long.".to_owned()
    })?;
    require(
        body["tools"].is_null() || !tools.is_empty(),
        "tools",
        || "Invalid 'tools': empty array. Expected an array with minimum length 1.".to_owned(),
    )?;
    require(
        body["parallel_tool_calls"].is_null() || !tools.is_empty(),
        "parallel_tool_calls",
        || {
            "Invalid value for 'parallel_tool_calls': 'parallel_tool_calls' is only allowed when 'tools' are specified.".to_owned()
        },
    )?;
    require(
        body["tool_choice"].is_null() || !tools.is_empty(),
        "tool_choice",
        || {
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
            .to_owned()
        },
    )?;
    for (index, tool) in tools.iter().enumerate() {
        let name = tool["function"]["name"].as_str().unwrap_or_default();
        require(
            tool["type"] == "function" && is_name(name, "_-", 64),
            "tools",
            || format!("Invalid 'tools[{index}].function.name': string does not match pattern."),
        )?;
    }
    Ok(())
}

fn message(index: usize, message: &Value, is_closed: bool) -> Verdict {
    let param = format!("messages[{index}]");
    if is_closed && let Some(key) = unknown_key(message, MESSAGE_FIELDS) {
        return Err(invalid(
            &param,
            format!("Unknown parameter: '{param}.{key}'."),
        ));
    }
    let role = message["role"].as_str().unwrap_or_default();
    require(
        matches!(role, "system" | "developer" | "user" | "assistant" | "tool"),
        &param,
        || {
            format!(
                "Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', 'tool', and 'developer'."
            )
        },
    )?;
    let content = &message["content"];
    let may_be_null = role == "assistant";
    let has_content = content.is_string()
        || content.as_array().is_some_and(|parts| !parts.is_empty())
        || (content.is_null() && may_be_null);
    require(has_content, &param, || {
        format!("Invalid value for 'content' of '{param}': expected a string, got null.")
    })?;
    for part in list(message, "content") {
        let kind = part["type"].as_str().unwrap_or_default();
        let is_allowed = PARTS.contains(&kind) && (role != "tool" || kind == "text");
        require(is_allowed, &param, || {
            format!("Invalid value: '{kind}' in '{param}.content'.")
        })?;
        let has_body = part[kind].is_string() || part[kind].is_object();
        require(has_body, &param, || {
            format!("Missing required parameter: '{param}.{kind}'.")
        })?;
    }
    for call in list(message, "tool_calls") {
        let id = call["id"].as_str().unwrap_or_default();
        require(!id.is_empty() && id.len() <= 40, &param, || {
            format!(
                "Invalid '{param}.tool_calls[0].id': string too long. Expected a string with maximum length 40."
            )
        })?;
        let function = &call["function"];
        require(
            function["name"].is_string() && function["arguments"].is_string(),
            &param,
            || {
                format!(
                    "Invalid type for '{param}.tool_calls[0].function.arguments': expected a string."
                )
            },
        )?;
    }
    Ok(())
}

/// Each call is answered before anybody else speaks, and nothing else is answered.
fn tool_rounds(messages: &[Value]) -> Verdict {
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let param = format!("messages[{index}]");
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            let before = open.len();
            open.retain(|one| *one != id);
            require(open.len() < before, &param, || {
                "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.".to_owned()
            })?;
            continue;
        }
        unanswered(&open, &param)?;
        open = list(message, "tool_calls")
            .iter()
            .filter_map(|call| call["id"].as_str())
            .collect();
    }
    unanswered(&open, "messages")
}

fn unanswered(open: &[&str], param: &str) -> Verdict {
    require(open.is_empty(), param, || {
        format!(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
            open.join(", ")
        )
    })
}
