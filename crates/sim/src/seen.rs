//! A request as the simulated provider understands it, whatever the dialect.

use crate::dialect::Dialect;
use serde_derive::Serialize;
use serde_json::Value;

/// A tool that was offered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tool {
    pub name: String,
    pub schema: Value,
}

/// Whether calling tools is left to the model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Choice {
    #[default]
    Auto,
    None,
    Any,
    Named(String),
}

/// An image (or other medium) that came with the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Medium {
    /// `image/png`, or the dialect's own word where no type was given.
    pub media_type: String,
    /// Length of the base64 text, or of the link.
    pub chars: usize,
    pub is_link: bool,
}

/// What an answer depends on.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the request itself"
)]
pub(crate) struct Seen {
    pub model: String,
    pub is_streaming: bool,
    pub include_usage: bool,
    /// The text of the last message that is not an assistant's.
    pub last_text: String,
    pub messages: usize,
    /// The last turn brings tool results.
    pub has_tool_results: bool,
    pub tools: Vec<Tool>,
    pub choice: Choice,
    /// `false` allows one call at most.
    pub parallel: bool,
    pub media: Vec<Medium>,
    /// An answer in JSON is wanted; `Null` means any object.
    pub schema: Option<Value>,
    pub max_tokens: Option<u64>,
    pub stop: Vec<String>,
    /// Bytes of text anywhere in the request, for counting prompt tokens.
    pub text_bytes: usize,
}

impl Seen {
    /// Reads leniently: what is missing or odd is left at its default.
    pub(crate) fn read(dialect: Dialect, body: &Value, path_model: Option<&str>) -> Self {
        match dialect {
            Dialect::OpenaiChat => openai(body),
            Dialect::AnthropicMessages => anthropic(body),
            Dialect::Gemini => gemini(body, path_model.unwrap_or_default()),
        }
    }
}

fn openai(body: &Value) -> Seen {
    let messages = list(body, "messages");
    let last = messages.last();
    let format = &body["response_format"];
    Seen {
        model: word(body, "model"),
        is_streaming: body["stream"] == true,
        include_usage: body["stream_options"]["include_usage"] == true,
        last_text: last_text(messages, "assistant", "content"),
        messages: messages.len(),
        has_tool_results: last.is_some_and(|message| message["role"] == "tool"),
        tools: list(body, "tools")
            .iter()
            .map(|tool| Tool {
                name: word(&tool["function"], "name"),
                schema: tool["function"]["parameters"].clone(),
            })
            .collect(),
        choice: match &body["tool_choice"] {
            Value::String(choice) if choice == "none" => Choice::None,
            Value::String(choice) if choice == "required" => Choice::Any,
            choice => named(&choice["function"]),
        },
        parallel: body["parallel_tool_calls"] != false,
        media: media(body),
        schema: match format["type"].as_str() {
            Some("json_schema") => Some(format["json_schema"]["schema"].clone()),
            Some("json_object") => Some(Value::Null),
            _ => None,
        },
        max_tokens: body["max_completion_tokens"]
            .as_u64()
            .or(body["max_tokens"].as_u64()),
        stop: words(&body["stop"]),
        text_bytes: text_bytes(&body["messages"]) + text_bytes(&body["tools"]),
    }
}

fn anthropic(body: &Value) -> Seen {
    let messages = list(body, "messages");
    let results = messages.last().is_some_and(|last| {
        list(last, "content")
            .iter()
            .any(|block| block["type"] == "tool_result")
    });
    let choice = &body["tool_choice"];
    Seen {
        model: word(body, "model"),
        is_streaming: body["stream"] == true,
        include_usage: true,
        last_text: last_text(messages, "assistant", "content"),
        messages: messages.len(),
        has_tool_results: results,
        tools: list(body, "tools")
            .iter()
            .map(|tool| Tool {
                name: word(tool, "name"),
                schema: tool["input_schema"].clone(),
            })
            .collect(),
        choice: match choice["type"].as_str() {
            Some("none") => Choice::None,
            Some("any") => Choice::Any,
            Some("tool") => named(choice),
            _ => Choice::Auto,
        },
        parallel: choice["disable_parallel_tool_use"] != true,
        media: media(body),
        schema: (body["output_config"]["format"]["type"] == "json_schema")
            .then(|| body["output_config"]["format"]["schema"].clone()),
        max_tokens: body["max_tokens"].as_u64(),
        stop: words(&body["stop_sequences"]),
        text_bytes: text_bytes(&body["messages"])
            + text_bytes(&body["system"])
            + text_bytes(&body["tools"]),
    }
}

fn gemini(body: &Value, model: &str) -> Seen {
    let contents = list(body, "contents");
    let config = either(body, "generationConfig", "generation_config");
    let calling = either(
        either(body, "toolConfig", "tool_config"),
        "functionCallingConfig",
        "function_calling_config",
    );
    let is_json = either(config, "responseMimeType", "response_mime_type") == "application/json";
    let schema = [
        "responseJsonSchema",
        "response_json_schema",
        "responseSchema",
        "response_schema",
    ]
    .iter()
    .find_map(|key| config.get(*key));
    Seen {
        model: model.to_owned(),
        is_streaming: false,
        include_usage: true,
        last_text: last_text(contents, "model", "parts"),
        messages: contents.len(),
        has_tool_results: contents.last().is_some_and(|last| {
            list(last, "parts").iter().any(|part| {
                part.get("functionResponse")
                    .or(part.get("function_response"))
                    .is_some()
            })
        }),
        tools: list(body, "tools")
            .iter()
            .filter_map(|tool| {
                either(tool, "functionDeclarations", "function_declarations").as_array()
            })
            .flatten()
            .map(|declaration| Tool {
                name: word(declaration, "name"),
                schema: [
                    "parametersJsonSchema",
                    "parameters_json_schema",
                    "parameters",
                ]
                .iter()
                .find_map(|key| declaration.get(*key))
                .cloned()
                .unwrap_or_default(),
            })
            .collect(),
        choice: match calling["mode"].as_str() {
            Some("NONE") => Choice::None,
            Some("ANY") => {
                let allowed = either(calling, "allowedFunctionNames", "allowed_function_names");
                allowed[0]
                    .as_str()
                    .map_or(Choice::Any, |name| Choice::Named(name.to_owned()))
            }
            _ => Choice::Auto,
        },
        parallel: true,
        media: media(body),
        schema: is_json.then(|| schema.cloned().unwrap_or_default()),
        max_tokens: either(config, "maxOutputTokens", "max_output_tokens").as_u64(),
        stop: words(either(config, "stopSequences", "stop_sequences")),
        text_bytes: text_bytes(&body["contents"])
            + text_bytes(either(body, "systemInstruction", "system_instruction"))
            + text_bytes(&body["tools"]),
    }
}

pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Gemini accepts `camelCase` and `snake_case`.
pub(crate) fn either<'a>(value: &'a Value, camel: &str, snake: &str) -> &'a Value {
    value
        .get(camel)
        .or_else(|| value.get(snake))
        .unwrap_or(&Value::Null)
}

fn word(value: &Value, key: &str) -> String {
    value
        .get(key)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn words(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many
            .iter()
            .filter_map(|one| one.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

fn named(value: &Value) -> Choice {
    value["name"]
        .as_str()
        .map_or(Choice::Auto, |name| Choice::Named(name.to_owned()))
}

fn last_text(messages: &[Value], assistant: &str, content: &str) -> String {
    let last = messages
        .iter()
        .rev()
        .find(|message| message["role"] != assistant);
    last.map(|message| plain_text(&message[content]))
        .unwrap_or_default()
}

/// The text of a content: a string, or the texts of its parts, tool results included.
pub(crate) fn plain_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(part_text).collect(),
        _ => String::new(),
    }
}

fn part_text(part: &Value) -> String {
    if let Some(text) = part["text"].as_str() {
        return text.to_owned();
    }
    if part["type"] == "tool_result" {
        return plain_text(&part["content"]);
    }
    let response = &either(part, "functionResponse", "function_response")["response"];
    if response.is_null() {
        String::new()
    } else {
        response.to_string()
    }
}

/// The bytes of all strings that are not media or links.
fn text_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(text_bytes).sum(),
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "data" | "url" | "file_data" | "type"))
            .map(|(_, field)| text_bytes(field))
            .sum(),
        _ => 0,
    }
}

/// Every medium in the request, in order.
fn media(value: &Value) -> Vec<Medium> {
    let mut found = Vec::new();
    collect_media(value, &mut found);
    found
}

fn collect_media(value: &Value, found: &mut Vec<Medium>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_media(item, found)),
        Value::Object(fields) => {
            if let Some(medium) = medium(value) {
                found.push(medium);
            } else {
                fields
                    .values()
                    .for_each(|field| collect_media(field, found));
            }
        }
        _ => {}
    }
}

fn medium(part: &Value) -> Option<Medium> {
    if let Some(url) = part["image_url"]["url"]
        .as_str()
        .or(part["file"]["file_data"].as_str())
    {
        return Some(from_url(url));
    }
    if let Some(data) = part["input_audio"]["data"].as_str() {
        let format = part["input_audio"]["format"].as_str().unwrap_or("unknown");
        return Some(inline(&format!("audio/{format}"), data));
    }
    let source = &part["source"];
    if let Some(data) = source["data"].as_str() {
        return Some(inline(
            source["media_type"].as_str().unwrap_or("missing"),
            data,
        ));
    }
    if let Some(url) = source["url"].as_str() {
        return Some(from_url(url));
    }
    let blob = either(part, "inlineData", "inline_data");
    if let Some(data) = blob["data"].as_str() {
        return Some(inline(
            either(blob, "mimeType", "mime_type")
                .as_str()
                .unwrap_or("missing"),
            data,
        ));
    }
    let file = either(part, "fileData", "file_data");
    either(file, "fileUri", "file_uri").as_str().map(from_url)
}

fn inline(media_type: &str, data: &str) -> Medium {
    Medium {
        media_type: media_type.to_owned(),
        chars: data.len(),
        is_link: false,
    }
}

fn from_url(url: &str) -> Medium {
    match url
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"))
    {
        Some((media_type, data)) => inline(media_type, data),
        None => Medium {
            media_type: "link".to_owned(),
            chars: url.len(),
            is_link: true,
        },
    }
}
