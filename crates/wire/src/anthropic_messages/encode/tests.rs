use super::testing::{Model, ask, call, chat, text, tool};
use super::*;
use crate::chat::parse::parse;
use interline_domain::quirks::{Quirks, Sampling, Thinking as Ability};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

const FIXTURES: [(&str, &str); 3] = [
    (
        "tool-round",
        include_str!("../../../golden/encode/anthropic-tool-round.json"),
    ),
    (
        "prefill-sampling",
        include_str!("../../../golden/encode/anthropic-prefill-sampling.json"),
    ),
    (
        "cache-markers",
        include_str!("../../../golden/encode/anthropic-cache-markers.json"),
    ),
];

#[test]
fn fixtures_encode_to_their_bodies() {
    for (name, fixture) in FIXTURES {
        let fixture: Value = serde_json::from_str(fixture).unwrap();
        let flags = &fixture["flags"];
        let model = Model {
            quirks: Quirks {
                sampling: match &flags["sampling"] {
                    Value::Bool(false) => Sampling::None,
                    Value::String(_) => Sampling::One,
                    _ => Sampling::Full,
                },
                thinking: if flags["thinking"] == "budget" {
                    Ability::Budget
                } else {
                    Ability::None
                },
                prefill: flags["prefill"] == true,
                ..Quirks::default()
            },
            max_completion_tokens: flags["max_output"].as_u64(),
            ..Model::default()
        };
        assert_eq!(model.body(&fixture["request"]), fixture["body"], "{name}");
    }
}

#[test]
fn the_call_itself() {
    let encoded = Model::default().encoded(&ask(json!({"stream": true})));
    assert_eq!(encoded.path, "/messages");
    assert_eq!(
        encoded.headers,
        [("anthropic-version", "2023-06-01".to_owned())]
    );
    assert_eq!(encoded.read_back, ReadBack::default());
    let body = std::str::from_utf8(&encoded.body).unwrap();
    assert_eq!(
        body,
        r#"{"model":"m","max_tokens":4096,"stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}]}"#
    );
}

#[test]
fn plain_parameters() {
    let request = ask(
        json!({"user": "u", "service_tier": "default", "stop": ["a", " ", "b"],
        "seed": 1, "frequency_penalty": 0.5, "logprobs": true, "top_k": 5, "temperature": 0.50}),
    );
    let bytes = request.to_string();
    let request = parse(bytes.as_bytes()).unwrap();
    let model = Model::default();
    let target = Target {
        user_hash: Some("hash"),
        ..model.target()
    };
    let body: Value = serde_json::from_slice(&encode(&request, &target).unwrap().body).unwrap();
    let expected = json!({"model": "m", "max_tokens": 4096, "temperature": 0.5, "top_k": 5,
        "stop_sequences": ["a", "b"], "metadata": {"user_id": "hash"},
        "service_tier": "standard_only",
        "messages": [{"role": "user", "content": [text("Hi")]}]});
    assert_eq!(body, expected);
}

/// T17: at most four markers, the last ones; one per tool result, none on thinking.
#[test]
fn t17_the_last_four_markers_win() {
    let marker = json!({"type": "ephemeral", "ttl": "1h"});
    let with_marker = |said: &str| json!({"type": "text", "text": said, "cache_control": marker});
    let mut first = tool("f");
    first["cache_control"] = marker.clone();
    let messages = json!([
        {"role": "system", "content": [with_marker("S")]},
        {"role": "user", "content": [with_marker("U")]},
        {"role": "assistant", "tool_calls": [call("a", "f", "")]},
        {"role": "tool", "tool_call_id": "a", "content": [with_marker("1"), with_marker("2"), with_marker("3")]},
        {"role": "user", "content": [with_marker("V"), text("W")]},
    ]);
    let body = Model::default().body(&chat(messages.clone(), json!({"tools": [first]})));
    let count = body.to_string().matches("cache_control").count();
    assert_eq!(count, 4);
    assert_eq!(body["tools"][0].get("cache_control"), None);
    assert_eq!(body["system"][0]["cache_control"], marker);
    let result = &body["messages"][2]["content"][0];
    assert_eq!(result["cache_control"], marker);
    assert_eq!(result["content"], json!([text("1"), text("2"), text("3")]));

    let automatic = json!({"tools": [first], "cache_control": {"type": "ephemeral"}});
    let body = Model::default().body(&chat(messages, automatic));
    assert_eq!(body.to_string().matches("cache_control").count(), 4);
    assert_eq!(body["system"][0].get("cache_control"), None);
    assert_eq!(body["cache_control"], json!({"type": "ephemeral"}));
}

/// One turn of a generated conversation.
fn turn() -> impl Strategy<Value = Vec<Value>> {
    let said = "[a-z \"\\\\é🦀]{0,12}";
    (said, said, any::<bool>(), "[a-z.:]{1,6}").prop_map(|(user, answer, has_call, id)| {
        let mut messages = vec![json!({"role": "user", "content": format!("u{user}")})];
        if has_call {
            messages.push(
                json!({"role": "assistant", "content": answer, "tool_calls": [call(&id, "f", "")]}),
            );
            messages.push(json!({"role": "tool", "tool_call_id": id, "content": answer}));
        }
        messages.push(json!({"role": "assistant", "content": format!("a{answer}")}));
        messages
    })
}

proptest! {
    /// The same conversation gives the same bytes, and one turn more keeps all of them but the
    /// closing brackets: what was cached stays cached.
    #[test]
    fn a_longer_conversation_shares_the_prefix(turns in vec(turn(), 1..6)) {
        let model = Model::default();
        let request = |turns: &[Vec<Value>]| {
            let mut messages = turns.concat();
            messages.push(json!({"role": "user", "content": "last"}));
            let fields = json!({"tools": [tool("f")], "reasoning": {"effort": "low"}});
            model.encoded(&chat(json!(messages), fields))
        };
        let long = request(&turns);
        prop_assert_eq!(&long, &request(&turns));
        let short = request(&turns[..turns.len() - 1]);
        let shared = short.body.iter().zip(long.body.iter()).take_while(|(a, b)| a == b).count();
        let question = br#"{"type":"text","text":"last"}]}]}"#;
        prop_assert!(shared + question.len() >= short.body.len());
    }
}
