//! Whole answers, edited.

use super::super::chunk::{self, Chunk, Delta};
use super::super::message::{MessageWriter, Scratch, Shape};
use super::super::turn::Turn;
use super::super::{cut, reported, service_tier};
use super::first;
use crate::chat::answer::{ChatAnswer, Identity, Meter, Tail};
use crate::chat::usage::write_usage;
use crate::json::{Malformed, ObjectWriter};
use crate::target::ReadBack;
use bytes::{BufMut, Bytes, BytesMut};
use interline_domain::Failure;
use interline_domain::quirks::Quirks;

/// A provider's whole answer, edited into ours as far as it can be before it is charged.
#[derive(Debug)]
pub struct ResponseEdit {
    /// The body from `{` to the last member before `usage`.
    body: BytesMut,
    meter: Meter,
}

impl ResponseEdit {
    /// `Err` if the body is an error (also inside a 200), no answer, or an empty one.
    pub fn new(
        body: &[u8],
        identity: &Identity,
        quirks: &Quirks,
        read_back: &ReadBack,
    ) -> Result<Self, Failure> {
        let text = text_of(body)?;
        let chunk = read(text)?;
        let mut edit = Self {
            body: BytesMut::with_capacity(body.len() + 1024),
            meter: Meter::default(),
        };
        let mut turn = Turn::new(quirks);
        turn.is_whole = true;
        if turn.note(&chunk) {
            edit.meter.usage.clone_from(&turn.usage);
        }
        edit.meter.upstream_id = chunk.id.as_deref().map(str::to_owned);
        edit.write_head(&chunk, identity);
        edit.write_choices(&chunk, &mut turn, identity, read_back)?;
        turn.check_complete(edit.meter.has_content)?;
        edit.meter.finish = first(&turn).map(|choice| {
            let (reason, native) = choice.final_reason();
            (reason, native.map(str::to_owned))
        });
        Ok(edit)
    }

    fn write_head(&mut self, chunk: &Chunk<'_>, identity: &Identity) {
        let mut object = ObjectWriter::open(&mut self.body);
        object
            .str("id", &identity.id)
            .str("provider", &identity.provider)
            .str("model", &identity.model)
            .str("object", "chat.completion")
            .int("created", identity.created);
        let mut has_fingerprint = false;
        for member in chunk.extras.iter() {
            has_fingerprint |= member.starts_with("\"system_fingerprint\"");
            object.member(member);
        }
        // Published SDKs require the member.
        if !has_fingerprint {
            object.raw("system_fingerprint", "null");
        }
        if let Some(raw) = chunk.service_tier {
            let tier = service_tier(raw);
            object.opt_str("service_tier", tier.as_deref());
            self.meter.service_tier = tier.map(Into::into);
        }
    }

    fn write_choices(
        &mut self,
        chunk: &Chunk<'_>,
        turn: &mut Turn,
        identity: &Identity,
        read_back: &ReadBack,
    ) -> Result<(), Failure> {
        let mut scratch = Scratch::default();
        self.body.put_slice(b",\"choices\":[");
        for (position, choice) in chunk.choices.iter().enumerate() {
            if position > 0 {
                self.body.put_u8(b',');
            }
            let (state, sources) = turn.choice(choice.index)?;
            let mut writer = MessageWriter {
                identity,
                read_back,
                sources,
                meter: &mut self.meter,
                scratch: &mut scratch,
            };
            let mut object = ObjectWriter::open(&mut self.body);
            object.int("index", state.index);
            let nothing = Delta::default();
            let message = choice.delta.as_ref().unwrap_or(&nothing);
            writer.write(state, message, Shape::Message, object.name("message"))?;
            state.end(choice);
            let (reason, native) = state.final_reason();
            object
                .raw("logprobs", choice.logprobs.unwrap_or("null"))
                .str("finish_reason", reason.as_str())
                .opt_str("native_finish_reason", native);
            for member in choice.extras.iter() {
                object.member(member);
            }
            object.close();
        }
        self.body.put_u8(b']');
        Ok(())
    }
}

impl ChatAnswer for ResponseEdit {
    fn meter(&self) -> &Meter {
        &self.meter
    }

    fn finish(mut self: Box<Self>, tail: &Tail) -> Bytes {
        self.body.put_slice(b",\"usage\":");
        write_usage(&tail.usage, &tail.charge, tail.is_byok, &mut self.body);
        if let Some(metadata) = &tail.metadata {
            self.body.put_slice(b",\"openrouter_metadata\":");
            self.body.put_slice(metadata.as_bytes());
        }
        self.body.put_u8(b'}');
        self.body.freeze()
    }
}

/// The body as text that begins like an answer; anything else is read as an error.
pub(super) fn text_of(body: &[u8]) -> Result<&str, Failure> {
    let body = body.trim_ascii();
    match std::str::from_utf8(body) {
        Ok(text) if text.starts_with('{') => Ok(text),
        _ => Err(reported(body)),
    }
}

/// An answer with at least one choice.
pub(super) fn read(text: &str) -> Result<Chunk<'_>, Failure> {
    let chunk = chunk::parse(text).map_err(|Malformed| cut())?;
    if chunk.is_failure {
        return Err(reported(text.as_bytes()));
    }
    if chunk.choices.is_empty() {
        return Err(Failure::unavailable(
            "The provider gave an answer without choices",
        ));
    }
    Ok(chunk)
}
