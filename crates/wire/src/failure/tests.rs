use super::*;
use interline_domain::ErrorType as E;
use proptest::prelude::*;
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

/// A body without headers, as the operator's credential reads it.
fn read_body(status: u16, body: &str) -> Failure {
    classify(Dialect::OpenAiChat, status, &NO_HEADERS, body.as_bytes())
}

#[test]
fn any_shape_of_body_is_read() {
    let check = |status: u16, body: &str, error_type: ErrorType, message: &str| {
        let failure = read_body(status, body);
        assert_eq!(failure.error_type, error_type, "{body}");
        assert_eq!(failure.message, message, "{body}");
    };
    check(
        400,
        r#"{"error":"a string"}"#,
        E::InvalidRequest,
        "a string",
    );
    check(
        400,
        r#""a bare string""#,
        E::InvalidRequest,
        "a bare string",
    );
    check(400, "no JSON", E::InvalidRequest, "no JSON");
    check(
        404,
        r#"{"error":"model 'qwen9' not found"}"#,
        E::NotFound,
        "model 'qwen9' not found",
    );
    check(
        429,
        r#"[{"error":{"message":"m"}}]"#,
        E::RateLimitExceeded,
        "m",
    );
    check(
        422,
        r#"{"message":{"detail":[{"msg":"extra"}]}}"#,
        E::Unprocessable,
        "extra",
    );
    check(
        500,
        r#"{"detail":{"error":"m"}}"#,
        E::ProviderUnavailable,
        "m",
    );
    check(
        400,
        r#"{"errors":[{"code":7003,"message":"m"}]}"#,
        E::InvalidRequest,
        "m",
    );
    check(
        503,
        "",
        E::ProviderOverloaded,
        "The provider answered with status 503",
    );
    check(
        418,
        "",
        E::Unmapped,
        "The provider answered with status 418",
    );
    check(
        429,
        "null",
        E::RateLimitExceeded,
        "The provider answered with status 429",
    );
    check(
        503,
        r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
        E::ProviderOverloaded,
        "Loading model",
    );
}

#[test]
fn an_error_in_a_good_answer_is_read_by_its_code() {
    let check = |body: &str, status: u16, error_type: ErrorType, code: &str| {
        let failure = read_body(200, body);
        assert_eq!(failure.error_type, error_type, "{body}");
        assert_eq!(failure.status, Some(status), "{body}");
        assert_eq!(failure.provider_code.as_deref(), Some(code), "{body}");
    };
    check(
        r#"{"base_resp":{"status_code":1002,"status_msg":"rate limit"}}"#,
        200,
        E::RateLimitExceeded,
        "1002",
    );
    check(
        r#"{"base_resp":{"status_code":1027,"status_msg":"output"}}"#,
        200,
        E::ContentPolicyViolation,
        "1027",
    );
    check(
        r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#,
        503,
        E::ProviderOverloaded,
        "UNAVAILABLE",
    );
    check(
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        200,
        E::ProviderOverloaded,
        "overloaded_error",
    );
    check(
        r#"{"error":{"message":"m","type":"invalid_request_error"}}"#,
        200,
        E::InvalidRequest,
        "invalid_request_error",
    );
    check(
        r#"{"error":{"message":"m","type":"server_error","code":"some_fault"}}"#,
        200,
        E::ProviderUnavailable,
        "some_fault",
    );
}

#[test]
fn a_redirect_is_not_followed_and_its_body_not_believed() {
    let failure = read_body(
        302,
        r#"{"error":{"code":"content_filter","message":"go away"}}"#,
    );
    assert_eq!(failure.error_type, ErrorType::ProviderUnavailable);
    assert_eq!(failure.retry, Retry::Elsewhere);
    assert!(!failure.message.contains("go away"));
}

#[test]
fn a_body_that_was_cut_still_says_its_code() {
    let padding = "x".repeat(BODY_READ_BYTES);
    let body = format!(
        r#"{{"error":{{"code":"context_length_exceeded","message":"too long","input":"{padding}"}}}}"#
    );
    let failure = read_body(400, &body);
    assert_eq!(failure.error_type, ErrorType::ContextLengthExceeded);
    assert_eq!(failure.message, "too long");
    assert!(failure.raw.is_some_and(|raw| raw.len() <= RAW_BYTES));
    let nested = "[".repeat(10_000);
    assert_eq!(
        read_body(400, &nested).error_type,
        ErrorType::InvalidRequest
    );
}

/// A caller whose words are quoted must not take an endpoint or a credential out of service.
#[test]
fn quoted_words_of_the_caller_blame_nobody_else() {
    for quoted in [
        "insufficient balance",
        "your credit balance is too low",
        "incorrect api key",
        "user location is not supported",
        "the model is overloaded",
        "rate limit",
        "model not found",
    ] {
        let body = format!(r#"{{"error":{{"message":"Invalid value for 'stop': '{quoted}'"}}}}"#);
        let failure = read_body(400, &body);
        assert_eq!(failure.blame, Blame::Caller, "{quoted}");
        assert_eq!(failure.retry, Retry::No, "{quoted}");
    }
}

#[test]
fn our_own_account_is_nobody_elses_business() {
    let body = r#"{"error":{"message":"Incorrect API key provided: sk-ab***yz.","code":"invalid_api_key"}}"#;
    let ours = read_body(401, body);
    assert_eq!(ours.blame, Blame::Credential);
    assert!(!ours.message.contains("API key"), "{}", ours.message);
    let theirs = as_caller_credential(ours);
    assert_eq!(theirs.message, "Incorrect API key provided: [redacted].");
    assert_eq!(theirs.error_type, ErrorType::Authentication);
    let check = |status: u16, body: &str, expected: ErrorType| {
        let failure = as_caller_credential(read_body(status, body));
        assert_eq!(
            (failure.error_type, failure.retry),
            (expected, Retry::No),
            "{body}"
        );
    };
    let quota = r#"{"error":{"message":"m","type":"insufficient_quota","code":null}}"#;
    check(429, quota, ErrorType::PaymentRequired);
    check(402, "", ErrorType::PaymentRequired);
    check(403, r#"{"message":"m"}"#, ErrorType::PermissionDenied);
    check(401, "", ErrorType::Authentication);
    // Not about the credential: unchanged.
    let overloaded = read_body(503, "");
    assert_eq!(as_caller_credential(overloaded.clone()), overloaded);
}

#[test]
fn known_credentials_are_taken_out() {
    let failure = read_body(
        400,
        r#"{"error":{"code":"c-hunter2","message":"m hunter2"}}"#,
    );
    let failure = without_secrets(failure, &["hunter2"]);
    let shown = format!("{failure:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(shown.contains("[redacted]"), "{shown}");
}

#[test]
fn a_wait_may_be_a_date() {
    let headers = |name: &str| (name == "retry-after").then_some("Thu, 01 Jan 1970 00:01:00 GMT");
    let now = Timestamp::from_seconds(50);
    let failure = classify_at(Dialect::OpenAiChat, 503, &headers, b"", now);
    assert_eq!(failure.retry_after, Some(Duration::from_secs(10)));
    let undated = classify(Dialect::OpenAiChat, 503, &headers, b"");
    assert_eq!(undated.retry_after, None);
    // A wait does not heal a bad request.
    let headers = |name: &str| (name == "retry-after").then_some("5");
    let invalid = classify(Dialect::OpenAiChat, 400, &headers, b"");
    assert_eq!(invalid.retry_after, None);
}

proptest! {
    /// Whatever is sent, there is a verdict within its bounds.
    #[test]
    fn every_body_is_classified(
        status in 100_u16..700,
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "\\{\"(error|errors|detail|message|code|details)\":[\\[{\"]?(code|message|error)?\":?[0-9a-z\"]{0,9}[\\]}]{0,3}"
                .prop_map(String::into_bytes),
        ],
    ) {
        let failure = classify(Dialect::Gemini, status, &NO_HEADERS, &body);
        prop_assert!(!failure.message.is_empty());
        prop_assert!(failure.message.len() <= MESSAGE_BYTES);
        prop_assert!(!failure.message.contains(char::is_control));
        let theirs = as_caller_credential(failure);
        prop_assert!(!theirs.message.is_empty());
    }
}
