use super::instance;
use serde_json::{Value, json};

fn check(schema: &Value, expected: &Value) {
    assert_eq!(&instance(schema), expected, "{schema}");
}

#[test]
fn instances_satisfy_simple_schemas() {
    check(&json!({"type": "string"}), &json!("sim"));
    check(&json!({"type": "string", "minLength": 5}), &json!("simxx"));
    check(&json!({"type": "string", "maxLength": 2}), &json!("si"));
    check(&json!({"enum": ["b", "a"]}), &json!("b"));
    check(&json!({"const": 4}), &json!(4));
    check(
        &json!({"type": ["null", "integer"], "minimum": 3}),
        &json!(3),
    );
    check(
        &json!({"type": "ARRAY", "items": {"type": "BOOLEAN"}, "minItems": 2}),
        &json!([true, true]),
    );
    check(
        &json!({"properties": {"b": {"$ref": "#/$defs/x"}, "a": {"anyOf": [{"type": "null"}]}},
                "$defs": {"x": {"type": "number"}}}),
        &json!({"b": 1.5, "a": null}),
    );
}

#[test]
fn recursion_ends() {
    let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
    assert!(instance(&schema).to_string().len() < 500);
    let forced =
        json!({"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]});
    assert!(instance(&forced).to_string().len() < 500);
}
