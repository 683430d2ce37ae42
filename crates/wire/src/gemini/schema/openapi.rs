//! Down to the OpenAPI subset: references inlined, unions named, the rest dropped.

use super::{MAX_SCHEMA_DEPTH, elements, is_text_or_number, members};
use crate::json::{ObjectWriter, string, write_str};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// More nodes than any real schema has: references that double at each step stop here.
const MAX_NODES: usize = 4_096;
/// Bytes that may be read, references counted each time they are followed.
const MAX_WORK: usize = 16 * 1024 * 1024;

/// Texts, numbers and values that are carried as they are, if of the right kind.
const TEXTS: [&str; 3] = ["title", "description", "pattern"];
const COUNTS: [&str; 6] = [
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
];
const NUMBERS: [&str; 2] = ["minimum", "maximum"];
const VALUES: [&str; 2] = ["example", "default"];

/// A schema in the subset.
pub(crate) fn to_openapi(schema: &str) -> String {
    convert(schema).0
}

/// As [`to_openapi`] for `parameters`; `None` for an object without properties, which is refused
/// and must be left out.
pub(crate) fn to_openapi_parameters(schema: &str) -> Option<String> {
    let (json, is_empty) = convert(schema);
    (!is_empty).then_some(json)
}

fn convert(schema: &str) -> (String, bool) {
    let mut converter = Converter {
        root: schema,
        // A reference to the root is recursive from the start.
        chain: vec![Cow::Borrowed("#")],
        containers: HashMap::new(),
        nodes_left: MAX_NODES,
        work_left: MAX_WORK,
    };
    let mut out = Vec::with_capacity(schema.len());
    let is_empty = converter.write(schema, 0, false, &mut out);
    let json = String::from_utf8(out).unwrap_or_else(|_| r#"{"type":"object"}"#.to_owned());
    (json, is_empty)
}

struct Converter<'s> {
    root: &'s str,
    /// References that were followed to get here.
    chain: Vec<Cow<'s, str>>,
    /// Objects that references point into (`#/$defs`), read once.
    containers: HashMap<String, HashMap<Cow<'s, str>, &'s str>>,
    nodes_left: usize,
    work_left: usize,
}

/// A node with its references and `allOf`s merged in. What is written nearer wins.
#[derive(Default)]
struct Node<'s> {
    types: Vec<Cow<'s, str>>,
    is_nullable: bool,
    /// Recursive, unknown or too large: written as a free object.
    is_cut: bool,
    carried: Vec<(&'static str, &'s str)>,
    format: Option<Cow<'s, str>>,
    enumeration: Option<Vec<&'s str>>,
    items: Option<&'s str>,
    properties: Vec<(Cow<'s, str>, &'s str)>,
    /// The names of `properties`.
    known: HashSet<Cow<'s, str>>,
    required: Vec<Cow<'s, str>>,
    ordering: Vec<Cow<'s, str>>,
    any_of: Vec<&'s str>,
}

impl<'s> Converter<'s> {
    /// Writes one node. Whether it is an object without properties comes back.
    fn write(
        &mut self,
        schema: &'s str,
        depth: usize,
        is_nullable: bool,
        out: &mut Vec<u8>,
    ) -> bool {
        let mark = self.chain.len();
        let mut node = Node {
            is_nullable,
            ..Node::default()
        };
        self.nodes_left = self.nodes_left.saturating_sub(1);
        if self.nodes_left == 0 {
            node.is_cut = true;
        } else {
            self.gather(schema, &mut node, depth);
            self.settle_any_of(&mut node, depth);
        }
        let is_empty = self.write_node(&node, depth, out);
        self.chain.truncate(mark);
        is_empty
    }

    fn write_node(&mut self, node: &Node<'s>, depth: usize, out: &mut Vec<u8>) -> bool {
        if node.is_cut {
            let mut object = ObjectWriter::open(out);
            object.str("type", "object");
            node.write_carried(&["description"], &mut object);
            node.write_nullable(&mut object);
            object.close();
            return true;
        }
        if !node.any_of.is_empty() {
            let mut object = ObjectWriter::open(out);
            object.array("anyOf", |variants| {
                for variant in &node.any_of {
                    self.write(variant, depth + 1, node.is_nullable, variants.element());
                }
            });
            object.close();
            return false;
        }
        if let [_, _, ..] = node.types.as_slice() {
            let mut object = ObjectWriter::open(out);
            object.array("anyOf", |variants| {
                for kind in &node.types {
                    self.write_plain(node, kind, depth, variants.element());
                }
            });
            object.close();
            return false;
        }
        let kind = node.kind();
        self.write_plain(node, &kind, depth, out);
        kind.eq_ignore_ascii_case("object") && node.properties.is_empty()
    }

    /// A node of one type.
    fn write_plain(&mut self, node: &Node<'s>, kind: &str, depth: usize, out: &mut Vec<u8>) {
        let is = |name: &str| kind.eq_ignore_ascii_case(name);
        let choices = node.choices();
        let mut object = ObjectWriter::open(out);
        object.str("type", kind);
        let format = node.format.as_deref().filter(|format| match *format {
            "enum" | "date-time" => is("string"),
            "int32" | "int64" | "float" | "double" => is("integer") || is("number"),
            _ => false,
        });
        if let Some(format) = format {
            object.str("format", format);
        }
        node.write_carried(&TEXTS, &mut object);
        node.write_nullable(&mut object);
        if !choices.is_empty() && is("string") {
            object.array("enum", |values| {
                for choice in &choices {
                    values.raw(choice);
                }
            });
        }
        if is("array") {
            // "items: missing field" is a 400 of its own.
            let items = node.items.unwrap_or(r#"{"type":"string"}"#);
            self.write(items, depth + 1, false, object.name("items"));
        }
        node.write_carried(&COUNTS, &mut object);
        if is("object") && !node.properties.is_empty() {
            object.object("properties", |properties| {
                for (name, schema) in &node.properties {
                    self.write(schema, depth + 1, false, properties.name(name));
                }
            });
            node.write_names("required", &node.required, &mut object);
            node.write_names("propertyOrdering", &node.ordering, &mut object);
        }
        node.write_carried(&NUMBERS, &mut object);
        if choices.is_empty() {
            node.write_carried(&VALUES, &mut object);
        }
        object.close();
    }

    /// Reads a schema into the node, its references and `allOf`s after it.
    fn gather(&mut self, schema: &'s str, node: &mut Node<'s>, depth: usize) {
        if depth > MAX_SCHEMA_DEPTH || !self.may_read(schema) {
            node.is_cut = true;
            return;
        }
        // `true` and the like: anything goes.
        let Ok(members) = members(schema) else {
            return;
        };
        let mut reference = None;
        let mut merged = "[]";
        for (name, value) in members {
            match &*name {
                "$ref" => reference = string(value),
                "allOf" => merged = value,
                _ => node.take(&name, value),
            }
        }
        if let Some(reference) = reference {
            self.follow(reference, node, depth);
        }
        for schema in elements(merged).unwrap_or_default() {
            self.gather(schema, node, depth + 1);
        }
    }

    fn follow(&mut self, reference: Cow<'s, str>, node: &mut Node<'s>, depth: usize) {
        let is_recursive = self.chain.contains(&reference);
        match self.resolve(&reference) {
            Some(target) if !is_recursive => {
                self.chain.push(reference);
                self.gather(target, node, depth + 1);
            }
            _ => node.is_cut = true,
        }
    }

    /// `#/$defs/Name`
    fn resolve(&mut self, reference: &str) -> Option<&'s str> {
        let (parent, name) = reference.rsplit_once('/')?;
        if !self.containers.contains_key(parent) {
            let mut at = self.root;
            for step in parent
                .strip_prefix('#')?
                .split('/')
                .skip(1)
                .take(MAX_SCHEMA_DEPTH)
            {
                let name = unescaped(step);
                let mut inside = self.read(at)?.into_iter();
                at = inside.find(|(known, _)| *known == name)?.1;
            }
            let members = self.read(at)?.into_iter().collect();
            self.containers.insert(parent.to_owned(), members);
        }
        self.containers.get(parent)?.get(&*unescaped(name)).copied()
    }

    fn read(&mut self, object: &'s str) -> Option<super::Members<'s>> {
        self.may_read(object).then(|| members(object).ok())?
    }

    fn may_read(&mut self, text: &str) -> bool {
        let cost = text.len().saturating_add(1);
        let is_allowed = self.work_left >= cost;
        self.work_left = self.work_left.saturating_sub(cost);
        is_allowed
    }

    /// Takes `null` out of the variants, and dissolves a union that has one variant left.
    fn settle_any_of(&mut self, node: &mut Node<'s>, depth: usize) {
        for level in depth..=MAX_SCHEMA_DEPTH {
            let before = node.any_of.len();
            node.any_of.retain(|variant| !is_null(variant));
            node.is_nullable |= node.any_of.len() < before;
            if let [variant] = *node.any_of.as_slice() {
                node.any_of.clear();
                self.gather(variant, node, level + 1);
            } else {
                break;
            }
        }
        // A union carries nothing beside it. Properties say more than variants that only tell
        // which of them are required.
        if node.is_cut || !node.properties.is_empty() {
            node.any_of.clear();
        }
    }
}

impl<'s> Node<'s> {
    fn take(&mut self, keyword: &str, value: &'s str) {
        let carried = [&TEXTS[..], &COUNTS, &NUMBERS, &VALUES]
            .into_iter()
            .flatten()
            .find(|known| **known == keyword);
        if let Some(known) = carried {
            let is_fit = is_fit(known, value);
            if is_fit && self.carried.iter().all(|(name, _)| name != known) {
                self.carried.push((known, value));
            }
            return;
        }
        match keyword {
            "type" => self.take_types(value),
            "nullable" => self.is_nullable |= value == "true",
            "format" if self.format.is_none() => self.format = string(value),
            "enum" if self.enumeration.is_none() => {
                self.enumeration = Some(elements(value).unwrap_or_default());
            }
            "const" if self.enumeration.is_none() => self.enumeration = Some(vec![value]),
            "items" if self.items.is_none() => {
                // A tuple: the first stands for all.
                self.items = if value.starts_with('[') {
                    elements(value).unwrap_or_default().first().copied()
                } else {
                    Some(value)
                };
            }
            "properties" => {
                for (name, schema) in members(value).unwrap_or_default() {
                    if self.known.insert(name.clone()) {
                        self.properties.push((name, schema));
                    }
                }
            }
            "required" => self.required.extend(names(value)),
            "propertyOrdering" => self.ordering.extend(names(value)),
            "anyOf" | "oneOf" if self.any_of.is_empty() => {
                self.any_of = elements(value).unwrap_or_default();
            }
            _ => {}
        }
    }

    fn take_types(&mut self, value: &'s str) {
        let is_first = self.types.is_empty();
        let stated = match string(value) {
            Some(one) => vec![one],
            None => names(value).collect(),
        };
        for kind in stated {
            if kind.eq_ignore_ascii_case("null") {
                self.is_nullable |= is_first;
            } else if is_first && is_type(&kind) && !self.types.contains(&kind) {
                self.types.push(kind);
            }
        }
    }

    /// The one type of the node; found out if it is not said.
    fn kind(&self) -> Cow<'s, str> {
        if !self.choices().is_empty() {
            return Cow::Borrowed("string");
        }
        if let Some(kind) = self.types.first() {
            return kind.clone();
        }
        let is_number = self.carried.iter().any(|(name, _)| NUMBERS.contains(name));
        Cow::Borrowed(if !self.properties.is_empty() {
            "object"
        } else if self.items.is_some() {
            "array"
        } else if is_number {
            "number"
        } else {
            "string"
        })
    }

    /// The values of `enum`, as JSON strings: nothing else is taken, and no empty ones.
    fn choices(&self) -> Vec<Cow<'s, str>> {
        let values = self.enumeration.as_deref().unwrap_or_default();
        let texts = values.iter().filter(|value| **value != "\"\"");
        texts
            .filter_map(|value| {
                if value.starts_with('"') {
                    Some(Cow::Borrowed(*value))
                } else if is_text_or_number(value) || matches!(*value, "true" | "false") {
                    Some(Cow::Owned(format!("\"{value}\"")))
                } else {
                    None
                }
            })
            .collect()
    }

    fn write_nullable(&self, object: &mut ObjectWriter<'_, Vec<u8>>) {
        let values = self.enumeration.as_deref().unwrap_or_default();
        if self.is_nullable || values.contains(&"null") {
            object.bool("nullable", true);
        }
    }

    fn write_carried(&self, keywords: &[&str], object: &mut ObjectWriter<'_, Vec<u8>>) {
        for keyword in keywords {
            if let Some((name, value)) = self.carried.iter().find(|(name, _)| name == keyword) {
                object.raw(name, value);
            }
        }
    }

    /// Names of properties that there are, each once.
    fn write_names(
        &self,
        keyword: &str,
        names: &[Cow<'s, str>],
        object: &mut ObjectWriter<'_, Vec<u8>>,
    ) {
        let mut seen = HashSet::new();
        let known = names
            .iter()
            .filter(|name| self.known.contains(*name) && seen.insert(&***name));
        let known: Vec<_> = known.collect();
        if !known.is_empty() {
            object.array(keyword, |array| {
                for name in known {
                    write_str(array.element(), name);
                }
            });
        }
    }
}

fn is_fit(keyword: &str, value: &str) -> bool {
    if TEXTS.contains(&keyword) {
        value.starts_with('"')
    } else if COUNTS.contains(&keyword) {
        value.bytes().all(|byte| byte.is_ascii_digit())
    } else if NUMBERS.contains(&keyword) {
        is_text_or_number(value) && !value.starts_with('"')
    } else {
        true
    }
}

/// A step of a JSON pointer (RFC 6901).
fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

fn is_type(kind: &str) -> bool {
    ["string", "number", "integer", "boolean", "array", "object"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known))
}

fn is_null(schema: &str) -> bool {
    let members = members(schema).unwrap_or_default();
    members
        .iter()
        .any(|(name, value)| name == "type" && *value == "\"null\"")
}

fn names(list: &str) -> impl Iterator<Item = Cow<'_, str>> {
    elements(list)
        .unwrap_or_default()
        .into_iter()
        .filter_map(string)
}
