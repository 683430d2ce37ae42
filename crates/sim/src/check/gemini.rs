//! What the Gemini API refuses (API reference and error texts, read 2026-02).

use super::{Verdict, in_range, invalid, require};
use crate::seen::{either, list};
use serde_json::Value;

const FIELDS: &[&str] = &[
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "safetySettings",
    "generationConfig",
    "cachedContent",
    "labels",
    "serviceTier",
    "model",
];
const CONFIG: &[&str] = &[
    "maxOutputTokens",
    "temperature",
    "topP",
    "topK",
    "candidateCount",
    "stopSequences",
    "seed",
    "presencePenalty",
    "frequencyPenalty",
    "responseLogprobs",
    "logprobs",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseModalities",
    "speechConfig",
    "imageConfig",
    "mediaResolution",
    "thinkingConfig",
];
const THINKING: &[&str] = &["includeThoughts", "thinkingBudget", "thinkingLevel"];
const PART: &[&str] = &[
    "text",
    "thought",
    "thoughtSignature",
    "inlineData",
    "fileData",
    "videoMetadata",
    "mediaResolution",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
];
const TOOL: &[&str] = &[
    "functionDeclarations",
    "googleSearch",
    "urlContext",
    "codeExecution",
    "googleMaps",
    "fileSearch",
    "googleSearchRetrieval",
    "computerUse",
];
const DECLARATION: &[&str] = &[
    "name",
    "description",
    "parameters",
    "parametersJsonSchema",
    "response",
    "behavior",
];
/// The OpenAPI subset that `parameters` and `responseSchema` take.
const SCHEMA: &[&str] = &[
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "enum",
    "items",
    "minItems",
    "maxItems",
    "properties",
    "required",
    "propertyOrdering",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "pattern",
    "anyOf",
    "example",
    "default",
];

pub(super) fn request(body: &Value) -> Verdict {
    known(body, FIELDS, "")?;
    let config = either(body, "generationConfig", "generation_config");
    known(config, CONFIG, "generation_config")?;
    let thinking = either(config, "thinkingConfig", "thinking_config");
    known(thinking, THINKING, "generation_config.thinking_config")?;
    let has_both = !either(thinking, "thinkingBudget", "thinking_budget").is_null()
        && !either(thinking, "thinkingLevel", "thinking_level").is_null();
    require(!has_both, "thinking_config", || {
        "You can only set one of thinking budget and thinking level.".to_owned()
    })?;
    require(
        in_range(&config["temperature"], 0.0, 2.0),
        "temperature",
        || {
            "Unable to submit request because it has a temperature value outside the supported range."
            .to_owned()
        },
    )?;
    schema(
        either(config, "responseSchema", "response_schema"),
        "generation_config.response_schema",
    )?;
    for tool in list(body, "tools") {
        known(tool, TOOL, "tools[0]")?;
        let declarations = either(tool, "functionDeclarations", "function_declarations");
        for declaration in declarations.as_array().into_iter().flatten() {
            self::declaration(declaration)?;
        }
    }
    contents(list(body, "contents"))
}

fn known(value: &Value, names: &[&str], place: &str) -> Verdict {
    let unknown = value
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.keys())
        .find(|key| !names.contains(&camel(key).as_str()));
    match unknown {
        None => Ok(()),
        Some(key) => Err(invalid(
            key,
            format!(
                "Invalid JSON payload received. Unknown name \"{key}\" at '{place}': Cannot find field."
            ),
        )),
    }
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

fn declaration(declaration: &Value) -> Verdict {
    known(
        declaration,
        DECLARATION,
        "tools[0].function_declarations[0]",
    )?;
    let name = declaration["name"].as_str().unwrap_or_default();
    require(is_function_name(name), "tools", || {
        "GenerateContentRequest.tools[0].function_declarations[0].name: Invalid function name. Must start with a letter or an underscore.".to_owned()
    })?;
    schema(
        &declaration["parameters"],
        "tools[0].function_declarations[0].parameters",
    )
}

fn is_function_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && super::is_name(name, "_.:-", 64)
}

fn schema(value: &Value, place: &str) -> Verdict {
    if !value.is_object() {
        return Ok(());
    }
    known(value, SCHEMA, place)?;
    require(!value["type"].is_array(), place, || {
        format!(
            "Invalid JSON payload received. Unknown name \"type\" at '{place}': Proto field is not repeating, cannot start list."
        )
    })?;
    for (name, property) in value["properties"].as_object().into_iter().flatten() {
        schema(property, &format!("{place}.properties[0].value"))?;
        require(!name.is_empty(), place, || {
            format!("{place}.properties: key must not be empty")
        })?;
    }
    schema(&value["items"], &format!("{place}.items"))?;
    list(value, "anyOf")
        .iter()
        .try_for_each(|one| schema(one, &format!("{place}.any_of")))
}

fn contents(contents: &[Value]) -> Verdict {
    require(!contents.is_empty(), "contents", || {
        "* GenerateContentRequest.contents: contents is not specified".to_owned()
    })?;
    let mut before = "";
    let mut open: Vec<&str> = Vec::new();
    for (index, content) in contents.iter().enumerate() {
        known(content, &["role", "parts"], "contents[0]")?;
        let role = content["role"].as_str().unwrap_or("user");
        require(
            matches!(role, "user" | "model" | "function"),
            "contents",
            || "Please use a valid role: user, model.".to_owned(),
        )?;
        require(index > 0 || role == "user", "contents", || {
            "Please ensure that multiturn requests start with a user turn.".to_owned()
        })?;
        require(role != before, "contents", || {
            "Please ensure that multiturn requests alternate between user and model.".to_owned()
        })?;
        before = role;
        let parts = list(content, "parts");
        require(!parts.is_empty(), "contents", || {
            format!(
                "* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty."
            )
        })?;
        for part in parts {
            self::part(part)?;
        }
        let answers = named(parts, "functionResponse", "function_response");
        require(answers == open, "contents", || {
            "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.".to_owned()
        })?;
        open = named(parts, "functionCall", "function_call");
    }
    Ok(())
}

fn named<'a>(parts: &'a [Value], camel: &str, snake: &str) -> Vec<&'a str> {
    parts
        .iter()
        .map(|part| either(part, camel, snake))
        .filter(|call| !call.is_null())
        .map(|call| call["name"].as_str().unwrap_or_default())
        .collect()
}

fn part(part: &Value) -> Verdict {
    known(part, PART, "contents[0].parts[0]")?;
    let blob = either(part, "inlineData", "inline_data");
    let is_typed = either(blob, "mimeType", "mime_type")
        .as_str()
        .is_some_and(|kind| kind.contains('/'));
    require(blob.is_null() || is_typed, "contents", || {
        "Unable to submit request because it must have a mimeType.".to_owned()
    })?;
    let response = either(part, "functionResponse", "function_response");
    require(
        response.is_null() || response["response"].is_object(),
        "contents",
        || {
            "Invalid value at 'contents[0].parts[0].function_response.response' (type.googleapis.com/google.protobuf.Struct)".to_owned()
        },
    )
}
