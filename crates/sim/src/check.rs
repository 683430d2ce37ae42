//! Refuses what the real provider would refuse, so that encoders are really tested.

mod anthropic;
mod gemini;
mod openai;

use crate::dialect::Dialect;
use crate::script::Check;
use serde_json::Value;
use std::borrow::Cow;

/// A request turned down, before it is put in the dialect's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub status: u16,
    pub code: Cow<'static, str>,
    pub param: Option<String>,
    pub message: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: Cow::Borrowed(code),
            param: None,
            message: message.into(),
        }
    }
}

type Verdict = Result<(), Refusal>;

fn invalid(param: impl Into<String>, message: impl Into<String>) -> Refusal {
    Refusal {
        status: 400,
        code: Cow::Borrowed("invalid_value"),
        param: Some(param.into()),
        message: message.into(),
    }
}

fn require(holds: bool, param: &str, message: impl FnOnce() -> String) -> Verdict {
    if holds {
        Ok(())
    } else {
        Err(invalid(param, message()))
    }
}

/// Examines a request body. `Err`: the provider answers with this instead.
pub(crate) fn request(dialect: Dialect, check: Check, body: &Value) -> Verdict {
    if check == Check::Off {
        return Ok(());
    }
    if !body.is_object() {
        return Err(invalid("body", "The body must be a JSON object."));
    }
    match dialect {
        Dialect::OpenaiChat => openai::request(body, check == Check::Closed),
        Dialect::AnthropicMessages => anthropic::request(body),
        Dialect::Gemini => gemini::request(body),
    }
}

/// The first key of `value` that is not in `known`.
fn unknown_key<'a>(value: &'a Value, known: &[&str]) -> Option<&'a str> {
    let fields = value.as_object()?;
    fields
        .keys()
        .map(String::as_str)
        .find(|key| !known.contains(key))
}

fn is_name(name: &str, extra: &str, longest: usize) -> bool {
    !name.is_empty()
        && name.len() <= longest
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
}

fn in_range(value: &Value, least: f64, most: f64) -> bool {
    value.is_null()
        || value
            .as_f64()
            .is_some_and(|number| (least..=most).contains(&number))
}

#[cfg(test)]
mod tests;
