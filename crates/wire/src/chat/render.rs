//! Events as chunks of our chat stream.
//!
//! Every chunk is one `data:` line. What is the same on all chunks is written once, as a prefix;
//! a text event then costs a copy of the prefix and the escaped text, and no allocation.
//!
//! The tail writers ([`write_finish_chunk`], [`write_usage_chunk`], …) serve every way of
//! streaming: translation here, editing in place elsewhere.

use super::answer::{Identity, Meter, Tail};
use super::tally::Tally;
use super::usage::write_usage;
use crate::event::{Event, ReasoningFormat, Sink};
use crate::json::{write_str, write_str_content};
use bytes::{BufMut, BytesMut};
use interline_domain::{Failure, FinishReason};

const DELTA: &[u8] = b",\"delta\":{\"role\":\"assistant\",\"content\":\"";
/// No `system_fingerprint`: clients that validate chunks know it as a string or not at all.
const UNFINISHED: &[u8] =
    b"},\"finish_reason\":null,\"native_finish_reason\":null,\"logprobs\":null}]}\n\n";

/// Writes events as chunks. One per stream; [`Renderer::sink`] lends it the buffer.
#[derive(Debug)]
pub struct Renderer {
    identity: Identity,
    /// From `data: ` to the choice's index.
    prefix: Vec<u8>,
    tally: Tally,
    failure: Option<Failure>,
}

impl Renderer {
    pub fn new(identity: Identity) -> Self {
        let mut prefix = Vec::with_capacity(256);
        write_head(&identity, &mut prefix);
        prefix.extend_from_slice(b",\"choices\":[{\"index\":");
        Self {
            identity,
            prefix,
            tally: Tally::default(),
            failure: None,
        }
    }

    pub fn meter(&self) -> &Meter {
        &self.tally.meter
    }

    /// What the provider reported inside the answer. Events after it are not written.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// A sink that appends whole SSE events to `out`.
    pub fn sink<'r>(&'r mut self, out: &'r mut BytesMut) -> Rendering<'r> {
        Rendering {
            renderer: self,
            out,
        }
    }

    /// Writes what was withheld: the finish chunk of every choice, the usage chunk and `[DONE]`.
    pub fn finish(&mut self, tail: &Tail, out: &mut BytesMut) {
        for choice in self.tally.take_choices() {
            for call in choice.calls_without_arguments() {
                // No arguments is an empty object, never an empty text (T12).
                self.delta(choice.index, out, |out| write_arguments(call, "{}", out));
            }
            let (reason, native) = choice.ending();
            write_finish_chunk(&self.identity, choice.index, reason, native, out);
        }
        let tier = self.tally.meter.service_tier.as_deref();
        write_usage_chunk(&self.identity, tail, tier, out);
        write_done(out);
    }

    /// Ends the stream with the error chunk and `[DONE]`.
    pub fn fail(&mut self, error: &str, metadata: Option<&str>, out: &mut BytesMut) {
        let native = match &self.tally.meter.finish {
            Some((FinishReason::Error, native)) => native.as_deref(),
            _ => None,
        };
        write_error_chunk(&self.identity, error, native, metadata, out);
        write_done(out);
    }

    /// One chunk with text in `content`: the hot path.
    fn text(&self, choice: u32, text: &str, out: &mut BytesMut) {
        out.reserve(self.prefix.len() + DELTA.len() + UNFINISHED.len() + text.len() + 16);
        self.open(choice, out);
        write_str_content(out, text);
        out.put_u8(b'"');
        out.put_slice(UNFINISHED);
    }

    /// One chunk whose delta holds what `fill` writes, beginning with a comma.
    fn delta(&self, choice: u32, out: &mut BytesMut, fill: impl FnOnce(&mut BytesMut)) {
        self.open(choice, out);
        out.put_u8(b'"');
        fill(out);
        out.put_slice(UNFINISHED);
    }

    /// As far as the opening quote of `content`.
    fn open(&self, choice: u32, out: &mut BytesMut) {
        out.put_slice(&self.prefix);
        put_int(out, choice);
        out.put_slice(DELTA);
    }
}

/// A [`Renderer`] at work on a buffer.
#[derive(Debug)]
pub struct Rendering<'r> {
    renderer: &'r mut Renderer,
    out: &'r mut BytesMut,
}

impl Sink for Rendering<'_> {
    fn event(&mut self, event: Event<'_>) {
        let Self { renderer, out } = self;
        if renderer.failure.is_none() && renderer.tally.observe(&event) {
            renderer.write(event, out);
        }
    }
}

impl Renderer {
    fn write(&mut self, event: Event<'_>, out: &mut BytesMut) {
        match event {
            // Nothing is written before there is content: until then another provider may answer.
            Event::Start { .. } | Event::Usage(_) | Event::Finish { .. } => {}
            Event::Failed(failure) => self.failure = Some(failure),
            Event::Text { choice, text } => self.text(choice, &text, out),
            Event::Refusal { choice, text } => {
                self.delta(choice, out, |out| write_member(",\"refusal\":", &text, out));
            }
            Event::Reasoning { .. }
            | Event::ReasoningSignature { .. }
            | Event::ReasoningOpaque { .. } => {
                if !self.identity.exclude_reasoning {
                    self.write_reasoning(event, out);
                }
            }
            Event::ToolStart {
                choice,
                call,
                id,
                name,
            } => self.delta(choice, out, |out| {
                out.put_slice(b",\"tool_calls\":[{\"index\":");
                put_int(out, call);
                write_member(",\"id\":", &id, out);
                out.put_slice(b",\"type\":\"function\",\"function\":{\"name\":");
                write_str(out, &name);
                out.put_slice(b",\"arguments\":\"\"}}]");
            }),
            Event::ToolArguments {
                choice,
                call,
                fragment,
            } => self.delta(choice, out, |out| write_arguments(call, &fragment, out)),
            Event::Image { choice, url } => {
                let index = self.tally.images(choice).saturating_sub(1);
                self.delta(choice, out, |out| write_image(&url, index, out));
            }
            Event::Audio {
                choice,
                id,
                data,
                transcript,
            } => self.delta(choice, out, |out| {
                out.put_slice(b",\"audio\":{");
                let members = [
                    ("\"id\":", id),
                    ("\"data\":", data),
                    ("\"transcript\":", transcript),
                ];
                let mut comma = "";
                for (name, value) in members {
                    if let Some(value) = value {
                        out.put_slice(comma.as_bytes());
                        write_member(name, &value, out);
                        comma = ",";
                    }
                }
                out.put_u8(b'}');
            }),
            Event::UrlCitation {
                choice,
                url,
                title,
                content,
                start_index,
                end_index,
            } => self.delta(choice, out, |out| {
                let citation = Citation {
                    url: &url,
                    title: title.as_deref(),
                    content: content.as_deref(),
                    start_index,
                    end_index,
                };
                out.put_slice(b",\"annotations\":[");
                citation.write(out);
                out.put_u8(b']');
            }),
        }
    }

    fn write_reasoning(&self, event: Event<'_>, out: &mut BytesMut) {
        match event {
            Event::Reasoning {
                choice,
                block,
                is_summary,
                text,
                format,
            } => self.delta(choice, out, |out| {
                write_member(",\"reasoning\":", &text, out);
                let (kind, key) = if is_summary {
                    ("reasoning.summary", ",\"summary\":")
                } else {
                    ("reasoning.text", ",\"text\":")
                };
                write_detail(kind, block, format, out, |out| {
                    write_member(key, &text, out);
                });
            }),
            Event::ReasoningSignature {
                choice,
                block,
                signature,
                format,
            } => self.delta(choice, out, |out| {
                write_detail("reasoning.text", block, format, out, |out| {
                    write_member(",\"signature\":", &signature, out);
                });
            }),
            Event::ReasoningOpaque {
                choice,
                block,
                id,
                data,
                format,
            } => self.delta(choice, out, |out| {
                write_detail("reasoning.encrypted", block, format, out, |out| {
                    write_member(",\"data\":", &data, out);
                    write_nullable(",\"id\":", id.as_deref(), out);
                });
            }),
            _ => {}
        }
    }
}

/// The chunk that ends one choice.
pub fn write_finish_chunk(
    identity: &Identity,
    choice: u32,
    reason: FinishReason,
    native: Option<&str>,
    out: &mut BytesMut,
) {
    write_head(identity, out);
    out.put_slice(b",\"choices\":[{\"index\":");
    put_int(out, choice);
    out.put_slice(DELTA);
    out.put_slice(b"\"},\"finish_reason\":\"");
    out.put_slice(reason.as_str().as_bytes());
    out.put_u8(b'"');
    write_nullable(",\"native_finish_reason\":", native, out);
    out.put_slice(b",\"logprobs\":null}]}\n\n");
}

/// The chunk with `choices: []`, the usage, and what was asked for beside it.
pub fn write_usage_chunk(
    identity: &Identity,
    tail: &Tail,
    service_tier: Option<&str>,
    out: &mut BytesMut,
) {
    write_head(identity, out);
    out.put_slice(b",\"choices\":[]");
    if let Some(tier) = service_tier {
        write_member(",\"service_tier\":", tier, out);
    }
    out.put_slice(b",\"usage\":");
    write_usage(&tail.usage, &tail.charge, tail.is_byok, out);
    write_metadata(tail.metadata.as_deref(), out);
    out.put_slice(b"}\n\n");
}

/// The chunk of a stream that failed. `error` is the JSON object under `error`, `native` the
/// provider's own finish reason if it gave one.
pub fn write_error_chunk(
    identity: &Identity,
    error: &str,
    native: Option<&str>,
    metadata: Option<&str>,
    out: &mut BytesMut,
) {
    write_head(identity, out);
    out.put_slice(b",\"error\":");
    put_json_line(error, out);
    out.put_slice(b",\"choices\":[{\"index\":0");
    out.put_slice(DELTA);
    out.put_slice(b"\"},\"finish_reason\":\"error\"");
    write_nullable(",\"native_finish_reason\":", native, out);
    out.put_slice(b",\"logprobs\":null}]");
    write_metadata(metadata, out);
    out.put_slice(b"}\n\n");
}

/// The end marker of a stream.
pub fn write_done(out: &mut BytesMut) {
    out.put_slice(b"data: [DONE]\n\n");
}

/// The keep-alive. It counts as nothing.
pub fn write_comment(out: &mut BytesMut) {
    out.put_slice(b": OPENROUTER PROCESSING\n\n");
}

/// `data: {` and the members that are the same on all chunks, without a comma at the end.
pub(crate) fn write_head(identity: &Identity, out: &mut impl BufMut) {
    out.put_slice(b"data: {\"id\":");
    write_str(out, &identity.id);
    out.put_slice(b",\"provider\":");
    write_str(out, &identity.provider);
    out.put_slice(b",\"model\":");
    write_str(out, &identity.model);
    out.put_slice(b",\"object\":\"chat.completion.chunk\",\"created\":");
    put_int(out, identity.created);
}

fn write_metadata(metadata: Option<&str>, out: &mut BytesMut) {
    if let Some(metadata) = metadata {
        out.put_slice(b",\"openrouter_metadata\":");
        put_json_line(metadata, out);
    }
}

/// JSON made elsewhere, on one line: a line break between its tokens would end our event.
fn put_json_line(json: &str, out: &mut BytesMut) {
    for line in json.split(['\r', '\n']) {
        out.put_slice(line.as_bytes());
    }
}

fn write_member(name: &str, value: &str, out: &mut BytesMut) {
    out.put_slice(name.as_bytes());
    write_str(out, value);
}

fn write_nullable(name: &str, value: Option<&str>, out: &mut BytesMut) {
    out.put_slice(name.as_bytes());
    match value {
        Some(value) => write_str(out, value),
        None => out.put_slice(b"null"),
    }
}

fn write_arguments(call: u32, fragment: &str, out: &mut BytesMut) {
    out.put_slice(b",\"tool_calls\":[{\"index\":");
    put_int(out, call);
    write_member(",\"function\":{\"arguments\":", fragment, out);
    out.put_slice(b"}}]");
}

fn write_detail(
    kind: &str,
    block: u32,
    format: ReasoningFormat,
    out: &mut BytesMut,
    fill: impl FnOnce(&mut BytesMut),
) {
    write_member(",\"reasoning_details\":[{\"type\":", kind, out);
    fill(out);
    write_member(",\"format\":", format.as_str(), out);
    out.put_slice(b",\"index\":");
    put_int(out, block);
    out.put_slice(b"}]");
}

fn write_image(url: &str, index: u32, out: &mut BytesMut) {
    out.put_slice(b",\"images\":[{\"type\":\"image_url\",\"image_url\":{\"url\":");
    write_str(out, url);
    out.put_slice(b"},\"index\":");
    put_int(out, index);
    out.put_slice(b"}]");
}

fn put_int(out: &mut impl BufMut, number: impl itoa::Integer) {
    out.put_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// A citation as clients see it.
pub(crate) struct Citation<'a> {
    pub(crate) url: &'a str,
    pub(crate) title: Option<&'a str>,
    pub(crate) content: Option<&'a str>,
    pub(crate) start_index: u64,
    pub(crate) end_index: u64,
}

impl Citation<'_> {
    pub(crate) fn write(&self, out: &mut impl BufMut) {
        out.put_slice(b"{\"type\":\"url_citation\",\"url_citation\":");
        let mut object = crate::json::ObjectWriter::open(out);
        // Published SDKs require a title.
        object
            .str("url", self.url)
            .str("title", self.title.unwrap_or(""));
        if let Some(content) = self.content {
            object.str("content", content);
        }
        object
            .int("start_index", self.start_index)
            .int("end_index", self.end_index);
        object.close();
        out.put_u8(b'}');
    }
}

#[cfg(test)]
mod tests;
