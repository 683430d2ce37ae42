use super::*;
use crate::catalogue::PriceOverride;
use proptest::prelude::*;

fn price(text: &str) -> Price {
    Price::parse(text).unwrap().0
}

fn sample() -> Prices {
    Prices {
        prompt: price("0.000003"),
        completion: price("0.000015"),
        input_cache_read: Some(price("0.0000003")),
        input_cache_write: Some(price("0.00000375")),
        input_cache_write_1h: Some(price("0.000006")),
        ..Prices::default()
    }
}

#[test]
fn every_component_is_priced_by_its_own_rate() {
    let usage = Usage {
        prompt_tokens: 2_560,
        completion_tokens: 5,
        cached_tokens: 2_048,
        cache_write_tokens: 500,
        cache_write_1h_tokens: 100,
        ..Usage::default()
    };
    let charge = charge(&sample(), &usage, 0);
    // 12 x 3 + 2048 x 0.3 + 400 x 3.75 + 100 x 6 + 5 x 15 micro-dollars
    assert_eq!(charge.total, Money::parse("0.0028254").unwrap());
    assert_eq!(
        charge.side(Side::Completion),
        Money::parse("0.000075").unwrap()
    );
    let names: Vec<_> = charge.lines.iter().map(|line| line.name).collect();
    assert_eq!(
        names,
        [
            "prompt",
            "cache_read",
            "cache_write",
            "cache_write_1h",
            "completion"
        ]
    );
}

#[test]
fn a_missing_sub_price_falls_back_to_its_direction() {
    let prices = Prices {
        prompt: price("0.000001"),
        ..Prices::default()
    };
    let usage = Usage {
        prompt_tokens: 10,
        cached_tokens: 10,
        ..Usage::default()
    };
    assert_eq!(
        charge(&prices, &usage, 0).total,
        Money::parse("0.00001").unwrap()
    );
}

#[test]
fn fixed_prices_count_once_per_unit() {
    let prices = Prices {
        request: Some(price("0.01")),
        image: Some(price("0.002")),
        web_search: Some(price("0.005")),
        internal_reasoning: Some(price("0.00002")),
        completion: price("0.00001"),
        ..Prices::default()
    };
    let usage = Usage {
        completion_tokens: 100,
        reasoning_tokens: Some(60),
        web_search_requests: 2,
        ..Usage::default()
    };
    // 0.01 + 3 x 0.002 + 2 x 0.005 + 60 x 0.00002 + 40 x 0.00001
    let found = charge(&prices, &usage, 3);
    assert_eq!(found.total, Money::parse("0.0276").unwrap());
    assert_eq!(
        insured(found).total,
        Money::parse("0.01").unwrap(),
        "searches ran, tokens are free"
    );
}

#[test]
fn tiers_begin_strictly_above_their_threshold() {
    let prices = Prices {
        overrides: vec![PriceOverride {
            min_prompt_tokens: 100,
            prompt: Some(price("0.000006")),
            ..PriceOverride::default()
        }],
        ..sample()
    };
    let at = |tokens| {
        charge(
            &prices,
            &Usage {
                prompt_tokens: tokens,
                ..Usage::default()
            },
            0,
        )
        .total
        .nano()
    };
    assert_eq!(at(100), 300_000);
    assert_eq!(at(101), 606_000);
}

#[test]
fn a_charge_is_rounded_once_and_up() {
    let prices = Prices {
        prompt: Price::from_pico(1),
        completion: Price::from_pico(1),
        ..Prices::default()
    };
    let usage = Usage {
        prompt_tokens: 1,
        completion_tokens: 1,
        ..Usage::default()
    };
    assert_eq!(charge(&prices, &usage, 0).total, Money::from_nano(1));
}

#[test]
fn what_is_affordable_is_named_exactly() {
    let prices = Prices {
        completion: price("0.001"),
        ..Prices::default()
    };
    let exposure = Exposure {
        prompt_tokens: 50,
        ..Exposure::default()
    };
    assert_eq!(
        affordable_output(&prices, &exposure, Money::parse("0.01").unwrap()),
        Some(10)
    );
    let dear = Prices {
        prompt: price("1"),
        ..prices
    };
    assert_eq!(
        affordable_output(&dear, &exposure, Money::parse("0.01").unwrap()),
        None
    );
}

prop_compose! {
    fn prices()(base in any::<[u32; 6]>(), some in any::<[bool; 4]>(),
                tier in (0_u64..5_000, any::<u32>(), any::<u32>())) -> Prices {
        let rate = |n: u32| Price::from_pico(i64::from(n));
        Prices {
            prompt: rate(base[0]),
            completion: rate(base[1]),
            input_cache_read: some[0].then(|| rate(base[2].min(base[0]))),
            input_cache_write: some[1].then(|| rate(base[3])),
            internal_reasoning: some[2].then(|| rate(base[4])),
            request: some[3].then(|| rate(base[5])),
            overrides: vec![PriceOverride {
                min_prompt_tokens: tier.0,
                prompt: Some(rate(tier.1)),
                completion: Some(rate(tier.2)),
                ..PriceOverride::default()
            }],
            ..Prices::default()
        }
    }
}

proptest! {
    /// The promise behind every hold.
    #[test]
    fn no_answer_within_the_caps_costs_more_than_the_worst_case(
        prices in prices(), bound in 0_u64..10_000, cap in 0_u64..10_000,
        share in 0_u64..=100, cached in 0_u64..10_000, written in 0_u64..10_000, thought in 0_u64..10_000,
    ) {
        // A cache read may cost more than a prompt token only in a broken list.
        prop_assume!(prices.input_cache_read.is_none_or(|read| {
            read <= prices.prompt && prices.overrides.iter().all(|t| t.prompt.is_none_or(|p| read <= p))
        }));
        let prompt_tokens = bound * share / 100;
        let cached_tokens = cached.min(prompt_tokens);
        let usage = Usage {
            prompt_tokens,
            completion_tokens: cap * share / 100,
            cached_tokens,
            cache_write_tokens: written.min(prompt_tokens - cached_tokens),
            reasoning_tokens: Some(thought),
            ..Usage::default()
        };
        let exposure = Exposure { prompt_tokens: bound, output_tokens: cap, ..Exposure::default() };
        prop_assert!(charge(&prices, &usage, 0).total <= worst_case(&prices, &exposure));
    }

    /// What the 402 offers really fits, and one token more would not.
    #[test]
    fn affordable_output_is_tight(prices in prices(), bound in 0_u64..1_000, budget in 0_i64..1_000_000_000) {
        let budget = Money::from_nano(budget);
        let exposure = Exposure { prompt_tokens: bound, ..Exposure::default() };
        if let Some(tokens) = affordable_output(&prices, &exposure, budget).filter(|t| *t < u64::MAX) {
            let at = |output_tokens| worst_case(&prices, &Exposure { output_tokens, ..exposure });
            prop_assert!(at(tokens) <= budget);
            prop_assert!(at(tokens + 1) > budget);
        }
    }
}
