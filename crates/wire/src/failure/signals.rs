//! What an error body says, whatever its shape.

use serde_json::{Map, Value};

/// Shapes are nested a few levels at most; deeper is not looked at.
const DEPTH: u8 = 6;
/// Words beyond this many are not an error's code.
const WORDS: usize = 16;

/// The parts of an error body that classification looks at.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// Codes, types and reasons in the order of their weight, as the provider wrote them.
    pub(super) words: Vec<String>,
    pub(super) message: String,
    /// A number of 400–599 that stands where a status belongs.
    pub(super) status: Option<u16>,
    /// `MiniMax`: `base_resp.status_code`.
    pub(super) base_resp: Option<i64>,
    /// Google: `RetryInfo.retryDelay`, as written.
    pub(super) retry_delay: Option<String>,
}

impl Signals {
    /// Reads JSON of any shape; anything else is the message itself.
    pub(super) fn read(text: &str) -> Self {
        let mut signals = Self::default();
        match serde_json::from_str::<Value>(text) {
            Ok(value) => signals.walk(&value, DEPTH),
            Err(_) if text.trim_start().starts_with(['{', '[']) => signals.scan(text),
            Err(_) => text.clone_into(&mut signals.message),
        }
        signals
    }

    pub(super) fn add_word(&mut self, word: &str) {
        let word = word.trim();
        if word.is_empty() || self.words.len() >= WORDS {
            return;
        }
        match word.parse::<u16>() {
            Ok(status @ 400..600) => self.status = self.status.or(Some(status)),
            _ => self.words.push(word.to_owned()),
        }
    }

    /// The code to show: the first word, else the number.
    pub(super) fn code(&self, status: u16) -> Option<String> {
        if let Some(number) = self.base_resp {
            return Some(number.to_string());
        }
        let word = self.words.first().cloned();
        let number = self.status.filter(|inner| *inner != status);
        word.or_else(|| number.map(|number| number.to_string()))
            .map(|code| super::clean::message(&code, super::CODE_BYTES))
    }

    fn set_message(&mut self, message: &str) {
        if self.message.is_empty() {
            message.trim().clone_into(&mut self.message);
        }
    }

    fn walk(&mut self, value: &Value, depth: u8) {
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        match value {
            Value::String(text) => self.set_message(text),
            Value::Array(items) => {
                if let Some(first) = items.first() {
                    self.walk(first, depth);
                }
            }
            Value::Object(object) => self.walk_object(object, depth),
            _ => {}
        }
    }

    fn walk_object(&mut self, object: &Map<String, Value>, depth: u8) {
        if let Some(base) = object.get("base_resp").and_then(Value::as_object) {
            self.base_resp = base
                .get("status_code")
                .and_then(Value::as_i64)
                .filter(|code| *code != 0);
            self.set_message(base.get("status_msg").and_then(Value::as_str).unwrap_or(""));
        }
        // Google's reason is the most precise word there is.
        if let Some(details) = object.get("details").and_then(Value::as_array) {
            for detail in details {
                self.word_at(detail.get("reason"));
                if let Some(delay) = detail.get("retryDelay").and_then(Value::as_str) {
                    self.retry_delay = Some(delay.to_owned());
                }
            }
        }
        // The inner object first: what stands around it is an envelope.
        for key in ["error", "errors"] {
            if let Some(inner) = object.get(key) {
                self.walk(inner, depth);
            }
        }
        for key in [
            "code",
            "status",
            "type",
            "type_",
            "error_type",
            "statusCode",
            "status_code",
        ] {
            self.word_at(object.get(key));
        }
        if let Some(inner) = object.get("innererror") {
            self.word_at(inner.get("code"));
        }
        for key in ["message", "msg", "detail"] {
            if let Some(inner) = object.get(key) {
                self.walk(inner, depth);
            }
        }
    }

    fn word_at(&mut self, value: Option<&Value>) {
        match value {
            Some(Value::String(word)) if word != "error" => self.add_word(word),
            Some(Value::Number(number)) => self.add_word(&number.to_string()),
            _ => {}
        }
    }

    /// A body that was cut or is broken: its strings are taken where they can be found.
    fn scan(&mut self, text: &str) {
        for key in ["\"code\"", "\"status\"", "\"type\""] {
            if let Some(word) = scan_value(text, key) {
                self.word_at(Some(&word));
            }
        }
        match scan_value(text, "\"message\"") {
            Some(Value::String(message)) => self.set_message(&message),
            _ => self.set_message(text),
        }
    }
}

/// The value after the first `"key":`, if it is whole.
fn scan_value(text: &str, key: &str) -> Option<Value> {
    let (_, after) = text.split_once(key)?;
    let after = after.trim_start().strip_prefix(':')?;
    serde_json::Deserializer::from_str(after)
        .into_iter::<Value>()
        .next()?
        .ok()
}
