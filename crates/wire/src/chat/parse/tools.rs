//! `tools`, `tool_choice` and `response_format`.

use super::value::{Path, Value};
use super::{Budget, cache_control};
use crate::chat::request::{RequestError, ResponseFormat, Tool, ToolChoice};
use interline_domain::{Parameter, Parameters};
use std::borrow::Cow;

/// Longest function name accepted. Providers take 64 characters of `[a-zA-Z0-9_-]`; longer and
/// dotted names (MCP) are mapped by the encoders (T42).
const MAX_NAME: usize = 256;

pub(super) fn tools<'a>(
    value: Value<'a, '_>,
    budget: &Budget,
) -> Result<Vec<Tool<'a>>, RequestError> {
    let mut tools = Vec::new();
    value.items(|item| {
        budget.take(item)?;
        tools.push(tool(item)?);
        Ok(())
    })?;
    Ok(tools)
}

fn tool<'a>(item: Value<'a, '_>) -> Result<Tool<'a>, RequestError> {
    let (mut kind, mut function, mut marker) = (None, None, None);
    item.entries(|key, value| {
        match key {
            "type" => kind = Some(value.string()?),
            "function" => function = Some(value.text()),
            "cache_control" => {
                cache_control(value)?;
                marker = Some(value.raw()?);
            }
            _ => {}
        }
        Ok(())
    })?;
    let Some(kind) = kind else {
        return Err(Path::Key(item.path, "type").refuse("is required"));
    };
    let mut tool = Tool {
        name: Cow::Borrowed(""),
        description: None,
        parameters: None,
        strict: None,
        cache_control: marker,
        raw: item.raw()?,
    };
    if kind == "function" {
        let path = Path::Key(item.path, "function");
        let function = function.ok_or_else(|| path.refuse("is required"))?;
        tool.name = function_name(Value::new(function, &path), |key, value| {
            match key {
                "description" => tool.description = Some(value.string()?),
                "parameters" => tool.parameters = Some(value.expect_object()?.raw()?),
                "strict" => tool.strict = Some(value.boolean()?),
                _ => {}
            }
            Ok(())
        })?;
    } else {
        tool.name = server_tool(kind).ok_or_else(|| {
            Path::Key(item.path, "type")
                .refuse("expected `function` or a server tool (`openrouter:…`)")
        })?;
    }
    Ok(tool)
}

/// Tools that are run for the caller rather than by the caller. [`Tool::name`] is their type, and
/// no function can have such a name.
pub(crate) fn is_server_tool(name: &str) -> bool {
    name.starts_with(SERVER_PREFIX)
}

const SERVER_PREFIX: &str = "openrouter:";

/// The server tool a type stands for, its shorthands included.
fn server_tool(kind: Cow<'_, str>) -> Option<Cow<'_, str>> {
    match kind.as_ref() {
        "web_search"
        | "web_search_preview"
        | "web_search_preview_2025_03_11"
        | "web_search_2025_08_26" => Some(Cow::Borrowed("openrouter:web_search")),
        _ => is_server_tool(&kind).then_some(kind),
    }
}

/// The required `name` of a function object; the other entries go to `visit`.
pub(super) fn function_name<'a>(
    value: Value<'a, '_>,
    mut visit: impl FnMut(&str, Value<'a, '_>) -> Result<(), RequestError>,
) -> Result<Cow<'a, str>, RequestError> {
    let mut name = None;
    value.entries(|key, value| {
        if key != "name" {
            return visit(key, value);
        }
        let text = value.string()?;
        if text.is_empty() || text.len() > MAX_NAME {
            return Err(value.refuse(format!("expected 1 to {MAX_NAME} characters")));
        }
        if is_server_tool(&text) {
            return Err(value.refuse("names of server tools are reserved"));
        }
        name = Some(text);
        Ok(())
    })?;
    name.ok_or_else(|| Path::Key(value.path, "name").refuse("is required"))
}

pub(super) fn tool_choice<'a>(value: Value<'a, '_>) -> Result<ToolChoice<'a>, RequestError> {
    if value.is_string() {
        let word = value.word(&["none", "auto", "required"])?;
        return Ok(mode(&word));
    }
    if !value.is_object() {
        return Err(value.refuse("expected `none`, `auto`, `required` or an object"));
    }
    let (mut kind, mut function, mut allowed) = (None, None, None);
    value.entries(|key, value| {
        match key {
            "type" => kind = Some(value.string()?),
            "function" => function = Some(value.text()),
            "allowed_tools" => allowed = Some(value.text()),
            _ => {}
        }
        Ok(())
    })?;
    match kind {
        Some(kind) if kind == "function" => {
            let path = Path::Key(value.path, "function");
            let function = function.ok_or_else(|| path.refuse("is required"))?;
            function_name(Value::new(function, &path), |_, _| Ok(())).map(ToolChoice::Named)
        }
        Some(kind) if kind == "allowed_tools" => {
            let path = Path::Key(value.path, "allowed_tools");
            let allowed = allowed.ok_or_else(|| path.refuse("is required"))?;
            let mut choice = ToolChoice::Auto;
            Value::new(allowed, &path).entries(|key, value| {
                if key == "mode" {
                    choice = mode(&value.word(&["auto", "required"])?);
                }
                Ok(())
            })?;
            Ok(choice)
        }
        kind => kind
            .and_then(server_tool)
            .map(ToolChoice::Named)
            .ok_or_else(|| {
                Path::Key(value.path, "type")
                    .refuse("expected `function`, `allowed_tools` or a server tool")
            }),
    }
}

fn mode(word: &str) -> ToolChoice<'static> {
    match word {
        "none" => ToolChoice::None,
        "required" => ToolChoice::Required,
        _ => ToolChoice::Auto,
    }
}

pub(super) fn response_format<'a>(
    value: Value<'a, '_>,
) -> Result<ResponseFormat<'a>, RequestError> {
    let (mut kind, mut schema) = (None, None);
    value.entries(|key, value| {
        match key {
            "type" => kind = Some(value.string()?),
            "json_schema" => schema = Some(value.text()),
            _ => {}
        }
        Ok(())
    })?;
    match kind.as_deref() {
        Some("text") => Ok(ResponseFormat::Text),
        Some("json_object") => Ok(ResponseFormat::JsonObject),
        Some("json_schema") => {
            let path = Path::Key(value.path, "json_schema");
            let schema = schema.ok_or_else(|| path.refuse("is required"))?;
            json_schema(Value::new(schema, &path))
        }
        Some(_) => Ok(ResponseFormat::Other(value.raw()?)),
        None => Err(Path::Key(value.path, "type").refuse("is required")),
    }
}

fn json_schema<'a>(value: Value<'a, '_>) -> Result<ResponseFormat<'a>, RequestError> {
    let (mut name, mut schema, mut strict) = (None, None, None);
    value.entries(|key, value| {
        match key {
            "name" => {
                let text = value.string()?;
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
                if text.is_empty() || text.len() > 64 || !text.bytes().all(is_plain) {
                    return Err(value.refuse("expected 1 to 64 characters of [A-Za-z0-9_-]"));
                }
                name = Some(text);
            }
            "schema" => schema = Some(value.expect_object()?.raw()?),
            "strict" => strict = Some(value.boolean()?),
            "description" => drop(value.string()?),
            _ => {}
        }
        Ok(())
    })?;
    let missing = |name| Path::Key(value.path, name).refuse("is required");
    Ok(ResponseFormat::JsonSchema {
        name: name.ok_or_else(|| missing("name"))?,
        schema: schema.ok_or_else(|| missing("schema"))?,
        strict,
    })
}

/// The vocabulary a response format uses.
pub(super) fn parameters_of(format: &ResponseFormat<'_>) -> Parameters {
    match format {
        ResponseFormat::Text => Parameters::EMPTY,
        ResponseFormat::JsonObject | ResponseFormat::Other(_) => {
            Parameters::EMPTY.with(Parameter::ResponseFormat)
        }
        ResponseFormat::JsonSchema { .. } => Parameters::EMPTY
            .with(Parameter::ResponseFormat)
            .with(Parameter::StructuredOutputs),
    }
}
