//! The document is whole, and says of our answers what is true.

use super::*;
use crate::routes::TABLE;
use crate::testing::{KEY, MANAGEMENT_KEY, TestApp};
use std::collections::BTreeSet;

fn document() -> Value {
    serde_json::to_value(describe(TABLE)).unwrap()
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let document = document();
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods
                .as_object()
                .unwrap()
                .keys()
                .map(|method| (path.clone(), method.clone()))
        })
        .collect();
    let mounted: BTreeSet<(String, String)> = TABLE
        .iter()
        .map(|route| (route.path.to_owned(), route.verb.as_str().to_lowercase()))
        .collect();
    assert_eq!(described, mounted);
    assert_eq!(
        mounted.len(),
        TABLE.len(),
        "a route stands twice in the table"
    );
    let ids: BTreeSet<&str> = TABLE.iter().map(|route| route.id).collect();
    assert_eq!(ids.len(), TABLE.len(), "two routes share an operation id");
    for route in TABLE {
        assert!(
            !route.id.is_empty() && !route.summary.is_empty(),
            "{}",
            route.path
        );
        if route.access != Access::Public {
            assert!(route.refusals.contains(&401), "{} needs a key", route.path);
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, known: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(target)) = members.get("$ref") {
                    let name = target.strip_prefix("#/components/schemas/").unwrap();
                    assert!(known.get(name).is_some(), "{name} is not described");
                }
                members.values().for_each(|value| walk(value, known));
            }
            Value::Array(items) => items.iter().for_each(|value| walk(value, known)),
            _ => {}
        }
    }
    let document = document();
    walk(&document, &document["components"]["schemas"]);
}

#[test]
fn shapes_are_named_once() {
    let names: BTreeSet<&str> = shapes::ALL.iter().map(|shape| shape.name).collect();
    assert_eq!(names.len(), shapes::ALL.len());
    for shape in shapes::ALL {
        let fields: BTreeSet<&str> = shape
            .fields
            .iter()
            .map(|(name, ..)| plain_name(name))
            .collect();
        assert_eq!(fields.len(), shape.fields.len(), "{}", shape.name);
    }
}

/// Holds a value against a schema of ours: what `notation` can say, and no member undescribed.
fn mismatch(value: &Value, schema: &Value, known: &Value, at: &str) -> Result<(), String> {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let name = target.trim_start_matches("#/components/schemas/");
        return mismatch(value, &known[name], known, at);
    }
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        let fits = choices
            .iter()
            .any(|choice| mismatch(value, choice, known, at).is_ok());
        return if fits {
            Ok(())
        } else {
            Err(format!("{at}: fits no choice: {value}"))
        };
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        return Err(format!("{at}: {value} is not in {words:?}"));
    }
    let kinds: Vec<&str> = match schema.get("type") {
        None => return Ok(()),
        Some(Value::String(kind)) => vec![kind],
        Some(kinds) => kinds
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect(),
    };
    let fits = kinds.iter().any(|kind| match *kind {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("unknown type {other}"),
    });
    if !fits {
        return Err(format!("{at}: {value} is not {kinds:?}"));
    }
    for (place, item) in value.as_array().into_iter().flatten().enumerate() {
        mismatch(item, &schema["items"], known, &format!("{at}[{place}]"))?;
    }
    if let (Some(members), Some(properties)) = (
        value.as_object(),
        schema.get("properties").and_then(Value::as_object),
    ) {
        for (name, member) in members {
            let described = properties
                .get(name)
                .ok_or(format!("{at}.{name} is not described"))?;
            mismatch(member, described, known, &format!("{at}.{name}"))?;
        }
        for name in schema["required"].as_array().into_iter().flatten() {
            if !members.contains_key(name.as_str().unwrap()) {
                return Err(format!("{at}: {name} is missing"));
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn answers_are_as_described() {
    let app = TestApp::start().await;
    let document = document();
    let known = &document["components"]["schemas"];
    for (path, key, shape) in [
        ("/models?output_modalities=all", None, "ModelList"),
        ("/models?limit=1", None, "ModelList"),
        ("/models/count", None, "ModelCount"),
        ("/models/user", Some(KEY), "ModelList"),
        ("/model/acme/dear", None, "ModelAnswer"),
        ("/models/acme/dear/endpoints", None, "ModelEndpoints"),
        ("/models/other/draws/endpoints", None, "ModelEndpoints"),
        ("/endpoints/zdr", None, "EndpointList"),
        ("/providers", None, "ProviderList"),
        ("/key", Some(KEY), "CurrentKey"),
        ("/credits", Some(MANAGEMENT_KEY), "Credits"),
        ("/key", None, "Error"),
        ("/nowhere", None, "Error"),
    ] {
        let body = app.get(&format!("/api/v1{path}"), key).await.json();
        mismatch(&body, &known[shape], known, path).unwrap();
    }
    for path in ["/health/live", "/health/ready", "/health/ready/management"] {
        let answer = app.get(path, None).await;
        assert_eq!(answer.status, 200, "{path}");
        mismatch(&answer.json(), &known["Health"], known, path).unwrap();
    }
    let id = crate::routes::record_a_generation(&app).await;
    let body = app
        .get(&format!("/api/v1/generation?id={id}"), Some(KEY))
        .await
        .json();
    mismatch(&body, &known["GenerationAnswer"], known, "generation").unwrap();
}

#[test]
fn a_mismatch_is_noticed() {
    let document = document();
    let known = &document["components"]["schemas"];
    for (value, shape) in [
        (json!({ "data": { "count": "1" } }), "ModelCount"),
        (json!({ "data": {} }), "ModelCount"),
        (json!({ "data": { "count": 1, "more": 1 } }), "ModelCount"),
        (json!({ "status": "fine" }), "Health"),
    ] {
        assert!(
            mismatch(&value, &known[shape], known, "").is_err(),
            "{value}"
        );
    }
}
