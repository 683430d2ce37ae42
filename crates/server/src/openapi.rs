//! The OpenAPI 3.1 document, made from the route table and the shapes.

mod notation;
pub(crate) mod shapes;
pub(crate) mod yaml;

pub(crate) use notation::{plain_text, schema};

use crate::routes::{Access, Answer, Mount, Route};
use serde_derive::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A member of an object, or a parameter of a query: name (`?`: may be absent), type in the
/// notation of [`notation`], what it means.
pub(crate) type Field = (&'static str, &'static str, &'static str);

/// An object of the API.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) fields: &'static [Field],
}

/// The members of the document in the order people expect.
pub(crate) const ORDER: &[&str] = &["openapi", "info", "servers", "tags", "paths", "components"];

#[derive(Serialize)]
pub(crate) struct Description {
    openapi: &'static str,
    info: Value,
    servers: Value,
    tags: Value,
    paths: BTreeMap<String, BTreeMap<&'static str, Value>>,
    components: Value,
}

/// Describes every row of the table, each once, under the first of its addresses.
pub(crate) fn describe(table: &[Route]) -> Description {
    let mut paths: BTreeMap<String, BTreeMap<&'static str, Value>> = BTreeMap::new();
    for route in table {
        let methods = paths.entry(route.path.to_owned()).or_default();
        methods.insert(method_word(route), operation(route));
    }
    let schemas: Map<String, Value> = shapes::ALL
        .iter()
        .map(|shape| (shape.name.to_owned(), object(shape)))
        .collect();
    Description {
        openapi: "3.1.0",
        info: json!({
            "title": "Interline API",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "One API in front of every model provider, compatible with OpenAI and \
                OpenRouter clients. Fields that a model knows and this description does not are \
                passed on. New fields, enumeration values and statuses may be added at any time.",
        }),
        servers: json!([
            { "url": "/api/v1", "description": "This server" },
            { "url": "/v1", "description": "The same, for clients that bring their own /v1" },
        ]),
        tags: json!([
            { "name": "Chat", "description": "Inference" },
            { "name": "Models", "description": "What can be called, from whom, at what price" },
            { "name": "Account", "description": "Keys, credit and finished calls" },
            { "name": "Server", "description": "This server itself" },
        ]),
        paths,
        components: json!({
            "schemas": schemas,
            "securitySchemes": {
                "key": { "type": "http", "scheme": "bearer", "description":
                    "An API key, `Authorization: Bearer sk-il-v1-…`. The headers `x-api-key` and \
                     `api-key` are understood as well." },
            },
        }),
    }
}

fn method_word(route: &Route) -> &'static str {
    match route.verb {
        crate::routes::Verb::Get => "get",
        crate::routes::Verb::Post => "post",
    }
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": route.id,
        "tags": [route.tag],
        "summary": route.summary,
        "security": if route.access == Access::Public { json!([]) } else { json!([{ "key": [] }]) },
        "x-access": route.access.describe(),
        "responses": responses(route),
    });
    if let Some(members) = operation.as_object_mut() {
        if !route.about.is_empty() {
            members.insert("description".into(), route.about.into());
        }
        let parameters = parameters(route);
        if !parameters.is_empty() {
            members.insert("parameters".into(), parameters.into());
        }
        if let Some(request) = route.request {
            let content = json!({ "application/json": { "schema": reference(request) } });
            members.insert(
                "requestBody".into(),
                json!({ "required": true, "content": content }),
            );
        }
        match route.mount {
            Mount::Api => {}
            Mount::Root => {
                members.insert("servers".into(), json!([{ "url": "/" }]));
            }
            Mount::Everywhere => {
                let everywhere = json!([{ "url": "/api/v1" }, { "url": "/v1" }, { "url": "/" }]);
                members.insert("servers".into(), everywhere);
            }
        }
    }
    operation
}

/// The names between braces of a path.
pub(crate) fn path_names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn parameters(route: &Route) -> Vec<Value> {
    let in_path = path_names(route.path).map(|name| {
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
    });
    let in_query = route.query.iter().map(|(name, kind, about)| {
        json!({
            "name": plain_name(name),
            "in": "query",
            "required": !name.ends_with('?'),
            "description": about,
            "schema": schema(kind),
        })
    });
    in_path.chain(in_query).collect()
}

fn responses(route: &Route) -> Value {
    let of = |shape: &str| json!({ "schema": reference(shape) });
    let text = || json!({ "schema": { "type": "string" } });
    let content = match route.answer {
        Answer::Json(shape) => json!({ "application/json": of(shape) }),
        Answer::JsonOrEvents(whole, event) => {
            json!({ "application/json": of(whole), "text/event-stream": of(event) })
        }
        Answer::JsonOr(shape, media) => json!({ "application/json": of(shape), media: text() }),
        Answer::Media("application/json") => json!({ "application/json": { "schema": {} } }),
        Answer::Media(media) => json!({ media: text() }),
    };
    let mut responses = Map::new();
    responses.insert(
        "200".into(),
        json!({ "description": "As asked", "content": content }),
    );
    for status in route.refusals {
        // Health reports are not errors of the API.
        let shape = if route.answer == Answer::Json("Health") {
            "Health"
        } else {
            "Error"
        };
        let content = json!({ "application/json": of(shape) });
        let refusal = json!({ "description": refusal_text(*status), "content": content });
        responses.insert(status.to_string(), refusal);
    }
    responses.into()
}

pub(crate) const fn refusal_text(status: u16) -> &'static str {
    match status {
        400 => "Something in the request is wrong; the message names it",
        401 => "No key, or one that is not accepted",
        402 => "Not enough credit, or the key's limit is used up",
        403 => "This key may not do this",
        404 => "Not there, or not yours",
        405 => "The path takes another method",
        408 => "The body did not arrive in time",
        413 => "The body is too large",
        429 => "Too many requests; `Retry-After` says when to come back",
        500 => "A fault of this server",
        502 => "The provider failed and there was no other to try",
        503 => "Not now; `Retry-After` says when to come back",
        504 => "The provider did not answer in time",
        _ => "Refused",
    }
}

fn object(shape: &Shape) -> Value {
    let properties: Map<String, Value> = shape
        .fields
        .iter()
        .map(|(name, kind, about)| {
            let mut described = schema(kind);
            if let Some(members) = described.as_object_mut()
                && !about.is_empty()
            {
                members.insert("description".into(), (*about).into());
            }
            (plain_name(name).to_owned(), described)
        })
        .collect();
    let required: Vec<&str> = shape
        .fields
        .iter()
        .map(|(name, ..)| *name)
        .filter(|name| !name.ends_with('?'))
        .collect();
    let mut object = json!({
        "type": "object",
        "description": shape.about,
        "properties": properties,
    });
    if let Some(members) = object.as_object_mut()
        && !required.is_empty()
    {
        members.insert("required".into(), required.into());
    }
    object
}

pub(crate) fn plain_name(name: &str) -> &str {
    name.trim_end_matches('?')
}

fn reference(shape: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{shape}") })
}

#[cfg(test)]
mod tests;
