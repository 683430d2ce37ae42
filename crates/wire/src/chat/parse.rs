//! Chat request bodies, checked and borrowed: the fields of `POST /chat/completions`.
//!
//! The body is validated once by `serde_json`, which cuts the top-level values; everything below
//! is read lazily from those cuts ([`value`]). Refusals name the JSON path of the first offending
//! field. `null` counts as absent, a repeated key as its last value, unknown fields are kept.

mod messages;
mod tools;
pub(crate) mod value;

pub(crate) use tools::is_server_tool;

#[cfg(test)]
mod tests;

use super::request::{Reasoning, Request, RequestError};
use crate::json::{MAX_DEPTH, check_depth};
use interline_domain::Parameter;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use value::{Path, Value};

/// Most top-level fields accepted; the vocabulary has about sixty.
const MAX_FIELDS: usize = 1_024;
/// Most messages, parts, tools, calls and reasoning details together: what is kept of each is up
/// to ten times larger than its shortest text, and memory has a bound (R-L5).
const MAX_ITEMS: usize = 131_072;

/// Levels of thinking, most first.
pub(crate) const EFFORTS: [&str; 7] = ["max", "xhigh", "high", "medium", "low", "minimal", "none"];

/// Reads and checks a chat request.
///
/// # Errors
///
/// `invalid_request` for what is not JSON, of a wrong type or out of range; `invalid_prompt` for
/// messages that say nothing or have a role we do not know.
pub fn parse(body: &[u8]) -> Result<Request<'_>, RequestError> {
    let fields = top_level(body)?;
    let mut draft = Draft::default();
    for (name, raw) in &fields {
        let path = Path::Key(&Path::Root, name);
        let value = Value::new(raw.get(), &path);
        if !value.is_null() {
            draft.field(name, value, raw)?;
        }
    }
    let mut request = draft.finish()?;
    request.fields = fields;
    Ok(request)
}

/// The fields of the body, the last of each name, in order.
fn top_level(body: &[u8]) -> Result<Vec<(Cow<'_, str>, &RawValue)>, RequestError> {
    let text = std::str::from_utf8(body).map_err(|error| {
        let good = body.get(..error.valid_up_to()).unwrap_or_default();
        let line_start = memchr::memrchr(b'\n', good).map_or(0, |at| at + 1);
        Path::Root.refuse(format!(
            "the body is not valid UTF-8 at line {} column {}",
            1 + memchr::memchr_iter(b'\n', good).count(),
            1 + good.len() - line_start,
        ))
    })?;
    // A text cannot be deeper than it has brackets, and most prompts have few.
    if memchr::memchr2_iter(b'[', b'{', body)
        .nth(MAX_DEPTH)
        .is_some()
    {
        check_depth(body, MAX_DEPTH).map_err(|_| {
            Path::Root.refuse(format!("the body is nested deeper than {MAX_DEPTH} levels"))
        })?;
    }
    let mut fields = serde_json::from_str::<Fields<'_>>(text)
        .map_err(|error| {
            Path::Root.refuse(if !error.is_data() {
                format!("the body is not valid JSON: {error}")
            } else if text.trim_start().starts_with('{') {
                format!("the body {error}")
            } else {
                "the body must be a JSON object".to_owned()
            })
        })?
        .0;
    keep_last(&mut fields);
    Ok(fields)
}

/// Drops all but the last field of each name.
///
/// Bodies of ordinary size are looked through without a table.
fn keep_last(fields: &mut Vec<(Cow<'_, str>, &RawValue)>) {
    let has_repeats = || {
        let mut rest = fields.as_slice();
        while let Some(((name, _), tail)) = rest.split_first() {
            if tail.iter().any(|(other, _)| other == name) {
                return true;
            }
            rest = tail;
        }
        false
    };
    if fields.len() <= 64 && !has_repeats() {
        return;
    }
    let last: HashMap<String, usize> = fields
        .iter()
        .enumerate()
        .map(|(at, (name, _))| (name.clone().into_owned(), at))
        .collect();
    let mut at = 0;
    fields.retain(|(name, _)| {
        at += 1;
        last.get(name.as_ref()) == Some(&(at - 1))
    });
}

struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some(name) = map.next_key_seed(Name)? {
                    if fields.len() == MAX_FIELDS {
                        return Err(A::Error::custom(format_args!(
                            "has more than {MAX_FIELDS} fields"
                        )));
                    }
                    fields.push((name, map.next_value()?));
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Collect).map(Self)
    }
}

/// A key, read as bytes because `serde_json` refuses lone surrogates in strings.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(String::from_utf8_lossy(bytes))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(String::from_utf8_lossy(bytes).into_owned()))
    }
}

/// How many items may still come. Shared by everything that keeps a list.
struct Budget(Cell<usize>);

impl Budget {
    fn take(&self, at: Value<'_, '_>) -> Result<(), RequestError> {
        match self.0.get().checked_sub(1) {
            Some(left) => {
                self.0.set(left);
                Ok(())
            }
            None => Err(self.exceeded(at)),
        }
    }

    fn left(&self) -> usize {
        self.0.get()
    }

    fn exceeded(&self, at: Value<'_, '_>) -> RequestError {
        self.0.set(0);
        at.refuse(format!("the request has more than {MAX_ITEMS} items"))
    }
}

/// A request while its fields come in.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent fields of the body"
)]
struct Draft<'a> {
    request: Request<'a>,
    budget: Budget,
    has_messages: bool,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    logprobs: bool,
    has_top_logprobs: bool,
    /// `reasoning`, with `enabled` still apart.
    reasoning: Option<Reasoning<'a>>,
    reasoning_enabled: Option<bool>,
    reasoning_effort: Option<Cow<'a, str>>,
    include_reasoning: Option<bool>,
    is_fast: bool,
}

impl Default for Draft<'_> {
    fn default() -> Self {
        Self {
            request: Request::default(),
            budget: Budget(Cell::new(MAX_ITEMS)),
            has_messages: false,
            max_tokens: None,
            max_completion_tokens: None,
            logprobs: false,
            has_top_logprobs: false,
            reasoning: None,
            reasoning_enabled: None,
            reasoning_effort: None,
            include_reasoning: None,
            is_fast: false,
        }
    }
}

impl<'a> Draft<'a> {
    fn uses(&mut self, parameter: Parameter) {
        self.request.parameters = self.request.parameters.with(parameter);
    }

    /// Takes one top-level field that is not null.
    fn field(
        &mut self,
        name: &str,
        value: Value<'a, '_>,
        raw: &'a RawValue,
    ) -> Result<(), RequestError> {
        let request = &mut self.request;
        match name {
            "model" => request.model = Some(non_empty(value)?),
            "models" => request.models = value.strings()?,
            "messages" => {
                self.has_messages = true;
                request.messages = messages::messages(value, &self.budget)?;
            }
            "prompt" => request.prompt = Some(value.string()?),
            "stream" => request.stream = value.boolean()?,
            "tools" => {
                request.tools = tools::tools(value, &self.budget)?;
                if !request.tools.is_empty() {
                    self.uses(Parameter::Tools);
                }
            }
            "tool_choice" => {
                request.tool_choice = Some(tools::tool_choice(value)?);
                self.uses(Parameter::ToolChoice);
            }
            "parallel_tool_calls" => {
                request.parallel_tool_calls = Some(value.boolean()?);
                self.uses(Parameter::ParallelToolCalls);
            }
            "response_format" => {
                let format = tools::response_format(value)?;
                request.parameters = request.parameters.union(tools::parameters_of(&format));
                request.response_format = Some(format);
            }
            "max_tokens" => {
                self.max_tokens = Some(value.integer(1)?);
                self.uses(Parameter::MaxTokens);
            }
            "max_completion_tokens" => {
                self.max_completion_tokens = Some(value.integer(1)?);
                self.uses(Parameter::MaxCompletionTokens);
            }
            "stop" => {
                request.stop = stop(value)?;
                if !request.stop.is_empty() {
                    self.uses(Parameter::Stop);
                }
            }
            "reasoning" => {
                let (reasoning, enabled) = reasoning(value)?;
                self.reasoning = Some(reasoning);
                self.reasoning_enabled = enabled;
                self.uses(Parameter::Reasoning);
            }
            "reasoning_effort" => {
                self.reasoning_effort = Some(value.word(&EFFORTS)?);
                self.uses(Parameter::ReasoningEffort);
            }
            "include_reasoning" => {
                self.include_reasoning = Some(value.boolean()?);
                self.uses(Parameter::IncludeReasoning);
            }
            "verbosity" => {
                let words = ["low", "medium", "high", "xhigh", "max"];
                request.verbosity = Some(value.word(&words)?);
                self.uses(Parameter::Verbosity);
            }
            "user" => request.user = Some(value.string_up_to(256)?),
            "session_id" => request.session_id = Some(value.string_up_to(256)?),
            "service_tier" => {
                let words = ["auto", "default", "fast", "flex", "priority", "scale"];
                request.service_tier = Some(value.word(&words)?);
            }
            "speed" => self.is_fast = value.word(&["fast", "standard"])? == "fast",
            "cache_control" => {
                cache_control(value)?;
                request.cache_control = Some(raw);
            }
            "modalities" => {
                request.modalities = value.strings()?;
                value.items(|item| item.word(&["text", "image", "audio"]).map(drop))?;
            }
            "provider" => {
                value.expect_object()?;
                request.provider = Some(raw);
            }
            _ => return self.scalar(name, value),
        }
        Ok(())
    }

    /// Fields that are checked here and read from `fields` where they are needed.
    fn scalar(&mut self, name: &str, value: Value<'a, '_>) -> Result<(), RequestError> {
        match name {
            "temperature" => between(value, 0.0, 2.0)?,
            "min_p" | "top_a" => between(value, 0.0, 1.0)?,
            "frequency_penalty" | "presence_penalty" => between(value, -2.0, 2.0)?,
            "top_p" => above_zero_up_to(value, 1.0)?,
            "repetition_penalty" => above_zero_up_to(value, 2.0)?,
            "top_k" => drop(value.integer(0)?),
            "seed" => whole_number(value)?,
            "n" => {
                if value.integer(1)? != 1 {
                    return Err(value.refuse("only one choice can be asked for"));
                }
            }
            "logprobs" => self.logprobs = value.boolean()?,
            "top_logprobs" => {
                value.integer_between(0, 20)?;
                self.has_top_logprobs = true;
            }
            "logit_bias" => value.entries(|_, bias| between(bias, -100.0, 100.0))?,
            "structured_outputs" => {
                if value.boolean()? {
                    self.uses(Parameter::StructuredOutputs);
                }
                return Ok(());
            }
            "prediction" => prediction(value)?,
            "max_tool_calls" => drop(value.integer_between(0, 30)?),
            "stop_server_tools_when" => {
                if value.expect_array()?.is_empty_array() {
                    return Err(value.refuse("must have at least one entry"));
                }
            }
            "route" => drop(value.word(&["fallback", "sort"])?),
            "preset" | "prompt_cache_key" => drop(value.string()?),
            "plugins" => value.items(|plugin| plugin.expect_object().map(drop))?,
            "transforms" => drop(value.strings()?),
            "stream_options"
            | "usage"
            | "web_search_options"
            | "image_config"
            | "audio"
            | "prompt_cache_options"
            | "trace" => drop(value.expect_object()?),
            "debug" => value.entries(|key, flag| match key {
                "echo_upstream_body" => flag.boolean().map(drop),
                _ => Ok(()),
            })?,
            "metadata" => metadata(value)?,
            _ => return Ok(()),
        }
        if let Some(parameter) = Parameter::parse(name) {
            self.uses(parameter);
        }
        Ok(())
    }

    /// What only the fields together can say.
    fn finish(self) -> Result<Request<'a>, RequestError> {
        let mut request = self.request;
        let at = |name| Path::Key(&Path::Root, name);
        if !self.has_messages && request.prompt.is_none() {
            return Err(at("messages").refuse("is required"));
        }
        if self.has_messages && request.messages.is_empty() {
            return Err(at("messages").refuse_prompt("must have at least one message"));
        }
        if !self.has_messages && request.prompt.as_deref() == Some("") {
            return Err(at("prompt").refuse_prompt("must not be empty"));
        }
        if self.has_top_logprobs && !self.logprobs {
            return Err(at("top_logprobs").refuse("needs `logprobs: true`"));
        }
        if !request.stream && request.modalities.iter().any(|word| word == "audio") {
            return Err(at("modalities").refuse("audio output needs `stream: true`"));
        }
        request.max_tokens = self.max_completion_tokens.or(self.max_tokens);
        if self.is_fast && request.service_tier.is_none() {
            request.service_tier = Some(Cow::Borrowed("fast"));
        }
        request.reasoning = merge_reasoning(
            self.reasoning,
            self.reasoning_enabled,
            self.reasoning_effort,
            self.include_reasoning,
        )?;
        Ok(request)
    }
}

/// Brings the shorthands together: one effort, `none` when switched off.
fn merge_reasoning<'a>(
    object: Option<Reasoning<'a>>,
    enabled: Option<bool>,
    effort: Option<Cow<'a, str>>,
    include: Option<bool>,
) -> Result<Option<Reasoning<'a>>, RequestError> {
    if object.is_none() && effort.is_none() && include.is_none() {
        return Ok(None);
    }
    let mut reasoning = object.unwrap_or_default();
    if let Some(effort) = effort {
        if reasoning
            .effort
            .as_ref()
            .is_some_and(|other| *other != effort)
        {
            return Err(Path::Key(&Path::Root, "reasoning_effort")
                .refuse("differs from `reasoning.effort`; send one of them"));
        }
        reasoning.effort = Some(effort);
    }
    match enabled {
        Some(false) => reasoning.effort = Some(Cow::Borrowed("none")),
        Some(true) if reasoning.effort.is_none() && reasoning.max_tokens.is_none() => {
            reasoning.effort = Some(Cow::Borrowed("medium"));
        }
        _ => {}
    }
    reasoning.exclude |= include == Some(false);
    Ok(Some(reasoning))
}

fn reasoning<'a>(value: Value<'a, '_>) -> Result<(Reasoning<'a>, Option<bool>), RequestError> {
    let mut reasoning = Reasoning::default();
    let mut enabled = None;
    value.entries(|key, value| {
        match key {
            "effort" => reasoning.effort = Some(value.word(&EFFORTS)?),
            "max_tokens" => reasoning.max_tokens = Some(value.integer(1)?),
            "exclude" => reasoning.exclude = value.boolean()?,
            "enabled" => enabled = Some(value.boolean()?),
            "summary" => {
                reasoning.summary = Some(value.word(&["auto", "concise", "detailed"])?);
            }
            "context" => drop(value.word(&["auto", "all_turns", "current_turn"])?),
            "mode" => drop(value.word(&["standard", "pro"])?),
            _ => {}
        }
        Ok(())
    })?;
    Ok((reasoning, enabled))
}

/// Sequences that end the answer; empty ones mean nothing anywhere and are left out.
fn stop<'a>(value: Value<'a, '_>) -> Result<Vec<Cow<'a, str>>, RequestError> {
    let mut stops = if value.is_string() {
        vec![value.string()?]
    } else if value.is_array() {
        value.strings()?
    } else {
        return Err(value.refuse("expected a string or an array of strings"));
    };
    if stops.len() > 4 {
        return Err(value.refuse("must have at most 4 entries"));
    }
    stops.retain(|stop| !stop.is_empty());
    Ok(stops)
}

/// Checks a `cache_control` marker.
fn cache_control(value: Value<'_, '_>) -> Result<(), RequestError> {
    let mut has_type = false;
    value.entries(|key, value| match key {
        "type" => {
            has_type = true;
            value.word(&["ephemeral"]).map(drop)
        }
        "ttl" => value.word(&["5m", "1h"]).map(drop),
        _ => Ok(()),
    })?;
    if has_type {
        return Ok(());
    }
    Err(Path::Key(value.path, "type").refuse("is required"))
}

fn prediction(value: Value<'_, '_>) -> Result<(), RequestError> {
    value.entries(|key, value| match key {
        "type" => value.word(&["content"]).map(drop),
        "content" if !value.is_string() && !value.is_array() => {
            Err(value.refuse("expected a string or an array of text parts"))
        }
        _ => Ok(()),
    })
}

/// At most 16 short pairs of strings, as the public API documents.
fn metadata(value: Value<'_, '_>) -> Result<(), RequestError> {
    let mut count = 0;
    value.entries(|key, text| {
        count += 1;
        if count > 16 {
            return Err(value.refuse("must have at most 16 pairs"));
        }
        if key.chars().count() > 64 || key.contains(['[', ']']) {
            return Err(value.refuse("keys have at most 64 characters and no brackets"));
        }
        text.string_up_to(512).map(drop)
    })
}

fn non_empty<'a>(value: Value<'a, '_>) -> Result<Cow<'a, str>, RequestError> {
    let text = value.string()?;
    if text.is_empty() {
        return Err(value.refuse("must not be empty"));
    }
    Ok(text)
}

fn between(value: Value<'_, '_>, min: f64, max: f64) -> Result<(), RequestError> {
    let expected = format_args!("a number from {min} to {max}").to_string();
    value
        .number(&expected, |number| (min..=max).contains(&number))
        .map(drop)
}

fn above_zero_up_to(value: Value<'_, '_>, max: f64) -> Result<(), RequestError> {
    let expected = format_args!("a number above 0 and at most {max}").to_string();
    value
        .number(&expected, |number| number > 0.0 && number <= max)
        .map(drop)
}

fn whole_number(value: Value<'_, '_>) -> Result<(), RequestError> {
    if value.text().parse::<i64>().is_ok() || value.text().parse::<u64>().is_ok() {
        return Ok(());
    }
    Err(value.refuse("expected an integer"))
}
