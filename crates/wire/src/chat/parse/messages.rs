//! `messages`: roles, content parts, the calls and the reasoning of earlier turns.

use super::tools::function_name;
use super::value::{Path, Value};
use super::{Budget, cache_control, non_empty};
use crate::chat::request::{
    Content, Message, Part, PartKind, ReasoningDetail, ReasoningDetailKind, RequestError, Role,
    ToolCall,
};
use serde_json::value::RawValue;
use std::borrow::Cow;

pub(super) fn messages<'a>(
    value: Value<'a, '_>,
    budget: &Budget,
) -> Result<Vec<Message<'a>>, RequestError> {
    let raws = value
        .raw_items(budget.left())?
        .ok_or_else(|| budget.exceeded(value))?;
    let mut messages = Vec::with_capacity(raws.len());
    for (index, raw) in raws.into_iter().enumerate() {
        let path = Path::Index(value.path, index);
        let item = Value::new(raw.get(), &path);
        budget.take(item)?;
        messages.push(message(item, raw, budget)?);
    }
    Ok(messages)
}

/// The fields of a message we know, the last of each name.
#[derive(Default)]
struct Slots<'a> {
    role: Option<&'a str>,
    content: Option<&'a str>,
    name: Option<&'a str>,
    tool_calls: Option<&'a str>,
    tool_call_id: Option<&'a str>,
    reasoning: Option<&'a str>,
    reasoning_content: Option<&'a str>,
    reasoning_details: Option<&'a str>,
    refusal: Option<&'a str>,
}

/// The role decides what the other fields may be, so they are collected first.
fn message<'a>(
    item: Value<'a, '_>,
    raw: &'a RawValue,
    budget: &Budget,
) -> Result<Message<'a>, RequestError> {
    let mut slots = Slots::default();
    item.entries(|key, value| {
        let slot = match key {
            "role" => &mut slots.role,
            "content" => &mut slots.content,
            "name" => &mut slots.name,
            "tool_calls" => &mut slots.tool_calls,
            "tool_call_id" => &mut slots.tool_call_id,
            "reasoning" => &mut slots.reasoning,
            "reasoning_content" => &mut slots.reasoning_content,
            "reasoning_details" => &mut slots.reasoning_details,
            "refusal" => &mut slots.refusal,
            _ => return Ok(()),
        };
        *slot = Some(value.text());
        Ok(())
    })?;

    let role = role(slots.role, item.path)?;
    let mut message = Message {
        role,
        content: Content::None,
        name: field(slots.name, item, "name", text_of)?,
        tool_calls: Vec::new(),
        tool_call_id: None,
        reasoning: None,
        reasoning_details: Vec::new(),
        refusal: None,
        raw,
    };
    if let Some(found) = field(slots.content, item, "content", |value| {
        content(value, role, budget)
    })? {
        message.content = found;
    }
    match role {
        Role::System | Role::Developer | Role::User => refuse_silence(&message, item)?,
        Role::Assistant => {
            let calls = field(slots.tool_calls, item, "tool_calls", |value| {
                tool_calls(value, budget)
            })?;
            message.tool_calls = calls.unwrap_or_default();
            let text = field(slots.reasoning, item, "reasoning", text_of)?;
            let alias = field(slots.reasoning_content, item, "reasoning_content", text_of)?;
            message.reasoning = text.or(alias);
            let details = field(
                slots.reasoning_details,
                item,
                "reasoning_details",
                |value| reasoning_details(value, budget),
            )?;
            message.reasoning_details = details.unwrap_or_default();
            message.refusal = field(slots.refusal, item, "refusal", text_of)?;
        }
        Role::Tool => {
            let id = field(slots.tool_call_id, item, "tool_call_id", text_of)?;
            let path = Path::Key(item.path, "tool_call_id");
            message.tool_call_id = Some(id.ok_or_else(|| path.refuse("is required"))?);
        }
    }
    Ok(message)
}

/// Reads the field `name` of `item`, if it is there.
fn field<'a, T>(
    text: Option<&'a str>,
    item: Value<'a, '_>,
    name: &str,
    read: impl FnOnce(Value<'a, '_>) -> Result<T, RequestError>,
) -> Result<Option<T>, RequestError> {
    text.map(|text| read(Value::new(text, &Path::Key(item.path, name))))
        .transpose()
}

fn text_of<'a>(value: Value<'a, '_>) -> Result<Cow<'a, str>, RequestError> {
    value.string()
}

fn role(text: Option<&str>, parent: &Path<'_>) -> Result<Role, RequestError> {
    let path = Path::Key(parent, "role");
    let Some(text) = text else {
        return Err(path.refuse_prompt("is required"));
    };
    match Value::new(text, &path).string()?.as_ref() {
        "system" => Ok(Role::System),
        "developer" => Ok(Role::Developer),
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        "tool" => Ok(Role::Tool),
        _ => Err(path
            .refuse_prompt("expected one of `system`, `developer`, `user`, `assistant`, `tool`")),
    }
}

/// Those who speak must say something. Answers and tool results may well be empty: a command
/// without output, a turn that only thought.
fn refuse_silence(message: &Message<'_>, item: Value<'_, '_>) -> Result<(), RequestError> {
    let is_silent = match &message.content {
        Content::None => true,
        Content::Text(text) => text.is_empty(),
        Content::Parts(parts) => parts.is_empty(),
    };
    if is_silent {
        return Err(Path::Key(item.path, "content").refuse_prompt("must not be empty"));
    }
    Ok(())
}

fn content<'a>(
    value: Value<'a, '_>,
    role: Role,
    budget: &Budget,
) -> Result<Content<'a>, RequestError> {
    if value.is_string() {
        return value.string().map(Content::Text);
    }
    if !value.is_array() {
        return Err(value.refuse("expected a string or an array of content parts"));
    }
    let mut parts = Vec::new();
    value.items(|item| {
        budget.take(item)?;
        let part = part(item)?;
        let is_text = matches!(part.kind, PartKind::Text(_) | PartKind::Other);
        if !is_text && matches!(role, Role::System | Role::Developer) {
            let path = Path::Key(item.path, "type");
            return Err(path.refuse("only text parts are accepted in this role"));
        }
        parts.push(part);
        Ok(())
    })?;
    Ok(Content::Parts(parts))
}

fn part<'a>(item: Value<'a, '_>) -> Result<Part<'a>, RequestError> {
    let mut kind = None;
    let mut marker = None;
    let mut breakpoint = false;
    let (mut text, mut image, mut audio, mut file, mut video) = (None, None, None, None, None);
    item.entries(|key, value| {
        let slot = match key {
            "type" => {
                kind = Some(value.string()?);
                return Ok(());
            }
            "cache_control" => {
                cache_control(value)?;
                marker = Some(value.raw()?);
                return Ok(());
            }
            "prompt_cache_breakpoint" => {
                value.expect_object()?;
                breakpoint = true;
                return Ok(());
            }
            "text" => &mut text,
            "image_url" => &mut image,
            "input_audio" => &mut audio,
            "file" => &mut file,
            "video_url" => &mut video,
            _ => return Ok(()),
        };
        *slot = Some(value.text());
        Ok(())
    })?;
    let Some(kind) = kind else {
        return Err(Path::Key(item.path, "type").refuse("is required"));
    };
    let kind = match kind.as_ref() {
        "text" => PartKind::Text(needed(text, item, "text", text_of)?),
        "image_url" => needed(image, item, "image_url", image_part)?,
        "input_audio" => needed(audio, item, "input_audio", audio_part)?,
        "file" => needed(file, item, "file", file_part)?,
        "video_url" | "input_video" => needed(video, item, "video_url", video_part)?,
        _ => PartKind::Other,
    };
    Ok(Part {
        kind,
        cache_control: marker.or_else(|| if breakpoint { default_marker() } else { None }),
        raw: item.raw()?,
    })
}

/// What a `prompt_cache_breakpoint` means in the other vocabulary.
fn default_marker() -> Option<&'static RawValue> {
    serde_json::from_str(r#"{"type":"ephemeral"}"#).ok()
}

fn needed<'a, T>(
    text: Option<&'a str>,
    item: Value<'a, '_>,
    name: &str,
    read: impl FnOnce(Value<'a, '_>) -> Result<T, RequestError>,
) -> Result<T, RequestError> {
    field(text, item, name, read)?.ok_or_else(|| Path::Key(item.path, name).refuse("is required"))
}

/// The fields of a small object of strings, by name; other fields are left alone.
fn strings_of<'a, const N: usize>(
    value: Value<'a, '_>,
    names: [&str; N],
) -> Result<[Option<Cow<'a, str>>; N], RequestError> {
    let mut found = [const { None }; N];
    value.entries(|key, value| {
        if let Some(at) = names.iter().position(|name| *name == key)
            && let Some(slot) = found.get_mut(at)
        {
            *slot = Some(value.string()?);
        }
        Ok(())
    })?;
    Ok(found)
}

fn required<'a>(
    found: Option<Cow<'a, str>>,
    value: Value<'_, '_>,
    name: &str,
) -> Result<Cow<'a, str>, RequestError> {
    found.ok_or_else(|| Path::Key(value.path, name).refuse("is required"))
}

fn image_part<'a>(value: Value<'a, '_>) -> Result<PartKind<'a>, RequestError> {
    let [url, detail] = strings_of(value, ["url", "detail"])?;
    Ok(PartKind::Image {
        url: link(required(url, value, "url")?, value, "url")?,
        detail,
    })
}

fn audio_part<'a>(value: Value<'a, '_>) -> Result<PartKind<'a>, RequestError> {
    let [data, format] = strings_of(value, ["data", "format"])?;
    Ok(PartKind::Audio {
        data: required(data, value, "data")?,
        format: required(format, value, "format")?,
    })
}

fn file_part<'a>(value: Value<'a, '_>) -> Result<PartKind<'a>, RequestError> {
    let [filename, data, file_id] = strings_of(value, ["filename", "file_data", "file_id"])?;
    if data.is_none() && file_id.is_none() {
        return Err(Path::Key(value.path, "file_data").refuse("is required without `file_id`"));
    }
    let data = data
        .map(|data| link(data, value, "file_data"))
        .transpose()?;
    Ok(PartKind::File {
        filename,
        data,
        file_id,
    })
}

fn video_part<'a>(value: Value<'a, '_>) -> Result<PartKind<'a>, RequestError> {
    let [url] = strings_of(value, ["url"])?;
    let url = link(required(url, value, "url")?, value, "url")?;
    Ok(PartKind::Video { url })
}

fn link<'a>(
    url: Cow<'a, str>,
    value: Value<'_, '_>,
    name: &str,
) -> Result<Cow<'a, str>, RequestError> {
    let has_scheme = |scheme: &str| {
        url.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    if ["https://", "http://", "data:"].into_iter().any(has_scheme) {
        return Ok(url);
    }
    Err(Path::Key(value.path, name).refuse("expected an https link or a `data:` URL"))
}

fn tool_calls<'a>(
    value: Value<'a, '_>,
    budget: &Budget,
) -> Result<Vec<ToolCall<'a>>, RequestError> {
    let mut calls = Vec::new();
    value.items(|item| {
        budget.take(item)?;
        let (mut id, mut function) = (None, None);
        item.entries(|key, value| {
            match key {
                "id" => id = Some(non_empty(value)?),
                "function" => function = Some(value.text()),
                _ => {}
            }
            Ok(())
        })?;
        let id = id.ok_or_else(|| Path::Key(item.path, "id").refuse("is required"))?;
        let (name, arguments) = needed(function, item, "function", |value| {
            let mut arguments = Cow::Borrowed("");
            let name = function_name(value, |key, value| {
                if key == "arguments" {
                    arguments = value.string_or("expected a string of JSON text")?;
                }
                Ok(())
            })?;
            Ok((name, arguments))
        })?;
        calls.push(ToolCall {
            id,
            name,
            arguments,
        });
        Ok(())
    })?;
    Ok(calls)
}

fn reasoning_details<'a>(
    value: Value<'a, '_>,
    budget: &Budget,
) -> Result<Vec<ReasoningDetail<'a>>, RequestError> {
    let mut details = Vec::new();
    value.items(|item| {
        budget.take(item)?;
        details.push(reasoning_detail(item)?);
        Ok(())
    })?;
    Ok(details)
}

fn reasoning_detail<'a>(item: Value<'a, '_>) -> Result<ReasoningDetail<'a>, RequestError> {
    let mut index = None;
    item.entries(|key, value| {
        if key == "index" {
            index = Some(value.integer(0)?);
        }
        Ok(())
    })?;
    let names = [
        "type",
        "id",
        "format",
        "text",
        "signature",
        "summary",
        "data",
    ];
    let [kind, id, format, text, signature, summary, data] = strings_of(item, names)?;
    let kind = match required(kind, item, "type")?.as_ref() {
        "reasoning.text" => ReasoningDetailKind::Text {
            text: text.unwrap_or_default(),
            signature,
        },
        "reasoning.summary" => ReasoningDetailKind::Summary {
            summary: summary.unwrap_or_default(),
        },
        "reasoning.encrypted" => ReasoningDetailKind::Encrypted {
            data: required(data, item, "data")?,
        },
        _ => ReasoningDetailKind::Other,
    };
    Ok(ReasoningDetail {
        kind,
        id,
        format,
        index,
    })
}
