use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn objects_are_split_as_written() {
    let text = br#" {"a": 1.0, "b\n" :{"x":[1 ,2]} , "a":"\ud83d" } "#;
    let members: Vec<(String, String)> = split_object(text)
        .expect("an object")
        .into_iter()
        .map(|(key, value)| (key.into_owned(), value.get().to_owned()))
        .collect();
    let expected = [
        ("a", "1.0"),
        ("b\n", r#"{"x":[1 ,2]}"#),
        ("a", r#""\ud83d""#),
    ];
    assert_eq!(members.len(), expected.len());
    for ((key, value), expected) in members.iter().zip(expected) {
        assert_eq!((key.as_str(), value.as_str()), expected);
    }
    for bad in [
        "",
        "[]",
        "1",
        "{",
        r#"{"a":}"#,
        r#"{"a":1} x"#,
        "\u{feff}{}",
    ] {
        assert!(split_object(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn keys_are_borrowed() {
    let members = split_object(br#"{"plain":1}"#).expect("an object");
    assert!(matches!(members[0].0, Cow::Borrowed("plain")));
}

#[test]
fn depth_is_bounded() {
    let check = |text: &str, limit: usize, fits: bool| {
        assert_eq!(check_depth(text.as_bytes(), limit).is_ok(), fits, "{text}");
    };
    check("1", 0, true);
    check("{}", 0, false);
    check(r#"{"a":[{}]}"#, 3, true);
    check(r#"{"a":[{}]}"#, 2, false);
    check(r#"["[[[[", "\"[[["]"#, 1, true);
    check(&"[]".repeat(500), 1, true);
    check(&"[".repeat(100_000), 128, false);
    check("\"[[[", 0, true);
}

#[test]
fn strings_are_read() {
    let check = |raw: &str, expected: Option<&str>| {
        assert_eq!(string(raw).as_deref(), expected, "{raw}");
    };
    check(r#""plain 那""#, Some("plain 那"));
    check(r#" "a\"\\\/\b\f\n\r\tz" "#, Some("a\"\\/\u{8}\u{c}\n\r\tz"));
    check(r#""\u00e9\ud83c\udf0a""#, Some("é🌊"));
    check(r#""\ud83d""#, Some("\u{fffd}"));
    check(r#""\ud83dx""#, Some("\u{fffd}x"));
    check(r#""\udf0a\ud83c\u0041""#, Some("\u{fffd}\u{fffd}A"));
    check(r#""\ud83d\ud83c\udf0a""#, Some("\u{fffd}🌊"));
    check("null", None);
    check("12", None);
    check("{}", None);
    check(r#"""#, None);
    assert!(matches!(string(r#""a""#), Some(Cow::Borrowed("a"))));
}

#[test]
fn objects_are_written() {
    let mut out = Vec::new();
    let mut object = ObjectWriter::open(&mut out);
    object
        .str("a\"", "x\n\u{1}")
        .opt_str("b", None)
        .int("c", -7)
        .bool("d", true)
        .raw("e", "1.0")
        .member(r#""f":2"#)
        .object("g", |inner| {
            inner.array("h", |items| {
                items.str("i").raw("{}").object(|_| {});
            });
        });
    object.close();
    let expected =
        r#"{"a\"":"x\n\u0001","b":null,"c":-7,"d":true,"e":1.0,"f":2,"g":{"h":["i",{},{}]}}"#;
    assert_eq!(String::from_utf8(out).as_deref(), Ok(expected));
}

/// Applies edits, each named by the member it concerns, and checks the text.
fn check_splice(original: &str, edit: impl FnOnce(&mut Splice<'_>), expected: &str) {
    let mut splice = Splice::new(original.as_bytes());
    edit(&mut splice);
    let edited = splice.finish();
    assert_eq!(std::str::from_utf8(&edited), Ok(expected), "{original}");
    assert!(
        serde_json::from_slice::<Value>(&edited).is_ok(),
        "{expected}"
    );
}

fn find(original: &str, part: &str) -> std::ops::Range<usize> {
    let start = original.find(part).expect("a part of the original");
    start..start + part.len()
}

#[test]
fn members_are_removed_with_their_commas() {
    let check = |original: &str, parts: &[&str], expected: &str| {
        check_splice(
            original,
            |splice| {
                for part in parts {
                    splice.remove_member(find(original, part));
                }
            },
            expected,
        );
    };
    let text = r#"{"x":0, "a":1 , "b":2 }"#;
    check(text, &[r#""x":0"#], r#"{ "a":1 , "b":2 }"#);
    check(text, &[r#""a":1"#], r#"{"x":0,  "b":2 }"#);
    check(text, &[r#""b":2"#], r#"{"x":0, "a":1  }"#);
    check(text, &[r#""b":2"#, r#""a":1"#], r#"{"x":0 }"#);
    check(text, &[r#""b":2"#, r#""a":1"#, r#""x":0"#], "{   }");
    check(
        r#"{"a":{"b":1},"c":[1,2]}"#,
        &["1,2"],
        r#"{"a":{"b":1},"c":[]}"#,
    );
}

#[test]
fn members_are_inserted_and_values_replaced() {
    let text = r#"{"a":1,"b":{}}"#;
    check_splice(
        text,
        |splice| {
            splice.insert_member(0, "new", &b"true"[..]);
            splice.insert_member(0, "two", &b"2"[..]);
            splice.insert_member(find(text, "{}").start, "in", &b"[]"[..]);
            splice.replace(find(text, "1"), &b"\"one\""[..]);
        },
        r#"{"new":true,"two":2,"a":"one","b":{"in":[]}}"#,
    );
    check_splice(
        r#"{"a":1}"#,
        |splice| {
            splice.remove_member(1..6);
            splice.insert_member(0, "b", &b"2"[..]);
        },
        r#"{"b":2}"#,
    );
    check_splice("[ ]", |splice| splice.insert_element(0, &b"1"[..]), "[1 ]");
    check_splice("[2]", |splice| splice.insert_element(0, &b"1"[..]), "[1,2]");
    assert_eq!(span_of(&text.as_bytes()[..3], &text.as_bytes()[2..4]), None);
    assert_eq!(span_of(text.as_bytes(), &text.as_bytes()[2..4]), Some(2..4));
}

/// Walks a text with the cursor only, rebuilding its value.
fn walk(cursor: &mut Cursor<'_>) -> Result<Value, Malformed> {
    match cursor.peek() {
        Some(b'{') => {
            let mut map = serde_json::Map::new();
            cursor.object(|cursor, key| {
                map.insert(key.name.into_owned(), walk(cursor)?);
                Ok(())
            })?;
            Ok(Value::Object(map))
        }
        Some(b'[') => {
            let mut items = Vec::new();
            cursor.array(|cursor| {
                items.push(walk(cursor)?);
                Ok(())
            })?;
            Ok(Value::Array(items))
        }
        _ => serde_json::from_str(cursor.value()?).map_err(|_| Malformed),
    }
}

#[test]
fn the_cursor_refuses_what_is_not_json() {
    let good = [
        "{}",
        "[]",
        " [ ] ",
        "0",
        "-0.5e+10",
        "1E5",
        "\"\"",
        "true",
        "false",
        "null",
        r#"{"a":[1,{"b":[]}],"c":"\u00e9\\"}"#,
        "[[[]],[]]",
        "\t\r\n1",
    ];
    let bad = [
        "",
        "{",
        "[1",
        "[1,]",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        "{1:2}",
        "01",
        "1.",
        "-",
        "1e",
        "tru",
        "nul",
        "\"",
        "\"\n\"",
        r#""\x""#,
        r#""\u00g0""#,
        "[1}",
        r#"{"a":1]"#,
        "1 2",
        "]",
        "+1",
        ".5",
        "[1 2]",
        "\"12345678\u{1}\"",
    ];
    let check = |text: &str, is_good: bool| {
        let mut cursor = Cursor::new(text);
        let passed = cursor.value().and_then(|_| cursor.end()).is_ok();
        assert_eq!(passed, is_good, "{text}");
        assert_eq!(
            serde_json::from_str::<Value>(text).is_ok(),
            is_good,
            "{text}"
        );
    };
    for text in good {
        check(text, true);
    }
    for text in bad {
        check(text, false);
    }
    assert!(Cursor::new(&"[".repeat(1_000_000)).value().is_err());
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    // The innermost container is empty and takes no level.
    assert!(Cursor::new(&deep(MAX_DEPTH + 1)).value().is_ok());
    assert!(Cursor::new(&deep(MAX_DEPTH + 2)).value().is_err());
}

#[test]
fn the_cursor_passes_over_other_kinds() {
    let mut cursor = Cursor::new("[1, {\"a\":2}]");
    assert_eq!(cursor.object(|_, _| Err(Malformed)), Ok(false));
    assert_eq!(cursor.end(), Ok(()));
    let mut cursor = Cursor::new("null");
    assert_eq!(cursor.array(|_| Err(Malformed)), Ok(false));
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        "[\\x00-\\x7f]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((".{0,5}", inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// What serde writes, the cursor reads, and no cut of it passes for a whole.
    #[test]
    fn the_cursor_agrees_with_serde(value in json_value(), pretty: bool) {
        let text = if pretty {
            serde_json::to_string_pretty(&value)
        } else {
            serde_json::to_string(&value)
        };
        let text = text.expect("a value");
        prop_assert_eq!(Cursor::new(&text).value(), Ok(text.as_str()));
        prop_assert_eq!(walk(&mut Cursor::new(&text)), Ok(value));
        if text.starts_with(['{', '[', '"']) {
            for cut in (0..text.len()).filter(|cut| text.is_char_boundary(*cut)) {
                prop_assert_eq!(Cursor::new(&text[..cut]).value(), Err(Malformed));
            }
        }
    }

    /// Writing and reading text gives the text.
    #[test]
    fn strings_round_trip(text in "\\PC{0,40}|[\\x00-\\x7f]{0,40}") {
        let mut out = Vec::new();
        write_str(&mut out, &text);
        let raw = String::from_utf8(out).expect("UTF-8");
        let read = string(&raw);
        prop_assert_eq!(read.as_deref(), Some(text.as_str()));
        prop_assert_eq!(serde_json::from_str::<Value>(&raw).ok(), Some(json!(text)));
    }

    /// Escapes are resolved as serde resolves them.
    #[test]
    fn escapes_agree_with_serde(text in r#"([a-z]|\\u[0-9a-f]{4}|\\[bfnrt"/]){0,12}"#) {
        let raw = format!("\"{text}\"");
        if let Ok(Value::String(expected)) = serde_json::from_str(&raw) {
            let read = string(&raw);
            prop_assert_eq!(read.as_deref(), Some(expected.as_str()));
        }
    }
}
