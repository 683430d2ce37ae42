use super::*;
use crate::catalogue::{
    Auth, Catalogue, DataPolicy, Dialect, Endpoint, Modality, Model, Prices, Provider, Quantization,
};
use crate::failure::{Failure, Retry};
use crate::money::Price;
use crate::parameters::Parameter;
use crate::quirks::Quirks;
use proptest::prelude::*;
use std::sync::Arc;

fn model(id: &str) -> Model {
    Model {
        id: id.into(),
        canonical_slug: id.into(),
        name: id.into(),
        description: String::new(),
        created: 0,
        context_length: Some(128_000),
        hugging_face_id: None,
        input_modalities: Modalities::default().with(Modality::Text),
        output_modalities: Modalities::default().with(Modality::Text),
        tokenizer: "Other".into(),
        instruct_type: None,
        knowledge_cutoff: None,
        expiration_date: None,
        default_parameters: Vec::new(),
        reasoning: None,
        kind: "chat".into(),
        alias_target: None,
        is_distillable: false,
        endpoints: 0..0,
    }
}

fn provider(slug: &str) -> Provider {
    Provider {
        slug: slug.into(),
        name: slug.to_uppercase(),
        dialect: Dialect::OpenAiChat,
        base_url: "http://127.0.0.1:1/v1".into(),
        protocols: Vec::new(),
        auth: Auth::None,
        key_variables: Vec::new(),
        headquarters: None,
        datacenters: Vec::new(),
        privacy_policy_url: None,
        terms_of_service_url: None,
        status_page_url: None,
        data_policy: DataPolicy::default(),
        is_moderated: false,
        quirks: Arc::new(Quirks::default()),
    }
}

fn endpoint(model: usize, provider: usize, tag: &str, dollars_per_million: i64) -> Endpoint {
    let price = Price::from_dollars_per_million(dollars_per_million);
    Endpoint {
        id: format!("m{model}@{tag}"),
        model,
        provider,
        tag: tag.into(),
        upstream_model: "up".into(),
        dialect: Dialect::OpenAiChat,
        base_url: "http://127.0.0.1:1/v1".into(),
        prices: Some(Prices {
            prompt: price,
            completion: price,
            ..Prices::default()
        }),
        context_length: Some(128_000),
        max_completion_tokens: Some(8_192),
        max_prompt_tokens: None,
        quantization: Quantization::Unknown,
        parameters: Parameters::EMPTY,
        has_implicit_caching: false,
        standing: Standing::Ready,
        quirks: Arc::new(Quirks::default()),
    }
}

/// Providers a, b, c at 1, 2 and 3 dollars per million serve model 0; a and b serve model 1.
fn sample() -> Catalogue {
    sample_with(|_| ())
}

fn sample_with(change: impl Fn(&mut Endpoint)) -> Catalogue {
    let mut endpoints = vec![
        endpoint(0, 0, "a", 1),
        endpoint(0, 1, "b/turbo", 2),
        endpoint(0, 2, "c", 3),
        endpoint(1, 0, "a", 5),
        endpoint(1, 1, "b", 4),
    ];
    endpoints.iter_mut().for_each(change);
    let providers = vec![provider("a"), provider("b"), provider("c")];
    Catalogue::new(vec![model("x/one"), model("x/two")], providers, endpoints).unwrap()
}

fn wanting(models: &[usize]) -> Needs {
    let wanted = |model: &usize| Wanted {
        model: *model,
        sort: None,
        thinks: false,
        requested: String::new(),
    };
    Needs {
        models: models.iter().map(wanted).collect(),
        ..Needs::default()
    }
}

fn ids(plan: &RoutePlan, catalogue: &Catalogue) -> Vec<String> {
    plan.candidates
        .iter()
        .map(|c| catalogue.endpoints()[c.endpoint].id.clone())
        .collect()
}

fn planned(needs: &Needs, preferences: &Preferences) -> Vec<String> {
    let catalogue = sample();
    ids(
        &plan(needs, &catalogue, &AllHealthy, preferences, 7),
        &catalogue,
    )
}

fn slugs(list: &[&str]) -> Vec<String> {
    list.iter().map(|slug| (*slug).to_owned()).collect()
}

#[test]
fn the_first_is_drawn_by_inverse_square_of_price() {
    let catalogue = sample();
    let needs = wanting(&[0]);
    let mut first = [0_u32; 3];
    for seed in 0..100_000 {
        let plan = plan(
            &needs,
            &catalogue,
            &AllHealthy,
            &Preferences::default(),
            seed,
        );
        assert_eq!(plan.candidates.len(), 3);
        first[plan.candidates[0].endpoint] += 1;
    }
    // Weights 1 : 1/4 : 1/9, so 73.5 %, 18.4 % and 8.2 %; three standard deviations are 0.42 %.
    for (count, expected) in first.into_iter().zip([73_469_i64, 18_367, 8_163]) {
        assert!((i64::from(count) - expected).abs() < 500, "{first:?}");
    }
}

#[test]
fn order_only_ignore_and_fallbacks() {
    let check = |change: &dyn Fn(&mut Preferences), expected: &[&str]| {
        let mut preferences = Preferences {
            sort: Some(SortBy::Price),
            ..Preferences::default()
        };
        change(&mut preferences);
        assert_eq!(planned(&wanting(&[0]), &preferences), expected);
    };
    check(&|_| (), &["m0@a", "m0@b/turbo", "m0@c"]);
    check(
        &|p| p.order = slugs(&["c", "nobody", "b"]),
        &["m0@c", "m0@b/turbo", "m0@a"],
    );
    check(
        &|p| p.only = Some(slugs(&["b", "C"])),
        &["m0@b/turbo", "m0@c"],
    );
    check(&|p| p.only = Some(slugs(&["b/turbo"])), &["m0@b/turbo"]);
    check(&|p| p.only = Some(Vec::new()), &[]);
    check(&|p| p.ignore = slugs(&["a"]), &["m0@b/turbo", "m0@c"]);
    check(&|p| p.allow_fallbacks = false, &["m0@a"]);
    let both = |p: &mut Preferences| {
        p.order = slugs(&["c", "b"]);
        p.allow_fallbacks = false;
    };
    check(&both, &["m0@c", "m0@b/turbo"]);
}

#[test]
fn models_follow_each_other_unless_merged() {
    let sorted = Preferences {
        sort: Some(SortBy::Price),
        ..Preferences::default()
    };
    let model_by_model = ["m1@b", "m1@a", "m0@a", "m0@b/turbo", "m0@c"];
    assert_eq!(planned(&wanting(&[1, 0, 1]), &sorted), model_by_model);
    let merged = Preferences {
        merge_models: true,
        ..sorted
    };
    let by_price = ["m0@a", "m0@b/turbo", "m0@c", "m1@b", "m1@a"];
    assert_eq!(planned(&wanting(&[1, 0]), &merged), by_price);
}

#[test]
fn each_hard_filter_names_itself() {
    let check = |needs: &Needs,
                 preferences: &Preferences,
                 change: &dyn Fn(&mut Endpoint),
                 why: Exclusion| {
        let catalogue = sample_with(change);
        let plan = plan(needs, &catalogue, &AllHealthy, preferences, 0);
        assert_eq!(plan.candidates, [], "{why:?}");
        assert_eq!(plan.excluded.len(), 3);
        assert!(
            plan.excluded.iter().all(|(_, found)| *found == why),
            "{:?}",
            plan.excluded
        );
    };
    let needs = wanting(&[0]);
    let plain = Preferences::default();
    let keep: &dyn Fn(&mut Endpoint) = &|_| ();
    check(
        &needs,
        &plain,
        &|e| e.prices = None,
        Exclusion::Standing(Standing::Unpriced),
    );
    check(
        &needs,
        &plain,
        &|e| e.standing = Standing::NoCredential,
        Exclusion::Standing(Standing::NoCredential),
    );
    let deny = Preferences {
        deny_collection: true,
        ..Preferences::default()
    };
    check(&needs, &deny, keep, Exclusion::DataCollection);
    let zdr = Preferences {
        zero_retention: true,
        ..Preferences::default()
    };
    check(&needs, &zdr, keep, Exclusion::ZeroRetention);
    let distillable = Preferences {
        enforce_distillable: true,
        ..Preferences::default()
    };
    check(&needs, &distillable, keep, Exclusion::Distillable);
    let fp8 = Preferences {
        quantizations: vec![Quantization::Fp8],
        ..Preferences::default()
    };
    check(&needs, &fp8, keep, Exclusion::Quantization);
    let cheap = MaxPrice {
        prompt: Some(Price::from_pico(10)),
        ..MaxPrice::default()
    };
    let cheap = Preferences {
        max_price: cheap,
        ..Preferences::default()
    };
    check(&needs, &cheap, keep, Exclusion::MaxPrice);
    let strict = Preferences {
        require_parameters: true,
        ..Preferences::default()
    };
    let seed = Parameters::EMPTY.with(Parameter::Seed);
    let with_seed = Needs {
        parameters: seed,
        ..needs.clone()
    };
    check(&with_seed, &strict, keep, Exclusion::Parameters(seed));
    let long = Needs {
        prompt_tokens: 128_001,
        ..needs.clone()
    };
    check(&long, &plain, keep, Exclusion::ContextLength);
    let wordy = Needs {
        max_tokens: Some(8_193),
        ..needs.clone()
    };
    check(&wordy, &plain, keep, Exclusion::OutputLength);
    let image = Modalities::default().with(Modality::Image);
    check(
        &Needs {
            input: image,
            ..needs.clone()
        },
        &plain,
        keep,
        Exclusion::InputModality(image),
    );
    check(
        &Needs {
            output: image,
            ..needs
        },
        &plain,
        keep,
        Exclusion::OutputModality(image),
    );
}

#[test]
fn supporting_endpoints_are_preferred_and_never_required() {
    let tools = Parameters::EMPTY.with(Parameter::Tools);
    let needs = Needs {
        parameters: tools,
        ..wanting(&[0])
    };
    let sorted = Preferences {
        sort: Some(SortBy::Price),
        ..Preferences::default()
    };
    let only_c = sample_with(|e| {
        if e.tag == "c" {
            e.parameters = tools;
        }
    });
    let found = plan(&needs, &only_c, &AllHealthy, &sorted, 0);
    assert_eq!(ids(&found, &only_c), ["m0@c"]);
    assert_eq!(
        planned(&needs, &sorted).len(),
        3,
        "none supports it: the request still goes out"
    );
}

struct Sick(Vec<(usize, EndpointHealth)>);

impl HealthView for Sick {
    fn health(&self, endpoint: usize) -> EndpointHealth {
        self.0
            .iter()
            .find(|(index, _)| *index == endpoint)
            .map(|(_, h)| *h)
            .unwrap_or_default()
    }
}

#[test]
fn failing_endpoints_go_last() {
    let catalogue = sample();
    let unstable = EndpointHealth {
        is_unstable: true,
        ..EndpointHealth::default()
    };
    let resting = EndpointHealth {
        is_resting: true,
        ..EndpointHealth::default()
    };
    let health = Sick(vec![(0, resting), (1, unstable)]);
    for seed in 0..100 {
        let plan = plan(
            &wanting(&[0]),
            &catalogue,
            &health,
            &Preferences::default(),
            seed,
        );
        assert_eq!(ids(&plan, &catalogue), ["m0@c", "m0@b/turbo", "m0@a"]);
        assert_eq!(plan.candidates[2].reason, Reason::Resting);
    }
}

#[test]
fn measured_sorts_put_the_unmeasured_last() {
    let catalogue = sample();
    let measured = |latency_ms, throughput_milli| EndpointHealth {
        latency_ms: Some(latency_ms),
        throughput_milli: Some(throughput_milli),
        ..EndpointHealth::default()
    };
    let health = Sick(vec![(1, measured(900, 50_000)), (2, measured(100, 20_000))]);
    let by = |sort| {
        let preferences = Preferences {
            sort: Some(sort),
            ..Preferences::default()
        };
        ids(
            &plan(&wanting(&[0]), &catalogue, &health, &preferences, 0),
            &catalogue,
        )
    };
    assert_eq!(by(SortBy::Latency), ["m0@c", "m0@b/turbo", "m0@a"]);
    assert_eq!(by(SortBy::Throughput), ["m0@b/turbo", "m0@c", "m0@a"]);
}

#[test]
fn failures_decide_the_next_step() {
    let catalogue = sample_with(|e| {
        if e.tag == "c" {
            e.context_length = Some(1_000_000);
        }
    });
    let sorted = Preferences {
        sort: Some(SortBy::Price),
        ..Preferences::default()
    };
    let plan = plan(&wanting(&[0, 1]), &catalogue, &AllHealthy, &sorted, 0);
    let check = |retry, current, was_repaired, expected| {
        let failure = Failure {
            retry,
            ..Failure::unavailable("x")
        };
        let step = after_failure(&plan, &catalogue, current, &failure, was_repaired);
        assert_eq!(step, expected, "{retry:?} at {current}");
    };
    check(Retry::Elsewhere, 0, false, Step::Next(1));
    check(Retry::Elsewhere, 4, false, Step::Stop);
    check(Retry::No, 0, false, Step::Next(3));
    check(Retry::No, 3, false, Step::Stop);
    check(Retry::LargerContext, 0, false, Step::Next(2));
    check(Retry::IfTranslated, 1, false, Step::Next(3));
    check(
        Retry::SameAfterStrip,
        0,
        false,
        Step::Again(Repair::StripSealedReasoning),
    );
    check(Retry::SameAfterStrip, 0, true, Step::Next(3));
}

prop_compose! {
    fn preferences()(order in prop::collection::vec("[abc]", 0..3), only in prop::option::of(prop::collection::vec("[abc]", 0..3)),
                     ignore in prop::collection::vec("[abc]", 0..2), allow_fallbacks: bool, merge_models: bool,
                     sort in prop::option::of(prop::sample::select(vec![SortBy::Price, SortBy::Latency, SortBy::Throughput]))) -> Preferences {
        Preferences { order, only, ignore, allow_fallbacks, sort, merge_models, ..Preferences::default() }
    }
}

proptest! {
    /// Each endpoint of the wanted models is there once: in, or out with a reason.
    #[test]
    fn a_plan_loses_nobody(preferences in preferences(), seed: u64, models in prop::sample::subsequence(vec![0, 1], 1..=2)) {
        let catalogue = sample();
        let needs = wanting(&models);
        let found = plan(&needs, &catalogue, &AllHealthy, &preferences, seed);
        let mut all: Vec<usize> = found.candidates.iter().map(|c| c.endpoint)
            .chain(found.excluded.iter().map(|(endpoint, _)| *endpoint)).collect();
        all.sort_unstable();
        let expected: Vec<usize> = models.iter().flat_map(|m| catalogue.models()[*m].endpoints.clone()).collect();
        prop_assert_eq!(all, expected);
        prop_assert_eq!(&found, &plan(&needs, &catalogue, &AllHealthy, &preferences, seed), "same seed, same plan");
    }

    /// R-O6: never outside the caller's allowed set.
    #[test]
    fn a_plan_stays_inside_what_is_allowed(preferences in preferences(), seed: u64) {
        let catalogue = sample();
        for candidate in plan(&wanting(&[0, 1]), &catalogue, &AllHealthy, &preferences, seed).candidates {
            let slug = &catalogue.providers()[catalogue.endpoints()[candidate.endpoint].provider].slug;
            prop_assert!(preferences.only.as_ref().is_none_or(|only| only.contains(slug)));
            prop_assert!(!preferences.ignore.contains(slug));
        }
    }

    /// An endpoint that begins to fail does not push others down.
    #[test]
    fn a_failing_endpoint_lowers_nobody_else(failing in 0_usize..3, seed: u64) {
        let catalogue = sample();
        let sorted = Preferences { sort: Some(SortBy::Price), ..Preferences::default() };
        let place = |health: &Sick, endpoint: usize| {
            plan(&wanting(&[0]), &catalogue, health, &sorted, seed).candidates.iter().position(|c| c.endpoint == endpoint)
        };
        let unstable = Sick(vec![(failing, EndpointHealth { is_unstable: true, ..EndpointHealth::default() })]);
        for other in (0..3).filter(|other| *other != failing) {
            prop_assert!(place(&unstable, other) <= place(&Sick(Vec::new()), other));
        }
    }
}
