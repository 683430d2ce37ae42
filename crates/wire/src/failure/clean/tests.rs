use super::*;
use proptest::prelude::*;

#[test]
fn keys_are_masked() {
    let check = |text: &str, expected: &str| assert_eq!(redact(text, &["s3cr3t"]), expected);
    // Ours, wherever they stand.
    check("it was s3cr3t, he said", "it was [redacted], he said");
    check("xs3cr3tx", "x[redacted]x");
    // Anybody's, by their shape.
    check("provided: sk-ab***yz.", "provided: [redacted].");
    check("sk-ant-api03-abcDEF_123", "[redacted]");
    check("(AIzaSyA1234567)", "([redacted])");
    check("gsk_abcdefgh", "[redacted]");
    check(
        "Authorization: Bearer abc123",
        "Authorization: Bearer [redacted]",
    );
    check(
        "https://x.example/v1?key=abc&alt=sse",
        "https://x.example/v1?key=[redacted]&alt=sse",
    );
    check(
        "in organization org-AbC123 on tokens",
        "in organization [redacted] on tokens",
    );
    check("eyJhbGciOi.eyJzdWIiOi.c2ln", "[redacted]");
    check("id 0123456789abcdef0123456789abcdef", "id [redacted]");
    // Some providers' keys are UUIDs; a request's id is lost with them.
    check("id 123e4567-e89b-12d3-a456-426614174000", "id [redacted]");
    check("q7Wf0ZkP3xLm9TbV2sRc8YhN5dJg4UaE", "[redacted]");
}

#[test]
fn ordinary_words_stay() {
    for text in [
        "This model's maximum context length is 400000 tokens.",
        "messages.0.content.1.image.source.base64: image exceeds 5 MB maximum",
        "accounts/fireworks/models/llama-v3p1-405b-instruct-turbo-preview",
        "tools[0].function_declarations[0].parameters.properties[0].value",
        "Missing bearer authentication in header; use a Bearer token.",
        "risk-free, disk-space, task-oriented",
        "req_011CXkQ4",
    ] {
        assert_eq!(redact(text, &[]), text);
    }
}

#[test]
fn a_very_short_secret_does_not_eat_the_text() {
    assert_eq!(redact("a bad day", &["", "a"]), "a bad day");
}

#[test]
fn pages_become_their_words() {
    let check = |page: &str, expected: &str| assert_eq!(message(page, 200), expected);
    check(
        "<html><head><title>401 &amp; out</title></head></html>",
        "401 & out",
    );
    check(
        "<!DOCTYPE html><body><style>p{x}</style><h1>Bad</h1>\n<p>Gateway</p>",
        "Bad Gateway",
    );
    check("<html", "");
    check("see <function=f> & co", "see <function=f> & co");
}

#[test]
fn messages_are_one_short_line() {
    assert_eq!(message("a\r\n\tb\u{0}c", 200), "a b c");
    assert_eq!(message("äöü äöü", 8), "äö…");
    assert_eq!(raw("  ", 10), None);
}

proptest! {
    /// Cleaning keeps its bounds and never keeps the secret, whatever the text.
    #[test]
    fn bounds_hold(text in ".{0,300}", secret in "[a-zA-Z0-9]{8,20}", limit in 8_usize..100) {
        let whole = format!("{text}{secret}{text}");
        prop_assert!(!redact(&whole, &[&secret]).contains(&secret));
        prop_assert!(message(&whole, limit).len() <= limit);
        prop_assert!(raw(&whole, limit).is_none_or(|raw| raw.len() <= limit));
        prop_assert!(!message(&whole, limit).contains(char::is_control));
    }
}
