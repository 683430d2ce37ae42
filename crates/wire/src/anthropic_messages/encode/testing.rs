//! Tests only: requests, and endpoints to write them for.

use super::encode;
use crate::chat::parse::parse;
use crate::target::{Encoded, Target};
use interline_domain::catalogue::Reasoning;
use interline_domain::quirks::{Quirks, Thinking};
use interline_domain::{Failure, Parameter, Parameters};
use serde_json::{Value, json};

/// An endpoint to write for.
#[derive(Clone, Default)]
pub(super) struct Model {
    pub(super) quirks: Quirks,
    pub(super) max_completion_tokens: Option<u64>,
    pub(super) output_cap: Option<u64>,
    pub(super) reasoning: Option<Reasoning>,
    pub(super) strip_sealed_reasoning: bool,
    pub(super) refused: Parameters,
}

impl Model {
    pub(super) fn with(change: impl FnOnce(&mut Quirks)) -> Self {
        let mut model = Self::default();
        change(&mut model.quirks);
        model
    }

    pub(super) fn thinking(ability: Thinking) -> Self {
        Self::with(|quirks| quirks.thinking = ability)
    }

    pub(super) fn target(&self) -> Target<'_> {
        let all: Parameters = Parameter::ALL.iter().copied().collect();
        Target {
            upstream_model: "m",
            max_completion_tokens: self.max_completion_tokens,
            parameters: all.minus(self.refused),
            quirks: &self.quirks,
            reasoning: self.reasoning.as_ref(),
            output_cap: self.output_cap,
            user_hash: None,
            strip_sealed_reasoning: self.strip_sealed_reasoning,
            swap_limit_field: false,
        }
    }

    pub(super) fn try_encode(&self, request: &Value) -> Result<Encoded, Failure> {
        let bytes = request.to_string();
        let request = parse(bytes.as_bytes()).expect("a valid request");
        encode(&request, &self.target())
    }

    pub(super) fn encoded(&self, request: &Value) -> Encoded {
        self.try_encode(request).expect("encodes")
    }

    pub(super) fn body(&self, request: &Value) -> Value {
        serde_json::from_slice(&self.encoded(request).body).expect("valid JSON")
    }

    pub(super) fn error(&self, request: &Value) -> Failure {
        self.try_encode(request).expect_err("is refused")
    }
}

/// A request with these messages and further fields.
pub(super) fn chat(messages: Value, fields: Value) -> Value {
    let mut request = fields;
    request["model"] = json!("a/b");
    request["messages"] = messages;
    request
}

/// A one-line question with further fields.
pub(super) fn ask(fields: Value) -> Value {
    chat(json!([{"role": "user", "content": "Hi"}]), fields)
}

pub(super) fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

pub(super) fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}})
}

pub(super) fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}
