use super::*;
use crate::anthropic_messages::encode::testing::{Model, ask, call, chat, tool};
use interline_domain::Parameters;
use interline_domain::catalogue::Reasoning;
use interline_domain::quirks::Quirks;
use serde_json::{Value, json};

#[test]
fn the_limit_is_always_there_and_never_too_high() {
    let check = |wanted: Option<u64>, model_max, output_cap, expected: u64| {
        let model = Model {
            max_completion_tokens: model_max,
            output_cap,
            ..Model::default()
        };
        let body = model.body(&ask(json!({"max_tokens": wanted})));
        assert_eq!(body["max_tokens"], expected);
    };
    check(None, None, None, 4096);
    check(None, Some(64000), None, 64000);
    check(Some(10), Some(64000), None, 10);
    check(Some(100_000), Some(64000), None, 64000);
    check(Some(100), Some(64000), Some(50), 50);
    check(None, Some(64000), Some(0), 1);
}

/// T29, and the models that take no sampling at all.
#[test]
fn t29_sampling_follows_the_model() {
    let check = |sampling, refused: Parameters, expected: Value| {
        let model = Model {
            refused,
            ..Model::with(|quirks| quirks.sampling = sampling)
        };
        let body = model.body(&ask(json!({"temperature": 1.7, "top_p": 0.9, "top_k": 3})));
        let mut seen = json!({});
        for name in ["temperature", "top_p", "top_k"] {
            if let Some(value) = body.get(name) {
                seen[name] = value.clone();
            }
        }
        assert_eq!(seen, expected);
    };
    let none = Parameters::EMPTY;
    check(
        Sampling::Full,
        none,
        json!({"temperature": 1, "top_p": 0.9, "top_k": 3}),
    );
    check(Sampling::One, none, json!({"temperature": 1, "top_k": 3}));
    check(Sampling::None, none, json!({}));
    let refused = none.with(Parameter::Temperature);
    check(Sampling::One, refused, json!({"top_p": 0.9, "top_k": 3}));
}

/// Checks `thinking`, `output_config.effort` and `max_tokens` of a model with 64000 tokens at most.
fn check_reasoning(ability: Ability, fields: &Value, expected: &(Value, Value, u64)) {
    let model = Model {
        max_completion_tokens: Some(64000),
        ..Model::thinking(ability)
    };
    let body = model.body(&ask(fields.clone()));
    let seen = (
        body["thinking"].clone(),
        body["output_config"]["effort"].clone(),
        body["max_tokens"].as_u64().unwrap_or_default(),
    );
    assert_eq!(&seen, expected, "{fields}");
}

fn effort(effort: &str, max_tokens: u64) -> Value {
    json!({"reasoning": {"effort": effort}, "max_tokens": max_tokens})
}

fn budget(tokens: u64) -> Value {
    json!({"type": "enabled", "budget_tokens": tokens})
}

#[test]
fn budgets_are_reckoned_from_effort_and_fit_the_limit() {
    let check = |fields: Value, thinking: Value, max_tokens: u64| {
        let expected = (thinking, Value::Null, max_tokens);
        check_reasoning(Ability::Budget, &fields, &expected);
    };
    let explicit =
        |tokens: u64, max: u64| json!({"reasoning": {"max_tokens": tokens}, "max_tokens": max});
    check(json!({}), Value::Null, 64000);
    check(json!({"reasoning": {}}), Value::Null, 64000);
    check(effort("none", 9), Value::Null, 9);
    check(effort("high", 10_000), budget(8000), 10_000);
    check(effort("low", 10_000), budget(2000), 10_000);
    check(effort("minimal", 10_000), budget(1024), 10_000);
    check(effort("medium", 500), budget(1024), 1524);
    check(effort("max", 64000), budget(60_800), 64000);
    check(explicit(5, 2000), budget(1024), 2000);
    check(explicit(99_000, 10), budget(63_999), 64000);
    let enabled = json!({"reasoning": {"enabled": true}, "max_tokens": 4096});
    check(enabled, budget(2048), 4096);
    // `verbosity` would need a field that these models refuse.
    check(json!({"verbosity": "high"}), Value::Null, 64000);
}

#[test]
fn adaptive_models_take_effort() {
    let check = |fields: Value, display: Option<&str>, effort: Option<&str>| {
        let thinking = display.map(|display| json!({"type": "adaptive", "display": display}));
        let expected = (json!(thinking), json!(effort), 64000);
        check_reasoning(Ability::Adaptive, &fields, &expected);
    };
    let shown = Some("summarized");
    check(json!({}), None, None);
    check(effort("xhigh", 64000), shown, Some("xhigh"));
    check(effort("minimal", 64000), shown, Some("low"));
    check(effort("none", 64000), None, None);
    check(json!({"reasoning": {"max_tokens": 5000}}), shown, None);
    let hidden = json!({"reasoning": {"effort": "low", "exclude": true}});
    check(hidden, Some("omitted"), Some("low"));
    let verbose = json!({"reasoning": {"effort": "low"}, "verbosity": "high"});
    check(verbose, shown, Some("high"));
    check(json!({"verbosity": "high"}), None, Some("high"));
}

#[test]
fn models_with_both_ways_take_what_is_said() {
    let both = Ability::AdaptiveOrBudget;
    let explicit = json!({"reasoning": {"max_tokens": 5000}});
    check_reasoning(both, &explicit, &(budget(5000), Value::Null, 64000));
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    check_reasoning(both, &effort("max", 100), &(adaptive, json!("max"), 100));
    let neither = (Value::Null, Value::Null, 100);
    check_reasoning(Ability::None, &effort("max", 100), &neither);
}

#[test]
fn models_that_reason_by_default_are_told_not_to() {
    let check = |disabled: bool, fields: Value, expected: Value| {
        let model = Model::with(|quirks| {
            quirks.thinking = Ability::Adaptive;
            quirks.thinks_by_default = true;
            quirks.thinking_disabled = disabled;
        });
        assert_eq!(model.body(&ask(fields))["thinking"], expected);
    };
    let off = json!({"reasoning": {"effort": "none"}});
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    check(true, off.clone(), json!({"type": "disabled"}));
    check(false, off, Value::Null);
    check(true, json!({}), adaptive);
}

#[test]
fn effort_is_clamped_to_what_the_model_lists() {
    let check = |listed: &[&str], asked: &str, expected: Value| {
        let model = Model {
            reasoning: Some(Reasoning {
                supported_efforts: Some(listed.iter().map(|&level| level.to_owned()).collect()),
                ..Reasoning::default()
            }),
            ..Model::thinking(Ability::Adaptive)
        };
        let body = model.body(&ask(json!({"reasoning": {"effort": asked}})));
        assert_eq!(
            body["output_config"]["effort"], expected,
            "{asked} of {listed:?}"
        );
    };
    check(&["high", "medium", "low"], "max", json!("high"));
    check(&["high", "low"], "medium", json!("low"));
    check(&["max", "high"], "low", json!("high"));
    check(&[], "high", Value::Null);
}

#[test]
fn a_budget_that_cannot_be_paid_for_is_cut_or_dropped() {
    let check = |cap: u64, thinking: Value, max_tokens: u64| {
        let model = Model {
            output_cap: Some(cap),
            ..Model::thinking(Ability::Budget)
        };
        let body = model.body(&ask(
            json!({"reasoning": {"max_tokens": 5000}, "max_tokens": 8000}),
        ));
        assert_eq!(body["thinking"], thinking);
        assert_eq!(body["max_tokens"], max_tokens);
    };
    check(
        9000,
        json!({"type": "enabled", "budget_tokens": 5000}),
        8000,
    );
    check(
        3000,
        json!({"type": "enabled", "budget_tokens": 2999}),
        3000,
    );
    check(1000, Value::Null, 1000);
}

#[test]
fn sampling_stays_away_from_thinking() {
    let model = Model::thinking(Ability::Budget);
    let fields = |top_p: f64| json!({"reasoning": {"effort": "low"}, "temperature": 0.5, "top_k": 4, "top_p": top_p});
    let body = model.body(&ask(fields(0.97)));
    assert_eq!(body["top_p"], 0.97);
    assert_eq!((body.get("temperature"), body.get("top_k")), (None, None));
    assert_eq!(model.body(&ask(fields(0.9))).get("top_p"), None);
}

/// T20: where the last calls were made without thinking, a budget is a 400.
#[test]
fn t20_thinking_is_off_after_calls_without_it() {
    let details = json!([{"type": "reasoning.text", "text": "T", "signature": "S"}]);
    let history = |details: Value| {
        json!([
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "tool_calls": [call("a", "f", "{}")], "reasoning_details": details},
            {"role": "tool", "tool_call_id": "a", "content": "r"},
        ])
    };
    let fields =
        json!({"tools": [tool("f")], "reasoning": {"max_tokens": 2000}, "max_tokens": 4000});
    let budget = Model::thinking(Ability::Budget);
    let body = budget.body(&chat(history(details.clone()), fields.clone()));
    assert_eq!(body["thinking"]["type"], "enabled");
    let first = &body["messages"][1]["content"][0];
    assert_eq!(
        first,
        &json!({"type": "thinking", "thinking": "T", "signature": "S"})
    );

    let foreign = chat(history(json!([])), fields.clone());
    assert_eq!(budget.body(&foreign).get("thinking"), None);
    let either = Model::thinking(Ability::AdaptiveOrBudget).body(&foreign);
    assert_eq!(either["thinking"]["type"], "adaptive");

    let stripped = Model {
        strip_sealed_reasoning: true,
        ..budget
    };
    let body = stripped.body(&chat(history(details.clone()), fields.clone()));
    assert_eq!(body.get("thinking"), None);
    assert_eq!(body["messages"][1]["content"][0]["type"], "tool_use");
    let unable = Model::default().body(&chat(history(details), fields));
    assert_eq!(unable["messages"][1]["content"][0]["type"], "tool_use");
}

/// T27: a caller's force wins over thinking, ours does not.
#[test]
fn t27_forced_calls_and_thinking() {
    let forced = json!({"tools": [tool("f")], "tool_choice": "required", "max_tokens": 9000,
        "reasoning": {"effort": "high"}});
    let check = |change: fn(&mut Quirks), choice: Value, thinking: Value| {
        let body = Model::with(change).body(&ask(forced.clone()));
        assert_eq!(body["tool_choice"], choice);
        assert_eq!(body["thinking"]["type"], thinking);
    };
    let any = json!({"type": "any"});
    check(
        |quirks| quirks.thinking = Ability::Budget,
        any.clone(),
        Value::Null,
    );
    check(
        |quirks| quirks.thinking = Ability::AdaptiveOrBudget,
        any.clone(),
        Value::Null,
    );
    check(
        |quirks| quirks.thinking = Ability::Adaptive,
        any,
        json!("adaptive"),
    );
    check(
        |quirks| {
            quirks.thinking = Ability::Adaptive;
            quirks.forced_tools = false;
        },
        json!({"type": "auto"}),
        json!("adaptive"),
    );
    let stubborn = Model::with(|quirks| {
        quirks.thinking = Ability::AdaptiveOrBudget;
        quirks.thinks_by_default = true;
        quirks.thinking_disabled = false;
    });
    let error = stubborn.error(&ask(forced.clone()));
    assert_eq!(error.error_type, ErrorType::InvalidRequest);
}
