//! One candidate: its parts as events, and how it ended.

use super::Options;
use super::grounding::Offsets;
use super::ids::call_id;
use crate::event::{Event, ReasoningFormat, Sink};
use crate::json::{Cursor, Malformed, string};
use interline_domain::FinishReason;
use std::borrow::Cow;

/// One candidate so far.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// Tool calls so far: counted over the whole stream, never per event.
    pub(super) calls: u32,
    /// Reasoning blocks so far.
    blocks: u32,
    /// The last part was a readable thought: the next one continues its block.
    is_thinking: bool,
    /// Something that answers was produced. Thinking alone does not.
    pub(super) has_content: bool,
    /// The provider's word for the end.
    pub(super) finish: Option<String>,
    pub(super) offsets: Offsets,
    /// Bytes of content before each part of the newest response.
    pub(super) part_starts: Vec<u64>,
    pub(super) responses: u32,
    /// The last `groundingMetadata` with supports in it: later ones repeat and extend.
    pub(super) grounding: Option<String>,
}

/// What a part holds, as far as we read it.
#[derive(Default)]
pub(super) struct Part<'a> {
    text: Option<Cow<'a, str>>,
    is_thought: bool,
    signature: Option<Cow<'a, str>>,
    inline_data: Option<&'a str>,
    function_call: Option<&'a str>,
}

impl Choice {
    /// The first word holds, but a later, more telling one replaces a normal end.
    pub(super) fn take_finish(&mut self, native: &str) {
        if native.is_empty() || native == "FINISH_REASON_UNSPECIFIED" {
            return;
        }
        if matches!(self.finish.as_deref(), None | Some("STOP")) {
            self.finish = Some(native.to_owned());
        }
    }

    pub(super) fn reason(&self, native: &str) -> FinishReason {
        let reason = if is_stumble(native) {
            if self.has_content {
                FinishReason::Stop
            } else {
                FinishReason::Error
            }
        } else {
            FinishReason::from_native(native).unwrap_or(FinishReason::Stop)
        };
        reason.with_tool_calls(self.calls > 0)
    }
}

/// Ends that are the model's fault, not the request's.
pub(super) fn is_stumble(native: &str) -> bool {
    matches!(
        native,
        "MALFORMED_FUNCTION_CALL"
            | "UNEXPECTED_TOOL_CALL"
            | "TOO_MANY_TOOL_CALLS"
            | "MISSING_THOUGHT_SIGNATURE"
            | "MALFORMED_RESPONSE"
            | "IMAGE_OTHER"
            | "NO_IMAGE"
            | "OTHER"
    )
}

/// Emits the parts of one candidate.
pub(super) struct Writer<'w> {
    pub(super) options: &'w Options,
    pub(super) number: u32,
    pub(super) choice: &'w mut Choice,
    pub(super) sink: &'w mut dyn Sink,
}

impl Writer<'_> {
    pub(super) fn part(&mut self, part: &Part<'_>) -> Result<(), Malformed> {
        self.choice.part_starts.push(self.choice.offsets.bytes());
        if part.is_thought {
            self.thought(part);
            return Ok(());
        }
        if let Some(call) = part.function_call {
            return self.call(call, part.signature.as_deref());
        }
        if let Some(text) = part.text.as_deref().filter(|text| !text.is_empty()) {
            self.choice.is_thinking = false;
            self.choice.has_content = true;
            self.choice.offsets.push(text);
            self.sink.event(Event::Text {
                choice: self.number,
                text: Cow::Borrowed(text),
            });
        }
        if let Some(data) = part.inline_data {
            self.media(data)?;
        }
        // Also on a part without text: it must come back all the same.
        if let Some(signature) = part.signature.as_deref() {
            self.seal(None, signature);
        }
        Ok(())
    }

    /// Drafts of images that were thought of are not part of the answer.
    fn thought(&mut self, part: &Part<'_>) {
        let text = part.text.as_deref().filter(|text| !text.is_empty());
        let signature = part.signature.as_deref();
        if text.is_none() && signature.is_none() {
            return;
        }
        if !self.choice.is_thinking {
            self.choice.is_thinking = true;
            self.choice.blocks = self.choice.blocks.saturating_add(1);
        }
        let block = self.choice.blocks.saturating_sub(1);
        if let Some(text) = text {
            self.sink.event(Event::Reasoning {
                choice: self.number,
                block,
                is_summary: false,
                text: Cow::Borrowed(text),
                format: ReasoningFormat::Gemini,
            });
        }
        if let Some(signature) = signature {
            self.choice.is_thinking = false;
            self.sink.event(Event::ReasoningSignature {
                choice: self.number,
                block,
                signature: Cow::Borrowed(signature),
                format: ReasoningFormat::Gemini,
            });
        }
    }

    fn seal(&mut self, id: Option<&str>, signature: &str) {
        if signature.is_empty() {
            return;
        }
        self.choice.is_thinking = false;
        let block = self.choice.blocks;
        self.choice.blocks = block.saturating_add(1);
        self.sink.event(Event::ReasoningOpaque {
            choice: self.number,
            block,
            id: id.map(Cow::Borrowed),
            data: Cow::Borrowed(signature),
            format: ReasoningFormat::Gemini,
        });
    }

    fn call(&mut self, raw: &str, signature: Option<&str>) -> Result<(), Malformed> {
        let (mut id, mut name, mut arguments) = (None, None, None);
        Cursor::new(raw).object(|cursor, key| {
            let value = cursor.value()?;
            match &*key.name {
                "id" => id = string(value),
                "name" => name = string(value),
                "args" => arguments = Some(value),
                _ => {}
            }
            Ok(())
        })?;
        let call = self.choice.calls;
        let id = id
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| call_id(&self.options.generation_id, self.number, call).into());
        // Before the call: skins with blocks close the reasoning before they open the call.
        if let Some(signature) = signature {
            self.seal(Some(&id), signature);
        }
        self.choice.is_thinking = false;
        self.choice.has_content = true;
        self.choice.calls = call.saturating_add(1);
        let name = name.unwrap_or_default();
        let names = &self.options.read_back.tool_names;
        let original = names.iter().find(|(sent, _)| *sent == *name);
        self.sink.event(Event::ToolStart {
            choice: self.number,
            call,
            id,
            name: original.map_or(name, |(_, written)| Cow::Borrowed(written)),
        });
        let arguments = arguments.filter(|arguments| *arguments != "null");
        self.sink.event(Event::ToolArguments {
            choice: self.number,
            call,
            fragment: compact(arguments.unwrap_or("{}")),
        });
        Ok(())
    }

    fn media(&mut self, raw: &str) -> Result<(), Malformed> {
        let (mut kind, mut data) = (None, None);
        Cursor::new(raw).object(|cursor, key| {
            let value = cursor.value()?;
            match &*key.name {
                "mimeType" => kind = string(value),
                "data" => data = string(value),
                _ => {}
            }
            Ok(())
        })?;
        let kind = kind.unwrap_or(Cow::Borrowed("image/png"));
        let Some(data) = data.filter(|data| !data.is_empty()) else {
            return Ok(());
        };
        self.choice.is_thinking = false;
        self.choice.has_content = true;
        let event = if kind.starts_with("audio/") {
            Event::Audio {
                choice: self.number,
                id: None,
                data: Some(data),
                transcript: None,
            }
        } else {
            Event::Image {
                choice: self.number,
                url: format!("data:{kind};base64,{data}").into(),
            }
        };
        self.sink.event(event);
        Ok(())
    }
}

impl<'a> Part<'a> {
    pub(super) fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        let mut part = Self::default();
        cursor.object(|cursor, key| {
            let value = cursor.value()?;
            match &*key.name {
                "text" => part.text = string(value),
                "thought" => part.is_thought = value == "true",
                "thoughtSignature" => part.signature = string(value),
                "inlineData" => part.inline_data = Some(value),
                "functionCall" => part.function_call = Some(value),
                _ => {}
            }
            Ok(())
        })?;
        Ok(part)
    }
}

/// JSON without the blanks between its tokens; the tokens stay as they were written.
fn compact(json: &str) -> Cow<'_, str> {
    let mut text = String::new();
    let mut kept_until = 0;
    let mut is_string = false;
    let mut is_escaped = false;
    for (at, byte) in json.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_string => is_escaped = true,
            b'"' => is_string = !is_string,
            b' ' | b'\n' | b'\r' | b'\t' if !is_string => {
                text.push_str(json.get(kept_until..at).unwrap_or_default());
                kept_until = at + 1;
            }
            _ => {}
        }
    }
    if kept_until == 0 {
        return Cow::Borrowed(json);
    }
    text.push_str(json.get(kept_until..).unwrap_or_default());
    Cow::Owned(text)
}
