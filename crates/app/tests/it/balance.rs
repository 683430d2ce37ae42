//! The last cent is spent once: requests that cannot be afforded are refused before anybody works.

use crate::support::{Answer, Blueprint, World, chat, shared, sim, streamed, with};
use interline_sim::{Behaviour, Counts, Dialect, Handle, Script, Text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;

const AFFORDABLE: usize = 10;
const AT_ONCE: usize = 200;
/// Half a cent: the cost of one answer, and the worst case of one request.
const COST: i64 = 5_000_000;

/// Answers in exactly five tokens, slowly enough that all requests are there at once.
async fn provider() -> Handle {
    let behaviour = Behaviour {
        first_byte_delay_ms: 300,
        text: Text::Tokens(5),
        usage: Counts {
            prompt: Some(10),
            completion: Some(5),
            ..Counts::default()
        },
        ..Behaviour::default()
    };
    sim(Script {
        behaviour,
        ..Script::default()
    })
    .await
}

async fn check(dialect: Dialect, prices: &str, body: Value) {
    let provider = provider().await;
    let blueprint = Blueprint::new()
        .credits("0.05")
        .provider("alpha", dialect, &provider)
        .model("acme/m")
        .endpoint_with("acme/m", "alpha", "m", prices, "");
    let world = Arc::new(World::start(blueprint).await);
    let mut requests = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (world, body) = (Arc::clone(&world), body.clone());
        requests.spawn(async move { world.client.chat(&body).await });
    }
    let mut expected = BTreeMap::new();
    let mut refused = 0;
    for answer in requests.join_all().await {
        if answer.complete_text().is_some() {
            expected.insert(answer.id(), COST);
        } else {
            refused += 1;
            check_refusal(&answer);
        }
    }
    assert_eq!(
        (expected.len(), refused),
        (AFFORDABLE, AT_ONCE - AFFORDABLE),
        "served and refused"
    );
    assert_eq!(
        provider.log().len(),
        AFFORDABLE,
        "nobody worked for a refusal"
    );
    // Spent: also without others in flight.
    let late = world.client.chat(&body).await;
    check_refusal(&late);
    assert!(
        late.header("retry-after").is_none(),
        "waiting does not help: {}",
        late.text()
    );
    let world = Arc::into_inner(world).expect("all requests are over");
    let books = world.finish().await;
    books.assert_charged(&expected);
    assert_eq!(
        (books.posted, books.leased, books.uncovered),
        (0, 0, 0),
        "spent to the last cent"
    );
}

/// The documented 402.
fn check_refusal(answer: &Answer) {
    let text = answer.text();
    assert_eq!(answer.status, 402, "{text}");
    let body = answer.json();
    let error = &body["error"];
    assert_eq!(error["code"], 402, "{text}");
    assert_eq!(
        error["metadata"]["error_type"], "payment_required",
        "{text}"
    );
    let message = error["message"].as_str().unwrap_or_default();
    let source = error["metadata"]["limit_source"]
        .as_str()
        .unwrap_or_default();
    match source {
        "openrouter_credits" => assert!(message.contains("credits"), "{text}"),
        "openrouter_in_flight_budget" => {
            let start = "This request would exceed your available credits given your current \
                         in-flight requests.";
            assert!(message.starts_with(start), "{text}");
            assert_eq!(
                error["metadata"]["reason"], "in_flight_budget_exhausted",
                "{text}"
            );
            assert!(answer.header("retry-after").is_some(), "{text}");
        }
        other => panic!("limit_source {other}: {text}"),
    }
}

fn five_tokens(body: Value) -> Value {
    with(body, &json!({ "max_tokens": 5 }))
}

const BY_TOKEN: &str = "prompt = \"0\", completion = \"0.001\"";
const BY_REQUEST: &str = "prompt = \"0\", completion = \"0\", request = \"0.005\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balance_for_ten_serves_ten_of_two_hundred_streams_at_once() {
    let _machine = shared().await;
    check(
        Dialect::OpenaiChat,
        BY_TOKEN,
        five_tokens(streamed("acme/m")),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balance_for_ten_serves_ten_of_two_hundred_whole_answers_at_once() {
    let _machine = shared().await;
    check(Dialect::OpenaiChat, BY_TOKEN, five_tokens(chat("acme/m"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balance_for_ten_serves_ten_where_requests_have_a_price() {
    let _machine = shared().await;
    check(Dialect::OpenaiChat, BY_REQUEST, streamed("acme/m")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balance_for_ten_serves_ten_at_an_anthropic_provider() {
    let _machine = shared().await;
    check(
        Dialect::AnthropicMessages,
        BY_TOKEN,
        five_tokens(streamed("acme/m")),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balance_for_ten_serves_ten_at_a_gemini_provider() {
    let _machine = shared().await;
    check(Dialect::Gemini, BY_TOKEN, five_tokens(chat("acme/m"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_says_how_many_tokens_are_affordable() {
    let _machine = shared().await;
    let provider = provider().await;
    let blueprint = Blueprint::new()
        .credits("0.05")
        .provider("alpha", Dialect::OpenaiChat, &provider)
        .model("acme/m")
        .endpoint_with("acme/m", "alpha", "m", BY_TOKEN, "");
    let world = World::start(blueprint).await;
    let body = with(chat("acme/m"), &json!({ "max_tokens": 100 }));
    let answer = world.client.chat(&body).await;
    check_refusal(&answer);
    let message = answer.json()["error"]["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let expected = "This request requires more credits, or fewer max_tokens. You requested up to \
                    100 tokens, but can only afford 50.";
    assert!(message.starts_with(expected), "{message}");
    // Without a cap of the caller's own, the answer is capped at what is affordable.
    let answer = world.client.chat(&chat("acme/m")).await;
    assert!(answer.complete_text().is_some(), "{}", answer.text());
    let sent: Value = serde_json::from_str(&provider.log()[0].body).expect("JSON");
    let cap = sent["max_tokens"]
        .as_u64()
        .or_else(|| sent["max_completion_tokens"].as_u64());
    assert_eq!(cap, Some(50), "{sent}");
    let expected = BTreeMap::from([(answer.id(), COST)]);
    world.finish().await.assert_charged(&expected);
}
