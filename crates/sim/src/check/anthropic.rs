//! What Anthropic's Messages endpoint refuses (API reference and error texts, read 2026-02).

use super::{Verdict, in_range, invalid, is_name, require, unknown_key};
use crate::seen::list;
use serde_json::Value;

const FIELDS: &[&str] = &[
    "model",
    "max_tokens",
    "messages",
    "system",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "cache_control",
    "metadata",
    "service_tier",
    "speed",
    "inference_geo",
    "container",
    "mcp_servers",
    "context_management",
    "fallbacks",
    "stream",
];
const TOOL_FIELDS: &[&str] = &[
    "name",
    "description",
    "input_schema",
    "cache_control",
    "strict",
    "eager_input_streaming",
    "type",
    "max_uses",
    "allowed_domains",
    "blocked_domains",
    "user_location",
    "max_content_tokens",
];
/// Fields by block type.
const BLOCKS: &[(&str, &[&str])] = &[
    ("text", &["type", "text", "citations", "cache_control"]),
    ("image", &["type", "source", "cache_control"]),
    (
        "document",
        &[
            "type",
            "source",
            "title",
            "context",
            "citations",
            "cache_control",
        ],
    ),
    (
        "search_result",
        &[
            "type",
            "source",
            "title",
            "content",
            "citations",
            "cache_control",
        ],
    ),
    (
        "tool_use",
        &["type", "id", "name", "input", "cache_control"],
    ),
    (
        "tool_result",
        &[
            "type",
            "tool_use_id",
            "content",
            "is_error",
            "cache_control",
        ],
    ),
    ("thinking", &["type", "thinking", "signature"]),
    ("redacted_thinking", &["type", "data"]),
];

pub(super) fn request(body: &Value) -> Verdict {
    if let Some(key) = unknown_key(body, FIELDS) {
        return Err(invalid(
            key,
            format!("{key}: Extra inputs are not permitted"),
        ));
    }
    for key in ["model", "max_tokens", "messages"] {
        require(!body[key].is_null(), key, || {
            format!("{key}: Field required")
        })?;
    }
    let limit = body["max_tokens"].as_u64().unwrap_or(0);
    require(limit > 0, "max_tokens", || {
        "max_tokens: Input should be greater than or equal to 1".to_owned()
    })?;
    require(
        in_range(&body["temperature"], 0.0, 1.0),
        "temperature",
        || "temperature: Input should be less than or equal to 1".to_owned(),
    )?;
    thinking(body, limit)?;
    tools(body)?;
    messages(list(body, "messages"))?;
    let markers = count_markers(body);
    require(markers <= 4, "cache_control", || {
        format!("A maximum of 4 blocks with cache_control may be provided. Found {markers}.")
    })
}

fn thinking(body: &Value, limit: u64) -> Verdict {
    let thinking = &body["thinking"];
    if thinking["type"] == "enabled" {
        let budget = thinking["budget_tokens"].as_u64().unwrap_or(0);
        require(budget >= 1024, "thinking", || {
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
                .to_owned()
        })?;
        require(budget < limit, "max_tokens", || {
            "`max_tokens` must be greater than `thinking.budget_tokens`.".to_owned()
        })?;
        require(
            body["temperature"].is_null() || body["temperature"] == 1,
            "temperature",
            || "`temperature` may only be set to 1 when thinking is enabled.".to_owned(),
        )?;
    }
    let is_on = thinking["type"] == "enabled" || thinking["type"] == "adaptive";
    let is_forced = matches!(body["tool_choice"]["type"].as_str(), Some("any" | "tool"));
    require(!(is_on && is_forced), "tool_choice", || {
        "Thinking may not be enabled when tool_choice forces tool use.".to_owned()
    })
}

fn tools(body: &Value) -> Verdict {
    for (index, tool) in list(body, "tools").iter().enumerate() {
        let param = format!("tools.{index}");
        if let Some(key) = unknown_key(tool, TOOL_FIELDS) {
            return Err(invalid(
                &param,
                format!("{param}.{key}: Extra inputs are not permitted"),
            ));
        }
        let name = tool["name"].as_str().unwrap_or_default();
        require(is_name(name, "_-", 128), &param, || {
            format!("{param}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        })?;
        let is_own = tool["type"].as_str().is_none_or(|kind| kind == "custom");
        require(
            !is_own || tool["input_schema"]["type"] == "object",
            &param,
            || format!("{param}.custom.input_schema.type: Field required"),
        )?;
    }
    Ok(())
}

fn messages(messages: &[Value]) -> Verdict {
    require(!messages.is_empty(), "messages", || {
        "messages: at least one message is required".to_owned()
    })?;
    require(
        messages
            .first()
            .is_some_and(|first| first["role"] == "user"),
        "messages",
        || "messages: first message must use the \"user\" role".to_owned(),
    )?;
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let param = format!("messages.{index}");
        if let Some(key) = unknown_key(message, &["role", "content"]) {
            return Err(invalid(
                &param,
                format!("{param}.{key}: Extra inputs are not permitted"),
            ));
        }
        let role = message["role"].as_str().unwrap_or_default();
        require(
            matches!(role, "user" | "assistant" | "system"),
            &param,
            || format!("{param}.role: Input should be 'user' or 'assistant'"),
        )?;
        content(&param, message)?;
        let answered: Vec<&str> = results(message).collect();
        for id in &answered {
            require(open.contains(id), &param, || {
                format!(
                    "{param}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {id}."
                )
            })?;
        }
        let missing: Vec<&str> = open
            .iter()
            .copied()
            .filter(|id| !answered.contains(id))
            .collect();
        require(missing.is_empty(), &param, || {
            unanswered(index.saturating_sub(1), &missing)
        })?;
        open = blocks(message, "tool_use")
            .filter_map(|block| block["id"].as_str())
            .collect();
    }
    require(open.is_empty(), "messages", || {
        unanswered(messages.len().saturating_sub(1), &open)
    })?;
    let last = messages.last().map_or(&Value::Null, |last| last);
    let tail = blocks(last, "text")
        .last()
        .and_then(|block| block["text"].as_str());
    let tail = tail.or(last["content"].as_str()).unwrap_or_default();
    require(
        last["role"] != "assistant" || tail.trim_end() == tail,
        "messages",
        || "messages: final assistant content cannot end with trailing whitespace".to_owned(),
    )
}

fn unanswered(index: usize, ids: &[&str]) -> String {
    format!(
        "messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: {}.",
        ids.join(", ")
    )
}

fn content(param: &str, message: &Value) -> Verdict {
    if let Some(text) = message["content"].as_str() {
        return require(!text.trim().is_empty(), param, || {
            format!("{param}: text content blocks must contain non-whitespace text")
        });
    }
    let all = list(message, "content");
    require(!all.is_empty(), param, || {
        format!("{param}: content must be non-empty")
    })?;
    let mut is_past_results = false;
    for (index, block) in all.iter().enumerate() {
        let here = format!("{param}.content.{index}");
        self::block(&here, block)?;
        let is_result = block["type"] == "tool_result";
        require(!(is_result && is_past_results), &here, || {
            format!("{here}: `tool_result` blocks must come first in the message")
        })?;
        is_past_results = !is_result;
    }
    Ok(())
}

fn block(param: &str, block: &Value) -> Verdict {
    let kind = block["type"].as_str().unwrap_or_default();
    if let Some((_, fields)) = BLOCKS.iter().find(|(name, _)| *name == kind) {
        if let Some(key) = unknown_key(block, fields) {
            return Err(invalid(
                param,
                format!("{param}.{kind}.{key}: Extra inputs are not permitted"),
            ));
        }
    } else {
        let is_hosted =
            kind.ends_with("_result") || kind == "server_tool_use" || kind == "compaction";
        require(is_hosted, param, || {
            format!(
                "{param}.type: Input tag '{kind}' found using 'type' does not match any of the expected tags"
            )
        })?;
    }
    let id_of = |key: &str| block[key].as_str().unwrap_or_default();
    match kind {
        "text" => require(!id_of("text").trim().is_empty(), param, || {
            format!("{param}: text content blocks must contain non-whitespace text")
        }),
        "tool_use" => {
            require(is_name(id_of("id"), "_-", 256), param, || {
                format!("{param}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
            })?;
            require(block["input"].is_object(), param, || {
                format!("{param}.tool_use.input: Input should be a valid dictionary")
            })
        }
        "tool_result" => require(is_name(id_of("tool_use_id"), "_-", 256), param, || {
            format!(
                "{param}.tool_result.tool_use_id: String should match pattern '^[a-zA-Z0-9_-]+$'"
            )
        }),
        "thinking" => require(!id_of("signature").is_empty(), param, || {
            format!("{param}.thinking.signature: Field required")
        }),
        "image" => {
            let source = &block["source"];
            let is_good = match source["type"].as_str() {
                Some("base64") => {
                    let is_data = source["data"].as_str().is_some_and(|data| !data.is_empty());
                    let media_type = source["media_type"].as_str().unwrap_or_default();
                    is_data
                        && ["image/jpeg", "image/png", "image/gif", "image/webp"]
                            .contains(&media_type)
                }
                Some("url") => source["url"]
                    .as_str()
                    .is_some_and(|url| url.starts_with("https://")),
                Some("file") => true,
                _ => false,
            };
            require(is_good, param, || {
                format!("{param}.image.source: Input should be a valid image source")
            })
        }
        _ => Ok(()),
    }
}

fn blocks<'a>(message: &'a Value, kind: &str) -> impl Iterator<Item = &'a Value> {
    list(message, "content")
        .iter()
        .filter(move |block| block["type"] == kind)
}

fn results(message: &Value) -> impl Iterator<Item = &str> {
    blocks(message, "tool_result").filter_map(|block| block["tool_use_id"].as_str())
}

fn count_markers(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(count_markers).sum(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, field)| match key.as_str() {
                "cache_control" => usize::from(!field.is_null()),
                // Arguments and schemas are the caller's own words.
                "input" | "input_schema" => 0,
                _ => count_markers(field),
            })
            .sum(),
        _ => 0,
    }
}
