//! Lays the operator's entries over those of the source, and checks each by itself.

use crate::entry::{EndpointEntry, ModelEntry, ProviderEntry};
use crate::problem::{Place, Problem, nearest};
use crate::source::{At, Overlay, Placed, Source};
use std::collections::{HashMap, HashSet};

/// Finds the place of a field of an entry, on the error path only.
pub(super) type Locator<'a> = Box<dyn Fn(&str) -> Option<Place> + 'a>;

pub(super) struct Merged<'a, T> {
    pub(super) entry: T,
    pub(super) place: Locator<'a>,
}

/// A provider with the layers of its quirks kept apart.
pub(super) struct MergedProvider<'a> {
    pub(super) entry: ProviderEntry,
    pub(super) base: Option<&'a ProviderEntry>,
    pub(super) over: Option<&'a ProviderEntry>,
}

pub(super) struct MergedEndpoint<'a> {
    pub(super) entry: EndpointEntry,
    pub(super) over: Option<&'a EndpointEntry>,
    pub(super) place: Locator<'a>,
}

fn place_in<'a>(source: &'a Source, list: &'static str, at: At) -> Locator<'a> {
    Box::new(move |field| source.place(list, at, &[field]))
}

fn place_over<'a>(overlay: &'a Overlay, list: &'static str, index: usize) -> Locator<'a> {
    Box::new(move |field| overlay.place(list, index, &[field]))
}

pub(super) fn merge_providers<'a>(
    source: &'a Source,
    overlay: &'a Overlay,
    problems: &mut Vec<Problem>,
) -> Vec<MergedProvider<'a>> {
    let mut merged: Vec<MergedProvider<'_>> = Vec::with_capacity(source.providers.len());
    let mut index: HashMap<&str, usize> = HashMap::new();
    for Placed { entry, at } in &source.providers {
        let place = place_in(source, "provider", *at);
        if index.insert(&entry.slug, merged.len()).is_some() {
            problems.push(twice("provider", &entry.slug).at(place("slug")));
            continue;
        }
        for (field, key) in [
            ("api_key", &entry.api_key),
            ("api_key_env", &entry.api_key_env),
            ("api_key_file", &entry.api_key_file),
        ] {
            if key.is_some() {
                problems.push(
                    Problem::new(format!("`{field}` does not belong in a catalogue"))
                        .help("state it under `[[providers]]` of interline.toml")
                        .at(place(field)),
                );
            }
        }
        if entry.dialect.is_none() {
            problems.push(
                Problem::new(format!("provider `{}` states no `dialect`", entry.slug))
                    .at(place("slug")),
            );
        }
        check_provider(entry, &place, problems);
        merged.push(MergedProvider {
            entry: entry.clone(),
            base: Some(entry),
            over: None,
        });
    }
    let mut seen = HashSet::new();
    for (number, entry) in overlay.providers.iter().enumerate() {
        let place = place_over(overlay, "providers", number);
        if !seen.insert(entry.slug.as_str()) {
            problems.push(twice("provider", &entry.slug).at(place("slug")));
            continue;
        }
        check_provider(entry, &place, problems);
        if let Some(known) = index.get(entry.slug.as_str()) {
            if let Some(known) = merged.get_mut(*known) {
                known.entry.merge(entry);
                known.over = Some(entry);
            }
            continue;
        }
        let missing: Vec<&str> = [
            ("dialect", entry.dialect.is_none()),
            ("base_url", entry.base_url.is_none()),
        ]
        .into_iter()
        .filter_map(|(field, is_missing)| is_missing.then_some(field))
        .collect();
        if !missing.is_empty() {
            let near = nearest(&entry.slug, index.keys().copied());
            let help = near.map_or_else(
                || "a provider the catalogue does not know has to state both".to_owned(),
                |near| format!("did you mean the known provider `{near}`?"),
            );
            problems.push(
                Problem::new(format!(
                    "provider `{}` is new and states no `{}`",
                    entry.slug,
                    missing.join("` and no `")
                ))
                .help(help)
                .at(place("slug")),
            );
        }
        let mut fresh = ProviderEntry {
            slug: entry.slug.clone(),
            ..ProviderEntry::default()
        };
        fresh.merge(entry);
        merged.push(MergedProvider {
            entry: fresh,
            base: None,
            over: Some(entry),
        });
    }
    merged
}

fn check_provider(
    entry: &ProviderEntry,
    place: &dyn Fn(&str) -> Option<Place>,
    problems: &mut Vec<Problem>,
) {
    let is_slug = !entry.slug.is_empty()
        && entry
            .slug
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
    if !is_slug {
        problems.push(
            Problem::new(format!("`{}` is not a provider slug", entry.slug))
                .help("lower-case letters, digits, `-`, `_` and `.`")
                .at(place("slug")),
        );
    }
    let protocols = entry.protocols.iter().flatten();
    let urls = entry.base_url.iter().map(|url| ("base_url", url));
    for (field, url) in urls.chain(protocols.map(|protocol| ("protocols", &protocol.base_url))) {
        if !url.starts_with("https://") && !url.starts_with("http://") {
            problems.push(
                Problem::new(format!("`{url}` is not an http or https address")).at(place(field)),
            );
        }
    }
}

pub(super) fn merge_models<'a>(
    source: &'a Source,
    overlay: &'a Overlay,
    problems: &mut Vec<Problem>,
) -> Vec<Merged<'a, ModelEntry>> {
    let mut merged: Vec<Merged<'_, ModelEntry>> = Vec::with_capacity(source.models.len());
    let mut index: HashMap<&str, usize> = HashMap::new();
    for Placed { entry, at } in &source.models {
        let place = place_in(source, "models", *at);
        check_model_id(&entry.id, &place, problems);
        if index.insert(&entry.id, merged.len()).is_some() {
            problems.push(twice("model", &entry.id).at(place("id")));
            continue;
        }
        merged.push(Merged {
            entry: entry.clone(),
            place,
        });
    }
    let mut seen = HashSet::new();
    for (number, entry) in overlay.models.iter().enumerate() {
        let place = place_over(overlay, "models", number);
        check_model_id(&entry.id, &place, problems);
        if !seen.insert(entry.id.as_str()) {
            problems.push(twice("model", &entry.id).at(place("id")));
        } else if let Some(known) = index
            .get(entry.id.as_str())
            .and_then(|i| merged.get_mut(*i))
        {
            known.entry.merge(entry);
        } else {
            merged.push(Merged {
                entry: entry.clone(),
                place,
            });
        }
    }
    merged
}

fn check_model_id(id: &str, place: &dyn Fn(&str) -> Option<Place>, problems: &mut Vec<Problem>) {
    let is_plain = !id.is_empty()
        && id
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase() && b != b'@');
    if !is_plain {
        problems.push(
            Problem::new(format!("`{id}` is not a model id"))
                .help("`author/slug` or `author/slug:variant`, lower case, without spaces or `@`")
                .at(place("id")),
        );
    }
}

pub(super) fn merge_endpoints<'a>(
    source: &'a Source,
    overlay: &'a Overlay,
    problems: &mut Vec<Problem>,
) -> Vec<MergedEndpoint<'a>> {
    let mut merged: Vec<MergedEndpoint<'_>> = Vec::with_capacity(source.endpoints.len());
    let mut pairs: HashMap<(&str, &str), Vec<usize>> = HashMap::new();
    let mut tags: HashSet<(&str, &str)> = HashSet::new();
    for Placed { entry, at } in &source.endpoints {
        let place = place_in(source, "endpoints", *at);
        if entry.provider.is_empty() {
            problems.push(
                Problem::new(format!("endpoint of `{}` names no provider", entry.model))
                    .help("state `provider`, or `for_provider` once at the top of the file")
                    .at(place("model")),
            );
            continue;
        }
        if !tags.insert((&entry.model, entry.tag())) {
            let name = format!("{}@{}", entry.model, entry.tag());
            problems.push(twice("endpoint", &name).at(place("model")));
            continue;
        }
        let pair = (entry.model.as_str(), entry.provider.as_str());
        pairs.entry(pair).or_default().push(merged.len());
        merged.push(MergedEndpoint {
            entry: entry.clone(),
            over: None,
            place,
        });
    }
    let mut seen = HashSet::new();
    for (number, entry) in overlay.endpoints.iter().enumerate() {
        let place = place_over(overlay, "endpoints", number);
        if entry.provider.is_empty() {
            problems.push(
                Problem::new(format!("endpoint of `{}` names no provider", entry.model))
                    .at(place("model")),
            );
            continue;
        }
        if !seen.insert((&entry.model, &entry.provider, &entry.tag)) {
            let name = format!("{}@{}", entry.model, entry.tag());
            problems.push(twice("endpoint", &name).at(place("model")));
            continue;
        }
        let pair = (entry.model.as_str(), entry.provider.as_str());
        let mut is_known = false;
        for known in pairs.get(&pair).into_iter().flatten() {
            let Some(known) = merged.get_mut(*known) else {
                continue;
            };
            // Without a tag, all endpoints of the pair are meant.
            if entry.tag.is_none() || entry.tag() == known.entry.tag() {
                known.entry.merge(entry);
                known.over = Some(entry);
                known.place = place_over(overlay, "endpoints", number);
                is_known = true;
            }
        }
        if !is_known {
            merged.push(MergedEndpoint {
                entry: EndpointEntry {
                    quirks: None,
                    ..entry.clone()
                },
                over: Some(entry),
                place,
            });
        }
    }
    merged
}

fn twice(what: &str, name: &str) -> Problem {
    Problem::new(format!("{what} `{name}` is listed twice"))
}
