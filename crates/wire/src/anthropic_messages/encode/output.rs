//! Structured output: native where model and schema allow it, else by a tool, else by words.

use super::tools::object_schema;
use crate::chat::request::{Request, ResponseFormat, ToolChoice};
use crate::json::{ObjectWriter, split_object, string};
use crate::target::Target;
use interline_domain::Parameter;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;

/// Anthropic documents 24 optional properties in all; its grammar compiler was seen to fail from
/// 13 on.
const MAX_OPTIONAL_PROPERTIES: usize = 12;
const JSON_TOOL: &str = "json";
const JSON_OBJECT: &str = "Answer with one valid JSON object and nothing else.";
const JSON_SCHEMA: &str =
    "Answer with JSON and nothing else. It must be valid for this JSON Schema:\n";

/// String formats the decoder takes (Anthropic API, "Structured outputs").
const FORMATS: [&str; 10] = [
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "uri",
    "ipv4",
    "ipv6",
    "uuid",
];

/// How the wanted form of the answer is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OutputForm<'r> {
    Free,
    /// `output_config.format`.
    Native {
        schema: Cow<'r, str>,
    },
    /// A tool whose arguments are the answer.
    Tool {
        name: String,
        schema: Cow<'r, str>,
    },
    /// A line in the system text.
    Told(Cow<'static, str>),
}

impl OutputForm<'_> {
    pub(super) fn tool_name(&self) -> Option<&str> {
        match self {
            Self::Tool { name, .. } => Some(name),
            _ => None,
        }
    }

    pub(super) fn instruction(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Told(text) => Some(text.clone()),
            _ => None,
        }
    }
}

pub(super) fn plan<'r>(request: &'r Request<'_>, target: &Target<'_>) -> OutputForm<'r> {
    let schema = match &request.response_format {
        Some(ResponseFormat::JsonObject) => {
            return OutputForm::Told(Cow::Borrowed(JSON_OBJECT));
        }
        Some(ResponseFormat::JsonSchema { schema, .. }) => *schema,
        None | Some(ResponseFormat::Text | ResponseFormat::Other(_)) => return OutputForm::Free,
    };
    if target.quirks.native_structured_output
        && let Some(schema) = restricted(schema.get())
    {
        return OutputForm::Native { schema };
    }
    let forces_call = matches!(
        request.tool_choice,
        Some(ToolChoice::Required | ToolChoice::Named(_))
    );
    if forces_call && !request.tools.is_empty() {
        return OutputForm::Free; // the answer will be a call of the caller's, which has no form
    }
    if !target.parameters.contains(Parameter::Tools) || !fits_a_tool(schema.get()) {
        return OutputForm::Told(Cow::Owned(format!("{JSON_SCHEMA}{}", schema.get())));
    }
    OutputForm::Tool {
        name: free_name(request),
        schema: object_schema(Some(schema)),
    }
}

/// `json`, or a longer name if the caller has a tool of that name.
fn free_name(request: &Request<'_>) -> String {
    let mut name = JSON_TOOL.to_owned();
    while request.tools.iter().any(|tool| tool.name == *name) {
        name.push('_');
    }
    name
}

/// Tools take objects, and no unions at the top.
fn fits_a_tool(schema: &str) -> bool {
    let Ok(members) = split_object(schema.as_bytes()) else {
        return false;
    };
    let has = |name: &str| members.iter().any(|(key, _)| key == name);
    let kind = members.iter().find(|(key, _)| key == "type");
    let is_object = kind.map_or_else(|| has("properties"), |(_, kind)| kind.get() == "\"object\"");
    is_object && !["anyOf", "allOf", "oneOf", "$ref"].into_iter().any(has)
}

/// The schema as Anthropic's decoder takes it, or `None` if it says something the decoder cannot
/// keep: open objects, recursion, too many optional properties. Constraints that only narrow a
/// value move into the description. A schema that fits is carried as it is.
fn restricted(schema: &str) -> Option<Cow<'_, str>> {
    if is_recursive(schema)? {
        return None;
    }
    let mut restriction = Restriction::default();
    let mut output = Vec::with_capacity(schema.len() + 64);
    restriction.schema(schema, &mut output)?;
    if restriction.optional_properties > MAX_OPTIONAL_PROPERTIES {
        return None;
    }
    if !restriction.is_changed {
        return Some(Cow::Borrowed(schema));
    }
    String::from_utf8(output).ok().map(Cow::Owned)
}

type Members<'s> = [(Cow<'s, str>, &'s RawValue)];

#[derive(Default)]
struct Restriction {
    optional_properties: usize,
    is_changed: bool,
}

impl Restriction {
    fn schema(&mut self, schema: &str, out: &mut Vec<u8>) -> Option<()> {
        let members = split_object(schema.as_bytes()).ok()?;
        let removed: Vec<String> = members
            .iter()
            .filter(|(key, value)| is_removed(key, value.get()))
            .map(|(key, value)| format!("{key}: {}", value.get()))
            .collect();
        let closes = self.must_close(&members)?;
        self.is_changed |= closes || !removed.is_empty();
        let mut object = ObjectWriter::open(out);
        let mut is_described = false;
        for (key, value) in &members {
            let value = value.get();
            match &**key {
                key if is_removed(key, value) => {}
                "description" if !removed.is_empty() => {
                    let text = string(value).unwrap_or_default();
                    object.str(key, &described(&text, &removed));
                    is_described = true;
                }
                "properties" | "$defs" | "definitions" => self.named(value, object.name(key))?,
                "items" => self.schema(value, object.name(key))?,
                "anyOf" | "allOf" => self.listed(value, object.name(key))?,
                "oneOf"
                | "patternProperties"
                | "propertyNames"
                | "unevaluatedProperties"
                | "dependentSchemas"
                | "prefixItems"
                | "contains"
                | "if"
                | "then"
                | "else" => {
                    return None;
                }
                _ => {
                    object.raw(key, value);
                }
            }
        }
        if closes {
            object.bool("additionalProperties", false);
        }
        if !removed.is_empty() && !is_described {
            object.str("description", &described("", &removed));
        }
        object.close();
        Some(())
    }

    /// Counts optional properties and says whether `additionalProperties: false` is to be added.
    /// `None` for an object that must stay open.
    fn must_close(&mut self, members: &Members<'_>) -> Option<bool> {
        let find = |name: &str| {
            let found = members.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.get())
        };
        let properties = match find("properties") {
            Some(properties) => split_object(properties.as_bytes()).ok()?,
            None => Vec::new(),
        };
        let is_object = find("properties").is_some()
            || find("type").is_some_and(|kind| kind.contains("\"object\""));
        let required: Vec<Cow<'_, str>> = match find("required") {
            Some(required) => serde_json::from_str(required).ok()?,
            None => Vec::new(),
        };
        let optional = properties
            .iter()
            .filter(|(name, _)| !required.contains(name));
        self.optional_properties += optional.count();
        match find("additionalProperties") {
            Some("false") => Some(false),
            Some(_) => None,
            None if !is_object => Some(false),
            // Closing an object that lists its properties narrows it; one that lists none is a map.
            None => (!properties.is_empty()).then_some(true),
        }
    }

    /// A map from names to schemas. The names are not keywords, whatever they look like.
    fn named(&mut self, map: &str, out: &mut Vec<u8>) -> Option<()> {
        let members = split_object(map.as_bytes()).ok()?;
        let mut object = ObjectWriter::open(out);
        for (name, schema) in members {
            self.schema(schema.get(), object.name(&name))?;
        }
        object.close();
        Some(())
    }

    fn listed(&mut self, list: &str, out: &mut Vec<u8>) -> Option<()> {
        let schemas: Vec<&RawValue> = serde_json::from_str(list).ok()?;
        let mut array = crate::json::ArrayWriter::open(out);
        for schema in schemas {
            self.schema(schema.get(), array.element())?;
        }
        array.close();
        Some(())
    }
}

/// Constraints the decoder does not know.
fn is_removed(key: &str, value: &str) -> bool {
    match key {
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf"
        | "minLength" | "maxLength" | "pattern" | "minItems" | "maxItems" | "uniqueItems"
        | "minProperties" | "maxProperties" | "not" => true,
        "format" => string(value).is_none_or(|format| !FORMATS.contains(&&*format)),
        _ => false,
    }
}

fn described(text: &str, removed: &[String]) -> String {
    let gap = if text.is_empty() { "" } else { "\n\n" };
    format!("{text}{gap}{{{}}}", removed.join(", "))
}

/// Whether a definition refers to itself, directly or through others. `None` for references to
/// anything but the schema's own definitions.
fn is_recursive(schema: &str) -> Option<bool> {
    let mut definitions = HashMap::new();
    for (key, map) in split_object(schema.as_bytes()).ok()? {
        if matches!(&*key, "$defs" | "definitions") {
            for (name, definition) in split_object(map.get().as_bytes()).ok()? {
                let mut references = Vec::new();
                collect_references(definition.get(), &mut references)?;
                definitions.insert(name.into_owned(), references);
            }
        }
    }
    let mut all = Vec::new();
    collect_references(schema, &mut all)?;
    // Definitions that only refer to settled ones are settled; a circle never is.
    while !definitions.is_empty() {
        let settled: Vec<String> = definitions
            .iter()
            .filter(|(_, references)| !references.iter().any(|name| definitions.contains_key(name)))
            .map(|(name, _)| name.clone())
            .collect();
        if settled.is_empty() {
            return Some(true);
        }
        definitions.retain(|name, _| !settled.contains(name));
    }
    Some(false)
}

fn collect_references(json: &str, references: &mut Vec<String>) -> Option<()> {
    match json.as_bytes().first() {
        Some(b'{') => {
            for (key, value) in split_object(json.as_bytes()).ok()? {
                match string(value.get()).filter(|_| key == "$ref") {
                    Some(reference) => {
                        let name = reference
                            .strip_prefix("#/$defs/")
                            .or_else(|| reference.strip_prefix("#/definitions/"))?;
                        references.push(name.to_owned());
                    }
                    None => collect_references(value.get(), references)?,
                }
            }
        }
        Some(b'[') => {
            for value in serde_json::from_str::<Vec<&RawValue>>(json).ok()? {
                collect_references(value.get(), references)?;
            }
        }
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests;
