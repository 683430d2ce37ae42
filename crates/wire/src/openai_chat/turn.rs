//! What must be remembered from one chunk to the next, for events and for edited bytes alike.

use super::calls::Calls;
use super::chunk::{Choice, Chunk, has_content};
use super::malformed;
use super::think::{Kind, Think};
use super::usage;
use crate::json::{Cursor, Malformed, string};
use interline_domain::quirks::{Quirks, ReasoningOutput};
use interline_domain::{Failure, FinishReason, Usage};
use std::borrow::Cow;

/// More choices than any provider offers (`n` ends at 128 everywhere).
const MAX_CHOICES: usize = 128;

/// Markers that wait for their list of sources.
const MAX_PENDING_MARKERS: usize = 1024;

/// The quirks that matter for an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    pub has_tags: bool,
    pub is_cumulative: bool,
    pub has_markers: bool,
}

impl Habits {
    pub(super) fn of(quirks: &Quirks) -> Self {
        Self {
            has_tags: quirks.reasoning_output == ReasoningOutput::Tag,
            is_cumulative: quirks.cumulative_reasoning,
            has_markers: quirks.citation_markers,
        }
    }
}

/// One answer, so far.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    pub habits: Habits,
    /// The answer came in one piece: what is read is all there will be.
    pub is_whole: bool,
    /// In order of first appearance.
    pub choices: Vec<ChoiceState>,
    pub sources: Sources,
    /// The last usage that said anything.
    pub usage: Option<Usage>,
}

impl Turn {
    pub(super) fn new(quirks: &Quirks) -> Self {
        Self {
            habits: Habits::of(quirks),
            is_whole: false,
            choices: Vec::new(),
            sources: Sources::default(),
            usage: None,
        }
    }

    /// Takes the side channels of a chunk. `true` if its usage is news.
    pub(super) fn note(&mut self, chunk: &Chunk<'_>) -> bool {
        if self.habits.has_markers {
            self.sources.update(chunk.citations, chunk.search_results);
        }
        // Groq says it twice: the same counters replace, they never add up (T6).
        let told = chunk.usage.or(chunk.groq_usage).and_then(usage::decode);
        let is_news = told.is_some();
        if is_news {
            self.usage = told;
        }
        is_news
    }

    /// The choice's state, new if it was not seen before; and the sources its markers refer to.
    pub(super) fn choice(&mut self, index: u64) -> Result<(&mut ChoiceState, &Sources), Failure> {
        let known = self
            .choices
            .iter()
            .position(|state| u64::from(state.index) == index);
        let position = if let Some(position) = known {
            position
        } else {
            let index = u32::try_from(index).map_err(|_| malformed())?;
            if self.choices.len() >= MAX_CHOICES {
                return Err(Failure::unavailable("The provider sent too many choices"));
            }
            let state = ChoiceState::new(index, self.habits, self.is_whole);
            self.choices.push(state);
            self.choices.len() - 1
        };
        match self.choices.get_mut(position) {
            Some(state) => Ok((state, &self.sources)),
            None => Err(malformed()),
        }
    }

    /// Every choice that began has ended: a stream may stop here (T38, T41).
    pub(super) fn is_finished(&self) -> bool {
        !self.choices.is_empty() && self.choices.iter().all(|choice| choice.finish.is_some())
    }

    /// The protocol said that the answer is complete. `Err` if it is an empty one: nothing was
    /// said and nothing counted, which is a cold start or a fault, and no answer.
    pub(super) fn check_complete(&self, has_content: bool) -> Result<(), Failure> {
        let is_blocked = self
            .choices
            .iter()
            .any(|choice| choice.final_reason().0 == FinishReason::ContentFilter);
        if has_content || self.usage.is_some() || is_blocked {
            return Ok(());
        }
        Err(Failure::unavailable("The provider gave an empty answer"))
    }
}

/// One choice, so far.
#[derive(Clone, Debug)]
pub(super) struct ChoiceState {
    pub index: u32,
    is_whole: bool,
    pub calls: Calls,
    /// `None` where the provider has a field for reasoning.
    think: Option<Think>,
    cumulative: Option<Cumulative>,
    markers: Option<Markers>,
    /// The block of reasoning under way, and whether something else came since.
    block: Option<u32>,
    is_block_over: bool,
    finish: Option<(FinishReason, String)>,
}

impl ChoiceState {
    fn new(index: u32, habits: Habits, is_whole: bool) -> Self {
        Self {
            index,
            is_whole,
            calls: Calls::default(),
            think: habits.has_tags.then(Think::new),
            cumulative: habits.is_cumulative.then(Cumulative::default),
            markers: habits.has_markers.then(Markers::default),
            block: None,
            is_block_over: false,
            finish: None,
        }
    }

    /// Content of this choice is text as it stands, with nothing to look for in it.
    pub(super) fn is_plain(&self) -> bool {
        self.think.as_ref().is_none_or(Think::is_off) && self.markers.is_none()
    }

    /// Fragments of reasoning may repeat the text so far.
    pub(super) fn is_cumulative(&self) -> bool {
        self.cumulative.is_some()
    }

    /// The block that reasoning arriving now belongs to.
    pub(super) fn reasoning_block(&mut self) -> u32 {
        let block = match self.block {
            None => 0,
            Some(block) if self.is_block_over => block.saturating_add(1),
            Some(block) => block,
        };
        self.block = Some(block);
        self.is_block_over = false;
        block
    }

    /// Text or a call came: reasoning after it is another block.
    pub(super) fn leave_reasoning(&mut self) {
        self.is_block_over = true;
    }

    /// What a reasoning field adds: all of it, or its new end where fragments repeat the text so
    /// far (T25). `None` if that is nothing.
    pub(super) fn reasoning<'a>(
        &mut self,
        raw: &'a str,
        piece: &mut dyn FnMut(Kind, &str),
    ) -> Option<Cow<'a, str>> {
        let text = string(raw).filter(|text| !text.is_empty())?;
        if let Some(think) = &mut self.think {
            think.turn_off(piece);
        }
        let text = match &mut self.cumulative {
            Some(cumulative) => cumulative.news(text),
            None => text,
        };
        (!text.is_empty()).then_some(text)
    }

    /// Splits content (a string, or Mistral's list of parts) into text and reasoning.
    pub(super) fn content(
        &mut self,
        raw: &str,
        piece: &mut dyn FnMut(Kind, &str),
    ) -> Result<(), Failure> {
        let Some(text) = string(raw) else {
            return parts(raw, piece).map_err(|Malformed| malformed());
        };
        match &mut self.think {
            _ if text.is_empty() => {}
            Some(think) if self.is_whole && !think.is_off() => think.whole(&text, piece),
            Some(think) => think.feed(&text, piece),
            None => piece(Kind::Text, &text),
        }
        Ok(())
    }

    /// What tag parsing still holds back.
    pub(super) fn release(&mut self, piece: &mut dyn FnMut(Kind, &str)) {
        if let Some(think) = &mut self.think {
            think.end(piece);
        }
    }

    /// Finds citation markers in text that is about to be sent, and those that waited for their
    /// source. Does nothing for providers that have none.
    pub(super) fn cite(
        &mut self,
        text: &str,
        sources: &Sources,
        found: &mut dyn FnMut(&Source, u64, u64),
    ) {
        if let Some(markers) = &mut self.markers {
            markers.feed(text);
            markers.settle(sources, found);
        }
    }

    /// Notes the end. A later, more specific reason replaces an earlier `stop`.
    pub(super) fn end(&mut self, choice: &Choice<'_>) {
        let Some(reason) = &choice.finish_reason else {
            return;
        };
        let native = choice.native_finish_reason.as_ref().unwrap_or(reason);
        let Some(normal) = FinishReason::from_native(reason) else {
            return;
        };
        let replaces = match &self.finish {
            None => true,
            Some((known, _)) => *known == FinishReason::Stop && normal != FinishReason::Stop,
        };
        if replaces {
            self.finish = Some((normal, native.clone().into_owned()));
        }
    }

    /// Our reason and the provider's word. Without one (the protocol ended properly all the same)
    /// it is a normal end.
    pub(super) fn final_reason(&self) -> (FinishReason, Option<&str>) {
        let (reason, native) = match &self.finish {
            Some((reason, native)) => (*reason, Some(native.as_str())),
            None => (FinishReason::Stop, None),
        };
        (reason.with_tool_calls(!self.calls.is_empty()), native)
    }
}

/// Mistral: `thinking` and `text` parts; Databricks: `reasoning` with a summary.
fn parts(raw: &str, piece: &mut dyn FnMut(Kind, &str)) -> Result<(), Malformed> {
    Cursor::new(raw)
        .array(|cursor| {
            let (mut kind, mut body) = (Kind::Text, None);
            cursor.object(|cursor, key| {
                let value = cursor.value()?;
                match key.name.as_ref() {
                    "text" => body = body.or(Some(value)),
                    "thinking" | "reasoning" | "summary" => {
                        kind = Kind::Reasoning;
                        body = Some(value);
                    }
                    _ => {}
                }
                Ok(())
            })?;
            body.map_or(Ok(()), |body| texts(body, kind, piece))
        })
        .map(|_| ())
}

/// A string, or a list of objects with `text`.
fn texts(raw: &str, kind: Kind, piece: &mut dyn FnMut(Kind, &str)) -> Result<(), Malformed> {
    if let Some(text) = string(raw) {
        if !text.is_empty() {
            piece(kind, &text);
        }
        return Ok(());
    }
    Cursor::new(raw)
        .array(|cursor| {
            cursor
                .object(|cursor, key| {
                    let value = cursor.value()?;
                    if key.name == "text"
                        && has_content(value)
                        && let Some(text) = string(value)
                    {
                        piece(kind, &text);
                    }
                    Ok(())
                })
                .map(|_| ())
        })
        .map(|_| ())
}

/// Tells fragments that repeat everything before them from those that add to it.
#[derive(Clone, Debug, Default)]
struct Cumulative {
    received: String,
    /// A fragment did not repeat: none will be taken for a repetition again.
    is_off: bool,
}

impl Cumulative {
    fn news<'a>(&mut self, text: Cow<'a, str>) -> Cow<'a, str> {
        if self.is_off {
            return text;
        }
        if !text.starts_with(self.received.as_str()) {
            self.is_off = true;
            self.received = String::new();
            return text;
        }
        let known = self.received.len();
        let news = match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(known..).unwrap_or_default()),
            Cow::Owned(text) => Cow::Owned(text.get(known..).unwrap_or_default().to_owned()),
        };
        self.received.push_str(&news);
        news
    }
}

/// A page that `[n]` in the text refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Source {
    pub url: String,
    pub title: Option<String>,
}

/// Perplexity's lists, repeated on every chunk.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    list: Vec<Source>,
    citations: String,
    results: String,
}

impl Sources {
    fn update(&mut self, citations: Option<&str>, results: Option<&str>) {
        let citations = citations.unwrap_or(&self.citations);
        let results = results.unwrap_or(&self.results);
        if citations == self.citations && results == self.results {
            return;
        }
        let pages = pages(results);
        let mut urls = Vec::new();
        // A list that cannot be read only means that there is nothing to cite.
        let _ = Cursor::new(citations).array(|cursor| {
            urls.extend(string(cursor.value()?).map(Cow::into_owned));
            Ok(())
        });
        self.list = if urls.is_empty() {
            pages
        } else {
            let title = |url: &String| {
                let page = pages.iter().find(|page| page.url == *url)?;
                page.title.clone()
            };
            urls.into_iter()
                .map(|url| Source {
                    title: title(&url),
                    url,
                })
                .collect()
        };
        (self.citations, self.results) = (citations.to_owned(), results.to_owned());
    }
}

fn pages(results: &str) -> Vec<Source> {
    let mut pages = Vec::new();
    let _ = Cursor::new(results).array(|cursor| {
        let mut page = Source::default();
        cursor.object(|cursor, key| {
            let value = string(cursor.value()?).map(Cow::into_owned);
            match key.name.as_ref() {
                "url" => page.url = value.unwrap_or_default(),
                "title" => page.title = value,
                _ => {}
            }
            Ok(())
        })?;
        pages.push(page);
        Ok(())
    });
    pages
}

/// Finds `[n]` in the text of one choice, cut anywhere. Positions count code points.
#[derive(Clone, Debug, Default)]
struct Markers {
    position: u64,
    /// Where a `[` stands that may open a marker, and the number after it so far.
    open: Option<(u64, Option<usize>)>,
    /// `(n, start, end)`: complete, source not looked up yet.
    waiting: Vec<(usize, u64, u64)>,
}

impl Markers {
    fn feed(&mut self, text: &str) {
        for character in text.chars() {
            self.open = match (self.open, character) {
                (_, '[') => Some((self.position, None)),
                (Some((start, number)), '0'..='9') => {
                    let digit = character.to_digit(10).unwrap_or(0) as usize;
                    let number = number.unwrap_or(0).saturating_mul(10).saturating_add(digit);
                    Some((start, Some(number)))
                }
                (Some((start, Some(number))), ']') => {
                    if self.waiting.len() < MAX_PENDING_MARKERS {
                        let end = self.position.saturating_add(1);
                        self.waiting.push((number, start, end));
                    }
                    None
                }
                _ => None,
            };
            self.position = self.position.saturating_add(1);
        }
    }

    fn settle(&mut self, sources: &Sources, found: &mut dyn FnMut(&Source, u64, u64)) {
        if sources.list.is_empty() {
            return;
        }
        for (number, start, end) in self.waiting.drain(..) {
            let source = number.checked_sub(1).and_then(|at| sources.list.get(at));
            if let Some(source) = source {
                found(source, start, end);
            }
        }
    }
}
