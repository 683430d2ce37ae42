//! The state of one answer, whole or streamed: every event of a stream is a whole response that
//! holds the *new* parts, so one reader serves both.

use super::choice::{Choice, Part, Writer, is_stumble};
use super::grounding::Metadata;
use super::{Options, usage};
use crate::event::{Event, Sink};
use crate::failure;
use crate::json::{Cursor, Malformed, string};
use interline_domain::catalogue::Dialect;
use interline_domain::{Failure, FinishReason, Usage};
use std::borrow::Cow;

/// As many candidates as Gemini gives at most; we ask for one.
const MAX_CHOICES: usize = 8;

/// Reads responses, one after the other, and ends the answer.
#[derive(Debug)]
pub(crate) struct Answer {
    options: Options,
    has_started: bool,
    choices: Vec<Choice>,
    usage: Option<Usage>,
    /// Searches the provider ran, over all candidates.
    searches: u64,
    /// Why the prompt was refused.
    block_reason: Option<String>,
    /// A failure was reported inside the answer; what follows is of no interest.
    has_failed: bool,
}

/// The members of a response that we read, as they were written.
#[derive(Default)]
struct Response<'a> {
    candidates: Option<&'a str>,
    prompt_feedback: Option<&'a str>,
    usage: Option<&'a str>,
    model_version: Option<&'a str>,
    id: Option<&'a str>,
    error: Option<&'a str>,
}

/// A candidate; its index may be written after its parts.
#[derive(Default)]
struct Candidate<'a> {
    index: Option<usize>,
    content: Option<&'a str>,
    finish: Option<&'a str>,
    grounding: Option<&'a str>,
}

impl Answer {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            options,
            has_started: false,
            choices: Vec::new(),
            usage: None,
            searches: 0,
            block_reason: None,
            has_failed: false,
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Takes one response, or an array of them (streams without `alt=sse`, and errors).
    pub(crate) fn take(&mut self, text: &str, sink: &mut dyn Sink) -> Result<(), Failure> {
        self.take_any(text, sink).map_err(|Malformed| {
            Failure::unavailable("The provider sent an answer that is no JSON")
        })
    }

    fn take_any(&mut self, text: &str, sink: &mut dyn Sink) -> Result<(), Malformed> {
        let mut cursor = Cursor::new(text);
        match cursor.peek() {
            Some(b'[') => {
                cursor.array(|cursor| self.take_response(cursor.value()?, sink))?;
            }
            Some(b'{') => self.take_response(cursor.value()?, sink)?,
            _ => return Err(Malformed),
        }
        cursor.end()
    }

    fn take_response(&mut self, text: &str, sink: &mut dyn Sink) -> Result<(), Malformed> {
        if self.has_failed {
            return Ok(());
        }
        let response = Response::read(text)?;
        if response.error.is_some() {
            self.has_failed = true;
            let no_headers = |_: &str| None;
            let failure = failure::classify(Dialect::Gemini, 200, &no_headers, text.as_bytes());
            sink.event(Event::Failed(failure));
            return Ok(());
        }
        if !self.has_started {
            self.has_started = true;
            sink.event(Event::Start {
                upstream_id: response.id.and_then(string),
                upstream_model: response.model_version.and_then(string),
            });
        }
        if let Some(feedback) = response.prompt_feedback {
            Cursor::new(feedback).object(|cursor, key| {
                let value = cursor.value()?;
                if key.name == "blockReason" {
                    self.block_reason = string(value).map(Cow::into_owned);
                }
                Ok(())
            })?;
        }
        let mut position = 0;
        Cursor::new(response.candidates.unwrap_or("[]")).array(|cursor| {
            let candidate = Candidate::read(cursor)?;
            let index = candidate.index.unwrap_or(position);
            position += 1;
            self.take_candidate(index, &candidate, sink)
        })?;
        self.take_usage(response.usage, sink)
    }

    fn take_usage(&mut self, raw: Option<&str>, sink: &mut dyn Sink) -> Result<(), Malformed> {
        let Some(raw) = raw.filter(|raw| raw.starts_with('{')) else {
            return Ok(());
        };
        let mut usage = usage::read(raw)?;
        usage.web_search_requests = self.searches;
        sink.event(Event::Usage(usage.clone()));
        self.usage = Some(usage);
        Ok(())
    }

    fn take_candidate(
        &mut self,
        index: usize,
        candidate: &Candidate<'_>,
        sink: &mut dyn Sink,
    ) -> Result<(), Malformed> {
        if index >= MAX_CHOICES {
            return Err(Malformed);
        }
        if self.choices.len() <= index {
            self.choices.resize_with(index + 1, Choice::default);
        }
        let (Ok(number), Some(choice)) = (u32::try_from(index), self.choices.get_mut(index)) else {
            return Err(Malformed);
        };
        choice.responses = choice.responses.saturating_add(1);
        choice.part_starts.clear();
        let mut writer = Writer {
            options: &self.options,
            number,
            choice,
            sink,
        };
        Cursor::new(candidate.content.unwrap_or("{}")).object(|cursor, key| {
            if key.name != "parts" {
                return cursor.value().map(|_| ());
            }
            cursor.array(|cursor| {
                let part = Part::read(cursor)?;
                writer.part(&part)
            })?;
            Ok(())
        })?;
        if let Some(native) = candidate.finish.and_then(string) {
            choice.take_finish(&native);
        }
        if let Some(grounding) = candidate.grounding {
            let metadata = Metadata::read(grounding)?;
            self.searches = self.searches.max(metadata.searches);
            if metadata.has_supports {
                choice.grounding = Some(grounding.to_owned());
            }
        }
        Ok(())
    }

    /// The answer's bytes ended. `Err` if the answer did not.
    pub(crate) fn end(&mut self, sink: &mut dyn Sink) -> Result<(), Failure> {
        if self.has_failed {
            return Ok(());
        }
        if self.choices.is_empty() {
            let Some(native) = self.block_reason.take() else {
                return Err(Failure::unavailable(
                    "The provider's answer ended before it was complete",
                ));
            };
            sink.event(Event::Finish {
                choice: 0,
                reason: FinishReason::ContentFilter,
                native: Some(native.into()),
            });
            return Ok(());
        }
        let blocked = self.block_reason.take();
        let is_complete = blocked.is_some() || self.choices.iter().all(|it| it.finish.is_some());
        if !is_complete {
            return Err(Failure::unavailable(
                "The provider's answer ended before it was complete",
            ));
        }
        if let Some(native) = self.broken_and_empty() {
            let failure = Failure {
                status: Some(200),
                provider_code: Some(native.to_owned()),
                ..Failure::unavailable("The model could not complete its answer")
            };
            self.has_failed = true;
            sink.event(Event::Failed(failure));
            return Ok(());
        }
        self.emit_citations(sink);
        self.emit_searches(sink);
        for (number, choice) in (0..).zip(&mut self.choices) {
            let (reason, native) = match (choice.finish.take(), &blocked) {
                (Some(native), _) => (choice.reason(&native), native),
                (None, Some(native)) => (FinishReason::ContentFilter, native.clone()),
                (None, None) => continue,
            };
            sink.event(Event::Finish {
                choice: number,
                reason,
                native: Some(native.into()),
            });
        }
        Ok(())
    }

    /// The native word, if nothing at all was produced because the model stumbled: another try
    /// may do better, so it is a failure and not an empty answer.
    fn broken_and_empty(&self) -> Option<&str> {
        let first = self.choices.first()?.finish.as_deref()?;
        let is_broken = |choice: &Choice| {
            !choice.has_content && choice.finish.as_deref().is_some_and(is_stumble)
        };
        self.choices.iter().all(is_broken).then_some(first)
    }

    fn emit_citations(&self, sink: &mut dyn Sink) {
        for (number, choice) in (0..).zip(&self.choices) {
            let metadata = choice.grounding.as_deref().map(Metadata::read);
            let Some(Ok(metadata)) = metadata else {
                continue;
            };
            // In a stream, offsets count from the first text on, whatever response they came in.
            let start_of_part = |part: usize| match choice.responses {
                1 => choice.part_starts.get(part).copied().unwrap_or(0),
                _ => 0,
            };
            // Read before, so it cannot be malformed; sources are a nicety that must not fail.
            let _ = metadata.emit(number, &choice.offsets, &start_of_part, sink);
        }
    }

    /// Searches may become known after the counters.
    fn emit_searches(&self, sink: &mut dyn Sink) {
        if let Some(usage) = &self.usage
            && usage.web_search_requests != self.searches
        {
            sink.event(Event::Usage(Usage {
                web_search_requests: self.searches,
                ..usage.clone()
            }));
        }
    }
}

impl<'a> Response<'a> {
    fn read(text: &'a str) -> Result<Self, Malformed> {
        let mut response = Self::default();
        Cursor::new(text).object(|cursor, key| {
            let value = Some(cursor.value()?).filter(|value| *value != "null");
            match &*key.name {
                "candidates" => response.candidates = value,
                "promptFeedback" => response.prompt_feedback = value,
                "usageMetadata" => response.usage = value,
                "modelVersion" => response.model_version = value,
                "responseId" => response.id = value,
                "error" => response.error = value,
                _ => {}
            }
            Ok(())
        })?;
        Ok(response)
    }
}

impl<'a> Candidate<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Malformed> {
        let mut candidate = Self::default();
        cursor.object(|cursor, key| {
            let value = Some(cursor.value()?).filter(|value| *value != "null");
            match &*key.name {
                "index" => candidate.index = value.and_then(|value| value.parse().ok()),
                "content" => candidate.content = value,
                "finishReason" => candidate.finish = value,
                "groundingMetadata" => candidate.grounding = value,
                _ => {}
            }
            Ok(())
        })?;
        Ok(candidate)
    }
}
