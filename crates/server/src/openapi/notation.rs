//! The types of [`Field`](super::Field)s, written short.
//!
//! | written | meaning |
//! | --- | --- |
//! | `string` `integer` `number` `boolean` `object` `any` `null` | as JSON has them |
//! | `time` `decimal` | strings: RFC 3339 in UTC; a decimal number |
//! | `'word'` | this string |
//! | `Name` | a shape |
//! | `[T]` | a list |
//! | `{T}` | an object with any names |
//! | `A\|B` | either |
//! | `T 0..2` `T 1..` | with bounds |

use serde_json::{Value, json};

/// The JSON Schema of a type. What is not understood is written as a reference to a shape of that
/// name, which a test then misses.
pub(crate) fn schema(kind: &str) -> Value {
    let parts = alternatives(kind);
    let nulls = parts.contains(&"null");
    let others: Vec<&str> = parts.into_iter().filter(|part| *part != "null").collect();
    if let Some(words) = words(&others) {
        let mut words: Vec<Value> = words.into_iter().map(Value::from).collect();
        if nulls {
            words.push(Value::Null);
            return json!({ "type": ["string", "null"], "enum": words });
        }
        return json!({ "type": "string", "enum": words });
    }
    let mut schemas: Vec<Value> = others.iter().map(|part| single(part)).collect();
    match (schemas.as_mut_slice(), nulls) {
        ([only], false) => only.take(),
        ([only], true) if only.get("type").is_some_and(Value::is_string) => {
            let kind = only["type"].take();
            only["type"] = json!([kind, "null"]);
            only.take()
        }
        (_, true) => {
            schemas.push(json!({ "type": "null" }));
            json!({ "anyOf": schemas })
        }
        (_, false) => json!({ "anyOf": schemas }),
    }
}

/// The type in words, for people.
pub(crate) fn plain_text(kind: &str) -> String {
    alternatives(kind)
        .into_iter()
        .map(|part| {
            if let Some(item) = enclosed(part, '[', ']') {
                format!("list of {}", plain_text(item))
            } else if let Some(item) = enclosed(part, '{', '}') {
                format!("map of {}", plain_text(item))
            } else if let Some((kind, bounds)) = part.split_once(' ') {
                match bounds.split_once("..") {
                    Some((min, "")) => format!("{kind}, at least {min}"),
                    Some(("", max)) => format!("{kind}, at most {max}"),
                    Some((min, max)) => format!("{kind}, {min} to {max}"),
                    None => part.to_owned(),
                }
            } else {
                part.replace('\'', "\"")
            }
        })
        .collect::<Vec<_>>()
        .join(" or ")
}

/// Splits at the bars that are in no brackets.
fn alternatives(kind: &str) -> Vec<&str> {
    let (mut depth, mut start) = (0_usize, 0);
    let mut parts = Vec::new();
    for (at, character) in kind.char_indices() {
        match character {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => {
                parts.extend(kind.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.extend(kind.get(start..));
    parts.into_iter().map(str::trim).collect()
}

fn words<'a>(parts: &[&'a str]) -> Option<Vec<&'a str>> {
    if parts.is_empty() {
        return None;
    }
    parts
        .iter()
        .map(|part| enclosed(part, '\'', '\''))
        .collect()
}

fn enclosed(part: &str, open: char, close: char) -> Option<&str> {
    part.strip_prefix(open)?.strip_suffix(close)
}

fn single(part: &str) -> Value {
    if let Some(item) = enclosed(part, '[', ']') {
        return json!({ "type": "array", "items": schema(item) });
    }
    if let Some(item) = enclosed(part, '{', '}') {
        return json!({ "type": "object", "additionalProperties": schema(item) });
    }
    if let Some(word) = enclosed(part, '\'', '\'') {
        return json!({ "type": "string", "enum": [word] });
    }
    if let Some((kind, bounds)) = part.split_once(' ') {
        return bounded(kind, bounds);
    }
    match part {
        "string" | "integer" | "number" | "boolean" | "object" => json!({ "type": part }),
        "any" => json!({}),
        "time" => json!({ "type": "string", "format": "date-time" }),
        "decimal" => json!({ "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$" }),
        name => json!({ "$ref": format!("#/components/schemas/{name}") }),
    }
}

fn bounded(kind: &str, bounds: &str) -> Value {
    let mut schema = single(kind);
    let (min, max) = bounds.split_once("..").unwrap_or((bounds, ""));
    let limits = match kind {
        "string" => ["minLength", "maxLength"],
        _ => ["minimum", "maximum"],
    };
    for (name, text) in limits.into_iter().zip([min, max]) {
        if let (Ok(number), Some(members)) =
            (text.parse::<serde_json::Number>(), schema.as_object_mut())
        {
            members.insert(name.to_owned(), number.into());
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_become_schemas() {
        for (kind, expected) in [
            ("string", json!({ "type": "string" })),
            ("integer|null", json!({ "type": ["integer", "null"] })),
            ("'a'|'b'", json!({ "type": "string", "enum": ["a", "b"] })),
            (
                "'a'|null",
                json!({ "type": ["string", "null"], "enum": ["a", null] }),
            ),
            ("Model", json!({ "$ref": "#/components/schemas/Model" })),
            (
                "Model|null",
                json!({ "anyOf": [{ "$ref": "#/components/schemas/Model" }, { "type": "null" }] }),
            ),
            (
                "[string|integer]",
                json!({ "type": "array", "items": { "anyOf": [{ "type": "string" }, { "type": "integer" }] } }),
            ),
            (
                "{string}",
                json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            ),
            (
                "number 0..2|null",
                json!({ "type": ["number", "null"], "minimum": 0, "maximum": 2 }),
            ),
            ("integer 1..", json!({ "type": "integer", "minimum": 1 })),
        ] {
            assert_eq!(schema(kind), expected, "{kind}");
        }
    }

    #[test]
    fn types_can_be_read_aloud() {
        for (kind, expected) in [
            ("[Model]", "list of Model"),
            ("string|[string]|null", "string or list of string or null"),
            ("'a'|'b'", "\"a\" or \"b\""),
            ("integer 0..|null", "integer, at least 0 or null"),
            ("number -2..2", "number, -2 to 2"),
            ("string ..256", "string, at most 256"),
        ] {
            assert_eq!(plain_text(kind), expected);
        }
    }
}
