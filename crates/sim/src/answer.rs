//! What is answered, before any dialect gives it a form.

use crate::schema::instance;
use crate::script::{Behaviour, Call, Finish, Text, Tools, without_wishes};
use crate::seen::{Choice, Seen};
use serde_derive::Serialize;
use std::fmt::Write as _;

/// Tools called in one answer, at most.
const MAX_CALLS: usize = 4;
/// Chunks of one answer, at most: a script's slip must not fill the memory.
const MAX_CHUNKS: u32 = 200_000;
/// Characters of a chunk where the text has no spaces.
const LONG_PIECE: usize = 16;

const STORY: &str = "Once a letter set out to cross a country without roads. The postmaster gave \
it to a carrier who knew three ways: a river that was quick but froze, a pass that was safe but \
dear, and a forest path that nobody had measured. \"Take the river,\" said the clerk, \"it has \
never failed us on a weekday.\" On the second day the river froze. The carrier did not go home \
and did not wait for spring. She turned to the pass, paid the toll, wrote the sum in her book, \
and told nobody that she had been late, because she was not. At the last inn a traveller asked \
how she had known which way would be open. \"I did not know,\" she said. \"I knew that there were \
three.\" The letter arrived before supper, with one stamp and no apology. In the morning the \
postmaster read her book, moved the river to the end of his list, and sent somebody with a yard \
stick to measure the forest.";

/// Tokens as they were reported to the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tokens {
    pub prompt: u64,
    pub completion: u64,
    pub reasoning: u64,
    pub cached: u64,
    pub cache_write: u64,
}

/// An answer in pieces: a piece is a chunk when streamed.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Counts the sim's requests; ids are made of it.
    pub number: u64,
    pub model: String,
    pub reasoning: Vec<String>,
    pub text: Vec<String>,
    pub refusal: Vec<String>,
    pub calls: Vec<Call>,
    pub finish: Finish,
    pub stop_sequence: Option<String>,
    /// `None`: the provider reports no usage.
    pub tokens: Option<Tokens>,
}

impl Answer {
    pub(crate) fn new(number: u64, seen: &Seen, behaviour: &Behaviour) -> Self {
        let mut answer = Self {
            number,
            model: seen.model.clone(),
            reasoning: behaviour
                .reasoning
                .as_deref()
                .map(words)
                .unwrap_or_default(),
            text: Vec::new(),
            refusal: Vec::new(),
            calls: Vec::new(),
            finish: Finish::Stop,
            stop_sequence: None,
            tokens: None,
        };
        if let Some(refusal) = &behaviour.refusal {
            answer.refusal = words(refusal);
        } else {
            answer.calls = calls(seen, behaviour);
            if answer.calls.is_empty() {
                answer.text = text(seen, behaviour);
                answer.stop_at(&seen.stop);
            } else {
                answer.finish = Finish::ToolCalls;
            }
        }
        answer.limit_to(seen.max_tokens);
        if let Some(finish) = behaviour.finish {
            answer.finish = finish;
        }
        answer.tokens = (!behaviour.omit_usage).then(|| answer.count(seen, behaviour));
        answer
    }

    fn stop_at(&mut self, stops: &[String]) {
        let whole = self.text.concat();
        let found = stops
            .iter()
            .filter(|stop| !stop.is_empty())
            .filter_map(|stop| Some((whole.find(stop.as_str())?, stop)))
            .min_by_key(|(at, _)| *at);
        if let Some((at, stop)) = found {
            self.text = words(whole.get(..at).unwrap_or_default());
            self.stop_sequence = Some(stop.clone());
        }
    }

    /// Reasoning counts against the limit, as with the real ones. Calls stay whole.
    fn limit_to(&mut self, limit: Option<u64>) {
        let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else {
            return;
        };
        if self.reasoning.len() + self.text.len() > limit {
            self.reasoning.truncate(limit);
            self.text
                .truncate(limit.saturating_sub(self.reasoning.len()));
            self.finish = Finish::Length;
        }
    }

    fn count(&self, seen: &Seen, behaviour: &Behaviour) -> Tokens {
        let fixed = &behaviour.usage;
        let long = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let reasoning = fixed
            .reasoning
            .unwrap_or_else(|| long(self.reasoning.len()));
        let called: usize = self
            .calls
            .iter()
            .map(|call| 2 + (call.name.len() + call.arguments.len()) / 4)
            .sum();
        let said = long(self.text.len() + self.refusal.len() + called);
        let seen_tokens = long(seen.text_bytes.div_ceil(4) + 4 * seen.messages.max(1));
        Tokens {
            prompt: fixed
                .prompt
                .unwrap_or(seen_tokens + 85 * long(seen.media.len())),
            completion: fixed.completion.unwrap_or(reasoning + said),
            reasoning,
            cached: fixed.cached.unwrap_or(0),
            cache_write: fixed.cache_write.unwrap_or(0),
        }
    }
}

fn calls(seen: &Seen, behaviour: &Behaviour) -> Vec<Call> {
    if seen.choice == Choice::None || seen.has_tool_results {
        return Vec::new();
    }
    let most = if seen.parallel { MAX_CALLS } else { 1 };
    let wanted: Vec<Call> = match (&behaviour.tools, &seen.choice) {
        (Tools::Fixed(calls), _) => calls.clone(),
        (_, Choice::Named(name)) => offered(seen).filter(|call| call.name == *name).collect(),
        (Tools::Offered, _) | (_, Choice::Any) => offered(seen).collect(),
        (Tools::WhenForced, _) => Vec::new(),
    };
    wanted.into_iter().take(most).collect()
}

fn offered(seen: &Seen) -> impl Iterator<Item = Call> {
    seen.tools
        .iter()
        .filter(|tool| !tool.name.is_empty())
        .map(|tool| {
            let arguments = instance(&tool.schema);
            Call {
                name: tool.name.clone(),
                arguments: if arguments.is_object() {
                    arguments.to_string()
                } else {
                    "{}".to_owned()
                },
            }
        })
}

fn text(seen: &Seen, behaviour: &Behaviour) -> Vec<String> {
    if let Some(schema) = &seen.schema {
        let value = match instance(schema) {
            value if schema.is_object() => value,
            _ => serde_json::json!({"answer": without_wishes(&seen.last_text).trim()}),
        };
        return words(&value.to_string());
    }
    let text = match &behaviour.text {
        Text::Echo => without_wishes(&seen.last_text).trim().to_owned(),
        Text::Story => STORY.to_owned(),
        Text::Report => report(seen),
        Text::Fixed(text) => text.clone(),
        Text::Tokens(count) => return filler((*count).min(MAX_CHUNKS)),
        Text::Indexed(count) => return indexed(&behaviour.tag, (*count).min(MAX_CHUNKS)),
    };
    let text = if text.is_empty() {
        "(nothing was said)".to_owned()
    } else {
        text
    };
    match behaviour.chunks {
        Some(chunks) => even(&text, chunks.clamp(1, MAX_CHUNKS)),
        None => words(&text),
    }
}

fn filler(count: u32) -> Vec<String> {
    STORY
        .split_inclusive(' ')
        .cycle()
        .take(count as usize)
        .map(str::to_owned)
        .collect()
}

fn indexed(tag: &str, count: u32) -> Vec<String> {
    (0..count).map(|index| format!("{tag}.{index} ")).collect()
}

fn report(seen: &Seen) -> String {
    let mut text = format!("I saw {} message(s)", seen.messages);
    for medium in &seen.media {
        let kind = if medium.is_link {
            "characters of link"
        } else {
            "characters of base64"
        };
        let _ = write!(
            text,
            ", one {} of {} {kind}",
            medium.media_type, medium.chars
        );
    }
    if !seen.tools.is_empty() {
        let names: Vec<&str> = seen.tools.iter().map(|tool| tool.name.as_str()).collect();
        let _ = write!(text, ", the tools {}", names.join(" and "));
    }
    let said = without_wishes(&seen.last_text);
    let _ = write!(text, ". You said: {}", said.trim());
    text
}

/// Cuts a text where a model would: words with the space after them.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    for word in text.split_inclusive(' ') {
        let mut piece = String::new();
        for letter in word.chars() {
            piece.push(letter);
            if piece.len() >= LONG_PIECE {
                pieces.push(std::mem::take(&mut piece));
            }
        }
        if !piece.is_empty() {
            pieces.push(piece);
        }
    }
    pieces
}

/// Cuts a text into `count` pieces of about the same length; short texts give fewer.
fn even(text: &str, count: u32) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let size = letters.len().div_ceil(count as usize).max(1);
    letters
        .chunks(size)
        .map(|piece| piece.iter().collect())
        .collect()
}

#[cfg(test)]
mod tests;
