use super::{Answer, words};
use crate::script::{Behaviour, Counts, Finish, Text, Tools};
use crate::seen::{Choice, Seen, Tool};
use serde_json::json;

fn seen() -> Seen {
    let tool = |name: &str| Tool {
        name: name.to_owned(),
        schema: json!({"type": "object", "properties": {"city": {"type": "string"}}}),
    };
    Seen {
        last_text: "SIM:x=1; hello there".to_owned(),
        tools: vec![tool("a"), tool("b")],
        parallel: true,
        messages: 1,
        text_bytes: 20,
        ..Seen::default()
    }
}

fn check(seen: &Seen, behaviour: &Behaviour, text: &str, calls: &[&str], finish: Finish) {
    let answer = Answer::new(1, seen, behaviour);
    assert_eq!(answer.text.concat(), text, "{behaviour:?}");
    let names: Vec<&str> = answer.calls.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(names, calls, "{behaviour:?}");
    assert_eq!(answer.finish, finish, "{behaviour:?}");
}

#[test]
fn answers_follow_request_and_script() {
    let plain = Behaviour::default();
    let tools = Behaviour {
        tools: Tools::Offered,
        ..Behaviour::default()
    };
    check(&seen(), &plain, "hello there", &[], Finish::Stop);
    check(&seen(), &tools, "", &["a", "b"], Finish::ToolCalls);
    check(
        &Seen {
            parallel: false,
            ..seen()
        },
        &tools,
        "",
        &["a"],
        Finish::ToolCalls,
    );
    check(
        &Seen {
            has_tool_results: true,
            ..seen()
        },
        &tools,
        "hello there",
        &[],
        Finish::Stop,
    );
    check(
        &Seen {
            choice: Choice::None,
            ..seen()
        },
        &tools,
        "hello there",
        &[],
        Finish::Stop,
    );
    let named = Seen {
        choice: Choice::Named("b".into()),
        ..seen()
    };
    check(&named, &plain, "", &["b"], Finish::ToolCalls);
    check(
        &Seen {
            max_tokens: Some(1),
            ..seen()
        },
        &plain,
        "hello ",
        &[],
        Finish::Length,
    );
    check(
        &Seen {
            stop: vec!["th".into()],
            ..seen()
        },
        &plain,
        "hello ",
        &[],
        Finish::Stop,
    );
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    check(
        &Seen {
            schema: Some(schema),
            ..seen()
        },
        &plain,
        "{\"n\":1}",
        &[],
        Finish::Stop,
    );
    let indexed = Behaviour {
        text: Text::Indexed(2),
        tag: "t".into(),
        ..Behaviour::default()
    };
    check(&seen(), &indexed, "t.0 t.1 ", &[], Finish::Stop);
    let refusal = Behaviour {
        refusal: Some("No.".into()),
        ..tools
    };
    check(&seen(), &refusal, "", &[], Finish::Stop);
}

#[test]
fn tokens_are_counted_unless_fixed() {
    let answer = Answer::new(1, &seen(), &Behaviour::default());
    let tokens = answer.tokens.unwrap();
    assert_eq!((tokens.prompt, tokens.completion), (9, 2));
    let usage = Counts {
        prompt: Some(7),
        cached: Some(3),
        ..Counts::default()
    };
    let fixed = Answer::new(
        1,
        &seen(),
        &Behaviour {
            usage,
            ..Behaviour::default()
        },
    );
    let tokens = fixed.tokens.unwrap();
    assert_eq!((tokens.prompt, tokens.completion, tokens.cached), (7, 2, 3));
    let omitted = Behaviour {
        omit_usage: true,
        ..Behaviour::default()
    };
    assert_eq!(Answer::new(1, &seen(), &omitted).tokens, None);
}

#[test]
fn words_lose_nothing() {
    for text in [
        "",
        "a",
        "a b ",
        "  é",
        "averyveryverylongwordwithoutspaces🦀🦀🦀🦀🦀🦀🦀",
    ] {
        assert_eq!(words(text).concat(), text);
    }
}
