//! What a simulated provider does: one description for all dialects.
//!
//! A [`Script`] holds the provider's own settings, one [`Behaviour`] for every model and others by
//! model name. A request can change its behaviour with `SIM:key=value,…;` in its last user message
//! (gateways drop unknown headers, prompts always pass) or with the header `x-sim: key=value,…`.

use serde_derive::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How much of a request is examined, as a real provider would examine it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Nothing but the JSON itself.
    Off,
    /// What the dialect's own provider refuses. Compatible servers ignore unknown OpenAI fields,
    /// so those pass; Anthropic and Gemini refuse unknown fields, so those do not.
    #[default]
    Basic,
    /// Also unknown OpenAI fields, as OpenAI itself does.
    Closed,
}

/// What a provider says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Text {
    /// The last user message, word for word.
    #[default]
    Echo,
    /// A short story of some 170 words.
    Story,
    /// What was received: messages, tools, images, parameters.
    Report,
    Fixed(String),
    /// That many tokens of filler.
    Tokens(u32),
    /// That many chunks, each `<tag>.<index> `, so that a reader can check origin and order.
    Indexed(u32),
}

/// Which tools are called. An answer to tool results calls none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tools {
    /// Only where the request forces a call.
    #[default]
    WhenForced,
    /// Every tool offered, at most four, in parallel, with arguments made from their schemas.
    Offered,
    /// These, whatever was offered.
    Fixed(Vec<Call>),
}

/// One tool call. `arguments` is JSON text and is sent as written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    pub name: String,
    #[serde(default)]
    pub arguments: String,
}

/// How an answer ends, where the script decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    Stop,
    Length,
    ToolCalls,
    ContentFilter,
}

/// Token counts to report. What is absent is counted: a word with its space is a completion token,
/// four bytes of text are a prompt token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Counts {
    /// All input tokens, cached and cache-written ones included.
    pub prompt: Option<u64>,
    /// All output tokens, reasoning included.
    pub completion: Option<u64>,
    pub reasoning: Option<u64>,
    pub cached: Option<u64>,
    pub cache_write: Option<u64>,
}

/// A kind of trouble. `after` below is [`Fault::after`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// No trouble: a placeholder that lets a header or prompt switch a scripted fault off.
    #[default]
    None,
    /// TCP reset before any byte of the answer.
    Reset,
    /// Orderly close before any byte of the answer.
    Close,
    /// Silent before the headers, until the client gives up.
    Hang,
    /// Headers, then silence.
    HangAfterHeaders,
    /// `after` chunks, then silence.
    HangMidStream,
    /// `after` chunks, then a TCP reset.
    ResetMidStream,
    /// `after` chunks, then the connection is closed without the end of the chunked body.
    CloseMidStream,
    /// `after` chunks, then an orderly end of the body without the protocol's finish.
    EndWithoutFinish,
    /// Everything but `[DONE]` or `message_stop`.
    NoDone,
    /// `status` with the dialect's own error body, `retry_after_s`, `code` and `message`.
    Status,
    /// Status 200 and an error object as the body.
    ErrorBody,
    /// Status 200, an event stream, and an error as its first event.
    ErrorFirstEvent,
    /// `after` chunks, then an error event.
    ErrorMidStream,
    /// `after` chunks, then a frame that is not JSON (a whole body that is not JSON, unstreamed).
    MalformedJson,
    /// `after` chunks, then bytes that are no event stream.
    MalformedSse,
    /// `after` chunks, then one event with `bytes` bytes of text (16 MiB and a bit by default).
    OversizedEvent,
    /// A response header of `bytes` bytes (128 KiB by default).
    OversizedHeader,
    /// The body comes in pieces of `bytes` bytes (1 by default), `delay_ms` apart (50 by default).
    SlowDrip,
    /// Status 307 to another host.
    Redirect,
    /// The right body under `text/html`.
    WrongContentType,
    /// `after` chunks, then half of a multi-byte character and the end of the body.
    TruncatedUtf8,
    /// `after` comment lines (pings for Anthropic), `delay_ms` apart, then the answer.
    CommentsFirst,
    /// The usage is reported twice.
    DuplicateUsage,
    /// Status 200 and an empty body.
    EmptyBody,
}

/// Trouble and when it comes. Without a condition it always comes; with several, all must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fault {
    pub what: What,
    /// The first so many requests of the model.
    pub fail_first: Option<u64>,
    /// Requests number `every`, `2 * every`, … of the model.
    pub every: Option<u64>,
    /// Requests with these numbers, counted from 1.
    pub only: Vec<u64>,
    /// Of 1; drawn from the script's seed and the request's number.
    pub probability: Option<f64>,
    /// Only requests whose credential ends like this.
    pub credential: Option<String>,
    /// Content chunks sent before it happens.
    pub after: u32,
    pub status: Option<u16>,
    pub retry_after_s: Option<u32>,
    pub message: Option<String>,
    pub code: Option<String>,
    pub bytes: Option<usize>,
    pub delay_ms: Option<u64>,
}

/// What happens to a request, in any dialect.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Behaviour {
    /// Before the status line.
    pub first_byte_delay_ms: u64,
    /// Between the headers and the first content.
    pub first_token_delay_ms: u64,
    /// Between chunks, on a fixed schedule: a late chunk does not delay the next one.
    pub chunk_delay_ms: u64,
    /// The same as a rate; wins over `chunk_delay_ms`.
    pub tokens_per_second: Option<u32>,
    pub text: Text,
    /// Cut the text into this many chunks rather than into words.
    pub chunks: Option<u32>,
    /// Re-cut the streamed bytes into pieces of this size, wherever that falls.
    pub split_bytes: Option<usize>,
    pub tools: Tools,
    /// Readable reasoning ahead of the answer.
    pub reasoning: Option<String>,
    /// Refuse, in these words.
    pub refusal: Option<String>,
    pub finish: Option<Finish>,
    pub usage: Counts,
    /// A provider that never reports usage.
    pub omit_usage: bool,
    /// The first fault whose conditions hold.
    pub faults: Vec<Fault>,
    /// For [`Text::Indexed`].
    pub tag: String,
}

/// A simulated provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// Named by `at=` in per-request overrides, so that one of several providers can be meant.
    pub name: String,
    pub seed: u64,
    /// Credentials accepted; empty accepts any and none.
    pub keys: Vec<String>,
    pub check: Check,
    /// For load: no check, no log, and of the request only `model`, `stream` and the `SIM:` group
    /// are looked at.
    pub lean: bool,
    /// Close the port, for `refused_for_ms` or until the next script.
    pub refused: bool,
    pub refused_for_ms: Option<u64>,
    /// Requests kept in the log; the oldest go first.
    pub log_entries: usize,
    /// Bytes kept of each request body.
    pub log_body_bytes: usize,
    pub behaviour: Behaviour,
    /// Whole behaviours by the provider's model name.
    pub models: BTreeMap<String, Behaviour>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            name: "sim".to_owned(),
            seed: 1,
            keys: Vec::new(),
            check: Check::default(),
            lean: false,
            refused: false,
            refused_for_ms: None,
            log_entries: 4096,
            log_body_bytes: 64 * 1024,
            behaviour: Behaviour::default(),
            models: BTreeMap::new(),
        }
    }
}

impl Script {
    /// The behaviour of `model`, changed by the request's own wishes.
    pub(crate) fn behaviour_of(&self, model: &str, wishes: &[&str]) -> Behaviour {
        let mut behaviour = self.models.get(model).unwrap_or(&self.behaviour).clone();
        for wish in wishes {
            behaviour.amend(wish, &self.name);
        }
        behaviour
    }
}

impl Fault {
    /// Whether it strikes request `number` (from 1) with this credential; `draw` is in `0..1`.
    pub(crate) fn strikes(&self, number: u64, credential: &str, draw: f64) -> bool {
        self.what != What::None
            && self.fail_first.is_none_or(|first| number <= first)
            && self
                .every
                .is_none_or(|every| every > 0 && number.is_multiple_of(every))
            && (self.only.is_empty() || self.only.contains(&number))
            && self
                .probability
                .is_none_or(|probability| draw < probability)
            && self
                .credential
                .as_ref()
                .is_none_or(|end| credential.ends_with(end.as_str()))
    }
}

impl Behaviour {
    /// Reads `key=value,…`. What is not understood is ignored: a prompt is not a configuration.
    fn amend(&mut self, wish: &str, name: &str) {
        let pairs = || wish.split(',').filter_map(|pair| pair.split_once('='));
        if pairs().any(|(key, value)| key.trim() == "at" && value.trim() != name) {
            return;
        }
        let mut fault = Fault::default();
        let mut has_fault = false;
        for (key, value) in pairs() {
            let (key, value) = (key.trim(), value.trim());
            if key == "fault" {
                has_fault = true;
                fault.what = word(value).unwrap_or_default();
            } else if !fault.amend(key, value) {
                self.amend_one(key, value);
            }
        }
        if has_fault {
            self.faults = vec![fault];
        }
    }

    fn amend_one(&mut self, key: &str, value: &str) {
        let number = value.parse::<u64>().ok();
        let small = value.parse::<u32>().ok();
        match key {
            "first_byte_delay_ms" => set(&mut self.first_byte_delay_ms, number),
            "first_token_delay_ms" => set(&mut self.first_token_delay_ms, number),
            "chunk_delay_ms" => set(&mut self.chunk_delay_ms, number),
            "tps" => self.tokens_per_second = small,
            "chunks" => self.chunks = small,
            "split" => self.split_bytes = number.and_then(|bytes| usize::try_from(bytes).ok()),
            "tokens" => set(&mut self.text, small.map(Text::Tokens)),
            "indexed" => set(&mut self.text, small.map(Text::Indexed)),
            "tag" => value.clone_into(&mut self.tag),
            "text" => set(&mut self.text, word(value)),
            "tools" => set(&mut self.tools, word(value)),
            "reasoning" => self.reasoning = Some(value.to_owned()),
            "refusal" => self.refusal = Some(value.to_owned()),
            "finish" => self.finish = word(value),
            "omit_usage" => self.omit_usage = value == "1" || value == "true",
            "prompt_tokens" => self.usage.prompt = number,
            "completion_tokens" => self.usage.completion = number,
            "reasoning_tokens" => self.usage.reasoning = number,
            "cached_tokens" => self.usage.cached = number,
            "cache_write_tokens" => self.usage.cache_write = number,
            _ => {}
        }
    }
}

impl Fault {
    /// Takes a fault's parameter; `false` if the key is none.
    fn amend(&mut self, key: &str, value: &str) -> bool {
        match key {
            "after" => set(&mut self.after, value.parse().ok()),
            "status" => self.status = value.parse().ok(),
            "retry_after_s" => self.retry_after_s = value.parse().ok(),
            "bytes" => self.bytes = value.parse().ok(),
            "delay_ms" => self.delay_ms = value.parse().ok(),
            "code" => self.code = Some(value.to_owned()),
            "every" => self.every = value.parse().ok(),
            "fail_first" => self.fail_first = value.parse().ok(),
            "probability" => self.probability = value.parse().ok(),
            "credential" => self.credential = Some(value.to_owned()),
            _ => return false,
        }
        true
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// Reads a variant by its name in the configuration.
fn word<T: for<'de> serde::Deserialize<'de>>(value: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(value.to_owned())).ok()
}

/// The `SIM:…;` groups of a text, without their marks.
pub(crate) fn wishes(text: &str) -> impl Iterator<Item = &str> {
    text.split("SIM:")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(';')?.0))
}

/// The text without its `SIM:…;` groups: what is echoed.
pub(crate) fn without_wishes(text: &str) -> String {
    let mut parts = text.split("SIM:");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        if let Some((_, after)) = part.split_once(';') {
            plain.push_str(after);
        } else {
            plain.push_str("SIM:");
            plain.push_str(part);
        }
    }
    plain
}

#[cfg(test)]
mod tests;
