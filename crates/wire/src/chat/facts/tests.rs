use super::*;
use crate::chat::parse::parse;
use proptest::prelude::*;

fn facts(body: &str) -> Facts {
    Facts::of(&parse(body.as_bytes()).unwrap(), body.len())
}

fn with(fields: &str) -> Facts {
    facts(&format!(
        r#"{{"messages":[{{"role":"user","content":"hi"}}],{fields}}}"#
    ))
}

fn said(content: &str) -> Facts {
    facts(&format!(
        r#"{{"messages":[{{"role":"user","content":{content}}}]}}"#
    ))
}

#[test]
fn models_come_in_order_and_once() {
    let models = |fields| with(fields).models;
    assert_eq!(
        models(r#""model":"b","models":["a","b","c","a"]"#),
        ["b", "a", "c"]
    );
    assert_eq!(models(r#""models":["a"]"#), ["a"]);
    assert!(models(r#""stream":true"#).is_empty());
}

#[test]
fn small_things_are_kept() {
    let facts = with(
        r#""stream":true,"max_tokens":7,"user":"u","session_id":"s","prompt_cache_key":"k","service_tier":"flex",
        "reasoning":{"effort":"low","exclude":true},"debug":{"echo_upstream_body":true},
        "tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required","modalities":["image","text"]"#,
    );
    assert!(facts.stream && facts.exclude_reasoning && facts.has_tools && facts.forces_tool);
    assert!(facts.echoes_body && !facts.needs_rewrite && !facts.has_cache_markers);
    assert_eq!(facts.max_tokens, Some(7));
    assert_eq!(facts.user.as_deref(), Some("u"));
    assert_eq!(facts.session_id.as_deref(), Some("s"));
    assert_eq!(facts.prompt_cache_key.as_deref(), Some("k"));
    assert_eq!(facts.service_tier.as_deref(), Some("flex"));
    assert_eq!(facts.reasoning_effort.as_deref(), Some("low"));
    let both = [Modality::Text, Modality::Image].into_iter().collect();
    assert_eq!(facts.output_modalities, both);
    // Echo is for streams only.
    assert!(!with(r#""debug":{"echo_upstream_body":true}"#).echoes_body);
}

#[test]
fn modalities_come_from_the_parts() {
    fn check(part: &str, expected: &[Modality]) {
        let facts = said(&format!(r#"[{{"type":"text","text":"x"}},{part}]"#));
        let found: Vec<_> = facts.input_modalities.iter().collect();
        assert_eq!(found, expected, "{part}");
    }
    use Modality::{Audio, File, Image, Text, Video};
    check(r#"{"type":"text","text":"y"}"#, &[Text]);
    check(
        r#"{"type":"image_url","image_url":{"url":"https://x"}}"#,
        &[Text, Image],
    );
    check(
        r#"{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}"#,
        &[Text, Audio],
    );
    check(
        r#"{"type":"file","file":{"file_data":"data:application/pdf;base64,AA"}}"#,
        &[Text, File],
    );
    check(
        r#"{"type":"input_video","video_url":{"url":"https://x"}}"#,
        &[Text, Video],
    );
    let image = r#"{"type":"image_url","image_url":{"url":"https://x"}}"#;
    assert_eq!(said(&format!("[{image},{image}]")).images, 2);
}

#[test]
fn rewriting_is_foreseen() {
    fn check(message: &str, expected: bool) {
        let body = format!(r#"{{"messages":[{{"role":"user","content":"x"}},{message}]}}"#);
        assert_eq!(facts(&body).needs_rewrite, expected, "{message}");
    }
    check(r#"{"role":"assistant","content":"x"}"#, false);
    check(r#"{"role":"tool","tool_call_id":"c","content":"x"}"#, false);
    check(r#"{"role":"developer","content":"x"}"#, true);
    check(r#"{"role":"assistant","content":null}"#, true);
    check(
        r#"{"role":"assistant","content":"x","reasoning_content":"r"}"#,
        true,
    );
    check(r#"{"role":"assistant","content":"x","images":[]}"#, true);
    check(r#"{"role":"user","content":"x","name":"n"}"#, true);
    check(
        r#"{"role":"user","content":[{"type":"text","text":"x"}]}"#,
        true,
    );
}

#[test]
fn tokens_are_estimated() {
    fn check(content: &str, expected: u64) {
        let facts = said(&serde_json::to_string(content).unwrap());
        // Three for the message, three for the reply.
        assert_eq!(facts.prompt_tokens_estimate, expected + 6, "{content}");
    }
    check("x", 0);
    check(&"x".repeat(36), 10);
    check(&"字".repeat(40), 30);
    check(&"ab字".repeat(36), 20 + 27);
    let plain = with(r#""seed":1"#);
    let tools = with(
        r#""tools":[{"type":"function","function":{"name":"look_up","parameters":{"type":"object"}}}]"#,
    );
    assert!(tools.prompt_tokens_estimate > plain.prompt_tokens_estimate + 12);
    assert!(tools.prompt_tokens_bound > plain.prompt_tokens_bound + TOOLS_PREAMBLE_TOKENS);
}

#[test]
fn images_are_bounded_not_measured() {
    let data = "A".repeat(1_000_000);
    let image = said(&format!(
        r#"[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{data}"}}}}]"#
    ));
    assert_eq!(image.prompt_tokens_bound, IMAGE_TOKENS + 2 * MESSAGE_TOKENS);
}

proptest! {
    /// One token per byte is the worst any tokenizer does; a hold must cover it.
    #[test]
    fn the_bound_covers_every_byte(texts in prop::collection::vec("\\PC{1,40}", 1..6), id in "[a-z]{1,8}") {
        let messages: Vec<_> = texts
            .iter()
            .map(|text| {
                let text = serde_json::to_string(text).unwrap();
                format!(r#"{{"role":"assistant","content":{text},"reasoning":{text},"tool_calls":[{{"id":"{id}","type":"function","function":{{"name":"f","arguments":{text}}}}}]}}"#)
            })
            .collect();
        let facts = facts(&format!(r#"{{"messages":[{}]}}"#, messages.join(",")));
        let bytes: usize = texts.iter().map(|text| 3 * text.len() + id.len() + 1).sum();
        prop_assert!(facts.prompt_tokens_bound >= to_u64(bytes) + 4 * to_u64(texts.len()));
        prop_assert!((1..=facts.prompt_tokens_bound).contains(&facts.prompt_tokens_estimate));
    }
}
