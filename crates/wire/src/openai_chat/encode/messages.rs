//! `messages`, edited: those that need no change are copied as they were written.

use super::declares;
use super::names::{ToolNames, is_plain, is_short, short_id};
use crate::chat::parse::value::{Path, Value};
use crate::chat::request::{Content, Message, Part, PartKind, ReasoningDetailKind, Role, ToolCall};
use crate::json::{ArrayWriter, ObjectWriter};
use crate::target::Target;
use bytes::BufMut;
use interline_domain::quirks::{ContentArrays, NullContent, ReasoningReplay};
use std::borrow::Cow;

/// Fields of an earlier answer that are ours, not the dialect's.
const OURS: &[&str] = &[
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "images",
    "annotations",
    "model",
];

/// Whether some endpoint could need the message written differently. What is cheap to see at
/// admission; [`Rewrite::changes`] decides for one endpoint.
pub(crate) fn may_need_rewrite(message: &Message<'_>) -> bool {
    let parts = match &message.content {
        Content::Parts(parts) => parts.as_slice(),
        _ => &[],
    };
    message.role == Role::Developer
        || matches!(message.content, Content::None | Content::Parts(_))
        || message.name.is_some()
        || parts.iter().any(|part| part.cache_control.is_some())
        || has_odd_calls(message)
        || (message.role == Role::Assistant && has_stray_fields(message))
}

/// Names, ids and arguments that the dialect does not take.
fn has_odd_calls(message: &Message<'_>) -> bool {
    let id = message.tool_call_id.as_deref().unwrap_or_default();
    !is_short(id) || message.tool_calls.iter().any(is_odd_call)
}

fn is_odd_call(call: &ToolCall<'_>) -> bool {
    !is_short(&call.id) || !is_plain(&call.name) || is_blank(&call.arguments)
}

/// A call without arguments (T12); `{}` to everyone.
fn is_blank(arguments: &str) -> bool {
    matches!(arguments.trim(), "" | "null")
}

/// Fields of ours, nulls and empty lists, which clients send back with an answer as they got it.
fn has_stray_fields(message: &Message<'_>) -> bool {
    let mut found = false;
    let visited = value_of(message).all_entries(|key, value| {
        found |= is_stray(key, value);
        Ok(())
    });
    found || visited.is_err()
}

fn is_stray(key: &str, value: Value<'_, '_>) -> bool {
    OURS.contains(&key)
        || (value.is_null() && key != "content")
        || (key == "tool_calls" && value.is_empty_array())
}

fn value_of<'a>(message: &Message<'a>) -> Value<'a, 'static> {
    Value::new(message.raw.get(), &Path::Root)
}

/// What the messages are written for.
pub(super) struct Rewrite<'p> {
    pub(super) target: &'p Target<'p>,
    pub(super) names: &'p ToolNames<'p>,
    /// Go into the first system message, or one of their own in front.
    pub(super) instructions: &'p [String],
}

/// Media of a tool result, waiting for the end of the run of results (T16).
struct Hoisted<'m, 'a> {
    call_id: &'m str,
    number: usize,
    part: &'m Part<'a>,
}

impl Rewrite<'_> {
    /// Writes the array. `raw` is the array as it was written.
    pub(super) fn write(&self, messages: &[Message<'_>], raw: &str, out: &mut impl BufMut) {
        if self.instructions.is_empty() && !messages.iter().any(|message| self.changes(message)) {
            out.put_slice(raw.as_bytes());
            return;
        }
        let mut array = ArrayWriter::open(out);
        let mut messages = messages;
        if let Some((first, rest)) = messages.split_first()
            && !self.instructions.is_empty()
        {
            if matches!(first.role, Role::System | Role::Developer) {
                array.object(|object| self.write_message(first, &[], true, object));
                messages = rest;
            } else {
                array.object(|object| {
                    object
                        .str("role", "system")
                        .str("content", &self.instructions.join("\n\n"));
                });
            }
        }
        let mut waiting = Vec::new();
        let mut count = 0;
        for message in messages {
            if message.role != Role::Tool {
                self.write_hoisted(&mut waiting, &mut array);
            }
            if !self.changes(message) {
                array.raw(message.raw.get());
                continue;
            }
            let before = waiting.len();
            collect_media(message, &mut count, &mut waiting);
            let own = waiting.get(before..).unwrap_or_default();
            array.object(|object| self.write_message(message, own, false, object));
        }
        self.write_hoisted(&mut waiting, &mut array);
        array.close();
    }

    /// Whether this endpoint needs the message written differently.
    fn changes(&self, message: &Message<'_>) -> bool {
        let quirks = self.target.quirks;
        let content = match &message.content {
            Content::Text(_) => false,
            Content::None => self.null_content(message) != NullContent::Keep,
            Content::Parts(parts) => {
                parts.iter().any(|part| self.changes_part(part))
                    || (message.role == Role::Tool && parts.iter().any(is_media))
                    || self.flattens(parts)
            }
        };
        content
            || (message.role == Role::Developer && !quirks.developer_role)
            || (message.name.is_some() && !quirks.message_names)
            || has_odd_calls(message)
            || (message.role == Role::Assistant
                && (has_stray_fields(message) || self.reasoning_of(message).is_some()))
    }

    fn changes_part(&self, part: &Part<'_>) -> bool {
        part.cache_control.is_some() && !declares(self.target, "cache_control")
    }

    fn flattens(&self, parts: &[Part<'_>]) -> bool {
        self.target.quirks.content_arrays != ContentArrays::Keep
            && parts.iter().all(|part| text_of(part).is_some())
    }

    /// What becomes of a missing content.
    fn null_content(&self, message: &Message<'_>) -> NullContent {
        if message.role == Role::Assistant && !message.tool_calls.is_empty() {
            self.target.quirks.null_content
        } else if message.refusal.is_some() {
            NullContent::Keep
        } else {
            NullContent::EmptyString
        }
    }

    /// The reasoning that goes with an earlier answer: the field and its text.
    fn reasoning_of<'m>(&self, message: &'m Message<'_>) -> Option<(&'static str, Cow<'m, str>)> {
        let text = || message.reasoning.as_deref().map(Cow::Borrowed);
        let text = || text().or_else(|| joined_details(message).map(Cow::Owned));
        match self.target.quirks.reasoning_replay {
            ReasoningReplay::Drop => None,
            ReasoningReplay::Content => text().map(|text| ("reasoning_content", text)),
            ReasoningReplay::Reasoning => text().map(|text| ("reasoning", text)),
            ReasoningReplay::Required => {
                // Refused without (T21); a space where it was lost.
                let lost = || (!message.tool_calls.is_empty()).then_some(Cow::Borrowed(" "));
                let text = text().filter(|text| !text.is_empty()).or_else(lost);
                text.map(|text| ("reasoning_content", text))
            }
        }
    }

    /// Writes the message field by field, in the order it was written.
    fn write_message<B: BufMut>(
        &self,
        message: &Message<'_>,
        media: &[Hoisted<'_, '_>],
        with_instructions: bool,
        object: &mut ObjectWriter<'_, B>,
    ) {
        let quirks = self.target.quirks;
        let prefix = message
            .name
            .as_deref()
            .filter(|_| !quirks.message_names && message.role != Role::Tool)
            .map(|name| format!("{name}: "))
            .unwrap_or_default();
        let suffix = if with_instructions {
            format!("\n\n{}", self.instructions.join("\n\n"))
        } else {
            String::new()
        };
        let content = ContentEdit {
            prefix,
            suffix,
            media,
        };
        let is_developer = message.role == Role::Developer && !quirks.developer_role;
        let mut has_content = false;
        // The visit cannot fail: the message was read before.
        let _ = value_of(message).all_entries(|key, value| {
            match key {
                "role" if is_developer => {
                    object.str("role", "system");
                }
                "content" => {
                    // A repeated key is written once, as its last value.
                    if !has_content {
                        has_content = true;
                        self.write_content(message, &content, last_content(message), object);
                    }
                }
                "name" if !quirks.message_names => {}
                "tool_calls" if message.role == Role::Assistant => {
                    if !message.tool_calls.is_empty() {
                        self.write_calls(message, value, object);
                    }
                }
                "tool_call_id" => {
                    let id = message.tool_call_id.as_deref().unwrap_or_default();
                    object.str(key, &short_id(id));
                }
                _ if message.role == Role::Assistant && is_stray(key, value) => {}
                _ => {
                    object.raw(key, value.text());
                }
            }
            Ok(())
        });
        if !has_content {
            self.write_content(message, &content, None, object);
        }
        if message.role == Role::Assistant
            && let Some((name, text)) = self.reasoning_of(message)
        {
            object.str(name, &text);
        }
    }

    fn write_content<B: BufMut>(
        &self,
        message: &Message<'_>,
        edit: &ContentEdit<'_, '_>,
        raw: Option<&str>,
        object: &mut ObjectWriter<'_, B>,
    ) {
        match &message.content {
            Content::None => match self.null_content(message) {
                NullContent::Omit => {}
                NullContent::EmptyString => {
                    object.str("content", "");
                }
                NullContent::Keep => {
                    if let Some(raw) = raw {
                        object.raw("content", raw);
                    }
                }
            },
            Content::Text(text) => match raw {
                Some(raw) if edit.is_none() => {
                    object.raw("content", raw);
                }
                _ => {
                    object.str("content", &edit.around(text));
                }
            },
            Content::Parts(parts) if !edit.media.is_empty() => {
                object.str("content", &text_with_placeholders(parts, edit.media));
            }
            Content::Parts(parts) if self.flattens(parts) => {
                let texts: Vec<_> = parts.iter().filter_map(text_of).collect();
                object.str("content", &edit.around(&texts.join("\n")));
            }
            Content::Parts(parts) => {
                object.array("content", |array| self.write_parts(parts, edit, array));
            }
        }
    }

    fn write_parts<B: BufMut>(
        &self,
        parts: &[Part<'_>],
        edit: &ContentEdit<'_, '_>,
        array: &mut ArrayWriter<'_, B>,
    ) {
        let text_part = |array: &mut ArrayWriter<'_, B>, text: &str| {
            array.object(|object| {
                object.str("type", "text").str("text", text);
            });
        };
        if !edit.prefix.is_empty() {
            text_part(array, &edit.prefix);
        }
        for part in parts {
            if self.changes_part(part) {
                array.object(|object| self.write_part(part, object));
            } else {
                array.raw(part.raw.get());
            }
        }
        if !edit.suffix.is_empty() {
            text_part(array, &edit.suffix);
        }
    }

    /// A part without its cache marker, or with the marker in the other vocabulary.
    fn write_part<B: BufMut>(&self, part: &Part<'_>, object: &mut ObjectWriter<'_, B>) {
        const BREAKPOINT: &str = "prompt_cache_breakpoint";
        let _ = Value::new(part.raw.get(), &Path::Root).entries(|key, value| {
            if key != "cache_control" && key != BREAKPOINT {
                object.raw(key, value.text());
            }
            Ok(())
        });
        if declares(self.target, BREAKPOINT) {
            object.raw(BREAKPOINT, r#"{"mode":"explicit"}"#);
        }
    }

    fn write_calls<B: BufMut>(
        &self,
        message: &Message<'_>,
        value: Value<'_, '_>,
        object: &mut ObjectWriter<'_, B>,
    ) {
        if !message.tool_calls.iter().any(is_odd_call) {
            object.raw("tool_calls", value.text());
            return;
        }
        object.array("tool_calls", |array| {
            let mut calls = message.tool_calls.iter();
            let _ = value.items(|item| {
                if let Some(call) = calls.next() {
                    array.object(|object| self.write_call(call, item, object));
                }
                Ok(())
            });
        });
    }

    fn write_call<B: BufMut>(
        &self,
        call: &ToolCall<'_>,
        item: Value<'_, '_>,
        object: &mut ObjectWriter<'_, B>,
    ) {
        let _ = item.entries(|key, value| {
            match key {
                "id" => {
                    object.str(key, &short_id(&call.id));
                }
                "function" => {
                    object.object(key, |function| {
                        function.str("name", self.names.get(&call.name));
                        let blank = is_blank(&call.arguments);
                        function.str("arguments", if blank { "{}" } else { &call.arguments });
                    });
                }
                _ => {
                    object.raw(key, value.text());
                }
            }
            Ok(())
        });
    }

    /// A user message with the media of the tool results before it, each under a label.
    fn write_hoisted<B: BufMut>(
        &self,
        waiting: &mut Vec<Hoisted<'_, '_>>,
        array: &mut ArrayWriter<'_, B>,
    ) {
        if waiting.is_empty() {
            return;
        }
        array.object(|object| {
            object.str("role", "user").array("content", |parts| {
                for media in waiting.drain(..) {
                    let (kind, number) = (media_kind(media.part), media.number);
                    let label = format!(
                        "[{kind} {number} from tool call {}]",
                        short_id(media.call_id)
                    );
                    parts.object(|object| {
                        object.str("type", "text").str("text", &label);
                    });
                    if self.changes_part(media.part) {
                        parts.object(|object| self.write_part(media.part, object));
                    } else {
                        parts.raw(media.part.raw.get());
                    }
                }
            });
        });
    }
}

/// What is added to a content.
struct ContentEdit<'e, 'a> {
    prefix: String,
    suffix: String,
    media: &'e [Hoisted<'e, 'a>],
}

impl ContentEdit<'_, '_> {
    fn is_none(&self) -> bool {
        self.prefix.is_empty() && self.suffix.is_empty()
    }

    fn around(&self, text: &str) -> String {
        format!("{}{text}{}", self.prefix, self.suffix)
    }
}

/// The text of the last `content`.
fn last_content<'a>(message: &Message<'a>) -> Option<&'a str> {
    let mut last = None;
    let _ = value_of(message).all_entries(|key, value| {
        if key == "content" {
            last = Some(value.text());
        }
        Ok(())
    });
    last
}

fn text_of<'p>(part: &'p Part<'_>) -> Option<&'p str> {
    match &part.kind {
        PartKind::Text(text) => Some(text),
        _ => None,
    }
}

fn is_media(part: &Part<'_>) -> bool {
    !matches!(part.kind, PartKind::Text(_) | PartKind::Other)
}

fn media_kind(part: &Part<'_>) -> &'static str {
    match part.kind {
        PartKind::Audio { .. } => "audio",
        PartKind::File { .. } => "file",
        PartKind::Video { .. } => "video",
        _ => "image",
    }
}

/// Adds the media of a tool result to those waiting. `count` numbers them over the conversation.
fn collect_media<'m, 'a>(
    message: &'m Message<'a>,
    count: &mut usize,
    waiting: &mut Vec<Hoisted<'m, 'a>>,
) {
    let (Role::Tool, Content::Parts(parts)) = (message.role, &message.content) else {
        return;
    };
    for part in parts.iter().filter(|part| is_media(part)) {
        *count += 1;
        waiting.push(Hoisted {
            call_id: message.tool_call_id.as_deref().unwrap_or_default(),
            number: *count,
            part,
        });
    }
}

/// A tool result's text, with a line in the place of each medium.
fn text_with_placeholders(parts: &[Part<'_>], media: &[Hoisted<'_, '_>]) -> String {
    let mut media = media.iter();
    let mut lines: Vec<Cow<'_, str>> = Vec::with_capacity(parts.len());
    for part in parts {
        if let Some(text) = text_of(part) {
            lines.push(text.into());
        } else if is_media(part)
            && let Some(next) = media.next()
        {
            let (kind, number) = (media_kind(part), next.number);
            lines.push(format!("[{kind} {number} follows]").into());
        }
    }
    lines.join("\n")
}

/// The readable text of reasoning details, for endpoints that want text.
fn joined_details(message: &Message<'_>) -> Option<String> {
    let texts: Vec<_> = message
        .reasoning_details
        .iter()
        .filter_map(|detail| match &detail.kind {
            ReasoningDetailKind::Text { text, .. } if !text.is_empty() => Some(text.as_ref()),
            _ => None,
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}
