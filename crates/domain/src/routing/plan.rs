//! The plan: hard filters, soft preferences, order.

use super::preferences::{Cutoffs, matches};
use super::{
    Candidate, EndpointHealth, Exclusion, HealthView, Needs, Preferences, Reason, RoutePlan,
    SortBy, Wanted,
};
use crate::catalogue::{Catalogue, Endpoint, Modalities, Modality, Standing};
use crate::money::Price;
use crate::parameters::{Parameter, Parameters};

/// Parameters that prefer supporting endpoints even without `require_parameters`.
const SOFT: Parameters = Parameters::EMPTY
    .with(Parameter::Tools)
    .with(Parameter::ResponseFormat)
    .with(Parameter::StructuredOutputs)
    .with(Parameter::Verbosity);

/// Hard filters never look at these: every dialect has some form of them, or dropping them is
/// what the caller expects.
const ALWAYS_SUPPORTED: Parameters = Parameters::EMPTY
    .with(Parameter::MaxTokens)
    .with(Parameter::MaxCompletionTokens)
    .with(Parameter::IncludeReasoning);

/// Orders the endpoints that may serve a request and says why the others may not.
///
/// Pure: the seed decides the weighted draw, so the same arguments give the same plan. The result
/// holds each endpoint of the wanted models exactly once, as a candidate or as excluded.
pub fn plan(
    needs: &Needs,
    catalogue: &Catalogue,
    health: &impl HealthView,
    preferences: &Preferences,
    seed: u64,
) -> RoutePlan {
    let mut plan = RoutePlan {
        seed,
        ..RoutePlan::default()
    };
    let mut ranked: Vec<Ranked> = Vec::new();
    for (wanted, model) in needs.models.iter().enumerate() {
        let eligible = filter(
            needs,
            wanted,
            model,
            catalogue,
            preferences,
            &mut plan.excluded,
        );
        let mut group: Vec<Ranked> = eligible
            .into_iter()
            .map(|endpoint| Ranked::new(endpoint, wanted, catalogue, health, preferences))
            .collect();
        if preferences.merge_models {
            ranked.append(&mut group);
            continue;
        }
        order(
            &mut group,
            sort_of(preferences, model),
            draw_seed(seed, wanted),
        );
        if !preferences.allow_fallbacks {
            keep_first(&mut group, preferences, &mut plan.excluded);
        }
        ranked.append(&mut group);
    }
    if preferences.merge_models {
        let sort = preferences
            .sort
            .or_else(|| needs.models.first().and_then(|first| first.sort));
        order(&mut ranked, sort, draw_seed(seed, 0));
        if !preferences.allow_fallbacks {
            keep_first(&mut ranked, preferences, &mut plan.excluded);
        }
    }
    plan.candidates = ranked.iter().map(Ranked::candidate).collect();
    plan
}

fn sort_of(preferences: &Preferences, model: &Wanted) -> Option<SortBy> {
    preferences.sort.or(model.sort)
}

/// Applies every hard filter, and the soft parameter preference after them.
fn filter(
    needs: &Needs,
    wanted: usize,
    model: &Wanted,
    catalogue: &Catalogue,
    preferences: &Preferences,
    excluded: &mut Vec<(usize, Exclusion)>,
) -> Vec<usize> {
    let Some(facts) = catalogue.models().get(model.model) else {
        return Vec::new();
    };
    // A model may be wanted twice (as itself and through an alias): its endpoints count once.
    if needs.models[..wanted]
        .iter()
        .any(|earlier| earlier.model == model.model)
    {
        return Vec::new();
    }
    let mut eligible = Vec::with_capacity(facts.endpoints.len());
    for index in facts.endpoints.clone() {
        let Some(endpoint) = catalogue.endpoints().get(index) else {
            continue;
        };
        match exclusion(needs, endpoint, catalogue, preferences) {
            Some(why) => excluded.push((index, why)),
            None => eligible.push(index),
        }
    }
    prefer_supporting(needs.parameters, catalogue, &mut eligible, excluded);
    eligible
}

/// The first hard filter that an endpoint fails, in the documented order.
fn exclusion(
    needs: &Needs,
    endpoint: &Endpoint,
    catalogue: &Catalogue,
    preferences: &Preferences,
) -> Option<Exclusion> {
    let provider = catalogue.providers().get(endpoint.provider)?;
    let model = catalogue.models().get(endpoint.model)?;
    let named = |list: &[String]| {
        list.iter()
            .any(|slug| matches(slug, &endpoint.tag, &provider.slug, &provider.name))
    };
    if endpoint.standing != Standing::Ready {
        return Some(Exclusion::Standing(endpoint.standing));
    }
    let Some(prices) = endpoint.prices.as_ref() else {
        return Some(Exclusion::Standing(Standing::Unpriced));
    };
    if preferences.only.as_ref().is_some_and(|only| !named(only)) {
        return Some(Exclusion::NotAllowed);
    }
    if named(&preferences.ignore) {
        return Some(Exclusion::Ignored);
    }
    if preferences.deny_collection && !provider.data_policy.denies_collection() {
        return Some(Exclusion::DataCollection);
    }
    if preferences.zero_retention && !provider.data_policy.is_zero_retention() {
        return Some(Exclusion::ZeroRetention);
    }
    if preferences.enforce_distillable && !model.is_distillable {
        return Some(Exclusion::Distillable);
    }
    let quantizations = &preferences.quantizations;
    if !quantizations.is_empty()
        && !quantizations
            .iter()
            .any(|wanted| endpoint.quantization.satisfies(*wanted))
    {
        return Some(Exclusion::Quantization);
    }
    let caps = &preferences.max_price;
    let dearer = |price: Price, cap: Option<Price>| cap.is_some_and(|cap| price > cap);
    if dearer(prices.prompt, caps.prompt)
        || dearer(prices.completion, caps.completion)
        || dearer(prices.request.unwrap_or_default(), caps.request)
        || dearer(prices.image.unwrap_or_default(), caps.image)
        || dearer(prices.audio.unwrap_or_default(), caps.audio)
    {
        return Some(Exclusion::MaxPrice);
    }
    let window = endpoint.context_length.unwrap_or(u64::MAX);
    let longest_prompt = endpoint.max_prompt_tokens.unwrap_or(u64::MAX).min(window);
    if needs.prompt_tokens > longest_prompt {
        return Some(Exclusion::ContextLength);
    }
    let longest_answer = endpoint
        .max_completion_tokens
        .unwrap_or(u64::MAX)
        .min(window);
    if needs
        .max_tokens
        .is_some_and(|wanted| wanted > longest_answer)
    {
        return Some(Exclusion::OutputLength);
    }
    missing(needs.input, model.input_modalities)
        .map(Exclusion::InputModality)
        .or_else(|| missing(needs.output, model.output_modalities).map(Exclusion::OutputModality))
        .or_else(|| {
            let lacking = needs
                .parameters
                .minus(ALWAYS_SUPPORTED)
                .minus(endpoint.parameters);
            (preferences.require_parameters && !lacking.is_empty())
                .then_some(Exclusion::Parameters(lacking))
        })
}

/// What is needed and not there. Files are parsed by us where a model takes none, text always is.
fn missing(needed: Modalities, offered: Modalities) -> Option<Modalities> {
    let lacking: Modalities = needed
        .iter()
        .filter(|modality| !matches!(modality, Modality::Text | Modality::File))
        .filter(|modality| !offered.contains(*modality))
        .collect();
    (lacking != Modalities::default()).then_some(lacking)
}

/// For tools, structured output and verbosity: if some endpoint supports what the request uses,
/// those that do not are left out; if none does, nothing changes and the parameter is dropped.
fn prefer_supporting(
    used: Parameters,
    catalogue: &Catalogue,
    eligible: &mut Vec<usize>,
    excluded: &mut Vec<(usize, Exclusion)>,
) {
    let supports = |index: usize, parameter| {
        catalogue
            .endpoints()
            .get(index)
            .is_some_and(|e| e.parameters.contains(parameter))
    };
    for parameter in used.iter().filter(|parameter| SOFT.contains(*parameter)) {
        let supporting = eligible
            .iter()
            .filter(|index| supports(**index, parameter))
            .count();
        if supporting == 0 || supporting == eligible.len() {
            continue;
        }
        eligible.retain(|index| {
            let keep = supports(*index, parameter);
            if !keep {
                let lacking = Parameters::EMPTY.with(parameter);
                excluded.push((*index, Exclusion::BetterParameters(lacking)));
            }
            keep
        });
    }
}

/// An eligible endpoint with everything its place depends on.
struct Ranked {
    endpoint: usize,
    wanted: usize,
    order: Option<usize>,
    health: EndpointHealth,
    misses_preference: bool,
    /// Blended price in pico-dollars: three prompt tokens to one of the answer.
    blended: i64,
    reason: Reason,
}

impl Ranked {
    fn new(
        index: usize,
        wanted: usize,
        catalogue: &Catalogue,
        health: &impl HealthView,
        preferences: &Preferences,
    ) -> Self {
        let health = health.health(index);
        let endpoint = catalogue.endpoints().get(index);
        let provider = endpoint.and_then(|e| catalogue.providers().get(e.provider));
        let order = endpoint.zip(provider).and_then(|(endpoint, provider)| {
            preferences
                .order
                .iter()
                .position(|slug| matches(slug, &endpoint.tag, &provider.slug, &provider.name))
        });
        let prices = endpoint.and_then(|e| e.prices.as_ref());
        let blended = prices.map_or(i64::MAX, |prices| {
            let prompt = i128::from(prices.prompt.pico()) * 3;
            i64::try_from((prompt + i128::from(prices.completion.pico())) / 4).unwrap_or(i64::MAX)
        });
        Self {
            endpoint: index,
            wanted,
            order,
            misses_preference: misses(preferences.max_latency, health.latency_ms, |v, cap| v > cap)
                || misses(
                    preferences.min_throughput,
                    health.throughput_milli,
                    |v, floor| v < floor,
                ),
            health,
            blended,
            reason: Reason::ByPrice,
        }
    }

    /// Endpoints that are well come first; a named order is kept whatever the health.
    fn tier(&self) -> u8 {
        if self.health.is_resting {
            3
        } else if self.health.is_unstable {
            2
        } else {
            u8::from(self.misses_preference)
        }
    }

    fn candidate(&self) -> Candidate {
        Candidate {
            endpoint: self.endpoint,
            wanted: self.wanted,
            reason: self.reason,
        }
    }
}

/// Without measurements an endpoint gets the benefit of the doubt.
fn misses(cutoffs: Cutoffs, measured: Option<u64>, fails: impl Fn(u64, u64) -> bool) -> bool {
    let limits = [cutoffs.p50, cutoffs.p75, cutoffs.p90, cutoffs.p99];
    measured.is_some_and(|value| {
        limits
            .into_iter()
            .flatten()
            .any(|limit| fails(value, limit))
    })
}

fn order(group: &mut [Ranked], sort: Option<SortBy>, seed: u64) {
    let has_order = group.iter().any(|ranked| ranked.order.is_some());
    group.sort_by_key(|ranked| {
        let place = ranked.order.unwrap_or(usize::MAX);
        // Named endpoints keep the caller's order; health only ranks the others.
        let tier = if ranked.order.is_some() {
            0
        } else {
            ranked.tier()
        };
        (
            place,
            tier,
            sort_key(ranked, sort),
            ranked.blended,
            ranked.wanted,
            ranked.endpoint,
        )
    });
    if !has_order && matches!(sort, None | Some(SortBy::Exacto)) {
        draw_first(group, seed);
    }
    for ranked in group.iter_mut() {
        ranked.reason = match (ranked.order, ranked.tier(), sort) {
            (Some(place), _, _) => Reason::Ordered(place),
            (None, 3, _) => Reason::Resting,
            (None, 2, _) => Reason::Unstable,
            (None, 1, _) => Reason::BelowPreference,
            (None, _, Some(by)) => Reason::Sorted(by),
            (None, _, None) => ranked.reason,
        };
    }
}

/// Smaller is better. Endpoints without measurements follow those with.
fn sort_key(ranked: &Ranked, sort: Option<SortBy>) -> u64 {
    match sort {
        Some(SortBy::Price) => u64::try_from(ranked.blended).unwrap_or(u64::MAX),
        Some(SortBy::Latency) => ranked.health.latency_ms.unwrap_or(u64::MAX),
        Some(SortBy::Throughput) => u64::MAX - ranked.health.throughput_milli.unwrap_or(0),
        Some(SortBy::Exacto) | None => 0,
    }
}

/// Draws the first among the healthy with a weight of one over the square of the price, and moves
/// it to the front. Free endpoints share the draw alone: nothing priced goes before them.
fn draw_first(group: &mut [Ranked], seed: u64) {
    let best_tier = group.first().map_or(0, Ranked::tier);
    let healthy = group
        .iter()
        .take_while(|ranked| ranked.tier() == best_tier)
        .count();
    let free = group[..healthy]
        .iter()
        .take_while(|ranked| ranked.blended == 0)
        .count();
    let pool = if free > 0 { free } else { healthy };
    if pool < 2 {
        return;
    }
    let cheapest = group.first().map_or(1, |ranked| ranked.blended.max(1));
    let weight = |ranked: &Ranked| -> u64 {
        // (cheapest / price)^2 in fixed point: at most 2^40, so thousands of them add up safely.
        let ratio = (i128::from(cheapest) << 20) / i128::from(ranked.blended.max(1));
        let ratio = u64::try_from(ratio.clamp(0, 1 << 20)).unwrap_or(0);
        (ratio * ratio).max(1)
    };
    let sum: u64 = group[..pool].iter().map(weight).sum();
    let mut ticket = mix(seed) % sum;
    let drawn = group[..pool]
        .iter()
        .position(|ranked| {
            let share = weight(ranked);
            let hit = ticket < share;
            ticket = ticket.saturating_sub(share);
            hit
        })
        .unwrap_or(0);
    group[..=drawn].rotate_right(1);
    if let Some(first) = group.first_mut() {
        first.reason = Reason::Drawn;
    }
}

/// `allow_fallbacks: false`: the first endpoint only, or with `order` only the named ones.
fn keep_first(
    group: &mut Vec<Ranked>,
    preferences: &Preferences,
    excluded: &mut Vec<(usize, Exclusion)>,
) {
    let keep = if preferences.order.is_empty() {
        1
    } else {
        group.iter().filter(|ranked| ranked.order.is_some()).count()
    };
    for ranked in group.drain(keep.min(group.len())..) {
        excluded.push((ranked.endpoint, Exclusion::FallbacksOff));
    }
}

fn draw_seed(seed: u64, wanted: usize) -> u64 {
    seed ^ (wanted as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// `SplitMix64`: spreads a seed over all bits (Steele, Lea, Flood 2014).
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
