//! `interline catalogue check`: what is in a catalogue, what is wrong, what is missing.

use crate::assemble::build;
use crate::problem::{Problem, Warning};
use crate::source::{Overlay, Source};
use core::fmt::Write as _;
use interline_domain::catalogue::{Auth, Catalogue, Endpoint, Standing};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The findings of [`check`].
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// With any of these the catalogue does not load.
    pub problems: Vec<Problem>,
    pub warnings: Vec<Warning>,
    /// Name of the figure to its value.
    pub counts: BTreeMap<&'static str, usize>,
    pub holes: Vec<Hole>,
}

/// Something a person could fill in, and where it is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// What is missing, e.g. "no price".
    pub what: &'static str,
    /// What follows from it.
    pub effect: &'static str,
    /// Slugs or ids, sorted.
    pub names: Vec<String>,
}

/// Reads `source` as if every provider had a key.
pub fn check(source: &Source) -> Report {
    let built = match build(source, &Overlay::default(), &|_| true) {
        Ok(built) => built,
        Err(problems) => {
            return Report {
                problems,
                ..Report::default()
            };
        }
    };
    let catalogue = &built.catalogue;
    let endpoints = catalogue.endpoints();
    let standing = |wanted: Standing| {
        endpoints
            .iter()
            .filter(|endpoint| endpoint.standing == wanted)
            .count()
    };
    let counts = BTreeMap::from([
        ("providers", catalogue.providers().len()),
        ("models", catalogue.models().len()),
        ("endpoints", endpoints.len()),
        ("endpoints: ready given a key", standing(Standing::Ready)),
        ("endpoints: not spoken yet", standing(Standing::NotSpoken)),
        ("endpoints: no price", standing(Standing::Unpriced)),
        ("endpoints: no address", standing(Standing::NoCredential)),
        ("aliases", built.names.aliases().count()),
    ]);
    Report {
        problems: Vec::new(),
        holes: holes(source, catalogue),
        // Addresses without keys are holes here; what is left are odd prices.
        warnings: built
            .warnings
            .into_iter()
            .filter(|Warning(problem)| problem.place.is_some())
            .collect(),
        counts,
    }
}

fn holes(source: &Source, catalogue: &Catalogue) -> Vec<Hole> {
    let providers = |is_hole: &dyn Fn(usize) -> bool| -> Vec<String> {
        (0..catalogue.providers().len())
            .filter(|index| is_hole(*index))
            .filter_map(|index| Some(catalogue.providers().get(index)?.slug.clone()))
            .collect()
    };
    let endpoints = |is_hole: &dyn Fn(&Endpoint) -> bool| -> Vec<String> {
        catalogue
            .endpoints()
            .iter()
            .filter(|endpoint| is_hole(endpoint))
            .map(|endpoint| endpoint.id.clone())
            .collect()
    };
    let provider = |index: usize| catalogue.providers().get(index);
    let holes = [
        Hole {
            what: "no price",
            effect: "shown, not routable",
            names: endpoints(&|endpoint| endpoint.standing == Standing::Unpriced),
        },
        Hole {
            what: "no upstream name",
            effect: "a name is assumed; a wrong one is refused upstream",
            names: source
                .endpoints
                .iter()
                .filter(|placed| placed.entry.upstream_model.is_none())
                .map(|placed| format!("{}@{}", placed.entry.model, placed.entry.tag()))
                .collect(),
        },
        Hole {
            what: "no address",
            effect: "the operator has to state `base_url`",
            names: providers(&|index| provider(index).is_some_and(|p| p.base_url.is_empty())),
        },
        Hole {
            what: "no key variable",
            effect: "a key is found only in the configuration",
            names: providers(&|index| {
                provider(index).is_some_and(|p| p.key_variables.is_empty() && p.auth != Auth::None)
            }),
        },
        Hole {
            what: "data policy unknown",
            effect: "counts as the worst",
            names: providers(&|index| {
                provider(index).is_some_and(|p| p.data_policy.may_train.is_none())
            }),
        },
        Hole {
            what: "no creation date",
            effect: "sorted as the oldest",
            names: catalogue
                .models()
                .iter()
                .filter(|model| model.created == 0)
                .map(|model| model.id.clone())
                .collect(),
        },
        Hole {
            what: "alias without a target",
            effect: "the name is refused",
            names: catalogue
                .models()
                .iter()
                .filter(|model| model.kind == "alias" && model.alias_target.is_none())
                .map(|model| model.id.clone())
                .collect(),
        },
    ];
    holes
        .into_iter()
        .filter(|hole| !hole.names.is_empty())
        .collect()
}

impl Report {
    /// Whether the catalogue loads.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    /// For a terminal; ends with a newline.
    pub fn to_human(&self) -> String {
        let mut text = String::new();
        for problem in &self.problems {
            let _ = writeln!(text, "error: {problem}\n");
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {warning}\n");
        }
        for (what, count) in &self.counts {
            let _ = writeln!(text, "{count:>6}  {what}");
        }
        for hole in &self.holes {
            let shown: Vec<&str> = hole.names.iter().take(5).map(String::as_str).collect();
            let rest = hole.names.len() - shown.len();
            let more = if rest > 0 {
                format!(" and {rest} more")
            } else {
                String::new()
            };
            let _ = writeln!(
                text,
                "{:>6}  {} ({}): {}{more}",
                hole.names.len(),
                hole.what,
                hole.effect,
                shown.join(", ")
            );
        }
        text
    }

    pub fn to_json(&self) -> Value {
        json!({
            "ok": self.is_good(),
            "problems": self.problems.iter().map(problem_json).collect::<Vec<_>>(),
            "warnings": self.warnings.iter().map(|w| problem_json(&w.0)).collect::<Vec<_>>(),
            "counts": self.counts,
            "holes": self.holes.iter().map(|hole| json!({
                "what": hole.what,
                "effect": hole.effect,
                "names": hole.names,
            })).collect::<Vec<_>>(),
        })
    }
}

fn problem_json(problem: &Problem) -> Value {
    json!({
        "message": problem.message,
        "help": problem.help,
        "file": problem.place.as_ref().map(|place| &place.file),
        "line": problem.place.as_ref().map(|place| place.line),
        "column": problem.place.as_ref().map(|place| place.column),
    })
}
