//! Every recorded answer, through events and through edited bytes, cut and dressed in every way.

mod editor;
mod traps;

use super::{Decoder, ResponseEdit, StreamEditor, decode};
use crate::chat::answer::{ChatAnswer, ChatStream, Identity, Tail};
use crate::event::{Event, ReasoningFormat, Sink};
use crate::target::ReadBack;
use crate::testing::Collected;
use bytes::BytesMut;
use interline_domain::quirks::{Quirks, ReasoningOutput};
use interline_domain::{Failure, FinishReason};
use serde_json::Value;
use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

/// One recorded answer and what it must come to.
struct Fixture {
    name: String,
    bytes: Vec<u8>,
    quirks: Quirks,
    expect: Value,
}

impl Fixture {
    fn is_stream(&self) -> bool {
        Path::new(&self.name)
            .extension()
            .is_some_and(|kind| kind == "sse")
    }
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn fixtures() -> Vec<Fixture> {
    let mut fixtures = Vec::new();
    for folder in [
        "openai-chat",
        "openai-compatible",
        "azure-openai",
        "mistral",
    ] {
        let folder = golden().join(folder);
        let expected = fs::read(folder.join("expected.json")).expect("expected.json");
        let expected: Value = serde_json::from_slice(&expected).expect("JSON");
        for (file, entry) in expected.as_object().expect("an object") {
            let mut expect = entry["expect"].clone();
            // Which of a failure's words is its code is for the classifier to say, and tested there.
            if expect.get("error").is_some() {
                expect
                    .as_object_mut()
                    .expect("an object")
                    .remove("native_finish_reason");
            }
            fixtures.push(Fixture {
                name: file.clone(),
                bytes: fs::read(folder.join(file)).expect(file),
                quirks: quirks(&entry["quirks"]),
                expect,
            });
        }
    }
    assert!(fixtures.len() > 20, "fixtures are found");
    fixtures
}

fn quirks(flags: &Value) -> Quirks {
    Quirks {
        reasoning_output: if flags["out"] == "tag" {
            ReasoningOutput::Tag
        } else {
            ReasoningOutput::Field
        },
        cumulative_reasoning: flags["cumulative_reasoning"] == true,
        citation_markers: flags["citations"] == "markers",
        ..Quirks::default()
    }
}

fn identity() -> Identity {
    Identity {
        id: "gen-1".to_owned(),
        model: "author/model".to_owned(),
        provider: "Acme".to_owned(),
        created: 1_700_000_000,
        exclude_reasoning: false,
    }
}

/// The events of a stream fed in pieces of `size` bytes.
fn events(bytes: &[u8], quirks: &Quirks, size: usize) -> Collected {
    let mut decoder = Decoder::new(quirks, "gen-1", &ReadBack::default());
    Collected::from_stream(&mut decoder, bytes, size)
}

/// The events of a whole answer.
fn whole_events(bytes: &[u8], quirks: &Quirks) -> Collected {
    let mut collected = Collected::default();
    let read_back = ReadBack::default();
    let result = decode(bytes, quirks, "gen-1", &read_back, &mut collected);
    collected.settle(result)
}

/// What the client gets of a stream fed in pieces of `size` bytes, and how it ended.
fn edited(bytes: &[u8], quirks: &Quirks, size: usize) -> (String, StreamEditor, Option<Failure>) {
    let mut editor = StreamEditor::new(identity(), quirks, &ReadBack::default());
    let mut out = BytesMut::new();
    let mut result = Ok(());
    for piece in bytes.chunks(size.max(1)) {
        result = result.and_then(|()| editor.feed(piece, &mut out));
    }
    result = result.and_then(|()| editor.end(&mut out));
    let failure = result.err();
    match &failure {
        None => {
            let tail = Tail {
                usage: editor.meter().usage.clone().unwrap_or_default(),
                ..Tail::default()
            };
            editor.finish(&tail, &mut out);
        }
        Some(_) => editor.fail(r#"{"code":502}"#, None, &mut out),
    }
    let text = String::from_utf8(out.to_vec()).expect("UTF-8");
    (text, editor, failure)
}

/// The client's view of an edited stream, in the normal form.
fn edited_events(bytes: &[u8], quirks: &Quirks, size: usize) -> Collected {
    let (text, editor, failure) = edited(bytes, quirks, size);
    let mut view = read_stream(&text, failure.is_none());
    view.upstream_id = editor.meter().upstream_id.clone();
    view.usage = editor.meter().usage.clone();
    view.error = failure;
    assert_meter(&view, &editor);
    view
}

/// The meter must agree with what the client got: failover depends on it.
fn assert_meter(view: &Collected, editor: &StreamEditor) {
    let meter = editor.meter();
    let sum = |count: &dyn Fn(&crate::testing::Choice) -> usize| {
        view.choices.values().map(count).sum::<usize>() as u64
    };
    let text = sum(&|choice| choice.content.len() + choice.refusal.len());
    assert_eq!(meter.text_bytes, text);
    assert_eq!(meter.reasoning_bytes, sum(&|choice| choice.reasoning.len()));
    let calls = sum(&|choice| choice.tool_calls.len());
    assert_eq!(u64::from(meter.tool_calls), calls);
    let images = sum(&|choice| choice.images.len());
    let total = text + meter.reasoning_bytes + calls + images;
    assert_eq!(meter.has_content, total > 0);
    if view.error.is_none() {
        let first = view.choices.values().next().expect("a choice");
        assert_eq!(meter.finish, first.finish);
    }
}

/// Reads our own stream as a strict client would.
fn read_stream(text: &str, is_good: bool) -> Collected {
    let mut view = Collected::default();
    let body = text.strip_suffix("data: [DONE]\n\n").expect("[DONE] once");
    let mut usages = 0;
    let mut has_error = false;
    for event in body.split_terminator("\n\n") {
        let json = event.strip_prefix("data: ").expect(event);
        assert!(!json.contains(['\n', '\r']), "one line: {event}");
        let chunk: Value = serde_json::from_str(json).expect(event);
        assert_eq!(usages, 0, "usage comes last: {event}");
        assert_eq!(chunk["id"], "gen-1", "{event}");
        assert_eq!(chunk["model"], "author/model", "{event}");
        assert_eq!(chunk["provider"], "Acme", "{event}");
        assert_eq!(chunk["object"], "chat.completion.chunk", "{event}");
        assert_eq!(chunk["created"], 1_700_000_000, "{event}");
        assert!(chunk.get("x_groq").is_none() && chunk.get("obfuscation").is_none());
        let choices = chunk["choices"].as_array().expect(event);
        usages += usize::from(chunk.get("usage").is_some());
        if chunk.get("error").is_some() {
            has_error = true;
            assert_eq!(choices[0]["finish_reason"], "error");
            continue;
        }
        for choice in choices {
            assert_eq!(choice["delta"]["role"], "assistant", "{event}");
            read_choice(choice, &choice["delta"], &mut view);
        }
    }
    assert_eq!((usages, has_error), (usize::from(is_good), !is_good));
    view
}

fn read_choice(choice: &Value, message: &Value, view: &mut Collected) {
    let index = u32::try_from(choice["index"].as_u64().expect("an index")).expect("small");
    view.choices.entry(index).or_default();
    read_message(index, message, view);
    if let Some(reason) = choice["finish_reason"].as_str() {
        view.event(Event::Finish {
            choice: index,
            reason: FinishReason::parse(reason).expect(reason),
            native: choice["native_finish_reason"].as_str().map(Cow::Borrowed),
        });
    }
}

fn read_message(choice: u32, message: &Value, view: &mut Collected) {
    assert!(message.get("reasoning_content").is_none(), "{message}");
    let text = |value: &Value| value.as_str().map(|text| Cow::Owned(text.to_owned()));
    let list = |name: &str| message[name].as_array().cloned().unwrap_or_default();
    let mut from_details = String::new();
    for detail in list("reasoning_details") {
        from_details += detail["text"].as_str().unwrap_or_default();
        view.event(Event::Reasoning {
            choice,
            block: u32::try_from(detail["index"].as_u64().unwrap_or(0)).expect("small"),
            is_summary: false,
            text: text(&detail["text"]).unwrap_or_default(),
            format: ReasoningFormat::Unknown,
        });
    }
    assert_eq!(message["reasoning"].as_str().unwrap_or(""), from_details);
    if let Some(text) = text(&message["content"]).filter(|text| !text.is_empty()) {
        view.event(Event::Text { choice, text });
    }
    if let Some(text) = text(&message["refusal"]).filter(|text| !text.is_empty()) {
        view.event(Event::Refusal { choice, text });
    }
    for call in list("tool_calls") {
        let index = u32::try_from(call["index"].as_u64().expect("an index")).expect("small");
        assert!(call["function"]["arguments"].is_string(), "{call}");
        if let Some(id) = text(&call["id"]) {
            let name = text(&call["function"]["name"]).expect("a name");
            assert_eq!(call["type"], "function");
            view.event(Event::ToolStart {
                choice,
                call: index,
                id,
                name,
            });
        }
        let fragment = text(&call["function"]["arguments"]).unwrap_or_default();
        if !fragment.is_empty() {
            view.event(Event::ToolArguments {
                choice,
                call: index,
                fragment,
            });
        }
    }
    for annotation in list("annotations") {
        let citation = &annotation["url_citation"];
        view.event(Event::UrlCitation {
            choice,
            url: text(&citation["url"]).expect("a url"),
            title: text(&citation["title"]),
            content: text(&citation["content"]),
            start_index: citation["start_index"].as_u64().expect("a start"),
            end_index: citation["end_index"].as_u64().expect("an end"),
        });
    }
    for image in list("images") {
        let url = text(&image["image_url"]["url"]).expect("a url");
        view.event(Event::Image { choice, url });
    }
}

/// The client's view of an edited whole answer.
fn edited_whole(bytes: &[u8], quirks: &Quirks) -> Collected {
    let mut view = Collected::default();
    let edit = match ResponseEdit::new(bytes, &identity(), quirks, &ReadBack::default()) {
        Ok(edit) => edit,
        Err(failure) => return view.settle(Err(failure)),
    };
    view.usage.clone_from(&edit.meter().usage);
    view.upstream_id.clone_from(&edit.meter().upstream_id);
    assert!(edit.meter().has_content);
    let finish = edit.meter().finish.clone();
    let body = Box::new(edit).finish(&Tail::default());
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(answer["id"], "gen-1");
    assert_eq!(answer["model"], "author/model");
    assert_eq!(answer["provider"], "Acme");
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["created"], 1_700_000_000);
    assert_eq!(
        answer["usage"]["cost"], 0,
        "the provider's usage is replaced"
    );
    assert!(answer.get("system_fingerprint").is_some());
    for choice in answer["choices"].as_array().expect("choices") {
        assert_eq!(choice["message"]["role"], "assistant");
        read_choice(choice, &choice["message"], &mut view);
    }
    assert_eq!(finish, view.first().finish);
    view
}

#[test]
fn recorded_answers_become_events() {
    for fixture in fixtures() {
        let Fixture {
            name,
            bytes,
            quirks,
            expect,
        } = &fixture;
        events(bytes, quirks, bytes.len()).check(name, expect);
        if !fixture.is_stream() {
            whole_events(bytes, quirks).check(name, expect);
        }
    }
}

#[test]
fn recorded_answers_are_edited() {
    for fixture in fixtures() {
        let Fixture {
            name,
            bytes,
            quirks,
            expect,
        } = &fixture;
        edited_events(bytes, quirks, bytes.len()).check(name, expect);
        if !fixture.is_stream() {
            edited_whole(bytes, quirks).check(name, expect);
        }
    }
}

/// Both ways of reading come to the same.
#[test]
fn events_and_edits_agree() {
    for fixture in fixtures() {
        let from_events = events(&fixture.bytes, &fixture.quirks, usize::MAX);
        let mut from_edit = edited_events(&fixture.bytes, &fixture.quirks, usize::MAX);
        // The meter has no place for the provider's model.
        from_edit
            .upstream_model
            .clone_from(&from_events.upstream_model);
        for choice in from_edit.choices.values_mut() {
            for citation in &mut choice.citations {
                citation.content = None;
            }
        }
        assert_eq!(from_edit, from_events, "{}", fixture.name);
    }
}

#[test]
fn cuts_line_ends_and_comments_do_not_matter() {
    for fixture in fixtures() {
        let (bytes, quirks) = (&fixture.bytes, &fixture.quirks);
        let reference = events(bytes, quirks, bytes.len());
        let (reference_text, ..) = edited(bytes, quirks, bytes.len());
        let mut variants = vec![bytes.clone()];
        if fixture.is_stream() {
            let text = String::from_utf8(bytes.clone())
                .expect("UTF-8")
                .replace("\r\n", "\n");
            variants.push(text.replace('\n', "\r\n").into_bytes());
            variants.push(text.replace('\n', "\r").into_bytes());
            variants.push(text.replace('\n', "\n: ping\n").into_bytes());
            variants.push(format!("\u{feff}: hello\n\n{text}").into_bytes());
        }
        for variant in &variants {
            for size in [1, 2, 7, 64, variant.len()] {
                assert_eq!(
                    events(variant, quirks, size),
                    reference,
                    "{} by {size}",
                    fixture.name
                );
                let (text, ..) = edited(variant, quirks, size);
                assert_eq!(text, reference_text, "{} by {size}", fixture.name);
            }
        }
    }
}

/// A cut stream never looks finished (T3, T38), and nothing panics.
#[test]
fn a_cut_never_yields_an_end() {
    for fixture in fixtures() {
        let expected_ends = fixture.expect["choices"].as_array().map_or(1, Vec::len);
        for cut in 0..fixture.bytes.trim_ascii_end().len() {
            let part = &fixture.bytes[..cut];
            let text = String::from_utf8_lossy(part);
            // Whole events only: what an event says counts from its last brace on.
            let ends = text
                .match_indices("\"finish_reason\":\"")
                .filter(|(at, found)| !text[at + found.len()..].starts_with('"'))
                .count();
            let may_end = fixture.is_stream() && ends >= expected_ends;
            let seen = events(part, &fixture.quirks, part.len());
            let has_finish = seen.choices.values().any(|choice| choice.finish.is_some());
            assert_eq!(
                seen.error.is_none(),
                has_finish,
                "{} cut at {cut}",
                fixture.name
            );
            assert!(!has_finish || may_end, "{} cut at {cut}", fixture.name);
            let (_, editor, failure) = edited(part, &fixture.quirks, part.len());
            assert_eq!(
                failure.is_none(),
                has_finish,
                "{} cut at {cut}",
                fixture.name
            );
            assert_eq!(editor.meter().finish.is_some(), has_finish);
            if !fixture.is_stream() {
                assert!(edited_whole(part, &fixture.quirks).error.is_some());
            }
        }
    }
}
