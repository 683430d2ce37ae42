//! Answers of this dialect made ours by editing their bytes: the hot path of the product.
//!
//! A chunk is read once, as spans, and written once: what is ours from a prefix made beforehand,
//! everything else as it came. The plain case (one choice, text) allocates nothing.

mod answer;

pub use answer::ResponseEdit;

use super::chunk::{self, Choice, Chunk, Delta, has_content};
use super::intake::{Input, Intake};
use super::message::{MessageWriter, Scratch, Shape};
use super::turn::Turn;
use super::{cut, malformed, reported, service_tier};
use crate::chat::answer::{ChatStream, Identity, Meter, Tail};
use crate::chat::render::{
    write_done, write_error_chunk, write_finish_chunk, write_head, write_usage_chunk,
};
use crate::json::{Malformed, ObjectWriter, write_str};
use crate::target::ReadBack;
use bytes::{BufMut, BytesMut};
use interline_domain::quirks::Quirks;
use interline_domain::{Failure, FinishReason};
use memchr::memchr2;

/// A provider's stream, edited into ours.
///
/// Finish reasons and usage are taken out and kept for [`ChatStream::finish`]; `id`, `model`,
/// `created` and `provider` become ours; reasoning gets its one name; tool calls get dense indices.
/// Members that nobody here knows pass byte for byte.
#[derive(Debug)]
pub struct StreamEditor {
    intake: Intake,
    editor: Editor,
}

impl StreamEditor {
    pub fn new(identity: Identity, quirks: &Quirks, read_back: &ReadBack) -> Self {
        Self {
            intake: Intake::default(),
            editor: Editor::new(identity, quirks, read_back),
        }
    }
}

impl ChatStream for StreamEditor {
    fn feed(&mut self, bytes: &[u8], out: &mut BytesMut) -> Result<(), Failure> {
        if self.editor.is_done {
            return Ok(());
        }
        // Most chunks keep their size: one allocation for all that these bytes hold.
        out.reserve(bytes.len());
        let editor = &mut self.editor;
        self.intake
            .feed(bytes, &mut |input| editor.take(input, out))
    }

    fn end(&mut self, out: &mut BytesMut) -> Result<(), Failure> {
        if self.editor.is_done {
            return Ok(());
        }
        let editor = &mut self.editor;
        self.intake.end(&mut |input| editor.take(input, out))?;
        if self.editor.is_done {
            return Ok(());
        }
        if self.editor.turn.is_finished() {
            return self.editor.complete(out);
        }
        self.editor.release(out);
        Err(cut())
    }

    fn is_done(&self) -> bool {
        self.editor.is_done
    }

    fn meter(&self) -> &Meter {
        &self.editor.meter
    }

    fn finish(&mut self, tail: &Tail, out: &mut BytesMut) {
        self.editor.finish(tail, out);
    }

    fn fail(&mut self, error: &str, metadata: Option<&str>, out: &mut BytesMut) {
        let native = match &self.editor.meter.finish {
            Some((FinishReason::Error, native)) => native.as_deref(),
            _ => None,
        };
        write_error_chunk(&self.editor.identity, error, native, metadata, out);
        write_done(out);
    }
}

#[derive(Debug)]
struct Editor {
    identity: Identity,
    read_back: ReadBack,
    /// From `data: {` to `created`.
    head: Vec<u8>,
    turn: Turn,
    meter: Meter,
    scratch: Scratch,
    /// Complete: nothing more is read.
    is_done: bool,
}

impl Editor {
    fn new(identity: Identity, quirks: &Quirks, read_back: &ReadBack) -> Self {
        let mut head = Vec::with_capacity(256);
        write_head(&identity, &mut head);
        Self {
            identity,
            read_back: read_back.clone(),
            head,
            turn: Turn::new(quirks),
            meter: Meter::default(),
            scratch: Scratch::default(),
            is_done: false,
        }
    }

    fn take(&mut self, input: Input<'_>, out: &mut BytesMut) -> Result<(), Failure> {
        if self.is_done {
            return Ok(());
        }
        let (name, data) = match input {
            Input::Whole(body) => return self.whole(body, out),
            Input::Event { name, data } => (name, data.trim_ascii()),
        };
        match data {
            b"" => Ok(()),
            b"[DONE]" => self.complete(out),
            _ => {
                let text = std::str::from_utf8(data).map_err(|_| malformed())?;
                // Several data lines make one event; ours are one line each. Between tokens a
                // blank is as good, and inside a string a line break is no JSON.
                if memchr2(b'\n', b'\r', data).is_some() {
                    return self.event(name, &text.replace(['\n', '\r'], " "), out);
                }
                self.event(name, text, out)
            }
        }
    }

    fn event(&mut self, name: Option<&str>, text: &str, out: &mut BytesMut) -> Result<(), Failure> {
        let chunk = chunk::parse(text).map_err(|Malformed| malformed())?;
        if chunk.is_failure || name == Some("error") {
            self.release(out);
            return Err(reported(text.as_bytes()));
        }
        self.chunk(&chunk, out)
    }

    /// The stream is one JSON document after all (T39): an error, or an answer to replay.
    fn whole(&mut self, body: &[u8], out: &mut BytesMut) -> Result<(), Failure> {
        let text = answer::text_of(body)?;
        // An error is shown as it came; only an answer is put on one line.
        answer::read(text)?;
        let text = text.replace(['\n', '\r'], " ");
        let chunk = answer::read(&text)?;
        self.turn.is_whole = true;
        self.chunk(&chunk, out)?;
        self.complete(out)
    }

    fn chunk(&mut self, chunk: &Chunk<'_>, out: &mut BytesMut) -> Result<(), Failure> {
        if self.turn.note(chunk) {
            self.meter.usage.clone_from(&self.turn.usage);
        }
        if self.meter.upstream_id.is_none() {
            self.meter.upstream_id = chunk.id.as_deref().map(str::to_owned);
        }
        let start = out.len();
        out.put_slice(&self.head);
        for member in chunk.extras.iter() {
            out.put_u8(b',');
            out.put_slice(member.as_bytes());
        }
        if let Some(raw) = chunk.service_tier {
            self.write_service_tier(raw, out);
        }
        out.put_slice(b",\"choices\":[");
        let mut says_something = chunk.has_news;
        let mut is_first = true;
        for choice in chunk.choices.iter() {
            let before = out.len();
            if !is_first {
                out.put_u8(b',');
            }
            if self.choice(choice, out)? {
                is_first = false;
                says_something = true;
            } else {
                out.truncate(before);
            }
        }
        out.put_slice(b"]}\n\n");
        if !says_something {
            out.truncate(start);
        }
        Ok(())
    }

    fn write_service_tier(&mut self, raw: &str, out: &mut BytesMut) {
        out.put_slice(b",\"service_tier\":");
        match service_tier(raw) {
            Some(tier) => {
                write_str(out, &tier);
                if self.meter.service_tier.as_deref() != Some(&tier) {
                    self.meter.service_tier = Some(tier.into_owned());
                }
            }
            None => out.put_slice(raw.as_bytes()),
        }
    }

    /// `false`: nothing that a client would miss; what was written must be taken back.
    fn choice(&mut self, choice: &Choice<'_>, out: &mut BytesMut) -> Result<bool, Failure> {
        // Azure's filter results come as choices without a delta (T10).
        if choice.delta.is_none() && choice.finish_reason.is_none() {
            return Ok(false);
        }
        let (state, sources) = self.turn.choice(choice.index)?;
        let mut writer = MessageWriter {
            identity: &self.identity,
            read_back: &self.read_back,
            sources,
            meter: &mut self.meter,
            scratch: &mut self.scratch,
        };
        open_choice(state.index, out);
        let mut says_something = choice.has_news;
        match &choice.delta {
            Some(delta) if delta.is_plain && state.is_plain() => {
                writer.count_plain(state, delta);
                write_plain(delta, out);
                // The chunk of a finish reason, which is withheld, is often empty without it.
                says_something |= if choice.finish_reason.is_some() {
                    !delta.is_empty()
                } else {
                    has_content(delta.raw)
                };
            }
            Some(delta) => {
                says_something |= writer.write(state, delta, Shape::Delta, out)?;
            }
            None => out.put_slice(b"{\"role\":\"assistant\"}"),
        }
        close_choice(choice.logprobs, out);
        for member in choice.extras.iter() {
            out.put_u8(b',');
            out.put_slice(member.as_bytes());
        }
        out.put_u8(b'}');
        state.end(choice);
        Ok(says_something)
    }

    /// The protocol's own end.
    fn complete(&mut self, out: &mut BytesMut) -> Result<(), Failure> {
        self.is_done = true;
        self.release(out);
        self.turn.check_complete(self.meter.has_content)?;
        for state in &mut self.turn.choices {
            for call in state.calls.without_arguments() {
                out.put_slice(&self.head);
                out.put_slice(b",\"choices\":[");
                open_choice(state.index, out);
                let mut delta = ObjectWriter::open(out);
                delta.str("role", "assistant").array("tool_calls", |calls| {
                    calls.object(|entry| {
                        entry.int("index", call).object("function", |function| {
                            function.str("arguments", "{}");
                        });
                    });
                });
                delta.close();
                close_choice(None, out);
                out.put_slice(b"}]}\n\n");
            }
        }
        self.meter.finish = Some(match first(&self.turn) {
            Some(choice) => {
                let (reason, native) = choice.final_reason();
                (reason, native.map(str::to_owned))
            }
            None => (FinishReason::Stop, None),
        });
        Ok(())
    }

    /// Writes what tag parsing holds back.
    fn release(&mut self, out: &mut BytesMut) {
        for state in &mut self.turn.choices {
            let start = out.len();
            out.put_slice(&self.head);
            out.put_slice(b",\"choices\":[");
            open_choice(state.index, out);
            let mut writer = MessageWriter {
                identity: &self.identity,
                read_back: &self.read_back,
                sources: &self.turn.sources,
                meter: &mut self.meter,
                scratch: &mut self.scratch,
            };
            if writer.write_rest(state, out) {
                close_choice(None, out);
                out.put_slice(b"}]}\n\n");
            } else {
                out.truncate(start);
            }
        }
    }

    fn finish(&mut self, tail: &Tail, out: &mut BytesMut) {
        self.turn.choices.sort_by_key(|choice| choice.index);
        for choice in &self.turn.choices {
            let (reason, native) = choice.final_reason();
            write_finish_chunk(&self.identity, choice.index, reason, native, out);
        }
        if self.turn.choices.is_empty() {
            write_finish_chunk(&self.identity, 0, FinishReason::Stop, None, out);
        }
        let tier = self.meter.service_tier.as_deref();
        write_usage_chunk(&self.identity, tail, tier, out);
        write_done(out);
    }
}

/// The choice whose end is the answer's.
fn first(turn: &Turn) -> Option<&super::turn::ChoiceState> {
    turn.choices.iter().min_by_key(|choice| choice.index)
}

/// As far as the delta.
fn open_choice(index: u32, out: &mut BytesMut) {
    out.put_slice(b"{\"index\":");
    out.put_slice(itoa::Buffer::new().format(index).as_bytes());
    out.put_slice(b",\"delta\":");
}

/// From the delta to the choice's unknown members.
fn close_choice(logprobs: Option<&str>, out: &mut BytesMut) {
    out.put_slice(b",\"finish_reason\":null,\"native_finish_reason\":null,\"logprobs\":");
    out.put_slice(logprobs.unwrap_or("null").as_bytes());
}

/// The delta as it came, with the role that every one of ours has.
fn write_plain(delta: &Delta<'_>, out: &mut BytesMut) {
    if delta.has_role {
        out.put_slice(delta.raw.as_bytes());
        return;
    }
    let rest = delta.raw.strip_prefix('{').unwrap_or_default();
    out.put_slice(b"{\"role\":\"assistant\"");
    if rest.trim_start() != "}" {
        out.put_u8(b',');
    }
    out.put_slice(rest.as_bytes());
}
