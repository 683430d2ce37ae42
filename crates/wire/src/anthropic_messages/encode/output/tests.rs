use super::*;
use crate::anthropic_messages::encode;
use crate::chat::parse::parse;
use crate::target::ReadBack;
use interline_domain::Parameters;
use interline_domain::quirks::{Quirks, Thinking};
use serde_json::{Value, json};

/// The body and what the decoder is told, for a request with this schema and further fields.
fn encoded(schema: &Value, fields: Value, change: fn(&mut Quirks)) -> (Value, ReadBack, String) {
    let mut request = fields;
    request["model"] = json!("m");
    request["messages"] = json!([{"role": "user", "content": "Hi"}]);
    request["response_format"] =
        json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
    let bytes = request.to_string();
    let request = parse(bytes.as_bytes()).unwrap();
    let mut quirks = Quirks::default();
    change(&mut quirks);
    let target = Target {
        upstream_model: "m",
        max_completion_tokens: None,
        parameters: Parameter::ALL.iter().copied().collect::<Parameters>(),
        quirks: &quirks,
        reasoning: None,
        output_cap: None,
        user_hash: None,
        strip_sealed_reasoning: false,
        swap_limit_field: false,
    };
    let encoded = encode(&request, &target).unwrap();
    let beta = encoded
        .headers
        .iter()
        .find(|(name, _)| *name == "anthropic-beta");
    let beta = beta.map(|(_, value)| value.clone()).unwrap_or_default();
    let body = serde_json::from_slice(&encoded.body).unwrap();
    (body, encoded.read_back, beta)
}

fn closed() -> Value {
    json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"],
        "additionalProperties": false})
}

fn open() -> Value {
    json!({"type": "object", "additionalProperties": {"type": "string"}})
}

#[test]
fn native_output_needs_the_flag_and_a_schema_that_fits() {
    let native: fn(&mut Quirks) = |quirks| quirks.native_structured_output = true;
    let (body, read_back, beta) = encoded(&closed(), json!({}), native);
    let format = json!({"type": "json_schema", "schema": closed()});
    assert_eq!(body["output_config"], json!({"format": format}));
    assert_eq!(beta, "structured-outputs-2025-11-13");
    assert_eq!(read_back, ReadBack::default());
    assert_eq!(body.get("tools"), None);

    let (body, read_back, beta) = encoded(&open(), json!({}), native);
    assert_eq!(body.get("output_config"), None);
    assert_eq!(beta, "");
    assert_eq!(read_back.json_tool.as_deref(), Some("json"));
}

#[test]
fn without_the_flag_a_tool_stands_for_the_answer() {
    let own = json!({"type": "function", "function": {"name": "json"}});
    let check =
        |fields: Value, change: fn(&mut Quirks), choice: Value, tool: Option<&str>, told: bool| {
            let (body, read_back, _) = encoded(&closed(), fields.clone(), change);
            assert_eq!(body["tool_choice"], choice, "{fields}");
            assert_eq!(read_back.json_tool.as_deref(), tool, "{fields}");
            assert_eq!(body.get("system").is_some(), told, "{fields}");
            if let Some(name) = tool {
                let last = body["tools"].as_array().unwrap().last().unwrap().clone();
                assert_eq!(
                    (&last["name"], &last["input_schema"]),
                    (&json!(name), &closed())
                );
            }
        };
    let forced = json!({"type": "tool", "name": "json", "disable_parallel_tool_use": true});
    let auto = json!({"type": "auto"});
    check(json!({}), |_| {}, forced.clone(), Some("json"), false);
    check(
        json!({"tools": [own]}),
        |_| {},
        json!({"type": "any"}),
        Some("json_"),
        false,
    );
    check(
        json!({"tools": [own], "tool_choice": "required"}),
        |_| {},
        json!({"type": "any"}),
        None,
        false,
    );
    let alone = json!({"type": "tool", "name": "json_", "disable_parallel_tool_use": true});
    check(
        json!({"tools": [own], "tool_choice": "none"}),
        |_| {},
        alone,
        Some("json_"),
        false,
    );
    // T27: our force gives way to the caller's thinking.
    check(
        json!({"reasoning": {"effort": "high"}, "max_tokens": 9000}),
        |quirks| quirks.thinking = Thinking::Budget,
        auto.clone(),
        Some("json"),
        true,
    );
    check(
        json!({}),
        |quirks| quirks.forced_tools = false,
        auto,
        Some("json"),
        true,
    );
}

#[test]
fn what_fits_no_tool_is_said_in_words() {
    for schema in [
        json!({"type": "array", "items": {}}),
        json!({"anyOf": [open(), closed()]}),
        json!({}),
    ] {
        let (body, read_back, _) = encoded(&schema, json!({}), |_| {});
        assert_eq!(read_back, ReadBack::default());
        assert_eq!(body.get("tools"), None);
        let told = body["system"][0]["text"].as_str().unwrap();
        assert!(told.ends_with(&schema.to_string()), "{told}");
    }
}

#[test]
fn schemas_are_restricted_to_what_the_decoder_takes() {
    let check = |schema: &str, expected: Option<&str>| {
        assert_eq!(restricted(schema).as_deref(), expected, "{schema}");
    };
    // Carried as written where it fits.
    let fits = r#"{ "type":"object", "properties":{"z":{"type":"string","format":"date"},"a":{"type":"integer"}},"required":["z","a"],"additionalProperties":false }"#;
    check(fits, Some(fits));
    // Constraints move into the description; property names are not keywords.
    check(
        r#"{"type":"object","properties":{"pattern":{"type":"string","pattern":"^a","description":"P","minLength":1},"n":{"type":"number","minimum":0.0}},"required":["pattern","n"],"additionalProperties":false}"#,
        Some(
            r#"{"type":"object","properties":{"pattern":{"type":"string","description":"P\n\n{pattern: \"^a\", minLength: 1}"},"n":{"type":"number","description":"{minimum: 0.0}"}},"required":["pattern","n"],"additionalProperties":false}"#,
        ),
    );
    check(
        r#"{"type":"string","format":"color"}"#,
        Some(r#"{"type":"string","description":"{format: \"color\"}"}"#),
    );
    // An object that lists its properties is closed, deep inside too.
    check(
        r##"{"$defs":{"d":{"type":"object","properties":{"x":{}},"required":["x"]}},"type":"array","items":{"anyOf":[{"$ref":"#/$defs/d"},{"type":"null"}]}}"##,
        Some(
            r##"{"$defs":{"d":{"type":"object","properties":{"x":{}},"required":["x"],"additionalProperties":false}},"type":"array","items":{"anyOf":[{"$ref":"#/$defs/d"},{"type":"null"}]}}"##,
        ),
    );
    // Beyond the decoder: maps, recursion, references elsewhere, unions of one.
    check(r#"{"type":"object"}"#, None);
    check(
        r#"{"type":"object","properties":{"a":{}},"additionalProperties":true}"#,
        None,
    );
    check(r##"{"type":"array","items":{"$ref":"#"}}"##, None);
    check(
        r##"{"$defs":{"a":{"items":{"$ref":"#/$defs/b"}},"b":{"items":{"$ref":"#/$defs/a"}}},"$ref":"#/$defs/a"}"##,
        None,
    );
    check(r#"{"oneOf":[{"type":"null"}]}"#, None);
    check("true", None);
}

#[test]
fn optional_properties_are_counted_over_the_whole_schema() {
    let schema = |count: usize| {
        let names = (0..count).map(|n| format!(r#""p{n}":{{"type":"null"}}"#));
        let inner: Vec<String> = names.collect();
        format!(
            r#"{{"type":"object","properties":{{"in":{{"type":"object","properties":{{{}}},"additionalProperties":false}}}},"required":["in"],"additionalProperties":false}}"#,
            inner.join(",")
        )
    };
    assert!(restricted(&schema(12)).is_some());
    assert!(restricted(&schema(13)).is_none());
}

#[test]
fn json_objects_are_asked_for_in_words() {
    let request = parse(
        br#"{"model":"m","messages":[{"role":"user","content":"Hi"}],"response_format":{"type":"json_object"}}"#,
    )
    .unwrap();
    let quirks = Quirks {
        native_structured_output: true,
        ..Quirks::default()
    };
    let target = Target {
        upstream_model: "m",
        max_completion_tokens: None,
        parameters: Parameters::EMPTY,
        quirks: &quirks,
        reasoning: None,
        output_cap: None,
        user_hash: None,
        strip_sealed_reasoning: false,
        swap_limit_field: false,
    };
    let encoded = encode(&request, &target).unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(body["system"][0]["text"], JSON_OBJECT);
}
