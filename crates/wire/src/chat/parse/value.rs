//! Reads checked JSON text lazily, and knows where it is.
//!
//! The text was validated once, as a whole; here values are only cut out of it, so a string that
//! is merely carried costs one `memchr` (`json::Cursor` checks what it passes, and is several
//! times slower on long prompts). A path is a list on the stack and becomes text only in an
//! error. Nothing recurses, and text that was not validated leads to odd values, never to a panic.

use crate::chat::request::RequestError;
use crate::json::unescape;
use interline_domain::ErrorType;
use memchr::memchr2;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Where a value stands in the body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl Path<'_> {
    /// `messages[2].content[0].image_url.url`.
    pub(crate) fn render(&self) -> String {
        // Walked from the leaf to the root, so the steps are collected first.
        let mut steps = Vec::new();
        let mut at = self;
        while let Path::Key(parent, _) | Path::Index(parent, _) = at {
            steps.push(at);
            at = parent;
        }
        let mut text = String::new();
        for step in steps.into_iter().rev() {
            match step {
                Path::Key(_, key) => {
                    if !text.is_empty() {
                        text.push('.');
                    }
                    // Keys of our own vocabulary are short; a hostile one is cut.
                    text.extend(key.chars().take(64));
                }
                Path::Index(_, index) => {
                    text.push('[');
                    text.push_str(itoa::Buffer::new().format(*index));
                    text.push(']');
                }
                Path::Root => {}
            }
        }
        text
    }

    pub(crate) fn refuse(&self, message: impl Into<String>) -> RequestError {
        RequestError {
            error_type: ErrorType::InvalidRequest,
            path: self.render(),
            message: message.into(),
        }
    }

    pub(crate) fn refuse_prompt(&self, message: impl Into<String>) -> RequestError {
        RequestError {
            error_type: ErrorType::InvalidPrompt,
            ..self.refuse(message)
        }
    }
}

/// One JSON value: its text without surrounding space, and its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'a, 'p> {
    text: &'a str,
    pub(crate) path: &'p Path<'p>,
}

impl<'a, 'p> Value<'a, 'p> {
    /// `text` must be valid JSON already.
    pub(crate) fn new(text: &'a str, path: &'p Path<'p>) -> Self {
        Self {
            text: text.trim_matches(is_space),
            path,
        }
    }

    pub(crate) fn text(self) -> &'a str {
        self.text
    }

    pub(crate) fn is_null(self) -> bool {
        self.text == "null"
    }

    pub(crate) fn is_string(self) -> bool {
        self.text.starts_with('"')
    }

    pub(crate) fn is_object(self) -> bool {
        self.text.starts_with('{')
    }

    pub(crate) fn is_array(self) -> bool {
        self.text.starts_with('[')
    }

    pub(crate) fn refuse(self, message: impl Into<String>) -> RequestError {
        self.path.refuse(message)
    }

    /// The value as it was written.
    pub(crate) fn raw(self) -> Result<&'a RawValue, RequestError> {
        serde_json::from_str(self.text).map_err(|error| self.refuse(error.to_string()))
    }

    /// Borrowed unless it holds escapes. Lone surrogates become U+FFFD.
    pub(crate) fn string(self) -> Result<Cow<'a, str>, RequestError> {
        self.string_or("expected a string")
    }

    pub(crate) fn string_or(self, expected: &str) -> Result<Cow<'a, str>, RequestError> {
        self.text
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .map(unescape)
            .ok_or_else(|| self.refuse(expected))
    }

    /// A string of at most `max` characters.
    pub(crate) fn string_up_to(self, max: usize) -> Result<Cow<'a, str>, RequestError> {
        let text = self.string()?;
        if text.len() > max && text.chars().count() > max {
            return Err(self.refuse(format!("must have at most {max} characters")));
        }
        Ok(text)
    }

    /// One of a few words.
    pub(crate) fn word(self, words: &[&str]) -> Result<Cow<'a, str>, RequestError> {
        if let Ok(word) = self.string()
            && words.contains(&word.as_ref())
        {
            return Ok(word);
        }
        Err(self.refuse(format!("expected one of {}", Words(words))))
    }

    pub(crate) fn boolean(self) -> Result<bool, RequestError> {
        match self.text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.refuse("expected a boolean")),
        }
    }

    /// A whole number of at least `min`.
    pub(crate) fn integer(self, min: u64) -> Result<u64, RequestError> {
        match self.text.parse::<u64>() {
            Ok(number) if number >= min => Ok(number),
            _ => Err(self.refuse(format!("expected an integer of at least {min}"))),
        }
    }

    pub(crate) fn integer_between(self, min: u64, max: u64) -> Result<u64, RequestError> {
        match self.text.parse::<u64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(number),
            _ => Err(self.refuse(format!("expected an integer from {min} to {max}"))),
        }
    }

    /// A number for which `holds`; `expected` says which those are.
    pub(crate) fn number(
        self,
        expected: &str,
        holds: impl FnOnce(f64) -> bool,
    ) -> Result<f64, RequestError> {
        let is_number = self
            .text
            .starts_with(|c: char| c == '-' || c.is_ascii_digit());
        match self.text.parse::<f64>() {
            Ok(number) if is_number && number.is_finite() && holds(number) => Ok(number),
            _ => Err(self.refuse(format!("expected {expected}"))),
        }
    }

    pub(crate) fn expect_object(self) -> Result<Self, RequestError> {
        if self.is_object() {
            Ok(self)
        } else {
            Err(self.refuse("expected an object"))
        }
    }

    pub(crate) fn expect_array(self) -> Result<Self, RequestError> {
        if self.is_array() {
            Ok(self)
        } else {
            Err(self.refuse("expected an array"))
        }
    }

    /// Calls `visit` for each entry whose value is not null, in order. An object that repeats a
    /// key visits it again: let the last one win.
    pub(crate) fn entries(
        self,
        mut visit: impl FnMut(&str, Value<'a, '_>) -> Result<(), RequestError>,
    ) -> Result<(), RequestError> {
        self.all_entries(|key, value| {
            if value.is_null() {
                return Ok(());
            }
            visit(key, value)
        })
    }

    /// Calls `visit` for each entry, also those that are null.
    pub(crate) fn all_entries(
        self,
        mut visit: impl FnMut(&str, Value<'a, '_>) -> Result<(), RequestError>,
    ) -> Result<(), RequestError> {
        let mut cursor = Cursor::inside(self.expect_object()?.text);
        while let Some(key) = cursor.key() {
            let Some(text) = cursor.value() else { break };
            let path = Path::Key(self.path, &key);
            visit(&key, Value { text, path: &path })?;
        }
        Ok(())
    }

    /// Calls `visit` for each element, in order.
    pub(crate) fn items(
        self,
        mut visit: impl FnMut(Value<'a, '_>) -> Result<(), RequestError>,
    ) -> Result<(), RequestError> {
        let mut cursor = Cursor::inside(self.expect_array()?.text);
        let mut index = 0;
        while let Some(text) = cursor.value() {
            let path = Path::Index(self.path, index);
            visit(Value { text, path: &path })?;
            index += 1;
        }
        Ok(())
    }

    /// The elements as they were written, in one pass; `None` if there are more than `max`.
    pub(crate) fn raw_items(self, max: usize) -> Result<Option<Vec<&'a RawValue>>, RequestError> {
        let text = self.expect_array()?.text;
        let mut reader = serde_json::Deserializer::from_str(text);
        match reader.deserialize_seq(RawItems(max)) {
            Ok(items) => Ok(Some(items)),
            // The text is known to be well formed.
            Err(error) if error.is_data() => Ok(None),
            Err(error) => Err(self.refuse(error.to_string())),
        }
    }

    pub(crate) fn is_empty_array(self) -> bool {
        self.is_array() && Cursor::inside(self.text).value().is_none()
    }

    pub(crate) fn strings(self) -> Result<Vec<Cow<'a, str>>, RequestError> {
        if !self.is_array() {
            return Err(self.refuse("expected an array of strings"));
        }
        let mut strings = Vec::new();
        self.items(|item| {
            if strings.len() == MAX_STRINGS {
                return Err(self.refuse(format!("must have at most {MAX_STRINGS} entries")));
            }
            strings.push(item.string()?);
            Ok(())
        })?;
        Ok(strings)
    }
}

/// Collects at most so many elements.
struct RawItems(usize);

impl<'de> Visitor<'de> for RawItems {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "an array of at most {} elements", self.0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = array.next_element()? {
            if items.len() == self.0 {
                return Err(A::Error::invalid_length(items.len() + 1, &self));
            }
            items.push(item);
        }
        Ok(items)
    }
}

/// No list of names in a request needs more entries.
const MAX_STRINGS: usize = 1_024;

/// Renders words as `` `a`, `b`, `c` ``.
struct Words<'w>(&'w [&'w str]);

impl core::fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (index, word) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}`{word}`")?;
        }
        Ok(())
    }
}

/// Walks over the entries of one object or array.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Behind the opening bracket of `text`.
    fn inside(text: &'a str) -> Self {
        Self { text, at: 1 }
    }

    /// Skips space, commas and colons.
    fn gap(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            let byte = *bytes.get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',' | b':') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    fn key(&mut self) -> Option<Cow<'a, str>> {
        if self.gap()? != b'"' {
            return None;
        }
        let start = self.at + 1;
        let end = skip_string(self.text.as_bytes(), start);
        self.at = end;
        self.text.get(start..end.checked_sub(1)?).map(unescape)
    }

    fn value(&mut self) -> Option<&'a str> {
        if matches!(self.gap()?, b']' | b'}') {
            return None;
        }
        let start = self.at;
        self.at = skip_value(self.text.as_bytes(), start);
        self.text
            .get(start..self.at)
            .filter(|text| !text.is_empty())
    }
}

/// The end of the value that begins at `at`.
fn skip_value(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at = skip_string(bytes, at),
            b'{' | b'[' => {
                depth += 1;
                continue;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ if depth > 0 => continue,
            _ => at = skip_scalar(bytes, at),
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The end of a number or literal.
fn skip_scalar(bytes: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = bytes.get(at) {
        if matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t') {
            break;
        }
        at += 1;
    }
    at
}

/// Behind the closing quote; `at` is behind the opening one.
fn skip_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found + 1;
        if bytes.get(at - 1) == Some(&b'"') {
            return at;
        }
        at += 1; // the escaped byte
    }
    bytes.len()
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\n' | '\r' | '\t')
}
