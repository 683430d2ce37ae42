//! Schemas by example, and whatever a caller may send.

use super::{for_parameters, for_response, to_openapi, to_openapi_parameters};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

fn value(json: &str) -> Value {
    serde_json::from_str(json).expect(json)
}

fn check_openapi(schema: &Value, expected: &Value) {
    let written = schema.to_string();
    assert_eq!(value(&to_openapi(&written)), *expected, "{schema}");
}

/// T30: what the OpenAPI subset does not have.
#[test]
fn t30_unknown_keywords_go() {
    check_openapi(
        &json!({"$schema": "x", "$id": "y", "type": "object", "additionalProperties": false,
            "patternProperties": {"a": {}}, "if": {}, "then": {}, "title": "T",
            "properties": {
                "$ref": {"type": "string", "contentEncoding": "base64"},
                "enum": {"type": "integer", "format": "int32", "multipleOf": 2, "minimum": 0},
            },
            "required": ["enum", "gone", "enum"], "propertyOrdering": ["enum", "$ref", "gone"]}),
        &json!({"type": "object", "title": "T",
            "properties": {
                "$ref": {"type": "string"},
                "enum": {"type": "integer", "format": "int32", "minimum": 0},
            },
            "required": ["enum"], "propertyOrdering": ["enum", "$ref"]}),
    );
}

#[test]
fn unions_and_nulls() {
    let check = check_openapi;
    check(
        &json!({"type": ["string", "null"], "description": "d"}),
        &json!({"type": "string", "nullable": true, "description": "d"}),
    );
    check(
        &json!({"type": ["string", "integer"]}),
        &json!({"anyOf": [{"type": "string"}, {"type": "integer"}]}),
    );
    check(
        &json!({"anyOf": [{"type": "string"}, {"type": "null"}], "description": "d"}),
        &json!({"type": "string", "nullable": true, "description": "d"}),
    );
    // A union carries nothing beside it.
    check(
        &json!({"oneOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}], "title": "T"}),
        &json!({"anyOf": [{"type": "string", "nullable": true}, {"type": "number", "nullable": true}]}),
    );
    // … but what only tells which properties are required says less than they do.
    check(
        &json!({"type": "object", "properties": {"a": {"type": "string"}},
            "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}),
        &json!({"type": "object", "properties": {"a": {"type": "string"}}}),
    );
    check(
        &json!({"allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"b": {"type": "number"}}, "required": ["b"]}], "type": "object"}),
        &json!({"type": "object", "required": ["a", "b"],
            "properties": {"a": {"type": "string"}, "b": {"type": "number"}}}),
    );
}

#[test]
fn enums_are_texts() {
    let check = check_openapi;
    check(
        &json!({"enum": [1, 2.5, true, "x", "", null, []]}),
        &json!({"type": "string", "nullable": true, "enum": ["1", "2.5", "true", "x"]}),
    );
    check(
        &json!({"const": "a"}),
        &json!({"type": "string", "enum": ["a"]}),
    );
    check(
        &json!({"type": "integer", "const": 3}),
        &json!({"type": "string", "enum": ["3"]}),
    );
    check(
        &json!({"type": "string", "enum": [""]}),
        &json!({"type": "string"}),
    );
}

#[test]
fn arrays_have_items() {
    let check = check_openapi;
    check(
        &json!({"type": "array"}),
        &json!({"type": "array", "items": {"type": "string"}}),
    );
    check(
        &json!({"items": [{"type": "number"}, {}], "maxItems": 2}),
        &json!({"type": "array", "items": {"type": "number"}, "maxItems": 2}),
    );
    check(
        &json!({"type": "array", "items": true}),
        &json!({"type": "array", "items": {"type": "string"}}),
    );
}

#[test]
fn references_are_inlined_and_loops_cut() {
    let check = check_openapi;
    check(
        &json!({"$defs": {"a/b": {"type": "string", "description": "there"}},
            "type": "object", "properties": {"x": {"$ref": "#/$defs/a~1b", "description": "here"}}}),
        &json!({"type": "object", "properties": {"x": {"type": "string", "description": "here"}}}),
    );
    let leaf = json!({"type": "object"});
    check(
        &json!({"$ref": "#/$defs/Node", "$defs": {"Node": {"type": "object", "properties": {
            "next": {"$ref": "#/$defs/Node"}, "up": {"$ref": "#"}}}}}),
        &json!({"type": "object", "properties": {"next": leaf, "up": leaf}}),
    );
    // The same definition twice, side by side, is no loop.
    check(
        &json!({"definitions": {"S": {"type": "string"}}, "type": "object", "properties": {
            "a": {"$ref": "#/definitions/S"}, "b": {"$ref": "#/definitions/S"}}}),
        &json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}),
    );
    check(&json!({"$ref": "https://example.org/x"}), &leaf);
    check(&json!({"$ref": "#/$defs/none"}), &leaf);
}

/// References that double at each step: bounded in time and size.
#[test]
fn references_that_multiply_are_cut() {
    let mut definitions = serde_json::Map::new();
    for level in 0..24 {
        let next = json!({"$ref": format!("#/$defs/d{}", level + 1)});
        let node = json!({"type": "object", "properties": {"a": next, "b": next, "c": next}});
        definitions.insert(format!("d{level}"), node);
    }
    definitions.insert("d24".into(), json!({"type": "string"}));
    let schema = json!({"$ref": "#/$defs/d0", "$defs": definitions}).to_string();
    let converted = to_openapi(&schema);
    assert!(converted.len() < 1_000_000, "{} bytes", converted.len());
    check_allowed(&value(&converted));
}

#[test]
fn parameters_without_properties_are_left_out() {
    let check = |schema: &str, expected: Option<&str>| {
        assert_eq!(
            to_openapi_parameters(schema).as_deref(),
            expected,
            "{schema}"
        );
    };
    check(r#"{"type":"object"}"#, None);
    check(r#"{"type":"object","properties":{}}"#, None);
    check(
        r#"{"type":"object","properties":{"z":{"type":"number","maximum":1.0},"a":{}}}"#,
        Some(
            r#"{"type":"object","properties":{"z":{"type":"number","maximum":1.0},"a":{"type":"string"}}}"#,
        ),
    );
}

#[test]
fn json_schema_is_nearly_untouched() {
    let check = |schema: &str, expected: &str| {
        assert_eq!(for_response(schema), expected, "{schema}");
    };
    let plain = r#"{ "type":"object", "properties": {"b": {"minimum": 1.0}}, "oneOf": [] }"#;
    check(plain, plain);
    check(r#"{"$schema":"x","type":"string"}"#, r#"{"type":"string"}"#);
    check(
        r#"{"properties":{"const":{"const":"a"},"$schema":{"const":1},"x":{"const":null}}}"#,
        r#"{"properties":{"const":{"enum":["a"]},"$schema":{"enum":[1]},"x":{"const":null}}}"#,
    );
    check(
        r##"{"$ref":"#/$defs/A","title":"t","description":"d","$defs":{"A":{"const":"x"}}}"##,
        r##"{"$ref":"#/$defs/A","description":"d","$defs":{"A":{"enum":["x"]}}}"##,
    );
    check(
        r#"{"anyOf":[{"const":"a","enum":["a"]}],"items":{"$schema":""},"default":{"const":1}}"#,
        r#"{"anyOf":[{"enum":["a"]}],"items":{},"default":{"const":1}}"#,
    );
}

#[test]
fn parameters_are_objects() {
    let check = |schema: &str, expected: &str| {
        assert_eq!(for_parameters(schema), expected, "{schema}");
    };
    check("{}", r#"{"type":"object","properties":{}}"#);
    check("true", r#"{"type":"object","properties":{}}"#);
    check(
        r#"{"properties":{"a":{}}}"#,
        r#"{"type":"object","properties":{"a":{}}}"#,
    );
    check(r#"{"$schema":"x"}"#, r#"{"type":"object"}"#);
    check(r#"{"type":"object"}"#, r#"{"type":"object"}"#);
}

/// Only what the subset has, at every schema of the tree.
fn check_allowed(schema: &Value) {
    const ALLOWED: &[&str] = &[
        "type",
        "format",
        "title",
        "description",
        "nullable",
        "enum",
        "items",
        "minItems",
        "maxItems",
        "properties",
        "required",
        "propertyOrdering",
        "minProperties",
        "maxProperties",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "pattern",
        "anyOf",
        "example",
        "default",
    ];
    let members = schema.as_object().expect("an object");
    for (name, value) in members {
        assert!(ALLOWED.contains(&&**name), "{name} in {schema}");
        match &**name {
            "properties" => value
                .as_object()
                .expect("a map")
                .values()
                .for_each(check_allowed),
            "items" => check_allowed(value),
            "anyOf" => {
                assert_eq!(members.len(), 1, "nothing beside a union: {schema}");
                value
                    .as_array()
                    .expect("a list")
                    .iter()
                    .for_each(check_allowed);
            }
            "enum" => assert!(
                value
                    .as_array()
                    .expect("a list")
                    .iter()
                    .all(Value::is_string)
            ),
            "required" => {
                for name in value.as_array().expect("a list") {
                    let name = name.as_str().expect("a name");
                    assert!(schema["properties"].get(name).is_some(), "{schema}");
                }
            }
            _ => {}
        }
    }
}

/// Anything that looks like a schema, and much that does not.
fn schemas() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prop_oneof![
            Just("string"),
            Just("object"),
            Just("array"),
            Just("null"),
            Just("int32"),
            Just("#"),
            Just("#/$defs/a"),
            Just("#/properties/a"),
            Just("#/x~1y/"),
            Just("a"),
            Just(""),
        ]
        .prop_map(Value::from),
        "[a-z\"\\\\é]{0,4}".prop_map(Value::from),
    ];
    let name = prop_oneof![
        Just("type"),
        Just("properties"),
        Just("items"),
        Just("anyOf"),
        Just("allOf"),
        Just("oneOf"),
        Just("$ref"),
        Just("$defs"),
        Just("enum"),
        Just("const"),
        Just("required"),
        Just("format"),
        Just("nullable"),
        Just("description"),
        Just("default"),
        Just("minimum"),
        Just("maxItems"),
        Just("additionalProperties"),
        Just("$schema"),
        Just("a"),
        Just("not"),
    ];
    scalar.prop_recursive(6, 96, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((name.clone(), inner), 0..6).prop_map(|members| {
                let members = members
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value));
                Value::Object(members.collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_comes_only_the_subset_goes_out(schema in schemas()) {
        check_allowed(&value(&to_openapi(&schema.to_string())));
    }

    #[test]
    fn whatever_comes_stays_json(schema in schemas()) {
        let written = schema.to_string();
        let response = value(&for_response(&written));
        prop_assert!(!response.is_object() || response.get("$schema").is_none());
        prop_assert!(value(&for_parameters(&written)).is_object());
    }

    #[test]
    fn text_that_is_no_json_does_no_harm(text in ".{0,40}") {
        let _ = to_openapi(&text);
        let _ = for_response(&text);
        let _ = for_parameters(&text);
    }

    /// Depth costs no stack: it is cut, or carried.
    #[test]
    fn depth_is_bounded(depth in 1_usize..120) {
        for (open, close) in [
            (r#"{"properties":{"a":"#, "}}"),
            (r#"{"items":"#, "}"),
            (r#"{"anyOf":["#, "]}"),
            (r#"{"allOf":["#, "]}"),
        ] {
            let schema = format!("{}{{}}{}", open.repeat(depth), close.repeat(depth));
            let converted = to_openapi(&schema);
            prop_assert!(crate::json::check_depth(converted.as_bytes(), 100).is_ok());
            let _ = for_response(&schema);
        }
    }
}
