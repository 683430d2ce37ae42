//! Messages as `systemInstruction` and alternating `contents`.

mod reasoning;
mod results;

use super::media::Blob;
use super::names::Names;
use super::{Fetched, is_third_generation};
use crate::chat::request::{Content, Message, PartKind, Request, Role, ToolCall};
use crate::json::{ArrayWriter, Cursor, ObjectWriter, string, write_str};
use crate::target::Target;
use bytes::BytesMut;
use interline_domain::Failure;
use reasoning::Signatures;
use std::borrow::Cow;

/// Documented for history that another model made: such a signature is not checked.
const DUMMY_SIGNATURE: &str = "skip_thought_signature_validator";

/// A conversation in Google's order.
pub(super) struct Conversation<'r> {
    pub(super) system: Vec<Cow<'r, str>>,
    turns: Vec<Turn<'r>>,
}

/// One content: neighbours of a role are one.
struct Turn<'r> {
    is_model: bool,
    parts: Vec<Part<'r>>,
}

enum Part<'r> {
    Text {
        text: Cow<'r, str>,
        signature: Option<&'r str>,
        /// A message that was a plain string: joined with its neighbour, not set beside it.
        is_plain: bool,
    },
    Thought {
        text: &'r str,
        signature: &'r str,
    },
    Media(Blob<'r>),
    Call {
        name: &'r str,
        /// A JSON object.
        arguments: Cow<'r, str>,
        signature: Option<&'r str>,
    },
    Result {
        name: &'r str,
        /// A JSON object.
        response: Cow<'r, str>,
        media: Vec<Blob<'r>>,
    },
}

impl<'r> Part<'r> {
    fn text(text: impl Into<Cow<'r, str>>) -> Self {
        Self::Text {
            text: text.into(),
            signature: None,
            is_plain: false,
        }
    }
}

/// What reading a message needs.
#[derive(Clone, Copy)]
struct Reader<'r, 'c> {
    target: &'c Target<'c>,
    names: &'r Names,
    fetched: &'c Fetched<'c>,
}

impl<'r> Conversation<'r> {
    pub(super) fn read(
        request: &'r Request<'_>,
        target: &Target<'_>,
        names: &'r Names,
        fetched: &Fetched<'_>,
    ) -> Result<Self, Failure> {
        let reader = Reader {
            target,
            names,
            fetched,
        };
        let mut conversation = Self {
            system: Vec::new(),
            turns: Vec::new(),
        };
        let messages = request.messages.as_slice();
        let is_system =
            |message: &Message<'_>| matches!(message.role, Role::System | Role::Developer);
        let leading = messages.iter().take_while(|it| is_system(it)).count();
        let (system, rest) = messages
            .split_at_checked(leading)
            .unwrap_or((&[], messages));
        for message in system {
            let texts = reader
                .parts(message)?
                .into_iter()
                .filter_map(|part| match part {
                    Part::Text { text, .. } => Some(text),
                    _ => None,
                });
            conversation.system.extend(texts);
        }
        conversation.read_turns(rest, reader)?;
        if let Some(prompt) = request.prompt.as_deref().filter(|_| messages.is_empty()) {
            conversation.push(false, vec![Part::text(prompt)]);
        }
        conversation.start_with_user();
        Ok(conversation)
    }

    fn read_turns(
        &mut self,
        messages: &'r [Message<'_>],
        reader: Reader<'r, '_>,
    ) -> Result<(), Failure> {
        let mut rest = messages;
        while let Some((message, after)) = rest.split_first() {
            match message.role {
                // Results were taken with the calls they answer; what is left answers none.
                Role::Tool => rest = after,
                Role::Assistant => {
                    let is_model = |it: &&Message<'_>| it.role == Role::Assistant;
                    let length = rest.iter().take_while(is_model).count();
                    let (step, following) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                    self.read_step(step, following, reader)?;
                    rest = following;
                }
                // Later system messages are read as the user's, at their place.
                Role::User | Role::System | Role::Developer => {
                    let mut parts = reader.parts(message)?;
                    if parts.is_empty() {
                        parts.push(Part::text(" "));
                    }
                    self.push(false, parts);
                    rest = after;
                }
            }
        }
        Ok(())
    }

    /// What the model said before anyone else spoke, and the results of its calls.
    fn read_step(
        &mut self,
        step: &'r [Message<'_>],
        following: &'r [Message<'_>],
        reader: Reader<'r, '_>,
    ) -> Result<(), Failure> {
        let mut calls: Vec<&'r ToolCall<'_>> = Vec::new();
        for message in step {
            let is_first_call = calls.is_empty();
            let parts = reader.model_parts(message, is_first_call)?;
            calls.extend(&message.tool_calls);
            self.push(true, parts);
        }
        if !calls.is_empty() {
            let until_next_step = following
                .iter()
                .take_while(|message| message.role != Role::Assistant);
            let parts = results::read(&calls, until_next_step, reader)?;
            self.push(false, parts);
        }
        Ok(())
    }

    /// Adds a content, or adds to the last one.
    fn push(&mut self, is_model: bool, parts: Vec<Part<'r>>) {
        if parts.is_empty() {
            return;
        }
        let Some(last) = self
            .turns
            .last_mut()
            .filter(|last| last.is_model == is_model)
        else {
            self.turns.push(Turn { is_model, parts });
            return;
        };
        let mut parts = parts.into_iter().peekable();
        if let Some(Part::Text {
            text,
            signature: None,
            is_plain: true,
        }) = last.parts.last_mut()
            && let Some(Part::Text {
                text: next,
                signature: None,
                is_plain: true,
            }) = parts.peek()
        {
            let joined = text.to_mut();
            joined.push_str("\n\n");
            joined.push_str(next);
            parts.next();
        }
        last.parts.extend(parts);
    }

    fn start_with_user(&mut self) {
        if self.turns.first().is_none_or(|first| first.is_model) {
            let turn = Turn {
                is_model: false,
                parts: vec![Part::text(" ")],
            };
            self.turns.insert(0, turn);
        }
    }

    pub(super) fn write_system(&self, object: &mut ObjectWriter<'_, BytesMut>) {
        if self.system.is_empty() {
            return;
        }
        object.object("systemInstruction", |system| {
            system.array("parts", |parts| {
                for text in &self.system {
                    parts.object(|part| {
                        part.str("text", text);
                    });
                }
            });
        });
    }

    pub(super) fn write_contents(&self, object: &mut ObjectWriter<'_, BytesMut>) {
        object.array("contents", |contents| {
            for turn in &self.turns {
                contents.object(|content| {
                    content.str("role", if turn.is_model { "model" } else { "user" });
                    content.array("parts", |parts| {
                        for part in &turn.parts {
                            part.write(parts);
                        }
                    });
                });
            }
        });
    }
}

impl<'r> Reader<'r, '_> {
    /// Text and media of a message, without what is empty.
    fn parts(&self, message: &'r Message<'_>) -> Result<Vec<Part<'r>>, Failure> {
        let mut parts = Vec::new();
        match &message.content {
            Content::None => {}
            Content::Text(text) if text.is_empty() => {}
            Content::Text(text) => parts.push(Part::Text {
                text: Cow::Borrowed(text),
                signature: None,
                is_plain: true,
            }),
            Content::Parts(written) => {
                for part in written {
                    match &part.kind {
                        PartKind::Text(text) if text.is_empty() => {}
                        PartKind::Text(text) => parts.push(Part::text(&**text)),
                        kind => {
                            let blob = Blob::read(kind, self.target, self.fetched)?;
                            parts.extend(blob.map(Part::Media));
                        }
                    }
                }
            }
        }
        // Gemini has no field for names; the public API promises this form.
        if let Some(name) = message.name.as_deref().filter(|name| !name.is_empty())
            && message.role != Role::Tool
            && let Some(Part::Text { text, .. }) = parts
                .iter_mut()
                .find(|part| matches!(part, Part::Text { .. }))
        {
            *text = format!("{name}: {text}").into();
        }
        Ok(parts)
    }

    /// Signed thoughts, text, calls: the order in which Gemini says them. `is_first_call`: no
    /// message of this step held a call so far.
    fn model_parts(
        &self,
        message: &'r Message<'_>,
        is_first_call: bool,
    ) -> Result<Vec<Part<'r>>, Failure> {
        let signatures = Signatures::read(message, self.target);
        let mut parts: Vec<Part<'r>> = signatures
            .thoughts
            .iter()
            .map(|(text, signature)| Part::Thought { text, signature })
            .collect();
        let mut said = self.parts(message)?;
        if said.is_empty()
            && let Some(refusal) = message.refusal.as_deref().filter(|text| !text.is_empty())
        {
            said.push(Part::text(refusal));
        }
        let mut of_texts = signatures.of_texts.iter().copied();
        for part in &mut said {
            if let Part::Text { signature, .. } = part {
                *signature = of_texts.next();
            }
        }
        parts.append(&mut said);
        // Gemini also signs a last part without text.
        parts.extend(of_texts.map(|signature| Part::Text {
            text: Cow::Borrowed(""),
            signature: Some(signature),
            is_plain: false,
        }));
        for (position, call) in message.tool_calls.iter().enumerate() {
            let needs_one = is_first_call && position == 0 && self.target.quirks.thought_signatures;
            parts.push(Part::Call {
                name: self.names.sent(&call.name),
                arguments: arguments(&call.arguments),
                signature: signatures
                    .of_call(&call.id)
                    .or(needs_one.then_some(DUMMY_SIGNATURE)),
            });
        }
        Ok(parts)
    }
}

/// Arguments as an object: byte for byte where they are one.
fn arguments(written: &str) -> Cow<'_, str> {
    let trimmed = written.trim();
    if trimmed.is_empty() || trimmed == "null" {
        return Cow::Borrowed("{}");
    }
    if is_object(trimmed) {
        return Cow::Borrowed(trimmed);
    }
    // Encoded twice by some clients.
    let mut cursor = Cursor::new(trimmed);
    if trimmed.starts_with('"')
        && cursor.value().and_then(|_| cursor.end()).is_ok()
        && let Some(inner) = string(trimmed)
        && is_object(inner.trim())
    {
        return Cow::Owned(inner.trim().to_owned());
    }
    Cow::Owned(wrapped("_raw", written))
}

fn is_object(text: &str) -> bool {
    let mut cursor = Cursor::new(text);
    text.starts_with('{') && cursor.value().and_then(|_| cursor.end()).is_ok()
}

/// `{"name":"text"}`
fn wrapped(name: &str, text: &str) -> String {
    let mut json = Vec::with_capacity(text.len() + 16);
    let mut object = ObjectWriter::open(&mut json);
    write_str(object.name(name), text);
    object.close();
    String::from_utf8(json).unwrap_or_else(|_| "{}".to_owned())
}

impl Part<'_> {
    fn write(&self, parts: &mut ArrayWriter<'_, BytesMut>) {
        parts.object(|part| match self {
            Self::Text {
                text, signature, ..
            } => {
                part.str("text", text);
                write_signature(*signature, part);
            }
            Self::Thought { text, signature } => {
                part.str("text", text).bool("thought", true);
                write_signature(Some(signature), part);
            }
            Self::Media(blob) => blob.write(part),
            Self::Call {
                name,
                arguments,
                signature,
            } => {
                part.object("functionCall", |call| {
                    call.str("name", name).raw("args", arguments);
                });
                // Beside the call, not inside it: inside it is not seen.
                write_signature(*signature, part);
            }
            Self::Result {
                name,
                response,
                media,
            } => {
                part.object("functionResponse", |result| {
                    result.str("name", name).raw("response", response);
                    if !media.is_empty() {
                        result.array("parts", |parts| {
                            for blob in media {
                                parts.object(|part| blob.write(part));
                            }
                        });
                    }
                });
            }
        });
    }
}

fn write_signature(signature: Option<&str>, part: &mut ObjectWriter<'_, BytesMut>) {
    if let Some(signature) = signature {
        part.str("thoughtSignature", signature);
    }
}
