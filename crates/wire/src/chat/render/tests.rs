use super::*;
use interline_domain::Usage;
use interline_domain::pricing::Charge;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::borrow::Cow;

fn identity() -> Identity {
    Identity {
        id: "gen-1".to_owned(),
        model: "author/slug".to_owned(),
        provider: "A \"quoted\" provider".to_owned(),
        created: 1_750_000_000,
        exclude_reasoning: false,
    }
}

const HEAD: &str = concat!(
    r#"data: {"id":"gen-1","provider":"A \"quoted\" provider","model":"author/slug","#,
    r#""object":"chat.completion.chunk","created":1750000000,"#,
);

fn rendered(events: Vec<Event<'_>>) -> String {
    let mut renderer = Renderer::new(identity());
    let mut out = BytesMut::new();
    for event in events {
        renderer.sink(&mut out).event(event);
    }
    String::from_utf8(out.to_vec()).unwrap()
}

/// The events of an SSE text, by the rules of the HTML standard, for our subset: lines end with
/// CR, LF or both; an empty line ends an event; `data` lines join with LF; comments are skipped.
fn sse_events(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Vec::new();
    let mut data: Option<String> = None;
    for line in text.split('\n') {
        if line.is_empty() {
            events.extend(data.take());
        } else if let Some(value) = line.strip_prefix("data:") {
            let value = value.strip_prefix(' ').unwrap_or(value);
            let joined = match data.take() {
                Some(before) => format!("{before}\n{value}"),
                None => value.to_owned(),
            };
            data = Some(joined);
        } else {
            assert!(line.starts_with(':'), "an unknown field: {line}");
        }
    }
    assert_eq!(data, None, "an event was not ended");
    events
}

fn deltas(text: &str) -> Vec<Value> {
    sse_events(text)
        .iter()
        .map(|event| {
            let chunk: Value = serde_json::from_str(event).unwrap();
            chunk["choices"][0]["delta"].clone()
        })
        .collect()
}

fn text(text: &str) -> Event<'_> {
    Event::Text {
        choice: 0,
        text: text.into(),
    }
}

#[test]
fn a_text_chunk_is_exactly_so() {
    let expected = format!(
        "{HEAD}{}\n\n",
        concat!(
            r#""choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null,"#,
            r#""native_finish_reason":null,"logprobs":null}]}"#,
        )
    );
    assert_eq!(rendered(vec![text("Hi")]), expected);
}

/// An event becomes one delta: role and empty content, and what is expected.
fn check(event: Event<'_>, expected: &Value) {
    let mut delta = json!({"role": "assistant", "content": ""});
    for (key, value) in expected.as_object().unwrap() {
        delta[key] = value.clone();
    }
    assert_eq!(deltas(&rendered(vec![event])), [delta]);
}

#[test]
fn reasoning_has_its_place_in_the_delta() {
    let format = ReasoningFormat::Anthropic;
    check(
        Event::Reasoning {
            choice: 0,
            block: 1,
            is_summary: false,
            text: "hm".into(),
            format,
        },
        &json!({"reasoning": "hm", "reasoning_details": [
            {"type": "reasoning.text", "text": "hm", "format": "anthropic-claude-v1", "index": 1}]}),
    );
    check(
        Event::Reasoning {
            choice: 0,
            block: 0,
            is_summary: true,
            text: "hm".into(),
            format: ReasoningFormat::OpenAiResponses,
        },
        &json!({"reasoning": "hm", "reasoning_details": [
            {"type": "reasoning.summary", "summary": "hm", "format": "openai-responses-v1", "index": 0}]}),
    );
    check(
        Event::ReasoningSignature {
            choice: 0,
            block: 1,
            signature: "c2ln".into(),
            format,
        },
        &json!({"reasoning_details": [
            {"type": "reasoning.text", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 1}]}),
    );
    check(
        Event::ReasoningOpaque {
            choice: 0,
            block: 2,
            id: None,
            data: "AAA=".into(),
            format: ReasoningFormat::Gemini,
        },
        &json!({"reasoning_details": [
            {"type": "reasoning.encrypted", "data": "AAA=", "id": null, "format": "google-gemini-v1", "index": 2}]}),
    );
}

#[test]
fn each_event_has_its_place_in_the_delta() {
    check(text("a"), &json!({"content": "a"}));
    check(
        Event::Refusal {
            choice: 0,
            text: "no".into(),
        },
        &json!({"refusal": "no"}),
    );
    check(
        Event::ToolStart {
            choice: 0,
            call: 1,
            id: "call_1".into(),
            name: "f".into(),
        },
        &json!({"tool_calls": [
            {"index": 1, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}]}),
    );
    check(
        Event::ToolArguments {
            choice: 0,
            call: 1,
            fragment: "{\"a\":".into(),
        },
        &json!({"tool_calls": [{"index": 1, "function": {"arguments": "{\"a\":"}}]}),
    );
    check(
        Event::Image {
            choice: 0,
            url: "data:image/png;base64,AA".into(),
        },
        &json!({"images": [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}, "index": 0}]}),
    );
    check(
        Event::Audio {
            choice: 0,
            id: None,
            data: Some("AA".into()),
            transcript: Some("ah".into()),
        },
        &json!({"audio": {"data": "AA", "transcript": "ah"}}),
    );
    check(
        Event::UrlCitation {
            choice: 0,
            url: "https://a.example".into(),
            title: None,
            content: Some("c".into()),
            start_index: 1,
            end_index: 3,
        },
        &json!({"annotations": [{"type": "url_citation", "url_citation": {
            "url": "https://a.example", "title": "", "content": "c", "start_index": 1, "end_index": 3}}]}),
    );
}

#[test]
fn what_says_nothing_is_not_written() {
    let mut renderer = Renderer::new(identity());
    let mut out = BytesMut::new();
    let mut sink = renderer.sink(&mut out);
    sink.event(Event::Start {
        upstream_id: Some("up".into()),
        upstream_model: None,
    });
    sink.event(text(""));
    sink.event(Event::Usage(Usage::default()));
    assert!(out.is_empty());
    assert!(!renderer.meter().has_content);
    assert_eq!(renderer.meter().upstream_id.as_deref(), Some("up"));
}

#[test]
fn excluded_reasoning_is_counted_and_not_written() {
    let mut renderer = Renderer::new(Identity {
        exclude_reasoning: true,
        ..identity()
    });
    let mut out = BytesMut::new();
    renderer.sink(&mut out).event(Event::Reasoning {
        choice: 0,
        block: 0,
        is_summary: false,
        text: "hm".into(),
        format: ReasoningFormat::Unknown,
    });
    assert!(out.is_empty());
    assert_eq!(renderer.meter().reasoning_bytes, 2);
    assert!(renderer.meter().has_content);
}

fn finished(events: Vec<Event<'_>>) -> (Meter, Vec<Value>) {
    let mut renderer = Renderer::new(identity());
    let mut out = BytesMut::new();
    for event in events {
        renderer.sink(&mut out).event(event);
    }
    assert!(!String::from_utf8_lossy(&out).contains("\"finish_reason\":\""));
    let meter = renderer.meter().clone();
    out.clear();
    let tail = Tail {
        metadata: Some("{\n\"attempt\": 1}".to_owned()),
        ..Tail::default()
    };
    renderer.finish(&tail, &mut out);
    let mut events = sse_events(std::str::from_utf8(&out).unwrap());
    assert_eq!(events.pop().as_deref(), Some("[DONE]"));
    let chunks = events
        .iter()
        .map(|event| serde_json::from_str(event).unwrap())
        .collect();
    (meter, chunks)
}

fn finish(choice: u32, reason: FinishReason, native: &str) -> Event<'_> {
    Event::Finish {
        choice,
        reason,
        native: Some(Cow::Borrowed(native)),
    }
}

fn tool_start(call: u32) -> Event<'static> {
    Event::ToolStart {
        choice: 0,
        call,
        id: "c".into(),
        name: "f".into(),
    }
}

#[test]
fn the_end_is_withheld_and_written_once() {
    let (meter, chunks) = finished(vec![
        text("a"),
        finish(0, FinishReason::Stop, "stop"),
        finish(0, FinishReason::Length, "length"),
        finish(0, FinishReason::Stop, "end_turn"),
    ]);
    let expected = Some((FinishReason::Length, Some("length".to_owned())));
    assert_eq!(meter.finish, expected);
    let [end, usage] = chunks.as_slice() else {
        panic!("{chunks:?}");
    };
    assert_eq!(
        end["choices"],
        json!([{"index": 0, "delta": {"role": "assistant", "content": ""},
            "finish_reason": "length", "native_finish_reason": "length", "logprobs": null}])
    );
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["total_tokens"], 0);
    assert_eq!(usage["openrouter_metadata"], json!({"attempt": 1}));
}

#[test]
fn a_stop_with_calls_ends_with_calls_and_bare_calls_get_an_empty_object() {
    let (meter, chunks) = finished(vec![
        finish(0, FinishReason::Stop, "STOP"),
        tool_start(0),
        tool_start(1),
        Event::ToolArguments {
            choice: 0,
            call: 1,
            fragment: "{\"a\":1}".into(),
        },
    ]);
    let expected = Some((FinishReason::ToolCalls, Some("STOP".to_owned())));
    assert_eq!(meter.finish, expected);
    let [arguments, end, _] = chunks.as_slice() else {
        panic!("{chunks:?}");
    };
    assert_eq!(
        arguments["choices"][0]["delta"]["tool_calls"],
        json!([{"index": 0, "function": {"arguments": "{}"}}])
    );
    assert_eq!(end["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(end["choices"][0]["native_finish_reason"], "STOP");
}

#[test]
fn every_choice_ends() {
    let second = Event::Text {
        choice: 1,
        text: "b".into(),
    };
    let (_, chunks) = finished(vec![
        second,
        text("a"),
        finish(1, FinishReason::Length, "length"),
        finish(0, FinishReason::Stop, "stop"),
    ]);
    let ends: Vec<_> = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["finish_reason"].as_str())
        .collect();
    assert_eq!(ends, ["stop", "length"]);
    // An answer without any event ends too.
    let (_, chunks) = finished(vec![]);
    assert_eq!(chunks[0]["choices"][0]["finish_reason"], "stop");
    assert_eq!(chunks[0]["choices"][0]["native_finish_reason"], Value::Null);
}

#[test]
fn a_failure_stops_the_writing() {
    let mut renderer = Renderer::new(identity());
    let mut out = BytesMut::new();
    let mut sink = renderer.sink(&mut out);
    sink.event(text("a"));
    sink.event(Event::Failed(Failure::unavailable("gone")));
    sink.event(text("b"));
    assert_eq!(sse_events(std::str::from_utf8(&out).unwrap()).len(), 1);
    out.clear();
    renderer.fail("{\"code\":502,\n\"message\":\"gone\"}", None, &mut out);
    let expected = format!(
        "{HEAD}{}\n\ndata: [DONE]\n\n",
        concat!(
            r#""error":{"code":502,"message":"gone"},"choices":[{"index":0,"#,
            r#""delta":{"role":"assistant","content":""},"finish_reason":"error","#,
            r#""native_finish_reason":null,"logprobs":null}]}"#,
        )
    );
    assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
}

#[test]
fn the_service_tier_stands_in_the_usage_chunk() {
    let mut out = BytesMut::new();
    let tail = Tail {
        charge: Charge::default(),
        ..Tail::default()
    };
    write_usage_chunk(&identity(), &tail, Some("flex"), &mut out);
    let text = std::str::from_utf8(&out).unwrap();
    let chunk: Value = serde_json::from_str(&sse_events(text)[0]).unwrap();
    assert_eq!(chunk["service_tier"], "flex");
    out.clear();
    write_comment(&mut out);
    assert_eq!(sse_events(std::str::from_utf8(&out).unwrap()), [""; 0]);
}

/// Text that would break a writer which forgets to escape.
fn hostile_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        (0_u8..0x20).prop_map(|byte| char::from(byte).to_string()),
        prop::sample::select(vec![
            "\n\n",
            "\r\n",
            "\r",
            "data: [DONE]\n\n",
            "\ndata:",
            "event: x",
            ":",
            "\"",
            "\\",
            "\\u000a",
            "\u{2028}",
            "\u{2029}",
            "\u{feff}",
            "\"}}]}",
            "</script>",
            "\u{0}",
            "😀",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 1..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// Model output is data: whatever it is, it makes one event, and reads back as it was.
    #[test]
    fn any_text_is_one_event(hostile in hostile_text()) {
        let string = || Cow::Borrowed(hostile.as_str());
        let format = ReasoningFormat::Unknown;
        let events: Vec<(Event<'_>, &str)> = vec![
            (Event::Text { choice: 0, text: string() }, "/content"),
            (Event::Refusal { choice: 0, text: string() }, "/refusal"),
            (Event::Reasoning { choice: 0, block: 0, is_summary: false, text: string(), format }, "/reasoning"),
            (Event::ReasoningOpaque { choice: 0, block: 0, id: Some(string()), data: string(), format }, "/reasoning_details/0/data"),
            (Event::ToolStart { choice: 0, call: 0, id: string(), name: string() }, "/tool_calls/0/function/name"),
            (Event::ToolArguments { choice: 0, call: 0, fragment: string() }, "/tool_calls/0/function/arguments"),
            (Event::Image { choice: 0, url: string() }, "/images/0/image_url/url"),
            (Event::Audio { choice: 0, id: None, data: None, transcript: Some(string()) }, "/audio/transcript"),
            (Event::UrlCitation { choice: 0, url: string(), title: Some(string()), content: None, start_index: 0, end_index: 0 }, "/annotations/0/url_citation/title"),
        ];
        for (event, pointer) in events {
            let deltas = deltas(&rendered(vec![event]));
            prop_assert_eq!(deltas.len(), 1);
            prop_assert_eq!(deltas[0].pointer(pointer).and_then(Value::as_str), Some(hostile.as_str()));
        }
    }

    /// The same for what a provider says about the end, and for names that an operator gave.
    #[test]
    fn any_label_stays_in_its_event(hostile in hostile_text()) {
        let identity = Identity { provider: hostile.clone(), model: hostile.clone(), ..identity() };
        let mut out = BytesMut::new();
        write_finish_chunk(&identity, 0, FinishReason::Stop, Some(&hostile), &mut out);
        let events = sse_events(std::str::from_utf8(&out).unwrap());
        prop_assert_eq!(events.len(), 1);
        let chunk: Value = serde_json::from_str(&events[0]).unwrap();
        prop_assert_eq!(&chunk["provider"], &Value::from(hostile.clone()));
        prop_assert_eq!(&chunk["choices"][0]["native_finish_reason"], &Value::from(hostile));
    }
}
