//! JSON values as YAML 1.2: block style, every text in double quotes, which YAML reads as JSON does.

use serde_json::Value;

/// Writes a value; the outermost members come in `order`, others by name.
pub(crate) fn write(value: &Value, order: &[&str]) -> String {
    let mut text = String::new();
    match value {
        Value::Object(members) => {
            for name in order {
                if let Some(value) = members.get(*name) {
                    member(&mut text, name, value, 0);
                }
            }
            for (name, value) in members
                .iter()
                .filter(|(name, _)| !order.contains(&name.as_str()))
            {
                member(&mut text, name, value, 0);
            }
        }
        other => {
            text.push_str(&other.to_string());
            text.push('\n');
        }
    }
    text
}

fn member(text: &mut String, name: &str, value: &Value, depth: usize) {
    indent(text, depth);
    key(text, name);
    text.push(':');
    nested(text, value, depth);
}

/// What follows a key or a dash.
fn nested(text: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            text.push('\n');
            for (name, value) in members {
                member(text, name, value, depth + 1);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            for item in items {
                indent(text, depth + 1);
                text.push('-');
                nested(text, item, depth + 1);
            }
        }
        scalar => {
            text.push(' ');
            text.push_str(&scalar.to_string());
            text.push('\n');
        }
    }
}

fn key(text: &mut String, name: &str) {
    let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
        // Words that older readers take for something else.
        && !["y", "n", "yes", "no", "on", "off", "true", "false", "null"]
            .contains(&name.to_ascii_lowercase().as_str());
    if is_plain {
        text.push_str(name);
    } else {
        text.push_str(&Value::from(name).to_string());
    }
}

fn indent(text: &mut String, depth: usize) {
    for _ in 0..depth {
        text.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_become_blocks() {
        let value = json!({
            "b": { "$ref": "#/x", "no": [] },
            "a": ["x: y", { "c": null, "200": 1.5 }, [true]],
        });
        let expected = "b:\n  \"$ref\": \"#/x\"\n  \"no\": []\na:\n  - \"x: y\"\n  -\n    \
                        \"200\": 1.5\n    c: null\n  -\n    - true\n";
        assert_eq!(write(&value, &["b"]), expected);
    }
}
