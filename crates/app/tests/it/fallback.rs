//! Where a request goes: fallbacks, preferences, variants, and the explanation of all that.

use crate::support::{Answer, Blueprint, World, chat, shared, sim, streamed, with};
use bytes::Bytes;
use http::HeaderValue;
use interline_sim::{Behaviour, Dialect, Fault, Handle, Script, Text, What};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Each upstream model answers with its own name; `broken` and `picky` never answer.
async fn provider() -> Handle {
    let failing = |status| {
        let fault = Fault {
            what: What::Status,
            status: Some(status),
            ..Fault::default()
        };
        Behaviour {
            faults: vec![fault],
            ..Behaviour::default()
        }
    };
    let saying = |text: &str| Behaviour {
        text: Text::Fixed(text.to_owned()),
        ..Behaviour::default()
    };
    let mut models = BTreeMap::from([
        ("broken".to_owned(), failing(503)),
        ("picky".to_owned(), failing(400)),
    ]);
    for name in [
        "cheap", "middle", "dear", "free", "other", "thinker", "long",
    ] {
        models.insert(name.to_owned(), saying(name));
    }
    sim(Script {
        models,
        ..Script::default()
    })
    .await
}

fn blueprint(provider: &Handle) -> Blueprint {
    let price = |price: &str| format!("prompt = \"{price}\", completion = \"{price}\"");
    let mut blueprint = Blueprint::new();
    for slug in ["cheap", "middle", "dear", "broken"] {
        blueprint = blueprint.provider(slug, Dialect::OpenaiChat, provider);
    }
    blueprint
        .model("acme/large")
        .endpoint_with("acme/large", "dear", "dear", &price("0.00001"), "")
        .endpoint_with("acme/large", "cheap", "cheap", &price("0.000001"), "")
        .endpoint_with("acme/large", "middle", "middle", &price("0.000005"), "")
        .model("acme/large:free")
        .endpoint_with("acme/large:free", "cheap", "free", &price("0"), "")
        .model("acme/large:extended")
        .endpoint_with("acme/large:extended", "dear", "long", &price("0.00002"), "")
        .model("acme/other")
        .endpoint("acme/other", "cheap", "other")
        .model("acme/broken")
        .endpoint("acme/broken", "broken", "broken")
        .model("acme/picky")
        .endpoint("acme/picky", "cheap", "picky")
        .model("acme/half")
        .endpoint_with("acme/half", "broken", "broken", &price("0.0000001"), "")
        .endpoint_with("acme/half", "dear", "dear", &price("0.00001"), "")
        .model_with(
            "acme/thinker",
            "reasoning = { supported_efforts = [\"high\", \"low\"], default_enabled = false }",
        )
        .endpoint("acme/thinker", "cheap", "thinker")
}

fn text(answer: &Answer) -> String {
    answer
        .complete_text()
        .unwrap_or_else(|| format!("{} {}", answer.status, answer.text()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_model_answers_whatever_the_error_of_the_first() {
    let _machine = shared().await;
    let provider = provider().await;
    let world = World::start(blueprint(&provider)).await;
    let mut expected = 0;
    for first in ["acme/broken", "acme/picky", "acme/unknown"] {
        for body in [chat, streamed] {
            let body = with(body(first), &json!({ "models": [first, "acme/other"] }));
            let answer = world.client.chat(&body).await;
            assert_eq!(text(&answer), "other", "{body}");
            expected += 1;
            let model = if answer.is_stream() {
                answer.events().chunks[0]["model"].clone()
            } else {
                answer.json()["model"].clone()
            };
            assert_eq!(model, "acme/other", "the model that answered is named");
        }
    }
    // Filters remove all endpoints of the first model: the second is asked.
    let body = json!({ "models": ["acme/large", "acme/half"], "provider": { "only": ["broken", "dear"], "max_price": { "prompt": 1 } } });
    let answer = world.client.chat(&with(chat("acme/large"), &body)).await;
    assert_eq!(
        answer.status,
        503,
        "only the broken endpoint is cheap enough: {}",
        answer.text()
    );
    let books = world.finish().await;
    assert_eq!(books.charges.len(), expected, "one charge per answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preferences_decide_who_answers() {
    let _machine = shared().await;
    let provider = provider().await;
    let world = World::start(blueprint(&provider)).await;
    let check = async |model: &str, preferences: Value, expected: &[&str]| {
        for _ in 0..3 {
            let body = with(chat(model), &json!({ "provider": preferences }));
            let found = text(&world.client.chat(&body).await);
            assert!(
                expected.iter().any(|text| found.starts_with(text)),
                "{body}: {found}"
            );
        }
    };
    check("acme/large", json!({ "sort": "price" }), &["cheap"]).await;
    check("acme/large", json!({ "order": ["dear"] }), &["dear"]).await;
    check(
        "acme/large",
        json!({ "order": ["middle", "dear"] }),
        &["middle"],
    )
    .await;
    check("acme/large", json!({ "only": ["middle"] }), &["middle"]).await;
    check("acme/large", json!({ "only": ["MIDDLE"] }), &["middle"]).await;
    check(
        "acme/large",
        json!({ "ignore": ["cheap", "dear"] }),
        &["middle"],
    )
    .await;
    check(
        "acme/large",
        json!({ "max_price": { "prompt": 2 } }),
        &["cheap"],
    )
    .await;
    check(
        "acme/large",
        json!({ "order": ["dear"], "ignore": ["dear"], "sort": "price" }),
        &["cheap"],
    )
    .await;
    check(
        "acme/half",
        json!({ "order": ["broken", "dear"] }),
        &["dear"],
    )
    .await;
    check("acme/half", json!({ "order": ["broken"] }), &["dear"]).await;
    check(
        "acme/half",
        json!({ "order": ["broken"], "allow_fallbacks": false }),
        &["503"],
    )
    .await;
    check(
        "acme/half",
        json!({ "order": ["broken", "dear"], "allow_fallbacks": false }),
        &["dear"],
    )
    .await;
    check("acme/half", json!({ "only": ["broken"] }), &["503"]).await;
    // Without a wish the cheap one is drawn most often, and never is it always the same.
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..200 {
        *seen
            .entry(text(&world.client.chat(&chat("acme/large")).await))
            .or_default() += 1;
    }
    eprintln!("drawn: {seen:?}");
    let of = |name: &str| seen.get(name).copied().unwrap_or_default();
    // One over the price squared: 100 to 4 to 1.
    assert!(of("cheap") > 160 && of("middle") > 0, "{seen:?}");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn variants_of_a_name_decide_who_answers() {
    let _machine = shared().await;
    let provider = provider().await;
    let world = World::start(blueprint(&provider)).await;
    let check = async |model: &str, expected: &str| {
        let answer = world.client.chat(&chat(model)).await;
        let found = text(&answer);
        assert!(found.starts_with(expected), "{model}: {found}");
        answer
    };
    check("acme/large:floor", "cheap").await;
    check("acme/large:free", "free").await;
    check("ACME/Large:Free", "free").await;
    check("acme/large:extended", "long").await;
    check("acme/thinker", "thinker").await;
    let answer = check("acme/other:free", "404").await;
    let error = &answer.json()["error"];
    assert_eq!(
        error["availability"]["code"], "free_variant_ended",
        "{error}"
    );
    assert_eq!(
        error["availability"]["fallback_models"],
        json!(["acme/other"]),
        "{error}"
    );
    check("acme/large:unheard", "400").await;
    check("acme/large:thinking", "400").await;

    // `:thinking` asks for reasoning where the request itself does not.
    provider.reset();
    check("acme/thinker:thinking", "thinker").await;
    let sent: Value = serde_json::from_str(&provider.log()[0].body).expect("JSON");
    let asked = ["reasoning", "reasoning_effort", "thinking"];
    assert!(asked.iter().any(|field| !sent[*field].is_null()), "{sent}");

    // `:nitro` prefers the fastest: the dear one is the only one with a measured speed.
    let quick = json!({ "provider": { "only": ["dear"] } });
    for _ in 0..3 {
        let body = with(chat("acme/large"), &quick);
        let long = json!({ "messages": [{ "role": "user", "content": "SIM:tokens=40,chunk_delay_ms=2;" }], "stream": true });
        assert!(
            world
                .client
                .chat(&with(body, &long))
                .await
                .events()
                .is_complete()
        );
    }
    check("acme/large:nitro", "dear").await;
    let sorted = with(
        chat("acme/large"),
        &json!({ "provider": { "sort": "throughput" } }),
    );
    assert_eq!(text(&world.client.chat(&sorted).await), "dear");
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_is_told_how_the_route_was_chosen() {
    let _machine = shared().await;
    let provider = provider().await;
    let world = World::start(blueprint(&provider)).await;
    let ask = async |body: &Value| {
        let mut request = world.client.chat_request(body);
        let enabled = HeaderValue::from_static("enabled");
        request
            .headers_mut()
            .insert("x-openrouter-metadata", enabled);
        world.client.try_send(request).await.expect("an answer")
    };
    let preferences = json!({ "provider": { "order": ["broken", "dear"] } });
    let whole = ask(&with(chat("acme/half"), &preferences)).await;
    let check = |metadata: &Value| {
        assert_eq!(metadata["requested"], "acme/half", "{metadata}");
        assert_eq!(metadata["strategy"], "direct", "{metadata}");
        assert_eq!(metadata["attempt"], 2, "{metadata}");
        assert_eq!(metadata["endpoints"]["total"], 2, "{metadata}");
        let selected: Vec<&Value> = metadata["endpoints"]["available"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|endpoint| endpoint["selected"] == true)
            .map(|endpoint| &endpoint["provider"])
            .collect();
        assert_eq!(selected, ["dear"], "{metadata}");
        let attempts: Vec<u64> = metadata["attempts"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|attempt| attempt["status"].as_u64())
            .collect();
        assert_eq!(attempts, [503, 200], "{metadata}");
    };
    check(&whole.json()["openrouter_metadata"]);
    let stream = ask(&with(streamed("acme/half"), &preferences)).await;
    let events = stream.events();
    let carriers: Vec<&Value> = events
        .chunks
        .iter()
        .filter_map(|chunk| chunk.get("openrouter_metadata"))
        .collect();
    assert_eq!(carriers.len(), 1, "{}", stream.text());
    check(carriers[0]);
    let last = events
        .chunks
        .last()
        .and_then(|chunk| chunk.get("openrouter_metadata"));
    assert!(last.is_some(), "on the last chunk: {}", stream.text());

    let fallback = json!({ "models": ["acme/broken", "acme/other"] });
    let fallback = ask(&with(chat("acme/broken"), &fallback)).await.json();
    assert_eq!(
        fallback["openrouter_metadata"]["strategy"], "fallback",
        "{fallback}"
    );
    let refused = ask(&with(
        chat("acme/large"),
        &json!({ "provider": { "only": ["nobody"] } }),
    ))
    .await;
    let metadata = &refused.json()["openrouter_metadata"];
    assert_eq!(
        metadata["endpoints"]["excluded"].as_array().map(Vec::len),
        Some(3),
        "{metadata}"
    );
    // Who does not ask is not told.
    let silent = world.client.chat(&chat("acme/large")).await;
    assert!(
        silent.json()["openrouter_metadata"].is_null(),
        "{}",
        silent.text()
    );
    world.finish().await;
}

/// The same request twice over one connection: a body read to its end leaves it usable.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_leaves_the_connection_usable() {
    let _machine = shared().await;
    let provider = provider().await;
    let world = World::start(blueprint(&provider)).await;
    for _ in 0..3 {
        let bad = Bytes::from_static(b"not JSON");
        let bad = world
            .client
            .request(http::Method::POST, crate::support::CHAT, bad);
        assert_eq!(
            world.client.try_send(bad).await.expect("an answer").status,
            400
        );
        assert_eq!(text(&world.client.chat(&chat("acme/other")).await), "other");
    }
    world.finish().await;
}
