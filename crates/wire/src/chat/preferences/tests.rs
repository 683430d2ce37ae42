use super::*;
use proptest::prelude::*;

fn read(provider: &str, route: Option<&str>) -> Result<Preferences, RequestError> {
    let raw = |text| serde_json::from_str::<&RawValue>(text).unwrap();
    parse(Some(raw(provider)), route.map(raw))
}

#[test]
fn every_field_is_read() {
    let read = read(
        r#"{"order":["OpenAI","deepinfra/turbo"],"only":[],"ignore":["X"],"allow_fallbacks":false,
        "require_parameters":true,"data_collection":"deny","zdr":true,"enforce_distillable_text":true,
        "quantizations":["fp8","fp8","int4"],"sort":{"by":"throughput","partition":"none"},
        "preferred_min_throughput":20.5,"preferred_max_latency":{"p50":1,"p90":2.25,"p99":null},
        "max_price":{"prompt":1,"completion":"2.5","request":0.01,"image":"0","audio":1e-6},
        "options":{"openai":{}},"unknown":1}"#,
        None,
    );
    let expected = Preferences {
        order: vec!["openai".into(), "deepinfra/turbo".into()],
        only: Some(Vec::new()),
        ignore: vec!["x".into()],
        allow_fallbacks: false,
        require_parameters: true,
        deny_collection: true,
        zero_retention: true,
        enforce_distillable: true,
        quantizations: vec![Quantization::Fp8, Quantization::Int4],
        sort: Some(SortBy::Throughput),
        merge_models: true,
        min_throughput: Cutoffs {
            p50: Some(20_500),
            ..Cutoffs::default()
        },
        max_latency: Cutoffs {
            p50: Some(1_000),
            p90: Some(2_250),
            ..Cutoffs::default()
        },
        max_price: MaxPrice {
            prompt: Some(Price::from_pico(1_000_000)),
            completion: Some(Price::from_pico(2_500_000)),
            request: Some(Price::from_pico(10_000_000_000)),
            image: Some(Price::ZERO),
            audio: Some(Price::from_pico(1_000_000)),
        },
    };
    assert_eq!(read, Ok(expected));
}

#[test]
fn absent_and_null_mean_the_defaults() {
    assert_eq!(parse(None, None), Ok(Preferences::default()));
    for provider in [
        "{}",
        "null",
        r#"{"order":null,"only":null,"allow_fallbacks":null,"data_collection":null,"sort":null,"max_price":null}"#,
        r#"{"data_collection":"allow","zdr":false,"max_price":{},"sort":{"partition":"model"}}"#,
    ] {
        assert_eq!(
            read(provider, Some("null")),
            Ok(Preferences::default()),
            "{provider}"
        );
    }
}

#[test]
fn the_old_route_is_a_partition() {
    let merges = |provider, route| read(provider, Some(route)).map(|read| read.merge_models);
    assert_eq!(merges("{}", r#""sort""#), Ok(true));
    assert_eq!(merges("{}", r#""fallback""#), Ok(false));
    assert_eq!(
        merges(r#"{"sort":{"partition":"model"}}"#, r#""sort""#),
        Ok(false)
    );
}

#[test]
fn mistakes_are_named() {
    for (provider, expected) in [
        ("[]", "provider: expected an object"),
        (
            r#"{"order":"openai"}"#,
            "provider.order: expected an array of strings",
        ),
        (r#"{"only":["a",1]}"#, "provider.only[1]: expected a string"),
        (
            r#"{"allow_fallbacks":"no"}"#,
            "provider.allow_fallbacks: expected a boolean",
        ),
        (
            r#"{"data_collection":true}"#,
            "provider.data_collection: expected one of `allow`, `deny`",
        ),
        (
            r#"{"quantizations":["fp7"]}"#,
            "provider.quantizations[0]: expected one of `int4`, `int8`, `fp4`, `mxfp4`, `nvfp4`, `fp6`, `fp8`, `mxfp8`, `fp16`, `bf16`, `fp32`, `unknown`",
        ),
        (
            r#"{"sort":"speed"}"#,
            "provider.sort: expected one of `price`, `throughput`, `latency`, `exacto`",
        ),
        (
            r#"{"sort":1}"#,
            "provider.sort: expected a string or an object",
        ),
        (
            r#"{"sort":{"partition":"all"}}"#,
            "provider.sort.partition: expected one of `model`, `none`",
        ),
        (
            r#"{"preferred_max_latency":{"p50":-1}}"#,
            "provider.preferred_max_latency.p50: expected a number of at least 0",
        ),
        (
            r#"{"preferred_min_throughput":"9"}"#,
            "provider.preferred_min_throughput: expected a number of at least 0",
        ),
        (
            r#"{"max_price":{"prompt":"cheap"}}"#,
            "provider.max_price.prompt: expected a price in dollars, as a number or a string",
        ),
        (
            r#"{"max_price":{"image":-1}}"#,
            "provider.max_price.image: expected a price in dollars, as a number or a string",
        ),
        (
            r#"{"options":{"openai":1}}"#,
            "provider.options.openai: expected an object",
        ),
    ] {
        let message = read(provider, None).map_err(|error| error.into_failure().message);
        assert_eq!(message, Err(expected.to_owned()), "{provider}");
    }
    let route = read("{}", Some(r#""scenic""#)).map_err(|error| error.path);
    assert_eq!(route, Err("route".to_owned()));
}

proptest! {
    #[test]
    fn arbitrary_values_never_panic(
        key in prop::sample::select(vec!["order", "sort", "max_price", "quantizations", "preferred_max_latency", "options"]),
        value in prop::sample::select(vec!["1", "-1e400", "[[]]", "\"\\ud800\"", "{\"p50\":1e99}", "{\"prompt\":1e63}", "[null]", "0.0000000000001"]),
    ) {
        let _ = read(&format!(r#"{{"{key}":{value}}}"#), None);
    }
}
