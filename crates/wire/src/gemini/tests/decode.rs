//! Every fixture in every cut, and the traps by name.

use crate::gemini::{Decoder, Options, decode};
use crate::target::ReadBack;
use crate::testing::Collected;
use interline_domain::{ErrorType, FinishReason};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

fn golden(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden");
    fs::read(folder.join(name)).expect(name)
}

fn options() -> Options {
    Options {
        generation_id: "gen-1".to_owned(),
        read_back: ReadBack::default(),
    }
}

fn stream(bytes: &[u8], size: usize) -> Collected {
    Collected::from_stream(&mut Decoder::new(options()), bytes, size)
}

fn whole(body: &[u8]) -> Collected {
    let mut collected = Collected::default();
    let result = decode(body, options(), &mut collected);
    collected.settle(result)
}

/// `data:` events as Google sends them.
fn sse(events: &[Value]) -> Vec<u8> {
    let events = events.iter().map(|event| format!("data: {event}\r\n\r\n"));
    events.collect::<String>().into_bytes()
}

fn fixtures() -> Vec<(String, Value)> {
    let expected: Value = serde_json::from_slice(&golden("gemini/expected.json")).expect("JSON");
    let expected = expected.as_object().expect("an object").clone();
    expected.into_iter().collect()
}

fn is_stream(name: &str) -> bool {
    PathBuf::from(name)
        .extension()
        .is_some_and(|it| it == "sse")
}

fn streams() -> Vec<(String, Vec<u8>)> {
    let names = fixtures().into_iter().map(|(name, _)| name);
    let streams = names.filter(|name| is_stream(name));
    streams.map(|name| (name.clone(), golden(&name))).collect()
}

#[test]
fn fixtures_give_their_normal_form() {
    let fixtures = fixtures();
    assert_eq!(fixtures.len(), 8);
    for (name, fixture) in fixtures {
        let bytes = golden(&name);
        let collected = if is_stream(&name) {
            stream(&bytes, usize::MAX)
        } else {
            whole(&bytes)
        };
        collected.check(&name, &fixture["expect"]);
    }
}

/// T1: also where a cut parts a character.
#[test]
fn cuts_line_ends_and_comments_do_not_matter() {
    let umlauts = sse(&[
        json!({"candidates": [{"content": {"parts": [{"text": "Zürich 雪 🏔"}]}}]}),
        json!({"candidates": [{"content": {"parts": [{"text": "é"}]}, "finishReason": "STOP"}]}),
    ]);
    let mut streams = streams();
    streams.push(("umlauts".to_owned(), umlauts));
    for (name, bytes) in streams {
        let expected = stream(&bytes, usize::MAX);
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(stream(&bytes, size), expected, "{name} in pieces of {size}");
        }
        let text = String::from_utf8(bytes).expect("UTF-8");
        let lf = text.replace("\r\n", "\n");
        assert_eq!(stream(lf.as_bytes(), 5), expected, "{name} with LF");
        let commented = text.replace("data:", ": still here\r\n\r\n: \r\ndata:");
        assert_eq!(
            stream(commented.as_bytes(), 5),
            expected,
            "{name} with comments"
        );
    }
}

/// T38: a stream that was cut never looks finished.
#[test]
fn a_cut_stream_is_a_failure() {
    for (name, bytes) in streams() {
        let text = String::from_utf8(bytes.clone()).expect("UTF-8");
        // From the last closing brace on, the last event is whole.
        let whole_from = text.rfind('}').expect("JSON") + 1;
        for end in 0..whole_from {
            let cut = stream(bytes.get(..end).expect("in range"), usize::MAX);
            assert!(cut.error.is_some(), "{name} cut at {end}");
            assert_eq!(cut.first().finish, None, "{name} cut at {end}");
        }
        let complete = stream(&bytes, usize::MAX);
        for end in whole_from..bytes.len() {
            let cut = stream(bytes.get(..end).expect("in range"), usize::MAX);
            assert_eq!(cut, complete, "{name} cut at {end}");
        }
    }
}

/// T2: an error after the 200 is a failure with what was said before, and the last word.
#[test]
fn t2_an_error_inside_the_stream_is_a_failure() {
    let bytes = golden("gemini/error-midstream.sse");
    let mut decoder = Decoder::new(options());
    let collected = Collected::from_stream(&mut decoder, &bytes, usize::MAX);
    let error = collected.error.clone().expect("a failure");
    assert_eq!(error.error_type, ErrorType::ProviderOverloaded);
    assert_eq!(error.status, Some(503));
    assert_eq!(collected.first().content, "Half");
    assert_eq!(collected.first().finish, None);
    assert!(crate::event::StreamDecoder::is_done(&decoder));
}

/// An array around errors: streams without `alt=sse`, and proxies.
#[test]
fn an_error_in_an_array_is_a_failure() {
    let body = br#"[{"error":{"code":429,"message":"Slow down.","status":"RESOURCE_EXHAUSTED"}}]"#;
    let error = whole(body).error.expect("a failure");
    assert_eq!(error.error_type, ErrorType::RateLimitExceeded);
}

#[test]
fn an_array_of_responses_is_an_answer() {
    let body = json!([
        {"candidates": [{"content": {"parts": [{"text": "a"}]}}]},
        {"candidates": [{"content": {"parts": [{"text": "b"}]}, "finishReason": "STOP"}]},
    ]);
    let collected = whole(body.to_string().as_bytes());
    assert_eq!(collected.first().content, "ab");
    assert_eq!(collected.error, None);
}

/// T8, T9: calls are counted over the stream, and end it although Google says `STOP`.
#[test]
fn t8_t9_calls_are_counted_over_the_whole_stream() {
    let collected = stream(&golden("gemini/parallel-tools.sse"), usize::MAX);
    let choice = collected.first();
    let [first, second] = choice.tool_calls.as_slice() else {
        panic!("two calls: {:?}", choice.tool_calls);
    };
    assert_ne!(first.id, second.id);
    assert_eq!(
        choice.finish,
        Some((FinishReason::ToolCalls, Some("STOP".into())))
    );
    // T32: the signature names the call it stood on.
    let sealed = choice
        .details
        .iter()
        .find(|it| it.kind == "reasoning.encrypted");
    let sealed = sealed.expect("a signature");
    assert_eq!(sealed.id.as_deref(), Some(&*first.id));
    assert_eq!(sealed.sealed.as_deref(), Some("CsigA"));
    assert_eq!(sealed.block, 1);
}

#[test]
fn ids_of_calls_depend_on_the_generation_only() {
    let bytes = golden("gemini/parallel-tools.sse");
    let ids = |generation: &str| {
        let options = Options {
            generation_id: generation.to_owned(),
            ..Options::default()
        };
        let collected = Collected::from_stream(&mut Decoder::new(options), &bytes, 9);
        let calls = collected.first().tool_calls;
        calls.into_iter().map(|call| call.id).collect::<Vec<_>>()
    };
    assert_eq!(ids("gen-1"), ids("gen-1"));
    assert_ne!(ids("gen-1"), ids("gen-2"));
}

/// One answer out of parts and a finish reason, both ways of getting it.
fn answer(parts: &Value, finish: &str) -> Collected {
    let mut body = json!({"candidates": [{"content": {"parts": parts}}]});
    if !finish.is_empty() {
        body["candidates"][0]["finishReason"] = finish.into();
    }
    let body = body.to_string();
    let collected = whole(body.as_bytes());
    let streamed = stream(format!("data: {body}\n\n").as_bytes(), usize::MAX);
    assert_eq!(collected, streamed, "whole and streamed agree");
    collected
}

/// T12, T44: no arguments are `{}`; others keep their order and digits, without blanks.
#[test]
fn t12_t44_arguments_are_carried() {
    let check = |call: &str, expected: &str| {
        let body = format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"functionCall":{call}}}]}},"finishReason":"STOP"}}]}}"#
        );
        let collected = whole(body.as_bytes());
        assert_eq!(collected.error, None, "{call}");
        let choice = collected.first();
        assert_eq!(choice.tool_calls[0].arguments, expected, "{call}");
    };
    check(r#"{"name":"f"}"#, "{}");
    check(r#"{"name":"f","args":null}"#, "{}");
    check(r#"{"name":"f","args":{ }}"#, "{}");
    check(
        r#"{"name":"f","args":{ "z": 1.0, "a" : 12345678901234567890123, "t": " a\" b " }}"#,
        r#"{"z":1.0,"a":12345678901234567890123,"t":" a\" b "}"#,
    );
}

#[test]
fn ids_of_the_provider_are_kept() {
    let parts = json!([{"functionCall": {"id": "abc", "name": "f", "args": {}}}]);
    assert_eq!(answer(&parts, "STOP").first().tool_calls[0].id, "abc");
}

/// T42: names that were mapped for Google are mapped back.
#[test]
fn t42_names_are_mapped_back() {
    let body = br#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"_1st_x"}}]},"finishReason":"STOP"}]}"#;
    let options = Options {
        read_back: ReadBack {
            tool_names: vec![("_1st_x".into(), "1st".into())],
            ..ReadBack::default()
        },
        ..options()
    };
    let mut collected = Collected::default();
    decode(body, options, &mut collected).expect("an answer");
    assert_eq!(collected.first().tool_calls[0].name, "1st");
}

#[test]
fn ends_are_normalised() {
    let check = |parts: Value, native: &str, expected: FinishReason| {
        let finish = answer(&parts, native).first().finish;
        assert_eq!(
            finish,
            Some((expected, Some(native.into()))),
            "{parts} {native}"
        );
    };
    let text = json!([{"text": "x"}]);
    let call = json!([{"functionCall": {"name": "f"}}]);
    let nothing = json!([]);
    check(text.clone(), "STOP", FinishReason::Stop);
    check(nothing.clone(), "STOP", FinishReason::Stop);
    check(call.clone(), "STOP", FinishReason::ToolCalls);
    check(call.clone(), "MAX_TOKENS", FinishReason::Length);
    check(text.clone(), "IMAGE_SAFETY", FinishReason::ContentFilter);
    check(nothing.clone(), "SPII", FinishReason::ContentFilter);
    check(text.clone(), "MALFORMED_FUNCTION_CALL", FinishReason::Stop);
    check(text, "OTHER", FinishReason::Stop);
    check(call, "MALFORMED_FUNCTION_CALL", FinishReason::ToolCalls);
    check(nothing, "SOMETHING_NEW", FinishReason::Stop);
}

/// Nothing but thinking before a stumble: another try may do better.
#[test]
fn a_stumble_without_content_is_a_failure() {
    for native in ["MALFORMED_FUNCTION_CALL", "OTHER", "NO_IMAGE"] {
        for parts in [json!([]), json!([{"text": "hm", "thought": true}])] {
            let collected = answer(&parts, native);
            let error = collected.error.expect(native);
            assert_eq!(error.error_type, ErrorType::ProviderUnavailable);
            assert_eq!(error.provider_code.as_deref(), Some(native));
        }
    }
}

#[test]
fn a_more_telling_end_replaces_a_normal_one() {
    let event = |finish: &str| json!({"candidates": [{"finishReason": finish}]});
    let check = |words: &[&str], expected: &str| {
        let events: Vec<Value> = words.iter().map(|word| event(word)).collect();
        let finish = stream(&sse(&events), usize::MAX).first().finish;
        let native = finish.and_then(|(_, native)| native);
        assert_eq!(native.as_deref(), Some(expected), "{words:?}");
    };
    check(&["STOP", "STOP"], "STOP");
    check(&["STOP", "SAFETY"], "SAFETY");
    check(&["SAFETY", "STOP"], "SAFETY");
    check(&["STOP", ""], "STOP");
}

/// T11: the prompt was blocked and there is no candidate.
#[test]
fn t11_a_blocked_prompt_is_filtered() {
    let events = [json!({"promptFeedback": {"blockReason": "SAFETY"}, "candidates": []})];
    for collected in [
        stream(&sse(&events), usize::MAX),
        whole(events[0].to_string().as_bytes()),
    ] {
        assert_eq!(collected.error, None);
        let finish = collected.first().finish;
        assert_eq!(
            finish,
            Some((FinishReason::ContentFilter, Some("SAFETY".into())))
        );
    }
}

#[test]
fn an_answer_without_anything_is_a_failure() {
    let check = |body: &[u8]| {
        assert!(whole(body).error.is_some(), "{}", body.escape_ascii());
        assert!(
            stream(&[b"data: ", body, b"\n\n"].concat(), 3)
                .error
                .is_some()
        );
    };
    check(b"");
    check(b"{}");
    check(b"null");
    check(b"\"text\"");
    check(b"[]");
    check(br#"{"candidates":[]}"#);
    check(br#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#);
    check(br#"{"candidates":[{"index":9,"finishReason":"STOP"}]}"#);
    check(b"<html>");
    check(b"\xff\xfe");
}

/// T40: what is not content gives no event at all.
#[test]
fn t40_keep_alives_are_no_events() {
    let mut decoder = Decoder::new(options());
    let mut events = 0;
    let mut count = |_: crate::event::Event<'_>| events += 1;
    let bytes = b": ping\n\n\n\r\n:\n\ndata:\n\n";
    crate::event::StreamDecoder::feed(&mut decoder, bytes, &mut count).expect("silence");
    assert_eq!(events, 0);
}

#[test]
fn blocks_follow_the_order_of_the_parts() {
    let collected = answer(
        &json!([
            {"text": "one ", "thought": true},
            {"text": "two", "thought": true},
            {"text": "", "thought": false},
            {"text": "Hello", "thoughtSignature": "sigT"},
            {"text": "three", "thought": true, "thoughtSignature": "sigR"},
            {"text": "four", "thought": true},
            {"functionCall": {"id": "c1", "name": "f"}, "thoughtSignature": "sigC"},
            {"text": "", "thoughtSignature": "sigE"},
        ]),
        "STOP",
    );
    let choice = collected.first();
    assert_eq!(choice.content, "Hello");
    assert_eq!(choice.reasoning, "one twothreefour");
    let seen: Vec<_> = choice
        .details
        .iter()
        .map(|it| (it.block, &*it.text, it.id.as_deref(), it.sealed.as_deref()))
        .collect();
    assert_eq!(
        seen,
        [
            (0, "one two", None, None),
            (1, "", None, Some("sigT")),
            (2, "three", None, Some("sigR")),
            (3, "four", None, None),
            (4, "", Some("c1"), Some("sigC")),
            (5, "", None, Some("sigE")),
        ]
    );
}

/// T54: byte offsets become code points, and the slice is the cited text.
#[test]
fn t54_citations_are_where_the_text_is() {
    let check = |parts: Value, segment: Value, expected: &str| {
        let body = json!({"candidates": [{
            "content": {"parts": parts},
            "groundingMetadata": {
                "groundingChunks": [{"web": {"uri": "https://example.org", "title": "T"}}],
                "groundingSupports": [{"segment": segment, "groundingChunkIndices": [0, 7]}],
            },
            "finishReason": "STOP",
        }]});
        let choice = whole(body.to_string().as_bytes()).first();
        let [citation] = choice.citations.as_slice() else {
            panic!("one citation: {:?}", choice.citations);
        };
        let range = usize::try_from(citation.start_index).expect("small")
            ..usize::try_from(citation.end_index).expect("small");
        let characters: Vec<char> = choice.content.chars().collect();
        let cited: String = characters.get(range).expect("in range").iter().collect();
        assert_eq!(cited, expected);
    };
    let text = json!([{"text": "Zürich liegt am See. 雪🏔 schön."}]);
    check(
        text.clone(),
        json!({"endIndex": 21}),
        "Zürich liegt am See.",
    );
    check(
        text.clone(),
        json!({"startIndex": 22, "endIndex": 29}),
        "雪🏔",
    );
    check(
        text.clone(),
        json!({"startIndex": 30, "endIndex": 9999}),
        "schön.",
    );
    // In the middle of a character: the character it belongs to.
    check(text, json!({"startIndex": 2, "endIndex": 7}), "ürich");
    let parts = json!([
        {"text": "hm", "thought": true},
        {"text": "Äh. "},
        {"text": "Öl."},
    ]);
    check(parts.clone(), json!({"endIndex": 4}), "Äh.");
    check(
        parts,
        json!({"partIndex": 2, "startIndex": 0, "endIndex": 3}),
        "Öl",
    );
}

#[test]
fn grounding_of_a_stream_counts_from_its_first_text() {
    let metadata = json!({
        "webSearchQueries": ["a", "b"],
        "groundingChunks": [{"web": {"uri": "https://example.org"}}],
        "groundingSupports": [{"segment": {"startIndex": 3, "endIndex": 6}, "groundingChunkIndices": [0]}],
    });
    let counts = json!({"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5});
    let bytes = sse(&[
        json!({"candidates": [{"content": {"parts": [{"text": "Äh"}]}}], "usageMetadata": counts}),
        json!({"candidates": [{"content": {"parts": [{"text": "abc"}]}, "groundingMetadata": {}}]}),
        json!({"candidates": [{"groundingMetadata": metadata, "finishReason": "STOP"}]}),
        json!({"candidates": [{"groundingMetadata": {}}]}),
    ]);
    let collected = stream(&bytes, usize::MAX);
    let choice = collected.first();
    assert_eq!(choice.citations.len(), 1);
    assert_eq!(
        (
            choice.citations[0].start_index,
            choice.citations[0].end_index
        ),
        (2, 5)
    );
    assert_eq!(collected.usage.expect("counted").web_search_requests, 2);
}

#[test]
fn media_become_data_urls() {
    let collected = answer(
        &json!([
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thought": true},
            {"inlineData": {"mimeType": "image/webp", "data": "BBBB"}, "thoughtSignature": "s"},
            {"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "CCCC"}},
        ]),
        "STOP",
    );
    let choice = collected.first();
    assert_eq!(choice.images, ["data:image/webp;base64,BBBB"]);
    assert_eq!(choice.audio, "CCCC");
    assert_eq!(choice.details.len(), 1);
}

/// T19 and the sanity rules: `[prompt, completion, cached, reasoning]`.
#[test]
fn t19_usage_is_normalised() {
    let check = |metadata: Value, expected: Value| {
        let body = json!({"candidates": [{"finishReason": "STOP"}], "usageMetadata": metadata});
        let usage = whole(body.to_string().as_bytes()).usage.expect("counted");
        let actual = json!([
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.cached_tokens,
            usage.reasoning_tokens,
        ]);
        assert_eq!(actual, expected, "{metadata}");
    };
    check(
        json!({"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 20, "totalTokenCount": 35}),
        json!([10, 25, 0, 20]),
    );
    check(
        json!({"promptTokenCount": 10, "thoughtsTokenCount": 20, "totalTokenCount": 37, "toolUsePromptTokenCount": 3}),
        json!([13, 24, 0, 20]),
    );
    check(json!({"promptTokenCount": 10}), json!([10, 0, 0, null]));
    // Inside after all: the total says so.
    check(
        json!({"promptTokenCount": 10, "candidatesTokenCount": 25, "thoughtsTokenCount": 20, "totalTokenCount": 35}),
        json!([10, 25, 0, 20]),
    );
    check(
        json!({"promptTokenCount": 10, "cachedContentTokenCount": 30, "candidatesTokenCount": 1}),
        json!([40, 1, 30, null]),
    );
    check(
        json!({"promptTokenCount": -4, "candidatesTokenCount": "7", "thoughtsTokenCount": 1.5}),
        json!([0, 7, 0, null]),
    );
}

#[test]
fn no_usage_is_not_zero_usage() {
    assert_eq!(answer(&json!([{"text": "x"}]), "STOP").usage, None);
}

#[test]
fn modalities_are_counted() {
    let body = json!({"candidates": [{"finishReason": "STOP"}], "usageMetadata": {
        "promptTokenCount": 100, "candidatesTokenCount": 50,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 30}, {"modality": "VIDEO", "tokenCount": 40}],
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 45}, {"modality": "AUDIO", "tokenCount": 2}],
    }});
    let usage = whole(body.to_string().as_bytes()).usage.expect("counted");
    assert_eq!(
        (usage.audio_prompt_tokens, usage.video_prompt_tokens),
        (30, 40)
    );
    assert_eq!(
        (usage.image_completion_tokens, usage.audio_completion_tokens),
        (45, 2)
    );
}

proptest::proptest! {
    /// A broken byte anywhere: an answer or a failure, never a panic, in any cut alike.
    #[test]
    fn broken_bytes_do_no_harm(at in 0_usize..2_000, byte: u8, size in 1_usize..40) {
        for (name, mut bytes) in streams() {
            let at = at % bytes.len();
            bytes[at] = byte;
            proptest::prop_assert_eq!(stream(&bytes, size), stream(&bytes, usize::MAX), "{}", name);
        }
    }
}
