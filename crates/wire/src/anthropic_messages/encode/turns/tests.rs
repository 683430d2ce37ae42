use crate::anthropic_messages::encode::encode;
use crate::anthropic_messages::encode::testing::{Model, call, chat, text, tool};
use crate::chat::parse::parse;
use interline_domain::ErrorType;
use interline_domain::quirks::Thinking as Ability;
use serde_json::{Value, json};

#[test]
fn reasoning_of_the_history_is_replayed_in_order() {
    let check = |details: Value, expected: Value| {
        let messages = json!([
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "So.", "reasoning_details": details},
            {"role": "user", "content": "More"},
        ]);
        let body = Model::thinking(Ability::Adaptive).body(&chat(messages, json!({})));
        let mut expected = expected;
        expected.as_array_mut().unwrap().push(text("So."));
        assert_eq!(body["messages"][1]["content"], expected);
    };
    // Chunks that a client kept as they came.
    check(
        json!([
            {"type": "reasoning.text", "text": "A", "index": 0, "format": "anthropic-claude-v1"},
            {"type": "reasoning.text", "text": "B", "index": 0},
            {"type": "reasoning.text", "signature": "S", "index": 0},
            {"type": "reasoning.encrypted", "data": "D", "index": 1},
            {"type": "reasoning.text", "text": "", "signature": "S2", "index": 2}]),
        json!([
            {"type": "thinking", "thinking": "AB", "signature": "S"},
            {"type": "redacted_thinking", "data": "D"},
            {"type": "thinking", "thinking": "", "signature": "S2"}]),
    );
    // Without a signature, of another family, or of a kind without a place here.
    check(
        json!([
            {"type": "reasoning.text", "text": "A"},
            {"type": "reasoning.summary", "summary": "A"},
            {"type": "reasoning.text", "text": "B", "signature": "S", "format": "unknown"},
            {"type": "reasoning.encrypted", "data": "D", "format": "openai-responses-v1"}]),
        json!([]),
    );
}

/// T12, T44: what a history's arguments become.
#[test]
fn t44_arguments_become_objects() {
    let check = |arguments: &str, expected: &str| {
        let messages = json!([
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [call("a", "f", arguments)]},
            {"role": "tool", "tool_call_id": "a", "content": "r"},
        ]);
        let encoded = Model::default().encoded(&chat(messages, json!({"tools": [tool("f")]})));
        let body = String::from_utf8(encoded.body.to_vec()).unwrap();
        assert!(
            body.contains(&format!(r#""input":{expected}}}"#)),
            "{arguments}: {body}"
        );
    };
    check("", "{}");
    check(" \n", "{}");
    check("null", "{}");
    check("\"\"", "{}");
    let precise = r#"{ "z":1.0, "a":12345678901234567890,"z":"\u00e9"}"#;
    check(precise, precise);
    check(r#""{\"a\": 1}""#, r#"{"a": 1}"#);
    check(r#"{"a": "#, r#"{"_raw":"{\"a\": "}"#);
    check("[1]", r#"{"_raw":"[1]"}"#);
}

/// T14: all results at once, in the order of the calls, before any text; orphans repaired.
#[test]
fn t14_results_come_together_and_first() {
    let messages = json!([
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": [call("a", "f", ""), call("b", "f", ""), call("c", "f", "")]},
        {"role": "user", "content": "Hurry"},
        {"role": "tool", "tool_call_id": "b", "content": [text("B"), text(" ")]},
        {"role": "tool", "tool_call_id": "x", "content": "orphan"},
        {"role": "tool", "tool_call_id": "a", "content": ""},
    ]);
    let body = Model::default().body(&chat(messages, json!({"tools": [tool("f")]})));
    let expected = json!({"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "a"},
        {"type": "tool_result", "tool_use_id": "b", "content": [text("B")]},
        {"type": "tool_result", "tool_use_id": "c", "content": "No result was recorded", "is_error": true},
        text("Hurry")]});
    assert_eq!(body["messages"][2], expected);
    assert_eq!(body["messages"].as_array().unwrap().len(), 3);
}

#[test]
fn calls_left_open_get_a_result() {
    let check = |tail: Value, turns: usize| {
        let mut messages = vec![
            json!({"role": "user", "content": "Hi"}),
            json!({"role": "assistant", "content": "x", "tool_calls": [call("a", "f", "")]}),
        ];
        messages.extend(tail.as_array().unwrap().iter().cloned());
        let body = Model::default().body(&chat(json!(messages), json!({"tools": [tool("f")]})));
        assert_eq!(body["messages"].as_array().unwrap().len(), turns);
        assert_eq!(body["messages"][2]["content"][0]["is_error"], true);
        assert_eq!(body["messages"][2]["content"][0]["tool_use_id"], "a");
    };
    check(json!([]), 3);
    check(json!([{"role": "user", "content": "?"}]), 3);
    check(
        json!([{"role": "assistant", "content": "y"}, {"role": "user", "content": "?"}]),
        3,
    );
}

/// T15: foreign ids become valid and unique, the same on every turn.
#[test]
fn t15_call_ids_are_mapped() {
    let round = |id: &str| {
        vec![
            json!({"role": "assistant", "tool_calls": [call(id, "f", "")]}),
            json!({"role": "tool", "tool_call_id": id, "content": "r"}),
        ]
    };
    let mut messages = vec![json!({"role": "user", "content": "Hi"})];
    for id in ["functions.f:0", "functions.f:0", "ok-1", "ok-1", "ü"] {
        messages.extend(round(id));
    }
    let body = Model::default().body(&chat(json!(messages), json!({"tools": [tool("f")]})));
    let mut ids = Vec::new();
    for turn in body["messages"].as_array().unwrap() {
        for block in turn["content"].as_array().unwrap() {
            if block["type"] == "tool_use" {
                ids.push(block["id"].as_str().unwrap().to_owned());
            } else if block["type"] == "tool_result" {
                assert_eq!(block["tool_use_id"], *ids.last().unwrap());
            }
        }
    }
    let unique: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!((ids.len(), unique.len()), (5, 5), "{ids:?}");
    assert_eq!(ids[2], "ok-1");
    let is_valid = |id: &String| {
        id.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    assert!(ids.iter().all(is_valid), "{ids:?}");
}

/// T13: nothing empty is sent, and a marker on it moves to the block before.
#[test]
fn t13_empty_blocks_go_and_markers_move() {
    let marker = json!({"type": "ephemeral"});
    let blank = json!({"type": "text", "text": " \n", "cache_control": marker});
    let messages = json!([
        {"role": "system", "content": [text("S"), blank]},
        {"role": "user", "content": [text("one"), blank, text("two")]},
        {"role": "assistant", "content": [blank]},
        {"role": "user", "content": "three"},
    ]);
    let body = Model::default().body(&chat(messages, json!({})));
    let with_marker = |said: &str| json!({"type": "text", "text": said, "cache_control": marker});
    assert_eq!(body["system"], json!([with_marker("S")]));
    let expected = json!([
        {"role": "user", "content": [with_marker("one"), with_marker("two"), text("three")]}]);
    assert_eq!(body["messages"], expected);

    for content in [json!(""), json!(" "), json!([text("")])] {
        let request = chat(
            json!([{"role": "user", "content": "x"}, {"role": "user", "content": content}]),
            json!({}),
        );
        let bytes = request.to_string();
        // Plainly empty content is refused before it comes here.
        if let Ok(request) = parse(bytes.as_bytes()) {
            let model = Model::default();
            let error = encode(&request, &model.target()).unwrap_err();
            assert_eq!(error.error_type, ErrorType::InvalidPrompt);
            assert!(
                error.message.starts_with("messages[1].content"),
                "{}",
                error.message
            );
        }
    }
}

/// T28: a prefill is continued, or said in words.
#[test]
fn t28_prefill_follows_the_model() {
    let messages = json!([
        {"role": "user", "content": "Count."}, {"role": "assistant", "content": "1, 2 \n"}]);
    let able = Model::with(|quirks| quirks.prefill = true);
    let body = able.body(&chat(messages.clone(), json!({})));
    assert_eq!(
        body["messages"][1],
        json!({"role": "assistant", "content": [text("1, 2")]})
    );
    let body = Model::default().body(&chat(messages.clone(), json!({})));
    assert_eq!(body["messages"].as_array().unwrap().len(), 1);
    let instruction = body["messages"][0]["content"][1]["text"].as_str().unwrap();
    assert!(instruction.contains("1, 2"), "{instruction}");
    // What is to be continued cannot start with thinking.
    let thinking = Model::with(|quirks| {
        quirks.prefill = true;
        quirks.thinking = Ability::Budget;
    });
    let body = thinking.body(&chat(messages, json!({"reasoning": {"effort": "high"}})));
    assert_eq!(body.get("thinking"), None);
}

#[test]
fn turns_alternate_and_the_user_begins() {
    let check = |messages: Value, expected: Value| {
        let body = Model::default().body(&chat(messages.clone(), json!({})));
        assert_eq!(body["messages"], expected, "{messages}");
    };
    check(
        json!([{"role": "assistant", "content": "Hello"}, {"role": "user", "content": "Hi"}]),
        json!([
            {"role": "user", "content": [text("…")]},
            {"role": "assistant", "content": [text("Hello")]},
            {"role": "user", "content": [text("Hi")]}]),
    );
    check(
        json!([{"role": "system", "content": "S"}]),
        json!([{"role": "user", "content": [text("…")]}]),
    );
    check(
        json!([
            {"role": "user", "content": "a", "name": "Ann"},
            {"role": "user", "content": "b"},
            {"role": "system", "content": "rule"},
            {"role": "assistant", "content": "c"},
            {"role": "assistant", "content": null, "refusal": "no"},
            {"role": "user", "content": "d"}]),
        json!([
            {"role": "user", "content": [text("Ann: a"), text("b"), text("<system>rule</system>")]},
            {"role": "assistant", "content": [text("c"), text("no")]},
            {"role": "user", "content": [text("d")]}]),
    );
}

#[test]
fn images_and_files_become_sources() {
    let check = |part: Value, expected: Value| {
        let messages = json!([{"role": "user", "content": [text("See"), part]}]);
        let body = Model::default().body(&chat(messages, json!({})));
        assert_eq!(body["messages"][0]["content"][1], expected);
    };
    let image =
        |url: &str| json!({"type": "image_url", "image_url": {"url": url, "detail": "high"}});
    let file = |name: &str, data: &str| json!({"type": "file", "file": {"filename": name, "file_data": data}});
    check(
        image("https://example.org/a.png"),
        json!({"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}}),
    );
    check(
        image("data:image/JPG;base64,/9j/"),
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/"}}),
    );
    check(
        file("a.pdf", "data:application/pdf;base64,JVBE"),
        json!({"type": "document", "title": "a.pdf",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}}),
    );
    check(
        file("a.pdf", "https://example.org/a.pdf"),
        json!({"type": "document", "title": "a.pdf",
            "source": {"type": "url", "url": "https://example.org/a.pdf"}}),
    );
    check(
        file("a.txt", "data:text/plain;charset=utf-8;base64,aGk="),
        json!({"type": "document", "title": "a.txt",
            "source": {"type": "text", "media_type": "text/plain", "data": "hi"}}),
    );
    let refused = |part: Value, expected: ErrorType| {
        let messages = json!([{"role": "user", "content": [text("See"), part]}]);
        let error = Model::default().error(&chat(messages, json!({})));
        assert_eq!(error.error_type, expected);
        assert!(
            error.message.starts_with("messages[0].content[1]: "),
            "{}",
            error.message
        );
    };
    refused(
        image("data:image/tiff;base64,AA"),
        ErrorType::UnsupportedImageFormat,
    );
    refused(
        file("a.zip", "data:application/zip;base64,AA"),
        ErrorType::InvalidRequest,
    );
}

/// T16: an image in a tool's result stays in the result.
#[test]
fn t16_images_in_results_are_native() {
    let messages = json!([
        {"role": "user", "content": "Look"},
        {"role": "assistant", "tool_calls": [call("a", "f", "")]},
        {"role": "tool", "tool_call_id": "a", "content": [
            text("Here"), {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]},
    ]);
    let body = Model::default().body(&chat(messages, json!({"tools": [tool("f")]})));
    let source = json!({"type": "base64", "media_type": "image/png", "data": "AA"});
    assert_eq!(
        body["messages"][2]["content"][0]["content"],
        json!([text("Here"), {"type": "image", "source": source}])
    );
}
