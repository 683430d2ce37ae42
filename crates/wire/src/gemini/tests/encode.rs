//! Canonical requests in, Google's bodies out.
#![expect(
    clippy::needless_pass_by_value,
    reason = "examples read better without `&`"
)]

use crate::chat::parse::parse;
use crate::gemini::{encode, encode_with_media, links_to_fetch};
use crate::target::{Encoded, Target};
use bytes::Bytes;
use interline_domain::catalogue::Reasoning;
use interline_domain::quirks::{GeminiThinking, Quirks};
use interline_domain::{ErrorType, Failure, Parameter, Parameters};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// An endpoint that can do everything.
fn target<'a>(quirks: &'a Quirks, reasoning: Option<&'a Reasoning>) -> Target<'a> {
    Target {
        upstream_model: "gemini-x",
        max_completion_tokens: None,
        parameters: all_parameters(),
        quirks,
        reasoning,
        output_cap: None,
        user_hash: None,
        strip_sealed_reasoning: false,
        swap_limit_field: false,
    }
}

fn all_parameters() -> Parameters {
    Parameter::ALL.iter().copied().collect()
}

fn third_generation() -> Quirks {
    Quirks {
        thought_signatures: true,
        ..Quirks::default()
    }
}

fn encoded(request: &Value, target: &Target<'_>) -> Result<Encoded, Failure> {
    let body = request.to_string();
    encode(&parse(body.as_bytes()).expect("a request"), target)
}

fn body_of(request: &Value, target: &Target<'_>) -> Value {
    let encoded = encoded(request, target).expect("can be written");
    serde_json::from_slice(&encoded.body).expect("JSON")
}

/// A conversation, and what of the body has the given name.
fn contents(messages: Value, quirks: &Quirks) -> Value {
    let request = json!({"model": "m", "messages": messages});
    body_of(&request, &target(quirks, None))["contents"].take()
}

fn check_contents(messages: Value, quirks: &Quirks, expected: Value) {
    assert_eq!(contents(messages.clone(), quirks), expected, "{messages}");
}

/// What one request makes of `generationConfig`.
fn config(fields: Value, target: &Target<'_>) -> Value {
    body_of(&with_fields(fields), target)["generationConfig"].take()
}

fn with_fields(fields: Value) -> Value {
    let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    let Value::Object(fields) = fields else {
        panic!("an object");
    };
    request.as_object_mut().expect("an object").extend(fields);
    request
}

#[test]
fn fixtures_give_their_bodies() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/encode");
    let mut seen = 0;
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if !name.starts_with("gemini-") {
            continue;
        }
        seen += 1;
        let fixture: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
        let flag = |name: &str, default: bool| fixture["flags"][name].as_bool().unwrap_or(default);
        let quirks = Quirks {
            thought_signatures: flag("signatures", false),
            json_schema_fields: flag("json_schema_fields", true),
            file_links: flag("file_links", false),
            ..Quirks::default()
        };
        let body = body_of(&fixture["request"], &target(&quirks, None));
        assert_eq!(body, fixture["body"], "{name}");
    }
    assert_eq!(seen, 3);
}

#[test]
fn the_path_names_model_and_method() {
    let quirks = Quirks::default();
    let target = target(&quirks, None);
    let path = |stream: bool| {
        let request = with_fields(json!({"stream": stream}));
        encoded(&request, &target).expect("can be written").path
    };
    assert_eq!(path(false), "/models/gemini-x:generateContent");
    assert_eq!(path(true), "/models/gemini-x:streamGenerateContent?alt=sse");
}

#[test]
fn system_messages_lead_or_become_the_users() {
    let quirks = Quirks::default();
    let request = json!({"model": "m", "messages": [
        {"role": "system", "content": "S1"},
        {"role": "developer", "content": [{"type": "text", "text": "S2"}, {"type": "text", "text": "S3"}]},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "system", "content": "later"},
        {"role": "user", "content": "c"},
    ]});
    let body = body_of(&request, &target(&quirks, None));
    assert_eq!(
        body,
        json!({
            "systemInstruction": {"parts": [{"text": "S1"}, {"text": "S2"}, {"text": "S3"}]},
            "contents": [
                {"role": "user", "parts": [{"text": "a"}]},
                {"role": "model", "parts": [{"text": "b"}]},
                {"role": "user", "parts": [{"text": "later\n\nc"}]},
            ],
        })
    );
}

#[test]
fn turns_alternate_and_begin_with_the_user() {
    let quirks = Quirks::default();
    check_contents(
        json!([
            {"role": "assistant", "content": "a"},
            {"role": "assistant", "content": "b"},
            {"role": "user", "content": [{"type": "text", "text": "c"}]},
            {"role": "user", "content": "d", "name": "Ann"},
        ]),
        &quirks,
        json!([
            {"role": "user", "parts": [{"text": " "}]},
            {"role": "model", "parts": [{"text": "a\n\nb"}]},
            {"role": "user", "parts": [{"text": "c"}, {"text": "Ann: d"}]},
        ]),
    );
    check_contents(
        json!([{"role": "system", "content": "only"}]),
        &quirks,
        json!([{"role": "user", "parts": [{"text": " "}]}]),
    );
    check_contents(
        json!([
            {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "x"}]},
            {"role": "assistant", "content": null, "refusal": "No."},
        ]),
        &quirks,
        json!([
            {"role": "user", "parts": [{"text": "x"}]},
            {"role": "model", "parts": [{"text": "No."}]},
        ]),
    );
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}})
}

/// T14: all results of a step in one content, in the order of the calls, before any text.
#[test]
fn t14_results_follow_their_calls() {
    check_contents(
        json!([
            {"role": "user", "content": "go"},
            {"role": "tool", "tool_call_id": "zz", "content": "orphan"},
            {"role": "assistant", "content": "ok", "tool_calls": [
                call("a", "f", "{}"), call("b", "g", "{}"), call("c", "h", "{}")]},
            {"role": "user", "content": "hurry"},
            {"role": "tool", "tool_call_id": "b", "content": [
                {"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
            {"role": "tool", "tool_call_id": "a", "content": "{\"n\": 1.0}"},
        ]),
        &Quirks::default(),
        json!([
            {"role": "user", "parts": [{"text": "go"}]},
            {"role": "model", "parts": [
                {"text": "ok"},
                {"functionCall": {"name": "f", "args": {}}},
                {"functionCall": {"name": "g", "args": {}}},
                {"functionCall": {"name": "h", "args": {}}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "f", "response": {"n": 1.0}}},
                {"functionResponse": {"name": "g", "response": {"output": "one\ntwo"}}},
                {"functionResponse": {"name": "h", "response": {"error": "The tool gave no result."}}},
                {"text": "hurry"},
            ]},
        ]),
    );
}

/// The same id in two rounds, and twice in one.
#[test]
fn repeated_ids_answer_their_own_round() {
    let parts = |first: &str, second: &str| {
        json!([
            {"functionResponse": {"name": "f", "response": {"output": first}}},
            {"functionResponse": {"name": "g", "response": {"output": second}}},
        ])
    };
    let round = |first: &str, second: &str| {
        [
            json!({"role": "assistant", "content": null, "tool_calls": [
                call("x", "f", "{}"), call("x", "g", "{}")]}),
            json!({"role": "tool", "tool_call_id": "x", "content": first}),
            json!({"role": "tool", "tool_call_id": "x", "content": second}),
        ]
    };
    let mut messages = vec![json!({"role": "user", "content": "go"})];
    messages.extend(round("1", "2"));
    messages.extend(round("3", "4"));
    let contents = contents(messages.into(), &Quirks::default());
    assert_eq!(contents[2]["parts"], parts("1", "2"));
    assert_eq!(contents[4]["parts"], parts("3", "4"));
}

/// T30 inside responses: references there are refused, so they travel as text.
#[test]
fn t30_references_in_results_are_text() {
    let result = r##"{"$ref": "#/x"}"##;
    let contents = contents(
        json!([
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": null, "tool_calls": [call("a", "f", "{}")]},
            {"role": "tool", "tool_call_id": "a", "content": result},
        ]),
        &Quirks::default(),
    );
    let response = &contents[2]["parts"][0]["functionResponse"]["response"];
    assert_eq!(*response, json!({"output": result}));
}

/// T12, T44: the bytes of the arguments, and an object in any case.
#[test]
fn t12_t44_arguments_are_carried() {
    let check = |arguments: &str, expected: &str| {
        let request = json!({"model": "m", "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": null, "tool_calls": [call("a", "f", arguments)]},
        ]});
        let quirks = Quirks::default();
        let encoded = encoded(&request, &target(&quirks, None)).expect("can be written");
        let body = std::str::from_utf8(&encoded.body).expect("UTF-8");
        let expected = format!(r#""args":{expected}}}}}"#);
        assert!(body.contains(&expected), "{arguments}: {body}");
    };
    check("", "{}");
    check("  ", "{}");
    check("null", "{}");
    check(
        r#"{"z": 1.0, "a":12345678901234567890123}"#,
        r#"{"z": 1.0, "a":12345678901234567890123}"#,
    );
    check(r#""{\"a\": 1e2}""#, r#"{"a": 1e2}"#);
    check(r#"{"a": "#, r#"{"_raw":"{\"a\": "}"#);
    check("[1]", r#"{"_raw":"[1]"}"#);
    check("{} {}", r#"{"_raw":"{} {}"}"#);
}

/// T32: each signature on its own part, the dummy only where there is none.
#[test]
fn t32_signatures_stand_on_their_parts() {
    let sealed = |id: Value, data: &str, index: u64| {
        json!({"type": "reasoning.encrypted", "id": id, "data": data,
            "format": "google-gemini-v1", "index": index})
    };
    let messages = |details: Value| {
        json!([
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "Hello", "reasoning": "hm", "reasoning_details": details,
                "tool_calls": [call("a", "f", "{}"), call("b", "g", "{}")]},
        ])
    };
    let check = |details: Value, quirks: &Quirks, expected: Value| {
        let contents = contents(messages(details.clone()), quirks);
        assert_eq!(contents[1]["parts"], expected, "{details}");
    };
    let call_a = json!({"name": "f", "args": {}});
    let call_b = json!({"name": "g", "args": {}});
    let quirks = third_generation();
    check(
        json!([
            {"type": "reasoning.text", "text": "not signed", "format": "google-gemini-v1", "index": 0},
            {"type": "reasoning.text", "text": "signed ", "format": "google-gemini-v1", "index": 1},
            {"type": "reasoning.text", "text": "", "signature": "sigR", "format": "google-gemini-v1", "index": 1},
            sealed(Value::Null, "sigT", 2),
            sealed("a".into(), "sigA", 3),
            sealed("gone".into(), "sigX", 4),
            sealed(Value::Null, "sigE", 5),
        ]),
        &quirks,
        json!([
            {"text": "signed ", "thought": true, "thoughtSignature": "sigR"},
            {"text": "Hello", "thoughtSignature": "sigT"},
            {"text": "", "thoughtSignature": "sigE"},
            {"functionCall": call_a, "thoughtSignature": "sigA"},
            {"functionCall": call_b},
        ]),
    );
    let foreign = json!([
        {"type": "reasoning.encrypted", "id": "a", "data": "x", "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "id": "a", "data": "x"},
        sealed("a".into(), "[REDACTED]", 0),
    ]);
    check(
        foreign.clone(),
        &quirks,
        json!([
            {"text": "Hello"},
            {"functionCall": call_a, "thoughtSignature": "skip_thought_signature_validator"},
            {"functionCall": call_b},
        ]),
    );
    check(
        foreign,
        &Quirks::default(),
        json!([{"text": "Hello"}, {"functionCall": call_a}, {"functionCall": call_b}]),
    );
}

/// After the provider refused the history once.
#[test]
fn sealed_reasoning_can_be_left_out() {
    let request = json!({"model": "m", "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": null, "tool_calls": [call("a", "f", "{}")],
            "reasoning_details": [{"type": "reasoning.encrypted", "id": "a", "data": "sig",
                "format": "google-gemini-v1"}]},
    ]});
    let quirks = third_generation();
    let target = Target {
        strip_sealed_reasoning: true,
        ..target(&quirks, None)
    };
    let part = body_of(&request, &target)["contents"][1]["parts"][0].take();
    assert_eq!(part["thoughtSignature"], "skip_thought_signature_validator");
}

/// T42: names Google refuses are mapped, everywhere alike, and can be mapped back.
#[test]
fn t42_names_are_mapped() {
    let request = json!({"model": "m",
        "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": null, "tool_calls": [call("a", "1st-tool", "{}")]},
            {"role": "tool", "tool_call_id": "a", "content": "done"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "1st-tool"}},
            {"type": "function", "function": {"name": "fine.name"}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "1st-tool"}},
    });
    let quirks = Quirks::default();
    let encoded = encoded(&request, &target(&quirks, None)).expect("can be written");
    let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
    let [(sent, written)] = encoded.read_back.tool_names.as_slice() else {
        panic!("one name: {:?}", encoded.read_back);
    };
    assert_eq!(written, "1st-tool");
    assert!(sent.starts_with("_1st-tool_") && sent.len() <= 64, "{sent}");
    let functions = &body["tools"][0]["functionDeclarations"];
    assert_eq!(functions[0]["name"], **sent);
    assert_eq!(functions[1]["name"], "fine.name");
    assert_eq!(
        body["contents"][1]["parts"][0]["functionCall"]["name"],
        **sent
    );
    assert_eq!(
        body["contents"][2]["parts"][0]["functionResponse"]["name"],
        **sent
    );
    assert_eq!(
        body["toolConfig"]["functionCallingConfig"],
        json!({"mode": "ANY", "allowedFunctionNames": [sent]})
    );
}

#[test]
fn tool_choice_becomes_a_mode() {
    let check = |fields: Value, expected: Value| {
        let mut request = with_fields(fields);
        if request.get("tools").is_none() {
            request["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
        }
        let quirks = Quirks::default();
        let body = body_of(&request, &target(&quirks, None));
        let mode = &body["toolConfig"]["functionCallingConfig"]["mode"];
        assert_eq!(*mode, expected, "{request}");
        assert_eq!(body["tools"][0]["functionDeclarations"][0]["name"], "f");
    };
    check(json!({}), Value::Null);
    check(
        json!({"tool_choice": "auto", "parallel_tool_calls": false}),
        Value::Null,
    );
    check(json!({"tool_choice": "none"}), "NONE".into());
    check(json!({"tool_choice": "required"}), "ANY".into());
    let strict = json!([{"type": "function", "function": {"name": "f", "strict": true}}]);
    check(json!({"tools": strict}), "VALIDATED".into());
    check(
        json!({"tools": strict, "tool_choice": "required"}),
        "ANY".into(),
    );
}

/// Schemas go out in the order and with the numbers they were written in.
#[test]
fn schemas_are_carried() {
    let schema = r#"{"type": "object", "properties": {"z": {"multipleOf": 1.0}, "a": {}}, "additionalProperties": false}"#;
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],
        "tools":[{{"type":"function","function":{{"name":"f","parameters":{schema}}}}}],
        "response_format":{{"type":"json_schema","json_schema":{{"name":"n","schema":{schema}}}}}}}"#
    );
    let quirks = third_generation();
    let request = parse(body.as_bytes()).expect("a request");
    let encoded = encode(&request, &target(&quirks, None)).expect("can be written");
    let body = std::str::from_utf8(&encoded.body).expect("UTF-8");
    assert!(
        body.contains(&format!(r#""parametersJsonSchema":{schema}"#)),
        "{body}"
    );
    assert!(
        body.contains(&format!(r#""responseJsonSchema":{schema}"#)),
        "{body}"
    );
    assert!(
        body.contains(r#""responseMimeType":"application/json""#),
        "{body}"
    );
}

#[test]
fn structured_output_falls_back() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let schema =
        json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}});
    let old = Quirks {
        json_schema_fields: false,
        ..Quirks::default()
    };
    let without_schemas = Quirks {
        json_schema: false,
        ..Quirks::default()
    };
    let check = |fields: Value, quirks: &Quirks, field: Value, is_prompted: bool| {
        let body = body_of(&with_fields(fields.clone()), &target(quirks, None));
        assert_eq!(body["generationConfig"], field, "{fields}");
        assert_eq!(
            !body["systemInstruction"].is_null(),
            is_prompted,
            "{fields}"
        );
    };
    let json_only = json!({"responseMimeType": "application/json"});
    check(
        json!({"response_format": {"type": "text"}}),
        &old,
        Value::Null,
        false,
    );
    check(
        json!({"response_format": {"type": "json_object"}}),
        &old,
        json_only.clone(),
        false,
    );
    let with_schema =
        json!({"responseMimeType": "application/json", "responseSchema": {"type": "object"}});
    check(json!({"response_format": schema}), &old, with_schema, false);
    check(
        json!({"response_format": schema}),
        &without_schemas,
        json_only,
        true,
    );
    // Refused together with functions before the third generation.
    check(
        json!({"response_format": schema, "tools": tools}),
        &old,
        Value::Null,
        true,
    );
}

#[test]
fn sampling_is_renamed_and_numbers_stay() {
    let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}],
        "temperature":0.70,"top_p":1,"top_k":40,"presence_penalty":-0.5,"frequency_penalty":1e-1,
        "seed":7,"stop":["a","","b"],"max_tokens":100,"logprobs":true,"top_logprobs":3,
        "min_p":0.1,"logit_bias":{"1":2},"verbosity":"low","user":"u","service_tier":"flex"}"#;
    let quirks = Quirks::default();
    let request = parse(body).expect("a request");
    let encoded = encode(&request, &target(&quirks, None)).expect("can be written");
    assert_eq!(
        std::str::from_utf8(&encoded.body).expect("UTF-8"),
        concat!(
            r#"{"generationConfig":{"maxOutputTokens":100,"temperature":0.70,"topP":1,"topK":40,"#,
            r#""presencePenalty":-0.5,"frequencyPenalty":1e-1,"seed":7,"stopSequences":["a","b"],"#,
            r#""responseLogprobs":true,"logprobs":3},"serviceTier":"flex","#,
            r#""contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#,
        )
    );
}

#[test]
fn unsupported_parameters_are_dropped() {
    let quirks = Quirks::default();
    let target = Target {
        parameters: Parameters::EMPTY.with(Parameter::TopP),
        ..target(&quirks, None)
    };
    let fields = json!({"temperature": 1, "top_p": 0.5, "seed": 1, "stop": "x", "top_k": 3,
        "tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required"});
    let body = body_of(&with_fields(fields), &target);
    assert_eq!(body["generationConfig"], json!({"topP": 0.5}));
    assert_eq!(body["tools"], Value::Null);
    assert_eq!(body["toolConfig"], Value::Null);
}

#[test]
fn limits_take_the_least() {
    let check = |asked: Option<u64>, possible: Option<u64>, cap: Option<u64>, expected: Value| {
        let quirks = Quirks::default();
        let target = Target {
            max_completion_tokens: possible,
            output_cap: cap,
            ..target(&quirks, None)
        };
        let config = config(json!({"max_tokens": asked}), &target);
        assert_eq!(
            config["maxOutputTokens"], expected,
            "{asked:?} {possible:?} {cap:?}"
        );
    };
    check(None, Some(50), None, Value::Null);
    check(None, Some(50), Some(40), 40.into());
    check(Some(60), Some(50), None, 50.into());
    check(Some(60), None, Some(40), 40.into());
    check(Some(30), Some(50), Some(40), 30.into());
}

#[test]
fn wide_seeds_are_folded() {
    let quirks = Quirks::default();
    let target = target(&quirks, None);
    let seed = |seed: i64| {
        config(json!({"seed": seed}), &target)["seed"]
            .as_i64()
            .expect("a seed")
    };
    assert_eq!(seed(-5), -5);
    let wide = seed((1 << 40) + 77);
    assert!(i32::try_from(wide).is_ok());
    assert_eq!(wide, seed((1 << 40) + 77));
}

#[test]
fn modalities_and_their_settings() {
    let quirks = Quirks::default();
    let target = target(&quirks, None);
    let image = json!({"modalities": ["image", "text"],
        "image_config": {"aspect_ratio": "16:9", "image_size": "2K", "quality": "high"}});
    assert_eq!(
        config(image, &target),
        json!({"responseModalities": ["TEXT", "IMAGE"],
            "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"}})
    );
    assert_eq!(
        config(json!({"modalities": ["text"]}), &target),
        Value::Null
    );
    let audio = json!({"modalities": ["audio"], "stream": true, "audio": {"voice": "Kore", "format": "pcm16"}});
    assert_eq!(
        config(audio, &target),
        json!({"responseModalities": ["AUDIO"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}})
    );
}

#[test]
fn effort_becomes_a_budget() {
    let check = |kind: (bool, GeminiThinking), fields: Value, expected: Value| {
        let quirks = Quirks {
            gemini_thinking: kind.1,
            ..Quirks::default()
        };
        let abilities = Reasoning {
            is_mandatory: kind.0,
            ..Reasoning::default()
        };
        let target = Target {
            max_completion_tokens: Some(10_000),
            ..target(&quirks, Some(&abilities))
        };
        assert_eq!(
            config(fields.clone(), &target)["thinkingConfig"],
            expected,
            "{fields}"
        );
    };
    let flash = (false, GeminiThinking::Budget);
    let pro = (true, GeminiThinking::Budget);
    let effort = |effort: &str| json!({"reasoning": {"effort": effort}});
    let budget = |tokens: u64| json!({"includeThoughts": true, "thinkingBudget": tokens});
    check((false, GeminiThinking::None), effort("high"), Value::Null);
    check(flash, json!({}), json!({"includeThoughts": true}));
    check(flash, effort("high"), budget(8_000));
    check(flash, effort("minimal"), budget(1_000));
    check(
        flash,
        effort("none"),
        json!({"includeThoughts": false, "thinkingBudget": 0}),
    );
    check(
        pro,
        effort("none"),
        json!({"includeThoughts": false, "thinkingBudget": 128}),
    );
    check(
        flash,
        json!({"reasoning": {"max_tokens": 100}}),
        budget(512),
    );
    check(pro, json!({"reasoning": {"max_tokens": 100}}), budget(128));
    check(
        flash,
        json!({"reasoning": {"max_tokens": 99_999}}),
        budget(24_576),
    );
    check(
        pro,
        json!({"reasoning": {"max_tokens": 99_999}}),
        budget(32_768),
    );
    check(
        flash,
        json!({"reasoning": {"effort": "low"}, "max_tokens": 4_000}),
        budget(800),
    );
    check(
        flash,
        json!({"reasoning": {"exclude": true, "effort": "medium"}}),
        json!({"includeThoughts": false, "thinkingBudget": 5_000}),
    );
}

#[test]
fn effort_becomes_a_level() {
    let check = |efforts: Option<&[&str]>, fields: Value, expected: Value| {
        let quirks = Quirks {
            gemini_thinking: GeminiThinking::Level,
            ..Quirks::default()
        };
        let abilities = Reasoning {
            supported_efforts: efforts
                .map(|efforts| efforts.iter().map(|effort| (*effort).to_owned()).collect()),
            ..Reasoning::default()
        };
        let target = target(&quirks, Some(&abilities));
        assert_eq!(
            config(fields.clone(), &target)["thinkingConfig"],
            expected,
            "{fields}"
        );
    };
    let effort = |effort: &str| json!({"reasoning": {"effort": effort}});
    let level = |level: &str| json!({"includeThoughts": true, "thinkingLevel": level});
    let pro: Option<&[&str]> = Some(&["high", "low"]);
    check(None, effort("max"), level("high"));
    check(None, effort("xhigh"), level("high"));
    check(None, effort("minimal"), level("minimal"));
    check(
        None,
        effort("none"),
        json!({"includeThoughts": false, "thinkingLevel": "minimal"}),
    );
    check(pro, effort("medium"), level("low"));
    check(pro, effort("minimal"), level("low"));
    check(pro, effort("high"), level("high"));
    check(Some(&[]), effort("high"), json!({"includeThoughts": true}));
    // Never level and budget together.
    let budget = json!({"includeThoughts": true, "thinkingBudget": 2_000});
    check(None, json!({"reasoning": {"max_tokens": 2_000}}), budget);
    check(None, json!({}), json!({"includeThoughts": true}));
}

#[test]
fn budgets_become_levels_where_there_is_no_budget() {
    let check = |tokens: u64, expected: &str| {
        let quirks = Quirks {
            gemini_thinking: GeminiThinking::Level,
            ..Quirks::default()
        };
        let abilities = Reasoning {
            supports_max_tokens: Some(false),
            ..Reasoning::default()
        };
        let target = target(&quirks, Some(&abilities));
        let fields = json!({"reasoning": {"max_tokens": tokens}, "max_tokens": 10_000});
        let config = config(fields, &target);
        assert_eq!(
            config["thinkingConfig"]["thinkingLevel"], expected,
            "{tokens}"
        );
    };
    check(1_000, "minimal");
    check(1_100, "low");
    check(4_000, "medium");
    check(8_000, "high");
    check(9_900, "high");
}

const PNG: &str = "data:image/jpeg;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ";

#[test]
fn media_go_inline_under_their_true_type() {
    let parts = |part: Value| {
        let messages = json!([{"role": "user", "content": [part]}]);
        contents(messages, &Quirks::default())[0]["parts"][0].take()
    };
    let image = json!({"type": "image_url", "image_url": {"url": PNG}});
    let data = PNG.split_once(',').expect("a comma").1;
    assert_eq!(
        parts(image),
        json!({"inlineData": {"mimeType": "image/png", "data": data}})
    );
    let audio = json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}});
    assert_eq!(
        parts(audio),
        json!({"inlineData": {"mimeType": "audio/mp3", "data": "AAAA"}})
    );
    let file =
        json!({"type": "file", "file": {"file_data": "data:text/plain;charset=utf-8;base64,YQ=="}});
    assert_eq!(
        parts(file),
        json!({"inlineData": {"mimeType": "text/plain", "data": "YQ=="}})
    );
    let tube = json!({"type": "video_url", "video_url": {"url": "https://youtu.be/x"}});
    assert_eq!(
        parts(tube),
        json!({"fileData": {"fileUri": "https://youtu.be/x"}})
    );
}

#[test]
fn links_are_followed_or_fetched() {
    let url = "https://example.org/cat.PNG?x=1";
    let request = json!({"model": "m", "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "image_url", "image_url": {"url": url}},
    ]}]})
    .to_string();
    let request = parse(request.as_bytes()).expect("a request");
    let follows = Quirks {
        file_links: true,
        ..Quirks::default()
    };
    assert!(links_to_fetch(&request, &target(&follows, None)).is_empty());
    let encoded = encode(&request, &target(&follows, None)).expect("can be written");
    let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
    assert_eq!(
        body["contents"][0]["parts"][0],
        json!({"fileData": {"mimeType": "image/png", "fileUri": url}})
    );

    let inlines = Quirks::default();
    let target = target(&inlines, None);
    assert_eq!(links_to_fetch(&request, &target), [url]);
    let failure = encode(&request, &target).expect_err("nothing was fetched");
    assert_eq!(failure.error_type, ErrorType::ImageDownloadFailed);
    let fetched =
        |link: &str| (link == url).then(|| ("image/webp".to_owned(), Bytes::from_static(b"abc")));
    let encoded = encode_with_media(&request, &target, &fetched).expect("can be written");
    let body: Value = serde_json::from_slice(&encoded.body).expect("JSON");
    assert_eq!(
        body["contents"][0]["parts"][1],
        json!({"inlineData": {"mimeType": "image/webp", "data": "YWJj"}})
    );
}

#[test]
fn bad_media_are_the_callers_fault() {
    let check = |url: &str| {
        let request = json!({"model": "m", "messages": [{"role": "user", "content": [
            {"type": "file", "file": {"file_data": url}}]}]});
        let quirks = Quirks::default();
        let failure = encoded(&request, &target(&quirks, None)).expect_err(url);
        assert_eq!(failure.retry, interline_domain::Retry::No, "{url}");
    };
    check("data:image/png;base64");
    check("data:image/png,abc");
    check("data:;base64,YQ==");
}

/// T16: images in results stay with their result where Google takes them there.
#[test]
fn t16_images_in_results() {
    let messages = json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": null, "tool_calls": [call("a", "f", "{}")]},
        {"role": "tool", "tool_call_id": "a", "content": [
            {"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": PNG}}]},
    ]);
    let blob = json!({"inlineData": {"mimeType": "image/png",
        "data": PNG.split_once(',').expect("a comma").1}});
    let new = contents(messages.clone(), &third_generation());
    assert_eq!(
        new[2]["parts"],
        json!([{"functionResponse": {"name": "f", "response": {"output": "see"}, "parts": [blob]}}])
    );
    let old = contents(messages, &Quirks::default());
    assert_eq!(
        old[2]["parts"],
        json!([{"functionResponse": {"name": "f", "response": {"output": "see"}}}, blob])
    );
}

#[test]
fn image_detail_becomes_one_resolution() {
    let check = |details: &[&str], expected: Value| {
        let parts: Vec<Value> = details
            .iter()
            .map(|detail| json!({"type": "image_url", "image_url": {"url": PNG, "detail": detail}}))
            .collect();
        let request = json!({"model": "m", "messages": [{"role": "user", "content": parts}]});
        let quirks = Quirks::default();
        let body = body_of(&request, &target(&quirks, None));
        assert_eq!(
            body["generationConfig"]["mediaResolution"], expected,
            "{details:?}"
        );
    };
    check(&["auto"], Value::Null);
    check(&["low", "low"], "MEDIA_RESOLUTION_LOW".into());
    check(&["low", "auto"], Value::Null);
    check(&["auto", "high"], "MEDIA_RESOLUTION_HIGH".into());
}

/// The server tool that Google has too; others are nobody's to run here.
#[test]
fn server_tools_are_hosted_or_dropped() {
    let check = |quirks: &Quirks, tools: Value, expected: Value| {
        let body = body_of(&with_fields(json!({"tools": tools})), &target(quirks, None));
        assert_eq!(body["tools"], expected, "{tools}");
    };
    let search = json!({"type": "openrouter:web_search"});
    let function = json!({"type": "function", "function": {"name": "f"}});
    let declared = json!({"functionDeclarations": [
        {"name": "f", "parametersJsonSchema": {"type": "object", "properties": {}}}]});
    let hosted = json!({"googleSearch": {}});
    let old = Quirks::default();
    check(&old, json!([search]), json!([hosted]));
    check(&old, json!([search, function]), json!([declared]));
    check(
        &third_generation(),
        json!([search, function]),
        json!([declared, hosted]),
    );
    check(&old, json!([{"type": "openrouter:datetime"}]), Value::Null);
}

#[test]
fn declared_fields_are_passed_on() {
    let quirks = Quirks {
        passthrough: vec!["safetySettings".to_owned()],
        ..Quirks::default()
    };
    let fields = json!({"safetySettings": [{"category": "X"}], "unknown": 1});
    let body = body_of(&with_fields(fields), &target(&quirks, None));
    assert_eq!(body["safetySettings"], json!([{"category": "X"}]));
    assert_eq!(body["unknown"], Value::Null);
}

/// Caches of the provider hold: the same conversation and one turn more begins the same.
#[test]
fn a_longer_conversation_begins_the_same() {
    let mut messages = vec![
        json!({"role": "system", "content": "S"}),
        json!({"role": "user", "content": "one"}),
        json!({"role": "assistant", "content": null, "tool_calls": [call("a", "1x", "{\"k\": 1}")]}),
        json!({"role": "tool", "tool_call_id": "a", "content": "r"}),
    ];
    let quirks = third_generation();
    let body = |messages: &[Value]| {
        let request = json!({"model": "m", "messages": messages, "temperature": 0.5, "max_tokens": 9,
            "tools": [{"type": "function", "function": {"name": "1x", "parameters": {"type": "object"}}}]});
        let once = encoded(&request, &target(&quirks, None)).expect("can be written");
        let twice = encoded(&request, &target(&quirks, None)).expect("can be written");
        assert_eq!(once, twice);
        String::from_utf8(once.body.to_vec()).expect("UTF-8")
    };
    let short = body(&messages);
    messages.push(json!({"role": "assistant", "content": "done"}));
    messages.push(json!({"role": "user", "content": "two"}));
    let long = body(&messages);
    let end = short.strip_suffix("]}").expect("contents last");
    assert!(long.starts_with(end), "{short}\n{long}");
}

/// What Gemini said comes back to it as it was said.
#[test]
fn an_answer_can_be_replayed() {
    use crate::gemini::{Options, decode};
    use crate::testing::Collected;
    let answer = json!({"candidates": [{"content": {"role": "model", "parts": [
        {"text": "Hm.", "thought": true, "thoughtSignature": "sigR"},
        {"text": "Hello", "thoughtSignature": "sigT"},
        {"functionCall": {"name": "f", "args": {"b": 1, "a": [2]}}, "thoughtSignature": "sigC"},
        {"functionCall": {"name": "g", "args": {}}},
    ]}, "finishReason": "STOP"}]});
    let mut collected = Collected::default();
    decode(
        answer.to_string().as_bytes(),
        Options::default(),
        &mut collected,
    )
    .expect("an answer");
    let choice = collected.first();
    let calls: Vec<Value> = choice
        .tool_calls
        .iter()
        .map(|it| call(&it.id, &it.name, &it.arguments))
        .collect();
    let details: Vec<Value> = choice
        .details
        .iter()
        .map(|it| match it.kind {
            "reasoning.text" => json!({"type": it.kind, "text": it.text, "signature": it.sealed,
                "format": it.format.as_str(), "index": it.block}),
            _ => json!({"type": it.kind, "data": it.sealed, "id": it.id,
                "format": it.format.as_str(), "index": it.block}),
        })
        .collect();
    let contents = contents(
        json!([
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": choice.content, "reasoning": choice.reasoning,
                "reasoning_details": details, "tool_calls": calls},
        ]),
        &third_generation(),
    );
    assert_eq!(
        contents[1]["parts"],
        answer["candidates"][0]["content"]["parts"]
    );
}
