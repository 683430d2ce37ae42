use super::request;
use crate::{Check, Dialect};
use serde_json::{Value, json};

/// `expected` is a part of the refusal's message; empty: accepted.
fn check(dialect: Dialect, body: &Value, expected: &str) {
    let message = request(dialect, Check::Closed, body)
        .err()
        .map(|refusal| refusal.message);
    match message {
        None => assert_eq!(expected, "", "accepted {body}"),
        Some(message) => {
            assert!(
                !expected.is_empty() && message.contains(expected),
                "{message} for {body}"
            );
        }
    }
}

fn with(mut base: Value, changes: &Value) -> Value {
    for (key, value) in changes.as_object().unwrap() {
        base[key] = value.clone();
    }
    base
}

#[test]
fn openai_rules() {
    let base = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    let call = json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    let user = json!({"role": "user", "content": "x"});
    let result = json!({"role": "tool", "tool_call_id": "c1", "content": "y"});
    for (changes, expected) in [
        (json!({}), ""),
        (json!({"model": ""}), "model"),
        (json!({"messages": []}), "empty array"),
        (json!({"provider": {}}), "Unknown parameter: 'provider'"),
        (json!({"temperature": 2.5}), "temperature"),
        (
            json!({"max_tokens": 1, "max_completion_tokens": 1}),
            "same time",
        ),
        (
            json!({"stream_options": {"include_usage": true}}),
            "stream_options",
        ),
        (json!({"parallel_tool_calls": true}), "parallel_tool_calls"),
        (
            json!({"response_format": {"type": "json_object"}}),
            "'json'",
        ),
        (
            json!({"messages": [{"role": "user", "content": "x", "cache_control": {}}]}),
            "cache_control",
        ),
        (
            json!({"messages": [{"role": "tool", "content": "x", "tool_call_id": "c"}]}),
            "preceeding",
        ),
        (json!({"messages": [user, call]}), "c1"),
        (json!({"messages": [user, call, user]}), "c1"),
        (json!({"messages": [user, call, result]}), ""),
    ] {
        check(Dialect::OpenaiChat, &with(base.clone(), &changes), expected);
    }
}

#[test]
fn anthropic_rules() {
    let base =
        json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    let user = json!({"role": "user", "content": "x"});
    let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]});
    let result = json!({"type": "tool_result", "tool_use_id": "t1", "content": "y"});
    let text = json!({"type": "text", "text": "z"});
    for (changes, expected) in [
        (json!({}), ""),
        (json!({"max_tokens": null}), "max_tokens: Field required"),
        (json!({"seed": 1}), "seed: Extra inputs"),
        (json!({"temperature": 1.5}), "temperature"),
        (
            json!({"messages": [{"role": "assistant", "content": "x"}]}),
            "first message",
        ),
        (
            json!({"messages": [{"role": "user", "content": " "}]}),
            "non-whitespace",
        ),
        (
            json!({"messages": [user, {"role": "assistant", "content": "x "}]}),
            "trailing whitespace",
        ),
        (json!({"messages": [user, call]}), "t1"),
        (json!({"messages": [user, call, user]}), "t1"),
        (
            json!({"messages": [user, call, {"role": "user", "content": [text, result]}]}),
            "come first",
        ),
        (
            json!({"messages": [user, call, {"role": "user", "content": [result, text]}]}),
            "",
        ),
        (
            json!({"messages": [user, {"role": "user", "content": [result]}]}),
            "unexpected",
        ),
        (
            json!({"thinking": {"type": "enabled", "budget_tokens": 1024}}),
            "greater than",
        ),
        (
            json!({"tools": [{"name": "f", "input_schema": {}}]}),
            "input_schema.type",
        ),
        (
            json!({"tools": [{"name": "f.g", "input_schema": {"type": "object"}}]}),
            "pattern",
        ),
    ] {
        check(
            Dialect::AnthropicMessages,
            &with(base.clone(), &changes),
            expected,
        );
    }
}

#[test]
fn gemini_rules() {
    let user = json!({"role": "user", "parts": [{"text": "hi"}]});
    let model = json!({"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]});
    let result = json!({"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "x"}}}]});
    let tool = |parameters: Value| json!({"tools": [{"functionDeclarations": [{"name": "f", "parameters": parameters}]}]});
    for (changes, expected) in [
        (json!({}), ""),
        (
            json!({"system_instruction": {"parts": [{"text": "s"}]}}),
            "",
        ),
        (json!({"seed": 1}), "Unknown name \"seed\""),
        (
            json!({"generationConfig": {"max_tokens": 1}}),
            "Unknown name \"max_tokens\"",
        ),
        (
            json!({"generationConfig": {"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "low"}}}),
            "only set one",
        ),
        (json!({"contents": [user, user]}), "alternate"),
        (json!({"contents": [model]}), "start with a user"),
        (
            json!({"contents": [user, model, user]}),
            "number of function response",
        ),
        (json!({"contents": [user, model, result]}), ""),
        (
            tool(json!({"type": "object", "additionalProperties": false})),
            "additionalProperties",
        ),
        (
            tool(json!({"type": "object", "properties": {"a": {"type": ["string", "null"]}}})),
            "type",
        ),
        (
            tool(json!({"type": "object", "properties": {"a": {"type": "string"}}})),
            "",
        ),
    ] {
        check(
            Dialect::Gemini,
            &with(json!({"contents": [user]}), &changes),
            expected,
        );
    }
}
