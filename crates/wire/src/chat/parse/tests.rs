use super::*;
use crate::chat::request::{Content, PartKind, ReasoningDetailKind, Role, ToolChoice};
use interline_domain::{ErrorType, Parameters};
use proptest::prelude::*;

fn with(fields: &str) -> String {
    format!(r#"{{"messages":[{{"role":"user","content":"hi"}}],{fields}}}"#)
}

/// `expected` is `path: message`, or the message alone where there is no path.
fn refused(body: &str, expected_type: ErrorType, expected: &str) {
    let Err(error) = parse(body.as_bytes()) else {
        panic!("accepted: {body}");
    };
    assert_eq!(error.error_type, expected_type, "{body}");
    assert_eq!(error.into_failure().message, expected, "{body}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn bad_fields_are_named() {
    for (fields, expected) in [
        (r#""model":7"#, "model: expected a string"),
        (r#""model":"""#, "model: must not be empty"),
        (r#""models":"a""#, "models: expected an array of strings"),
        (r#""models":["a",1]"#, "models[1]: expected a string"),
        (r#""stream":"yes""#, "stream: expected a boolean"),
        (
            r#""max_tokens":0"#,
            "max_tokens: expected an integer of at least 1",
        ),
        (
            r#""max_tokens":1.5"#,
            "max_tokens: expected an integer of at least 1",
        ),
        (
            r#""max_tokens":"9""#,
            "max_tokens: expected an integer of at least 1",
        ),
        (
            r#""max_completion_tokens":-1"#,
            "max_completion_tokens: expected an integer of at least 1",
        ),
        (
            r#""temperature":3"#,
            "temperature: expected a number from 0 to 2",
        ),
        (
            r#""temperature":"0""#,
            "temperature: expected a number from 0 to 2",
        ),
        (
            r#""top_p":0"#,
            "top_p: expected a number above 0 and at most 1",
        ),
        (r#""top_k":-1"#, "top_k: expected an integer of at least 0"),
        (r#""min_p":1.01"#, "min_p: expected a number from 0 to 1"),
        (r#""top_a":-0.1"#, "top_a: expected a number from 0 to 1"),
        (
            r#""presence_penalty":-2.5"#,
            "presence_penalty: expected a number from -2 to 2",
        ),
        (
            r#""frequency_penalty":[]"#,
            "frequency_penalty: expected a number from -2 to 2",
        ),
        (
            r#""repetition_penalty":0"#,
            "repetition_penalty: expected a number above 0 and at most 2",
        ),
        (r#""seed":0.5"#, "seed: expected an integer"),
        (r#""n":2"#, "n: only one choice can be asked for"),
        (
            r#""stop":7"#,
            "stop: expected a string or an array of strings",
        ),
        (
            r#""stop":["a","b","c","d","e"]"#,
            "stop: must have at most 4 entries",
        ),
        (r#""stop":["a",2]"#, "stop[1]: expected a string"),
        (
            r#""logit_bias":{"50":101}"#,
            "logit_bias.50: expected a number from -100 to 100",
        ),
        (r#""logprobs":1"#, "logprobs: expected a boolean"),
        (
            r#""top_logprobs":3"#,
            "top_logprobs: needs `logprobs: true`",
        ),
        (
            r#""logprobs":true,"top_logprobs":21"#,
            "top_logprobs: expected an integer from 0 to 20",
        ),
        (r#""tools":{}"#, "tools: expected an array"),
        (r#""tools":[7]"#, "tools[0]: expected an object"),
        (
            r#""tools":[{"function":{"name":"f"}}]"#,
            "tools[0].type: is required",
        ),
        (
            r#""tools":[{"type":"function"}]"#,
            "tools[0].function: is required",
        ),
        (
            r#""tools":[{"type":"function","function":{}}]"#,
            "tools[0].function.name: is required",
        ),
        (
            r#""tools":[{"type":"function","function":{"name":""}}]"#,
            "tools[0].function.name: expected 1 to 256 characters",
        ),
        (
            r#""tools":[{"type":"function","function":{"name":"f","parameters":[]}}]"#,
            "tools[0].function.parameters: expected an object",
        ),
        (
            r#""tools":[{"type":"magic"}]"#,
            "tools[0].type: expected `function` or a server tool (`openrouter:…`)",
        ),
        (
            r#""tool_choice":"any""#,
            "tool_choice: expected one of `none`, `auto`, `required`",
        ),
        (
            r#""tool_choice":7"#,
            "tool_choice: expected `none`, `auto`, `required` or an object",
        ),
        (
            r#""tool_choice":{"type":"function","function":{}}"#,
            "tool_choice.function.name: is required",
        ),
        (
            r#""response_format":{}"#,
            "response_format.type: is required",
        ),
        (
            r#""response_format":{"type":"json_schema","json_schema":{"schema":{}}}"#,
            "response_format.json_schema.name: is required",
        ),
        (
            r#""response_format":{"type":"json_schema","json_schema":{"name":"a b","schema":{}}}"#,
            "response_format.json_schema.name: expected 1 to 64 characters of [A-Za-z0-9_-]",
        ),
        (
            r#""reasoning":{"effort":"most"}"#,
            "reasoning.effort: expected one of `max`, `xhigh`, `high`, `medium`, `low`, `minimal`, `none`",
        ),
        (
            r#""reasoning":{"effort":"low"},"reasoning_effort":"high""#,
            "reasoning_effort: differs from `reasoning.effort`; send one of them",
        ),
        (
            r#""reasoning":{"max_tokens":0}"#,
            "reasoning.max_tokens: expected an integer of at least 1",
        ),
        (r#""reasoning":true"#, "reasoning: expected an object"),
        (
            r#""verbosity":"loud""#,
            "verbosity: expected one of `low`, `medium`, `high`, `xhigh`, `max`",
        ),
        (
            r#""modalities":["smell"]"#,
            "modalities[0]: expected one of `text`, `image`, `audio`",
        ),
        (
            r#""modalities":["audio"]"#,
            "modalities: audio output needs `stream: true`",
        ),
        (
            r#""cache_control":{"ttl":"5m"}"#,
            "cache_control.type: is required",
        ),
        (
            r#""cache_control":{"type":"ephemeral","ttl":"1d"}"#,
            "cache_control.ttl: expected one of `5m`, `1h`",
        ),
        (
            r#""service_tier":"gold""#,
            "service_tier: expected one of `auto`, `default`, `fast`, `flex`, `priority`, `scale`",
        ),
        (r#""metadata":{"a":1}"#, "metadata.a: expected a string"),
        (
            r#""metadata":{"a[0]":"x"}"#,
            "metadata: keys have at most 64 characters and no brackets",
        ),
        (r#""plugins":[1]"#, "plugins[0]: expected an object"),
        (
            r#""route":"scenic""#,
            "route: expected one of `fallback`, `sort`",
        ),
        (r#""provider":[]"#, "provider: expected an object"),
        (
            r#""debug":{"echo_upstream_body":1}"#,
            "debug.echo_upstream_body: expected a boolean",
        ),
        (
            r#""prediction":{"type":"guess"}"#,
            "prediction.type: expected one of `content`",
        ),
        (
            r#""max_tool_calls":31"#,
            "max_tool_calls: expected an integer from 0 to 30",
        ),
        (
            r#""stop_server_tools_when":[ ]"#,
            "stop_server_tools_when: must have at least one entry",
        ),
        // The first offending field of the body, not of our list.
        (
            r#""top_p":5,"model":7"#,
            "top_p: expected a number above 0 and at most 1",
        ),
    ] {
        refused(&with(fields), ErrorType::InvalidRequest, expected);
    }
    let long = "x".repeat(257);
    refused(
        &with(&format!(r#""session_id":"{long}""#)),
        ErrorType::InvalidRequest,
        "session_id: must have at most 256 characters",
    );
    let pairs: Vec<_> = (0..17).map(|n| format!(r#""k{n}":"v""#)).collect();
    refused(
        &with(&format!(r#""metadata":{{{}}}"#, pairs.join(","))),
        ErrorType::InvalidRequest,
        "metadata: must have at most 16 pairs",
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn bad_messages_are_named() {
    use ErrorType::{InvalidPrompt, InvalidRequest};
    for (messages, error_type, expected) in [
        (
            "[]",
            InvalidPrompt,
            "messages: must have at least one message",
        ),
        ("{}", InvalidRequest, "messages: expected an array"),
        ("[null]", InvalidRequest, "messages[0]: expected an object"),
        (
            r#"[{"content":"x"}]"#,
            InvalidPrompt,
            "messages[0].role: is required",
        ),
        (
            r#"[{"role":"function","content":"x"}]"#,
            InvalidPrompt,
            "messages[0].role: expected one of `system`, `developer`, `user`, `assistant`, `tool`",
        ),
        (
            r#"[{"role":"user"}]"#,
            InvalidPrompt,
            "messages[0].content: must not be empty",
        ),
        (
            r#"[{"role":"user","content":""}]"#,
            InvalidPrompt,
            "messages[0].content: must not be empty",
        ),
        (
            r#"[{"role":"user","content":[]}]"#,
            InvalidPrompt,
            "messages[0].content: must not be empty",
        ),
        (
            r#"[{"role":"user","content":7}]"#,
            InvalidRequest,
            "messages[0].content: expected a string or an array of content parts",
        ),
        (
            r#"[{"role":"user","content":[{"text":"x"}]}]"#,
            InvalidRequest,
            "messages[0].content[0].type: is required",
        ),
        (
            r#"[{"role":"user","content":[{"type":"text"}]}]"#,
            InvalidRequest,
            "messages[0].content[0].text: is required",
        ),
        (
            r#"[{"role":"user","content":"a"},{"role":"user","content":[{"type":"image_url","image_url":{"url":7}}]}]"#,
            InvalidRequest,
            "messages[1].content[0].image_url.url: expected a string",
        ),
        (
            r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"ftp://x"}}]}]"#,
            InvalidRequest,
            "messages[0].content[0].image_url.url: expected an https link or a `data:` URL",
        ),
        (
            r#"[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA"}}]}]"#,
            InvalidRequest,
            "messages[0].content[0].input_audio.format: is required",
        ),
        (
            r#"[{"role":"user","content":[{"type":"file","file":{}}]}]"#,
            InvalidRequest,
            "messages[0].content[0].file.file_data: is required without `file_id`",
        ),
        (
            r#"[{"role":"system","content":[{"type":"image_url","image_url":{"url":"https://x"}}]}]"#,
            InvalidRequest,
            "messages[0].content[0].type: only text parts are accepted in this role",
        ),
        (
            r#"[{"role":"tool","content":"x"}]"#,
            InvalidRequest,
            "messages[0].tool_call_id: is required",
        ),
        (
            r#"[{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}]"#,
            InvalidRequest,
            "messages[0].tool_calls[0].id: is required",
        ),
        (
            r#"[{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":{}}}]}]"#,
            InvalidRequest,
            "messages[0].tool_calls[0].function.arguments: expected a string of JSON text",
        ),
        (
            r#"[{"role":"assistant","reasoning_details":[{"type":"reasoning.encrypted"}]}]"#,
            InvalidRequest,
            "messages[0].reasoning_details[0].data: is required",
        ),
        (
            r#"[{"role":"assistant","content":"x","name":1}]"#,
            InvalidRequest,
            "messages[0].name: expected a string",
        ),
    ] {
        refused(
            &format!(r#"{{"messages":{messages}}}"#),
            error_type,
            expected,
        );
    }
}

#[test]
fn bad_bodies_are_refused_as_a_whole() {
    let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(128), "]".repeat(128));
    let wide: Vec<_> = (0..1_025).map(|n| format!(r#""f{n}":1"#)).collect();
    for (body, expected) in [
        (
            "",
            "the body is not valid JSON: EOF while parsing a value at line 1 column 0",
        ),
        ("[]", "the body must be a JSON object"),
        ("7", "the body must be a JSON object"),
        (
            "{\n \"a\": }",
            "the body is not valid JSON: expected value at line 2 column 7",
        ),
        (
            "{} x",
            "the body is not valid JSON: trailing characters at line 1 column 4",
        ),
        ("{}", "messages: is required"),
        (r#"{"messages":null}"#, "messages: is required"),
        (&deep, "the body is nested deeper than 128 levels"),
        (
            &format!("{{{}}}", wide.join(",")),
            "the body has more than 1024 fields",
        ),
    ] {
        let error = parse(body.as_bytes())
            .err()
            .map(|e| e.into_failure().message);
        let error = error.unwrap_or_default();
        assert!(error.starts_with(expected), "{error}\n{expected}");
    }
    let error = parse(b"{\n\"a\":\"\xff\"}").unwrap_err();
    assert_eq!(
        error.message,
        "the body is not valid UTF-8 at line 2 column 6"
    );
    // Brackets inside strings are not depth.
    assert!(parse(with(&format!(r#""x":"{}""#, "[".repeat(999))).as_bytes()).is_ok());
}

#[test]
fn an_ordinary_request_is_read() {
    let body = r#" { "model" : "a/b", "models":["a/b","c/d"], "stream":true, "max_tokens":9,
        "max_completion_tokens": 8, "stop":["x",""], "unknown": {"a": 1.0},
        "messages" : [ {"role":"system","content":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}]},
        {"role":"user","content":[ {"type":"text","text":"a\u00e9\ud83d\ude00\ud83d!\n"},
          {"type":"image_url","image_url":{"url":"https://x/y.png","detail":"low"}}, {"type":"new"} ]},
        {"role":"assistant","content":null,"reasoning_content":"r","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1.0}"}}],
         "reasoning_details":[{"type":"reasoning.text","text":"r","signature":"s","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"d","id":"c1","format":null}]},
        {"role":"tool","tool_call_id":"c1","content":""} ],
        "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"},"strict":true}},{"type":"openrouter:web_search"}],
        "tool_choice":{"type":"function","function":{"name":"f"}} } "#;
    let request = parse(body.as_bytes()).unwrap();
    assert_eq!(request.model.as_deref(), Some("a/b"));
    assert_eq!(request.max_tokens, Some(8));
    assert_eq!(request.stop, ["x"]);
    assert_eq!(
        request.field("unknown").map(RawValue::get),
        Some(r#"{"a": 1.0}"#)
    );
    let [system, user, assistant, tool] = &request.messages[..] else {
        panic!("four messages")
    };
    assert_eq!(system.role, Role::System);
    let Content::Parts(parts) = &system.content else {
        panic!("parts")
    };
    assert_eq!(
        parts[0].cache_control.map(RawValue::get),
        Some(r#"{"type":"ephemeral"}"#)
    );
    let Content::Parts(parts) = &user.content else {
        panic!("parts")
    };
    assert!(matches!(&parts[0].kind, PartKind::Text(text) if text == "aé😀\u{fffd}!\n"));
    assert!(
        matches!(&parts[1].kind, PartKind::Image { url, detail: Some(detail) } if url == "https://x/y.png" && detail == "low")
    );
    assert!(matches!(&parts[2].kind, PartKind::Other));
    assert_eq!(assistant.reasoning.as_deref(), Some("r"));
    assert_eq!(assistant.tool_calls[0].arguments, r#"{"a":1.0}"#);
    let details = &assistant.reasoning_details;
    assert!(
        matches!(&details[0].kind, ReasoningDetailKind::Text { signature: Some(signature), .. } if signature == "s")
    );
    assert_eq!(details[1].format, None);
    assert_eq!(tool.tool_call_id.as_deref(), Some("c1"));
    assert!(matches!(&tool.content, Content::Text(text) if text.is_empty()));
    assert_eq!(request.tools[1].name, "openrouter:web_search");
    assert_eq!(request.tool_choice, Some(ToolChoice::Named("f".into())));
    let expected: Parameters = [
        Parameter::MaxTokens,
        Parameter::MaxCompletionTokens,
        Parameter::Stop,
        Parameter::Tools,
        Parameter::ToolChoice,
    ]
    .into_iter()
    .collect();
    assert_eq!(request.parameters, expected);
}

#[test]
fn strings_are_borrowed_unless_escaped() {
    let body = with(r#""model":"a","user":"\u0062""#);
    let request = parse(body.as_bytes()).unwrap();
    assert!(matches!(request.model, Some(Cow::Borrowed("a"))));
    assert!(matches!(request.user, Some(Cow::Owned(user)) if user == "b"));
}

#[test]
fn the_last_of_a_repeated_key_wins() {
    let body = r#"{"model":7,"messages":[],"model":"b","messages":[{"role":"x","role":"user","content":"","content":"c"}]}"#;
    let request = parse(body.as_bytes()).unwrap();
    assert_eq!(request.model.as_deref(), Some("b"));
    assert!(matches!(&request.messages[0].content, Content::Text(text) if text == "c"));
    assert_eq!(request.fields.len(), 2);
    assert_eq!(request.fields[0].0, "model");
}

#[test]
fn reasoning_shorthands_are_merged() {
    fn check(fields: &str, effort: Option<&str>, exclude: bool) {
        let body = with(fields);
        let request = parse(body.as_bytes()).unwrap();
        let reasoning = request.reasoning.unwrap();
        assert_eq!(reasoning.effort.as_deref(), effort, "{fields}");
        assert_eq!(reasoning.exclude, exclude, "{fields}");
    }
    check(r#""reasoning":{"effort":"low"}"#, Some("low"), false);
    check(r#""reasoning_effort":"low""#, Some("low"), false);
    check(
        r#""reasoning":{"effort":"low"},"reasoning_effort":"low""#,
        Some("low"),
        false,
    );
    check(r#""reasoning":{"enabled":true}"#, Some("medium"), false);
    check(
        r#""reasoning":{"enabled":true,"max_tokens":9}"#,
        None,
        false,
    );
    check(
        r#""reasoning":{"enabled":false,"effort":"high"}"#,
        Some("none"),
        false,
    );
    check(r#""reasoning":{"exclude":true}"#, None, true);
    check(r#""include_reasoning":true"#, None, false);
    check(r#""include_reasoning":false"#, None, true);
    let body = with(r#""reasoning":null,"reasoning_effort":null"#);
    assert!(parse(body.as_bytes()).unwrap().reasoning.is_none());
}

#[test]
fn parameters_are_those_in_use() {
    fn check(fields: &str, expected: &[&str]) {
        let body = with(fields);
        let used = parse(body.as_bytes()).unwrap().parameters;
        let names: Vec<_> = used.iter().map(Parameter::as_str).collect();
        assert_eq!(names, expected, "{fields}");
    }
    check(r#""temperature":1,"top_p":null"#, &["temperature"]);
    check(r#""tools":[],"stop":[]"#, &[]);
    check(r#""response_format":{"type":"text"}"#, &[]);
    check(
        r#""response_format":{"type":"json_object"}"#,
        &["response_format"],
    );
    check(
        r#""response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{}}}"#,
        &["response_format", "structured_outputs"],
    );
    check(r#""structured_outputs":true"#, &["structured_outputs"]);
    check(r#""structured_outputs":false"#, &[]);
    check(
        r#""logprobs":true,"top_logprobs":2,"seed":-1,"n":1,"user":"u""#,
        &["logprobs", "top_logprobs", "seed"],
    );
}

#[test]
fn hostile_sizes_stay_linear() {
    let message = r#"{"role":"user","content":"a"}"#;
    let many = vec![message; 100_000].join(",");
    let body = format!(r#"{{"messages":[{many}]}}"#);
    assert_eq!(parse(body.as_bytes()).unwrap().messages.len(), 100_000);
    let body = format!(r#"{{"messages":[{many},{many}]}}"#);
    refused(
        &body,
        ErrorType::InvalidRequest,
        "messages: the request has more than 131072 items",
    );
    // Messages, parts and calls share one bound.
    let parts = vec![r#"{"type":"text","text":""}"#; 70_000].join(",");
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":[{parts}]}},{{"role":"user","content":[{parts}]}}]}}"#
    );
    refused(
        &body,
        ErrorType::InvalidRequest,
        "messages[1].content[61070]: the request has more than 131072 items",
    );
    let keys = vec![r#""content":"a""#; 500_000].join(",");
    let body = format!(r#"{{"messages":[{{"role":"user",{keys}}}]}}"#);
    assert!(parse(body.as_bytes()).is_ok());
    // Repeated names count, so the list of fields is bounded before repeats are dropped.
    let keys = vec![r#""model":"a""#; 1_024].join(",");
    assert_eq!(
        parse(format!("{{{keys}}}").as_bytes()).unwrap_err().path,
        "messages"
    );
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f32>().prop_map(|n| if n.is_finite() {
            n.to_string()
        } else {
            "0".into()
        }),
        any::<String>().prop_map(|s| serde_json::to_string(&s).unwrap_or_default()),
        prop::sample::select(vec![
            r#""user""#,
            r#""text""#,
            r#""assistant""#,
            r#""tool""#,
            r#""function""#,
            r#""\ud83d""#,
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        let key = prop::sample::select(vec![
            "role",
            "content",
            "messages",
            "type",
            "text",
            "image_url",
            "url",
            "tool_calls",
            "function",
            "name",
            "arguments",
            "id",
            "tools",
            "reasoning",
            "reasoning_details",
            "provider",
            "stop",
            "tool_choice",
            "response_format",
            "cache_control",
            "zzz",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::vec((key, inner), 0..6).prop_map(|entries| {
                let entries: Vec<_> = entries
                    .into_iter()
                    .map(|(key, value)| format!(r#""{key}" : {value}"#))
                    .collect();
                format!("{{ {} }}", entries.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        drop(parse(&bytes));
    }

    #[test]
    fn arbitrary_json_never_panics(text in json(), messages in json()) {
        drop(parse(text.as_bytes()));
        drop(parse(format!(r#"{{"messages":[{messages}],"x":{text}}}"#).as_bytes()));
        let message = format!(r#"{{"messages":[{{"role":"assistant","content":{messages},"tool_calls":{text}}}]}}"#);
        drop(parse(message.as_bytes()));
    }

    /// The lazy reader agrees with `serde_json` on what a string says and on what values there are.
    #[test]
    fn the_reader_agrees_with_serde(text in any::<String>(), items in prop::collection::vec(json(), 0..6)) {
        let written = serde_json::to_string(&text).unwrap_or_default();
        let value = Value::new(&written, &Path::Root);
        let read = value.string().unwrap_or_default();
        prop_assert_eq!(read.as_ref(), text.as_str());

        let array = format!("[ {} ]", items.join(" ,\n"));
        let mut found = Vec::new();
        let outcome = Value::new(&array, &Path::Root).items(|item| {
            found.push(item.text().to_owned());
            Ok(())
        });
        prop_assert!(outcome.is_ok());
        let expected: Vec<_> = items.iter().map(|item| item.trim().to_owned()).collect();
        prop_assert_eq!(found, expected);
    }
}
