//! `interline catalogue diff`: what changes between two catalogues.

use core::fmt::Write as _;
use interline_domain::catalogue::{Catalogue, Endpoint, Prices};
use interline_domain::money::Price;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What was added, removed and changed, each sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    pub providers_added: Vec<String>,
    pub providers_removed: Vec<String>,
    pub models_added: Vec<String>,
    pub models_removed: Vec<String>,
    pub endpoints_added: Vec<String>,
    pub endpoints_removed: Vec<String>,
    pub price_moves: Vec<PriceMove>,
    pub limit_moves: Vec<LimitMove>,
}

/// A price that changed, appeared or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceMove {
    /// Endpoint id.
    pub endpoint: String,
    /// Name of the price; a tier's with its threshold: `prompt > 272000`.
    pub name: String,
    pub old: Option<Price>,
    pub new: Option<Price>,
}

/// A limit that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitMove {
    /// Endpoint or model id.
    pub of: String,
    /// `context_length`, `max_completion_tokens` or `max_prompt_tokens`.
    pub name: &'static str,
    pub old: Option<u64>,
    pub new: Option<u64>,
}

impl PriceMove {
    /// Hundredths of a percent, rounded towards zero. `None` where there is no ratio.
    pub fn basis_points(&self) -> Option<i64> {
        let (old, new) = (i128::from(self.old?.pico()), i128::from(self.new?.pico()));
        i64::try_from(((new - old) * 10_000).checked_div(old)?).ok()
    }

    /// `+12.5%`, `-50%`, `new`, `gone`, or `was free`.
    pub fn change(&self) -> String {
        match (self.old, self.new, self.basis_points()) {
            (None, _, _) => "new".to_owned(),
            (_, None, _) => "gone".to_owned(),
            (_, _, None) => "was free".to_owned(),
            (_, _, Some(points)) => {
                let sign = if points < 0 { '-' } else { '+' };
                let points = points.unsigned_abs();
                let fraction = format!(".{:02}", points % 100);
                let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
                format!("{sign}{}{fraction}%", points / 100)
            }
        }
    }
}

/// Compares two catalogues by names.
pub fn diff(old: &Catalogue, new: &Catalogue) -> Diff {
    let mut diff = Diff::default();
    (diff.providers_added, diff.providers_removed) = sets(
        old.providers()
            .iter()
            .map(|provider| provider.slug.as_str()),
        new.providers()
            .iter()
            .map(|provider| provider.slug.as_str()),
    );
    (diff.models_added, diff.models_removed) = sets(
        old.models().iter().map(|model| model.id.as_str()),
        new.models().iter().map(|model| model.id.as_str()),
    );
    (diff.endpoints_added, diff.endpoints_removed) = sets(
        old.endpoints().iter().map(|endpoint| endpoint.id.as_str()),
        new.endpoints().iter().map(|endpoint| endpoint.id.as_str()),
    );
    for model in new.models() {
        let before = old
            .find_model(&model.id)
            .and_then(|at| old.models().get(at));
        if let Some(before) = before.filter(|before| before.id == model.id) {
            let lengths = (before.context_length, model.context_length);
            diff.limit(&model.id, "context_length", lengths);
        }
    }
    let before: BTreeMap<&str, &Endpoint> = old
        .endpoints()
        .iter()
        .map(|endpoint| (endpoint.id.as_str(), endpoint))
        .collect();
    let mut after: Vec<&Endpoint> = new.endpoints().iter().collect();
    after.sort_by(|a, b| a.id.cmp(&b.id));
    for endpoint in after {
        if let Some(before) = before.get(endpoint.id.as_str()) {
            diff.endpoint(before, endpoint);
        }
    }
    diff
}

/// What is only in `new`, and what is only in `old`.
fn sets<'a>(
    old: impl Iterator<Item = &'a str>,
    new: impl Iterator<Item = &'a str>,
) -> (Vec<String>, Vec<String>) {
    let old: BTreeSet<&str> = old.collect();
    let new: BTreeSet<&str> = new.collect();
    let own = |names: Vec<&&str>| names.into_iter().map(|name| (*name).to_owned()).collect();
    (
        own(new.difference(&old).collect()),
        own(old.difference(&new).collect()),
    )
}

impl Diff {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn limit(&mut self, of: &str, name: &'static str, (old, new): (Option<u64>, Option<u64>)) {
        if old != new {
            self.limit_moves.push(LimitMove {
                of: of.to_owned(),
                name,
                old,
                new,
            });
        }
    }

    fn endpoint(&mut self, old: &Endpoint, new: &Endpoint) {
        let id = &new.id;
        self.limit(
            id,
            "context_length",
            (old.context_length, new.context_length),
        );
        let lengths = (old.max_completion_tokens, new.max_completion_tokens);
        self.limit(id, "max_completion_tokens", lengths);
        let lengths = (old.max_prompt_tokens, new.max_prompt_tokens);
        self.limit(id, "max_prompt_tokens", lengths);
        let before = old.prices.as_ref().map(named).unwrap_or_default();
        let after = new.prices.as_ref().map(named).unwrap_or_default();
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            let (old, new) = (before.get(name).copied(), after.get(name).copied());
            if old != new {
                self.price_moves.push(PriceMove {
                    endpoint: id.clone(),
                    name: name.clone(),
                    old,
                    new,
                });
            }
        }
    }

    /// For a terminal; ends with a newline. The largest price moves come first.
    pub fn to_human(&self) -> String {
        if self.is_empty() {
            return "no differences\n".to_owned();
        }
        let mut text = String::new();
        for (sign, what, names) in [
            ('+', "provider", &self.providers_added),
            ('-', "provider", &self.providers_removed),
            ('+', "model", &self.models_added),
            ('-', "model", &self.models_removed),
            ('+', "endpoint", &self.endpoints_added),
            ('-', "endpoint", &self.endpoints_removed),
        ] {
            for name in names {
                let _ = writeln!(text, "{sign} {what} {name}");
            }
        }
        let mut moves: Vec<&PriceMove> = self.price_moves.iter().collect();
        moves.sort_by_key(|change| {
            core::cmp::Reverse(change.basis_points().map_or(u64::MAX, i64::unsigned_abs))
        });
        for change in moves {
            let _ = writeln!(
                text,
                "~ price {} {}: {} -> {} ({})",
                change.endpoint,
                change.name,
                shown(change.old.map(Price::to_decimal)),
                shown(change.new.map(Price::to_decimal)),
                change.change()
            );
        }
        for change in &self.limit_moves {
            let _ = writeln!(
                text,
                "~ limit {} {}: {} -> {}",
                change.of,
                change.name,
                shown(change.old.map(|limit| limit.to_string())),
                shown(change.new.map(|limit| limit.to_string()))
            );
        }
        text
    }

    pub fn to_json(&self) -> Value {
        json!({
            "providers": { "added": self.providers_added, "removed": self.providers_removed },
            "models": { "added": self.models_added, "removed": self.models_removed },
            "endpoints": { "added": self.endpoints_added, "removed": self.endpoints_removed },
            "prices": self.price_moves.iter().map(|change| json!({
                "endpoint": change.endpoint,
                "name": change.name,
                "old": change.old.map(Price::to_decimal),
                "new": change.new.map(Price::to_decimal),
                "change": change.change(),
            })).collect::<Vec<_>>(),
            "limits": self.limit_moves.iter().map(|change| json!({
                "of": change.of,
                "name": change.name,
                "old": change.old,
                "new": change.new,
            })).collect::<Vec<_>>(),
        })
    }
}

fn shown(value: Option<String>) -> String {
    value.unwrap_or_else(|| "-".to_owned())
}

/// All stated prices by name.
fn named(prices: &Prices) -> BTreeMap<String, Price> {
    let mut named = BTreeMap::from([
        ("prompt".to_owned(), prices.prompt),
        ("completion".to_owned(), prices.completion),
    ]);
    let mut add = |name: String, price: Option<Price>| {
        if let Some(price) = price {
            named.insert(name, price);
        }
    };
    for (name, price) in [
        ("request", prices.request),
        ("image", prices.image),
        ("image_token", prices.image_token),
        ("image_output", prices.image_output),
        ("audio", prices.audio),
        ("audio_output", prices.audio_output),
        ("web_search", prices.web_search),
        ("internal_reasoning", prices.internal_reasoning),
        ("input_cache_read", prices.input_cache_read),
        ("input_cache_write", prices.input_cache_write),
        ("input_cache_write_1h", prices.input_cache_write_1h),
    ] {
        add(name.to_owned(), price);
    }
    for tier in &prices.overrides {
        for (name, price) in [
            ("prompt", tier.prompt),
            ("completion", tier.completion),
            ("input_cache_read", tier.input_cache_read),
            ("input_cache_write", tier.input_cache_write),
            ("input_cache_write_1h", tier.input_cache_write_1h),
        ] {
            add(format!("{name} > {}", tier.min_prompt_tokens), price);
        }
    }
    named
}

#[cfg(test)]
mod tests;
