//! The quirk tables as they come out of the data files.

use super::{built, endpoint};
use interline_domain::catalogue::Dialect;
use interline_domain::quirks::{
    GeminiThinking, LimitField, ReasoningInput, ReasoningReplay, Sampling, Thinking,
};
use std::sync::Arc;

#[test]
fn quirks_come_from_provider_rule_and_model() {
    let built = built("", &|_| true);
    let quirks = |id: &str| Arc::clone(&endpoint(&built, id).quirks);

    let openai = quirks("openai/gpt-5.4@openai");
    assert_eq!(openai.limit, LimitField::MaxCompletionTokens);
    assert!(openai.developer_role && openai.include_obfuscation && openai.cancels);

    let deepseek = quirks("deepseek/deepseek-v4-pro@deepseek");
    assert_eq!(deepseek.reasoning_input, ReasoningInput::ThinkingAndEffort);
    assert_eq!(deepseek.reasoning_replay, ReasoningReplay::Required);
    assert!(!deepseek.json_schema && deepseek.json_object && deepseek.cancels);

    assert_eq!(
        quirks("x-ai/grok-4@xai").reasoning_input,
        ReasoningInput::None
    );
    assert_eq!(
        quirks("x-ai/grok-4.7@xai").reasoning_input,
        ReasoningInput::Effort
    );
    assert!(!quirks("moonshotai/kimi-k2.6@moonshotai/int4").tool_choice_required);
    assert!(quirks("moonshotai/kimi-k3@moonshotai").tool_choice_required);
    assert!(!quirks("openai/gpt-oss-120b@groq").message_names);
}

/// Each generation of Claude, at every provider that speaks its dialect: sampling, thinking, may
/// be told not to think, may be forced to call, continues a trailing turn.
#[test]
fn claude_generations_differ() {
    const CLAUDES: &[(&str, Sampling, Thinking, [bool; 3])] = &[
        (
            "claude-3-haiku",
            Sampling::Full,
            Thinking::None,
            [true, true, true],
        ),
        (
            "claude-sonnet-4",
            Sampling::Full,
            Thinking::Budget,
            [true, true, true],
        ),
        (
            "claude-opus-4.1",
            Sampling::One,
            Thinking::Budget,
            [true, true, true],
        ),
        (
            "claude-haiku-4.5",
            Sampling::One,
            Thinking::Budget,
            [true, true, true],
        ),
        (
            "claude-opus-4.6",
            Sampling::One,
            Thinking::AdaptiveOrBudget,
            [true, true, false],
        ),
        (
            "claude-opus-4.8",
            Sampling::None,
            Thinking::Adaptive,
            [true, true, false],
        ),
        (
            "claude-sonnet-5",
            Sampling::None,
            Thinking::Adaptive,
            [true, true, false],
        ),
        (
            "claude-haiku-5.5",
            Sampling::None,
            Thinking::Adaptive,
            [true, true, false],
        ),
        (
            "claude-fable-5",
            Sampling::None,
            Thinking::Adaptive,
            [false, true, false],
        ),
        (
            "claude-fable-5.1",
            Sampling::None,
            Thinking::Adaptive,
            [false, false, false],
        ),
        (
            "claude-opus-5.5",
            Sampling::None,
            Thinking::Adaptive,
            [false, false, false],
        ),
    ];
    let built = built("", &|_| true);
    for (name, sampling, thinking, flags) in CLAUDES {
        let model = built
            .catalogue
            .find_model(&format!("anthropic/{name}"))
            .expect(name);
        let spoken: Vec<_> = built
            .catalogue
            .endpoints_of(model)
            .iter()
            .filter(|endpoint| endpoint.dialect == Dialect::AnthropicMessages)
            .collect();
        assert!(!spoken.is_empty(), "{name}");
        for endpoint in spoken {
            let quirks = &endpoint.quirks;
            assert_eq!(
                (quirks.sampling, quirks.thinking),
                (*sampling, *thinking),
                "{name}"
            );
            let found = [
                quirks.thinking_disabled,
                quirks.forced_tools,
                quirks.prefill,
            ];
            assert_eq!(found, *flags, "{name} at {}", endpoint.tag);
        }
    }
}

#[test]
fn gemini_generations_differ() {
    let built = built("", &|_| true);
    let quirks = |id: &str| Arc::clone(&endpoint(&built, id).quirks);
    let check = |id: &str, thinking, signatures| {
        let quirks = quirks(&format!("google/{id}@google-ai-studio"));
        assert_eq!(quirks.gemini_thinking, thinking, "{id}");
        assert_eq!(quirks.thought_signatures, signatures, "{id}");
    };
    check("gemini-2.0-flash-001", GeminiThinking::None, false);
    check("gemini-2.5-pro", GeminiThinking::Budget, false);
    check("gemini-3.1-pro-preview", GeminiThinking::Level, true);
}

/// Who stops working when the connection closes, per the router's public list.
#[test]
fn cancelling_is_as_documented() {
    let built = built("", &|_| true);
    let check = |slug: &str, expected: bool| {
        let at = built.catalogue.find_provider(slug).expect("a provider");
        assert_eq!(
            built.catalogue.providers()[at].quirks.cancels,
            expected,
            "{slug}"
        );
    };
    for slug in [
        "openai",
        "azure",
        "anthropic",
        "fireworks",
        "novita",
        "deepinfra",
        "together",
        "cohere",
        "hyperbolic",
        "infermatic",
        "avian",
        "xai",
        "cloudflare",
        "liquid",
        "friendli",
        "chutes",
        "deepseek",
        "mancer",
    ] {
        check(slug, true);
    }
    for slug in [
        "amazon-bedrock",
        "groq",
        "modal",
        "google-vertex",
        "google-ai-studio",
        "minimax",
        "huggingface",
        "perplexity",
        "mistral",
        "ai21",
        "featherless",
        "sambanova",
        "inflection",
        "aion-labs",
        "alibaba",
        "nebius",
    ] {
        check(slug, false);
    }
}
