//! Clients that leave: providers that can be stopped are stopped at once, and what is owed is paid.

use crate::support::{
    Blueprint, FIVE_TOKENS, World, alone, chat, eventually, shared, sim, streamed,
};
use interline_sim::{Behaviour, Dialect, Entry, Handle, Outcome, Script, Text};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const CLIENTS: usize = 20;
const STOPPED_WITHIN_MS: u64 = 500;
/// Of an answer that was generated to its end.
const FULL_COST: i64 = 20_000;
/// A token every 20 ms, for so many tokens.
const LONG: u32 = 400;
const SHORT: u32 = 40;

async fn provider(tokens: u32) -> Handle {
    let behaviour = Behaviour {
        text: Text::Tokens(tokens),
        usage: FIVE_TOKENS,
        chunk_delay_ms: 20,
        ..Behaviour::default()
    };
    sim(Script {
        behaviour,
        ..Script::default()
    })
    .await
}

async fn world(provider: &Handle, dialect: Dialect, cancels: bool) -> World {
    let quirks = format!("quirks = {{ cancels = {cancels} }}");
    let blueprint = Blueprint::new()
        .provider_with("alpha", dialect, &provider.base_url(dialect), &quirks)
        .model("acme/m")
        .endpoint("acme/m", "alpha", "m");
    World::start(blueprint).await
}

/// Opens streams, reads three chunks of each, and hangs up. Returns the ids and when each client
/// left on the provider's clock.
async fn leave_early(world: &Arc<World>, provider: &Arc<Handle>) -> Vec<(String, u64)> {
    let mut clients = JoinSet::new();
    let all_read = Arc::new(Barrier::new(CLIENTS));
    for _ in 0..CLIENTS {
        let (world, provider) = (Arc::clone(world), Arc::clone(provider));
        let all_read = Arc::clone(&all_read);
        clients.spawn(async move {
            let mut live = world.client.open(&streamed("acme/m")).await;
            live.read_chunks(3).await;
            all_read.wait().await;
            let (id, left_at) = (live.id(), provider.now_ms());
            live.hang_up();
            (id, left_at)
        });
    }
    clients.join_all().await
}

/// All requests of the log, once none of them runs.
async fn ended(provider: &Handle, count: usize) -> Vec<Entry> {
    eventually("the provider is done", async || {
        let log = provider.log();
        let ended = log
            .iter()
            .filter(|entry| entry.outcome != Outcome::Running)
            .count();
        (ended == count).then_some(log)
    })
    .await
}

async fn check_stopped(dialect: Dialect) {
    let provider = Arc::new(provider(LONG).await);
    let world = Arc::new(world(&provider, dialect, true).await);
    let left = leave_early(&world, &provider).await;
    let log = ended(&provider, CLIENTS).await;
    // All clients leave at once, so the first to leave stands for all.
    let first_left = left.iter().map(|(_, at)| *at).min().unwrap_or_default();
    let mut slowest = 0;
    for entry in &log {
        assert_eq!(entry.outcome, Outcome::Cancelled, "{entry:?}");
        let took = entry
            .ended_ms
            .unwrap_or(u64::MAX)
            .saturating_sub(first_left);
        slowest = slowest.max(took);
        assert!(
            took <= STOPPED_WITHIN_MS,
            "stopped {took} ms after the first client left"
        );
    }
    eprintln!("{dialect:?}: {CLIENTS} providers stopped, the slowest after {slowest} ms");
    let ids: Vec<String> = left.into_iter().map(|(id, _)| id).collect();
    let books = world.books_with(&ids).await;
    for id in &ids {
        let record = books.record(id);
        let charged = books.charges.get(id).copied().unwrap_or_default();
        assert!(charged > 0, "what was produced is owed: {record}");
        assert_eq!(record["outcome"], "cancelled", "{record}");
        // Gemini counts along with every chunk; the others had not reported anything yet.
        assert_eq!(
            record["is_estimated"],
            dialect != Dialect::Gemini,
            "{record}"
        );
        let seen = world.client.generation(id).await;
        assert_eq!(seen["cancelled"], true, "{seen}");
        assert!(
            seen["total_cost"].as_f64().is_some_and(|cost| cost > 0.0),
            "{seen}"
        );
        // Three chunks were read; what was sent meanwhile is little, not the whole answer.
        let tokens = seen["tokens_completion"].as_u64().unwrap_or_default();
        assert!((1..u64::from(LONG) / 2).contains(&tokens), "{seen}");
    }
    let world = Arc::into_inner(world).expect("all clients left");
    let expected = ids
        .iter()
        .map(|id| (id.clone(), books.charges[id]))
        .collect();
    world.finish().await.assert_charged(&expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_stops_its_provider_within_half_a_second_and_pays_for_what_came() {
    let _machine = alone().await;
    check_stopped(Dialect::OpenaiChat).await;
    check_stopped(Dialect::AnthropicMessages).await;
    check_stopped(Dialect::Gemini).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_cannot_be_stopped_is_read_to_its_end_and_paid_in_full() {
    let _machine = shared().await;
    let provider = Arc::new(provider(SHORT).await);
    let world = Arc::new(world(&provider, Dialect::OpenaiChat, false).await);
    let left = leave_early(&world, &provider).await;
    for entry in ended(&provider, CLIENTS).await {
        assert_eq!(entry.outcome, Outcome::Complete, "{entry:?}");
        assert_eq!(entry.chunks, u64::from(SHORT), "{entry:?}");
    }
    let ids: Vec<String> = left.into_iter().map(|(id, _)| id).collect();
    let books = world.books_with(&ids).await;
    for id in &ids {
        let record = books.record(id);
        assert_eq!(record["outcome"], "cancelled", "{record}");
        assert_ne!(
            record["is_estimated"], true,
            "the provider reported it: {record}"
        );
    }
    let expected = ids.into_iter().map(|id| (id, FULL_COST)).collect();
    let world = Arc::into_inner(world).expect("all clients left");
    world.finish().await.assert_charged(&expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_answer_whose_client_left_runs_to_its_end_and_is_paid() {
    let _machine = shared().await;
    let provider = sim(Script {
        behaviour: Behaviour {
            first_byte_delay_ms: 500,
            usage: FIVE_TOKENS,
            ..Behaviour::default()
        },
        ..Script::default()
    })
    .await;
    // Even where the provider could be stopped: its work is done when it answers.
    let world = Arc::new(world(&provider, Dialect::OpenaiChat, true).await);
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let world = Arc::clone(&world);
        clients.spawn(async move {
            let body = chat("acme/m");
            let asking = world.client.open(&body);
            let patience = Duration::from_millis(200);
            assert!(
                tokio::time::timeout(patience, asking).await.is_err(),
                "left before the head"
            );
        });
    }
    clients.join_all().await;
    for entry in ended(&provider, CLIENTS).await {
        assert_eq!(entry.outcome, Outcome::Complete, "{entry:?}");
    }
    let world = Arc::into_inner(world).expect("all clients left");
    let books = world.finish().await;
    let amounts: Vec<i64> = books.charges.values().copied().collect();
    assert_eq!(amounts, [FULL_COST; CLIENTS], "each is paid once, in full");
    assert!(
        books
            .records
            .values()
            .all(|record: &Value| record["is_estimated"] != true)
    );
}
