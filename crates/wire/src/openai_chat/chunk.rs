//! One chunk, or one whole answer, seen as spans of the text it came in.
//!
//! What this dialect defines has a field; everything else is kept as whole members
//! (`"name":value`), so that a field invented yesterday can be written out again byte for byte.

use crate::json::{Cursor, Key, Malformed, string};
use std::borrow::Cow;

/// A list that stays off the heap while it is short.
#[derive(Clone, Debug)]
pub(super) struct Few<T, const N: usize> {
    inline: [Option<T>; N],
    more: Vec<T>,
}

impl<T, const N: usize> Default for Few<T, N> {
    fn default() -> Self {
        Self {
            inline: [const { None }; N],
            more: Vec::new(),
        }
    }
}

impl<T, const N: usize> Few<T, N> {
    pub(super) fn push(&mut self, item: T) {
        match self.inline.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => *slot = Some(item),
            None => self.more.push(item),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.inline.iter().flatten().chain(&self.more)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inline.first().is_none_or(Option::is_none)
    }
}

/// Whole members, in their order.
pub(super) type Members<'a> = Few<&'a str, 4>;

/// The outermost object. Values are raw JSON; `null`, and where said the empty string, is absent.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunk<'a> {
    /// Empty is absent (T55).
    pub id: Option<Cow<'a, str>>,
    pub model: Option<Cow<'a, str>>,
    pub service_tier: Option<&'a str>,
    pub usage: Option<&'a str>,
    /// Groq's second copy of the usage: `x_groq.usage`.
    pub groq_usage: Option<&'a str>,
    pub citations: Option<&'a str>,
    pub search_results: Option<&'a str>,
    /// The provider reports a failure: the whole object is its error body.
    pub is_failure: bool,
    /// `choices` is there and is an array.
    pub has_choices: bool,
    pub choices: Few<Choice<'a>, 1>,
    /// Members that no field above holds; `citations` and `search_results` are here too.
    pub extras: Members<'a>,
    /// At least one of `extras` is worth a chunk of its own.
    pub has_news: bool,
}

/// One choice of a chunk.
#[derive(Clone, Debug, Default)]
pub(super) struct Choice<'a> {
    pub index: u64,
    /// `delta`, else `message`.
    pub delta: Option<Delta<'a>>,
    /// Empty is absent (T52).
    pub finish_reason: Option<Cow<'a, str>>,
    /// A router's own word for it, more exact than `finish_reason`.
    pub native_finish_reason: Option<Cow<'a, str>>,
    pub logprobs: Option<&'a str>,
    pub extras: Members<'a>,
    /// `logprobs` or one of `extras` is not null.
    pub has_news: bool,
}

/// What a message gained, or a whole message.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts of one delta"
)]
pub(super) struct Delta<'a> {
    /// The whole object as it was written.
    pub raw: &'a str,
    /// Nothing but role, content (string or null) and unknown fields: can be passed on as it is.
    pub is_plain: bool,
    /// A usable `role` is there.
    pub has_role: bool,
    pub content: Option<&'a str>,
    pub has_content: bool,
    pub reasoning: Option<&'a str>,
    pub reasoning_details: Option<&'a str>,
    pub refusal: Option<&'a str>,
    pub tool_calls: Option<&'a str>,
    pub images: Option<&'a str>,
    pub audio: Option<&'a str>,
    pub annotations: Option<&'a str>,
    /// Members that no field above holds.
    pub extras: Members<'a>,
    /// One of `extras` is not null.
    pub has_news: bool,
}

/// Reads one JSON object. `Err` if the text is not one.
pub(super) fn parse(text: &str) -> Result<Chunk<'_>, Malformed> {
    let mut chunk = Chunk::default();
    let mut signs = Signs::default();
    let mut cursor = Cursor::new(text);
    let is_object = cursor.object(|cursor, key| {
        if key.name == "choices" {
            chunk.has_choices = cursor.array(|cursor| {
                if let Some(choice) = choice(cursor, text)? {
                    chunk.choices.push(choice);
                }
                Ok(())
            })?;
            return Ok(());
        }
        let value = cursor.value()?;
        chunk.member(text, &key, value, cursor.position(), &mut signs)
    })?;
    cursor.end()?;
    if !is_object {
        return Err(Malformed);
    }
    chunk.is_failure = signs.has_error
        || (!chunk.has_choices && chunk.usage.is_none() && (signs.has_message || signs.is_error));
    Ok(chunk)
}

/// Signs of an error body.
#[derive(Default)]
struct Signs {
    /// `error` with content, or MiniMax's `base_resp` with a code.
    has_error: bool,
    /// `message`, `detail`, `errors`: what error bodies without a wrapper hold.
    has_message: bool,
    /// `object` or `type` is `error`.
    is_error: bool,
}

impl<'a> Chunk<'a> {
    fn member(
        &mut self,
        text: &'a str,
        key: &Key<'a>,
        value: &'a str,
        end: usize,
        signs: &mut Signs,
    ) -> Result<(), Malformed> {
        match key.name.as_ref() {
            "id" => self.id = said(value),
            "model" => self.model = said(value),
            "object" | "type" if value == "\"error\"" => signs.is_error = true,
            // Written by us, or noise (`obfuscation` is padding).
            "object" | "created" | "provider" | "obfuscation" | "openrouter_metadata" => {}
            // In a chunk it is a string or absent; a whole answer gets its null back.
            "system_fingerprint" if value == "null" => {}
            "service_tier" => self.service_tier = given(value),
            "usage" => self.usage = given(value).or(self.usage),
            "x_groq" => {
                self.groq_usage = member_of(value, "usage")?;
            }
            "error" => signs.has_error |= is_error_value(value),
            "base_resp" => {
                let code = member_of(value, "status_code")?;
                signs.has_error |= code.is_some_and(|code| code != "0");
            }
            name => {
                match name {
                    "message" | "detail" | "errors" => signs.has_message |= has_content(value),
                    "citations" => self.citations = given(value),
                    "search_results" => self.search_results = given(value),
                    _ => {}
                }
                self.has_news |= has_content(value) && !RECORD_ONLY.contains(&name);
                self.extras.push(text.get(key.start..end).ok_or(Malformed)?);
            }
        }
        Ok(())
    }
}

/// Top-level fields that clients have no use for on their own: without a choice they are dropped.
const RECORD_ONLY: &[&str] = &[
    "system_fingerprint",
    "prompt_filter_results",
    "timings",
    "metrics",
    "citations",
    "search_results",
];

fn choice<'a>(cursor: &mut Cursor<'a>, text: &'a str) -> Result<Option<Choice<'a>>, Malformed> {
    let mut choice = Choice::default();
    let mut message = None;
    let is_object = cursor.object(|cursor, key| {
        match key.name.as_ref() {
            "delta" => choice.delta = delta(cursor, text)?,
            "message" => message = delta(cursor, text)?,
            _ => {
                let value = cursor.value()?;
                choice.member(text, &key, value, cursor.position())?;
            }
        }
        Ok(())
    })?;
    // Perplexity repeats the whole text in `message` beside each `delta`.
    choice.delta = choice.delta.or(message);
    Ok(is_object.then_some(choice))
}

impl<'a> Choice<'a> {
    fn member(
        &mut self,
        text: &'a str,
        key: &Key<'a>,
        value: &'a str,
        end: usize,
    ) -> Result<(), Malformed> {
        match key.name.as_ref() {
            "index" => self.index = value.parse().unwrap_or(0),
            "finish_reason" => self.finish_reason = said(value),
            "native_finish_reason" => self.native_finish_reason = said(value),
            "logprobs" => {
                self.logprobs = given(value);
                self.has_news |= self.logprobs.is_some();
            }
            _ => {
                self.has_news |= value != "null";
                self.extras.push(text.get(key.start..end).ok_or(Malformed)?);
            }
        }
        Ok(())
    }
}

fn delta<'a>(cursor: &mut Cursor<'a>, text: &'a str) -> Result<Option<Delta<'a>>, Malformed> {
    let mut delta = Delta {
        is_plain: true,
        ..Delta::default()
    };
    cursor.peek();
    let start = cursor.position();
    let is_object = cursor.object(|cursor, key| {
        let value = cursor.value()?;
        delta.member(text, &key, value, cursor.position())
    })?;
    delta.raw = text.get(start..cursor.position()).ok_or(Malformed)?;
    Ok(is_object.then_some(delta))
}

impl<'a> Delta<'a> {
    fn member(
        &mut self,
        text: &'a str,
        key: &Key<'a>,
        value: &'a str,
        end: usize,
    ) -> Result<(), Malformed> {
        let special = match key.name.as_ref() {
            "role" => {
                self.has_role = value.len() > 2 && value.starts_with('"');
                self.is_plain &= self.has_role;
                return Ok(());
            }
            "content" => {
                self.has_content = true;
                self.content = given(value);
                self.is_plain &= value.starts_with('"') || value == "null";
                return Ok(());
            }
            // Both names may come with the same text (vLLM, in transition).
            "reasoning" | "reasoning_content" => {
                self.is_plain = false;
                self.reasoning = said_raw(value).or(self.reasoning);
                return Ok(());
            }
            "reasoning_details" => &mut self.reasoning_details,
            "refusal" => &mut self.refusal,
            "tool_calls" => &mut self.tool_calls,
            "images" => &mut self.images,
            "audio" => &mut self.audio,
            "annotations" => &mut self.annotations,
            "obfuscation" => {
                self.is_plain = false;
                return Ok(());
            }
            _ => {
                self.has_news |= value != "null";
                self.extras.push(text.get(key.start..end).ok_or(Malformed)?);
                return Ok(());
            }
        };
        *special = given(value);
        self.is_plain &= special.is_none();
        Ok(())
    }

    /// Nothing in it that a client would miss.
    pub(super) fn is_empty(&self) -> bool {
        let has = |value: Option<&str>| value.is_some_and(has_content);
        !self.has_news
            && ![
                self.content,
                self.reasoning,
                self.reasoning_details,
                self.refusal,
                self.tool_calls,
                self.images,
                self.audio,
                self.annotations,
            ]
            .into_iter()
            .any(has)
    }
}

/// The value, unless it is null.
fn given(value: &str) -> Option<&str> {
    (value != "null").then_some(value)
}

/// A string that is not empty.
fn said(value: &str) -> Option<Cow<'_, str>> {
    said_raw(value).and_then(string)
}

/// As [`said`], still in its quotes.
fn said_raw(value: &str) -> Option<&str> {
    (value.len() > 2 && value.starts_with('"')).then_some(value)
}

/// Neither null nor an empty string, list or object.
pub(super) fn has_content(value: &str) -> bool {
    match value.as_bytes() {
        b"null" | b"\"\"" => false,
        [b'[' | b'{', inner @ .., _] => !inner.trim_ascii().is_empty(),
        _ => true,
    }
}

fn is_error_value(value: &str) -> bool {
    has_content(value) && value != "false" && value != "0"
}

/// The last member of that name of an object; null counts as absent.
pub(super) fn member_of<'a>(object: &'a str, name: &str) -> Result<Option<&'a str>, Malformed> {
    let mut found = None;
    Cursor::new(object).object(|cursor, key| {
        let value = cursor.value()?;
        if key.name == name {
            found = given(value);
        }
        Ok(())
    })?;
    Ok(found)
}
