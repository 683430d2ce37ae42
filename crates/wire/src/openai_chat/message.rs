//! A delta, or a whole message, written as ours; what we do not know stays byte for byte.

use super::caller_name;
use super::calls::{self, Fragment, Step};
use super::chunk::{Delta, has_content};
use super::think::Kind;
use super::turn::{ChoiceState, Sources};
use crate::chat::answer::{Identity, Meter};
use crate::chat::render::Citation;
use crate::gemini::ids::call_id;
use crate::json::{Cursor, Malformed, ObjectWriter, string};
use crate::target::ReadBack;
use bytes::{BufMut, BytesMut};
use interline_domain::Failure;
use std::borrow::Cow;

/// Which of the two a [`Delta`] is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Delta,
    Message,
}

/// Buffers that live as long as the stream, so that a chunk costs no allocation.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    text: String,
    reasoning: String,
    calls: Vec<u8>,
    annotations: Vec<u8>,
}

impl Scratch {
    fn clear(&mut self) {
        self.text.clear();
        self.reasoning.clear();
        self.calls.clear();
        self.annotations.clear();
    }

    fn add(&mut self, kind: Kind, text: &str) {
        match kind {
            Kind::Text => self.text.push_str(text),
            Kind::Reasoning => self.reasoning.push_str(text),
        }
    }
}

/// Writes the deltas of one answer and counts what they hold.
pub(super) struct MessageWriter<'w> {
    pub(super) identity: &'w Identity,
    pub(super) read_back: &'w ReadBack,
    pub(super) sources: &'w Sources,
    pub(super) meter: &'w mut Meter,
    pub(super) scratch: &'w mut Scratch,
}

impl MessageWriter<'_> {
    /// Writes the object. `false`: it says nothing that a client of a stream would miss.
    pub(super) fn write(
        &mut self,
        state: &mut ChoiceState,
        delta: &Delta<'_>,
        shape: Shape,
        out: &mut BytesMut,
    ) -> Result<bool, Failure> {
        self.scratch.clear();
        let details = self.read_reasoning(state, delta)?;
        let content = self.read_content(state, delta)?;
        self.read_annotations(state, delta);
        let block = self.count(state, content);
        if let Some(raw) = delta.tool_calls {
            self.read_calls(state, raw, shape)?;
        }
        let mut object = ObjectWriter::open(out);
        object.str("role", "assistant");
        self.write_content(delta, content, shape, &mut object);
        if shape == Shape::Message || delta.refusal.is_some() {
            object.raw("refusal", delta.refusal.unwrap_or("null"));
        }
        let has_reasoning = self.write_reasoning(block, details, shape, &mut object);
        let lists = [
            ("tool_calls", &self.scratch.calls),
            ("annotations", &self.scratch.annotations),
        ];
        for (name, list) in lists {
            if !list.is_empty() {
                let out = object.name(name);
                out.put_u8(b'[');
                out.put_slice(list);
                out.put_u8(b']');
            }
        }
        for (name, value) in [("images", delta.images), ("audio", delta.audio)] {
            if let Some(value) = value.filter(|value| has_content(value)) {
                object.raw(name, value);
            }
        }
        for member in delta.extras.iter() {
            object.member(member);
        }
        object.close();
        let has = |value: Option<&str>| value.is_some_and(has_content);
        Ok(content.is_some()
            || has_reasoning
            || !self.scratch.text.is_empty()
            || !self.scratch.calls.is_empty()
            || !self.scratch.annotations.is_empty()
            || has(delta.refusal)
            || has(delta.images)
            || has(delta.audio)
            || delta.has_news)
    }

    /// Writes what tag parsing held back until the end. `false`: that was nothing.
    pub(super) fn write_rest(&mut self, state: &mut ChoiceState, out: &mut BytesMut) -> bool {
        self.scratch.clear();
        let scratch = &mut *self.scratch;
        state.release(&mut |kind, text| scratch.add(kind, text));
        let block = self.count(state, None);
        let mut object = ObjectWriter::open(out);
        object.str("role", "assistant");
        if !self.scratch.text.is_empty() {
            object.str("content", &self.scratch.text);
        }
        let has_reasoning = self.write_reasoning(block, None, Shape::Delta, &mut object);
        object.close();
        has_reasoning || !self.scratch.text.is_empty()
    }

    /// Counts a delta that is passed on as it is.
    pub(super) fn count_plain(&mut self, state: &mut ChoiceState, delta: &Delta<'_>) {
        if delta.content.is_some_and(has_content) {
            self.scratch.clear();
            self.count(state, delta.content);
        }
    }

    /// New reasoning text goes to the scratch; structured reasoning that the provider sends is
    /// returned, to be passed on.
    fn read_reasoning<'d>(
        &mut self,
        state: &mut ChoiceState,
        delta: &Delta<'d>,
    ) -> Result<Option<&'d str>, Failure> {
        let scratch = &mut *self.scratch;
        if let Some(raw) = delta.reasoning {
            let news = state.reasoning(raw, &mut |kind, text| scratch.add(kind, text));
            scratch
                .reasoning
                .push_str(news.as_deref().unwrap_or_default());
        }
        let details = delta
            .reasoning_details
            .filter(|raw| !state.is_cumulative() && has_content(raw));
        if let (Some(raw), None) = (details, delta.reasoning) {
            join_details(raw, &mut scratch.reasoning).map_err(|Malformed| super::malformed())?;
        }
        if details.is_some() {
            self.meter.has_content = true;
        }
        Ok(details)
    }

    /// Content that can be written as it came is returned; else its parts go to the scratch.
    fn read_content<'d>(
        &mut self,
        state: &mut ChoiceState,
        delta: &Delta<'d>,
    ) -> Result<Option<&'d str>, Failure> {
        let Some(raw) = delta.content.filter(|raw| has_content(raw)) else {
            return Ok(None);
        };
        if state.is_plain() && raw.starts_with('"') {
            return Ok(Some(raw));
        }
        let scratch = &mut *self.scratch;
        state.content(raw, &mut |kind, text| scratch.add(kind, text))?;
        Ok(None)
    }

    /// The provider's own annotations, and the citations that markers in the text stand for.
    fn read_annotations(&mut self, state: &mut ChoiceState, delta: &Delta<'_>) {
        let Scratch {
            text, annotations, ..
        } = &mut *self.scratch;
        if let Some(raw) = delta.annotations.filter(|raw| has_content(raw)) {
            let inner = raw.strip_prefix('[').and_then(|raw| raw.strip_suffix(']'));
            annotations.extend_from_slice(inner.unwrap_or_default().as_bytes());
        }
        state.cite(text, self.sources, &mut |source, start_index, end_index| {
            if !annotations.is_empty() {
                annotations.push(b',');
            }
            Citation {
                url: &source.url,
                title: source.title.as_deref(),
                content: None,
                start_index,
                end_index,
            }
            .write(annotations);
        });
        if delta.images.is_some_and(has_content) {
            let count = count_elements(delta.images.unwrap_or_default());
            self.meter.images = self.meter.images.saturating_add(count);
            self.meter.has_content |= count > 0;
        }
        self.meter.has_content |= delta.audio.is_some_and(has_content);
        if let Some(text) = delta
            .refusal
            .and_then(string)
            .filter(|text| !text.is_empty())
        {
            add_bytes(&mut self.meter.text_bytes, text.len());
            self.meter.has_content = true;
            state.leave_reasoning();
        }
    }

    /// Counts text and reasoning; returns the block that the reasoning belongs to.
    fn count(&mut self, state: &mut ChoiceState, content: Option<&str>) -> u32 {
        let reasoning = self.scratch.reasoning.len();
        let text = self.scratch.text.len() + content.map_or(0, text_length);
        add_bytes(&mut self.meter.reasoning_bytes, reasoning);
        add_bytes(&mut self.meter.text_bytes, text);
        self.meter.has_content |= reasoning > 0 || text > 0;
        let block = if reasoning > 0 {
            state.reasoning_block()
        } else {
            0
        };
        if text > 0 {
            state.leave_reasoning();
        }
        block
    }

    fn write_content(
        &self,
        delta: &Delta<'_>,
        content: Option<&str>,
        shape: Shape,
        object: &mut ObjectWriter<'_, BytesMut>,
    ) {
        if let Some(raw) = content {
            object.raw("content", raw);
        } else if !self.scratch.text.is_empty() {
            object.str("content", &self.scratch.text);
        } else if delta.content.is_some() {
            object.str("content", "");
        } else if delta.has_content || shape == Shape::Message {
            object.raw("content", "null");
        }
    }

    /// `true` if reasoning was written.
    fn write_reasoning(
        &self,
        block: u32,
        details: Option<&str>,
        shape: Shape,
        object: &mut ObjectWriter<'_, BytesMut>,
    ) -> bool {
        let reasoning = self.scratch.reasoning.as_str();
        let is_hidden = self.identity.exclude_reasoning;
        if is_hidden || (reasoning.is_empty() && details.is_none()) {
            if shape == Shape::Message {
                object.raw("reasoning", "null");
            }
            return false;
        }
        if !reasoning.is_empty() {
            object.str("reasoning", reasoning);
        }
        match details {
            Some(details) => {
                object.raw("reasoning_details", details);
            }
            None => {
                object.array("reasoning_details", |array| {
                    array.object(|detail| {
                        detail
                            .str("type", "reasoning.text")
                            .str("text", reasoning)
                            .str("format", "unknown")
                            .int("index", block);
                    });
                });
            }
        }
        true
    }

    fn read_calls(
        &mut self,
        state: &mut ChoiceState,
        raw: &str,
        shape: Shape,
    ) -> Result<(), Failure> {
        let choice = state.index;
        calls::fragments(raw, |fragment| {
            let mut step = state.calls.take(&fragment)?;
            state.leave_reasoning();
            if shape == Shape::Message && step.start.is_some() {
                // Nothing follows a whole call: no arguments is an empty object (T12).
                let is_blank = |text: &Cow<'_, str>| text.trim().is_empty();
                let text = step.arguments.take().filter(|text| !is_blank(text));
                step.arguments = Some(text.unwrap_or(Cow::Borrowed("{}")));
            }
            self.call(choice, step, &fragment);
            Ok(())
        })
    }

    /// Appends one entry of `tool_calls` to the scratch, if it says anything.
    fn call(&mut self, choice: u32, step: Step<'_>, fragment: &Fragment<'_>) {
        let arguments = step.arguments.as_deref();
        add_bytes(
            &mut self.meter.argument_bytes,
            arguments.map_or(0, str::len),
        );
        let has_extras = !fragment.extras.is_empty() || !fragment.function_extras.is_empty();
        if step.start.is_none() && arguments.is_none() && !has_extras {
            return;
        }
        let out = &mut self.scratch.calls;
        if !out.is_empty() {
            out.push(b',');
        }
        let mut entry = ObjectWriter::open(out);
        entry.int("index", step.call);
        let mut name = None;
        if let Some((id, own_name)) = step.start {
            self.meter.tool_calls = self.meter.tool_calls.saturating_add(1);
            let id = id.unwrap_or_else(|| call_id(&self.identity.id, choice, step.call));
            entry.str("id", &id);
            entry.raw("type", fragment.kind.unwrap_or("\"function\""));
            name = Some(caller_name(self.read_back, own_name));
        }
        self.meter.has_content |= name.is_some() || arguments.is_some();
        if name.is_some() || arguments.is_some() || !fragment.function_extras.is_empty() {
            entry.object("function", |function| {
                if let Some(name) = &name {
                    function.str("name", name);
                }
                if name.is_some() || arguments.is_some() {
                    function.str("arguments", arguments.unwrap_or_default());
                }
                for member in fragment.function_extras.iter() {
                    function.member(member);
                }
            });
        }
        for member in fragment.extras.iter() {
            entry.member(member);
        }
        entry.close();
    }
}

/// The readable text of `reasoning_details`, joined.
fn join_details(raw: &str, text: &mut String) -> Result<(), Malformed> {
    Cursor::new(raw)
        .array(|cursor| {
            cursor
                .object(|cursor, key| {
                    let value = cursor.value()?;
                    if matches!(key.name.as_ref(), "text" | "summary") {
                        text.push_str(&string(value).unwrap_or_default());
                    }
                    Ok(())
                })
                .map(|_| ())
        })
        .map(|_| ())
}

fn count_elements(raw: &str) -> u32 {
    let mut count = 0_u32;
    let _ = Cursor::new(raw).array(|cursor| {
        count = count.saturating_add(1);
        cursor.value().map(|_| ())
    });
    count
}

/// The bytes of text in a JSON string.
fn text_length(raw: &str) -> usize {
    if raw.contains('\\') {
        string(raw).map_or(0, |text| text.len())
    } else {
        raw.len().saturating_sub(2)
    }
}

fn add_bytes(counter: &mut u64, bytes: usize) {
    *counter = counter.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
}
