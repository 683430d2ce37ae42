//! Keys: what they may spend, and how soon a change of them is felt.

use crate::support::{Blueprint, Client, World, chat, eventually, good, shared, sim};
use interline_sim::{Dialect, Script};
use serde_json::Value;
use std::time::{Duration, Instant};

/// A change must be felt within this.
const FELT_WITHIN: Duration = Duration::from_secs(5);
/// One answer at five tokens out for a tenth of a cent each.
const PRICES: &str = "prompt = \"0\", completion = \"0.001\"";

async fn world() -> (World, interline_sim::Handle) {
    let provider = sim(Script {
        behaviour: good(),
        ..Script::default()
    })
    .await;
    let blueprint = Blueprint::new()
        .provider("alpha", Dialect::OpenaiChat, &provider)
        .model("acme/m")
        .endpoint_with("acme/m", "alpha", "m", PRICES, "max_completion_tokens = 5");
    (World::start(blueprint).await, provider)
}

/// Makes a key beside the running node. Returns a client of it, and its hash.
fn new_key(world: &World, options: &[&str]) -> (Client, String) {
    let created = world.run_json(&[&["keys", "create", "--json"], options].concat());
    let text = |field: &str| created[field].as_str().unwrap_or_default().to_owned();
    (Client::new(world.address, &text("key")), text("hash"))
}

async fn ask(client: &Client) -> (u16, Value) {
    let answer = client.chat(&capped()).await;
    (answer.status, answer.json())
}

fn capped() -> Value {
    crate::support::with(chat("acme/m"), &serde_json::json!({ "max_tokens": 5 }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_at_its_daily_limit_is_refused_and_others_are_not() {
    let _machine = shared().await;
    let (world, provider) = world().await;
    let (limited, _) = new_key(&world, &["--name", "limited", "--limit", "0.02/day"]);
    for _ in 0..4 {
        assert_eq!(ask(&limited).await.0, 200);
    }
    for _ in 0..3 {
        let (status, body) = ask(&limited).await;
        assert_eq!(status, 402, "{body}");
        let metadata = &body["error"]["metadata"];
        assert_eq!(metadata["error_type"], "payment_required", "{body}");
        assert_eq!(metadata["limit_source"], "openrouter_key_limit", "{body}");
        assert!(
            body["error"]["message"]
                .as_str()
                .is_some_and(|m| m.contains("0.02")),
            "{body}"
        );
    }
    assert_eq!(
        ask(&world.client).await.0,
        200,
        "another key of the account"
    );
    assert_eq!(provider.log().len(), 5, "nobody worked for a refusal");
    let books = world.finish().await;
    assert_eq!(
        books.charges.values().copied().collect::<Vec<_>>(),
        [5_000_000; 5]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keys_limit_holds_for_many_requests_at_once_and_over_a_restart() {
    let _machine = shared().await;
    let (mut world, _provider) = world().await;
    let (limited, _) = new_key(&world, &["--name", "limited", "--limit", "0.05/day"]);
    let limited = std::sync::Arc::new(limited);
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let limited = std::sync::Arc::clone(&limited);
        requests.spawn(async move { ask(&limited).await.0 });
    }
    let statuses = requests.join_all().await;
    let count = |status| statuses.iter().filter(|found| **found == status).count();
    assert_eq!((count(200), count(402)), (10, 90), "{statuses:?}");
    world.signal(rustix::process::Signal::TERM);
    assert!(world.ended().await.success());
    world.start_again().await;
    let again = Client::new(world.address, limited.key());
    assert_eq!(ask(&again).await.0, 402, "what was spent is remembered");
    assert_eq!(world.finish().await.charges.len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_is_refused_within_seconds() {
    let _machine = shared().await;
    let (world, _provider) = world().await;
    let (client, hash) = new_key(&world, &["--name", "short-lived"]);
    assert_eq!(
        ask(&client).await.0,
        200,
        "a key made beside the running node works at once"
    );
    world.run_json(&["keys", "revoke", &hash, "--yes", "--json"]);
    let began = Instant::now();
    let body = eventually("the key is refused", async || {
        let (status, body) = ask(&client).await;
        (status == 401).then_some(body)
    })
    .await;
    let took = began.elapsed();
    eprintln!("refused {took:?} after it was revoked");
    assert!(took <= FELT_WITHIN, "{took:?}");
    assert_eq!(
        body["error"]["message"], "This API key is disabled.",
        "{body}"
    );
    assert_eq!(
        body["error"]["metadata"]["error_type"], "authentication",
        "{body}"
    );
    assert_eq!(
        ask(&world.client).await.0,
        200,
        "another key is not affected"
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_expires_is_refused_from_then_on() {
    let _machine = shared().await;
    let (world, _provider) = world().await;
    let (client, _) = new_key(&world, &["--name", "expiring", "--expires", "2s"]);
    let began = Instant::now();
    assert_eq!(ask(&client).await.0, 200);
    let body = eventually("the key is refused", async || {
        let (status, body) = ask(&client).await;
        (status == 401).then_some(body)
    })
    .await;
    assert!(
        began.elapsed() <= Duration::from_secs(2) + FELT_WITHIN,
        "{:?}",
        began.elapsed()
    );
    assert_eq!(
        body["error"]["message"], "This API key has expired.",
        "{body}"
    );
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_management_key_cannot_infer() {
    let _machine = shared().await;
    let (world, provider) = world().await;
    let (client, _) = new_key(&world, &["--name", "manager", "--management"]);
    let (status, body) = ask(&client).await;
    assert_eq!(status, 403, "{body}");
    assert_eq!(
        body["error"]["metadata"]["error_type"], "permission_denied",
        "{body}"
    );
    assert!(provider.log().is_empty());
    world.finish().await;
}
