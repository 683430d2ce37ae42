use super::response::decode;
use super::stream::Decoder;
use crate::event::StreamDecoder as _;
use crate::target::ReadBack;
use crate::testing::{Call, Citation, Collected};
use interline_domain::{ErrorType, FinishReason, Usage};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

const EXPECTED: &str = include_str!("../../golden/anthropic-messages/expected.json");
const THINKING_TOOLS: &str = include_str!("../../golden/anthropic-messages/thinking-tools.sse");
const REFUSAL: &str = include_str!("../../golden/anthropic-messages/refusal.sse");
const ERROR: &str = include_str!("../../golden/anthropic-messages/error-midstream.sse");
const TEXT: &str = include_str!("../../golden/anthropic-messages/text.json");
const REDACTED: &str = include_str!("../../golden/anthropic-messages/redacted.json");
const WEB_SEARCH: &str = include_str!("../../golden/anthropic-messages/web-search.json");

const STREAMS: [(&str, &str); 3] = [
    ("thinking-tools.sse", THINKING_TOOLS),
    ("refusal.sse", REFUSAL),
    ("error-midstream.sse", ERROR),
];
const WHOLE: [(&str, &str); 3] = [
    ("text.json", TEXT),
    ("redacted.json", REDACTED),
    ("web-search.json", WEB_SEARCH),
];

fn stream_with(read_back: &ReadBack, bytes: &[u8], size: usize) -> Collected {
    Collected::from_stream(&mut Decoder::new(read_back.clone()), bytes, size)
}

fn stream(text: &str) -> Collected {
    stream_with(&ReadBack::default(), text.as_bytes(), usize::MAX)
}

fn whole_with(read_back: &ReadBack, body: &str) -> Collected {
    let mut collected = Collected::default();
    let result = decode(body.as_bytes(), read_back, &mut collected);
    collected.settle(result)
}

fn whole(body: &str) -> Collected {
    whole_with(&ReadBack::default(), body)
}

/// Events as a stream would carry them.
fn sse(events: &[Value]) -> String {
    let frames = events.iter().map(|event| {
        let name = event["type"].as_str().unwrap_or("message");
        format!("event: {name}\ndata: {event}\n\n")
    });
    frames.collect::<Vec<_>>().concat()
}

fn block(index: u64, start: &Value, deltas: &[Value]) -> Vec<Value> {
    let mut events =
        vec![json!({"type": "content_block_start", "index": index, "content_block": start})];
    events.extend(
        deltas
            .iter()
            .map(|delta| json!({"type": "content_block_delta", "index": index, "delta": delta})),
    );
    events.push(json!({"type": "content_block_stop", "index": index}));
    events
}

fn text_block(index: u64, text: &str) -> Vec<Value> {
    let delta = json!({"type": "text_delta", "text": text});
    block(index, &json!({"type": "text", "text": ""}), &[delta])
}

fn tool_block(index: u64, name: &str, fragments: &[&str]) -> Vec<Value> {
    let start =
        json!({"type": "tool_use", "id": format!("toolu_{index}"), "name": name, "input": {}});
    let deltas: Vec<Value> = fragments
        .iter()
        .map(|fragment| json!({"type": "input_json_delta", "partial_json": fragment}))
        .collect();
    block(index, &start, &deltas)
}

/// A stream of these blocks with a proper end.
fn message(blocks: &[Vec<Value>], stop_reason: &str) -> String {
    let mut events = vec![json!({"type": "message_start", "message": {"id": "m", "model": "c"}})];
    events.extend(blocks.iter().flatten().cloned());
    events.push(json!({"type": "message_delta", "delta": {"stop_reason": stop_reason}}));
    events.push(json!({"type": "message_stop"}));
    sse(&events)
}

#[test]
fn fixtures_decode_to_their_normal_form() {
    let expected: Value = serde_json::from_str(EXPECTED).unwrap();
    let check = |name: &str, collected: &Collected| {
        assert!(expected[name]["expect"].is_object(), "{name}");
        collected.check(name, &expected[name]["expect"]);
        assert_eq!(collected.upstream_id.as_deref(), Some("msg_01A"), "{name}");
        let model = collected.upstream_model.as_deref();
        assert_eq!(model, Some("claude-opus-4-8"), "{name}");
    };
    for (name, text) in STREAMS {
        check(name, &stream(text));
    }
    for (name, text) in WHOLE {
        check(name, &whole(text));
    }
    // What a broken stream said of its start is only part of the truth.
    assert_eq!(stream(ERROR).usage, None);
}

/// T1, and the framing rules: cuts, line ends, comments and pings change nothing.
#[test]
fn t1_cuts_line_ends_and_comments_do_not_matter() {
    let accents = message(
        &[
            text_block(0, "héllo — 🦀"),
            tool_block(1, "f", &["{\"a\":\"日", "本\"}"]),
        ],
        "tool_use",
    );
    let texts = STREAMS.map(|(_, text)| text);
    for text in texts.into_iter().chain([accents.as_str()]) {
        let expected = stream(text);
        let read_back = ReadBack::default();
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(stream_with(&read_back, text.as_bytes(), size), expected);
        }
        let crlf = text.replace('\n', "\r\n");
        assert_eq!(stream_with(&read_back, crlf.as_bytes(), 1), expected);
        let noise = "\n\n: keep-alive\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n";
        assert_eq!(stream(&text.replace("\n\n", noise)), expected);
        let commented = text.replace("\ndata:", "\n: between the lines\ndata:");
        assert_eq!(stream(&commented), expected);
        assert_eq!(stream(&format!("\u{feff}{text}data: [DONE]\n\n")), expected);
    }
}

proptest! {
    #[test]
    fn t1_any_cut_gives_the_same_events(cuts in vec(1_usize..200, 1..40)) {
        let mut decoder = Decoder::new(ReadBack::default());
        let mut collected = Collected::default();
        let mut rest = THINKING_TOOLS.as_bytes();
        for size in cuts.iter().cycle() {
            let (piece, tail) = rest.split_at((*size).min(rest.len()));
            decoder.feed(piece, &mut collected).unwrap();
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        decoder.end(&mut collected).unwrap();
        prop_assert_eq!(collected, stream(THINKING_TOOLS));
    }
}

/// T38: a stream without `message_stop` never looks finished, wherever it is cut.
#[test]
fn t38_a_cut_stream_is_an_error() {
    for (name, text) in STREAMS {
        let terminal = text.rfind("data: ").unwrap();
        let last = terminal + text[terminal..].trim_end().len();
        for end in 0..last {
            let cut = stream_with(&ReadBack::default(), &text.as_bytes()[..end], usize::MAX);
            let error = cut.error.as_ref();
            let error_type = error.map(|error| error.error_type);
            assert_eq!(
                error_type,
                Some(ErrorType::ProviderUnavailable),
                "{name} at {end}"
            );
            assert_eq!(cut.first().finish, None, "{name} at {end}");
        }
    }
    let mut decoder = Decoder::new(ReadBack::default());
    let mut collected = Collected::default();
    decoder.feed(REFUSAL.as_bytes(), &mut collected).unwrap();
    assert!(decoder.is_done());
    decoder.end(&mut collected).unwrap();
}

/// T2: every error type after the 200 is a failure with its own meaning.
#[test]
fn t2_errors_in_the_stream_are_failures() {
    let check = |error_type: &str, expected: ErrorType, status: u16| {
        let events = [
            json!({"type": "message_start", "message": {"id": "m", "model": "c"}}),
            json!({"type": "error", "error": {"type": error_type, "message": "No."}}),
            json!({"type": "message_stop"}),
        ];
        let collected = stream(&sse(&events));
        let error = collected.error.clone().expect(error_type);
        assert_eq!(error.error_type, expected, "{error_type}");
        assert_eq!(error.status, Some(status), "{error_type}");
        let native = Some(error_type.to_owned());
        let finish = collected.first().finish;
        assert_eq!(finish, Some((FinishReason::Error, native)), "{error_type}");
        let body = json!({"type": "error", "error": {"type": error_type, "message": "No."}});
        assert_eq!(whole(&body.to_string()).error, Some(error));
    };
    check("overloaded_error", ErrorType::ProviderOverloaded, 529);
    check("rate_limit_error", ErrorType::RateLimitExceeded, 429);
    check("api_error", ErrorType::ProviderUnavailable, 500);
    check("timeout_error", ErrorType::Timeout, 504);
    check("invalid_request_error", ErrorType::InvalidRequest, 400);
    check("request_too_large", ErrorType::PayloadTooLarge, 413);
    check("not_found_error", ErrorType::NotFound, 404);
    check("never_heard_of", ErrorType::ProviderUnavailable, 500);
    let strange = stream("event: error\ndata: {\"type\":\"error\",\"error\":\"boom\"}\n\n");
    assert!(strange.error.is_some());
    let untyped = stream("data: {\"error\":{\"message\":\"boom\"}}\n\n");
    assert!(untyped.error.is_some());
}

#[test]
fn the_type_in_the_json_counts_not_the_event_name() {
    let renamed = REFUSAL.replace("event: content_block_delta", "event: ping");
    assert_eq!(stream(&renamed), stream(REFUSAL));
}

#[test]
fn unknown_events_blocks_and_deltas_are_skipped() {
    let known = message(&[text_block(5, "Hi")], "end_turn");
    let strange = [
        json!({"type": "weather_report", "index": "north", "delta": 7}),
        json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "hologram", "text": {"depth": 3}, "input": 1, "data": []}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "light", "text": [1]}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1,
            "content_block": {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}}),
        json!({"type": "content_block_delta", "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": "{\"query\":1}"}}),
        json!({"type": "content_block_stop", "index": 1}),
    ];
    let (head, tail) = known.split_once("event: content_block_start").unwrap();
    let mixed = format!("{head}{}event: content_block_start{tail}", sse(&strange));
    assert_eq!(stream(&mixed), stream(&known));
    assert_eq!(stream(&known).first().content, "Hi");

    let body = json!({"type": "message", "id": "m", "model": "c", "stop_reason": "end_turn",
        "content": [{"type": "hologram", "text": {"depth": 3}}, {"type": "text", "text": "Hi"}]});
    assert_eq!(whole(&body.to_string()).first(), stream(&known).first());
}

#[test]
fn what_we_ought_to_read_and_cannot_is_a_protocol_error() {
    let check = |text: &str| {
        let error = stream(text).error.expect(text);
        assert_eq!(error.error_type, ErrorType::ProviderUnavailable, "{text}");
    };
    check("data: <html>\n\n");
    check("data: {\"type\":\"message_delta\",\"delta\":[]}\n\n");
    check(
        "data: {\"type\":\"content_block_delta\",\"index\":0,\
         \"delta\":{\"type\":\"text_delta\",\"text\":7}}\n\n",
    );
    for body in ["", "[]", "{}", "<html>", r#"{"type":"message"}"#] {
        let error = whole(body).error.expect(body);
        assert_eq!(error.error_type, ErrorType::ProviderUnavailable, "{body}");
    }
}

/// T12: a call without arguments has the arguments `{}`.
#[test]
fn t12_empty_arguments_become_an_object() {
    let check = |fragments: &[&str], expected: &str| {
        let collected = stream(&message(&[tool_block(0, "f", fragments)], "tool_use"));
        let call = Call {
            id: "toolu_0".into(),
            name: "f".into(),
            arguments: expected.into(),
        };
        assert_eq!(collected.first().tool_calls, [call], "{fragments:?}");
    };
    check(&[], "{}");
    check(&[""], "{}");
    check(&["", "  ", "\n"], "{}");
    check(&["", "{\"a\"", ": 1.0}"], "{\"a\": 1.0}");
    // Cut by the limit: forwarded as it is.
    check(&["{\"a"], "{\"a");
}

/// T44: a whole `input` keeps its order, its numbers and the spaces inside strings.
#[test]
fn t44_input_objects_keep_order_and_numbers() {
    let body = r#"{"type":"message","stop_reason":"tool_use","content":[
        {"type":"tool_use","id":"t","name":"f","input":{ "z" : 1.0, "a": 12345678901234567890,
          "s": "a  \" \\", "n": [ ] }},
        {"type":"tool_use","id":"u","name":"g","input":{}}]}"#;
    let calls = whole(body).first().tool_calls;
    let expected = r#"{"z":1.0,"a":12345678901234567890,"s":"a  \" \\","n":[]}"#;
    assert_eq!(calls[0].arguments, expected);
    assert_eq!(calls[1].arguments, "{}");
    // The same from a relay that gives the input with the block's start.
    let start = json!({"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}});
    let streamed = stream(&message(&[block(0, &start, &[])], "tool_use"));
    assert_eq!(streamed.first().tool_calls[0].arguments, r#"{"a":1}"#);
}

/// T18: reports are cumulative; the last value that is not null holds.
#[test]
fn t18_usage_is_merged_and_normalised() {
    let check = |start: Value, delta: Value, expected: Usage| {
        let events = [
            json!({"type": "message_start", "message": {"usage": start}}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": delta}),
            json!({"type": "message_stop"}),
        ];
        assert_eq!(stream(&sse(&events)).usage, Some(expected));
    };
    check(
        json!({"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1}),
        json!({"output_tokens": 7}),
        Usage {
            prompt_tokens: 15,
            completion_tokens: 7,
            cached_tokens: 5,
            ..Usage::default()
        },
    );
    check(
        json!({"input_tokens": 10, "output_tokens": 1}),
        json!({"input_tokens": 10, "cache_creation_input_tokens": null, "output_tokens": 7.0,
            "cache_read_input_tokens": -1, "server_tool_use": {"web_search_requests": 2}}),
        Usage {
            prompt_tokens: 10,
            completion_tokens: 7,
            web_search_requests: 2,
            ..Usage::default()
        },
    );
    check(
        json!({"input_tokens": 1, "cache_creation_input_tokens": 30,
            "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20}}),
        json!({"output_tokens": 2, "output_tokens_details": {"thinking_tokens": 1}}),
        Usage {
            prompt_tokens: 31,
            completion_tokens: 2,
            cache_write_tokens: 30,
            cache_write_1h_tokens: 20,
            reasoning_tokens: Some(1),
            ..Usage::default()
        },
    );
    check(
        json!({}),
        json!({"input_tokens": 9, "output_tokens": 9, "iterations": [
            {"type": "compaction", "input_tokens": 100, "output_tokens": 10},
            {"type": "advisor_message", "input_tokens": 1000, "output_tokens": 1000},
            {"type": "message", "input_tokens": 9, "cache_read_input_tokens": 1, "output_tokens": 9}]}),
        Usage {
            prompt_tokens: 110,
            completion_tokens: 19,
            cached_tokens: 1,
            ..Usage::default()
        },
    );
    check(
        json!({}),
        json!({"input_tokens": 9, "output_tokens": 9, "iterations": [
            {"type": "message", "input_tokens": 100, "output_tokens": 10},
            {"type": "fallback_message", "input_tokens": 9, "output_tokens": 9}]}),
        Usage {
            prompt_tokens: 9,
            completion_tokens: 9,
            ..Usage::default()
        },
    );
    let silent = message(&[text_block(0, "x")], "end_turn");
    assert_eq!(
        stream(&silent).usage,
        None,
        "absent usage is not zero usage"
    );
}

/// T20, T48: thinking keeps its order, and its signature is an event of its own.
#[test]
fn t48_signatures_and_sealed_blocks_come_through() {
    let thinking = json!({"type": "thinking", "thinking": "", "signature": ""});
    let blocks = [
        block(
            0,
            &thinking,
            &[
                json!({"type": "thinking_delta", "thinking": "A"}),
                json!({"type": "signature_delta", "signature": "S1"}),
            ],
        ),
        block(1, &json!({"type": "redacted_thinking", "data": "D"}), &[]),
        text_block(2, "t"),
        block(
            3,
            &thinking,
            &[json!({"type": "signature_delta", "signature": "S2"})],
        ),
    ];
    let details = stream(&message(&blocks, "end_turn")).first().details;
    let seen: Vec<_> = details
        .iter()
        .map(|detail| {
            (
                detail.block,
                detail.kind,
                detail.text.as_str(),
                detail.sealed.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (0, "reasoning.text", "A", Some("S1")),
            (1, "reasoning.encrypted", "", Some("D")),
            (2, "reasoning.text", "", Some("S2")),
        ]
    );
}

#[test]
fn citations_cover_their_block_in_code_points() {
    let cite = json!({"type": "citations_delta", "citation": {"type": "web_search_result_location",
        "url": "https://example.org", "title": "T", "cited_text": "C", "encrypted_index": "E"}});
    let page = json!({"type": "citations_delta", "citation": {"type": "page_location", "cited_text": "P"}});
    let blocks = [
        text_block(0, "🦀é "),
        block(
            1,
            &json!({"type": "text", "text": "", "citations": []}),
            &[cite, page, json!({"type": "text_delta", "text": "日本"})],
        ),
    ];
    let first = stream(&message(&blocks, "end_turn")).first();
    let citation = Citation {
        url: "https://example.org".into(),
        title: Some("T".into()),
        content: Some("C".into()),
        start_index: 3,
        end_index: 5,
    };
    assert_eq!(first.citations, [citation]);
    assert_eq!(whole(WEB_SEARCH).first().citations[0].end_index, 13);
}

#[test]
fn the_end_is_named_in_our_words() {
    let check = |blocks: &[Vec<Value>], native: &str, expected: FinishReason| {
        let finish = stream(&message(blocks, native)).first().finish;
        let native = (!native.is_empty()).then(|| native.to_owned());
        assert_eq!(finish, Some((expected, native)));
    };
    let text = [text_block(0, "x")];
    let call = [tool_block(0, "f", &["{}"])];
    check(&text, "end_turn", FinishReason::Stop);
    check(&text, "stop_sequence", FinishReason::Stop);
    check(&text, "pause_turn", FinishReason::Stop);
    check(&text, "max_tokens", FinishReason::Length);
    check(&text, "model_context_window_exceeded", FinishReason::Length);
    check(&text, "refusal", FinishReason::ContentFilter);
    check(&call, "tool_use", FinishReason::ToolCalls);
    check(&call, "end_turn", FinishReason::ToolCalls);
    check(&call, "max_tokens", FinishReason::Length);
    check(&text, "", FinishReason::Stop);
    check(&call, "", FinishReason::ToolCalls);
}

#[test]
fn the_json_tool_is_read_as_content() {
    let read_back = ReadBack {
        json_tool: Some("json".into()),
        tool_names: Vec::new(),
    };
    let check = |blocks: &[Vec<Value>], native: &str, content: &str, calls: usize, end| {
        let text = message(blocks, native);
        for size in [1, usize::MAX] {
            let first = stream_with(&read_back, text.as_bytes(), size).first();
            assert_eq!(first.content, content);
            assert_eq!(first.tool_calls.len(), calls, "{content}");
            assert_eq!(first.finish.unwrap().0, end, "{content}");
        }
    };
    let json = tool_block(1, "json", &["{\"a\":", "1}"]);
    let preamble = text_block(0, "Here you go:");
    check(
        std::slice::from_ref(&json),
        "tool_use",
        "{\"a\":1}",
        0,
        FinishReason::Stop,
    );
    check(
        &[
            preamble.clone(),
            json.clone(),
            text_block(2, "!"),
            tool_block(3, "json", &["{}"]),
        ],
        "tool_use",
        "{\"a\":1}",
        0,
        FinishReason::Stop,
    );
    check(
        &[tool_block(0, "json", &[])],
        "tool_use",
        "{}",
        0,
        FinishReason::Stop,
    );
    check(&[json], "max_tokens", "{\"a\":1}", 0, FinishReason::Length);
    check(
        &[preamble, tool_block(1, "f", &["{}"])],
        "tool_use",
        "Here you go:",
        1,
        FinishReason::ToolCalls,
    );
    check(
        &[text_block(0, "{}")],
        "end_turn",
        "{}",
        0,
        FinishReason::Stop,
    );
    // Without the switch, the same answer is a call.
    let plain = stream(&message(&[tool_block(0, "json", &["{}"])], "tool_use"));
    assert_eq!(plain.first().tool_calls.len(), 1);
}

/// T42: names that were mapped on the way in are mapped back.
#[test]
fn t42_tool_names_are_mapped_back() {
    let read_back = ReadBack {
        json_tool: None,
        tool_names: vec![("a_b_12".into(), "a.b".into())],
    };
    let blocks = [
        tool_block(0, "a_b_12", &["{}"]),
        tool_block(1, "other", &["{}"]),
    ];
    let text = message(&blocks, "tool_use");
    let first = stream_with(&read_back, text.as_bytes(), usize::MAX).first();
    let names: Vec<_> = first
        .tool_calls
        .iter()
        .map(|call| call.name.as_str())
        .collect();
    assert_eq!(names, ["a.b", "other"]);
}

/// T39: the whole answer and the stream of the same answer agree.
#[test]
fn t39_whole_and_streamed_answers_agree() {
    let body = json!({"type": "message", "id": "m", "model": "c", "stop_reason": "tool_use",
        "usage": {"input_tokens": 3, "output_tokens": 4},
        "content": [
            {"type": "thinking", "thinking": "Hm", "signature": "S"},
            {"type": "text", "text": "So."},
            {"type": "tool_use", "id": "toolu_2", "name": "f", "input": {"a": 1}}]});
    let blocks = [
        block(
            0,
            &json!({"type": "thinking", "thinking": ""}),
            &[
                json!({"type": "thinking_delta", "thinking": "Hm"}),
                json!({"type": "signature_delta", "signature": "S"}),
            ],
        ),
        text_block(1, "So."),
        tool_block(2, "f", &["{\"a\"", ":1}"]),
    ];
    let streamed = message(&blocks, "tool_use").replace(
        r#""delta":{"stop_reason":"tool_use"}"#,
        r#""delta":{"stop_reason":"tool_use"},"usage":{"input_tokens":3,"output_tokens":4}"#,
    );
    assert_eq!(whole(&body.to_string()), stream(&streamed));
}
