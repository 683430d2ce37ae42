//! What a list of models is asked for: filters, a sort, a page.
//!
//! Where a filter asks about something nobody recorded of a model, the model is not in the answer:
//! a filter says "known to be so". A sort puts such models last.

use super::object::{behind, created, endpoints_of, top_endpoint, union};
use crate::error::ApiError;
use interline_domain::Money;
use interline_domain::catalogue::{Catalogue, Endpoint, Modalities, Modality, Model};
use interline_domain::money::Price;
use interline_domain::parameters::{Parameter, Parameters};
use interline_domain::routing::HealthView;
use std::cmp::Reverse;
use std::str::FromStr;

/// Models on a page that asks for a page without saying how long.
const DEFAULT_LIMIT: usize = 500;
const MAX_LIMIT: usize = 1_000;

const CATEGORIES: &[&str] = &[
    "programming",
    "roleplay",
    "marketing",
    "marketing/seo",
    "technology",
    "science",
    "translation",
    "legal",
    "finance",
    "health",
    "trivia",
    "academia",
];

/// Filters about figures that this version does not keep: they are checked and nothing matches.
const UNRECORDED: &[(&str, Option<f64>)] = &[
    ("min_intelligence_index", None),
    ("max_intelligence_index", None),
    ("min_coding_index", None),
    ("max_coding_index", None),
    ("min_agentic_index", None),
    ("max_agentic_index", None),
    ("min_tool_success_rate", Some(1.0)),
    ("max_tool_success_rate", Some(1.0)),
];

/// The member states (ISO 3166-1), for `region=eu`.
const EUROPEAN_UNION: &[&str] = &[
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT",
    "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// How a list is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Newest,
    PriceUp,
    PriceDown,
    Context,
    Throughput,
    Latency,
    /// By a figure this version does not keep: every model lacks it, so the default order stays.
    Unrecorded,
}

const SORTS: &[(&str, Sort)] = &[
    ("newest", Sort::Newest),
    ("pricing-low-to-high", Sort::PriceUp),
    ("pricing-high-to-low", Sort::PriceDown),
    ("context-high-to-low", Sort::Context),
    ("throughput-high-to-low", Sort::Throughput),
    ("latency-low-to-high", Sort::Latency),
    ("most-popular", Sort::Unrecorded),
    ("top-weekly", Sort::Unrecorded),
    ("intelligence-high-to-low", Sort::Unrecorded),
    ("coding-high-to-low", Sort::Unrecorded),
    ("agentic-high-to-low", Sort::Unrecorded),
    ("design-arena-elo-high-to-low", Sort::Unrecorded),
];

/// `USD per million`, `None`: no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bounds<T> {
    min: Option<T>,
    max: Option<T>,
}

impl<T: PartialOrd + Copy> Bounds<T> {
    fn is_none(&self) -> bool {
        self.min.is_none() && self.max.is_none()
    }

    fn hold(&self, value: Option<T>) -> bool {
        self.is_none()
            || value.is_some_and(|value| {
                self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
            })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Region {
    Eu,
    Us,
}

/// A part of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) offset: usize,
    pub(crate) limit: usize,
}

/// A list of models, as asked for.
#[expect(clippy::struct_excessive_bools, reason = "independent wishes")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ListQuery {
    /// Any of them; `None`: whatever comes out.
    outputs: Option<Modalities>,
    /// All of them.
    inputs: Modalities,
    parameters: Parameters,
    text: Option<String>,
    min_context: Option<u64>,
    price: Bounds<Price>,
    output_price: Bounds<Price>,
    architecture: Option<String>,
    authors: Vec<String>,
    providers: Vec<String>,
    is_distillable: Option<bool>,
    is_zero_retention: bool,
    region: Option<Region>,
    age_days: Bounds<i64>,
    asks_unrecorded: bool,
    sort: Option<Sort>,
    pub(crate) page: Option<Page>,
    pub(crate) is_rss: bool,
    pub(crate) has_chat_links: bool,
}

impl ListQuery {
    /// Reads name and value pairs; names we do not know are left to others.
    pub(crate) fn parse(pairs: &[(String, String)]) -> Result<Self, ApiError> {
        let mut query = Self {
            outputs: Some(Modalities::default().with(Modality::Text)),
            ..Self::default()
        };
        let (mut offset, mut limit) = (None, None);
        for (name, value) in pairs {
            let (name, value) = (name.as_str(), value.trim());
            // Generated clients send optional parameters as an empty or a `null` value.
            if value.is_empty() || value == "null" {
                continue;
            }
            match name {
                "offset" => offset = Some(number::<usize>(name, value)?),
                "limit" => {
                    limit = Some(
                        number(name, value)
                            .ok()
                            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
                            .ok_or_else(|| refuse(name, value, "1 to 1000"))?,
                    );
                }
                "use_rss" => query.is_rss = value == "true" || value == "1",
                "use_rss_chat_links" => query.has_chat_links = value == "true" || value == "1",
                _ => query.take(name, value)?,
            }
        }
        if offset.is_some() || limit.is_some() {
            let (offset, limit) = (offset.unwrap_or(0), limit.unwrap_or(DEFAULT_LIMIT));
            query.page = Some(Page { offset, limit });
        }
        Ok(query)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        match name {
            "output_modalities" => {
                self.outputs = if value == "all" {
                    None
                } else {
                    Some(modalities(name, value)?)
                };
            }
            "input_modalities" => self.inputs = modalities(name, value)?,
            "supported_parameters" => {
                self.parameters = words(value)
                    .map(|word| {
                        Parameter::parse(word).ok_or_else(|| {
                            refuse(
                                name,
                                word,
                                &one_of(Parameter::ALL.iter().map(|p| p.as_str())),
                            )
                        })
                    })
                    .collect::<Result<_, _>>()?;
            }
            "category" => {
                if !CATEGORIES.contains(&value) {
                    return Err(refuse(name, value, &one_of(CATEGORIES.iter().copied())));
                }
                self.asks_unrecorded = true;
            }
            "q" => self.text = Some(value.to_lowercase()),
            "context" => {
                let least = number::<u64>(name, value)?;
                if least == 0 {
                    return Err(refuse(name, value, "1 or more"));
                }
                self.min_context = Some(least);
            }
            "min_price" => self.price.min = Some(per_million(name, value)?),
            "max_price" => self.price.max = Some(per_million(name, value)?),
            "min_output_price" => self.output_price.min = Some(per_million(name, value)?),
            "max_output_price" => self.output_price.max = Some(per_million(name, value)?),
            "arch" => self.architecture = Some(value.to_lowercase()),
            "model_authors" => self.authors = words(value).map(str::to_lowercase).collect(),
            "providers" => self.providers = words(value).map(str::to_lowercase).collect(),
            "distillable" => {
                self.is_distillable = Some(pick(name, value, &[("true", true), ("false", false)])?);
            }
            "zdr" => self.is_zero_retention = pick(name, value, &[("true", true)])?,
            "region" => {
                self.region = Some(pick(
                    name,
                    value,
                    &[("eu", Region::Eu), ("us", Region::Us)],
                )?);
            }
            "min_age_days" => self.age_days.min = Some(days(name, value)?),
            "max_age_days" => self.age_days.max = Some(days(name, value)?),
            "sort" => self.sort = Some(pick(name, value, SORTS)?),
            _ => {
                if let Some((_, max)) = UNRECORDED.iter().find(|(known, _)| *known == name) {
                    let fits =
                        |n: &f64| n.is_finite() && *n >= 0.0 && max.is_none_or(|max| *n <= max);
                    let wanted = if max.is_some() {
                        "a number from 0 to 1"
                    } else {
                        "0 or more"
                    };
                    value
                        .parse()
                        .ok()
                        .filter(fits)
                        .ok_or_else(|| refuse(name, value, wanted))?;
                    self.asks_unrecorded = true;
                }
            }
        }
        Ok(())
    }

    /// Whether this is the list that nearly everybody asks for.
    pub(crate) fn is_default(&self) -> bool {
        self.is_default_but_for_page() && self.page.is_none() && !self.is_rss
    }

    fn is_default_but_for_page(&self) -> bool {
        let plain = Self {
            outputs: Some(Modalities::default().with(Modality::Text)),
            ..Self::default()
        };
        let mine = Self {
            page: None,
            is_rss: false,
            has_chat_links: false,
            ..self.clone()
        };
        plain == mine
    }

    /// The models that fit, as indices, sorted. `default_order` has every model once; `now` is in
    /// Unix seconds.
    pub(crate) fn select(
        &self,
        catalogue: &Catalogue,
        default_order: &[usize],
        health: &dyn HealthView,
        now: i64,
    ) -> Vec<usize> {
        let mut found: Vec<(usize, &Model)> = default_order
            .iter()
            .filter_map(|index| Some((*index, catalogue.models().get(*index)?)))
            .filter(|(_, row)| self.fits(catalogue, row, now))
            .collect();
        if let Some(sort) = self.sort {
            found.sort_by_cached_key(|(_, row)| sort.key(catalogue, row, health));
        }
        found.into_iter().map(|(index, _)| index).collect()
    }

    fn fits(&self, catalogue: &Catalogue, row: &Model, now: i64) -> bool {
        if self.asks_unrecorded {
            return false;
        }
        let model = behind(catalogue, row);
        let endpoints = endpoints_of(catalogue, model);
        let prices = top_endpoint(catalogue, model).and_then(|top| top.prices.as_ref());
        let created = Some(created(catalogue, row)).filter(|created| *created > 0);
        let author = row
            .id
            .split('/')
            .next()
            .unwrap_or_default()
            .trim_start_matches('~');
        self.outputs
            .is_none_or(|any| any.iter().any(|one| model.output_modalities.contains(one)))
            && model.input_modalities.contains_all(self.inputs)
            && self.parameters.minus(union(endpoints)).is_empty()
            && self
                .text
                .as_ref()
                .is_none_or(|text| names(row).any(|name| name.to_lowercase().contains(text)))
            && self
                .min_context
                .is_none_or(|least| model.context_length.is_some_and(|has| has >= least))
            && self.price.hold(prices.map(|prices| prices.prompt))
            && self
                .output_price
                .hold(prices.map(|prices| prices.completion))
            && self
                .architecture
                .as_ref()
                .is_none_or(|wanted| model.tokenizer.to_lowercase() == *wanted)
            && (self.authors.is_empty() || self.authors.iter().any(|wanted| wanted == author))
            && self
                .is_distillable
                .is_none_or(|wanted| model.is_distillable == wanted)
            && self
                .age_days
                .hold(created.map(|created| now.saturating_sub(created).div_euclid(86_400)))
            && self.have_endpoints(catalogue, endpoints)
    }

    fn have_endpoints(&self, catalogue: &Catalogue, endpoints: &[Endpoint]) -> bool {
        let provider = |endpoint: &Endpoint| catalogue.providers().get(endpoint.provider);
        let some = |holds: &dyn Fn(&interline_domain::catalogue::Provider) -> bool| {
            endpoints.iter().filter_map(provider).any(holds)
        };
        (self.providers.is_empty()
            || some(&|provider| {
                self.providers.iter().any(|wanted| {
                    *wanted == provider.slug || *wanted == provider.name.to_lowercase()
                })
            }))
            && (!self.is_zero_retention
                || some(&|provider| provider.data_policy.is_zero_retention()))
            && self.region.is_none_or(|region| {
                some(&|provider| {
                    provider
                        .datacenters
                        .iter()
                        .any(|country| region.has(country))
                })
            })
    }
}

impl Region {
    fn has(self, country: &str) -> bool {
        match self {
            Self::Eu => EUROPEAN_UNION.contains(&country),
            Self::Us => country == "US",
        }
    }
}

impl Sort {
    /// Smallest first; models without the figure have none of it and come last.
    fn key(
        self,
        catalogue: &Catalogue,
        row: &Model,
        health: &dyn HealthView,
    ) -> (bool, Reverse<i128>) {
        let model = behind(catalogue, row);
        let measured = || {
            model
                .endpoints
                .clone()
                .map(|endpoint| health.health(endpoint))
        };
        // Larger is better in all of these.
        let figure: Option<i128> = match self {
            Self::Newest => Some(created(catalogue, row))
                .filter(|at| *at > 0)
                .map(i128::from),
            Self::PriceUp => mean_price(catalogue, model).map(|price| -price),
            Self::PriceDown => mean_price(catalogue, model),
            Self::Context => model.context_length.map(i128::from),
            Self::Throughput => measured()
                .filter_map(|h| h.throughput_milli)
                .max()
                .map(i128::from),
            Self::Latency => measured()
                .filter_map(|h| h.latency_ms)
                .min()
                .map(|ms| -i128::from(ms)),
            Self::Unrecorded => None,
        };
        (figure.is_none(), Reverse(figure.unwrap_or(0)))
    }
}

/// What a token costs on average, input and output alike; fees per request and search are spread
/// over a thousand tokens. For sorting only.
fn mean_price(catalogue: &Catalogue, model: &Model) -> Option<i128> {
    let prices = top_endpoint(catalogue, model)?.prices.as_ref()?;
    let pico = |price: Price| i128::from(price.pico());
    let fees = [prices.request, prices.web_search]
        .into_iter()
        .flatten()
        .map(pico)
        .sum::<i128>();
    Some(i128::midpoint(pico(prices.prompt), pico(prices.completion)) + fees / 1_000)
}

fn names(row: &Model) -> impl Iterator<Item = &str> {
    [
        row.id.as_str(),
        row.name.as_str(),
        row.canonical_slug.as_str(),
    ]
    .into_iter()
}

fn words(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

fn modalities(name: &str, value: &str) -> Result<Modalities, ApiError> {
    words(value)
        .map(|word| {
            Modality::parse(word).ok_or_else(|| {
                refuse(
                    name,
                    word,
                    &one_of(Modality::ALL.iter().map(|m| m.as_str())),
                )
            })
        })
        .collect()
}

fn pick<T: Copy>(name: &str, value: &str, known: &[(&str, T)]) -> Result<T, ApiError> {
    known
        .iter()
        .find(|(word, _)| *word == value)
        .map(|(_, meaning)| *meaning)
        .ok_or_else(|| refuse(name, value, &one_of(known.iter().map(|(word, _)| *word))))
}

fn number<T: FromStr>(name: &str, value: &str) -> Result<T, ApiError> {
    value
        .parse()
        .map_err(|_| refuse(name, value, "a whole number, 0 or more"))
}

fn days(name: &str, value: &str) -> Result<i64, ApiError> {
    number::<u32>(name, value).map(i64::from)
}

/// Dollars per million tokens as a price per token, finer than a pico-dollar rounded up.
fn per_million(name: &str, value: &str) -> Result<Price, ApiError> {
    // A nano-dollar per million tokens is a thousandth of a pico-dollar per token.
    Money::parse(value)
        .ok()
        .filter(|amount| !amount.is_negative())
        .map(|amount| {
            let nano = amount.nano();
            Price::from_pico(nano / 1_000 + i64::from(nano % 1_000 > 0))
        })
        .ok_or_else(|| refuse(name, value, "dollars per million tokens, 0 or more"))
}

fn one_of<'a>(known: impl Iterator<Item = &'a str>) -> String {
    format!("one of {}", known.collect::<Vec<_>>().join(", "))
}

fn refuse(name: &str, value: &str, wanted: &str) -> ApiError {
    let shown: String = value.chars().take(64).collect();
    ApiError::invalid(format!("{name}: `{shown}` is not valid; give {wanted}"))
}

#[cfg(test)]
mod tests;
