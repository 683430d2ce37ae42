//! What is remembered of an answer while its events pass: counters and ends, never the text.

use super::answer::Meter;
use crate::event::Event;
use interline_domain::FinishReason;

/// More choices than this no request can ask for; what a provider sends beyond is dropped.
const CHOICES: usize = 128;
/// Calls beyond this many in one choice are passed on, but not watched for missing arguments.
const CALLS: usize = 4096;

/// The counters of [`Meter`], and per choice what the end depends on.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) meter: Meter,
    choices: Vec<Choice>,
}

/// One choice's calls and end.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) index: u32,
    calls: Vec<Call>,
    images: u32,
    finish: Option<(FinishReason, Option<String>)>,
}

#[derive(Debug)]
struct Call {
    index: u32,
    has_arguments: bool,
}

impl Tally {
    /// Takes note of an event. `false`: it says nothing, and is not to be written.
    pub(super) fn observe(&mut self, event: &Event<'_>) -> bool {
        if is_blank(event) {
            return false;
        }
        let has_choice = match choice_of(event) {
            Some(index) => self.observe_choice(index, event),
            None => true,
        };
        if has_choice {
            self.count(event);
        }
        has_choice
    }

    /// The images of a choice so far.
    pub(super) fn images(&self, choice: u32) -> u32 {
        let found = self.choices.iter().find(|known| known.index == choice);
        found.map_or(0, |choice| choice.images)
    }

    /// The choices in order, at least one, leaving none behind.
    pub(super) fn take_choices(&mut self) -> Vec<Choice> {
        let mut choices = std::mem::take(&mut self.choices);
        if choices.is_empty() {
            choices.push(Choice::default());
        }
        choices.sort_by_key(|choice| choice.index);
        choices
    }

    fn observe_choice(&mut self, index: u32, event: &Event<'_>) -> bool {
        let at = match self.choices.iter().position(|choice| choice.index == index) {
            Some(at) => at,
            None if self.choices.len() >= CHOICES => return false,
            None => {
                self.choices.push(Choice {
                    index,
                    ..Choice::default()
                });
                self.choices.len() - 1
            }
        };
        let Some(choice) = self.choices.get_mut(at) else {
            return false;
        };
        choice.observe(event);
        if matches!(event, Event::Finish { .. } | Event::ToolStart { .. }) {
            let first = self.choices.iter().min_by_key(|choice| choice.index);
            self.meter.finish = first.and_then(|choice| {
                choice.finish.as_ref()?;
                let (reason, native) = choice.ending();
                Some((reason, native.map(str::to_owned)))
            });
        }
        true
    }

    fn count(&mut self, event: &Event<'_>) {
        let meter = &mut self.meter;
        let bytes = |text: &str| u64::try_from(text.len()).unwrap_or(u64::MAX);
        match event {
            Event::Start { upstream_id, .. } => {
                if let Some(id) = upstream_id {
                    meter.upstream_id = Some(id.clone().into_owned());
                }
                return;
            }
            Event::Usage(usage) => {
                meter.usage = Some(usage.clone());
                return;
            }
            Event::Finish { .. } | Event::Failed(_) => return,
            Event::Text { text, .. } | Event::Refusal { text, .. } => {
                meter.text_bytes = meter.text_bytes.saturating_add(bytes(text));
            }
            Event::Reasoning { text, .. } => {
                meter.reasoning_bytes = meter.reasoning_bytes.saturating_add(bytes(text));
            }
            Event::ToolStart { .. } => meter.tool_calls = meter.tool_calls.saturating_add(1),
            Event::ToolArguments { fragment, .. } => {
                meter.argument_bytes = meter.argument_bytes.saturating_add(bytes(fragment));
            }
            Event::Image { .. } => meter.images = meter.images.saturating_add(1),
            Event::ReasoningSignature { .. }
            | Event::ReasoningOpaque { .. }
            | Event::Audio { .. }
            | Event::UrlCitation { .. } => {}
        }
        meter.has_content = true;
    }
}

impl Choice {
    /// How the choice ends: a normal end with calls is an end *with* calls, no word is a stop.
    pub(super) fn ending(&self) -> (FinishReason, Option<&str>) {
        let (reason, native) = match &self.finish {
            Some((reason, native)) => (*reason, native.as_deref()),
            None => (FinishReason::Stop, None),
        };
        (reason.with_tool_calls(!self.calls.is_empty()), native)
    }

    /// The calls for which no arguments came.
    pub(super) fn calls_without_arguments(&self) -> impl Iterator<Item = u32> {
        let bare = self.calls.iter().filter(|call| !call.has_arguments);
        bare.map(|call| call.index)
    }

    fn observe(&mut self, event: &Event<'_>) {
        match event {
            Event::ToolStart { call, .. } if self.calls.len() < CALLS => self.calls.push(Call {
                index: *call,
                has_arguments: false,
            }),
            Event::ToolArguments { call, fragment, .. } if !fragment.trim().is_empty() => {
                // The call at hand is almost always the last one.
                let known = self
                    .calls
                    .iter_mut()
                    .rev()
                    .find(|known| known.index == *call);
                if let Some(known) = known {
                    known.has_arguments = true;
                }
            }
            Event::Image { .. } => self.images = self.images.saturating_add(1),
            Event::Finish { reason, native, .. } => {
                // A provider may say `stop` first and the real reason later.
                let is_open = matches!(self.finish, None | Some((FinishReason::Stop, _)));
                if is_open && (self.finish.is_none() || *reason != FinishReason::Stop) {
                    self.finish = Some((*reason, native.as_deref().map(str::to_owned)));
                }
            }
            _ => {}
        }
    }
}

/// Empty fragments are no content: some providers send one with every chunk.
fn is_blank(event: &Event<'_>) -> bool {
    match event {
        Event::Text { text, .. } | Event::Refusal { text, .. } | Event::Reasoning { text, .. } => {
            text.is_empty()
        }
        Event::ReasoningSignature { signature, .. } => signature.is_empty(),
        Event::ReasoningOpaque { data, .. } => data.is_empty(),
        Event::ToolArguments { fragment, .. } => fragment.is_empty(),
        Event::Audio {
            id,
            data,
            transcript,
            ..
        } => id.is_none() && data.is_none() && transcript.is_none(),
        _ => false,
    }
}

fn choice_of(event: &Event<'_>) -> Option<u32> {
    match event {
        Event::Start { .. } | Event::Usage(_) | Event::Failed(_) => None,
        Event::Text { choice, .. }
        | Event::Refusal { choice, .. }
        | Event::Reasoning { choice, .. }
        | Event::ReasoningSignature { choice, .. }
        | Event::ReasoningOpaque { choice, .. }
        | Event::ToolStart { choice, .. }
        | Event::ToolArguments { choice, .. }
        | Event::Image { choice, .. }
        | Event::Audio { choice, .. }
        | Event::UrlCitation { choice, .. }
        | Event::Finish { choice, .. } => Some(*choice),
    }
}
