//! The `provider` object: what the caller says about where a request may go.

use super::parse::value::{Path, Value};
use super::request::RequestError;
use interline_domain::catalogue::Quantization;
use interline_domain::routing::preferences::Cutoffs;
use interline_domain::routing::{MaxPrice, Preferences, SortBy};
use interline_domain::{Money, Price};
use serde_json::value::RawValue;

/// Reads the `provider` object and the deprecated `route` field; both may be absent.
///
/// Fields we do not know are left alone. `order`, `only` and `ignore` become lower case, as slugs
/// are compared.
///
/// # Errors
///
/// `invalid_request` with a path below `provider`.
pub fn parse(
    provider: Option<&RawValue>,
    route: Option<&RawValue>,
) -> Result<Preferences, RequestError> {
    let mut preferences = Preferences::default();
    if let Some(raw) = route {
        let path = Path::Key(&Path::Root, "route");
        let value = Value::new(raw.get(), &path);
        if !value.is_null() {
            preferences.merge_models = value.word(&["fallback", "sort"])? == "sort";
        }
    }
    if let Some(raw) = provider {
        let path = Path::Key(&Path::Root, "provider");
        let value = Value::new(raw.get(), &path);
        if !value.is_null() {
            value.entries(|key, value| field(&mut preferences, key, value))?;
        }
    }
    Ok(preferences)
}

fn field(
    preferences: &mut Preferences,
    key: &str,
    value: Value<'_, '_>,
) -> Result<(), RequestError> {
    match key {
        "order" => preferences.order = slugs(value)?,
        "only" => preferences.only = Some(slugs(value)?),
        "ignore" => preferences.ignore = slugs(value)?,
        "allow_fallbacks" => preferences.allow_fallbacks = value.boolean()?,
        "require_parameters" => preferences.require_parameters = value.boolean()?,
        "data_collection" => {
            preferences.deny_collection = value.word(&["allow", "deny"])? == "deny";
        }
        "zdr" => preferences.zero_retention = value.boolean()?,
        "enforce_distillable_text" => preferences.enforce_distillable = value.boolean()?,
        "quantizations" => preferences.quantizations = quantizations(value)?,
        "sort" => sort(preferences, value)?,
        "preferred_min_throughput" => preferences.min_throughput = cutoffs(value)?,
        "preferred_max_latency" => preferences.max_latency = cutoffs(value)?,
        "max_price" => preferences.max_price = max_price(value)?,
        "options" => {
            value.entries(|_, options| options.expect_object().map(drop))?;
        }
        _ => {}
    }
    Ok(())
}

fn slugs(value: Value<'_, '_>) -> Result<Vec<String>, RequestError> {
    let strings = value.strings()?;
    Ok(strings.iter().map(|slug| slug.to_lowercase()).collect())
}

fn quantizations(value: Value<'_, '_>) -> Result<Vec<Quantization>, RequestError> {
    let words: Vec<_> = Quantization::ALL.iter().map(|q| q.as_str()).collect();
    let mut wanted = Vec::new();
    value.items(|item| {
        let quantization = Quantization::parse(&item.word(&words)?);
        // Repeats say nothing, and dropping them bounds the list.
        wanted.extend(quantization.filter(|quantization| !wanted.contains(quantization)));
        Ok(())
    })?;
    Ok(wanted)
}

fn sort(preferences: &mut Preferences, value: Value<'_, '_>) -> Result<(), RequestError> {
    if value.is_string() {
        preferences.sort = Some(sort_by(value)?);
        return Ok(());
    }
    if !value.is_object() {
        return Err(value.refuse("expected a string or an object"));
    }
    value.entries(|key, value| {
        match key {
            "by" => preferences.sort = Some(sort_by(value)?),
            "partition" => preferences.merge_models = value.word(&["model", "none"])? == "none",
            _ => {}
        }
        Ok(())
    })
}

fn sort_by(value: Value<'_, '_>) -> Result<SortBy, RequestError> {
    let word = value.word(&["price", "throughput", "latency", "exacto"])?;
    SortBy::parse(&word).ok_or_else(|| value.refuse("is not a way to sort"))
}

/// One number is the median's.
fn cutoffs(value: Value<'_, '_>) -> Result<Cutoffs, RequestError> {
    let mut cutoffs = Cutoffs::default();
    if !value.is_object() {
        cutoffs.p50 = Some(thousandths(value)?);
        return Ok(cutoffs);
    }
    value.entries(|key, value| {
        let slot = match key {
            "p50" => &mut cutoffs.p50,
            "p75" => &mut cutoffs.p75,
            "p90" => &mut cutoffs.p90,
            "p99" => &mut cutoffs.p99,
            _ => return Ok(()),
        };
        *slot = Some(thousandths(value)?);
        Ok(())
    })?;
    Ok(cutoffs)
}

/// Seconds to milliseconds, tokens per second to thousandths.
fn thousandths(value: Value<'_, '_>) -> Result<u64, RequestError> {
    Money::parse(value.text())
        .ok()
        .and_then(|number| u64::try_from(number.nano()).ok())
        .map(|billionths| billionths / 1_000_000)
        .ok_or_else(|| value.refuse("expected a number of at least 0"))
}

fn max_price(value: Value<'_, '_>) -> Result<MaxPrice, RequestError> {
    let mut most = MaxPrice::default();
    value.entries(|key, value| {
        match key {
            "prompt" => most.prompt = Some(per_million(value)?),
            "completion" => most.completion = Some(per_million(value)?),
            "request" => most.request = Some(price(value)?),
            "image" => most.image = Some(price(value)?),
            "audio" => most.audio = Some(price(value)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(most)
}

/// Dollars per million tokens.
fn per_million(value: Value<'_, '_>) -> Result<Price, RequestError> {
    price(value).map(|dollars| Price::from_pico(dollars.pico() / 1_000_000))
}

/// Dollars, as a number or a decimal string.
fn price(value: Value<'_, '_>) -> Result<Price, RequestError> {
    let text = value.string();
    let text = text.as_deref().unwrap_or(value.text());
    Price::parse(text)
        .map(|(price, _)| price)
        .map_err(|_| value.refuse("expected a price in dollars, as a number or a string"))
}

#[cfg(test)]
mod tests;
