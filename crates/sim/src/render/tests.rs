use super::{Part, events, whole};
use crate::answer::Answer;
use crate::dialect::Dialect;
use crate::script::{Behaviour, Call, Counts, Tools};
use crate::seen::Seen;
use serde_json::Value;

const DIALECTS: [Dialect; 3] = [
    Dialect::OpenaiChat,
    Dialect::AnthropicMessages,
    Dialect::Gemini,
];

fn rich() -> Answer {
    let call = |name: &str| Call {
        name: name.into(),
        arguments: "{\"city\":\"Paris \\\"x\\\"\"}".into(),
    };
    let behaviour = Behaviour {
        reasoning: Some("Let me think.".into()),
        tools: Tools::Fixed(vec![call("a"), call("b")]),
        usage: Counts {
            prompt: Some(100),
            cached: Some(30),
            cache_write: Some(20),
            ..Counts::default()
        },
        ..Behaviour::default()
    };
    let seen = Seen {
        model: "m".into(),
        parallel: true,
        ..Seen::default()
    };
    Answer::new(3, &seen, &behaviour)
}

/// The JSON of each event, by the dialect's framing.
fn frames(dialect: Dialect, answer: &Answer) -> Vec<Value> {
    let end = if dialect == Dialect::Gemini {
        "\r\n\r\n"
    } else {
        "\n\n"
    };
    events(dialect, answer, true)
        .iter()
        .map(|event| {
            let text = std::str::from_utf8(&event.bytes).unwrap();
            let frame = text.strip_suffix(end).expect("the dialect's separator");
            let data = if dialect == Dialect::AnthropicMessages {
                let (name, data) = frame.split_once('\n').unwrap();
                let data = data.strip_prefix("data: ").unwrap();
                let value: Value = serde_json::from_str(data).unwrap();
                assert_eq!(
                    Some(name),
                    value["type"]
                        .as_str()
                        .map(|kind| format!("event: {kind}"))
                        .as_deref()
                );
                data
            } else {
                frame.strip_prefix("data: ").unwrap()
            };
            if data == "[DONE]" {
                Value::Null
            } else {
                serde_json::from_str(data).expect("JSON")
            }
        })
        .collect()
}

#[test]
fn streams_end_as_their_dialect_does() {
    for (dialect, tail) in [
        (
            Dialect::OpenaiChat,
            vec![Part::Finish, Part::Usage, Part::Done],
        ),
        (
            Dialect::AnthropicMessages,
            vec![Part::Frame, Part::Finish, Part::Done],
        ),
        (
            Dialect::Gemini,
            vec![Part::Content, Part::Content, Part::Finish],
        ),
    ] {
        let parts: Vec<Part> = events(dialect, &rich(), true)
            .iter()
            .map(|event| event.part)
            .collect();
        assert_eq!(parts[parts.len() - 3..], tail, "{dialect:?}");
    }
}

#[test]
fn openai_shapes() {
    let frames = frames(Dialect::OpenaiChat, &rich());
    assert_eq!(frames[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(
        frames[1]["choices"][0]["delta"]["reasoning_content"],
        "Let "
    );
    let arguments: String = frames
        .iter()
        .filter(|frame| frame["choices"][0]["delta"]["tool_calls"][0]["index"] == 1)
        .filter_map(|frame| {
            frame["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str()
        })
        .collect();
    assert_eq!(arguments, rich().calls[1].arguments);
    let usage = &frames[frames.len() - 2];
    assert_eq!(usage["choices"], serde_json::json!([]));
    assert_eq!(usage["usage"]["prompt_tokens_details"]["cached_tokens"], 30);
    assert_eq!(frames[0].get("usage"), Some(&Value::Null));
}

#[test]
fn anthropic_shapes() {
    let body: Value = serde_json::from_slice(&whole(Dialect::AnthropicMessages, &rich())).unwrap();
    let kinds: Vec<&str> = body["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| block["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["thinking", "tool_use", "tool_use"]);
    assert_eq!(body["usage"]["input_tokens"], 50);
    assert_eq!(body["usage"]["cache_creation_input_tokens"], 20);
    assert_eq!(body["stop_reason"], "tool_use");
}

#[test]
fn gemini_shapes() {
    let frames = frames(Dialect::Gemini, &rich());
    let calls: Vec<&Value> = frames
        .iter()
        .map(|frame| &frame["candidates"][0]["content"]["parts"][0])
        .filter(|part| !part["functionCall"].is_null())
        .collect();
    assert_eq!(calls.len(), 2);
    assert!(calls[0]["thoughtSignature"].is_string() && calls[1]["thoughtSignature"].is_null());
    let last = frames.last().unwrap();
    assert_eq!(last["candidates"][0]["finishReason"], "STOP");
    let usage = &last["usageMetadata"];
    assert_eq!(
        usage["totalTokenCount"],
        100 + rich().tokens.unwrap().completion
    );
    assert_eq!(
        usage["thoughtsTokenCount"],
        rich().tokens.unwrap().reasoning
    );
}

#[test]
fn whole_and_streamed_say_the_same() {
    for dialect in DIALECTS {
        let text = String::from_utf8(whole(dialect, &rich()).to_vec()).unwrap();
        for call in &rich().calls {
            assert!(text.contains(&call.name), "{dialect:?}: {text}");
        }
        assert!(text.contains("Let me think."), "{dialect:?}: {text}");
    }
}
