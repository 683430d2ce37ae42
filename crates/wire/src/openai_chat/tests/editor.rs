//! The very bytes that clients get.

use super::{edited, identity};
use crate::chat::answer::{ChatAnswer, ChatStream, Tail};
use crate::openai_chat::{ResponseEdit, StreamEditor};
use crate::target::ReadBack;
use bytes::BytesMut;
use interline_domain::quirks::{Quirks, ReasoningOutput};
use interline_domain::{Failure, FinishReason};

const HEAD: &str = r#"data: {"id":"gen-1","provider":"Acme","model":"author/model","object":"chat.completion.chunk","created":1700000000"#;

/// Feeds chunks (the JSON only) and gives what came out of each, without the head that all share.
fn edit(quirks: &Quirks, chunks: &[&str]) -> Vec<String> {
    let mut editor = StreamEditor::new(identity(), quirks, &ReadBack::default());
    chunks
        .iter()
        .map(|chunk| {
            let mut out = BytesMut::new();
            let event = format!("data: {chunk}\n\n");
            editor.feed(event.as_bytes(), &mut out).expect(chunk);
            String::from_utf8(out.to_vec())
                .expect("UTF-8")
                .replace(HEAD, "")
        })
        .collect()
}

/// One chunk in, one chunk (or nothing) out.
fn check(quirks: &Quirks, chunk: &str, expected: &str) {
    assert_eq!(edit(quirks, &[chunk]), [expected], "{chunk}");
}

fn plain(chunk: &str, expected: &str) {
    check(&Quirks::default(), chunk, expected);
}

#[test]
fn a_plain_chunk_is_spliced() {
    plain(
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt","service_tier":"default","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi \u00e9"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"x7"}"#,
        concat!(
            r#","system_fingerprint":"fp","service_tier":"default","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi \u00e9"},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}"#,
            "\n\n"
        ),
    );
    // The role is on every chunk of ours.
    plain(
        r#"{"choices":[{"delta":{"content":"a"}}]}"#,
        concat!(
            r#","choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}"#,
            "\n\n"
        ),
    );
}

#[test]
fn unknown_fields_survive_everywhere() {
    let chunk = r#"{"new_top":{"a":1.0,"b":[1, 2]},"choices":[{"index":0,"new_choice":12345678901234567890,"delta":{"new_delta":"\u0041","content":"x"},"logprobs":{"content":[ ]}}]}"#;
    let out = edit(&Quirks::default(), &[chunk]);
    for kept in [
        r#""new_top":{"a":1.0,"b":[1, 2]}"#,
        r#""new_choice":12345678901234567890"#,
        r#""new_delta":"\u0041""#,
        r#""logprobs":{"content":[ ]}"#,
    ] {
        assert!(out[0].contains(kept), "{kept} in {}", out[0]);
    }
    // Also in chunks that are not plain.
    let chunk = r#"{"choices":[{"index":0,"delta":{"new_delta":1.50,"reasoning_content":"r","tool_calls":[{"index":0,"id":"c","new_call":1.0,"function":{"name":"f","arguments":"{}","new_function":2.0}}]}}]}"#;
    let out = edit(&Quirks::default(), &[chunk]);
    for kept in [
        r#""new_delta":1.50"#,
        r#""new_call":1.0"#,
        r#""new_function":2.0"#,
    ] {
        assert!(out[0].contains(kept), "{kept} in {}", out[0]);
    }
    // And on their own: in a chunk without choices, beside the finish reason.
    let news = edit(
        &Quirks::default(),
        &[
            r#"{"choices":[],"new_top":1.0,"usage":{"prompt_tokens":1,"completion_tokens":1}}"#,
            r#"{"choices":[{"index":0,"delta":{},"stop_reason":"x","finish_reason":"stop"}]}"#,
        ],
    );
    assert_eq!(news[0], ",\"new_top\":1.0,\"choices\":[]}\n\n");
    assert!(
        news[1].contains(r#""stop_reason":"x""#) && news[1].contains(r#""finish_reason":null"#)
    );
}

#[test]
fn what_says_nothing_is_left_out() {
    for chunk in [
        r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":null}],"usage":{"prompt_tokens":1}}"#,
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop","logprobs":null}]}"#,
        r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop"}]}"#,
        r#"{"choices":[{"index":0,"delta":{"content":null,"reasoning_content":""}}]}"#,
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[]}}]}"#,
        r#"{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#,
        r#"{"choices":[{"index":0,"content_filter_results":{"hate":{}},"finish_reason":null}]}"#,
    ] {
        plain(chunk, "");
    }
}

/// Clients that validate chunks know the fingerprint as a string or not at all.
#[test]
fn a_null_fingerprint_is_left_out() {
    let bare = r#","choices":[{"index":0,"delta":{"role":"assistant","content":"a"},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}"#;
    plain(
        r#"{"system_fingerprint":null,"choices":[{"index":0,"delta":{"role":"assistant","content":"a"}}]}"#,
        &format!("{bare}\n\n"),
    );
}

#[test]
fn reasoning_has_one_name() {
    let expected = concat!(
        r#","choices":[{"index":0,"delta":{"role":"assistant","reasoning":"a\n","reasoning_details":[{"type":"reasoning.text","text":"a\n","format":"unknown","index":0}]},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}"#,
        "\n\n"
    );
    plain(
        r#"{"choices":[{"index":0,"delta":{"reasoning_content":"a\n"}}]}"#,
        expected,
    );
    plain(
        r#"{"choices":[{"index":0,"delta":{"reasoning":"a\n"}}]}"#,
        expected,
    );
    plain(
        r#"{"choices":[{"index":0,"delta":{"reasoning":"a\n","reasoning_content":"a\n"}}]}"#,
        expected,
    );
    // The provider's own details are passed on.
    let details = r#"[{"type":"reasoning.encrypted","data":"x","id":null,"format":"f","index":3}]"#;
    let chunk = format!(r#"{{"choices":[{{"delta":{{"reasoning_details":{details}}}}}]}}"#);
    assert!(edit(&Quirks::default(), &[&chunk])[0].contains(details));
}

#[test]
fn excluded_reasoning_is_counted_and_not_shown() {
    let mut identity = identity();
    identity.exclude_reasoning = true;
    let mut editor = StreamEditor::new(identity.clone(), &Quirks::default(), &ReadBack::default());
    let mut out = BytesMut::new();
    let chunk = b"data: {\"choices\":[{\"delta\":{\"reasoning\":\"abc\"}}]}\n\n";
    editor.feed(chunk, &mut out).expect("a chunk");
    assert!(out.is_empty());
    assert!(editor.meter().has_content);
    assert_eq!(editor.meter().reasoning_bytes, 3);

    let body =
        br#"{"choices":[{"message":{"content":"x","reasoning":"abc"},"finish_reason":"stop"}]}"#;
    let edit = ResponseEdit::new(body, &identity, &Quirks::default(), &ReadBack::default());
    let body = Box::new(edit.expect("an answer")).finish(&Tail::default());
    assert!(!String::from_utf8_lossy(&body).contains("abc"));
}

#[test]
fn several_data_lines_become_one() {
    let mut editor = StreamEditor::new(identity(), &Quirks::default(), &ReadBack::default());
    let mut out = BytesMut::new();
    let event = b"data: {\"choices\":[{\"delta\":\ndata:  {\"content\":\ndata: \"a\"}}]}\r\n\r\n";
    editor.feed(event, &mut out).expect("a chunk");
    let text = String::from_utf8(out.to_vec()).expect("UTF-8");
    assert_eq!(text.matches('\n').count(), 2, "{text}");
    assert!(text.contains(r#""content": "a""#), "{text}");
}

#[test]
fn the_end_is_withheld_until_it_is_paid() {
    let stream = concat!(
        "data: {\"id\":\"up\",\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}},{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n",
        "data: {\"choices\":[{\"index\":1,\"delta\":{},\"finish_reason\":\"length\"},{\"index\":0,\"delta\":{\"content\":\"!\"},\"finish_reason\":\"eos\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5},\"service_tier\":\"on_demand\"}\n\n",
        "data: [DONE]\n\n",
    );
    let mut editor = StreamEditor::new(identity(), &Quirks::default(), &ReadBack::default());
    let mut out = BytesMut::new();
    editor.feed(stream.as_bytes(), &mut out).expect("a stream");
    assert!(editor.is_done());
    let before = String::from_utf8(out.split().to_vec()).expect("UTF-8");
    for withheld in ["\"finish_reason\":\"", "usage", "[DONE]"] {
        assert!(!before.contains(withheld), "{before}");
    }
    let finish = (FinishReason::Stop, Some("eos".to_owned()));
    assert_eq!(editor.meter().finish, Some(finish));
    assert_eq!(editor.meter().upstream_id.as_deref(), Some("up"));
    let tail = Tail {
        usage: editor.meter().usage.clone().expect("usage"),
        metadata: Some(r#"{"m":1}"#.to_owned()),
        ..Tail::default()
    };
    editor.finish(&tail, &mut out);
    let after = String::from_utf8(out.to_vec()).expect("UTF-8");
    let lines: Vec<&str> = after.split_terminator("\n\n").collect();
    assert!(
        lines[0].contains(r#""index":0"#) && lines[0].contains(r#""native_finish_reason":"eos""#)
    );
    assert!(lines[1].contains(r#""index":1"#) && lines[1].contains(r#""finish_reason":"length""#));
    assert!(lines[2].contains(r#""choices":[]"#) && lines[2].contains(r#""total_tokens":5"#));
    assert!(lines[2].contains(r#""openrouter_metadata":{"m":1}"#));
    assert_eq!(lines[3..], ["data: [DONE]"]);
    // What comes after the end is of no interest.
    let mut more = BytesMut::new();
    assert_eq!(editor.feed(b"data: {\n\n", &mut more), Ok(()));
    assert!(more.is_empty());
}

#[test]
fn an_answer_keeps_what_it_does_not_know() {
    let body = br#" {"id":"x","choices":[{"index":0,"new":1.0,"message":{"content":"a","fresh":[1, 2],"refusal":null,"tool_calls":[{"id":"c","function":{"name":"f","arguments":""},"extra":{"k":2.50}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1},"top":1e3,"service_tier":"standard"}"#;
    let edit = ResponseEdit::new(body, &identity(), &Quirks::default(), &ReadBack::default())
        .expect("an answer");
    let body = Box::new(edit).finish(&Tail::default());
    let body = String::from_utf8(body.to_vec()).expect("UTF-8");
    for kept in [
        r#""new":1.0"#,
        r#""fresh":[1, 2]"#,
        r#""extra":{"k":2.50}"#,
        r#""top":1e3"#,
        r#""service_tier":"default""#,
        r#""arguments":"{}""#,
        r#""finish_reason":"tool_calls","native_finish_reason":"stop""#,
        r#""system_fingerprint":null"#,
    ] {
        assert!(body.contains(kept), "{kept} in {body}");
    }
    assert_eq!(body.matches("\"usage\"").count(), 1);
}

#[test]
fn tool_names_are_given_back() {
    let read_back = ReadBack {
        tool_names: vec![("a_b".to_owned(), "a.b".to_owned())],
        ..ReadBack::default()
    };
    let mut editor = StreamEditor::new(identity(), &Quirks::default(), &read_back);
    let mut out = BytesMut::new();
    let chunk = b"data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"id\":\"c\",\"function\":{\"name\":\"a_b\",\"arguments\":\"{}\"}}]}}]}\n\n";
    editor.feed(chunk, &mut out).expect("a chunk");
    let text = String::from_utf8(out.to_vec()).expect("UTF-8");
    assert!(text.contains(r#""name":"a.b""#), "{text}");
}

#[test]
fn a_failure_ends_the_stream_in_the_documented_way() {
    let (text, _, failure) = edited(
        b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"cho",
        &Quirks::default(),
        10,
    );
    assert!(failure.is_some_and(|failure: Failure| failure.status.is_none()));
    let lines: Vec<&str> = text.split_terminator("\n\n").collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[1].contains(r#""error":{"code":502}"#), "{text}");
    assert!(lines[1].contains(r#""finish_reason":"error""#), "{text}");
    assert_eq!(lines[2], "data: [DONE]");
}

#[test]
fn held_tags_come_out_at_the_end() {
    let quirks = Quirks {
        reasoning_output: ReasoningOutput::Tag,
        ..Quirks::default()
    };
    let (text, editor, failure) = edited(
        b"data: {\"choices\":[{\"delta\":{\"content\":\"<thi\"},\"finish_reason\":\"stop\"}]}\n\n",
        &quirks,
        9,
    );
    assert_eq!(failure, None);
    assert!(text.contains(r#""content":"<thi""#), "{text}");
    assert_eq!(editor.meter().text_bytes, 4);
}
