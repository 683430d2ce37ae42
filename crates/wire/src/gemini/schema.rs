//! JSON Schema as Gemini takes it: nearly whole in the `…JsonSchema` fields, or brought down to
//! the OpenAPI subset of the older `parameters` and `responseSchema`.
//!
//! Property names are never keywords: what stands in `properties` is a name, also if it is called
//! `const`. Values are carried as they were written, properties stay in their order.

mod openapi;

pub(crate) use openapi::{to_openapi, to_openapi_parameters};

use crate::json::{Cursor, Malformed, ObjectWriter};
use std::borrow::Cow;

/// Deeper schemas are carried (or cut) without a look inside.
const MAX_SCHEMA_DEPTH: usize = 32;

/// A tool without parameters.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

type Members<'s> = Vec<(Cow<'s, str>, &'s str)>;

/// For `parametersJsonSchema`: always an object.
pub(crate) fn for_parameters(schema: &str) -> Cow<'_, str> {
    let Ok(members) = members(schema) else {
        return Cow::Borrowed(NO_PARAMETERS);
    };
    if members.is_empty() {
        return Cow::Borrowed(NO_PARAMETERS);
    }
    let says_type = |name: &str| matches!(name, "type" | "$ref" | "anyOf" | "oneOf" | "allOf");
    let cleaned = for_response(schema);
    if members.iter().any(|(name, _)| says_type(name)) {
        return cleaned;
    }
    let rest = cleaned.trim_start().strip_prefix('{').unwrap_or("}");
    let comma = if rest.trim_start().starts_with('}') {
        ""
    } else {
        ","
    };
    Cow::Owned(format!("{{\"type\":\"object\"{comma}{rest}"))
}

/// For `responseJsonSchema`.
pub(crate) fn for_response(schema: &str) -> Cow<'_, str> {
    let is_fine = ["\"$schema\"", "\"const\"", "\"$ref\""]
        .iter()
        .all(|keyword| !schema.contains(keyword));
    if is_fine {
        return Cow::Borrowed(schema);
    }
    let mut out = Vec::with_capacity(schema.len());
    match clean(schema, 0, &mut out).map(|()| String::from_utf8(out)) {
        Ok(Ok(cleaned)) => Cow::Owned(cleaned),
        _ => Cow::Borrowed(schema),
    }
}

fn clean(schema: &str, depth: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    if depth > MAX_SCHEMA_DEPTH || !schema.starts_with('{') {
        out.extend_from_slice(schema.as_bytes());
        return Ok(());
    }
    let members = members(schema)?;
    let has = |keyword: &str| members.iter().any(|(name, _)| name == keyword);
    let is_reference = has("$ref");
    let has_enum = has("enum");
    let mut object = ObjectWriter::open(out);
    for (name, value) in &members {
        let is_kept = match &**name {
            "$schema" => false,
            // "No other properties may be set except those starting with `$`", and two more.
            "description" | "default" | "definitions" => true,
            name => !is_reference || name.starts_with('$'),
        };
        if !is_kept {
            continue;
        }
        match &**name {
            // Accepted and ignored there.
            "const" if is_text_or_number(value) => {
                if !has_enum {
                    object.array("enum", |values| {
                        values.raw(value);
                    });
                }
            }
            "properties" | "$defs" | "definitions" | "patternProperties" | "dependentSchemas" => {
                clean_each(value, depth, object.name(name))?;
            }
            "items" | "prefixItems" | "anyOf" | "oneOf" | "allOf" if value.starts_with('[') => {
                clean_list(value, depth, object.name(name))?;
            }
            "items"
            | "additionalProperties"
            | "not"
            | "if"
            | "then"
            | "else"
            | "contains"
            | "propertyNames" => clean(value, depth + 1, object.name(name))?,
            _ => {
                object.raw(name, value);
            }
        }
    }
    object.close();
    Ok(())
}

/// A map from names to schemas.
fn clean_each(map: &str, depth: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    if !map.starts_with('{') {
        out.extend_from_slice(map.as_bytes());
        return Ok(());
    }
    let mut object = ObjectWriter::open(out);
    for (name, schema) in members(map)? {
        clean(schema, depth + 1, object.name(&name))?;
    }
    object.close();
    Ok(())
}

fn clean_list(list: &str, depth: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut array = crate::json::ArrayWriter::open(out);
    for schema in elements(list)? {
        clean(schema, depth + 1, array.element())?;
    }
    array.close();
    Ok(())
}

fn is_text_or_number(value: &str) -> bool {
    value.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
}

/// The members of an object. `Err` for anything else.
fn members(raw: &str) -> Result<Members<'_>, Malformed> {
    let mut members = Vec::new();
    let mut cursor = Cursor::new(raw);
    let is_object = cursor.object(|cursor, key| {
        members.push((key.name, cursor.value()?));
        Ok(())
    })?;
    if is_object {
        Ok(members)
    } else {
        Err(Malformed)
    }
}

/// The elements of an array; none for anything else.
fn elements(raw: &str) -> Result<Vec<&str>, Malformed> {
    let mut elements = Vec::new();
    Cursor::new(raw).array(|cursor| {
        elements.push(cursor.value()?);
        Ok(())
    })?;
    Ok(elements)
}

#[cfg(test)]
mod tests;
