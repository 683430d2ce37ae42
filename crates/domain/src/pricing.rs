//! Where a price meets a quantity: the worst case before a call, the charge after it.
//!
//! Every product is `i128`; a charge is rounded once, up, to a nano-dollar.

use crate::catalogue::Prices;
use crate::money::{Money, Price, ceil_div};
use crate::usage::Usage;

/// One component of a charge: so many units at such a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChargeLine {
    /// `prompt`, `cache_read`, `completion`, `request`, … (the price list's own words).
    pub name: &'static str,
    pub units: u64,
    pub price: Price,
    /// Which direction the component counts towards in `cost_details`.
    pub side: Side,
}

/// The direction a component is reported under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Prompt,
    Completion,
    /// Per request, per search: counted in the total only.
    Fixed,
}

impl ChargeLine {
    fn pico(&self) -> i128 {
        i128::from(self.units) * i128::from(self.price.pico())
    }

    /// This component alone, rounded up: for display. The charge is rounded as a whole.
    pub fn cost(&self) -> Money {
        to_nano(self.pico())
    }
}

/// What one answer costs, and how that came about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    pub total: Money,
    pub lines: Vec<ChargeLine>,
}

impl Charge {
    /// All components, rounded up as a sum: what the call costs at list price. It differs from
    /// `total` where something else is charged, such as a fee on the caller's own credential.
    pub fn components(&self) -> Money {
        to_nano(self.lines.iter().map(ChargeLine::pico).sum())
    }

    /// The components of one side, rounded up as a sum: for display.
    pub fn side(&self, side: Side) -> Money {
        to_nano(
            self.lines
                .iter()
                .filter(|line| line.side == side)
                .map(ChargeLine::pico)
                .sum(),
        )
    }
}

/// Pico-dollars to nano-dollars, up.
fn to_nano(pico: i128) -> Money {
    Money::from_i128(ceil_div(pico, 1_000))
}

/// The most a request could use, known before the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Never below what any tokenizer counts.
    pub prompt_tokens: u64,
    /// The cap on the answer.
    pub output_tokens: u64,
    pub images: u64,
    pub has_audio: bool,
    /// The caller marks parts for the provider's cache, so an hour's write may be billed.
    pub has_cache_markers: bool,
    /// Searches the provider may run on its own account.
    pub searches: u64,
}

/// Which price list holds for a prompt of this length: overrides applied, later ones winning.
fn effective(prices: &Prices, prompt_tokens: u64) -> Effective {
    let mut effective = Effective {
        prompt: prices.prompt,
        completion: prices.completion,
        cache_read: prices.input_cache_read,
        cache_write: prices.input_cache_write,
        cache_write_1h: prices.input_cache_write_1h,
    };
    for tier in prices
        .overrides
        .iter()
        .filter(|tier| prompt_tokens > tier.min_prompt_tokens)
    {
        effective.prompt = tier.prompt.unwrap_or(effective.prompt);
        effective.completion = tier.completion.unwrap_or(effective.completion);
        effective.cache_read = tier.input_cache_read.or(effective.cache_read);
        effective.cache_write = tier.input_cache_write.or(effective.cache_write);
        effective.cache_write_1h = tier.input_cache_write_1h.or(effective.cache_write_1h);
    }
    effective
}

struct Effective {
    prompt: Price,
    completion: Price,
    cache_read: Option<Price>,
    cache_write: Option<Price>,
    cache_write_1h: Option<Price>,
}

/// The dearest tier that a prompt of at most this length can reach. A tier may be cheaper than
/// the base, so each threshold below the bound is looked at.
fn dearest(prices: &Prices, exposure: &Exposure) -> (Price, Price) {
    let reachable = prices
        .overrides
        .iter()
        .map(|tier| tier.min_prompt_tokens.saturating_add(1))
        .filter(|tokens| *tokens <= exposure.prompt_tokens);
    core::iter::once(0)
        .chain(reachable)
        .fold((Price::ZERO, Price::ZERO), |worst, tokens| {
            let tier = effective(prices, tokens);
            let mut prompt = tier.prompt.max(tier.cache_write.unwrap_or_default());
            if exposure.has_cache_markers {
                prompt = prompt.max(tier.cache_write_1h.unwrap_or_default());
            }
            if exposure.images > 0 {
                prompt = prompt.max(prices.image_token.unwrap_or_default());
            }
            if exposure.has_audio {
                prompt = prompt.max(prices.audio.unwrap_or_default());
            }
            let completion = [
                prices.internal_reasoning,
                prices.image_output,
                prices.audio_output,
            ]
            .into_iter()
            .flatten()
            .fold(tier.completion, Price::max);
            (worst.0.max(prompt), worst.1.max(completion))
        })
}

fn fixed_pico(prices: &Prices, exposure: &Exposure) -> i128 {
    i128::from(prices.request.unwrap_or_default().pico())
        + i128::from(exposure.images) * i128::from(prices.image.unwrap_or_default().pico())
        + i128::from(exposure.searches) * i128::from(prices.web_search.unwrap_or_default().pico())
}

/// What is set aside before a call: no answer within the caps can cost more.
pub fn worst_case(prices: &Prices, exposure: &Exposure) -> Money {
    let (prompt, completion) = dearest(prices, exposure);
    let pico = i128::from(exposure.prompt_tokens) * i128::from(prompt.pico())
        + i128::from(exposure.output_tokens) * i128::from(completion.pico())
        + fixed_pico(prices, exposure);
    to_nano(pico)
}

/// How many output tokens `budget` still pays for, after the prompt and everything fixed. `None`:
/// the prompt alone is too dear. Free output is unlimited (`u64::MAX`).
pub fn affordable_output(prices: &Prices, exposure: &Exposure, budget: Money) -> Option<u64> {
    let (prompt, completion) = dearest(prices, exposure);
    let spent = i128::from(exposure.prompt_tokens) * i128::from(prompt.pico())
        + fixed_pico(prices, exposure);
    let left = i128::from(budget.nano()) * 1_000 - spent;
    if left < 0 {
        return None;
    }
    if completion == Price::ZERO {
        return Some(u64::MAX);
    }
    u64::try_from(left / i128::from(completion.pico())).ok()
}

/// What an answer costs, component by component. `images` counts input images of the request,
/// which providers that bill them do not report.
pub fn charge(prices: &Prices, usage: &Usage, images: u64) -> Charge {
    let tier = effective(prices, usage.prompt_tokens);
    let written_1h = usage.cache_write_1h_tokens.min(usage.cache_write_tokens);
    let written_briefly = usage.cache_write_tokens - written_1h;
    let audio_in = if prices.audio.is_some() {
        usage.audio_prompt_tokens
    } else {
        0
    };
    let plain_prompt = usage
        .prompt_tokens
        .saturating_sub(usage.cached_tokens)
        .saturating_sub(usage.cache_write_tokens)
        .saturating_sub(audio_in);
    let reasoning = match prices.internal_reasoning {
        Some(_) => usage
            .reasoning_tokens
            .unwrap_or(0)
            .min(usage.completion_tokens),
        None => 0,
    };
    let audio_out = if prices.audio_output.is_some() {
        usage.audio_completion_tokens
    } else {
        0
    };
    let image_out = if prices.image_output.is_some() {
        usage.image_completion_tokens
    } else {
        0
    };
    let plain_completion = usage
        .completion_tokens
        .saturating_sub(reasoning)
        .saturating_sub(audio_out)
        .saturating_sub(image_out);
    let lines = [
        ("prompt", plain_prompt, Some(tier.prompt), Side::Prompt),
        (
            "cache_read",
            usage.cached_tokens,
            tier.cache_read.or(Some(tier.prompt)),
            Side::Prompt,
        ),
        (
            "cache_write",
            written_briefly,
            tier.cache_write.or(Some(tier.prompt)),
            Side::Prompt,
        ),
        (
            "cache_write_1h",
            written_1h,
            tier.cache_write_1h
                .or(tier.cache_write)
                .or(Some(tier.prompt)),
            Side::Prompt,
        ),
        ("audio", audio_in, prices.audio, Side::Prompt),
        (
            "completion",
            plain_completion,
            Some(tier.completion),
            Side::Completion,
        ),
        (
            "internal_reasoning",
            reasoning,
            prices.internal_reasoning,
            Side::Completion,
        ),
        (
            "audio_output",
            audio_out,
            prices.audio_output,
            Side::Completion,
        ),
        (
            "image_output",
            image_out,
            prices.image_output,
            Side::Completion,
        ),
        ("image", images, prices.image, Side::Prompt),
        ("request", 1, prices.request, Side::Fixed),
        (
            "web_search",
            usage.web_search_requests,
            prices.web_search,
            Side::Fixed,
        ),
    ]
    .into_iter()
    .filter_map(|(name, units, price, side)| {
        let price = price?;
        (units > 0).then_some(ChargeLine {
            name,
            units,
            price,
            side,
        })
    })
    .collect();
    total(lines)
}

/// Leaves out what zero-completion insurance forgives: everything counted in tokens. Searches
/// that ran are still owed.
#[must_use]
pub fn insured(charge: Charge) -> Charge {
    total(
        charge
            .lines
            .into_iter()
            .filter(|line| line.name == "web_search")
            .collect(),
    )
}

fn total(lines: Vec<ChargeLine>) -> Charge {
    let pico = lines.iter().map(ChargeLine::pico).sum();
    Charge {
        total: to_nano(pico),
        lines,
    }
}

#[cfg(test)]
mod tests;
