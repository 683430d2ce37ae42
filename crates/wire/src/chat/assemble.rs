//! Events as one whole answer, for callers who did not ask for a stream.

use super::answer::{ChatAnswer, Identity, Meter, Tail};
use super::render::Citation;
use super::tally::{Choice, Tally};
use super::usage::write_usage;
use crate::event::{Event, ReasoningFormat, Sink};
use crate::json::{ArrayWriter, ObjectWriter};
use bytes::{BufMut, Bytes, BytesMut};
use interline_domain::{Failure, FinishReason};

/// Collects events; [`ChatAnswer::finish`] writes the body.
#[derive(Debug)]
pub struct Assembler {
    identity: Identity,
    tally: Tally,
    messages: Vec<Message>,
    failure: Option<Failure>,
    /// The JSON object that goes under `choices[].error`.
    error: Option<String>,
}

/// One choice's message, growing.
#[derive(Debug, Default)]
struct Message {
    choice: u32,
    text: String,
    refusal: String,
    reasoning: String,
    details: Vec<Detail>,
    calls: Vec<Call>,
    images: Vec<String>,
    audio: Option<Audio>,
    citations: Vec<OwnedCitation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DetailKind {
    Text,
    Summary,
    Encrypted,
}

/// One entry of `reasoning_details`.
#[derive(Debug)]
struct Detail {
    kind: DetailKind,
    block: u32,
    format: ReasoningFormat,
    /// The text, the summary or the sealed data.
    content: String,
    signature: Option<String>,
    id: Option<String>,
}

#[derive(Debug)]
struct Call {
    index: u32,
    id: String,
    name: String,
    arguments: String,
}

#[derive(Debug, Default)]
struct Audio {
    id: Option<String>,
    data: String,
    transcript: String,
}

#[derive(Debug)]
struct OwnedCitation {
    url: String,
    title: Option<String>,
    content: Option<String>,
    start_index: u64,
    end_index: u64,
}

impl Assembler {
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            tally: Tally::default(),
            messages: Vec::new(),
            failure: None,
            error: None,
        }
    }

    /// What the provider reported inside the answer. Events after it are not collected.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// The answer broke off after there was content: it is given as far as it came, every choice
    /// ends with `error`, and `error` (a JSON object) stands in each.
    pub fn set_error(&mut self, error: String) {
        self.error = Some(error);
    }

    fn message(&mut self, choice: u32) -> Option<&mut Message> {
        let known = self
            .messages
            .iter()
            .position(|message| message.choice == choice);
        let at = known.unwrap_or_else(|| {
            self.messages.push(Message {
                choice,
                ..Message::default()
            });
            self.messages.len() - 1
        });
        self.messages.get_mut(at)
    }

    fn write_choice(&self, choice: &Choice, object: &mut ObjectWriter<'_, BytesMut>) {
        let (mut reason, native) = choice.ending();
        if self.error.is_some() {
            reason = FinishReason::Error;
        }
        object
            .raw("logprobs", "null")
            .str("finish_reason", reason.as_str())
            .opt_str("native_finish_reason", native)
            .int("index", choice.index);
        let known = self
            .messages
            .iter()
            .find(|message| message.choice == choice.index);
        let empty = Message::default();
        let message = known.unwrap_or(&empty);
        object.object("message", |object| {
            message.write(self.identity.exclude_reasoning, object);
        });
        if let Some(error) = &self.error {
            object.raw("error", error);
        }
    }
}

impl Sink for Assembler {
    fn event(&mut self, event: Event<'_>) {
        if self.failure.is_some() || !self.tally.observe(&event) {
            return;
        }
        match event {
            Event::Start { .. } | Event::Usage(_) | Event::Finish { .. } => {}
            Event::Failed(failure) => self.failure = Some(failure),
            Event::Text { choice, .. }
            | Event::Refusal { choice, .. }
            | Event::Reasoning { choice, .. }
            | Event::ReasoningSignature { choice, .. }
            | Event::ReasoningOpaque { choice, .. }
            | Event::ToolStart { choice, .. }
            | Event::ToolArguments { choice, .. }
            | Event::Image { choice, .. }
            | Event::Audio { choice, .. }
            | Event::UrlCitation { choice, .. } => {
                if let Some(message) = self.message(choice) {
                    message.add(event);
                }
            }
        }
    }
}

impl ChatAnswer for Assembler {
    fn meter(&self) -> &Meter {
        &self.tally.meter
    }

    fn finish(mut self: Box<Self>, tail: &Tail) -> Bytes {
        let choices = self.tally.take_choices();
        let mut out = BytesMut::with_capacity(self.size());
        let mut object = ObjectWriter::open(&mut out);
        object
            .str("id", &self.identity.id)
            .str("provider", &self.identity.provider)
            .str("model", &self.identity.model)
            .str("object", "chat.completion")
            .int("created", self.identity.created)
            .array("choices", |array| {
                for choice in &choices {
                    array.object(|object| self.write_choice(choice, object));
                }
            })
            .raw("system_fingerprint", "null");
        if let Some(tier) = &self.tally.meter.service_tier {
            object.str("service_tier", tier);
        }
        write_usage(
            &tail.usage,
            &tail.charge,
            tail.is_byok,
            object.name("usage"),
        );
        if let Some(metadata) = &tail.metadata {
            object.raw("openrouter_metadata", metadata);
        }
        object.close();
        out.freeze()
    }
}

impl Assembler {
    /// About what the body will need, so that it is not copied while it grows.
    fn size(&self) -> usize {
        let messages = self.messages.iter().map(|message| {
            let details = message
                .details
                .iter()
                .map(|detail| detail.content.len() + 128);
            let images = message.images.iter().map(|url| url.len() + 64);
            let calls = message.calls.iter().map(|call| call.arguments.len() + 128);
            let audio = message.audio.as_ref().map_or(0, |audio| audio.data.len());
            message.text.len()
                + message.reasoning.len()
                + audio
                + details.chain(images).chain(calls).sum::<usize>()
        });
        1024 + messages.sum::<usize>()
    }
}

impl Message {
    fn add(&mut self, event: Event<'_>) {
        match event {
            Event::Text { text, .. } => self.text.push_str(&text),
            Event::Refusal { text, .. } => self.refusal.push_str(&text),
            Event::Reasoning { .. }
            | Event::ReasoningSignature { .. }
            | Event::ReasoningOpaque { .. } => self.add_reasoning(event),
            Event::ToolStart { call, id, name, .. } => self.calls.push(Call {
                index: call,
                id: id.into_owned(),
                name: name.into_owned(),
                arguments: String::new(),
            }),
            Event::ToolArguments { call, fragment, .. } => {
                let known = self
                    .calls
                    .iter_mut()
                    .rev()
                    .find(|known| known.index == call);
                if let Some(known) = known {
                    known.arguments.push_str(&fragment);
                }
            }
            Event::Image { url, .. } => self.images.push(url.into_owned()),
            Event::Audio {
                id,
                data,
                transcript,
                ..
            } => {
                let audio = self.audio.get_or_insert_default();
                if let Some(id) = id {
                    audio.id = Some(id.into_owned());
                }
                audio.data.push_str(data.as_deref().unwrap_or_default());
                let transcript = transcript.as_deref().unwrap_or_default();
                audio.transcript.push_str(transcript);
            }
            Event::UrlCitation {
                url,
                title,
                content,
                start_index,
                end_index,
                ..
            } => self.citations.push(OwnedCitation {
                url: url.into_owned(),
                title: title.map(Into::into),
                content: content.map(Into::into),
                start_index,
                end_index,
            }),
            Event::Start { .. } | Event::Usage(_) | Event::Finish { .. } | Event::Failed(_) => {}
        }
    }

    fn add_reasoning(&mut self, event: Event<'_>) {
        match event {
            Event::Reasoning {
                block,
                is_summary,
                text,
                format,
                ..
            } => {
                let kind = if is_summary {
                    DetailKind::Summary
                } else {
                    DetailKind::Text
                };
                self.reasoning.push_str(&text);
                if let Some(detail) = self.detail(kind, block, format) {
                    detail.content.push_str(&text);
                }
            }
            Event::ReasoningSignature {
                block,
                signature,
                format,
                ..
            } => {
                if let Some(detail) = self.detail(DetailKind::Text, block, format) {
                    let sealed = detail.signature.get_or_insert_default();
                    sealed.push_str(&signature);
                }
            }
            Event::ReasoningOpaque {
                block,
                id,
                data,
                format,
                ..
            } => self.details.push(Detail {
                kind: DetailKind::Encrypted,
                block,
                format,
                content: data.into_owned(),
                signature: None,
                id: id.map(Into::into),
            }),
            _ => {}
        }
    }

    /// The readable entry of a block: pieces of one block make one entry.
    fn detail(
        &mut self,
        kind: DetailKind,
        block: u32,
        format: ReasoningFormat,
    ) -> Option<&mut Detail> {
        let known = self
            .details
            .iter()
            .rposition(|detail| detail.kind == kind && detail.block == block);
        let at = known.unwrap_or(self.details.len());
        if known.is_none() {
            self.details.push(Detail {
                kind,
                block,
                format,
                content: String::new(),
                signature: None,
                id: None,
            });
        }
        self.details.get_mut(at)
    }

    fn write(&self, exclude_reasoning: bool, object: &mut ObjectWriter<'_, BytesMut>) {
        let text = some(&self.text);
        let refusal = some(&self.refusal);
        object.str("role", "assistant");
        // Without text: `null` where something else stands in its place, else an empty text.
        let speaks_otherwise = !self.calls.is_empty() || refusal.is_some();
        object
            .opt_str("content", text.or((!speaks_otherwise).then_some("")))
            .opt_str("refusal", refusal)
            .opt_str(
                "reasoning",
                some(&self.reasoning).filter(|_| !exclude_reasoning),
            );
        write_list("tool_calls", &self.calls, object, |call, array| {
            array.object(|object| call.write(object));
        });
        if !exclude_reasoning {
            write_list(
                "reasoning_details",
                &self.details,
                object,
                |detail, array| {
                    array.object(|object| detail.write(object));
                },
            );
        }
        write_list("annotations", &self.citations, object, |citation, array| {
            citation.write(array.element());
        });
        write_list("images", &self.images, object, |url, array| {
            array.object(|object| {
                object.str("type", "image_url");
                object.object("image_url", |object| {
                    object.str("url", url);
                });
            });
        });
        if let Some(audio) = &self.audio {
            object.object("audio", |object| {
                if let Some(id) = &audio.id {
                    object.str("id", id);
                }
                object
                    .str("data", &audio.data)
                    .str("transcript", &audio.transcript);
            });
        }
    }
}

/// Empty lists are left out.
fn write_list<T, B: BufMut>(
    name: &str,
    items: &[T],
    object: &mut ObjectWriter<'_, B>,
    write: impl Fn(&T, &mut ArrayWriter<'_, B>),
) {
    if items.is_empty() {
        return;
    }
    object.array(name, |array| {
        for item in items {
            write(item, array);
        }
    });
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

impl Call {
    fn write<B: BufMut>(&self, object: &mut ObjectWriter<'_, B>) {
        // No arguments is an empty object, never an empty text (T12).
        let arguments = match self.arguments.as_str() {
            blank if blank.trim().is_empty() => "{}",
            arguments => arguments,
        };
        object
            .int("index", self.index)
            .str("id", &self.id)
            .str("type", "function")
            .object("function", |function| {
                function.str("name", &self.name).str("arguments", arguments);
            });
    }
}

impl Detail {
    fn write<B: BufMut>(&self, object: &mut ObjectWriter<'_, B>) {
        match self.kind {
            DetailKind::Text => object
                .str("type", "reasoning.text")
                .str("text", &self.content)
                .opt_str("signature", self.signature.as_deref()),
            DetailKind::Summary => object
                .str("type", "reasoning.summary")
                .str("summary", &self.content),
            DetailKind::Encrypted => object
                .str("type", "reasoning.encrypted")
                .str("data", &self.content),
        };
        object
            .opt_str("id", self.id.as_deref())
            .str("format", self.format.as_str())
            .int("index", self.block);
    }
}

impl OwnedCitation {
    fn write(&self, out: &mut impl BufMut) {
        Citation {
            url: &self.url,
            title: self.title.as_deref(),
            content: self.content.as_deref(),
            start_index: self.start_index,
            end_index: self.end_index,
        }
        .write(out);
    }
}

#[cfg(test)]
mod tests;
