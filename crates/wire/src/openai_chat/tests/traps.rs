//! What went wrong elsewhere, by the numbers of the provider guide's list of traps.

use super::{edited, edited_whole, events, whole_events};
use crate::chat::answer::ChatStream;
use crate::openai_chat::usage;
use interline_domain::quirks::{Quirks, ReasoningOutput};
use interline_domain::{ErrorType, FinishReason, Usage};

/// Events as the wire has them, from their JSON; `[DONE]` too.
fn stream(chunks: &[&str]) -> Vec<u8> {
    chunks
        .iter()
        .flat_map(|chunk| format!("data: {chunk}\n\n").into_bytes())
        .collect()
}

fn text(text: &str) -> String {
    format!(r#"{{"choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#)
}

const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
const USAGE: &str =
    r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}"#;

/// How a stream ends, for both readers: the first choice's finish, or the failure's type.
fn ending(chunks: &[&str]) -> Result<Option<(FinishReason, Option<String>)>, ErrorType> {
    let bytes = stream(chunks);
    let quirks = Quirks::default();
    let seen = events(&bytes, &quirks, 5);
    let by_events = match seen.error.as_ref() {
        Some(failure) => Err(failure.error_type),
        None => Ok(seen.first().finish),
    };
    let (_, editor, failure) = edited(&bytes, &quirks, 5);
    let by_edit = match failure {
        Some(failure) => Err(failure.error_type),
        None => Ok(editor.meter().finish.clone()),
    };
    assert_eq!(by_events, by_edit, "{chunks:?}");
    by_events
}

#[expect(clippy::unnecessary_wraps, reason = "compared with an ending")]
fn finish(
    reason: FinishReason,
    native: Option<&str>,
) -> Result<Option<(FinishReason, Option<String>)>, ErrorType> {
    Ok(Some((reason, native.map(str::to_owned))))
}

#[test]
fn t2_an_error_after_the_200_is_a_failure() {
    let text = text("a");
    let check = |error: &str, expected: ErrorType| {
        assert_eq!(ending(&[&text, error]), Err(expected), "{error}");
        assert_eq!(
            ending(&[&text, error, STOP, "[DONE]"]),
            Err(expected),
            "{error}"
        );
    };
    check(
        r#"{"error":{"message":"slow down","type":"overloaded_error","code":503}}"#,
        ErrorType::ProviderOverloaded,
    );
    check(
        r#"{"object":"error","message":"boom","code":500}"#,
        ErrorType::ProviderUnavailable,
    );
    check(
        r#"{"id":"","choices":null,"base_resp":{"status_code":1002,"status_msg":"rate limit"}}"#,
        ErrorType::RateLimitExceeded,
    );
    // No errors: nothing in them.
    for harmless in ["null", r#""""#, "{}", "[]", "false"] {
        let chunk = format!(r#"{{"error":{harmless},"choices":[]}}"#);
        let chunk = ending(&[&text, &chunk, STOP, "[DONE]"]);
        assert_eq!(
            chunk,
            finish(FinishReason::Stop, Some("stop")),
            "{harmless}"
        );
    }
}

#[test]
fn t2_an_event_named_error_is_one() {
    let mut bytes = stream(&[&text("a")]);
    bytes.extend_from_slice(b"event: error\ndata: {\"message\":\"boom\"}\n\n");
    assert!(events(&bytes, &Quirks::default(), 3).error.is_some());
    assert!(edited(&bytes, &Quirks::default(), 3).2.is_some());
}

#[test]
fn a_frame_that_is_no_json_is_a_protocol_error() {
    let text = text("a");
    for junk in [
        "junk",
        "[1]",
        "12",
        r#"{"choices":[}"#,
        r#"{"a":1} {"b":2}"#,
        "\u{1}",
    ] {
        assert_eq!(
            ending(&[&text, junk]),
            Err(ErrorType::ProviderUnavailable),
            "{junk}"
        );
    }
    assert_eq!(
        ending(&[&text, " ", STOP, "[DONE]"]),
        finish(FinishReason::Stop, Some("stop"))
    );
}

#[test]
fn t5_usage_is_a_side_channel() {
    let check = |chunks: &[&str], prompt: Option<u64>| {
        let bytes = stream(chunks);
        let seen = events(&bytes, &Quirks::default(), 4);
        assert_eq!(seen.error, None, "{chunks:?}");
        assert_eq!(
            seen.usage.map(|usage| usage.prompt_tokens),
            prompt,
            "{chunks:?}"
        );
        let (out, editor, _) = edited(&bytes, &Quirks::default(), 4);
        let usage = editor.meter().usage.as_ref();
        assert_eq!(usage.map(|usage| usage.prompt_tokens), prompt, "{chunks:?}");
        assert_eq!(out.matches("\"usage\"").count(), 1, "{out}");
    };
    let text = text("a");
    let null = r#"{"choices":[],"usage":null}"#;
    let early = r#"{"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":1}}"#;
    let zero =
        r#"{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}"#;
    check(&[&text, STOP, USAGE, "[DONE]"], Some(7));
    check(&[early, &text, USAGE, null, zero, STOP, "[DONE]"], Some(7));
    check(&[&text, STOP, zero, "[DONE]"], None);
    check(&[USAGE, &text, STOP], Some(7));
}

#[test]
fn t9_a_stop_with_calls_is_tool_calls() {
    let call = r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]}}]}"#;
    let length = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#;
    assert_eq!(
        ending(&[call, STOP, "[DONE]"]),
        finish(FinishReason::ToolCalls, Some("stop"))
    );
    // A cut answer stays cut: its arguments may be incomplete.
    assert_eq!(
        ending(&[call, length, "[DONE]"]),
        finish(FinishReason::Length, Some("length"))
    );
    assert_eq!(
        ending(&[call, "[DONE]"]),
        finish(FinishReason::ToolCalls, None)
    );
}

#[test]
fn t12_a_call_without_arguments_gets_an_empty_object() {
    let call = r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}},{"index":1,"id":"d","function":{"name":"g","arguments":"null"}}]}}]}"#;
    let bytes = stream(&[call, STOP, "[DONE]"]);
    let seen = events(&bytes, &Quirks::default(), 6);
    for call in &seen.first().tool_calls {
        assert_eq!(call.arguments, "{}");
    }
    let edit = super::edited_events(&bytes, &Quirks::default(), 6);
    assert_eq!(edit.first().tool_calls, seen.first().tool_calls);
}

#[test]
fn a_call_without_an_id_gets_one_of_ours() {
    let call = r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}}]}"#;
    let bytes = stream(&[call, STOP, "[DONE]"]);
    let seen = events(&bytes, &Quirks::default(), 6);
    let id = seen.first().tool_calls[0].id.clone();
    assert!(id.starts_with("call_") && id.len() == 29, "{id}");
    let edit = super::edited_events(&bytes, &Quirks::default(), 6);
    assert_eq!(edit.first().tool_calls, seen.first().tool_calls);
}

#[test]
fn t36_tags_mean_nothing_beside_a_reasoning_field() {
    let quirks = Quirks {
        reasoning_output: ReasoningOutput::Tag,
        ..Quirks::default()
    };
    let bytes = stream(&[
        r#"{"choices":[{"index":0,"delta":{"reasoning_content":"r"}}]}"#,
        &text("<think>a"),
        STOP,
        "[DONE]",
    ]);
    for seen in [
        events(&bytes, &quirks, 5),
        super::edited_events(&bytes, &quirks, 5),
    ] {
        let first = seen.first();
        assert_eq!(
            (first.reasoning.as_str(), first.content.as_str()),
            ("r", "<think>a")
        );
    }
    let body = br#"{"choices":[{"message":{"content":"a</think>\n\nb"},"finish_reason":"stop"}]}"#;
    for seen in [whole_events(body, &quirks), edited_whole(body, &quirks)] {
        let first = seen.first();
        assert_eq!(
            (first.reasoning.as_str(), first.content.as_str()),
            ("a", "b")
        );
    }
}

#[test]
fn reasoning_after_text_is_another_block() {
    let reasoning =
        |text: &str| format!(r#"{{"choices":[{{"index":0,"delta":{{"reasoning":"{text}"}}}}]}}"#);
    let bytes = stream(&[
        &reasoning("a"),
        &reasoning("b"),
        &text("x"),
        &reasoning("c"),
        STOP,
    ]);
    for seen in [
        events(&bytes, &Quirks::default(), 5),
        super::edited_events(&bytes, &Quirks::default(), 5),
    ] {
        let details = seen.first().details;
        let blocks: Vec<(u32, &str)> = details
            .iter()
            .map(|detail| (detail.block, detail.text.as_str()))
            .collect();
        assert_eq!(blocks, [(0, "ab"), (1, "c")]);
    }
}

#[test]
fn t38_the_end_needs_a_marker_or_a_finish_reason() {
    let text = text("a");
    let unavailable = Err(ErrorType::ProviderUnavailable);
    assert_eq!(ending(&[&text]), unavailable);
    assert_eq!(ending(&[&text, USAGE]), unavailable);
    assert_eq!(ending(&[]), unavailable);
    assert_eq!(
        ending(&[&text, STOP]),
        finish(FinishReason::Stop, Some("stop"))
    );
    assert_eq!(ending(&[&text, "[DONE]"]), finish(FinishReason::Stop, None));
}

#[test]
fn t41_the_end_needs_every_choice() {
    let second = r#"{"choices":[{"index":1,"delta":{"content":"b"}}]}"#;
    assert_eq!(
        ending(&[&text("a"), second, STOP]),
        Err(ErrorType::ProviderUnavailable)
    );
}

#[test]
fn t40_signs_of_life_are_no_content() {
    let quiet = [
        ": keep-alive\n\n".to_owned(),
        "\n\n".to_owned(),
        "event: ping\ndata: {\"type\":\"ping\"}\n\n".to_owned(),
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"reasoning_content\":\"\"}}]}\n\n".to_owned(),
        "data: {\"choices\":[{\"delta\":{\"content\":null,\"tool_calls\":[],\"images\":[],\"refusal\":\"\"}}]}\n\n".to_owned(),
        format!("data: {USAGE}\n\n"),
    ];
    let (_, editor, failure) = edited(quiet.concat().as_bytes(), &Quirks::default(), 3);
    assert!(!editor.meter().has_content);
    assert!(failure.is_some());
}

#[test]
fn t46_empty_means_nothing_at_all() {
    let check = |message: &str, is_empty: bool| {
        let chunk = format!(r#"{{"choices":[{{"index":0,"delta":{message}}}]}}"#);
        let expected = if is_empty {
            Err(ErrorType::ProviderUnavailable)
        } else {
            Ok(())
        };
        let ended = ending(&[&chunk, STOP, "[DONE]"]).map(|_| ());
        assert_eq!(ended, expected, "{message}");
        let body =
            format!(r#"{{"choices":[{{"index":0,"message":{message},"finish_reason":"stop"}}]}}"#);
        let whole = whole_events(body.as_bytes(), &Quirks::default());
        assert_eq!(whole.error.is_some(), is_empty, "{message}");
        let edit = crate::openai_chat::ResponseEdit::new(
            body.as_bytes(),
            &super::identity(),
            &Quirks::default(),
            &crate::target::ReadBack::default(),
        );
        assert_eq!(edit.is_err(), is_empty, "{message}");
    };
    check(r#"{"content":""}"#, true);
    check(r#"{"content":null}"#, true);
    check("{}", true);
    check(r#"{"content":" "}"#, false);
    check(r#"{"reasoning":"r"}"#, false);
    check(r#"{"refusal":"no"}"#, false);
    check(
        r#"{"tool_calls":[{"id":"c","function":{"name":"f","arguments":""}}]}"#,
        false,
    );
    check(
        r#"{"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]}"#,
        false,
    );
    check(r#"{"audio":{"id":"a","data":"AA=="}}"#, false);
    // A count makes it an answer, and so does a filter.
    assert!(ending(&[USAGE, STOP, "[DONE]"]).is_ok());
    let filtered = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}"#;
    assert!(ending(&[filtered, "[DONE]"]).is_ok());
}

#[test]
fn t51_a_body_that_is_no_answer_is_classified() {
    for body in [
        r#"{"error":{"code":503,"message":"overloaded"}}"#,
        r#"[{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}]"#,
        "<html><body>nope</body></html>",
        r#""something went wrong""#,
        r#"{"detail":"no"}"#,
        r#"{"choices":[]}"#,
        r#"{"choices":null}"#,
        r#"{"choices":[{"message":{"content":"cut"#,
        "{}",
        "",
    ] {
        for size in [1, 1000] {
            let seen = events(body.as_bytes(), &Quirks::default(), size);
            assert!(seen.error.is_some() && seen.choices.is_empty(), "{body}");
            assert!(
                edited(body.as_bytes(), &Quirks::default(), size)
                    .2
                    .is_some(),
                "{body}"
            );
        }
        assert!(
            whole_events(body.as_bytes(), &Quirks::default())
                .error
                .is_some(),
            "{body}"
        );
        assert!(
            edited_whole(body.as_bytes(), &Quirks::default())
                .error
                .is_some(),
            "{body}"
        );
    }
}

#[test]
fn t52_t55_empty_words_are_absent() {
    let bytes = stream(&[
        r#"{"id":"","model":"","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":""}]}"#,
        r#"{"id":"x","model":"m","choices":[{"index":0,"delta":{"content":"b"},"finish_reason":""}]}"#,
        r#"{"id":"","choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#,
        "[DONE]",
    ]);
    let (_, editor, _) = edited(&bytes, &Quirks::default(), 9);
    assert_eq!(editor.meter().upstream_id.as_deref(), Some("x"));
    let finish = (FinishReason::Length, Some("length".to_owned()));
    assert_eq!(editor.meter().finish, Some(finish));
}

#[test]
fn a_later_reason_is_the_more_exact_one() {
    let filter = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"content_filter"}]}"#;
    let text = text("a");
    assert_eq!(
        ending(&[&text, STOP, filter, STOP, "[DONE]"]),
        finish(FinishReason::ContentFilter, Some("content_filter"))
    );
}

#[test]
fn usage_is_brought_to_one_form() {
    let check =
        |raw: &str, expected: Option<Usage>| assert_eq!(usage::decode(raw), expected, "{raw}");
    let base = Usage {
        prompt_tokens: 10,
        completion_tokens: 5,
        ..Usage::default()
    };
    check(
        r#"{"prompt_tokens":10,"completion_tokens":5}"#,
        Some(base.clone()),
    );
    check(
        r#"{"prompt_tokens":10,"total_tokens":15}"#,
        Some(base.clone()),
    );
    check(
        r#"{"prompt_tokens":10.0,"completion_tokens":5.00}"#,
        Some(base.clone()),
    );
    check(r#"{"total_tokens":15}"#, None);
    check("{}", None);
    check("null", None);
    check("[]", None);
    check(r#"{"prompt_tokens":null,"completion_tokens":null}"#, None);
    // T19: the total decides whether reasoning is inside.
    let reasoning = |completion: u64| {
        Some(Usage {
            completion_tokens: completion,
            reasoning_tokens: Some(4),
            ..base.clone()
        })
    };
    let raw = |total: &str| {
        format!(
            r#"{{"prompt_tokens":10,"completion_tokens":5{total},"completion_tokens_details":{{"reasoning_tokens":4}}}}"#
        )
    };
    check(&raw(r#","total_tokens":15"#), reasoning(5));
    check(&raw(r#","total_tokens":19"#), reasoning(9));
    check(&raw(""), reasoning(5));
    // Perplexity: beside it, at the top level.
    check(
        r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":19,"reasoning_tokens":4,"num_search_queries":2}"#,
        Some(Usage {
            web_search_requests: 2,
            ..reasoning(9).expect("usage")
        }),
    );
    // xAI: more cached than prompt.
    check(
        r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":30}}"#,
        Some(Usage {
            prompt_tokens: 40,
            cached_tokens: 30,
            ..base.clone()
        }),
    );
    // The same counter in two places is not added.
    check(
        r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_cache_hit_tokens":3,"prompt_tokens_details":{"cached_tokens":3,"cache_write_tokens":2,"audio_tokens":1}}"#,
        Some(Usage {
            cached_tokens: 3,
            cache_write_tokens: 2,
            audio_prompt_tokens: 1,
            ..base.clone()
        }),
    );
    // Negative or beyond belief: clamped and marked.
    check(
        r#"{"prompt_tokens":10,"completion_tokens":-5}"#,
        Some(Usage {
            completion_tokens: 0,
            is_estimated: true,
            ..base.clone()
        }),
    );
    let absurd =
        usage::decode(r#"{"prompt_tokens":10,"completion_tokens":99999999999999999999999}"#);
    assert!(absurd.is_some_and(|usage| usage.is_estimated));
}
