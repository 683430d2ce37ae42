use super::*;
use interline_domain::pricing::ChargeLine;
use interline_domain::{Money, Price};

fn written(usage: &Usage, charge: &Charge, is_byok: bool) -> String {
    let mut out = Vec::new();
    write_usage(usage, charge, is_byok, &mut out);
    String::from_utf8(out).unwrap()
}

fn line(name: &'static str, units: u64, pico: i64, side: Side) -> ChargeLine {
    ChargeLine {
        name,
        units,
        price: Price::from_pico(pico),
        side,
    }
}

#[test]
fn zero_counters_are_written() {
    let expected = concat!(
        r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0,"cost":0,"is_byok":false,"#,
        r#""prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0,"audio_tokens":0,"video_tokens":0},"#,
        r#""cost_details":{"upstream_inference_cost":0,"upstream_inference_prompt_cost":0,"#,
        r#""upstream_inference_completions_cost":0,"components":[]},"#,
        r#""completion_tokens_details":{"reasoning_tokens":0,"image_tokens":0,"audio_tokens":0,"#,
        r#""accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}"#,
    );
    assert_eq!(
        written(&Usage::default(), &Charge::default(), false),
        expected
    );
}

#[test]
fn money_is_the_exact_decimal() {
    let charge = Charge {
        total: Money::from_nano(9_007_199_254_740_993),
        lines: vec![
            line("prompt", 1_000, 150_000, Side::Prompt),
            line("cache_read", 3, 75_000, Side::Prompt),
            line("completion", 7, 600_000, Side::Completion),
            line("request", 1, 1_000_000_000, Side::Fixed),
        ],
    };
    let usage = Usage {
        prompt_tokens: 1_003,
        completion_tokens: 7,
        cached_tokens: 3,
        web_search_requests: 2,
        ..Usage::default()
    };
    let text = written(&usage, &charge, true);
    // No f64 holds this number: as a float it would end in 992 or 994.
    for expected in [
        r#""cost":9007199.254740993,"is_byok":true"#,
        r#""total_tokens":1010"#,
        r#""upstream_inference_cost":0.001154425"#,
        r#""upstream_inference_prompt_cost":0.000150225"#,
        r#""upstream_inference_completions_cost":0.0000042"#,
        r#"{"name":"prompt","units":1000,"unit_price":"0.00000015","cost":"0.00015"}"#,
        r#"{"name":"request","units":1,"unit_price":"0.001","cost":"0.001"}"#,
        r#""server_tool_use":{"web_search_requests":2}"#,
        r#""server_tool_use_details":{"web_search_requests":2}"#,
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
}
