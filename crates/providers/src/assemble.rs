//! Joins a source and the operator's differences into a catalogue.

mod facts;
mod merge;

use crate::entry::{EndpointEntry, ModelEntry, OverrideEntry};
use crate::names::Names;
use crate::problem::{Problem, Warning, nearest};
use crate::quirks::{QuirkRule, matches_any};
use crate::source::{Overlay, Source};
use crate::words::Word;
use facts::{assumed_name, kind, model, outputs, prices, provider};
use interline_domain::catalogue::{
    Auth, Catalogue, Dialect, Endpoint, Modality, Model, Prices, Provider, Quantization, Standing,
};
use interline_domain::parameters::{Parameter, Parameters};
use interline_domain::quirks::Quirks;
use merge::{
    Merged, MergedEndpoint, MergedProvider, merge_endpoints, merge_models, merge_providers,
};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A catalogue, the names its models go by, and what was odd on the way.
#[derive(Clone, Debug, Default)]
pub struct Built {
    pub catalogue: Catalogue,
    pub names: Names,
    pub warnings: Vec<Warning>,
}

/// Joins `source` and `overlay`; the overlay wins.
///
/// `credentials` says whether there is a key for a provider. It decides which endpoints are
/// [`Standing::Ready`], nothing else.
///
/// # Errors
/// Every mistake found, each with its place where the file is known.
pub fn build(
    source: &Source,
    overlay: &Overlay,
    credentials: &dyn Fn(&Provider) -> bool,
) -> Result<Built, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let providers = merge_providers(source, overlay, &mut problems);
    let models = merge_models(source, overlay, &mut problems);
    let endpoints = merge_endpoints(source, overlay, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut joined = Joined::new(&providers, &models, credentials, &mut warnings);
    let mut built = Vec::with_capacity(endpoints.len());
    for endpoint in &endpoints {
        match joined.endpoint(source, endpoint, &mut warnings) {
            Ok(endpoint) => built.push(endpoint),
            Err(more) => problems.extend(more),
        }
    }
    for model in &models {
        if let Some(target) = &model.entry.alias_target
            && !joined.model_index.contains_key(target.as_str())
        {
            problems.push(
                joined
                    .unknown_model(target)
                    .at((model.place)("alias_target")),
            );
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    share_parameters(&mut built, &endpoints);
    let models = finish_models(&models, &built);
    let providers = joined.providers;
    let catalogue = Catalogue::new(models, providers, built).map_err(|errors| {
        errors
            .iter()
            .map(|error| Problem::new(error.to_string()))
            .collect::<Vec<_>>()
    })?;
    let names = Names::new(source, &catalogue)?;
    Ok(Built {
        catalogue,
        names,
        warnings,
    })
}

/// Providers and models by name, for joining endpoints to them.
struct Joined<'a> {
    entries: &'a [MergedProvider<'a>],
    models: &'a [Merged<'a, ModelEntry>],
    providers: Vec<Provider>,
    has_key: Vec<bool>,
    provider_index: HashMap<&'a str, usize>,
    model_index: HashMap<&'a str, usize>,
    /// Quirks seen per provider, so that equal ones are shared.
    shared: Vec<Vec<Arc<Quirks>>>,
}

impl<'a> Joined<'a> {
    fn new(
        entries: &'a [MergedProvider<'a>],
        models: &'a [Merged<'a, ModelEntry>],
        credentials: &dyn Fn(&Provider) -> bool,
        warnings: &mut Vec<Warning>,
    ) -> Self {
        let providers: Vec<Provider> = entries.iter().map(provider).collect();
        let has_key: Vec<bool> = providers
            .iter()
            .map(|provider| provider.auth == Auth::None || credentials(provider))
            .collect();
        for (provider, has_key) in providers.iter().zip(&has_key) {
            if *has_key && provider.auth != Auth::None && !is_whole(&provider.base_url) {
                let what = if provider.base_url.is_empty() {
                    "has a key but no known address".to_owned()
                } else {
                    format!(
                        "has a key but its address is incomplete: {}",
                        provider.base_url
                    )
                };
                warnings.push(Warning(
                    Problem::new(format!("provider `{}` {what}", provider.slug)).help(format!(
                        "state `base_url` under `[[providers]]` with `slug = \"{}\"`",
                        provider.slug
                    )),
                ));
            }
        }
        let by_slug = entries.iter().map(|merged| merged.entry.slug.as_str());
        let by_id = models.iter().map(|merged| merged.entry.id.as_str());
        Self {
            entries,
            models,
            has_key,
            provider_index: by_slug.enumerate().map(|(i, slug)| (slug, i)).collect(),
            model_index: by_id.enumerate().map(|(i, id)| (id, i)).collect(),
            shared: providers
                .iter()
                .map(|provider| vec![Arc::clone(&provider.quirks)])
                .collect(),
            providers,
        }
    }

    fn unknown_model(&self, id: &str) -> Problem {
        let problem = Problem::new(format!("no model `{id}`"));
        match nearest(id, self.model_index.keys().copied()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("a new model is stated under `[[models]]`"),
        }
    }

    fn unknown_provider(&self, slug: &str) -> Problem {
        let problem = Problem::new(format!("no provider `{slug}`"));
        match nearest(slug, self.provider_index.keys().copied()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help("a new provider is stated under `[[providers]]`"),
        }
    }

    fn endpoint(
        &mut self,
        source: &Source,
        merged: &MergedEndpoint<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Endpoint, Vec<Problem>> {
        let entry = &merged.entry;
        let model_at = self.model_index.get(entry.model.as_str()).copied();
        let provider_at = self.provider_index.get(entry.provider.as_str()).copied();
        let (Some(model_at), Some(provider_at)) = (model_at, provider_at) else {
            let mut problems = Vec::new();
            if model_at.is_none() {
                problems.push(self.unknown_model(&entry.model).at((merged.place)("model")));
            }
            if provider_at.is_none() {
                let problem = self.unknown_provider(&entry.provider);
                problems.push(problem.at((merged.place)("provider")));
            }
            return Err(problems);
        };
        let model = &self.models[model_at].entry;
        let described = &self.entries[provider_at];
        let provider = &self.providers[provider_at];
        let wanted = entry
            .dialect
            .map_or(provider.dialect, |Word(dialect)| dialect);
        let native_only = described.entry.native_only.iter().flatten();
        let (dialect, base_url) = spoken(wanted, provider, matches_any(native_only, &entry.model));
        let id = format!("{}@{}", entry.model, entry.tag());
        warn_rounded(&id, entry, merged, warnings);
        let kind = kind(model);
        let prices = entry
            .pricing
            .as_ref()
            .and_then(prices)
            .filter(|prices| is_billable(kind, entry, prices));
        let is_off = [entry.enabled, described.entry.enabled].contains(&Some(false));
        let standing = if is_off {
            Standing::Disabled
        } else if kind != "chat"
            || !outputs(model).contains(Modality::Text)
            || !dialect.is_spoken()
            || matches!(provider.auth, Auth::Unsupported(_))
        {
            Standing::NotSpoken
        } else if prices.is_none() {
            Standing::Unpriced
        } else if !self.has_key[provider_at] || !is_whole(&base_url) {
            Standing::NoCredential
        } else {
            Standing::Ready
        };
        let quirks = quirks(source, &entry.model, dialect, described, merged);
        let known = &mut self.shared[provider_at];
        let same = known.iter().find(|shared| ***shared == quirks);
        let quirks = same.map_or_else(|| Arc::new(quirks), Arc::clone);
        if !known.iter().any(|shared| Arc::ptr_eq(shared, &quirks)) {
            known.push(Arc::clone(&quirks));
        }
        Ok(Endpoint {
            id,
            model: model_at,
            provider: provider_at,
            tag: entry.tag().to_owned(),
            upstream_model: entry
                .upstream_model
                .clone()
                .unwrap_or_else(|| assumed_name(model, described.entry.kind.as_deref())),
            dialect,
            base_url,
            prices,
            context_length: entry.context_length.or(model.context_length),
            max_completion_tokens: entry.max_completion_tokens,
            max_prompt_tokens: entry.max_prompt_tokens,
            quantization: entry
                .quantization
                .map_or(Quantization::Unknown, |Word(quantization)| quantization),
            parameters: entry
                .supported_parameters
                .iter()
                .flatten()
                .map(|Word(parameter)| *parameter)
                .collect(),
            has_implicit_caching: entry.supports_implicit_caching == Some(true),
            standing,
            quirks,
        })
    }
}

/// A chat endpoint with a price per image, song or second can be billed only where the same
/// output also has a price per token.
fn is_billable(kind: &str, entry: &EndpointEntry, prices: &Prices) -> bool {
    kind != "chat"
        || entry.unit_prices.is_none()
        || prices.image_output.is_some()
        || prices.audio_output.is_some()
}

/// Whether an address has no hole left in it.
fn is_whole(url: &str) -> bool {
    !url.is_empty() && !url.contains('{')
}

/// The wire format we use and its address: the one wanted, or else the first we speak.
fn spoken(wanted: Dialect, provider: &Provider, is_native_only: bool) -> (Dialect, String) {
    let headline = (provider.dialect, &provider.base_url);
    let others = provider
        .protocols
        .iter()
        .map(|(dialect, url)| (*dialect, url));
    let offered: Vec<(Dialect, &String)> = core::iter::once(headline).chain(others).collect();
    let exact = offered.iter().find(|(dialect, _)| *dialect == wanted);
    let first = offered.iter().find(|(dialect, _)| dialect.is_spoken());
    let found = if wanted.is_spoken() || is_native_only {
        exact.or(first)
    } else {
        first.or(exact)
    };
    match found {
        Some((dialect, url)) => (*dialect, (*url).clone()),
        None => (wanted, provider.base_url.clone()),
    }
}

fn quirks(
    source: &Source,
    model: &str,
    dialect: Dialect,
    provider: &MergedProvider<'_>,
    endpoint: &MergedEndpoint<'_>,
) -> Quirks {
    let mut quirks = Quirks::default();
    let rules = |rules: &[QuirkRule], quirks: &mut Quirks| {
        for rule in rules.iter().filter(|rule| rule.matches(model, dialect)) {
            rule.quirks.apply(quirks);
        }
    };
    rules(&source.quirk_rules, &mut quirks);
    let layers = [
        (provider.base, endpoint.entry.quirks.as_ref()),
        (
            provider.over,
            endpoint.over.and_then(|over| over.quirks.as_ref()),
        ),
    ];
    for (provider, own) in layers {
        if let Some(entry) = provider.and_then(|provider| provider.quirks.as_ref()) {
            entry.apply(&mut quirks);
        }
        if let Some(list) = provider.and_then(|provider| provider.quirk_rules.as_ref()) {
            rules(list, &mut quirks);
        }
        if let Some(entry) = own {
            entry.apply(&mut quirks);
        }
    }
    quirks
}

fn warn_rounded(
    id: &str,
    entry: &EndpointEntry,
    merged: &MergedEndpoint<'_>,
    warnings: &mut Vec<Warning>,
) {
    let Some(pricing) = &entry.pricing else {
        return;
    };
    let tiers = pricing.overrides.iter().flat_map(OverrideEntry::stated);
    for (name, listed) in pricing.stated().chain(tiers) {
        if listed.is_rounded {
            warnings.push(Warning(
                Problem::new(format!(
                    "`{name}` of `{id}` is finer than a pico-dollar and was rounded up: {}",
                    listed.text
                ))
                .at((merged.place)("pricing")),
            ));
        }
    }
}

/// Endpoints that say nothing about parameters take the union of their siblings', or all.
fn share_parameters(built: &mut [Endpoint], entries: &[MergedEndpoint<'_>]) {
    let silent: Vec<usize> = entries
        .iter()
        .enumerate()
        .filter(|(_, merged)| merged.entry.supported_parameters.is_none())
        .map(|(index, _)| index)
        .collect();
    if silent.is_empty() {
        return;
    }
    let mut unions: HashMap<usize, Parameters> = HashMap::new();
    for endpoint in built.iter() {
        let union = unions.entry(endpoint.model).or_default();
        *union = union.union(endpoint.parameters);
    }
    for index in silent {
        if let Some(endpoint) = built.get_mut(index) {
            let union = unions.get(&endpoint.model).copied().unwrap_or_default();
            endpoint.parameters = if union.is_empty() {
                Parameter::ALL.iter().copied().collect()
            } else {
                union
            };
        }
    }
}

fn finish_models(merged: &[Merged<'_, ModelEntry>], endpoints: &[Endpoint]) -> Vec<Model> {
    let mut hosts: Vec<HashSet<usize>> = vec![HashSet::new(); merged.len()];
    let mut parameters = vec![Parameters::EMPTY; merged.len()];
    for endpoint in endpoints {
        hosts[endpoint.model].insert(endpoint.provider);
        parameters[endpoint.model] = parameters[endpoint.model].union(endpoint.parameters);
    }
    merged
        .iter()
        .zip(hosts.iter().zip(parameters))
        .map(|(merged, (hosts, parameters))| model(&merged.entry, hosts.len(), parameters))
        .collect()
}

#[cfg(test)]
mod tests;
