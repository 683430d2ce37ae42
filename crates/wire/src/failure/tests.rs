use super::*;
use serde_json::Value;
use std::time::Duration;

const NO_HEADERS: fn(&str) -> Option<&'static str> = |_| None;

fn retry_word(retry: Retry) -> &'static str {
    match retry {
        Retry::No => "no",
        Retry::Elsewhere => "yes",
        Retry::LargerContext => "larger_context_only",
        Retry::SameOnce => "same_once",
        Retry::SameAfterStrip => "same_after_strip",
        Retry::SameAfterRename => "same_after_rename",
        Retry::IfTranslated => "yes_if_translated",
    }
}

/// Every recorded error answer of a file gives what the file says.
fn check_file(dialect: Dialect, text: &str) {
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    assert!(!cases.is_empty());
    for case in &cases {
        let body = match &case["body"] {
            // Pages and empty bodies stand in the file as strings.
            Value::String(page) => page.clone(),
            body => body.to_string(),
        };
        let status = u16::try_from(case["status"].as_u64().unwrap()).unwrap();
        let headers = |name: &str| case["headers"].get(name).and_then(Value::as_str);
        let mut failure = classify(dialect, status, &headers, body.as_bytes());
        if case["key_owner"] == "byok" {
            failure = as_caller_credential(failure);
        }
        let expect = &case["expect"];
        assert_eq!(failure.error_type.as_str(), expect["error_type"], "{case}");
        assert_eq!(
            retry_word(failure.retry),
            expect["retry_elsewhere"],
            "{case}"
        );
        let wait = failure.retry_after.map(|wait| wait.as_millis());
        assert_eq!(
            wait,
            expect["retry_after_ms"].as_u64().map(u128::from),
            "{case}"
        );
        assert_eq!(failure.status, Some(status), "{case}");
        assert!(!failure.message.is_empty(), "{case}");
        assert!(!failure.message.contains("<html"), "{case}");
        assert!(!failure.message.contains("sk-ab"), "{case}");
    }
}

#[test]
fn recorded_errors_are_classified() {
    check_file(
        Dialect::OpenAiChat,
        include_str!("../../golden/errors/openai.json"),
    );
    check_file(
        Dialect::AnthropicMessages,
        include_str!("../../golden/errors/anthropic.json"),
    );
    check_file(
        Dialect::Gemini,
        include_str!("../../golden/errors/gemini.json"),
    );
    check_file(
        Dialect::OpenAiChat,
        include_str!("../../golden/errors/compatible.json"),
    );
}
