use super::*;
use serde_json::{Value, json};

fn identity(exclude_reasoning: bool) -> Identity {
    Identity {
        id: "gen-1".to_owned(),
        model: "author/slug".to_owned(),
        provider: "P".to_owned(),
        created: 7,
        exclude_reasoning,
    }
}

fn assembler(events: Vec<Event<'_>>) -> Assembler {
    let mut assembler = Assembler::new(identity(false));
    for event in events {
        assembler.event(event);
    }
    assembler
}

fn body(assembler: Assembler) -> Value {
    serde_json::from_slice(&Box::new(assembler).finish(&Tail::default())).unwrap()
}

/// The message that some events make.
fn message(events: Vec<Event<'_>>) -> Value {
    body(assembler(events))["choices"][0]["message"].clone()
}

fn text(text: &str) -> Event<'_> {
    Event::Text {
        choice: 0,
        text: text.into(),
    }
}

fn reasoning(block: u32, text: &str) -> Event<'_> {
    Event::Reasoning {
        choice: 0,
        block,
        is_summary: false,
        text: text.into(),
        format: ReasoningFormat::Anthropic,
    }
}

fn tool_start(call: u32) -> Event<'static> {
    Event::ToolStart {
        choice: 0,
        call,
        id: format!("call_{call}").into(),
        name: "f".into(),
    }
}

fn arguments(call: u32, fragment: &str) -> Event<'_> {
    Event::ToolArguments {
        choice: 0,
        call,
        fragment: fragment.into(),
    }
}

fn stop() -> Event<'static> {
    Event::Finish {
        choice: 0,
        reason: FinishReason::Stop,
        native: Some("end_turn".into()),
    }
}

#[test]
fn the_body_is_exactly_so() {
    let mut assembler = assembler(vec![text("Hel"), text("lo\n"), stop()]);
    assembler.tally.meter.service_tier = Some("default".to_owned());
    let tail = Tail {
        metadata: Some("{\"attempt\":1}".to_owned()),
        ..Tail::default()
    };
    let written = Box::new(assembler).finish(&tail);
    let mut usage = Vec::new();
    write_usage(&tail.usage, &tail.charge, false, &mut usage);
    let expected = format!(
        "{}{}{}",
        concat!(
            r#"{"id":"gen-1","provider":"P","model":"author/slug","object":"chat.completion","created":7,"#,
            r#""choices":[{"logprobs":null,"finish_reason":"stop","native_finish_reason":"end_turn","index":0,"#,
            r#""message":{"role":"assistant","content":"Hello\n","refusal":null,"reasoning":null}}],"#,
            r#""system_fingerprint":null,"service_tier":"default","usage":"#,
        ),
        String::from_utf8(usage).unwrap(),
        r#","openrouter_metadata":{"attempt":1}}"#,
    );
    assert_eq!(written, expected);
}

#[test]
fn content_is_null_only_beside_something_else() {
    let refusal = Event::Refusal {
        choice: 0,
        text: "no".into(),
    };
    assert_eq!(message(vec![])["content"], "");
    assert_eq!(message(vec![refusal])["content"], Value::Null);
    assert_eq!(message(vec![tool_start(0)])["content"], Value::Null);
    assert_eq!(message(vec![text("a"), tool_start(0)])["content"], "a");
}

#[test]
fn pieces_of_one_call_are_joined_and_no_arguments_are_an_object() {
    let body = body(assembler(vec![
        tool_start(0),
        tool_start(1),
        arguments(1, "{\"n\": 1"),
        arguments(0, " "),
        arguments(1, ".0}"),
        stop(),
    ]));
    let choice = &body["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(
        choice["message"]["tool_calls"],
        json!([
            {"index": 0, "id": "call_0", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"index": 1, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"n\": 1.0}"}},
        ])
    );
}

fn thoughts() -> Vec<Event<'static>> {
    vec![
        reasoning(0, "a"),
        reasoning(0, "b"),
        Event::ReasoningSignature {
            choice: 0,
            block: 0,
            signature: "c2ln".into(),
            format: ReasoningFormat::Anthropic,
        },
        Event::ReasoningOpaque {
            choice: 0,
            block: 1,
            id: Some("call_1".into()),
            data: "AAA=".into(),
            format: ReasoningFormat::Gemini,
        },
        reasoning(2, "c"),
    ]
}

#[test]
fn reasoning_of_one_block_is_one_detail() {
    let message = message(thoughts());
    assert_eq!(message["reasoning"], "abc");
    assert_eq!(
        message["reasoning_details"],
        json!([
            {"type": "reasoning.text", "text": "ab", "signature": "c2ln", "id": null,
                "format": "anthropic-claude-v1", "index": 0},
            {"type": "reasoning.encrypted", "data": "AAA=", "id": "call_1",
                "format": "google-gemini-v1", "index": 1},
            {"type": "reasoning.text", "text": "c", "signature": null, "id": null,
                "format": "anthropic-claude-v1", "index": 2},
        ])
    );
}

#[test]
fn excluded_reasoning_is_not_written() {
    let mut assembler = Assembler::new(identity(true));
    for event in thoughts() {
        assembler.event(event);
    }
    assert_eq!(assembler.meter().reasoning_bytes, 3);
    let message = body(assembler)["choices"][0]["message"].clone();
    assert_eq!(message["reasoning"], Value::Null);
    assert_eq!(message.get("reasoning_details"), None);
}

#[test]
fn images_audio_and_citations_have_their_places() {
    let audio = |data: Option<&'static str>, transcript: Option<&'static str>| Event::Audio {
        choice: 0,
        id: None,
        data: data.map(Into::into),
        transcript: transcript.map(Into::into),
    };
    let message = message(vec![
        Event::Image {
            choice: 0,
            url: "data:image/png;base64,AA".into(),
        },
        audio(Some("AA"), None),
        audio(Some("BB"), Some("ah")),
        Event::UrlCitation {
            choice: 0,
            url: "https://a.example".into(),
            title: Some("A".into()),
            content: None,
            start_index: 0,
            end_index: 2,
        },
    ]);
    assert_eq!(
        message["images"],
        json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}])
    );
    assert_eq!(
        message["audio"],
        json!({"data": "AABB", "transcript": "ah"})
    );
    assert_eq!(
        message["annotations"],
        json!([{"type": "url_citation", "url_citation":
            {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2}}])
    );
}

#[test]
fn choices_are_sorted_and_a_broken_answer_says_so() {
    let mut assembler = assembler(vec![
        Event::Text {
            choice: 1,
            text: "b".into(),
        },
        text("a"),
        Event::Failed(Failure::unavailable("gone")),
        text("ignored"),
    ]);
    assert_eq!(assembler.failure(), Some(&Failure::unavailable("gone")));
    assembler.set_error("{\"code\":502}".to_owned());
    let body = body(assembler);
    for (index, content) in ["a", "b"].iter().enumerate() {
        let choice = &body["choices"][index];
        assert_eq!(choice["index"], index);
        assert_eq!(choice["message"]["content"], *content);
        assert_eq!(choice["finish_reason"], "error");
        assert_eq!(choice["error"], json!({"code": 502}));
    }
}
