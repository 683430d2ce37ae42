use super::*;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_seconds(1_763_672_400); // 2025-11-20T21:00:00Z

/// Headers and a message, and the milliseconds they ask for.
fn check(headers: &[(&str, &'static str)], message: &str, expected: Option<u64>) {
    let find = |name: &str| {
        let found = headers.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| *value)
    };
    let signals = Signals {
        message: message.to_owned(),
        ..Signals::default()
    };
    let wait = retry_after(&find, &signals, true, Some(NOW));
    assert_eq!(
        wait,
        expected.map(Duration::from_millis),
        "{headers:?} {message}"
    );
}

#[test]
fn headers_are_read_in_order_of_trust() {
    let reset = ("x-ratelimit-reset-tokens", "3s");
    let text = "Please try again in 4s.";
    check(
        &[("retry-after-ms", "1400"), ("retry-after", "2"), reset],
        text,
        Some(1_400),
    );
    check(&[("retry-after", "2"), reset], text, Some(2_000));
    check(&[reset], text, Some(3_000));
    check(&[], text, Some(4_000));
}

#[test]
fn every_shape_is_understood() {
    check(&[("retry-after", "17")], "", Some(17_000));
    check(&[("retry-after", " 0.25 ")], "", Some(250));
    check(
        &[("retry-after", "Thu, 20 Nov 2025 21:00:17 GMT")],
        "",
        Some(17_000),
    );
    check(
        &[("retry-after", "Thu, 20 Nov 2025 20:00:00 GMT")],
        "",
        Some(0),
    );
    check(
        &[
            ("date", "Thu, 20 Nov 2025 10:00:00 GMT"),
            ("retry-after", "Thu, 20 Nov 2025 10:00:05 GMT"),
        ],
        "",
        Some(5_000),
    );
    check(&[("x-ratelimit-reset-tokens", "6m0s")], "", Some(360_000));
    check(&[("x-ratelimit-reset-tokens", "250ms")], "", Some(250));
    check(
        &[("x-ratelimit-reset-tokens", "1h2m3.5s")],
        "",
        Some(3_723_500),
    );
    check(&[("x-ratelimit-reset", "1763672407")], "", Some(7_000));
    check(&[("x-ratelimit-reset", "1763672400500")], "", Some(500));
    check(
        &[("anthropic-ratelimit-tokens-reset", "2025-11-20T21:00:17Z")],
        "",
        Some(17_000),
    );
    check(
        &[(
            "anthropic-ratelimit-tokens-reset",
            "2025-11-20T22:00:17.9+01:00",
        )],
        "",
        Some(17_000),
    );
    check(&[], "Please try again in 1.2s.", Some(1_200));
    check(&[], "Please retry after 6 seconds.", Some(6_000));
    check(&[], "Try again in 2 minutes", Some(120_000));
    check(&[("retry-after", "999999999")], "", Some(86_400_000));
}

#[test]
fn what_is_not_exhausted_is_not_waited_for() {
    check(
        &[
            ("x-ratelimit-remaining-requests", "99"),
            ("x-ratelimit-reset-requests", "1h"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "2s"),
        ],
        "",
        Some(2_000),
    );
}

#[test]
fn nonsense_is_no_wait() {
    for nonsense in [
        "",
        "soon",
        "-1",
        "1.2.3",
        "5 parsecs",
        "99999999999999999999",
        "Thu, 99 Foo 2025 21:00:17 GMT",
        "Thu, 20 Nov 2025",
        "2025-11-20T",
        "2025-13-40T21:00:17Z",
        "1e9",
        "ß",
        "s",
    ] {
        check(&[("retry-after", nonsense)], "", None);
    }
    check(&[], "try again in a while", None);
    check(&[], "try again in ", None);
}

proptest! {
    /// Nothing a provider writes overflows or is waited for longer than the bound.
    #[test]
    fn any_text_is_safe(text in "[0-9.a-z:TZ+ -]{0,40}|.{0,40}") {
        let header = |name: &str| (name == "retry-after").then_some(text.as_str());
        let signals = Signals { message: format!("try again in {text}"), ..Signals::default() };
        let wait = retry_after(&header, &signals, true, Some(NOW));
        prop_assert!(wait.is_none_or(|wait| wait <= LONGEST));
    }
}
