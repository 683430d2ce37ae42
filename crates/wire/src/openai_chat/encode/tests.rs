use super::*;
use crate::chat::parse::parse;
use interline_domain::Parameters;
use interline_domain::catalogue::Reasoning;
use interline_domain::quirks::{
    ContentArrays, NullContent, Quirks, ReasoningInput, ReasoningReplay, StrictTools,
};
use proptest::prelude::*;
use serde_json::Value;

/// An endpoint that takes everything, to be narrowed by each test.
#[derive(Clone, Debug)]
struct Setup {
    quirks: Quirks,
    parameters: Parameters,
    reasoning: Option<Reasoning>,
    max_completion_tokens: Option<u64>,
    output_cap: Option<u64>,
    user_hash: Option<&'static str>,
    swap_limit_field: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            quirks: Quirks {
                developer_role: true,
                ..Quirks::default()
            },
            parameters: Parameter::ALL.iter().copied().collect(),
            reasoning: None,
            max_completion_tokens: None,
            output_cap: None,
            user_hash: None,
            swap_limit_field: false,
        }
    }
}

impl Setup {
    fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut setup = Self::default();
        change(&mut setup);
        setup
    }

    fn quirk(change: impl FnOnce(&mut Quirks)) -> Self {
        Self::with(|setup| change(&mut setup.quirks))
    }

    fn encode(&self, request: &str) -> Encoded {
        let body = Bytes::from(request.to_owned());
        let parsed = parse(&body).unwrap_or_else(|error| panic!("{error:?}: {request}"));
        let target = Target {
            upstream_model: "up",
            max_completion_tokens: self.max_completion_tokens,
            parameters: self.parameters,
            quirks: &self.quirks,
            reasoning: self.reasoning.as_ref(),
            output_cap: self.output_cap,
            user_hash: self.user_hash,
            strip_sealed_reasoning: false,
            swap_limit_field: self.swap_limit_field,
        };
        encode(&parsed, &body, &target).unwrap()
    }

    /// The body, byte for byte.
    fn body(&self, request: &str) -> String {
        String::from_utf8(self.encode(request).body.to_vec()).unwrap()
    }
}

#[track_caller]
fn check(setup: &Setup, request: &str, expected: &str) {
    assert_eq!(setup.body(request), expected, "{request}");
}

/// Compares the messages alone.
#[track_caller]
fn check_messages(setup: &Setup, messages: &str, expected: &str) {
    let request = format!(r#"{{"model":"m","messages":{messages}}}"#);
    check(
        setup,
        &request,
        &format!(r#"{{"model":"up","messages":{expected}}}"#),
    );
}

/// Compares the fields beside `messages`, which always say "hi".
#[track_caller]
fn check_fields(setup: &Setup, fields: &str, expected: &str) {
    const HI: &str = r#""messages":[{"role":"user","content":"hi"}]"#;
    let (comma, after) = if expected.is_empty() {
        ("", "")
    } else {
        (",", expected)
    };
    check(
        setup,
        &format!(r#"{{"model":"m",{HI},{fields}}}"#),
        &format!(r#"{{"model":"up",{HI}{comma}{after}}}"#),
    );
}

const TOOLS: &str = r#""tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]"#;

#[test]
fn golden_files() {
    let setups = [
        ("openai-chat-image-in-tool-result", Setup::default()),
        (
            "deepseek-reasoning-replay",
            Setup::quirk(|quirks| {
                quirks.limit = LimitField::MaxTokens;
                quirks.reasoning_input = ReasoningInput::ThinkingAndEffort;
                quirks.reasoning_replay = ReasoningReplay::Required;
                quirks.null_content = NullContent::EmptyString;
            }),
        ),
        (
            "groq-reasoning-strip",
            Setup::quirk(|quirks| quirks.reasoning_input = ReasoningInput::EffortAndFormat),
        ),
    ];
    for (name, setup) in setups {
        let path = format!("{}/golden/encode/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let fixture: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let body = setup.body(&fixture["request"].to_string());
        let mut body: Value = serde_json::from_str(&body).unwrap();
        body["model"] = "m".into();
        assert_eq!(body, fixture["body"], "{name}");
    }
}

#[test]
fn what_needs_no_change_is_copied() {
    let messages = r#"[ {"role":"system","content":"s"}, {"content" : [{"type":"text","text":"\u00e9"}],"role":"user","x":1.0},
      {"role":"system","content":"later"},{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"b\": 1.0}"}},
      {"id":"b","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":""},
      {"role":"tool","tool_call_id":"b","content":"2"},{"role":"user","content":[{"type":"text","text":"t"},{"type":"image_url","image_url":{"url":"https://x/y"}}]} ]"#;
    check_messages(&Setup::default(), messages, messages);
}

#[test]
fn our_fields_go_and_theirs_stay() {
    let setup = Setup::default();
    check_fields(
        &setup,
        r#""provider":{},"plugins":[],"models":["b"],"route":"fallback","preset":"p","session_id":"s",
        "trace":{},"debug":{},"transforms":[],"usage":{"include":true},"cache_control":{"type":"ephemeral"},
        "user":"me","n":1,"speed":"fast","max_tool_calls":3,"structured_outputs":true,"include_reasoning":null,
        "stream_options":{"include_usage":true},"stream":null"#,
        "",
    );
    // A field invented yesterday works, as it was written.
    check_fields(
        &setup,
        r#""temperature": 0.70,"min_p":1e0,"seed":12345678901234567890,"invented":{"a": [1.0]},"safe_prompt":true"#,
        r#""temperature":0.70,"min_p":1e0,"seed":12345678901234567890,"invented":{"a": [1.0]},"safe_prompt":true"#,
    );
    // What only OpenAI has needs a declaration.
    let fields =
        r#""store":true,"metadata":{"a":"b"},"service_tier":"fast","prompt_cache_key":"k""#;
    check_fields(&setup, fields, "");
    let all = Setup::quirk(|quirks| quirks.passthrough = vec!["*".into()]);
    check_fields(&all, fields, &fields.replace("fast", "priority"));
    let closed = Setup::quirk(|quirks| quirks.passthrough = vec!["metadata".into()]);
    check_fields(
        &closed,
        r#""metadata":{"a":"b"},"store":true,"invented":1,"stop":"x""#,
        r#""metadata":{"a":"b"},"stop":"x""#,
    );
}

#[test]
fn parameters_the_endpoint_lacks_are_dropped() {
    let every = r#""temperature":1,"top_p":1,"top_k":1,"min_p":0,"top_a":0,"frequency_penalty":0,"presence_penalty":0,"repetition_penalty":1,"logit_bias":{},"logprobs":true,"top_logprobs":1,"seed":1,"stop":["x"],"verbosity":"low","prediction":{"type":"content","content":"x"},"web_search_options":{},"response_format":{"type":"json_object"}"#;
    check_fields(&Setup::default(), every, every);
    let none = Setup::with(|setup| setup.parameters = Parameters::EMPTY);
    check_fields(&none, every, "");
    check_fields(
        &none,
        &format!(r#"{TOOLS},"tool_choice":"auto","parallel_tool_calls":false"#),
        "",
    );
    check_fields(
        &Setup::default(),
        r#""verbosity":"max","stop":["","x"]"#,
        r#""verbosity":"high","stop":["x"]"#,
    );
    check_fields(&Setup::default(), r#""stop":[""]"#, "");
}

#[test]
fn the_limit_has_one_name() {
    fn limit(change: impl FnOnce(&mut Setup), fields: &str, expected: &str) {
        check_fields(&Setup::with(change), fields, expected);
    }
    limit(|_| (), r#""max_tokens":9"#, r#""max_tokens":9"#);
    limit(
        |_| (),
        r#""max_completion_tokens":9"#,
        r#""max_completion_tokens":9"#,
    );
    limit(
        |_| (),
        r#""max_tokens":9,"max_completion_tokens":8"#,
        r#""max_completion_tokens":8"#,
    );
    let new = |setup: &mut Setup| setup.quirks.limit = LimitField::MaxCompletionTokens;
    limit(new, r#""max_tokens":9"#, r#""max_completion_tokens":9"#);
    let old = |setup: &mut Setup| setup.quirks.limit = LimitField::MaxTokens;
    limit(old, r#""max_completion_tokens":9"#, r#""max_tokens":9"#);
    let swapped = |setup: &mut Setup| {
        setup.quirks.limit = LimitField::MaxTokens;
        setup.swap_limit_field = true;
    };
    limit(swapped, r#""max_tokens":9"#, r#""max_completion_tokens":9"#);
    let listed = |setup: &mut Setup| {
        setup.parameters = [Parameter::MaxTokens].into_iter().collect();
    };
    limit(listed, r#""max_completion_tokens":9"#, r#""max_tokens":9"#);
    let capped = |setup: &mut Setup| {
        setup.output_cap = Some(5);
        setup.max_completion_tokens = Some(8);
    };
    limit(capped, r#""max_tokens":9"#, r#""max_tokens":5"#);
    limit(capped, r#""max_tokens":4"#, r#""max_tokens":4"#);
    limit(capped, r#""seed":1"#, r#""seed":1,"max_tokens":5"#);
    let roomy = |setup: &mut Setup| {
        setup.output_cap = Some(8);
        setup.max_completion_tokens = Some(8);
    };
    limit(roomy, r#""seed":1"#, r#""seed":1"#);
}

#[test]
fn streams_ask_for_usage() {
    let asked = r#""stream":true,"stream_options":{"include_usage":true}"#;
    check_fields(&Setup::default(), r#""stream":true"#, asked);
    check_fields(
        &Setup::default(),
        r#""stream_options":{"x":1},"stream":true"#,
        asked,
    );
    check_fields(&Setup::default(), r#""stream":false"#, r#""stream":false"#);
    let padded = Setup::quirk(|quirks| quirks.include_obfuscation = true);
    check_fields(
        &padded,
        r#""stream":true"#,
        r#""stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}"#,
    );
    let auto = Setup::quirk(|quirks| quirks.include_usage = false);
    check_fields(&auto, r#""stream":true"#, r#""stream":true"#);
}

#[test]
fn the_end_user_is_hashed_or_absent() {
    let hashed = Setup::with(|setup| setup.user_hash = Some("h"));
    check_fields(&hashed, r#""user":"me""#, r#""user":"h""#);
    let declared = Setup::with(|setup| {
        setup.user_hash = Some("h");
        setup.quirks.passthrough = vec!["safety_identifier".into()];
    });
    check_fields(&declared, r#""user":"me""#, r#""safety_identifier":"h""#);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn reasoning_is_asked_for_in_the_endpoints_words() {
    use ReasoningInput as I;
    fn able(levels: Option<&[&str]>, is_mandatory: bool) -> Reasoning {
        Reasoning {
            is_mandatory,
            supported_efforts: levels
                .map(|levels| levels.iter().map(ToString::to_string).collect()),
            ..Reasoning::default()
        }
    }
    let low_high = able(Some(&["high", "low"]), false);
    let mandatory = able(Some(&["high", "medium", "low"]), true);
    let flash = able(Some(&["max", "high", "low"]), false);
    let switch = able(Some(&[]), false);
    let any = able(None, false);
    for (input, abilities, wanted, expected) in [
        (
            I::Effort,
            &any,
            r#""reasoning":{"effort":"minimal"}"#,
            r#""reasoning_effort":"minimal""#,
        ),
        (
            I::Effort,
            &any,
            r#""reasoning_effort":"none""#,
            r#""reasoning_effort":"none""#,
        ),
        (I::Effort, &any, r#""reasoning":{"exclude":true}"#, ""),
        (
            I::Effort,
            &any,
            r#""reasoning":{"enabled":true}"#,
            r#""reasoning_effort":"medium""#,
        ),
        (
            I::Effort,
            &low_high,
            r#""reasoning_effort":"medium""#,
            r#""reasoning_effort":"low""#,
        ),
        (
            I::Effort,
            &low_high,
            r#""reasoning_effort":"max""#,
            r#""reasoning_effort":"high""#,
        ),
        (
            I::Effort,
            &low_high,
            r#""reasoning_effort":"none""#,
            r#""reasoning_effort":"low""#,
        ),
        (
            I::Effort,
            &mandatory,
            r#""reasoning":{"enabled":false}"#,
            r#""reasoning_effort":"low""#,
        ),
        (I::Effort, &switch, r#""reasoning_effort":"high""#, ""),
        (
            I::Effort,
            &any,
            r#""reasoning":{"max_tokens":20},"max_tokens":100"#,
            r#""max_tokens":100,"reasoning_effort":"low""#,
        ),
        (
            I::Effort,
            &any,
            r#""reasoning":{"max_tokens":20}"#,
            r#""reasoning_effort":"medium""#,
        ),
        (
            I::EffortAndFormat,
            &any,
            r#""reasoning_effort":"low""#,
            r#""reasoning_format":"parsed","reasoning_effort":"low""#,
        ),
        (
            I::EffortAndFormat,
            &any,
            r#""reasoning_format":"raw""#,
            r#""reasoning_format":"parsed""#,
        ),
        (
            I::ReasoningEffortObject,
            &any,
            r#""reasoning":{"effort":"low","exclude":true}"#,
            r#""reasoning":{"effort":"low"}"#,
        ),
        (
            I::ReasoningEffortObject,
            &any,
            r#""reasoning":{"max_tokens":99}"#,
            r#""reasoning":{"max_tokens":99}"#,
        ),
        (
            I::ReasoningEnabled,
            &any,
            r#""reasoning":{}"#,
            r#""reasoning":{"enabled":true}"#,
        ),
        (
            I::ReasoningEnabled,
            &any,
            r#""reasoning_effort":"none""#,
            r#""reasoning":{"enabled":false}"#,
        ),
        (
            I::Thinking,
            &any,
            r#""reasoning_effort":"none""#,
            r#""thinking":{"type":"disabled"}"#,
        ),
        (
            I::Thinking,
            &any,
            r#""thinking":{"type":"auto"},"reasoning_effort":"low""#,
            r#""thinking":{"type":"enabled"}"#,
        ),
        (
            I::Thinking,
            &any,
            r#""thinking":{"type":"auto"}"#,
            r#""thinking":{"type":"auto"}"#,
        ),
        (
            I::ThinkingAndEffort,
            &any,
            r#""reasoning_effort":"xhigh""#,
            r#""thinking":{"type":"enabled"},"reasoning_effort":"max""#,
        ),
        (
            I::ThinkingAndEffort,
            &flash,
            r#""reasoning_effort":"low""#,
            r#""thinking":{"type":"enabled"},"reasoning_effort":"low""#,
        ),
        (
            I::ThinkingAndEffort,
            &any,
            r#""reasoning":{"enabled":false}"#,
            r#""thinking":{"type":"disabled"}"#,
        ),
        (
            I::EnableThinking,
            &any,
            r#""reasoning_effort":"low""#,
            r#""enable_thinking":true"#,
        ),
        (
            I::EnableThinking,
            &any,
            r#""reasoning":{"max_tokens":7}"#,
            r#""enable_thinking":true,"thinking_budget":7"#,
        ),
        (
            I::TemplateKwargs,
            &any,
            r#""chat_template_kwargs":{"a":1},"reasoning_effort":"none""#,
            r#""chat_template_kwargs":{"a":1,"enable_thinking":false}"#,
        ),
        (
            I::TemplateKwargs,
            &any,
            r#""chat_template_kwargs":{"enable_thinking":false},"reasoning_effort":"low""#,
            r#""chat_template_kwargs":{"enable_thinking":false}"#,
        ),
        (I::None, &any, r#""reasoning_effort":"low""#, ""),
    ] {
        let setup = Setup::with(|setup| {
            setup.quirks.reasoning_input = input;
            setup.reasoning = Some(abilities.clone());
        });
        check_fields(&setup, wanted, expected);
    }
    let unable = Setup::with(|setup| setup.parameters = Parameters::EMPTY);
    check_fields(&unable, r#""reasoning":{"effort":"high"}"#, "");
}

#[test]
fn tools_and_choices() {
    let setup = Setup::default();
    let f = r#""tools":[{"type":"function","function":{"name":"f"}}]"#;
    let named = r#""tool_choice":{"type":"function","function":{"name":"f"}}"#;
    for choice in [
        r#""tool_choice":"auto""#,
        r#""tool_choice":"none""#,
        r#""tool_choice":"required""#,
        named,
    ] {
        let fields = format!("{TOOLS},{choice}");
        check_fields(&setup, &fields, &fields);
    }
    check_fields(
        &setup,
        r#""tools":[],"tool_choice":"auto","parallel_tool_calls":true"#,
        "",
    );
    // Server tools are not the provider's business.
    check_fields(
        &setup,
        r#""tools":[{"type":"function","function":{"name":"web_search"}},{"type":"web_search"}],"tool_choice":{"type":"web_search"}"#,
        r#""tools":[{"type":"function","function":{"name":"web_search"}}]"#,
    );
    let no_none = Setup::quirk(|quirks| quirks.tool_choice_none = false);
    check_fields(&no_none, &format!(r#"{TOOLS},"tool_choice":"none""#), "");
    let no_named = Setup::quirk(|quirks| quirks.tool_choice_named = false);
    check_fields(
        &no_named,
        &format!("{TOOLS},{named}"),
        &format!(r#"{f},"tool_choice":"required""#),
    );
    let strict = r#""tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"b": 1,"a":2}},"cache_control":{"type":"ephemeral"}}]"#;
    let lax = Setup::quirk(|quirks| quirks.strict_tools = StrictTools::Drop);
    check_fields(
        &lax,
        strict,
        r#""tools":[{"type":"function","function":{"name":"f","parameters":{"b": 1,"a":2}}}]"#,
    );
    let cached = Setup::quirk(|quirks| quirks.passthrough = vec!["cache_control".into()]);
    check_fields(&cached, strict, strict);
}

#[test]
fn what_cannot_be_said_in_parameters_is_said_in_words() {
    let must = "You must call one of the tools.";
    let weak = Setup::quirk(|quirks| {
        quirks.tool_choice_required = false;
        quirks.json_schema = false;
        quirks.developer_role = false;
    });
    check(
        &weak,
        &format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{TOOLS},"tool_choice":"required"}}"#
        ),
        &format!(
            r#"{{"model":"up","messages":[{{"role":"system","content":"{must}"}},{{"role":"user","content":"hi"}}],{TOOLS}}}"#
        ),
    );
    check(
        &weak,
        &format!(
            r#"{{"model":"m","messages":[{{"role":"developer","content":"s"}},{{"role":"user","content":"hi"}}],{TOOLS},"tool_choice":"required"}}"#
        ),
        &format!(
            r#"{{"model":"up","messages":[{{"role":"system","content":"s\n\n{must}"}},{{"role":"user","content":"hi"}}],{TOOLS}}}"#
        ),
    );
    let format = r#""response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}"#;
    let body = weak.body(&format!(
        r#"{{"messages":[{{"role":"user","content":"hi"}}],{format}}}"#
    ));
    assert!(
        body.contains(r#""response_format":{"type":"json_object"}"#),
        "{body}"
    );
    assert!(
        body.contains(r#"JSON Schema, and nothing else: {\"type\":\"object\"}"#),
        "{body}"
    );
    check_fields(&Setup::default(), format, format);
    // DeepSeek cannot be forced while it thinks.
    let deepseek =
        Setup::quirk(|quirks| quirks.reasoning_input = ReasoningInput::ThinkingAndEffort);
    let request = |effort: &str| {
        format!(
            r#"{{"messages":[{{"role":"user","content":"hi"}}],{TOOLS},"tool_choice":"required","reasoning_effort":"{effort}"}}"#
        )
    };
    assert!(deepseek.body(&request("high")).contains(must));
    assert!(
        deepseek
            .body(&request("none"))
            .contains(r#""tool_choice":"required""#)
    );
}

#[test]
fn odd_names_and_ids_are_mapped() {
    let long = "x".repeat(41);
    let request = format!(
        r#"{{"messages":[{{"role":"assistant","tool_calls":[{{"id":"{long}","type":"function","function":{{"name":"mcp.read","arguments":""}}}}]}},
        {{"role":"tool","tool_call_id":"{long}","content":"x"}}],"tools":[{{"type":"function","function":{{"name":"mcp.read"}}}}],
        "tool_choice":{{"type":"function","function":{{"name":"mcp.read"}}}}}}"#
    );
    let encoded = Setup::default().encode(&request);
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    let call = &body["messages"][0]["tool_calls"][0];
    let name = call["function"]["name"].as_str().unwrap();
    assert!(names::is_plain(name), "{name}");
    assert_eq!(call["function"]["arguments"], "{}");
    assert_eq!(body["tools"][0]["function"]["name"], name);
    assert_eq!(body["tool_choice"]["function"]["name"], name);
    let id = call["id"].as_str().unwrap();
    assert!(names::is_short(id) && id.starts_with("call_"), "{id}");
    assert_eq!(body["messages"][1]["tool_call_id"], id);
    assert_eq!(
        encoded.read_back.tool_names,
        [(name.to_owned(), "mcp.read".to_owned())]
    );
}

#[test]
fn only_the_messages_concerned_are_rewritten() {
    let user = r#"{"role":"user" , "content":"\u0061"}"#;
    let sys = Setup::quirk(|quirks| quirks.developer_role = false);
    check_messages(
        &sys,
        &format!(r#"[{{"role":"developer","content":"d","x":1}},{user}]"#),
        &format!(r#"[{{"role":"system","content":"d","x":1}},{user}]"#),
    );
    // An answer sent back as it was received.
    check_messages(
        &Setup::default(),
        &format!(
            r#"[{user},{{"role":"assistant","content":"a","refusal":null,"reasoning":"r","reasoning_details":[{{"type":"reasoning.text","text":"r"}}],"tool_calls":[],"images":[],"annotations":[],"model":"m"}},{user}]"#
        ),
        &format!(r#"[{user},{{"role":"assistant","content":"a"}},{user}]"#),
    );
    check_messages(
        &Setup::default(),
        &format!(r#"[{user},{{"role":"assistant","content":null}},{{"role":"assistant"}}]"#),
        &format!(
            r#"[{user},{{"role":"assistant","content":""}},{{"role":"assistant","content":""}}]"#
        ),
    );
    let marked = r#"[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}},{"type":"new","x":1}]}]"#;
    check_messages(
        &Setup::default(),
        marked,
        r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"new","x":1}]}]"#,
    );
    let keeps = Setup::quirk(|quirks| quirks.passthrough = vec!["cache_control".into()]);
    check_messages(&keeps, marked, marked);
    let breaks = Setup::quirk(|quirks| quirks.passthrough = vec!["prompt_cache_breakpoint".into()]);
    check_messages(
        &breaks,
        marked,
        r#"[{"role":"user","content":[{"type":"text","text":"a","prompt_cache_breakpoint":{"mode":"explicit"}},{"type":"new","x":1}]}]"#,
    );
}

#[test]
fn reasoning_of_earlier_turns() {
    let turn = r#"[{"role":"assistant","content":"a","reasoning_content":"r"}]"#;
    let replay = |replay| Setup::quirk(move |quirks| quirks.reasoning_replay = replay);
    for (how, expected) in [
        (
            ReasoningReplay::Drop,
            r#"[{"role":"assistant","content":"a"}]"#,
        ),
        (ReasoningReplay::Content, turn),
        (ReasoningReplay::Required, turn),
        (
            ReasoningReplay::Reasoning,
            r#"[{"role":"assistant","content":"a","reasoning":"r"}]"#,
        ),
    ] {
        check_messages(&replay(how), turn, expected);
    }
    check_messages(
        &replay(ReasoningReplay::Content),
        r#"[{"role":"assistant","content":"a","reasoning_details":[{"type":"reasoning.text","text":"r"},{"type":"reasoning.encrypted","data":"x"},{"type":"reasoning.text","text":"s"}]}]"#,
        r#"[{"role":"assistant","content":"a","reasoning_content":"r\ns"}]"#,
    );
    // Nothing is invented for a turn without calls.
    let plain = r#"[{"role":"assistant","content":"a"}]"#;
    check_messages(&replay(ReasoningReplay::Required), plain, plain);
}

#[test]
fn contents_take_the_shape_the_endpoint_knows() {
    let arrays = r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"user","content":[{"type":"text","text":"c"},{"type":"image_url","image_url":{"url":"https://x"}}]}]"#;
    let flat = r#"[{"role":"user","content":"a\nb"},{"role":"user","content":[{"type":"text","text":"c"},{"type":"image_url","image_url":{"url":"https://x"}}]}]"#;
    for how in [ContentArrays::Flatten, ContentArrays::OnlyWithMedia] {
        check_messages(
            &Setup::quirk(|quirks| quirks.content_arrays = how),
            arrays,
            flat,
        );
    }
    let nameless = Setup::quirk(|quirks| quirks.message_names = false);
    check_messages(
        &nameless,
        r#"[{"role":"user","name":"Ann","content":"hi"},{"role":"user","name":"Bo","content":[{"type":"text","text":"a"}]},{"role":"tool","name":"f","tool_call_id":"c","content":"x"}]"#,
        r#"[{"role":"user","content":"Ann: hi"},{"role":"user","content":[{"type":"text","text":"Bo: "},{"type":"text","text":"a"}]},{"role":"tool","tool_call_id":"c","content":"x"}]"#,
    );
    let calls =
        r#""tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]"#;
    let turn = format!(r#"[{{"role":"assistant","content":null,{calls}}}]"#);
    check_messages(&Setup::default(), &turn, &turn);
    check_messages(
        &Setup::quirk(|quirks| quirks.null_content = NullContent::EmptyString),
        &turn,
        &format!(r#"[{{"role":"assistant","content":"",{calls}}}]"#),
    );
    check_messages(
        &Setup::quirk(|quirks| quirks.null_content = NullContent::Omit),
        &turn,
        &format!(r#"[{{"role":"assistant",{calls}}}]"#),
    );
}

#[test]
fn media_of_results_follow_the_run_of_results() {
    let image = |n: u8| format!(r#"{{"type":"image_url","image_url":{{"url":"https://x/{n}"}}}}"#);
    check_messages(
        &Setup::default(),
        &format!(
            r#"[{{"role":"tool","tool_call_id":"a","content":[{},{{"type":"text","text":"t"}},{}]}},{{"role":"tool","tool_call_id":"b","content":[{}]}},{{"role":"user","content":"go"}}]"#,
            image(1),
            image(2),
            image(3),
        ),
        &format!(
            r#"[{{"role":"tool","tool_call_id":"a","content":"[image 1 follows]\nt\n[image 2 follows]"}},{{"role":"tool","tool_call_id":"b","content":"[image 3 follows]"}},{{"role":"user","content":[{{"type":"text","text":"[image 1 from tool call a]"}},{},{{"type":"text","text":"[image 2 from tool call a]"}},{},{{"type":"text","text":"[image 3 from tool call b]"}},{}]}},{{"role":"user","content":"go"}}]"#,
            image(1),
            image(2),
            image(3),
        ),
    );
}

#[test]
fn a_prompt_becomes_a_message() {
    check(
        &Setup::default(),
        r#"{"prompt":"a\"b"}"#,
        r#"{"model":"up","messages":[{"role":"user","content":"a\"b"}]}"#,
    );
}

#[test]
fn lone_surrogates_are_replaced() {
    check_messages(
        &Setup::default(),
        r#"[{"role":"user","content":"\ud83d \uD83D\uDE00 \\ud83d \ude00"}]"#,
        r#"[{"role":"user","content":"\ufffd \uD83D\uDE00 \\ud83d \ufffd"}]"#,
    );
}

#[test]
fn repeated_keys_are_sent_once() {
    check(
        &Setup::default(),
        r#"{"model":"a","messages":[{"role":"user","content":"x"}],"temperature":1,"messages":[{"role":"user","content":"y"}],"temperature":2,"model":"b"}"#,
        r#"{"messages":[{"role":"user","content":"y"}],"temperature":2,"model":"up"}"#,
    );
}

fn message() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        r#"{"type":"text","text":"p"}"#,
        r#"{"type":"text","text":"q","cache_control":{"type":"ephemeral"}}"#,
        r#"{"type":"image_url","image_url":{"url":"https://x"}}"#,
        r#"{"type":"new"}"#,
    ]);
    let content = prop_oneof![
        "[a-z\u{e9}\u{4e00}\\\\\"]{1,8}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        prop::collection::vec(part, 1..4).prop_map(|parts| format!("[{}]", parts.join(","))),
    ];
    (0..4_u8, content, any::<bool>(), any::<bool>()).prop_map(|(role, content, extra, calls)| {
        match role {
            0 => format!(r#"{{"role":"user","content":{content},"name":"n"}}"#),
            1 => format!(r#"{{"role":"tool","tool_call_id":"c","content":{content}}}"#),
            2 => {
                let extra = if extra { r#","reasoning":"r","refusal":null"# } else { "" };
                let calls = if calls {
                    r#","tool_calls":[{"id":"c","type":"function","function":{"name":"a.b","arguments":""}}]"#
                } else {
                    ""
                };
                format!(r#"{{"role":"assistant","content":null{extra}{calls}}}"#)
            }
            _ => r#"{"role":"developer","content":"d"}"#.to_owned(),
        }
    })
}

fn any_setup() -> impl Strategy<Value = Setup> {
    (0..4_u8, 0..3_u8, any::<[bool; 6]>()).prop_map(|(replay, null, flags)| {
        Setup::quirk(|quirks| {
            quirks.reasoning_replay = match replay {
                0 => ReasoningReplay::Drop,
                1 => ReasoningReplay::Content,
                2 => ReasoningReplay::Reasoning,
                _ => ReasoningReplay::Required,
            };
            quirks.null_content = match null {
                0 => NullContent::Keep,
                1 => NullContent::EmptyString,
                _ => NullContent::Omit,
            };
            quirks.developer_role = flags[0];
            quirks.message_names = flags[1];
            if flags[2] {
                quirks.content_arrays = ContentArrays::Flatten;
            }
            if flags[3] {
                quirks.passthrough = vec!["cache_control".into()];
            }
            quirks.json_schema = flags[4];
            quirks.tool_choice_required = flags[5];
        })
    })
}

proptest! {
    /// Same input, same bytes; one more turn keeps the bytes before it. (A run of tool results is
    /// one turn: its media follow it.)
    #[test]
    fn one_more_turn_keeps_the_prefix(
        setup in any_setup(),
        history in prop::collection::vec(message(), 1..8),
    ) {
        let request = |messages: &[String]| format!(r#"{{"messages":[{}]}}"#, messages.join(","));
        let mut history = history;
        history.push(r#"{"role":"user","content":"x"}"#.to_owned());
        let before = setup.body(&request(&history));
        prop_assert_eq!(&before, &setup.body(&request(&history)));
        prop_assert!(serde_json::from_str::<Value>(&before).is_ok(), "{}", before);
        history.push(r#"{"role":"assistant","content":"more"}"#.to_owned());
        let after = setup.body(&request(&history));
        let kept = before.strip_suffix("]}").unwrap_or(&before);
        prop_assert!(after.starts_with(kept), "{}\n{}", before, after);
    }

    /// Whatever stands beside the messages, the body is JSON.
    #[test]
    fn bodies_are_json(setup in any_setup(), messages in prop::collection::vec(message(), 1..5), key in "x-[a-z\"\\\\\u{e9}]{1,6}") {
        let request = format!(
            r#"{{{}:[1],"messages":[{}],{TOOLS},"tool_choice":"required","response_format":{{"type":"json_schema","json_schema":{{"name":"n","schema":{{}}}}}},"stop":["\"\""]}}"#,
            serde_json::to_string(&key).unwrap(),
            messages.join(","),
        );
        let body: Value = serde_json::from_str(&setup.body(&request)).unwrap();
        prop_assert!(body["messages"].as_array().is_some_and(|sent| sent.len() >= messages.len()));
    }
}
