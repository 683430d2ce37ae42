//! Makes a JSON value that satisfies a simple JSON Schema: what a model does under `json_schema`.

use serde_json::{Map, Value, json};

/// Deep enough for real schemas, shallow enough for recursive ones.
const MAX_DEPTH: u32 = 12;

/// An instance of `schema`. Understood are `type`, `properties`, `required`, `items`, `enum`,
/// `const`, `anyOf`, `oneOf`, `allOf` (first), local `$ref`, bounds and the common formats;
/// everything else is as if it were not there.
pub(crate) fn instance(schema: &Value) -> Value {
    build(schema, schema, 0)
}

fn build(schema: &Value, root: &Value, depth: u32) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    if let Some(fixed) = schema.get("const").or_else(|| schema.get("enum")?.get(0)) {
        return fixed.clone();
    }
    if let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
        let target = pointer
            .strip_prefix('#')
            .and_then(|pointer| root.pointer(pointer));
        return target.map_or(Value::Null, |target| build(target, root, depth + 1));
    }
    for union in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(union).and_then(|choices| choices.get(0)) {
            return build(first, root, depth + 1);
        }
    }
    match kind(schema).as_str() {
        "object" => object(schema, root, depth),
        "array" => {
            let least = schema
                .get("minItems")
                .and_then(Value::as_u64)
                .unwrap_or(1)
                .clamp(1, 64);
            let items = schema.get("items").unwrap_or(&Value::Null);
            (0..least).map(|_| build(items, root, depth + 1)).collect()
        }
        "integer" => json!(bound(schema).map_or(1, f64_to_i64)),
        "number" => bound(schema).map_or(json!(1.5), |bound| json!(bound)),
        "boolean" => json!(true),
        "null" => Value::Null,
        _ => json!(string(schema)),
    }
}

/// The declared type in lower case (Gemini writes `OBJECT`), or what the keywords imply.
fn kind(schema: &Value) -> String {
    let declared = match schema.get("type") {
        Some(Value::Array(types)) => types
            .iter()
            .find_map(|one| one.as_str().filter(|name| *name != "null")),
        Some(Value::String(name)) => Some(name.as_str()),
        _ => None,
    };
    match declared {
        Some(name) => name.to_ascii_lowercase(),
        None if schema.get("properties").is_some() => "object".to_owned(),
        None if schema.get("items").is_some() => "array".to_owned(),
        None => "string".to_owned(),
    }
}

fn object(schema: &Value, root: &Value, depth: u32) -> Value {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let mut object = Map::new();
    for (name, property) in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        // Optional properties end recursion: they are given near the root and left out below.
        if depth < 4 || required.contains(&name.as_str()) {
            object.insert(name.clone(), build(property, root, depth + 1));
        }
    }
    Value::Object(object)
}

fn bound(schema: &Value) -> Option<f64> {
    let number = |key| schema.get(key).and_then(Value::as_f64);
    number("minimum")
        .or_else(|| number("exclusiveMinimum").map(|above| above + 1.0))
        .or_else(|| number("maximum").map(|most| most.min(1.0)))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a bound beyond i64 saturates"
)]
fn f64_to_i64(number: f64) -> i64 {
    number.ceil() as i64
}

fn string(schema: &Value) -> String {
    let fixed = match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => "2026-01-02T03:04:05Z",
        Some("date") => "2026-01-02",
        Some("time") => "03:04:05Z",
        Some("email") => "sim@example.com",
        Some("uri") => "https://example.com/sim",
        Some("uuid") => "00000000-0000-4000-8000-000000000001",
        Some("hostname") => "example.com",
        Some("ipv4") => "192.0.2.1",
        _ => "sim",
    };
    let length = |key| {
        let length = schema.get(key).and_then(Value::as_u64)?;
        usize::try_from(length.min(65_536)).ok()
    };
    let mut text = fixed.to_owned();
    while text.len() < length("minLength").unwrap_or(0) {
        text.push('x');
    }
    text.truncate(length("maxLength").unwrap_or(usize::MAX));
    text
}

#[cfg(test)]
mod tests;
