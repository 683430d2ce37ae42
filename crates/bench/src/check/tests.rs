use super::Checker;

fn check(is_stream: bool, body: &str, expected: Option<&str>) {
    // Cut into pieces of every size: a cut must not matter.
    for size in 1..=body.len() {
        let mut checker = Checker::new(2, is_stream);
        checker.restart(b"tag7");
        let pieces: u32 = body
            .as_bytes()
            .chunks(size)
            .map(|piece| checker.feed(piece))
            .sum();
        assert_eq!(checker.finish(), expected, "{body} by {size}");
        assert!(pieces <= 2 || expected.is_some());
    }
}

#[test]
fn only_right_answers_pass() {
    let wrong = Some("foreign or unordered content");
    check(
        false,
        r#"{"content":"tag7.0 tag7.1 ","usage":{"a":1}}"#,
        None,
    );
    check(
        false,
        r#"{"content":"tag7.0 tag7.1 "}"#,
        Some("usage missing"),
    );
    check(
        false,
        r#"{"content":"tag7.0 ","usage":{}}"#,
        Some("content missing"),
    );
    check(false, r#"{"content":"tag7.1 tag7.0 ","usage":{}}"#, wrong);
    check(
        false,
        r#"{"content":"tag8.0 tag8.1 ","usage":{}}"#,
        Some("content missing"),
    );
    let stream = |parts: &[&str]| {
        format!(
            "data: {}

",
            parts.join(
                "

data: "
            )
        )
    };
    let whole = stream(&["\"tag7.0 \"", "\"tag7.1 \"", "{\"usage\":{}}", "[DONE]"]);
    check(true, &whole, None);
    check(true, &format!(": comment\n\n{whole}"), None);
    check(
        true,
        &stream(&["\"tag7.0 \"", "\"tag7.1 \"", "{\"usage\":{}}"]),
        Some("no [DONE]"),
    );
    check(
        true,
        &stream(&["\"tag7.0 \"", "\"tag7.0 \"", "{\"usage\":{}}", "[DONE]"]),
        wrong,
    );
}
