//! Mistakes in files people write: where, what, and what was probably meant.
//!
//! [`decode`] reads any TOML file into any serde type and reports every mistake at once: serde
//! stops at the first, so the offending part is cut out and the rest is read again.

use core::fmt;
use interline_domain::catalogue::distance;
use serde::de::DeserializeOwned;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

/// More mistakes than this in one file are not listed: nobody reads on.
const MAX_PROBLEMS: usize = 50;

/// One mistake. Its `Display` is several lines: place and message, the line itself with a caret,
/// and help where there is some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub message: String,
    /// What to do about it, e.g. "did you mean `prompt`?".
    pub help: Option<String>,
    pub place: Option<Place>,
}

/// Something odd that does not stop the catalogue from loading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub Problem);

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The whole line, as written.
    pub text: String,
    /// How many characters of the line are meant, at least 1.
    pub width: usize,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            place: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn at(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{}:{}:{}: ", place.file, place.line, place.column)?;
        }
        f.write_str(&self.message)?;
        if let Some(place) = &self.place {
            let number = place.line.to_string();
            let indent = " ".repeat(number.len());
            let offset = " ".repeat(place.column.saturating_sub(1));
            let carets = "^".repeat(place.width);
            write!(f, "\n  {number} | {}", place.text)?;
            write!(f, "\n  {indent} | {offset}{carets}")?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n  {help}")?;
        }
        Ok(())
    }
}

impl core::error::Error for Problem {}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Place {
    /// The place of a byte range. A range over several lines is marked to the end of its first.
    pub(crate) fn of(file: &str, text: &str, span: &Range<usize>) -> Self {
        let start = floor_boundary(text, span.start);
        let end = floor_boundary(text, span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        Self {
            file: file.to_owned(),
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            text: masked(text[line_start..line_end].trim_end_matches('\r')),
            width: text[start..end.min(line_end)].chars().count().max(1),
        }
    }
}

/// The line with its strings blotted out if it may hold a secret: problems end up in logs.
fn masked(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let is_suspect = ["key", "secret", "passw", "\"sk-", "'sk-"]
        .iter()
        .any(|mark| lower.contains(mark));
    if !is_suspect {
        return line.to_owned();
    }
    let mut quote = None;
    line.chars()
        .map(|letter| match quote {
            None if letter == '"' || letter == '\'' => {
                quote = Some(letter);
                letter
            }
            Some(open) if open == letter => {
                quote = None;
                letter
            }
            Some(_) => '*',
            None => letter,
        })
        .collect()
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The nearest known word, near enough to be what was meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (distance(word.as_bytes(), candidate.as_bytes()), candidate))
        .min()
        .filter(|(d, _)| *d <= word.len() / 3 + 1)
        .map(|(_, candidate)| candidate)
}

/// Reads `text` as TOML of type `T`; `file` is the name shown in problems.
///
/// All mistakes are reported: syntax first, and if there is none, every field that is unknown,
/// missing or of the wrong kind.
pub fn decode<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, Vec<Problem>> {
    match toml::from_str::<T>(text) {
        Ok(value) => Ok(value),
        Err(error) => Err(explain::<T>(file, text, &error)),
    }
}

fn explain<T: DeserializeOwned>(file: &str, text: &str, first: &toml::de::Error) -> Vec<Problem> {
    let (mut document, syntax) = DeTable::parse_recoverable(text);
    if !syntax.is_empty() {
        return syntax
            .iter()
            .take(MAX_PROBLEMS)
            .map(|error| describe(file, text, error))
            .collect();
    }
    let mut problems = Vec::new();
    let mut cut_keys: Vec<String> = Vec::new();
    while problems.len() < MAX_PROBLEMS {
        let Err(error) = T::deserialize(Deserializer::from(document.clone())) else {
            break;
        };
        // A required field that was cut out because its value was wrong is no second mistake.
        let is_echo = quoted(error.message())
            .next()
            .is_some_and(|field| cut_keys.iter().any(|key| key == field))
            && error.message().starts_with("missing field");
        if !is_echo {
            problems.push(describe(file, text, &error));
        }
        let Some(span) = error.span() else { break };
        let Some(key) = cut_table(document.get_mut(), &span) else {
            break;
        };
        cut_keys.push(key);
    }
    if problems.is_empty() {
        problems.push(describe(file, text, first));
    }
    problems.sort_by_key(|problem| {
        let place = problem.place.as_ref();
        place.map(|place| (place.line, place.column))
    });
    problems
}

fn describe(file: &str, text: &str, error: &toml::de::Error) -> Problem {
    let message = error
        .message()
        .trim_end()
        .replace("expected u64", "expected a whole number")
        .replace("expected u32", "expected a whole number")
        .replace("expected i64", "expected a whole number");
    let mut problem = if let Some(rest) = message.strip_prefix("unknown field ") {
        let mut words = quoted(rest);
        let field = words.next().unwrap_or_default().to_owned();
        let known: Vec<&str> = words.collect();
        let problem = Problem::new(format!("unknown field `{field}`"));
        match nearest(&field, known.iter().copied()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None if known.is_empty() => problem,
            None => problem.help(format!("known here: {}", known.join(", "))),
        }
    } else if let Some((what, help)) = message.split_once('\n') {
        Problem::new(what).help(help)
    } else {
        Problem::new(message.as_str())
    };
    if let Some(span) = error.span() {
        problem.place = Some(Place::of(file, text, &span));
    }
    problem
}

/// The words between back-quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Removes the smallest part that holds `span`; says under which key it stood.
fn cut_table(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<String> {
    let named = table.keys().find(|key| holds(&key.span(), span)).cloned();
    if let Some(key) = named {
        // Dotted and repeated headers share one key: the mistake may be further in.
        let inner = table.get_mut(&key).and_then(|value| cut_value(value, span));
        if inner.is_some() {
            return inner;
        }
        table.remove(&key);
        return Some(key.into_inner().into_owned());
    }
    for (_, value) in table.iter_mut() {
        if let Some(key) = cut_value(value, span) {
            return Some(key);
        }
    }
    let around = table
        .iter()
        .find(|(_, value)| holds(&value.span(), span))
        .map(|(key, _)| key.clone())?;
    table.remove(&around);
    Some(around.into_inner().into_owned())
}

fn cut_value(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<String> {
    match value.get_mut() {
        DeValue::Table(table) => cut_table(table, span),
        DeValue::Array(array) => {
            for element in array.iter_mut() {
                if let Some(key) = cut_value(element, span) {
                    return Some(key);
                }
            }
            let index = array
                .iter()
                .position(|element| holds(&element.span(), span))?;
            let kept = array.iter().enumerate().filter(|(at, _)| *at != index);
            *array = kept.map(|(_, element)| element.clone()).collect();
            Some(String::new())
        }
        _ => None,
    }
}

fn holds(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// One step of the way to a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

/// Where a value stands, or the last part of the way to it that exists.
pub(crate) fn locate(file: &str, text: &str, way: &[Step<'_>]) -> Option<Place> {
    let document = DeTable::parse(text).ok()?;
    let mut span = None;
    let mut table = Some(document.get_ref());
    let mut value: Option<&Spanned<DeValue<'_>>> = None;
    for step in way {
        match step {
            Step::Key(name) => {
                let Some((key, next)) = table.and_then(|table| {
                    table
                        .iter()
                        .find(|(key, _)| key.get_ref().as_ref() == *name)
                }) else {
                    break;
                };
                span = Some(match next.get_ref() {
                    DeValue::Table(_) | DeValue::Array(_) => key.span(),
                    _ => next.span(),
                });
                value = Some(next);
            }
            Step::Index(index) => {
                let Some(DeValue::Array(array)) = value.map(Spanned::get_ref) else {
                    break;
                };
                value = array.get(*index);
                span = value.map(Spanned::span).or(span);
            }
        }
        table = match value.map(Spanned::get_ref) {
            Some(DeValue::Table(table)) => Some(table),
            _ => None,
        };
    }
    span.map(|span| Place::of(file, text, &span))
}

#[cfg(test)]
mod tests;
