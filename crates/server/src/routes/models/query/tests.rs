use super::*;
use crate::testing::{NOW, catalogue};
use interline_domain::routing::EndpointHealth;

fn parse(query: &str) -> Result<ListQuery, ApiError> {
    let pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    ListQuery::parse(&pairs)
}

struct Measured;

impl HealthView for Measured {
    /// The first and the third endpoint are measured, the third is the better.
    fn health(&self, endpoint: usize) -> EndpointHealth {
        let figure = match endpoint {
            0 => Some(500),
            2 => Some(100),
            _ => None,
        };
        EndpointHealth {
            latency_ms: figure,
            throughput_milli: figure.map(|figure| 1_000 - figure),
            ..EndpointHealth::default()
        }
    }
}

#[test]
fn filters_and_sorts() {
    let catalogue = catalogue();
    let order: Vec<usize> = (0..catalogue.models().len()).collect();
    let (cheap, dear, free, alias, draws) = (
        "acme/cheap",
        "acme/dear",
        "acme/cheap:free",
        "~acme/latest",
        "other/draws",
    );
    let texts: &[&str] = &[cheap, dear, free, alias];
    for (query, expected) in [
        ("", texts),
        ("output_modalities=all", &[cheap, dear, free, alias, draws]),
        ("output_modalities=image", &[draws]),
        (
            "output_modalities=image,text",
            &[cheap, dear, free, alias, draws],
        ),
        ("input_modalities=image,text", &[dear, alias]),
        ("supported_parameters=tools", &[dear, alias]),
        ("supported_parameters=tools,temperature", &[]),
        ("q=CHEAP", &[cheap, free]),
        ("q=20250101", texts),
        ("context=100000", &[dear, alias]),
        ("max_price=1", &[cheap, free]),
        ("min_price=0.0001", &[cheap, dear, alias]),
        ("min_price=1&max_price=1", &[cheap]),
        ("max_output_price=2", &[cheap, free]),
        ("min_output_price=30", &[dear, alias]),
        ("output_modalities=all&max_price=1000000", texts),
        ("arch=gpt", &[dear, alias]),
        ("output_modalities=all&model_authors=other,Nobody", &[draws]),
        ("model_authors=acme", texts),
        ("providers=QUIET", &[cheap, dear, alias]),
        ("providers=loud,quiet", texts),
        ("distillable=true", &[dear, alias]),
        ("distillable=false", &[cheap, free]),
        ("zdr=true", &[cheap, dear, alias]),
        ("region=eu", &[cheap, dear, alias]),
        ("region=us", &[]),
        // `NOW` is 115 days after the cheap model and 231 after the dear one.
        ("min_age_days=116", &[dear, alias]),
        ("max_age_days=115", &[cheap]),
        ("category=legal", &[]),
        ("min_tool_success_rate=0.5", &[]),
        ("sort=newest", &[cheap, dear, alias, free]),
        ("sort=pricing-low-to-high", &[free, cheap, dear, alias]),
        (
            "sort=pricing-high-to-low&output_modalities=all",
            &[dear, alias, cheap, free, draws],
        ),
        ("sort=context-high-to-low", &[dear, alias, cheap, free]),
        ("sort=throughput-high-to-low", &[dear, alias, cheap, free]),
        ("sort=latency-low-to-high", &[dear, alias, cheap, free]),
        ("sort=most-popular", texts),
        // Optional parameters of generated clients, and names of others.
        ("offset=null&q=&min_price=null&utm=x", texts),
    ] as [(&str, &[&str]); _]
    {
        let found = parse(query)
            .unwrap()
            .select(&catalogue, &order, &Measured, NOW.seconds());
        let ids: Vec<&str> = found
            .iter()
            .map(|index| catalogue.models()[*index].id.as_str())
            .collect();
        assert_eq!(ids, expected, "{query}");
    }
}

#[test]
fn what_is_not_valid_is_named() {
    for query in [
        "offset=-1",
        "offset=x",
        "limit=0",
        "limit=1001",
        "limit=1.5",
        "output_modalities=smell",
        "input_modalities=text,all",
        "supported_parameters=tools,wings",
        "category=gossip",
        "context=0",
        "min_price=-1",
        "max_price=cheap",
        "distillable=maybe",
        "zdr=false",
        "region=mars",
        "min_age_days=-1",
        "min_coding_index=-1",
        "max_coding_index=NaN",
        "min_tool_success_rate=1.1",
        "sort=random",
    ] {
        let name = query.split('=').next().unwrap();
        let error = parse(query).map(|_| ()).unwrap_err();
        assert!(
            format!("{error:?}").contains(&format!("{name}: ")),
            "{query}: {error:?}"
        );
    }
}

#[test]
fn pages() {
    for (query, expected) in [
        ("", None),
        ("offset=5", Some((5, 500))),
        ("limit=10", Some((0, 10))),
        ("offset=1&limit=1000", Some((1, 1_000))),
    ] {
        let page = parse(query)
            .unwrap()
            .page
            .map(|page| (page.offset, page.limit));
        assert_eq!(page, expected, "{query}");
    }
}

#[test]
fn only_the_plain_list_is_the_default() {
    for (query, expected) in [
        ("", true),
        ("output_modalities=text", true),
        ("limit=500", false),
        ("use_rss=true", false),
        ("q=x", false),
    ] {
        assert_eq!(parse(query).unwrap().is_default(), expected, "{query}");
    }
}
