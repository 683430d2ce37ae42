//! `interline catalogue import`: JSON tables, or the model list of an OpenRouter-style gateway,
//! become the files of a catalogue.
//!
//! Models and endpoints are replaced. What people keep by hand stays: provider files with their
//! quirks and comments, general rules, aliases, the quirks of endpoints that are still there.

mod convert;
mod json;

use crate::entry::{EndpointEntry, Listed, ModelEntry, ProviderEntry};
use crate::problem::Problem;
use crate::render;
use crate::source::{Placed, Source};
use crate::words::{ModelKind, Word};
use interline_domain::catalogue::Dialect;
use json::{JsonEndpoint, JsonListedModel, JsonModel, JsonProvider};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The three JSON tables, as text.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    pub providers: &'a str,
    pub models: &'a str,
    pub endpoints: &'a str,
}

/// A catalogue to be written with [`crate::write_dir`], once a person has seen the
/// [`crate::diff`] between what is there and `source`.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Name below the directory to text.
    pub files: BTreeMap<String, String>,
    /// The same files, read.
    pub source: Source,
    /// What was left out or left alone, one sentence each.
    pub notes: Vec<String>,
}

/// Turns the JSON tables into a catalogue, keeping the hand-kept files of `current`.
pub fn import(tables: Tables<'_>, current: Option<&Source>) -> Result<Imported, Vec<Problem>> {
    let mut work = Work::default();
    let providers = work.rows::<JsonProvider>("providers.json", tables.providers);
    let models = work.rows::<JsonModel>("models.json", tables.models);
    let endpoints = work.rows::<JsonEndpoint>("endpoints.json", tables.endpoints);
    let providers: Vec<ProviderEntry> = providers
        .into_iter()
        .map(|row| work.provider(row))
        .collect();
    let mut models: Vec<ModelEntry> = models.into_iter().map(|row| work.model(row)).collect();
    let mut endpoints: Vec<EndpointEntry> = endpoints
        .into_iter()
        .map(|row| work.endpoint(row))
        .collect();
    work.settle_aliases(&mut models, current);
    work.settle_tags(&mut endpoints);
    work.settle_zeros(&mut endpoints);
    if let Some(current) = current {
        keep_quirks(&mut endpoints, current);
    }
    let kept = current.map(hand_kept).unwrap_or_default();
    work.finish(kept, current, &providers, models, endpoints)
}

/// Turns the answer of `GET /models` of an OpenRouter-style gateway into endpoints of `provider`,
/// which `current` has to know. Models that are new are added; other providers stay.
pub fn import_model_list(
    list: &str,
    provider: &str,
    current: &Source,
) -> Result<Imported, Vec<Problem>> {
    let mut work = Work::default();
    if !current
        .providers
        .iter()
        .any(|placed| placed.entry.slug == provider)
    {
        work.problems.push(
            Problem::new(format!("no provider `{provider}`")).help(format!(
                "write providers/{provider}.toml first: slug, dialect, base_url"
            )),
        );
    }
    let rows = work.rows::<JsonListedModel>("the model list", list);
    let mut models: Vec<ModelEntry> = own(&current.models);
    let mut endpoints: Vec<EndpointEntry> = own(&current.endpoints);
    endpoints.retain(|endpoint| endpoint.provider != provider);
    let known: BTreeSet<String> = models.iter().map(|model| model.id.clone()).collect();
    for row in rows {
        let (model, endpoint) = work.listed(row, provider);
        if !known.contains(&model.id) {
            models.push(model);
        }
        endpoints.push(endpoint);
    }
    keep_quirks(&mut endpoints, current);
    work.finish(hand_kept(current), Some(current), &[], models, endpoints)
}

fn own<T: Clone>(placed: &[Placed<T>]) -> Vec<T> {
    placed.iter().map(|placed| placed.entry.clone()).collect()
}

fn hand_kept(current: &Source) -> BTreeMap<String, String> {
    current
        .files
        .iter()
        .filter(|file| !file.name.starts_with("models/") && !file.name.starts_with("endpoints/"))
        .map(|file| (file.name.clone(), file.text.clone().into_owned()))
        .collect()
}

fn keep_quirks(endpoints: &mut [EndpointEntry], current: &Source) {
    let known: BTreeMap<(&str, &str), &EndpointEntry> = current
        .endpoints
        .iter()
        .map(|placed| {
            (
                (placed.entry.model.as_str(), placed.entry.tag()),
                &placed.entry,
            )
        })
        .collect();
    for endpoint in endpoints {
        let found = known
            .get(&(endpoint.model.as_str(), endpoint.tag()))
            .copied();
        if let Some(found) = found {
            endpoint.quirks.clone_from(&found.quirks);
            endpoint.enabled = found.enabled;
        }
    }
}

/// Problems and notes gathered on the way.
#[derive(Default)]
struct Work {
    problems: Vec<Problem>,
    notes: Vec<String>,
}

impl Work {
    /// Aliases lead to models that are there; a target set by hand survives a list without one.
    fn settle_aliases(&mut self, models: &mut [ModelEntry], current: Option<&Source>) {
        let ids: BTreeSet<String> = models.iter().map(|model| model.id.clone()).collect();
        for model in models {
            if model.kind != Some(Word(ModelKind("alias"))) {
                continue;
            }
            if let Some(target) = model.alias_target.take_if(|target| !ids.contains(target)) {
                self.notes
                    .push(format!("{}: its target {target} is not listed", model.id));
            }
            if model.alias_target.is_none() {
                model.alias_target = current
                    .into_iter()
                    .flat_map(|current| &current.models)
                    .find(|known| known.entry.id == model.id)
                    .and_then(|known| known.entry.alias_target.clone())
                    .filter(|target| ids.contains(target));
            }
        }
    }

    /// A price of zero beside a sibling that charges per unit is a price nobody entered: such an
    /// endpoint must not pass for free.
    fn settle_zeros(&mut self, endpoints: &mut [EndpointEntry]) {
        let by_unit: BTreeSet<String> = endpoints
            .iter()
            .filter(|endpoint| endpoint.unit_prices.is_some())
            .map(|endpoint| endpoint.model.clone())
            .collect();
        let is_zero = |listed: &Option<Listed>| listed.as_ref().is_some_and(|l| l.text == "0");
        for endpoint in endpoints {
            let is_doubtful = by_unit.contains(&endpoint.model)
                && !endpoint.model.ends_with(":free")
                && endpoint
                    .pricing
                    .as_ref()
                    .is_some_and(|p| is_zero(&p.prompt) && is_zero(&p.completion));
            if is_doubtful {
                self.notes.push(format!(
                    "{}@{}: zero is not believed, others charge per unit",
                    endpoint.model,
                    endpoint.tag()
                ));
                endpoint.pricing = None;
            }
        }
    }

    /// Two endpoints of one model with one tag: the later ones are numbered.
    fn settle_tags(&mut self, endpoints: &mut [EndpointEntry]) {
        let mut seen: BTreeSet<(String, String)> = BTreeSet::new();
        for endpoint in endpoints {
            let first = endpoint.tag().to_owned();
            let mut tag = first.clone();
            let mut number = 2;
            while !seen.insert((endpoint.model.clone(), tag.clone())) {
                tag = if first.contains('/') {
                    format!("{first}-{number}")
                } else {
                    format!("{first}/{number}")
                };
                number += 1;
            }
            if tag != first {
                self.notes.push(format!(
                    "{}@{first} is listed twice: one becomes {tag}",
                    endpoint.model
                ));
                endpoint.tag = Some(tag);
            }
        }
    }

    fn finish(
        mut self,
        mut files: BTreeMap<String, String>,
        current: Option<&Source>,
        providers: &[ProviderEntry],
        mut models: Vec<ModelEntry>,
        mut endpoints: Vec<EndpointEntry>,
    ) -> Result<Imported, Vec<Problem>> {
        let known: BTreeMap<&str, &ProviderEntry> = current
            .into_iter()
            .flat_map(|current| &current.providers)
            .map(|placed| (placed.entry.slug.as_str(), &placed.entry))
            .collect();
        for entry in providers {
            match known.get(entry.slug.as_str()) {
                None => {
                    let path = self.path(render::provider_path(&entry.slug));
                    files.insert(path, render::provider(entry));
                }
                Some(known) => self.note_changes(known, entry),
            }
        }
        let dialects: BTreeMap<&str, Option<Word<Dialect>>> = providers
            .iter()
            .chain(known.values().copied())
            .map(|entry| (entry.slug.as_str(), entry.dialect))
            .collect();
        models.sort_by(|a, b| a.id.cmp(&b.id));
        let mut by_author: BTreeMap<String, Vec<&ModelEntry>> = BTreeMap::new();
        for model in &models {
            let path = self.path(render::models_path(&model.id));
            by_author.entry(path).or_default().push(model);
        }
        for (path, models) in by_author {
            files.insert(path, render::models(models));
        }
        let contexts: BTreeMap<&str, Option<u64>> = models
            .iter()
            .map(|model| (model.id.as_str(), model.context_length))
            .collect();
        endpoints.sort_by(|a, b| (&a.model, a.tag()).cmp(&(&b.model, b.tag())));
        let mut by_provider: BTreeMap<&str, Vec<&EndpointEntry>> = BTreeMap::new();
        for endpoint in &endpoints {
            by_provider
                .entry(&endpoint.provider)
                .or_default()
                .push(endpoint);
        }
        for (provider, endpoints) in by_provider {
            let dialect = dialects.get(provider).copied().flatten();
            let text = render::endpoints(provider, dialect, &contexts, endpoints);
            let path = self.path(render::endpoints_path(provider));
            files.insert(path, text);
        }
        if !self.problems.is_empty() {
            return Err(self.problems);
        }
        let texts = files
            .iter()
            .map(|(name, text)| (name.clone(), Cow::Owned(text.clone())));
        Ok(Imported {
            source: Source::from_files(texts)?,
            notes: self.notes,
            files,
        })
    }

    /// Names in files become names of files: nothing may lead out of the directory.
    fn path(&mut self, path: String) -> String {
        let is_plain = path
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b))
            && !path.contains("..")
            && path.matches('/').count() == 1;
        if !is_plain {
            self.problems.push(Problem::new(format!(
                "`{path}` is not a file name we write"
            )));
        }
        path
    }

    fn note_changes(&mut self, known: &ProviderEntry, entry: &ProviderEntry) {
        let differences = [
            ("name", known.name != entry.name),
            ("base_url", known.base_url != entry.base_url),
            ("dialect", known.dialect != entry.dialect),
            ("auth", known.auth.or(entry.auth) != entry.auth),
            ("headquarters", known.headquarters != entry.headquarters),
            ("datacenters", known.datacenters != entry.datacenters),
            ("data_policy", known.data_policy != entry.data_policy),
        ];
        let fields: Vec<&str> = differences
            .into_iter()
            .filter_map(|(field, differs)| differs.then_some(field))
            .collect();
        if !fields.is_empty() {
            self.notes.push(format!(
                "provider {} is listed with another {}; its file is kept by hand and stays",
                entry.slug,
                fields.join(", ")
            ));
        }
    }
}

#[cfg(test)]
mod tests;
