//! Streams of this dialect as events.

use super::chunk::{self, Choice, Chunk, Delta};
use super::intake::{Input, Intake};
use super::think::Kind;
use super::turn::{ChoiceState, Sources, Turn};
use super::{caller_name, calls, cut, malformed, reported};
use crate::event::{Event, ReasoningFormat, Sink, StreamDecoder};
use crate::gemini::ids::call_id;
use crate::json::{Cursor, Malformed, string};
use crate::target::ReadBack;
use interline_domain::Failure;
use interline_domain::quirks::Quirks;
use std::borrow::Cow;

/// Decodes a stream of OpenAI, or of a provider that speaks like it.
///
/// `Finish` comes last, once per choice, when the protocol has ended: until then a later word may
/// be the more exact one. Usage may come several times; the last one holds.
#[derive(Debug)]
pub struct Decoder {
    intake: Intake,
    reader: Reader,
}

impl Decoder {
    /// `generation_id` is ours; ids of calls that the provider leaves out are derived from it.
    pub fn new(quirks: &Quirks, generation_id: &str, read_back: &ReadBack) -> Self {
        Self {
            intake: Intake::default(),
            reader: Reader::new(quirks, generation_id, read_back),
        }
    }
}

impl StreamDecoder for Decoder {
    fn feed(&mut self, bytes: &[u8], sink: &mut dyn Sink) -> Result<(), Failure> {
        if self.reader.is_done {
            return Ok(());
        }
        let reader = &mut self.reader;
        self.intake
            .feed(bytes, &mut |input| reader.take(input, sink))
    }

    fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Failure> {
        if self.reader.is_done {
            return Ok(());
        }
        let reader = &mut self.reader;
        self.intake.end(&mut |input| reader.take(input, sink))?;
        if self.reader.is_done {
            return Ok(());
        }
        if self.reader.turn.is_finished() {
            return self.reader.complete(sink);
        }
        self.reader.release(sink);
        Err(cut())
    }

    fn is_done(&self) -> bool {
        self.reader.is_done
    }
}

/// Turns chunks into events.
#[derive(Debug)]
pub(super) struct Reader {
    turn: Turn,
    generation_id: String,
    read_back: ReadBack,
    has_started: bool,
    has_content: bool,
    /// Complete, or failed: nothing more is read.
    is_done: bool,
}

impl Reader {
    pub(super) fn new(quirks: &Quirks, generation_id: &str, read_back: &ReadBack) -> Self {
        Self {
            turn: Turn::new(quirks),
            generation_id: generation_id.to_owned(),
            read_back: read_back.clone(),
            has_started: false,
            has_content: false,
            is_done: false,
        }
    }

    fn take(&mut self, input: Input<'_>, sink: &mut dyn Sink) -> Result<(), Failure> {
        if self.is_done {
            return Ok(());
        }
        let (name, data) = match input {
            Input::Whole(body) => return self.whole(body, sink),
            Input::Event { name, data } => (name, data.trim_ascii()),
        };
        match data {
            b"" => Ok(()),
            b"[DONE]" => self.complete(sink),
            _ => {
                let text = std::str::from_utf8(data).map_err(|_| malformed())?;
                let chunk = chunk::parse(text).map_err(|Malformed| malformed())?;
                if chunk.is_failure || name == Some("error") {
                    self.fail(data, sink);
                    return Ok(());
                }
                self.chunk(&chunk, sink)
            }
        }
    }

    /// A whole answer, whether it was asked for or not.
    pub(super) fn whole(&mut self, body: &[u8], sink: &mut dyn Sink) -> Result<(), Failure> {
        let body = body.trim_ascii();
        let text = std::str::from_utf8(body).unwrap_or_default();
        if !text.starts_with('{') {
            self.fail(body, sink);
            return Ok(());
        }
        let chunk = chunk::parse(text).map_err(|Malformed| cut())?;
        if chunk.is_failure {
            self.fail(body, sink);
            return Ok(());
        }
        if chunk.choices.is_empty() {
            return Err(Failure::unavailable(
                "The provider gave an answer without choices",
            ));
        }
        self.turn.is_whole = true;
        self.chunk(&chunk, sink)?;
        self.complete(sink)
    }

    fn fail(&mut self, body: &[u8], sink: &mut dyn Sink) {
        self.release(sink);
        self.is_done = true;
        sink.event(Event::Failed(reported(body)));
    }

    fn chunk(&mut self, chunk: &Chunk<'_>, sink: &mut dyn Sink) -> Result<(), Failure> {
        if !self.has_started && (chunk.id.is_some() || !chunk.choices.is_empty()) {
            self.has_started = true;
            sink.event(Event::Start {
                upstream_id: chunk.id.clone(),
                upstream_model: chunk.model.clone(),
            });
        }
        let has_usage = self.turn.note(chunk);
        for choice in chunk.choices.iter() {
            self.choice(choice, sink)?;
        }
        if let (true, Some(usage)) = (has_usage, &self.turn.usage) {
            sink.event(Event::Usage(usage.clone()));
        }
        Ok(())
    }

    fn choice(&mut self, choice: &Choice<'_>, sink: &mut dyn Sink) -> Result<(), Failure> {
        // Azure's filter results come as choices without a delta (T10).
        if choice.delta.is_none() && choice.finish_reason.is_none() {
            return Ok(());
        }
        let (state, sources) = self.turn.choice(choice.index)?;
        let mut teller = Teller {
            sources,
            generation_id: &self.generation_id,
            read_back: &self.read_back,
            has_content: &mut self.has_content,
            sink,
        };
        if let Some(delta) = &choice.delta {
            teller.delta(state, delta)?;
        }
        state.end(choice);
        Ok(())
    }

    /// The protocol's own end.
    fn complete(&mut self, sink: &mut dyn Sink) -> Result<(), Failure> {
        self.is_done = true;
        self.release(sink);
        self.turn.check_complete(self.has_content)?;
        for state in &mut self.turn.choices {
            let choice = state.index;
            for call in state.calls.without_arguments() {
                sink.event(Event::ToolArguments {
                    choice,
                    call,
                    fragment: Cow::Borrowed("{}"),
                });
            }
            let (reason, native) = state.final_reason();
            sink.event(Event::Finish {
                choice,
                reason,
                native: native.map(Cow::Borrowed),
            });
        }
        Ok(())
    }

    /// Lets go of what tag parsing holds back.
    fn release(&mut self, sink: &mut dyn Sink) {
        let mut teller = Teller {
            sources: &self.turn.sources,
            generation_id: &self.generation_id,
            read_back: &self.read_back,
            has_content: &mut self.has_content,
            sink,
        };
        for state in &mut self.turn.choices {
            let mut pieces = Vec::new();
            state.release(&mut |kind, text| pieces.push((kind, text.to_owned())));
            for (kind, text) in pieces {
                teller.piece(state, kind, &text);
            }
        }
    }
}

/// Says what a delta holds, in events.
struct Teller<'t> {
    sources: &'t Sources,
    generation_id: &'t str,
    read_back: &'t ReadBack,
    has_content: &'t mut bool,
    sink: &'t mut dyn Sink,
}

impl Teller<'_> {
    fn delta(&mut self, state: &mut ChoiceState, delta: &Delta<'_>) -> Result<(), Failure> {
        self.reasoning(state, delta)?;
        if let Some(raw) = delta.content {
            self.content(state, raw)?;
        }
        let choice = state.index;
        if let Some(text) = delta
            .refusal
            .and_then(string)
            .filter(|text| !text.is_empty())
        {
            state.leave_reasoning();
            self.say(Event::Refusal { choice, text });
        }
        if let Some(raw) = delta.tool_calls {
            calls::fragments(raw, |fragment| {
                let step = state.calls.take(&fragment)?;
                state.leave_reasoning();
                self.call(choice, step);
                Ok(())
            })?;
        }
        self.media(choice, delta).map_err(|Malformed| malformed())
    }

    fn reasoning(&mut self, state: &mut ChoiceState, delta: &Delta<'_>) -> Result<(), Failure> {
        // Structured reasoning says more than the field; where fragments repeat the text so far,
        // only the field is cleaned of it.
        if let Some(details) = delta.reasoning_details
            && !state.is_cumulative()
            && chunk::has_content(details)
        {
            let index = state.index;
            return self
                .details(index, details)
                .map_err(|Malformed| malformed());
        }
        let Some(raw) = delta.reasoning else {
            return Ok(());
        };
        let mut pieces = Vec::new();
        let news = state.reasoning(raw, &mut |kind, text| pieces.push((kind, text.to_owned())));
        for (kind, text) in pieces {
            self.piece(state, kind, &text);
        }
        if let Some(text) = news {
            self.piece(state, Kind::Reasoning, &text);
        }
        Ok(())
    }

    fn content(&mut self, state: &mut ChoiceState, raw: &str) -> Result<(), Failure> {
        if state.is_plain()
            && let Some(text) = string(raw)
        {
            if !text.is_empty() {
                self.piece(state, Kind::Text, &text);
            }
            return Ok(());
        }
        let mut pieces = Vec::new();
        state.content(raw, &mut |kind, text| pieces.push((kind, text.to_owned())))?;
        for (kind, text) in pieces {
            self.piece(state, kind, &text);
        }
        Ok(())
    }

    fn piece(&mut self, state: &mut ChoiceState, kind: Kind, text: &str) {
        let choice = state.index;
        match kind {
            Kind::Reasoning => {
                let block = state.reasoning_block();
                self.say(Event::Reasoning {
                    choice,
                    block,
                    is_summary: false,
                    text: Cow::Borrowed(text),
                    format: ReasoningFormat::Unknown,
                });
            }
            Kind::Text => {
                state.leave_reasoning();
                self.say(Event::Text {
                    choice,
                    text: Cow::Borrowed(text),
                });
                let sink = &mut *self.sink;
                state.cite(text, self.sources, &mut |source, start_index, end_index| {
                    sink.event(Event::UrlCitation {
                        choice,
                        url: Cow::Borrowed(&source.url),
                        title: source.title.as_deref().map(Cow::Borrowed),
                        content: None,
                        start_index,
                        end_index,
                    });
                });
            }
        }
    }

    fn call(&mut self, choice: u32, step: calls::Step<'_>) {
        let call = step.call;
        if let Some((id, name)) = step.start {
            let id = id.unwrap_or_else(|| call_id(self.generation_id, choice, call));
            let name = caller_name(self.read_back, name);
            self.say(Event::ToolStart {
                choice,
                call,
                id: id.into(),
                name,
            });
        }
        if let Some(fragment) = step.arguments {
            self.say(Event::ToolArguments {
                choice,
                call,
                fragment,
            });
        }
    }

    fn say(&mut self, event: Event<'_>) {
        *self.has_content = true;
        self.sink.event(event);
    }

    /// `reasoning_details`, as other routers (and MiniMax) send them.
    fn details(&mut self, choice: u32, raw: &str) -> Result<(), Malformed> {
        Cursor::new(raw)
            .array(|cursor| {
                let mut detail = Detail::default();
                cursor.object(|cursor, key| {
                    let value = cursor.value()?;
                    detail.member(&key.name, value);
                    Ok(())
                })?;
                self.detail(choice, detail);
                Ok(())
            })
            .map(|_| ())
    }

    fn detail(&mut self, choice: u32, detail: Detail<'_>) {
        let (block, format) = (detail.index, detail.format);
        let is_summary = detail.summary.is_some();
        if let Some(text) = detail.summary.or(detail.text) {
            self.say(Event::Reasoning {
                choice,
                block,
                is_summary,
                text,
                format,
            });
        }
        if let Some(signature) = detail.signature {
            self.say(Event::ReasoningSignature {
                choice,
                block,
                signature,
                format,
            });
        }
        if let Some(data) = detail.data {
            self.say(Event::ReasoningOpaque {
                choice,
                block,
                id: detail.id,
                data,
                format,
            });
        }
    }

    fn media(&mut self, choice: u32, delta: &Delta<'_>) -> Result<(), Malformed> {
        if let Some(raw) = delta.images {
            Cursor::new(raw).array(|cursor| {
                let image = cursor.value()?;
                let link = chunk::member_of(image, "image_url")?;
                let url = link.map_or(Ok(None), |link| chunk::member_of(link, "url"))?;
                if let Some(url) = url.and_then(string) {
                    self.say(Event::Image { choice, url });
                }
                Ok(())
            })?;
        }
        if let Some(raw) = delta.audio {
            let (mut id, mut data, mut transcript) = (None, None, None);
            Cursor::new(raw).object(|cursor, key| {
                let value = string(cursor.value()?).filter(|text| !text.is_empty());
                match key.name.as_ref() {
                    "id" => id = value,
                    "data" => data = value,
                    "transcript" => transcript = value,
                    _ => {}
                }
                Ok(())
            })?;
            if data.is_some() || transcript.is_some() {
                self.say(Event::Audio {
                    choice,
                    id,
                    data,
                    transcript,
                });
            }
        }
        if let Some(raw) = delta.annotations {
            Cursor::new(raw).array(|cursor| {
                let annotation = cursor.value()?;
                if let Some(citation) = chunk::member_of(annotation, "url_citation")? {
                    self.citation(choice, citation)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn citation(&mut self, choice: u32, raw: &str) -> Result<(), Malformed> {
        let (mut url, mut title, mut content) = (None, None, None);
        let (mut start_index, mut end_index) = (0, 0);
        Cursor::new(raw).object(|cursor, key| {
            let value = cursor.value()?;
            match key.name.as_ref() {
                "url" => url = string(value),
                "title" => title = string(value),
                "content" => content = string(value),
                "start_index" => start_index = value.parse().unwrap_or(0),
                "end_index" => end_index = value.parse().unwrap_or(0),
                _ => {}
            }
            Ok(())
        })?;
        if let Some(url) = url {
            self.sink.event(Event::UrlCitation {
                choice,
                url,
                title,
                content,
                start_index,
                end_index,
            });
        }
        Ok(())
    }
}

/// One entry of `reasoning_details`.
struct Detail<'a> {
    index: u32,
    id: Option<Cow<'a, str>>,
    text: Option<Cow<'a, str>>,
    summary: Option<Cow<'a, str>>,
    signature: Option<Cow<'a, str>>,
    data: Option<Cow<'a, str>>,
    format: ReasoningFormat,
}

impl Default for Detail<'_> {
    fn default() -> Self {
        Self {
            index: 0,
            id: None,
            text: None,
            summary: None,
            signature: None,
            data: None,
            format: ReasoningFormat::Unknown,
        }
    }
}

impl<'a> Detail<'a> {
    fn member(&mut self, name: &str, value: &'a str) {
        let text = string(value).filter(|text| !text.is_empty());
        match name {
            "index" => self.index = value.parse().unwrap_or(0),
            "id" => self.id = text,
            "text" => self.text = text,
            "summary" => self.summary = text,
            "signature" => self.signature = text,
            "data" => self.data = text,
            "format" => self.format = format_of(text.as_deref()),
            _ => {}
        }
    }
}

fn format_of(name: Option<&str>) -> ReasoningFormat {
    [
        ReasoningFormat::Anthropic,
        ReasoningFormat::Gemini,
        ReasoningFormat::OpenAiResponses,
    ]
    .into_iter()
    .find(|format| Some(format.as_str()) == name)
    .unwrap_or(ReasoningFormat::Unknown)
}
