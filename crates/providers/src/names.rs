//! What a caller may call a model: ids, dated slugs, aliases, bare names, variants.
//!
//! `[~]author/slug[:variant…][@preset/slug]`, compared in lower case.

use crate::problem::{Problem, nearest};
use crate::source::Source;
use interline_domain::catalogue::{Catalogue, Model};
use std::collections::HashMap;

/// Names beyond ids and dated slugs.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Old or short name to model id.
    aliases: HashMap<String, String>,
    /// Slug without author, where only one author has it.
    bare: HashMap<String, usize>,
}

/// A suffix that changes how a request is routed, on any model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// Sort by throughput, admit priority endpoints.
    Nitro,
    /// Sort by price, admit flex endpoints.
    Floor,
    /// Sort by tool-calling accuracy.
    Exacto,
    /// Add web search (deprecated).
    Online,
}

/// How a name led to its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// The model's own id or dated slug.
    Name,
    /// An old or bare name.
    Alias,
    /// `~author/family-latest`; holds the index of the alias's own row.
    Latest(usize),
}

/// A name understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Index of a concrete model in the catalogue.
    pub model: usize,
    pub via: Via,
    /// Dynamic variants in the order written, each once.
    pub variants: Vec<Variant>,
    /// `:thinking` on a model without a row of its own: reasoning is on unless the request says
    /// otherwise.
    pub reasons_by_default: bool,
    /// What followed `@preset/`.
    pub preset: Option<String>,
}

/// Why a name leads nowhere. `fallback_models` may serve instead, best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameError {
    NotFound {
        name: String,
        fallback_models: Vec<String>,
    },
    /// The model is there, its `:free` variant is not (any more).
    FreeVariantEnded {
        name: String,
        fallback_models: Vec<String>,
    },
    /// Only `@preset/slug`: the preset has to name the model.
    PresetOnly(String),
}

impl core::fmt::Display for NameError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotFound { name, .. } => write!(f, "{name} is not a valid model ID"),
            Self::FreeVariantEnded { name, .. } => {
                write!(f, "the free variant of {name} is no longer offered")
            }
            Self::PresetOnly(preset) => write!(f, "preset {preset} names no model"),
        }
    }
}

impl core::error::Error for NameError {}

impl Names {
    pub(crate) fn new(source: &Source, catalogue: &Catalogue) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        for (alias, target) in &source.aliases {
            let place = || source.place("aliases", target.at, &[alias]);
            if catalogue.models().iter().any(|model| model.id == *alias) {
                problems.push(
                    Problem::new(format!("alias `{alias}` is the id of a model")).at(place()),
                );
            }
            if catalogue.find_model(&target.entry).is_none() {
                let ids = catalogue.models().iter().map(|model| model.id.as_str());
                let problem = Problem::new(format!(
                    "alias `{alias}` leads to `{}`, which is no model",
                    target.entry
                ));
                problems.push(
                    match nearest(&target.entry, ids) {
                        Some(near) => problem.help(format!("did you mean `{near}`?")),
                        None => problem,
                    }
                    .at(place()),
                );
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut seen: HashMap<&str, Option<usize>> = HashMap::new();
        for (index, model) in catalogue.models().iter().enumerate() {
            if let Some((author, slug)) = model.id.split_once('/')
                && !author.starts_with('~')
                && !slug.contains(':')
            {
                seen.entry(slug)
                    .and_modify(|found| *found = None)
                    .or_insert(Some(index));
            }
        }
        Ok(Self {
            aliases: source
                .aliases
                .iter()
                .map(|(alias, target)| (alias.to_ascii_lowercase(), target.entry.clone()))
                .collect(),
            bare: seen
                .into_iter()
                .filter_map(|(slug, index)| Some((slug.to_owned(), index?)))
                .collect(),
        })
    }

    /// Old and short names with the ids they stand for, in no order.
    pub fn aliases(&self) -> impl Iterator<Item = (&str, &str)> {
        self.aliases
            .iter()
            .map(|(alias, id)| (alias.as_str(), id.as_str()))
    }

    fn find(&self, catalogue: &Catalogue, name: &str) -> Option<(usize, Via)> {
        if let Some(index) = catalogue.find_model(name) {
            return Some((index, Via::Name));
        }
        self.aliases
            .get(name)
            .and_then(|id| catalogue.find_model(id))
            .or_else(|| self.bare.get(name).copied())
            .map(|index| (index, Via::Alias))
    }
}

/// Finds the model a request names.
pub fn resolve_name(
    catalogue: &Catalogue,
    names: &Names,
    text: &str,
) -> Result<Resolved, NameError> {
    let lower = text.trim().to_ascii_lowercase();
    let (name, preset) = match lower.split_once("@preset/") {
        Some((name, preset)) => (name, Some(preset.to_owned())),
        None => (lower.as_str(), None),
    };
    if let (true, Some(preset)) = (name.is_empty(), &preset) {
        return Err(NameError::PresetOnly(preset.clone()));
    }
    let mut resolved = Resolved {
        model: 0,
        via: Via::Name,
        variants: Vec::new(),
        reasons_by_default: false,
        preset,
    };
    let mut parts = name.split(':');
    let base = parts.next().unwrap_or_default();
    let mut fixed = Vec::new();
    for suffix in parts {
        match Variant::parse(suffix) {
            Some(variant) if resolved.variants.contains(&variant) => {}
            Some(variant) => resolved.variants.push(variant),
            None => fixed.push(suffix),
        }
    }
    let not_found = |fallback_models| NameError::NotFound {
        name: text.to_owned(),
        fallback_models,
    };
    let Some((found, via)) = names.find(catalogue, base) else {
        // A model may exist in its static variant only.
        let whole = (!fixed.is_empty()).then(|| format!("{base}:{}", fixed.join(":")));
        let row = whole.and_then(|whole| names.find(catalogue, &whole));
        let near = || {
            let near = catalogue.nearest_models(base);
            not_found(near.into_iter().map(str::to_owned).collect())
        };
        let (model, via) = row.ok_or_else(near)?;
        return Ok(Resolved {
            model,
            via,
            ..resolved
        });
    };
    // `names` made for another catalogue could lead astray.
    let Some(row) = catalogue.models().get(found) else {
        return Err(not_found(Vec::new()));
    };
    if row.kind == "alias" {
        let target = row
            .alias_target
            .as_deref()
            .and_then(|id| catalogue.find_model(id))
            .ok_or_else(|| not_found(Vec::new()))?;
        resolved.model = target;
        resolved.via = Via::Latest(found);
    } else {
        resolved.model = found;
        resolved.via = via;
    }
    let Some(base) = catalogue.models().get(resolved.model) else {
        return Err(not_found(Vec::new()));
    };
    apply_fixed(catalogue, base, text, &fixed, &mut resolved)?;
    Ok(resolved)
}

/// Applies static variants: rows of the catalogue, or `:thinking` on a model that reasons.
fn apply_fixed(
    catalogue: &Catalogue,
    base: &Model,
    text: &str,
    fixed: &[&str],
    resolved: &mut Resolved,
) -> Result<(), NameError> {
    for suffix in fixed {
        // The base row itself may be the variant: a dated slug shared by `x` and `x:free`.
        if base.id.split(':').skip(1).any(|own| own == *suffix) {
            continue;
        }
        let plain = base.id.split(':').next().unwrap_or(&base.id);
        if let Some(row) = catalogue.find_model(&format!("{plain}:{suffix}")) {
            resolved.model = row;
        } else if *suffix == "thinking" && reasons_on_request(base) {
            resolved.reasons_by_default = true;
        } else {
            let name = text.to_owned();
            let fallback_models = vec![base.id.clone()];
            return Err(if *suffix == "free" {
                NameError::FreeVariantEnded {
                    name,
                    fallback_models,
                }
            } else {
                NameError::NotFound {
                    name,
                    fallback_models,
                }
            });
        }
    }
    Ok(())
}

/// `:thinking` is no longer offered for Anthropic's models; elsewhere any reasoning model has it.
fn reasons_on_request(model: &Model) -> bool {
    model.reasoning.is_some() && !model.id.starts_with("anthropic/")
}

impl Variant {
    fn parse(suffix: &str) -> Option<Self> {
        Some(match suffix {
            "nitro" => Self::Nitro,
            "floor" => Self::Floor,
            "exacto" => Self::Exacto,
            "online" => Self::Online,
            _ => return None,
        })
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nitro => "nitro",
            Self::Floor => "floor",
            Self::Exacto => "exacto",
            Self::Online => "online",
        }
    }
}

#[cfg(test)]
mod tests;
